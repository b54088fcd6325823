// SPDX-License-Identifier: GPL-2.0
/*
 * A CPU goes offline with full caches, and with empty ones
 *
 * The cost for pcslab is its callback, which is timed from its entry to its
 * return. It runs on another CPU than the dead one, can be preempted, and
 * drains one magazine at a time.
 */
#include <linux/cpu.h>
#include <linux/err.h>
#include <linux/kernel.h>
#include <linux/kprobes.h>
#include <linux/limits.h>
#include <linux/minmax.h>
#include <linux/timex.h>
#include <linux/workqueue.h>

#include "rivals.h"

/* More than two magazines hold */
#define OBJS	200
#define ROUNDS	5

static void *objs[OBJS];
static u64 entered, took;

static int on_entry(struct kretprobe_instance *instance, struct pt_regs *regs)
{
	entered = get_cycles();
	return 0;
}

static int on_return(struct kretprobe_instance *instance, struct pt_regs *regs)
{
	took = get_cycles() - entered;
	return 0;
}

static struct kretprobe callback = {
	.kp.symbol_name = "pcslab:cpu_dead",
	.entry_handler = on_entry,
	.handler = on_return,
	.maxactive = 1,
};

/* Runs on the CPU that goes offline: fills both magazines in many classes. */
static long fill(void *unused)
{
	size_t size;
	long err = 0;
	int i;

	for (size = 8; size <= PCSLAB_MAX_SIZE; size *= 2) {
		for (i = 0; i < OBJS; i++) {
			objs[i] = pcslab_alloc(bench_heap, size, GFP_KERNEL);
			if (!objs[i])
				err = -ENOMEM;
		}
		while (i)
			pcslab_free(objs[--i]);
	}
	return err;
}

static int go(unsigned int cpu, bool full, u64 *least)
{
	long err;

	bench_heap = pcslab_heap_create("bench", NULL);
	if (IS_ERR(bench_heap))
		return PTR_ERR(bench_heap);
	err = work_on_cpu(cpu, fill, NULL);
	if (!err && !full)
		pcslab_heap_shrink(bench_heap);
	took = 0;
	err = err ?: remove_cpu(cpu) ?: add_cpu(cpu);
	pcslab_heap_destroy(bench_heap);
	if (!err && !took)
		err = -EIO;	/* the probe missed the callback */
	*least = min(*least, took);
	return err;
}

/**
 * bench_offline() - measure the callback of a dead CPU
 *
 * Return: 0 or an error.
 */
int bench_offline(void)
{
	unsigned int cpu = cpumask_last(cpu_online_mask), i;
	u64 full = U64_MAX, empty = U64_MAX;
	int err = register_kretprobe(&callback);

	if (err)
		return err;
	for (i = 0; i < ROUNDS && !err; i++)
		err = go(cpu, true, &full) ?: go(cpu, false, &empty);
	unregister_kretprobe(&callback);
	if (!err) {
		bench_line("offline-full", 0, num_online_cpus(), "pcslab", full * 10);
		bench_line("offline-empty", 0, num_online_cpus(), "pcslab", empty * 10);
	}
	return err;
}
