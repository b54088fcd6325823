// SPDX-License-Identifier: GPL-2.0
/*
 * Contracts 4, 10, 12, 13 and 14: a fixed-size cache does what a kmem_cache of
 * the kernel does that gets the same calls; its objects have the exact size and
 * alignment, are constructed once, keep their type for a grace period, and have
 * books of their own. And a mempool can be made of them.
 */
#include <linux/completion.h>
#include <linux/kthread.h>
#include <linux/mempool.h>
#include <linux/preempt.h>
#include <linux/prandom.h>
#include <linux/rcupdate.h>
#include <linux/sizes.h>
#include <linux/slab.h>

#include "api.h"
#include "internal.h"
#include "poke.h"
#include "quiet.h"

#define NAME		"kunit-cache"
#define SIZE		100
#define NR		20
#define MOST		1000
#define MAGIC		0x1d17c0deUL
#define NO_WAIT		(GFP_NOWAIT | __GFP_NOWARN)

static void **objects(struct kunit *test)
{
	void **objs = kunit_kcalloc(test, MOST, sizeof(*objs), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, objs);
	return objs;
}

static struct pcslab_cache *new_cache(struct kunit *test, unsigned int size, unsigned int align,
				      slab_flags_t flags, void (*ctor)(void *obj))
{
	struct pcslab_cache *cache = pcslab_cache_create(api_heap(test), NAME, size, align, flags,
							 ctor);

	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, cache);
	return cache;
}

static struct pcslab_stats *books_of(struct kunit *test, struct pcslab_cache *cache)
{
	static struct pcslab_stats st;

	KUNIT_EXPECT_EQ(test, pcslab_heap_stats(&cache->heap, &st), 0);
	return &st;
}

static void expect_counts(struct kunit *test, struct pcslab_cache *cache, u64 allocs, u64 frees,
			  u64 fails)
{
	const struct pcslab_class_stats *st = books_of(test, cache)->class;

	KUNIT_EXPECT_EQ(test, st->allocs, allocs);
	KUNIT_EXPECT_EQ(test, st->frees, frees);
	KUNIT_EXPECT_EQ(test, st->fails, fails);
}

/* All objects are apart, accessible, aligned, and those of the heap. */
static void check_objects(struct kunit *test, void **objs, unsigned int n, size_t size,
			  size_t align)
{
	unsigned int i, wrong = 0;

	for (i = 0; i < n; i++) {
		wrong += pcslab_heap_of(objs[i]) != api_heap(test);
		wrong += pcslab_usable_size(objs[i]) != size;
		wrong += !IS_ALIGNED((unsigned long)objs[i], align);
		api_fill(objs[i], i, size);
	}
	for (i = 0; i < n; i++)
		wrong += !api_filled(objs[i], i, size);
	KUNIT_EXPECT_EQ_MSG(test, wrong, 0u, "size %zu align %zu", size, align);
}

static const struct {
	unsigned int size, align;
	slab_flags_t flags;
} shapes[] = {
	{ 1, 0 }, { 7, 0 }, { 8, 0 }, { 40, 0 }, { SIZE, 0 }, { 577, 0 }, { 1000, 0 }, { 5000, 0 },
	{ 20000, 0 }, { 32760 - 8, 0 }, { 8, 16 }, { 100, 64 }, { 100, 256 }, { 100, 4096 },
	{ 3000, 2048 }, { 9000, 8192 }, { 3, 0, SLAB_HWCACHE_ALIGN },
	{ 30, 0, SLAB_HWCACHE_ALIGN }, { 33, 0, SLAB_HWCACHE_ALIGN },
	{ 200, 0, SLAB_HWCACHE_ALIGN }, { 200, 512, SLAB_HWCACHE_ALIGN },
	{ 200, 0, SLAB_ACCOUNT | SLAB_RECLAIM_ACCOUNT | COMPAT_SLAB_HINTS },
};

/* The alignment that a kmem_cache has. */
static size_t their_align(struct kunit *test, struct kmem_cache *theirs)
{
	void *obj = kmem_cache_alloc(theirs, GFP_KERNEL);
	size_t align;

	KUNIT_ASSERT_NOT_NULL(test, obj);
	align = (unsigned long)obj & -(unsigned long)obj;
	kmem_cache_free(theirs, obj);
	return align;
}

static size_t line_align(size_t size)
{
	size_t line = cache_line_size();

	while (size <= line / 2)
		line /= 2;
	return line;
}

