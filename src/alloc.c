// SPDX-License-Identifier: GPL-2.0
/*
 * The calls for users, and their fast paths
 *
 * The fast paths allocate from the CPU's magazine and free into it: no lock, no
 * locked instruction, no shared cache line except the object's state byte.
 * Anything else restarts from scratch in an out-of-line slow path.
 *
 * Context: any; NMI as the public header says. No locks here.
 */
#include <linux/mm.h>
#include <linux/ratelimit.h>
#include <linux/slab.h>
#include <linux/string.h>

#include "arch.h"
#include "cache.h"
#include "compat.h"
#include "event.h"
#include "hooks.h"
#include "internal.h"
#include "lock.h"
#include "page.h"
#include "site.h"

/*
 * Classes by (size - 1) / 8, for sizes that are not compile-time constants;
 * every class is a multiple of 8. The lookup takes two instructions,
 * pcslab_class_index() takes ten. (Go's size_to_class8 is such a table.)
 */
static u8 class_of_size[PCSLAB_MAX_SIZE / 8] __ro_after_init;

void __init pcslab_alloc_init(void)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(class_of_size); i++)
		class_of_size[i] = pcslab_class_index(i * 8 + 1);
}

/*
 * The class of 1 to PCSLAB_MAX_SIZE bytes. Pointer arithmetic, not [], so that
 * UBSAN_BOUNDS adds no check here.
 */
static __always_inline unsigned long class_index(size_t size)
{
	return *(class_of_size + (size - 1) / 8);
}

/**
 * pcslab_alloc_failed() - count a failed allocation
 * @heap: the heap
 * @index: index of the class
 * @caller: return address of the call
 *
 * Context: any.
 * Return: NULL.
 */
void *pcslab_alloc_failed(struct pcslab_heap *heap, unsigned int index, unsigned long caller)
{
	pcslab_event_fail(heap, index == PCSLAB_LARGE ? 0 : pcslab_size_at(heap, index), caller);
	preempt_disable();
	atomic_long_inc(&pcslab_heap_counters(heap)->fails[index]);
	preempt_enable();
	return NULL;
}

/* Refuse allocations from a destroyed heap: its owner has a bug. */
static bool heap_refused(struct pcslab_heap *heap)
{
	static DEFINE_RATELIMIT_STATE(limit, DEFAULT_RATELIMIT_INTERVAL,
				      DEFAULT_RATELIMIT_BURST);

	if (likely(!READ_ONCE(heap->dying)))
		return false;
	if (__ratelimit(&limit)) {
		pr_err("heap %s of %s is destroyed, an allocation is refused\n",
		       heap->name, heap->owner_name);
		dump_stack();
	}
	return true;
}

static noinline void tell_of_gfp(struct pcslab_heap *heap, gfp_t gfp)
{
	static DEFINE_RATELIMIT_STATE(limit, DEFAULT_RATELIMIT_INTERVAL,
				      DEFAULT_RATELIMIT_BURST);

	if (__ratelimit(&limit))
		pr_err("heap %s: gfp %pGg asks for a zone or a cgroup, refused\n",
		       heap->name, &gfp);
}

/* A slab serves callers of all zones, so its objects are in any. */
static bool zone_refused(struct pcslab_heap *heap, gfp_t gfp)
{
	if (likely(!(gfp & GFP_ZONEMASK & ~__GFP_MOVABLE)))
		return false;
	tell_of_gfp(heap, gfp);
	return true;
}

/* A page of both DMA zones does not exist, and objects need an address. */
static bool gfp_refused(struct pcslab_heap *heap, gfp_t gfp)
{
	gfp_t zones = gfp & GFP_ZONEMASK & ~__GFP_MOVABLE;

	if (likely(!(zones & __GFP_HIGHMEM) && zones != (__GFP_DMA | __GFP_DMA32) &&
		   !(gfp & __GFP_ACCOUNT && heap->flags & PCSLAB_HEAP_NO_ACCOUNT)))
		return false;
	tell_of_gfp(heap, gfp);
	return true;
}

/**
 * pcslab_count_unaccounted() - count an object handed out for __GFP_ACCOUNT
 * @heap: the heap; with a cgroup, nothing is counted
 *
 * Context: any but NMI.
 */
