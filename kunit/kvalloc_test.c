// SPDX-License-Identifier: GPL-2.0
/*
 * Contracts 4, 10, 12, 13 and 19: objects that may come from vmalloc. Compares
 * pcslab_kvalloc() and its relatives with the kernel's functions, and does to
 * an object from vmalloc what other suites do to large objects: counts it,
 * frees it anywhere and wrongly, resizes it, has vfree() take it.
 *
 * Heaps that are destroyed with such an object are in heap_test.c, frees in NMI
 * in nmi_test.c, call sites in scripts/runs/api.run.
 */
#include <linux/delay.h>
#include <linux/highmem.h>
#include <linux/interrupt.h>
#include <linux/io.h>
#include <linux/mm.h>
#include <linux/sched/mm.h>
#include <linux/slab.h>
#include <linux/spinlock.h>
#include <linux/vmalloc.h>
#include <linux/vmstat.h>

#include "api.h"
#include "internal.h"
#include "interrupt.h"
#include "page.h"
#include "test_compat.h"

#define SEED		5
#define SECRET		0xa5
/* A physical address behind the memory of the guests */
#define NO_MEMORY	0xc0000000UL
/* From vmalloc always: the page allocator has nothing that large. */
#define VAST		(API_MAX_LARGE + 3 * PAGE_SIZE + 100)
#define VAST_BYTES	PAGE_ALIGN(VAST)

static const size_t sizes[] = {
	0, 1, 100, 4096, 4097, 5000, 8192, 8193, 20000, SZ_64K, API_MAX_LARGE, VAST,
};

static void *new_vast(struct kunit *test)
{
	void *obj = pcslab_kvalloc(api_heap(test), VAST, GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, obj);
	KUNIT_ASSERT_TRUE(test, is_vmalloc_addr(obj));
	api_fill(whole(obj), SEED, VAST);
	return obj;
}

/* An object of vmalloc that pages would have served. */
static void *new_fragmented(struct kunit *test, struct pcslab_heap *heap, size_t size)
{
	void *obj;

	api_fail_next(test, 1);
	obj = pcslab_kvalloc(heap, size, GFP_KERNEL);
	api_fail_next(test, 0);
	KUNIT_ASSERT_NOT_NULL(test, obj);
	KUNIT_ASSERT_TRUE(test, is_vmalloc_addr(obj));
	return obj;
}

/* The class of large objects exists afterwards. */
static void make_large_class(struct pcslab_heap *heap)
{
	pcslab_free(pcslab_alloc(heap, 20000, GFP_KERNEL));
}

/* Memory of a size that need not be the size of a class. */
static void check_size(struct kunit *test, size_t size, gfp_t gfp)
{
	struct pcslab_heap *heap = api_heap(test);
	void *theirs = kvmalloc(size, gfp), *ours = pcslab_kvalloc(heap, size, gfp);

	KUNIT_EXPECT_EQ_MSG(test, ZERO_OR_NULL_PTR(ours), ZERO_OR_NULL_PTR(theirs),
			    "%zu bytes", size);
	KUNIT_EXPECT_EQ_MSG(test, !ours, !theirs, "%zu bytes", size);
	if (size > API_MAX_LARGE)
		KUNIT_EXPECT_TRUE(test, is_vmalloc_addr(ours) && is_vmalloc_addr(theirs));
	if (size <= PAGE_SIZE)
		KUNIT_EXPECT_FALSE(test, is_vmalloc_addr(ours));
	if (!ZERO_OR_NULL_PTR(ours)) {
		KUNIT_EXPECT_GE(test, pcslab_usable_size(ours), size);
		api_fill(whole(ours), SEED, size);
		KUNIT_EXPECT_PTR_EQ(test, pcslab_heap_of(ours), heap);
	}
	pcslab_free(ours);
	kvfree(theirs);
}

static void as_kvmalloc(struct kunit *test)
{
	static const gfp_t flags[] = {
		GFP_KERNEL, GFP_KERNEL | __GFP_RETRY_MAYFAIL, GFP_KERNEL | __GFP_NOFAIL,
		GFP_USER | __GFP_NOWARN, GFP_NOFS, GFP_NOIO,
	};
	unsigned int i, k;

	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		for (k = 0; k < ARRAY_SIZE(flags); k++)
			check_size(test, sizes[i], flags[k]);
	}
	KUNIT_EXPECT_EQ(test, api_books(test)->large_fails, 0);
}

