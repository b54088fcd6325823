// SPDX-License-Identifier: GPL-2.0
/*
 * Large objects: those above the largest class, each with its own pages
 *
 * They are compound pages like the large objects of kmalloc(). The heap counts
 * allocations; the CPU's record counts frees and their bytes, in the row for
 * calls without the guard. heap->large lists all of them, for walks. While it
 * is not empty it has one reference to the heap.
 *
 * Locks: heap->large_lock, as lock.h says, innermost.
 * Context: as the caller of alloc or free; a free that must not wait is
 *	deferred (nmi.c).
 */
#include <linux/mm.h>
#include <linux/mutex.h>
#include <linux/string.h>

#include "arch.h"
#include "compat.h"
#include "hooks.h"
#include "internal.h"
#include "lock.h"
#include "page.h"

/* Protects the cursors of all heaps. */
static DEFINE_MUTEX(walks);

static struct page *link_next(struct page *page)
{
	return (struct page *)*compat_page_word(page);
}

static struct page *link_prev(struct page *page)
{
	return (struct page *)page->lru.prev;
}

static void set_links(struct page *page, struct page *next, struct page *prev)
{
	*compat_page_word(page) = (unsigned long)next;
	page->lru.prev = (struct list_head *)prev;
}

static void link_add(struct pcslab_heap *heap, struct page *page)
{
	struct page *next = heap->large;

	set_links(page, next, NULL);
	if (next)
		set_links(next, link_next(next), page);
	else
		refcount_inc(&heap->refs);
	heap->large = page;
}

/* Returns true if the caller must drop the list's reference to the heap. */
static bool link_del(struct pcslab_heap *heap, struct page *page)
{
	struct page *next = link_next(page), *prev = link_prev(page);

	if (heap->large_cursor == page)
		heap->large_cursor = next;
	if (next)
		set_links(next, link_next(next), prev);
	if (prev)
		set_links(prev, next, link_prev(prev));
	else
		heap->large = next;
	set_links(page, NULL, NULL);
	return !heap->large;
}

/**
 * pcslab_large_alloc() - allocate an object with its own pages
 * @heap: the heap
 * @size: bytes, above PCSLAB_MAX_SIZE
 * @gfp: the caller's; the page allocator handles __GFP_ZERO and init_on_alloc
 * @node: node, or NUMA_NO_NODE
 *
 * Return: the object, counted, or NULL. Above the page allocator's largest
 *	order always NULL, with a warning unless @gfp has __GFP_NOWARN.
 */
void *pcslab_large_alloc(struct pcslab_heap *heap, size_t size, gfp_t gfp, int node)
{
	unsigned int order = get_order(size);
	struct pcslab_heap_counters *counters;
	struct pcslab_class *class;
	unsigned long flags;
	struct page *page;

	if (size > (PAGE_SIZE << MAX_PAGE_ORDER)) {
		WARN_ON_ONCE(!(gfp & __GFP_NOWARN) && size != SIZE_MAX);
		return NULL;
	}
	class = pcslab_class_at(heap, PCSLAB_LARGE) ?:
		pcslab_class_make(heap, PCSLAB_LARGE, gfp);
	if (!class)
		return NULL;
	gfp &= ~(__GFP_MOVABLE | __GFP_RECLAIMABLE);
	page = pcslab_should_fail(gfp) ? NULL : pcslab_pages_get(gfp, node, order);
	if (!page)
		return NULL;

	pcslab_stamp(page, order, (unsigned long)&pcslab_large_tag, class);
	flags = pcslab_lock(&heap->large_lock);
	link_add(heap, page);
	counters = pcslab_heap_counters(heap);
	atomic_long_inc(&counters->large_allocs);
	atomic_long_add(PAGE_SIZE << order, &counters->large_alloc_bytes);
	pcslab_unlock(&heap->large_lock, flags);
	hook_alloc(page_address(page), size, PAGE_SIZE << order, gfp);
	return page_address(page);
}

/* The words of a row in which frees count bytes: see struct pcslab_row. */
static unsigned long *freed_bytes(struct pcslab_row *row)
{
	return row->allocs;
}

/**
 * pcslab_large_release() - give a large object's pages back
 * @page: its first page, claimed: its tag is pcslab_large_tag no longer
 *
 * Context: any but NMI.
 */