static void size_and_alignment_are_exact(struct kunit *test)
{
	void **objs = objects(test);
	struct pcslab_cache *ours;
	struct kmem_cache *theirs;
	unsigned int i, j;
	size_t align;

	for (i = 0; i < ARRAY_SIZE(shapes); i++) {
		theirs = kmem_cache_create(NAME, shapes[i].size, shapes[i].align, shapes[i].flags,
					   NULL);
		KUNIT_ASSERT_NOT_NULL(test, theirs);
		ours = new_cache(test, shapes[i].size, shapes[i].align, shapes[i].flags, NULL);
		align = max_t(size_t, shapes[i].align, ARCH_SLAB_MINALIGN);
		if (shapes[i].flags & SLAB_HWCACHE_ALIGN)
			align = max(align, line_align(shapes[i].size));
		if (align <= PAGE_SIZE)
			KUNIT_EXPECT_GE(test, their_align(test, theirs), align);
		for (j = 0; j < 50; j++) {
			objs[j] = pcslab_cache_alloc(ours, GFP_KERNEL);
			KUNIT_ASSERT_NOT_NULL(test, objs[j]);
		}
		check_objects(test, objs, 50, kmem_cache_size(theirs), align);
		for (j = 0; j < 50; j++)
			pcslab_cache_free(ours, objs[j]);
		expect_counts(test, ours, 50, 50, 0);
		KUNIT_EXPECT_EQ(test, books_of(test, ours)->class[0].size, shapes[i].size);
		if (!(ours->heap.flags & PCSLAB_HEAP_REDZONE))
			KUNIT_EXPECT_EQ(test, pcslab_class_at(&ours->heap, 0)->stride,
					round_up(shapes[i].size, align));
		kmem_cache_destroy(theirs);
		pcslab_cache_destroy(ours);
	}
}

/* The row of pcslab/stats that begins with @name; "" if there is none. */
static const char *row_of(struct kunit *test, const char *name)
{
	char *key = kunit_kzalloc(test, PCSLAB_FULL_NAME_LEN + 3, GFP_KERNEL), *row;

	KUNIT_ASSERT_NOT_NULL(test, key);
	snprintf(key, PCSLAB_FULL_NAME_LEN + 3, "\n%s ", name);
	row = strstr(api_summary(test), key);
	return row ? row + 1 : "";
}

static void books_are_its_own(struct kunit *test)
{
	struct pcslab_cache *cache = new_cache(test, SIZE, 0, 0, NULL);
	unsigned int allocs = 0, frees = 0, live = 0;
	static char text[8192];
	void *objs[3];
	unsigned int i;
	int found;

	api_snapshot(test);
	for (i = 0; i < 3; i++)
		objs[i] = pcslab_cache_alloc(cache, GFP_KERNEL);
	pcslab_cache_free(cache, objs[0]);
	pcslab_cache_free(cache, NULL);
	expect_counts(test, cache, 3, 1, 0);
	found = sscanf(row_of(test, "kunit-api/" NAME), "%*s live %u %u %u", &allocs, &frees,
		       &live);
	KUNIT_EXPECT_EQ(test, found, 3);
	KUNIT_EXPECT_EQ(test, allocs, 3u);
	KUNIT_EXPECT_EQ(test, live, 2u);
	KUNIT_EXPECT_TRUE(test, api_same_books(((struct api *)test->priv)->before,
					       api_books(test)));
	expect_quiet(test, &cache->heap);
	KUNIT_EXPECT_GT(test, api_read_file("pcslab/heaps/kunit-api/" NAME "/exact", text,
					    sizeof(text)), 0);
	KUNIT_EXPECT_NOT_NULL(test, strstr(text, "\n  100 "));
	pcslab_free(objs[1]);		/* as kfree() takes objects of a kmem_cache */
	pcslab_cache_free(cache, objs[2]);
	expect_counts(test, cache, 3, 3, 0);
	pcslab_cache_destroy(cache);
	KUNIT_EXPECT_STREQ(test, row_of(test, "kunit-api/" NAME), "");
}