/* Small objects are those of pcslab_alloc(), in their classes. */
static void small_is_small(struct kunit *test)
{
	struct pcslab_heap *heap = api_heap(test);
	void *fixed = pcslab_kvzalloc(heap, 100, GFP_KERNEL);
	void *other = pcslab_kvalloc(heap, pcslab_usable_size(fixed), GFP_ATOMIC);

	KUNIT_EXPECT_EQ(test, api_books(test)->class[size_index(100)].allocs, 2);
	KUNIT_EXPECT_EQ(test, pcslab_usable_size(other), size_usable(100));
	pcslab_free(fixed);
	pcslab_free(other);
}

static void expect_zero(struct kunit *test, u8 *obj, size_t size)
{
	KUNIT_ASSERT_NOT_NULL(test, obj);
	obj = whole(obj);
	KUNIT_EXPECT_GE(test, pcslab_usable_size(obj), size);
	KUNIT_EXPECT_NULL_MSG(test, memchr_inv(obj, 0, pcslab_usable_size(obj)), "%zu bytes",
			      size);
	memset(obj, SECRET, pcslab_usable_size(obj));
	pcslab_free(obj);
}

static void zeroes(struct kunit *test)
{
	struct pcslab_heap *heap = api_heap(test);
	unsigned int i;
	size_t size;

	for (i = 1; i < ARRAY_SIZE(sizes); i++) {
		size = sizes[i];
		expect_zero(test, pcslab_kvzalloc(heap, size, GFP_KERNEL), size);
		expect_zero(test, pcslab_kvzalloc_node(heap, size, GFP_KERNEL, 0), size);
		expect_zero(test, pcslab_kvcalloc(heap, size, 1, GFP_NOFS), size);
	}
}

/* Nodes that there are, and others. */
static void nodes(struct kunit *test)
{
	static const int nodes[] = {
		NUMA_NO_NODE, -5, 0, 1, MAX_NUMNODES - 1, MAX_NUMNODES, INT_MAX,
	};
	static const size_t some[] = { 100, 5000, 20000, VAST_BYTES };
	unsigned int i, k;
	void *obj;

	for (i = 0; i < ARRAY_SIZE(nodes); i++) {
		for (k = 0; k < ARRAY_SIZE(some); k++) {
			obj = pcslab_kvalloc_node(api_heap(test), some[k], GFP_KERNEL, nodes[i]);
			KUNIT_EXPECT_GE_MSG(test, pcslab_usable_size(obj), some[k], "node %d",
					    nodes[i]);
			pcslab_free(obj);
		}
	}
	obj = pcslab_kvalloc_node(api_heap(test), VAST, GFP_KERNEL, 0);
	KUNIT_ASSERT_NOT_NULL(test, obj);
	KUNIT_EXPECT_EQ(test, page_to_nid(vmalloc_to_page(obj)), 0);
	pcslab_free(obj);
}

static void copies(struct kunit *test)
{
	void *src = new_vast(test), *copy, *theirs;

	copy = pcslab_kvmemdup(api_heap(test), src, VAST, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, copy);
	KUNIT_EXPECT_TRUE(test, api_filled(copy, SEED, VAST));
	pcslab_free(copy);
	copy = pcslab_kvmemdup(api_heap(test), src, 11, GFP_KERNEL);
	theirs = kmemdup(src, 11, GFP_KERNEL);
	KUNIT_EXPECT_EQ(test, memcmp(copy, theirs, 11), 0);
	KUNIT_EXPECT_EQ(test, pcslab_usable_size(copy), size_usable(11));
	pcslab_free(copy);
	kfree(theirs);
	KUNIT_EXPECT_PTR_EQ(test, pcslab_kvmemdup(api_heap(test), src, 0, GFP_KERNEL),
			    ZERO_SIZE_PTR);
	pcslab_free(src);
}

static void expect_large(struct kunit *test, u64 objects, u64 bytes)
{
	struct pcslab_stats *st = api_books(test);

	KUNIT_EXPECT_EQ(test, st->large_allocs - st->large_frees, objects);
	KUNIT_EXPECT_EQ(test, st->large_alloc_bytes - st->large_free_bytes, bytes);
}

/* The row of large objects in a file, from its second column on. */
static char *large_row(struct kunit *test, char *text, size_t size, const char *file)
{
	char *row;

	KUNIT_ASSERT_GT(test, api_read_file(file, text, size), 0);
	row = strstr(text, "\nlarge ");
	KUNIT_ASSERT_NOT_NULL(test, row);
	return row + strlen("\nlarge ");
}