void pcslab_large_release(struct page *page)
{
	struct pcslab_class *class = pcslab_untrack_large(page);
	struct pcslab_heap *heap = class->heap;
	unsigned int order = compound_order(page);
	unsigned int idx, lacking;
	unsigned long flags, *bytes;
	struct pcslab_row *row;
	bool last;

	kmemleak_free(page_address(page));
	shadow_unpoison(page_address(page), PAGE_SIZE << order);
	pcslab_unstamp(page);
	flags = pcslab_lock(&heap->large_lock);
	last = link_del(heap, page);
	row = pcslab_unguarded_row(class);
	idx = READ_ONCE(pcslab_stat_idx);	/* the same for both */
	bytes = freed_bytes(row) + idx;
	/* Release, as for the frees: pairs with the smp_rmb()s of readers. */
	smp_store_release(bytes, *bytes + (PAGE_SIZE << order));
	word_inc_release(&row->frees[idx]);
	lacking = pcslab_put_back(page);
	if (unlikely(lacking) && !last) {
		refcount_inc(&heap->refs);
		last = true;
	}
	pcslab_unlock(&heap->large_lock, flags);
	/* Without a reference the heap may be gone from here on. */
	if (unlikely(lacking))
		pcslab_foreign_found(class, lacking);
	pcslab_pages_put(page);
	if (last)
		pcslab_heap_put(heap);
}

/*
 * Take the object from the caller. Returns true for one call only, in every
 * heap, because giving the pages back twice would crash the kernel.
 */
static bool large_claim(struct page *page)
{
	unsigned long **tag = (unsigned long **)&page->lru.next;

	return cmpxchg(tag, &pcslab_large_tag, &pcslab_deferred_tag) == &pcslab_large_tag;
}

/**
 * pcslab_large_free() - free a large object
 * @obj: any address
 * @wipe: overwrite it with zeroes
 *
 * Return: false if no large object starts at @obj.
 */
bool pcslab_large_free(const void *obj, bool wipe)
{
	struct page *page = large_page_of(obj);

	if (!page || !large_claim(page))
		return false;
	if (wipe) {
		shadow_unpoison(obj, PAGE_SIZE << compound_order(page));
		memzero_explicit((void *)obj, PAGE_SIZE << compound_order(page));
	}
	if (pcslab_must_defer())
		pcslab_defer_large(page);
	else
		pcslab_large_release(page);
	return true;
}

/**
 * pcslab_large_give_up() - take a large object's pages out of pcslab, for good
 * @heap: the heap
 *
 * Return: the number of pages. 0 if there is no large object, or if the first
 *	one is just being freed.
 */
unsigned long pcslab_large_give_up(struct pcslab_heap *heap)
{
	struct page *page;
	unsigned long flags;
	bool last = false;

	flags = pcslab_lock(&heap->large_lock);
	page = heap->large;
	if (page && large_claim(page))
		last = link_del(heap, page);
	else
		page = NULL;
	pcslab_unlock(&heap->large_lock, flags);
	if (!page)
		return 0;
	pcslab_untrack_large(page);
	pcslab_unstamp(page);
	if (last)
		pcslab_heap_put(heap);
	return 1UL << compound_order(page);
}

/**
 * pcslab_large_size() - bytes of a large object
 * @obj: any address
 *
 * Return: 0 if no large object starts at @obj.
 */
size_t pcslab_large_size(const void *obj)
{
	struct page *page = large_page_of(obj);

	return page ? PAGE_SIZE << compound_order(page) : 0;
}

/**
 * pcslab_large_walk() - visit the large objects of a heap one by one
 * @heap: the heap
 * @visit: called with the first page of each object and @arg, interrupts off
 * @arg: passed to @visit
 *
 * Objects that are allocated meanwhile are not visited. A free of the object at
 * the cursor moves the cursor on.
 *
 * Context: process. May sleep.
 */
void pcslab_large_walk(struct pcslab_heap *heap,
		       void (*visit)(struct page *page, void *arg), void *arg)
{
	unsigned long flags;
	struct page *page;

	mutex_lock(&walks);
	flags = pcslab_lock(&heap->large_lock);
	heap->large_cursor = heap->large;
	while (heap->large_cursor) {
		page = heap->large_cursor;
		visit(page, arg);
		heap->large_cursor = link_next(page);
		pcslab_unlock(&heap->large_lock, flags);
		flags = pcslab_lock(&heap->large_lock);
	}
	pcslab_unlock(&heap->large_lock, flags);
	mutex_unlock(&walks);
}