static void many_at_once(struct kunit *test)
{
	static const unsigned int numbers[] = { 0, 1, 2, 30, 31, 64, 128, MOST };
	struct kmem_cache *theirs = kmem_cache_create(NAME, SIZE, 0, 0, NULL);
	struct pcslab_cache *ours = new_cache(test, SIZE, 0, 0, NULL);
	void **objs = objects(test), **other = objects(test);
	unsigned int i, n;
	u64 calls = 0;
	int got;

	KUNIT_ASSERT_NOT_NULL(test, theirs);
	for (i = 0; i < ARRAY_SIZE(numbers); i++) {
		n = numbers[i];
		/* The number, or a bool in later kernels. */
		got = kmem_cache_alloc_bulk(theirs, GFP_KERNEL, n, other);
		KUNIT_EXPECT_EQ(test, !!pcslab_cache_alloc_bulk(ours, GFP_KERNEL, n, objs), !!got);
		check_objects(test, objs, n, SIZE, sizeof(void *));
		expect_counts(test, ours, calls + n, calls, 0);
		calls += n;
		pcslab_cache_free_bulk(ours, n, objs);
		expect_counts(test, ours, calls, calls, 0);
		if (n)
			kmem_cache_free_bulk(theirs, n, other);
	}
	pcslab_cache_shrink(ours);
	api_fail_pages(test, true);
	KUNIT_EXPECT_EQ(test, pcslab_cache_alloc_bulk(ours, GFP_KERNEL, MOST, objs), 0);
	api_fail_pages(test, false);
	KUNIT_EXPECT_EQ(test, books_of(test, ours)->class[0].fails, 1);
	KUNIT_EXPECT_EQ(test, stats_live(books_of(test, ours)), 0);
	kmem_cache_destroy(theirs);
	pcslab_cache_destroy(ours);
}

static void zeroes_are_asked_for(struct kunit *test)
{
	struct pcslab_cache *cache = new_cache(test, SIZE, 0, 0, NULL);
	void **objs = objects(test);
	unsigned int i, dirty = 0;

	KUNIT_ASSERT_EQ(test, pcslab_cache_alloc_bulk(cache, GFP_KERNEL, 200, objs), 200);
	check_objects(test, objs, 200, SIZE, sizeof(void *));
	pcslab_cache_free_bulk(cache, 200, objs);
	KUNIT_ASSERT_EQ(test, pcslab_cache_alloc_bulk(cache, GFP_KERNEL | __GFP_ZERO, 100, objs),
			100);
	for (i = 100; i < 200; i++)
		objs[i] = pcslab_cache_zalloc(cache, GFP_KERNEL);
	for (i = 0; i < 200; i++)
		dirty += !objs[i] || memchr_inv(objs[i], 0, SIZE);
	KUNIT_EXPECT_EQ(test, dirty, 0u);
	pcslab_cache_free_bulk(cache, 200, objs);
	pcslab_cache_destroy(cache);
}

/* What is not a live object of the cache is refused, and stays what it is. */
static void others_are_refused(struct kunit *test)
{
	struct pcslab_cache *cache = new_cache(test, SIZE, 0, 0, NULL), *other;
	struct api *api = test->priv;
	void *bad[6], *obj, *of_heap, *of_other, *large, *theirs;

	other = pcslab_cache_create(api->heap, "kunit-other", SIZE, 0, 0, NULL);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, other);
	obj = pcslab_cache_alloc(cache, GFP_KERNEL);
	of_heap = pcslab_alloc(api->heap, SIZE, GFP_KERNEL);
	of_other = pcslab_cache_alloc(other, GFP_KERNEL);
	large = pcslab_alloc(api->heap, 20000, GFP_KERNEL);
	theirs = kunit_kmalloc(test, SIZE, GFP_KERNEL);
	pcslab_cache_free(cache, bad[5] = pcslab_cache_alloc(cache, GFP_KERNEL));
	bad[0] = obj + 8;
	bad[1] = of_heap;
	bad[2] = of_other;
	bad[3] = large;
	bad[4] = theirs;
	api_snapshot(test);
	pcslab_cache_free_bulk(cache, ARRAY_SIZE(bad), bad);
	KUNIT_EXPECT_EQ(test, api_refused(test) - api->refused, ARRAY_SIZE(bad));
	pcslab_cache_free(cache, bad[0]);
	pcslab_cache_free(cache, of_other);
	KUNIT_EXPECT_EQ(test, api_refused(test) - api->refused, ARRAY_SIZE(bad) + 2);
	expect_counts(test, cache, 2, 1, 0);
	expect_counts(test, other, 1, 0, 0);
	pcslab_cache_free(cache, obj);
	pcslab_cache_free(other, of_other);
	pcslab_free(of_heap);
	pcslab_free(large);
	expect_counts(test, cache, 2, 2, 0);
	KUNIT_EXPECT_EQ(test, api_refused(test) - api->refused, ARRAY_SIZE(bad) + 2);
	pcslab_cache_destroy(other);
	pcslab_cache_destroy(cache);
}

