// SPDX-License-Identifier: GPL-2.0
/*
 * Slabs: pages cut into objects, and their metadata
 *
 * The metadata is allocated apart from the pages, so that a write past either
 * end of an object cannot reach its own slab's metadata. There is no list of
 * free objects: the state bytes tell which are free.
 *
 * Locks: none taken here; the depot's lock protects what changes in a slab.
 * Context: creating as @gfp allows; destroying any but NMI.
 */
#include <linux/rculist.h>
#include <linux/slab.h>
#include <linux/string.h>

#include "event.h"
#include "hooks.h"
#include "internal.h"
#include "page.h"

/*
 * Flags of the caller that are meant for its object only; removed when metadata
 * and pages are allocated.
 */
#define GFP_NOT_OURS	(__GFP_ZERO | __GFP_MOVABLE | __GFP_RECLAIMABLE)

/* Site, time and size of an object: pcslab_sites() */
#define NOTE_BYTES	(sizeof(long) + sizeof(u32) + sizeof(u16))

/*
 * At most 8 KiB, because the page allocator warns about __GFP_NOFAIL above
 * that.
 */
static struct pcslab_slab *metadata_create(unsigned int states, bool notes,
					   gfp_t gfp, int node)
{
	size_t bytes = struct_size((struct pcslab_slab *)0, state, states);
	struct pcslab_slab *slab;

	gfp &= ~__GFP_THISNODE;
	if (notes)
		slab = kzalloc_node(bytes + states * NOTE_BYTES, gfp, node);
	else
		slab = kmalloc_node(bytes, gfp, node);
	if (!slab)
		return NULL;
	slab->sites_at = bytes + states * sizeof(u32);
	hook_metadata(slab);
	return slab;
}

static void construct(struct pcslab_slab *slab)
{
	struct pcslab_class *class = slab->class;
	unsigned int i;

	for (i = 0; i < slab->nr; i++)
		pcslab_cache_of(class->heap)->fixed.ctor(slab->base + i * class->stride);
}

/*
 * By words, because a slab of large objects has but one or two, and a call of
 * memset() takes longer than that.
 */
static void init_states(struct pcslab_slab *slab, unsigned int states)
{
	BUILD_BUG_ON(PCSLAB_OBJ_FREE != 0);
	memset_l((unsigned long *)slab->state, 0, states / sizeof(long));
	if (states > slab->nr)
		memset(slab->state + slab->nr, PCSLAB_OBJ_NONE, states - slab->nr);
}

/**
 * pcslab_slab_create() - get pages and cut them into objects
 * @class: class of the objects
 * @gfp: the caller's; fault injection (fault.c) respects __GFP_NOFAIL
 * @node: node the pages should be on
 * @order: get 2^@order pages
 *
 * Return: the slab, which is in no depot yet, or NULL.
 */
struct pcslab_slab *pcslab_slab_create(struct pcslab_class *class, gfp_t gfp,
				       int node, unsigned int order)
{
	unsigned int bytes = PAGE_SIZE << order;
	unsigned int states = pcslab_nr_states(class, order);
	struct pcslab_slab *slab;
	struct page *page;
	bool reserves;

	gfp &= ~GFP_NOT_OURS;
	if (pcslab_should_fail(gfp))
		return NULL;
	slab = metadata_create(states, class->flags & PCSLAB_SITED, gfp, node);
	if (!slab)
		return NULL;
	page = pcslab_heap_get_pages(class->heap, gfp, node, order);
	if (!page) {
		kfree(slab);
		return NULL;
	}

	reserves = page_is_pfmemalloc(page);
	slab->base = page_address(page);
	slab->recip = class->recip;
	slab->node = reserves ? NUMA_NO_NODE : page_to_nid(page);
	slab->caches = reserves ? &pcslab_no_slot : class->caches;
	slab->class = class;
	slab->nr = bytes / class->stride;
	slab->nr_free = slab->nr;
	slab->hint = 0;
	slab->order = order;
	slab->leaves = false;
	slab->returned = false;
	slab->deferred.next = &slab->deferred;
	init_states(slab, states);
	if (class->flags & PCSLAB_CHECKED)
		pcslab_check_new(slab);
	if (class->flags & PCSLAB_HEAP_CTOR)
		construct(slab);
	shadow_poison(slab->base, bytes, SHADOW_REDZONE);
	refcount_inc(&class->heap->refs);
	pcslab_stamp(page, order, slab_mark(slab), slab);
	pcslab_event_objects(class, PCSLAB_EVENT_SLAB_ALLOC, page_to_nid(page), slab->nr);
	return slab;
}

