// SPDX-License-Identifier: GPL-2.0
/*
 * The depot: what a node keeps of one class of one heap
 *
 * A depot has full and empty magazines, which CPUs exchange with it, and behind
 * them the slabs. It counts an object only if the object goes to or comes from
 * a caller without passing a CPU's magazine.
 *
 * The limit of full magazines adapts: each object taken from the slabs after
 * the full depot had flushed one raises it by one; each reap pass halves it. So
 * a caller that allocates and frees the same thousands of objects over and over
 * soon no longer pays for their slabs, and a caller that frees them once leaves
 * the depot as small as it was. (Bonwick and Adams keep all magazines and reap
 * those that were not needed; so does FreeBSD's UMA.)
 *
 * The page allocator has reserves for callers that need memory in order to free
 * memory. A slab made from them (page_is_pfmemalloc()) serves such callers
 * only, as in SLUB: it is in a list of its own, its objects enter no magazine,
 * and it goes as soon as it is empty.
 *
 * Locks: depot->lock, as lock.h says, held for one magazine of objects at most.
 * Pages and metadata must be allocated and freed without it, so functions add
 * slabs that are to go to a list of their caller.
 * Context: as the caller of alloc or free, not NMI.
 */
#include <linux/interrupt.h>
#include <linux/minmax.h>
#include <linux/nodemask.h>
#include <linux/random.h>
#include <linux/rculist.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/topology.h>

#include "arch.h"
#include "hooks.h"
#include "internal.h"
#include "lock.h"
#include "page.h"

/* Full magazines that a depot may keep at first; more are flushed. */
#define DEPOT_MIN_MAGS_FULL	16
/*
 * Empty magazines that a depot keeps; more are freed. On RT kfree() takes
 * sleeping locks, which some callers must not take. So there all are kept until
 * the next reap pass or the shrinker frees them.
 */
#define DEPOT_MAX_MAGS_EMPTY	(IS_ENABLED(CONFIG_PREEMPT_RT) ? UINT_MAX : 8)
/* Slabs searched to fill one magazine; bounds the time under the lock. */
#define DEPOT_MAX_SEARCHED	8
/* A slab with this many objects needs no higher order. */
#define DEPOT_MAX_OBJECTS	16
/* Empty slabs that a depot keeps; more go back to the page allocator. */
#define DEPOT_MAX_SLABS_EMPTY	2

/* Initial, and smallest, limit of a depot. */
static unsigned int min_rounds(const struct pcslab_class *class)
{
	return DEPOT_MIN_MAGS_FULL * class->capacity;
}

/**
 * pcslab_depot_init() - set up the depots of a class
 * @class: the class, with its shape filled in
 */
void pcslab_depot_init(struct pcslab_class *class)
{
	struct pcslab_depot *depot;
	u64 seed;
	int node;

	for (node = 0; node < nr_node_ids; node++) {
		depot = &class->depot[node];
		raw_spin_lock_init(&depot->lock);
		INIT_LIST_HEAD(&depot->slabs_partial);
		INIT_LIST_HEAD(&depot->slabs_empty);
		INIT_LIST_HEAD(&depot->slabs_reserve);
		INIT_LIST_HEAD(&depot->all);
		depot->max_rounds = min_rounds(class);
		if (class->flags & PCSLAB_HEAP_RANDOM) {
			get_random_bytes(&seed, sizeof(seed));
			prandom_seed_state(&depot->random, seed);
		}
	}
}

static unsigned long depot_nr_free(const struct pcslab_depot *depot)
{
	return pcslab_gauge(depot->nr_free + depot->nr_rounds);
}

static void stack_push(struct pcslab_stack *stack, struct pcslab_magazine *mag)
{
	mag->next = stack->top;
	stack->top = mag;
	stack->nr++;
}

static struct pcslab_magazine *stack_pop(struct pcslab_stack *stack)
{
	struct pcslab_magazine *mag = stack->top;

	if (mag) {
		stack->top = mag->next;
		stack->nr--;
	}
	return mag;
}

static void push_full(struct pcslab_depot *depot, struct pcslab_magazine *mag)
{
	stack_push(&depot->mags_full, mag);
	depot->nr_rounds += mag->n;
}

static struct pcslab_magazine *pop_full(struct pcslab_depot *depot)
{
	struct pcslab_magazine *mag = stack_pop(&depot->mags_full);

