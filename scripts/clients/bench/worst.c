// SPDX-License-Identifier: GPL-2.0
/*
 * The most expensive calls
 *
 * Each call is timed, and the most expensive one of a kind counts: nearly
 * always it is the call that had most to do. The least value of several rounds
 * is free of interrupts. Each round has a new heap and a new cache.
 */
#include <linux/err.h>
#include <linux/kernel.h>
#include <linux/limits.h>
#include <linux/minmax.h>
#include <linux/sched.h>
#include <linux/timex.h>

#include "rivals.h"

#define SIZE	64
#define NR	2000
#define ROUNDS	10

/*
 * The calls from the beginning in which a CPU and its depot exchange whole
 * magazines: more objects than two magazines hold, fewer than a depot keeps.
 */
#define EARLY	300

enum kind {
	CREATE,		/* a heap */
	FIRST,		/* object of a class */
	GROW,		/* refill, with a new slab now and then */
	FULL,		/* the magazine is full, the depot has room */
	SHRINK,		/* the depot is full too: slabs go to the kernel */
	REFILL,		/* from the depot */
	NR_KINDS
};

static const char * const names[NR_KINDS] = {
	[CREATE] = "create",
	[FIRST] = "first",
	[GROW] = "dearest-grow",
	[FULL] = "dearest-full",
	[SHRINK] = "dearest-shrink",
	[REFILL] = "dearest-refill",
};

static void *objs[NR];
static struct bench_least least[NR_KINDS];

static __always_inline u64 dearest_take(enum bench_who who, unsigned int from, unsigned int to)
{
	u64 start, most = 0;
	unsigned int i;

	for (i = from; i < to; i++) {
		start = get_cycles();
		objs[i] = bench_take(who, SIZE, GFP_KERNEL);
		most = max_t(u64, most, get_cycles() - start);
	}
	return most;
}

static __always_inline u64 dearest_give(enum bench_who who, unsigned int from, unsigned int to)
{
	u64 start, most = 0;
	unsigned int i;

	for (i = from; i < to; i++) {
		start = get_cycles();
		bench_give(who, objs[i]);
		most = max_t(u64, most, get_cycles() - start);
	}
	return most;
}

static __always_inline void calls(enum bench_who who)
{
	bench_least_take(&least[FIRST], who, dearest_take(who, 0, 1));
	bench_least_take(&least[GROW], who, dearest_take(who, 1, NR));
	bench_least_take(&least[FULL], who, dearest_give(who, 0, EARLY));
	bench_least_take(&least[SHRINK], who, dearest_give(who, EARLY, NR));
	bench_least_take(&least[REFILL], who, dearest_take(who, 0, EARLY));
	dearest_give(who, 0, EARLY);
}

static void calls_of(enum bench_who who)
{
	switch (who) {
	case BENCH_PCSLAB:
		return calls(BENCH_PCSLAB);
	case BENCH_KMALLOC:
		return calls(BENCH_KMALLOC);
	case BENCH_CACHE:
		return calls(BENCH_CACHE);
	default:
		return calls(BENCH_EMPTY);
	}
}

static int create(void)
{
	u64 start = get_cycles();
	int err = 0;

	bench_heap = pcslab_heap_create("bench", NULL);
	bench_least_take(&least[CREATE], BENCH_PCSLAB, get_cycles() - start);
	if (IS_ERR(bench_heap)) {
		bench_heap = NULL;
		err = -ENOMEM;
	}
	bench_cache = bench_new_cache(SIZE);
	return bench_cache ? err : -ENOMEM;
}

/**
 * bench_worst() - measure the most expensive calls
 *
 * Return: 0 or an error.
 */
int bench_worst(void)
{
	unsigned int kind, round, i;
	int err = 0;

	for (kind = 0; kind < NR_KINDS; kind++)
		bench_least_init(&least[kind]);
	for (round = 0; round < ROUNDS && !err; round++) {
		err = create();
		for (i = 0; i < BENCH_NR_RIVALS && !err; i++)
			calls_of(bench_rivals[i]);
		bench_close();
		cond_resched();
	}
	least[CREATE].of[BENCH_EMPTY] = 0;
	for (kind = 0; kind < NR_KINDS && !err; kind++)
		bench_report(names[kind], SIZE, 1, &least[kind], 1);
	return err;
}
