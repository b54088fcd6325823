// SPDX-License-Identifier: GPL-2.0
/*
 * Contracts 4, 10, 12 and 13: pcslab_alloc_bulk() and pcslab_free_bulk() return
 * what kmem_cache_alloc_bulk() returns beside them, count each object as single
 * calls do, and refuse each bad pointer as a single free does.
 */
#include <linux/slab.h>

#include "api.h"
#include "poke.h"

#define MOST	1000

/* Below, at and above what a magazine holds */
static const unsigned int numbers[] = {
	0, 1, 2, 3, 4, 8, 16, 30, 31, 32, 48, 62, 63, 64, 128, 158, 250, MOST,
};

static const size_t sizes[] = { 8, 64, 100, 1024, 4096, 8192 };

static void **objects(struct kunit *test)
{
	void **objs = kunit_kcalloc(test, MOST, sizeof(*objs), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, objs);
	return objs;
}

static void expect_counts(struct kunit *test, size_t size, u64 allocs, u64 frees, u64 fails)
{
	const struct pcslab_class_stats *st = &api_books(test)->class[size_index(size)];

	KUNIT_EXPECT_EQ(test, st->allocs, allocs);
	KUNIT_EXPECT_EQ(test, st->frees, frees);
	KUNIT_EXPECT_EQ(test, st->fails, fails);
}

/* All of them are different objects of the heap, with room for @size. */
static void check_objects(struct kunit *test, void **objs, unsigned int n, size_t size)
{
	unsigned int i, wrong = 0;

	for (i = 0; i < n; i++) {
		wrong += pcslab_heap_of(objs[i]) != api_heap(test);
		wrong += pcslab_usable_size(objs[i]) < size;
		wrong += !IS_ALIGNED((unsigned long)objs[i], size & -size);
		api_fill(objs[i], i, size);
	}
	for (i = 0; i < n; i++)
		wrong += !api_filled(objs[i], i, size);
	KUNIT_EXPECT_EQ(test, wrong, 0u);
}

static void returns_what_the_kernel_returns(struct kunit *test)
{
	struct kmem_cache *cache = kmem_cache_create("kunit-bulk", 64, 0, 0, NULL);
	void **ours = objects(test), **theirs = objects(test);
	unsigned int i, n;
	int got;

	KUNIT_ASSERT_NOT_NULL(test, cache);
	for (i = 0; i < ARRAY_SIZE(numbers); i++) {
		n = numbers[i];
		/* The number, or a bool in later kernels. */
		got = kmem_cache_alloc_bulk(cache, GFP_KERNEL, n, theirs);
		KUNIT_EXPECT_EQ(test, !!pcslab_alloc_bulk(api_heap(test), 64, GFP_KERNEL, n, ours),
				!!got);
		check_objects(test, ours, n, 64);
		pcslab_free_bulk(n, ours);
		if (n)
			kmem_cache_free_bulk(cache, n, theirs);
	}
	kmem_cache_destroy(cache);
}

static void each_object_is_counted(struct kunit *test)
{
	void **objs = objects(test);
	unsigned int i, j, n;
	u64 calls;

	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		for (j = 0, calls = 0; j < ARRAY_SIZE(numbers); j++) {
			n = numbers[j];
			KUNIT_ASSERT_EQ(test, pcslab_alloc_bulk(api_heap(test), sizes[i],
								GFP_KERNEL, n, objs), n);
			expect_counts(test, sizes[i], calls + n, calls, 0);
			check_objects(test, objs, n, sizes[i]);
			calls += n;
			pcslab_free_bulk(n, objs);
			expect_counts(test, sizes[i], calls, calls, 0);
		}
	}
}

/* The objects are like any others, so single calls take and give them. */
static void mixes_with_single_calls(struct kunit *test)
{
	void **objs = objects(test);
	unsigned int i;

	KUNIT_ASSERT_EQ(test, pcslab_alloc_bulk(api_heap(test), 64, GFP_KERNEL, 100, objs), 100);
	for (i = 0; i < 100; i++)
		pcslab_free(objs[i]);
	expect_counts(test, 64, 100, 100, 0);
	for (i = 0; i < 100; i++)
		objs[i] = pcslab_alloc(api_heap(test), 64, GFP_KERNEL);
	check_objects(test, objs, 100, 64);
	pcslab_free_bulk(100, objs);
	expect_counts(test, 64, 200, 200, 0);
}

