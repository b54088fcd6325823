// SPDX-License-Identifier: GPL-2.0
/*
 * Reclaim: free memory goes back to the page allocator
 *
 * There are three ways. All free memory of a heap goes when its owner calls
 * pcslab_heap_shrink() or destroys it. Every pcslab.idle seconds a reap pass
 * finds caches and depots that were not used since the last pass, and empties
 * them. And when memory is short, the shrinker empties depots. It may be called
 * from any allocation, under any locks of the caller, so it takes no lock but
 * those of the depots and finds heaps under RCU. It also waits for nothing:
 * caches are left to a reap pass, which the shrinker only starts earlier.
 *
 * A cache is emptied while its CPU is kept off it (slots.c). A cache is idle if
 * its CPU counted nothing in it from one pass to the next; a depot is idle if
 * it has as many free objects as at the last pass. (SLAB's cache_reap() treated
 * its arrays in the same way; ZFS on Linux kept idle magazines for ever.)
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

/* Small enough that the number of jiffies does not overflow. */
#define IDLE_MAX	86400

static unsigned int idle = 10;

/* The kernel's message for a refused value does not name the allowed range. */
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
MODULE_PARM_DESC(idle, "seconds between reap passes, which give idle memory back to the kernel, 1 to 86400; 0: never, but under memory pressure");

static struct shrinker *shrinker;
/*
 * Jiffies when the depots were last found empty, and when the shrinker last
 * started a reap pass. Code must compare ages, not times: on 32-bit kernels a
 * time that is long past seems to be in the future.
 */
static unsigned long depots_quiet, caches_quiet;

static void reclaim_reap(struct work_struct *work);
static DECLARE_DEFERRABLE_WORK(reap_work, reclaim_reap);

/*
 * Number of calls that held the guard, which are all that used a magazine;
 * modulo 2^32.
 */
static unsigned int nr_calls(const struct pcslab_cpu *c)
{
	return READ_ONCE(c->guarded.allocs[0]) + READ_ONCE(c->guarded.allocs[1]) +
	       READ_ONCE(c->guarded.frees[0]) + READ_ONCE(c->guarded.frees[1]);
}

/* A cache on the wrong node must lose its magazines before it can move. */
static bool is_idle(const struct pcslab_cpu *c, unsigned int cpu)
{
	return READ_ONCE(c->node) != pcslab_home_of(cpu) ||
	       (READ_ONCE(c->loaded) && nr_calls(c) == READ_ONCE(c->reap_mark));
}

static void reclaim_drain(struct pcslab_class *class, struct pcslab_cpu *c, void *pages)
{
	*(unsigned long *)pages += pcslab_cpu_drain(class, c);
}

typedef unsigned long (*depot_fn)(struct pcslab_class *class);

/* Call @fn for the classes of a heap until it has returned @enough pages. */
static unsigned long depots_of(struct pcslab_heap *heap, depot_fn fn, unsigned long enough)
{
	struct pcslab_class *class;
	unsigned long pages = 0;

	pcslab_for_each_size_class(class, heap) {
		pages += fn(class);
		if (pages >= enough)
			break;
	}
	return pages;
}

/* Drain all depots of a heap. Returns the number of pages given back. */
unsigned long pcslab_heap_drain_depots(struct pcslab_heap *heap)
{
	return depots_of(heap, pcslab_depot_drain, ULONG_MAX);
}

/* The same for a heap and its fixed-size caches. */
unsigned long pcslab_family_drain_depots(struct pcslab_heap *heap)
{
	struct pcslab_heap *other;
	unsigned long pages = 0;

	rcu_read_lock();
	list_for_each_entry_rcu(other, &pcslab_heaps, node) {
		if (pcslab_is_of(other, heap))
			pages += pcslab_heap_drain_depots(other);
	}
	rcu_read_unlock();
	return pages;
}

/**
 * pcslab_heap_drain_caches() - empty the magazines of all CPUs
 * @heap: the heap; its fixed-size caches are included
 *
 * Context: process. May sleep. The CPU hotplug lock is held for reading.
 * Return: the number of pages given back.
 */
