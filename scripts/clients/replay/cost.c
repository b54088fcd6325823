// SPDX-License-Identifier: GPL-2.0
/*
 * What the trace costs, in pcslab and in kmalloc, for make bench
 *
 * The trace is replayed on one CPU, in its order, without any check. Two things
 * are measured: the clock, over the whole trace; and memory at any point of it.
 * For the latter the replay goes on to an operation and stops there, and
 * whoever writes to the file measures. Memory is that of objects up to
 * PCSLAB_MAX_SIZE; both allocators use whole pages for larger ones.
 *
 * Context: process; the caller must prevent concurrent calls.
 */
#include <linux/err.h>
#include <linux/kernel.h>
#include <linux/limits.h>
#include <linux/math64.h>
#include <linux/minmax.h>
#include <linux/printk.h>
#include <linux/sched.h>
#include <linux/seq_file.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/timex.h>
#include <linux/vmalloc.h>

#include "replay.h"

#define ROUNDS	3

enum who { PCSLAB, KMALLOC, EMPTY, NR_WHO };

static const char * const names[] = { "pcslab", "kmalloc" };

static struct pcslab_heap *heap;
static void **objs;		/* by id; NULL if not live */
static u32 at;			/* the next operation */
static u64 live;		/* bytes requested for live objects */
static void *filler;		/* objects of fill(), a list */

static __always_inline void *take(enum who who, size_t size, gfp_t gfp)
{
	if (who == PCSLAB)
		return pcslab_alloc(heap, size, gfp);
	return who == KMALLOC ? kmalloc(size, gfp) : ZERO_SIZE_PTR;
}

static __always_inline void give(enum who who, const void *obj)
{
	if (who == PCSLAB)
		pcslab_free(obj);
	else if (who == KMALLOC)
		kfree(obj);
}

/* Does operations @from to @to, if their objects have at most @limit bytes. */
static __always_inline void replay(enum who who, u32 from, u32 to, size_t limit)
{
	const struct replay_object *object;
	const struct replay_op *op;
	gfp_t gfp;
	u32 i;

	for (i = from; i < to; i++) {
		op = &replay_trace.ops[i];
		object = &replay_trace.objects[op->id];
		if (object->size > limit)
			continue;
		gfp = object->atomic ? GFP_ATOMIC : GFP_KERNEL;
		if (op->free)
			give(who, READ_ONCE(objs[op->id]));
		else
			WRITE_ONCE(objs[op->id], take(who, object->size, gfp));
	}
}

static void replay_of(enum who who, u32 from, u32 to, size_t limit)
{
	if (who == PCSLAB)
		replay(PCSLAB, from, to, limit);
	else if (who == KMALLOC)
		replay(KMALLOC, from, to, limit);
	else
		replay(EMPTY, from, to, limit);
}

/* Frees the objects that operations below @end have allocated and not freed. */
static void free_live(enum who who, u32 end, size_t limit)
{
	const struct replay_op *op;
	u32 i;

	/* Entries of freed objects must not be freed again below. */
	for (i = 0; i < end; i++) {
		op = &replay_trace.ops[i];
		if (op->free)
			objs[op->id] = NULL;
	}
	for (i = 0; i < replay_trace.nr_objects; i++) {
		if (replay_trace.objects[i].size <= limit && objs[i])
			give(who, objs[i]);
		objs[i] = NULL;
	}
}

static u32 count_ops(size_t limit)
{
	u32 i, n = 0;

	for (i = 0; i < replay_trace.nr_ops; i++)
		n += replay_trace.objects[replay_trace.ops[i].id].size <= limit;
	return n;
}

static u64 timed(enum who who, size_t limit)
{
	u64 start = get_cycles(), took;

	replay_of(who, 0, replay_trace.nr_ops, limit);
	took = get_cycles() - start;
	free_live(who, replay_trace.nr_ops, limit);
	cond_resched();
	return took;
}

/* Instructions of an operation, without those of the loop. */
static void time_ops(const char *what, size_t limit)
{
	u64 least[NR_WHO] = { U64_MAX, U64_MAX, U64_MAX };
	u32 n = count_ops(limit), i, who;

	for (i = 0; i < ROUNDS; i++) {
		for (who = 0; who < NR_WHO; who++)
			least[who] = min(least[who], timed(who, limit));
	}
	for (who = 0; who < EMPTY; who++)
		pr_info("pcslab_bench: %s 0 1 %s %llu\n", what, names[who],
			div_u64((least[who] - least[EMPTY]) * 10, n));
}