/* Books, files and the walk tell the same. */
static void counted_as_large(struct kunit *test)
{
	char *text = kunit_kzalloc(test, SZ_16K, GFP_KERNEL);
	u64 live = 0, slabs, objects;
	void *a, *b;
	int n;

	KUNIT_ASSERT_NOT_NULL(test, text);
	a = new_vast(test);
	expect_large(test, 1, VAST_BYTES);
	b = pcslab_kvalloc_array(api_heap(test), VAST, 1, GFP_KERNEL);
	expect_large(test, 2, 2 * VAST_BYTES);
	n = sscanf(large_row(test, text, SZ_16K, "pcslab/heaps/kunit-api/audit"),
		   "%llu %llu %llu", &slabs, &objects, &live);
	KUNIT_EXPECT_EQ(test, n, 3);
	KUNIT_EXPECT_EQ(test, live, 2);
	pcslab_free(a);
	expect_large(test, 1, VAST_BYTES);
	pcslab_free(b);
	expect_large(test, 0, 0);
	KUNIT_EXPECT_EQ(test, api_books(test)->large_allocs, 2);
}

/* What pages cannot serve comes from vmalloc, and is no failure. */
static void fragmented(struct kunit *test)
{
	void *obj;

	make_large_class(api_heap(test));
	obj = new_fragmented(test, api_heap(test), 20000);
	KUNIT_EXPECT_EQ(test, pcslab_usable_size(obj), PAGE_ALIGN(20000));
	expect_large(test, 1, PAGE_ALIGN(20000));
	pcslab_free(obj);
	KUNIT_EXPECT_EQ(test, api_books(test)->large_fails, 0);
}

/* The same for a size that has a class. Redzones are not for such an object. */
static void fragmented_class(struct kunit *test)
{
	const struct pcslab_heap_attr attr = { .flags = PCSLAB_HEAP_REDZONE };
	struct pcslab_stats *st = ((struct api *)test->priv)->now;
	struct pcslab_heap *heap;
	void *obj, *got;

	if (PAGE_SIZE > 4096)
		kunit_skip(test, "no class is above a page");
	heap = pcslab_heap_create("kunit-fragmented", &attr);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, heap);
	make_large_class(heap);
	obj = new_fragmented(test, heap, 5000);
	KUNIT_EXPECT_EQ(test, pcslab_usable_size(obj), 8192);
	api_fill(whole(obj), SEED, 8192);
	got = pcslab_realloc(heap, obj, 6000, GFP_KERNEL);
	KUNIT_EXPECT_PTR_EQ(test, got, obj);
	KUNIT_EXPECT_TRUE(test, api_filled(got, SEED, 6000));
	KUNIT_EXPECT_EQ(test, pcslab_heap_stats(heap, st), 0);
	KUNIT_EXPECT_EQ(test, st->class[size_index(5000)].fails, 0);
	KUNIT_EXPECT_EQ(test, st->large_allocs - st->large_frees, 1);
	KUNIT_EXPECT_EQ(test, st->large_alloc_bytes - st->large_free_bytes, 8192);
	pcslab_free(got);
	KUNIT_EXPECT_EQ(test, pcslab_heap_stats(heap, st), 0);
	KUNIT_EXPECT_EQ(test, stats_live(st) + st->corruptions + st->bad_frees, 0);
	pcslab_heap_destroy(heap);
}

/* These are left to the page allocator, and fail with it. */
static void no_vmalloc(struct kunit *test)
{
	struct pcslab_heap *heap = api_heap(test);
	struct pcslab_stats *st;

	make_large_class(heap);
	api_fail_pages(test, true);
	KUNIT_EXPECT_NULL(test, pcslab_kvalloc(heap, 20000, GFP_ATOMIC));
	KUNIT_EXPECT_NULL(test, pcslab_kvalloc(heap, 20000, GFP_NOWAIT));
	KUNIT_EXPECT_NULL(test, pcslab_kvalloc(heap, 5000, GFP_ATOMIC));
	KUNIT_EXPECT_NULL(test, pcslab_kvalloc(heap, 4096, GFP_KERNEL));
	KUNIT_EXPECT_NULL(test, pcslab_kvalloc_node(heap, 20000, GFP_KERNEL | __GFP_THISNODE, 0));
	api_fail_pages(test, false);
	KUNIT_EXPECT_NULL(test, pcslab_kvalloc(heap, VAST, GFP_ATOMIC));
	st = api_books(test);
	KUNIT_EXPECT_EQ(test, st->large_fails, 4);
	KUNIT_EXPECT_EQ(test, st->class[size_index(5000)].fails, 1);
	KUNIT_EXPECT_EQ(test, st->class[size_index(4096)].fails, 1);
	KUNIT_EXPECT_EQ(test, stats_live(st), 0);
}

