// SPDX-License-Identifier: GPL-2.0
/*
 * Contracts 12 and 15: pcslab_describe() and the file whatis say what is at an
 * address: the heap, the object around it, its state and that of its
 * neighbours, and the last call for it. They change nothing.
 */
#include <linux/mm.h>
#include <linux/preempt.h>
#include <linux/slab.h>
#include <linux/string.h>

#include "api.h"
#include "quiet.h"

#define TEXT	384

static char text[TEXT];

static void expect_says(struct kunit *test, const void *addr, const char *words)
{
	size_t len = pcslab_describe(addr, text, sizeof(text));

	KUNIT_EXPECT_EQ(test, len, strlen(text));
	KUNIT_EXPECT_NOT_NULL_MSG(test, strstr(text, words), "\"%s\" says not %s", text, words);
}

#define MANY	2048	/* more than a slab has */

static char *many[MANY];

static bool is_one_of_many(const char *obj)
{
	unsigned int i;

	for (i = 0; i < MANY; i++) {
		if (many[i] == obj)
			return true;
	}
	return false;
}

/* The distance between objects: in heaps with checks, more than their size. */
static size_t stride_of(struct kunit *test, size_t size)
{
	return api_heap(test)->class[pcslab_class_index(size)]->stride;
}

/* Three objects, one behind the other: a slab that is all live has such. */
static void get_three(struct kunit *test, char *obj[3], size_t size)
{
	unsigned int i, j;
	size_t stride;

	for (i = 0; i < MANY; i++)
		many[i] = pcslab_alloc(api_heap(test), size, GFP_KERNEL);
	stride = stride_of(test, size);
	for (i = 0; i < MANY; i++) {
		if (is_one_of_many(many[i] - stride) && is_one_of_many(many[i] + stride))
			break;
	}
	KUNIT_ASSERT_LT(test, i, MANY);
	for (j = 0; j < 3; j++)
		obj[j] = many[i] + stride * j - stride;
	for (i = 0; i < MANY; i++) {
		if (many[i] < obj[0] || many[i] > obj[2])
			pcslab_free(many[i]);
	}
}

static void small_is_described(struct kunit *test)
{
	char *obj[3];
	char words[80];

	migrate_disable();	/* another CPU may have no magazine for a free */
	get_three(test, obj, 64);
	snprintf(words, sizeof(words), "heap %s, class 64, object ", api_heap(test)->name);
	expect_says(test, obj[1], words);
	expect_says(test, obj[1], ", offset 0: live\n");
	expect_says(test, obj[1] + 63, ", offset 63: live\n");
	expect_says(test, obj[1], "before it: live; behind it: live\n");
	pcslab_free(obj[0]);
	expect_says(test, obj[0], ", offset 0: free, in a magazine\n");
	expect_says(test, obj[1], "before it: free, in a magazine; behind it: live\n");
	KUNIT_EXPECT_EQ(test, !!strstr(text, "last call"),
			!!(api_heap(test)->flags & PCSLAB_SITED));
	pcslab_free(obj[2]);
	pcslab_heap_shrink(api_heap(test));
	expect_says(test, obj[1], "before it: free; behind it: free\n");
	pcslab_free(obj[1]);
	migrate_enable();
}

static noinline void *alloc_here(struct pcslab_heap *heap)
{
	void *obj = pcslab_alloc(heap, 64, GFP_KERNEL);

	barrier();	/* no tail call: the call site must be here */
	return obj;
}

/* Another size of the class; otherwise gcc would make one function of both. */
static noinline void *alloc_there(struct pcslab_heap *heap)
{
	void *obj = pcslab_alloc(heap, 60, GFP_KERNEL);

	barrier();	/* same */
	return obj;
}

/* The object goes from the magazine to one caller, back, and to the other. */
static void site_is_that_of_the_last_call(struct kunit *test)
{
	static const struct pcslab_heap_attr attr = { .flags = PCSLAB_HEAP_TRACK };
	struct pcslab_heap *heap = pcslab_heap_create("kunit-sites", &attr);
	void *first, *obj;
	unsigned int i;

	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, heap);
	migrate_disable();	/* another CPU has another magazine */
	first = alloc_here(heap);
	for (i = 0; i < 4; i++) {
		pcslab_free(first);
		obj = i % 2 ? alloc_here(heap) : alloc_there(heap);
		KUNIT_EXPECT_PTR_EQ(test, obj, first);
		expect_says(test, obj, i % 2 ? "alloc_here+" : "alloc_there+");
	}
	pcslab_free(first);
	migrate_enable();
	pcslab_heap_destroy(heap);
}

static void edges_have_no_neighbour(struct kunit *test)
{
	char *obj = pcslab_alloc(api_heap(test), 4096, GFP_KERNEL), *at = obj;
	size_t stride;

	KUNIT_ASSERT_NOT_NULL(test, obj);
	stride = stride_of(test, 4096);
	while (pcslab_describe(at, text, sizeof(text)) && !strstr(text, "object 0 of "))
		at -= stride;
	expect_says(test, at, "object 0 of ");
	expect_says(test, at, "before it: none");
	while (pcslab_describe(at, text, sizeof(text)) && !strstr(text, "behind it: none"))
		at += stride;
	expect_says(test, at, "behind it: none");
	pcslab_free(obj);
}

