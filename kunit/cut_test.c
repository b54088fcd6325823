// SPDX-License-Identifier: GPL-2.0
/*
 * Contracts 6 and 16: is an exact read a cut? Movers keep a number of objects
 * in slots that all of them share. A mover allocates an object, or several in
 * one call, swaps them for those in slots, and frees the latter, which mostly
 * are of another class and were allocated on another CPU. So at every instant
 * there are as many live objects as slots, and at most MOST_MOVED more for each
 * mover. But a sum that does not belong to one instant may see the allocations
 * of one CPU and miss the frees of another.
 *
 * A timer on each CPU is a mover too. Live objects are counted over all
 * classes and the large ones.
 */
#include <kunit/test.h>
#include <linux/completion.h>
#include <linux/cpu.h>
#include <linux/hrtimer.h>
#include <linux/kthread.h>
#include <linux/module.h>
#include <linux/percpu.h>
#include <linux/prandom.h>
#include <linux/slab.h>

#include <pcslab/pcslab.h>

#include "live.h"
#include "params.h"
#include "test_compat.h"

#define SLOTS		64
#define MOST_MOVED	4
/* Sums cost little, and are wrong so seldom that a few would not show it. */
#define SUMS_PER_CUT	20
#define TIMER_PERIOD	NSEC_PER_MSEC
/* Number of readers at the same time, and reads of each. */
#define READERS		16
#define READS		20

struct mover {
	struct rnd_state random;
	struct task_struct *task;
	struct hrtimer timer;
	bool failed;
};

static DEFINE_PER_CPU(struct mover, tasks);
static DEFINE_PER_CPU(struct mover, timers);
static struct pcslab_heap *heap;
static void *slots[SLOTS];
static struct pcslab_stats st;

/*
 * Few classes, so that magazines run full and empty; now and then a large
 * object.
 */
static size_t some_size(struct rnd_state *random)
{
	u32 r = prandom_u32_state(random);

	return r % 256 ? 8 << (r % 9) : 3 * PAGE_SIZE;
}

static void move_one(struct mover *m, gfp_t gfp)
{
	void *obj = pcslab_alloc(heap, some_size(&m->random), gfp | __GFP_NOWARN);

	if (!obj) {
		m->failed = true;
		return;
	}
	pcslab_free(xchg(&slots[prandom_u32_state(&m->random) % SLOTS], obj));
}

static void move_many(struct mover *m, gfp_t gfp)
{
	unsigned int i, n = 2 + prandom_u32_state(&m->random) % (MOST_MOVED - 1);
	void *objs[MOST_MOVED];

	if (!pcslab_alloc_bulk(heap, some_size(&m->random), gfp | __GFP_NOWARN, n, objs)) {
		m->failed = true;
		return;
	}
	for (i = 0; i < n; i++)
		objs[i] = xchg(&slots[prandom_u32_state(&m->random) % SLOTS], objs[i]);
	pcslab_free_bulk(n, objs);
}

static void move(struct mover *m, gfp_t gfp)
{
	if (prandom_u32_state(&m->random) % 4)
		move_one(m, gfp);
	else
		move_many(m, gfp);
}

static int move_on(void *arg)
{
	struct mover *m = arg;

	while (!kthread_should_stop()) {
		move(m, GFP_KERNEL);
		cond_resched();
	}
	return 0;
}

static enum hrtimer_restart move_now(struct hrtimer *timer)
{
	move(container_of(timer, struct mover, timer), GFP_ATOMIC);
	hrtimer_forward_now(timer, ns_to_ktime(TIMER_PERIOD));
	return HRTIMER_RESTART;
}

static void start_timer(void *unused)
{
	hrtimer_start(&this_cpu_ptr(&timers)->timer, ns_to_ktime(TIMER_PERIOD),
		      HRTIMER_MODE_REL_PINNED_SOFT);
}

/* Returns how many objects more than slots may be live. */
static unsigned int start_movers(struct kunit *test)
{
	unsigned int cpu, n = 0;
	struct mover *m;

	for_each_online_cpu(cpu) {
		m = per_cpu_ptr(&timers, cpu);
		prandom_seed_state(&m->random, ++n);
		/* On RT only threaded interrupts may use pcslab. */
		compat_hrtimer_setup(&m->timer, move_now, CLOCK_MONOTONIC,
				     HRTIMER_MODE_REL_PINNED_SOFT);
		m = per_cpu_ptr(&tasks, cpu);
		m->task = NULL;
		/* Leave one CPU to the reader. */
		if (cpu == cpumask_first(cpu_online_mask))
			continue;
		prandom_seed_state(&m->random, ++n);
		m->task = kthread_create_on_cpu(move_on, m, cpu, "pcslab-move/%u");
		KUNIT_ASSERT_NOT_ERR_OR_NULL(test, m->task);
		wake_up_process(m->task);
	}
	on_each_cpu(start_timer, NULL, true);
	return n * MOST_MOVED;
}

