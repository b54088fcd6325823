// SPDX-License-Identifier: GPL-2.0
/*
 * Contract 10: allocation follows kmalloc's rules. Each case makes one kind of
 * call, and checks the object (size, zeroes, node) and what was counted.
 */
#include <linux/limits.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/nodemask.h>
#include <linux/prandom.h>
#include <linux/sched.h>
#include <linux/slab.h>

#include "api.h"

/* Several kinds of small ones, the largest of them, and large objects. */
static const size_t sizes[] = {
	1, 8, 24, 64, 65, 100, 512, 1000, 4096, 5000, 8192, 8193, 20000, 65536,
};

static void size_zero(struct kunit *test)
{
	struct pcslab_heap *heap = api_heap(test);
	size_t zero = 0;

	OPTIMIZER_HIDE_VAR(zero);
	api_snapshot(test);
	KUNIT_EXPECT_PTR_EQ(test, pcslab_alloc(heap, 0, GFP_KERNEL), ZERO_SIZE_PTR);
	KUNIT_EXPECT_PTR_EQ(test, pcslab_alloc(heap, zero, GFP_KERNEL), ZERO_SIZE_PTR);
	KUNIT_EXPECT_PTR_EQ(test, pcslab_zalloc(heap, zero, GFP_KERNEL), ZERO_SIZE_PTR);
	KUNIT_EXPECT_PTR_EQ(test, pcslab_alloc_node(heap, zero, GFP_KERNEL, 0),
			    ZERO_SIZE_PTR);
	KUNIT_EXPECT_PTR_EQ(test, pcslab_alloc_array(heap, zero, 8, GFP_KERNEL),
			    ZERO_SIZE_PTR);
	KUNIT_EXPECT_PTR_EQ(test, pcslab_calloc(heap, 8, zero, GFP_KERNEL), ZERO_SIZE_PTR);
	KUNIT_EXPECT_EQ(test, 0, memcmp(api_books(test), ((struct api *)test->priv)->before,
					sizeof(struct pcslab_stats)));
}

typedef void *(*alloc_fn)(struct pcslab_heap *heap, size_t size);

static void *by_zalloc(struct pcslab_heap *heap, size_t size)
{
	return pcslab_zalloc(heap, size, GFP_KERNEL);
}

static void *by_flag(struct pcslab_heap *heap, size_t size)
{
	return pcslab_alloc(heap, size, GFP_KERNEL | __GFP_ZERO);
}

static void *by_calloc(struct pcslab_heap *heap, size_t size)
{
	return pcslab_calloc(heap, 1, size, GFP_KERNEL);
}

static void *by_node(struct pcslab_heap *heap, size_t size)
{
	return pcslab_alloc_node(heap, size, GFP_KERNEL | __GFP_ZERO, NUMA_NO_NODE);
}

static void *by_remote_node(struct pcslab_heap *heap, size_t size)
{
	int node = next_online_node(numa_mem_id());

	return pcslab_alloc_node(heap, size, GFP_KERNEL | __GFP_ZERO,
				 node < MAX_NUMNODES ? node : first_online_node);
}

#define DIRTY	16

/*
 * Needed because a CPU gets back what it freed last. Each case has its own
 * thread, so this lasts until the end of the case.
 */
static void stay_on_this_cpu(void)
{
	set_cpus_allowed_ptr(current, cpumask_of(raw_smp_processor_id()));
}

/* Allocates objects of a size, writes to every byte of them, and frees them. */
static void make_dirty(struct kunit *test, size_t size, void **objs)
{
	unsigned int i;

	for (i = 0; i < DIRTY; i++) {
		objs[i] = pcslab_alloc(api_heap(test), size, GFP_KERNEL);
		KUNIT_ASSERT_NOT_NULL(test, objs[i]);
		memset(whole(objs[i]), 0xa5, pcslab_usable_size(objs[i]));
	}
	for (i = 0; i < DIRTY; i++)
		pcslab_free(objs[i]);
}

static bool is_one_of(void *obj, void **objs)
{
	unsigned int i;

	for (i = 0; i < DIRTY; i++) {
		if (objs[i] == obj)
			return true;
	}
	return false;
}

