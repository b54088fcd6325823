// SPDX-License-Identifier: GPL-2.0
/*
 * Counts events that involve other CPUs: spinlocks taken, spinlocks waited for,
 * and interrupts sent
 *
 * Probes on the functions of the kernel count them. The depot's lock, SLUB's
 * list lock and the page allocator's locks are all taken through these
 * functions. Events in interrupts are not counted, and neither are those of
 * CPUs that are not watched. QEMU runs the CPUs in turns, so a CPU waits for a
 * lock only if the turn of another ends while that holds it.
 */
#include <linux/errno.h>
#include <linux/kernel.h>
#include <linux/kprobes.h>
#include <linux/percpu.h>
#include <linux/preempt.h>
#include <linux/smp.h>
#include <linux/spinlock.h>

#include "together.h"

struct seen {
	unsigned long nr[BENCH_NR_EVENTS];
};

static DEFINE_PER_CPU(bool, watched);
static DEFINE_PER_CPU(struct seen, seen);

static int happened(struct kprobe *probe, struct pt_regs *regs);

#define PROBE(symbol, what)	{ { .symbol_name = symbol, .pre_handler = happened }, what }

static struct event {
	struct kprobe probe;
	enum bench_event event;
} events[] = {
	PROBE("_raw_spin_lock", BENCH_LOCKS),
	PROBE("_raw_spin_lock_bh", BENCH_LOCKS),
	PROBE("_raw_spin_lock_irq", BENCH_LOCKS),
	PROBE("_raw_spin_lock_irqsave", BENCH_LOCKS),
	PROBE("_raw_spin_trylock", BENCH_LOCKS),
	PROBE("native_queued_spin_lock_slowpath", BENCH_CONTENDED),
	PROBE("native_send_call_func_ipi", BENCH_IPIS),
	PROBE("native_send_call_func_single_ipi", BENCH_IPIS),
};

static struct kprobe *all[ARRAY_SIZE(events)];

static int happened(struct kprobe *probe, struct pt_regs *regs)
{
	struct event *event = container_of(probe, struct event, probe);

	if (this_cpu_read(watched) && !in_hardirq() && !in_serving_softirq())
		this_cpu_inc(seen.nr[event->event]);
	return 0;
}

/**
 * bench_events_watch() - switch counting of this CPU's events on or off
 * @on: on
 */
void bench_events_watch(bool on)
{
	this_cpu_write(watched, on);
}

/**
 * bench_events_start() - begin to count
 *
 * Return: 0 or an error.
 */
int bench_events_start(void)
{
	unsigned int i;

	for_each_possible_cpu(i)
		per_cpu(seen, i) = (struct seen){};
	for (i = 0; i < ARRAY_SIZE(events); i++) {
		/*
		 * An earlier registration leaves values here, which would be
		 * used again.
		 */
		events[i].probe.addr = NULL;
		events[i].probe.flags = 0;
		all[i] = &events[i].probe;
	}
	return register_kprobes(all, ARRAY_SIZE(all));
}

/**
 * bench_events_stop() - stop counting
 * @sums: events since bench_events_start()
 */
void bench_events_stop(u64 sums[BENCH_NR_EVENTS])
{
	unsigned int cpu, i;

	unregister_kprobes(all, ARRAY_SIZE(all));
	for (i = 0; i < BENCH_NR_EVENTS; i++) {
		sums[i] = 0;
		for_each_possible_cpu(cpu)
			sums[i] += per_cpu(seen, cpu).nr[i];
	}
}

static DEFINE_SPINLOCK(check_lock);

static void nothing(void *unused)
{
}

/* Long enough for the other CPU to arrive. */
static void hold_lock(void)
{
	unsigned int turns = 1000;

	spin_lock(&check_lock);
	bench_meet();
	while (turns--)
		cpu_relax();
	spin_unlock(&check_lock);
}

/* CPU 1 waits for CPU 0's lock, and sends it an interrupt. */
static void check_body(enum bench_who who, unsigned int id)
{
	if (!id)
		return hold_lock();
	bench_meet();
	spin_lock(&check_lock);
	spin_unlock(&check_lock);
	smp_call_function_single(0, nothing, NULL, true);
}

/**
 * bench_events_check() - are all kinds of events counted?
 *
 * Return: 0, or -EIO if a known number of events was not counted as such.
 */
int bench_events_check(void)
{
	u64 sums[BENCH_NR_EVENTS];
	int err = bench_events_start();

	if (err)
		return err;
	bench_together(2, check_body, BENCH_EMPTY);
	bench_events_stop(sums);
	if (sums[BENCH_LOCKS] == 2 && sums[BENCH_CONTENDED] == 1 && sums[BENCH_IPIS] == 1)
		return 0;
	pr_err("pcslab_bench: 2 locks, 1 contended, 1 interrupt were counted as %llu, %llu, %llu\n",
	       sums[BENCH_LOCKS], sums[BENCH_CONTENDED], sums[BENCH_IPIS]);
	return -EIO;
}
