// SPDX-License-Identifier: GPL-2.0
/*
 * Many objects in one call
 *
 * Both calls take the guard of the CPU's cache once for as many objects as its
 * loaded magazine has or has room for, and count them with one addition. That
 * also bounds the time with preemption off. An object that the magazine can't
 * serve goes through the ordinary call, which refills or flushes the magazine,
 * and does all that is special: other kinds of heaps and objects, checks,
 * tracking, bad frees, failures.
 *
 * All that is handed out or taken back under the guard is counted in one word,
 * chosen before the guard is released, so an exact read has all of it or none
 * of it (stats.c). An interrupt finds the guard held, as in a single call.
 *
 * Context: any; no locks here.
 */
#include <linux/limits.h>
#include <linux/slab.h>
#include <linux/string.h>

#include "arch.h"
#include "cache.h"
#include "hooks.h"
#include "internal.h"
#include "page.h"

/*
 * Hand out objects of the loaded magazine until it is empty or @end is reached.
 * Returns the first place that is not filled.
 */
static __always_inline void **pop_run(struct pcslab_cpu *c, void **objs, void **end)
{
	struct pcslab_round *round = c->top - 1;
	void **to;

	/* There is a NULL below the first round. */
	for (to = objs; to < end && round->obj; to++, round--) {
		WRITE_ONCE(*round->state, PCSLAB_OBJ_LIVE);
		*to = round->obj;
	}
	WRITE_ONCE(c->top, round + 1);
	word_add(pcslab_word(c->guarded.allocs), to - objs);
	return to;
}

/* Out of line; otherwise gcc reserves registers for the loop. */
static noinline size_t zero_run(size_t size, void **objs, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++)
		memset(objs[i], 0, size);
	return n;
}

/* Take up to @n objects that this CPU has. Returns their number. */
static __always_inline size_t take_slot(struct pcslab_cpu * __percpu *slot, void **objs, size_t n)
{
	struct pcslab_cpu *c;
	size_t taken = 0;

	preempt_disable();
	c = raw_cpu_read(*slot);
	if (likely(guard_enter(c))) {
		taken = pop_run(c, objs, objs + n) - objs;
		guard_exit(c);
	}
	preempt_enable();
	return taken;
}

/* Allocate up to @n objects that this CPU has. Returns their number. */
static __always_inline size_t take_run(struct pcslab_heap *heap, unsigned long index, gfp_t gfp,
				       void **objs, size_t n)
{
	size_t taken = take_slot(heap->slots + index, objs, n);

	if (likely(!want_init_on_alloc(gfp)))
		return taken;
	return zero_run(pcslab_class_size(index), objs, taken);
}

/* True if objects may come from the magazine without the ordinary call. */
static __always_inline bool may_take(size_t size, gfp_t gfp)
{
	/* KASAN and kmemleak must know each object. */
	return !HOOKS_ENABLED && size - 1 < PCSLAB_MAX_SIZE && !(gfp & PCSLAB_GFP_SPECIAL);
}

/*
 * Go on when the magazine is empty, or may not be used: the ordinary call gets
 * an object and refills the magazine. The first @got objects are there.
 */
static noinline int alloc_rest(struct pcslab_heap *heap, size_t size, gfp_t gfp, size_t n,
			       void **objs, size_t got, unsigned long caller)
{
	size_t taken;

	for (; got < n; got += taken) {
		objs[got] = pcslab_alloc_for(heap, size, gfp, NUMA_NO_NODE, caller);
		if (!objs[got]) {
			pcslab_free_bulk(got, objs);
			return 0;
		}
		got++;
		taken = 0;
		if (may_take(size, gfp))
			taken = take_run(heap, pcslab_class_index(size), gfp, objs + got, n - got);
	}
	return n;
}