static void stop_movers(struct kunit *test)
{
	unsigned int cpu;

	for_each_online_cpu(cpu) {
		if (per_cpu_ptr(&tasks, cpu)->task)
			kthread_stop(per_cpu_ptr(&tasks, cpu)->task);
		hrtimer_cancel(&per_cpu_ptr(&timers, cpu)->timer);
		KUNIT_EXPECT_FALSE(test, per_cpu_ptr(&tasks, cpu)->failed);
	}
}

static u64 live(int (*read)(struct pcslab_heap *heap, struct pcslab_stats *st))
{
	return read(heap, &st) ? 0 : stats_live(&st);
}

static void cut_holds_while_objects_move(struct kunit *test)
{
	unsigned int more, i, j, wrong = 0, relaxed_wrong = 0;
	u64 n, least = U64_MAX, most = 0;

	more = start_movers(test);
	for (i = 0; i < pcslab_test_cuts; i++) {
		n = live(pcslab_heap_stats_exact);
		least = min(least, n);
		most = max(most, n);
		wrong += n < SLOTS || n > SLOTS + more;
		for (j = 0; j < SUMS_PER_CUT; j++) {
			n = live(pcslab_heap_stats);
			relaxed_wrong += n < SLOTS || n > SLOTS + more;
		}
	}
	stop_movers(test);
	kunit_info(test, "%u cuts, live %llu to %llu with %u objects and up to %u more; sums beyond that: %u\n",
		   i, least, most, SLOTS, more, relaxed_wrong);
	KUNIT_EXPECT_EQ(test, wrong, 0);
	/* If no sum is wrong, the test would not notice a wrong cut either. */
	KUNIT_EXPECT_GT(test, relaxed_wrong, 0);
	KUNIT_EXPECT_EQ(test, live(pcslab_heap_stats_exact), SLOTS);
}

struct reader {
	struct task_struct *task;
	struct completion done;
	struct pcslab_stats st;
	unsigned int more, wrong;
};

static int read_often(void *arg)
{
	struct reader *r = arg;
	unsigned int i;
	u64 n;

	for (i = 0; i < READS; i++) {
		pcslab_heap_stats_exact(heap, &r->st);
		n = stats_live(&r->st);
		r->wrong += n < SLOTS || n > SLOTS + r->more;
	}
	kthread_complete_and_exit(&r->done, 0);
}

/* Milliseconds that @n readers take when they read at the same time. */
static s64 time_readers(struct kunit *test, struct reader *readers, unsigned int n,
			unsigned int more)
{
	ktime_t start = ktime_get();
	unsigned int i;

	for (i = 0; i < n; i++) {
		readers[i] = (struct reader){ .more = more };
		init_completion(&readers[i].done);
		readers[i].task = kthread_run(read_often, &readers[i], "pcslab-read/%u", i);
		KUNIT_ASSERT_NOT_ERR_OR_NULL(test, readers[i].task);
	}
	for (i = 0; i < n; i++) {
		wait_for_completion(&readers[i].done);
		KUNIT_EXPECT_EQ(test, readers[i].wrong, 0);
	}
	return ktime_ms_delta(ktime_get(), start);
}

/*
 * Readers that arrive during a cut share the next one, and each gets a true
 * one.
 */
static void readers_share_cuts(struct kunit *test)
{
	struct reader *readers = kunit_kcalloc(test, READERS, sizeof(*readers), GFP_KERNEL);
	unsigned int more;
	s64 one, all;

	KUNIT_ASSERT_NOT_NULL(test, readers);
	more = start_movers(test);
	one = time_readers(test, readers, 1, more);
	all = time_readers(test, readers, READERS, more);
	stop_movers(test);
	kunit_info(test, "%d exact reads: %lld ms; %d readers do as many each: %lld ms\n",
		   READS, one, READERS, all);
	KUNIT_EXPECT_EQ(test, live(pcslab_heap_stats_exact), SLOTS);
}

static int fill_slots(struct kunit *test)
{
	unsigned int i;

	heap = pcslab_heap_create("kunit-cut", NULL);
	if (IS_ERR(heap))
		return PTR_ERR(heap);
	for (i = 0; i < SLOTS; i++)
		slots[i] = pcslab_alloc(heap, 64, GFP_KERNEL);
	return 0;
}

static void empty_slots(struct kunit *test)
{
	unsigned int i;

	for (i = 0; i < SLOTS; i++)
		pcslab_free(slots[i]);
	KUNIT_EXPECT_EQ(test, live(pcslab_heap_stats_exact), 0);
	pcslab_heap_destroy(heap);
}

static struct kunit_case cases[] = {
	KUNIT_CASE_PARAM(cut_holds_while_objects_move, pcslab_test_next_round),
	KUNIT_CASE(readers_share_cuts),
	{}
};

static struct kunit_suite suite = {
	.name = "pcslab_cut",
	.init = fill_slots,
	.exit = empty_slots,
	.test_cases = cases,
};

kunit_test_suite(suite);

MODULE_DESCRIPTION("KUnit tests of pcslab's exact reads");
MODULE_LICENSE("GPL");
MODULE_INFO(import_ns, "PCSLAB");
