// SPDX-License-Identifier: GPL-2.0
/*
 * Contract 12: pcslab refuses each bad free, counts it once and touches
 * nothing. Each case frees one kind of bad pointer, and compares the
 * statistics of before and after.
 */
#include <linux/mm.h>
#include <linux/poison.h>
#include <linux/slab.h>
#include <linux/smp.h>
#include <linux/vmalloc.h>

#include "api.h"
#include "internal.h"

#define SEED	11

static void expect_refused(struct kunit *test, u64 times, const char *what)
{
	struct api *api = test->priv;

	KUNIT_EXPECT_EQ_MSG(test, api_refused(test) - api->refused, times, "%s", what);
	KUNIT_EXPECT_TRUE_MSG(test, api_same_books(api_books(test), api->before), "%s", what);
}

static void refuse(struct kunit *test, const void *obj, const char *what)
{
	api_snapshot(test);
	pcslab_free(obj);
	expect_refused(test, 1, what);
	KUNIT_EXPECT_NULL_MSG(test, pcslab_heap_of(obj), "%s", what);
	KUNIT_EXPECT_EQ_MSG(test, pcslab_usable_size(obj), 0, "%s", what);
}

static void *new_object(struct kunit *test, size_t size)
{
	void *obj = pcslab_alloc(api_heap(test), size, GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, obj);
	api_fill(obj, SEED, pcslab_usable_size(obj));
	return obj;
}

/* The object is unchanged and can be freed, which is counted. */
static void expect_intact(struct kunit *test, void *obj)
{
	u64 live = stats_live(api_books(test));

	KUNIT_EXPECT_TRUE(test, api_filled(obj, SEED, pcslab_usable_size(obj)));
	KUNIT_EXPECT_PTR_EQ(test, pcslab_heap_of(obj), api_heap(test));
	pcslab_free(obj);
	KUNIT_EXPECT_EQ(test, stats_live(api_books(test)), live - 1);
}

/*
 * These three cases come first, before the log is ratelimited: the run file
 * looks for their lines.
 */
static void double_free_at_once(struct kunit *test)
{
	void *obj = new_object(test, 64);

	pcslab_free(obj);
	refuse(test, obj, "twice");
	refuse(test, obj, "a third time");
	KUNIT_EXPECT_EQ(test, api_books(test)->bad_frees, 2);
}

static void inside_an_object(struct kunit *test)
{
	static const size_t offsets[] = { 1, 4, 7, 8, 72, 104, 136, 143 };
	void *before = new_object(test, 136), *obj = new_object(test, 136);
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(offsets); i++)
		refuse(test, obj + offsets[i], "inside");
	KUNIT_EXPECT_EQ(test, api_books(test)->bad_frees, ARRAY_SIZE(offsets));
	expect_intact(test, obj);
	expect_intact(test, before);
}

static void inside_a_large_object(struct kunit *test)
{
	static const size_t offsets[] = { 1, 8, 4095, 4096, 8192, 16000, 32767 };
	void *obj = new_object(test, 20000);
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(offsets); i++)
		refuse(test, obj + offsets[i], "inside a large one");
	KUNIT_EXPECT_EQ(test, api_books(test)->bad_frees, ARRAY_SIZE(offsets));
	expect_intact(test, obj);
}

/* How many addresses of a range does pcslab accept as an object? */
static unsigned int accepted_in(void *from, void *to)
{
	unsigned int accepted = 0;
	void *at;

	for (at = from; at < to; at++)
		accepted += !!pcslab_heap_of(at);
	return accepted;
}

static void check_slab(struct kunit *test, size_t size)
{
	void *base, *obj = new_object(test, size);
	unsigned int index = pcslab_class_index(size);
	struct pcslab_class_stats *class;
	size_t bytes, used, stride;

	/* The class has one object, so this is its only slab. */
	class = &api_books(test)->class[index];
	stride = api_heap(test)->class[index]->stride;
	bytes = class->pages * PAGE_SIZE;
	used = class->objects_per_slab * stride;
	/* With pcslab.debug=1 the redzones may leave no unused bytes. */
	KUNIT_ASSERT_TRUE(test, used < bytes || stride > size);
	base = (void *)round_down((unsigned long)obj, bytes);

	KUNIT_EXPECT_EQ_MSG(test, accepted_in(base, base + bytes), 1, "class %zu", size);
	if (used < bytes)
		refuse(test, base + used, "behind the last object");
	refuse(test, base + bytes - 1, "last byte of a slab");
	expect_intact(test, obj);
	KUNIT_EXPECT_EQ_MSG(test, accepted_in(base, base + bytes), 0, "class %zu", size);
}

