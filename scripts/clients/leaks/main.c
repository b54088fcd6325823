// SPDX-License-Identifier: GPL-2.0
/*
 * A client that loses objects on purpose, and holds others in many ways
 *
 * Its heap "loser" has both, and a fixed-size cache. A second heap holds some.
 */
#include <linux/err.h>
#include <linux/module.h>

#include "loser.h"

struct pcslab_heap *loser_heap, *loser_second;
struct pcslab_cache *loser_cache;
unsigned int loser_failed;

static bool lose = true;
module_param(lose, bool, 0400);
MODULE_PARM_DESC(lose, "lose objects");

bool loser_churns = true;
module_param_named(churn, loser_churns, bool, 0400);
MODULE_PARM_DESC(churn, "allocate and free all the time");

static void loser_free_all(void)
{
	loser_let_go();
	loser_dig_up();
	if (!IS_ERR_OR_NULL(loser_cache))
		pcslab_cache_destroy(loser_cache);
	pcslab_heap_destroy(loser_second);
	pcslab_heap_destroy(loser_heap);
}

static int loser_make_heaps(void)
{
	loser_heap = pcslab_heap_create("loser", NULL);
	loser_second = pcslab_heap_create("second", NULL);
	if (IS_ERR(loser_heap) || IS_ERR(loser_second))
		return -ENOMEM;
	loser_cache = pcslab_cache_create(loser_heap, "things", sizeof(struct thing), 0, 0, NULL);
	return PTR_ERR_OR_ZERO(loser_cache);
}

static int __init loser_init(void)
{
	int err;

	err = loser_make_heaps();
	if (!err && lose)
		err = loser_plant();
	if (!err)
		err = loser_hold();
	if (err)
		loser_free_all();
	return err;
}

static void __exit loser_exit(void)
{
	loser_free_all();
}

module_init(loser_init);
module_exit(loser_exit);

MODULE_DESCRIPTION("Loses objects of pcslab on purpose, for tests");
MODULE_LICENSE("GPL");
MODULE_INFO(import_ns, "PCSLAB");
