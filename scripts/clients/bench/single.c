// SPDX-License-Identifier: GPL-2.0
/*
 * The cases of one CPU
 *
 * Pairs: each object is freed at once. Batches: BATCH objects, more than
 * magazines hold, are allocated, then all of them are freed.
 */
#include <linux/kernel.h>
#include <linux/limits.h>
#include <linux/prandom.h>
#include <linux/sched.h>

#include "rivals.h"

#define BATCH	10000

/* Any number */
#define SEED	42

enum order { FIFO, LIFO, RANDOM };

/**
 * struct kind - a kind of cases
 * @what: its name
 * @batch: batches, else pairs
 * @variable: the compiler does not know the size
 * @gfp: flags of the allocations
 * @order: order in which a batch is freed
 */
struct kind {
	const char *what;
	bool batch;
	bool variable;
	enum bench_gfp gfp;
	enum order order;
};

static const struct kind pair = { .what = "pair" };
static const struct kind large = { .what = "large" };
static const struct kind atomic = { .what = "atomic", .gfp = BENCH_ATOMIC };
static const struct kind variable = { .what = "variable", .variable = true };
/* A heap of a cgroup; the others charge the root cgroup, which costs less. */
static const struct kind charged = { .what = "charged", .gfp = BENCH_CHARGED };

/* The heap has the call site of each object. */
static const struct kind tracked = { .what = "tracked", .gfp = BENCH_TRACKED };
/* With the callers above it */
static const struct kind unwound = { .what = "tracked-4", .gfp = BENCH_UNWOUND };

static const struct kind zeroed = { .what = "zeroed", .gfp = BENCH_ZEROED };
static const struct kind batch = { .what = "batch", .batch = true };
static const struct kind lifo = { .what = "batch-lifo", .batch = true, .order = LIFO };

static const struct kind scattered = {
	.what = "batch-random", .batch = true, .order = RANDOM
};

static const struct kind batch_variable = {
	.what = "batch-variable", .batch = true, .variable = true
};

static const struct kind batch_atomic = {
	.what = "batch-atomic", .batch = true, .gfp = BENCH_ATOMIC
};

/**
 * struct single_case - a kind with a size
 * @kind: the kind
 * @size: bytes
 */
struct single_case {
	const struct kind *kind;
	size_t size;
};

/* The cases for make check and for a pcslab that does not count */
static const struct single_case quick[] = {
	{ &pair, 64 },
	{ &pair, 8 },
	{ &pair, 256 },
	{ &pair, 1024 },
	{ &pair, 4096 },
	{ &atomic, 64 },
	{ &charged, 64 },
	{ &tracked, 64 },
	{ &unwound, 64 },
	{ &variable, 64 },
	{ &batch, 64 },
};

/* These kinds are measured with all sizes; single cases follow below */
static const struct kind * const kinds[] = {
	&pair, &variable, &atomic, &charged, &tracked, &zeroed, &batch, &lifo, &scattered,
};

static const size_t sizes[] = { 8, 16, 64, 256, 1024, 4096, 8192 };

static const struct single_case more[] = {
	{ &batch_variable, 64 },
	{ &batch_atomic, 64 },
	{ &unwound, 64 },
	{ &large, 16384 },
	{ &large, 65536 },
};

static void *objs[BATCH];

/* Not every rival can do every case. */
static bool takes_part(enum bench_who who, const struct kind *kind, size_t size)
{
	if (who == BENCH_BULK)
		return kind->batch;
	if (who == BENCH_PAGES)
		return size >= PAGE_SIZE;
	return true;
}

static void reverse(void)
{
	unsigned int i;

	for (i = 0; i < BATCH / 2; i++)
		swap(objs[i], objs[BATCH - 1 - i]);
}

/**
 * bench_shuffle() - put objects into a random order, the same in all runs
 * @objs: objects
 * @n: number of objects
 *
 * This is Durstenfeld's shuffle: all orders are equally likely.
 */
void bench_shuffle(void **objs, unsigned int n)
{
	struct rnd_state random;
	unsigned int other;

	prandom_seed_state(&random, SEED);
	for (; n > 1; n--) {
		other = prandom_u32_state(&random) % n;
		swap(objs[n - 1], objs[other]);
	}
}

