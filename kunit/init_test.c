// SPDX-License-Identifier: GPL-2.0
/*
 * init_on_alloc=1 and init_on_free=1, for a kernel that was booted with both. What
 * is free is looked at and written to behind everybody's back: one zeroing must
 * not hide that the other is missing.
 */
#include <kunit/test.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/string.h>

#include <pcslab/pcslab.h>

#include "live.h"
#include "poke.h"

static const size_t sizes[] = { 8, 64, 100, 1024, PCSLAB_MAX_SIZE };

static noinline __no_sanitize_address bool is_zero(const u8 *obj, size_t size)
{
	while (size--) {
		if (READ_ONCE(obj[size]))
			return false;
	}
	return true;
}

static int init_init(struct kunit *test)
{
	KUNIT_ASSERT_TRUE(test, want_init_on_alloc(GFP_KERNEL));
	KUNIT_ASSERT_TRUE(test, want_init_on_free());
	test->priv = pcslab_heap_create("kunit-init", NULL);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, test->priv);
	return 0;
}

static void init_exit(struct kunit *test)
{
	pcslab_heap_destroy(test->priv);
}

static void free_zeroes(struct kunit *test)
{
	unsigned int i;
	size_t usable;
	void *obj;

	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		obj = pcslab_alloc(test->priv, sizes[i], GFP_KERNEL);
		KUNIT_ASSERT_NOT_NULL(test, obj);
		usable = pcslab_usable_size(obj);
		memset(whole(obj), 0xa5, usable);
		pcslab_free(obj);
		KUNIT_EXPECT_TRUE_MSG(test, is_zero(obj, usable), "%zu bytes", sizes[i]);
	}
}

/* Whatever is in it, and whoever left it there. */
static void check_alloc(struct kunit *test, size_t size)
{
	void *obj = pcslab_alloc(test->priv, size, GFP_KERNEL), *again;

	KUNIT_ASSERT_NOT_NULL(test, obj);
	pcslab_free(obj);
	if (size <= PCSLAB_MAX_SIZE)
		poke(obj, size, 0xa5);
	again = pcslab_alloc(test->priv, size, GFP_KERNEL);
	if (size <= PCSLAB_MAX_SIZE)
		KUNIT_EXPECT_PTR_EQ(test, again, obj);
	KUNIT_EXPECT_TRUE_MSG(test, is_zero(again, pcslab_usable_size(again)),
			      "%zu bytes", size);
	pcslab_free(again);
}

static void alloc_zeroes(struct kunit *test)
{
	unsigned int i;

	migrate_disable();	/* the same magazine, so the same object again */
	for (i = 0; i < ARRAY_SIZE(sizes); i++)
		check_alloc(test, sizes[i]);
	check_alloc(test, 20000);
	migrate_enable();
}

/* Of a heap that asked for poison: what is zero is whole, and nothing else. */
static void zeroes_are_poison(struct kunit *test)
{
	const struct pcslab_heap_attr attr = { .flags = PCSLAB_HEAP_POISON };
	struct pcslab_heap *heap = pcslab_heap_create("kunit-poison", &attr);
	static struct pcslab_stats st;
	u8 *obj;

	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, heap);
	migrate_disable();
	obj = pcslab_alloc(heap, 64, GFP_KERNEL);
	pcslab_free(obj);
	KUNIT_EXPECT_TRUE(test, is_zero(obj, 64));
	KUNIT_EXPECT_PTR_EQ(test, (u8 *)pcslab_alloc(heap, 64, GFP_KERNEL), obj);
	KUNIT_EXPECT_EQ(test, pcslab_heap_stats(heap, &st), 0);
	KUNIT_EXPECT_EQ(test, st.corruptions, 0);
	pcslab_free(obj);
	poke(obj + 7, 1, 1);
	pcslab_free(pcslab_alloc(heap, 64, GFP_KERNEL));
	migrate_enable();
	KUNIT_EXPECT_EQ(test, pcslab_heap_stats(heap, &st), 0);
	KUNIT_EXPECT_EQ(test, st.corruptions, 1);
	pcslab_heap_destroy(heap);
}

static struct kunit_case cases[] = {
	KUNIT_CASE(free_zeroes),
	KUNIT_CASE(alloc_zeroes),
	KUNIT_CASE(zeroes_are_poison),
	{}
};

static struct kunit_suite suite = {
	.name = "pcslab_init",
	.init = init_init,
	.exit = init_exit,
	.test_cases = cases,
};

kunit_test_suite(suite);

MODULE_DESCRIPTION("KUnit tests of pcslab with init_on_alloc and init_on_free");
MODULE_LICENSE("GPL");
MODULE_INFO(import_ns, "PCSLAB");
