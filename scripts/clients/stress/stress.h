/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The storm: all that callers do, at once and at random, compared with an
 * oracle
 *
 *   object.c	one allocation, free or realloc, with all its checks
 *   worker.c	actors in task, softirq and hardirq, which share objects
 *   heaps.c	heaps that are created and destroyed during the storm
 *   crowd.c	heaps that come and go by the hundred
 *   race.c	two tasks that free the same objects at the same moment
 *   books.c	the oracle against the books, and a reader that never stops
 *   main.c	the module and its files in debugfs
 */
#ifndef _PCSLAB_STRESS_H
#define _PCSLAB_STRESS_H

#include <linux/atomic.h>
#include <linux/prandom.h>
#include <linux/types.h>
#include <pcslab/pcslab.h>

/* The index of large objects in the oracle, after the classes. */
#define STRESS_LARGE	PCSLAB_NR_CLASSES

/* The most objects that an actor allocates in a row */
#define STRESS_RUN	96

/* The counters; main.c has their names */
enum stress_number {
	STRESS_ALLOCS,
	STRESS_FREES,
	STRESS_REALLOCS,	/* that left the object where it was */
	STRESS_VMALLOCED,	/* allocated from vmalloc */
	STRESS_NULLS,
	STRESS_NULLS_IN_INTERRUPT,
	STRESS_IN_TASK,		/* allocations and frees, by context */
	STRESS_IN_SOFTIRQ,
	STRESS_IN_HARDIRQ,
	STRESS_CROSSED,		/* objects freed by another CPU */
	STRESS_DEFERRED,	/* objects freed after a grace period */
	STRESS_FOREIGN,		/* kfree() of a live object */
	STRESS_RACES,		/* objects freed by two tasks at once */
	STRESS_BOTH_COUNTED,	/* of these, both frees counted */
	STRESS_TWICE,		/* objects of this heap handed out twice */
	STRESS_HELD,		/* objects of this heap, now */
	STRESS_RUNS,
	STRESS_HEAPS,		/* created and destroyed */
	STRESS_ZOMBIES,		/* of these, with live objects */
	STRESS_CROWD,		/* created, used and destroyed by the hundred */
	STRESS_SHRINKS,
	STRESS_SHRUNK,		/* pages given back by shrinks */
	STRESS_READS,
	STRESS_COMPARED,	/* heaps compared with the oracle */
	/* The counters from here on are mismatches */
	STRESS_CONTENT,		/* changed while live, or by a realloc */
	STRESS_NOT_ZERO,
	STRESS_MISALIGNED,	/* kmalloc() would align it better */
	STRESS_WRONG_SIZE,	/* pcslab_usable_size(): another class */
	STRESS_WRONG_HEAP,	/* pcslab_heap_of(): another heap */
	STRESS_WRONG_RESULT,	/* a call broke its promise */
	STRESS_FELL,		/* counters that fell */
	STRESS_NEGATIVE,	/* more frees than allocations */
	STRESS_BOOKS,		/* counters that differ from the oracle */
	STRESS_NR_NUMBERS
};

/**
 * struct stress_counts - the oracle of one heap and one CPU
 * @allocs: by class
 * @frees: same
 * @fails: failed allocations, same
 * @large_alloc_bytes: of large objects
 * @large_free_bytes: same
 * @foreign: calls of kfree() on live objects
 */
struct stress_counts {
	unsigned long allocs[STRESS_LARGE + 1];
	unsigned long frees[STRESS_LARGE + 1];
	unsigned long fails[STRESS_LARGE + 1];
	unsigned long large_alloc_bytes;
	unsigned long large_free_bytes;
	unsigned long foreign;
};

/**
 * struct stress_heap - a heap and its oracle
 * @heap: the heap; nobody may allocate from it once it may be destroyed
 * @name: its name
 * @refs: one reference of its owner, one of each live object
 * @rows: each operation stays on its CPU until it is counted, so the oracle
 *	knows what each CPU should have counted
 * @redzone: bytes beyond the request have a pattern, even if the rest is zeroed
 * @abused: kfree() is called on live objects of it, too
 * @lasts: exists during the whole storm: anyone may allocate from it
 * @counts: the oracle
 */
