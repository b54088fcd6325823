/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The words of struct page that pcslab uses, and finding an address's owner
 *
 * The first page of a slab and of a large object carries
 *
 *   lru.next	a mark, which nobody else stores. For a large object it is a
 *		tag, the address of a variable of pcslab; for a slab it is the
 *		sum of a tag and the slab's address.
 *   private	the slab, or the class of the large object; if bit 0 is set, the
 *		struct pcslab_note of a large object that is tracked; if bits 0
 *		and 1 are set, the struct pcslab_area of one from vmalloc
 *
 * A large object's first page also carries the object's links in heap->large:
 * index (next) and lru.prev (previous). The pages are compound: lru.next of the
 * other pages is odd and leads to the first, and hardened usercopy knows where
 * they end. The pages of an object from vmalloc are not compound, and only the
 * first carries anything. It has a tag of its own, so that its address in the
 * direct map is no object's, nor is an address at which somebody maps a page of
 * another large object (kvalloc.c).
 *
 * Any address may be looked up, so a lookup checks in this order: Is it in the
 * direct map, and below the end of the highest page that pcslab ever had? Is
 * there a struct page (read with a fixup, because the direct map has holes),
 * and does it carry the mark? If it looks like one of our tail pages: is its
 * head near enough to be ours (the struct pages of memory that is not online
 * yet contain anything), and does the head carry the mark (also read with a
 * fixup)? Only then private is followed.
 *
 * A legal free cannot race with unstamping, because its object keeps the page.
 * A bad free or pcslab_heap_of() can, and must not follow what the next owner
 * of the page stores into private. The mark of a slab contains the slab's
 * address. So if mark and private match, private is ours, in whatever order
 * they were loaded: to be misled, a reader would have to find the address of a
 * slab stored there by somebody else. The smp_rmb() in find_slab() is for exact
 * reads (stats.c).
 *
 * Private of a large object changes, so its tag cannot be such a sum. While it
 * waits for a grace period (rcu.c) it has another tag, and private is as before. Stamping
 * stores private, then the tag; unstamping clears the tag, then private. A
 * reader loads the tag, private, and the tag again: if the tag is there both
 * times, private was ours. smp_wmb() in both pairs with the two smp_rmb() in
 * large_owner().
 *
 * Stamping also takes PCSLAB_REF_BIAS references, so that code which drops a
 * reference that it does not hold cannot free one of our pages (foreign.c).
 *
 * The object that private points to is freed an RCU grace period later, and
 * readers must have preemption off.
 */
#ifndef _PCSLAB_PAGE_H
#define _PCSLAB_PAGE_H

#include <linux/kernel.h>
#include <linux/llist.h>
#include <linux/page_ref.h>

#include "arch.h"
#include "compat.h"
#include "types.h"

/* Additional references of our pages: see foreign.c. */
#define PCSLAB_REF_BIAS		0x100000

/* Bytes from the start of the direct map to the end of our highest page. */
extern unsigned long pcslab_span;
/* Tags; only their addresses are used. */
extern unsigned long pcslab_slab_tag, pcslab_hidden_tag;
extern unsigned long pcslab_large_tag, pcslab_vmalloc_tag, pcslab_rcu_tag, pcslab_deferred_tag;

/* A load of lru.next gives the mark of a head, or where a tail's head is. */
static_assert(offsetof(struct page, lru.next) == offsetof(struct page, COMPAT_HEAD_WORD));

/* The call that allocated a large object: its site, and when in seconds. */
struct pcslab_note {
	struct pcslab_class *class;
	struct pcslab_site *site;
	struct rcu_head rcu;
	u32 time;
};

/*
 * A large object from vmalloc. @note is first: kfree_rcu() of it frees all.
 * @link is for areas that wait for vfree().
 */
struct pcslab_area {
	struct pcslab_note note;
	void *addr;
	unsigned long pages;
	struct llist_node link;
};

/* Bits of private */
#define PAGE_HAS_NOTE	1UL
#define PAGE_HAS_AREA	2UL

void pcslab_stamp(struct page *page, unsigned int order, unsigned long mark,
		  void *owner);
