// SPDX-License-Identifier: GPL-2.0
/*
 * Lost objects, of KINDS kinds
 *
 * So that the module can free them when it goes, it has their addresses, but
 * inverted: no scan knows them.
 */
#include <linux/mm.h>
#include <linux/sizes.h>
#include <linux/slab.h>
#include <linux/string.h>

#include "loser.h"

static unsigned long buried[KINDS * PLANTED + PLANTED];
static unsigned int nr_buried;

static struct thing *once_here = (struct thing *)1;

static void bury(void *obj)
{
	if (obj)
		buried[nr_buried++] = ~(unsigned long)obj;
	else
		loser_failed++;
}

static __always_inline void get(struct thing **t, size_t size)
{
	unsigned int i;

	for (i = 0; i < PLANTED; i++) {
		t[i] = pcslab_zalloc(loser_heap, size, GFP_KERNEL);
		bury(t[i]);
	}
}

static __always_inline void get_things(struct thing **t)
{
	get(t, sizeof(struct thing));
}

static noinline void plant_single(struct thing **t)
{
	get(t, 16);
}

static noinline void plant_other_size(struct thing **t)
{
	get(t, 200);
}

/* Each points to itself, too. */
static noinline void plant_self(struct thing **t)
{
	unsigned int i;

	get_things(t);
	for (i = 0; i < PLANTED; i++)
		t[i]->next = t[i];
}

static noinline void plant_empty_list_head(struct thing **t)
{
	unsigned int i;

	get_things(t);
	for (i = 0; i < PLANTED; i++)
		INIT_LIST_HEAD(&t[i]->list);
}

static noinline void plant_chain(struct thing **t)
{
	unsigned int i;

	get_things(t);
	for (i = 1; i < PLANTED; i++)
		t[i - 1]->next = t[i];
}

static noinline void plant_ring(struct thing **t)
{
	unsigned int i;

	get_things(t);
	for (i = 0; i < PLANTED; i++)
		t[i]->next = t[(i + 1) % PLANTED];
}

/* The list's head is in one of them. */
static noinline void plant_list(struct thing **t)
{
	unsigned int i;

	get_things(t);
	INIT_LIST_HEAD(&t[0]->list);
	for (i = 1; i < PLANTED; i++)
		list_add(&t[i]->list, &t[0]->list);
}

static noinline void plant_hlist(struct thing **t)
{
	struct hlist_head head = HLIST_HEAD_INIT;
	unsigned int i;

	get_things(t);
	for (i = 0; i < PLANTED; i++)
		hlist_add_head(&t[i]->node, &head);
	t[PLANTED - 1]->node.pprev = &t[PLANTED - 1]->node.next;
}

static noinline void plant_tree(struct thing **t)
{
	unsigned int i;

	get_things(t);
	for (i = 1; i < PLANTED; i++) {
		t[i]->other = t[(i - 1) / 2];
		t[(i - 1) / 2]->next = t[i];
	}
}

static noinline void plant_rb_tree(struct thing **t)
{
	struct rb_root root = RB_ROOT;
	unsigned int i;

	get_things(t);
	for (i = 0; i < PLANTED; i++)
		loser_rb_add(t[i], &root);
}

static noinline void plant_inner_pointers(struct thing **t)
{
	unsigned int i;

	get_things(t);
	for (i = 0; i < PLANTED; i++)
		t[i]->other = (void *)t[(i + 2) % PLANTED] + 40;
}

/* They know a live object, which does not know them. */
static noinline void plant_with_way_out(struct thing **t)
{
	unsigned int i;

	get_things(t);
	for (i = 0; i < PLANTED; i++)
		t[i]->other = (void *)loser_heap;
}

static noinline void plant_overwritten(struct thing **t)
{
	unsigned int i;

	get_things(t);
	for (i = 0; i < PLANTED; i++)
		WRITE_ONCE(once_here, t[i]);
	WRITE_ONCE(once_here, NULL);
}

/* What pointed to them is free. The kernel has given the page to others. */
static noinline void plant_freed_container(struct thing **t)
{
	struct thing **table = pcslab_zalloc(loser_heap, TABLE_SIZE, GFP_KERNEL);

	get_things(t);
	if (table)
		memcpy(table, t, PLANTED * sizeof(*t));
	pcslab_free(table);
}

static noinline void plant_after_churn(struct thing **t)
{
	void *others[64];
	unsigned int round, i;

	for (round = 0; round < 100; round++) {
		for (i = 0; i < ARRAY_SIZE(others); i++)
			others[i] = pcslab_alloc(loser_heap, sizeof(struct thing), GFP_KERNEL);
		if (round == 50)
			get_things(t);
		for (i = 0; i < ARRAY_SIZE(others); i++)
			pcslab_free(others[(i * 7) % ARRAY_SIZE(others)]);
	}
	memset(others, 0, sizeof(others));
	barrier_data(others);
}

static noinline void plant_grown(struct thing **t)
{
	unsigned int i;
	void *small;

	for (i = 0; i < PLANTED; i++) {
		small = pcslab_alloc(loser_heap, 48, GFP_KERNEL);
		t[i] = pcslab_realloc(loser_heap, small, 400, GFP_KERNEL);
		bury(t[i]);
	}
}

static noinline void plant_of_cache(struct thing **t)
{
	unsigned int i;

	for (i = 0; i < PLANTED; i++) {
		t[i] = pcslab_cache_zalloc(loser_cache, GFP_KERNEL);
		bury(t[i]);
	}
}

/* Rings of an object of the heap and one of its cache; the fifth is alone. */
static noinline void plant_mixed_ring(struct thing **t)
{
	unsigned int i;

	for (i = 0; i < PLANTED; i++) {
		t[i] = i % 2 ? pcslab_cache_zalloc(loser_cache, GFP_KERNEL) :
			       pcslab_zalloc(loser_heap, sizeof(struct thing), GFP_KERNEL);
		bury(t[i]);
	}
	for (i = 0; i < PLANTED - 1; i++)
		t[i]->next = t[i ^ 1];
}

static noinline void plant_large(struct thing **t)
{
	get(t, 5 * PAGE_SIZE);
}

static noinline void plant_from_vmalloc(struct thing **t)
{
	unsigned int i;

	for (i = 0; i < PLANTED; i++) {
		t[i] = pcslab_kvzalloc(loser_heap, SZ_4M + 5 * PAGE_SIZE, GFP_KERNEL);
		bury(t[i]);
	}
}

static void (* const plant[KINDS])(struct thing **t) = {
	plant_single, plant_other_size, plant_self, plant_empty_list_head, plant_chain, plant_ring,
	plant_list, plant_hlist, plant_tree, plant_rb_tree, plant_inner_pointers,
	plant_with_way_out, plant_overwritten, plant_freed_container, plant_after_churn,
	plant_grown, plant_of_cache, plant_mixed_ring, plant_large, plant_from_vmalloc,
};

/*
 * A caller that returns leaves its words on the stack; the next one's are
 * there.
 */
static noinline void plant_one(unsigned int kind)
{
	struct thing *t[PLANTED];

	plant[kind](t);
	memset(t, 0, sizeof(t));
	barrier_data(t);
}

int loser_plant(void)
{
	unsigned int kind;

	for (kind = 0; kind < KINDS; kind++)
		plant_one(kind);
	return loser_failed ? -ENOMEM : 0;
}

void loser_dig_up(void)
{
	while (nr_buried)
		pcslab_free((void *)~buried[--nr_buried]);
}
