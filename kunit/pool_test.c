// SPDX-License-Identifier: GPL-2.0
/*
 * Contracts 4, 10 and 13: a reserve does what a mempool of the kernel does that
 * has the same memory and gets the same calls; its objects are in the heap's
 * books, and nobody else gets them. And a size that was prepared needs no
 * memory for its first objects.
 */
#include <linux/completion.h>
#include <linux/kthread.h>
#include <linux/mempool.h>
#include <linux/prandom.h>
#include <linux/preempt.h>
#include <linux/slab.h>

#include "api.h"
#include "interrupt.h"
#include "internal.h"

#define SIZE		100
#define NR		20
#define MOST		2000
#define NO_WAIT		(GFP_NOWAIT | __GFP_NOWARN)

/* All that the heap had; nothing is left of it, and it gets no pages. */
struct hoard {
	unsigned int nr;
	void *objs[MOST];
};

static struct hoard *hoard_begin(struct kunit *test, size_t size)
{
	struct hoard *hoard = kunit_kzalloc(test, sizeof(*hoard), GFP_KERNEL);
	void *obj;

	KUNIT_ASSERT_NOT_NULL(test, hoard);
	pcslab_heap_shrink(api_heap(test));
	api_fail_pages(test, true);
	migrate_disable();
	while (hoard->nr < MOST && (obj = pcslab_alloc(api_heap(test), size, NO_WAIT)))
		hoard->objs[hoard->nr++] = obj;
	KUNIT_EXPECT_LT(test, hoard->nr, MOST);
	return hoard;
}

static void hoard_end(struct kunit *test, struct hoard *hoard)
{
	migrate_enable();
	api_fail_pages(test, false);
	pcslab_free_bulk(hoard->nr, hoard->objs);
}

static noinline struct pcslab_reserve *new_reserve(struct kunit *test, size_t size, unsigned int n)
{
	struct pcslab_reserve *reserve = pcslab_reserve_create(api_heap(test), size, n);

	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, reserve);
	return reserve;
}

/* The row of the file reserves that begins with @name. */
static void expect_row(struct kunit *test, const char *name, unsigned int objects,
		       unsigned int waiting, const char *creator)
{
	static char text[4096];
	unsigned int is[2] = {};
	char by[64] = "", *row;
	ssize_t n = api_read_file("pcslab/heaps/kunit-api/reserves", text, sizeof(text));
	int found;

	KUNIT_ASSERT_GT(test, n, 0);
	KUNIT_EXPECT_EQ(test, strncmp(text, "pcslab reserves version 2\n#", 27), 0);
	for (row = strchr(text, '\n'); row; row = strchr(row, '\n')) {
		row = skip_spaces(row);
		if (!strncmp(row, name, strlen(name)))
			break;
	}
	KUNIT_ASSERT_NOT_NULL(test, row);
	found = sscanf(row + strlen(name), " %u %u %63s", &is[0], &is[1], by);
	KUNIT_EXPECT_EQ(test, found, 3);
	KUNIT_EXPECT_EQ(test, is[0], objects);
	KUNIT_EXPECT_EQ(test, is[1], waiting);
	KUNIT_EXPECT_EQ_MSG(test, strncmp(by, creator, strlen(creator)), 0, "%s", by);
}

static void objects_are_in_the_books(struct kunit *test)
{
	struct pcslab_reserve *reserve = new_reserve(test, SIZE, NR), *large;
	const struct pcslab_class_stats *st = &api_books(test)->class[size_index(SIZE)];

	KUNIT_EXPECT_EQ(test, st->allocs, NR);
	KUNIT_EXPECT_EQ(test, st->frees, 0);
	large = new_reserve(test, 20000, 3);
	KUNIT_EXPECT_EQ(test, api_books(test)->large_allocs, 3);
	expect_row(test, "100 ", NR, NR, "new_reserve+");
	expect_row(test, "20000 ", 3, 3, "new_reserve+");
	expect_row(test, "total ", NR + 3, NR + 3, "-");
	pcslab_reserve_destroy(large);
	expect_row(test, "total ", NR, NR, "-");
	pcslab_reserve_destroy(reserve);
	expect_row(test, "total ", 0, 0, "-");
	KUNIT_EXPECT_EQ(test, api_books(test)->class[size_index(SIZE)].frees, NR);
	KUNIT_EXPECT_EQ(test, api_books(test)->large_frees, 3);
}