static void nothing_left(struct kunit *test)
{
	struct pcslab_heap *heap = api_heap(test);
	struct pcslab_stats *st;
	void *obj;

	make_large_class(heap);
	api_fail_pages(test, true);
	KUNIT_EXPECT_NULL(test, pcslab_kvalloc(heap, 20000, GFP_KERNEL));
	KUNIT_EXPECT_NULL(test, pcslab_kvalloc(heap, 5000, GFP_KERNEL));
	KUNIT_EXPECT_NULL(test, pcslab_kvalloc(heap, VAST, GFP_KERNEL));
	obj = pcslab_kvalloc(heap, 20000, GFP_KERNEL | __GFP_NOFAIL);
	KUNIT_EXPECT_TRUE(test, is_vmalloc_addr(obj));
	api_fail_pages(test, false);
	st = api_books(test);
	KUNIT_EXPECT_EQ(test, st->large_fails, 2);
	KUNIT_EXPECT_EQ(test, st->class[size_index(5000)].fails, 1);
	KUNIT_EXPECT_EQ(test, stats_live(st), 1);
	pcslab_free(obj);
}

static void too_large(struct kunit *test)
{
	struct pcslab_heap *heap = api_heap(test);
	size_t beyond = (size_t)INT_MAX + 1, half = SIZE_MAX / 2;

	OPTIMIZER_HIDE_VAR(beyond);
	OPTIMIZER_HIDE_VAR(half);
	KUNIT_EXPECT_NULL(test, kvmalloc(beyond, GFP_KERNEL | __GFP_NOWARN));
	KUNIT_EXPECT_NULL(test, pcslab_kvalloc(heap, beyond, GFP_KERNEL | __GFP_NOWARN));
	KUNIT_EXPECT_NULL(test, pcslab_kvalloc_array(heap, half, 3, GFP_KERNEL));
	KUNIT_EXPECT_NULL(test, pcslab_kvcalloc(heap, 3, half, GFP_KERNEL));
	KUNIT_EXPECT_NULL(test, pcslab_kvalloc(heap, VAST, GFP_KERNEL | __GFP_HIGHMEM));
	KUNIT_EXPECT_NULL(test, pcslab_kvalloc(heap, VAST, GFP_DMA | GFP_KERNEL | __GFP_NOWARN));
	KUNIT_EXPECT_EQ(test, api_books(test)->large_fails, 5);
	/* vmalloc itself refuses what is more than all memory. */
	if (totalram_pages() < PFN_UP(INT_MAX)) {
		KUNIT_EXPECT_NULL(test, pcslab_kvalloc(heap, INT_MAX, GFP_KERNEL | __GFP_NOWARN));
		KUNIT_EXPECT_EQ(test, api_books(test)->large_fails, 6);
	}
	KUNIT_EXPECT_EQ(test, stats_live(api_books(test)), 0);
}

static void free_arg(void *obj)
{
	pcslab_free(obj);
}

static void free_in_interrupt(const void *obj)
{
	interrupt_call(cpumask_last(cpu_online_mask), free_arg, (void *)obj);
}

/*
 * An area is charged for until vfree() has given it back; a shrink waits for
 * that.
 */
static void within_the_limit(struct kunit *test)
{
	const struct pcslab_heap_attr attr = { .limit_bytes = VAST_BYTES + SZ_1M };
	struct pcslab_heap *heap = pcslab_heap_create("kunit-limit", &attr);
	struct pcslab_stats *st = ((struct api *)test->priv)->now;
	void *obj, *more;

	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, heap);
	obj = pcslab_kvalloc(heap, VAST, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, obj);
	KUNIT_EXPECT_NULL(test, pcslab_kvalloc(heap, VAST, GFP_KERNEL | __GFP_NOWARN));
	KUNIT_EXPECT_EQ(test, pcslab_heap_stats(heap, st), 0);
	KUNIT_EXPECT_EQ(test, st->pages, VAST_BYTES >> PAGE_SHIFT);
	KUNIT_EXPECT_EQ(test, st->max_pages, VAST_BYTES >> PAGE_SHIFT);
	KUNIT_EXPECT_EQ(test, st->large_fails, 1);
	more = pcslab_kvalloc(heap, VAST, GFP_KERNEL | __GFP_NOFAIL);
	KUNIT_EXPECT_EQ(test, pcslab_heap_stats(heap, st), 0);
	KUNIT_EXPECT_EQ(test, st->over_limit, 1);
	pcslab_free(more);
	free_in_interrupt(obj);
	pcslab_heap_shrink(heap);
	KUNIT_EXPECT_EQ(test, pcslab_heap_stats(heap, st), 0);
	KUNIT_EXPECT_EQ(test, st->pages, 0);
	pcslab_heap_destroy(heap);
}