static void large_is_described(struct kunit *test)
{
	char *pages = pcslab_alloc(api_heap(test), 3 * PAGE_SIZE, GFP_KERNEL);
	char *area = pcslab_kvalloc(api_heap(test), API_MAX_LARGE + 1, GFP_KERNEL);
	char words[80];

	KUNIT_ASSERT_NOT_NULL(test, pages);
	KUNIT_ASSERT_NOT_NULL(test, area);
	snprintf(words, sizeof(words), "large object of %lu bytes, offset %lu: live",
		 4 * PAGE_SIZE, PAGE_SIZE + 7);
	expect_says(test, pages + PAGE_SIZE + 7, words);
	snprintf(words, sizeof(words), "heap %s, large object of %lu bytes, offset 5: live",
		 api_heap(test)->name, API_MAX_LARGE + PAGE_SIZE);
	expect_says(test, area + 5, words);
	pcslab_free(pages);
	pcslab_free(area);
	KUNIT_EXPECT_EQ(test, pcslab_describe(area, text, sizeof(text)), 0);
}

/* Whatever has an address, and memory of nobody. */
static void others_are_not_described(struct kunit *test)
{
	const void *others[] = {
		kunit_kmalloc(test, 64, GFP_KERNEL), kunit_kmalloc(test, 20000, GFP_KERNEL),
		&others, text, others_are_not_described, NULL, (void *)8, (void *)-8L,
		(void *)PAGE_OFFSET, (void *)0xdead4ead00000000UL,
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(others); i++) {
		text[0] = 'x';
		KUNIT_EXPECT_EQ_MSG(test, pcslab_describe(others[i], text, sizeof(text)), 0,
				    "number %u: %s", i, text);
		KUNIT_EXPECT_EQ(test, text[0], '\0');
	}
}

static void text_is_cut_off(struct kunit *test)
{
	char *obj = pcslab_alloc(api_heap(test), 64, GFP_KERNEL), whole[TEXT];
	size_t len, i;

	KUNIT_ASSERT_NOT_NULL(test, obj);
	len = pcslab_describe(obj, whole, sizeof(whole));
	KUNIT_ASSERT_GT(test, len, 0);
	for (i = 1; i <= len + 1; i++) {
		memset(text, 'x', sizeof(text));
		KUNIT_EXPECT_LE(test, pcslab_describe(obj, text, i), i - 1);
		KUNIT_EXPECT_EQ(test, strncmp(text, whole, strlen(text)), 0);
		KUNIT_EXPECT_NULL(test, memchr_inv(text + i, 'x', sizeof(text) - i));
	}
	KUNIT_EXPECT_STREQ(test, text, whole);
	pcslab_free(obj);
}

static void last_call_is_named(struct kunit *test)
{
	struct pcslab_heap_attr attr = { .flags = PCSLAB_HEAP_POISON };
	struct pcslab_heap *heap = pcslab_heap_create("kunit-whatis", &attr);
	char words[80];
	void *obj;

	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, heap);
	obj = pcslab_alloc(heap, 64, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, obj);
	snprintf(words, sizeof(words), "last call: %s+", __func__);
	expect_says(test, obj, words);
	pcslab_free(obj);
	expect_says(test, obj, words);
	pcslab_heap_destroy(heap);
}

static void ask(struct kunit *test, const char *what, int err)
{
	char *command = kasprintf(GFP_KERNEL, "echo %s >/sys/module/pcslab/parameters/whatis",
				  what);

	KUNIT_ASSERT_NOT_NULL(test, command);
	KUNIT_EXPECT_EQ_MSG(test, !!run_shell(command), err, "%s", what);
	kfree(command);
	KUNIT_ASSERT_GT(test, api_read_file("pcslab/whatis", text, sizeof(text)), 0);
}

static void file_has_the_answer(struct kunit *test)
{
	char *obj = pcslab_alloc(api_heap(test), 64, GFP_KERNEL), number[20];
	static char before[TEXT];

	KUNIT_ASSERT_NOT_NULL(test, obj);
	snprintf(number, sizeof(number), "%lx", (unsigned long)obj + 9);
	ask(test, number, 0);
	KUNIT_EXPECT_EQ(test, strncmp(text, "pcslab whatis version 1\nheap ", 29), 0);
	KUNIT_EXPECT_NOT_NULL(test, strstr(text, ", offset 9: live\n"));
	strscpy(before, text, sizeof(before));
	ask(test, "nonsense", 1);
	KUNIT_EXPECT_STREQ(test, text, before);
	ask(test, "0", 0);
	KUNIT_EXPECT_STREQ(test, text, "pcslab whatis version 1\nnot in memory of pcslab\n");
	pcslab_free(obj);
}

static struct kunit_case cases[] = {
	KUNIT_CASE(small_is_described),
	KUNIT_CASE(site_is_that_of_the_last_call),
	KUNIT_CASE(edges_have_no_neighbour),
	KUNIT_CASE(large_is_described),
	KUNIT_CASE(others_are_not_described),
	KUNIT_CASE(text_is_cut_off),
	KUNIT_CASE(last_call_is_named),
	KUNIT_CASE(file_has_the_answer),
	{}
};

static struct kunit_suite suite = {
	.name = "pcslab_describe",
	.init = api_init,
	.exit = api_exit,
	.test_cases = cases,
};

kunit_test_suite(suite);
