// SPDX-License-Identifier: GPL-2.0
/*
 * Contracts 4 and 10: objects of a device go with it, in the order of its
 * resources, and are counted like any others. The functions follow the rules of
 * devm_kmalloc() and its kin, which get the same input beside them.
 *
 * What is warned of is seen from user space: in scripts/runs/api.run the case
 * unmanaged_is_warned_of of the suite log.
 */
#include <linux/device.h>
#include <linux/slab.h>
#include <linux/string.h>

#include "api.h"

/**
 * struct order - what was live when the driver core came to an action
 * @heap: the heap
 * @before: allocated before the action was added
 * @after: allocated after that
 * @before_lives: was it live?
 * @after_lives: was it live?
 */
struct order {
	struct pcslab_heap *heap;
	void *before, *after;
	bool before_lives, after_lives;
};

/*
 * Without an owner, whose directory in sysfs is missing yet when 6.1 runs the
 * suites of a module.
 */
static struct device *device(struct kunit *test)
{
	struct device *dev = __root_device_register("pcslab-kunit", NULL);

	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, dev);
	return dev;
}

static u64 live(struct kunit *test)
{
	return stats_live(api_books(test));
}

static void objects_go_with_the_device(struct kunit *test)
{
	struct pcslab_heap *heap = api_heap(test);
	struct device *dev = device(test);
	u8 *zeroed, *array;

	KUNIT_EXPECT_NOT_NULL(test, devm_pcslab_alloc(heap, dev, 100, GFP_KERNEL));
	KUNIT_EXPECT_NOT_NULL(test, devm_pcslab_alloc(heap, dev, 20000, GFP_KERNEL));
	zeroed = devm_pcslab_zalloc(heap, dev, 1000, GFP_KERNEL);
	array = devm_pcslab_calloc(heap, dev, 7, 60, GFP_KERNEL);
	KUNIT_EXPECT_PTR_EQ(test, devm_pcslab_alloc(heap, dev, 0, GFP_KERNEL), ZERO_SIZE_PTR);
	KUNIT_EXPECT_NULL(test, memchr_inv(zeroed, 0, 1000));
	KUNIT_EXPECT_NULL(test, memchr_inv(array, 0, 420));
	KUNIT_EXPECT_EQ(test, live(test), 4);
	root_device_unregister(dev);
	KUNIT_EXPECT_EQ(test, live(test), 0);
}

static void note_order(void *arg)
{
	struct order *order = arg;

	order->before_lives = pcslab_heap_of(order->before) == order->heap;
	order->after_lives = pcslab_heap_of(order->after) == order->heap;
}

/* The last one goes first; one that was moved by a realloc keeps its turn. */
static void last_one_goes_first(struct kunit *test)
{
	struct order order = { .heap = api_heap(test), .after_lives = true };
	struct device *dev = device(test);

	order.before = devm_pcslab_alloc(order.heap, dev, 100, GFP_KERNEL);
	KUNIT_EXPECT_EQ(test, devm_add_action(dev, note_order, &order), 0);
	order.after = devm_pcslab_alloc(order.heap, dev, 100, GFP_KERNEL);
	order.before = devm_pcslab_realloc(order.heap, dev, order.before, 1000, GFP_KERNEL);
	KUNIT_EXPECT_NOT_NULL(test, order.before);
	KUNIT_EXPECT_NOT_NULL(test, order.after);
	root_device_unregister(dev);
	KUNIT_EXPECT_TRUE(test, order.before_lives);
	KUNIT_EXPECT_FALSE(test, order.after_lives);
	KUNIT_EXPECT_EQ(test, live(test), 0);
}

/* Freed once, when the caller says so. */
static void freed_now(struct kunit *test)
{
	struct pcslab_heap *heap = api_heap(test);
	u64 refused = api_refused(test);
	struct device *dev = device(test);
	void *first = devm_pcslab_alloc(heap, dev, 100, GFP_KERNEL);
	void *second = devm_pcslab_alloc(heap, dev, 100, GFP_KERNEL);

	devm_pcslab_free(dev, first);
	KUNIT_EXPECT_NULL(test, pcslab_heap_of(first));
	KUNIT_EXPECT_PTR_EQ(test, pcslab_heap_of(second), heap);
	devm_pcslab_free(dev, NULL);
	devm_pcslab_free(dev, ZERO_SIZE_PTR);
	KUNIT_EXPECT_EQ(test, live(test), 1);
	root_device_unregister(dev);
	KUNIT_EXPECT_EQ(test, live(test), 0);
	KUNIT_EXPECT_EQ(test, api_refused(test), refused);
}