static long unreclaimable(void)
{
	return global_node_page_state_pages(NR_SLAB_UNRECLAIMABLE_B);
}

/*
 * The kernel counts these pages as vmalloc's, not as slab memory. Others change
 * that, too, but by far less than these pages.
 */
static void not_slab_memory(struct kunit *test)
{
	long before = unreclaimable();
	void *obj = new_vast(test);

	KUNIT_EXPECT_LT(test, abs(unreclaimable() - before), VAST_BYTES / PAGE_SIZE / 2);
	before = unreclaimable();
	pcslab_free(obj);
	KUNIT_EXPECT_LT(test, abs(unreclaimable() - before), VAST_BYTES / PAGE_SIZE / 2);
}

static void free_with_interrupts_off(const void *obj)
{
	unsigned long flags;

	local_irq_save(flags);
	pcslab_free(obj);
	local_irq_restore(flags);
}

static void free_without_preemption(const void *obj)
{
	preempt_disable();
	pcslab_free(obj);
	preempt_enable();
}

static void free_in_rcu_reader(const void *obj)
{
	rcu_read_lock();
	pcslab_free(obj);
	rcu_read_unlock();
}

static void free_under_spinlock(const void *obj)
{
	static DEFINE_SPINLOCK(lock);

	spin_lock_bh(&lock);
	pcslab_free(obj);
	spin_unlock_bh(&lock);
}

static void free_in_reclaim(const void *obj)
{
	unsigned int flags = memalloc_noreclaim_save();

	pcslab_free(obj);
	memalloc_noreclaim_restore(flags);
}

/* vfree() is called at once or soon. */
static bool is_unmapped(const void *obj)
{
	unsigned int tries;

	for (tries = 0; tries < 200; tries++) {
		if (!vmalloc_to_page(obj))
			return true;
		msleep(20);
	}
	return false;
}

static void freed_anywhere(struct kunit *test)
{
	static void (*const frees[])(const void *obj) = {
		pcslab_free, pcslab_free_sensitive, free_with_interrupts_off,
		free_without_preemption, free_in_rcu_reader, free_under_spinlock,
		free_in_interrupt, free_in_reclaim,
	};
	unsigned int i;
	void *obj;

	for (i = 0; i < ARRAY_SIZE(frees); i++) {
		obj = new_vast(test);
		frees[i](obj);
		expect_large(test, 0, 0);
		KUNIT_EXPECT_TRUE_MSG(test, is_unmapped(obj), "free %u", i);
	}
	KUNIT_EXPECT_EQ(test, api_books(test)->bad_frees, 0);
}

/* The rcu_head is beyond the first page of the object. */
struct deferred {
	char before[3 * PAGE_SIZE];
	struct rcu_head rcu;
};

/* Live until the grace period has passed, but no other free is accepted. */
static void freed_after_a_grace_period(struct kunit *test)
{
	struct deferred *obj = new_vast(test);
	struct api *api = test->priv;

	api_snapshot(test);
	rcu_read_lock();
	pcslab_free_rcu(obj, rcu);
	pcslab_free(obj);
	pcslab_free_rcu(obj, rcu);
	KUNIT_EXPECT_NULL(test, pcslab_heap_of(obj));
	rcu_read_unlock();
	pcslab_rcu_barrier(api_heap(test));
	KUNIT_EXPECT_EQ(test, api_refused(test) - api->refused, 2);
	KUNIT_EXPECT_EQ(test, api_books(test)->bad_frees, 2);
	KUNIT_EXPECT_EQ(test, api_books(test)->deferred, 0);
	expect_large(test, 0, 0);
	KUNIT_EXPECT_TRUE(test, is_unmapped(obj));
	obj = new_vast(test);
	pcslab_free_rcu_sync(obj);
	expect_large(test, 0, 0);
	KUNIT_EXPECT_TRUE(test, is_unmapped(obj));
	KUNIT_EXPECT_EQ(test, api_books(test)->bad_frees, 2);
}

/* Pages stay readable through a reference, which keeps them from others. */
static void sensitive_is_overwritten(struct kunit *test)
{
	u8 *obj = new_vast(test), *at;
	struct page *pages[3];
	unsigned int i;

	pages[0] = vmalloc_to_page(obj);
	pages[1] = vmalloc_to_page(obj + VAST / 2);
	pages[2] = vmalloc_to_page(obj + VAST - 1);
	memset(obj, SECRET, VAST);
	for (i = 0; i < ARRAY_SIZE(pages); i++)
		get_page(pages[i]);
	pcslab_free_sensitive(obj);
	for (i = 0; i < ARRAY_SIZE(pages); i++) {
		at = kmap_local_page(pages[i]);
		KUNIT_EXPECT_NULL_MSG(test, memchr_inv(at, 0, PAGE_SIZE), "page %u", i);
		kunmap_local(at);
		put_page(pages[i]);
	}
}