	if (mag)
		depot->nr_rounds -= mag->n;
	if (depot->cursor == mag)
		depot->cursor = depot->mags_full.top;
	return mag;
}

static bool of_reserves(const struct pcslab_slab *slab)
{
	return slab->node == NUMA_NO_NODE;
}

static int node_of(const struct pcslab_slab *slab)
{
	return of_reserves(slab) ? page_to_nid(virt_to_page(slab->base)) : slab->node;
}

static struct pcslab_depot *depot_of(struct pcslab_slab *slab)
{
	return &slab->class->depot[node_of(slab)];
}

/* The list of a slab with some objects free. */
static struct list_head *partial_list(struct pcslab_depot *depot, struct pcslab_slab *slab)
{
	return of_reserves(slab) ? &depot->slabs_reserve : &depot->slabs_partial;
}

static void depot_add_slab(struct pcslab_depot *depot, struct pcslab_slab *slab,
			   struct list_head *list)
{
	list_add_rcu(&slab->all, &depot->all);
	list_add(&slab->list, list);
	depot->nr_slabs_empty += list == &depot->slabs_empty;
	depot->nr_slabs++;
	depot->nr_pages += 1UL << slab->order;
	depot->nr_free += slab->nr;
}

static void remove_empty_slab(struct pcslab_depot *depot, struct pcslab_slab *slab,
			      struct list_head *doomed)
{
	list_move(&slab->list, doomed);
	WRITE_ONCE(slab->leaves, true);
	depot->nr_slabs_empty -= !of_reserves(slab);
}

/*
 * Returns a slab with free objects, or NULL. The caller must take at least one.
 */
static struct pcslab_slab *usable_slab(struct pcslab_depot *depot)
{
	struct pcslab_slab *slab;

	slab = list_first_entry_or_null(&depot->slabs_partial, struct pcslab_slab, list);
	if (slab)
		return slab;
	slab = list_first_entry_or_null(&depot->slabs_empty, struct pcslab_slab, list);
	if (slab) {
		list_move(&slab->list, &depot->slabs_partial);
		depot->nr_slabs_empty--;
	}
	return slab;
}

/* Durstenfeld's shuffle: all orders are equally likely. */
static void depot_shuffle(struct pcslab_depot *depot, struct pcslab_round *round, unsigned int n)
{
	u32 other;

	for (; n > 1; n--) {
		other = pcslab_random_below(&depot->random, n);
		swap(round[n - 1], round[other]);
	}
}

/*
 * @taken objects were taken from the slabs. Those that were flushed before
 * could have been kept, so raise the limit by their number.
 */
static void depot_learn(struct pcslab_depot *depot, unsigned int taken)
{
	unsigned int missed = min(taken, depot->nr_missed);

	depot->nr_missed -= missed;
	depot->max_rounds += missed;
}

/*
 * Take up to @n free objects from the first slabs. Returns how many, 0 if there
 * are none.
 */
static unsigned int take_from_slabs(struct pcslab_class *class, struct pcslab_depot *depot,
				    struct pcslab_round *round, unsigned int n)
{
	bool random = class->flags & PCSLAB_HEAP_RANDOM;
	unsigned int taken = 0, part, before, searched;
	struct pcslab_slab *slab;

	for (searched = 0; taken < n && searched < DEPOT_MAX_SEARCHED; searched++) {
		slab = usable_slab(depot);
		if (!slab)
			break;
		before = slab->nr_free;
		part = min(n - taken, before);
		if (random)
			taken += pcslab_slab_take_random(slab, &round[taken], part, &depot->random);
		else
			taken += pcslab_slab_take(slab, &round[taken], part);
		depot->nr_free -= before - slab->nr_free;
		if (!slab->nr_free)
			list_del_init(&slab->list);
	}
	depot_learn(depot, taken);
	if (random)
		depot_shuffle(depot, round, taken);
	return taken;
}

/*
 * Put an object back into its slab. Only the object's owner can change its
 * state from @from. Returns false if it is in another state: two CPUs freed the
 * object at the same instant, and it is not the caller's.
 */
static bool put_into_slab(struct pcslab_depot *depot, struct pcslab_slab *slab, u8 *state,
			  enum pcslab_state from)
{
	unsigned int index = state - slab->state;

