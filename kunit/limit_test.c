// SPDX-License-Identifier: GPL-2.0
/*
 * Contract 20: a heap with a limit never holds more pages than that, to the
 * page, and gives its own idle memory back before an allocation fails
 *
 * The oracle is what a caller sees: the pages of the objects that it holds, and
 * the pages in the books.
 */
#include <linux/cpu.h>
#include <linux/delay.h>
#include <linux/kthread.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/sched.h>
#include <linux/sched/mm.h>
#include <linux/slab.h>
#include <linux/smp.h>
#include <linux/timekeeping.h>

#include "api.h"
#include "quiet.h"

#define NAME		"kunit-limit"
#define LIMIT		24	/* pages */
#define QUIET		(GFP_KERNEL | __GFP_NOWARN)

static struct pcslab_stats st;

/* What a callback was called with, and what it shall do */
struct owner {
	struct pcslab_heap *heap;
	unsigned int calls;
	gfp_t gfp;
	void *give;		/* an object to free */
	size_t raise;		/* a new limit */
};

static void owner_asked(struct pcslab_heap *heap, gfp_t gfp, void *arg)
{
	struct owner *owner = arg;

	owner->heap = heap;
	owner->gfp = gfp;
	owner->calls++;
	pcslab_free(owner->give);
	owner->give = NULL;
	if (owner->raise)
		pcslab_heap_set_limit(heap, owner->raise);
}

static struct pcslab_heap *limited(struct kunit *test, unsigned int pages, struct owner *owner)
{
	const struct pcslab_heap_attr attr = {
		.limit_bytes = pages * PAGE_SIZE + 1,
		.at_limit = owner ? owner_asked : NULL, .at_limit_arg = owner,
	};
	struct pcslab_heap *heap = pcslab_heap_create(NAME, &attr);

	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, heap);
	return heap;
}

static u64 pages_in_books(struct pcslab_heap *heap)
{
	u64 pages;
	unsigned int i;

	pcslab_heap_stats(heap, &st);
	pages = (st.large_alloc_bytes - st.large_free_bytes) >> PAGE_SHIFT;
	for (i = 0; i < PCSLAB_NR_CLASSES; i++)
		pages += st.class[i].pages;
	return pages;
}

static u64 fails_of(struct pcslab_heap *heap)
{
	u64 fails = 0;
	unsigned int i;

	pcslab_heap_stats(heap, &st);
	for (i = 0; i < PCSLAB_NR_CLASSES; i++)
		fails += st.class[i].fails;
	return fails + st.large_fails;
}

/* Takes objects, linked through their first word, until one fails. */
static void *take_all(struct kunit *test, struct pcslab_heap *heap, size_t size, gfp_t gfp,
		      unsigned int *nr)
{
	void *first = NULL, **obj;

	for (*nr = 0; *nr < 8 * LIMIT * PAGE_SIZE / 8; ++*nr) {
		obj = pcslab_alloc(heap, size, gfp);
		if (!obj)
			return first;
		*obj = first;
		first = obj;
	}
	KUNIT_FAIL(test, "no end of objects of %zu bytes", size);
	return first;
}

static void free_all(void *first)
{
	void *next;

	for (; first; first = next) {
		next = *(void **)first;
		pcslab_free(first);
	}
}

/*
 * Every class fills the limit to the last slab that fits, and fails then. If a
 * slab may be one page, that is the last page.
 */