void pcslab_count_unaccounted(struct pcslab_heap *heap)
{
	if (heap->flags & PCSLAB_HEAP_ACCOUNT)
		return;
	if (!atomic_long_fetch_inc(&heap->unaccounted))
		pr_info("heap %s has no cgroup: __GFP_ACCOUNT is not accounted\n",
			heap->name);
}

/*
 * False if no call can have an object, or if this one must fail (fault.c). This
 * and take_small() are inlined into the slow path: calls cost 45 instructions
 * there.
 */
static __always_inline bool heap_serves(struct pcslab_heap *heap, size_t size, gfp_t gfp)
{
	return !pcslab_must_defer() && !heap_refused(heap) &&
	       !pcslab_should_fail_call(heap, size, gfp);
}

/**
 * pcslab_may_alloc() - find out whether an allocation is refused
 * @heap: the heap
 * @size: bytes wanted
 * @gfp: the caller's
 *
 * Context: any.
 * Return: false if it is; the log says why, unless fault injection did it.
 */
bool pcslab_may_alloc(struct pcslab_heap *heap, size_t size, gfp_t gfp)
{
	return !gfp_refused(heap, gfp) && heap_serves(heap, size, gfp);
}

/*
 * The last steps before the caller gets the object. A @size of 0 stands for the
 * size of the class.
 */
static __always_inline void *hand_out(struct pcslab_class *class, void *obj, size_t size, gfp_t gfp)
{
	shadow_unpoison(obj, class->size);
	if (pcslab_must_zero(class->flags, gfp))
		memset(obj, 0, class->size);
	hook_alloc(obj, size ?: class->size, class->size, gfp);
	return obj;
}

/* Out of line; otherwise gcc reserves registers for the size. */
static noinline void *alloc_zero(void *obj, unsigned long index)
{
	return memset(obj, 0, pcslab_class_size(index));
}

/* hand_out() for the fast path, which has not loaded the class. */
static __always_inline void *hand_out_fast(struct pcslab_heap *heap, unsigned long index,
					   void *obj, size_t size, gfp_t gfp)
{
	if (HOOKS_ENABLED)
		return hand_out(pcslab_class_at(heap, index), obj, size, gfp);
	if (unlikely(want_init_on_alloc(gfp)))
		return alloc_zero(obj, index);
	return obj;
}

static void *take_large(struct pcslab_heap *heap, size_t size, gfp_t gfp, int node,
			unsigned long caller)
{
	void *obj = pcslab_large_alloc(heap, size, gfp, pcslab_node_wanted(node));

	if (!obj)
		return NULL;
	if (heap->flags & PCSLAB_HEAP_TRACK)
		pcslab_track_alloc(obj, caller);
	pcslab_event_alloc(heap, obj, size, PAGE_SIZE << get_order(size), gfp, node, caller);
	return obj;
}

/* Allocate an object with its own pages. */
static void *alloc_pages_of(struct pcslab_heap *heap, size_t size, gfp_t gfp, int node,
			    unsigned long caller)
{
	void *obj = NULL;

	if (pcslab_may_alloc(heap, size, gfp))
		obj = take_large(heap, size, gfp & ~__GFP_ACCOUNT, node, caller);
	if (!obj)
		return pcslab_alloc_failed(heap, PCSLAB_LARGE, caller);
	if (unlikely(gfp & __GFP_ACCOUNT))
		pcslab_count_unaccounted(heap);
	return obj;
}

static __always_inline void *take_small(struct pcslab_heap *heap, unsigned long index,
					size_t size, gfp_t gfp, int node,
					unsigned long caller)
{
	struct pcslab_class *class;
	void *obj;

	class = pcslab_class_at(heap, index) ?: pcslab_class_make(heap, index, gfp);
	if (!class)
		return NULL;

	node = pcslab_node_wanted(node);
	obj = pcslab_cpu_alloc(class, gfp, node, true) ?:
	      pcslab_depot_alloc(class, gfp, node);
	if (!obj)
		return NULL;
	if (heap->flags & PCSLAB_CHECKED)
		pcslab_check_alloc(slab_of(obj), obj, caller);
	else if (heap->flags & PCSLAB_HEAP_TRACK)
		pcslab_track_alloc(obj, caller);
	obj = hand_out(class, obj, size, gfp);
	if (heap->flags & PCSLAB_HEAP_REDZONE)
		pcslab_check_fence(slab_of(obj), obj, size ?: class->size);
	pcslab_event_alloc(heap, obj, size ?: class->size, class->size, gfp, node, caller);
	return obj;
}