/* For all classes whose slabs have unused bytes at the end. */
static void tail_of_a_slab(struct kunit *test)
{
	static const size_t with_tail[] = { 24, 72, 104, 144, 352, 1152, 3584, 7168 };
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(with_tail); i++)
		check_slab(test, with_tail[i]);
}

/* The neighbour of a first object is in the slab, but was never handed out. */
static void object_never_handed_out(struct kunit *test)
{
	void *obj = new_object(test, PAGE_SIZE / 8);
	void *base = (void *)((unsigned long)obj & PAGE_MASK);
	unsigned int i;

	for (i = 0; i < 8; i++) {
		if (base + i * (PAGE_SIZE / 8) != obj)
			refuse(test, base + i * (PAGE_SIZE / 8), "never handed out");
	}
	KUNIT_EXPECT_EQ(test, api_books(test)->bad_frees, 7);
	expect_intact(test, obj);
}

#define MANY	3000

/* Frees more than all magazines hold, so many objects return to slabs. */
static void double_free_after_others(struct kunit *test)
{
	void **objs = kvmalloc_array(MANY, sizeof(*objs), GFP_KERNEL);
	unsigned int i, damaged = 0;

	KUNIT_ASSERT_NOT_NULL(test, objs);
	for (i = 0; i < MANY; i++)
		objs[i] = new_object(test, 64);
	/* Every second object stays live, which keeps the slabs. */
	for (i = 0; i < MANY; i += 2)
		pcslab_free(objs[i]);
	api_snapshot(test);
	for (i = 0; i < MANY; i += 2)
		pcslab_free(objs[i]);
	expect_refused(test, MANY / 2, "one of two");
	KUNIT_EXPECT_EQ(test, api_books(test)->bad_frees, MANY / 2);

	for (i = 1; i < MANY; i += 2) {
		damaged += !api_filled(objs[i], SEED, pcslab_usable_size(objs[i]));
		pcslab_free(objs[i]);
	}
	KUNIT_EXPECT_EQ(test, damaged, 0);
	KUNIT_EXPECT_EQ(test, stats_live(api_books(test)), 0);
	/* Now most of the slabs are freed. */
	api_snapshot(test);
	for (i = 0; i < MANY; i++)
		pcslab_free(objs[i]);
	expect_refused(test, MANY, "all");
	kvfree(objs);
}

static int free_here(void *obj)
{
	pcslab_free(obj);
	return 0;
}

static int other_cpu(void)
{
	return cpumask_any_but(cpu_online_mask, raw_smp_processor_id());
}

/* First freed there and then here; then the other way round. */
static void double_free_on_another_cpu(struct kunit *test)
{
	void *obj = new_object(test, 64);
	int cpu = other_cpu();

	KUNIT_ASSERT_LT(test, cpu, nr_cpu_ids);
	pcslab_free(obj);
	api_snapshot(test);
	smp_call_on_cpu(cpu, free_here, obj, false);
	expect_refused(test, 1, "second there");

	obj = new_object(test, 64);
	smp_call_on_cpu(cpu, free_here, obj, false);
	refuse(test, obj, "first there");
}

static void double_free_of_a_large_object(struct kunit *test)
{
	void *obj = new_object(test, 20000);

	pcslab_free(obj);
	refuse(test, obj, "large");
}

static void double_free_after_the_heap_is_gone(struct kunit *test)
{
	struct pcslab_heap *heap = pcslab_heap_create("kunit-gone", NULL);
	void *small, *large;

	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, heap);
	small = pcslab_alloc(heap, 64, GFP_KERNEL);
	large = pcslab_alloc(heap, 20000, GFP_KERNEL);
	pcslab_free(small);
	pcslab_free(large);
	pcslab_heap_destroy(heap);
	refuse(test, small, "small");
	refuse(test, large, "large");
}

static void nothing_is_fine(struct kunit *test)
{
	api_snapshot(test);
	pcslab_free(NULL);
	pcslab_free(ZERO_SIZE_PTR);
	expect_refused(test, 0, "NULL");
	KUNIT_EXPECT_NULL(test, pcslab_heap_of(NULL));
	KUNIT_EXPECT_NULL(test, pcslab_heap_of(ZERO_SIZE_PTR));
}

