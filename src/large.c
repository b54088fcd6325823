// SPDX-License-Identifier: GPL-2.0
/*
 * Large objects: those above the largest class, each with its own pages
 *
 * They are compound pages like the large objects of kmalloc(), or they are from
 * vmalloc (kvalloc.c) and only listed and counted here. The heap counts
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
#include "event.h"
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
	if (heap->large_old == page)
		heap->large_old = next;
	if (next)
		set_links(next, link_next(next), prev);
	if (prev)
		set_links(prev, next, link_prev(prev));
	else
		heap->large = next;
	set_links(page, NULL, NULL);
	return !heap->large;
}

static struct page *large_get(struct pcslab_heap *heap, gfp_t gfp, int node, unsigned int order)
{
	return pcslab_should_fail(gfp) ? NULL : pcslab_heap_get_pages(heap, gfp, node, order);
}

/**
 * pcslab_large_add() - list and count a new large object
 * @heap: the heap
 * @page: first page of the object, marked
 * @bytes: of its pages
 *
 * Context: any but NMI.
 */
void pcslab_large_add(struct pcslab_heap *heap, struct page *page, size_t bytes)
{
	struct pcslab_heap_counters *counters;
	unsigned long flags;

	flags = pcslab_lock(&heap->large_lock);
	link_add(heap, page);
	counters = pcslab_heap_counters(heap);
	atomic_long_inc(&counters->large_allocs);
	atomic_long_add(bytes, &counters->large_alloc_bytes);
	pcslab_unlock(&heap->large_lock, flags);
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
	gfp_t not_ours = __GFP_MOVABLE | __GFP_RECLAIMABLE;
	struct pcslab_plea plea = pcslab_plea(heap, gfp & ~not_ours);
	unsigned int order = get_order(size);
	struct pcslab_class *class;
	struct page *page;

	if (size > (PAGE_SIZE << MAX_PAGE_ORDER)) {
		WARN_ON_ONCE(!(gfp & __GFP_NOWARN) && size != SIZE_MAX);
		return NULL;
	}
	class = pcslab_class_at(heap, PCSLAB_LARGE) ?:
		pcslab_class_make(heap, PCSLAB_LARGE, gfp);
	if (!class)
		return NULL;
	pcslab_rcu_throttle(heap, size, gfp);
	do {
		page = large_get(heap, plea.gfp, node, order);
	} while (!page && pcslab_plea_retry(heap, 1UL << order, &plea));
	if (!page)
		return NULL;

	pcslab_stamp(page, order, (unsigned long)&pcslab_large_tag, class);
	pcslab_large_add(heap, page, PAGE_SIZE << order);
	hook_alloc(page_address(page), size, PAGE_SIZE << order, gfp);
	return page_address(page);
}

/* The words of a row in which frees count bytes: see struct pcslab_row. */
static unsigned long *freed_bytes(struct pcslab_row *row)
{
	return row->allocs;
}

/* Bytes of a large object that the caller has claimed. */
static size_t large_bytes(struct page *page)
{
	return large_pages(page, (void *)page_private(page)) << PAGE_SHIFT;
}

static void large_unstamp(struct page *page, const struct pcslab_area *area)
{
	if (area)
		pcslab_unmark(page);
	else
		pcslab_unstamp(page);
}

/**
 * pcslab_large_release() - give a large object's pages back
 * @page: its first page, claimed
 *
 * Context: any but NMI.
 */
void pcslab_large_release(struct page *page)
{
	struct pcslab_area *area = large_area((void *)page_private(page));
	size_t size = large_bytes(page);
	struct pcslab_class *class = area ? area->note.class : pcslab_untrack_large(page);
	struct pcslab_heap *heap = class->heap;
	unsigned int idx, lacking;
	unsigned long flags, *bytes;
	struct pcslab_row *row;
	bool last;

	if (!area) {	/* vfree() does the same */
		kmemleak_free(page_address(page));
		shadow_unpoison(page_address(page), size);
	}
	large_unstamp(page, area);
	flags = pcslab_lock(&heap->large_lock);
	last = link_del(heap, page);
	row = pcslab_unguarded_row(class);
	idx = READ_ONCE(pcslab_stat_idx);	/* the same for both */
	bytes = freed_bytes(row) + idx;
	/* Release, as for the frees: pairs with the smp_rmb()s of readers. */
	smp_store_release(bytes, *bytes + size);
	word_inc_release(&row->frees[idx]);
	lacking = pcslab_put_back(page, !area);
	if (unlikely(lacking) && !last) {
		refcount_inc(&heap->refs);
		last = true;
	}
	/* Without a reference the heap may be on its way out from here on. */
	rcu_read_lock();
	pcslab_unlock(&heap->large_lock, flags);
	if (unlikely(lacking))
		pcslab_foreign_found(class, lacking);
	if (!area) {
		pcslab_pages_put(page);
		pcslab_uncharge(heap, size >> PAGE_SHIFT);
	}
	rcu_read_unlock();
	if (area)
		pcslab_area_put(page, area);
	if (last)
		pcslab_heap_put(heap);
}