/*
 * Allocate from this CPU's magazine and record the call, in a heap with
 * tracking. NULL if the magazine is empty, or if a call has more to do.
 */
static __always_inline void *take_tracked(struct pcslab_heap *heap, unsigned long index,
					  size_t size, gfp_t gfp, unsigned long caller)
{
	struct pcslab_class *class = pcslab_class_at(heap, index);
	struct pcslab_site *site = NULL;
	struct pcslab_slab *slab;
	void *obj;
	u8 *state;

	if (!class || hooks_forbidden())
		return NULL;
	obj = cache_take(class->caches, &state);
	if (unlikely(!obj))
		return NULL;
	if (likely(heap->callers == 1))
		site = site_of_call(caller);
	slab = slab_of(obj);
	pcslab_track_store(slab, state - slab->state,
			   site ?: pcslab_site_above(caller, heap->callers));
	return hand_out(class, obj, size, gfp);
}

static noinline void *alloc_full(struct pcslab_heap *heap, unsigned long index,
				 gfp_t gfp, int node, size_t size, unsigned long caller)
{
	void *obj = NULL;

	if (heap_serves(heap, pcslab_class_size(index), gfp))
		obj = take_small(heap, index, size, gfp, node, caller);
	return obj ?: pcslab_alloc_failed(heap, index, caller);
}

/* In a function of its own, so that other heaps save no registers for it. */
static noinline void *alloc_tracked(struct pcslab_heap *heap, unsigned long index,
				    gfp_t gfp, int node, size_t size, unsigned long caller)
{
	return take_tracked(heap, index, size, gfp, caller) ?:
	       alloc_full(heap, index, gfp, node, size, caller);
}

/* @index is a long, so that the fast path need not convert it to an int. */
static noinline void *alloc_slow(struct pcslab_heap *heap, unsigned long index,
				 gfp_t gfp, int node, size_t size, unsigned long caller)
{
	if (heap->flags & PCSLAB_HEAP_TRACK && node == NUMA_NO_NODE)
		return alloc_tracked(heap, index, gfp, node, size, caller);
	return alloc_full(heap, index, gfp, node, size, caller);
}

static void *alloc_special(struct pcslab_heap *heap, unsigned long index, gfp_t gfp,
			   int node, size_t size, unsigned long caller);

/*
 * @plain: @gfp is not special and does not ask for zeroes.
 * @caller: for reports; 0 for the return address, which an argument would load
 *	on the fast path.
 */
static __always_inline void *alloc_class(struct pcslab_heap *heap, unsigned long index,
					 size_t size, gfp_t gfp, bool plain,
					 unsigned long caller)
{
	struct pcslab_cpu *c;
	void *obj;

	check_context(gfp);
	if (!plain && unlikely(gfp & PCSLAB_GFP_SPECIAL))
		return alloc_special(heap, index, gfp, NUMA_NO_NODE, size, caller ?: _RET_IP_);
	if (hooks_forbidden())
		goto slow;

	preempt_disable();
	c = raw_cpu_read(*(heap->slots + index));
	if (unlikely(!guard_enter(c)))
		goto slow_preempt;
	obj = cache_next(c);
	if (unlikely(!obj))
		goto slow_guarded;
	cache_pop(c);
	guard_exit(c);
	preempt_enable();
	return hand_out_fast(heap, index, obj, size, plain ? 0 : gfp);

slow_guarded:
	guard_exit(c);
slow_preempt:
	preempt_enable();
slow:
	return alloc_slow(heap, index, gfp, NUMA_NO_NODE, size, caller ?: _RET_IP_);
}

/* What a heap has a cgroup for is as fast as an allocation without the flag. */
static noinline void *alloc_special(struct pcslab_heap *heap, unsigned long index, gfp_t gfp,
				    int node, size_t size, unsigned long caller)
{
	gfp_t plain = gfp & ~__GFP_ACCOUNT;
	void *obj;

	if (gfp_refused(heap, gfp))
		return pcslab_alloc_failed(heap, index, caller);
	if (gfp & (__GFP_DMA | __GFP_DMA32))
		return alloc_pages_of(heap, size ?: pcslab_class_size(index), gfp, node, caller);
	if (heap->flags & PCSLAB_HEAP_ACCOUNT && node == NUMA_NO_NODE)
		return alloc_class(heap, index, size, plain, false, caller);
	obj = alloc_slow(heap, index, plain, node, size, caller);
	if (obj)
		pcslab_count_unaccounted(heap);
	return obj;
}

