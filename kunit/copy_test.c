// SPDX-License-Identifier: GPL-2.0
/*
 * Contracts 10 and 12: the functions of src/copy.c follow the rules of the
 * kernel's functions, which get the same input beside them, and both results
 * are compared; and pcslab_free_sensitive() overwrites objects, and nothing
 * else.
 *
 * The user space memory is that of the process that loads this module: a page
 * that it can read, and an unmapped page behind that.
 */
#include <linux/ctype.h>
#include <linux/err.h>
#include <linux/kthread.h>
#include <linux/mm.h>
#include <linux/mman.h>
#include <linux/sched/mm.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/uaccess.h>

#include "api.h"

#define SECRET	0xa5
#define LONGEST	20000

static struct mm_struct *user_mm;
static unsigned long user_page;

static const size_t lengths[] = {
	0, 1, 7, 8, 9, 63, 64, 100, 4095, 4096, 8191, 8192, 8193, LONGEST,
};

static int copy_suite_init(struct kunit_suite *suite)
{
	unsigned long at = vm_mmap(NULL, 0, 2 * PAGE_SIZE, PROT_READ | PROT_WRITE,
				   MAP_ANONYMOUS | MAP_PRIVATE, 0);

	if (IS_ERR_VALUE(at))
		return at;
	user_mm = current->mm;
	user_page = at;
	return vm_munmap(at + PAGE_SIZE, PAGE_SIZE);
}

static void copy_suite_exit(struct kunit_suite *suite)
{
	vm_munmap(user_page, PAGE_SIZE);
}

/*
 * Both pointers are the same NULL, error or ZERO_SIZE_PTR, or lead to the same.
 */
static void expect_same(struct kunit *test, void *ours, void *theirs, size_t size)
{
	if (IS_ERR_OR_NULL(theirs) || theirs == ZERO_SIZE_PTR) {
		KUNIT_EXPECT_PTR_EQ(test, ours, theirs);
	} else {
		KUNIT_ASSERT_NOT_ERR_OR_NULL(test, ours);
		KUNIT_EXPECT_PTR_EQ(test, pcslab_heap_of(ours), api_heap(test));
		KUNIT_EXPECT_GE(test, pcslab_usable_size(ours), size);
		KUNIT_EXPECT_EQ_MSG(test, memcmp(ours, theirs, size), 0, "%zu bytes", size);
	}
	if (!IS_ERR(ours))
		pcslab_free(ours);
	if (!IS_ERR(theirs))
		kfree(theirs);
}

/* A string of @len characters at the end of a buffer, which the test owns. */
static char *string(struct kunit *test, size_t len)
{
	char *s = kunit_kzalloc(test, len + 1, GFP_KERNEL);
	size_t i;

	KUNIT_ASSERT_NOT_NULL(test, s);
	for (i = 0; i < len; i++)
		s[i] = 'a' + i % 26;
	return s;
}

static void memory_is_copied(struct kunit *test)
{
	char *from = string(test, LONGEST);
	unsigned int i;
	size_t len;

	for (i = 0; i < ARRAY_SIZE(lengths); i++) {
		len = lengths[i];
		expect_same(test, pcslab_memdup(api_heap(test), from, len, GFP_KERNEL),
			    kmemdup(from, len, GFP_KERNEL), len);
		expect_same(test, pcslab_memdup_nul(api_heap(test), from, len, GFP_KERNEL),
			    kmemdup_nul(from, len, GFP_KERNEL), len + 1);
	}
}

static void strings_are_copied(struct kunit *test)
{
	struct pcslab_heap *heap = api_heap(test);
	size_t len, max[5];
	unsigned int i, j;
	char *s;

	for (i = 0; i < ARRAY_SIZE(lengths); i++) {
		len = lengths[i];
		s = string(test, len);
		max[0] = 0;
		max[1] = len / 2;
		max[2] = len;
		max[3] = len + 1;
		max[4] = SIZE_MAX;
		expect_same(test, pcslab_strdup(heap, s, GFP_KERNEL), kstrdup(s, GFP_KERNEL),
			    len + 1);
		for (j = 0; j < ARRAY_SIZE(max); j++)
			expect_same(test, pcslab_strndup(heap, s, max[j], GFP_KERNEL),
				    kstrndup(s, max[j], GFP_KERNEL), min(len, max[j]) + 1);
	}
}

