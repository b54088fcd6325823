// SPDX-License-Identifier: GPL-2.0
/*
 * Reclaim: what is free goes back to the page allocator
 *
 * All of a heap at once, when its owner asks (pcslab_heap_shrink()) or destroys
 * it; what no one used since the last look, every pcslab.idle seconds; and what
 * is in the depots, when the kernel is short of memory. The last is the
 * shrinker, which may be called from any allocation, whatever locks it was made
 * under, so it takes none but those of the depots and finds heaps under RCU. It
 * does not wait for anything either: it has the look come sooner, for the
 * caches.
 *
 * A cache is emptied while its CPU is kept off it (slots.c). One is idle if its
 * CPU counted nothing in it from one look to the next, a depot if as much is
 * free in it as at the last look. (SLAB had such a look at its arrays; ZFS on
 * Linux kept idle magazines for ever.)
 *
 * Locks: CPU hotplug lock > pcslab_heaps_lock.
 * Context: process, may sleep; the shrinker as its caller.
 */
#include <linux/cpu.h>
#include <linux/jiffies.h>
#include <linux/moduleparam.h>
#include <linux/rculist.h>
#include <linux/shrinker.h>
#include <linux/swap.h>
#include <linux/workqueue.h>

#include "compat.h"
#include "internal.h"

/* Far from where a number of jiffies overflows. */
#define IDLE_MAX	86400

static unsigned int idle = 10;

/*
 * The kernel's own line for what is refused does not tell what would have been
 * right.
 */
static int set_idle(const char *val, const struct kernel_param *kp)
{
	if (!param_set_uint_minmax(val, kp, 0, IDLE_MAX))
		return 0;
	pr_err("idle is 0 (never) or 1 to %u seconds, not %s\n", IDLE_MAX, val);
	return -EINVAL;
}

static const struct kernel_param_ops idle_ops = {
	.set = set_idle,
	.get = param_get_uint,
};

module_param_cb(idle, &idle_ops, &idle, 0444);
__MODULE_PARM_TYPE(idle, "uint");
MODULE_PARM_DESC(idle, "seconds between looks at what is idle and goes back to the kernel, 1 to 86400; 0: never, but under memory pressure");

static struct shrinker *shrinker;
/*
 * Jiffies when nothing was found in the depots, and when a look at the caches
 * was asked for. Ages are compared, not times: on 32-bit kernels a time of long
 * ago is one to come.
 */
static unsigned long depots_quiet, caches_quiet;

static void look(struct work_struct *work);
static DECLARE_DEFERRABLE_WORK(look_work, look);

/*
 * Of calls that held the guard: all the calls that used a magazine; modulo
 * 2^32.
 */
static unsigned int nr_calls(const struct pcslab_cache *c)
{
	return READ_ONCE(c->count.allocs[0]) + READ_ONCE(c->count.allocs[1]) +
	       READ_ONCE(c->count.frees[0]) + READ_ONCE(c->count.frees[1]);
}

/* Of a cache on the wrong node the magazines must go before it can move. */
static bool is_idle(const struct pcslab_cache *c, unsigned int cpu)
{
	return READ_ONCE(c->node) != pcslab_home_of(cpu) ||
	       (READ_ONCE(c->loaded) && nr_calls(c) == READ_ONCE(c->seen));
}

static void drain(struct pcslab_class *class, struct pcslab_cache *c, void *pages)
{
	*(unsigned long *)pages += pcslab_cache_drain(class, c);
}

typedef unsigned long (*depot_fn)(struct pcslab_class *class);

/* The depots of a heap, until @fn has brought @enough. */
static unsigned long depots_of(struct pcslab_heap *heap, depot_fn fn, unsigned long enough)
{
	struct pcslab_class *class = NULL;
	unsigned long pages = 0;

	while ((class = pcslab_next_size_class(heap, class))) {
		pages += fn(class);
		if (pages >= enough)
			break;
	}
	return pages;
}

/* All of them. */
unsigned long pcslab_heap_drain_depots(struct pcslab_heap *heap)
{
	return depots_of(heap, pcslab_depot_drain, ULONG_MAX);
}

/**
 * pcslab_heap_shrink() - give back all that is free in a heap
 * @heap: the heap, not NULL
 *
 * Magazines of all CPUs are emptied, and all slabs without a live object go
 * back to the page allocator. The heap goes on as if it were new. Allocations
 * and frees may go on meanwhile, and may keep some of it. Takes about an RCU
 * grace period if there is a magazine.
 *
 * Context: process. May sleep. Takes the CPU hotplug lock for reading, so the
 *	caller must not hold it, and must not be in reclaim.
 * Return: the number of pages given back.
 */