static void exact_to_the_page(struct kunit *test)
{
	struct pcslab_heap *heap;
	unsigned int i, nr, least;
	void *first;
	size_t size;

	for (i = 0; i < PCSLAB_NR_CLASSES; i += 3) {
		size = pcslab_class_size(i);
		heap = limited(test, LIMIT, NULL);
		first = take_all(test, heap, size, QUIET, &nr);
		least = 1 << heap->class[i]->min_order;
		KUNIT_EXPECT_EQ(test, pages_in_books(heap), round_down(LIMIT, least));
		KUNIT_EXPECT_EQ(test, st.pages, round_down(LIMIT, least));
		KUNIT_EXPECT_EQ(test, st.class[i].fails, 1ull);
		KUNIT_EXPECT_EQ(test, st.class[i].allocs, (u64)nr);
		KUNIT_EXPECT_EQ(test, st.over_limit, 0ull);
		KUNIT_EXPECT_EQ_MSG(test, st.class[i].cached + st.class[i].depot, 0ull,
				    "free objects of %zu bytes, and a failure", size);
		expect_quiet(test, heap);
		free_all(first);
		pcslab_heap_shrink(heap);
		KUNIT_EXPECT_EQ(test, pages_in_books(heap), 0ull);
		KUNIT_EXPECT_EQ(test, st.pages, 0ull);
		pcslab_heap_destroy(heap);
	}
}

/* Large objects and slabs together. */
static void large_objects_count(struct kunit *test)
{
	struct pcslab_heap *heap = limited(test, LIMIT, NULL);
	void *large = pcslab_alloc(heap, 16 * PAGE_SIZE, QUIET);
	void *first;
	unsigned int nr;

	KUNIT_EXPECT_NOT_NULL(test, large);
	KUNIT_EXPECT_NULL(test, pcslab_alloc(heap, 9 * PAGE_SIZE, QUIET));
	first = take_all(test, heap, 1024, QUIET, &nr);
	KUNIT_EXPECT_EQ(test, pages_in_books(heap), (u64)LIMIT);
	KUNIT_EXPECT_EQ(test, st.pages, (u64)LIMIT);
	KUNIT_EXPECT_EQ(test, st.large_fails, 1ull);
	pcslab_free(large);
	pcslab_heap_stats(heap, &st);
	KUNIT_EXPECT_EQ(test, st.pages, LIMIT - 16ull);
	large = pcslab_alloc(heap, 16 * PAGE_SIZE, QUIET);
	KUNIT_EXPECT_NOT_NULL(test, large);
	pcslab_free(large);
	free_all(first);
	pcslab_heap_destroy(heap);
}

static struct pcslab_heap *used;

static int use_this_cpu(void *unused)
{
	void *obj[4];
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(obj); i++)
		obj[i] = pcslab_alloc(used, 256, GFP_KERNEL);
	for (i = 0; i < ARRAY_SIZE(obj); i++)
		pcslab_free(obj[i]);
	return 0;
}

/* Leaves free objects in the magazines of all CPUs, and slabs of two classes. */
static void leave_idle_memory(struct kunit *test, struct pcslab_heap *heap)
{
	unsigned int cpu;

	used = heap;
	cpus_read_lock();
	for_each_online_cpu(cpu)
		smp_call_on_cpu(cpu, use_this_cpu, NULL, false);
	cpus_read_unlock();
	pcslab_free(pcslab_alloc(heap, 4096, GFP_KERNEL));
	pcslab_heap_stats(heap, &st);
	KUNIT_EXPECT_GT(test, st.class[pcslab_class_index(256)].cached, 0ull);
	KUNIT_EXPECT_GT(test, st.pages, 0ull);
}

/* All idle memory serves a call that may sleep, the callback is not needed. */
static void idle_memory_is_given_back(struct kunit *test)
{
	static const gfp_t gfps[] = { GFP_KERNEL, GFP_USER };
	struct owner owner = {};
	struct pcslab_heap *heap = limited(test, 16, &owner);
	unsigned int i;
	void *obj;

	for (i = 0; i < ARRAY_SIZE(gfps); i++) {
		leave_idle_memory(test, heap);
		obj = pcslab_alloc(heap, 16 * PAGE_SIZE, gfps[i]);
		KUNIT_EXPECT_NOT_NULL(test, obj);
		KUNIT_EXPECT_EQ(test, pages_in_books(heap), 16ull);
		KUNIT_EXPECT_EQ(test, st.pages, 16ull);
		pcslab_free(obj);
	}
	KUNIT_EXPECT_EQ(test, owner.calls, 0u);
	KUNIT_EXPECT_EQ(test, fails_of(heap), 0ull);
	pcslab_heap_destroy(heap);
}

