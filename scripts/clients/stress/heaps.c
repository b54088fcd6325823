// SPDX-License-Identifier: GPL-2.0
/*
 * Heaps that are created and destroyed during the storm
 *
 * An owner creates a heap, allocates from it, compares its books while nobody
 * else knows it, and gives the objects to everyone. Then it either takes back
 * the objects that are still live, compares again and destroys an empty heap;
 * or it destroys the heap as it is, and the zombie goes when others have freed
 * the rest, in any context.
 *
 * Locks: none; only the owner allocates from a heap that may be destroyed.
 * Context: process; stress_heap_get() and _put(): any.
 */
#include <linux/delay.h>
#include <linux/err.h>
#include <linux/kernel.h>
#include <linux/kthread.h>
#include <linux/percpu.h>
#include <linux/slab.h>
#include <linux/string.h>

#include "stress.h"

#define NR_OWNERS	2

/* The zombies that an owner may leave behind at a time, and its heap */
#define OWNER_HEAPS	16

/* Pages that a heap is limited to */
#define MAX_LIMIT	200

#define CHECKS		(PCSLAB_HEAP_POISON | PCSLAB_HEAP_REDZONE)
#define ANY_FLAGS	(PCSLAB_HEAP_RANDOM | CHECKS)

struct owner {
	struct task_struct *task;
	struct stress_actor *actor;
	struct pcslab_stats st;
	struct stress_heap heap[OWNER_HEAPS];
	unsigned int slot[STRESS_RUN];
	unsigned int number;
	unsigned int turn;
};

struct stress_heap stress_lasting[STRESS_NR_LASTING];
static struct owner *owners;

struct stress_heap *stress_any_heap(struct stress_actor *actor)
{
	return &stress_lasting[stress_random(actor, STRESS_NR_LASTING)];
}

/**
 * stress_oracle_create() - make the oracle of a heap
 * @heap: not initialised; the caller must free its counts
 *
 * Return: 0 or an error.
 */
int stress_oracle_create(struct stress_heap *heap)
{
	heap->counts = alloc_percpu(struct stress_counts);
	return heap->counts ? 0 : -ENOMEM;
}

/**
 * stress_heap_init() - create a heap with an oracle that begins at 0
 * @heap: filled
 * @name: of the heap
 * @flags: its attributes
 * @pages: its limit, or 0
 *
 * Return: 0 or an error.
 */
int stress_heap_init(struct stress_heap *heap, const char *name, unsigned long flags,
		     unsigned long pages)
{
	struct pcslab_heap_attr attr = { .flags = flags, .limit_bytes = pages * PAGE_SIZE };
	unsigned int cpu;

	strscpy(heap->name, name, sizeof(heap->name));
	heap->redzone = flags & PCSLAB_HEAP_REDZONE;
	heap->heap = pcslab_heap_create(name, &attr);
	if (IS_ERR(heap->heap))
		return PTR_ERR(heap->heap);
	for_each_possible_cpu(cpu)
		memset(per_cpu_ptr(heap->counts, cpu), 0, sizeof(struct stress_counts));
	atomic_set(&heap->refs, 1);
	return 0;
}

void stress_heap_get(struct stress_heap *heap)
{
	atomic_inc(&heap->refs);
}

/*
 * Ordered: a reader that sees the new value sees all that the oracle counted
 * before.
 */
void stress_heap_put(struct stress_heap *heap)
{
	atomic_dec_return(&heap->refs);
}

static struct stress_heap *unused_heap(struct owner *owner)
{
	unsigned int i;

	for (i = 0; i < OWNER_HEAPS; i++) {
		if (!atomic_read_acquire(&owner->heap[i].refs))
			return &owner->heap[i];
	}
	return NULL;
}

/* Publishes objects in empty slots, and frees the rest. */
static void publish_or_free(struct owner *owner, unsigned int nr)
{
	struct stress_actor *actor = owner->actor;
	unsigned int i;

	for (i = 0; i < nr; i++) {
		owner->slot[i] = stress_any_slot(actor);
		if (actor->run[i].obj)
			stress_publish(&actor->run[i], owner->slot[i]);
	}
	stress_free_run(actor, nr);
}

/* Returns when nobody has any object or is in the middle of freeing one. */
static void collect(struct owner *owner, struct stress_heap *heap, unsigned int nr)
{
	struct stress_object object;
	unsigned int i;

	while (atomic_read_acquire(&heap->refs) > 1) {
		for (i = 0; i < nr; i++) {
			if (stress_take_back(&object, heap, owner->slot[i]))
				stress_free(owner->actor, &object);
		}
		usleep_range(50, 500);
	}
}

/* Allocates objects of a few sizes. */
static void fill_heap(struct owner *owner, struct stress_heap *heap, unsigned int nr)
{
	struct stress_actor *actor = owner->actor;
	size_t sizes[4];
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(sizes); i++)
		sizes[i] = stress_size(actor);
	for (i = 0; i < nr; i++)
		stress_alloc(actor, heap, &actor->run[i],
			     sizes[stress_random(actor, ARRAY_SIZE(sizes))]);
}

