// SPDX-License-Identifier: GPL-2.0
/* The module: loading it measures one set of cases, chosen by a parameter */
#include <linux/kernel.h>
#include <linux/module.h>
#include <linux/string.h>

#include "bench.h"

static char *set = "quick";
module_param(set, charp, 0);
MODULE_PARM_DESC(set, "what to measure: guard, quick, single, bulk, many, worst, first, latency, offline or read");

/* What make check measures */
static int bench_guard(void)
{
	return bench_quick() ?: bench_bulk() ?: bench_first_guarded() ?: bench_ring();
}

static const struct {
	const char *name;
	int (*measure)(void);
} sets[] = {
	{ "guard", bench_guard },
	{ "quick", bench_quick },
	{ "single", bench_single },
	{ "bulk", bench_bulk },
	{ "many", bench_many },
	{ "worst", bench_worst },
	{ "first", bench_first },
	{ "latency", bench_latency },
	{ "offline", bench_offline },
	{ "read", bench_read },
};

static int __init bench_init(void)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(sets); i++) {
		if (!strcmp(set, sets[i].name)) {
			bench_clock();
			return sets[i].measure();
		}
	}
	return -EINVAL;
}

static void __exit bench_exit(void)
{
}

module_init(bench_init);
module_exit(bench_exit);

MODULE_DESCRIPTION("Cost of pcslab and of the kernel's allocators in instructions");
MODULE_LICENSE("GPL");
MODULE_INFO(import_ns, "PCSLAB");