	if (unlikely(READ_ONCE(*state) != from))
		return false;
	WRITE_ONCE(*state, PCSLAB_OBJ_FREE);
	/*
	 * pcslab_depot_let_go() counts the objects of a leaving slab anew; and
	 * no slab counts more free objects than it has.
	 */
	if (unlikely(slab->leaves)) {
		slab->returned = true;
		return true;
	}
	if (unlikely(slab->nr_free == slab->nr))
		return true;
	slab->hint = min_t(unsigned int, slab->hint, index);
	depot->nr_free++;
	if (!slab->nr_free++)
		list_add(&slab->list, partial_list(depot, slab));
	if (slab->nr_free < slab->nr || of_reserves(slab))
		return true;
	list_move(&slab->list, &depot->slabs_empty);
	depot->nr_slabs_empty++;
	return true;
}

/*
 * Let an empty slab go, unless it is in the list of slabs with deferred objects
 * (nmi.c).
 */
static void let_go(struct pcslab_depot *depot, struct pcslab_slab *slab,
		   struct list_head *doomed)
{
	if (READ_ONCE(slab->deferred.next) == &slab->deferred)
		remove_empty_slab(depot, slab, doomed);
}

static void depot_trim(struct pcslab_depot *depot, struct pcslab_slab *slab,
		       struct list_head *doomed)
{
	unsigned int keep = READ_ONCE(slab->class->heap->dying) ? 0 : DEPOT_MAX_SLABS_EMPTY;

	if (slab->nr_free < slab->nr || slab->leaves)
		return;
	if (of_reserves(slab) || depot->nr_slabs_empty > keep)
		let_go(depot, slab, doomed);
}

/*
 * Each round must be checked like the address of a free: if two CPUs freed its
 * object at the same instant it may lead nowhere.
 */
static void depot_flush(struct pcslab_class *class, int node, struct pcslab_magazine *mag,
			struct list_head *doomed)
{
	struct pcslab_depot *depot = &class->depot[node];
	struct pcslab_round *round;
	struct pcslab_slab *slab;

	while (mag->n) {
		round = &mag->round[--mag->n];
		slab = slab_of_round(class, node, round);
		if (likely(slab && put_into_slab(depot, slab, round->state, PCSLAB_OBJ_CACHED)))
			depot_trim(depot, slab, doomed);
		else
			pcslab_raced_free(class, round->obj);
	}
}

/**
 * pcslab_depot_flush() - put the objects of a magazine back into their slabs
 * @class: class of the objects
 * @node: node of the objects
 * @mag: the magazine; empty afterwards
 * @doomed: slabs that go are added here; the caller must pass it to
 *	pcslab_slabs_leave()
 */
void pcslab_depot_flush(struct pcslab_class *class, int node,
			struct pcslab_magazine *mag, struct list_head *doomed)
{
	struct pcslab_depot *depot = &class->depot[node];
	unsigned long flags;

	flags = pcslab_lock(&depot->lock);
	depot_flush(class, node, mag, doomed);
	pcslab_unlock(&depot->lock, flags);
}

/* Take an empty magazine out of the depot. Returns NULL if it has none. */
struct pcslab_magazine *pcslab_depot_take_empty(struct pcslab_class *class, int node)
{
	struct pcslab_depot *depot = &class->depot[node];
	struct pcslab_magazine *mag;
	unsigned long flags;

	if (!pcslab_gauge(depot->mags_empty.nr))
		return NULL;
	flags = pcslab_lock(&depot->lock);
	mag = stack_pop(&depot->mags_empty);
	pcslab_unlock(&depot->lock, flags);
	return mag;
}

/*
 * Fill an empty magazine from the slabs. While the depot has a single slab fill
 * only half of it, because the caller may need but a few objects; with
 * PCSLAB_HEAP_RANDOM fill all of it, so that the random order covers the whole
 * magazine.
 */
static void depot_fill(struct pcslab_class *class, struct pcslab_depot *depot,
		       struct pcslab_magazine *mag)
{
	unsigned int want = class->capacity;

	if (depot->nr_slabs == 1 && !(class->flags & PCSLAB_HEAP_RANDOM))
		want = DIV_ROUND_UP(want, 2);
	mag->n = take_from_slabs(class, depot, mag->round, want);
	mag->verified = READ_ONCE(class->doubts);
}

