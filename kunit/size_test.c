// SPDX-License-Identifier: GPL-2.0
/*
 * Contract 10: the compiler knows the size of an object as it knows that of
 * kmalloc's, so that FORTIFY_SOURCE can detect writes past its end.
 */
#include "api.h"

static size_t some_bytes = 60, some_elements = 7, many_bytes = 20000;

/* The size as memset() would ask for it; SIZE_MAX means unknown. */
#define KNOWN(builtin, alloc)			\
({						\
	void *__obj = (alloc);			\
	size_t __size = builtin(__obj, 0);	\
						\
	pcslab_free(__obj);			\
	__size;					\
})

#define CONSTANT(alloc)	KNOWN(__builtin_object_size, alloc)

static void constants_are_known(struct kunit *test)
{
	struct pcslab_heap *heap = api_heap(test);

	KUNIT_EXPECT_EQ(test, CONSTANT(pcslab_alloc(heap, 60, GFP_KERNEL)), 60);
	KUNIT_EXPECT_EQ(test, CONSTANT(pcslab_alloc(heap, 8192, GFP_KERNEL)), 8192);
	KUNIT_EXPECT_EQ(test, CONSTANT(pcslab_alloc(heap, 20000, GFP_KERNEL)), 20000);
	KUNIT_EXPECT_EQ(test, CONSTANT(pcslab_alloc(heap, 60, GFP_KERNEL_ACCOUNT)), 60);
	KUNIT_EXPECT_EQ(test, CONSTANT(pcslab_zalloc(heap, 60, GFP_KERNEL)), 60);
	KUNIT_EXPECT_EQ(test, CONSTANT(pcslab_alloc_node(heap, 60, GFP_KERNEL, 0)), 60);
	KUNIT_EXPECT_EQ(test, CONSTANT(pcslab_alloc_array(heap, 7, 60, GFP_KERNEL)), 420);
	KUNIT_EXPECT_EQ(test, CONSTANT(pcslab_calloc(heap, 7, 60, GFP_KERNEL)), 420);
	KUNIT_EXPECT_EQ(test, CONSTANT(pcslab_realloc(heap, NULL, 60, GFP_KERNEL)), 60);
}

#if __has_builtin(__builtin_dynamic_object_size)
#define VARIABLE(alloc)	KNOWN(__builtin_dynamic_object_size, alloc)

static void variables_are_found(struct kunit *test)
{
	size_t size = READ_ONCE(some_bytes), n = READ_ONCE(some_elements);
	struct pcslab_heap *heap = api_heap(test);
	size_t large = READ_ONCE(many_bytes);

	KUNIT_EXPECT_EQ(test, VARIABLE(pcslab_alloc(heap, size, GFP_KERNEL)), 60);
	KUNIT_EXPECT_EQ(test, VARIABLE(pcslab_alloc(heap, large, GFP_KERNEL)), 20000);
	KUNIT_EXPECT_EQ(test, VARIABLE(pcslab_zalloc(heap, size, GFP_KERNEL)), 60);
	KUNIT_EXPECT_EQ(test, VARIABLE(pcslab_alloc_node(heap, size, GFP_KERNEL, 0)), 60);
	KUNIT_EXPECT_EQ(test, VARIABLE(pcslab_alloc_array(heap, n, size, GFP_KERNEL)), 420);
	KUNIT_EXPECT_EQ(test, VARIABLE(pcslab_calloc(heap, n, size, GFP_KERNEL)), 420);
	KUNIT_EXPECT_EQ(test, VARIABLE(pcslab_realloc(heap, NULL, size, GFP_KERNEL)), 60);
}
#else
static void variables_are_found(struct kunit *test)
{
	kunit_skip(test, "this compiler knows constants only");
}
#endif

static struct kunit_case cases[] = {
	KUNIT_CASE(constants_are_known),
	KUNIT_CASE(variables_are_found),
	{}
};

static struct kunit_suite suite = {
	.name = "pcslab_size",
	.init = api_init,
	.exit = api_exit,
	.test_cases = cases,
};

kunit_test_suite(suite);