/*
 * The size is there for the caller's compiler. It is not used here, because it
 * would take one register too many.
 */
void *__pcslab_alloc_class(struct pcslab_heap *heap, unsigned long index, gfp_t gfp,
			   size_t unused)
{
	return alloc_class(heap, index, 0, gfp, false, 0);
}
EXPORT_SYMBOL_NS_GPL(__pcslab_alloc_class, "PCSLAB");

void *__pcslab_alloc_plain(struct pcslab_heap *heap, unsigned long index, gfp_t gfp,
			   size_t unused)
{
	return alloc_class(heap, index, 0, gfp, true, 0);
}
EXPORT_SYMBOL_NS_GPL(__pcslab_alloc_plain, "PCSLAB");

void *__pcslab_alloc_account(struct pcslab_heap *heap, unsigned long index, gfp_t gfp,
			     size_t unused)
{
	if (unlikely(!(heap->flags & PCSLAB_HEAP_ACCOUNT)))
		return alloc_special(heap, index, gfp, NUMA_NO_NODE, 0, _RET_IP_);
	return alloc_class(heap, index, 0, gfp, true, 0);
}
EXPORT_SYMBOL_NS_GPL(__pcslab_alloc_account, "PCSLAB");

/* Allocate a zero-sized or a large object. */
static noinline void *alloc_other(struct pcslab_heap *heap, size_t size,
				  gfp_t gfp, int node, unsigned long caller)
{
	return size ? alloc_pages_of(heap, size, gfp, node, caller) : ZERO_SIZE_PTR;
}

/**
 * pcslab_take() - allocate an object, but count no failure
 * @heap: the heap, for which pcslab_may_alloc() is true
 * @size: bytes wanted, not 0
 * @gfp: as for pcslab_alloc_node()
 * @node: same
 * @caller: as for pcslab_alloc_for()
 *
 * Context: as pcslab_alloc(), but not NMI.
 * Return: the object, or NULL.
 */
void *pcslab_take(struct pcslab_heap *heap, size_t size, gfp_t gfp, int node,
		  unsigned long caller)
{
	if (size > PCSLAB_MAX_SIZE)
		return take_large(heap, size, gfp, node, caller);
	return take_small(heap, class_index(size), size, gfp, node, caller);
}

/**
 * pcslab_alloc_fixed() - allocate from a fixed-size cache, on the slow path
 * @cache: the cache
 * @gfp: as for pcslab_cache_alloc()
 * @caller: as for pcslab_alloc_for()
 *
 * Context: as pcslab_alloc().
 * Return: as pcslab_alloc().
 */
void *pcslab_alloc_fixed(struct pcslab_cache *cache, gfp_t gfp, unsigned long caller)
{
	struct pcslab_heap *heap = &cache->heap;
	size_t size = cache->fixed.size;
	void *obj = NULL;

	if (heap->flags & PCSLAB_HEAP_TRACK && !(gfp & PCSLAB_GFP_SPECIAL))
		obj = take_tracked(heap, 0, size, gfp, caller);
	if (obj)
		return obj;
	if (!zone_refused(heap, gfp) && !gfp_refused(heap, gfp) && heap_serves(heap, size, gfp))
		obj = take_small(heap, 0, size, gfp & ~__GFP_ACCOUNT, NUMA_NO_NODE, caller);
	if (!obj)
		return pcslab_alloc_failed(heap, 0, caller);
	if (unlikely(gfp & __GFP_ACCOUNT))
		pcslab_count_unaccounted(heap);
	return obj;
}

void *__pcslab_alloc(struct pcslab_heap *heap, size_t size, gfp_t gfp)
{
	if (unlikely(size - 1 >= PCSLAB_MAX_SIZE))
		return alloc_other(heap, size, gfp, NUMA_NO_NODE, _RET_IP_);
	return alloc_class(heap, class_index(size), size, gfp, false, 0);
}
EXPORT_SYMBOL_NS_GPL(__pcslab_alloc, "PCSLAB");