void pcslab_hide(const struct pcslab_slab *slab);
void pcslab_mark(struct page *page, unsigned long mark, void *owner);
void pcslab_unmark(struct page *page);
void pcslab_unstamp(struct page *page);
unsigned int pcslab_put_back(struct page *page, bool accounted);
void pcslab_refs_put(struct page *page, bool accounted);
void pcslab_pages_put(struct page *page);

/* kvalloc.c: the first page of the object from vmalloc at an address */
struct page *pcslab_area_page(const void *obj, const unsigned long *tag);
struct page *pcslab_area_page_around(const void *obj);

/*
 * Number of references of our page that others dropped; negative if others hold
 * more.
 */
static inline int pcslab_lacking(const struct page *page)
{
	return PCSLAB_REF_BIAS + 1 - page_ref_count(page);
}

/*
 * Returns false if the address cannot be in one of our pages. The page need not
 * exist.
 */
static __always_inline bool find_page(const void *obj, struct page **page)
{
	unsigned long addr = (unsigned long)obj;

	if (unlikely(addr - PAGE_OFFSET >= load_racy(pcslab_span)))
		return false;
	/* Without a virtual memmap the lookup itself could follow a NULL. */
	if (!IS_ENABLED(CONFIG_SPARSEMEM_VMEMMAP) && !virt_addr_valid(obj))
		return false;
	*page = direct_map_page(addr);
	return true;
}

/* The mark in the first page of a slab. */
static __always_inline unsigned long slab_mark(const struct pcslab_slab *slab)
{
	return (unsigned long)slab + (unsigned long)&pcslab_slab_tag;
}

/*
 * The mark of a slab that no call may find any more. Only objects that wait for
 * a grace period are still freed (rcu.c).
 */
static __always_inline unsigned long hidden_mark(const struct pcslab_slab *slab)
{
	return (unsigned long)slab + (unsigned long)&pcslab_hidden_tag;
}

/*
 * Find the slab whose first page this is; false if there is none. The page need
 * not exist.
 */
static __always_inline bool slab_of_page(const struct page *page, struct pcslab_slab **slab)
{
	*slab = (struct pcslab_slab *)load_nofault(&page->private);
	return equals_nofault(&page->lru.next, slab_mark(*slab));
}

/*
 * Go from a possible tail page of ours to its head. The head must be no farther
 * below than our largest pages are long, so that only the memory map is read,
 * and that with a fixup.
 */
static __always_inline bool find_head(struct page **page)
{
	unsigned long word = load_nofault(&(*page)->lru.next);
	struct page *head = compat_head_of(*page, word);

	if (!(word & 1) ||
	    (unsigned long)*page - (unsigned long)head >= sizeof(struct page) << MAX_PAGE_ORDER)
		return false;
	*page = head;
	return true;
}

/* Find the slab an address is in; false if there is none. */
static __always_inline bool find_slab(const void *obj, struct pcslab_slab **slab)
{
	struct page *page;

	if (unlikely(!find_page(obj, &page)))
		return false;
	if (!slab_of_page(page, slab) && !(find_head(&page) && slab_of_page(page, slab)))
		return false;
	smp_rmb();	/* see above */
	return true;
}

static inline struct pcslab_slab *slab_of(const void *obj)
{
	struct pcslab_slab *slab;

	return find_slab(obj, &slab) ? slab : NULL;
}

static inline bool page_has_tag(const struct page *page, const unsigned long *tag)
{
	return equals_nofault(&page->lru.next, (unsigned long)tag);
}

/* True for a large object that counts as live: see pcslab_counts_as_live(). */
static inline bool page_is_large(const struct page *page)
{
	return page_has_tag(page, &pcslab_large_tag) || page_has_tag(page, &pcslab_rcu_tag);
}

/* The page of the direct map with @tag that starts at @obj, else NULL. */
static inline struct page *tagged_page_of(const void *obj, const unsigned long *tag)
{
	struct page *page;

	if (!PAGE_ALIGNED(obj) || !find_page(obj, &page) || !page_has_tag(page, tag))
		return NULL;
	return page;
}

/* The first page of the large object that starts at @obj, else NULL. */
static inline struct page *large_page_of(const void *obj)
{
	return tagged_page_of(obj, &pcslab_large_tag) ?:
	       pcslab_area_page(obj, &pcslab_vmalloc_tag);
}

