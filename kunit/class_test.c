// SPDX-License-Identifier: GPL-2.0
/*
 * Contracts 10 and 11: the table of size classes. For every size the class
 * must be the smallest that fits, the object aligned as kmalloc() aligns it,
 * and at most an eighth of it wasted.
 */
#include <linux/align.h>
#include <linux/log2.h>
#include <linux/slab.h>

#include "api.h"

/* How many objects of each size are checked for their alignment. */
#define OBJECTS_PER_SIZE	8

static void every_size_fits(struct kunit *test)
{
	unsigned int i, wrong = 0;
	size_t size;

	for (size = 1; size <= PCSLAB_MAX_SIZE; size++) {
		i = pcslab_class_index(size);
		if (i >= PCSLAB_NR_CLASSES || pcslab_class_size(i) < size)
			wrong++;
	}
	KUNIT_EXPECT_EQ(test, wrong, 0);
	KUNIT_EXPECT_EQ(test, pcslab_class_index(PCSLAB_MAX_SIZE), PCSLAB_NR_CLASSES - 1);
}

/* Some architectures skip classes. */
static bool is_used(unsigned int i)
{
	return pcslab_class_index(pcslab_class_size(i)) == i;
}

/* The class is the smallest one that fits and has the alignment of the size. */
static void smallest_that_fits(struct kunit *test)
{
	unsigned int i, wrong = 0;
	size_t size, align;

	for (size = 1; size <= PCSLAB_MAX_SIZE; size++) {
		align = pcslab_class_align(size);
		for (i = 0; pcslab_class_size(i) < size ||
		     !IS_ALIGNED(pcslab_class_size(i), align); i++)
			;
		wrong += pcslab_class_index(size) != i;
	}
	KUNIT_EXPECT_EQ(test, wrong, 0);
}

static void index_and_size_agree(struct kunit *test)
{
	unsigned int i;

	for (i = 0; i < PCSLAB_NR_CLASSES; i++) {
		KUNIT_EXPECT_TRUE(test, is_used(i) || pcslab_class_align(PCSLAB_MAX_SIZE) > 8);
		if (is_used(i))
			KUNIT_EXPECT_EQ(test, pcslab_class_index(pcslab_class_size(i) - 1), i);
		if (i)
			KUNIT_EXPECT_GT(test, pcslab_class_size(i), pcslab_class_size(i - 1));
	}
}

/*
 * Contract 11. Waste is at most an eighth of the request, which is stricter
 * than an eighth of the object.
 */
static void waste_is_an_eighth(struct kunit *test)
{
	unsigned int wrong = 0;
	size_t size, waste;

	if (pcslab_class_align(PCSLAB_MAX_SIZE) > 8)
		kunit_skip(test, "alignment for DMA forces more here");
	for (size = 65; size <= PCSLAB_MAX_SIZE; size++) {
		waste = pcslab_class_size(pcslab_class_index(size)) - size;
		if (waste * 8 > size)
			wrong++;
	}
	KUNIT_EXPECT_EQ(test, wrong, 0);
}

/*
 * @obj came from the path for constant sizes; compares the path for variable
 * ones.
 */
static noinline void check_constant(struct kunit *test, void *obj, size_t size)
{
	void *other = pcslab_alloc(api_heap(test), size, GFP_KERNEL);

	KUNIT_EXPECT_NOT_NULL(test, obj);
	KUNIT_EXPECT_NOT_NULL(test, other);
	KUNIT_EXPECT_EQ_MSG(test, pcslab_usable_size(obj), pcslab_usable_size(other),
			    "size %zu", size);
	KUNIT_EXPECT_EQ_MSG(test, pcslab_usable_size(obj),
			    pcslab_class_size(pcslab_class_index(size)), "size %zu", size);
	pcslab_free(obj);
	pcslab_free(other);
}

/*
 * Always inline, so @size is a constant: builds only if the compiler knows the
 * class.
 */
static __always_inline void constant(struct kunit *test, size_t size)
{
	BUILD_BUG_ON(pcslab_class_size(pcslab_class_index(size)) < size);
	check_constant(test, pcslab_alloc(api_heap(test), size, GFP_KERNEL), size);
}

/* The smallest and the largest size, and both sides of each class boundary. */
static void constants_as_variables(struct kunit *test)
{
	constant(test, 1);
	constant(test, 8);
	constant(test, 9);
	constant(test, 63);
	constant(test, 64);
	constant(test, 65);
	constant(test, 72);
	constant(test, 73);
	constant(test, 128);
	constant(test, 129);
	constant(test, 255);
	constant(test, 256);
	constant(test, 257);
	constant(test, 1000);
	constant(test, 1024);
	constant(test, 4095);
	constant(test, 4096);
	constant(test, 4097);
	constant(test, 7680);
	constant(test, 7681);
	constant(test, 8191);
	constant(test, 8192);
}

static size_t kmalloc_alignment(size_t size)
{
	size_t divisor = size & -size;

	return max_t(size_t, divisor, ARCH_KMALLOC_MINALIGN);
}

/*
 * Holds all objects until the class is done, because the first one of a slab is
 * aligned for any size. Returns the number of misaligned objects.
 */
static unsigned int misaligned_in_class(struct kunit *test, size_t from, size_t to)
{
	size_t size = from, n = max((to - from + 1) * OBJECTS_PER_SIZE, PAGE_SIZE * 2 / to);
	void **objs = kvmalloc_array(n, sizeof(*objs), GFP_KERNEL);
	unsigned int i, wrong = 0;

	KUNIT_ASSERT_NOT_NULL(test, objs);
	for (i = 0; i < n; i++) {
		objs[i] = pcslab_alloc(api_heap(test), size, GFP_KERNEL);
		if (!objs[i] || !IS_ALIGNED((unsigned long)objs[i], kmalloc_alignment(size)) ||
		    pcslab_usable_size(objs[i]) != to)
			wrong++;
		size = size == to ? from : size + 1;
	}
	for (i = 0; i < n; i++)
		pcslab_free(objs[i]);
	kvfree(objs);
	return wrong;
}

static void every_size_is_aligned(struct kunit *test)
{
	size_t from = 1, to;
	unsigned int i;

	for (i = 0; i < PCSLAB_NR_CLASSES; i++) {
		if (!is_used(i))
			continue;
		to = pcslab_class_size(i);
		KUNIT_EXPECT_EQ_MSG(test, misaligned_in_class(test, from, to), 0,
				    "class %zu", to);
		from = to + 1;
	}
}

static struct kunit_case cases[] = {
	KUNIT_CASE(every_size_fits),
	KUNIT_CASE(smallest_that_fits),
	KUNIT_CASE(index_and_size_agree),
	KUNIT_CASE(waste_is_an_eighth),
	KUNIT_CASE(constants_as_variables),
	KUNIT_CASE(every_size_is_aligned),
	{}
};

static struct kunit_suite suite = {
	.name = "pcslab_class",
	.init = api_init,
	.exit = api_exit,
	.test_cases = cases,
};

kunit_test_suite(suite);
