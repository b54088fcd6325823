// SPDX-License-Identifier: GPL-2.0
/*
 * The cases of several CPUs
 *
 * busy	each CPU allocates and frees for itself; after each call it is the next
 *	CPU's turn
 * ring	CPU 0 allocates, CPU 1 frees
 * circle	each CPU frees what the next one allocated
 *
 * A CPU that waits for another executes pauses, which QEMU makes cheap, and the
 * same loop without calls waits as long.
 */
#include <linux/kernel.h>
#include <linux/sched.h>

#include "patterns.h"

/* Few enough that a round mostly ends before the next tick of the timers */
#define BUSY_PAIRS	500
#define BUSY_BATCH	400
#define RINGED		5120

/* The most objects between two CPUs; RINGED is a multiple */
#define RING		256

#define ROUNDS		15

static void *rings[BENCH_MAX_CPUS][RING];
static void *batches[BENCH_MAX_CPUS][BUSY_BATCH];
static unsigned int circle_cpus;

static __always_inline void busy_pairs(enum bench_who who, unsigned int id)
{
	unsigned int n;
	void *obj;

	for (n = BUSY_PAIRS; n; n--) {
		obj = bench_take(who, BENCH_SIZE, GFP_KERNEL);
		OPTIMIZER_HIDE_VAR(obj);
		cpu_relax();
		bench_give(who, obj);
		cpu_relax();
	}
}

static __always_inline void busy_batch(enum bench_who who, unsigned int id)
{
	void **objs = batches[id];
	unsigned int i;

	for (i = 0; i < BUSY_BATCH; i++) {
		WRITE_ONCE(objs[i], bench_take(who, BENCH_SIZE, GFP_KERNEL));
		cpu_relax();
	}
	for (i = 0; i < BUSY_BATCH; i++) {
		bench_give(who, READ_ONCE(objs[i]));
		cpu_relax();
	}
}

static __always_inline void ring(enum bench_who who, unsigned int id)
{
	void **slots = rings[0];
	unsigned int i;

	for (i = 0; i < RINGED; i++) {
		if (id)
			bench_get(who, &slots[i % RING]);
		else
			bench_put(who, &slots[i % RING], BENCH_SIZE);
	}
}

static __always_inline void circle(enum bench_who who, unsigned int id)
{
	void **to = rings[id], **from = rings[(id + 1) % circle_cpus];
	unsigned int i;

	for (i = 0; i < RINGED / 4; i++) {
		bench_put(who, &to[i % RING], BENCH_SIZE);
		cpu_relax();
		bench_get(who, &from[i % RING]);
	}
}

static void busy_pairs_body(enum bench_who who, unsigned int id)
{
	bench_constant_who(who, id, busy_pairs);
}

static void busy_batch_body(enum bench_who who, unsigned int id)
{
	bench_constant_who(who, id, busy_batch);
}

static void ring_body(enum bench_who who, unsigned int id)
{
	bench_constant_who(who, id, ring);
}

static void circle_body(enum bench_who who, unsigned int id)
{
	bench_constant_who(who, id, circle);
}

static const struct many_case {
	const char *what;
	bench_body body;
	unsigned int cpus;
	unsigned int objects;		/* of all CPUs together */
	bool any_size;			/* up to 1 KiB; not for a kmem_cache */
} cases[] = {
	{ "busy", busy_pairs_body, 1, BUSY_PAIRS },
	{ "busy", busy_pairs_body, 2, BUSY_PAIRS * 2 },
	{ "busy", busy_pairs_body, 4, BUSY_PAIRS * 4 },
	{ "busy", busy_pairs_body, 8, BUSY_PAIRS * 8 },
	{ "busy-batch", busy_batch_body, 1, BUSY_BATCH },
	{ "busy-batch", busy_batch_body, 2, BUSY_BATCH * 2 },
	{ "busy-batch", busy_batch_body, 4, BUSY_BATCH * 4 },
	{ "busy-batch", busy_batch_body, 8, BUSY_BATCH * 8 },
	{ "ring", ring_body, 2, RINGED },
	{ "circle", circle_body, 2, RINGED / 4 * 2 },
	{ "circle", circle_body, 4, RINGED / 4 * 4 },
	{ "larson", bench_larson, LARSON_CPUS,
	  LARSON_CPUS * (LARSON_OBJS + LARSON_TURNS * LARSON_REPLACED), true },
	{ "mstress", bench_mstress, MSTRESS_CPUS,
	  MSTRESS_CPUS * (MSTRESS_OBJS + MSTRESS_SHARED + MSTRESS_REPLACED), true },
	{ "xmalloc", bench_xmalloc, XMALLOC_CPUS, XMALLOC_CPUS / 2 * XMALLOC_OBJS, true },
};

