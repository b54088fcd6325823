// SPDX-License-Identifier: GPL-2.0
/*
 * Bad frees: reporting in the log what is wrong with a pointer
 *
 * Context: any. Nothing is written except the counters of bad frees.
 */
#include <linux/printk.h>
#include <linux/ratelimit.h>

#include "event.h"
#include "internal.h"
#include "page.h"

atomic_long_t pcslab_bad_frees;

static DEFINE_RATELIMIT_STATE(limit, DEFAULT_RATELIMIT_INTERVAL, DEFAULT_RATELIMIT_BURST);

/*
 * A heap that is about to be freed is not listed any more, so its bad frees are
 * counted in pcslab_bad_frees. @class: that of the memory, or NULL.
 */
static void badfree_count(struct pcslab_class *class, const void *obj, unsigned long caller)
{
	struct pcslab_heap *heap = class ? class->heap : NULL;

	pcslab_event_bad_free(heap, obj, caller);
	if (heap && (!READ_ONCE(heap->dying) || READ_ONCE(heap->zombie)))
		atomic_long_inc(&heap->bad_frees);
	else
		atomic_long_inc(&pcslab_bad_frees);
}

static const char *still(bool waits)
{
	return waits ? ", waits for a grace period" : "";
}

static void report_slab(const void *obj, struct pcslab_slab *slab)
{
	u8 *state;
	bool start = find_state(slab, obj, &state) &&
		     READ_ONCE(*state) != PCSLAB_OBJ_NONE;
	bool waits = start && READ_ONCE(*state) == PCSLAB_OBJ_RCU;
	unsigned int offset = (const char *)obj - slab->base;
	u32 size = slab->class->size, stride = slab->class->stride;

	if (start)
		pr_err("bad free of %p: already free%s (heap %s, class %u)\n",
		       obj, still(waits), slab->class->heap->name, size);
	else if (offset / stride < slab->nr)
		pr_err("bad free of %p: %u bytes into an object (heap %s, class %u)\n",
		       obj, offset % stride, slab->class->heap->name, size);
	else
		pr_err("bad free of %p: behind the last object of a slab (heap %s, class %u)\n",
		       obj, slab->class->heap->name, size);
}

static void tell_caller(unsigned long caller)
{
	pr_err("freed by %pS\n", (void *)caller);
	dump_stack();
}

static void dump_events(struct pcslab_class *class)
{
	if (class)
		pcslab_record_dump(class->heap);
}

static void badfree_report(const void *obj, struct pcslab_slab *slab,
			   struct pcslab_class *large, unsigned long caller)
{
	if (slab)
		report_slab(obj, slab);
	else if (large && (large_page_of(obj) || waiting_page_of(obj)))
		pr_err("bad free of %p: already free%s (heap %s, large object)\n", obj,
		       still(waiting_page_of(obj)), large->heap->name);
	else if (large)
		pr_err("bad free of %p: inside a large object (heap %s)\n",
		       obj, large->heap->name);
	else
		pr_err("bad free of %p: not an object of pcslab\n", obj);
	tell_caller(caller);
}

/**
 * pcslab_raced_free() - report an object that two CPUs freed at one instant
 * @class: class of the object
 * @obj: the object
 *
 * Both calls were counted as frees. The callers are not known any more. The
 * events are not dumped, because the depot's lock may be held.
 */
void pcslab_raced_free(struct pcslab_class *class, const void *obj)
{
	badfree_count(class, obj, 0);
	if (__ratelimit(&limit))
		pr_err("bad free of %p: freed by two CPUs at the same instant (heap %s, class %u)\n",
		       obj, class->heap->name, class->size);
}

/**
 * pcslab_bad_free() - refuse a free
 * @obj: any address except that of a live object
 * @caller: return address of the call
 *
 * Counted in the heap that the memory belongs to, or in pcslab_bad_frees.
 */
void pcslab_bad_free(const void *obj, unsigned long caller)
{
	struct pcslab_class *class;
	struct pcslab_slab *slab;

	pcslab_event_name(caller);
	preempt_disable();	/* keeps what slab_of() finds */
	slab = slab_of(obj);
	class = slab ? slab->class : large_class_around(obj);
	badfree_count(class, obj, caller);
	if (__ratelimit(&limit)) {
		badfree_report(obj, slab, slab ? NULL : class, caller);
		dump_events(class);
	}
	preempt_enable();
}

/**
 * pcslab_bad_free_fixed() - refuse a free to a fixed-size cache
 * @cache: the cache
 * @obj: any address that is not in a slab of @cache
 * @caller: return address of the call
 *
 * Counted as by pcslab_bad_free().
 */
void pcslab_bad_free_fixed(struct pcslab_cache *cache, const void *obj, unsigned long caller)
{
	struct pcslab_class *class;
	struct pcslab_slab *slab;

	pcslab_event_name(caller);
	preempt_disable();	/* keeps what slab_of() finds */
	slab = slab_of(obj);
	class = slab ? slab->class : large_class_around(obj);
	badfree_count(class, obj, caller);
	if (__ratelimit(&limit)) {
		pr_err("bad free of %p: not of cache %s, but %s%s\n", obj, cache->heap.name,
		       class ? "of heap " : "not of pcslab", class ? class->heap->name : "");
		tell_caller(caller);
		dump_events(class);
	}
	preempt_enable();
}
