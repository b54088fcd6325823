// SPDX-License-Identifier: GPL-2.0
/*
 * A client whose heaps have objects of every kind, to be found in a dump of the
 * memory: a heap "dump" with its cache "fixed", and "dump-checked", where
 * objects are farther apart than they are large
 *
 * leave=1	leaves the objects when the module goes. Their addresses can be
 *		read before, and a later load can free them (free=).
 */
#include <linux/err.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/nodemask.h>
#include <linux/slab.h>

#include <pcslab/pcslab.h>

/* More than the page allocator gives at once */
#define TOO_LARGE	((PAGE_SIZE << 10) + 1)
#define SMALL		150
#define FIXED		3

static struct pcslab_heap *heap, *checked;
static struct pcslab_cache *cache;

#define MAX_HELD	(SMALL + FIXED + 8)

#include "held.h"

static int node = NUMA_NO_NODE;
module_param(node, int, 0400);
MODULE_PARM_DESC(node, "node of the object that is not on the first one");

/* Each call in this function is a site of its own. */
static noinline void fill(void)
{
	unsigned int i;
	void *obj;

	hold(pcslab_alloc(heap, 20000, GFP_KERNEL));
	hold(pcslab_kvalloc(heap, TOO_LARGE, GFP_KERNEL));
	hold(pcslab_alloc(heap, 100000, GFP_KERNEL));
	obj = pcslab_alloc_node(heap, 1000, GFP_KERNEL, nr_online_nodes - 1);
	if (obj)
		node = page_to_nid(virt_to_page(obj));
	hold(obj);
	/* A page alone */
	hold(pcslab_alloc(heap, 60, GFP_KERNEL | GFP_DMA32));
	hold(pcslab_alloc(checked, 100, GFP_KERNEL));
	hold(pcslab_alloc(checked, 100, GFP_KERNEL));
	for (i = 0; i < FIXED; i++)
		hold(pcslab_cache_alloc(cache, GFP_KERNEL));
	for (i = 0; i < SMALL; i++) {
		obj = pcslab_alloc(heap, 60, GFP_KERNEL);
		hold(pcslab_alloc(heap, 60, GFP_KERNEL));
		pcslab_free(obj);
	}
	/* One class has nothing live. */
	pcslab_free(pcslab_alloc(heap, 300, GFP_KERNEL));
}

static int create(void)
{
	static const struct pcslab_heap_attr attr = { .flags = PCSLAB_HEAP_REDZONE };

	heap = pcslab_heap_create("dump", NULL);
	if (IS_ERR(heap))
		return PTR_ERR(heap);
	checked = pcslab_heap_create("dump-checked", &attr);
	if (IS_ERR(checked))
		goto err_heap;
	cache = pcslab_cache_create(heap, "fixed", 200, 8, 0, NULL);
	if (IS_ERR(cache))
		goto err_checked;
	return 0;

err_checked:
	pcslab_heap_destroy(checked);
err_heap:
	pcslab_heap_destroy(heap);
	return -ENOMEM;
}

static int __init dump_init(void)
{
	int err = create();

	if (err)
		return err;
	free_all(free, nr_free);
	fill();
	return 0;
}

static void __exit dump_exit(void)
{
	if (!leave)
		free_all(held, nr_held);
	pcslab_cache_destroy(cache);
	pcslab_heap_destroy(checked);
	pcslab_heap_destroy(heap);
}

module_init(dump_init);
module_exit(dump_exit);

MODULE_DESCRIPTION("A client of pcslab whose objects are to be found in a dump");
MODULE_LICENSE("GPL");
MODULE_INFO(import_ns, "PCSLAB");
