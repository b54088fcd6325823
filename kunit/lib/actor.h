/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Actors allocate and free objects of one class, and recognize their own: each
 * object carries the token of the actor that holds it. If the heap hands an
 * object out twice, the second actor sees this when it gets the object, or the
 * first one when it frees it.
 */
#ifndef _PCSLAB_KUNIT_ACTOR_H
#define _PCSLAB_KUNIT_ACTOR_H

#include <kunit/test.h>

#include "internal.h"

#define ENTRY_CPUS	8
#define ENTRY_SIZE	64
#define HELD		8

enum { ALLOCATING, FREEING, NR_PHASES };

/**
 * struct actor - one kind of context on one CPU that allocates and frees
 * @token: written into its objects
 * @held: its objects
 * @at: index of the next one
 * @allocs: allocations it has made
 * @frees: frees it has made
 * @fails: allocations that returned NULL
 * @bad: objects that carried the token of another actor
 * @entries: interruptions of the task
 * @hits: interruptions in the middle of a call, by the kind of that call
 * @last_step: the call that was interrupted last
 */
struct actor {
	u64 token;
	void *held[HELD];
	unsigned int at;
	u64 allocs, frees, fails, bad;
	u64 entries, hits[NR_PHASES];
	unsigned int last_step;
};

u64 token_of(unsigned int cpu, unsigned int context);
void act_alloc(struct pcslab_heap *heap, struct actor *actor, unsigned int i);
void act_free(struct actor *actor, unsigned int i);

/* The same with all objects of an actor in one call, which may sleep. */
void act_alloc_all(struct pcslab_heap *heap, struct actor *actor);
void act_free_all(struct actor *actor);

void give_all_back(struct actor *actor);

/* True if a call on this CPU has read the magazine and not counted yet. */
bool guard_taken(struct pcslab_heap *heap);

/* Compares the counts of the only class. */
void expect_class(struct kunit *test, struct pcslab_heap *heap, u64 allocs,
		  u64 frees, u64 fails);

#endif /* _PCSLAB_KUNIT_ACTOR_H */