static void wrong_arguments_and_no_memory(struct kunit *test)
{
	struct pcslab_cache *cache = new_cache(test, SIZE, 0, 0, NULL), *user;
	struct pcslab_heap *heap = api_heap(test);
	struct pcslab_cache *invalid = ERR_PTR(-EINVAL), *exists = ERR_PTR(-EEXIST);

	KUNIT_EXPECT_PTR_EQ(test, pcslab_cache_create(heap, NULL, SIZE, 0, 0, NULL), invalid);
	KUNIT_EXPECT_PTR_EQ(test, pcslab_cache_create(heap, "a/b", SIZE, 0, 0, NULL), invalid);
	KUNIT_EXPECT_PTR_EQ(test, pcslab_cache_create(heap, "n", 0, 0, 0, NULL), invalid);
	KUNIT_EXPECT_PTR_EQ(test, pcslab_cache_create(heap, "n", SIZE, 24, 0, NULL), invalid);
	KUNIT_EXPECT_PTR_EQ(test, pcslab_cache_create(heap, "n", SZ_32K, 0, 0, NULL), invalid);
	KUNIT_EXPECT_PTR_EQ(test, pcslab_cache_create(heap, "n", UINT_MAX, 0, 0, NULL), invalid);
	KUNIT_EXPECT_PTR_EQ(test, pcslab_cache_create(heap, "n", SIZE, SZ_32K, 0, NULL), invalid);
	KUNIT_EXPECT_PTR_EQ(test, pcslab_cache_create(heap, "n", SIZE, 1U << 31, 0, NULL),
			    invalid);
	KUNIT_EXPECT_PTR_EQ(test, pcslab_cache_create(heap, "n", SIZE, 0, SLAB_CACHE_DMA, NULL),
			    invalid);
	KUNIT_EXPECT_PTR_EQ(test, pcslab_cache_create(heap, NAME, SIZE, 0, 0, NULL), exists);
	KUNIT_EXPECT_PTR_EQ(test, pcslab_cache_create(heap, "pages", SIZE, 0, 0, NULL), exists);
	KUNIT_EXPECT_PTR_EQ(test, pcslab_cache_create_usercopy(heap, "n", SIZE, 0, 0, 1, SIZE,
							       NULL), invalid);
	KUNIT_EXPECT_PTR_EQ(test, pcslab_cache_create_usercopy(heap, "n", SIZE, 0, 0, 1, 0, NULL),
			    invalid);
	KUNIT_EXPECT_PTR_EQ(test, pcslab_cache_create_usercopy(heap, "n", SIZE, 0, 0, UINT_MAX, 2,
							       NULL), invalid);
	user = pcslab_cache_create_usercopy(heap, "n", SIZE, 0, 0, 10, SIZE - 10, NULL);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, user);
	pcslab_cache_free(user, pcslab_cache_alloc(user, GFP_KERNEL));
	pcslab_cache_destroy(user);
	pcslab_cache_destroy(NULL);
	pcslab_cache_destroy(ERR_PTR(-ENOMEM));
	KUNIT_EXPECT_NULL(test, pcslab_cache_alloc(cache, GFP_KERNEL | __GFP_HIGHMEM));
	KUNIT_EXPECT_NULL(test, pcslab_cache_alloc(cache, GFP_KERNEL | __GFP_DMA32));
	expect_counts(test, cache, 0, 0, 2);
	pcslab_cache_free(cache, pcslab_cache_alloc(cache, GFP_KERNEL_ACCOUNT));
	KUNIT_EXPECT_EQ(test, books_of(test, cache)->unaccounted, 1);
	api_fail_pages(test, true);
	user = pcslab_cache_create(heap, "n", SIZE, 0, 0, NULL);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, user);
	KUNIT_EXPECT_NULL(test, pcslab_cache_alloc(user, GFP_KERNEL));
	api_fail_pages(test, false);
	pcslab_cache_free(user, pcslab_cache_alloc(user, GFP_KERNEL));
	expect_counts(test, user, 1, 1, 1);
	pcslab_cache_destroy(user);
	pcslab_cache_destroy(cache);
}

/* The state that a constructor leaves an object in. */
struct made {
	unsigned long magic;
	unsigned int constructed;
	char rest[SIZE];
};

static atomic_t constructed;

