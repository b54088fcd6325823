// SPDX-License-Identifier: GPL-2.0
/*
 * A client whose heap is charged to a memory cgroup: it takes objects when it
 * is loaded, and gives them back when it is removed.
 */
#include <linux/err.h>
#include <linux/module.h>
#include <linux/moduleparam.h>
#include <linux/vmalloc.h>

#include <pcslab/pcslab.h>

static char *cgroup;
module_param(cgroup, charp, 0400);
MODULE_PARM_DESC(cgroup, "path of the cgroup, else that of the task that loads this");

static unsigned int size = 64;
module_param(size, uint, 0400);
MODULE_PARM_DESC(size, "bytes of an object");

static unsigned int nr = 10000;
module_param(nr, uint, 0400);
MODULE_PARM_DESC(nr, "objects to be taken");

static unsigned int taken;
module_param(taken, uint, 0400);
MODULE_PARM_DESC(taken, "objects that it got");

static struct pcslab_heap *heap;
static void **objs;

static int __init charge_init(void)
{
	struct pcslab_heap_attr attr = { PCSLAB_HEAP_ACCOUNT, .cgroup = cgroup };
	gfp_t gfp = GFP_KERNEL_ACCOUNT | __GFP_NORETRY | __GFP_NOWARN;
	unsigned int i;

	objs = vcalloc(nr, sizeof(*objs));
	if (!objs)
		return -ENOMEM;
	heap = pcslab_heap_create("charge", &attr);
	if (IS_ERR(heap)) {
		vfree(objs);
		return PTR_ERR(heap);
	}
	for (i = 0; i < nr; i++) {
		objs[i] = pcslab_kvalloc(heap, size, gfp);
		taken += !!objs[i];
	}
	return 0;
}

static void __exit charge_exit(void)
{
	unsigned int i;

	for (i = 0; i < nr; i++)
		pcslab_free(objs[i]);
	pcslab_heap_destroy(heap);
	vfree(objs);
}

module_init(charge_init);
module_exit(charge_exit);

MODULE_DESCRIPTION("A heap that a memory cgroup pays for");
MODULE_LICENSE("GPL");
MODULE_INFO(import_ns, "PCSLAB");