/*
 * Trade @empty, which may be NULL, for a second full magazine, if there is one.
 */
static struct pcslab_magazine *second_full(struct pcslab_depot *depot,
					   struct pcslab_magazine *empty)
{
	if (!depot->mags_full.top || (empty && depot->mags_empty.nr >= DEPOT_MAX_MAGS_EMPTY))
		return empty;
	if (empty)
		stack_push(&depot->mags_empty, empty);
	return pop_full(depot);
}

/*
 * Trade @full, which may be NULL, for a second empty magazine, if the depot has
 * one and has room for @full.
 */
static struct pcslab_magazine *second_empty(struct pcslab_depot *depot,
					    struct pcslab_magazine *full)
{
	if (!full || !depot->mags_empty.top || depot->nr_rounds >= depot->max_rounds)
		return full;
	push_full(depot, full);
	return stack_pop(&depot->mags_empty);
}

/**
 * pcslab_depot_trade_empty() - give an empty magazine for one with objects
 * @class: class of the objects
 * @node: node of the objects
 * @empty: a magazine without rounds
 * @second: if not NULL, points to another one or to NULL; the depot may replace
 *	that by a full one
 * @surplus: if it points to NULL it may be set to @empty, which the caller must
 *	free
 * @slab: points to a new slab or NULL; to NULL afterwards if the depot took it
 *
 * Return: a magazine of the depot, or @empty with as many objects from the
 *	slabs as there are.
 */
struct pcslab_magazine *
pcslab_depot_trade_empty(struct pcslab_class *class, int node,
			 struct pcslab_magazine *empty, struct pcslab_magazine **second,
			 struct pcslab_magazine **surplus, struct pcslab_slab **slab)
{
	struct pcslab_depot *depot = &class->depot[node];
	struct pcslab_magazine *mag;
	unsigned long flags;

	flags = pcslab_lock(&depot->lock);
	mag = pop_full(depot);
	if (!mag) {
		mag = empty;
		if (*slab && (*slab)->node == node) {
			depot_add_slab(depot, *slab, &depot->slabs_partial);
			*slab = NULL;
		}
		depot_fill(class, depot, mag);
	} else if (*surplus || depot->mags_empty.nr < DEPOT_MAX_MAGS_EMPTY) {
		stack_push(&depot->mags_empty, empty);
	} else {
		*surplus = empty;
	}
	if (second)
		*second = second_full(depot, *second);
	pcslab_unlock(&depot->lock, flags);
	return mag;
}

/**
 * pcslab_depot_trade_full() - give a full magazine for an empty one
 * @class: class of the objects
 * @node: node of the objects
 * @full: a magazine that is full, or lost some rounds in verification
 * @second: points to another one, or to NULL; the depot may replace it by an
 *	empty one
 * @fresh: an empty magazine that the depot may return, or NULL
 * @may_flush: flush @full if there is no empty magazine
 * @doomed: slabs that go are added here; the caller must pass it to
 *	pcslab_slabs_leave()
 *
 * Return: an empty magazine: @fresh, or one of the depot, or @full, flushed
 *	because the depot has enough. NULL if there is none and !@may_flush;
 *	then the caller keeps @full.
 */
struct pcslab_magazine *
pcslab_depot_trade_full(struct pcslab_class *class, int node,
			struct pcslab_magazine *full, struct pcslab_magazine **second,
			struct pcslab_magazine *fresh, bool may_flush,
			struct list_head *doomed)
{
	struct pcslab_depot *depot = &class->depot[node];
	struct pcslab_magazine *empty = NULL;
	unsigned long flags;
	bool enough;

	flags = pcslab_lock(&depot->lock);
	enough = depot->nr_rounds >= depot->max_rounds;
	if (!enough)
		empty = fresh ?: stack_pop(&depot->mags_empty);
	if (empty) {
		push_full(depot, full);
		*second = second_empty(depot, *second);
	} else if (enough || may_flush) {
		depot->nr_missed += enough ? full->n : 0;
		depot_flush(class, node, full, doomed);
		empty = full;
	}
	pcslab_unlock(&depot->lock, flags);
	return empty;
}

