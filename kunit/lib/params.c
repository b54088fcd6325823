// SPDX-License-Identifier: GPL-2.0
/*
 * How long the tests take
 *
 * The module of the suites cannot have these parameters, because Linux 6.1 runs
 * the suites of a module before it parses the module's parameters.
 */
#include <kunit/test.h>
#include <linux/export.h>
#include <linux/module.h>

#include "params.h"

unsigned long pcslab_test_load_ops = 10000000;
module_param_named(load_ops, pcslab_test_load_ops, ulong, 0444);
MODULE_PARM_DESC(load_ops, "operations of the big load");
EXPORT_SYMBOL_GPL(pcslab_test_load_ops);

unsigned int pcslab_test_load_cycles = 200;
module_param_named(load_cycles, pcslab_test_load_cycles, uint, 0444);
MODULE_PARM_DESC(load_cycles, "offline/online cycles of the big load");
EXPORT_SYMBOL_GPL(pcslab_test_load_cycles);

static unsigned long rounds = 1;
module_param(rounds, ulong, 0444);
MODULE_PARM_DESC(rounds, "how often the big load and the cuts are done");

/* Each round is a parameter of the case, so it has KUnit's full time limit. */
const void *pcslab_test_next_round(COMPAT_PARAM_TEST const void *prev, char *desc)
{
	unsigned long round = (unsigned long)prev + 1;

	if (round > rounds)
		return NULL;
	snprintf(desc, KUNIT_PARAM_DESC_SIZE, "round %lu", round);
	return (void *)round;
}
EXPORT_SYMBOL_GPL(pcslab_test_next_round);

unsigned long pcslab_test_hits = 10000;
module_param_named(hits, pcslab_test_hits, ulong, 0444);
MODULE_PARM_DESC(hits, "calls that an interrupt must hit in the middle");
EXPORT_SYMBOL_GPL(pcslab_test_hits);

unsigned int pcslab_test_seconds = 120;
module_param_named(seconds, pcslab_test_seconds, uint, 0444);
MODULE_PARM_DESC(seconds, "after which so many hits will not come any more");
EXPORT_SYMBOL_GPL(pcslab_test_seconds);

unsigned int pcslab_test_cuts = 1000;
module_param_named(cuts, pcslab_test_cuts, uint, 0444);
MODULE_PARM_DESC(cuts, "exact reads while objects move");
EXPORT_SYMBOL_GPL(pcslab_test_cuts);

unsigned int pcslab_test_sequences = 1000;
module_param_named(sequences, pcslab_test_sequences, uint, 0444);
MODULE_PARM_DESC(sequences, "random sequences of misuses");
EXPORT_SYMBOL_GPL(pcslab_test_sequences);

unsigned long pcslab_test_seed;
module_param_named(seed, pcslab_test_seed, ulong, 0444);
MODULE_PARM_DESC(seed, "of these sequences; 0 is a new one each time");
EXPORT_SYMBOL_GPL(pcslab_test_seed);

MODULE_DESCRIPTION("What pcslab's tests share");
MODULE_LICENSE("GPL");
MODULE_INFO(import_ns, "PCSLAB");
