// SPDX-License-Identifier: GPL-2.0
/*
 * Addresses of the direct map that have no struct page: below 4 GiB, where a machine with
 * more memory than that has its devices
 */
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/sizes.h>

#include "api.c"

/* A step: sections of the memory map are larger. */
#define STEP	SZ_16M

static unsigned int ask_of_holes(struct kunit *test, const void *end)
{
	unsigned int holes = 0;
	const void *at;

	for (at = (void *)PAGE_OFFSET; at < end; at += STEP) {
		if (virt_addr_valid(at))
			continue;
		holes++;
		KUNIT_EXPECT_NULL(test, pcslab_heap_of(at));
		KUNIT_EXPECT_EQ(test, pcslab_usable_size(at), 0);
		pcslab_free(at);
		pcslab_free(at + 64);
	}
	return holes;
}

/* What is below an object is looked up; what is not there is refused like anything else. */
static void no_object_where_no_memory_is(struct kunit *test)
{
	struct api *api = test->priv;
	unsigned int holes;
	void *obj;

	obj = pcslab_alloc(api->heap, 64, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, obj);
	api_snapshot(test);
	holes = ask_of_holes(test, obj);
	kunit_info(test, "%u addresses without memory\n", holes);
	KUNIT_EXPECT_GT(test, holes, 0);
	KUNIT_EXPECT_EQ(test, api_refused(test), api->refused + 2 * holes);
	KUNIT_EXPECT_TRUE(test, api_same_books(api->before, api_books(test)));
	pcslab_free(obj);
}

static struct kunit_case cases[] = {
	KUNIT_CASE(no_object_where_no_memory_is),
	{}
};

static struct kunit_suite suite = {
	.name = "pcslab_hole",
	.init = api_init,
	.exit = api_exit,
	.test_cases = cases,
};

kunit_test_suite(suite);

MODULE_DESCRIPTION("KUnit test of pcslab in a machine with holes in its memory");
MODULE_LICENSE("GPL");
MODULE_INFO(import_ns, "PCSLAB");