/* Checks that all usable bytes are zero. Returns how many were reused. */
static unsigned int check_zeroed(struct kunit *test, alloc_fn alloc, size_t size)
{
	void *dirty[DIRTY], *objs[DIRTY];
	unsigned int i, recycled = 0;

	make_dirty(test, size, dirty);
	for (i = 0; i < DIRTY; i++) {
		objs[i] = alloc(api_heap(test), size);
		KUNIT_ASSERT_NOT_NULL(test, objs[i]);
		recycled += is_one_of(objs[i], dirty);
		KUNIT_EXPECT_NULL_MSG(test, memchr_inv(whole(objs[i]), 0,
						       pcslab_usable_size(objs[i])),
				      "size %zu", size);
	}
	for (i = 0; i < DIRTY; i++)
		pcslab_free(objs[i]);
	return recycled;
}

static void check_zeroed_sizes(struct kunit *test, alloc_fn alloc)
{
	unsigned int i, recycled;

	stay_on_this_cpu();
	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		recycled = check_zeroed(test, alloc, sizes[i]);
		/* If no object is reused, the test proves nothing. */
		if (sizes[i] <= PCSLAB_MAX_SIZE && alloc != by_remote_node)
			KUNIT_EXPECT_GT(test, recycled, 0);
	}
}

static void zalloc_zeroes(struct kunit *test)
{
	check_zeroed_sizes(test, by_zalloc);
}

static void gfp_zero_zeroes(struct kunit *test)
{
	check_zeroed_sizes(test, by_flag);
}

static void calloc_zeroes(struct kunit *test)
{
	check_zeroed_sizes(test, by_calloc);
}

static void alloc_node_zeroes(struct kunit *test)
{
	check_zeroed_sizes(test, by_node);
	check_zeroed_sizes(test, by_remote_node);
}

/* A constant size takes a path that zeroes in its own place. */
static void constant_zalloc_zeroes(struct kunit *test)
{
	void *dirty[DIRTY], *obj;

	stay_on_this_cpu();
	make_dirty(test, 64, dirty);
	obj = pcslab_zalloc(api_heap(test), 64, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, obj);
	KUNIT_EXPECT_TRUE(test, is_one_of(obj, dirty));
	KUNIT_EXPECT_NULL(test, memchr_inv(obj, 0, 64));
	pcslab_free(obj);
}

static const struct {
	size_t n, size;
} overflows[] = {
	{ SIZE_MAX, 2 },
	{ 2, SIZE_MAX },
	{ SIZE_MAX / 2 + 1, 2 },
	{ SIZE_MAX / 8 + 2, 8 },
	{ 1UL << (BITS_PER_LONG / 2), 1UL << (BITS_PER_LONG / 2) },
	{ SIZE_MAX, SIZE_MAX },
};

/* Each returns NULL and is counted, without a warning in the guest's log. */
static void array_overflow(struct kunit *test)
{
	struct pcslab_heap *heap = api_heap(test);
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(overflows); i++) {
		size_t n = overflows[i].n, size = overflows[i].size;

		KUNIT_EXPECT_NULL(test, pcslab_alloc_array(heap, n, size, GFP_KERNEL));
		KUNIT_EXPECT_NULL(test, pcslab_calloc(heap, n, size, GFP_KERNEL));
		KUNIT_EXPECT_EQ(test, api_books(test)->large_fails, 2 * (i + 1));
	}
}

static void array_holds_all(struct kunit *test)
{
	void *obj = pcslab_alloc_array(api_heap(test), 33, 31, GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, obj);
	KUNIT_EXPECT_GE(test, pcslab_usable_size(obj), 33 * 31);
	KUNIT_EXPECT_LT(test, pcslab_usable_size(obj), 33 * 31 * 9 / 8);
	pcslab_free(obj);
}