static void nobody_else_gets_them(struct kunit *test)
{
	struct pcslab_reserve *reserve = new_reserve(test, SIZE, NR);
	struct hoard *hoard = hoard_begin(test, SIZE);
	void *objs[NR] = {}, *more;
	unsigned int i, missing = 0;
	u64 frees;

	for (i = 0; i < NR; i++) {
		objs[i] = pcslab_reserve_alloc(reserve, NO_WAIT);
		missing += !objs[i];
	}
	more = pcslab_reserve_alloc(reserve, NO_WAIT);
	frees = api_books(test)->class[size_index(SIZE)].frees;
	for (i = 0; i < 5; i++)
		pcslab_reserve_free(reserve, objs[i]);
	KUNIT_EXPECT_EQ(test, api_books(test)->class[size_index(SIZE)].frees, frees);
	KUNIT_EXPECT_NULL(test, pcslab_alloc(api_heap(test), SIZE, NO_WAIT));
	for (i = 0; i < 5; i++) {
		objs[i] = pcslab_reserve_alloc(reserve, NO_WAIT);
		missing += !objs[i];
	}
	hoard_end(test, hoard);
	KUNIT_EXPECT_EQ(test, missing, 0u);
	KUNIT_EXPECT_NULL(test, more);
	expect_row(test, "100 ", NR, 0, "new_reserve+");
	for (i = 0; i < NR; i++)
		pcslab_reserve_free(reserve, objs[i]);
	pcslab_reserve_free(reserve, NULL);
	expect_row(test, "100 ", NR, NR, "new_reserve+");
	pcslab_reserve_destroy(reserve);
}

/* A stock of objects stands for the memory that the kernel's mempool has. */
static unsigned int stock;

static void *from_stock(gfp_t gfp, void *unused)
{
	if (!stock)
		return NULL;
	stock--;
	return kmalloc(SIZE, gfp);
}

static void to_stock(void *obj, void *unused)
{
	kfree(obj);
	stock++;
}

static void does_what_a_mempool_does(struct kunit *test)
{
	struct pcslab_reserve *ours = new_reserve(test, SIZE, NR);
	void *held[3 * NR] = {}, *theirs[3 * NR] = {};
	unsigned int i, different = 0, nulls = 0;
	struct hoard *hoard;
	struct rnd_state random;
	mempool_t *pool;

	stock = NR;
	pool = mempool_create(NR, from_stock, to_stock, NULL);
	KUNIT_ASSERT_NOT_NULL(test, pool);
	prandom_seed_state(&random, 17);
	hoard = hoard_begin(test, SIZE);
	for (i = 0; i < 10 && hoard->nr; i++, stock++)
		pcslab_free(hoard->objs[--hoard->nr]);
	for (i = 0; i < MOST; i++) {
		unsigned int at = prandom_u32_state(&random) % ARRAY_SIZE(held);

		if (held[at] && theirs[at]) {
			pcslab_reserve_free(ours, held[at]);
			mempool_free(theirs[at], pool);
			held[at] = NULL;
			theirs[at] = NULL;
			continue;
		}
		held[at] = pcslab_reserve_alloc(ours, NO_WAIT);
		theirs[at] = mempool_alloc(pool, NO_WAIT);
		different += !held[at] != !theirs[at];
		nulls += !held[at];
	}
	hoard_end(test, hoard);
	KUNIT_EXPECT_EQ(test, different, 0u);
	KUNIT_EXPECT_GT(test, nulls, 0u);
	expect_row(test, "100 ", NR, pool->curr_nr, "new_reserve+");
	for (i = 0; i < ARRAY_SIZE(held); i++) {
		pcslab_reserve_free(ours, held[i]);
		mempool_free(theirs[i], pool);
	}
	mempool_destroy(pool);
	pcslab_reserve_destroy(ours);
}

struct sleeper {
	struct pcslab_reserve *reserve;
	struct completion done;
	void *obj;
};

static int sleep_until_freed(void *arg)
{
	struct sleeper *s = arg;

	s->obj = pcslab_reserve_alloc(s->reserve, GFP_KERNEL);
	kthread_complete_and_exit(&s->done, 0);
}

