// SPDX-License-Identifier: GPL-2.0
/*
 * The cache: two magazines of one CPU, and what happens when they run out
 *
 * The second magazine keeps a caller that goes back and forth at a magazine's
 * edge away from the depot (Bonwick and Adams, 2001). Both hold objects of the
 * CPU's own node only: a free of another node's object goes to its depot.
 *
 * Context: as the caller of alloc or free, not NMI. The guard is held with
 * preemption off; within it the depot's lock may be taken. Magazines and pages
 * are allocated and freed outside.
 */
#include <linux/slab.h>

#include "cache.h"
#include "internal.h"
#include "page.h"

/* The header of a magazine holds the round below the first one. */
static_assert(sizeof(struct pcslab_magazine) >= sizeof(struct pcslab_round));

/* What a cache without a magazine has loaded: a full one without a round. */
static struct pcslab_magazine no_magazine;

/*
 * Leave in a magazine the rounds that lead to a cached object; what is left of
 * @n. Preemption is off.
 */
static unsigned int verify(struct pcslab_class *class, int node, struct pcslab_magazine *mag,
			   unsigned int n)
{
	struct pcslab_round *round;
	unsigned int i, kept = 0;

	for (i = 0; i < n; i++) {
		round = &mag->round[i];
		if (likely(slab_of_round(class, node, round) &&
			   READ_ONCE(*round->state) == PCSLAB_CACHED))
			mag->round[kept++] = *round;
		else
			pcslab_raced_free(class, round->obj);
	}
	return kept;
}

/*
 * Slabs have gone since its rounds were verified (leave.c). With the guard
 * held.
 */
static noinline void verify_cache(struct pcslab_class *class, struct pcslab_cache *c,
				  u32 doubts)
{
	if (c->loaded)
		WRITE_ONCE(c->top, c->loaded->round +
			   verify(class, c->node, c->loaded, c->top - c->loaded->round));
	if (c->spare)
		WRITE_ONCE(c->nr_spare, verify(class, c->node, c->spare, c->nr_spare));
	pcslab_cache_trust(class, c, doubts);
}

/*
 * This CPU's cache with the guard held and preemption off, NULL if it is busy
 * or out of service.
 */
static struct pcslab_cache *cache_enter(struct pcslab_class *class)
{
	struct pcslab_cache *c;
	u32 doubts;

	preempt_disable();
	c = pcslab_this_cache(class);
	/* Acquire: pairs with the release in slots.c. */
	if (!smp_load_acquire(&c->out) && guard_enter(c)) {
		/* Acquire: what has left its slab is seen to have. Pairs with leave.c. */
		doubts = smp_load_acquire(&class->doubts);
		if (unlikely(c->verified != doubts))
			verify_cache(class, c, doubts);
		return c;
	}
	preempt_enable();
	return NULL;
}

static void cache_exit(struct pcslab_cache *c)
{
	guard_exit(c);
	preempt_enable();
}

/* What a pop from @mag comes to in the end: no object. */
static void close_bottom(struct pcslab_magazine *mag)
{
	(mag->round - 1)->obj = NULL;
}

static void load(struct pcslab_class *class, struct pcslab_cache *c,
		 struct pcslab_magazine *mag, unsigned int n)
{
	close_bottom(mag);
	WRITE_ONCE(c->loaded, mag);
	c->full = mag->round + class->cap;
	WRITE_ONCE(c->top, mag->round + n);
}

/**
 * pcslab_cache_unload() - leave a cache without magazines
 * @c: new, or what it had is elsewhere
 */
void pcslab_cache_unload(struct pcslab_cache *c)
{
	WRITE_ONCE(c->loaded, NULL);
	WRITE_ONCE(c->spare, NULL);
	WRITE_ONCE(c->top, no_magazine.round);
	WRITE_ONCE(c->nr_spare, 0);
	c->full = no_magazine.round;
}