static void no_size_and_large_sizes(struct kunit *test)
{
	struct pcslab_heap *heap = api_heap(test);
	void *objs[5];
	unsigned int i;

	KUNIT_EXPECT_EQ(test, pcslab_alloc_bulk(heap, 0, GFP_KERNEL, 5, objs), 5);
	for (i = 0; i < 5; i++)
		KUNIT_EXPECT_PTR_EQ(test, objs[i], ZERO_SIZE_PTR);
	pcslab_free_bulk(5, objs);
	KUNIT_EXPECT_EQ(test, stats_live(api_books(test)), 0);
	KUNIT_ASSERT_EQ(test, pcslab_alloc_bulk(heap, 20000, GFP_KERNEL, 5, objs), 5);
	check_objects(test, objs, 5, 20000);
	KUNIT_EXPECT_EQ(test, api_books(test)->large_allocs, 5);
	pcslab_free_bulk(5, objs);
	KUNIT_EXPECT_EQ(test, api_books(test)->large_frees, 5);
}

static void zeroes_are_asked_for(struct kunit *test)
{
	struct pcslab_heap *heap = api_heap(test);
	void **objs = objects(test);
	unsigned int i, dirty = 0;

	KUNIT_ASSERT_EQ(test, pcslab_alloc_bulk(heap, 100, GFP_KERNEL, 200, objs), 200);
	check_objects(test, objs, 200, 100);
	pcslab_free_bulk(200, objs);
	KUNIT_ASSERT_EQ(test, pcslab_alloc_bulk(heap, 100, GFP_KERNEL | __GFP_ZERO, 200, objs),
			200);
	for (i = 0; i < 200; i++)
		dirty += !!memchr_inv(objs[i], 0, pcslab_usable_size(objs[i]));
	KUNIT_EXPECT_EQ(test, dirty, 0u);
	pcslab_free_bulk(200, objs);
}

/* What was got before the failure is free again, and the failure is one. */
static void all_or_nothing(struct kunit *test)
{
	struct pcslab_heap *heap = api_heap(test);
	void **objs = objects(test);
	u64 allocs;

	KUNIT_ASSERT_EQ(test, pcslab_alloc_bulk(heap, 1024, GFP_KERNEL, 10, objs), 10);
	pcslab_free_bulk(10, objs);
	api_fail_pages(test, true);
	KUNIT_EXPECT_EQ(test, pcslab_alloc_bulk(heap, 1024, GFP_KERNEL, MOST, objs), 0);
	api_fail_pages(test, false);
	allocs = api_books(test)->class[size_index(1024)].allocs;
	expect_counts(test, 1024, allocs, allocs, 1);
	KUNIT_EXPECT_EQ(test, pcslab_alloc_bulk(heap, 1024, GFP_KERNEL | __GFP_HIGHMEM, 10,
						objs), 0);
	KUNIT_EXPECT_EQ(test, pcslab_alloc_bulk(heap, SIZE_MAX, GFP_KERNEL, 10, objs), 0);
	expect_counts(test, 1024, allocs, allocs, 2);
	KUNIT_EXPECT_EQ(test, api_books(test)->large_fails, 1);
}

/* Sizes, heaps, large objects and pointers that are none follow each other. */
static void any_mixture_is_freed(struct kunit *test)
{
	struct pcslab_heap *other = pcslab_heap_create("kunit-bulk", NULL);
	struct pcslab_stats *st = kunit_kzalloc(test, sizeof(*st), GFP_KERNEL);
	void **objs = objects(test);
	unsigned int i;

	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, other);
	KUNIT_ASSERT_NOT_NULL(test, st);
	api_snapshot(test);
	for (i = 0; i < MOST; i++) {
		if (i % 50 == 7)
			objs[i] = NULL;
		else if (i % 50 == 8)
			objs[i] = ZERO_SIZE_PTR;
		else
			objs[i] = pcslab_alloc(i % 3 ? api_heap(test) : other,
					       i % 100 == 9 ? 20000 : 8 << i / 7 % 11, GFP_KERNEL);
	}
	pcslab_free_bulk(MOST, objs);
	KUNIT_EXPECT_EQ(test, stats_live(api_books(test)), 0);
	KUNIT_EXPECT_EQ(test, pcslab_heap_stats(other, st), 0);
	KUNIT_EXPECT_EQ(test, stats_live(st), 0);
	KUNIT_EXPECT_EQ(test, stats_negative(api_books(test)) + stats_negative(st), 0u);
	KUNIT_EXPECT_EQ(test, api_refused(test), ((struct api *)test->priv)->refused);
	pcslab_heap_destroy(other);
}