static bool takes_part(const struct many_case *c, enum bench_who who)
{
	if (who == BENCH_BULK || who == BENCH_PAGES)
		return false;
	return who != BENCH_CACHE || !c->any_size;
}

static void time_case(const struct many_case *c)
{
	struct bench_least least;
	enum bench_who who;
	unsigned int round;

	bench_least_init(&least);
	for (round = 0; round < ROUNDS; round++) {
		for (who = 0; who < BENCH_NR; who++) {
			if (takes_part(c, who))
				bench_least_take(&least, who,
						 bench_together(c->cpus, c->body, who));
		}
		cond_resched();
	}
	bench_report(c->what, c->any_size ? 0 : BENCH_SIZE, c->cpus, &least, c->objects);
}

static void report_events(const struct many_case *c, const struct bench_least *events)
{
	static const char * const parts[] = {
		[BENCH_LOCKS] = "locks", [BENCH_CONTENDED] = "contended", [BENCH_IPIS] = "ipis",
	};
	unsigned int i;
	char name[32];

	for (i = 0; i < BENCH_NR_EVENTS; i++) {
		snprintf(name, sizeof(name), "%s:%s", c->what, parts[i]);
		bench_report(name, c->any_size ? 0 : BENCH_SIZE, c->cpus, &events[i],
			     c->objects);
	}
}

/* Uses a round that is not timed. */
static int count_events(const struct many_case *c)
{
	struct bench_least events[BENCH_NR_EVENTS];
	u64 sums[BENCH_NR_EVENTS];
	enum bench_who who;
	unsigned int i;
	int err;

	for (i = 0; i < BENCH_NR_EVENTS; i++)
		bench_least_init(&events[i]);
	for (who = 0; who < BENCH_NR; who++) {
		if (!takes_part(c, who))
			continue;
		err = bench_events_start();
		if (err)
			return err;
		bench_together(c->cpus, c->body, who);
		bench_events_stop(sums);
		for (i = 0; i < BENCH_NR_EVENTS; i++)
			bench_least_take(&events[i], who, sums[i] * 1000);
	}
	report_events(c, events);
	return 0;
}

static int measure(const struct many_case *c)
{
	int err = bench_open(BENCH_SIZE, BENCH_KERNEL);

	circle_cpus = c->cpus;
	if (!err) {
		time_case(c);
		err = count_events(c);
	}
	bench_close();
	return err;
}

/* Measures all cases, or those with one body. */
static int measure_cases(unsigned int cpus, bench_body only)
{
	unsigned int i;
	int err = bench_together_init(cpus);

	if (err)
		return err;
	for (i = 1; i <= cpus; i *= 2)
		bench_clock_of(i);
	err = bench_events_check();
	for (i = 0; i < ARRAY_SIZE(cases) && !err; i++) {
		if (!only || cases[i].body == only)
			err = measure(&cases[i]);
	}
	bench_together_exit();
	return err;
}

/**
 * bench_many() - measure all cases of several CPUs
 *
 * Return: 0 or an error.
 */
int bench_many(void)
{
	return measure_cases(BENCH_MAX_CPUS, NULL);
}

/**
 * bench_ring() - measure the ring, on two CPUs
 *
 * Return: 0 or an error.
 */
int bench_ring(void)
{
	return measure_cases(2, ring_body);
}
