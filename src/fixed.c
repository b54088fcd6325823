// SPDX-License-Identifier: GPL-2.0
/*
 * Fixed-size caches: objects of one exact size, as from a kmem_cache
 *
 * A fixed-size cache is a heap of its own, with a single class that has the
 * size and alignment of the cache. So it has the same magazines, depots, slabs,
 * books and checks as any heap, and CPU hotplug, reclaim and the audit need not
 * know of it. What the owner of the heap decides is taken from the heap that
 * the cache belongs to: its flags, its cgroup, its limit, faults that are
 * injected. The cache holds a reference to that heap.
 *
 * A constructor runs for each object of a new slab (slab.c). After that pcslab
 * never writes to an object: its states are outside, and objects that last
 * (PCSLAB_LASTING) are neither poisoned nor zeroed when they are freed.
 *
 * SLAB_TYPESAFE_BY_RCU costs nothing, because every slab waits for a grace
 * period after its last object was freed, before its pages go (leave.c). A
 * reader that found an object before it was freed is done by then.
 *
 * Locks: pools_lock > pcslab_heaps_lock.
 * Context: creating and destroying, process; objects, any.
 */
#include <linux/cache.h>
#include <linux/err.h>
#include <linux/log2.h>
#include <linux/mempool.h>
#include <linux/minmax.h>
#include <linux/mutex.h>
#include <linux/panic.h>
#include <linux/slab.h>
#include <linux/string.h>

#include "cache.h"
#include "compat.h"
#include "hooks.h"
#include "internal.h"
#include "page.h"

/* Flags that are obeyed, or that ask for nothing that pcslab lacks. */
#define FLAGS_SERVED \
	(SLAB_HWCACHE_ALIGN | SLAB_TYPESAFE_BY_RCU | SLAB_POISON | SLAB_RED_ZONE | \
	 SLAB_ACCOUNT | SLAB_RECLAIM_ACCOUNT | SLAB_PANIC | COMPAT_SLAB_HINTS)

static DEFINE_MUTEX(pools_lock);	/* so that a size has one cache */

/* The rules are those of calculate_alignment() in the kernel. */
static size_t alignment(size_t size, size_t align, slab_flags_t flags)
{
	size_t line = cache_line_size();

	if (flags & SLAB_HWCACHE_ALIGN) {
		while (line > 1 && size <= line / 2)
			line /= 2;
		align = max(align, line);
	}
	return max3(align, (size_t)ARCH_SLAB_MINALIGN, sizeof(void *));
}

static u8 heap_flags(slab_flags_t flags, bool ctor)
{
	return (flags & SLAB_TYPESAFE_BY_RCU ? PCSLAB_HEAP_TYPESAFE : 0) |
	       (flags & SLAB_POISON ? PCSLAB_HEAP_POISON : 0) |
	       (flags & SLAB_RED_ZONE ? PCSLAB_HEAP_REDZONE : 0) |
	       (ctor ? PCSLAB_HEAP_CTOR : 0);
}

static const char *flaw(struct pcslab_heap *heap, size_t size, size_t align, slab_flags_t flags)
{
	if (flags & ~FLAGS_SERVED)
		return "the flags are not supported";
	if (flags & SLAB_ACCOUNT && heap->flags & PCSLAB_HEAP_NO_ACCOUNT)
		return "the heap refuses to account";
	if (align && !is_power_of_2(align))
		return "the alignment is no power of two";
	if (!size || !pcslab_fixed_fits(size, alignment(size, align, flags)))
		return "the objects are empty or too large";
	return READ_ONCE(heap->dying) ? "the heap is destroyed" : NULL;
}

static struct pcslab_cache *create(struct pcslab_heap *heap, const char *name, size_t size,
				   size_t align, slab_flags_t flags, void (*ctor)(void *obj))
{
	const char *why = flaw(heap, size, align, flags);
	struct pcslab_fixed fixed = {
		.size = size, .align = alignment(size, align, flags),
		.flags = heap_flags(flags, ctor), .ctor = ctor,
	};
	struct pcslab_cache *cache;

	if (why) {
		pr_err("cache %s/%s of %zu bytes, aligned to %zu, flags %#x: %s\n", heap->name,
		       name, size, align, (__force unsigned int)flags, why);
		return ERR_PTR(-EINVAL);
	}
	cache = pcslab_heap_add_cache(heap, name, &fixed);
	/* If memory is short, the first allocation tries again. */
	if (!IS_ERR(cache))
		pcslab_class_make(&cache->heap, 0, GFP_KERNEL);
	return cache;
}