/**
 * bench_all_there() - has no allocation failed?
 * @objs: objects
 * @n: number of objects
 */
bool bench_all_there(void **objs, unsigned int n)
{
	while (n) {
		if (!objs[--n])
			return false;
	}
	return true;
}

/**
 * struct parts - instructions of the loops
 * @both: a batch, or pairs
 * @fill: the allocations of a batch
 * @drain: its frees
 */
struct parts {
	struct bench_least both;
	struct bench_least fill;
	struct bench_least drain;
};

static int measure_batch(enum bench_who who, const struct kind *kind,
			 const struct bench_load *load, struct parts *parts)
{
	u64 fill, drain;

	fill = bench_fill(who, load, objs, BATCH);
	if (!bench_all_there(objs, BATCH))
		return -ENOMEM;
	if (kind->order == LIFO)
		reverse();
	else if (kind->order == RANDOM)
		bench_shuffle(objs, BATCH);
	drain = bench_drain(who, objs, BATCH);
	bench_least_take(&parts->both, who, fill + drain);
	bench_least_take(&parts->fill, who, fill);
	bench_least_take(&parts->drain, who, drain);
	return 0;
}

static void report_batch(const char *what, size_t size, const struct parts *parts)
{
	char name[32];

	bench_report(what, size, 1, &parts->both, BATCH);
	snprintf(name, sizeof(name), "%s:alloc", what);
	bench_report(name, size, 1, &parts->fill, BATCH);
	snprintf(name, sizeof(name), "%s:free", what);
	bench_report(name, size, 1, &parts->drain, BATCH);
}

/**
 * struct effort - how much is measured
 * @pairs: in a loop
 * @rounds: for a case of pairs
 * @batches: rounds for a case of batches
 */
struct effort {
	unsigned int pairs;
	unsigned int rounds;
	unsigned int batches;
};

static int one_round(const struct kind *kind, const struct bench_load *load,
		     struct parts *parts, unsigned int nr_pairs)
{
	enum bench_who who;
	int err = 0;

	for (who = 0; who < BENCH_NR && !err; who++) {
		if (!takes_part(who, kind, load->size))
			continue;
		if (kind->batch)
			err = measure_batch(who, kind, load, parts);
		else
			bench_least_take(&parts->both, who, bench_pairs(who, load, nr_pairs));
		cond_resched();
	}
	return err;
}

static int measure(const struct kind *kind, size_t size, const struct effort *effort)
{
	struct bench_load load = {
		.size = size, .variable = kind->variable, .gfp = kind->gfp
	};
	unsigned int rounds = kind->batch ? effort->batches : effort->rounds;
	struct parts parts;
	int err;

	bench_least_init(&parts.both);
	bench_least_init(&parts.fill);
	bench_least_init(&parts.drain);
	err = bench_open(size, kind->gfp);
	while (!err && rounds--)
		err = one_round(kind, &load, &parts, effort->pairs);
	bench_close();
	if (err)
		return err;
	if (kind->batch)
		report_batch(kind->what, size, &parts);
	else
		bench_report(kind->what, size, 1, &parts.both, effort->pairs);
	return 0;
}

static int measure_cases(const struct single_case *cases, unsigned int n,
			 const struct effort *effort)
{
	int err = 0;

	for (; n && !err; n--, cases++)
		err = measure(cases->kind, cases->size, effort);
	return err;
}

int bench_quick(void)
{
	static const struct effort effort = { .pairs = 10000, .rounds = 20, .batches = 20 };

	return measure_cases(quick, ARRAY_SIZE(quick), &effort);
}

int bench_single(void)
{
	static const struct effort effort = { .pairs = 1000, .rounds = 5, .batches = 6 };
	unsigned int i, j;
	int err;

	for (i = 0; i < ARRAY_SIZE(kinds); i++) {
		for (j = 0; j < ARRAY_SIZE(sizes); j++) {
			err = measure(kinds[i], sizes[j], &effort);
			if (err)
				return err;
		}
	}
	return measure_cases(more, ARRAY_SIZE(more), &effort);
}
