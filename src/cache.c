// SPDX-License-Identifier: GPL-2.0
/*
 * The cache: two magazines of one CPU, how they are refilled and flushed; and
 * the life of a cache, until its counts are donated
 *
 * With the second magazine a caller that alternates between allocating and
 * freeing at a magazine's edge does not go to the depot each time (Bonwick and
 * Adams, 2001). A CPU that goes to the depot twice in a row for the same reason
 * mostly allocates or mostly frees, so it trades both magazines at once. Both
 * hold objects of the CPU's own node only: a remote object is freed to the
 * depot of its node.
 *
 * Context: as the caller of alloc or free, not NMI. The guard is held with
 *	preemption off; the depot's lock may be taken under it. Magazines and
 *	pages must be allocated and freed without the guard.
 *
 * A cache is made with its class, or when its CPU comes up. It is freed with
 * its class, or when its CPU is dead: then its magazines are flushed into the
 * slabs, and its counters are added to CPU 0's record. In between it is in a
 * slot, and only slots.c takes it out of service. CPU 0 keeps its cache when it
 * is offline, in order to inherit.
 */
#include <linux/slab.h>

#include "cache.h"
#include "event.h"
#include "internal.h"
#include "page.h"

/* The round below the first one lies in the magazine's header. */
static_assert(sizeof(struct pcslab_magazine) >= sizeof(struct pcslab_round));

/*
 * Stands for the loaded magazine of a cache without one: full and empty at
 * once.
 */
static struct pcslab_magazine no_magazine;

/*
 * Drop the rounds that do not lead to a cached object. Returns how many of @n
 * are left. Preemption must be off.
 */
static unsigned int cache_verify_mag(struct pcslab_class *class, int node,
				     struct pcslab_magazine *mag, unsigned int n)
{
	struct pcslab_round *round;
	unsigned int i, kept = 0;

	for (i = 0; i < n; i++) {
		round = &mag->round[i];
		if (likely(slab_of_round(class, node, round) &&
			   READ_ONCE(*round->state) == PCSLAB_OBJ_CACHED))
			mag->round[kept++] = *round;
		else
			pcslab_raced_free(class, round->obj);
	}
	return kept;
}

/*
 * Slabs have left since the rounds were verified (leave.c). The caller must
 * hold the guard.
 */
static noinline void cache_verify(struct pcslab_class *class, struct pcslab_cpu *c,
				  u32 doubts)
{
	if (c->loaded)
		WRITE_ONCE(c->top, c->loaded->round +
			   cache_verify_mag(class, c->node, c->loaded, c->top - c->loaded->round));
	if (c->spare)
		WRITE_ONCE(c->nr_spare, cache_verify_mag(class, c->node, c->spare, c->nr_spare));
	pcslab_cpu_trust(class, c, doubts);
}

/*
 * Returns this CPU's cache with the guard held and preemption off, or NULL if
 * it is busy or out of service.
 */
static struct pcslab_cpu *cache_enter(struct pcslab_class *class)
{
	struct pcslab_cpu *c;
	u32 doubts;

	preempt_disable();
	c = pcslab_this_cache(class);
	/* Acquire: pairs with the release in slots.c. */
	if (!smp_load_acquire(&c->out) && guard_enter(c)) {
		/*
		 * Acquire: pairs with pcslab_class_doubt(). Objects that were
		 * free before the doubt are seen as free.
		 */
		doubts = smp_load_acquire(&class->doubts);
		if (unlikely(c->verified != doubts))
			cache_verify(class, c, doubts);
		return c;
	}
	preempt_enable();
	return NULL;
}

static void cache_exit(struct pcslab_cpu *c)
{
	guard_exit(c);
	preempt_enable();
}

/* Put the NULL below the first round, where the pops from @mag end. */
static void close_bottom(struct pcslab_magazine *mag)
{
	(mag->round - 1)->obj = NULL;
}

static void cache_load(struct pcslab_class *class, struct pcslab_cpu *c,
		       struct pcslab_magazine *mag, unsigned int n)
{
	close_bottom(mag);
	WRITE_ONCE(c->loaded, mag);
	c->limit = mag->round + class->capacity;
	WRITE_ONCE(c->top, mag->round + n);
}

/* Leave a cache without magazines: it is new, or they were taken away. */
static void cache_unload(struct pcslab_cpu *c)
{
	WRITE_ONCE(c->loaded, NULL);
	WRITE_ONCE(c->spare, NULL);
	WRITE_ONCE(c->top, no_magazine.round);
	WRITE_ONCE(c->nr_spare, 0);
	c->limit = no_magazine.round;
}

static void set_spare(struct pcslab_cpu *c, struct pcslab_magazine *mag, unsigned int n)
{
	WRITE_ONCE(c->nr_spare, n);
	WRITE_ONCE(c->spare, mag);
}

