// SPDX-License-Identifier: GPL-2.0
#include <linux/err.h>
#include <linux/module.h>
#include <pcslab/pcslab.h>

static struct pcslab_heap *heap;
static char *greeting;

static int __init hello_init(void)
{
	heap = pcslab_heap_create("hello", NULL);
	if (IS_ERR(heap))
		return PTR_ERR(heap);
	greeting = pcslab_zalloc(heap, 100, GFP_KERNEL);
	if (!greeting) {
		pcslab_heap_destroy(heap);
		return -ENOMEM;
	}
	return 0;
}

static void __exit hello_exit(void)
{
	pcslab_free(greeting);
	pcslab_heap_destroy(heap);
}

module_init(hello_init);
module_exit(hello_exit);
MODULE_DESCRIPTION("A client of pcslab");
MODULE_LICENSE("GPL");
MODULE_INFO(import_ns, "PCSLAB");