static void refuse(struct kunit *test, const void *obj, const char *what)
{
	struct api *api = test->priv;

	api_snapshot(test);
	pcslab_free(obj);
	KUNIT_EXPECT_EQ_MSG(test, api_refused(test) - api->refused, 1, "%s", what);
	KUNIT_EXPECT_TRUE_MSG(test, api_same_books(api_books(test), api->before), "%s", what);
	KUNIT_EXPECT_NULL_MSG(test, pcslab_heap_of(obj), "%s", what);
	KUNIT_EXPECT_EQ_MSG(test, pcslab_usable_size(obj), 0, "%s", what);
}

static void expect_intact(struct kunit *test, void *obj)
{
	KUNIT_ASSERT_PTR_EQ(test, pcslab_heap_of(obj), api_heap(test));
	KUNIT_EXPECT_TRUE(test, api_filled(obj, SEED, VAST));
	KUNIT_EXPECT_EQ(test, pcslab_usable_size(obj), VAST_BYTES);
	pcslab_free(obj);
	expect_large(test, 0, 0);
}

/* Named and counted in the heap. */
static void inside(struct kunit *test)
{
	static const size_t offsets[] = {
		1, 8, PAGE_SIZE - 1, PAGE_SIZE, PAGE_SIZE + 8, VAST / 2, VAST, VAST_BYTES - 1,
	};
	void *obj = new_vast(test);
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(offsets); i++)
		refuse(test, obj + offsets[i], "inside");
	KUNIT_EXPECT_EQ(test, api_books(test)->bad_frees, ARRAY_SIZE(offsets));
	refuse(test, obj + VAST_BYTES, "behind");
	KUNIT_EXPECT_EQ(test, api_books(test)->bad_frees, ARRAY_SIZE(offsets));
	expect_intact(test, obj);
}

static void twice(struct kunit *test)
{
	void *obj = new_vast(test);

	pcslab_free(obj);
	refuse(test, obj, "twice");
	KUNIT_EXPECT_TRUE(test, is_unmapped(obj));
	refuse(test, obj, "a third time");
	KUNIT_EXPECT_EQ(test, api_books(test)->large_frees, 1);
}

/* The page by another address than the object's own. */
static void by_another_address(struct kunit *test)
{
	void *obj = new_vast(test), *large = pcslab_alloc(api_heap(test), 20000, GFP_KERNEL);
	struct page *page = vmalloc_to_page(obj), *other = virt_to_page(large);
	void *alias = vmap(&page, 1, VM_MAP, PAGE_KERNEL);
	void *of_large = vmap(&other, 1, VM_MAP, PAGE_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, alias);
	KUNIT_ASSERT_NOT_NULL(test, of_large);
	refuse(test, alias, "mapped again");
	refuse(test, of_large, "a large object, mapped");
	if (!PageHighMem(page))
		refuse(test, page_address(page), "in the direct map");
	vunmap(alias);
	vunmap(of_large);
	pcslab_free(large);
	expect_intact(test, obj);
}

/* Whatever else is near vmalloc. */
static void not_ours(struct kunit *test)
{
	u8 *theirs = vmalloc(VAST), on_stack;
	void *obj = new_vast(test);
	void __iomem *device;

	KUNIT_ASSERT_NOT_NULL(test, theirs);
	memset(theirs, SECRET, VAST);
	refuse(test, theirs, "vmalloc");
	refuse(test, theirs + PAGE_SIZE, "inside vmalloc");
	refuse(test, theirs + 77, "inside vmalloc, not aligned");
	KUNIT_EXPECT_NULL(test, memchr_inv(theirs, SECRET, VAST));
	refuse(test, &on_stack, "the stack");
	refuse(test, PTR_ALIGN_DOWN(&on_stack, PAGE_SIZE), "page of the stack");
	refuse(test, (void *)not_ours, "text");
	refuse(test, PTR_ALIGN_DOWN((void *)not_ours, PAGE_SIZE), "page of the text");
	device = ioremap(NO_MEMORY, PAGE_SIZE);
	if (device) {
		refuse(test, (void __force *)device, "a device's memory");
		iounmap(device);
	}
	vfree(theirs);
	refuse(test, theirs, "vmalloc that is gone");
	expect_intact(test, obj);
}

