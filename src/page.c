// SPDX-License-Identifier: GPL-2.0
/*
 * Getting pages, and marking them as ours; see page.h for what is written and
 * in which order. What is ours is in the kernel's books, too: it counts as the
 * large objects of kmalloc() do, as slab memory that can't be reclaimed.
 *
 * No locks. Any context but for getting them, which is as the flags say.
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
 * @node: where, or NUMA_NO_NODE
 * @order: of how many
 *
 * The page allocator warns of __GFP_NOFAIL at an order above 1, and btrfs does
 * ask for it: the waiting is done here.
 *
 * Return: the first page, or NULL if there is none and no __GFP_NOFAIL.
 */
struct page *pcslab_pages_get(gfp_t gfp, int node, unsigned int order)
{
	if (unlikely(gfp & __GFP_NOFAIL))
		return wait_for_pages(gfp & ~__GFP_NOFAIL, node, order);
	return alloc_pages_node(node, gfp | __GFP_COMP, order);
}

/*
 * Only grows, so a reader that was handed an object sees a span that holds it.
 */
static void span_cover(const void *end)
{
	unsigned long want = (unsigned long)end - PAGE_OFFSET;
	unsigned long span = READ_ONCE(pcslab_span);

	while (want > span && !try_cmpxchg(&pcslab_span, &span, want))
		;
}

/*
 * Pages came or, with a negative number, went. The kernel counts them in bytes.
 */
static void account(struct page *page, long pages)
{
	mod_node_page_state(page_pgdat(page), NR_SLAB_UNRECLAIMABLE_B, pages * PAGE_SIZE);
}

/**
 * pcslab_stamp() - mark pages as ours
 * @page: the first of 2^@order
 * @order: of the pages
 * @mark: what they are
 * @owner: whose
 */
void pcslab_stamp(struct page *page, unsigned int order, unsigned long mark,
		  void *owner)
{
	span_cover(page_address(page) + (PAGE_SIZE << order));
	account(page, 1L << order);
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
		account(page, (long)lacking << compound_order(page));
	return lacking;
}

/**
 * pcslab_put_back() - undo what other allocators did to pages of ours
 * @page: the first, stamped; the caller keeps it so, and others from doing the
 *	same
 *
 * Return: how often they freed it since the last look.
 */
unsigned int pcslab_put_back(struct page *page)
{
	return put_back(page, pcslab_lacking(page));
}

/**
 * pcslab_untag() - have no new free find pages
 * @page: the first, which stays ours
 */
void pcslab_untag(struct page *page)
{
	WRITE_ONCE(page->lru.next, NULL);
}

/**
 * pcslab_unstamp() - make pages nobody's
 * @page: the first
 *
 * They keep their references, in case somebody still uses them.
 */
void pcslab_unstamp(struct page *page)
{
	pcslab_untag(page);
	smp_wmb();	/* pairs with large_owner() */
	WRITE_ONCE(page->private, 0);
	account(page, -(1L << compound_order(page)));
}

/**
 * pcslab_pages_put() - give pages back
 * @page: the first, unstamped
 *
 * What another allocator did at the last moment is undone, but not counted any
 * more.
 */
void pcslab_pages_put(struct page *page)
{
	put_back(page, 1 - folio_ref_sub_return(page_folio(page), PCSLAB_REF_BIAS));
	__free_pages(page, compound_order(page));
}
