// SPDX-License-Identifier: GPL-2.0
/*
 * A client that frees after grace periods as fast as it can, for tests that
 * consist of commands. Writing the name of an allocator to its parameter "act",
 * pcslab or kmalloc, has each CPU allocate objects and give them to
 * pcslab_free_rcu() or kfree_rcu() for some seconds. This is the load of
 * kfree_rcu_test in kernel/rcu/rcuscale.c; the memory that it takes is measured
 * as there. The results are read from the other parameters.
 */
#include <linux/completion.h>
#include <linux/cpu.h>
#include <linux/delay.h>
#include <linux/err.h>
#include <linux/jiffies.h>
#include <linux/kthread.h>
#include <linux/ktime.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/rcupdate.h>
#include <linux/sched.h>
#include <linux/slab.h>

#include <pcslab/pcslab.h>

#define SAMPLE_MS	5

/* Of 256 bytes, for which both allocators have a class. */
struct drop {
	u8 content[256 - sizeof(struct rcu_head)];
	struct rcu_head rcu;
};

static unsigned int batch = 500;
module_param(batch, uint, 0600);
MODULE_PARM_DESC(batch, "objects of a task before it gives way");

static unsigned int seconds = 4;
module_param(seconds, uint, 0600);
MODULE_PARM_DESC(seconds, "of an act");

static unsigned long frees;
module_param(frees, ulong, 0400);
MODULE_PARM_DESC(frees, "objects of the last act");

static unsigned long fails;
module_param(fails, ulong, 0400);
MODULE_PARM_DESC(fails, "allocations of the last act that failed");

static unsigned int took;
module_param(took, uint, 0400);
MODULE_PARM_DESC(took, "milliseconds of the last act");

static unsigned long footprint;
module_param(footprint, ulong, 0400);
MODULE_PARM_DESC(footprint, "KiB that the last act took from the available memory, at most");

static unsigned long waiting;
module_param(waiting, ulong, 0400);
MODULE_PARM_DESC(waiting, "KiB of the objects that waited, at most; of pcslab");

static struct pcslab_heap *heap;

static void *pcslab_get(void)
{
	return pcslab_alloc(heap, sizeof(struct drop), GFP_KERNEL);
}

static void pcslab_put(struct drop *drop)
{
	pcslab_free_rcu(drop, rcu);
}

static void *kmalloc_get(void)
{
	return kmalloc(sizeof(struct drop), GFP_KERNEL);
}

static void kmalloc_put(struct drop *drop)
{
	kfree_rcu(drop, rcu);
}

/* An allocator, and what it is called for. */
static const struct way {
	const char *name;
	void *(*get)(void);
	void (*put)(struct drop *drop);
} ways[] = {
	{ "pcslab", pcslab_get, pcslab_put },
	{ "kmalloc", kmalloc_get, kmalloc_put },
};

/* A task of an act, on a CPU of its own */
struct tap {
	const struct way *way;
	struct task_struct *task;
	unsigned long end, frees, fails;
	struct completion done;
};

static void pour(struct tap *tap)
{
	struct drop *drop;
	unsigned int i;

	for (i = 0; i < batch; i++) {
		drop = tap->way->get();
		if (!drop) {
			tap->fails++;
			continue;
		}
		WRITE_ONCE(drop->content[0], i);
		tap->way->put(drop);
		tap->frees++;
	}
}

static int tap_thread(void *arg)
{
	struct tap *tap = arg;

	while (time_before(jiffies, tap->end)) {
		pour(tap);
		cond_resched();
	}
	complete(&tap->done);
	while (!kthread_should_stop())
		schedule_timeout_interruptible(1);
	return 0;
}

static void see_waiting(struct pcslab_stats *st)
{
	if (!pcslab_heap_stats(heap, st))
		waiting = max_t(ulong, waiting, st->deferred * sizeof(struct drop) >> 10);
}

/* Looks at the memory until the last task is done. */
static void watch(struct tap *last, struct pcslab_stats *st, long before)
{
	do {
		footprint = max_t(long, footprint,
				  (before - si_mem_available()) << (PAGE_SHIFT - 10));
		see_waiting(st);
	} while (!wait_for_completion_timeout(&last->done, msecs_to_jiffies(SAMPLE_MS)));
}

static int start(struct tap *tap, const struct way *way, unsigned int cpu)
{
	tap->way = way;
	tap->end = jiffies + seconds * HZ;
	init_completion(&tap->done);
	tap->task = kthread_create(tap_thread, tap, "pcslab-tap%u", cpu);
	if (IS_ERR(tap->task))
		return PTR_ERR(tap->task);
	kthread_bind(tap->task, cpu);
	wake_up_process(tap->task);
	return 0;
}

static int flood(const struct way *way)
{
	unsigned int cpu, nr = 0, i;
	struct pcslab_stats *st = kzalloc(sizeof(*st), GFP_KERNEL);
	struct tap *taps = kcalloc(nr_cpu_ids, sizeof(*taps), GFP_KERNEL);
	ktime_t began = ktime_get();
	long before = si_mem_available();
	int err = -ENOMEM;

	frees = 0;
	fails = 0;
	footprint = 0;
	waiting = 0;
	for_each_online_cpu(cpu) {
		err = st && taps ? start(&taps[nr], way, cpu) : -ENOMEM;
		if (err)
			break;
		nr++;
	}
	if (nr)
		watch(&taps[nr - 1], st, before);
	for (i = 0; i < nr; i++) {
		kthread_stop(taps[i].task);
		frees += taps[i].frees;
		fails += taps[i].fails;
	}
	took = ktime_ms_delta(ktime_get(), began);
	pcslab_rcu_barrier(heap);
	rcu_barrier();
	kfree(taps);
	kfree(st);
	return err;
}

static int set_act(const char *value, const struct kernel_param *unused)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(ways); i++) {
		if (sysfs_streq(value, ways[i].name))
			return flood(&ways[i]);
	}
	return -EINVAL;
}

static const struct kernel_param_ops act_ops = { .set = set_act };
module_param_cb(act, &act_ops, NULL, 0200);
MODULE_PARM_DESC(act, "pcslab or kmalloc");

static int __init flood_init(void)
{
	heap = pcslab_heap_create("flood", NULL);
	return PTR_ERR_OR_ZERO(heap);
}

/* Objects may wait; the heap waits for them. */
static void __exit flood_exit(void)
{
	pcslab_heap_destroy(heap);
}

module_init(flood_init);
module_exit(flood_exit);

MODULE_DESCRIPTION("A client of pcslab that frees after grace periods");
MODULE_LICENSE("GPL");
MODULE_INFO(import_ns, "PCSLAB");