/*
 * Without the right to do what reclaim does: what is in depots comes back at
 * once. The magazines keep the objects that were freed last, those of the first
 * slabs.
 */
static void depots_are_given_back(struct kunit *test)
{
	struct pcslab_heap *heap = limited(test, 4 * LIMIT, NULL);
	unsigned int nr, flags, i;
	void *obj;

	for (i = 0; i < 2; i++) {
		free_all(take_all(test, heap, 1024, QUIET, &nr));
		flags = i ? memalloc_noreclaim_save() : memalloc_noio_save();
		obj = pcslab_alloc(heap, 2 * LIMIT / 3 * PAGE_SIZE, QUIET);
		if (i)
			memalloc_noreclaim_restore(flags);
		else
			memalloc_noio_restore(flags);
		KUNIT_EXPECT_NOT_NULL(test, obj);
		pcslab_free(obj);
	}
	pcslab_heap_destroy(heap);
}

/*
 * A call that must not sleep fails at once; idle memory comes back in the
 * background.
 */
static void atomic_calls_fail_at_once(struct kunit *test)
{
	const gfp_t gfp = GFP_ATOMIC | __GFP_NOWARN;
	struct owner owner = {};
	struct pcslab_heap *heap = limited(test, 16, &owner);
	unsigned int tries;
	void *obj;

	leave_idle_memory(test, heap);
	rcu_read_lock();
	obj = pcslab_alloc(heap, 16 * PAGE_SIZE, gfp);
	rcu_read_unlock();
	KUNIT_EXPECT_NULL(test, obj);
	KUNIT_EXPECT_EQ(test, fails_of(heap), 1ull);
	KUNIT_EXPECT_EQ(test, owner.calls, 1u);
	KUNIT_EXPECT_EQ(test, (__force u32)owner.gfp, (__force u32)gfp);
	for (tries = 0; !obj && tries < 500; tries++) {
		msleep(20);
		pcslab_heap_stats(heap, &st);
		if (!st.pages)
			obj = pcslab_alloc(heap, 16 * PAGE_SIZE, gfp);
	}
	KUNIT_EXPECT_NOT_NULL(test, obj);
	KUNIT_EXPECT_EQ(test, fails_of(heap), 1ull);
	pcslab_free(obj);
	pcslab_heap_destroy(heap);
}

static void owner_frees(struct kunit *test)
{
	struct owner owner = {};
	struct pcslab_heap *heap = limited(test, 16, &owner);
	void *obj;

	owner.give = pcslab_alloc(heap, 16 * PAGE_SIZE, GFP_KERNEL);
	KUNIT_EXPECT_EQ(test, owner.calls, 0u);
	obj = pcslab_alloc(heap, 8 * PAGE_SIZE, GFP_NOFS);
	KUNIT_EXPECT_NOT_NULL(test, obj);
	KUNIT_EXPECT_EQ(test, owner.calls, 1u);
	KUNIT_EXPECT_PTR_EQ(test, owner.heap, heap);
	KUNIT_EXPECT_EQ(test, (__force u32)owner.gfp, (__force u32)GFP_NOFS);
	KUNIT_EXPECT_EQ(test, fails_of(heap), 0ull);
	KUNIT_EXPECT_EQ(test, st.pages, 8ull);
	pcslab_free(obj);
	pcslab_heap_destroy(heap);
}

static void owner_raises(struct kunit *test)
{
	struct owner owner = { .raise = 32 * PAGE_SIZE };
	struct pcslab_heap *heap = limited(test, 16, &owner);
	void *obj = pcslab_alloc(heap, 32 * PAGE_SIZE, QUIET);

	KUNIT_EXPECT_NOT_NULL(test, obj);
	KUNIT_EXPECT_EQ(test, owner.calls, 1u);
	pcslab_heap_stats(heap, &st);
	KUNIT_EXPECT_EQ(test, st.limit_pages, 32ull);
	KUNIT_EXPECT_NULL(test, pcslab_alloc(heap, 8, QUIET));
	KUNIT_EXPECT_EQ(test, owner.calls, 2u);
	pcslab_free(obj);
	pcslab_heap_destroy(heap);
}