/**
 * pcslab_cache_create_usercopy() - create a cache with a region for user copies
 * @heap: as for pcslab_cache_create()
 * @name: same
 * @size: same
 * @align: same
 * @flags: same
 * @useroffset: where the region begins in an object, in bytes
 * @usersize: bytes of the region
 * @ctor: same as for pcslab_cache_create()
 *
 * The region must lie in the object. It is not enforced: hardened usercopy
 * knows the regions of a kmem_cache, and of other pages only where they end. So
 * a copy that the region allows is never refused.
 *
 * Context: as pcslab_cache_create().
 * Return: as pcslab_cache_create(); -EINVAL also for a region that is not in
 *	the object.
 */
struct pcslab_cache *pcslab_cache_create_usercopy(struct pcslab_heap *heap, const char *name,
						  unsigned int size, unsigned int align,
						  slab_flags_t flags, unsigned int useroffset,
						  unsigned int usersize, void (*ctor)(void *obj))
{
	struct pcslab_cache *cache = ERR_PTR(-EINVAL);

	if (usersize > size || useroffset > size - usersize || (useroffset && !usersize))
		pr_err("cache %s/%s: the region %u+%u is not in the object\n", heap->name, name,
		       useroffset, usersize);
	else
		cache = create(heap, name, size, align, flags, ctor);
	if (IS_ERR(cache) && flags & SLAB_PANIC)
		panic("pcslab: cache %s/%s: error %ld\n", heap->name, name, PTR_ERR(cache));
	return cache;
}
EXPORT_SYMBOL_NS_GPL(pcslab_cache_create_usercopy, "PCSLAB");

/**
 * pcslab_cache_create() - create a cache of objects of one size
 * @heap: the heap it belongs to
 * @name: as a heap's; it must be new among the caches of @heap, and must not be
 *	the name of one of the heap's files
 * @size: bytes of an object, not rounded up
 * @align: a power of two, or 0 for that of a pointer
 * @flags: SLAB_HWCACHE_ALIGN, SLAB_TYPESAFE_BY_RCU, SLAB_POISON, SLAB_RED_ZONE
 *	and SLAB_PANIC mean what they mean for kmem_cache_create().
 *	SLAB_ACCOUNT, SLAB_RECLAIM_ACCOUNT, SLAB_NO_MERGE and SLAB_MEM_SPREAD
 *	are accepted and change nothing. Others are refused
 * @ctor: called once for each object, when its slab is made; or NULL
 *
 * The cache is a kmem_cache whose objects are counted apart: in the books it is
 * a heap called HEAP/NAME, with files in the directory of @heap. It has the
 * flags and the cgroup of @heap, its pages count against the limit of @heap,
 * and it is shrunk with it. It must be destroyed before @heap.
 *
 * An object with its alignment takes at most 32 KiB: @size, rounded up to
 * @align, plus @align. Larger ones are refused.
 *
 * The constructor may be called in the context of any allocation, and must not
 * allocate from the cache. The caller gives back an object in the state that
 * the constructor left it in, as with kmem_cache_create(). With a constructor
 * nothing is zeroed: __GFP_ZERO, init_on_alloc and init_on_free have no effect.
 *
 * Context: process. May sleep. Takes no CPU hotplug lock, so hotplug callbacks
 *	may call it.
 * Return: the cache, or ERR_PTR: -EINVAL if an argument is not as above or
 *	@heap is destroyed, with a line in the log; -ENAMETOOLONG; -EEXIST if
 *	the name is taken; -ENOMEM.
 */