unsigned long pcslab_heap_drain_caches(struct pcslab_heap *heap)
{
	static const struct pcslab_visit_kind kind = {
		.family = true, .wants = pcslab_has_magazines, .fn = reclaim_drain
	};
	unsigned long pages = 0;
	struct pcslab_visit visit = { .heap = heap, .kind = &kind, .arg = &pages };

	pcslab_visit_announce(&visit);
	pcslab_visit_make(&visit);
	return pages;
}

/**
 * pcslab_heap_shrink() - give back all free memory of a heap
 * @heap: the heap, not NULL
 *
 * Empties the magazines of all CPUs and gives all slabs without a live object
 * back to the page allocator, also those of its fixed-size caches. The heap
 * continues as if it were new. Allocations and frees may go on meanwhile, and
 * may keep some of the memory. Takes about an RCU grace period if there is a
 * magazine.
 *
 * Context: process. May sleep. Takes the CPU hotplug lock for reading, so the
 *	caller must not hold it, and must not be in reclaim.
 * Return: the number of pages given back.
 */
unsigned long pcslab_heap_shrink(struct pcslab_heap *heap)
{
	unsigned long pages;

	/* It may have slabs in hand that are in no list. */
	flush_work(&heap->budget.work);
	pcslab_foreign_find(heap);
	cpus_read_lock();
	pages = pcslab_heap_drain_caches(heap);
	cpus_read_unlock();
	pages += pcslab_family_drain_depots(heap);
	pcslab_leave_wait();
	pcslab_area_wait();
	return pages;
}
EXPORT_SYMBOL_NS_GPL(pcslab_heap_shrink, "PCSLAB");

static void remember_calls(struct pcslab_class *class)
{
	struct pcslab_cpu *c;
	unsigned int cpu;

	for_each_cpu(cpu, &pcslab_cpus) {
		c = pcslab_cpu_of(class, cpu);
		WRITE_ONCE(c->reap_mark, nr_calls(c));
	}
}

static void reap_depots(void)
{
	struct pcslab_class *class;
	struct pcslab_heap *heap;

	mutex_lock(&pcslab_heaps_lock);
	list_for_each_entry(heap, &pcslab_heaps, node) {
		pcslab_for_each_size_class(class, heap) {
			remember_calls(class);
			pcslab_depot_reap(class);
		}
		cond_resched();
	}
	mutex_unlock(&pcslab_heaps_lock);
}

static void find_foreign_frees(void)
{
	struct pcslab_heap *heap;

	for (heap = pcslab_heap_after(NULL, 0); heap; heap = pcslab_heap_after(heap, 0)) {
		if (pcslab_foreign_expected(heap))
			pcslab_foreign_find(heap);
		cond_resched();
	}
}

static void reclaim_reap(struct work_struct *work)
{
	static const struct pcslab_visit_kind kind = { .wants = is_idle, .fn = reclaim_drain };
	unsigned long pages = 0;
	struct pcslab_visit visit = { .kind = &kind, .arg = &pages };

	cpus_read_lock();
	pcslab_visit_announce(&visit);
	pcslab_visit_make(&visit);
	reap_depots();	/* last: is_idle() must see the old counts */
	cpus_read_unlock();
	find_foreign_frees();
	if (idle)
		queue_delayed_work(pcslab_wq, &reap_work, idle * HZ);
}

/* depots_of() for all heaps. */
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
 * Reclaim may call this thousands of times per second when there is nothing to
 * free. So after a call that found nothing the depots are checked only ten
 * times per second, and a reap pass is started once per second.
 */
static unsigned long count_pages(struct shrinker *unused, struct shrink_control *sc)
{
	unsigned long pages;

	if (jiffies - READ_ONCE(caches_quiet) >= HZ) {
		WRITE_ONCE(caches_quiet, jiffies);
		mod_delayed_work(pcslab_wq, &reap_work, 0);
	}
	if (jiffies - READ_ONCE(depots_quiet) < HZ / 10)
		return 0;
	pages = all_depots(pcslab_depot_reclaimable, ULONG_MAX);
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
		queue_delayed_work(pcslab_wq, &reap_work, idle * HZ);
	return 0;
}

void __exit pcslab_reclaim_exit(void)
{
	compat_shrinker_destroy(shrinker);
	cancel_delayed_work_sync(&reap_work);
}
