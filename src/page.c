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
#include "page.h"

unsigned long pcslab_span __read_mostly;
unsigned long pcslab_slab_tag, pcslab_large_tag, pcslab_deferred_tag;

static noinline struct page *wait_for_pages(gfp_t gfp, int node, unsigned int order)
{
	struct page *page;

	for (;;) {
		page = alloc_pages_node(node, gfp | __GFP_COMP | __GFP_NOWARN, order);
		if (page)
			return page;
		memalloc_retry_wait(gfp);
	}
}

/**
 * pcslab_pages_get() - get compound pages
 * @gfp: the caller's
 * @node: node, or NUMA_NO_NODE
 * @order: get 2^@order pages
 *
 * With __GFP_NOFAIL this retries itself, because the page allocator warns about
 * that flag with an order above 1, and btrfs does use both.
 *
 * Return: the first page; NULL if there is none and @gfp has no __GFP_NOFAIL.
 */
struct page *pcslab_pages_get(gfp_t gfp, int node, unsigned int order)
{
	if (unlikely(gfp & __GFP_NOFAIL))
		return wait_for_pages(gfp & ~__GFP_NOFAIL, node, order);
	return alloc_pages_node(node, gfp | __GFP_COMP, order);
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
 * pcslab_stamp() - mark pages as ours
 * @page: the first page
 * @order: of the pages
 * @mark: the mark, stored in lru.next
 * @owner: the owner, stored in private
 */
void pcslab_stamp(struct page *page, unsigned int order, unsigned long mark,
		  void *owner)
{
	span_cover(page_address(page) + (PAGE_SIZE << order));
	page_account(page, 1L << order);
	page_ref_add(page, PCSLAB_REF_BIAS);
	WRITE_ONCE(page->private, (unsigned long)owner);
	smp_wmb();	/* pairs with large_owner() */
	WRITE_ONCE(page->lru.next, (struct list_head *)mark);
}

static unsigned int put_back(struct page *page, int lacking)
{
	if (likely(lacking <= 0))
		return 0;
	page_ref_add(page, lacking);
	if (COMPAT_KFREE_DROPS_REF)
		page_account(page, (long)lacking << compound_order(page));
	return lacking;
}

/**
 * pcslab_put_back() - undo what other allocators did to our pages
 * @page: the first page. The caller must keep it stamped and must exclude other
 *	callers for this page
 *
 * Return: how many frees of the page were undone.
 */
unsigned int pcslab_put_back(struct page *page)
{
	return put_back(page, pcslab_lacking(page));
}

/**
 * pcslab_untag() - hide pages from new frees
 * @page: the first page; it still belongs to pcslab
 */
void pcslab_untag(struct page *page)
{
	WRITE_ONCE(page->lru.next, NULL);
}

/**
 * pcslab_unstamp() - take the marks off pages
 * @page: the first page
 *
 * The references are kept, in case somebody still uses the pages.
 */
void pcslab_unstamp(struct page *page)
{
	pcslab_untag(page);
	smp_wmb();	/* pairs with large_owner() */
	WRITE_ONCE(page->private, 0);
	page_account(page, -(1L << compound_order(page)));
}

/**
 * pcslab_pages_put() - give pages back
 * @page: the first page, unstamped
 *
 * Frees by another allocator up to this moment are undone, but not counted.
 */
void pcslab_pages_put(struct page *page)
{
	put_back(page, 1 - folio_ref_sub_return(page_folio(page), PCSLAB_REF_BIAS));
	__free_pages(page, compound_order(page));
}