struct pcslab_cache *pcslab_cache_create(struct pcslab_heap *heap, const char *name,
					 unsigned int size, unsigned int align,
					 slab_flags_t flags, void (*ctor)(void *obj))
{
	return pcslab_cache_create_usercopy(heap, name, size, align, flags, 0, 0, ctor);
}
EXPORT_SYMBOL_NS_GPL(pcslab_cache_create, "PCSLAB");

/**
 * pcslab_cache_destroy() - destroy a cache
 * @cache: the cache; NULL and error pointers are fine
 *
 * As pcslab_heap_destroy(): objects that were given to pcslab_free_rcu() are
 * waited for, live ones are reported, stay valid and may be freed later. The
 * constructor is not called any more.
 *
 * Context: as pcslab_heap_destroy().
 */
void pcslab_cache_destroy(struct pcslab_cache *cache)
{
	if (!IS_ERR_OR_NULL(cache))
		pcslab_heap_destroy(&cache->heap);
}
EXPORT_SYMBOL_NS_GPL(pcslab_cache_destroy, "PCSLAB");

/**
 * pcslab_cache_shrink() - give back all free memory of a cache
 * @cache: the cache
 *
 * Context: as pcslab_heap_shrink().
 * Return: the number of pages given back.
 */
unsigned long pcslab_cache_shrink(struct pcslab_cache *cache)
{
	return pcslab_heap_shrink(&cache->heap);
}
EXPORT_SYMBOL_NS_GPL(pcslab_cache_shrink, "PCSLAB");

/*
 * An object of this CPU's magazine, or NULL. KASAN and kmemleak must know it.
 */
static __always_inline void *take_fast(struct pcslab_cache *cache, gfp_t gfp)
{
	u8 *unused;

	if (HOOKS_ENABLED || unlikely(gfp & PCSLAB_GFP_SPECIAL))
		return NULL;
	return cache_take(cache->heap.slots, &unused);
}

/**
 * pcslab_cache_alloc() - allocate an object of a cache
 * @cache: the cache
 * @gfp: as for pcslab_alloc(), but zones are refused
 *
 * This is kmem_cache_alloc().
 *
 * Context: as pcslab_alloc().
 * Return: the object, or NULL, which is counted in the fails of the cache.
 */
void *pcslab_cache_alloc(struct pcslab_cache *cache, gfp_t gfp)
{
	void *obj;

	check_context(gfp);
	obj = take_fast(cache, gfp);
	if (unlikely(!obj))
		return pcslab_alloc_fixed(cache, gfp, _RET_IP_);
	if (unlikely(pcslab_must_zero(cache->heap.flags, gfp)))
		memset(obj, 0, cache->fixed.size);
	return obj;
}
EXPORT_SYMBOL_NS_GPL(pcslab_cache_alloc, "PCSLAB");

static bool is_in(const struct pcslab_cache *cache, const void *obj)
{
	struct pcslab_slab *slab;
	bool in;

	preempt_disable();	/* keeps what slab_of() finds */
	slab = slab_of(obj);
	in = slab && slab->class->heap == &cache->heap;
	preempt_enable();
	return in;
}

/**
 * pcslab_free_fixed() - free to a fixed-size cache on the slow path
 * @cache: the cache
 * @obj: as for pcslab_cache_free()
 * @caller: return address of the call, for reports
 *
 * Context: as pcslab_free().
 */
noinline void pcslab_free_fixed(struct pcslab_cache *cache, const void *obj, unsigned long caller)
{
	if (ZERO_OR_NULL_PTR(obj))
		return;
	if (is_in(cache, obj))
		pcslab_free_for(obj, caller);
	else
		pcslab_bad_free_fixed(cache, obj, caller);
}

/**
 * pcslab_cache_free() - give an object of a cache back
 * @cache: the cache
 * @obj: an object of @cache, or NULL
 *
 * This is kmem_cache_free(). Any other pointer is refused as by pcslab_free(),
 * also an object of another cache or heap. pcslab_free(), pcslab_free_rcu() and
 * pcslab_free_bulk() take objects of caches too.
 *
 * Context: as pcslab_free().
 */
