// SPDX-License-Identifier: GPL-2.0
/*
 * A module that is not attached: it frees objects of the one that is, gets
 * their addresses, and says what a pair of kmalloc() and kfree() costs it
 *
 * Writing anything to the parameter measure puts a line into the log, the
 * cost of pairs and of batches, in tenths of instructions on a machine whose
 * cycle counter counts these.
 */
#include <linux/limits.h>
#include <linux/math64.h>
#include <linux/minmax.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/timex.h>
#include <trace/events/kmem.h>

#include "bystander.h"

#define PAIRS		1000	/* of one address */
#define ADDRESSES	128
#define BATCH		10000
#define ROUNDS		5

void bystander_free(void *obj)
{
	kfree(obj);
}
EXPORT_SYMBOL(bystander_free);

void *bystander_kvmalloc(void)
{
	void *obj = kvmalloc(5000, GFP_KERNEL);

	barrier();	/* no tail call: the call site must be here */
	return obj;
}
EXPORT_SYMBOL(bystander_kvmalloc);

/*
 * Stands for an object that was freed in a way that no probe sees, and then
 * allocated here. What works for that differs from kernel to kernel; this is
 * the event that all of them would end in.
 */
void bystander_gets(const void *obj)
{
	trace_kmalloc(_THIS_IP_, obj, 64, 64, GFP_KERNEL, NUMA_NO_NODE);
}
EXPORT_SYMBOL(bystander_gets);

static noinline u64 empty_loop(void)
{
	u64 start = get_cycles();
	unsigned int n;
	void *obj = NULL;

	for (n = PAIRS; n; n--)
		barrier_data(obj);
	return get_cycles() - start;
}

static noinline u64 pairs(void)
{
	u64 start = get_cycles();
	unsigned int n;
	void *obj;

	for (n = PAIRS; n; n--) {
		obj = kmalloc(64, GFP_KERNEL);
		barrier_data(obj);
		kfree(obj);
	}
	return get_cycles() - start;
}

/* At many addresses; the loops are not subtracted. */
static noinline u64 batch(void)
{
	static void *objs[BATCH];
	u64 start = get_cycles();
	unsigned int n;

	for (n = 0; n < BATCH; n++)
		WRITE_ONCE(objs[n], kmalloc(64, GFP_KERNEL));
	for (n = 0; n < BATCH; n++)
		kfree(READ_ONCE(objs[n]));
	return get_cycles() - start;
}

static u64 least(u64 (*fn)(void))
{
	u64 min = U64_MAX;
	unsigned int i;

	for (i = 0; i < ROUNDS; i++) {
		min = min_t(u64, min, fn());
		cond_resched();
	}
	return min;
}

/*
 * A pair has the same address again and again. An address costs more if one of
 * the attached module's is in the same bucket, so there must be many of both.
 */
static u64 pairs_of_addresses(void)
{
	static void *held[ADDRESSES];
	unsigned int i;
	u64 sum = 0;

	for (i = 0; i < ADDRESSES; i++) {
		sum += least(pairs) - least(empty_loop);
		held[i] = kmalloc(64, GFP_KERNEL);
	}
	for (i = 0; i < ADDRESSES; i++)
		kfree(held[i]);
	return sum;
}

static int measure(const char *value, const struct kernel_param *kp)
{
	pr_info("bystander: %llu %llu\n", div_u64(pairs_of_addresses() * 10, PAIRS * ADDRESSES),
		div_u64(least(batch) * 10, BATCH));
	return 0;
}

static const struct kernel_param_ops measure_ops = { .set = measure };
module_param_cb(measure, &measure_ops, NULL, 0200);
MODULE_PARM_DESC(measure, "log what a pair of kmalloc() and kfree() costs");

MODULE_DESCRIPTION("A module beside an attached one");
MODULE_LICENSE("GPL");