static void construct(void *obj)
{
	struct made *made = obj;

	made->magic = MAGIC;
	made->constructed = 1;
	memset(made->rest, 0x5a, sizeof(made->rest));
	atomic_inc(&constructed);
}

static bool is_as_made(const struct made *made)
{
	return made && made->magic == MAGIC && made->constructed == 1 &&
	       !memchr_inv(made->rest, 0x5a, sizeof(made->rest));
}

/* With each kind of call, with objects that were freed before, and new ones */
static void constructor_runs_once(struct kunit *test)
{
	struct kmem_cache *theirs = kmem_cache_create(NAME, sizeof(struct made), 0, 0, construct);
	struct pcslab_cache *ours = new_cache(test, sizeof(struct made), 0, 0, construct);
	unsigned int round, i, wrong = 0;
	void **objs = objects(test);
	struct pcslab_class_stats st;
	struct made *made;

	KUNIT_ASSERT_NOT_NULL(test, theirs);
	made = kmem_cache_alloc(theirs, GFP_KERNEL);
	KUNIT_EXPECT_TRUE(test, is_as_made(made));
	kmem_cache_free(theirs, made);
	atomic_set(&constructed, 0);
	/* On another CPU, objects would come together and make slabs leave. */
	migrate_disable();
	for (round = 0; round < 3; round++) {
		for (i = 0; i < MOST / 2; i++)
			objs[i] = pcslab_cache_alloc(ours, GFP_KERNEL);
		wrong += !pcslab_cache_alloc_bulk(ours, GFP_KERNEL, MOST - i, objs + i);
		for (i = 0; i < MOST; i++) {
			made = objs[i];
			wrong += !is_as_made(made);
			made->constructed++;
		}
		for (i = 0; i < MOST; i++) {
			made = objs[i];
			wrong += made->constructed != 2;
			made->constructed = 1;
			if (i < MOST / 2)
				pcslab_cache_free(ours, made);
		}
		pcslab_cache_free_bulk(ours, MOST - MOST / 2, objs + MOST / 2);
	}
	migrate_enable();
	KUNIT_EXPECT_EQ(test, wrong, 0u);
	st = books_of(test, ours)->class[0];
	KUNIT_EXPECT_EQ(test, st.cached + st.depot, atomic_read(&constructed));
	KUNIT_EXPECT_EQ(test, st.allocs, 3 * MOST);
	/* Zeroes that are asked for would undo what the constructor did. */
	made = pcslab_cache_alloc(ours, GFP_KERNEL);
	KUNIT_EXPECT_TRUE(test, is_as_made(made));
	pcslab_cache_free(ours, made);
	pcslab_cache_shrink(ours);
	i = atomic_read(&constructed);
	made = pcslab_cache_alloc(ours, GFP_KERNEL);
	KUNIT_EXPECT_TRUE(test, is_as_made(made));
	KUNIT_EXPECT_GT(test, atomic_read(&constructed), i);
	pcslab_cache_free(ours, made);
	made = pcslab_cache_zalloc(ours, GFP_KERNEL);
	KUNIT_EXPECT_TRUE(test, is_as_made(made));
	pcslab_cache_free(ours, made);
	kmem_cache_destroy(theirs);
	pcslab_cache_destroy(ours);
}

static void pages_go_back(struct kunit *test)
{
	struct pcslab_cache *cache = new_cache(test, SIZE, 0, 0, NULL);
	void **objs = objects(test);
	unsigned long had, pages;

	had = api_books(test)->pages;
	KUNIT_ASSERT_EQ(test, pcslab_cache_alloc_bulk(cache, GFP_KERNEL, MOST, objs), MOST);
	pages = books_of(test, cache)->class[0].pages;
	KUNIT_EXPECT_GE(test, pages, MOST * SIZE / PAGE_SIZE);
	KUNIT_EXPECT_EQ(test, api_books(test)->pages, had + pages);
	pcslab_cache_free_bulk(cache, MOST, objs);
	KUNIT_EXPECT_GT(test, pcslab_cache_shrink(cache), 0);
	KUNIT_EXPECT_EQ(test, books_of(test, cache)->class[0].pages, 0);
	KUNIT_EXPECT_EQ(test, api_books(test)->pages, had);
	/* With its heap, too */
	pcslab_cache_free(cache, pcslab_cache_alloc(cache, GFP_KERNEL));
	KUNIT_EXPECT_GT(test, books_of(test, cache)->class[0].pages, 0);
	pcslab_heap_shrink(api_heap(test));
	KUNIT_EXPECT_EQ(test, books_of(test, cache)->class[0].pages, 0);
	pcslab_cache_destroy(cache);
}

