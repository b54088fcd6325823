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
/* Objects, so that the next address is in another page */
#define APART		67
#define BATCH		10000
#define ROUNDS		5

static void *objs[BATCH];

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
 * The mean of many addresses. A pair has the same one again and again, and
 * costs more if one of the attached module is in the same bucket of the table.
 */
static u64 mean_of_pairs(void)
{
	u64 empty = least(empty_loop), sum = 0;
	unsigned int i, n = 0;

	for (i = 0; i < BATCH; i++) {
		if (i % APART == 0) {
			sum += least(pairs) - empty;
			n++;
		}
		objs[i] = kmalloc(64, GFP_KERNEL);
	}
	for (i = 0; i < BATCH; i++)
		kfree(objs[i]);
	return div_u64(sum * 10, PAIRS * n);
}

static int measure(const char *value, const struct kernel_param *kp)
{
	pr_info("bystander: %llu %llu\n", mean_of_pairs(), div_u64(least(batch) * 10, BATCH));
	return 0;
}

static const struct kernel_param_ops measure_ops = { .set = measure };
module_param_cb(measure, &measure_ops, NULL, 0200);
MODULE_PARM_DESC(measure, "log what a pair of kmalloc() and kfree() costs");

MODULE_DESCRIPTION("A module beside an attached one");
MODULE_LICENSE("GPL");