/**
 * pcslab_alloc_bulk() - allocate many objects of one size, all or none
 * @heap: the heap to take them from
 * @size: bytes of each
 * @gfp: as for pcslab_alloc()
 * @n: number of objects
 * @objs: filled with @n objects
 *
 * The objects are like those of pcslab_alloc(), and may be freed in any way.
 * This is kmem_cache_alloc_bulk() for heaps; later kernels have that return a
 * bool, which for the caller is the same.
 *
 * If memory is short, the objects that were allocated are freed again, and
 * counted like any others as allocated and freed. The object that was not to be
 * had is counted in the heap's fails, as one.
 *
 * Context: as pcslab_alloc().
 * Return: @n, or 0 if not all of them could be allocated; then the contents of
 *	@objs are undefined.
 */
int pcslab_alloc_bulk(struct pcslab_heap *heap, size_t size, gfp_t gfp, size_t n, void **objs)
{
	size_t got = 0;

	check_context(gfp);
	if (likely(may_take(size, gfp)))
		got = take_run(heap, pcslab_class_index(size), gfp, objs, n);
	return likely(got == n) ? n : alloc_rest(heap, size, gfp, n, objs, got, _RET_IP_);
}
EXPORT_SYMBOL_NS_GPL(pcslab_alloc_bulk, "PCSLAB");

/*
 * Free objects that are in @slab, the first of which is at @obj, until the
 * loaded magazine does not take one. Returns the place of the first that is not
 * freed.
 */
static __always_inline void **push_slab(struct pcslab_cpu *c, struct pcslab_slab *slab,
					void **obj, void **end)
{
	unsigned long base = (unsigned long)slab->base, bytes = PAGE_SIZE << slab->order;
	u8 *state;

	do {
		if (!find_state(slab, *obj, &state) || !cache_takes(c, slab, state))
			break;
		hook_free(*obj, slab->class);
		cache_put(c, *obj, state);
		obj++;
	} while (obj < end && (unsigned long)*obj - base < bytes);
	return obj;
}

/*
 * The same with all objects of the class of @slab, which has the first one. A
 * slab that was found stays as long as preemption is off.
 */
static __always_inline void **push_run(struct pcslab_cpu *c, struct pcslab_slab *slab,
				       void **objs, void **end)
{
	struct pcslab_cpu * __percpu *caches = slab->caches;
	void **obj = objs, **from;

	do {
		from = obj;
		obj = push_slab(c, slab, from, end);
	} while (obj > from && obj < end && find_slab(*obj, &slab) && slab->caches == caches);
	/*
	 * The index must be read after the objects were got, as in a single
	 * free (page.h: find_slab()). Release: pairs as in cache_push().
	 */
	smp_rmb();
	word_add_release(pcslab_word(c->guarded.frees), obj - objs);
	return obj;
}

/*
 * Free up to @n objects into this CPU's magazine, those of @cache only unless
 * that is NULL. Returns their number.
 */
static __always_inline size_t put_run(const struct pcslab_cache *cache, void **objs, size_t n)
{
	struct pcslab_slab *slab;
	struct pcslab_cpu *c;
	size_t put = 0;

	if (hooks_forbidden())
		return 0;
	preempt_disable();
	if (likely(find_slab(objs[0], &slab) && (!cache || slab->caches == cache->heap.caches))) {
		c = raw_cpu_read(*slab->caches);
		if (likely(guard_enter(c))) {
			put = push_run(c, slab, objs, objs + n) - objs;
			guard_exit(c);
		}
	}
	preempt_enable();
	return put;
}

/* Go on with an object that the magazine did not take. */
static noinline void free_rest(void **objs, size_t n, unsigned long caller)
{
	size_t put;

	for (; n; n -= put, objs += put) {
		pcslab_free_for(*objs++, caller);
		n--;
		put = n ? put_run(NULL, objs, n) : 0;
	}
}

