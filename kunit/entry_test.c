// SPDX-License-Identifier: GPL-2.0
/*
 * Contracts 1 and 9: calls that interrupt calls lose no count and no object
 *
 * On every CPU a task allocates and frees without a pause, and a handler that
 * interrupts it does the same with the same class. An interruption counts as a
 * hit if the handler finds the guard of the CPU's cache taken: then it came
 * between the first read of the magazine and the count. There must be many
 * hits. This needs a guest that can take interrupts at every instruction
 * (entry.run).
 */
#include <linux/delay.h>
#include <linux/hrtimer.h>
#include <linux/interrupt.h>
#include <linux/irq_work.h>
#include <linux/kthread.h>
#include <linux/module.h>
#include <linux/sched.h>
#include <pcslab/pcslab.h>

#include "actor.h"
#include "params.h"
#include "quiet.h"
#include "test_compat.h"

/* The least time from one interruption to the next */
#define GAP_NS	3000

enum context { TASK, TIMER, WORK, TASKLET, NR_CONTEXTS };

/**
 * struct site - a CPU where a task is interrupted
 * @cpu: its number
 * @task: allocates and frees all the time
 * @timer: interrupts all the time
 * @work: queued by the timer
 * @tasklet: same
 * @step: number of the task's call, the phase in its last bit
 * @actor: the task, and the contexts that interrupt it
 */
struct site {
	unsigned int cpu;
	struct task_struct *task;
	struct hrtimer timer;
	struct irq_work work;
	struct tasklet_struct tasklet;
	unsigned int step;
	struct actor actor[NR_CONTEXTS];
};

struct arena {
	struct pcslab_heap *heap;
	bool tasklets;
	bool stop;
	struct site site[ENTRY_CPUS];
};

static struct arena arena;

static void add_counts(struct actor *sum, const struct actor *actor)
{
	sum->allocs += actor->allocs;
	sum->frees += actor->frees;
	sum->fails += actor->fails;
	sum->bad += actor->bad;
}

/* Frees the oldest object and allocates a new one. */
static void act(struct pcslab_heap *heap, struct actor *actor)
{
	unsigned int i = actor->at++ % HELD;

	act_free(actor, i);
	act_alloc(heap, actor, i);
}

/* If a call is interrupted twice in its middle, that is one hit. */
static void note_entry(struct site *site, struct actor *actor)
{
	unsigned int step = READ_ONCE(site->step);

	actor->entries++;
	if (!guard_taken(arena.heap) || step == actor->last_step)
		return;
	actor->last_step = step;
	actor->hits[step % NR_PHASES]++;
}

static void interrupt(struct site *site, enum context context)
{
	note_entry(site, &site->actor[context]);
	act(arena.heap, &site->actor[context]);
}

static void work_handler(struct irq_work *work)
{
	interrupt(container_of(work, struct site, work), WORK);
}

static void tasklet_handler(struct tasklet_struct *tasklet)
{
	interrupt(container_of(tasklet, struct site, tasklet), TASKLET);
}

/*
 * The irq_work's own interrupt comes as soon as this one ends, and the tasklet
 * runs when this one exits: all three meet the task at the same instruction.
 */
static enum hrtimer_restart timer_handler(struct hrtimer *timer)
{
	struct site *site = container_of(timer, struct site, timer);
	u32 entries = site->actor[TIMER].entries;
	u64 gap = GAP_NS + entries * 7919 % 10007;
	ktime_t began = ktime_get();

	interrupt(site, TIMER);
	if (arena.tasklets)
		tasklet_hi_schedule(&site->tasklet);
	else
		irq_work_queue(&site->work);
	/*
	 * An odd gap never falls into step with the loop that it interrupts. If
	 * the handler is slow, the loop must still make progress.
	 */
	if (IS_ENABLED(CONFIG_KASAN) || IS_ENABLED(CONFIG_KCSAN))
		gap += 8 * ktime_to_ns(ktime_sub(ktime_get(), began));
	hrtimer_forward_now(timer, ns_to_ktime(gap));
	return READ_ONCE(arena.stop) ? HRTIMER_NORESTART : HRTIMER_RESTART;
}