/* Take a round from a full magazine. Returns false if there is none. */
static bool take_round(struct pcslab_class *class, int node, struct pcslab_round *round)
{
	struct pcslab_depot *depot = &class->depot[node];
	struct pcslab_magazine *mag = depot->mags_full.top;
	struct pcslab_slab *slab;

	if (!mag)
		return false;
	*round = mag->round[--mag->n];
	depot->nr_rounds--;
	if (!mag->n)
		stack_push(&depot->mags_empty, pop_full(depot));
	slab = slab_of_round(class, node, round);
	if (likely(slab && READ_ONCE(*round->state) == PCSLAB_OBJ_CACHED))
		return true;
	pcslab_raced_free(class, round->obj);
	return false;
}

/* Hand an object to a caller, and count it. */
static void *hand_over(struct pcslab_class *class, const struct pcslab_round *round)
{
	WRITE_ONCE(*round->state, PCSLAB_OBJ_LIVE);
	word_inc(pcslab_word(pcslab_unguarded_row(class)->allocs));
	return round->obj;
}

/* Hand out any free object of a node, from slabs or full magazines. */
static void *take_one(struct pcslab_class *class, int node)
{
	struct pcslab_depot *depot = &class->depot[node];
	struct pcslab_round round;

	lockdep_assert_held(&depot->lock);
	if (!take_from_slabs(class, depot, &round, 1) && !take_round(class, node, &round))
		return NULL;
	return hand_over(class, &round);
}

/* Hand out an object of a slab that came from the reserves. */
static void *take_reserved(struct pcslab_class *class, int node)
{
	struct pcslab_depot *depot = &class->depot[node];
	struct pcslab_round round;
	struct pcslab_slab *slab;
	unsigned int before, taken;

	lockdep_assert_held(&depot->lock);
	slab = list_first_entry_or_null(&depot->slabs_reserve, struct pcslab_slab, list);
	if (!slab)
		return NULL;
	before = slab->nr_free;
	taken = pcslab_slab_take(slab, &round, 1);
	depot->nr_free -= before - slab->nr_free;
	if (!slab->nr_free)
		list_del_init(&slab->list);
	return taken ? hand_over(class, &round) : NULL;
}

/* A function that takes an object; called with the depot's lock held. */
typedef void *(*take_fn)(struct pcslab_class *class, int node);

static void *depot_take(struct pcslab_class *class, int node, take_fn fn)
{
	struct pcslab_depot *depot = &class->depot[node];
	unsigned long flags;
	void *obj;

	flags = pcslab_lock(&depot->lock);
	obj = fn(class, node);
	pcslab_unlock(&depot->lock, flags);
	return obj;
}

/* Take an object from @node or, if @gfp allows it, from any node. */
static void *take_anywhere(struct pcslab_class *class, gfp_t gfp, int node, take_fn fn)
{
	void *obj = depot_take(class, node, fn);
	int other;

	if (obj || gfp & __GFP_THISNODE)
		return obj;
	for_each_node_state(other, N_MEMORY) {
		obj = depot_take(class, other, fn);
		if (obj)
			break;
	}
	return obj;
}

/* The same rule as in the page allocator. */
static bool may_use_reserves(gfp_t gfp)
{
	if (gfp & __GFP_NOMEMALLOC)
		return false;
	return gfp & __GFP_MEMALLOC ||
	       (current->flags & PF_MEMALLOC && (in_serving_softirq() || !in_interrupt()));
}

/*
 * Flags for a slab that is useful but not necessary: only use pages that are
 * free on this node, without reclaim.
 */
static gfp_t without_effort(gfp_t gfp)
{
	return (gfp & __GFP_KSWAPD_RECLAIM) | __GFP_THISNODE | __GFP_NOMEMALLOC |
	       __GFP_NOWARN | __GFP_NORETRY;
}

/*
 * The usual order of a slab plus @more, or less if that gives it enough
 * objects.
 */
static unsigned int eager_order(const struct pcslab_class *class, unsigned int more)
{
	unsigned int order = class->order;

	for (; more && order < PCSLAB_SLAB_MAX_ORDER &&
	     (PAGE_SIZE << order) / class->stride < DEPOT_MAX_OBJECTS; more--)
		order++;
	return order;
}

/**
 * pcslab_depot_get_slab() - make a slab for a depot that has no objects
 * @class: class of the slab
 * @gfp: the caller's; little effort is made, because the caller has other ways
 * @node: node of the depot
 * @more: the order may be this much above the class's order
 *
 * Return: the slab, in no depot yet, or NULL.
 */