/* Free the metadata of a slab whose pages are gone. */
static void metadata_free(struct pcslab_slab *slab)
{
	struct pcslab_heap *heap = slab->class->heap;

	pcslab_uncharge(heap, 1UL << slab->order);
	kfree_rcu(slab, rcu);
	pcslab_heap_put(heap);
}

/**
 * pcslab_slab_disown() - take a slab's pages out of pcslab
 * @slab: out of its depot, and no call will free its objects
 *
 * Context: any but NMI.
 */
void pcslab_slab_disown(struct pcslab_slab *slab)
{
	pcslab_unstamp(virt_to_page(slab->base));
	metadata_free(slab);
}

/**
 * pcslab_slab_destroy() - give a slab's pages back
 * @slab: with all objects free, out of its depot, in no magazine
 *
 * Context: any but NMI.
 */
void pcslab_slab_destroy(struct pcslab_slab *slab)
{
	struct page *page = virt_to_page(slab->base);

	pcslab_event_objects(slab->class, PCSLAB_EVENT_SLAB_FREE, page_to_nid(page), slab->nr);
	pcslab_foreign_found(slab->class, pcslab_put_back(page, true));
	shadow_unpoison(slab->base, PAGE_SIZE << slab->order);
	pcslab_unstamp(page);
	pcslab_pages_put(page);
	metadata_free(slab);
}

static void slab_take(struct pcslab_slab *slab, unsigned int i, struct pcslab_round *round)
{
	WRITE_ONCE(slab->state[i], PCSLAB_OBJ_CACHED);
	round->obj = slab->base + i * slab->class->stride;
	round->state = &slab->state[i];
}

/**
 * pcslab_slab_count() - count the objects in a state
 * @slab: the slab
 * @state: the state
 *
 * Return: their number. That of PCSLAB_OBJ_FREE, with the depot locked, is
 *	slab->nr_free, unless that is wrong; see pcslab_slab_take().
 */
unsigned int pcslab_slab_count(const struct pcslab_slab *slab, enum pcslab_state state)
{
	unsigned int i, n = 0;

	for (i = 0; i < slab->nr; i++)
		n += READ_ONCE(slab->state[i]) == state;
	return n;
}

/**
 * pcslab_slab_take() - take free objects, in order of address
 * @slab: with its depot locked
 * @round: filled
 * @n: number of objects wanted, at most slab->nr_free
 *
 * Return: number of objects taken. It is less than @n if two CPUs freed one
 *	object at the same instant and the later one marked it as cached after
 *	it had returned to the slab.
 */
unsigned int pcslab_slab_take(struct pcslab_slab *slab, struct pcslab_round *round,
			      unsigned int n)
{
	unsigned int i = slab->hint, taken = 0;

	for (; taken < n && i < slab->nr; i++) {
		if (READ_ONCE(slab->state[i]) == PCSLAB_OBJ_FREE)
			slab_take(slab, i, &round[taken++]);
	}
	slab->hint = i;
	slab->nr_free = taken < n ? 0 : slab->nr_free - n;
	return taken;
}

/**
 * pcslab_slab_take_random() - take random free objects, in order of address
 * @slab: with its depot locked
 * @round: filled
 * @n: number of objects wanted, at most slab->nr_free
 * @random: of the depot
 *
 * Selection sampling (Knuth, TAOCP 3.4.2, algorithm S): all sets of @n objects
 * are equally likely.
 *
 * Return: as pcslab_slab_take().
 */
unsigned int pcslab_slab_take_random(struct pcslab_slab *slab, struct pcslab_round *round,
				     unsigned int n, struct rnd_state *random)
{
	unsigned int left = slab->nr_free, i = slab->hint, taken = 0;

	for (; taken < n && i < slab->nr; i++) {
		if (READ_ONCE(slab->state[i]) == PCSLAB_OBJ_FREE &&
		    pcslab_random_below(random, left--) < n - taken)
			slab_take(slab, i, &round[taken++]);
	}
	/* With fewer free objects than nr_free it may have skipped some. */
	slab->nr_free = taken < n ? pcslab_slab_count(slab, PCSLAB_OBJ_FREE) :
				    slab->nr_free - n;
	return taken;
}