/* The limit is exceeded last, after idle memory and the owner. */
static void nofail_exceeds_it(struct kunit *test)
{
	struct owner owner = {};
	struct pcslab_heap *heap = limited(test, 16, &owner);
	void *large, *small, *other;

	leave_idle_memory(test, heap);
	large = pcslab_alloc(heap, 16 * PAGE_SIZE, GFP_KERNEL | __GFP_NOFAIL);
	pcslab_heap_stats(heap, &st);
	KUNIT_EXPECT_EQ(test, st.pages, 16ull);
	KUNIT_EXPECT_EQ(test, st.over_limit, 0ull);
	KUNIT_EXPECT_EQ(test, owner.calls, 0u);
	small = pcslab_alloc(heap, 8, GFP_KERNEL | __GFP_NOFAIL);
	KUNIT_EXPECT_NOT_NULL(test, small);
	KUNIT_EXPECT_EQ(test, owner.calls, 1u);
	pcslab_heap_stats(heap, &st);
	KUNIT_EXPECT_EQ(test, st.pages, 17ull);
	KUNIT_EXPECT_EQ(test, st.over_limit, 1ull);
	other = pcslab_alloc(heap, 4 * PAGE_SIZE, GFP_KERNEL | __GFP_NOFAIL);
	KUNIT_EXPECT_NOT_NULL(test, other);
	pcslab_heap_stats(heap, &st);
	KUNIT_EXPECT_EQ(test, st.pages, 21ull);
	KUNIT_EXPECT_EQ(test, st.max_pages, 21ull);
	KUNIT_EXPECT_EQ(test, st.over_limit, 2ull);
	KUNIT_EXPECT_EQ(test, fails_of(heap), 0ull);
	pcslab_free(large);
	pcslab_free(small);
	pcslab_free(other);
	pcslab_heap_destroy(heap);
}

#define RACE_LIMIT	40
#define RACE_OPS	1000
#define RACE_HELD	16

struct racer {
	struct pcslab_heap *heap;
	struct task_struct *task;
	unsigned int fails, max;
};

static atomic_t races_running;

static int race(void *arg)
{
	static const size_t sizes[] = { 16, 1024, 4096, 8192, 20000 };
	struct racer *racer = arg;
	void *held[RACE_HELD] = {};
	unsigned int op, i;
	size_t size;

	for (op = 0; op < RACE_OPS; op++) {
		i = op * 7 % RACE_HELD;
		size = sizes[(op / 3 + i) % ARRAY_SIZE(sizes)];
		pcslab_free(held[i]);
		held[i] = pcslab_alloc(racer->heap, size,
				       (op & 15 ? GFP_ATOMIC : GFP_KERNEL) | __GFP_NOWARN);
		racer->fails += !held[i];
		racer->max = max_t(unsigned int, racer->max,
				   atomic_long_read(&racer->heap->budget.pages));
		cond_resched();
	}
	for (i = 0; i < RACE_HELD; i++)
		pcslab_free(held[i]);
	atomic_dec(&races_running);
	while (!kthread_should_stop())
		msleep(20);
	return 0;
}

/*
 * All CPUs at the limit: at no moment one sees more pages than that. In the end
 * what is charged is what is held.
 */