struct stress_heap {
	struct pcslab_heap *heap;
	char name[PCSLAB_NAME_LEN];
	atomic_t refs;
	bool rows;
	bool redzone;
	bool abused;
	bool lasts;
	struct stress_counts __percpu *counts;
};

/**
 * struct stress_object - what is known of an object, kept apart from it
 * @obj: its address; NULL if there is none
 * @heap: the heap it belongs to
 * @size: bytes requested
 * @usable: bytes that it should have
 * @seed: of its content
 * @cpu: the CPU that allocated it
 */
struct stress_object {
	void *obj;
	struct stress_heap *heap;
	size_t size;
	size_t usable;
	u64 seed;
	unsigned int cpu;
};

/**
 * struct stress_actor - makes calls, one at a time
 * @may_sleep: it is a task
 * @random: decides what it does; nobody else draws from it
 * @number: what it did and found
 * @run: objects of its own
 */
struct stress_actor {
	bool may_sleep;
	struct rnd_state random;
	u64 number[STRESS_NR_NUMBERS];
	struct stress_object run[STRESS_RUN];
};

/* The lasting heaps: with rows, without, and the abused one */
enum { STRESS_KNOWN, STRESS_ANYWHERE, STRESS_ABUSED, STRESS_NR_LASTING };

extern struct stress_heap stress_lasting[STRESS_NR_LASTING];

/* object.c */
void stress_alloc(struct stress_actor *actor, struct stress_heap *heap,
		  struct stress_object *object, size_t size);
void stress_realloc(struct stress_actor *actor, struct stress_heap *heap,
		    struct stress_object *object, size_t size);
void stress_free(struct stress_actor *actor, struct stress_object *object);
void stress_abuse(struct stress_actor *actor, struct stress_object *object);
size_t stress_size(struct stress_actor *actor);

/* worker.c */
bool stress_publish(struct stress_object *object, unsigned int slot);
bool stress_take_back(struct stress_object *object, struct stress_heap *heap,
		      unsigned int slot);
unsigned int stress_any_slot(struct stress_actor *actor);
void stress_free_run(struct stress_actor *actor, unsigned int nr);
int stress_workers_init(void);
void stress_workers_exit(void);
int stress_workers_start(void);
void stress_workers_stop(void);
void stress_free_slots(struct stress_actor *actor);

/* heaps.c */
int stress_oracle_create(struct stress_heap *heap);
int stress_heap_init(struct stress_heap *heap, const char *name, unsigned long flags,
		     unsigned long pages);
struct stress_heap *stress_any_heap(struct stress_actor *actor);
void stress_heap_get(struct stress_heap *heap);
void stress_heap_put(struct stress_heap *heap);
int stress_heaps_init(void);
void stress_heaps_exit(void);
int stress_heaps_start(void);
void stress_heaps_stop(void);

/* crowd.c */
int stress_crowd_init(void);
void stress_crowd_exit(void);
int stress_crowd_start(void);
void stress_crowd_stop(void);

/* race.c */
int stress_race_init(void);
void stress_race_exit(void);
int stress_race_start(void);
void stress_race_stop(void);
void stress_race_end(void);

/* books.c */
void stress_compare(struct stress_actor *actor, struct stress_heap *heap,
		    struct pcslab_stats *st);
void stress_shrink(struct stress_actor *actor, struct stress_heap *heap);
void stress_expect_empty(struct stress_actor *actor, struct stress_heap *heap,
			 struct pcslab_stats *st);
int stress_reader_init(void);
void stress_reader_exit(void);
int stress_reader_start(void);
void stress_reader_stop(void);

/* main.c */
struct stress_actor *stress_actor_create(bool may_sleep);

/* Returns a number below @below. */
static inline u32 stress_random(struct stress_actor *actor, u32 below)
{
	return (u64)prandom_u32_state(&actor->random) * below >> 32;
}

/* WRITE_ONCE(), because a reader shows the numbers while they change. */
static inline void stress_add(struct stress_actor *actor, enum stress_number number, u64 n)
{
	WRITE_ONCE(actor->number[number], actor->number[number] + n);
}

#endif /* _PCSLAB_STRESS_H */