/* Bad pointers at the start, in the middle and at the end change nothing. */
static void bad_ones_alone_are_refused(struct kunit *test)
{
	void *theirs = kunit_kmalloc(test, 64, GFP_KERNEL);
	struct api *api = test->priv;
	void **objs = objects(test), *rest[4];

	KUNIT_ASSERT_NOT_NULL(test, theirs);
	KUNIT_ASSERT_EQ(test, pcslab_alloc_bulk(api->heap, 64, GFP_KERNEL, 30, objs), 30);
	rest[0] = objs[0];
	rest[1] = objs[10];
	rest[2] = objs[15];
	rest[3] = objs[29];
	pcslab_free(objs[20]);		/* freed before */
	objs[0] = theirs;
	objs[10] = objs[9];		/* twice in the array */
	objs[15] += 8;			/* inside an object */
	objs[29] = theirs;
	api_snapshot(test);
	pcslab_free_bulk(30, objs);
	KUNIT_EXPECT_EQ(test, api_refused(test) - api->refused, 5);
	expect_counts(test, 64, 30, 26, 0);
	pcslab_free_bulk(30, objs);	/* all of them again */
	KUNIT_EXPECT_EQ(test, api_refused(test) - api->refused, 35);
	pcslab_free_bulk(ARRAY_SIZE(rest), rest);
	KUNIT_EXPECT_EQ(test, api_refused(test) - api->refused, 35);
	expect_counts(test, 64, 30, 30, 0);
}

static void checks_see_each_object(struct kunit *test)
{
	static const struct pcslab_heap_attr attr = {
		.flags = PCSLAB_HEAP_POISON | PCSLAB_HEAP_REDZONE | PCSLAB_HEAP_RANDOM
	};
	struct pcslab_heap *heap = pcslab_heap_create("kunit-bulk", &attr);
	struct pcslab_stats *st = kunit_kzalloc(test, sizeof(*st), GFP_KERNEL);
	void **objs = objects(test);

	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, heap);
	KUNIT_ASSERT_NOT_NULL(test, st);
	KUNIT_ASSERT_EQ(test, pcslab_alloc_bulk(heap, 61, GFP_KERNEL, 100, objs), 100);
	poke(objs[50] + 61, 1, 0);
	pcslab_free_bulk(100, objs);
	KUNIT_EXPECT_EQ(test, pcslab_heap_stats(heap, st), 0);
	KUNIT_EXPECT_EQ(test, st->corruptions, 1);
	KUNIT_EXPECT_EQ(test, st->class[size_index(61)].allocs, 100);
	KUNIT_EXPECT_EQ(test, stats_live(st), 0);
	pcslab_heap_destroy(heap);
}

static struct kunit_case cases[] = {
	KUNIT_CASE(returns_what_the_kernel_returns),
	KUNIT_CASE(each_object_is_counted),
	KUNIT_CASE(mixes_with_single_calls),
	KUNIT_CASE(no_size_and_large_sizes),
	KUNIT_CASE(zeroes_are_asked_for),
	KUNIT_CASE(all_or_nothing),
	KUNIT_CASE(any_mixture_is_freed),
	KUNIT_CASE(bad_ones_alone_are_refused),
	KUNIT_CASE(checks_see_each_object),
	{}
};

static struct kunit_suite suite = {
	.name = "pcslab_bulk",
	.init = api_init,
	.exit = api_exit,
	.test_cases = cases,
};

kunit_test_suite(suite);
