// SPDX-License-Identifier: GPL-2.0
/*
 * Reading statistics: sums over the record, the only counters there are
 *
 * A reader must hold the CPU hotplug lock for reading, so that no donation is
 * half done and pcslab_cpus does not change. Nothing else is locked, and
 * counting CPUs are not slowed down.
 *
 * A reader reads all frees before any allocation. A free is counted with
 * release order after the object's allocation was counted, and smp_rmb()
 * separates the reader's two passes. So each object that is seen freed is also
 * seen allocated, and live = allocs - frees is never negative, on any memory
 * model. Counters may wrap on 32-bit kernels; live is a difference modulo a
 * word, so it is right as long as it fits one.
 *
 * An exact read is a cut. Each counter is two words. Every call reads
 * pcslab_stat_idx to choose the word it counts in, and must keep preemption or
 * interrupts off from before that read until it has counted. Between two exact
 * reads calls only count in the words of the present index. An exact read
 *
 * 1. sums the words of the other index, which do not change;
 * 2. flips pcslab_stat_idx;
 * 3. waits for an RCU grace period, which waits for all preemption-off sections
 *    and so for all calls that may have read the old index;
 * 4. sums the words of the old index, which now do not change either.
 *
 * The sums contain exactly the calls that read the index before the flip, so
 * the values were all true together at the flip. They are also consistent with
 * causality: no call that read the old index was caused by one that read the
 * new index. The latter read the index before it handed its object over, with
 * release order as usual; the former got the object before it read the index,
 * and for a free the smp_rmb() in find_slab() ensures that; and a word, once
 * seen changed, is not seen unchanged afterwards.
 *
 * Two ranks of counters and a flip of the index are SRCU's scheme (srcu_flip()
 * in kernel/rcu/srcutree.c). The Go runtime's consistentHeapStats uses
 * generations of counters for the same purpose.
 *
 * Context: process, may sleep.
 */
#include <linux/bits.h>
#include <linux/cpu.h>
#include <linux/list.h>
#include <linux/mutex.h>
#include <linux/rcupdate.h>
#include <linux/spinlock.h>
#include <linux/string.h>

#include "compat.h"
#include "internal.h"

/* Exact reads write it, seldom, under flip_lock; every call reads it. */
unsigned int pcslab_stat_idx __read_mostly;
/* Taken inside the CPU hotplug lock. */
static DEFINE_MUTEX(flip_lock);

/*
 * An exact read that waits for flip_lock; on its reader's stack. The next
 * reader to get the lock makes one cut for all that wait, so nobody waits for
 * more than two grace periods.
 */
struct cut {
	struct list_head node;
	struct pcslab_heap *heap;
	struct pcslab_stats *st;
};

static LIST_HEAD(cuts_waiting);
static DEFINE_SPINLOCK(cuts_lock);	/* taken inside flip_lock */

/* Parts of a counter, to be ORed together. */
#define WORD(idx)	BIT(idx)
#define OWN		(WORD(0) | WORD(1))
#define INHERITED	BIT(2)
#define ALL		(OWN | INHERITED)

/* Sums are words and wrap like the words, so that later additions are right. */
static unsigned long sum_words(const unsigned long *words, unsigned int parts)
{
	unsigned long sum = 0;

	if (parts & WORD(0))
		sum += READ_ONCE(words[0]);
	if (parts & WORD(1))
		sum += READ_ONCE(words[1]);
	return sum;
}

static unsigned long sum_frees(const struct pcslab_cpu *c, unsigned int parts)
{
	return sum_words(c->guarded.frees, parts) + sum_words(c->unguarded.frees, parts);
}

static unsigned long sum_allocs(const struct pcslab_cpu *c, unsigned int parts)
{
	return sum_words(c->guarded.allocs, parts) + sum_words(c->unguarded.allocs, parts);
}

