// SPDX-License-Identifier: GPL-2.0
/*
 * A client for tests made of commands: a heap "hold" with known content. When
 * the module goes with leave=1 the objects stay; their addresses, which can be
 * read before, let a later load free them (free=). bad=1 makes mistakes, one of
 * each kind.
 */
#include <linux/err.h>
#include <linux/init.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/slab.h>

#include <pcslab/pcslab.h>

static const size_t sizes[] = { 64, 64, 64, 64, 100, 100, 20000 };

static struct pcslab_heap *heap;
static unsigned long held[ARRAY_SIZE(sizes)];
static unsigned int nr_held;
module_param_array(held, ulong, &nr_held, 0400);
MODULE_PARM_DESC(held, "addresses of the objects");

static unsigned long free[ARRAY_SIZE(sizes)];
static unsigned int nr_free;
module_param_array(free, ulong, &nr_free, 0400);
MODULE_PARM_DESC(free, "objects of an earlier load to free");

static bool leave;
module_param(leave, bool, 0400);
MODULE_PARM_DESC(leave, "do not free the objects when the module goes");

static bool bad;
module_param(bad, bool, 0400);
MODULE_PARM_DESC(bad, "free what must not be freed, and ask for a zone");

/* One after the other; the log has a limit of ten in five seconds. */
static void make_mistakes(void)
{
	void *small = pcslab_alloc(heap, 72, GFP_KERNEL);
	void *large = pcslab_alloc(heap, 20000, GFP_KERNEL);
	void *slab = PTR_ALIGN_DOWN(small, PAGE_SIZE);

	pcslab_free(small + 8);
	pcslab_free(slab + PAGE_SIZE - 1);
	pcslab_free(large + PAGE_SIZE);
	pcslab_free(heap);
	pcslab_free(small);
	pcslab_free(small);
	pcslab_free(large);
	pcslab_alloc(heap, 72, GFP_KERNEL | GFP_DMA);
}

static void fill(void)
{
	void *obj;

	for (nr_held = 0; nr_held < ARRAY_SIZE(sizes); nr_held++) {
		obj = pcslab_alloc(heap, sizes[nr_held], GFP_KERNEL | __GFP_NOFAIL);
		held[nr_held] = (unsigned long)obj;
	}
	/* A class that was used and has nothing live. */
	pcslab_free(pcslab_alloc(heap, 1000, GFP_KERNEL));
}

static int __init hold_init(void)
{
	unsigned int i;

	for (i = 0; i < nr_free; i++)
		pcslab_free((void *)free[i]);
	if (nr_free)
		return 0;
	heap = pcslab_heap_create("hold", NULL);
	if (IS_ERR(heap))
		return PTR_ERR(heap);
	if (bad)
		make_mistakes();
	else
		fill();
	return 0;
}

static void __exit hold_exit(void)
{
	unsigned int i;

	for (i = 0; i < nr_held && !leave; i++)
		pcslab_free((void *)held[i]);
	pcslab_heap_destroy(heap);
}

module_init(hold_init);
module_exit(hold_exit);

MODULE_DESCRIPTION("A client of pcslab for tests made of commands");
MODULE_LICENSE("GPL");
MODULE_INFO(import_ns, "PCSLAB");
