// SPDX-License-Identifier: GPL-2.0
/*
 * Reading the books: sums over the record, which is all there is
 *
 * The CPU hotplug lock is held for reading, so that no donation is half done
 * and pcslab_cpus does not change. Nothing else is locked; the counting CPUs do
 * not notice.
 *
 * All frees are read before any allocation: an object's free is counted with
 * release order after its allocation was counted, so with smp_rmb() between the
 * two passes whoever is seen freed is seen allocated, and live = allocs - frees
 * is never negative, on any memory model.
 *
 * An exact read does the same sum with all other CPUs stopped. An operation's
 * hand-over and count are in one section with preemption off, or in one with
 * interrupts off, and stop_machine() runs when every CPU is outside of such:
 * the values were all true at that instant.
 *
 * Context: process, may sleep.
 */
#include <linux/cpu.h>
#include <linux/stop_machine.h>
#include <linux/string.h>

#include "compat.h"
#include "internal.h"

/**
 * pcslab_class_sum() - the sum over all CPUs
 * @class: of what
 *
 * Context: the CPU hotplug lock is held for reading, by the caller or on his
 *	behalf.
 * Return: the sums; allocs is 0 for large objects, which the heap counts.
 */
struct pcslab_sum pcslab_class_sum(struct pcslab_class *class)
{
	struct pcslab_sum sum = {};
	struct pcslab_cache *c;
	unsigned int cpu;

	for_each_cpu(cpu, &pcslab_cpus) {
		c = pcslab_cache_of(class, cpu);
		sum.frees += READ_ONCE(c->count.frees) + READ_ONCE(c->direct.frees) +
			     c->inherited.frees;
		sum.bytes += READ_ONCE(c->direct.bytes) + c->inherited.bytes;
	}
	smp_rmb();	/* pairs with compat_count_release() */
	for_each_cpu(cpu, &pcslab_cpus) {
		c = pcslab_cache_of(class, cpu);
		sum.allocs += READ_ONCE(c->count.allocs) + READ_ONCE(c->direct.allocs) +
			      c->inherited.allocs;
	}
	return sum;
}

static void read_gauges(struct pcslab_class *class, struct pcslab_class_stats *st)
{
	struct pcslab_depot *depot;
	struct pcslab_cache *c;
	unsigned int cpu;
	int node;

	for_each_cpu(cpu, &pcslab_cpus) {
		c = pcslab_cache_of(class, cpu);
		st->cached += READ_ONCE(c->n) + READ_ONCE(c->spare_n);
	}
	for_each_node_state(node, N_MEMORY) {
		depot = &class->depot[node];
		st->depot += READ_ONCE(depot->nr_free) + READ_ONCE(depot->nr_rounds);
		st->slabs += READ_ONCE(depot->nr_slabs);
		st->pages += READ_ONCE(depot->nr_pages);
	}
}

static void read_class(struct pcslab_heap *heap, unsigned int i,
		       struct pcslab_class_stats *st)
{
	struct pcslab_class *class = pcslab_class_at(heap, i);
	struct pcslab_sum sum;

	st->size = pcslab_class_size(i);
	st->fails = atomic_long_read(&heap->fails[i]);
	if (!class)
		return;
	sum = pcslab_class_sum(class);
	st->allocs = sum.allocs;
	st->frees = sum.frees;
	st->objects_per_slab = (PAGE_SIZE << class->order) / class->size;
	read_gauges(class, st);
}

static void read_large(struct pcslab_heap *heap, struct pcslab_stats *st)
{
	struct pcslab_class *class = pcslab_class_at(heap, PCSLAB_LARGE);
	struct pcslab_sum sum;

	if (class) {
		sum = pcslab_class_sum(class);
		st->large_frees = sum.frees;
		st->large_free_bytes = sum.bytes;
	}
	/* After the frees, as above: the sum's smp_rmb() is between. */
	st->large_allocs = atomic_long_read(&heap->large_allocs);
	st->large_alloc_bytes = atomic_long_read(&heap->large_alloc_bytes);
	st->large_fails = atomic_long_read(&heap->fails[PCSLAB_LARGE]);
}

/**
 * pcslab_heap_read() - read the books, the caller having seen to the locks
 * @heap: the heap
 * @st: filled
 *
 * Context: as pcslab_class_sum().
 */
void pcslab_heap_read(struct pcslab_heap *heap, struct pcslab_stats *st)
{
	unsigned int i;

	memset(st, 0, sizeof(*st));
	st->nr_classes = PCSLAB_NR_CLASSES;
	for (i = 0; i < PCSLAB_NR_CLASSES; i++)
		read_class(heap, i, &st->class[i]);
	read_large(heap, st);
	st->bad_frees = atomic_long_read(&heap->bad_frees);
}

/**
 * pcslab_heap_stats() - read the books of a heap
 * @heap: the heap
 * @st: filled; about 4.5 KiB, too large for the stack
 *
 * Each counter is exact. Counters are read one after the other while CPUs go on
 * counting, so two of them need not be of the same instant; but live, allocs -
 * frees, is never negative, and no counter ever falls.
 *
 * Context: process. May sleep; takes the CPU hotplug lock for reading, so not
 * from under it.
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
EXPORT_SYMBOL_PCSLAB(pcslab_heap_stats);

struct cut {
	struct pcslab_heap *heap;
	struct pcslab_stats *st;
};

static int read_cut(void *arg)
{
	struct cut *cut = arg;

	pcslab_heap_read(cut->heap, cut->st);
	return 0;
}

/**
 * pcslab_heap_stats_exact() - read the books of a heap at one instant
 * @heap: the heap
 * @st: filled; about 4.5 KiB, too large for the stack
 *
 * All values were true together. The other CPUs are stopped while the counters
 * are summed.
 *
 * Context: as pcslab_heap_stats().
 * Return: 0, or -EINVAL if @heap or @st is NULL.
 */
int pcslab_heap_stats_exact(struct pcslab_heap *heap, struct pcslab_stats *st)
{
	struct cut cut = { .heap = heap, .st = st };

	if (!heap || !st)
		return -EINVAL;
	return stop_machine(read_cut, &cut, NULL);
}
EXPORT_SYMBOL_PCSLAB(pcslab_heap_stats_exact);