static void nothing_gives_null(struct kunit *test)
{
	struct pcslab_heap *heap = api_heap(test);

	expect_same(test, pcslab_strdup(heap, NULL, GFP_KERNEL), kstrdup(NULL, GFP_KERNEL), 0);
	expect_same(test, pcslab_strndup(heap, NULL, 5, GFP_KERNEL),
		    kstrndup(NULL, 5, GFP_KERNEL), 0);
	KUNIT_EXPECT_NULL(test, pcslab_memdup_nul(heap, NULL, 5, GFP_KERNEL));
	KUNIT_EXPECT_NULL(test, pcslab_strdup_const(heap, NULL, GFP_KERNEL));
	pcslab_free_const(NULL);
	pcslab_free_sensitive(NULL);
	pcslab_free_sensitive(ZERO_SIZE_PTR);
	KUNIT_EXPECT_EQ(test, api_books(test)->large_fails, 0);
}

static __printf(2, 3) void check_format(struct kunit *test, const char *fmt, ...)
{
	char *ours, *theirs;
	va_list args;

	va_start(args, fmt);
	ours = pcslab_vasprintf(api_heap(test), GFP_KERNEL, fmt, args);
	va_end(args);
	va_start(args, fmt);
	theirs = kvasprintf(GFP_KERNEL, fmt, args);
	va_end(args);
	KUNIT_ASSERT_NOT_NULL(test, theirs);
	expect_same(test, ours, theirs, strlen(theirs) + 1);
}

static void formats_are_filled_in(struct kunit *test)
{
	char *s = string(test, 9000);

	check_format(test, "%s", "");
	check_format(test, "%d and %s", 42, "1234567");
	check_format(test, "%s%s", s, s);
	check_format(test, "%*d|%-5c|%#llx|%pUb", 70, -1, 'x', ~0ULL, s);
	expect_same(test, pcslab_asprintf(api_heap(test), GFP_KERNEL, "%s%u", s, 7),
		    kasprintf(GFP_KERNEL, "%s%u", s, 7), 9002);
}

/*
 * A string in the kernel's image stays where it is, as with kstrdup_const(). A
 * module can name few things there; the first half of this table has no zero.
 */
static void constants_stay(struct kunit *test)
{
	const char *rodata = (const char *)_ctype;
	const char *ours = pcslab_strdup_const(api_heap(test), rodata, GFP_KERNEL);
	const char *theirs = kstrdup_const(rodata, GFP_KERNEL);
	char *s = string(test, 70);

	KUNIT_EXPECT_PTR_EQ(test, theirs, rodata);
	KUNIT_EXPECT_PTR_EQ(test, ours, theirs);
	KUNIT_EXPECT_EQ(test, stats_live(api_books(test)), 0);
	api_snapshot(test);
	pcslab_free_const(ours);
	kfree_const(theirs);
	ours = pcslab_strdup_const(api_heap(test), s, GFP_KERNEL);
	KUNIT_EXPECT_PTR_NE(test, ours, (const char *)s);
	KUNIT_EXPECT_STREQ(test, ours, s);
	KUNIT_EXPECT_EQ(test, stats_live(api_books(test)), 1);
	pcslab_free_const(ours);
	KUNIT_EXPECT_EQ(test, stats_live(api_books(test)), 0);
	KUNIT_EXPECT_EQ(test, api_refused(test), ((struct api *)test->priv)->refused);
	/* Freed, another allocator's, not mapped. */
	pcslab_free_const(ours);
	pcslab_free_const(s);
	pcslab_free_const((void *)PAGE_SIZE);
	KUNIT_EXPECT_EQ(test, api_refused(test) - ((struct api *)test->priv)->refused, 3);
}

static void check_user(struct kunit *test, const void __user *from, size_t len)
{
	struct pcslab_heap *heap = api_heap(test);

	expect_same(test, pcslab_memdup_user(heap, from, len), memdup_user(from, len), len);
	expect_same(test, pcslab_memdup_user_nul(heap, from, len), memdup_user_nul(from, len),
		    len + 1);
}