/**
 * pcslab_alloc_for() - allocate any size on any node, for a call of pcslab
 * @heap: as for pcslab_alloc_node()
 * @size: same
 * @gfp: same
 * @node: same
 * @caller: return address of that call, which tracking and checks record
 *
 * Context: as pcslab_alloc().
 * Return: as pcslab_alloc().
 */
void *pcslab_alloc_for(struct pcslab_heap *heap, size_t size, gfp_t gfp, int node,
		       unsigned long caller)
{
	if (unlikely(size - 1 >= PCSLAB_MAX_SIZE))
		return alloc_other(heap, size, gfp, node, caller);
	if (node == NUMA_NO_NODE)
		return alloc_class(heap, class_index(size), size, gfp, false, caller);
	check_context(gfp);
	if (unlikely(gfp & PCSLAB_GFP_SPECIAL))
		return alloc_special(heap, class_index(size), gfp, node, size, caller);
	return alloc_slow(heap, class_index(size), gfp, node, size, caller);
}

/**
 * pcslab_alloc_node() - allocate an object on a node
 * @heap: the heap to take it from
 * @size: bytes wanted
 * @gfp: as for pcslab_alloc(); with __GFP_THISNODE no other node will do
 * @node: NUMA node, or NUMA_NO_NODE for the local one; a node without memory
 *	counts as NUMA_NO_NODE
 *
 * With NUMA_NO_NODE this is pcslab_alloc(). For the local node it takes the
 * slow path of pcslab_alloc(); for another node it takes the lock of that
 * node's depot.
 *
 * Context: as pcslab_alloc().
 * Return: as pcslab_alloc().
 */
void *pcslab_alloc_node(struct pcslab_heap *heap, size_t size, gfp_t gfp, int node)
{
	return pcslab_alloc_for(heap, size, gfp, node, _RET_IP_);
}
EXPORT_SYMBOL_NS_GPL(pcslab_alloc_node, "PCSLAB");

/*
 * Take the object from the caller. Returns true for one call only; but in a
 * heap without checks two CPUs that free the same object at the same instant
 * may both get true.
 */
static bool free_claim(struct pcslab_slab *slab, u8 *state)
{
	if (slab->class->flags & PCSLAB_CHECKED)
		return pcslab_claim(state, PCSLAB_OBJ_CACHED);
	if (!pcslab_has_owner(READ_ONCE(*state)))
		return false;
	WRITE_ONCE(*state, PCSLAB_OBJ_CACHED);
	return true;
}

/* True if a claimed object must be zeroed. Poison has overwritten it. */
static bool must_zero(const struct pcslab_slab *slab, bool wipe)
{
	u8 flags = slab->class->flags;

	return (want_init_on_free() && !(flags & PCSLAB_LASTING)) ||
	       (wipe && !(flags & PCSLAB_HEAP_POISON));
}

static __always_inline void free_claimed(struct pcslab_slab *slab, void *obj, u8 *state,
					 unsigned long caller, bool wipe)
{
	pcslab_event_free(slab->class->heap, obj, slab->class->size, caller);
	if (slab->class->flags & PCSLAB_CHECKED)
		pcslab_check_free(slab, obj, caller);
	if (must_zero(slab, wipe)) {
		shadow_unpoison(obj, slab->class->size);
		memzero_explicit(obj, slab->class->size);
	}
	if (pcslab_must_defer()) {
		pcslab_defer_slab(slab, state);
		return;
	}
	hook_free(obj, slab->class);
	if (!pcslab_cpu_free(slab, obj, state))
		pcslab_depot_free(slab, obj, state);
}

/**
 * pcslab_free_waiting() - free an object that waited for a grace period
 * @slab: slab of the object
 * @obj: the object
 * @state: its state
 *
 * The object goes from the waiting state to the claimed one in one step, so a
 * free that is made at the same time is refused. The call that freed the object
 * is not known any more: reports of damage name this function.
 *
 * Context: as pcslab_free().
 * Return: false if the object does not wait.
 */
bool pcslab_free_waiting(struct pcslab_slab *slab, void *obj, u8 *state)
{
	if (cmpxchg(state, PCSLAB_OBJ_RCU, PCSLAB_OBJ_CACHED) != PCSLAB_OBJ_RCU)
		return false;
	free_claimed(slab, obj, state, _THIS_IP_, false);
	return true;
}