/* Notes which call the task makes next. */
static void next_call(struct site *site, unsigned int phase)
{
	WRITE_ONCE(site->step, site->step / NR_PHASES * NR_PHASES + NR_PHASES + phase);
}

static void alloc_all(struct site *site, struct actor *actor, bool bulk)
{
	unsigned int i;

	if (bulk) {
		next_call(site, ALLOCATING);
		act_alloc_all(arena.heap, actor);
		return;
	}
	for (i = 0; i < HELD; i++) {
		next_call(site, ALLOCATING);
		act_alloc(arena.heap, actor, i);
	}
}

static void free_all(struct site *site, struct actor *actor, bool bulk)
{
	unsigned int i;

	if (bulk) {
		next_call(site, FREEING);
		act_free_all(actor);
		return;
	}
	for (i = 0; i < HELD; i++) {
		next_call(site, FREEING);
		act_free(actor, i);
	}
}

/*
 * Uses more than a magazine holds, so that the edges of magazines are
 * interrupted too. Half of the objects go through the calls for many.
 */
static void burst(struct site *site)
{
	static struct actor actors[ENTRY_CPUS][16];
	struct actor *actor = actors[site->cpu];
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(actors[0]); i++) {
		actor[i] = (struct actor){ .token = site->actor[TASK].token + 1 + i };
		alloc_all(site, &actor[i], i % 2);
	}
	for (i = 0; i < ARRAY_SIZE(actors[0]); i++) {
		free_all(site, &actor[i], i % 2);
		add_counts(&site->actor[TASK], &actor[i]);
	}
}

static void start_timer(struct site *site)
{
	compat_hrtimer_setup(&site->timer, timer_handler, CLOCK_MONOTONIC,
			     HRTIMER_MODE_REL_PINNED);
	hrtimer_start(&site->timer, ns_to_ktime(GAP_NS), HRTIMER_MODE_REL_PINNED);
}

static int interrupted_task(void *arg)
{
	struct site *site = arg;
	struct actor *actor = &site->actor[TASK];
	unsigned int i, round = 0;

	start_timer(site);
	while (!READ_ONCE(arena.stop)) {
		for (i = 0; i < HELD; i++) {
			next_call(site, FREEING);
			act_free(actor, i);
			next_call(site, ALLOCATING);
			act_alloc(arena.heap, actor, i);
		}
		if (round++ % 64 == 0)
			burst(site);
		cond_resched();
	}
	hrtimer_cancel(&site->timer);
	irq_work_sync(&site->work);
	tasklet_kill(&site->tasklet);
	while (!kthread_should_stop())
		msleep(20);
	return 0;
}

static void init_site(struct site *site, unsigned int cpu)
{
	unsigned int context;

	*site = (struct site){ .cpu = cpu };
	for (context = 0; context < NR_CONTEXTS; context++)
		site->actor[context].token = token_of(cpu, context);
	init_irq_work(&site->work, work_handler);
	tasklet_setup(&site->tasklet, tasklet_handler);
}

static void start_sites(struct kunit *test)
{
	struct site *site;
	unsigned int cpu;

	for_each_online_cpu(cpu) {
		site = &arena.site[cpu];
		init_site(site, cpu);
		site->task = kthread_create(interrupted_task, site, "pcslab-entry/%u", cpu);
		KUNIT_ASSERT_FALSE(test, IS_ERR(site->task));
		kthread_bind(site->task, cpu);
		wake_up_process(site->task);
	}
}

static u64 hits_so_far(enum context context, unsigned int phase)
{
	unsigned int cpu;
	u64 hits = 0;

	for_each_online_cpu(cpu)
		hits += READ_ONCE(arena.site[cpu].actor[context].hits[phase]);
	return hits;
}

static u64 all_hits(enum context context)
{
	return hits_so_far(context, ALLOCATING) + hits_so_far(context, FREEING);
}