static void user_memory_is_copied(struct kunit *test)
{
	char __user *page = (char __user *)user_page;
	char *s = string(test, PAGE_SIZE - 1);
	size_t i;

	kthread_use_mm(user_mm);
	KUNIT_EXPECT_EQ(test, copy_to_user(page, s, PAGE_SIZE), 0);
	for (i = 0; i < ARRAY_SIZE(lengths); i++)
		check_user(test, page, lengths[i]); /* beyond the page too */
	check_user(test, page + PAGE_SIZE - 64, 64);
	check_user(test, page + PAGE_SIZE - 64, 65);
	check_user(test, page + PAGE_SIZE, 0);
	check_user(test, page + PAGE_SIZE, 1);
	check_user(test, NULL, 8);
	check_user(test, (void __force __user *)s, 8);
	expect_same(test, pcslab_memdup_user(api_heap(test), page, API_MAX_LARGE + 1),
		    memdup_user(page, API_MAX_LARGE + 1), 0);
	kthread_unuse_mm(user_mm);
}

static void check_user_string(struct kunit *test, const char __user *from, long n)
{
	char *theirs = strndup_user(from, n);

	expect_same(test, pcslab_strndup_user(api_heap(test), from, n), theirs,
		    IS_ERR(theirs) ? 0 : strlen(theirs) + 1);
}

static void user_strings_are_copied(struct kunit *test)
{
	char __user *page = (char __user *)user_page;
	static const long most[] = { 0, 1, 10, 11, 12, 100 };
	unsigned int i;

	kthread_use_mm(user_mm);
	KUNIT_EXPECT_EQ(test, clear_user(page, PAGE_SIZE), 0);
	KUNIT_EXPECT_EQ(test, copy_to_user(page, "0123456789", 10), 0);
	KUNIT_EXPECT_EQ(test, copy_to_user(page + PAGE_SIZE - 10, "0123456789", 10), 0);
	for (i = 0; i < ARRAY_SIZE(most); i++) {
		check_user_string(test, page, most[i]);
		check_user_string(test, page + 10, most[i]);
		/* This one has no NUL before the unmapped page. */
		check_user_string(test, page + PAGE_SIZE - 10, most[i]);
		check_user_string(test, page + PAGE_SIZE, most[i]);
		check_user_string(test, NULL, most[i]);
	}
	kthread_unuse_mm(user_mm);
}

/* Nothing wraps, is copied or is lost. */
static void overflow_fails(struct kunit *test)
{
	struct pcslab_heap *heap = api_heap(test);
	size_t all = SIZE_MAX, half = SIZE_MAX / 2;
	void *obj = pcslab_zalloc(heap, 100, GFP_KERNEL);

	OPTIMIZER_HIDE_VAR(all);
	OPTIMIZER_HIDE_VAR(half);
	KUNIT_EXPECT_NULL(test, pcslab_memdup(heap, obj, all, GFP_KERNEL));
	KUNIT_EXPECT_NULL(test, pcslab_memdup_nul(heap, obj, all, GFP_KERNEL));
	KUNIT_EXPECT_PTR_EQ(test, pcslab_memdup_user_nul(heap, NULL, all), ERR_PTR(-ENOMEM));
	KUNIT_EXPECT_NULL(test, pcslab_alloc_array_node(heap, half, 3, GFP_KERNEL, 0));
	KUNIT_EXPECT_NULL(test, pcslab_calloc_node(heap, 3, half, GFP_KERNEL, 0));
	KUNIT_EXPECT_NULL(test, pcslab_realloc_array(heap, obj, half, 3, GFP_KERNEL));
	KUNIT_EXPECT_EQ(test, api_books(test)->large_fails, 6);
	KUNIT_EXPECT_EQ(test, stats_live(api_books(test)), 1);
	pcslab_free(obj);
}

static void failure_is_counted(struct kunit *test)
{
	struct pcslab_heap *heap = api_heap(test);

	api_fail_pages(test, true);
	KUNIT_EXPECT_NULL(test, pcslab_strdup(heap, "x", GFP_KERNEL));
	KUNIT_EXPECT_NULL(test, pcslab_memdup(heap, heap, 8, GFP_KERNEL));
	KUNIT_EXPECT_NULL(test, pcslab_asprintf(heap, GFP_KERNEL, "%d", 1));
	KUNIT_EXPECT_PTR_EQ(test, pcslab_memdup_user(heap, NULL, 8), ERR_PTR(-ENOMEM));
	api_fail_pages(test, false);
	KUNIT_EXPECT_EQ(test, api_books(test)->class[size_index(8)].fails, 4);
	KUNIT_EXPECT_EQ(test, stats_live(api_books(test)), 0);
}