/*
 * Free an object of any kind. With @wipe its contents are destroyed, whatever
 * the options are; and not before it is claimed.
 */
static __always_inline void free_any(const void *obj, unsigned long caller, bool wipe)
{
	struct pcslab_slab *slab;
	u8 *state;

	if (ZERO_OR_NULL_PTR(obj) || pcslab_large_free(obj, caller, wipe))
		return;
	preempt_disable();	/* keeps slab until the claim pins it */
	slab = slab_of(obj);
	if (!slab || !find_state(slab, obj, &state) || !free_claim(slab, state)) {
		preempt_enable();
		pcslab_bad_free(obj, caller);
		return;
	}
	preempt_enable();
	free_claimed(slab, (void *)obj, state, caller, wipe);
}

/**
 * pcslab_free_for() - free on the slow path, for a call of pcslab
 * @obj: as for pcslab_free()
 * @caller: return address of that call, for reports
 *
 * Context: as pcslab_free().
 */
noinline void pcslab_free_for(const void *obj, unsigned long caller)
{
	free_any(obj, caller, false);
}

/*
 * The steps of a free
 *
 * 1. The address leads to its struct page, and this to the slab (page.h:
 *    find_page(), find_slab()).
 * 2. The offset in the slab leads to the object's state byte, if an object
 *    starts there (page.h: find_state()).
 * 3. The slab's slots lead to this CPU's cache of the class, or to a guard that
 *    is always held (cache.h: cache_free(); slots.c).
 * 4. The guard is taken (cache.h: guard_enter()).
 * 5. The object must be live, the magazine must have room, and the object must
 *    be of the CPU's node (cache.h: cache_takes()).
 * 6. KASAN and kmemleak are told (hooks.h: hook_free()).
 * 7. The state becomes cached, the object goes into the magazine, and the free
 *    is counted (cache.h: cache_push(); internal.h: pcslab_word() chooses the
 *    word; arch.h: word_inc_release()).
 * 8. The guard is released (cache.h: guard_exit()).
 *
 * If a step fails, nothing has been changed but the guard, which is released.
 * Then pcslab_free_for() starts from scratch:
 *
 * 1. A large object goes to large.c.
 * 2. Address, slab and state are found as above. The state is claimed, so that
 *    the object is this call's alone; if that fails, it is a bad free
 *    (badfree.c).
 * 3. Patterns are checked (check.c), or the object is zeroed (init_on_free).
 * 4. A call that must not wait for a lock defers the rest (nmi.c).
 * 5. The object goes into a magazine of this CPU, for which a full one may go
 *    to the depot (cache.c); otherwise into its slab (depot.c).
 */

/* The first of the two lists above; false if one of its steps fails. */
static __always_inline bool free_at_once(const void *obj)
{
	struct pcslab_slab *slab;
	u8 *state;

	if (hooks_forbidden())
		return false;

	preempt_disable();
	if (unlikely(!find_slab(obj, &slab) || !find_state(slab, obj, &state) ||
		     !cache_free(slab, obj, state))) {
		preempt_enable();
		return false;
	}
	preempt_enable();
	return true;
}

/**
 * pcslab_free() - give an object back
 * @obj: object that any allocation of any heap returned, NULL or ZERO_SIZE_PTR
 *
 * Any other pointer is refused: memory that is not pcslab's, an address inside
 * an object, an object that is free already or waits for a grace period. The
 * refusal is logged with the heap, the class and a stack (ratelimited) and
 * counted in the heap's bad_frees, and nothing is changed. Two CPUs that free
 * one object at the same instant are only detected in a heap with checks; for
 * large objects, always.
 *
 * Context: any, including NMI. In NMI, and in a tracer's callback under a lock
 *	of pcslab, an irq_work soon frees what the magazine cannot take. On
 *	PREEMPT_RT, as for kfree(), not with preemption or interrupts off. Does
 *	not sleep.
 */
void pcslab_free(const void *obj)
{
	if (!free_at_once(obj))
		pcslab_free_for(obj, _RET_IP_);
}
EXPORT_SYMBOL_NS_GPL(pcslab_free, "PCSLAB");

/**
 * __pcslab_owns() - find out whether memory is pcslab's
 * @addr: any address
 *
 * Also true between objects and in free ones, so that a bad free of such an
 * address is given to pcslab, which refuses it.
 *
 * Context: any.
 * Return: true if @addr is in a slab or in a large object that is not free.
 */
