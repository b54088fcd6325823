// SPDX-License-Identifier: GPL-2.0
/*
 * The first time: nothing has been learnt, and there are no slabs
 *
 * N objects are allocated, then all are freed: with a new heap, with a new
 * cache, and with kmalloc. All instructions are counted, from the first call to
 * the return of the last one. Then the same is done again, which is called
 * later.
 *
 *   first		one CPU, freed in the order of the allocations
 *   first-random	one CPU, freed in random order
 *   first-busy		all FIRST_CPUS at once, N each, in turns of TURN calls
 *   first-remote	CPU 0 allocates, CPU 1 frees
 *   create-first	create a heap or a cache, and allocate its first object
 *   create-merged	the same, if the kernel may merge it with another cache
 *
 * The whole machine uses the caches of kmalloc. So kmem_cache_shrink() is
 * called before the first time with kmalloc. It gives back all empty slabs,
 * including those that the CPUs keep. Free objects in slabs that others use
 * stay there, which is an advantage of kmalloc. The page allocator is warm for
 * every rival: it holds the pages that the previous rival gave back, and the
 * order of the rivals alternates.
 *
 * Work that a call defers is part of its time only if it runs before the last
 * call returns. Work that runs after the first time is measured as first:after:
 * the CPU only reads the clock, and the cycles it misses were used by others.
 */
#include <linux/delay.h>
#include <linux/gfp.h>
#include <linux/err.h>
#include <linux/kernel.h>
#include <linux/log2.h>
#include <linux/sched.h>
#include <linux/timex.h>

#include "together.h"

#define FIRST_CPUS	4
#define MOST		10000
#define TURN		10

/* Rounds of create-first; a tick is in some of them. */
#define CREATED		12

/*
 * Two grace periods, after which slabs and heaps are gone: in milliseconds, and
 * in cycles of the guest's clock.
 */
#define GONE_MS		60
#define GONE_CYCLES	60000000

/* Reading the clock takes less. */
#define LOOK_CYCLES	200

static const struct kind {
	const char *what;
	unsigned int cpus;
	bool random;
	bool busy;			/* all CPUs, else one at a time */
} kinds[] = {
	{ "", 1 },
	{ "-random", 1, .random = true },
	{ "-busy", FIRST_CPUS, .busy = true },
	{ "-remote", 2 },
};

/* In bytes. Sizes above PCSLAB_MAX_SIZE are large objects. */
static const size_t sizes[] = { 8, 64, 256, 512, 1024, 2048, 4096, 8192, 16384, 65536 };
#define SMALL		(2 * PCSLAB_MAX_SIZE - 1)
#define LARGE		(~SMALL)

/**
 * struct series - a number of objects of some sizes
 * @sizes: all sizes, ored; each is a power of two
 * @nr: number of objects
 * @rounds: number of rounds
 * @after: also measure the work after the calls, which takes a while
 */
struct series {
	size_t sizes;
	unsigned int nr;
	unsigned int rounds;
	bool after;
};

static const struct series series[] = {
	{ SMALL | LARGE, 1, 4 },
	{ SMALL | LARGE, 100, 4 },
	{ SMALL, 10000, 2, .after = true },
	{ LARGE, 1000, 2, .after = true },
};

/* The sizes of the first kind that make check measures */
#define GUARDED		(64 | 1024 | 4096)

static const struct series guarded[] = {
	{ GUARDED, 1, 8 },
	{ GUARDED, 100, 24 },
	{ GUARDED, 10000, 6 },
};

/* Arguments of the CPUs */
static const struct kind *kind;
static struct bench_load load;
static unsigned int nr;
static u64 took;			/* time of the one CPU that works */

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
 * struct parts - instructions
 * @both: allocations and frees
 * @fill: the allocations
 * @after: what ran after the frees
 */