/* Make @mag the loaded magazine and the one that was loaded the spare. */
static void rotate(struct pcslab_class *class, struct pcslab_cache *c,
		   struct pcslab_magazine *mag, unsigned int n)
{
	WRITE_ONCE(c->nr_spare, c->top - c->loaded->round);
	WRITE_ONCE(c->spare, c->loaded);
	load(class, c, mag, n);
}

static struct pcslab_magazine *take_idle(struct pcslab_class *class,
					 struct pcslab_cache *c,
					 struct pcslab_magazine **fresh)
{
	struct pcslab_magazine *mag = *fresh;

	*fresh = NULL;
	return mag ?: pcslab_depot_take_idle(class, c->node);
}

/**
 * struct supply - what a refill, which allocates nothing, is given or gives back
 * @mag: an empty magazine, or NULL
 * @slab: a new slab, or NULL
 * @wants_mag: it lacked a magazine, otherwise a slab
 * @slab_given: it had one already
 * @node: where the slab should be
 * @more: by how much its order should be higher than usual
 */
struct supply {
	struct pcslab_magazine *mag;
	struct pcslab_slab *slab;
	bool wants_mag;
	bool slab_given;
	int node;
	unsigned int more;
};

/* The loaded magazine is empty: find rounds. */
static void refill(struct pcslab_class *class, struct pcslab_cache *c, struct supply *supply)
{
	struct pcslab_magazine *mag;

	if (c->nr_spare) {
		rotate(class, c, c->spare, c->nr_spare);
		return;
	}
	if (!c->loaded) {
		mag = take_idle(class, c, &supply->mag);
		if (!mag)
			return;
		load(class, c, mag, 0);
	}
	if (!supply->slab && pcslab_depot_lacks_objects(class, c->node))
		return;
	mag = pcslab_depot_trade_empty(class, c->node, c->loaded, &supply->mag, &supply->slab);
	if (unlikely(mag->verified != c->verified))
		mag->n = verify(class, c->node, mag, mag->n);
	load(class, c, mag, mag->n);
}

/*
 * A slab of the class has few objects if they are large, and whoever allocates
 * many would pay for a slab for every few. So the order rises by one with every
 * second slab that a CPU needs, for as long as it frees nothing in between.
 */
static unsigned int eagerness(struct pcslab_cache *c)
{
	u32 frees = c->count.frees[0] + c->count.frees[1];

	if (frees != c->frees)
		c->needed = 0;
	else if (c->needed < 2 * PCSLAB_SLAB_MAX_ORDER)
		c->needed++;
	c->frees = frees;
	return c->needed / 2;
}

/* After a refill that found nothing. */
static void note_lack(struct pcslab_cache *c, struct supply *supply)
{
	supply->wants_mag = !c->loaded;
	if (supply->wants_mag || supply->slab_given)
		return;
	supply->node = c->node;
	supply->more = eagerness(c);
}

/*
 * Get what a refill lacked, once; false if there is no point in trying again.
 */
static bool provide(struct pcslab_class *class, gfp_t gfp, struct supply *supply)
{
	if (supply->wants_mag) {
		supply->mag = pcslab_magazine_create(class, gfp);
		return supply->mag;
	}
	if (supply->slab_given)
		return false;
	supply->slab_given = true;
	supply->slab = pcslab_depot_get_slab(class, gfp, supply->node, supply->more);
	return supply->slab;
}

/**
 * pcslab_cache_alloc() - allocate from this CPU's magazines, refilled if need be
 * @class: of what
 * @gfp: for a magazine, should the CPU have none, and for a slab
 * @node: whose object it must be, or NUMA_NO_NODE
 *
 * Return: the object, counted, or NULL if this CPU is not of @node, the local
 *	depot has no more and there are no pages for a slab, this call
 *	interrupts another one here or the cache is out of service.
 */