/* It must sleep, because there is nothing, and get what is given back. */
static void sleeps_until_one_is_free(struct kunit *test)
{
	struct sleeper s = { .reserve = new_reserve(test, SIZE, 1) };
	struct hoard *hoard = hoard_begin(test, SIZE);
	void *obj = pcslab_reserve_alloc(s.reserve, NO_WAIT);
	struct task_struct *task;

	init_completion(&s.done);
	task = kthread_run(sleep_until_freed, &s, "pcslab-sleeper");
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, task);
	KUNIT_EXPECT_EQ(test, wait_for_completion_timeout(&s.done, HZ / 5), 0);
	pcslab_reserve_free(s.reserve, obj);
	wait_for_completion(&s.done);
	KUNIT_EXPECT_PTR_EQ(test, s.obj, obj);
	hoard_end(test, hoard);
	pcslab_reserve_free(s.reserve, s.obj);
	pcslab_reserve_destroy(s.reserve);
}

static void zeroes_are_asked_for(struct kunit *test)
{
	struct pcslab_reserve *reserve = new_reserve(test, SIZE, 1);
	struct hoard *hoard = hoard_begin(test, SIZE);
	u8 *obj = pcslab_reserve_alloc(reserve, NO_WAIT);

	api_fill(obj, 1, SIZE);
	pcslab_reserve_free(reserve, obj);
	obj = pcslab_reserve_alloc(reserve, NO_WAIT | __GFP_ZERO);
	hoard_end(test, hoard);
	KUNIT_ASSERT_NOT_NULL(test, obj);
	KUNIT_EXPECT_NULL(test, memchr_inv(obj, 0, SIZE));
	pcslab_reserve_free(reserve, obj);
	pcslab_reserve_destroy(reserve);
}

static void wrong_arguments_and_no_memory(struct kunit *test)
{
	struct pcslab_heap *heap = api_heap(test);

	KUNIT_EXPECT_PTR_EQ(test, pcslab_reserve_create(heap, 0, 1), ERR_PTR(-EINVAL));
	KUNIT_EXPECT_PTR_EQ(test, pcslab_reserve_create(heap, SIZE, 0), ERR_PTR(-EINVAL));
	KUNIT_EXPECT_PTR_EQ(test, pcslab_reserve_create(heap, SIZE, INT_MAX + 1U),
			    ERR_PTR(-EINVAL));
	KUNIT_EXPECT_PTR_EQ(test, pcslab_reserve_create(heap, API_MAX_LARGE + 1, 1),
			    ERR_PTR(-EINVAL));
	KUNIT_EXPECT_EQ(test, pcslab_prepare(heap, 0), 0);
	KUNIT_EXPECT_EQ(test, pcslab_prepare(heap, API_MAX_LARGE + 1), -EINVAL);
	KUNIT_EXPECT_EQ(test, pcslab_prepare(heap, SIZE_MAX), -EINVAL);
	pcslab_reserve_destroy(NULL);
	pcslab_reserve_destroy(ERR_PTR(-ENOMEM));
	KUNIT_EXPECT_EQ(test, pcslab_prepare(heap, SIZE), 0);
	api_fail_pages(test, true);
	KUNIT_EXPECT_PTR_EQ(test, pcslab_reserve_create(heap, SIZE, MOST), ERR_PTR(-ENOMEM));
	KUNIT_EXPECT_EQ(test, pcslab_prepare(heap, 1000), -ENOMEM);
	KUNIT_EXPECT_EQ(test, pcslab_prepare(heap, 20000), -ENOMEM);
	api_fail_pages(test, false);
	KUNIT_EXPECT_EQ(test, stats_live(api_books(test)), 0);
}

/* The reserve's objects are live, and the last of them takes the heap along. */
static void outlives_its_heap(struct kunit *test)
{
	struct pcslab_heap *heap = pcslab_heap_create("kunit-pool", NULL);
	struct pcslab_reserve *reserve;

	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, heap);
	reserve = pcslab_reserve_create(heap, 20000, 1);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, reserve);
	pcslab_heap_destroy(heap);
	KUNIT_EXPECT_PTR_EQ(test, pcslab_reserve_create(heap, SIZE, 1), ERR_PTR(-EINVAL));
	KUNIT_EXPECT_EQ(test, pcslab_prepare(heap, SIZE), -EINVAL);
	pcslab_reserve_destroy(reserve);
}

