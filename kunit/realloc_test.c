// SPDX-License-Identifier: GPL-2.0
/*
 * Contract 10: pcslab_realloc() follows krealloc's rules. Each case resizes one
 * object, and checks its contents and what was counted.
 */
#include <linux/prandom.h>
#include <linux/slab.h>

#include "api.h"

#define SEED	7
#define STEPS	400

/* An object of @size, completely filled. */
static void *filled_object(struct kunit *test, size_t size)
{
	void *obj = pcslab_alloc(api_heap(test), size, GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, obj);
	api_fill(obj, SEED, pcslab_usable_size(obj));
	return obj;
}

static void null_allocates(struct kunit *test)
{
	void *obj = pcslab_realloc(api_heap(test), NULL, 100, GFP_KERNEL);

	KUNIT_EXPECT_GE(test, pcslab_usable_size(obj), 100);
	pcslab_free(obj);
	obj = pcslab_realloc(api_heap(test), ZERO_SIZE_PTR, 100, GFP_KERNEL);
	KUNIT_EXPECT_GE(test, pcslab_usable_size(obj), 100);
	pcslab_free(obj);
}

static void zero_frees(struct kunit *test)
{
	struct pcslab_heap *heap = api_heap(test);
	void *small = filled_object(test, 100), *large = filled_object(test, 20000);

	KUNIT_EXPECT_PTR_EQ(test, pcslab_realloc(heap, small, 0, GFP_KERNEL), ZERO_SIZE_PTR);
	KUNIT_EXPECT_PTR_EQ(test, pcslab_realloc(heap, large, 0, GFP_KERNEL), ZERO_SIZE_PTR);
	KUNIT_EXPECT_PTR_EQ(test, pcslab_realloc(heap, NULL, 0, GFP_KERNEL), ZERO_SIZE_PTR);
	KUNIT_EXPECT_EQ(test, stats_live(api_books(test)), 0);
}

static const struct {
	size_t from, to;
} stays[] = {
	{ 100, 100 }, { 100, 4 }, { 97, 104 }, { 8192, 20 }, { 20000, 32768 }, { 20000, 4 },
};

/* Nothing is counted, because no object is handed out. */
static void fitting_stays(struct kunit *test)
{
	unsigned int i;
	void *obj, *got;

	for (i = 0; i < ARRAY_SIZE(stays); i++) {
		obj = filled_object(test, stays[i].from);
		api_snapshot(test);
		got = pcslab_realloc(api_heap(test), obj, stays[i].to, GFP_KERNEL);
		KUNIT_EXPECT_PTR_EQ(test, got, obj);
		KUNIT_EXPECT_TRUE(test, api_filled(obj, SEED, min(stays[i].from, stays[i].to)));
		KUNIT_EXPECT_TRUE(test, api_same_books(api_books(test),
						       ((struct api *)test->priv)->before));
		pcslab_free(got);
	}
}

static const struct {
	size_t from, to;
} grows[] = {
	{ 1, 9 }, { 64, 65 }, { 100, 5000 }, { 8192, 8193 }, { 64, 100000 }, { 20000, 40000 },
};

static void growing_keeps_content(struct kunit *test)
{
	size_t usable;
	unsigned int i;
	void *obj, *got;

	for (i = 0; i < ARRAY_SIZE(grows); i++) {
		obj = filled_object(test, grows[i].from);
		usable = pcslab_usable_size(obj);
		got = pcslab_realloc(api_heap(test), obj, grows[i].to, GFP_KERNEL);
		KUNIT_ASSERT_NOT_NULL(test, got);
		KUNIT_EXPECT_PTR_NE(test, got, obj);
		KUNIT_EXPECT_GE(test, pcslab_usable_size(got), grows[i].to);
		KUNIT_EXPECT_TRUE(test, api_filled(got, SEED, usable));
		KUNIT_EXPECT_EQ(test, stats_live(api_books(test)), 1);
		pcslab_free(got);
	}
}

/* New bytes are zero, old ones are unchanged. */
static void growing_zeroes_the_rest(struct kunit *test)
{
	void *obj = filled_object(test, 64), *got;

	got = whole(pcslab_realloc(api_heap(test), obj, 1000, GFP_KERNEL | __GFP_ZERO));
	KUNIT_ASSERT_NOT_NULL(test, got);
	KUNIT_EXPECT_TRUE(test, api_filled(got, SEED, 64));
	KUNIT_EXPECT_NULL(test, memchr_inv(got + 64, 0, pcslab_usable_size(got) - 64));
	pcslab_free(got);
}