/*
 * Change the tag. Returns true for one call only, in every heap, because giving
 * the pages back twice would crash the kernel.
 */
static bool large_retag(struct page *page, unsigned long *from, unsigned long *to)
{
	return cmpxchg((unsigned long **)&page->lru.next, from, to) == from;
}

/* Take a live object from the caller. */
static bool large_take(struct page *page, unsigned long *to)
{
	unsigned long *tag = (unsigned long *)READ_ONCE(page->lru.next);

	return is_live_tag(tag) && large_retag(page, tag, to);
}

/**
 * pcslab_large_claim() - take a large object from the caller, to free it
 * @page: its first page
 *
 * Context: any.
 * Return: true for one call only.
 */
bool pcslab_large_claim(struct page *page)
{
	return large_take(page, &pcslab_deferred_tag);
}

/* The page is claimed, so large_class() does not know it any more. */
static noinline void tell_of_free(struct page *page, unsigned long caller)
{
	void *owner = (void *)page_private(page);
	struct pcslab_area *area = large_area(owner);

	__pcslab_event_free(large_class_by(owner)->heap, area ? area->addr : page_address(page),
			    large_bytes(page), caller);
}

static void large_free_claimed(struct page *page, unsigned long caller)
{
	if (static_branch_unlikely(&pcslab_events))
		tell_of_free(page, caller);
	if (pcslab_must_defer())
		pcslab_defer_large(page);
	else
		pcslab_large_release(page);
}

/**
 * pcslab_large_free() - free a large object
 * @obj: any address
 * @caller: return address of the call
 * @wipe: overwrite it with zeroes
 *
 * Return: false if no large object starts at @obj.
 */
bool pcslab_large_free(const void *obj, unsigned long caller, bool wipe)
{
	struct page *page = large_page_of(obj);

	if (!page || !pcslab_large_claim(page))
		return false;
	if (wipe) {
		shadow_unpoison(obj, large_bytes(page));
		memzero_explicit((void *)obj, large_bytes(page));
	}
	large_free_claimed(page, caller);
	return true;
}

/**
 * pcslab_large_wait() - take a large object that is to be freed later (rcu.c)
 * @obj: any address
 *
 * Context: any. Preemption must be off.
 * Return: the object's class, or NULL if no large object starts at @obj.
 */
struct pcslab_class *pcslab_large_wait(const void *obj)
{
	struct page *page = large_page_of(obj);

	if (!page || !large_take(page, &pcslab_rcu_tag))
		return NULL;
	return large_class(page);
}

/**
 * pcslab_large_free_waiting() - free a large object that waited
 * @page: its first page; nobody else changes the tag of an object that waits
 *
 * Context: any.
 */
void pcslab_large_free_waiting(struct page *page)
{
	large_retag(page, &pcslab_rcu_tag, &pcslab_deferred_tag);
	large_free_claimed(page, _THIS_IP_);
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
	unsigned long flags, pages;
	struct pcslab_area *area;
	struct page *page;
	bool last = false;

	flags = pcslab_lock(&heap->large_lock);
	page = heap->large;
	if (page && pcslab_large_claim(page))
		last = link_del(heap, page);
	else
		page = NULL;
	pcslab_unlock(&heap->large_lock, flags);
	if (!page)
		return 0;
	pages = large_bytes(page) >> PAGE_SHIFT;
	area = large_area((void *)page_private(page));
	pcslab_untrack_large(page);
	large_unstamp(page, area);
	pcslab_uncharge(heap, pages);
	if (area)
		pcslab_heap_put(heap);	/* the reference of the area */
	if (last)
		pcslab_heap_put(heap);
	return pages;
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
	void *owner;

	return page && large_owner(page, &owner) ? large_pages(page, owner) << PAGE_SHIFT : 0;
}

/**
 * pcslab_large_set_old() - mark which large objects are there now
 * @heap: the heap; heap->large_old leads to the first of them, those behind it
 *	in the list are the others, and frees keep that true
 * @old: false: forget the mark
 *
 * Context: process.
 */
void pcslab_large_set_old(struct pcslab_heap *heap, bool old)
{
	unsigned long flags = pcslab_lock(&heap->large_lock);

	heap->large_old = old ? heap->large : NULL;
	pcslab_unlock(&heap->large_lock, flags);
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