/*
 * Addresses that can't be memory, as uninitialized and stale pointers hold.
 * 32-bit kernels use half of one.
 */
static const u64 nonsense[] = {
	17, 4095, 0x400000, 0x7fffffffe000, 0x0000800000001000, 0x6b6b6b6b6b6b6b6b,
	0x5a5a5a5a5a5a5a5a, 0xdead000000000100, 0xdead000000000122, 0xdeadbeef,
	0xaaaaaaaaaaaaaaaa, 0xffffffffffffffff, 0xfffffffffffffff4, 0xffff7fffffffffff,
	0xffffffffff600000,
};

static void nonsense_addresses(struct kunit *test)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(nonsense); i++)
		refuse(test, (void *)(unsigned long)nonsense[i], "nonsense");
}

/*
 * Addresses in the direct map without memory, and memory the kernel has
 * reserved.
 */
static void unmapped_and_reserved(struct kunit *test)
{
	refuse(test, high_memory, "end of memory");
	refuse(test, high_memory + 64, "behind the end of memory");
	if (IS_ENABLED(CONFIG_64BIT))
		refuse(test, high_memory + (1ULL << 40), "a terabyte behind it");
	refuse(test, (void *)PAGE_OFFSET - 8, "before the direct map");
	refuse(test, (void *)PAGE_OFFSET, "first page");
	refuse(test, __va(0xa0000), "video memory");
	refuse(test, virt_to_page(api_heap(test)), "a struct page");
	refuse(test, pcslab_free, "text of a module");
	refuse(test, kfree, "text of the kernel");
	refuse(test, init_task.comm, "data of the kernel");
}

static char module_data[64] = "data";

/* Memory of other allocators; each kind resembles pcslab's in its own way. */
static void memory_of_others(struct kunit *test)
{
	void *small = kmalloc(64, GFP_KERNEL), *large = kmalloc(40000, GFP_KERNEL);
	void *virtual = vmalloc(40000);
	char stack[64];

	refuse(test, small, "kmalloc");
	refuse(test, small + 8, "inside kmalloc");
	refuse(test, large, "large kmalloc");
	refuse(test, large + PAGE_SIZE, "inside large kmalloc");
	refuse(test, virtual, "vmalloc");
	refuse(test, stack, "stack");
	refuse(test, module_data, "module data");
	KUNIT_EXPECT_STREQ(test, module_data, "data");
	kfree(small);
	kfree(large);
	vfree(virtual);
}

/*
 * Other owners put anything into page->private: pcslab must not follow it
 * unless the page has pcslab's tag.
 */
static void pages_of_others(struct kunit *test)
{
	struct page *page = alloc_pages(GFP_KERNEL | __GFP_COMP, 2);

	KUNIT_ASSERT_NOT_NULL(test, page);
	set_page_private(page, 0xdead);
	refuse(test, page_address(page), "page");
	refuse(test, page_address(page) + PAGE_SIZE, "its second one");
	set_page_private(page, (unsigned long)api_heap(test));
	refuse(test, page_address(page), "page with a heap");
	set_page_private(page, 0);
	__free_pages(page, 2);
}

/* The heap itself and its metadata come from kmalloc. */
static void metadata_of_ours(struct kunit *test)
{
	void *obj = new_object(test, 64);

	refuse(test, api_heap(test), "the heap");
	expect_intact(test, obj);
}

static struct kunit_case cases[] = {
	KUNIT_CASE(double_free_at_once),
	KUNIT_CASE(inside_an_object),
	KUNIT_CASE(inside_a_large_object),
	KUNIT_CASE(tail_of_a_slab),
	KUNIT_CASE(object_never_handed_out),
	KUNIT_CASE(double_free_after_others),
	KUNIT_CASE(double_free_on_another_cpu),
	KUNIT_CASE(double_free_of_a_large_object),
	KUNIT_CASE(double_free_after_the_heap_is_gone),
	KUNIT_CASE(nothing_is_fine),
	KUNIT_CASE(nonsense_addresses),
	KUNIT_CASE(unmapped_and_reserved),
	KUNIT_CASE(memory_of_others),
	KUNIT_CASE(pages_of_others),
	KUNIT_CASE(metadata_of_ours),
	{}
};

static struct kunit_suite suite = {
	.name = "pcslab_bad_free",
	.init = api_init,
	.exit = api_exit,
	.test_cases = cases,
};

kunit_test_suite(suite);