struct pcslab_slab *pcslab_depot_get_slab(struct pcslab_class *class, gfp_t gfp, int node,
					  unsigned int more)
{
	return pcslab_slab_create(class, without_effort(gfp), node, eager_order(class, more));
}

/**
 * pcslab_depot_add_slab() - put a new slab into its depot
 * @slab: a slab that is in no depot
 */
void pcslab_depot_add_slab(struct pcslab_slab *slab)
{
	struct pcslab_depot *depot = depot_of(slab);
	unsigned long flags;

	flags = pcslab_lock(&depot->lock);
	depot_add_slab(depot, slab, &depot->slabs_empty);
	pcslab_unlock(&depot->lock, flags);
}

/**
 * pcslab_depot_lacks_objects() - find out whether a depot has no objects
 * @class: class of the objects
 * @node: node of the depot
 *
 * Return: true if it has none. Racy read; even under the lock it would be stale
 *	once the lock is dropped.
 */
bool pcslab_depot_lacks_objects(struct pcslab_class *class, int node)
{
	return !depot_nr_free(&class->depot[node]);
}

/**
 * pcslab_depot_lacks_magazines() - find out whether a depot cannot trade
 * @class: class of the magazines
 * @node: node of the depot
 * @nr: full magazines to be traded for empty ones
 *
 * Return: true if the depot has room for a full magazine and fewer than @nr
 *	empty ones to give. Racy read.
 */
bool pcslab_depot_lacks_magazines(struct pcslab_class *class, int node, unsigned int nr)
{
	const struct pcslab_depot *depot = &class->depot[node];

	return pcslab_gauge(depot->nr_rounds < depot->max_rounds && depot->mags_empty.nr < nr);
}

/*
 * Hand out an object of a new slab. The slab may be on another node than @node.
 */
static void *depot_grow(struct pcslab_class *class, gfp_t gfp, int node, unsigned int order)
{
	struct pcslab_slab *slab = pcslab_slab_create(class, gfp, node, order);
	struct pcslab_depot *depot;
	unsigned long flags;
	void *obj;

	if (!slab)
		return NULL;
	depot = depot_of(slab);
	flags = pcslab_lock(&depot->lock);
	depot_add_slab(depot, slab, partial_list(depot, slab));
	obj = of_reserves(slab) ? take_reserved(class, node_of(slab)) :
				  take_one(class, slab->node);
	pcslab_unlock(&depot->lock, flags);
	return obj;
}

/*
 * One try of pcslab_depot_alloc(), in this order: free objects of the node,
 * also those that come back in a wait; a full-size slab, if the node has free
 * pages; free objects of other nodes; if @gfp or the task may use the reserves,
 * free objects of slabs made from them; a slab of the smallest order, with all
 * the effort that @gfp allows.
 */
static void *depot_alloc(struct pcslab_class *class, gfp_t gfp, int node)
{
	void *obj;

	obj = depot_take(class, node, take_one);
	if (!obj && pcslab_rcu_throttle(class->heap, class->size, gfp))
		obj = depot_take(class, node, take_one);
	obj = obj ?: depot_grow(class, without_effort(gfp), node, class->order) ?:
		     take_anywhere(class, gfp, node, take_one);
	if (!obj && may_use_reserves(gfp))
		obj = take_anywhere(class, gfp, node, take_reserved);
	return obj ?: depot_grow(class, gfp, node, class->min_order);
}

/**
 * pcslab_depot_alloc() - allocate an object without a magazine
 * @class: class of the object
 * @gfp: the caller's
 * @node: node, or NUMA_NO_NODE for the local one
 *
 * Return: the object, counted, or NULL.
 */
void *pcslab_depot_alloc(struct pcslab_class *class, gfp_t gfp, int node)
{
	struct pcslab_plea plea = pcslab_plea(class->heap, gfp);
	void *obj;

	if (node == NUMA_NO_NODE)
		node = pcslab_home_of(raw_smp_processor_id());
	do {
		obj = depot_alloc(class, plea.gfp, node);
	} while (!obj && pcslab_plea_retry(class->heap, 1UL << class->min_order, &plea));
	return obj;
}

/**
 * pcslab_depot_free() - free an object into its slab
 * @slab: slab of the object
 * @obj: the object
 * @state: its state, claimed
 */