/* Idle pages of one cache are given back for another one at the limit. */
static void limit_is_the_heaps(struct kunit *test)
{
	static const struct pcslab_heap_attr attr = { .limit_bytes = 16 * PAGE_SIZE };
	struct pcslab_heap *heap = pcslab_heap_create("kunit-limit", &attr);
	struct pcslab_stats *st = kunit_kzalloc(test, sizeof(*st), GFP_KERNEL);
	struct pcslab_cache *one, *two;
	void **objs = objects(test);
	unsigned int n = 0;

	KUNIT_ASSERT_NOT_NULL(test, st);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, heap);
	one = pcslab_cache_create(heap, "one", 1000, 0, 0, NULL);
	two = pcslab_cache_create(heap, "two", 1200, 0, 0, NULL);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, one);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, two);
	while (n < MOST && (objs[n] = pcslab_cache_alloc(one, GFP_KERNEL | __GFP_NOWARN)))
		n++;
	KUNIT_EXPECT_GE(test, n, 48);
	KUNIT_EXPECT_LE(test, n, 16 * PAGE_SIZE / 1000);
	KUNIT_EXPECT_EQ(test, pcslab_heap_stats(heap, st), 0);
	KUNIT_EXPECT_LE(test, st->max_pages, 16);
	pcslab_cache_free_bulk(one, n, objs);
	for (n = 0; n < 32; n++) {
		objs[n] = pcslab_cache_alloc(two, GFP_KERNEL);
		KUNIT_EXPECT_NOT_NULL(test, objs[n]);
	}
	pcslab_cache_free_bulk(two, n, objs);
	KUNIT_EXPECT_EQ(test, pcslab_heap_stats(heap, st), 0);
	KUNIT_EXPECT_LE(test, st->max_pages, 16);
	pcslab_cache_destroy(one);
	pcslab_cache_destroy(two);
	pcslab_heap_destroy(heap);
}

/* A live object keeps its cache, and the cache the heap. */
static void outlives_its_heap(struct kunit *test)
{
	struct pcslab_heap *heap = pcslab_heap_create("kunit-gone", NULL);
	struct pcslab_cache *cache;
	void *obj;

	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, heap);
	cache = pcslab_cache_create(heap, NAME, SIZE, 0, 0, NULL);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, cache);
	obj = pcslab_cache_alloc(cache, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, obj);
	pcslab_heap_destroy(heap);	/* and the cache */
	KUNIT_EXPECT_NOT_NULL(test, strstr(row_of(test, "kunit-gone/" NAME), " zombie "));
	api_fill(obj, 1, SIZE);
	KUNIT_EXPECT_EQ(test, pcslab_usable_size(obj), SIZE);
	KUNIT_EXPECT_PTR_EQ(test, pcslab_cache_create(heap, "n", SIZE, 0, 0, NULL),
			    ERR_PTR(-EINVAL));
	pcslab_free(obj);
}

/* A reader that found an object before it was freed */
struct reader {
	struct made *obj;
	struct completion in, out;
	unsigned long looks, wrong;
};

/* As long as it looks, the object is constructed memory of its slab. */
static int look_at_it(void *arg)
{
	struct reader *reader = arg;
	unsigned long slab = page_private(virt_to_head_page(reader->obj));
	unsigned long end = jiffies + HZ / 2;

	rcu_read_lock();
	complete(&reader->in);
	do {
		reader->wrong += READ_ONCE(reader->obj->magic) != MAGIC;
		reader->wrong += page_private(virt_to_head_page(reader->obj)) != slab;
		reader->looks++;
		cpu_relax();
	} while (time_before(jiffies, end));
	rcu_read_unlock();
	kthread_complete_and_exit(&reader->out, 0);
}

/* Takes the pages that were given back, and writes to them. */
static void reuse_pages(void)
{
	struct page *pages[64];
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(pages); i++) {
		pages[i] = alloc_page(GFP_KERNEL);
		if (pages[i])
			memset(page_address(pages[i]), 0xee, PAGE_SIZE);
	}
	for (i = 0; i < ARRAY_SIZE(pages); i++) {
		if (pages[i])
			__free_page(pages[i]);
	}
}

