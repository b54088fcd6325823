// SPDX-License-Identifier: GPL-2.0
/*
 * A client for tests that consist of commands: a heap "hold" with known content
 *
 * leave=1   leaves the objects when the module goes. Their addresses can be
 *           read before, and a later load can free them (free=).
 * sites=1   allocates more objects, in many places.
 * copies=1  keeps a copy of each kind, too, and an object from vmalloc.
 * bad=1     makes mistakes, one of each kind.
 * forget=1  forgets the heap when the module goes.
 * fail=1    forgets the heap when the module does not even come up. What the
 *           heap then had is in the log.
 * use=      takes the address of a heap, which "where" gives, and allocates
 *           from that heap.
 */
#include <linux/device.h>
#include <linux/err.h>
#include <linux/init.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/rcupdate.h>
#include <linux/sched.h>
#include <linux/slab.h>

#include <pcslab/pcslab.h>

#include "compat.h"
#include "poke.h"

/* No architecture skips the classes used in this file. */
static const size_t sizes[] = { 64, 64, 64, 64, 128, 128, 20000 };

/* The beginning of an object that is freed after a grace period. */
struct freed_later {
	struct rcu_head rcu;
};

/* More than the page allocator gives at once. */
#define TOO_LARGE	((PAGE_SIZE << MAX_PAGE_ORDER) + 1)
/* Call sites */
#define SITES		70
#define MAX_HELD	(ARRAY_SIZE(sizes) + SITES)

#include "held.h"

static struct pcslab_heap *heap;

static bool forget;
module_param(forget, bool, 0400);
MODULE_PARM_DESC(forget, "do not destroy the heap when the module goes, and make an empty one beside it");

static bool fail;
module_param(fail, bool, 0400);
MODULE_PARM_DESC(fail, "have everything, then refuse to be loaded");

static unsigned long where;
module_param(where, ulong, 0400);
MODULE_PARM_DESC(where, "address of the heap");

static unsigned long use;
module_param(use, ulong, 0400);
MODULE_PARM_DESC(use, "heap of an earlier load to allocate from, once of each kind");

static bool starve;
module_param(starve, bool, 0400);
MODULE_PARM_DESC(starve, "have failslab fail what the heap asks for when it goes");

static bool sites;
module_param(sites, bool, 0400);
MODULE_PARM_DESC(sites, "allocate in many places");

static bool copies;
module_param(copies, bool, 0400);
MODULE_PARM_DESC(copies, "keep a copy of each kind");

static bool bad;
module_param(bad, bool, 0400);
MODULE_PARM_DESC(bad, "do what must not be done, one of each kind");

/* The compiler must not know this size. */
static size_t checked_size = 90;

/* No grace period passes before the second free. */
static void free_twice_with_rcu(struct freed_later *obj)
{
	rcu_read_lock();
	pcslab_free_rcu(obj, rcu);
	pcslab_free_rcu(obj, rcu);
	rcu_read_unlock();
}

/* Makes the mistakes in order. The log takes ten in five seconds. */
static void make_mistakes(void)
{
	void *small = pcslab_alloc(heap, 96, GFP_KERNEL);
	void *large = pcslab_alloc(heap, 20000, GFP_KERNEL);
	void *slab = PTR_ALIGN_DOWN(small, PAGE_SIZE);

	pcslab_free(small + 8);
	pcslab_free(slab + PAGE_SIZE - 1);
	pcslab_free(slab + rounddown(PAGE_SIZE, 96));
	pcslab_free(large + PAGE_SIZE);
	pcslab_free(heap);
	pcslab_free(small);
	pcslab_free(small);
	pcslab_free(large);
	pcslab_alloc(heap, 96, GFP_KERNEL | __GFP_HIGHMEM);
	free_twice_with_rcu(pcslab_alloc(heap, 96, GFP_KERNEL));
	free_twice_with_rcu(pcslab_alloc(heap, 20000, GFP_KERNEL));
	pcslab_alloc(heap, TOO_LARGE, GFP_KERNEL);
	pcslab_heap_set_limit(heap, PAGE_SIZE);
	pcslab_alloc(heap, 20000, GFP_KERNEL | __GFP_NOWARN);
	pcslab_alloc(heap, 20000, GFP_KERNEL);
	pcslab_heap_set_limit(heap, 0);
}

/* The device has no such object, and both stay what they were. */
static void mistake_the_device(void)
{
	struct device *dev = root_device_register("pcslab-hold");
	void *obj = pcslab_alloc(heap, 96, GFP_KERNEL);

	if (IS_ERR(dev))
		return;
	devm_pcslab_free(dev, obj);
	if (devm_pcslab_realloc(heap, dev, obj, 200, GFP_KERNEL))
		pr_err("pcslab_hold: an object of no device was resized\n");
	root_device_unregister(dev);
	if (pcslab_heap_of(obj) == heap)
		pr_info("pcslab_hold: the object is live\n");
	pcslab_free(obj);
}