static void check_large(struct kunit *test, size_t size, unsigned int order)
{
	size_t bytes = PAGE_SIZE << order;
	struct pcslab_stats *st;
	void *obj;

	api_snapshot(test);
	obj = pcslab_alloc(api_heap(test), size, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL_MSG(test, obj, "size %zu", size);
	KUNIT_EXPECT_TRUE(test, IS_ALIGNED((unsigned long)obj, bytes));
	KUNIT_EXPECT_EQ(test, pcslab_usable_size(obj), bytes);
	KUNIT_EXPECT_PTR_EQ(test, pcslab_heap_of(obj), api_heap(test));
	memset(obj, 0xa5, bytes);
	st = api_books(test);
	KUNIT_EXPECT_EQ(test, st->large_allocs - st->large_frees, 1);
	KUNIT_EXPECT_EQ(test, st->large_alloc_bytes - st->large_free_bytes, bytes);
	pcslab_free(obj);
	st = api_books(test);
	KUNIT_EXPECT_EQ(test, st->large_allocs, st->large_frees);
	KUNIT_EXPECT_EQ(test, st->large_alloc_bytes, st->large_free_bytes);
}

/* The smallest and the largest size of every order the page allocator has. */
static void large_sizes(struct kunit *test)
{
	unsigned int order;

	for (order = get_order(PCSLAB_MAX_SIZE + 1); PAGE_SIZE << order <= API_MAX_LARGE;
	     order++) {
		check_large(test, (PAGE_SIZE << order) / 2 + 1, order);
		check_large(test, PAGE_SIZE << order, order);
	}
}

static void too_large(struct kunit *test)
{
	static const size_t beyond[] = { API_MAX_LARGE + 1, 16 * API_MAX_LARGE, SIZE_MAX };
	gfp_t gfp = GFP_KERNEL | __GFP_NOWARN;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(beyond); i++) {
		KUNIT_EXPECT_NULL(test, pcslab_alloc(api_heap(test), beyond[i], gfp));
		KUNIT_EXPECT_NULL(test, pcslab_alloc_node(api_heap(test), beyond[i], gfp, 0));
		KUNIT_EXPECT_EQ(test, api_books(test)->large_fails, 2 * (i + 1));
	}
	KUNIT_EXPECT_EQ(test, api_books(test)->large_allocs, 0);
}

static void usable_size(struct kunit *test)
{
	unsigned int i;
	size_t usable;
	void *obj;

	KUNIT_EXPECT_EQ(test, pcslab_usable_size(NULL), 0);
	KUNIT_EXPECT_EQ(test, pcslab_usable_size(ZERO_SIZE_PTR), 0);
	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		obj = pcslab_alloc(api_heap(test), sizes[i], GFP_KERNEL);
		KUNIT_ASSERT_NOT_NULL(test, obj);
		usable = sizes[i] <= PCSLAB_MAX_SIZE ?
			 pcslab_class_size(pcslab_class_index(sizes[i])) :
			 PAGE_SIZE << get_order(sizes[i]);
		KUNIT_EXPECT_EQ(test, pcslab_usable_size(obj), usable);
		KUNIT_EXPECT_EQ(test, pcslab_usable_size(obj + 1), 0);
		pcslab_free(obj);
		KUNIT_EXPECT_EQ(test, pcslab_usable_size(obj), 0);
	}
}

/* Returns how many objects of all sizes were not on the node. */
static unsigned int not_on_node(struct kunit *test, int node)
{
	unsigned int i, wrong = 0;
	void *obj;

	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		obj = pcslab_alloc_node(api_heap(test), sizes[i], GFP_KERNEL | __GFP_THISNODE,
					node);
		wrong += !obj || page_to_nid(virt_to_page(obj)) != node;
		pcslab_free(obj);
	}
	return wrong;
}

/*
 * Many rounds: objects freed by a CPU of another node must return to their
 * node.
 */
static void node_is_respected(struct kunit *test)
{
	unsigned int round, wrong = 0;
	int node, nodes = 0;

	if (!IS_ENABLED(CONFIG_NUMA))
		kunit_skip(test, "a kernel without nodes");
	for_each_node_state(node, N_MEMORY) {
		nodes++;
		for (round = 0; round < 100; round++)
			wrong += not_on_node(test, node);
	}
	KUNIT_EXPECT_EQ(test, wrong, 0);
	KUNIT_EXPECT_GT_MSG(test, nodes, 1, "the guest has one node only");
}

/* Anything but the number of a node with memory means no preference. */
static void node_that_is_none(struct kunit *test)
{
	static const int none[] = { NUMA_NO_NODE, -2, INT_MIN, MAX_NUMNODES, INT_MAX };
	unsigned int i;
	void *obj;

	for (i = 0; i < ARRAY_SIZE(none); i++) {
		obj = pcslab_alloc_node(api_heap(test), 64, GFP_KERNEL, none[i]);
		KUNIT_EXPECT_NOT_NULL(test, obj);
		pcslab_free(obj);
		obj = pcslab_alloc_node(api_heap(test), 20000, GFP_KERNEL, none[i]);
		KUNIT_EXPECT_NOT_NULL(test, obj);
		pcslab_free(obj);
	}
}

/*
 * Does not check the objects: that may sleep, and the caller may have
 * interrupts off.
 */
static void alloc_and_free_all(struct kunit *test, gfp_t gfp, void **objs)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(sizes); i++)
		objs[i] = pcslab_alloc(api_heap(test), sizes[i], gfp);
	for (i = 0; i < ARRAY_SIZE(sizes); i++)
		pcslab_free(objs[i]);
}