/* Contents, from class to pages to vmalloc. An object that has room stays. */
static void grows(struct kunit *test)
{
	static const size_t steps[] = { 100, 3000, 5000, 20000, SZ_256K, VAST, VAST + SZ_1M };
	void *obj = NULL, *got;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(steps); i++) {
		obj = pcslab_kvrealloc(api_heap(test), obj, steps[i], GFP_KERNEL);
		KUNIT_ASSERT_NOT_NULL(test, obj);
		if (i)
			KUNIT_EXPECT_TRUE(test, api_filled(obj, SEED, steps[i - 1]));
		KUNIT_EXPECT_GE(test, pcslab_usable_size(obj), steps[i]);
		KUNIT_EXPECT_EQ(test, stats_live(api_books(test)), 1);
		api_fill(whole(obj), SEED, steps[i]);
	}
	KUNIT_EXPECT_TRUE(test, is_vmalloc_addr(obj));
	api_snapshot(test);
	got = pcslab_kvrealloc(api_heap(test), obj, 10, GFP_KERNEL);
	KUNIT_EXPECT_PTR_EQ(test, got, obj);
	got = pcslab_realloc(api_heap(test), got, PAGE_ALIGN(VAST + SZ_1M), GFP_KERNEL);
	KUNIT_EXPECT_PTR_EQ(test, got, obj);
	KUNIT_EXPECT_TRUE(test, api_same_books(api_books(test),
					       ((struct api *)test->priv)->before));
	KUNIT_EXPECT_PTR_EQ(test, pcslab_kvrealloc(api_heap(test), obj, 0, GFP_KERNEL),
			    ZERO_SIZE_PTR);
	expect_large(test, 0, 0);
}

/*
 * A buffer grows and shrinks, always with __GFP_ZERO, and is filled to its end
 * after every step, beside one of kvrealloc().
 */
static void zeroes_as_kvrealloc(struct kunit *test)
{
	static const size_t steps[] = {
		100, 5000, 60, 20000, 9000, VAST, SZ_64K, VAST, 100, VAST + SZ_64K, 5000,
	};
	void *ours = NULL, *theirs = NULL;
	unsigned int i, wrong = 0;
	size_t old = 0;

	for (i = 0; i < ARRAY_SIZE(steps); i++) {
		ours = pcslab_kvrealloc(api_heap(test), ours, steps[i], GFP_KERNEL | __GFP_ZERO);
		theirs = compat_kvrealloc(theirs, old, steps[i], GFP_KERNEL | __GFP_ZERO);
		KUNIT_ASSERT_NOT_NULL(test, ours);
		KUNIT_ASSERT_NOT_NULL(test, theirs);
		old = steps[i];
		wrong += memcmp(ours, theirs, min_t(size_t, old, 20000)) != 0;
		if (i && old > steps[i - 1])
			wrong += !!memchr_inv(ours + steps[i - 1], 0, old - steps[i - 1]);
		api_fill(ours, i, old);
		api_fill(theirs, i, old);
	}
	KUNIT_EXPECT_EQ(test, wrong, 0);
	kvfree(theirs);
	pcslab_free(ours);
}

/* pcslab_realloc() takes an object from vmalloc, but gets none. */
static void resized_to_pages(struct kunit *test)
{
	struct pcslab_heap *heap = api_heap(test);
	void *obj, *got, *vast = new_vast(test);

	obj = new_fragmented(test, heap, 20000);
	api_fill(whole(obj), SEED, 20000);
	got = pcslab_realloc(heap, obj, 100000, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, got);
	KUNIT_EXPECT_FALSE(test, is_vmalloc_addr(got));
	KUNIT_EXPECT_TRUE(test, api_filled(got, SEED, 20000));
	pcslab_free(got);
	KUNIT_EXPECT_NULL(test, pcslab_realloc(heap, vast, VAST + SZ_1M,
					       GFP_KERNEL | __GFP_NOWARN));
	KUNIT_EXPECT_NULL(test, pcslab_kvrealloc(heap, vast, (size_t)INT_MAX + 1,
						 GFP_KERNEL | __GFP_NOWARN));
	KUNIT_EXPECT_EQ(test, api_books(test)->large_fails, 2);
	api_snapshot(test);
	KUNIT_EXPECT_NULL(test, pcslab_kvrealloc(heap, vast + PAGE_SIZE, 10, GFP_KERNEL));
	KUNIT_EXPECT_EQ(test, api_refused(test) - ((struct api *)test->priv)->refused, 1);
	expect_intact(test, vast);
}