/* If allocated again at once, the object has the same address. */
static void damage(void)
{
	static const struct pcslab_heap_attr attr = {
		.flags = PCSLAB_HEAP_POISON | PCSLAB_HEAP_REDZONE,
	};
	struct pcslab_heap *checked = pcslab_heap_create("hold-checked", &attr);
	size_t size = READ_ONCE(checked_size);
	u8 *obj;

	if (IS_ERR(checked))
		return;
	obj = pcslab_alloc(checked, size, GFP_KERNEL);
	poke(obj + size, 1, 0);
	migrate_disable();
	pcslab_free(obj);
	poke(obj + 7, 1, 1);
	pcslab_free(pcslab_alloc(checked, size, GFP_KERNEL));
	migrate_enable();
	pcslab_heap_destroy(checked);
}

/*
 * Not part of hold_init(), whose text is gone when somebody asks for the
 * caller.
 */
static noinline void fill(void)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(sizes); i++)
		hold(pcslab_alloc(heap, sizes[i], GFP_KERNEL | __GFP_NOFAIL));
	/*
	 * Use one class that has nothing live afterwards, and free a large
	 * object.
	 */
	pcslab_free(pcslab_alloc(heap, 1000, GFP_KERNEL));
	pcslab_free(pcslab_alloc(heap, 20000, GFP_KERNEL));
}

/*
 * Unrolled, so that each round is a call site of its own. The last object
 * moves.
 */
static noinline void fill_from_many_sites(void)
{
	void *obj = NULL;
	unsigned int i;

#pragma GCC unroll 70
	for (i = 0; i < SITES; i++) {
		obj = pcslab_alloc(heap, i % 2 ? 384 : 192, GFP_KERNEL | __GFP_NOFAIL);
		hold(obj);
	}
	obj = pcslab_realloc(heap, obj, 500, GFP_KERNEL | __GFP_NOFAIL);
	held[nr_held - 1] = (unsigned long)obj;
}

/* Each call is a site of its own. */
static noinline void fill_with_copies(void)
{
	const char *s = "a copy";

	hold(pcslab_memdup(heap, s, 7, GFP_KERNEL));
	hold(pcslab_memdup_nul(heap, s, 6, GFP_KERNEL));
	hold(pcslab_strdup(heap, s, GFP_KERNEL));
	hold(pcslab_strndup(heap, s, 4, GFP_KERNEL));
	hold(pcslab_strdup_const(heap, s, GFP_KERNEL));
	hold(pcslab_asprintf(heap, GFP_KERNEL, "%s", s));
	hold(pcslab_kvmemdup(heap, s, 7, GFP_KERNEL));
	hold(pcslab_kvalloc(heap, TOO_LARGE, GFP_KERNEL));
}

/* Uses a class that the heap has, one that it has not, and a large object. */
static void use_heap(struct pcslab_heap *heap)
{
	static const size_t sizes[] = { 64, 2000, 20000 };
	unsigned int i;
	void *obj;

	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		obj = pcslab_alloc(heap, sizes[i], GFP_KERNEL);
		if (obj)
			pr_err("pcslab_hold: %zu bytes of a heap that is destroyed\n", sizes[i]);
		pcslab_free(obj);
	}
}

static int refuse(void)
{
	unsigned int i;

	for (i = 0; i < nr_held; i++)
		pr_info("pcslab_hold: has %lu\n", held[i]);
	return -ENODEV;
}

static int __init hold_init(void)
{
	free_all(free, nr_free);
	if (use)
		use_heap((struct pcslab_heap *)use);
	if (nr_free || use)
		return 0;
	heap = pcslab_heap_create("hold", NULL);
	if (IS_ERR(heap))
		return PTR_ERR(heap);
	where = (unsigned long)heap;
	if (forget && IS_ERR(pcslab_heap_create("hold-empty", NULL)))
		pr_err("pcslab_hold: no second heap\n");
	if (bad) {
		make_mistakes();
		mistake_the_device();
		damage();
	} else {
		fill();
	}
	if (sites)
		fill_from_many_sites();
	if (copies)
		fill_with_copies();
	if (fail)
		return refuse();
	return 0;
}

static void __exit hold_exit(void)
{
	if (forget)
		return;
	if (!leave)
		free_all(held, nr_held);
	current->make_it_fail = starve;
	pcslab_heap_destroy(heap);
	current->make_it_fail = 0;
}

module_init(hold_init);
module_exit(hold_exit);

MODULE_DESCRIPTION("A client of pcslab for tests made of commands");
MODULE_LICENSE("GPL");
MODULE_INFO(import_ns, "PCSLAB");