void pcslab_cache_free(struct pcslab_cache *cache, void *obj)
{
	struct pcslab_slab *slab;
	u8 *state;

	if (hooks_forbidden())
		goto slow;

	preempt_disable();
	if (unlikely(!find_slab(obj, &slab) || slab->caches != cache->heap.caches ||
		     !find_state(slab, obj, &state) || !cache_free(slab, obj, state)))
		goto slow_preempt;
	preempt_enable();
	return;

slow_preempt:
	preempt_enable();
slow:
	pcslab_free_fixed(cache, obj, _RET_IP_);
}
EXPORT_SYMBOL_NS_GPL(pcslab_cache_free, "PCSLAB");

/**
 * pcslab_mempool_alloc() - mempool_alloc_t for a cache
 * @gfp: as for pcslab_cache_alloc()
 * @cache: a struct pcslab_cache, the pool_data of the mempool
 *
 * For mempool_create(), with pcslab_mempool_free(), as mempool_alloc_slab().
 *
 * Context: as pcslab_cache_alloc().
 * Return: as pcslab_cache_alloc().
 */
void *pcslab_mempool_alloc(gfp_t gfp, void *cache)
{
	return pcslab_cache_alloc(cache, gfp);
}
EXPORT_SYMBOL_NS_GPL(pcslab_mempool_alloc, "PCSLAB");

/**
 * pcslab_mempool_free() - mempool_free_t for a cache
 * @obj: as for pcslab_cache_free()
 * @cache: a struct pcslab_cache, the pool_data of the mempool
 *
 * Context: as pcslab_cache_free().
 */
void pcslab_mempool_free(void *obj, void *cache)
{
	pcslab_cache_free(cache, obj);
}
EXPORT_SYMBOL_NS_GPL(pcslab_mempool_free, "PCSLAB");

static struct pcslab_cache *find_for_mempools(const struct pcslab_heap *root, size_t size)
{
	struct pcslab_cache *cache, *found = NULL;
	struct pcslab_heap *heap;

	mutex_lock(&pcslab_heaps_lock);
	list_for_each_entry(heap, &pcslab_heaps, node) {
		cache = pcslab_cache_of(heap);
		if (cache && heap->parent == root && cache->for_mempools &&
		    cache->fixed.size == size)
			found = cache;
	}
	mutex_unlock(&pcslab_heaps_lock);
	return found;
}

/* Aligned as an object of the heap would be. */
static struct pcslab_cache *create_for_mempools(struct pcslab_heap *heap, size_t size)
{
	size_t align = max(size & -size, pcslab_class_align(size));
	struct pcslab_cache *cache;
	char name[32];

	snprintf(name, sizeof(name), "mempool-%zu", size);
	cache = create(heap, name, size, align, 0, NULL);
	if (IS_ERR(cache))
		return NULL;
	cache->for_mempools = true;
	return cache;
}

/**
 * pcslab_mempool_create() - create a mempool of the kernel over a heap
 * @heap: the heap
 * @min_nr: objects that the pool keeps
 * @size: bytes of an object; as for pcslab_cache_create()
 *
 * This is mempool_create_kmalloc_pool(). Use the pool with the kernel's
 * mempool_alloc(), mempool_free(), mempool_resize() and mempool_destroy(). Its
 * objects come from a cache of @heap called mempool-SIZE, which all pools of
 * that size share. It is made when it is first needed and goes with the heap,
 * so the pool must be destroyed before the heap.
 *
 * A pool of objects of another cache is made with mempool_create(), of
 * pcslab_mempool_alloc(), pcslab_mempool_free() and the cache.
 *
 * Context: process. May sleep.
 * Return: the mempool, or NULL.
 */
mempool_t *pcslab_mempool_create(struct pcslab_heap *heap, int min_nr, size_t size)
{
	struct pcslab_cache *cache;

	mutex_lock(&pools_lock);
	cache = find_for_mempools(heap, size) ?: create_for_mempools(heap, size);
	mutex_unlock(&pools_lock);
	return cache ? mempool_create(min_nr, pcslab_mempool_alloc, pcslab_mempool_free, cache) :
		       NULL;
}
EXPORT_SYMBOL_NS_GPL(pcslab_mempool_create, "PCSLAB");