unsigned long pcslab_heap_shrink(struct pcslab_heap *heap)
{
	unsigned long pages = 0;
	struct pcslab_visit visit = {
		.heap = heap, .wants = pcslab_has_magazines, .fn = drain, .arg = &pages
	};

	pcslab_foreign_look(heap);
	cpus_read_lock();
	pcslab_visit_announce(&visit);
	pcslab_visit_make(&visit);
	cpus_read_unlock();
	pages += pcslab_heap_drain_depots(heap);
	pcslab_leave_wait();
	return pages;
}
EXPORT_SYMBOL_NS_GPL(pcslab_heap_shrink, "PCSLAB");

static void remember_calls(struct pcslab_class *class)
{
	struct pcslab_cache *c;
	unsigned int cpu;

	for_each_cpu(cpu, &pcslab_cpus) {
		c = pcslab_cache_of(class, cpu);
		WRITE_ONCE(c->seen, nr_calls(c));
	}
}

static void look_at_classes(void)
{
	struct pcslab_class *class = NULL;
	struct pcslab_heap *heap;

	mutex_lock(&pcslab_heaps_lock);
	list_for_each_entry(heap, &pcslab_heaps, node) {
		while ((class = pcslab_next_size_class(heap, class))) {
			remember_calls(class);
			pcslab_depot_look(class);
		}
		cond_resched();
	}
	mutex_unlock(&pcslab_heaps_lock);
}

static void look_for_foreign_frees(void)
{
	struct pcslab_heap *heap;

	for (heap = pcslab_heap_after(NULL, 0); heap; heap = pcslab_heap_after(heap, 0)) {
		if (pcslab_foreign_expected(heap))
			pcslab_foreign_look(heap);
		cond_resched();
	}
}

static void look(struct work_struct *work)
{
	unsigned long pages = 0;
	struct pcslab_visit visit = { .wants = is_idle, .fn = drain, .arg = &pages };

	cpus_read_lock();
	pcslab_visit_announce(&visit);
	pcslab_visit_make(&visit);
	look_at_classes();	/* last: what was drained is asked again */
	cpus_read_unlock();
	look_for_foreign_frees();
	if (idle)
		queue_delayed_work(pcslab_wq, &look_work, idle * HZ);
}

/* Those of all heaps, likewise. */
static unsigned long all_depots(depot_fn fn, unsigned long enough)
{
	struct pcslab_heap *heap;
	unsigned long pages = 0;

	rcu_read_lock();
	list_for_each_entry_rcu(heap, &pcslab_heaps, node) {
		if (pages >= enough)
			break;
		pages += depots_of(heap, fn, enough - pages);
	}
	rcu_read_unlock();
	return pages;
}

/*
 * Reclaim may ask thousands of times a second, each time to be told that there
 * is nothing; so that is only found out ten times a second, and the caches
 * looked at once.
 */
static unsigned long count_pages(struct shrinker *unused, struct shrink_control *sc)
{
	unsigned long pages;

	if (jiffies - READ_ONCE(caches_quiet) >= HZ) {
		WRITE_ONCE(caches_quiet, jiffies);
		mod_delayed_work(pcslab_wq, &look_work, 0);
	}
	if (jiffies - READ_ONCE(depots_quiet) < HZ / 10)
		return 0;
	pages = all_depots(pcslab_depot_spare, ULONG_MAX);
	if (!pages)
		WRITE_ONCE(depots_quiet, jiffies);
	return pages;
}

static unsigned long scan_pages(struct shrinker *unused, struct shrink_control *sc)
{
	unsigned long pages = all_depots(pcslab_depot_drain, sc->nr_to_scan);

	compat_account_reclaimed(pages);
	return pages ?: SHRINK_STOP;
}

int __init pcslab_reclaim_init(void)
{
	depots_quiet = jiffies - HZ;
	caches_quiet = jiffies - HZ;
	shrinker = compat_shrinker_create("pcslab", count_pages, scan_pages);
	if (!shrinker)
		return -ENOMEM;
	if (idle)
		queue_delayed_work(pcslab_wq, &look_work, idle * HZ);
	return 0;
}

void __exit pcslab_reclaim_exit(void)
{
	compat_shrinker_destroy(shrinker);
	cancel_delayed_work_sync(&look_work);
}
