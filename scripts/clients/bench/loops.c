// SPDX-License-Identifier: GPL-2.0
/*
 * The loops of one CPU
 *
 * They are inlined with constants, so each is code of its own: pcslab and
 * kmalloc resolve a size at compile time if their caller's size is a constant.
 */
#include <linux/limits.h>
#include <linux/timex.h>

#include "rivals.h"

enum loop { PAIRS, FILL };

/*
 * The compiler must believe that the pointer is used. Otherwise it might omit
 * both calls, and it does omit the loop without calls. The barrier only needs
 * the pointer in a register, which takes no instruction within the loop. The
 * countdown takes two instructions, for every rival.
 */
static __always_inline u64 pairs(enum bench_who who, size_t size, gfp_t gfp, unsigned int n)
{
	u64 start = get_cycles();
	void *obj;

	for (; n; n--) {
		obj = bench_take(who, size, gfp);
		barrier_data(obj);
		bench_give(who, obj);
	}
	return get_cycles() - start;
}

static __always_inline u64 fill(enum bench_who who, size_t size, gfp_t gfp, void **objs,
				unsigned int n)
{
	u64 start = get_cycles();
	unsigned int i;

	for (i = 0; i < n; i++)
		WRITE_ONCE(objs[i], bench_take(who, size, gfp));
	return get_cycles() - start;
}

static __always_inline u64 drain(enum bench_who who, void **objs, unsigned int n)
{
	u64 start = get_cycles();
	unsigned int i;

	for (i = 0; i < n; i++)
		bench_give(who, READ_ONCE(objs[i]));
	return get_cycles() - start;
}

static u64 bulk_fill(gfp_t gfp, void **objs, unsigned int n)
{
	u64 start = get_cycles();
	unsigned int i;

	for (i = 0; i < n; i += BENCH_BULK_NR) {
		if (!kmem_cache_alloc_bulk(bench_cache, gfp, BENCH_BULK_NR, objs + i))
			memset(objs + i, 0, BENCH_BULK_NR * sizeof(*objs));
	}
	return get_cycles() - start;
}

static u64 bulk_drain(void **objs, unsigned int n)
{
	u64 start = get_cycles();
	unsigned int i;

	for (i = 0; i < n; i += BENCH_BULK_NR)
		kmem_cache_free_bulk(bench_cache, BENCH_BULK_NR, objs + i);
	return get_cycles() - start;
}

static __always_inline u64 one_loop(enum loop loop, enum bench_who who, size_t size,
				    gfp_t gfp, void **objs, unsigned int n)
{
	return loop == PAIRS ? pairs(who, size, gfp, n) : fill(who, size, gfp, objs, n);
}

static __always_inline u64 of_size(enum loop loop, enum bench_who who,
				   const struct bench_load *load, gfp_t gfp, void **objs,
				   unsigned int n)
{
	if (load->variable)
		return one_loop(loop, who, READ_ONCE(load->size), gfp, objs, n);
	switch (load->size) {
	case 8:
		return one_loop(loop, who, 8, gfp, objs, n);
	case 16:
		return one_loop(loop, who, 16, gfp, objs, n);
	case 64:
		return one_loop(loop, who, 64, gfp, objs, n);
	case 256:
		return one_loop(loop, who, 256, gfp, objs, n);
	case 512:
		return one_loop(loop, who, 512, gfp, objs, n);
	case 1024:
		return one_loop(loop, who, 1024, gfp, objs, n);
	case 2048:
		return one_loop(loop, who, 2048, gfp, objs, n);
	case 4096:
		return one_loop(loop, who, 4096, gfp, objs, n);
	case 8192:
		return one_loop(loop, who, 8192, gfp, objs, n);
	case 16384:
		return one_loop(loop, who, 16384, gfp, objs, n);
	case 65536:
		return one_loop(loop, who, 65536, gfp, objs, n);
	default:
		return U64_MAX;		/* not measured */
	}
}

static __always_inline u64 constants(enum loop loop, enum bench_who who,
				     const struct bench_load *load, void **objs,
				     unsigned int n)
{
	switch (load->gfp) {
	case BENCH_ATOMIC:
		return of_size(loop, who, load, GFP_ATOMIC, objs, n);
	case BENCH_ZEROED:
		return of_size(loop, who, load, GFP_KERNEL | __GFP_ZERO, objs, n);
	case BENCH_CHARGED:
		return of_size(loop, who, load, GFP_KERNEL_ACCOUNT, objs, n);
	default:
		return of_size(loop, who, load, GFP_KERNEL, objs, n);
	}
}

/* For the other rivals a constant makes no difference. */
static __always_inline u64 any_who(enum loop loop, enum bench_who who,
				   const struct bench_load *load, void **objs,
				   unsigned int n)
{
	static const gfp_t flags[BENCH_NR_GFP] = {
		[BENCH_KERNEL] = GFP_KERNEL,
		[BENCH_ATOMIC] = GFP_ATOMIC,
		[BENCH_ZEROED] = GFP_KERNEL | __GFP_ZERO,
		[BENCH_CHARGED] = GFP_KERNEL_ACCOUNT,
		[BENCH_TRACKED] = GFP_KERNEL,
		[BENCH_UNWOUND] = GFP_KERNEL,
	};
	gfp_t gfp = flags[load->gfp];

	switch (who) {
	case BENCH_PCSLAB:
		return constants(loop, BENCH_PCSLAB, load, objs, n);
	case BENCH_KMALLOC:
		return constants(loop, BENCH_KMALLOC, load, objs, n);
	case BENCH_CACHE:
		return one_loop(loop, BENCH_CACHE, load->size, gfp, objs, n);
	case BENCH_PAGES:
		return one_loop(loop, BENCH_PAGES, load->size, gfp, objs, n);
	case BENCH_EMPTY:
		return one_loop(loop, BENCH_EMPTY, load->size, gfp, objs, n);
	default:
		return bulk_fill(gfp, objs, n);
	}
}

/**
 * bench_pairs() - allocate and free at once
 * @who: the rival; all but BENCH_BULK
 * @load: what to allocate
 * @n: how often
 *
 * Return: instructions, those of the loop included.
 */
u64 bench_pairs(enum bench_who who, const struct bench_load *load, unsigned int n)
{
	return any_who(PAIRS, who, load, NULL, n);
}

/**
 * bench_fill() - allocate
 * @who: the rival
 * @load: what to allocate
 * @objs: filled; NULL where an allocation failed
 * @n: number of objects, a multiple of BENCH_BULK_NR
 *
 * Return: instructions, those of the loop included.
 */
u64 bench_fill(enum bench_who who, const struct bench_load *load, void **objs,
	       unsigned int n)
{
	return any_who(FILL, who, load, objs, n);
}

/**
 * bench_drain() - free, in the order of an array
 * @who: the rival
 * @objs: objects
 * @n: number of objects, a multiple of BENCH_BULK_NR
 *
 * Return: instructions, those of the loop included.
 */
u64 bench_drain(enum bench_who who, void **objs, unsigned int n)
{
	switch (who) {
	case BENCH_PCSLAB:
		return drain(BENCH_PCSLAB, objs, n);
	case BENCH_KMALLOC:
		return drain(BENCH_KMALLOC, objs, n);
	case BENCH_CACHE:
		return drain(BENCH_CACHE, objs, n);
	case BENCH_PAGES:
		return drain(BENCH_PAGES, objs, n);
	case BENCH_EMPTY:
		return drain(BENCH_EMPTY, objs, n);
	default:
		return bulk_drain(objs, n);
	}
}
