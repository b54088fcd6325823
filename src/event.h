/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Events: what tracepoints (trace.h) and flight recorders (record.c) are told
 *
 * The slow paths call these functions. While nobody wants events, each is a
 * single no-op.
 */
#ifndef _PCSLAB_EVENT_H
#define _PCSLAB_EVENT_H

#include <linux/jump_label.h>

#include "internal.h"

enum pcslab_event_kind {
	PCSLAB_EVENT_ALLOC,
	PCSLAB_EVENT_FREE,
	PCSLAB_EVENT_FAIL,
	PCSLAB_EVENT_BAD_FREE,
	PCSLAB_EVENT_REFILL,
	PCSLAB_EVENT_FLUSH,
	PCSLAB_EVENT_SLAB_ALLOC,
	PCSLAB_EVENT_SLAB_FREE,
	PCSLAB_EVENT_DONATE,
	PCSLAB_NR_EVENTS,
};

/* True while a tracepoint is in use or a heap has a flight recorder */
DECLARE_STATIC_KEY_FALSE(pcslab_events);

void __pcslab_event_alloc(struct pcslab_heap *heap, const void *obj, size_t wanted,
			  size_t size, gfp_t gfp, int node, unsigned long caller);
void __pcslab_event_free(struct pcslab_heap *heap, const void *obj, size_t size,
			 unsigned long caller);
void __pcslab_event_fail(struct pcslab_heap *heap, size_t size, unsigned long caller);
void __pcslab_event_bad_free(struct pcslab_heap *heap, const void *obj, unsigned long caller);
void __pcslab_event_objects(struct pcslab_class *class, enum pcslab_event_kind kind, int node,
			    unsigned long objects);
void __pcslab_event_donate(struct pcslab_class *class, unsigned int cpu, unsigned long allocs,
			   unsigned long frees);
void pcslab_event_join(struct pcslab_heap *heap);

/* A caller asked for @wanted bytes, and has got @obj of @size bytes. */
static __always_inline void pcslab_event_alloc(struct pcslab_heap *heap, const void *obj,
					       size_t wanted, size_t size, gfp_t gfp, int node,
					       unsigned long caller)
{
	if (static_branch_unlikely(&pcslab_events))
		__pcslab_event_alloc(heap, obj, wanted, size, gfp, node, caller);
}

/* Must be called before another caller can get the object. */
static __always_inline void pcslab_event_free(struct pcslab_heap *heap, const void *obj,
					      size_t size, unsigned long caller)
{
	if (static_branch_unlikely(&pcslab_events))
		__pcslab_event_free(heap, obj, size, caller);
}

/* An allocation fails. @size: bytes of the class, 0 for a large object. */
static __always_inline void pcslab_event_fail(struct pcslab_heap *heap, size_t size,
					      unsigned long caller)
{
	if (static_branch_unlikely(&pcslab_events))
		__pcslab_event_fail(heap, size, caller);
}

/* A free is refused. @heap is NULL if the address is in none. */
static __always_inline void pcslab_event_bad_free(struct pcslab_heap *heap, const void *obj,
						  unsigned long caller)
{
	if (static_branch_unlikely(&pcslab_events))
		__pcslab_event_bad_free(heap, obj, caller);
}

/*
 * Look the name of a caller up before preemption is disabled, for an event that
 * comes after that: on PREEMPT_RT there is no memory for a new name then
 * (site.c).
 */
static __always_inline void pcslab_event_name(unsigned long caller)
{
	if (static_branch_unlikely(&pcslab_events) && caller)
		pcslab_site(caller);
}

/* @kind: from PCSLAB_EVENT_REFILL to PCSLAB_EVENT_SLAB_FREE */
static __always_inline void pcslab_event_objects(struct pcslab_class *class,
						 enum pcslab_event_kind kind, int node,
						 unsigned long objects)
{
	if (static_branch_unlikely(&pcslab_events))
		__pcslab_event_objects(class, kind, node, objects);
}

/* CPU 0 has inherited the counts of a dead CPU. */
static __always_inline void pcslab_event_donate(struct pcslab_class *class, unsigned int cpu,
						unsigned long allocs, unsigned long frees)
{
	if (static_branch_unlikely(&pcslab_events))
		__pcslab_event_donate(class, cpu, allocs, frees);
}

/* record.c: the last events of a heap */
struct pcslab_event {
	enum pcslab_event_kind kind;
	const void *obj;	/* or NULL */
	size_t size;		/* bytes of an object, 0 if it has none */
	unsigned long objects;
	unsigned long caller;	/* or 0 */
};

void pcslab_record(struct pcslab_heap *heap, const struct pcslab_event *event);
void pcslab_record_update(void);
void pcslab_record_join(struct pcslab_heap *heap);
void pcslab_record_free(struct pcslab_heap *heap);
void pcslab_record_dump(struct pcslab_heap *heap);
int pcslab_record_show(struct seq_file *m, struct pcslab_heap *heap);
int pcslab_record_init(void);
void pcslab_record_exit(void);

#endif /* _PCSLAB_EVENT_H */
