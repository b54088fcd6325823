// SPDX-License-Identifier: GPL-2.0
/*
 * Contract 10: only tasks that free memory may use the page allocator's
 * reserves. Nobody else gets objects made of them, and no call takes magazines
 * from them. The guest must have one CPU and little memory. The test takes all
 * memory with interrupts off, so that nobody else is affected.
 */
#include <kunit/test.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/sched/mm.h>
#include <linux/slab.h>

#include <pcslab/pcslab.h>

#include "internal.h"
#include "page.h"
#include "quiet.h"

#define NO_RESERVES	(GFP_NOWAIT | __GFP_NOMEMALLOC | __GFP_NOWARN)
#define ORDINARY	(GFP_NOWAIT | __GFP_NOWARN)
/* More than is free in slabs, magazines and the CPU's lists of pages */
#define MANY		10000

static struct pcslab_heap *heap;

/* Holds all memory except for the reserves */
struct famine {
	struct page *pages;
	void *objs[10];
	unsigned long flags;
};

/* Takes the free objects that kmalloc() has in memory it used before. */
static void *take_kmallocs(size_t size)
{
	void *first = NULL, **obj;

	while ((obj = kmalloc(size, NO_RESERVES))) {
		*obj = first;
		first = obj;
	}
	return first;
}

static void famine_begin(struct famine *famine)
{
	struct page *page;
	unsigned int i;

	famine->pages = NULL;
	local_irq_save(famine->flags);
	while ((page = alloc_page(NO_RESERVES))) {
		set_page_private(page, (unsigned long)famine->pages);
		famine->pages = page;
	}
	for (i = 0; i < ARRAY_SIZE(famine->objs); i++)
		famine->objs[i] = take_kmallocs(8UL << i);
}

static void famine_end(struct famine *famine)
{
	struct page *page;
	unsigned int i;
	void *obj;

	for (i = 0; i < ARRAY_SIZE(famine->objs); i++) {
		while ((obj = famine->objs[i])) {
			famine->objs[i] = *(void **)obj;
			kfree(obj);
		}
	}
	while ((page = famine->pages)) {
		famine->pages = (struct page *)page_private(page);
		set_page_private(page, 0);
		__free_page(page);
	}
	local_irq_restore(famine->flags);
}

/* All objects, linked through their first word */
static void *held;

static void *take(gfp_t gfp)
{
	void **obj = pcslab_alloc(heap, 64, gfp);

	if (obj) {
		*obj = held;
		held = obj;
	}
	return obj;
}

static void free_last(void)
{
	void *obj = held;

	held = *(void **)obj;
	pcslab_free(obj);
}

static void free_all(void)
{
	while (held)
		free_last();
}

static bool is_reserved(const void *obj)
{
	struct pcslab_slab *slab;

	if (!obj)
		return false;
	slab = (struct pcslab_slab *)page_private(virt_to_head_page(obj));
	return slab->node == NUMA_NO_NODE;
}

/* Takes @n objects. Returns how many are made of reserves. */
static unsigned int take_reserved(unsigned int n, gfp_t gfp)
{
	unsigned int reserved = 0;

	while (n--)
		reserved += is_reserved(take(gfp));
	return reserved;
}

/* Same for a task that is freeing memory. */
static unsigned int reclaimer_takes(unsigned int n, gfp_t gfp)
{
	unsigned int reserved, noreclaim = memalloc_noreclaim_save();

	reserved = take_reserved(n, gfp);
	memalloc_noreclaim_restore(noreclaim);
	return reserved;
}

static struct pcslab_class *class_of_64(void)
{
	return pcslab_class_at(heap, pcslab_class_index(64));
}

/* Does not count slabs on their way out, which takes a grace period. */
static unsigned int reserved_slabs(void)
{
	struct pcslab_slab *slab;
	unsigned int n = 0;

	rcu_read_lock();
	list_for_each_entry_rcu(slab, &class_of_64()->depot[0].all, all)
		n += slab->node == NUMA_NO_NODE && !READ_ONCE(slab->leaves);
	rcu_read_unlock();
	return n;
}

/* Takes so many that the last slab has free ones, whatever was free before. */
static void only_who_frees_memory(struct kunit *test)
{
	unsigned int first, ordinary, refused, flagged, n = MANY;
	struct famine famine;

	famine_begin(&famine);
	do {
		first = reclaimer_takes(1, ORDINARY);
	} while (!first && --n);
	ordinary = take_reserved(100, ORDINARY);
	refused = reclaimer_takes(100, NO_RESERVES);
	flagged = take_reserved(1, ORDINARY | __GFP_MEMALLOC);
	famine_end(&famine);
	KUNIT_ASSERT_EQ(test, first, 1);
	KUNIT_EXPECT_EQ(test, ordinary, 0);
	KUNIT_EXPECT_EQ(test, refused, 0);
	KUNIT_EXPECT_EQ(test, flagged, 1);
	KUNIT_EXPECT_EQ(test, reserved_slabs(), 1);

	/* Nobody gets the freed one either, from a magazine or otherwise. */
	free_last();
	KUNIT_EXPECT_EQ(test, take_reserved(1000, GFP_KERNEL), 0);
	expect_quiet(test, heap);
	free_all();
	KUNIT_EXPECT_EQ(test, reserved_slabs(), 0);
	expect_quiet(test, heap);
}

/* Allocations and frees can do without a magazine, so none is allocated. */
static void no_magazine_is_taken(struct kunit *test)
{
	struct pcslab_magazine *freeing, *allocating;
	struct famine famine;
	unsigned int noreclaim;
	struct pcslab_cpu *c;

	KUNIT_ASSERT_EQ(test, take_reserved(1, GFP_KERNEL), 0);
	pcslab_heap_shrink(heap);
	c = pcslab_cpu_of(class_of_64(), 0);
	KUNIT_ASSERT_NULL(test, c->loaded);

	famine_begin(&famine);
	noreclaim = memalloc_noreclaim_save();
	free_last();
	freeing = c->loaded;
	take(ORDINARY);
	allocating = c->loaded;
	memalloc_noreclaim_restore(noreclaim);
	famine_end(&famine);
	KUNIT_EXPECT_NULL(test, freeing);
	KUNIT_EXPECT_NULL(test, allocating);
	KUNIT_EXPECT_NOT_NULL(test, held);
	free_all();
	expect_quiet(test, heap);
}

static int make_heap(struct kunit *test)
{
	heap = pcslab_heap_create("kunit-reserve", NULL);
	return PTR_ERR_OR_ZERO(heap);
}

static void drop_heap(struct kunit *test)
{
	free_all();
	pcslab_heap_destroy(heap);
}

static struct kunit_case cases[] = {
	KUNIT_CASE(only_who_frees_memory),
	KUNIT_CASE(no_magazine_is_taken),
	{}
};

static struct kunit_suite suite = {
	.name = "pcslab_reserve",
	.init = make_heap,
	.exit = drop_heap,
	.test_cases = cases,
};

kunit_test_suite(suite);

MODULE_DESCRIPTION("KUnit tests of pcslab in want of memory");
MODULE_LICENSE("GPL");
MODULE_INFO(import_ns, "PCSLAB");
