/* SPDX-License-Identifier: GPL-2.0 */
/* Shared by the cases of several CPUs */
#ifndef _PCSLAB_BENCH_TOGETHER_H
#define _PCSLAB_BENCH_TOGETHER_H

#include <linux/processor.h>

#include "rivals.h"

#define BENCH_MAX_CPUS	8

/* Bytes of an object, where all have the same size: a constant */
#define BENCH_SIZE	64

int bench_together_init(unsigned int cpus);
void bench_together_exit(void);

/* Work of one CPU; @id is its number. */
typedef void (*bench_body)(enum bench_who who, unsigned int id);

u64 bench_together(unsigned int cpus, bench_body body, enum bench_who who);
void bench_meet(void);
void bench_clock_of(unsigned int cpus);

/* events.c: counts events that involve other CPUs */
enum bench_event { BENCH_LOCKS, BENCH_CONTENDED, BENCH_IPIS, BENCH_NR_EVENTS };

int bench_events_start(void);
void bench_events_stop(u64 sums[BENCH_NR_EVENTS]);
void bench_events_watch(bool on);
int bench_events_check(void);

/* Allocates an object, and puts it into a slot once the slot is empty. */
static __always_inline void bench_put(enum bench_who who, void **slot, size_t size)
{
	void *obj = bench_take(who, size, GFP_KERNEL);

	while (READ_ONCE(*slot))
		cpu_relax();
	/* Pairs with bench_get() */
	smp_store_release(slot, obj);
}

/*
 * Frees the object that arrives in a slot. If its allocation failed, it never
 * arrives, and the guest's time limit ends the run.
 */
static __always_inline void bench_get(enum bench_who who, void **slot)
{
	void *obj;

	/* Pairs with bench_put() */
	while (!(obj = smp_load_acquire(slot)))
		cpu_relax();
	WRITE_ONCE(*slot, NULL);
	bench_give(who, obj);
}

/* Calls an inline loop with the rival as a constant. */
static __always_inline void
bench_constant_who(enum bench_who who, unsigned int id,
		   void (*loop)(enum bench_who who, unsigned int id))
{
	switch (who) {
	case BENCH_PCSLAB:
		return loop(BENCH_PCSLAB, id);
	case BENCH_KMALLOC:
		return loop(BENCH_KMALLOC, id);
	case BENCH_CACHE:
		return loop(BENCH_CACHE, id);
	default:
		return loop(BENCH_EMPTY, id);
	}
}

#endif /* _PCSLAB_BENCH_TOGETHER_H */
