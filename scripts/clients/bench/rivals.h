/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The rivals as inlines: if @who, @size and @gfp are constants, each call
 * compiles to what a caller would have written.
 */
#ifndef _PCSLAB_BENCH_RIVALS_H
#define _PCSLAB_BENCH_RIVALS_H

#include <linux/gfp.h>
#include <linux/mm.h>
#include <linux/slab.h>
#include <pcslab/pcslab.h>

#include "bench.h"

/* Objects in each call of a kmem_cache's bulk functions */
#define BENCH_BULK_NR	100

/* The rivals of cases in which objects are allocated and freed one by one */
#define BENCH_NR_RIVALS	4
extern const enum bench_who bench_rivals[BENCH_NR_RIVALS];

extern struct pcslab_heap *bench_heap;
extern struct kmem_cache *bench_cache;
extern unsigned int bench_order;

int bench_open(size_t size, enum bench_gfp gfp);
void bench_close(void);
struct kmem_cache *bench_new_cache(size_t size);

static __always_inline void *bench_take(enum bench_who who, size_t size, gfp_t gfp)
{
	switch (who) {
	case BENCH_PCSLAB:
		return pcslab_alloc(bench_heap, size, gfp);
	case BENCH_KMALLOC:
		return kmalloc(size, gfp);
	case BENCH_CACHE:
		return kmem_cache_alloc(bench_cache, gfp);
	case BENCH_PAGES:
		return alloc_pages(gfp, bench_order);
	default:
		return ZERO_SIZE_PTR;	/* not a failure */
	}
}

static __always_inline void bench_give(enum bench_who who, void *obj)
{
	if (who == BENCH_PCSLAB)
		pcslab_free(obj);
	else if (who == BENCH_KMALLOC)
		kfree(obj);
	else if (who == BENCH_CACHE)
		kmem_cache_free(bench_cache, obj);
	else if (who == BENCH_PAGES)
		__free_pages(obj, bench_order);
}

#endif /* _PCSLAB_BENCH_RIVALS_H */
