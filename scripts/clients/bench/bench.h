/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What pcslab, kmalloc, a kmem_cache and the page allocator cost, in
 * instructions
 *
 * The cycle counter of the machine must count instructions (QEMU with icount).
 * A measurement is a loop. It is repeated several times, the rivals take turns,
 * and the least value counts, because only interrupts can add to it. The same
 * loop without a call is subtracted, and nothing else.
 *
 *   rivals.c	the rivals
 *   clock.c	does the clock count instructions?
 *   report.c	a line of the kernel log for each result
 *   loops.c	the loops of one CPU
 *   single.c	the cases of one CPU
 *   together.c	several CPUs at once
 *   events.c	counts the locks they take and the interrupts they send
 *   many.c	the cases of several CPUs
 *   bulk.c	calls for many objects
 *   patterns.c	cases with objects of random sizes
 *   worst.c	the most expensive calls
 *   first.c	what the first objects cost
 *   offline.c	a CPU goes offline with full caches
 *   latency.c	how long interrupts wait
 *   read.c	the price of a read
 *   main.c	the module: which set of cases is measured
 */
#ifndef _PCSLAB_BENCH_H
#define _PCSLAB_BENCH_H

#include <linux/types.h>

/*
 * The rivals. EMPTY is the loop alone; BULK is a kmem_cache's own calls for
 * batches.
 */
enum bench_who {
	BENCH_PCSLAB,
	BENCH_KMALLOC,
	BENCH_CACHE,
	BENCH_BULK,
	BENCH_PAGES,
	BENCH_EMPTY,
	BENCH_NR
};

/**
 * struct bench_least - the least that a loop took, for each rival
 * @of: instructions of a whole loop; U64_MAX if it was not measured
 */
struct bench_least {
	u64 of[BENCH_NR];
};

void bench_least_init(struct bench_least *least);
void bench_least_take(struct bench_least *least, enum bench_who who, u64 value);
void bench_line(const char *what, size_t size, unsigned int cpus, const char *who,
		u64 tenths);
void bench_report(const char *what, size_t size, unsigned int cpus,
		  const struct bench_least *least, unsigned int n);

/*
 * Flags are constants where they are used, as in most real callers. The last
 * three are options of the heap as well.
 */
enum bench_gfp { BENCH_KERNEL, BENCH_ATOMIC, BENCH_ZEROED, BENCH_CHARGED, BENCH_TRACKED,
		 BENCH_UNWOUND, BENCH_NR_GFP };

/**
 * struct bench_load - what a loop allocates
 * @size: bytes
 * @variable: the compiler does not know @size
 * @gfp: flags
 */
struct bench_load {
	size_t size;
	bool variable;
	enum bench_gfp gfp;
};

u64 bench_pairs(enum bench_who who, const struct bench_load *load, unsigned int n);
u64 bench_fill(enum bench_who who, const struct bench_load *load, void **objs,
	       unsigned int n);
u64 bench_drain(enum bench_who who, void **objs, unsigned int n);
bool bench_all_there(void **objs, unsigned int n);
void bench_shuffle(void **objs, unsigned int n);

void bench_clock(void);

/* Sets of cases; each returns 0 or an error. */
int bench_quick(void);
int bench_single(void);
int bench_bulk(void);
int bench_many(void);
int bench_ring(void);
int bench_worst(void);
int bench_first(void);
int bench_first_guarded(void);
int bench_read(void);
int bench_offline(void);
int bench_latency(void);

#endif /* _PCSLAB_BENCH_H */