/* The first page of one that starts at @obj and waits for a grace period. */
static inline struct page *waiting_page_of(const void *obj)
{
	return tagged_page_of(obj, &pcslab_rcu_tag) ?: pcslab_area_page(obj, &pcslab_rcu_tag);
}

static inline bool is_live_tag(const void *tag)
{
	return tag == &pcslab_large_tag || tag == &pcslab_vmalloc_tag;
}

/*
 * Read private of a large object. False if the page is no longer the first of
 * one.
 */
static inline bool large_owner(struct page *page, void **owner)
{
	void *tag;

	smp_rmb();	/* see above */
	*owner = (void *)READ_ONCE(page->private);
	smp_rmb();	/* see above */
	tag = READ_ONCE(page->lru.next);
	return is_live_tag(tag) || tag == &pcslab_rcu_tag;
}

/*
 * The note of a large object; NULL if @owner, read from private, is its class.
 */
static inline struct pcslab_note *large_note(void *owner)
{
	unsigned long word = (unsigned long)owner;

	return word & PAGE_HAS_NOTE ? (void *)(word & ~(PAGE_HAS_NOTE | PAGE_HAS_AREA)) : NULL;
}

/* The area of a large object, else NULL: it has compound pages. */
static inline struct pcslab_area *large_area(void *owner)
{
	return (unsigned long)owner & PAGE_HAS_AREA ?
	       container_of(large_note(owner), struct pcslab_area, note) : NULL;
}

/* Pages of a large object, by its first page and what is read from private. */
static inline unsigned long large_pages(struct page *page, void *owner)
{
	struct pcslab_area *area = large_area(owner);

	return area ? area->pages : 1UL << compound_order(page);
}

/* The class of a large object, by what is read from private. */
static inline struct pcslab_class *large_class_by(void *owner)
{
	struct pcslab_note *note = large_note(owner);

	return note ? note->class : owner;
}

/*
 * The class of a large object by its first page; NULL if it is none any more.
 */
static inline struct pcslab_class *large_class(struct page *page)
{
	void *owner;

	return large_owner(page, &owner) ? large_class_by(owner) : NULL;
}

/* The class of the large object that starts at @obj, else NULL. */
static inline struct pcslab_class *large_class_of(const void *obj)
{
	struct page *page = large_page_of(obj);

	return page ? large_class(page) : NULL;
}

/* The first page of the large object that contains an address, else NULL. */
static inline struct page *large_page_around(const void *obj)
{
	struct page *page;

	if (!find_page(obj, &page))
		page = pcslab_area_page_around(obj);
	else if (!page_is_large(page) && !(find_head(&page) && page_is_large(page)))
		page = NULL;
	return page;
}

static inline struct pcslab_class *large_class_around(const void *obj)
{
	struct page *page = large_page_around(obj);

	return page ? large_class(page) : NULL;
}

/*
 * Find the state of the object that starts at @obj; false if none does. The
 * high word of offset * recip is the index; the low word is below recip exactly
 * if the stride divides the offset (Lemire, Kaser, Kurz: "Faster remainder by
 * direct computation", 2019; exact here because offset * stride < 2^32).
 */
static __always_inline bool find_state(struct pcslab_slab *slab, const void *obj,
				       u8 **state)
{
	unsigned long low, index;

	index = mul_wide((const char *)obj - slab->base, &slab->recip, &low);
	if (unlikely(low >= slab->recip))
		return false;
	*state = slab->state + index;
	return true;
}

/*
 * Returns the slab of a round if the round leads to an object of @class and
 * @node, else NULL. A round may lead nowhere if two CPUs freed its object at
 * the same instant. Preemption must be off.
 */
static inline struct pcslab_slab *slab_of_round(const struct pcslab_class *class, int node,
						const struct pcslab_round *round)
{
	struct pcslab_slab *slab;
	u8 *state;

	if (likely(find_slab(round->obj, &slab) && slab->class == class &&
		   slab->node == node && find_state(slab, round->obj, &state) &&
		   state == round->state))
		return slab;
	return NULL;
}

/* The factor for find_state(): 2^BITS_PER_LONG / @stride, rounded up. */
static inline unsigned long stride_recip(u32 stride)
{
	return ULONG_MAX / stride + 1;
}

#endif /* _PCSLAB_PAGE_H */