/* Make @mag the loaded magazine, and the loaded one the spare. */
static void cache_rotate(struct pcslab_class *class, struct pcslab_cpu *c,
			 struct pcslab_magazine *mag, unsigned int n)
{
	set_spare(c, c->loaded, c->top - c->loaded->round);
	cache_load(class, c, mag, n);
}

static struct pcslab_magazine *cache_take_empty(struct pcslab_class *class,
						struct pcslab_cpu *c,
						struct pcslab_magazine **fresh)
{
	struct pcslab_magazine *mag = *fresh;

	*fresh = NULL;
	return mag ?: pcslab_depot_take_empty(class, c->node);
}

/**
 * struct supply - what a refill may use, and what it lacked
 * @mag: an empty magazine, or NULL
 * @slab: a new slab, or NULL
 * @wants_mag: the refill lacked a magazine; if false it lacked a slab
 * @slab_given: a slab was provided before
 * @node: where the slab should be
 * @more: how much the slab's order should be above the usual one
 *
 * A refill runs under the guard, so it allocates nothing itself.
 */
struct supply {
	struct pcslab_magazine *mag;
	struct pcslab_slab *slab;
	bool wants_mag;
	bool slab_given;
	int node;
	unsigned int more;
};

/* Slabs may have left since the depot got the magazine. */
static void cache_verify_full(struct pcslab_class *class, struct pcslab_cpu *c,
			      struct pcslab_magazine *mag)
{
	if (unlikely(mag->verified != c->verified))
		mag->n = cache_verify_mag(class, c->node, mag, mag->n);
}

/* The loaded magazine is empty, and the spare is empty or NULL. */
static void cache_get_full(struct pcslab_class *class, struct pcslab_cpu *c,
			   struct supply *supply)
{
	struct pcslab_magazine *mag, *second = c->spare;

	mag = pcslab_depot_trade_empty(class, c->node, c->loaded, c->gave ? NULL : &second,
				       &supply->mag, &supply->slab);
	cache_verify_full(class, c, mag);
	cache_load(class, c, mag, mag->n);
	pcslab_event_objects(class, PCSLAB_EVENT_REFILL, c->node, mag->n);
	if (second != c->spare) {
		cache_verify_full(class, c, second);
		set_spare(c, second, second->n);
	}
	c->gave = false;
}

/* Refill: called when the loaded magazine is empty. */
static void cache_refill(struct pcslab_class *class, struct pcslab_cpu *c, struct supply *supply)
{
	struct pcslab_magazine *mag;

	if (c->nr_spare) {
		cache_rotate(class, c, c->spare, c->nr_spare);
		return;
	}
	if (!c->loaded) {
		mag = cache_take_empty(class, c, &supply->mag);
		if (!mag)
			return;
		cache_load(class, c, mag, 0);
	}
	if (supply->slab || !pcslab_depot_lacks_objects(class, c->node))
		cache_get_full(class, c, supply);
}

/*
 * A slab of large objects has few of them, and a caller that allocates many
 * would need a new slab every few calls. So the order rises by one with every
 * second slab that a CPU needs without a free in between.
 */
static unsigned int cache_eagerness(struct pcslab_cpu *c)
{
	u32 frees = c->guarded.frees[0] + c->guarded.frees[1];

	if (frees != c->frees)
		c->needed = 0;
	else if (c->needed < 2 * PCSLAB_SLAB_MAX_ORDER)
		c->needed++;
	c->frees = frees;
	return c->needed / 2;
}

/* Record what a refill lacked. */
static void note_lack(struct pcslab_cpu *c, struct supply *supply)
{
	supply->wants_mag = !c->loaded;
	if (supply->wants_mag || supply->slab_given)
		return;
	supply->node = c->node;
	supply->more = cache_eagerness(c);
}

/*
 * Get what a refill lacked: a magazine or, at most once, a slab or the time for
 * objects to come back. Returns false if there is no point in trying again.
 */
static bool cache_provide(struct pcslab_class *class, gfp_t gfp, struct supply *supply)
{
	if (supply->wants_mag) {
		supply->mag = pcslab_magazine_create(class, gfp);
		return supply->mag;
	}
	if (supply->slab_given)
		return false;
	supply->slab_given = true;
	if (pcslab_rcu_throttle(class->heap, class->size, gfp))
		return true;
	supply->slab = pcslab_depot_get_slab(class, gfp, supply->node, supply->more);
	return supply->slab;
}