/* Both are the same NULL or ZERO_SIZE_PTR, or have the same content. */
static void expect_same(struct kunit *test, const void *ours, const void *theirs, size_t size)
{
	if (ZERO_OR_NULL_PTR(theirs)) {
		KUNIT_EXPECT_PTR_EQ(test, ours, theirs);
		return;
	}
	KUNIT_ASSERT_NOT_NULL(test, ours);
	KUNIT_EXPECT_PTR_EQ(test, pcslab_heap_of(ours), api_heap(test));
	KUNIT_EXPECT_EQ_MSG(test, memcmp(ours, theirs, size), 0, "%zu bytes", size);
}

static void copies_as_the_kernel(struct kunit *test)
{
	static const char text[] = "what is copied";
	struct pcslab_heap *heap = api_heap(test);
	struct device *dev = device(test);

	expect_same(test, devm_pcslab_memdup(heap, dev, text, 5, GFP_KERNEL),
		    devm_kmemdup(dev, text, 5, GFP_KERNEL), 5);
	expect_same(test, devm_pcslab_memdup(heap, dev, text, 0, GFP_KERNEL),
		    devm_kmemdup(dev, text, 0, GFP_KERNEL), 0);
	expect_same(test, devm_pcslab_strdup(heap, dev, text, GFP_KERNEL),
		    devm_kstrdup(dev, text, GFP_KERNEL), sizeof(text));
	expect_same(test, devm_pcslab_strdup(heap, dev, "", GFP_KERNEL),
		    devm_kstrdup(dev, "", GFP_KERNEL), 1);
	expect_same(test, devm_pcslab_strdup(heap, dev, NULL, GFP_KERNEL),
		    devm_kstrdup(dev, NULL, GFP_KERNEL), 0);
	expect_same(test, devm_pcslab_asprintf(heap, dev, GFP_KERNEL, "%s %d", text, 7),
		    devm_kasprintf(dev, GFP_KERNEL, "%s %d", text, 7), sizeof(text) + 2);
	KUNIT_EXPECT_EQ(test, live(test), 4);
	root_device_unregister(dev);
	KUNIT_EXPECT_EQ(test, live(test), 0);
}

static void resized_as_the_kernel(struct kunit *test)
{
	static const size_t sizes[] = { 100, 90, 5000, 0, 40, 20000, 8, 0 };
	struct pcslab_heap *heap = api_heap(test);
	struct device *dev = device(test);
	void *ours = NULL, *theirs = NULL;
	size_t last = 0;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		ours = devm_pcslab_realloc(heap, dev, ours, sizes[i], GFP_KERNEL);
		theirs = devm_krealloc(dev, theirs, sizes[i], GFP_KERNEL);
		expect_same(test, ours, theirs, min(last, sizes[i]));
		last = sizes[i];
		KUNIT_EXPECT_EQ(test, live(test), last ? 1 : 0);
		if (!last)
			continue;
		KUNIT_ASSERT_NOT_NULL(test, theirs);
		api_fill(ours, i, last);
		api_fill(theirs, i, last);
	}
	root_device_unregister(dev);
}

static void failure_leaves_nothing(struct kunit *test)
{
	struct pcslab_heap *heap = api_heap(test);
	u64 refused = api_refused(test);
	struct device *dev = device(test);
	void *obj = devm_pcslab_alloc(heap, dev, 100, GFP_KERNEL);

	api_fail_pages(test, true);
	KUNIT_EXPECT_NULL(test, devm_pcslab_alloc(heap, dev, 20000, GFP_KERNEL));
	KUNIT_EXPECT_NULL(test, devm_pcslab_realloc(heap, dev, obj, 20000, GFP_KERNEL));
	KUNIT_EXPECT_NULL(test, devm_pcslab_asprintf(heap, dev, GFP_KERNEL, "%20000d", 7));
	api_fail_pages(test, false);
	KUNIT_EXPECT_NULL(test, devm_pcslab_calloc(heap, dev, SIZE_MAX / 2, 3, GFP_KERNEL));
	KUNIT_EXPECT_EQ(test, api_books(test)->large_fails, 4);
	KUNIT_EXPECT_EQ(test, live(test), 1);
	root_device_unregister(dev);
	KUNIT_EXPECT_EQ(test, live(test), 0);
	KUNIT_EXPECT_EQ(test, api_refused(test), refused);
}

static struct kunit_case cases[] = {
	KUNIT_CASE(objects_go_with_the_device),
	KUNIT_CASE(last_one_goes_first),
	KUNIT_CASE(freed_now),
	KUNIT_CASE(copies_as_the_kernel),
	KUNIT_CASE(resized_as_the_kernel),
	KUNIT_CASE(failure_leaves_nothing),
	{}
};

static struct kunit_suite suite = {
	.name = "pcslab_devres",
	.init = api_init,
	.exit = api_exit,
	.test_cases = cases,
};

kunit_test_suite(suite);