/* Interrupts are off from the first object of each class on. */
static void atomic_with_interrupts_off(struct kunit *test)
{
	static const gfp_t flags[] = { GFP_ATOMIC, GFP_NOWAIT };
	void *objs[ARRAY_SIZE(sizes)];
	unsigned int i, k;

	if (IS_ENABLED(CONFIG_PREEMPT_RT))
		kunit_skip(test, "nothing may be allocated so on RT");
	for (i = 0; i < ARRAY_SIZE(flags); i++) {
		local_irq_disable();
		alloc_and_free_all(test, flags[i], objs);
		local_irq_enable();
		for (k = 0; k < ARRAY_SIZE(sizes); k++)
			KUNIT_EXPECT_NOT_NULL_MSG(test, objs[k], "size %zu", sizes[k]);
	}
	KUNIT_EXPECT_EQ(test, stats_live(api_books(test)), 0);
}

static void other_flags(struct kunit *test)
{
	static const gfp_t flags[] = {
		GFP_NOFS, GFP_NOIO, GFP_USER, GFP_KERNEL | __GFP_NORETRY,
		GFP_KERNEL | __GFP_RETRY_MAYFAIL, GFP_KERNEL | __GFP_RECLAIMABLE,
		GFP_KERNEL | __GFP_COMP, GFP_KERNEL | __GFP_THISNODE,
		GFP_KERNEL | __GFP_MEMALLOC, GFP_KERNEL | __GFP_NOMEMALLOC,
	};
	void *objs[ARRAY_SIZE(sizes)];
	unsigned int i, k;

	for (i = 0; i < ARRAY_SIZE(flags); i++) {
		alloc_and_free_all(test, flags[i], objs);
		for (k = 0; k < ARRAY_SIZE(sizes); k++)
			KUNIT_EXPECT_NOT_NULL_MSG(test, objs[k], "flags %x, size %zu",
						  (__force unsigned int)flags[i], sizes[k]);
	}
}

static const gfp_t refused[] = { __GFP_HIGHMEM, __GFP_HIGHMEM | __GFP_ACCOUNT };

/*
 * Tries every function, small and large: 5 calls for class 64, 2 for large
 * objects.
 */
static void refuse(struct kunit *test, gfp_t gfp)
{
	struct pcslab_heap *heap = api_heap(test);
	size_t size = 64;

	OPTIMIZER_HIDE_VAR(size);
	gfp |= GFP_KERNEL;
	KUNIT_EXPECT_NULL(test, pcslab_alloc(heap, 64, gfp));
	KUNIT_EXPECT_NULL(test, pcslab_alloc(heap, size, gfp));
	KUNIT_EXPECT_NULL(test, pcslab_zalloc(heap, size, gfp));
	KUNIT_EXPECT_NULL(test, pcslab_alloc_node(heap, size, gfp, 0));
	KUNIT_EXPECT_NULL(test, pcslab_realloc(heap, NULL, size, gfp));
	KUNIT_EXPECT_NULL(test, pcslab_alloc(heap, 20000, gfp));
	KUNIT_EXPECT_NULL(test, pcslab_alloc_node(heap, 20000, gfp, 0));
}

static u64 refuse_all(struct kunit *test)
{
	struct pcslab_stats *st;
	unsigned int i;

	api_snapshot(test);
	for (i = 0; i < ARRAY_SIZE(refused); i++)
		refuse(test, refused[i]);
	st = api_books(test);
	KUNIT_EXPECT_TRUE(test, api_same_books(st, ((struct api *)test->priv)->before));
	return st->class[pcslab_class_index(64)].fails;
}

/* Before the class exists, and when the fast path could serve the call. */
static void refused_flags(struct kunit *test)
{
	void *obj;

	KUNIT_EXPECT_EQ(test, refuse_all(test), 5 * ARRAY_SIZE(refused));
	obj = pcslab_alloc(api_heap(test), 64, GFP_KERNEL);
	KUNIT_EXPECT_NOT_NULL(test, obj);
	pcslab_free(obj);
	KUNIT_EXPECT_EQ(test, refuse_all(test), 2 * 5 * ARRAY_SIZE(refused));
	KUNIT_EXPECT_EQ(test, api_books(test)->large_fails, 2 * 2 * ARRAY_SIZE(refused));
}

/*
 * The page allocator warns of __GFP_NOFAIL above order 1; the run finds such a
 * warning in the guest's log.
 */