void pcslab_depot_free(struct pcslab_slab *slab, const void *obj, u8 *state)
{
	struct pcslab_depot *depot = depot_of(slab);
	struct pcslab_row *row;
	unsigned long flags;
	LIST_HEAD(doomed);
	bool done;

	flags = pcslab_lock(&depot->lock);
	row = pcslab_unguarded_row(slab->class);
	done = put_into_slab(depot, slab, state, PCSLAB_OBJ_CACHED);
	if (likely(done)) {
		/* Release: pairs as in cache_push(). */
		word_inc_release(pcslab_word(row->frees));
		depot_trim(depot, slab, &doomed);
	}
	pcslab_unlock(&depot->lock, flags);
	if (unlikely(!done))
		pcslab_raced_free(slab->class, obj);
	pcslab_slabs_leave(&doomed);
}

/**
 * pcslab_depot_free_deferred() - free a slab's deferred objects
 * @slab: taken off the list of nmi.c, which explains the steps
 *
 * Context: as pcslab_defer_finish().
 */
void pcslab_depot_free_deferred(struct pcslab_slab *slab)
{
	struct pcslab_depot *depot = depot_of(slab);
	unsigned int i, nr = slab->nr;
	struct pcslab_row *row;
	unsigned long flags;
	LIST_HEAD(doomed);

	flags = pcslab_lock(&depot->lock);
	row = pcslab_unguarded_row(slab->class);
	/* Full barrier: pairs with smp_mb() in pcslab_defer_slab(). */
	smp_store_mb(slab->deferred.next, &slab->deferred);
	for (i = 0; i < nr; i++) {
		while (READ_ONCE(slab->state[i]) == PCSLAB_OBJ_PENDING)
			cpu_relax();
		/* Acquire: pairs with the release in pcslab_defer_slab(). */
		if (smp_load_acquire(&slab->state[i]) != PCSLAB_OBJ_DEFERRED)
			continue;
		hook_free(slab->base + i * slab->class->stride, slab->class);
		put_into_slab(depot, slab, &slab->state[i], PCSLAB_OBJ_DEFERRED);
		/* Release: pairs as in cache_push(). */
		word_inc_release(pcslab_word(row->frees));
	}
	depot_trim(depot, slab, &doomed);
	pcslab_unlock(&depot->lock, flags);
	pcslab_slabs_leave(&doomed);
}

/*
 * Flush full magazines until at most @keep rounds are left, taking the lock for
 * each one anew.
 */
static void flush_full(struct pcslab_class *class, int node, unsigned int keep,
		       struct list_head *doomed)
{
	struct pcslab_depot *depot = &class->depot[node];
	struct pcslab_magazine *mag;
	unsigned long flags;

	do {
		flags = pcslab_lock(&depot->lock);
		mag = depot->nr_rounds > keep ? pop_full(depot) : NULL;
		if (mag)
			depot_flush(class, node, mag, doomed);
		pcslab_unlock(&depot->lock, flags);
		pcslab_magazine_free(mag);
	} while (mag);
}

/*
 * Take back a slab that was leaving and is not empty. It has @nr_free free
 * objects, counted anew.
 */
static void depot_readmit(struct pcslab_depot *depot, struct pcslab_slab *slab,
			  unsigned int nr_free)
{
	depot->nr_free += nr_free - slab->nr_free;
	WRITE_ONCE(slab->leaves, false);
	slab->returned = false;
	slab->nr_free = nr_free;
	slab->hint = 0;
	INIT_LIST_HEAD(&slab->list);
	if (nr_free)
		list_add(&slab->list, partial_list(depot, slab));
}

/*
 * An object that was handed out and came back may have left rounds in magazines
 * again, so all rounds must be verified once more.
 */
static bool must_wait(struct pcslab_slab *slab)
{
	bool returned = slab->returned;

	slab->returned = false;
	return returned || READ_ONCE(slab->deferred.next) != &slab->deferred;
}

/**
 * pcslab_depot_let_go() - let a slab go that is on its way out (leave.c)
 * @slab: the slab
 *
 * Return: PCSLAB_GOES if all its objects are free. PCSLAB_STAYS if one is not;
 *	then the slab is back in the depot. PCSLAB_WAITS if it must go through
 *	another grace period.
 */