bool __pcslab_owns(const void *addr)
{
	bool owns;

	if (ZERO_OR_NULL_PTR(addr))
		return false;
	preempt_disable();	/* keeps what is found until its class is read */
	owns = slab_of(addr) || large_class_around(addr);
	preempt_enable();
	return owns;
}
EXPORT_SYMBOL_NS_GPL(__pcslab_owns, "PCSLAB");

/**
 * __pcslab_try_free() - give an object back if it is pcslab's
 * @obj: any address; NULL and ZERO_SIZE_PTR are fine
 *
 * As fast as pcslab_free() for an object that it takes.
 *
 * Context: as pcslab_free().
 * Return: false if the address is not pcslab's; nothing is done then. Otherwise
 *	the object was freed, or its free refused.
 */
bool __pcslab_try_free(const void *obj)
{
	if (likely(free_at_once(obj)) || ZERO_OR_NULL_PTR(obj))
		return true;
	if (!__pcslab_owns(obj))
		return false;
	pcslab_free_for(obj, _RET_IP_);
	return true;
}
EXPORT_SYMBOL_NS_GPL(__pcslab_try_free, "PCSLAB");

/**
 * pcslab_free_sensitive() - destroy the contents of an object and give it back
 * @obj: as for pcslab_free()
 *
 * The whole usable size is overwritten: with zeroes, or in a heap with
 * PCSLAB_HEAP_POISON with the pattern. The object is checked first as by
 * pcslab_free(), so that a bad free writes nothing. This is kfree_sensitive()
 * for objects of pcslab.
 *
 * Context: as pcslab_free(). Takes the slow path, and the time to overwrite the
 *	object.
 */
void pcslab_free_sensitive(const void *obj)
{
	free_any(obj, _RET_IP_, true);
}
EXPORT_SYMBOL_NS_GPL(pcslab_free_sensitive, "PCSLAB");

/**
 * pcslab_size_roundup() - bytes that an object of this size will have
 * @size: bytes wanted
 *
 * The rules are those of kmalloc_size_roundup(). A caller that can use all of
 * an object asks before it allocates, and allocates the returned size.
 *
 * Context: any.
 * Return: bytes, what pcslab_usable_size() of the object will be; @size itself
 *	if it is 0 or too large to be allocated.
 */
size_t pcslab_size_roundup(size_t size)
{
	if (!size || size > (PAGE_SIZE << MAX_PAGE_ORDER))
		return size;
	if (size > PCSLAB_MAX_SIZE)
		return PAGE_SIZE << get_order(size);
	return pcslab_class_size(class_index(size));
}
EXPORT_SYMBOL_NS_GPL(pcslab_size_roundup, "PCSLAB");

/**
 * pcslab_usable_size() - bytes that the caller may use of an object
 * @obj: a live object of any heap, NULL or ZERO_SIZE_PTR
 *
 * In a heap with PCSLAB_HEAP_REDZONE this call checks the bytes past the
 * requested size as pcslab_free() does, zeroes them, and gives them to the
 * caller. So nobody may write to them during the call.
 *
 * FORTIFY_SOURCE allows no access past the requested size where it sees the
 * allocating call. pcslab_realloc() to the usable size leaves the object where
 * it is, and also tells the compiler.
 *
 * Context: any. The object must not be freed meanwhile.
 * Return: bytes: the size of its class, or of the pages of a large object; 0
 *	for NULL, ZERO_SIZE_PTR and anything that is not a live object of
 *	pcslab.
 */
size_t pcslab_usable_size(const void *obj)
{
	struct pcslab_slab *slab;
	size_t size = 0;
	u8 *state;

	preempt_disable();
	slab = slab_of(obj);
	if (!slab) {
		size = pcslab_large_size(obj);
	} else {
		if (find_state(slab, obj, &state) && pcslab_has_owner(READ_ONCE(*state)))
			size = slab->class->size;
	}
	if (size)
		shadow_unpoison(obj, size);
	if (size && slab && slab->class->flags & PCSLAB_HEAP_REDZONE)
		pcslab_check_open(slab, (void *)obj, _RET_IP_);
	preempt_enable();
	return size;
}
EXPORT_SYMBOL_NS_GPL(pcslab_usable_size, "PCSLAB");