static unsigned long any_flags(struct stress_actor *actor)
{
	return stress_random(actor, ANY_FLAGS + 1);
}

/* Half of the heaps have no limit. */
static unsigned long any_limit(struct stress_actor *actor)
{
	return stress_random(actor, 2) * (1 + stress_random(actor, MAX_LIMIT));
}

static void live_once(struct owner *owner, struct stress_heap *heap)
{
	struct stress_actor *actor = owner->actor;
	unsigned int nr = 1 + stress_random(actor, STRESS_RUN);
	bool leave = !stress_random(actor, 4);
	char name[PCSLAB_NAME_LEN];

	snprintf(name, sizeof(name), "brief-%u-%u", owner->number, owner->turn++);
	if (stress_heap_init(heap, name, any_flags(actor), any_limit(actor))) {
		stress_add(actor, STRESS_WRONG_RESULT, 1);
		return;
	}
	fill_heap(owner, heap, nr);
	if (!stress_random(actor, 4))
		stress_compare(actor, heap, &owner->st);
	publish_or_free(owner, nr);
	if (!stress_random(actor, 4))
		stress_shrink(actor, stress_any_heap(actor));
	if (!leave) {
		collect(owner, heap, nr);
		stress_compare(actor, heap, &owner->st);
		stress_expect_empty(actor, heap, &owner->st);
	}
	stress_add(actor, STRESS_ZOMBIES, atomic_read(&heap->refs) > 1);
	pcslab_heap_destroy(heap->heap);
	stress_add(actor, STRESS_HEAPS, 1);
	stress_heap_put(heap);
}

static int own_heaps(void *arg)
{
	struct owner *owner = arg;
	struct stress_heap *heap;

	while (!kthread_should_stop()) {
		heap = unused_heap(owner);
		if (heap)
			live_once(owner, heap);
		/* Much of that keeps CPUs from changing; the pause does not. */
		usleep_range(1000, 20000);
	}
	return 0;
}

/**
 * stress_heaps_start() - start the owners, which create and destroy heaps
 *
 * If this fails, the caller must still stop the owners that did start.
 *
 * Return: 0 or an error.
 */
int stress_heaps_start(void)
{
	struct task_struct *task;
	struct owner *owner;

	for (owner = owners; owner < owners + NR_OWNERS; owner++) {
		task = kthread_run(own_heaps, owner, "pcslab-owner/%u", owner->number);
		if (IS_ERR(task))
			return PTR_ERR(task);
		owner->task = task;
	}
	return 0;
}

void stress_heaps_stop(void)
{
	struct owner *owner;

	for (owner = owners; owner < owners + NR_OWNERS; owner++) {
		if (owner->task)
			kthread_stop(owner->task);
		owner->task = NULL;
	}
}

static int make_owner(struct owner *owner, unsigned int number)
{
	unsigned int i;
	int err = 0;

	owner->number = number;
	owner->actor = stress_actor_create(true);
	if (!owner->actor)
		return -ENOMEM;
	for (i = 0; i < OWNER_HEAPS && !err; i++)
		err = stress_oracle_create(&owner->heap[i]);
	return err;
}

static int make_lasting(struct stress_heap *heap, const char *name, unsigned long flags)
{
	heap->lasts = true;
	return stress_oracle_create(heap) ?: stress_heap_init(heap, name, flags, 0);
}

/**
 * stress_heaps_init() - make the lasting heaps, and all oracles
 *
 * The caller must call stress_heaps_exit() afterwards, even if this fails.
 *
 * Return: 0 or an error.
 */
int stress_heaps_init(void)
{
	unsigned int i;
	int err;

	owners = kcalloc(NR_OWNERS, sizeof(*owners), GFP_KERNEL);
	if (!owners)
		return -ENOMEM;
	stress_lasting[STRESS_KNOWN].rows = true;
	stress_lasting[STRESS_ABUSED].abused = true;
	err = make_lasting(&stress_lasting[STRESS_KNOWN], "known", 0) ?:
	      make_lasting(&stress_lasting[STRESS_ANYWHERE], "anywhere", 0) ?:
	      make_lasting(&stress_lasting[STRESS_ABUSED], "abused", 0);
	for (i = 0; i < NR_OWNERS && !err; i++)
		err = make_owner(&owners[i], i);
	return err;
}

void stress_heaps_exit(void)
{
	struct owner *owner;
	unsigned int i;

	for (i = 0; i < STRESS_NR_LASTING; i++) {
		pcslab_heap_destroy(stress_lasting[i].heap);
		free_percpu(stress_lasting[i].counts);
	}
	for (owner = owners; owners && owner < owners + NR_OWNERS; owner++) {
		for (i = 0; i < OWNER_HEAPS; i++)
			free_percpu(owner->heap[i].counts);
	}
	kfree(owners);
}
