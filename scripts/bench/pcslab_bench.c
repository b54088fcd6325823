// SPDX-License-Identifier: GPL-2.0
/*
 * What pcslab, kmalloc and a kmem_cache cost, in instructions
 *
 * For a machine on which the cycle counter counts instructions (QEMU with
 * icount, see ../runs/bench.run). A measurement is a loop of PAIRS; it is taken
 * ROUNDS times, the three allocators by turns, and the least counts: what is
 * above it are interrupts. The same loop without a call is subtracted, nothing
 * else. Results are lines of the kernel log, in tenths of an instruction.
 */
#include <linux/init.h>
#include <linux/math64.h>
#include <linux/minmax.h>
#include <linux/module.h>
#include <linux/slab.h>
#include <linux/timex.h>

#include <pcslab/pcslab.h>

#define PAIRS	10000
#define ROUNDS	20

/* Instructions of the loop that checks the clock */
#define LOOP	2000000UL

static struct pcslab_heap *heap;
static struct kmem_cache *cache;
static void *objs[PAIRS];

enum who { PCSLAB, KMALLOC, KMEM_CACHE, EMPTY, NR };

/* Inlined with constants, as are the loops below, so that each is its own code. */
static __always_inline void *take(enum who who, size_t size, gfp_t gfp)
{
	switch (who) {
	case PCSLAB:
		return pcslab_alloc(heap, size, gfp);
	case KMALLOC:
		return kmalloc(size, gfp);
	case KMEM_CACHE:
		return kmem_cache_alloc(cache, gfp);
	default:
		return NULL;
	}
}

static __always_inline void give(enum who who, void *obj)
{
	if (who == PCSLAB)
		pcslab_free(obj);
	else if (who == KMALLOC)
		kfree(obj);
	else if (who == KMEM_CACHE)
		kmem_cache_free(cache, obj);
}

/* The pointer is hidden from the compiler, which might leave out both calls. */
static __always_inline u64 pair_loop(enum who who, size_t size, gfp_t gfp)
{
	u64 start = get_cycles();
	unsigned int i;
	void *obj;

	for (i = 0; i < PAIRS; i++) {
		obj = take(who, size, gfp);
		OPTIMIZER_HIDE_VAR(obj);
		give(who, obj);
	}
	return get_cycles() - start;
}

/* All are taken, then all are given back: more than magazines hold. */
static __always_inline u64 batch_loop(enum who who, size_t size, gfp_t gfp)
{
	u64 start = get_cycles();
	unsigned int i;

	for (i = 0; i < PAIRS; i++)
		WRITE_ONCE(objs[i], take(who, size, gfp));
	for (i = 0; i < PAIRS; i++)
		give(who, READ_ONCE(objs[i]));
	return get_cycles() - start;
}

static __always_inline u64 pair(enum who who, size_t size, gfp_t gfp)
{
	switch (who) {
	case PCSLAB:
		return pair_loop(PCSLAB, size, gfp);
	case KMALLOC:
		return pair_loop(KMALLOC, size, gfp);
	case KMEM_CACHE:
		return pair_loop(KMEM_CACHE, size, gfp);
	default:
		return pair_loop(EMPTY, size, gfp);
	}
}

static u64 pair_8(enum who who)
{
	return pair(who, 8, GFP_KERNEL);
}

static u64 pair_64(enum who who)
{
	return pair(who, 64, GFP_KERNEL);
}

static u64 pair_256(enum who who)
{
	return pair(who, 256, GFP_KERNEL);
}

static u64 pair_1024(enum who who)
{
	return pair(who, 1024, GFP_KERNEL);
}

static u64 pair_4096(enum who who)
{
	return pair(who, 4096, GFP_KERNEL);
}

static u64 atomic_64(enum who who)
{
	return pair(who, 64, GFP_ATOMIC);
}

/* A size the compiler does not know. */
static u64 variable_64(enum who who)
{
	static size_t size = 64;

	return pair(who, READ_ONCE(size), GFP_KERNEL);
}

static u64 batch_64(enum who who)
{
	switch (who) {
	case PCSLAB:
		return batch_loop(PCSLAB, 64, GFP_KERNEL);
	case KMALLOC:
		return batch_loop(KMALLOC, 64, GFP_KERNEL);
	case KMEM_CACHE:
		return batch_loop(KMEM_CACHE, 64, GFP_KERNEL);
	default:
		return batch_loop(EMPTY, 64, GFP_KERNEL);
	}
}

static const struct subject {
	const char *what;
	size_t size;
	u64 (*run)(enum who who);
} subjects[] = {
	{ "pair", 64, pair_64 },
	{ "pair", 8, pair_8 },
	{ "pair", 256, pair_256 },
	{ "pair", 1024, pair_1024 },
	{ "pair", 4096, pair_4096 },
	{ "atomic", 64, atomic_64 },
	{ "variable", 64, variable_64 },
	{ "batch", 64, batch_64 },
};

/* Two instructions an iteration. */
static u64 clock_loop(void)
{
	unsigned long n = LOOP / 2;
	u64 start = get_cycles();

	asm volatile("1:	dec %0\n\t"
		     "jnz 1b"
		     : "+r" (n));
	return get_cycles() - start;
}

static void check_clock(void)
{
	u64 least = U64_MAX;
	unsigned int i;

	for (i = 0; i < ROUNDS; i++)
		least = min(least, clock_loop());
	pr_info("pcslab_bench: clock %lu %llu\n", LOOP, least);
}

static void measure(const struct subject *subject)
{
	u64 least[NR] = { U64_MAX, U64_MAX, U64_MAX, U64_MAX };
	unsigned int round, i;

	for (round = 0; round < ROUNDS; round++) {
		for (i = 0; i < NR; i++)
			least[i] = min(least[i], subject->run(i));
	}
	for (i = 0; i < EMPTY; i++)
		least[i] = div_u64((least[i] - least[EMPTY]) * 10, PAIRS);
	pr_info("pcslab_bench: %s %zu %llu %llu %llu\n", subject->what, subject->size,
		least[PCSLAB], least[KMALLOC], least[KMEM_CACHE]);
}

static int __init bench_init(void)
{
	unsigned int i;
	int err = 0;

	check_clock();
	for (i = 0; i < ARRAY_SIZE(subjects) && !err; i++) {
		heap = pcslab_heap_create("bench", NULL);
		cache = kmem_cache_create("pcslab_bench", subjects[i].size, 0, 0, NULL);
		if (IS_ERR(heap) || !cache)
			err = -ENOMEM;
		if (!err)
			measure(&subjects[i]);
		kmem_cache_destroy(cache);
		pcslab_heap_destroy(heap);
	}
	return err;
}

static void __exit bench_exit(void)
{
}

module_init(bench_init);
module_exit(bench_exit);

MODULE_DESCRIPTION("Cost of pcslab, kmalloc and kmem_cache in instructions");
MODULE_LICENSE("GPL");
MODULE_INFO(import_ns, "PCSLAB");