static void alloc_one(void *arg)
{
	void **at = arg;

	*at = pcslab_alloc(*at, SIZE, GFP_ATOMIC | __GFP_NOWARN);
}

static void refused_flags_get_nothing(struct kunit *test)
{
	struct pcslab_reserve *reserve = new_reserve(test, SIZE, 1);

	KUNIT_EXPECT_NULL(test, pcslab_reserve_alloc(reserve, GFP_KERNEL | __GFP_HIGHMEM));
	KUNIT_EXPECT_EQ(test, api_books(test)->class[size_index(SIZE)].fails, 1);
	pcslab_reserve_destroy(reserve);
}

static void take_and_give(void *reserve)
{
	pcslab_reserve_free(reserve, pcslab_reserve_alloc(reserve, GFP_ATOMIC | __GFP_NOWARN));
}

/* While the heap has memory, and while it has none. */
static void interrupts_may_call(struct kunit *test)
{
	struct pcslab_reserve *reserve = new_reserve(test, SIZE, NR);
	struct hoard *hoard;
	unsigned int cpu;

	for_each_online_cpu(cpu)
		KUNIT_EXPECT_TRUE(test, interrupt_call(cpu, take_and_give, reserve));
	hoard = hoard_begin(test, SIZE);
	for_each_online_cpu(cpu)
		KUNIT_EXPECT_TRUE(test, interrupt_call(cpu, take_and_give, reserve));
	hoard_end(test, hoard);
	expect_row(test, "100 ", NR, NR, "new_reserve+");
	pcslab_reserve_destroy(reserve);
}

/* The first objects of a size, on every CPU, in an interrupt. */
static unsigned int first_objects(struct kunit *test)
{
	unsigned int cpu, failed = 0;
	void *at;

	api_fail_pages(test, true);
	for_each_online_cpu(cpu) {
		at = api_heap(test);
		interrupt_call(cpu, alloc_one, &at);
		failed += !at;
		pcslab_free(at);
	}
	api_fail_pages(test, false);
	return failed;
}

static void prepared_size_needs_no_memory(struct kunit *test)
{
	const struct pcslab_class_stats *st = &api_books(test)->class[size_index(SIZE)];
	u64 pages;

	KUNIT_EXPECT_EQ(test, first_objects(test), num_online_cpus());
	KUNIT_EXPECT_EQ(test, api_books(test)->class[size_index(SIZE)].fails, num_online_cpus());
	KUNIT_EXPECT_EQ(test, pcslab_prepare(api_heap(test), SIZE), 0);
	api_books(test);
	KUNIT_EXPECT_EQ(test, st->allocs, 0);
	KUNIT_EXPECT_GT(test, st->cached, 0);
	KUNIT_EXPECT_GT(test, st->depot, 0);
	pages = st->pages;
	KUNIT_EXPECT_EQ(test, pcslab_prepare(api_heap(test), SIZE), 0);
	api_books(test);
	KUNIT_EXPECT_EQ(test, st->pages, pages);
	KUNIT_EXPECT_EQ(test, first_objects(test), 0u);
	KUNIT_EXPECT_EQ(test, pcslab_prepare(api_heap(test), 20000), 0);
}

static struct kunit_case cases[] = {
	KUNIT_CASE(objects_are_in_the_books),
	KUNIT_CASE(nobody_else_gets_them),
	KUNIT_CASE(does_what_a_mempool_does),
	KUNIT_CASE(sleeps_until_one_is_free),
	KUNIT_CASE(zeroes_are_asked_for),
	KUNIT_CASE(refused_flags_get_nothing),
	KUNIT_CASE(interrupts_may_call),
	KUNIT_CASE(wrong_arguments_and_no_memory),
	KUNIT_CASE(outlives_its_heap),
	KUNIT_CASE(prepared_size_needs_no_memory),
	{}
};

static struct kunit_suite suite = {
	.name = "pcslab_pool",
	.init = api_init,
	.exit = api_exit,
	.test_cases = cases,
};

kunit_test_suite(suite);
