/* SPDX-License-Identifier: GPL-2.0 */
/*
 * pcslab: private, named heaps with exact books
 *
 * A heap is created once and used like kmalloc/kfree from any context that may
 * call kmalloc(GFP_ATOMIC). pcslab_free() finds the heap by itself. The books
 * of every heap are in /sys/kernel/debug/pcslab/ and behind
 * pcslab_heap_stats().
 *
 * A module that uses it says MODULE_INFO(import_ns, "PCSLAB"), or the
 * MODULE_IMPORT_NS() of its kernel.
 */
#ifndef _PCSLAB_PCSLAB_H
#define _PCSLAB_PCSLAB_H

#include <linux/bits.h>
#include <linux/compiler.h>
#include <linux/gfp.h>
#include <linux/kconfig.h>
#include <linux/log2.h>
#include <linux/minmax.h>
#include <linux/module.h>
#include <linux/overflow.h>
#include <linux/slab.h>
#include <linux/types.h>

struct pcslab_heap;

/* The version, also of the module (modinfo) and in CHANGELOG.md */
#define PCSLAB_VERSION		"0.9.0"

/* Bytes of a heap's name, the final NUL included */
#define PCSLAB_NAME_LEN		32

/* Bytes of the largest size class; above are large objects */
#define PCSLAB_MAX_SIZE		8192

/* Number of size classes */
#define PCSLAB_NR_CLASSES	64

/*
 * What a heap may be asked to do more, at a price: see Documentation/security.rst.
 * With pcslab.debug=1 every heap does all of it.
 */
/* Hand out any free objects of a slab, in random order. */
#define PCSLAB_HEAP_RANDOM	BIT(0)
/* Fill what is freed with a pattern, and look at it before it is handed out again. */
#define PCSLAB_HEAP_POISON	BIT(1)
/* Keep a pattern behind what was asked for, and look at it when it is freed. */
#define PCSLAB_HEAP_REDZONE	BIT(2)

/**
 * struct pcslab_heap_attr - how a heap differs from the default
 * @flags: PCSLAB_HEAP_RANDOM, PCSLAB_HEAP_POISON, PCSLAB_HEAP_REDZONE or 0
 *
 * All zeroes means the defaults.
 */
struct pcslab_heap_attr {
	unsigned long flags;
};

/**
 * struct pcslab_class_stats - the books of one size class of one heap
 * @size: bytes of an object
 * @objects_per_slab: objects in a slab of the usual order
 * @allocs: objects handed out since the heap was created
 * @frees: objects given back; live = @allocs - @frees
 * @fails: allocations that returned NULL
 * @cached: free objects in the magazines of the CPUs
 * @depot: free objects in the depots, in full magazines and in slabs
 * @slabs: slabs held
 * @pages: pages held by these slabs
 *
 * @allocs, @frees and @fails are the record and exact. The other four are
 * gauges, read while they move.
 *
 * A 32-bit kernel counts modulo 2^32: @frees and @fails wrap, and @allocs is @frees
 * and what is live, so live stays right. The same goes for large objects and bytes.
 */
struct pcslab_class_stats {
	u32 size;
	u32 objects_per_slab;
	u64 allocs;
	u64 frees;
	u64 fails;
	u64 cached;
	u64 depot;
	u64 slabs;
	u64 pages;
};

/**
 * struct pcslab_stats - the books of one heap
 * @nr_classes: valid entries of @class
 * @class: per size class, in ascending order of size
 * @large_allocs: large objects handed out
 * @large_frees: large objects given back
 * @large_alloc_bytes: bytes of the large objects handed out, as whole pages
 * @large_free_bytes: bytes of the large objects given back
 * @large_fails: large allocations that returned NULL
 * @bad_frees: frees of this heap's memory that were refused
 * @corruptions: objects of which a pattern was found damaged
 * @foreign: calls of kfree() and its kin on this heap's objects, which stay live; those
 *	that were found by now
 */
