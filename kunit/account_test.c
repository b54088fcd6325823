// SPDX-License-Identifier: GPL-2.0
/*
 * Contract 10: what a call with __GFP_ACCOUNT gets from a heap with and without
 * a memory cgroup. What the cgroup pays is compared by the run "cgroup".
 */
#include "api.h"

#define HOW_MANY	3

/* Takes and gives back HOW_MANY objects in each way there is. */
static unsigned int take_all_ways(struct kunit *test, struct pcslab_heap *heap)
{
	unsigned int i, k, n = 0;
	size_t size = 64;

	OPTIMIZER_HIDE_VAR(size);
	for (i = 0; i < HOW_MANY; i++) {
		void *objs[] = {
			pcslab_alloc(heap, 64, GFP_KERNEL_ACCOUNT),
			pcslab_zalloc(heap, 64, GFP_KERNEL_ACCOUNT),
			pcslab_alloc(heap, size, GFP_KERNEL_ACCOUNT),
			pcslab_alloc_node(heap, size, GFP_KERNEL_ACCOUNT, 0),
			pcslab_alloc(heap, 20000, GFP_KERNEL_ACCOUNT),
			pcslab_kvalloc(heap, API_MAX_LARGE + 1, GFP_KERNEL_ACCOUNT),
		};

		for (k = 0; k < ARRAY_SIZE(objs); k++) {
			KUNIT_EXPECT_NOT_NULL(test, objs[k]);
			pcslab_free(objs[k]);
		}
		n += ARRAY_SIZE(objs);
	}
	return n;
}

static u64 unaccounted(struct kunit *test, struct pcslab_heap *heap)
{
	struct pcslab_stats *st = ((struct api *)test->priv)->now;

	KUNIT_EXPECT_EQ(test, pcslab_heap_stats(heap, st), 0);
	KUNIT_EXPECT_EQ(test, stats_live(st), 0);
	return st->unaccounted;
}

static void served_and_counted(struct kunit *test)
{
	struct pcslab_heap *heap = api_heap(test);
	unsigned int n = take_all_ways(test, heap);

	KUNIT_EXPECT_EQ(test, unaccounted(test, heap), n);
	pcslab_free(pcslab_alloc(heap, 64, GFP_KERNEL));
	KUNIT_EXPECT_EQ(test, unaccounted(test, heap), n);
}

static void failures_are_not_counted(struct kunit *test)
{
	api_fail_pages(test, true);
	KUNIT_EXPECT_NULL(test, pcslab_alloc(api_heap(test), 96, GFP_KERNEL_ACCOUNT));
	KUNIT_EXPECT_NULL(test, pcslab_alloc(api_heap(test), 20000, GFP_KERNEL_ACCOUNT));
	api_fail_pages(test, false);
	KUNIT_EXPECT_EQ(test, unaccounted(test, api_heap(test)), 0);
}

static struct pcslab_heap *new_heap(struct kunit *test, unsigned long flags)
{
	struct pcslab_heap_attr attr = { .flags = flags };
	struct pcslab_heap *heap = pcslab_heap_create("account", &attr);

	KUNIT_ASSERT_FALSE(test, IS_ERR(heap));
	return heap;
}

static void heap_with_a_cgroup_counts_none(struct kunit *test)
{
	struct pcslab_heap *heap = new_heap(test, PCSLAB_HEAP_ACCOUNT);

	take_all_ways(test, heap);
	KUNIT_EXPECT_EQ(test, unaccounted(test, heap), 0);
	pcslab_heap_destroy(heap);
}

static void heap_may_refuse(struct kunit *test)
{
	struct pcslab_heap *heap = new_heap(test, PCSLAB_HEAP_NO_ACCOUNT);
	size_t size = 64;
	void *obj = pcslab_alloc(heap, 64, GFP_KERNEL);

	OPTIMIZER_HIDE_VAR(size);
	KUNIT_EXPECT_NOT_NULL(test, obj);
	pcslab_free(obj);
	KUNIT_EXPECT_NULL(test, pcslab_alloc(heap, 64, GFP_KERNEL_ACCOUNT));
	KUNIT_EXPECT_NULL(test, pcslab_alloc(heap, size, GFP_KERNEL_ACCOUNT));
	KUNIT_EXPECT_NULL(test, pcslab_alloc(heap, 20000, GFP_KERNEL_ACCOUNT));
	KUNIT_EXPECT_NULL(test, pcslab_kvalloc(heap, 20000, GFP_KERNEL_ACCOUNT));
	KUNIT_EXPECT_EQ(test, unaccounted(test, heap), 0);
	KUNIT_EXPECT_EQ(test, ((struct api *)test->priv)->now->large_fails, 2);
	pcslab_heap_destroy(heap);
}

static void attributes_are_checked(struct kunit *test)
{
	static const struct {
		struct pcslab_heap_attr attr;
		long err;
	} wrong[] = {
		{ { PCSLAB_HEAP_ACCOUNT | PCSLAB_HEAP_NO_ACCOUNT }, -EINVAL },
		{ { 0, .cgroup = "/" }, -EINVAL },
		{ { PCSLAB_HEAP_ACCOUNT, .cgroup = "/no/such/cgroup" }, -ENOENT },
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(wrong); i++) {
		if (wrong[i].err == -ENOENT && !IS_ENABLED(CONFIG_MEMCG))
			continue;
		KUNIT_EXPECT_EQ(test, PTR_ERR(pcslab_heap_create("account", &wrong[i].attr)),
				wrong[i].err);
	}
}

static struct kunit_case cases[] = {
	KUNIT_CASE(served_and_counted),
	KUNIT_CASE(failures_are_not_counted),
	KUNIT_CASE(heap_with_a_cgroup_counts_none),
	KUNIT_CASE(heap_may_refuse),
	KUNIT_CASE(attributes_are_checked),
	{}
};

static struct kunit_suite suite = {
	.name = "pcslab_account",
	.init = api_init,
	.exit = api_exit,
	.test_cases = cases,
};

kunit_test_suite(suite);
