// SPDX-License-Identifier: GPL-2.0
/*
 * A line of the kernel log for each result
 *
 *   pcslab_bench: WHAT BYTES CPUS WHO TENTHS
 *
 * in tenths of an instruction for each object, unless WHAT is of another kind.
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
 * bench_report() - what an object cost, without the loop
 * @what: name of the case
 * @size: bytes of the objects
 * @cpus: that worked
 * @least: what loops took
 * @n: objects of a loop
 *
 * The loop of bulk calls is another one, of a hundredth of the length: nothing is
 * subtracted there.
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