struct pcslab_stats {
	u32 nr_classes;
	struct pcslab_class_stats class[PCSLAB_NR_CLASSES];
	u64 large_allocs;
	u64 large_frees;
	u64 large_alloc_bytes;
	u64 large_free_bytes;
	u64 large_fails;
	u64 bad_frees;
	u64 corruptions;
	u64 foreign;
};

/*
 * The size classes: eight of 8 to 64 bytes in steps of 8, then eight to each
 * doubling, so that above 64 bytes no class wastes more than an eighth of what it serves.
 * With s the largest index of a requested byte and k the number of its highest
 * bit (6 at least), a class is the top four bits of s, eight classes to a k.
 * The same spacing is found in jemalloc (four to a doubling there).
 *
 * Classes are skipped where the architecture wants more alignment than they have. Where
 * kmalloc() aligns to more than 8 bytes (128 on arm64 before 6.5) only the multiples of
 * that are used. Where it does not, though DMA that is not coherent needs more (arm64 from
 * 6.5, riscv from 6.6), the kernel looks at the size of a buffer to tell whether it may be
 * mapped without a bounce buffer: what kmalloc() has a bucket of 96 for is aligned to 32,
 * 192 to 64, any other to the bucket's size, and from ARCH_DMA_MINALIGN on to that. So are
 * our sizes. On arm64 that leaves 8, 16, 32, 64, 96, 128, 192 and the multiples of 128.
 */
#ifdef ARCH_HAS_DMA_MINALIGN
#define PCSLAB_DMA_MINALIGN	ARCH_DMA_MINALIGN
#else
#define PCSLAB_DMA_MINALIGN	ARCH_KMALLOC_MINALIGN
#endif

/* Bytes that the class of a size must be a multiple of; up to 8, any is. */
static __always_inline size_t pcslab_class_align(size_t size)
{
	size_t align;

	if (PCSLAB_DMA_MINALIGN <= ARCH_KMALLOC_MINALIGN)
		return ARCH_KMALLOC_MINALIGN;
	if (size > 64 && size <= 96)
		align = 32;
	else if (size > 128 && size <= 192)
		align = 64;
	else
		align = roundup_pow_of_two(size);
	return clamp_t(size_t, align, ARCH_KMALLOC_MINALIGN, PCSLAB_DMA_MINALIGN);
}

static __always_inline unsigned int pcslab_class_index(size_t size)
{
	size_t align = pcslab_class_align(size);
	size_t s = (size - 1) | (align > 8 ? align - 1 : 0);
	unsigned int k = (BITS_PER_LONG - 1) ^ __builtin_clzl(s | 64);

	return (k - 6) * 8 + (s >> (k - 3));
}

static __always_inline size_t pcslab_class_size(unsigned int index)
{
	if (index < 8)
		return (index + 1) * 8;
	return (size_t)(index % 8 + 9) << (index / 8 + 2);
}

struct pcslab_heap *pcslab_heap_create_for(const char *name,
					   const struct pcslab_heap_attr *attr,
					   struct module *owner);

/* By whom it is called: a heap belongs to a module. */
#define pcslab_heap_create(name, attr)	pcslab_heap_create_for(name, attr, THIS_MODULE)

void pcslab_heap_destroy(struct pcslab_heap *heap);
unsigned long pcslab_heap_shrink(struct pcslab_heap *heap);

/*
 * Behind the inlines below; not for callers. The class is all that allocating takes; the size
 * is handed on for the compiler, which only knows the size of what a call returns if that is
 * an argument of it. FORTIFY_SOURCE asks for it.
 */
void *__pcslab_alloc(struct pcslab_heap *heap, size_t size, gfp_t gfp) __alloc_size(2);
void *__pcslab_alloc_class(struct pcslab_heap *heap, unsigned long index, gfp_t gfp,
			   size_t size) __alloc_size(4);

