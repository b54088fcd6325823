/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Tracepoints, in /sys/kernel/tracing/events/pcslab/
 *
 * While one of them is in use, all calls on all heaps take the slow path, where
 * the tracepoints are. So the fast paths have none. event.h calls them.
 *
 * The fields that kmem:kmalloc and kmem:kfree have too are called as there.
 */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM pcslab

#if !defined(_PCSLAB_TRACE_H) || defined(TRACE_HEADER_MULTI_READ)
#define _PCSLAB_TRACE_H

#include <linux/tracepoint.h>
#include <trace/events/mmflags.h>

#include "compat.h"
#include "types.h"

int pcslab_trace_begin(void);
void pcslab_trace_end(void);

/* The arguments of TRACE_EVENT(), with the functions that choose the path. */
#define PCSLAB_EVENT(name, proto, args, entry, assign, print)		\
	TRACE_EVENT_FN(name, PARAMS(proto), PARAMS(args), PARAMS(entry), \
		       PARAMS(assign), PARAMS(print),			\
		       pcslab_trace_begin, pcslab_trace_end)

/* An event of the class pcslab_objects */
#define PCSLAB_OBJECTS_EVENT(name)					\
	DEFINE_EVENT_FN(pcslab_objects, name,				\
		TP_PROTO(const struct pcslab_class *class, int node,	\
			 unsigned long objects),			\
		TP_ARGS(class, node, objects),				\
		pcslab_trace_begin, pcslab_trace_end)

PCSLAB_EVENT(pcslab_alloc,
	TP_PROTO(const struct pcslab_heap *heap, unsigned long call_site, const void *ptr,
		 size_t bytes_req, size_t bytes_alloc, gfp_t gfp_flags, int node),
	TP_ARGS(heap, call_site, ptr, bytes_req, bytes_alloc, gfp_flags, node),
	TP_STRUCT__entry(
		__string(heap, heap->name)
		__field(unsigned long, call_site)
		__field(const void *, ptr)
		__field(size_t, bytes_req)
		__field(size_t, bytes_alloc)
		__field(unsigned long, gfp_flags)
		__field(int, node)
	),
	TP_fast_assign(
		compat_assign_str(heap, heap->name);
		__entry->call_site = call_site;
		__entry->ptr = ptr;
		__entry->bytes_req = bytes_req;
		__entry->bytes_alloc = bytes_alloc;
		__entry->gfp_flags = (__force unsigned long)gfp_flags;
		__entry->node = node;
	),
	TP_printk("heap=%s call_site=%pS ptr=%p bytes_req=%zu bytes_alloc=%zu gfp_flags=%s node=%d",
		  __get_str(heap), (void *)__entry->call_site, __entry->ptr,
		  __entry->bytes_req, __entry->bytes_alloc,
		  show_gfp_flags(__entry->gfp_flags), __entry->node)
);

PCSLAB_EVENT(pcslab_free,
	TP_PROTO(const struct pcslab_heap *heap, unsigned long call_site, const void *ptr,
		 size_t bytes_alloc),
	TP_ARGS(heap, call_site, ptr, bytes_alloc),
	TP_STRUCT__entry(
		__string(heap, heap->name)
		__field(unsigned long, call_site)
		__field(const void *, ptr)
		__field(size_t, bytes_alloc)
	),
	TP_fast_assign(
		compat_assign_str(heap, heap->name);
		__entry->call_site = call_site;
		__entry->ptr = ptr;
		__entry->bytes_alloc = bytes_alloc;
	),
	TP_printk("heap=%s call_site=%pS ptr=%p bytes_alloc=%zu", __get_str(heap),
		  (void *)__entry->call_site, __entry->ptr, __entry->bytes_alloc)
);

/* An allocation that returned NULL; @bytes_alloc is 0 for a large object. */
PCSLAB_EVENT(pcslab_fail,
	TP_PROTO(const struct pcslab_heap *heap, unsigned long call_site, size_t bytes_alloc),
	TP_ARGS(heap, call_site, bytes_alloc),
	TP_STRUCT__entry(
		__string(heap, heap->name)
		__field(unsigned long, call_site)
		__field(size_t, bytes_alloc)
	),
	TP_fast_assign(
		compat_assign_str(heap, heap->name);
		__entry->call_site = call_site;
		__entry->bytes_alloc = bytes_alloc;
	),
	TP_printk("heap=%s call_site=%pS bytes_alloc=%zu", __get_str(heap),
		  (void *)__entry->call_site, __entry->bytes_alloc)
);

/* @heap is NULL if the address is in no heap. */
PCSLAB_EVENT(pcslab_bad_free,
	TP_PROTO(const struct pcslab_heap *heap, unsigned long call_site, const void *ptr),
	TP_ARGS(heap, call_site, ptr),
	TP_STRUCT__entry(
		__string(heap, heap ? heap->name : "-")
		__field(unsigned long, call_site)
		__field(const void *, ptr)
	),
	TP_fast_assign(
		compat_assign_str(heap, heap ? heap->name : "-");
		__entry->call_site = call_site;
		__entry->ptr = ptr;
	),
	TP_printk("heap=%s call_site=%pS ptr=%p", __get_str(heap),
		  (void *)__entry->call_site, __entry->ptr)
);

/* @objects of a class go somewhere, on @node. */
DECLARE_EVENT_CLASS(pcslab_objects,
	TP_PROTO(const struct pcslab_class *class, int node, unsigned long objects),
	TP_ARGS(class, node, objects),
	TP_STRUCT__entry(
		__string(heap, class->heap->name)
		__field(size_t, bytes_alloc)
		__field(int, node)
		__field(unsigned long, objects)
	),
	TP_fast_assign(
		compat_assign_str(heap, class->heap->name);
		__entry->bytes_alloc = class->size;
		__entry->node = node;
		__entry->objects = objects;
	),
	TP_printk("heap=%s bytes_alloc=%zu node=%d objects=%lu", __get_str(heap),
		  __entry->bytes_alloc, __entry->node, __entry->objects)
);

/* From the depot into the magazines of this CPU, and back */
PCSLAB_OBJECTS_EVENT(pcslab_refill);
PCSLAB_OBJECTS_EVENT(pcslab_flush);
/* From the page allocator, and back */
PCSLAB_OBJECTS_EVENT(pcslab_slab_alloc);
PCSLAB_OBJECTS_EVENT(pcslab_slab_free);

/* The counters of a dead CPU go to CPU 0. */
PCSLAB_EVENT(pcslab_donate,
	TP_PROTO(const struct pcslab_class *class, unsigned int cpu, unsigned long allocs,
		 unsigned long frees),
	TP_ARGS(class, cpu, allocs, frees),
	TP_STRUCT__entry(
		__string(heap, class->heap->name)
		__field(size_t, bytes_alloc)
		__field(unsigned int, cpu)
		__field(unsigned long, allocs)
		__field(unsigned long, frees)
	),
	TP_fast_assign(
		compat_assign_str(heap, class->heap->name);
		__entry->bytes_alloc = class->size;
		__entry->cpu = cpu;
		__entry->allocs = allocs;
		__entry->frees = frees;
	),
	TP_printk("heap=%s bytes_alloc=%zu cpu=%u allocs=%lu frees=%lu", __get_str(heap),
		  __entry->bytes_alloc, __entry->cpu, __entry->allocs, __entry->frees)
);

#endif /* _PCSLAB_TRACE_H */

#undef TRACE_INCLUDE_PATH
#define TRACE_INCLUDE_PATH .
#undef TRACE_INCLUDE_FILE
#define TRACE_INCLUDE_FILE trace
#include <trace/define_trace.h>
