// SPDX-License-Identifier: GPL-2.0
/*
 * The first time: nothing has been learnt, and no slab is there
 *
 * N objects are allocated, then all are freed: by a new heap, a new cache, and kmalloc.
 * All instructions of both are counted, from the first call to the return of the last.
 * Then the same again, which is called later.
 *
 *   first		one CPU, freed in the order of the allocations
 *   first-random	one CPU, freed in random order
 *   first-busy		all of FIRST_CPUS at once, N each, by turns of TURN calls
 *   first-remote	CPU 0 allocates, CPU 1 frees
 *   create-first	a heap or a cache is created, and its first object allocated
 *
 * The caches of kmalloc are the machine's: kmem_cache_shrink() is called before the first
 * time. It gives all empty slabs back, those that the CPUs keep as well; what is free in
 * slabs which others use stays, and is kmalloc's advantage. The page allocator is warm for
 * all: it holds what the one before gave back, and the order of the rivals alternates.
 *
 * What a call puts off is in its time only if it runs before the last call returns.
 */
#include <linux/delay.h>
#include <linux/err.h>
#include <linux/kernel.h>
#include <linux/log2.h>
#include <linux/sched.h>
#include <linux/timex.h>

#include "together.h"

#define FIRST_CPUS	4
#define MOST		10000
#define TURN		10

/* Rounds of create-first */
#define CREATED		4

/* Long enough for heaps to be gone that were destroyed: two grace periods. */
#define GONE_MS		50

static const enum bench_who rivals[] = { BENCH_PCSLAB, BENCH_KMALLOC, BENCH_CACHE };

static const struct kind {
	const char *what;
	unsigned int cpus;
	bool random;
	bool busy;			/* all CPUs, otherwise one at a time */
} kinds[] = {
	{ "", 1 },
	{ "-random", 1, .random = true },
	{ "-busy", FIRST_CPUS, .busy = true },
	{ "-remote", 2 },
};

/* Those of bench_fill(), in bytes; the last ones are large objects. */
static const size_t sizes[] = { 8, 64, 256, 512, 1024, 2048, 4096, 8192, 16384, 65536 };
#define NR_SMALL	8

/**
 * struct series - so many objects of some sizes
 * @from: index of the first size
 * @to: behind that of the last one
 * @nr: objects
 * @rounds: that are measured
 */
static const struct series {
	unsigned int from, to;
	unsigned int nr;
	unsigned int rounds;
} series[] = {
	{ 0, ARRAY_SIZE(sizes), 1, 4 },
	{ 0, ARRAY_SIZE(sizes), 100, 4 },
	{ 0, NR_SMALL, 10000, 2 },
	{ NR_SMALL, ARRAY_SIZE(sizes), 1000, 2 },
};

/* What the CPUs are told. */
static const struct kind *kind;
static struct bench_load load;
static unsigned int nr;
static u64 took;			/* of the one CPU that works */

static void *objs[FIRST_CPUS][MOST];

static void fill_body(enum bench_who who, unsigned int id)
{
	unsigned int i;

	if (!kind->busy) {
		if (!id)
			took = bench_fill(who, &load, objs[0], nr);
		return;
	}
	for (i = 0; i < nr; i += TURN) {
		bench_fill(who, &load, objs[id] + i, min_t(unsigned int, nr - i, TURN));
		cpu_relax();
	}
}

static void drain_body(enum bench_who who, unsigned int id)
{
	unsigned int i;

	if (!kind->busy) {
		if (id == kind->cpus - 1)
			took = bench_drain(who, objs[0], nr);
		return;
	}
	for (i = 0; i < nr; i += TURN) {
		bench_drain(who, objs[id] + i, min_t(unsigned int, nr - i, TURN));
		cpu_relax();
	}
}

static u64 timed(bench_body body, enum bench_who who)
{
	u64 all = bench_together(kind->cpus, body, who);

	return kind->busy ? all : took;
}

static bool all_there(void)
{
	unsigned int cpu;

	for (cpu = 0; cpu < (kind->busy ? kind->cpus : 1); cpu++) {
		if (!bench_all_there(objs[cpu], nr))
			return false;
	}
	return true;
}

enum time { FIRST, LATER, NR_TIMES };

static const char * const times[NR_TIMES] = { [FIRST] = "first", [LATER] = "later" };

/**
 * struct parts - what it took
 * @both: allocations and frees
 * @fill: the allocations
 */
struct parts {
	struct bench_least both;
	struct bench_least fill;
};

static int one_time(enum bench_who who, struct parts *parts)
{
	u64 fill = timed(fill_body, who);

	if (!all_there())
		return -ENOMEM;
	if (kind->random)
		bench_shuffle(objs[0], nr);
	bench_least_take(&parts->fill, who, fill);
	bench_least_take(&parts->both, who, fill + timed(drain_body, who));
	return 0;
}

