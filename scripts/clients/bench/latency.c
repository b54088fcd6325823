// SPDX-License-Identifier: GPL-2.0
/*
 * How long an interrupt waits
 *
 * Objects are allocated and freed in batches while a timer interrupts at
 * random. Compare how late the latest of these interrupts is with the latest in
 * a loop without calls: the difference is the longest stretch with interrupts
 * off that was hit. An interrupt that waited for the tick does not count. Each
 * round has a new heap, because that goes to its slabs more often than a heap
 * that knows what is asked for again. This runs on one CPU: all CPUs share the
 * clock.
 */
#include <linux/hrtimer.h>
#include <linux/jiffies.h>
#include <linux/kernel.h>
#include <linux/ktime.h>
#include <linux/minmax.h>
#include <linux/sched.h>

#include "rivals.h"
#include "test_compat.h"

#define SIZE		64
#define NR		2000	/* of a batch at most */
#define INTERRUPTS	500
#define ROUNDS		10

static void *objs[NR];
static struct hrtimer timer;
static unsigned int left;	/* interrupts to come; they count it down */
static u64 latest;
static unsigned long ticks;	/* at the last one */
static u32 state;

static u32 next_random(void)
{
	state = state * 1664525 + 1013904223;
	return state >> 16;
}

static ktime_t next_interval(void)
{
	return ns_to_ktime(20000 + next_random() % 20000);
}

static enum hrtimer_restart interrupt(struct hrtimer *t)
{
	u64 late = ktime_to_ns(ktime_sub(ktime_get(), hrtimer_get_expires(t)));

	if (!time_after(jiffies, ticks))
		latest = max(latest, late);
	ticks = jiffies;
	WRITE_ONCE(left, left - 1);
	if (!left)
		return HRTIMER_NORESTART;
	hrtimer_forward_now(t, next_interval());
	return HRTIMER_RESTART;
}

static __always_inline void work(enum bench_who who)
{
	unsigned int i, n, step = 0;

	while (READ_ONCE(left)) {
		n = ++step * 337 % NR + 1;
		for (i = 0; i < n; i++)
			WRITE_ONCE(objs[i], bench_take(who, SIZE, GFP_KERNEL));
		for (i = 0; i < n; i++)
			bench_give(who, READ_ONCE(objs[i]));
		cond_resched();
	}
}

static void work_of(enum bench_who who)
{
	switch (who) {
	case BENCH_PCSLAB:
		return work(BENCH_PCSLAB);
	case BENCH_KMALLOC:
		return work(BENCH_KMALLOC);
	case BENCH_CACHE:
		return work(BENCH_CACHE);
	default:
		return work(BENCH_EMPTY);
	}
}

static int round_of(enum bench_who who)
{
	int err = bench_open(SIZE, BENCH_KERNEL);

	if (!err) {
		left = INTERRUPTS;
		hrtimer_start(&timer, next_interval(), HRTIMER_MODE_REL_PINNED_HARD);
		work_of(who);
		hrtimer_cancel(&timer);
	}
	bench_close();
	return err;
}

/**
 * bench_latency() - measure how late interrupts come
 *
 * Return: 0 or -ENOMEM.
 */
int bench_latency(void)
{
	struct bench_least most;
	unsigned int round, i;
	int err = 0;

	compat_hrtimer_setup(&timer, interrupt, CLOCK_MONOTONIC,
			     HRTIMER_MODE_REL_PINNED_HARD);
	bench_least_init(&most);
	for (i = 0; i < BENCH_NR_RIVALS && !err; i++) {
		latest = 0;
		for (round = 0; round < ROUNDS && !err; round++)
			err = round_of(bench_rivals[i]);
		bench_least_take(&most, bench_rivals[i], latest);
	}
	if (!err)
		bench_report("latency", SIZE, 1, &most, 1);
	return err;
}
