// SPDX-License-Identifier: GPL-2.0
/*
 * Actors allocate and free objects of one class, and recognize their own: each
 * object carries the token of the actor that holds it. If the heap hands an
 * object out twice, the second actor sees this when it gets the object, or the
 * first one when it frees it. One file of each module includes this one.
 */
#include <linux/percpu.h>

#include "internal.h"
#include "quiet.c"

#define ENTRY_CPUS	8
#define ENTRY_SIZE	64
#define HELD		8

enum { ALLOCATING, FREEING, NR_PHASES };

/**
 * struct actor - one kind of context on one CPU that allocates and frees
 * @token: written into its objects
 * @held: its objects
 * @at: index of the next one
 * @allocs: calls it has made
 * @frees: same
 * @fails: same
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

#define TOKEN		0x7c51ab0000000000ULL
#define TOKEN_MASK	0xffffff0000000000ULL
#define NO_TOKEN	0x0ff0ff0ff0ff0ff0ULL

static u64 token_of(unsigned int cpu, unsigned int context)
{
	return TOKEN | cpu << 16 | context << 8;
}

static void act_alloc(struct pcslab_heap *heap, struct actor *actor, unsigned int i)
{
	u64 *obj = pcslab_alloc(heap, ENTRY_SIZE, GFP_ATOMIC | __GFP_NOWARN);

	actor->held[i] = obj;
	if (!obj) {
		actor->fails++;
		return;
	}
	actor->allocs++;
	actor->bad += (READ_ONCE(obj[0]) & TOKEN_MASK) == TOKEN;
	WRITE_ONCE(obj[0], actor->token);
	WRITE_ONCE(obj[ENTRY_SIZE / sizeof(*obj) - 1], actor->token);
}

static void act_free(struct actor *actor, unsigned int i)
{
	u64 *obj = actor->held[i];

	if (!obj)
		return;
	actor->bad += READ_ONCE(obj[0]) != actor->token ||
		      READ_ONCE(obj[ENTRY_SIZE / sizeof(*obj) - 1]) != actor->token;
	WRITE_ONCE(obj[0], NO_TOKEN);
	actor->held[i] = NULL;
	actor->frees++;
	pcslab_free(obj);
}

static void give_all_back(struct actor *actor)
{
	unsigned int i;

	for (i = 0; i < HELD; i++)
		act_free(actor, i);
}

/* Is a call on this CPU between its look at the magazine and its count? */
static bool guard_taken(struct pcslab_heap *heap)
{
	struct pcslab_class *class = heap->class[pcslab_class_index(ENTRY_SIZE)];

	return READ_ONCE(pcslab_this_cache(class)->busy);
}

static void expect_books(struct kunit *test, struct pcslab_heap *heap, u64 allocs,
			 u64 frees, u64 fails)
{
	static struct pcslab_stats st;
	struct pcslab_class_stats *class = &st.class[pcslab_class_index(ENTRY_SIZE)];

	KUNIT_ASSERT_EQ(test, pcslab_heap_stats_exact(heap, &st), 0);
	KUNIT_EXPECT_EQ(test, class->allocs, allocs);
	KUNIT_EXPECT_EQ(test, class->frees, frees);
	KUNIT_EXPECT_EQ(test, class->fails, fails);
}
