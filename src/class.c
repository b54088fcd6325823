// SPDX-License-Identifier: GPL-2.0
/*
 * Size classes of a heap, each made by the first allocation that needs it
 *
 * That call may be in an interrupt, so nothing here sleeps unless the caller's
 * flags allow it, and nothing takes the CPU hotplug lock:
 * pcslab_class_publish() refuses a class that lacks a cache for a CPU that came
 * up meanwhile.
 *
 * The sizes themselves are in the public header.
 */
#include <linux/sched/mm.h>
#include <linux/slab.h>

#include "internal.h"
#include "page.h"

/*
 * Objects that a slab should have. Few, because free objects in slabs are
 * memory held for nothing; more if objects are picked at random.
 */
#define SLAB_MIN_OBJECTS	2
#define SLAB_RANDOM_OBJECTS	8
/* A fixed-size object must fit into a slab of pages of 4 KiB. */
#define FIXED_MAX_STRIDE	32768

/* Bytes left over at the end of a slab. */
static unsigned int left_over(u32 stride, unsigned int order)
{
	return (PAGE_SIZE << order) % stride;
}

/*
 * The smallest order with enough objects that wastes at most a sixteenth. If
 * there is none, the largest order, or a smaller one with the same share of
 * waste.
 */
static unsigned int slab_order(u32 stride, unsigned int objects)
{
	unsigned int order, bytes;

	for (order = get_order(stride); order < PCSLAB_SLAB_MAX_ORDER; order++) {
		bytes = PAGE_SIZE << order;
		if (bytes / stride >= objects && left_over(stride, order) * 16 <= bytes)
			return order;
	}
	while ((PAGE_SIZE << order) / stride >= 2 * objects &&
	       left_over(stride, order) == 2 * left_over(stride, order - 1))
		order--;
	return order;
}

/*
 * The smallest redzone that keeps each object as aligned as its size implies:
 * the largest power of two that divides the size.
 */
static u32 class_redzone(u32 size, unsigned int flags)
{
	return flags & PCSLAB_HEAP_REDZONE ? size & -size : 0;
}

/*
 * The alignment that the kernel assumes of an object of @size when it maps the
 * object for DMA. pcslab_class_index() chooses sizes with that alignment, with
 * one exception: at boot the kernel may have made its small buckets as large as
 * a cache line (arm64 with swiotlb=noforce).
 */
static size_t dma_align(u32 size)
{
	size_t bucket;

	if (PCSLAB_DMA_MINALIGN <= ARCH_KMALLOC_MINALIGN)
		return 1;
	bucket = kmalloc_size_roundup(size);
	return min_t(size_t, bucket & -bucket, PCSLAB_DMA_MINALIGN);
}

/* What follows from the size and the stride, which are filled in. */
static void class_fit(struct pcslab_class *class, unsigned int flags)
{
	class->recip = stride_recip(class->stride);
	class->capacity = pcslab_magazine_rounds(class->size);
	class->order = slab_order(class->stride, flags & PCSLAB_HEAP_RANDOM ?
				  SLAB_RANDOM_OBJECTS : SLAB_MIN_OBJECTS);
	class->min_order = get_order(class->stride);
}

/**
 * pcslab_class_shape() - compute all that follows from a class's size
 * @class: members that depend on the size are filled
 * @index: index of a size class
 * @flags: of the heap
 */
void pcslab_class_shape(struct pcslab_class *class, unsigned int index,
			unsigned int flags)
{
	class->index = index;
	class->size = pcslab_class_size(index);
	class->stride = round_up(class->size + class_redzone(class->size, flags),
				 dma_align(class->size));
	class_fit(class, flags);
}

/* Bytes from one object of a fixed-size cache to the next. */
static size_t fixed_stride(size_t size, size_t align, unsigned int flags)
{
	return round_up(size, align) + (flags & PCSLAB_HEAP_REDZONE ? align : 0);
}

/**
 * pcslab_fixed_fits() - find out whether a slab can have objects of a size
 * @size: bytes, any number
 * @align: their alignment, a power of two
 *
 * Slabs are aligned to their size, so @align need not be considered apart.
 *
 * Return: false if a slab would be too large.
 */
bool pcslab_fixed_fits(size_t size, size_t align)
{
	return size <= FIXED_MAX_STRIDE && align <= FIXED_MAX_STRIDE &&
	       fixed_stride(size, align, PCSLAB_HEAP_REDZONE) <= FIXED_MAX_STRIDE;
}

static void fixed_shape(struct pcslab_class *class, const struct pcslab_fixed *fixed)
{
	class->size = fixed->size;
	class->stride = fixed_stride(fixed->size, fixed->align, class->flags);
	class_fit(class, class->flags);
}

/**
 * pcslab_class_free() - free a class and its caches
 * @class: NULL, or a class without slabs, large objects or readers
 */
void pcslab_class_free(struct pcslab_class *class)
{
	if (!class)
		return;
	pcslab_class_free_caches(class);
	kfree(class);
}

static struct pcslab_class *class_create(struct pcslab_heap *heap,
					 unsigned int index, gfp_t gfp)
{
	struct pcslab_class *class;

	if (pcslab_should_fail(gfp))
		return NULL;
	/*
	 * With many nodes it is too large for __GFP_NOFAIL; pcslab_class_make()
	 * retries.
	 */
	class = kzalloc(struct_size(class, depot, nr_node_ids), gfp & ~__GFP_NOFAIL);
	if (!class)
		return NULL;
	class->caches = heap->caches + index;
	class->heap = heap;
	class->flags = heap->flags;
	if (index == PCSLAB_LARGE)
		class->index = index;
	else if (heap->parent)
		fixed_shape(class, &pcslab_cache_of(heap)->fixed);
	else
		pcslab_class_shape(class, index, heap->flags);
	pcslab_depot_init(class);
	return class;
}

/*
 * One attempt to make a class. Returns true if the heap has the class now, even
 * if another call made it.
 */
static bool try_to_make(struct pcslab_heap *heap, unsigned int index, gfp_t gfp)
{
	struct pcslab_cpu *caches;
	struct pcslab_class *class;
	unsigned long seq;

	do {
		seq = pcslab_cpus_seq();
		class = class_create(heap, index, gfp);
		if (!class)
			return false;
		caches = pcslab_caches_create(gfp);
		if (caches && pcslab_class_publish(class, caches, seq))
			return true;
		pcslab_caches_free(caches);
		kfree(class);
	} while (caches && !READ_ONCE(heap->class[index]) && !READ_ONCE(heap->dying));
	return READ_ONCE(heap->class[index]);
}

/**
 * pcslab_class_make() - make a class of a heap
 * @heap: the heap
 * @index: index of the class
 * @gfp: the caller's
 *
 * Context: as @gfp, not NMI.
 * Return: the class, which another call may have made. NULL if there is no
 *	memory and @gfp has no __GFP_NOFAIL, or if the heap is destroyed.
 */
struct pcslab_class *pcslab_class_make(struct pcslab_heap *heap,
				       unsigned int index, gfp_t gfp)
{
	gfp_t meta = gfp & (GFP_KERNEL | GFP_ATOMIC | __GFP_MEMALLOC |
			    __GFP_NOMEMALLOC | __GFP_NOWARN | __GFP_NORETRY |
			    __GFP_RETRY_MAYFAIL | __GFP_NOFAIL);

	while (!try_to_make(heap, index, meta)) {
		if (!(gfp & __GFP_NOFAIL) || READ_ONCE(heap->dying))
			return NULL;
		memalloc_retry_wait(gfp);
	}
	return pcslab_class_at(heap, index);
}