enum pcslab_leave pcslab_depot_let_go(struct pcslab_slab *slab)
{
	struct pcslab_depot *depot = depot_of(slab);
	enum pcslab_leave verdict = PCSLAB_GOES;
	unsigned int nr_free;
	unsigned long flags;

	flags = pcslab_lock(&depot->lock);
	nr_free = pcslab_slab_count(slab, PCSLAB_OBJ_FREE);
	if (unlikely(nr_free < slab->nr)) {
		depot_readmit(depot, slab, nr_free);
		verdict = PCSLAB_STAYS;
	} else if (unlikely(must_wait(slab))) {
		verdict = PCSLAB_WAITS;
	} else {
		list_del_rcu(&slab->all);
		depot->nr_slabs--;
		depot->nr_pages -= 1UL << slab->order;
		depot->nr_free -= slab->nr_free;
	}
	pcslab_unlock(&depot->lock, flags);
	return verdict;
}

/* Drain all but @keep rounds. The new limit is @keep, or the smallest one. */
static unsigned long drain_to(struct pcslab_class *class, int node, unsigned int keep)
{
	struct pcslab_depot *depot = &class->depot[node];
	struct pcslab_slab *slab, *next;
	struct pcslab_magazine *empty;
	unsigned long flags;
	LIST_HEAD(doomed);

	flush_full(class, node, keep, &doomed);

	flags = pcslab_lock(&depot->lock);
	depot->max_rounds = max(keep, min_rounds(class));
	depot->nr_missed = 0;
	empty = depot->mags_empty.top;
	depot->mags_empty = (struct pcslab_stack){};
	list_for_each_entry_safe(slab, next, &depot->slabs_empty, list)
		let_go(depot, slab, &doomed);
	list_for_each_entry_safe(slab, next, &depot->slabs_reserve, list)
		depot_trim(depot, slab, &doomed);
	pcslab_unlock(&depot->lock, flags);

	pcslab_magazines_free(empty);
	return pcslab_slabs_leave(&doomed);
}

/**
 * pcslab_depot_drain() - give all free objects of a class back as pages
 * @class: the class
 *
 * Context: any but NMI; on RT only contexts that may sleep.
 * Return: the number of pages given back.
 */
unsigned long pcslab_depot_drain(struct pcslab_class *class)
{
	unsigned long pages = 0;
	int node;

	for_each_node_state(node, N_MEMORY)
		pages += drain_to(class, node, 0);
	return pages;
}

/* An estimate, because slabs differ in size. */
static unsigned long empty_pages(const struct pcslab_depot *depot)
{
	unsigned long slabs = pcslab_gauge(depot->nr_slabs);

	return slabs ? pcslab_gauge(depot->nr_slabs_empty * depot->nr_pages) / slabs : 0;
}

/**
 * pcslab_depot_reclaimable() - estimate how much a drain would free
 * @class: the class
 *
 * Return: number of pages: those of empty slabs, and the size of the objects in
 *	full magazines.
 */
unsigned long pcslab_depot_reclaimable(struct pcslab_class *class)
{
	struct pcslab_depot *depot;
	unsigned long pages = 0;
	int node;

	for_each_node_state(node, N_MEMORY) {
		depot = &class->depot[node];
		pages += empty_pages(depot);
		pages += pcslab_gauge(depot->nr_rounds) * class->stride >> PAGE_SHIFT;
	}
	return pages;
}

static bool has_reclaimable(const struct pcslab_depot *depot)
{
	return pcslab_gauge(depot->nr_slabs_empty || depot->mags_full.nr || depot->mags_empty.nr);
}

/**
 * pcslab_depot_reap() - drain depots that were not used since the last pass
 * @class: the class
 *
 * The limit of a depot that was used is halved.
 */
void pcslab_depot_reap(struct pcslab_class *class)
{
	struct pcslab_depot *depot;
	unsigned int may_keep;
	int node;

	for_each_node_state(node, N_MEMORY) {
		depot = &class->depot[node];
		may_keep = pcslab_gauge(depot->max_rounds);
		if (has_reclaimable(depot) && depot_nr_free(depot) == depot->reap_mark)
			drain_to(class, node, 0);
		else if (may_keep > min_rounds(class))
			drain_to(class, node, may_keep / 2);
		depot->reap_mark = depot_nr_free(depot);
	}
}