/* Start to look at an object. Returns when the reader does. */
static void start_reader(struct kunit *test, struct reader *reader, struct made *obj)
{
	struct task_struct *task;

	KUNIT_ASSERT_NOT_NULL(test, obj);
	*reader = (struct reader){ .obj = obj };
	init_completion(&reader->in);
	init_completion(&reader->out);
	task = kthread_run(look_at_it, reader, "pcslab-reader");
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, task);
	wait_for_completion(&reader->in);
}

static void stale_readers_see_the_type(struct kunit *test)
{
	struct pcslab_cache *cache = new_cache(test, sizeof(struct made), 0, SLAB_TYPESAFE_BY_RCU,
					       construct);
	unsigned long wrong = 0;
	struct reader reader;
	unsigned int i;

	for (i = 0; i < 3; i++) {
		start_reader(test, &reader, pcslab_cache_alloc(cache, GFP_KERNEL));
		pcslab_cache_free(cache, reader.obj);
		if (i == 2)
			pcslab_cache_destroy(cache);
		else
			pcslab_cache_shrink(cache);
		reuse_pages();
		wait_for_completion(&reader.out);
		wrong += reader.wrong;
		KUNIT_EXPECT_GT(test, reader.looks, 0ul);
	}
	KUNIT_EXPECT_EQ(test, wrong, 0ul);
}

/*
 * Frees on another node go into the slabs at once, and those that get empty
 * leave. No magazine is visited, which would wait for a grace period anyhow.
 */
static void stale_readers_of_remote_frees(struct kunit *test)
{
	struct pcslab_cache *cache;
	void **objs = objects(test);
	struct reader reader;
	unsigned int i;

	if (num_online_nodes() < 2)
		kunit_skip(test, "one node only");
	cache = new_cache(test, sizeof(struct made), 0, SLAB_TYPESAFE_BY_RCU, construct);
	set_cpus_allowed_ptr(current, cpumask_of_node(0));
	for (i = 0; i < MOST; i++)
		objs[i] = pcslab_cache_alloc(cache, GFP_KERNEL);
	set_cpus_allowed_ptr(current, cpumask_of_node(1));
	start_reader(test, &reader, objs[MOST / 2]);
	pcslab_cache_free_bulk(cache, MOST, objs);
	reuse_pages();
	wait_for_completion(&reader.out);
	set_cpus_allowed_ptr(current, cpu_possible_mask);
	KUNIT_EXPECT_GT(test, reader.looks, 0ul);
	KUNIT_EXPECT_EQ(test, reader.wrong, 0ul);
	pcslab_cache_destroy(cache);
}

/* Published objects come and go; their type stays. */
static struct made __rcu *published[8];

static int look_around(void *arg)
{
	unsigned long *wrong = arg;
	struct made *made;
	unsigned int i;

	while (!kthread_should_stop()) {
		rcu_read_lock();
		for (i = 0; i < ARRAY_SIZE(published); i++) {
			made = rcu_dereference(published[i]);
			*wrong += made && READ_ONCE(made->magic) != MAGIC;
		}
		rcu_read_unlock();
		cond_resched();
	}
	return 0;
}

static void type_stays_under_change(struct kunit *test)
{
	struct pcslab_cache *cache = new_cache(test, sizeof(struct made), 0, SLAB_TYPESAFE_BY_RCU,
					       construct);
	unsigned long end = jiffies + HZ, wrong = 0;
	struct task_struct *task;
	struct made *old;
	unsigned int i;

	task = kthread_run(look_around, &wrong, "pcslab-reader");
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, task);
	for (i = 0; time_before(jiffies, end); i++) {
		old = rcu_dereference_protected(published[i % 8], true);
		rcu_assign_pointer(published[i % 8], pcslab_cache_alloc(cache, GFP_KERNEL));
		pcslab_cache_free(cache, old);
		if (i % 512 == 511)
			pcslab_cache_shrink(cache);
		cond_resched();
	}
	kthread_stop(task);
	KUNIT_EXPECT_EQ(test, wrong, 0ul);
	for (i = 0; i < ARRAY_SIZE(published); i++)
		pcslab_cache_free(cache, rcu_replace_pointer(published[i], NULL, true));
	expect_quiet(test, &cache->heap);
	pcslab_cache_destroy(cache);
}