/**
 * pcslab_free_bulk() - give many objects back
 * @n: number of pointers
 * @objs: pointers as pcslab_free() takes them, of any heaps and sizes, NULL
 *	included; those of one size are freed fastest if they follow each other
 *
 * As many calls of pcslab_free(): a pointer that must not be freed is refused
 * as there, and all others are freed. This is kfree_bulk() for objects of
 * pcslab.
 *
 * Context: as pcslab_free().
 */
void pcslab_free_bulk(size_t n, void **objs)
{
	size_t put = likely(n) ? put_run(NULL, objs, n) : 0;

	if (unlikely(put < n))
		free_rest(objs + put, n - put, _RET_IP_);
}
EXPORT_SYMBOL_NS_GPL(pcslab_free_bulk, "PCSLAB");

/* Allocate up to @n objects of a fixed-size cache that this CPU has. */
static __always_inline size_t take_fixed(struct pcslab_cache *cache, gfp_t gfp, void **objs,
					 size_t n)
{
	size_t taken;

	if (HOOKS_ENABLED || unlikely(gfp & PCSLAB_GFP_SPECIAL))
		return 0;
	taken = take_slot(cache->heap.slots, objs, n);
	if (unlikely(pcslab_must_zero(cache->heap.flags, gfp)))
		return zero_run(cache->fixed.size, objs, taken);
	return taken;
}

/* As alloc_rest(). */
static noinline int alloc_fixed_rest(struct pcslab_cache *cache, gfp_t gfp, size_t n, void **objs,
				     size_t got, unsigned long caller)
{
	for (; got < n; got += take_fixed(cache, gfp, objs + got, n - got)) {
		objs[got] = pcslab_alloc_fixed(cache, gfp, caller);
		if (!objs[got]) {
			pcslab_cache_free_bulk(cache, got, objs);
			return 0;
		}
		got++;
	}
	return n;
}

/**
 * pcslab_cache_alloc_bulk() - allocate many objects of a cache, all or none
 * @cache: the cache
 * @gfp: as for pcslab_cache_alloc()
 * @n: number of objects
 * @objs: filled with @n objects
 *
 * This is kmem_cache_alloc_bulk(). What pcslab_alloc_bulk() says of failures is
 * true here too.
 *
 * Context: as pcslab_cache_alloc().
 * Return: @n, or 0 if not all of them could be allocated; then the contents of
 *	@objs are undefined.
 */
int pcslab_cache_alloc_bulk(struct pcslab_cache *cache, gfp_t gfp, size_t n, void **objs)
{
	size_t got;

	check_context(gfp);
	got = take_fixed(cache, gfp, objs, n);
	return likely(got == n) ? n : alloc_fixed_rest(cache, gfp, n, objs, got, _RET_IP_);
}
EXPORT_SYMBOL_NS_GPL(pcslab_cache_alloc_bulk, "PCSLAB");

/* As free_rest(). */
static noinline void free_fixed_rest(struct pcslab_cache *cache, void **objs, size_t n,
				     unsigned long caller)
{
	size_t put;

	for (; n; n -= put, objs += put) {
		pcslab_free_fixed(cache, *objs++, caller);
		n--;
		put = n ? put_run(cache, objs, n) : 0;
	}
}

/**
 * pcslab_cache_free_bulk() - give many objects of a cache back
 * @cache: the cache
 * @n: number of pointers
 * @objs: pointers as pcslab_cache_free() takes them
 *
 * As many calls of pcslab_cache_free(). This is kmem_cache_free_bulk().
 *
 * Context: as pcslab_cache_free().
 */
void pcslab_cache_free_bulk(struct pcslab_cache *cache, size_t n, void **objs)
{
	size_t put = likely(n) ? put_run(cache, objs, n) : 0;

	if (unlikely(put < n))
		free_fixed_rest(cache, objs + put, n - put, _RET_IP_);
}
EXPORT_SYMBOL_NS_GPL(pcslab_cache_free_bulk, "PCSLAB");