/* The class of large objects counts freed bytes in allocs: see pcslab_row. */
static struct pcslab_sum sum_of(struct pcslab_class *class, unsigned long allocs,
				unsigned long frees)
{
	if (class->index == PCSLAB_LARGE)
		return (struct pcslab_sum){ .frees = frees, .bytes = allocs };
	return (struct pcslab_sum){ .frees = frees, .allocs = allocs };
}

/**
 * pcslab_own_sum() - sum of what one CPU counted itself
 * @class: the class
 * @c: the CPU's cache
 *
 * Context: as pcslab_class_sum().
 * Return: the sums, as from pcslab_class_sum().
 */
struct pcslab_sum pcslab_own_sum(struct pcslab_class *class,
				 const struct pcslab_cpu *c)
{
	unsigned long frees = sum_frees(c, OWN);

	smp_rmb();	/* pairs with word_inc_release() */
	return sum_of(class, sum_allocs(c, OWN), frees);
}

static struct pcslab_sum class_sum(struct pcslab_class *class, unsigned int parts)
{
	unsigned long allocs = 0, frees = 0;
	unsigned int cpu;

	if (parts & INHERITED) {
		frees = class->inherited.frees;
		allocs = class->inherited.allocs;
	}
	for_each_cpu(cpu, &pcslab_cpus)
		frees += sum_frees(pcslab_cpu_of(class, cpu), parts);
	smp_rmb();	/* pairs with word_inc_release() */
	for_each_cpu(cpu, &pcslab_cpus)
		allocs += sum_allocs(pcslab_cpu_of(class, cpu), parts);
	return sum_of(class, allocs, frees);
}

/**
 * pcslab_class_sum() - sum over all CPUs
 * @class: the class
 *
 * Context: the CPU hotplug lock is held for reading.
 * Return: the sums; allocs is 0 for large objects, which the heap counts.
 */
struct pcslab_sum pcslab_class_sum(struct pcslab_class *class)
{
	return class_sum(class, ALL);
}

/**
 * pcslab_cpu_counts() - read the row of a CPU in the record
 * @class: the class
 * @cpu: the CPU
 * @counts: to be filled
 *
 * Context: the CPU hotplug lock is held for reading.
 * Return: false if everything is 0.
 */
bool pcslab_cpu_counts(struct pcslab_class *class, unsigned int cpu,
		       struct pcslab_cpu_counts *counts)
{
	struct pcslab_inherited inherited = cpu ? (struct pcslab_inherited){} : class->inherited;
	struct pcslab_cpu *c = pcslab_cpu_of(class, cpu);
	struct pcslab_sum own = pcslab_own_sum(class, c);
	bool large = class->index == PCSLAB_LARGE;

	*counts = (struct pcslab_cpu_counts){
		.size = large ? 0 : class->size,
		.allocs = own.allocs,
		.frees = own.frees,
		/* Of large objects these are bytes; the heap counts allocs. */
		.inh_allocs = large ? 0 : inherited.allocs,
		.inh_frees = inherited.frees,
		.cached = pcslab_cached(class, c),
	};
	return counts->allocs || counts->frees || counts->inh_allocs || counts->inh_frees;
}

static void read_gauges(struct pcslab_class *class, struct pcslab_class_stats *st)
{
	struct pcslab_depot *depot;
	struct pcslab_cpu *c;
	unsigned int cpu;
	int node;

	st->objects_per_slab = (PAGE_SIZE << class->order) / class->stride;
	for_each_cpu(cpu, &pcslab_cpus) {
		c = pcslab_cpu_of(class, cpu);
		st->cached += pcslab_cached(class, c);
	}
	for_each_node_state(node, N_MEMORY) {
		depot = &class->depot[node];
		st->depot += pcslab_gauge(depot->nr_free + depot->nr_rounds);
		st->slabs += pcslab_gauge(depot->nr_slabs);
		st->pages += pcslab_gauge(depot->nr_pages);
	}
}

static unsigned long sum_pair(const atomic_long_t *a, const atomic_long_t *b,
			      unsigned int parts)
{
	return (parts & WORD(0) ? atomic_long_read(a) : 0) +
	       (parts & WORD(1) ? atomic_long_read(b) : 0);
}