static void all_cpus_race(struct kunit *test)
{
	struct racer *racers = kunit_kcalloc(test, nr_cpu_ids, sizeof(*racers), GFP_KERNEL);
	struct pcslab_heap *heap = limited(test, RACE_LIMIT, NULL);
	unsigned int cpu, fails = 0;

	KUNIT_ASSERT_NOT_NULL(test, racers);
	atomic_set(&races_running, num_online_cpus());
	for_each_online_cpu(cpu) {
		racers[cpu].heap = heap;
		racers[cpu].task = kthread_create(race, &racers[cpu], "race/%u", cpu);
		KUNIT_ASSERT_NOT_ERR_OR_NULL(test, racers[cpu].task);
		kthread_bind(racers[cpu].task, cpu);
		wake_up_process(racers[cpu].task);
	}
	while (atomic_read(&races_running)) {
		KUNIT_EXPECT_LE(test, pages_in_books(heap), (u64)RACE_LIMIT);
		msleep(20);
	}
	for_each_online_cpu(cpu) {
		kthread_stop(racers[cpu].task);
		fails += racers[cpu].fails;
		KUNIT_EXPECT_LE(test, racers[cpu].max, (u32)RACE_LIMIT);
	}
	KUNIT_EXPECT_GT(test, fails, 0u);
	KUNIT_EXPECT_EQ(test, fails_of(heap), (u64)fails);
	KUNIT_EXPECT_LE(test, st.max_pages, (u64)RACE_LIMIT);
	expect_quiet(test, heap);
	pcslab_heap_shrink(heap);
	KUNIT_EXPECT_EQ(test, pages_in_books(heap), 0ull);
	KUNIT_EXPECT_EQ(test, st.pages, 0ull);
	pcslab_heap_destroy(heap);
}

/* A charge that gets no pages is taken back. */
static void no_pages_no_charge(struct kunit *test)
{
	struct pcslab_heap *heap;
	void *obj;

	if (!IS_ENABLED(CONFIG_FAIL_PAGE_ALLOC))
		kunit_skip(test, "the page allocator never fails");
	heap = limited(test, LIMIT, NULL);
	fail_large_pages(test, true, 0);
	KUNIT_EXPECT_NULL(test, pcslab_alloc(heap, 64, QUIET));
	KUNIT_EXPECT_NULL(test, pcslab_alloc(heap, 16 * PAGE_SIZE, QUIET));
	fail_large_pages(test, false, 0);
	pcslab_heap_stats(heap, &st);
	KUNIT_EXPECT_EQ(test, st.pages, 0ull);
	KUNIT_EXPECT_EQ(test, st.max_pages, 0ull);
	obj = pcslab_alloc(heap, 16 * PAGE_SIZE, QUIET);
	KUNIT_EXPECT_NOT_NULL(test, obj);
	pcslab_free(obj);
	pcslab_heap_destroy(heap);
}

/* The most pages held, when that was, and not again when as many are held. */
static void high_water_mark(struct kunit *test)
{
	struct pcslab_heap *heap = pcslab_heap_create(NAME, NULL);
	u64 before, after, first;
	void *obj;

	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, heap);
	pcslab_heap_stats(heap, &st);
	KUNIT_EXPECT_EQ(test, st.max_pages, 0ull);
	KUNIT_EXPECT_EQ(test, st.limit_pages, 0ull);
	before = ktime_get_boottime_seconds();
	obj = pcslab_alloc(heap, 32 * PAGE_SIZE, GFP_KERNEL);
	pcslab_heap_stats(heap, &st);
	after = ktime_get_boottime_seconds();
	KUNIT_EXPECT_EQ(test, st.max_pages, 32ull);
	KUNIT_EXPECT_GE(test, st.max_pages_time, before);
	KUNIT_EXPECT_LE(test, st.max_pages_time, after);
	pcslab_free(obj);
	after = ktime_get_boottime_seconds();
	pcslab_heap_stats(heap, &st);
	first = st.max_pages_time;
	KUNIT_EXPECT_GE(test, first, before);
	KUNIT_EXPECT_LE(test, first, after);
	msleep(1500);
	pcslab_free(pcslab_alloc(heap, 32 * PAGE_SIZE, GFP_KERNEL));
	pcslab_heap_stats(heap, &st);
	KUNIT_EXPECT_EQ(test, st.pages, 0ull);
	KUNIT_EXPECT_EQ(test, st.max_pages, 32ull);
	KUNIT_EXPECT_EQ(test, st.max_pages_time, first);
	pcslab_free(pcslab_alloc(heap, 64 * PAGE_SIZE, GFP_KERNEL));
	pcslab_heap_stats(heap, &st);
	KUNIT_EXPECT_EQ(test, st.max_pages, 64ull);
	KUNIT_EXPECT_GT(test, st.max_pages_time, first);
	pcslab_heap_destroy(heap);
}

