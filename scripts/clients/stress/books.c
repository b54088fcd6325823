// SPDX-License-Identifier: GPL-2.0
/*
 * The oracle against the books, and a reader that never stops
 *
 * Context: process.
 */
#include <linux/delay.h>
#include <linux/err.h>
#include <linux/kthread.h>
#include <linux/percpu.h>
#include <linux/printk.h>
#include <linux/slab.h>
#include <linux/stddef.h>

#include "live.h"
#include "stress.h"

struct reader {
	struct task_struct *task;
	struct stress_actor *actor;
	struct pcslab_stats last[STRESS_NR_LASTING], now;
};

static struct reader *reader;

/* Sums a counter of struct stress_counts over all CPUs. */
static u64 oracle_sum(const struct stress_heap *heap, size_t offset)
{
	unsigned int cpu;
	u64 sum = 0;

	for_each_possible_cpu(cpu)
		sum += *(unsigned long *)((void *)per_cpu_ptr(heap->counts, cpu) + offset);
	return sum;
}

#define ORACLE(heap, member)	oracle_sum(heap, offsetof(struct stress_counts, member))

static void compare(struct stress_actor *actor, const struct stress_heap *heap, size_t size,
		    const char *what, u64 is, u64 should)
{
	if (is == should)
		return;
	stress_add(actor, STRESS_BOOKS, 1);
	pr_err_ratelimited("pcslab_stress: heap %s, size %zu: %s %llu should be %llu\n",
			   heap->name, size, what, is, should);
}

static void compare_class(struct stress_actor *actor, const struct stress_heap *heap,
			  unsigned int i, const struct pcslab_class_stats *st)
{
	size_t size = pcslab_class_size(i);

	compare(actor, heap, size, "class's size", st->size, size);
	compare(actor, heap, size, "allocs", st->allocs, ORACLE(heap, allocs[i]));
	compare(actor, heap, size, "frees", st->frees, ORACLE(heap, frees[i]));
	compare(actor, heap, size, "fails", st->fails, ORACLE(heap, fails[i]));
}

static void compare_large(struct stress_actor *actor, const struct stress_heap *heap,
			  const struct pcslab_stats *st)
{
	compare(actor, heap, 0, "large allocs", st->large_allocs,
		ORACLE(heap, allocs[STRESS_LARGE]));
	compare(actor, heap, 0, "large frees", st->large_frees,
		ORACLE(heap, frees[STRESS_LARGE]));
	compare(actor, heap, 0, "large fails", st->large_fails,
		ORACLE(heap, fails[STRESS_LARGE]));
	compare(actor, heap, 0, "large bytes allocated", st->large_alloc_bytes,
		ORACLE(heap, large_alloc_bytes));
	compare(actor, heap, 0, "large bytes freed", st->large_free_bytes,
		ORACLE(heap, large_free_bytes));
	compare(actor, heap, 0, "bad frees", st->bad_frees, 0);
	compare(actor, heap, 0, "corruptions", st->corruptions, 0);
	compare(actor, heap, 0, "foreign frees", st->foreign, ORACLE(heap, foreign));
}

/* The heap never held more pages than its limit. */
static void compare_pages(struct stress_actor *actor, const struct stress_heap *heap,
			  const struct pcslab_stats *st)
{
	if (st->limit_pages && !st->over_limit)
		compare(actor, heap, 0, "most pages", st->max_pages,
			min(st->max_pages, st->limit_pages));
}

/**
 * stress_compare() - compare all counters of a heap with the oracle
 * @actor: the caller
 * @heap: nobody else may allocate from it or free to it during the call
 * @st: buffer for the books
 */
void stress_compare(struct stress_actor *actor, struct stress_heap *heap,
		    struct pcslab_stats *st)
{
	unsigned int i;

	pcslab_rcu_barrier(heap->heap);
	/* Shrinking finds foreign frees. */
	if (heap->abused)
		stress_shrink(actor, heap);
	if (pcslab_heap_stats_exact(heap->heap, st))
		stress_add(actor, STRESS_WRONG_RESULT, 1);
	for (i = 0; i < PCSLAB_NR_CLASSES; i++)
		compare_class(actor, heap, i, &st->class[i]);
	compare_large(actor, heap, st);
	compare_pages(actor, heap, st);
	stress_add(actor, STRESS_COMPARED, 1);
}

/**
 * stress_shrink() - give back all that is free in a heap
 * @actor: the caller
 * @heap: the heap
 */
void stress_shrink(struct stress_actor *actor, struct stress_heap *heap)
{
	stress_add(actor, STRESS_SHRUNK, pcslab_heap_shrink(heap->heap));
	stress_add(actor, STRESS_SHRINKS, 1);
}

/**
 * stress_expect_empty() - check that a heap without live objects gives back all
 * pages
 * @actor: the caller
 * @heap: nobody else may allocate from it or free to it during the call
 * @st: buffer for the books
 */
void stress_expect_empty(struct stress_actor *actor, struct stress_heap *heap,
			 struct pcslab_stats *st)
{
	struct pcslab_class_stats *class;

	stress_shrink(actor, heap);
	if (pcslab_heap_stats(heap->heap, st))
		stress_add(actor, STRESS_WRONG_RESULT, 1);
	for (class = st->class; class < st->class + PCSLAB_NR_CLASSES; class++) {
		compare(actor, heap, class->size, "cached, empty,", class->cached, 0);
		compare(actor, heap, class->size, "depot, empty,", class->depot, 0);
		compare(actor, heap, class->size, "slabs, empty,", class->slabs, 0);
		compare(actor, heap, class->size, "pages, empty,", class->pages, 0);
	}
	compare(actor, heap, 0, "pages charged, empty,", st->pages, 0);
}

static void read_once(struct reader *r)
{
	unsigned int i = stress_random(r->actor, STRESS_NR_LASTING);
	bool exact = !stress_random(r->actor, 16);
	int err;

	if (exact)
		err = pcslab_heap_stats_exact(stress_lasting[i].heap, &r->now);
	else
		err = pcslab_heap_stats(stress_lasting[i].heap, &r->now);
	stress_add(r->actor, STRESS_WRONG_RESULT, !!err);
	stress_add(r->actor, STRESS_FELL, stats_fell(&r->last[i], &r->now));
	stress_add(r->actor, STRESS_NEGATIVE, stats_negative(&r->now));
	stress_add(r->actor, STRESS_READS, 1);
	r->last[i] = r->now;
}

static int read_all_the_time(void *arg)
{
	while (!kthread_should_stop()) {
		read_once(arg);
		/* A reader keeps CPUs from changing; the pause lets them. */
		usleep_range(200, 2000);
	}
	return 0;
}

/**
 * stress_reader_start() - start to read the books of the lasting heaps
 *
 * Return: 0 or an error.
 */
int stress_reader_start(void)
{
	struct task_struct *task;

	task = kthread_run(read_all_the_time, reader, "pcslab-reader");
	if (IS_ERR(task))
		return PTR_ERR(task);
	reader->task = task;
	return 0;
}

void stress_reader_stop(void)
{
	if (reader->task)
		kthread_stop(reader->task);
	reader->task = NULL;
}

int stress_reader_init(void)
{
	reader = kzalloc(sizeof(*reader), GFP_KERNEL);
	if (!reader)
		return -ENOMEM;
	reader->actor = stress_actor_create(true);
	return reader->actor ? 0 : -ENOMEM;
}

void stress_reader_exit(void)
{
	kfree(reader);
}
