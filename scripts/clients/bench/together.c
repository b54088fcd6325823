// SPDX-License-Identifier: GPL-2.0
/*
 * Several CPUs at once
 *
 * Each CPU has a work item. They wait for each other before they begin and when
 * they are done. The last one to arrive takes the time, so nothing else runs in
 * between. The CPUs share one clock, which counts the instructions of all of
 * them. When a CPU executes a pause, QEMU lets the next one run: this makes
 * waiting cheap, and a body can choose where to interleave.
 */
#include <linux/atomic.h>
#include <linux/cpumask.h>
#include <linux/limits.h>
#include <linux/minmax.h>
#include <linux/processor.h>
#include <linux/timex.h>
#include <linux/workqueue.h>

#include "test_compat.h"
#include "together.h"

#define ROUNDS	10

/* Instructions of each CPU's loop when the clock is checked */
#define LOOP	100000UL

static struct worker {
	struct work_struct work;
	unsigned int id;
} workers[BENCH_MAX_CPUS];

static struct workqueue_struct *queue;
static bench_body body;
static enum bench_who rival;
static unsigned int nr_cpus;

static struct gate {
	atomic_t arrived;
	u64 opened;
} begin, end;

static atomic_t met;		/* CPUs that wait in bench_meet() */
static unsigned int meeting;

/* Waits until all CPUs have arrived. */
static void pass(struct gate *gate)
{
	if (atomic_inc_return(&gate->arrived) == nr_cpus)
		WRITE_ONCE(gate->opened, get_cycles());
	while (!READ_ONCE(gate->opened))
		cpu_relax();
}

/**
 * bench_meet() - wait until the bodies of all CPUs have called this
 */
void bench_meet(void)
{
	unsigned int now = READ_ONCE(meeting);

	if (atomic_inc_return(&met) == nr_cpus) {
		atomic_set(&met, 0);
		/* Pairs with the others' wait */
		smp_store_release(&meeting, now + 1);
		return;
	}
	while (smp_load_acquire(&meeting) == now)	/* as above */
		cpu_relax();
}

static void work(struct work_struct *work)
{
	unsigned int id = container_of(work, struct worker, work)->id;

	pass(&begin);
	bench_events_watch(true);
	body(rival, id);
	bench_events_watch(false);
	pass(&end);
}

/**
 * bench_together() - run a function on several CPUs at once
 * @cpus: number of CPUs, from CPU 0 on
 * @fn: the function
 * @who: its argument
 *
 * Return: instructions of all CPUs, from the first one's begin to the last
 * one's end.
 */
u64 bench_together(unsigned int cpus, bench_body fn, enum bench_who who)
{
	unsigned int i;

	begin = (struct gate){};
	end = (struct gate){};
	body = fn;
	rival = who;
	nr_cpus = cpus;
	for (i = 0; i < cpus; i++) {
		workers[i].id = i;
		INIT_WORK(&workers[i].work, work);
		queue_work_on(i, queue, &workers[i].work);
	}
	for (i = 0; i < cpus; i++)
		flush_work(&workers[i].work);
	return end.opened - begin.opened;
}

/* Two instructions an iteration. */
static void clock_loop(enum bench_who who, unsigned int id)
{
	unsigned long n = LOOP / 2;

	asm volatile("1:	dec %0\n\t"
		     "jnz 1b"
		     : "+r" (n));
}

/**
 * bench_clock_of() - time loops of known length on several CPUs
 * @cpus: how many
 */
void bench_clock_of(unsigned int cpus)
{
	u64 least = U64_MAX;
	unsigned int i;

	for (i = 0; i < ROUNDS; i++)
		least = min(least, bench_together(cpus, clock_loop, BENCH_EMPTY));
	bench_line("clock", LOOP * cpus, cpus, "loop", least * 10);
}

/**
 * bench_together_init() - prepare for bench_together()
 * @cpus: number of CPUs needed
 *
 * Return: 0, -ENODEV if too few CPUs are online, or -ENOMEM.
 */
int bench_together_init(unsigned int cpus)
{
	if (num_online_cpus() < cpus)
		return -ENODEV;
	queue = alloc_workqueue("pcslab_bench", WQ_CPU_INTENSIVE | COMPAT_WQ_PERCPU, 0);
	return queue ? 0 : -ENOMEM;
}

void bench_together_exit(void)
{
	destroy_workqueue(queue);
}