/* Pools over the heap, over a cache, and the kernel's get the same calls. */
static void compare_pools(struct kunit *test, mempool_t *ours, size_t size)
{
	mempool_t *theirs = mempool_create_kmalloc_pool(NR, size);
	void *held[NR] = {}, *other[NR] = {}, *obj;
	struct rnd_state random;
	unsigned int i, at, wrong = 0;

	KUNIT_ASSERT_NOT_NULL(test, ours);
	KUNIT_ASSERT_NOT_NULL(test, theirs);
	KUNIT_EXPECT_EQ(test, ours->min_nr, theirs->min_nr);
	prandom_seed_state(&random, 23);
	api_fail_pages(test, true);
	for (i = 0; i < 2000; i++) {
		at = prandom_u32_state(&random) % NR;
		if (held[at]) {
			wrong += !api_filled(held[at], at, size);
			mempool_free(held[at], ours);
			mempool_free(other[at], theirs);
			held[at] = NULL;
			other[at] = NULL;
			continue;
		}
		held[at] = mempool_alloc(ours, NO_WAIT);
		other[at] = mempool_alloc(theirs, NO_WAIT);
		if (!held[at] || !other[at])
			wrong++;
		else
			api_fill(held[at], at, size);
	}
	api_fail_pages(test, false);
	KUNIT_EXPECT_EQ(test, wrong, 0u);
	for (i = 0; i < NR; i++) {
		mempool_free(held[i], ours);
		mempool_free(other[i], theirs);
	}
	obj = mempool_alloc(ours, GFP_KERNEL);
	KUNIT_EXPECT_PTR_EQ(test, pcslab_heap_of(obj), api_heap(test));
	KUNIT_EXPECT_EQ(test, pcslab_usable_size(obj), size);
	mempool_free(obj, ours);
	mempool_destroy(theirs);
}

static void mempools_over_both(struct kunit *test)
{
	struct pcslab_cache *cache = new_cache(test, 200, 0, 0, NULL);
	mempool_t *pool, *again;

	pool = pcslab_mempool_create(api_heap(test), NR, SIZE);
	compare_pools(test, pool, SIZE);
	again = pcslab_mempool_create(api_heap(test), 1, SIZE);
	KUNIT_ASSERT_NOT_NULL(test, again);
	KUNIT_EXPECT_NOT_NULL(test, strstr(row_of(test, "kunit-api/mempool-100"), "live"));
	KUNIT_EXPECT_PTR_EQ(test, again->pool_data, pool->pool_data);
	mempool_destroy(again);
	KUNIT_EXPECT_EQ(test, stats_live(books_of(test, pool->pool_data)), NR);
	mempool_destroy(pool);
	pool = mempool_create(NR, pcslab_mempool_alloc, pcslab_mempool_free, cache);
	compare_pools(test, pool, 200);
	KUNIT_EXPECT_EQ(test, stats_live(books_of(test, cache)), NR);
	mempool_destroy(pool);
	KUNIT_EXPECT_EQ(test, stats_live(books_of(test, cache)), 0);
	KUNIT_EXPECT_NULL(test, pcslab_mempool_create(api_heap(test), 1, SZ_64K));
	pcslab_cache_destroy(cache);
}

static void checks_see_each_object(struct kunit *test)
{
	struct pcslab_cache *cache = new_cache(test, 61, 0, SLAB_POISON | SLAB_RED_ZONE, NULL);
	u8 *obj = pcslab_cache_alloc(cache, GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, obj);
	poke(obj + 61, 1, 0);
	pcslab_cache_free(cache, obj);
	KUNIT_EXPECT_EQ(test, books_of(test, cache)->corruptions, 1);
	expect_counts(test, cache, 1, 1, 0);
	pcslab_cache_destroy(cache);
}

static struct kunit_case cases[] = {
	KUNIT_CASE(size_and_alignment_are_exact),
	KUNIT_CASE(books_are_its_own),
	KUNIT_CASE(many_at_once),
	KUNIT_CASE(zeroes_are_asked_for),
	KUNIT_CASE(others_are_refused),
	KUNIT_CASE(wrong_arguments_and_no_memory),
	KUNIT_CASE(constructor_runs_once),
	KUNIT_CASE(pages_go_back),
	KUNIT_CASE(limit_is_the_heaps),
	KUNIT_CASE(outlives_its_heap),
	KUNIT_CASE(stale_readers_see_the_type),
	KUNIT_CASE(stale_readers_of_remote_frees),
	KUNIT_CASE(type_stays_under_change),
	KUNIT_CASE(mempools_over_both),
	KUNIT_CASE(checks_see_each_object),
	{}
};

static struct kunit_suite suite = {
	.name = "pcslab_cache",
	.init = api_init,
	.exit = api_exit,
	.test_cases = cases,
};

kunit_test_suite(suite);
