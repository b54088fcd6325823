// SPDX-License-Identifier: GPL-2.0
/*
 * A line of the kernel log for each result
 *
 *   pcslab_bench: WHAT BYTES CPUS WHO TENTHS
 *
 * The unit is a tenth of an instruction for each object, unless WHAT says
 * otherwise.
 */
#include <linux/limits.h>
#include <linux/math64.h>
#include <linux/minmax.h>
#include <linux/printk.h>

#include "bench.h"

static const char * const names[BENCH_NR] = {
	[BENCH_PCSLAB] = "pcslab",
	[BENCH_KMALLOC] = "kmalloc",
	[BENCH_CACHE] = "kmem_cache",
	[BENCH_BULK] = "bulk",
	[BENCH_PAGES] = "pages",
};

void bench_least_init(struct bench_least *least)
{
	unsigned int i;

	for (i = 0; i < BENCH_NR; i++)
		least->of[i] = U64_MAX;
}

void bench_least_take(struct bench_least *least, enum bench_who who, u64 value)
{
	least->of[who] = min(least->of[who], value);
}

void bench_line(const char *what, size_t size, unsigned int cpus, const char *who,
		u64 tenths)
{
	pr_info("pcslab_bench: %s %zu %u %s %llu\n", what, size, cpus, who, tenths);
}

/**
 * bench_report() - report what an object cost, without the loop
 * @what: name of the case
 * @size: bytes of the objects
 * @cpus: number of CPUs that worked
 * @least: what the loops took
 * @n: objects of a loop
 *
 * Bulk calls use another loop, which is a hundredth as long: nothing is
 * subtracted from those.
 */
void bench_report(const char *what, size_t size, unsigned int cpus,
		  const struct bench_least *least, unsigned int n)
{
	u64 empty = least->of[BENCH_EMPTY], all;
	unsigned int i;

	for (i = 0; i < BENCH_EMPTY; i++) {
		all = least->of[i];
		if (all == U64_MAX)
			continue;
		if (i != BENCH_BULK)
			all -= min(all, empty);
		bench_line(what, size, cpus, names[i], div_u64(all * 10, n));
	}
}
