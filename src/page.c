// SPDX-License-Identifier: GPL-2.0
/*
 * Getting pages, and marking them as ours
 *
 * page.h describes which words are written and in which order. The kernel's
 * counters include our pages: like large objects of kmalloc(), they count as
 * unreclaimable slab memory.
 *
 * No locks. Any context, except that getting pages is limited by @gfp.
 */
#include <linux/mm.h>
#include <linux/sched/mm.h>
#include <linux/vmstat.h>

#include "compat.h"
#include "internal.h"
#include "page.h"

unsigned long pcslab_span __read_mostly;
unsigned long pcslab_slab_tag, pcslab_hidden_tag;
unsigned long pcslab_large_tag, pcslab_vmalloc_tag, pcslab_rcu_tag, pcslab_deferred_tag;

/*
 * The page allocator warns about __GFP_NOFAIL with an order above 1, and btrfs
 * does use both.
 */
static struct page *wait_for_pages(gfp_t gfp, int node, unsigned int order)
{
	struct page *page;

	for (;;) {
		page = alloc_pages_node(node, gfp | __GFP_COMP | __GFP_NOWARN, order);
		if (page)
			return page;
		memalloc_retry_wait(gfp);
	}
}

static struct page *get_pages(gfp_t gfp, int node, unsigned int order)
{
	if (gfp & __GFP_NOFAIL)
		return wait_for_pages(gfp & ~__GFP_NOFAIL, node, order);
	return alloc_pages_node(node, gfp | __GFP_COMP, order);
}

/**
 * pcslab_pages_get() - get compound pages for a cgroup or with __GFP_NOFAIL
 * @heap: the heap they are for; its cgroup, if it has one, is charged
 * @gfp: the caller's; with __GFP_NOFAIL the pages are waited for
 * @node: node, or NUMA_NO_NODE
 * @order: get 2^@order pages
 *
 * pcslab_heap_get_pages() gets all others.
 *
 * Return: the first page; NULL if there is none and @gfp has no __GFP_NOFAIL.
 */
struct page *pcslab_pages_get(struct pcslab_heap *heap, gfp_t gfp, int node,
			      unsigned int order)
{
	struct mem_cgroup *before;
	struct page *page;

	if (!heap->memcg)
		return get_pages(gfp, node, order);
	before = set_active_memcg(heap->memcg);
	page = get_pages(gfp | __GFP_ACCOUNT, node, order);
	set_active_memcg(before);
	return page;
}

/*
 * The span only grows, so every CPU that has an object sees a span that covers
 * it.
 */
static void span_cover(const void *end)
{
	unsigned long want = (unsigned long)end - PAGE_OFFSET;
	unsigned long span = READ_ONCE(pcslab_span);

	while (want > span && !try_cmpxchg(&pcslab_span, &span, want))
		;
}

/*
 * Account for @pages new pages; negative when they go. The kernel counts bytes.
 */
static void page_account(struct page *page, long pages)
{
	mod_node_page_state(page_pgdat(page), NR_SLAB_UNRECLAIMABLE_B, pages * PAGE_SIZE);
}

/**
 * pcslab_mark() - mark pages as ours that the kernel accounts for itself
 * @page: the first page
 * @mark: the mark, stored in lru.next
 * @owner: the owner, stored in private
 */
void pcslab_mark(struct page *page, unsigned long mark, void *owner)
{
	page_ref_add(page, PCSLAB_REF_BIAS);
	WRITE_ONCE(page->private, (unsigned long)owner);
	smp_wmb();	/* pairs with large_owner() */
	WRITE_ONCE(page->lru.next, (struct list_head *)mark);
}

/**
 * pcslab_stamp() - mark pages as ours, and account for them
 * @page: the first page
 * @order: of the pages
 * @mark: the mark, stored in lru.next
 * @owner: the owner, stored in private
 */
void pcslab_stamp(struct page *page, unsigned int order, unsigned long mark,
		  void *owner)
{
	span_cover(page_address(page) + (PAGE_SIZE << order));
	pcslab_mark(page, mark, owner);
	/* Last, so that the compiler need not save registers for after it. */
	page_account(page, 1L << order);
}

static unsigned int put_back(struct page *page, int lacking, bool accounted)
{
	if (likely(lacking <= 0))
		return 0;
	page_ref_add(page, lacking);
	if (COMPAT_KFREE_DROPS_REF && accounted)
		page_account(page, (long)lacking << compound_order(page));
	return lacking;
}

/**
 * pcslab_put_back() - undo what other allocators did to our pages
 * @page: the first page. The caller must keep it stamped and must exclude other
 *	callers for this page
 * @accounted: pcslab_stamp() has accounted for it
 *
 * Return: how many frees of the page were undone.
 */
unsigned int pcslab_put_back(struct page *page, bool accounted)
{
	return put_back(page, pcslab_lacking(page), accounted);
}

/**
 * pcslab_hide() - hide a slab from new frees
 * @slab: the slab; its pages still belong to pcslab
 */
void pcslab_hide(const struct pcslab_slab *slab)
{
	WRITE_ONCE(virt_to_page(slab->base)->lru.next, (struct list_head *)hidden_mark(slab));
}

/**
 * pcslab_unmark() - undo pcslab_mark()
 * @page: the first page
 *
 * The references are kept, in case somebody still uses the pages.
 */
void pcslab_unmark(struct page *page)
{
	WRITE_ONCE(page->lru.next, NULL);
	smp_wmb();	/* pairs with large_owner() */
	WRITE_ONCE(page->private, 0);
}

/**
 * pcslab_unstamp() - undo pcslab_stamp()
 * @page: the first page
 *
 * The references are kept, in case somebody still uses the pages.
 */
void pcslab_unstamp(struct page *page)
{
	pcslab_unmark(page);
	page_account(page, -(1L << compound_order(page)));
}

/**
 * pcslab_refs_put() - drop the additional references of a page
 * @page: the first page, unstamped
 * @accounted: pcslab_stamp() had accounted for it
 *
 * Frees by another allocator up to this moment are undone, but not counted.
 */
void pcslab_refs_put(struct page *page, bool accounted)
{
	put_back(page, 1 - folio_ref_sub_return(page_folio(page), PCSLAB_REF_BIAS), accounted);
}

/**
 * pcslab_pages_put() - give compound pages back
 * @page: the first page, unstamped
 */
void pcslab_pages_put(struct page *page)
{
	pcslab_refs_put(page, true);
	__free_pages(page, compound_order(page));
}