/**
 * pcslab_alloc() - allocate an object
 * @heap: the heap to take it from
 * @size: bytes wanted
 * @gfp: as for kmalloc(); zones (GFP_DMA, GFP_DMA32, __GFP_HIGHMEM) and
 *	__GFP_ACCOUNT are refused with a line in the log
 *
 * The object is aligned and, with __GFP_ZERO or init_on_alloc, zeroed as
 * kmalloc() does. A size that is a constant is resolved to its class when the
 * caller is compiled.
 *
 * Context: any that may call kmalloc() with the same @gfp; in NMI, and in a
 *	tracer's callback where pcslab holds a lock, it does not fail only as long as
 *	the CPU's own magazine serves it. Sleeps only if @gfp allows it.
 * Return: the object, ZERO_SIZE_PTR for a @size of 0, or NULL. A NULL is
 *	counted in the heap's fails.
 */
static __always_inline __alloc_size(2) void *pcslab_alloc(struct pcslab_heap *heap,
							  size_t size, gfp_t gfp)
{
	/* KASAN and kmemleak want to know the size to the byte. */
	if (__builtin_constant_p(size) && size - 1 < PCSLAB_MAX_SIZE &&
	    !IS_ENABLED(CONFIG_KASAN_GENERIC) && !IS_ENABLED(CONFIG_DEBUG_KMEMLEAK))
		return __pcslab_alloc_class(heap, pcslab_class_index(size), gfp, size);
	return __pcslab_alloc(heap, size, gfp);
}

/**
 * pcslab_zalloc() - allocate a zeroed object
 * @heap: the heap to take it from
 * @size: bytes wanted
 * @gfp: as for pcslab_alloc()
 *
 * Context: as pcslab_alloc().
 * Return: as pcslab_alloc(); the whole usable size is zero.
 */
static __always_inline __alloc_size(2) void *pcslab_zalloc(struct pcslab_heap *heap,
							   size_t size, gfp_t gfp)
{
	return pcslab_alloc(heap, size, gfp | __GFP_ZERO);
}

void *pcslab_alloc_node(struct pcslab_heap *heap, size_t size, gfp_t gfp,
			int node) __alloc_size(2);

/**
 * pcslab_alloc_array() - allocate an array
 * @heap: the heap to take it from
 * @n: elements
 * @size: bytes of an element
 * @gfp: as for pcslab_alloc()
 *
 * Context: as pcslab_alloc().
 * Return: as pcslab_alloc(); NULL, a failed large allocation, if @n * @size
 *	overflows.
 */
static __always_inline __alloc_size(2, 3) void *
pcslab_alloc_array(struct pcslab_heap *heap, size_t n, size_t size, gfp_t gfp)
{
	return pcslab_alloc(heap, size_mul(n, size), gfp);
}

/**
 * pcslab_calloc() - allocate a zeroed array
 * @heap: the heap to take it from
 * @n: elements
 * @size: bytes of an element
 * @gfp: as for pcslab_alloc()
 *
 * Context: as pcslab_alloc().
 * Return: as pcslab_alloc_array().
 */
static __always_inline __alloc_size(2, 3) void *
pcslab_calloc(struct pcslab_heap *heap, size_t n, size_t size, gfp_t gfp)
{
	return pcslab_alloc_array(heap, n, size, gfp | __GFP_ZERO);
}

void * __must_check pcslab_realloc(struct pcslab_heap *heap, const void *obj, size_t size,
				   gfp_t gfp) __realloc_size(3);
void pcslab_free(const void *obj);
size_t pcslab_usable_size(const void *obj);
struct pcslab_heap *pcslab_heap_of(const void *obj);

int pcslab_heap_stats(struct pcslab_heap *heap, struct pcslab_stats *st);
int pcslab_heap_stats_exact(struct pcslab_heap *heap, struct pcslab_stats *st);

#endif /* _PCSLAB_PCSLAB_H */