static void check_nofail(struct kunit *test, void **objs)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(sizes); i++)
		objs[i] = pcslab_alloc(api_heap(test), sizes[i], GFP_KERNEL | __GFP_NOFAIL);
	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		KUNIT_EXPECT_NOT_NULL_MSG(test, objs[i], "size %zu", sizes[i]);
		pcslab_free(objs[i]);
	}
}

static void nofail(struct kunit *test)
{
	void *objs[ARRAY_SIZE(sizes)];

	check_nofail(test, objs);
}

/* A call that may fail shows that the injected failures are real. */
static void nofail_when_all_fails(struct kunit *test)
{
	void *objs[ARRAY_SIZE(sizes)], *obj;

	api_fail_pages(test, true);
	obj = pcslab_alloc(api_heap(test), 2000, GFP_KERNEL);
	check_nofail(test, objs);
	api_fail_pages(test, false);
	KUNIT_EXPECT_NULL(test, obj);
	KUNIT_EXPECT_EQ(test, api_books(test)->class[pcslab_class_index(2000)].fails, 1);
	pcslab_free(obj);
}

#define SLOTS	3000
#define OPS	60000

struct slot {
	u8 *obj;
	size_t size;
};

/* Mostly small objects, some of any class, few large ones. */
static size_t random_size(struct rnd_state *rnd)
{
	u32 kind = prandom_u32_state(rnd) % 100;
	u32 any = prandom_u32_state(rnd);

	if (kind < 70)
		return 1 + any % 512;
	if (kind < 98)
		return 1 + any % PCSLAB_MAX_SIZE;
	return PCSLAB_MAX_SIZE + 1 + any % 30000;
}

/* Returns 1 if anybody else wrote to the object. */
static unsigned int toggle(struct kunit *test, struct slot *slot, u32 seed,
			   struct rnd_state *rnd)
{
	unsigned int wrong;

	if (!slot->obj) {
		slot->size = random_size(rnd);
		slot->obj = pcslab_alloc(api_heap(test), slot->size, GFP_KERNEL);
		KUNIT_ASSERT_NOT_NULL(test, slot->obj);
		slot->size = pcslab_usable_size(slot->obj);
		api_fill(slot->obj, seed, slot->size);
		return 0;
	}
	wrong = !api_filled(slot->obj, seed, slot->size);
	pcslab_free(slot->obj);
	slot->obj = NULL;
	return wrong;
}

/* Each live object is filled with its own pattern, which exposes an overlap. */
static void objects_do_not_overlap(struct kunit *test)
{
	struct slot *slots = kvcalloc(SLOTS, sizeof(*slots), GFP_KERNEL);
	unsigned int i, at, wrong = 0;
	struct rnd_state rnd;

	KUNIT_ASSERT_NOT_NULL(test, slots);
	prandom_seed_state(&rnd, 20240229);
	for (i = 0; i < OPS; i++) {
		at = prandom_u32_state(&rnd) % SLOTS;
		wrong += toggle(test, &slots[at], at, &rnd);
	}
	for (at = 0; at < SLOTS; at++) {
		if (slots[at].obj)
			wrong += toggle(test, &slots[at], at, &rnd);
	}
	KUNIT_EXPECT_EQ(test, wrong, 0);
	kvfree(slots);
}

static struct kunit_case cases[] = {
	KUNIT_CASE(size_zero),
	KUNIT_CASE(zalloc_zeroes),
	KUNIT_CASE(gfp_zero_zeroes),
	KUNIT_CASE(calloc_zeroes),
	KUNIT_CASE(alloc_node_zeroes),
	KUNIT_CASE(constant_zalloc_zeroes),
	KUNIT_CASE(array_overflow),
	KUNIT_CASE(array_holds_all),
	KUNIT_CASE(large_sizes),
	KUNIT_CASE(too_large),
	KUNIT_CASE(usable_size),
	KUNIT_CASE(node_is_respected),
	KUNIT_CASE(node_that_is_none),
	KUNIT_CASE(atomic_with_interrupts_off),
	KUNIT_CASE(other_flags),
	KUNIT_CASE(refused_flags),
	KUNIT_CASE(nofail),
	KUNIT_CASE(nofail_when_all_fails),
	KUNIT_CASE(objects_do_not_overlap),
	{}
};

static struct kunit_suite suite = {
	.name = "pcslab_alloc",
	.init = api_init,
	.exit = api_exit,
	.test_cases = cases,
};

kunit_test_suite(suite);

MODULE_DESCRIPTION("KUnit tests of what one call to pcslab does");
MODULE_LICENSE("GPL");
MODULE_INFO(import_ns, "PCSLAB");