/* The result is of the heap that is named. */
static void moves_to_the_heap_named(struct kunit *test)
{
	struct pcslab_heap *other = pcslab_heap_create("kunit-other", NULL);
	void *got;

	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, other);
	got = pcslab_kvrealloc(other, new_vast(test), VAST - 1, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, got);
	KUNIT_EXPECT_PTR_EQ(test, pcslab_heap_of(got), other);
	KUNIT_EXPECT_TRUE(test, api_filled(got, SEED, VAST - 1));
	expect_large(test, 0, 0);
	pcslab_free(got);
	pcslab_heap_destroy(other);
}

/*
 * vfree() takes all but the first page. The search finds that, and frees what
 * is left.
 */
static void taken_by_vfree(struct kunit *test)
{
	void *obj = new_vast(test), *kept = new_vast(test);
	struct page *page = vmalloc_to_page(obj);

	vfree(obj);
	KUNIT_EXPECT_EQ(test, page_ref_count(page), PCSLAB_REF_BIAS);
	refuse(test, obj, "gone");
	expect_large(test, 2, 2 * VAST_BYTES);
	KUNIT_EXPECT_EQ(test, api_books(test)->foreign, 0);
	pcslab_heap_shrink(api_heap(test));
	KUNIT_EXPECT_EQ(test, api_books(test)->foreign, 1);
	expect_large(test, 1, VAST_BYTES);
	refuse(test, obj, "found to be gone");
	pcslab_heap_shrink(api_heap(test));
	KUNIT_EXPECT_EQ(test, api_books(test)->foreign, 1);
	expect_intact(test, kept);
}

/* The object is all that keeps the heap. */
static void taken_from_a_zombie(struct kunit *test)
{
	struct pcslab_heap *heap = pcslab_heap_create("kunit-taken", NULL);
	unsigned int tries;
	char *text;
	void *obj;

	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, heap);
	obj = pcslab_kvalloc(heap, VAST, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, obj);
	vfree(obj);
	pcslab_heap_destroy(heap);
	for (tries = 0; tries < 100; tries++) {
		text = strstr(api_summary(test), "kunit-taken");
		if (!text)
			break;
		msleep(20);
	}
	KUNIT_EXPECT_NULL(test, text);
}

/* A reference that was dropped is put back. The object stays. */
static void page_put(struct kunit *test)
{
	void *obj = new_vast(test);

	put_page(vmalloc_to_page(obj));
	pcslab_heap_shrink(api_heap(test));
	KUNIT_EXPECT_EQ(test, api_books(test)->foreign, 1);
	KUNIT_EXPECT_EQ(test, page_ref_count(vmalloc_to_page(obj)), PCSLAB_REF_BIAS + 1);
	expect_intact(test, obj);
}

/* The words of the first page are as the page allocator expects them. */
static void page_is_clean(struct kunit *test)
{
	void *obj = new_vast(test);
	struct page *page = vmalloc_to_page(obj);

	get_page(page);
	free_in_interrupt(obj);
	KUNIT_EXPECT_TRUE(test, is_unmapped(obj));
	msleep(20);
	KUNIT_EXPECT_EQ(test, page_private(page), 0);
	KUNIT_EXPECT_NULL(test, page->mapping);
	KUNIT_EXPECT_EQ(test, page_ref_count(page), 1);
	put_page(page);
}

static struct kunit_case cases[] = {
	KUNIT_CASE(as_kvmalloc),
	KUNIT_CASE(small_is_small),
	KUNIT_CASE(zeroes),
	KUNIT_CASE(nodes),
	KUNIT_CASE(copies),
	KUNIT_CASE(counted_as_large),
	KUNIT_CASE(fragmented),
	KUNIT_CASE(fragmented_class),
	KUNIT_CASE(no_vmalloc),
	KUNIT_CASE(nothing_left),
	KUNIT_CASE(too_large),
	KUNIT_CASE(within_the_limit),
	KUNIT_CASE(not_slab_memory),
	KUNIT_CASE(freed_anywhere),
	KUNIT_CASE(freed_after_a_grace_period),
	KUNIT_CASE(sensitive_is_overwritten),
	KUNIT_CASE(inside),
	KUNIT_CASE(twice),
	KUNIT_CASE(by_another_address),
	KUNIT_CASE(not_ours),
	KUNIT_CASE(grows),
	KUNIT_CASE(zeroes_as_kvrealloc),
	KUNIT_CASE(resized_to_pages),
	KUNIT_CASE(moves_to_the_heap_named),
	KUNIT_CASE(taken_by_vfree),
	KUNIT_CASE(taken_from_a_zombie),
	KUNIT_CASE(page_put),
	KUNIT_CASE(page_is_clean),
	{}
};

static struct kunit_suite suite = {
	.name = "pcslab_kvalloc",
	.init = api_init,
	.exit = api_exit,
	.test_cases = cases,
};

kunit_test_suite(suite);