/**
 * pcslab_large_allocs() - number of large objects handed out
 * @heap: the heap
 *
 * Context: any; must be called after pcslab_class_sum() of the large class.
 * Return: their number.
 */
unsigned long pcslab_large_allocs(struct pcslab_heap *heap)
{
	const struct pcslab_heap_counters *counters = heap->counters;

	smp_rmb();	/* pairs with the releases in pcslab_large_release() */
	return sum_pair(&counters[0].large_allocs, &counters[1].large_allocs, ALL);
}

static void stats_add_class(struct pcslab_heap *heap, unsigned int i,
			    struct pcslab_class_stats *st, unsigned int parts)
{
	struct pcslab_class *class = pcslab_class_at(heap, i);
	const struct pcslab_heap_counters *counters = heap->counters;
	struct pcslab_sum sum;

	st->fails += sum_pair(&counters[0].fails[i], &counters[1].fails[i], parts);
	if (!class)
		return;
	sum = class_sum(class, parts);
	st->allocs += sum.allocs;
	st->frees += sum.frees;
}

static void stats_add_large(struct pcslab_heap *heap, struct pcslab_stats *st,
			    unsigned int parts)
{
	struct pcslab_class *class = pcslab_class_at(heap, PCSLAB_LARGE);
	const struct pcslab_heap_counters *counters = heap->counters;
	struct pcslab_sum sum;

	if (class) {
		sum = class_sum(class, parts);
		st->large_frees += sum.frees;
		st->large_free_bytes += sum.bytes;
	}
	smp_rmb();	/* pairs with the releases in pcslab_large_release() */
	st->large_allocs += sum_pair(&counters[0].large_allocs, &counters[1].large_allocs, parts);
	st->large_alloc_bytes += sum_pair(&counters[0].large_alloc_bytes,
					  &counters[1].large_alloc_bytes, parts);
	st->large_fails += sum_pair(&counters[0].fails[PCSLAB_LARGE],
				    &counters[1].fails[PCSLAB_LARGE], parts);
}

static void add_counters(struct pcslab_heap *heap, struct pcslab_stats *st,
			 unsigned int parts)
{
	unsigned int i;

	for (i = 0; i < PCSLAB_NR_CLASSES; i++)
		stats_add_class(heap, i, &st->class[i], parts);
	stats_add_large(heap, st, parts);
}

/*
 * On 32-bit kernels counters wrap independently. So of a pair the frees are
 * shown as they are, and the allocations as frees plus live. Live is negative
 * if two CPUs freed one object at the same instant.
 */
static void stats_settle(u64 *allocs, u64 *frees)
{
	*frees = (unsigned long)*frees;
	*allocs = *frees + (long)(*allocs - *frees);
}

/* Must be called after all parts of all counters were added. */
static void settle_counters(struct pcslab_stats *st)
{
	unsigned int i;

	for (i = 0; i < PCSLAB_NR_CLASSES; i++)
		stats_settle(&st->class[i].allocs, &st->class[i].frees);
	stats_settle(&st->large_allocs, &st->large_frees);
	stats_settle(&st->large_alloc_bytes, &st->large_free_bytes);
}

/*
 * Fill in the gauges and the counters of the whole heap. The caller must have
 * cleared @st.
 */
static void read_rest(struct pcslab_heap *heap, struct pcslab_stats *st)
{
	struct pcslab_class *class;
	unsigned int i;

	st->nr_classes = PCSLAB_NR_CLASSES;
	for (i = 0; i < PCSLAB_NR_CLASSES; i++) {
		st->class[i].size = pcslab_size_at(heap, i);
		class = pcslab_class_at(heap, i);
		if (class)
			read_gauges(class, &st->class[i]);
	}
	st->bad_frees = atomic_long_read(&heap->bad_frees);
	st->corruptions = atomic_long_read(&heap->corruptions);
	st->foreign = atomic_long_read(&heap->foreign);
	st->unaccounted = atomic_long_read(&heap->unaccounted);
	st->deferred = atomic_long_read(&heap->deferred);
	pcslab_budget_read(heap, st);
}