/**
 * pcslab_cpu_alloc() - allocate from this CPU's magazines, with refill
 * @class: class of the object
 * @gfp: used to allocate a magazine, if the CPU has none, and a slab
 * @node: node the object must come from, or NUMA_NO_NODE
 * @hand_out: otherwise the object stays where it is, after a refill if need be
 *
 * Return: the object, counted if it is handed out. NULL if this CPU does not
 *	belong to @node, if the local depot is empty and no pages for a slab
 *	are available, if this call interrupts another one on this cache, or if
 *	the cache is out of service.
 */
void *pcslab_cpu_alloc(struct pcslab_class *class, gfp_t gfp, int node, bool hand_out)
{
	struct supply supply = {};
	struct pcslab_cpu *c;
	void *obj = NULL;
	bool may;

	do {
		c = cache_enter(class);
		if (!c)
			break;
		may = node == NUMA_NO_NODE || node == c->node;
		if (may && !cache_next(c))
			cache_refill(class, c, &supply);
		if (may)
			obj = cache_next(c);
		if (obj && hand_out)
			cache_pop(c);
		else if (!obj && may)
			note_lack(c, &supply);
		cache_exit(c);
	} while (may && !obj && cache_provide(class, gfp, &supply));
	kfree(supply.mag);
	if (unlikely(supply.slab))
		pcslab_depot_add_slab(supply.slab);
	return obj;
}

/**
 * pcslab_cpu_prepare() - have objects in this CPU's magazine and the depot
 * @class: class of the objects
 *
 * Context: process. May sleep.
 * Return: false if there is no memory for a slab.
 */
bool pcslab_cpu_prepare(struct pcslab_class *class)
{
	int node = pcslab_home_of(raw_smp_processor_id());
	struct pcslab_slab *slab;

	pcslab_cpu_alloc(class, GFP_KERNEL, NUMA_NO_NODE, false);
	if (!pcslab_depot_lacks_objects(class, node))
		return true;
	slab = pcslab_slab_create(class, GFP_KERNEL | __GFP_NOMEMALLOC, node, class->order);
	if (slab)
		pcslab_depot_add_slab(slab);
	return slab;
}

/* Fill in what a depot must know of a magazine. */
static struct pcslab_magazine *cache_seal(struct pcslab_cpu *c, struct pcslab_magazine *mag,
					  unsigned int n)
{
	mag->n = n;
	mag->verified = c->verified;
	return mag;
}

/* Both magazines are full. */
static bool cache_give_full(struct pcslab_class *class, struct pcslab_cpu *c,
			    struct pcslab_magazine **fresh, bool last,
			    struct list_head *doomed)
{
	struct pcslab_magazine *mag, *second = NULL;

	if (c->gave)
		second = cache_seal(c, c->loaded, c->top - c->loaded->round);
	mag = pcslab_depot_trade_full(class, c->node, cache_seal(c, c->spare, c->nr_spare),
				      &second, *fresh, last, doomed);
	if (!mag)
		return false;
	pcslab_event_objects(class, PCSLAB_EVENT_FLUSH, c->node, class->capacity);
	if (mag == *fresh)
		*fresh = NULL;
	cache_rotate(class, c, mag, 0);
	if (second && second != c->spare)
		set_spare(c, second, 0);
	c->gave = true;
	return true;
}

/*
 * The loaded magazine is full: make room. Unless this is the @last attempt, a
 * magazine is flushed into the slabs only if the depot has enough.
 */
static bool make_room(struct pcslab_class *class, struct pcslab_cpu *c,
		      struct pcslab_magazine **fresh, bool last,
		      struct list_head *doomed)
{
	struct pcslab_magazine *mag;

	if (c->spare && !c->nr_spare) {
		cache_rotate(class, c, c->spare, 0);
		return true;
	}
	if (!c->spare) {
		mag = cache_take_empty(class, c, fresh);
		if (!mag)
			return false;
		if (c->loaded)
			cache_rotate(class, c, mag, 0);
		else
			cache_load(class, c, mag, 0);
		return true;
	}
	if (!last && !*fresh && pcslab_depot_lacks_magazines(class, c->node, 1 + c->gave))
		return false;
	return cache_give_full(class, c, fresh, last, doomed);
}

/**
 * pcslab_cpu_free() - free into this CPU's magazines
 * @slab: slab of the object
 * @obj: the object, claimed
 * @state: its state
 *
 * Return: true if the object was taken and counted. False if it belongs to
 *	another node, if there is no memory for a magazine, if this call
 *	interrupts another one on this cache, or if the cache is out of service.
 */
