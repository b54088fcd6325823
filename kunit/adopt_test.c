// SPDX-License-Identifier: GPL-2.0
/*
 * Contract 12 and the section "Adopted modules": what pcslab_adopt.ko builds
 * on. Any address is told to be pcslab's or not; a free of what is not pcslab's
 * does nothing; a free with room for a single word waits for a grace period, as
 * pcslab_free_rcu() does.
 */
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/vmalloc.h>

#include "api.h"

#define LARGE_BYTES	20000
#define SEED		7

/* A small object, a large one, and one that is above the largest order */
static const size_t sizes[] = { 40, 1000, LARGE_BYTES, API_MAX_LARGE + 1 };

static void *object(struct kunit *test, size_t size)
{
	void *obj = pcslab_kvalloc(api_heap(test), size, GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, obj);
	return obj;
}

static u64 frees(struct kunit *test)
{
	const struct pcslab_stats *st = api_books(test);
	u64 sum = st->large_frees;
	u32 i;

	for (i = 0; i < st->nr_classes; i++)
		sum += st->class[i].frees;
	return sum;
}

static void owns_its_objects(struct kunit *test)
{
	unsigned int i;
	char *obj;

	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		obj = object(test, sizes[i]);
		KUNIT_EXPECT_TRUE(test, __pcslab_owns(obj));
		KUNIT_EXPECT_TRUE(test, __pcslab_owns(obj + 1));
		KUNIT_EXPECT_TRUE(test, __pcslab_owns(obj + sizes[i] - 1));
		pcslab_free(obj);
	}
}

/* The heap keeps its slab, but not the pages of a large object. */
static void owns_what_is_free(struct kunit *test)
{
	void *small = object(test, 40), *large = object(test, LARGE_BYTES);

	pcslab_free(small);
	pcslab_free(large);
	KUNIT_EXPECT_TRUE(test, __pcslab_owns(small));
	KUNIT_EXPECT_FALSE(test, __pcslab_owns(large));
}

static void owns_nothing_else(struct kunit *test)
{
	void *theirs[] = {
		kmalloc(40, GFP_KERNEL), kmalloc(LARGE_BYTES, GFP_KERNEL), vmalloc(LARGE_BYTES),
		test, &test, (void *)owns_nothing_else, (void *)sizes, NULL, ZERO_SIZE_PTR,
		ERR_PTR(-ENOMEM), (void *)~0UL
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(theirs); i++)
		KUNIT_EXPECT_FALSE_MSG(test, __pcslab_owns(theirs[i]), "address %u", i);
	kfree(theirs[0]);
	kfree(theirs[1]);
	vfree(theirs[2]);
}

static void frees_its_objects(struct kunit *test)
{
	unsigned int i;

	api_snapshot(test);
	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		KUNIT_EXPECT_TRUE(test, __pcslab_try_free(object(test, sizes[i])));
		KUNIT_EXPECT_EQ(test, frees(test), i + 1);
	}
	KUNIT_EXPECT_TRUE(test, __pcslab_try_free(NULL));
	KUNIT_EXPECT_TRUE(test, __pcslab_try_free(ZERO_SIZE_PTR));
	KUNIT_EXPECT_EQ(test, api_refused(test), 0);
}

static void leaves_others_alone(struct kunit *test)
{
	void *theirs = kmalloc(40, GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, theirs);
	api_snapshot(test);
	api_fill(theirs, SEED, 40);
	KUNIT_EXPECT_FALSE(test, __pcslab_try_free(theirs));
	KUNIT_EXPECT_TRUE(test, api_filled(theirs, SEED, 40));
	KUNIT_EXPECT_EQ(test, api_refused(test), 0);
	kfree(theirs);
}

static void refuses_bad_frees(struct kunit *test)
{
	char *obj = object(test, 40);

	api_snapshot(test);
	KUNIT_EXPECT_TRUE(test, __pcslab_try_free(obj + 8));
	KUNIT_EXPECT_EQ(test, frees(test), 0);
	KUNIT_EXPECT_TRUE(test, __pcslab_try_free(obj));
	KUNIT_EXPECT_TRUE(test, __pcslab_try_free(obj));
	KUNIT_EXPECT_EQ(test, frees(test), 1);
	KUNIT_EXPECT_EQ(test, api_books(test)->bad_frees, 2);
}

/* A word in the middle leads to the object, and is all that is written. */
static void word_is_enough(struct kunit *test)
{
	unsigned long *obj, *last;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		obj = object(test, sizes[i]);
		last = obj + sizes[i] / sizeof(long) - 1;
		*obj = SEED;
		*last = SEED;
		rcu_read_lock();
		__pcslab_free_rcu_word(obj, obj + 2);
		KUNIT_EXPECT_EQ(test, *obj, SEED);
		KUNIT_EXPECT_EQ(test, *last, SEED);
		rcu_read_unlock();
	}
	pcslab_rcu_barrier(api_heap(test));
	KUNIT_EXPECT_EQ(test, frees(test), ARRAY_SIZE(sizes));
	KUNIT_EXPECT_EQ(test, api_books(test)->deferred, 0);
}

static void many_words(struct kunit *test)
{
	unsigned int i;
	void *obj;

	for (i = 0; i < 2000; i++) {
		obj = object(test, 64);
		rcu_read_lock();
		__pcslab_free_rcu_word(obj, obj);
		rcu_read_unlock();
		if (i % 200 == 199)
			pcslab_rcu_barrier(api_heap(test));
	}
	KUNIT_EXPECT_EQ(test, frees(test), 2000);
}

static void word_waits(struct kunit *test)
{
	void *obj = object(test, 64);

	api_snapshot(test);
	rcu_read_lock();
	__pcslab_free_rcu_word(obj, obj);
	/* It waits as long as this reads; a second free of it is refused. */
	__pcslab_free_rcu_word(obj, obj);
	KUNIT_EXPECT_TRUE(test, __pcslab_try_free(obj));
	rcu_read_unlock();
	__pcslab_free_rcu_word(NULL, NULL);
	KUNIT_EXPECT_EQ(test, api_books(test)->bad_frees, 2);
	pcslab_rcu_barrier(api_heap(test));
	KUNIT_EXPECT_EQ(test, frees(test), 1);
}

static struct kunit_case cases[] = {
	KUNIT_CASE(owns_its_objects),
	KUNIT_CASE(owns_what_is_free),
	KUNIT_CASE(owns_nothing_else),
	KUNIT_CASE(frees_its_objects),
	KUNIT_CASE(leaves_others_alone),
	KUNIT_CASE(refuses_bad_frees),
	KUNIT_CASE(word_is_enough),
	KUNIT_CASE(many_words),
	KUNIT_CASE(word_waits),
	{}
};

static struct kunit_suite suite = {
	.name = "pcslab_adopt",
	.init = api_init,
	.exit = api_exit,
	.test_cases = cases,
};

kunit_test_suite(suite);
