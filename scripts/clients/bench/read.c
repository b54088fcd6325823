// SPDX-License-Identifier: GPL-2.0
/*
 * The price of a read
 *
 * A sum and an exact read of one heap, with no other heap and with many. Both
 * use the API, as the files in debugfs do. An exact read waits for a grace
 * period of RCU, which is also timed alone. The guest uses expedited ones: if
 * CPUs were idle until the end of one, they would count as busy, because the
 * clock runs on.
 */
#include <linux/cpumask.h>
#include <linux/err.h>
#include <linux/kernel.h>
#include <linux/limits.h>
#include <linux/minmax.h>
#include <linux/rcupdate.h>
#include <linux/sched.h>
#include <linux/timex.h>
#include <linux/vmalloc.h>

#include "rivals.h"

#define MANY	1000
#define ROUNDS	10

static struct pcslab_heap *heaps[MANY];
static struct pcslab_stats *stats;

/* Uses some classes, as heaps do. */
static int use(struct pcslab_heap *heap)
{
	static const size_t sizes[] = { 32, 64, 256, 1024 };
	unsigned int i;
	void *obj;

	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		obj = pcslab_alloc(heap, sizes[i], GFP_KERNEL);
		if (!obj)
			return -ENOMEM;
		pcslab_free(obj);
	}
	return 0;
}

static int create(unsigned int from, unsigned int to)
{
	char name[16];
	int err = 0;

	for (; from < to && !err; from++) {
		snprintf(name, sizeof(name), "read-%u", from);
		heaps[from] = pcslab_heap_create(name, NULL);
		if (IS_ERR(heaps[from])) {
			err = PTR_ERR(heaps[from]);
			heaps[from] = NULL;
		} else {
			err = use(heaps[from]);
		}
		cond_resched();
	}
	return err;
}

static void read_stats(void)
{
	pcslab_heap_stats(heaps[0], stats);
}

static void read_exact(void)
{
	pcslab_heap_stats_exact(heaps[0], stats);
}

static void wait_only(void)
{
	synchronize_rcu();
}

static const struct {
	const char *what;
	void (*read)(void);
} reads[] = {
	{ "read-stats", read_stats },
	{ "read-exact", read_exact },
	{ "read-grace", wait_only },
};

static u64 timed(void (*read)(void))
{
	u64 start = get_cycles();

	read();
	return get_cycles() - start;
}

static void measure(unsigned int nr_heaps)
{
	unsigned int i, round;
	u64 least;

	for (i = 0; i < ARRAY_SIZE(reads); i++) {
		least = U64_MAX;
		for (round = 0; round < ROUNDS; round++)
			least = min(least, timed(reads[i].read));
		bench_line(reads[i].what, nr_heaps, num_online_cpus(), "pcslab", least * 10);
	}
}

/**
 * bench_read() - measure reads
 *
 * Return: 0 or an error.
 */
int bench_read(void)
{
	unsigned int i;
	int err;

	stats = vmalloc(sizeof(*stats));
	if (!stats)
		return -ENOMEM;
	err = create(0, 1);
	if (!err) {
		measure(1);
		err = create(1, MANY);
	}
	if (!err)
		measure(MANY);
	for (i = 0; i < MANY; i++)
		pcslab_heap_destroy(heaps[i]);
	vfree(stats);
	return err;
}