/**
 * pcslab_heap_read() - read the statistics of a heap, with locks held
 * @heap: the heap
 * @st: filled
 *
 * Context: as pcslab_class_sum().
 */
void pcslab_heap_read(struct pcslab_heap *heap, struct pcslab_stats *st)
{
	memset(st, 0, sizeof(*st));
	add_counters(heap, st, ALL);
	settle_counters(st);
	read_rest(heap, st);
}

/**
 * pcslab_heap_stats() - read the statistics of a heap
 * @heap: the heap
 * @st: filled; about 4 KiB, too large for the stack
 *
 * Each counter is exact. Counters are read one after the other while CPUs go on
 * counting, so two of them may belong to different instants; but live, allocs -
 * frees, is never negative, and no counter ever falls, unless it wraps on a
 * 32-bit kernel.
 *
 * Context: process. May sleep. Takes the CPU hotplug lock for reading, so the
 *	caller must not hold it.
 * Return: 0, or -EINVAL if @heap or @st is NULL.
 */
int pcslab_heap_stats(struct pcslab_heap *heap, struct pcslab_stats *st)
{
	if (!heap || !st)
		return -EINVAL;
	cpus_read_lock();
	pcslab_heap_read(heap, st);
	cpus_read_unlock();
	return 0;
}
EXPORT_SYMBOL_NS_GPL(pcslab_heap_stats, "PCSLAB");

/* Make one cut for all waiting readers, including the caller. */
static void cut_for_all(void)
{
	struct cut *cut, *next;
	unsigned int idx = pcslab_stat_idx;
	LIST_HEAD(cuts);

	lockdep_assert_held(&flip_lock);
	spin_lock(&cuts_lock);
	list_splice_init(&cuts_waiting, &cuts);
	spin_unlock(&cuts_lock);

	list_for_each_entry(cut, &cuts, node)
		add_counters(cut->heap, cut->st, WORD(!idx) | INHERITED);
	/* Release: the sums so far must not see effects of the flip. */
	smp_store_release(&pcslab_stat_idx, !idx);
	pcslab_grace_period();
	list_for_each_entry_safe(cut, next, &cuts, node) {
		add_counters(cut->heap, cut->st, WORD(idx));
		list_del_init(&cut->node);
	}
}

/**
 * pcslab_heap_stats_exact() - read the statistics of a heap at one instant
 * @heap: the heap
 * @st: filled; about 4 KiB, too large for the stack
 *
 * Allocations, frees, failures and bytes were all true together, at an instant
 * between call and return. No CPU is stopped or interrupted for that. The
 * gauges (cached, depot, slabs, pages), bad_frees and what follows it in struct
 * pcslab_stats are read after that, one by one.
 *
 * Takes an RCU grace period, some milliseconds to tens of them, and may have to
 * wait for that of another exact read first; all readers that wait then share
 * one.
 *
 * Context: as pcslab_heap_stats().
 * Return: 0, or -EINVAL if @heap or @st is NULL.
 */
int pcslab_heap_stats_exact(struct pcslab_heap *heap, struct pcslab_stats *st)
{
	struct cut cut = { .heap = heap, .st = st };

	if (!heap || !st)
		return -EINVAL;
	memset(st, 0, sizeof(*st));
	cpus_read_lock();
	spin_lock(&cuts_lock);
	list_add_tail(&cut.node, &cuts_waiting);
	spin_unlock(&cuts_lock);
	mutex_lock(&flip_lock);
	if (!list_empty(&cut.node))
		cut_for_all();
	mutex_unlock(&flip_lock);
	settle_counters(st);
	read_rest(heap, st);
	cpus_read_unlock();
	return 0;
}
EXPORT_SYMBOL_NS_GPL(pcslab_heap_stats_exact, "PCSLAB");
