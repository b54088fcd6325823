/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The size classes: which class serves a size, computed when the caller is
 * compiled if the size is a constant. <pcslab/pcslab.h> includes this file;
 * callers do not need it.
 */
#ifndef _PCSLAB_CLASS_H
#define _PCSLAB_CLASS_H

#include <linux/compiler.h>
#include <linux/log2.h>
#include <linux/minmax.h>
#include <linux/slab.h>
#include <linux/types.h>

/* Bytes of the largest size class; anything larger is a large object */
#define PCSLAB_MAX_SIZE		8192

/* Number of size classes */
#define PCSLAB_NR_CLASSES	64

/*
 * Eight classes of 8 to 64 bytes in steps of 8, then eight classes per
 * doubling, so that above 64 bytes no class wastes more than an eighth of what
 * it serves. Let s be the size minus one, and k the number of its highest bit,
 * at least 6. Then the class follows from the top four bits of s, eight classes
 * per k. jemalloc has the same spacing, with four classes to a doubling.
 *
 * A class is skipped if the architecture needs more alignment than the class
 * has. Where kmalloc() aligns to more than 8 bytes (128 on arm64 before 6.5),
 * only multiples of that are used. On other architectures non-coherent DMA
 * needs more alignment than kmalloc() gives (arm64 from 6.5, riscv from 6.6).
 * There the kernel decides by the size of a buffer whether it can be mapped
 * without a bounce buffer. It assumes the alignment that kmalloc() has for that
 * size: 32 for the bucket of 96, 64 for the bucket of 192, the bucket's size
 * for all others, and at most ARCH_DMA_MINALIGN. The sizes here give the same
 * alignment. On arm64 that leaves 8, 16, 32, 64, 96, 128, 192 and the multiples
 * of 128.
 */
#ifdef ARCH_HAS_DMA_MINALIGN
#define PCSLAB_DMA_MINALIGN	ARCH_DMA_MINALIGN
#else
#define PCSLAB_DMA_MINALIGN	ARCH_KMALLOC_MINALIGN
#endif

/*
 * The class of @size must be a multiple of the returned number of bytes. Every
 * class is a multiple of 8 bytes, so a result of up to 8 skips no class.
 */
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

/* The index of the class of @size, which is 1 to PCSLAB_MAX_SIZE bytes. */
static __always_inline unsigned int pcslab_class_index(size_t size)
{
	size_t align = pcslab_class_align(size);
	size_t s = (size - 1) | (align > 8 ? align - 1 : 0);
	unsigned int k = (BITS_PER_LONG - 1) ^ __builtin_clzl(s | 64);

	return (k - 6) * 8 + (s >> (k - 3));
}

/* Bytes of an object of class @index. */
static __always_inline size_t pcslab_class_size(unsigned int index)
{
	if (index < 8)
		return (index + 1) * 8;
	return (size_t)(index % 8 + 9) << (index / 8 + 2);
}

#endif /* _PCSLAB_CLASS_H */