/* In a heap with redzones, asking for the usable size zeroes the rest. */
static void shrinking_zeroes_the_rest(struct kunit *test)
{
	unsigned int i;
	size_t to;
	u8 *got;

	for (i = 0; i < ARRAY_SIZE(stays); i++) {
		to = stays[i].to;
		got = whole(pcslab_realloc(api_heap(test), filled_object(test, stays[i].from),
					   to, GFP_KERNEL | __GFP_ZERO));
		KUNIT_EXPECT_TRUE(test, api_filled(got, SEED, min(stays[i].from, to)));
		KUNIT_EXPECT_NULL(test, memchr_inv(got + to, 0, pcslab_usable_size(got) - to));
		pcslab_free(got);
	}
}

/* Both sides of class and page boundaries, so that objects stay and move. */
static const size_t sizes[] = {
	1, 7, 8, 40, 57, 64, 65, 96, 97, 100, 104, 128, 250, 1000, 1024, 4096, 4097, 8000,
	8192, 8193, 9000, 16384, 16385, 20000, 32768, 70000,
};

/*
 * A buffer grows and shrinks at random, always with __GFP_ZERO, and is filled
 * to its end after every step. A krealloc() buffer does the same beside it:
 * after each step both must have the same content.
 */
static void check_beside_krealloc(struct kunit *test, struct pcslab_heap *heap)
{
	u8 *ours = NULL, *theirs = NULL, *got;
	unsigned int i, wrong = 0;
	struct rnd_state random;
	size_t size;

	prandom_seed_state(&random, SEED);
	for (i = 0; i < STEPS; i++) {
		size = sizes[prandom_u32_state(&random) % ARRAY_SIZE(sizes)];
		ours = pcslab_realloc(heap, ours, size, GFP_KERNEL | __GFP_ZERO);
		got = krealloc(theirs, size, GFP_KERNEL | __GFP_ZERO);
		KUNIT_ASSERT_NOT_NULL(test, ours);
		KUNIT_ASSERT_NOT_NULL(test, got);
		theirs = got;
		wrong += memcmp(ours, theirs, size) != 0;
		api_fill(ours, i, size);
		api_fill(theirs, i, size);
	}
	KUNIT_EXPECT_EQ(test, wrong, 0);
	kfree(theirs);
	pcslab_free(ours);
}

static void zeroes_as_krealloc(struct kunit *test)
{
	static const struct pcslab_heap_attr attrs[] = {
		{ 0 }, { PCSLAB_HEAP_POISON }, { PCSLAB_HEAP_REDZONE },
		{ PCSLAB_HEAP_POISON | PCSLAB_HEAP_REDZONE },
	};
	struct pcslab_stats *st = ((struct api *)test->priv)->now;
	struct pcslab_heap *heap;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(attrs); i++) {
		heap = pcslab_heap_create("kunit-beside", &attrs[i]);
		KUNIT_ASSERT_NOT_ERR_OR_NULL(test, heap);
		check_beside_krealloc(test, heap);
		KUNIT_EXPECT_EQ(test, pcslab_heap_stats(heap, st), 0);
		KUNIT_EXPECT_EQ(test, stats_live(st), 0);
		KUNIT_EXPECT_EQ(test, st->corruptions, 0);
		pcslab_heap_destroy(heap);
	}
}

static const struct {
	size_t from, to;
} into[] = {
	{ 64, 20 }, { 128, 60 }, { 1000, 500 }, { 8192, 4090 },
};

/* The redzones of the new heap detect each byte written behind the request. */
static void copies_no_more_than_wanted(struct kunit *test)
{
	const struct pcslab_heap_attr attr = { .flags = PCSLAB_HEAP_REDZONE };
	struct pcslab_heap *other = pcslab_heap_create("kunit-into", &attr);
	struct pcslab_stats *st = ((struct api *)test->priv)->now;
	unsigned int i;
	void *got;

	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, other);
	for (i = 0; i < ARRAY_SIZE(into); i++) {
		got = pcslab_realloc(other, filled_object(test, into[i].from), into[i].to,
				     GFP_KERNEL);
		KUNIT_ASSERT_NOT_NULL(test, got);
		KUNIT_EXPECT_TRUE(test, api_filled(got, SEED, into[i].to));
		pcslab_free(got);
		KUNIT_EXPECT_EQ(test, pcslab_heap_stats(other, st), 0);
		KUNIT_EXPECT_EQ_MSG(test, st->corruptions, 0, "from %zu to %zu", into[i].from,
				    into[i].to);
	}
	pcslab_heap_destroy(other);
}

