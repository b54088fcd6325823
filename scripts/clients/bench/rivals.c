// SPDX-License-Identifier: GPL-2.0
/*
 * The rivals
 *
 * Each case has a new heap and a new cache, so it finds nothing that another
 * left.
 */
#include <linux/err.h>

#include "rivals.h"

const enum bench_who bench_rivals[BENCH_NR_RIVALS] = {
	BENCH_PCSLAB, BENCH_KMALLOC, BENCH_CACHE, BENCH_EMPTY,
};

struct pcslab_heap *bench_heap;
struct kmem_cache *bench_cache;
unsigned int bench_order;	/* of the page allocator's objects */

/**
 * bench_new_cache() - create a cache that is not merged
 * @size: of its objects
 *
 * The kernel does not merge a cache that has a region for user space with
 * another cache of the same size, which would be neither new nor empty. The
 * region has no other effect here, as nothing is copied.
 *
 * Return: the cache or NULL.
 */
struct kmem_cache *bench_new_cache(size_t size)
{
	return kmem_cache_create_usercopy("pcslab_bench", size, 0, 0, 0, size, NULL);
}

/**
 * bench_open() - make what a case needs
 * @size: of its objects
 * @gfp: flags of its allocations
 *
 * The caller must call bench_close() afterwards, even if this fails.
 *
 * Return: 0 or -ENOMEM.
 */
int bench_open(size_t size, enum bench_gfp gfp)
{
	static const struct pcslab_heap_attr attr[BENCH_NR_GFP] = {
		[BENCH_CHARGED] = { .flags = PCSLAB_HEAP_ACCOUNT },
		[BENCH_TRACKED] = { .flags = PCSLAB_HEAP_TRACK },
		[BENCH_UNWOUND] = { .flags = PCSLAB_HEAP_TRACK, .callers = PCSLAB_MAX_CALLERS },
	};

	bench_order = get_order(size);
	bench_heap = pcslab_heap_create("bench", &attr[gfp]);
	bench_cache = bench_new_cache(size);
	if (IS_ERR(bench_heap))
		bench_heap = NULL;
	return bench_heap && bench_cache ? 0 : -ENOMEM;
}

void bench_close(void)
{
	kmem_cache_destroy(bench_cache);
	pcslab_heap_destroy(bench_heap);
}
