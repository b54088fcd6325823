// SPDX-License-Identifier: GPL-2.0
/*
 * Slabs: pages cut into objects, and their metadata
 *
 * The metadata is allocated apart from the pages, so that no write through an
 * object, before or past its end, reaches it from the same slab. There is no
 * list of free objects: the state bytes say which are free, and are searched a
 * word at a time.
 *
 * Locks: none of its own; what changes in a slab is under its depot's lock.
 * Context: creating as @gfp allows; destroying any but NMI.
 */
#include <linux/rculist.h>
#include <linux/slab.h>
#include <asm/word-at-a-time.h>

#include "internal.h"
#include "page.h"
#include "sanitize.h"

/* For metadata, and for pages: what of the caller's flags is not his object's alone. */
#define GFP_NOT_OURS	(__GFP_ZERO | __GFP_MOVABLE | __GFP_RECLAIMABLE)

/* State bytes: the last word is read whole, addresses behind the last object lead here. */
static unsigned int nr_states(u32 size, unsigned int bytes)
{
	return round_up(DIV_ROUND_UP(bytes, size), sizeof(long));
}

static struct pcslab_slab *metadata_create(unsigned int states, gfp_t gfp, int node)
{
	size_t bytes = struct_size((struct pcslab_slab *)0, state, states);
	bool track = static_key_enabled(&pcslab_track.key);
	struct pcslab_slab *slab;

	gfp &= ~__GFP_THISNODE;
	if (track)
		slab = kzalloc_node(bytes + states * sizeof(long), gfp, node);
	else
		slab = kmalloc_node(bytes, gfp, node);
	if (!slab)
		return NULL;
	sanitize_hide(slab);
	slab->callers = track ? (void *)slab + bytes : NULL;
	return slab;
}

static void init_states(struct pcslab_slab *slab, unsigned int states)
{
	memset(slab->state, PCSLAB_FREE, slab->nr);
	memset(slab->state + slab->nr, PCSLAB_NONE, states - slab->nr);
}

/**
 * pcslab_slab_create() - get pages and cut them
 * @class: of the objects
 * @gfp: the caller's; a failure injected by fault.c respects __GFP_NOFAIL
 * @node: where the pages should be
 * @order: 2^@order of them
 *
 * Return: the slab, of which no one else knows yet, or NULL.
 */
struct pcslab_slab *pcslab_slab_create(struct pcslab_class *class, gfp_t gfp,
				       int node, unsigned int order)
{
	unsigned int bytes = PAGE_SIZE << order;
	unsigned int states = nr_states(class->size, bytes);
	struct pcslab_slab *slab;
	struct page *page;

	gfp &= ~GFP_NOT_OURS;
	if (pcslab_should_fail(gfp))
		return NULL;
	slab = metadata_create(states, gfp, node);
	if (!slab)
		return NULL;
	page = alloc_pages_node(node, gfp | __GFP_COMP, order);
	if (!page) {
		kfree(slab);
		return NULL;
	}

	slab->base = page_address(page);
	slab->recip = class->recip;
	slab->node = page_to_nid(page);
	slab->caches = class->caches;
	slab->class = class;
	slab->nr = bytes / class->size;
	slab->nr_free = slab->nr;
	slab->hint = 0;
	slab->order = order;
	slab->deferred_queued = 0;
	init_states(slab, states);
	sanitize_close(slab->base, bytes, SANITIZE_REDZONE);
	refcount_inc(&class->heap->refs);
	pcslab_stamp(page, order, &pcslab_slab_tag, slab);
	return slab;
}

static void slab_destroy(struct pcslab_slab *slab)
{
	struct pcslab_heap *heap = slab->class->heap;
	struct page *page = virt_to_page(slab->base);

	pcslab_unstamp(page);
	sanitize_open(slab->base, PAGE_SIZE << slab->order);
	__free_pages(page, slab->order);
	kfree_rcu(slab, rcu);
	pcslab_heap_put(heap);
}

/**
 * pcslab_slabs_destroy() - give slabs back
 * @doomed: slabs without an object outside, out of their depot
 */
void pcslab_slabs_destroy(struct list_head *doomed)
{
	struct pcslab_slab *slab, *next;

	list_for_each_entry_safe(slab, next, doomed, list)
		slab_destroy(slab);
}

/**
 * pcslab_slab_take() - find a free object
 * @slab: one with nr_free > 0, its depot locked
 *
 * Return: the object's state, PCSLAB_FREE, for the caller to change.
 */
u8 *pcslab_slab_take(struct pcslab_slab *slab)
{
	static const struct word_at_a_time constants = WORD_AT_A_TIME_CONSTANTS;
	unsigned int i = round_down(slab->hint, sizeof(long));
	unsigned long word, zeroes;

	/* Other bytes of the word change meanwhile, but none from or to zero. */
	for (;; i += sizeof(long)) {
		word = READ_ONCE(*(unsigned long *)(slab->state + i));
		if (has_zero(word, &zeroes, &constants))
			break;
	}
	zeroes = create_zero_mask(prep_zero_mask(word, zeroes, &constants));
	i += find_zero(zeroes);
	slab->hint = i + 1;
	slab->nr_free--;
	return slab->state + i;
}