void *pcslab_cache_alloc(struct pcslab_class *class, gfp_t gfp, int node)
{
	struct supply supply = {};
	struct pcslab_cache *c;
	void *obj = NULL;
	bool may;

	do {
		c = cache_enter(class);
		if (!c)
			break;
		may = node == NUMA_NO_NODE || node == c->node;
		if (may && !cache_next(c))
			refill(class, c, &supply);
		if (may)
			obj = cache_next(c);
		if (obj)
			cache_pop(c);
		else if (may)
			note_lack(c, &supply);
		cache_exit(c);
	} while (may && !obj && provide(class, gfp, &supply));
	kfree(supply.mag);
	if (unlikely(supply.slab))
		pcslab_depot_add_slab(supply.slab);
	return obj;
}

/*
 * The loaded magazine is full: find room. Without @last a magazine is emptied
 * into the slabs for it only if the depot has enough.
 */
static bool make_room(struct pcslab_class *class, struct pcslab_cache *c,
		      struct pcslab_magazine **fresh, bool last,
		      struct list_head *doomed)
{
	struct pcslab_magazine *mag;

	if (c->spare && !c->nr_spare) {
		rotate(class, c, c->spare, 0);
		return true;
	}
	if (!c->spare) {
		mag = take_idle(class, c, fresh);
		if (!mag)
			return false;
		if (c->loaded)
			rotate(class, c, mag, 0);
		else
			load(class, c, mag, 0);
		return true;
	}
	if (!last && !*fresh && pcslab_depot_lacks_magazines(class, c->node))
		return false;
	c->spare->n = c->nr_spare;
	c->spare->verified = c->verified;
	mag = pcslab_depot_trade_full(class, c->node, c->spare, *fresh, last, doomed);
	if (!mag)
		return false;
	if (mag == *fresh)
		*fresh = NULL;
	rotate(class, c, mag, 0);
	return true;
}

/**
 * pcslab_cache_free() - free into this CPU's magazines
 * @slab: of the object
 * @obj: the object, claimed
 * @state: its state
 *
 * Return: true if it is done and counted; false if the object is another
 *	node's, there is no memory for a magazine, this call interrupts another
 *	one here or the cache is out of service.
 */
bool pcslab_cache_free(struct pcslab_slab *slab, void *obj, u8 *state)
{
	struct pcslab_class *class = slab->class;
	struct pcslab_magazine *fresh = NULL;
	bool done, last = false;
	struct pcslab_cache *c;
	LIST_HEAD(doomed);

	for (;;) {
		c = cache_enter(class);
		if (!c)
			break;
		done = false;
		if (slab->node != c->node)
			last = true;
		else
			done = c->top < c->full ||
			       make_room(class, c, &fresh, last, &doomed);
		if (done)
			cache_push(c, obj, state);
		cache_exit(c);
		if (done || last)
			break;
		fresh = pcslab_magazine_create(class, GFP_NOWAIT | __GFP_NOWARN);
		last = true;
	}
	kfree(fresh);
	pcslab_slabs_leave(&doomed);
	return c && done;
}

static void drain_one(struct pcslab_class *class, int node,
		      struct pcslab_magazine *mag, unsigned int n,
		      struct list_head *doomed)
{
	if (!mag)
		return;
	mag->n = n;
	pcslab_depot_flush(class, node, mag, doomed);
	kfree(mag);
}

/**
 * pcslab_cache_drain() - put all a cache holds back into the slabs
 * @class: of the cache
 * @cache: out of service, or of a CPU that is dead
 *
 * Context: process.
 * Return: the number of pages that went back to the page allocator.
 */
unsigned long pcslab_cache_drain(struct pcslab_class *class, struct pcslab_cache *cache)
{
	LIST_HEAD(doomed);

	drain_one(class, cache->node, cache->loaded, pcslab_nr_loaded(class, cache), &doomed);
	drain_one(class, cache->node, cache->spare, cache->nr_spare, &doomed);
	pcslab_cache_unload(cache);
	return pcslab_slabs_leave(&doomed);
}
