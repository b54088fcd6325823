// SPDX-License-Identifier: GPL-2.0
/*
 * Patterns known from benchmarks of allocators, with objects of random sizes
 *
 * larson	each CPU replaces random objects of an array, and the arrays go
 *		round, so another CPU allocated most of what it frees
 * mstress	each CPU replaces random objects of its own, most of them small,
 *		and now and then exchanges one with another CPU
 * xmalloc	half of the CPUs allocate, the others free any of these objects
 *
 * All rivals get the same random numbers.
 */
#include <linux/atomic.h>
#include <linux/kernel.h>

#include "patterns.h"

#define RING	256

static void *arrays[BENCH_MAX_CPUS][LARSON_OBJS];
static void *held[MSTRESS_CPUS][MSTRESS_OBJS];
static void *shared[MSTRESS_CPUS * MSTRESS_SHARED];
static void *rings[XMALLOC_CPUS / 2][XMALLOC_CPUS / 2][RING];

/* Constants of Knuth and Lewis; the high bits are the random ones. */
static __always_inline u32 next_random(u32 *state)
{
	*state = *state * 1664525 + 1013904223;
	return *state >> 8;
}

static __always_inline size_t random_size(u32 *state)
{
	return next_random(state) % 1024 + 1;
}

static __always_inline void larson(enum bench_who who, unsigned int id)
{
	u32 turn, i, random = id;
	void **objs = arrays[id], **slot;

	for (i = 0; i < LARSON_OBJS; i++)
		objs[i] = bench_take(who, random_size(&random), GFP_KERNEL);
	for (turn = 1; turn <= LARSON_TURNS; turn++) {
		bench_meet();
		objs = arrays[(id + turn) % LARSON_CPUS];
		for (i = 0; i < LARSON_REPLACED; i++) {
			slot = &objs[next_random(&random) % LARSON_OBJS];
			bench_give(who, READ_ONCE(*slot));
			WRITE_ONCE(*slot, bench_take(who, random_size(&random), GFP_KERNEL));
			cpu_relax();
		}
	}
	for (i = 0; i < LARSON_OBJS; i++)
		bench_give(who, READ_ONCE(objs[i]));
}

/* Most are small. */
static __always_inline size_t skewed_size(u32 *state)
{
	u32 shift = next_random(state) % 16 ? 7 : 13;

	return (next_random(state) & ((1 << shift) - 1)) + 1;
}

static __always_inline void mstress(enum bench_who who, unsigned int id)
{
	void **objs = held[id], **slot;
	u32 i, random = id;

	for (i = 0; i < MSTRESS_OBJS; i++)
		objs[i] = bench_take(who, skewed_size(&random), GFP_KERNEL);
	for (i = 0; i < MSTRESS_SHARED; i++)
		shared[id * MSTRESS_SHARED + i] = bench_take(who, skewed_size(&random),
							     GFP_KERNEL);
	bench_meet();
	for (i = 0; i < MSTRESS_REPLACED; i++) {
		slot = &objs[next_random(&random) % MSTRESS_OBJS];
		bench_give(who, READ_ONCE(*slot));
		WRITE_ONCE(*slot, bench_take(who, skewed_size(&random), GFP_KERNEL));
		if (next_random(&random) % 4 == 0)
			*slot = xchg(&shared[next_random(&random) % ARRAY_SIZE(shared)], *slot);
		cpu_relax();
	}
	bench_meet();
	for (i = 0; i < MSTRESS_OBJS; i++)
		bench_give(who, READ_ONCE(objs[i]));
	for (i = 0; i < MSTRESS_SHARED; i++)
		bench_give(who, READ_ONCE(shared[id * MSTRESS_SHARED + i]));
}

static __always_inline void xmalloc(enum bench_who who, unsigned int id)
{
	const unsigned int half = XMALLOC_CPUS / 2;
	u32 i, at, random = id;

	for (i = 0; i < XMALLOC_OBJS; i++) {
		at = i / half % RING;
		if (id < half)
			bench_put(who, &rings[id][i % half][at], random_size(&random));
		else
			bench_get(who, &rings[i % half][id - half][at]);
	}
}

void bench_larson(enum bench_who who, unsigned int id)
{
	bench_constant_who(who, id, larson);
}

void bench_mstress(enum bench_who who, unsigned int id)
{
	bench_constant_who(who, id, mstress);
}

void bench_xmalloc(enum bench_who who, unsigned int id)
{
	bench_constant_who(who, id, xmalloc);
}