/**
 * pcslab_heap_of() - the heap an object belongs to
 * @obj: any address
 *
 * An object of a fixed-size cache belongs to the cache's heap.
 *
 * Context: any.
 * Return: the heap, or NULL if no live object of pcslab starts at @obj. The
 *	answer holds as long as the object is not freed.
 */
struct pcslab_heap *pcslab_heap_of(const void *obj)
{
	struct pcslab_class *class = NULL;
	struct pcslab_heap *heap = NULL;
	struct pcslab_slab *slab;
	u8 *state;

	preempt_disable();	/* keeps slab and class */
	slab = slab_of(obj);
	if (slab) {
		if (find_state(slab, obj, &state) && pcslab_has_owner(READ_ONCE(*state)))
			class = slab->class;
	} else {
		class = large_class_of(obj);
	}
	if (class)
		heap = pcslab_root(class->heap);
	preempt_enable();
	return heap;
}
EXPORT_SYMBOL_NS_GPL(pcslab_heap_of, "PCSLAB");

/*
 * Leave the caller @size of the @full bytes of an object, all of which must be
 * accessible.
 */
static void alloc_resize(struct pcslab_heap *heap, void *obj, size_t size, size_t full, gfp_t gfp)
{
	if (want_init_on_alloc(gfp))
		memset(obj + size, 0, full - size);
	shadow_trim(obj, size, full);
	if (heap->flags & PCSLAB_HEAP_REDZONE && slab_of(obj))
		pcslab_check_fence(slab_of(obj), obj, size);
}

/**
 * pcslab_realloc_for() - change the size of an object, for a call of pcslab
 * @heap: as for pcslab_realloc()
 * @obj: same
 * @size: same
 * @gfp: same
 * @node: where a new object should be, as for pcslab_alloc_node()
 * @caller: return address of that call, which tracking and checks record
 * @alloc: allocates a new object
 *
 * Context: as pcslab_alloc().
 * Return: as pcslab_realloc().
 */
void *pcslab_realloc_for(struct pcslab_heap *heap, const void *obj, size_t size, gfp_t gfp,
			 int node, unsigned long caller, pcslab_alloc_fn alloc)
{
	size_t old;
	void *new;

	if (!size) {
		pcslab_free_for(obj, caller);
		return ZERO_SIZE_PTR;
	}
	if (ZERO_OR_NULL_PTR(obj))
		return alloc(heap, size, gfp, node, caller);
	old = pcslab_usable_size(obj);
	if (!old) {
		pcslab_bad_free(obj, caller);
		return NULL;
	}
	if (size <= old && pcslab_heap_of(obj) == heap) {
		alloc_resize(heap, (void *)obj, size, old, gfp);
		return (void *)obj;
	}

	new = alloc(heap, size, gfp, node, caller);
	if (new) {
		memcpy(new, obj, min(size, old));
		pcslab_free_for(obj, caller);
	}
	return new;
}

/**
 * pcslab_realloc() - change the size of an object
 * @heap: the heap the result must belong to
 * @obj: an object of any heap, NULL or ZERO_SIZE_PTR
 * @size: bytes wanted
 * @gfp: as for pcslab_alloc()
 *
 * The rules are those of krealloc(): the content is kept up to the smaller of
 * both sizes; NULL allocates; a @size of 0 frees; an object of this heap that
 * has room stays where it is. On failure @obj is unchanged. A bad @obj is
 * refused and counted like a bad free, not as a failed allocation.
 *
 * With __GFP_ZERO or init_on_alloc the call zeroes all bytes from @size to the
 * usable size if the object stays, and all bytes from the old usable size to
 * the new one if it moves. So if a buffer was allocated and always reallocated
 * with __GFP_ZERO, all bytes that it grows by are zero.
 *
 * Context: as pcslab_alloc().
 * Return: the object, ZERO_SIZE_PTR for a @size of 0, or NULL.
 */
void *pcslab_realloc(struct pcslab_heap *heap, const void *obj, size_t size, gfp_t gfp)
{
	return pcslab_realloc_for(heap, obj, size, gfp, NUMA_NO_NODE, _RET_IP_, pcslab_alloc_for);
}
EXPORT_SYMBOL_NS_GPL(pcslab_realloc, "PCSLAB");
