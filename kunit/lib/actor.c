// SPDX-License-Identifier: GPL-2.0
/* Actors: see actor.h */
#include <linux/export.h>
#include <linux/percpu.h>

#include "actor.h"

#define TOKEN		0x7c51ab0000000000ULL
#define TOKEN_MASK	0xffffff0000000000ULL
#define NO_TOKEN	0x0ff0ff0ff0ff0ff0ULL

u64 token_of(unsigned int cpu, unsigned int context)
{
	return TOKEN | cpu << 16 | context << 8;
}
EXPORT_SYMBOL_GPL(token_of);

/* Writes the token into an object that was just allocated. */
static void take(struct actor *actor, unsigned int i)
{
	u64 *obj = actor->held[i];

	actor->allocs++;
	actor->bad += (READ_ONCE(obj[0]) & TOKEN_MASK) == TOKEN;
	WRITE_ONCE(obj[0], actor->token);
	WRITE_ONCE(obj[ENTRY_SIZE / sizeof(*obj) - 1], actor->token);
}

/* Looks for the token in an object that is about to be freed. */
static void part_with(struct actor *actor, unsigned int i)
{
	u64 *obj = actor->held[i];

	actor->bad += READ_ONCE(obj[0]) != actor->token ||
		      READ_ONCE(obj[ENTRY_SIZE / sizeof(*obj) - 1]) != actor->token;
	WRITE_ONCE(obj[0], NO_TOKEN);
	actor->frees++;
}

void act_alloc(struct pcslab_heap *heap, struct actor *actor, unsigned int i)
{
	actor->held[i] = pcslab_alloc(heap, ENTRY_SIZE, GFP_ATOMIC | __GFP_NOWARN);
	if (actor->held[i])
		take(actor, i);
	else
		actor->fails++;
}
EXPORT_SYMBOL_GPL(act_alloc);

void act_free(struct actor *actor, unsigned int i)
{
	void *obj = actor->held[i];

	if (!obj)
		return;
	part_with(actor, i);
	actor->held[i] = NULL;
	pcslab_free(obj);
}
EXPORT_SYMBOL_GPL(act_free);

void act_alloc_all(struct pcslab_heap *heap, struct actor *actor)
{
	unsigned int i;

	if (!pcslab_alloc_bulk(heap, ENTRY_SIZE, GFP_KERNEL, HELD, actor->held)) {
		actor->bad++;
		return;
	}
	for (i = 0; i < HELD; i++)
		take(actor, i);
}
EXPORT_SYMBOL_GPL(act_alloc_all);

void act_free_all(struct actor *actor)
{
	unsigned int i;

	for (i = 0; i < HELD; i++)
		part_with(actor, i);
	pcslab_free_bulk(HELD, actor->held);
}
EXPORT_SYMBOL_GPL(act_free_all);

void give_all_back(struct actor *actor)
{
	unsigned int i;

	for (i = 0; i < HELD; i++)
		act_free(actor, i);
}
EXPORT_SYMBOL_GPL(give_all_back);

bool guard_taken(struct pcslab_heap *heap)
{
	struct pcslab_class *class = heap->class[pcslab_class_index(ENTRY_SIZE)];

	return READ_ONCE(pcslab_this_cache(class)->busy);
}
EXPORT_SYMBOL_GPL(guard_taken);

void expect_class(struct kunit *test, struct pcslab_heap *heap, u64 allocs,
		  u64 frees, u64 fails)
{
	static struct pcslab_stats st;
	struct pcslab_class_stats *class = &st.class[pcslab_class_index(ENTRY_SIZE)];

	KUNIT_ASSERT_EQ(test, pcslab_heap_stats_exact(heap, &st), 0);
	KUNIT_EXPECT_EQ(test, class->allocs, allocs);
	KUNIT_EXPECT_EQ(test, class->frees, frees);
	KUNIT_EXPECT_EQ(test, class->fails, fails);
}
EXPORT_SYMBOL_GPL(expect_class);