bool pcslab_cpu_free(struct pcslab_slab *slab, void *obj, u8 *state)
{
	struct pcslab_class *class = slab->class;
	struct pcslab_magazine *fresh = NULL;
	bool done, last = false;
	struct pcslab_cpu *c;
	LIST_HEAD(doomed);

	for (;;) {
		c = cache_enter(class);
		if (!c)
			break;
		done = false;
		if (slab->node != c->node)
			last = true;
		else
			done = c->top < c->limit ||
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
	pcslab_magazine_free(mag);
}

/**
 * pcslab_cpu_drain() - flush all that a cache holds into the slabs
 * @class: class of the cache
 * @cache: out of service, or the cache of a dead CPU
 *
 * Context: process.
 * Return: the number of pages that go back to the page allocator.
 */
unsigned long pcslab_cpu_drain(struct pcslab_class *class, struct pcslab_cpu *cache)
{
	LIST_HEAD(doomed);

	drain_one(class, cache->node, cache->loaded, pcslab_nr_loaded(class, cache), &doomed);
	drain_one(class, cache->node, cache->spare, cache->nr_spare, &doomed);
	cache_unload(cache);
	return pcslab_slabs_leave(&doomed);
}

static struct pcslab_cpu *cache_create(unsigned int cpu, gfp_t gfp)
{
	struct pcslab_cpu *cache;

	if (pcslab_should_fail(gfp))
		return NULL;
	cache = kzalloc_node(sizeof(*cache), gfp, pcslab_home_of(cpu));
	if (!cache)
		return NULL;
	cache->always_busy = 1;
	cache_unload(cache);
	return cache;
}

/**
 * pcslab_caches_free() - free caches that are in no slot yet
 * @cache: the first of a list, or NULL
 */
void pcslab_caches_free(struct pcslab_cpu *cache)
{
	struct pcslab_cpu *next;

	for (; cache; cache = next) {
		next = cache->next;
		kfree(cache);
	}
}

/**
 * pcslab_caches_create() - make the caches of a new class
 * @gfp: the caller's
 *
 * Return: a list with a cache for each CPU in pcslab_cpus, in order of the
 *	mask; NULL if memory is short. If the mask changes meanwhile,
 *	pcslab_class_publish() refuses the list.
 */
struct pcslab_cpu *pcslab_caches_create(gfp_t gfp)
{
	struct pcslab_cpu *first = NULL, **end = &first;
	unsigned int cpu;

	for_each_possible_cpu(cpu) {
		if (!cpumask_test_cpu(cpu, &pcslab_cpus))
			continue;
		*end = cache_create(cpu, gfp);
		if (!*end) {
			pcslab_caches_free(first);
			return NULL;
		}
		end = &(*end)->next;
	}
	return first;
}

/**
 * pcslab_cpu_add() - make the cache of a class for a CPU that comes up
 * @class: class of the cache
 * @cpu: the CPU, which has not started yet
 *
 * Context: CPU hotplug held for writing.
 * Return: 0 or -ENOMEM.
 */
int pcslab_cpu_add(struct pcslab_class *class, unsigned int cpu)
{
	struct pcslab_cpu *cache;

	if (pcslab_cpu_of(class, cpu))
		return 0;
	cache = cache_create(cpu, GFP_KERNEL);
	if (!cache)
		return -ENOMEM;
	pcslab_slot_set(class, cpu, cache);
	return 0;
}

static void add_row(struct pcslab_inherited *to, const struct pcslab_row *from)
{
	to->allocs += from->allocs[0] + from->allocs[1];
	to->frees += from->frees[0] + from->frees[1];
}

/*
 * Plain additions are enough: only this function writes @to, the counts that
 * CPU 0 inherited, with CPU hotplug held for writing; readers hold it for
 * reading.
 */
static void cache_donate(struct pcslab_cpu *from, struct pcslab_inherited *to)
{
	add_row(to, &from->guarded);
	add_row(to, &from->unguarded);
}

/**
 * pcslab_cpu_retire() - empty the cache of a dead CPU, and free it
 * @class: class of the cache
 * @cpu: the CPU
 *
 * CPU 0 inherits what the cache counted. The cache of CPU 0 itself stays.
 *
 * Context: CPU hotplug held for writing.
 * Return: 0.
 */
int pcslab_cpu_retire(struct pcslab_class *class, unsigned int cpu)
{
	struct pcslab_cpu *cache = pcslab_cpu_of(class, cpu);
	struct pcslab_inherited before = class->inherited;

	if (!cache)
		return 0;
	pcslab_cpu_drain(class, cache);
	if (!cpu)
		return 0;
	cache_donate(cache, &class->inherited);
	pcslab_event_donate(class, cpu, class->inherited.allocs - before.allocs,
			    class->inherited.frees - before.frees);
	pcslab_slot_clear(class, cpu);
	kfree(cache);
	return 0;
}

/**
 * pcslab_class_free_caches() - free the caches of a class
 * @class: without slabs, large objects or readers
 */
void pcslab_class_free_caches(struct pcslab_class *class)
{
	unsigned int cpu;

	for_each_possible_cpu(cpu)
		kfree(pcslab_cpu_of(class, cpu));
}
