// SPDX-License-Identifier: GPL-2.0
/*
 * Does the clock count instructions?
 *
 * A loop of known length is timed in the same way as everything else here. If
 * the result is not that length, the reader of the results refuses all others.
 */
#include <linux/limits.h>
#include <linux/minmax.h>
#include <linux/timex.h>

#include "bench.h"

#define ROUNDS	20

/* Instructions of the loop */
#define LOOP	2000000UL

/* Two instructions an iteration. */
static u64 clock_loop(void)
{
	unsigned long n = LOOP / 2;
	u64 start = get_cycles();

	asm volatile("1:	dec %0\n\t"
		     "jnz 1b"
		     : "+r" (n));
	return get_cycles() - start;
}

/**
 * bench_clock() - time a loop of known length
 */
void bench_clock(void)
{
	u64 least = U64_MAX;
	unsigned int i;

	for (i = 0; i < ROUNDS; i++)
		least = min(least, clock_loop());
	bench_line("clock", LOOP, 1, "loop", least * 10);
}