static void arrays_hold_all(struct kunit *test)
{
	struct pcslab_heap *heap = api_heap(test);
	u8 *array = pcslab_calloc_node(heap, 7, 60, GFP_KERNEL, 0), *got;

	KUNIT_ASSERT_NOT_NULL(test, array);
	KUNIT_EXPECT_NULL(test, memchr_inv(array, 0, 420));
	api_fill(array, 1, 420);
	got = pcslab_realloc_array(heap, array, 70, 60, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, got);
	KUNIT_EXPECT_GE(test, pcslab_usable_size(got), 4200);
	KUNIT_EXPECT_TRUE(test, api_filled(got, 1, 420));
	pcslab_free(got);
	array = pcslab_alloc_array_node(heap, 9, 1000, GFP_KERNEL, NUMA_NO_NODE);
	KUNIT_EXPECT_GE(test, pcslab_usable_size(array), 9000);
	pcslab_free(array);
}

static void sizes_are_rounded_up(struct kunit *test)
{
	size_t size, rounded;
	unsigned int i;
	void *obj;

	for (i = 0; i < ARRAY_SIZE(lengths); i++) {
		size = lengths[i];
		rounded = pcslab_size_roundup(size);
		KUNIT_EXPECT_GE(test, rounded, size);
		KUNIT_EXPECT_EQ(test, pcslab_size_roundup(rounded), rounded);
		obj = pcslab_alloc(api_heap(test), size, GFP_KERNEL);
		KUNIT_EXPECT_EQ(test, pcslab_usable_size(obj), rounded);
		pcslab_free(obj);
	}
	KUNIT_EXPECT_EQ(test, pcslab_size_roundup(0), kmalloc_size_roundup(0));
	KUNIT_EXPECT_EQ(test, pcslab_size_roundup(API_MAX_LARGE - 1), API_MAX_LARGE);
	KUNIT_EXPECT_EQ(test, pcslab_size_roundup(API_MAX_LARGE + 1), API_MAX_LARGE + 1);
	KUNIT_EXPECT_EQ(test, pcslab_size_roundup(SIZE_MAX), kmalloc_size_roundup(SIZE_MAX));
}

#ifdef DEFINE_FREE
/* Returns an error, NULL, or the object, which is the caller's then. */
static void *scoped(struct pcslab_heap *heap, long what)
{
	void *obj __free(pcslab) = pcslab_alloc(heap, 100, GFP_KERNEL);
	void *none __free(pcslab) = NULL, *error __free(pcslab) = ERR_PTR(-EFAULT);

	if (what < 0)
		return error;
	if (!what)
		return none;
	return_ptr(obj);
}

static void scope_frees(struct kunit *test)
{
	u64 refused = api_refused(test);
	void *obj;

	KUNIT_EXPECT_PTR_EQ(test, scoped(api_heap(test), -1), ERR_PTR(-EFAULT));
	KUNIT_EXPECT_NULL(test, scoped(api_heap(test), 0));
	KUNIT_EXPECT_EQ(test, stats_live(api_books(test)), 0);
	obj = scoped(api_heap(test), 1);
	KUNIT_EXPECT_EQ(test, stats_live(api_books(test)), 1);
	pcslab_free(obj);
	KUNIT_EXPECT_EQ(test, api_refused(test), refused);
}
#else
static void scope_frees(struct kunit *test)
{
	kunit_skip(test, "this kernel has no scoped frees");
}
#endif

/* Bytes of a free object that are @value. */
static noinline __no_sanitize_address size_t count_bytes(const u8 *obj, size_t size, u8 value)
{
	size_t found = 0;

	while (size--)
		found += READ_ONCE(obj[size]) == value;
	return found;
}

