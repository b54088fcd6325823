// SPDX-License-Identifier: GPL-2.0
/*
 * Known calls of every kind on a heap "calls" and its cache, for the tests of
 * what tells of calls: tracepoints and flight recorders
 *
 * Loading the module makes them, in calls_init() so that one function is the
 * site of all; the last one that is made keeps four objects of 64 bytes and one
 * of 20,000 until the module goes.
 *
 * bad=1	makes a mistake of each kind, too: an allocation that fails and
 *		a free that is refused, of a small and of a large object.
 */
#include <linux/err.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/rcupdate.h>
#include <linux/slab.h>

#include <pcslab/pcslab.h>

/* More than the page allocator gives at once */
#define TOO_LARGE	((PAGE_SIZE << 10) + 1)
#define KEPT		5

static struct pcslab_heap *heap;
static struct pcslab_cache *cache;
static void *kept[KEPT];

static bool bad;
module_param(bad, bool, 0400);
MODULE_PARM_DESC(bad, "make a mistake of each kind");

struct later {
	struct rcu_head rcu;
};

static noinline void keep_some(void)
{
	unsigned int i;

	for (i = 0; i < KEPT - 1; i++)
		kept[i] = pcslab_alloc(heap, 60, GFP_KERNEL);
	kept[i] = pcslab_alloc(heap, 20000, GFP_KERNEL);
}

/* A pair of each kind: of 256 bytes where the size does not matter. */
static noinline void make_pairs(void)
{
	struct later *later = pcslab_alloc(heap, 256, GFP_KERNEL);
	void *objs[10], *obj;

	pcslab_free_rcu(later, rcu);
	pcslab_rcu_barrier(heap);
	pcslab_free(pcslab_zalloc(heap, 256, GFP_KERNEL));
	pcslab_free_sensitive(pcslab_alloc_node(heap, 256, GFP_KERNEL, 0));
	obj = pcslab_alloc(heap, 128, GFP_KERNEL);
	pcslab_free(pcslab_realloc(heap, obj, 256, GFP_KERNEL));
	pcslab_free(pcslab_kvalloc(heap, TOO_LARGE, GFP_KERNEL));
	if (pcslab_alloc_bulk(heap, 512, GFP_KERNEL, ARRAY_SIZE(objs), objs))
		pcslab_free_bulk(ARRAY_SIZE(objs), objs);
	pcslab_cache_free(cache, pcslab_cache_alloc(cache, GFP_KERNEL));
	if (pcslab_cache_alloc_bulk(cache, GFP_KERNEL, ARRAY_SIZE(objs), objs))
		pcslab_cache_free_bulk(cache, ARRAY_SIZE(objs), objs);
}

static noinline void make_mistakes(void)
{
	void *obj = pcslab_alloc(heap, 1000, GFP_KERNEL);

	pcslab_free(obj + 8);
	pcslab_free(obj);
	pcslab_free(obj);
	pcslab_free(kept[KEPT - 1] + PAGE_SIZE);
	pcslab_cache_free(cache, kept[0]);
	if (pcslab_alloc(heap, TOO_LARGE, GFP_KERNEL | __GFP_NOWARN) ||
	    pcslab_alloc(heap, 1000, GFP_KERNEL | __GFP_HIGHMEM))
		pr_err("served what is a mistake\n");
}

static int __init calls_init(void)
{
	heap = pcslab_heap_create("calls", NULL);
	if (IS_ERR(heap))
		return PTR_ERR(heap);
	cache = pcslab_cache_create(heap, "fixed", 200, 8, 0, NULL);
	if (IS_ERR(cache)) {
		pcslab_heap_destroy(heap);
		return PTR_ERR(cache);
	}
	keep_some();
	make_pairs();
	if (bad)
		make_mistakes();
	return 0;
}

static void __exit calls_exit(void)
{
	unsigned int i;

	for (i = 0; i < KEPT; i++)
		pcslab_free(kept[i]);
	pcslab_cache_destroy(cache);
	pcslab_heap_destroy(heap);
}

module_init(calls_init);
module_exit(calls_exit);

MODULE_DESCRIPTION("Known calls of every kind, for tests of pcslab");
MODULE_LICENSE("GPL");
MODULE_INFO(import_ns, "PCSLAB");