/* A heap over its new limit keeps what it has. */
static void limit_is_lowered(struct kunit *test)
{
	struct pcslab_heap *heap = pcslab_heap_create(NAME, NULL);
	void *obj;

	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, heap);
	obj = pcslab_alloc(heap, 16 * PAGE_SIZE, GFP_KERNEL);
	KUNIT_EXPECT_EQ(test, pcslab_heap_set_limit(heap, 8 * PAGE_SIZE + 1), 0);
	pcslab_heap_stats(heap, &st);
	KUNIT_EXPECT_EQ(test, st.limit_pages, 8ull);
	KUNIT_EXPECT_EQ(test, st.pages, 16ull);
	KUNIT_EXPECT_NULL(test, pcslab_alloc(heap, 8, QUIET));
	KUNIT_EXPECT_EQ(test, pcslab_heap_set_limit(heap, PAGE_SIZE - 1), -EINVAL);
	KUNIT_EXPECT_EQ(test, pcslab_heap_set_limit(NULL, PAGE_SIZE), -EINVAL);
	KUNIT_EXPECT_EQ(test, pcslab_heap_set_limit(heap, 0), 0);
	pcslab_free(pcslab_alloc(heap, 32 * PAGE_SIZE, GFP_KERNEL));
	pcslab_heap_stats(heap, &st);
	KUNIT_EXPECT_EQ(test, st.max_pages, 48ull);
	KUNIT_EXPECT_EQ(test, st.limit_pages, 0ull);
	pcslab_free(obj);
	pcslab_heap_destroy(heap);
}

struct newer_attr {
	struct pcslab_heap_attr attr;
	unsigned long unknown;
};

/* Callers that were built with a smaller or larger structure. */
static void options_may_grow(struct kunit *test)
{
	struct newer_attr newer = { .attr.limit_bytes = PAGE_SIZE };
	struct pcslab_heap *heap;

	heap = __pcslab_heap_create(NAME, &newer.attr, sizeof(newer), THIS_MODULE);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, heap);
	pcslab_heap_stats(heap, &st);
	KUNIT_EXPECT_EQ(test, st.limit_pages, 1ull);
	pcslab_heap_destroy(heap);
	heap = __pcslab_heap_create(NAME, &newer.attr, sizeof(newer.attr.flags), THIS_MODULE);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, heap);
	pcslab_heap_stats(heap, &st);
	KUNIT_EXPECT_EQ(test, st.limit_pages, 0ull);
	pcslab_heap_destroy(heap);
	newer.unknown = 1;
	heap = __pcslab_heap_create(NAME, &newer.attr, sizeof(newer), THIS_MODULE);
	KUNIT_EXPECT_EQ(test, PTR_ERR(heap), -E2BIG);
	heap = __pcslab_heap_create(NAME, &newer.attr, 1, THIS_MODULE);
	KUNIT_EXPECT_EQ(test, PTR_ERR(heap), -EINVAL);
	newer.attr.limit_bytes = PAGE_SIZE - 1;
	KUNIT_EXPECT_EQ(test, PTR_ERR(pcslab_heap_create(NAME, &newer.attr)), -EINVAL);
}

static struct kunit_case limit_cases[] = {
	KUNIT_CASE(exact_to_the_page),
	KUNIT_CASE(large_objects_count),
	KUNIT_CASE(idle_memory_is_given_back),
	KUNIT_CASE(depots_are_given_back),
	KUNIT_CASE(atomic_calls_fail_at_once),
	KUNIT_CASE(owner_frees),
	KUNIT_CASE(owner_raises),
	KUNIT_CASE(nofail_exceeds_it),
	KUNIT_CASE(all_cpus_race),
	KUNIT_CASE(no_pages_no_charge),
	KUNIT_CASE(high_water_mark),
	KUNIT_CASE(limit_is_lowered),
	KUNIT_CASE(options_may_grow),
	{}
};

static struct kunit_suite suite = {
	.name = "pcslab_limit",
	.test_cases = limit_cases,
};

kunit_test_suite(suite);