/* Bytes that are live after an operation, as requested. */
static u64 live_after(u64 bytes, u32 i)
{
	const struct replay_op *op = &replay_trace.ops[i];
	u32 size = replay_trace.objects[op->id].size;

	if (size > PCSLAB_MAX_SIZE)
		return bytes;
	return op->free ? bytes - size : bytes + size;
}

/* The operation after which most bytes are live. */
static u32 find_peak(void)
{
	u64 bytes = 0, most = 0;
	u32 i, peak = 0;

	for (i = 0; i < replay_trace.nr_ops; i++) {
		bytes = live_after(bytes, i);
		if (bytes <= most)
			continue;
		most = bytes;
		peak = i + 1;
	}
	return peak;
}

/**
 * replay_cost_show() - the positions of the steps
 * @m: gets `peak OPERATION`, `ops NUMBER`, `live BYTES`
 */
void replay_cost_show(struct seq_file *m)
{
	seq_printf(m, "peak %u\n", find_peak());
	seq_printf(m, "ops %u\n", replay_trace.nr_ops);
	seq_printf(m, "live %llu\n", live);
}

static void step(enum who who, u32 to)
{
	u32 i;

	to = clamp(to, at, replay_trace.nr_ops);
	replay_of(who, at, to, PCSLAB_MAX_SIZE);
	for (i = at; i < to; i++)
		live = live_after(live, i);
	at = to;
}

/* Frees the objects of fill(). */
static void drain(void)
{
	void *next;

	for (; filler; filler = next) {
		next = *(void **)filler;
		kfree(filler);
	}
}

/*
 * The slabs of kmalloc have free objects since boot, which would cost the trace
 * nothing. Takes them; each object points to the one before.
 */
static int fill(void)
{
	static const size_t sizes[] = {
		8, 16, 32, 64, 96, 128, 192, 256, 512, 1024, 2048, 4096, 8192
	};
	unsigned int i, n;
	void **obj;

	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		for (n = sizes[i] > 1024 ? 100 : 1000; n; n--) {
			obj = kmalloc(sizes[i], GFP_KERNEL);
			if (!obj)
				return -ENOMEM;
			*obj = filler;
			filler = obj;
		}
	}
	return 0;
}

static int start(void)
{
	if (heap)
		return -EBUSY;
	heap = pcslab_heap_create("cost", NULL);
	if (IS_ERR(heap)) {
		heap = NULL;
		return -ENOMEM;
	}
	at = 0;
	live = 0;
	return 0;
}

static void stop(void)
{
	pcslab_heap_destroy(heap);
	heap = NULL;
	drain();
}

/* Frees all objects, and shrinks the heap but keeps it. */
static void empty(enum who who)
{
	free_live(who, at, PCSLAB_MAX_SIZE);
	if (who == PCSLAB)
		pcslab_heap_shrink(heap);
	at = 0;
	live = 0;
}

static int do_time(void)
{
	int err = start();

	if (err)
		return err;
	time_ops("trace", PCSLAB_MAX_SIZE);
	time_ops("trace-all", SIZE_MAX);
	stop();
	return 0;
}

/**
 * replay_cost() - execute a command
 * @text: `time` to time the trace; `fill`, `start`; then `pcslab N` or `kmalloc
 *	N` to go on to operation N, or `pcslab empty` or `kmalloc empty` to free
 *	all; `stop`
 *
 * Return: 0 or an error.
 */
int replay_cost(const char *text)
{
	char name[16];
	u32 to;
	int who;

	if (!replay_trace_whole())
		return -ENODATA;
	if (!objs)
		objs = vzalloc(array_size(replay_trace.nr_objects, sizeof(*objs)));
	if (!objs)
		return -ENOMEM;
	if (sysfs_streq(text, "time"))
		return do_time();
	if (sysfs_streq(text, "fill"))
		return fill();
	if (sysfs_streq(text, "start"))
		return start();
	if (!heap)
		return -EINVAL;
	if (sysfs_streq(text, "stop")) {
		stop();
		return 0;
	}
	if (sscanf(text, "%15s", name) != 1)
		return -EINVAL;
	who = match_string(names, ARRAY_SIZE(names), name);
	if (who < 0)
		return who;
	if (sscanf(text, "%*s %u", &to) == 1)
		step(who, to);
	else
		empty(who);
	return 0;
}

void replay_cost_exit(void)
{
	if (heap)
		stop();
	drain();
	vfree(objs);
}
