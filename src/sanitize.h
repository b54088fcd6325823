/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the kernel's own bug finders are told of objects
 *
 * KASAN: an object is accessible to the byte that was asked for while a caller
 * has it, and not at all in a magazine or a slab. kmemleak: an object is a
 * block of its own that may leak and that holds pointers. Without them all of
 * this is nothing.
 *
 * KASAN exports kasan_poison() but neither its declaration nor a way to
 * unpoison: a shadow byte of 0 is an accessible granule, one of n the first n
 * bytes of it.
 */
#ifndef _PCSLAB_SANITIZE_H
#define _PCSLAB_SANITIZE_H

#include <linux/kasan.h>
#include <linux/kmemleak.h>

#include "lock.h"

/* Are they there? */
#define SANITIZE_OBJECTS \
	(IS_ENABLED(CONFIG_KASAN_GENERIC) || IS_ENABLED(CONFIG_DEBUG_KMEMLEAK))

#ifdef CONFIG_KASAN_GENERIC

void kasan_poison(const void *addr, size_t size, u8 value, bool init);

#define SANITIZE_FREED		0xFB	/* as KASAN_SLAB_FREE */
#define SANITIZE_REDZONE	0xFC	/* as KASAN_SLAB_REDZONE */
#define SANITIZE_GRANULE	BIT(KASAN_SHADOW_SCALE_SHIFT)

static inline void sanitize_open(const void *obj, size_t size)
{
	kasan_poison(obj, round_up(size, SANITIZE_GRANULE), 0, false);
}

static inline void sanitize_close(const void *obj, size_t size, u8 why)
{
	kasan_poison(obj, size, why, false);
}

/* Leave @size bytes of an object of @full bytes accessible. */
static inline void sanitize_trim(const void *obj, size_t size, size_t full)
{
	size_t whole = round_down(size, SANITIZE_GRANULE);

	sanitize_close(obj + whole, full - whole, SANITIZE_REDZONE);
	if (size > whole)
		*(u8 *)kasan_mem_to_shadow(obj + whole) = size - whole;
}

#else

#define SANITIZE_FREED		0
#define SANITIZE_REDZONE	0

static inline void sanitize_open(const void *obj, size_t size) { }
static inline void sanitize_close(const void *obj, size_t size, u8 why) { }
static inline void sanitize_trim(const void *obj, size_t size, size_t full) { }

#endif

/*
 * kmemleak takes locks, so with it a call that must not wait does not use the
 * fast paths, which tell it of each object.
 */
static __always_inline bool sanitize_forbids(void)
{
	return IS_ENABLED(CONFIG_DEBUG_KMEMLEAK) && pcslab_must_defer();
}

/*
 * To be called when an accessible object goes to a caller who wants @size
 * bytes.
 */
static inline void sanitize_alloc(const void *obj, size_t size, size_t full, gfp_t gfp)
{
	sanitize_trim(obj, size, full);
	kmemleak_alloc(obj, size, 1, gfp);
}

/*
 * To be called when a caller has given an object back, before anyone can get
 * it.
 */
static inline void sanitize_free(const void *obj, size_t full)
{
	kmemleak_free(obj);
	sanitize_close(obj, full, SANITIZE_FREED);
}

/*
 * To be called for new metadata that points to objects. It does so whether a
 * caller has them or not, so kmemleak must not look there for who still knows a
 * live one.
 */
static inline void sanitize_hide(const void *metadata)
{
	kmemleak_ignore(metadata);
}

#endif /* _PCSLAB_SANITIZE_H */
