/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Hooks of allocating and freeing: what KASAN, kmemleak and lockdep must know
 *
 * KASAN: while a caller has an object, the object is accessible up to the
 * requested size, to the byte; in a magazine or a slab it is not accessible.
 * kmemleak: an object is a block that may leak and that may hold pointers.
 * Without KASAN, kmemleak and lockdep all of this is empty.
 *
 * KASAN exports kasan_poison(), but not its declaration, and no function to
 * unpoison. A shadow byte of 0 means an accessible granule, n means that the
 * first n bytes of the granule are accessible.
 */
#ifndef _PCSLAB_HOOKS_H
#define _PCSLAB_HOOKS_H

#include <linux/kasan.h>
#include <linux/kmemleak.h>
#include <linux/mm.h>
#include <linux/sched/mm.h>

#include "lock.h"
#include "types.h"

/* True if KASAN or kmemleak is configured. */
#define HOOKS_ENABLED \
	(IS_ENABLED(CONFIG_KASAN_GENERIC) || IS_ENABLED(CONFIG_DEBUG_KMEMLEAK))

#ifdef CONFIG_KASAN_GENERIC

void kasan_poison(const void *addr, size_t size, u8 value, bool init);

#define SHADOW_FREED		0xFB	/* as KASAN_SLAB_FREE */
#define SHADOW_REDZONE		0xFC	/* as KASAN_SLAB_REDZONE */
#define SHADOW_GRANULE		BIT(KASAN_SHADOW_SCALE_SHIFT)

/*
 * Without KASAN_VMALLOC the shadow of vmalloc is one page, which is constant.
 * An object begins at a granule, and has the rest of its last one.
 */
static inline void shadow_poison(const void *obj, size_t size, u8 why)
{
	if (IS_ENABLED(CONFIG_KASAN_VMALLOC) || !is_vmalloc_addr(obj))
		kasan_poison(obj, round_up(size, SHADOW_GRANULE), why, false);
}

static inline void shadow_unpoison(const void *obj, size_t size)
{
	shadow_poison(obj, size, 0);
}

/* Leave @size bytes of an object of @full bytes accessible. */
static inline void shadow_trim(const void *obj, size_t size, size_t full)
{
	size_t whole = round_down(size, SHADOW_GRANULE);

	shadow_poison(obj + whole, full - whole, SHADOW_REDZONE);
	if (size > whole && (IS_ENABLED(CONFIG_KASAN_VMALLOC) || !is_vmalloc_addr(obj)))
		*(u8 *)kasan_mem_to_shadow(obj + whole) = size - whole;
}

#else

#define SHADOW_FREED		0
#define SHADOW_REDZONE		0

static inline void shadow_unpoison(const void *obj, size_t size) { }
static inline void shadow_poison(const void *obj, size_t size, u8 why) { }
static inline void shadow_trim(const void *obj, size_t size, size_t full) { }

#endif

/*
 * Tell lockdep and the sleep checker what the slow path may do. On kernels
 * without them might_alloc() is skipped: with PREEMPT_DYNAMIC it would still be
 * a call, which may yield the CPU.
 */
static __always_inline void check_context(gfp_t gfp)
{
	if (IS_ENABLED(CONFIG_LOCKDEP) || IS_ENABLED(CONFIG_DEBUG_ATOMIC_SLEEP))
		might_alloc(gfp);
}

/*
 * The fast paths call kmemleak for each object, and kmemleak takes locks. So a
 * call that must not wait for a lock must not use the fast paths.
 */
static __always_inline bool hooks_forbidden(void)
{
	return IS_ENABLED(CONFIG_DEBUG_KMEMLEAK) && pcslab_must_defer();
}

/*
 * Must be called when an accessible object goes to a caller that asked for
 * @size bytes.
 */
static inline void hook_alloc(const void *obj, size_t size, size_t full, gfp_t gfp)
{
	shadow_trim(obj, size, full);
	kmemleak_alloc(obj, size, 1, gfp);
}

/*
 * Must be called when a caller has given an object of @class back, before
 * another caller can get it.
 */
static inline void hook_free(const void *obj, const struct pcslab_class *class)
{
	kmemleak_free(obj);
	if (HOOKS_ENABLED && !(class->flags & PCSLAB_HEAP_TYPESAFE))
		shadow_poison(obj, class->size, SHADOW_FREED);
}

/*
 * Must be called for new metadata that points to objects. It points to free and
 * live objects alike, so for kmemleak it must not count as a reference.
 */
static inline void hook_metadata(const void *metadata)
{
	kmemleak_ignore(metadata);
}

#endif /* _PCSLAB_HOOKS_H */
