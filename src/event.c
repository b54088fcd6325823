// SPDX-License-Identifier: GPL-2.0
/*
 * Events: who wants them is told of them
 *
 * A heap is watched (slots.c) while a tracepoint is in use, or while it has a
 * flight recorder. Then all calls on it take the slow path, which is where the
 * events are. A call that began before that may not be told of.
 *
 * Context: any, including NMI. The guard of a cache may be held: a tracer that
 * allocates from pcslab is served by the depot then, like an interrupt. The
 * lock of a depot may be held where two CPUs have freed one object: there a
 * tracer's allocations fail, and its frees are deferred (lock.h).
 *
 * Locks: pcslab_heaps_lock when tracing begins and ends, under those of the
 * kernel's tracepoints.
 */
#include <linux/export.h>

#include "event.h"
#include "internal.h"

#define CREATE_TRACE_POINTS
#include "trace.h"

DEFINE_STATIC_KEY_FALSE(pcslab_events);
static unsigned int nr_traced;		/* under pcslab_heaps_lock */

/* Tell of an event that concerns an object, or none. */
static void tell(struct pcslab_heap *heap, enum pcslab_event_kind kind, const void *obj,
		 size_t size, unsigned long caller)
{
	struct pcslab_event event = {
		.kind = kind, .obj = obj, .size = size, .objects = 1, .caller = caller
	};

	pcslab_record(heap, &event);
}

void __pcslab_event_alloc(struct pcslab_heap *heap, const void *obj, size_t wanted,
			  size_t size, gfp_t gfp, int node, unsigned long caller)
{
	trace_pcslab_alloc(heap, caller, obj, wanted, size, gfp, node);
	tell(heap, PCSLAB_EVENT_ALLOC, obj, size, caller);
}

void __pcslab_event_free(struct pcslab_heap *heap, const void *obj, size_t size,
			 unsigned long caller)
{
	trace_pcslab_free(heap, caller, obj, size);
	tell(heap, PCSLAB_EVENT_FREE, obj, size, caller);
}

void __pcslab_event_fail(struct pcslab_heap *heap, size_t size, unsigned long caller)
{
	trace_pcslab_fail(heap, caller, size);
	tell(heap, PCSLAB_EVENT_FAIL, NULL, size, caller);
}

void __pcslab_event_bad_free(struct pcslab_heap *heap, const void *obj, unsigned long caller)
{
	trace_pcslab_bad_free(heap, caller, obj);
	if (heap)
		tell(heap, PCSLAB_EVENT_BAD_FREE, obj, 0, caller);
}

void __pcslab_event_objects(struct pcslab_class *class, enum pcslab_event_kind kind, int node,
			    unsigned long objects)
{
	struct pcslab_event event = { .kind = kind, .size = class->size, .objects = objects };

	if (kind == PCSLAB_EVENT_REFILL)
		trace_pcslab_refill(class, node, objects);
	else if (kind == PCSLAB_EVENT_FLUSH)
		trace_pcslab_flush(class, node, objects);
	else if (kind == PCSLAB_EVENT_SLAB_ALLOC)
		trace_pcslab_slab_alloc(class, node, objects);
	else
		trace_pcslab_slab_free(class, node, objects);
	pcslab_record(class->heap, &event);
}

void __pcslab_event_donate(struct pcslab_class *class, unsigned int cpu, unsigned long allocs,
			   unsigned long frees)
{
	struct pcslab_event event = { .kind = PCSLAB_EVENT_DONATE, .size = class->size };

	if (class->index == PCSLAB_LARGE)
		allocs = 0;	/* they are bytes: struct pcslab_row */
	event.objects = allocs;
	trace_pcslab_donate(class, cpu, allocs, frees);
	pcslab_record(class->heap, &event);
}

static void watch_all(bool on)
{
	struct pcslab_heap *heap;

	list_for_each_entry(heap, &pcslab_heaps, node)
		pcslab_heap_watch(heap, PCSLAB_WATCH_TRACE, on);
}

/* The kernel calls this before the first user of a tracepoint gets events. */
int pcslab_trace_begin(void)
{
	/* Takes the CPU hotplug lock. */
	static_branch_inc(&pcslab_events);
	mutex_lock(&pcslab_heaps_lock);
	if (!nr_traced++)
		watch_all(true);
	mutex_unlock(&pcslab_heaps_lock);
	return 0;
}

/* And this after the last one was removed. */
void pcslab_trace_end(void)
{
	mutex_lock(&pcslab_heaps_lock);
	if (!--nr_traced)
		watch_all(false);
	mutex_unlock(&pcslab_heaps_lock);
	static_branch_dec(&pcslab_events);
}

/**
 * pcslab_event_join() - have a new heap watched, if events are wanted
 * @heap: the heap; nobody has allocated from it yet
 *
 * Context: process; pcslab_heaps_lock is held.
 */
void pcslab_event_join(struct pcslab_heap *heap)
{
	lockdep_assert_held(&pcslab_heaps_lock);
	if (nr_traced)
		pcslab_heap_watch(heap, PCSLAB_WATCH_TRACE, true);
	pcslab_record_join(heap);
}