/* Above that kmalloc asks for pages. */
static void shrink_kmalloc(void)
{
	if (load.size <= KMALLOC_MAX_CACHE_SIZE)
		kmem_cache_shrink(kmalloc_caches[KMALLOC_NORMAL][ilog2(load.size)]);
}

static int both_times(enum bench_who who, struct parts parts[NR_TIMES])
{
	if (who == BENCH_KMALLOC)
		shrink_kmalloc();
	return one_time(who, &parts[FIRST]) ?: one_time(who, &parts[LATER]);
}

static int one_round(bool backwards, struct parts parts[NR_TIMES])
{
	unsigned int i;
	int err = bench_open(load.size);

	for (i = 0; i < ARRAY_SIZE(rivals) && !err; i++)
		err = both_times(rivals[backwards ? ARRAY_SIZE(rivals) - 1 - i : i], parts);
	if (!err)
		err = both_times(BENCH_EMPTY, parts);
	bench_close();
	msleep(GONE_MS);
	return err;
}

static void report(enum time time, const struct parts *parts)
{
	unsigned int n = kind->busy ? nr * kind->cpus : nr;
	char name[32];

	snprintf(name, sizeof(name), "%s%s-%u", times[time], kind->what, nr);
	bench_report(name, load.size, kind->cpus, &parts->both, n);
	if (kind->cpus > 1 || kind->random)
		return;
	snprintf(name, sizeof(name), "%s-%u:alloc", times[time], nr);
	bench_report(name, load.size, kind->cpus, &parts->fill, n);
}

static int measure(unsigned int rounds)
{
	struct parts parts[NR_TIMES];
	unsigned int i;
	int err = 0;

	for (i = 0; i < NR_TIMES; i++) {
		bench_least_init(&parts[i].both);
		bench_least_init(&parts[i].fill);
	}
	for (i = 0; i < rounds && !err; i++)
		err = one_round(i % 2, parts);
	for (i = 0; i < NR_TIMES && !err; i++)
		report(i, &parts[i]);
	return err;
}

static int measure_kind(void)
{
	const struct series *s;
	unsigned int i;
	int err = 0;

	for (s = series; s < series + ARRAY_SIZE(series) && !err; s++) {
		nr = s->nr;
		if (nr == 1 && kind->random)
			continue;
		for (i = s->from; i < s->to && !err; i++) {
			load.size = sizes[i];
			err = measure(s->rounds);
		}
	}
	return err;
}

static u64 timed_heap(void)
{
	u64 start = get_cycles();

	bench_heap = pcslab_heap_create("bench", NULL);
	if (IS_ERR(bench_heap))
		bench_heap = NULL;
	else
		bench_fill(BENCH_PCSLAB, &load, objs[0], 1);
	return get_cycles() - start;
}

static u64 timed_cache(void)
{
	u64 start = get_cycles();

	bench_cache = bench_new_cache(load.size);
	if (bench_cache)
		bench_fill(BENCH_CACHE, &load, objs[0], 1);
	return get_cycles() - start;
}

static int create_once(struct bench_least *least)
{
	int err;

	bench_least_take(least, BENCH_PCSLAB, timed_heap());
	pcslab_free(objs[0][0]);
	bench_least_take(least, BENCH_CACHE, timed_cache());
	err = bench_heap && bench_cache ? 0 : -ENOMEM;
	if (!err)
		kmem_cache_free(bench_cache, objs[0][0]);
	bench_close();
	msleep(GONE_MS);
	return err;
}

static int measure_create(void)
{
	struct bench_least least;
	unsigned int i, round;
	int err = 0;

	for (i = 0; i < NR_SMALL && !err; i++) {
		load.size = sizes[i];
		bench_least_init(&least);
		for (round = 0; round < CREATED && !err; round++)
			err = create_once(&least);
		least.of[BENCH_EMPTY] = 0;
		bench_report("create-first", load.size, 1, &least, 1);
	}
	return err;
}

/**
 * bench_first() - measure the first time, with as many CPUs as are online
 *
 * Return: 0 or an error.
 */
int bench_first(void)
{
	unsigned int cpus = min_t(unsigned int, num_online_cpus(), FIRST_CPUS), i;
	int err = bench_together_init(cpus);

	if (err)
		return err;
	for (i = 1; i <= cpus; i *= 2)
		bench_clock_of(i);
	for (i = 0; i < ARRAY_SIZE(kinds) && !err; i++) {
		kind = &kinds[i];
		if (kind->cpus <= cpus)
			err = measure_kind();
	}
	err = err ?: measure_create();
	bench_together_exit();
	return err;
}