/*
 * Both kinds of calls must be hit, each by at least an eighth of the hits
 * wanted.
 */
static bool enough_hits(enum context context, u64 wanted)
{
	return all_hits(context) >= wanted &&
	       hits_so_far(context, ALLOCATING) >= wanted / 8 &&
	       hits_so_far(context, FREEING) >= wanted / 8;
}

static void wait_for_hits(enum context context, u64 wanted)
{
	unsigned long end = jiffies + pcslab_test_seconds * HZ;

	while (!enough_hits(context, wanted) && time_before(jiffies, end))
		msleep(50);
}

static void stop_sites(void)
{
	unsigned int cpu;

	WRITE_ONCE(arena.stop, true);
	for_each_online_cpu(cpu)
		kthread_stop(arena.site[cpu].task);
}

static void expect_sums(struct kunit *test)
{
	struct actor sum = { .allocs = 1, .frees = 1 };	/* the class's first */
	unsigned int cpu, context;
	struct actor *actor;

	for_each_online_cpu(cpu) {
		for (context = 0; context < NR_CONTEXTS; context++) {
			actor = &arena.site[cpu].actor[context];
			give_all_back(actor);
			add_counts(&sum, actor);
		}
	}
	KUNIT_EXPECT_EQ_MSG(test, sum.bad, 0ull, "objects handed out twice");
	KUNIT_EXPECT_EQ(test, sum.allocs, sum.frees);
	expect_class(test, arena.heap, sum.allocs, sum.frees, sum.fails);
	kunit_info(test, "%llu calls\n", sum.allocs + sum.frees);
}

static void expect_hits(struct kunit *test, enum context context, u64 wanted)
{
	static const char * const name[] = { "task", "hrtimer", "irq_work", "tasklet" };

	KUNIT_EXPECT_TRUE_MSG(test, enough_hits(context, wanted), "%s", name[context]);
	kunit_info(test, "%s: %llu hits while allocating, %llu while freeing\n",
		   name[context], hits_so_far(context, ALLOCATING),
		   hits_so_far(context, FREEING));
}

static void interrupt_tasks(struct kunit *test, enum context second, u64 wanted)
{
	KUNIT_ASSERT_LE(test, nr_cpu_ids, ENTRY_CPUS);
	arena.heap = pcslab_heap_create("entry", NULL);
	KUNIT_ASSERT_FALSE(test, IS_ERR(arena.heap));
	/* The handlers read the class, so it must exist. */
	pcslab_free(pcslab_alloc(arena.heap, ENTRY_SIZE, GFP_KERNEL));
	arena.tasklets = second == TASKLET;
	arena.stop = false;

	start_sites(test);
	wait_for_hits(TIMER, wanted);
	wait_for_hits(second, wanted);
	stop_sites();
	expect_hits(test, TIMER, wanted);
	expect_hits(test, second, wanted);
	expect_sums(test);
	expect_quiet(test, arena.heap);
	pcslab_heap_destroy(arena.heap);
}

static void by_hrtimer_and_irq_work(struct kunit *test)
{
	interrupt_tasks(test, WORK, pcslab_test_hits);
}

/*
 * Fewer hits: ksoftirqd runs many of the tasklets, which then interrupt no
 * call.
 */
static void by_hrtimer_and_tasklet(struct kunit *test)
{
	interrupt_tasks(test, TASKLET, pcslab_test_hits / 20);
}

static struct kunit_case entry_cases[] = {
	KUNIT_CASE(by_hrtimer_and_irq_work),
	KUNIT_CASE(by_hrtimer_and_tasklet),
	{}
};

static struct kunit_suite entry_suite = {
	.name = "pcslab_entry",
	.test_cases = entry_cases,
};

kunit_test_suites(&entry_suite);

MODULE_DESCRIPTION("Tests of pcslab: calls that interrupt calls");
MODULE_INFO(import_ns, "PCSLAB");
MODULE_LICENSE("GPL");