struct parts {
	struct bench_least both;
	struct bench_least fill;
	struct bench_least after;
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

/* kmalloc takes pages for larger objects. */
static void shrink_kmalloc(void)
{
	if (load.size <= KMALLOC_MAX_CACHE_SIZE)
		kmem_cache_shrink(kmalloc_caches[KMALLOC_NORMAL][ilog2(load.size)]);
}

/* Waits first: work deferred by the previous rival must not count. */
static int first_time(enum bench_who who, struct parts *parts)
{
	msleep(GONE_MS);
	if (who == BENCH_KMALLOC)
		shrink_kmalloc();
	return one_time(who, parts);
}

static int both_times(enum bench_who who, struct parts parts[NR_TIMES])
{
	return first_time(who, &parts[FIRST]) ?: one_time(who, &parts[LATER]);
}

static int one_round(bool backwards, struct parts parts[NR_TIMES])
{
	unsigned int i;
	int err = bench_open(load.size, BENCH_KERNEL);

	for (i = 0; i < BENCH_NR_RIVALS && !err; i++)
		err = both_times(bench_rivals[backwards ? BENCH_NR_RIVALS - 1 - i : i], parts);
	bench_close();
	return err;
}

/* Measures what others do on all CPUs until the slabs and heaps are gone. */
static u64 aftermath(void)
{
	u64 start = get_cycles(), last = start, now, missed = 0;

	do {
		cond_resched();
		now = get_cycles();
		if (now - last > LOOK_CYCLES)
			missed += now - last;
		last = now;
	} while (now - start < GONE_CYCLES);
	return missed;
}

static int after_round(struct parts *parts)
{
	unsigned int i;
	int err = bench_open(load.size, BENCH_KERNEL);

	for (i = 0; i < BENCH_NR_RIVALS && !err; i++) {
		err = first_time(bench_rivals[i], parts);
		if (!err)
			bench_least_take(&parts->after, bench_rivals[i], aftermath());
	}
	bench_close();
	return err;
}

static void report(enum time time, const char *part, const struct bench_least *least)
{
	unsigned int n = kind->busy ? nr * kind->cpus : nr;
	char name[32];

	snprintf(name, sizeof(name), "%s%s-%u%s", times[time], kind->what, nr, part);
	bench_report(name, load.size, kind->cpus, least, n);
}

static void report_all(const struct parts parts[NR_TIMES])
{
	enum time time;

	for (time = 0; time < NR_TIMES; time++) {
		report(time, "", &parts[time].both);
		if (kind == &kinds[0])
			report(time, ":alloc", &parts[time].fill);
	}
	report(FIRST, ":after", &parts[FIRST].after);
}

static int measure(const struct series *s)
{
	struct parts parts[NR_TIMES];
	unsigned int i;
	int err = 0;

	for (i = 0; i < NR_TIMES; i++) {
		bench_least_init(&parts[i].both);
		bench_least_init(&parts[i].fill);
		bench_least_init(&parts[i].after);
	}
	for (i = 0; i < s->rounds && !err; i++)
		err = one_round(i % 2, parts);
	if (!err && kind == &kinds[0] && s->after)
		err = after_round(&parts[FIRST]);
	if (!err)
		report_all(parts);
	return err;
}

static int measure_series(const struct series *s)
{
	unsigned int i;
	int err = 0;

	nr = s->nr;
	for (i = 0; i < ARRAY_SIZE(sizes) && !err; i++) {
		if (!(s->sizes & sizes[i]))
			continue;
		load.size = sizes[i];
		err = measure(s);
	}
	return err;
}

static int measure_kind(void)
{
	unsigned int i;
	int err = 0;

	for (i = 0; i < ARRAY_SIZE(series) && !err; i++) {
		if (series[i].nr > 1 || !kind->random)
			err = measure_series(&series[i]);
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

static u64 timed_cache(bool merged)
{
	u64 start = get_cycles();

	bench_cache = merged ? kmem_cache_create("pcslab_bench", load.size, 0, 0, NULL) :
			       bench_new_cache(load.size);
	if (bench_cache)
		bench_fill(BENCH_CACHE, &load, objs[0], 1);
	return get_cycles() - start;
}

/*
 * The kernel gets pages for this CPU by the dozen. Whether that happens in a
 * round, and in each, depends on what has happened before.
 */
static void have_free_pages(void)
{
	struct page *page[64];
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(page); i++)
		page[i] = alloc_page(GFP_KERNEL);
	for (i = 0; i < ARRAY_SIZE(page); i++) {
		if (page[i])
			__free_page(page[i]);
	}
}

static int create_once(struct bench_least *least, bool merged)
{
	int err;

	have_free_pages();
	objs[0][0] = NULL;
	bench_least_take(least, BENCH_PCSLAB, timed_heap());
	pcslab_free(objs[0][0]);
	objs[0][0] = NULL;
	bench_least_take(least, BENCH_CACHE, timed_cache(merged));
	err = bench_heap && objs[0][0] ? 0 : -ENOMEM;
	if (objs[0][0])
		kmem_cache_free(bench_cache, objs[0][0]);
	bench_close();
	msleep(GONE_MS);
	return err;
}

static int measure_create(const char *what, size_t size, bool merged)
{
	struct bench_least least;
	unsigned int round;
	int err = 0;

	load.size = size;
	bench_least_init(&least);
	for (round = 0; round < CREATED && !err; round++)
		err = create_once(&least, merged);
	least.of[BENCH_EMPTY] = 0;
	bench_report(what, size, 1, &least, 1);
	return err;
}

/**
 * bench_first() - measure the first time, with all CPUs that are online
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
	for (i = 0; i < ARRAY_SIZE(sizes) && !err; i++) {
		if (sizes[i] & SMALL)
			err = measure_create("create-first", sizes[i], false) ?:
			      measure_create("create-merged", sizes[i], true);
	}
	bench_together_exit();
	return err;
}

/**
 * bench_first_guarded() - measure the part of it that make check uses, on one
 * CPU
 *
 * Return: 0 or an error.
 */
int bench_first_guarded(void)
{
	unsigned int i;
	int err = bench_together_init(1);

	if (err)
		return err;
	kind = &kinds[0];
	for (i = 0; i < ARRAY_SIZE(guarded) && !err; i++)
		err = measure_series(&guarded[i]);
	err = err ?: measure_create("create-first", 64, false);
	bench_together_exit();
	return err;
}