static const struct {
	size_t from, to;
} moves[] = {
	{ 1000, 500 }, { 1000, 1000 }, { 20000, 500 }, { 20000, 17000 }, { 500, 20000 },
};

/* The result belongs to the named heap, even if the old object had room. */
static void moves_to_the_heap_named(struct kunit *test)
{
	struct pcslab_heap *other = pcslab_heap_create("kunit-other", NULL);
	size_t from, to;
	unsigned int i;
	u8 *got;

	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, other);
	for (i = 0; i < ARRAY_SIZE(moves); i++) {
		from = moves[i].from;
		to = moves[i].to;
		got = whole(pcslab_realloc(other, filled_object(test, from), to,
					   GFP_KERNEL | __GFP_ZERO));
		KUNIT_ASSERT_NOT_NULL(test, got);
		KUNIT_EXPECT_PTR_EQ(test, pcslab_heap_of(got), other);
		KUNIT_EXPECT_TRUE(test, api_filled(got, SEED, min(from, to)));
		if (to <= from)
			KUNIT_EXPECT_NULL(test,
					  memchr_inv(got + to, 0, pcslab_usable_size(got) - to));
		KUNIT_EXPECT_EQ(test, stats_live(api_books(test)), 0);
		pcslab_free(got);
	}
	pcslab_heap_destroy(other);
}

static void failure_keeps_the_object(struct kunit *test)
{
	void *obj = filled_object(test, 100), *got, *beyond;

	api_snapshot(test);
	beyond = pcslab_realloc(api_heap(test), obj, API_MAX_LARGE + 1,
				GFP_KERNEL | __GFP_NOWARN);
	api_fail_pages(test, true);
	got = pcslab_realloc(api_heap(test), obj, 3000, GFP_KERNEL);
	api_fail_pages(test, false);
	KUNIT_EXPECT_NULL(test, beyond);
	KUNIT_EXPECT_NULL(test, got);
	KUNIT_EXPECT_PTR_EQ(test, pcslab_heap_of(obj), api_heap(test));
	KUNIT_EXPECT_TRUE(test, api_filled(obj, SEED, pcslab_usable_size(obj)));
	KUNIT_EXPECT_TRUE(test, api_same_books(api_books(test),
					       ((struct api *)test->priv)->before));
	pcslab_free(obj);
}

/* Like a bad free: returns NULL, is counted once, and allocates nothing. */
static void bad_pointer(struct kunit *test)
{
	struct pcslab_heap *heap = api_heap(test);
	struct api *api = test->priv;
	void *obj = filled_object(test, 1000), *freed = filled_object(test, 1000);

	pcslab_free(freed);
	api_snapshot(test);
	KUNIT_EXPECT_NULL(test, pcslab_realloc(heap, obj + 8, 2000, GFP_KERNEL));
	KUNIT_EXPECT_NULL(test, pcslab_realloc(heap, freed, 2000, GFP_KERNEL));
	KUNIT_EXPECT_NULL(test, pcslab_realloc(heap, freed, 10, GFP_KERNEL));
	KUNIT_EXPECT_NULL(test, pcslab_realloc(heap, test, 10, GFP_KERNEL));
	KUNIT_EXPECT_EQ(test, api_refused(test) - api->refused, 4);
	KUNIT_EXPECT_TRUE(test, api_same_books(api_books(test), api->before));
	KUNIT_EXPECT_TRUE(test, api_filled(obj, SEED, pcslab_usable_size(obj)));
	pcslab_free(obj);
}

static struct kunit_case cases[] = {
	KUNIT_CASE(null_allocates),
	KUNIT_CASE(zero_frees),
	KUNIT_CASE(fitting_stays),
	KUNIT_CASE(growing_keeps_content),
	KUNIT_CASE(growing_zeroes_the_rest),
	KUNIT_CASE(shrinking_zeroes_the_rest),
	KUNIT_CASE(zeroes_as_krealloc),
	KUNIT_CASE(copies_no_more_than_wanted),
	KUNIT_CASE(moves_to_the_heap_named),
	KUNIT_CASE(failure_keeps_the_object),
	KUNIT_CASE(bad_pointer),
	{}
};

static struct kunit_suite suite = {
	.name = "pcslab_realloc",
	.init = api_init,
	.exit = api_exit,
	.test_cases = cases,
};

kunit_test_suite(suite);