static void sensitive_is_overwritten(struct kunit *test)
{
	static const size_t sizes[] = { 8, 60, 64, 1000, 8192 };
	unsigned int i;
	size_t usable;
	u8 *obj;

	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		obj = whole(pcslab_alloc(api_heap(test), sizes[i], GFP_KERNEL));
		KUNIT_ASSERT_NOT_NULL(test, obj);
		usable = pcslab_usable_size(obj);
		memset(obj, SECRET, usable);
		pcslab_free_sensitive(obj);
		KUNIT_EXPECT_EQ_MSG(test, count_bytes(obj, usable, SECRET), 0, "%zu bytes",
				    sizes[i]);
	}
	KUNIT_EXPECT_EQ(test, api_books(test)->corruptions, 0);
}

/* A reference keeps the pages, so that nobody else writes to them meanwhile. */
static void large_is_overwritten(struct kunit *test)
{
	u8 *obj = pcslab_alloc(api_heap(test), 20000, GFP_KERNEL);
	struct page *page;

	KUNIT_ASSERT_NOT_NULL(test, obj);
	page = virt_to_page(obj);
	memset(obj, SECRET, 20000);
	get_page(page);
	pcslab_free_sensitive(obj);
	KUNIT_EXPECT_EQ(test, api_books(test)->large_frees, 1);
	KUNIT_EXPECT_EQ(test, count_bytes(obj, 20000, SECRET), 0);
	put_page(page);
}

/* A bad free is refused before a byte is written. */
static void bad_sensitive_writes_nothing(struct kunit *test)
{
	u8 *live = pcslab_alloc(api_heap(test), 1000, GFP_KERNEL);
	u8 *freed = pcslab_alloc(api_heap(test), 1000, GFP_KERNEL);
	u8 *large = pcslab_alloc(api_heap(test), 20000, GFP_KERNEL);
	u8 *theirs = kunit_kmalloc(test, 1000, GFP_KERNEL);
	struct api *api = test->priv;
	size_t before;

	KUNIT_ASSERT_NOT_NULL(test, live);
	KUNIT_ASSERT_NOT_NULL(test, freed);
	KUNIT_ASSERT_NOT_NULL(test, large);
	KUNIT_ASSERT_NOT_NULL(test, theirs);
	memset(live, SECRET, 1000);
	memset(freed, SECRET, 1000);
	memset(large, SECRET, 20000);
	memset(theirs, SECRET, 1000);
	pcslab_free(freed);
	before = count_bytes(freed, 1000, SECRET);
	api_snapshot(test);
	pcslab_free_sensitive(live + 8);
	pcslab_free_sensitive(freed);
	pcslab_free_sensitive(large + PAGE_SIZE);
	pcslab_free_sensitive(theirs);
	KUNIT_EXPECT_EQ(test, api_refused(test) - api->refused, 4);
	KUNIT_EXPECT_TRUE(test, api_same_books(api_books(test), api->before));
	KUNIT_EXPECT_EQ(test, count_bytes(live, 1000, SECRET), 1000);
	KUNIT_EXPECT_EQ(test, count_bytes(freed, 1000, SECRET), before);
	KUNIT_EXPECT_EQ(test, count_bytes(large, 20000, SECRET), 20000);
	KUNIT_EXPECT_EQ(test, count_bytes(theirs, 1000, SECRET), 1000);
	pcslab_free(live);
	pcslab_free(large);
}

static struct kunit_case cases[] = {
	KUNIT_CASE(memory_is_copied),
	KUNIT_CASE(strings_are_copied),
	KUNIT_CASE(nothing_gives_null),
	KUNIT_CASE(formats_are_filled_in),
	KUNIT_CASE(constants_stay),
	KUNIT_CASE(user_memory_is_copied),
	KUNIT_CASE(user_strings_are_copied),
	KUNIT_CASE(overflow_fails),
	KUNIT_CASE(failure_is_counted),
	KUNIT_CASE(arrays_hold_all),
	KUNIT_CASE(sizes_are_rounded_up),
	KUNIT_CASE(scope_frees),
	KUNIT_CASE(sensitive_is_overwritten),
	KUNIT_CASE(large_is_overwritten),
	KUNIT_CASE(bad_sensitive_writes_nothing),
	{}
};

static struct kunit_suite suite = {
	.name = "pcslab_copy",
	.suite_init = copy_suite_init,
	.suite_exit = copy_suite_exit,
	.init = api_init,
	.exit = api_exit,
	.test_cases = cases,
};

kunit_test_suite(suite);
