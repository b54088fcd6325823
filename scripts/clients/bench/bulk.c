// SPDX-License-Identifier: GPL-2.0
/*
 * Many objects in one call
 *
 *   bulk-N		N objects are allocated, then freed
 *   bulk-N:single	the same by single calls of pcslab
 *   outstanding	MOST objects are allocated CALL at a time, then all are freed
 *			in the order of the allocations
 *   scattered		the same, freed in random order
 *
 * pcslab and bulk use their calls for many objects, kmalloc and kmem_cache
 * single calls. The numbers and the size are those of the kernel's network
 * developers, who measure SLUB with them (slab_bulk_test01 and its successors).
 */
#include <linux/errno.h>
#include <linux/kernel.h>
#include <linux/limits.h>
#include <linux/sched.h>
#include <linux/timex.h>

#include "rivals.h"

#define SIZE	256
#define MOST	10000
#define CALL	100

/* Calls in a loop, and loops */
#define CALLS	100
#define ROUNDS	10

static const unsigned int numbers[] = { 1, 2, 3, 4, 8, 16, 30, 32, 48, 64, 128, 158, 250 };

static void *objs[MOST];

static bool alloc_many(enum bench_who who, void **to, unsigned int n)
{
	if (who == BENCH_PCSLAB)
		return pcslab_alloc_bulk(bench_heap, SIZE, GFP_KERNEL, n, to);
	return kmem_cache_alloc_bulk(bench_cache, GFP_KERNEL, n, to);
}

static void free_many(enum bench_who who, void **from, unsigned int n)
{
	if (who == BENCH_PCSLAB)
		pcslab_free_bulk(n, from);
	else
		kmem_cache_free_bulk(bench_cache, n, from);
}

/* Returns U64_MAX if memory is short. */
static u64 by_many(enum bench_who who, unsigned int n)
{
	u64 start = get_cycles();
	unsigned int call;

	for (call = 0; call < CALLS; call++) {
		if (!alloc_many(who, objs, n))
			return U64_MAX;
		free_many(who, objs, n);
	}
	return get_cycles() - start;
}

static __always_inline u64 by_one(enum bench_who who, unsigned int n)
{
	u64 start = get_cycles();
	unsigned int call, i;

	for (call = 0; call < CALLS; call++) {
		for (i = 0; i < n; i++)
			WRITE_ONCE(objs[i], bench_take(who, SIZE, GFP_KERNEL));
		for (i = 0; i < n; i++)
			bench_give(who, READ_ONCE(objs[i]));
	}
	return get_cycles() - start;
}

static void measure_number(unsigned int n)
{
	struct bench_least many, single;
	unsigned int round;
	char name[32];

	bench_least_init(&many);
	bench_least_init(&single);
	for (round = 0; round < ROUNDS; round++) {
		bench_least_take(&many, BENCH_PCSLAB, by_many(BENCH_PCSLAB, n));
		bench_least_take(&many, BENCH_BULK, by_many(BENCH_BULK, n));
		bench_least_take(&many, BENCH_KMALLOC, by_one(BENCH_KMALLOC, n));
		bench_least_take(&many, BENCH_CACHE, by_one(BENCH_CACHE, n));
		bench_least_take(&single, BENCH_PCSLAB, by_one(BENCH_PCSLAB, n));
		cond_resched();
	}
	many.of[BENCH_EMPTY] = 0;
	single.of[BENCH_EMPTY] = 0;
	snprintf(name, sizeof(name), "bulk-%u", n);
	bench_report(name, SIZE, 1, &many, n * CALLS);
	snprintf(name, sizeof(name), "bulk-%u:single", n);
	bench_report(name, SIZE, 1, &single, n * CALLS);
}

/* Takes the time of one round; fails if memory is short. */
static int outstanding(enum bench_who who, bool random, u64 *took)
{
	u64 start = get_cycles();
	unsigned int i;

	for (i = 0; i < MOST; i += CALL) {
		if (!alloc_many(who, objs + i, CALL)) {
			if (i)
				free_many(who, objs, i);
			return -ENOMEM;
		}
	}
	*took = get_cycles() - start;
	if (random)
		bench_shuffle(objs, MOST);
	start = get_cycles();
	for (i = 0; i < MOST; i += CALL)
		free_many(who, objs + i, CALL);
	*took += get_cycles() - start;
	return 0;
}

static int measure_outstanding(const char *what, bool random)
{
	static const enum bench_who rivals[] = { BENCH_PCSLAB, BENCH_BULK };
	struct bench_least least;
	unsigned int round, i;
	u64 took;
	int err;

	bench_least_init(&least);
	for (round = 0; round < ROUNDS; round++) {
		for (i = 0; i < ARRAY_SIZE(rivals); i++) {
			err = outstanding(rivals[i], random, &took);
			if (err)
				return err;
			bench_least_take(&least, rivals[i], took);
			cond_resched();
		}
	}
	least.of[BENCH_EMPTY] = 0;
	bench_report(what, SIZE, 1, &least, MOST);
	return 0;
}

/**
 * bench_bulk() - measure calls for many objects
 *
 * Return: 0 or an error.
 */
int bench_bulk(void)
{
	unsigned int i;
	int err = bench_open(SIZE, BENCH_KERNEL);

	for (i = 0; i < ARRAY_SIZE(numbers) && !err; i++)
		measure_number(numbers[i]);
	if (!err)
		err = measure_outstanding("outstanding", false);
	if (!err)
		err = measure_outstanding("scattered", true);
	bench_close();
	return err;
}
