/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What pcslab writes into struct page, and how an address finds its owner
 *
 * The first page of a slab and of a large object carries
 *
 *   lru.next	a tag: the address of something of ours, which nobody else stores; it says
 *		a slab or a large object
 *   private	the slab, or the class of the large object; with bit 0 set the
 *		struct pcslab_note of a large object whose allocation is tracked
 *
 * and a large object's first page also its links in heap->large: index (next)
 * and lru.prev (previous). The pages are compound: the others lead to the first
 * by lru.next, which then is odd, and hardened usercopy knows where they end.
 *
 * Any address may be asked for, so the way there is: is it below the end of the
 * highest page we ever had, in the direct map? Is there a struct page (read
 * with a fixup, because the direct map has holes)? Does the page carry the tag? If it
 * looks like a tail page of ours: is its head so near that it may be ours (memory that
 * is not online yet has anything in its struct pages), and does that carry the tag (read
 * with a fixup, too)? Only then is private followed.
 *
 * Stamping stores private, then the tag; unstamping clears the tag, then
 * private, and then the page may go to someone else, who stores into private what
 * he likes. A reader loads the tag, private, and the tag again: if it is there
 * both times private was ours. smp_wmb() in both pairs with the two smp_rmb() in
 * page_owner(); exact reads need the latter too (stats.c). A legal free can't race
 * with unstamping, its object keeps the page; a bad free or heap_of() can. (To be
 * fooled, either would have to see between its two looks the page go, be used by
 * someone else, and be ours again.)
 *
 * Stamping also takes PCSLAB_REF_BIAS references, so that whoever drops one that he
 * does not have gives no page of ours back (foreign.c).
 *
 * What private points to is freed after an RCU grace period, and readers have
 * preemption off.
 */
#ifndef _PCSLAB_PAGE_H
#define _PCSLAB_PAGE_H

#include <linux/kernel.h>
#include <linux/page_ref.h>

#include "compat.h"
#include "types.h"

/* References that our pages have more than they need: see foreign.c. */
#define PCSLAB_REF_BIAS		0x100000

/* Bytes of the direct map from its start to the end of our highest page. */
extern unsigned long pcslab_span;
/* Tags; only the addresses matter. */
extern unsigned long pcslab_slab_tag, pcslab_large_tag, pcslab_deferred_tag;

/* Who allocated a large object. */
struct pcslab_note {
	struct pcslab_class *class;
	struct pcslab_site *site;
	struct rcu_head rcu;
};

struct page *pcslab_pages_get(gfp_t gfp, int node, unsigned int order);
void pcslab_stamp(struct page *page, unsigned int order, unsigned long *tag,
		  void *owner);
void pcslab_untag(struct page *page);
void pcslab_unstamp(struct page *page);
unsigned int pcslab_put_back(struct page *page);
void pcslab_pages_put(struct page *page);

/* References of pages of ours that others dropped; below zero if they have taken some. */
static inline int pcslab_lacking(const struct page *page)
{
	return PCSLAB_REF_BIAS + 1 - page_ref_count(page);
}

/* False if there can't be a page of ours; the page need not exist. */
static __always_inline bool find_page(const void *obj, struct page **page)
{
	unsigned long addr = (unsigned long)obj;

	if (unlikely(addr - PAGE_OFFSET >= compat_peek(pcslab_span)))
		return false;
	/* Without a virtual memmap the lookup itself could follow a NULL. */
	if (!IS_ENABLED(CONFIG_SPARSEMEM_VMEMMAP) && !virt_addr_valid(obj))
		return false;
	*page = compat_direct_page(addr);
	return true;
}

/*
 * The owner of a page that carried @tag, if it still does; loads are ordered as
 * told above.
 */
static __always_inline bool page_owner(struct page *page, unsigned long *tag,
				       void **owner)
{
	smp_rmb();	/* see above */
	*owner = (void *)READ_ONCE(page->private);
	smp_rmb();	/* see above */
	return compat_peek(page->lru.next) == (void *)tag;
}

/*
 * The head of what may be a tail page of ours: no farther below than our largest pages are
 * long, so that nothing but the memory map is read, and that with a fixup.
 */
static __always_inline bool find_head(struct page **page, unsigned long word,
				      unsigned long *tag)
{
	struct page *head = compat_head_of(*page, word);

	if ((unsigned long)*page - (unsigned long)head >=
	    sizeof(struct page) << MAX_PAGE_ORDER)
		return false;
	*page = head;
	*tag = compat_load_nofault(&head->lru.next);
	return true;
}

/* The first page of what an address is in, if that carries @tag, else false. */
static __always_inline bool find_first_page(const void *obj, unsigned long *tag,
					    struct page **page)
{
	unsigned long word;

	if (unlikely(!find_page(obj, page)))
		return false;
	word = compat_load_nofault(&(*page)->lru.next);
	if (word == (unsigned long)tag)
		return true;
	return word & 1 && find_head(page, word, &word) && word == (unsigned long)tag;
}

/* The slab an address is in; false if it is in none. */
static __always_inline bool find_slab(const void *obj, struct pcslab_slab **slab)
{
	struct page *page;

	return find_first_page(obj, &pcslab_slab_tag, &page) &&
	       likely(page_owner(page, &pcslab_slab_tag, (void **)slab));
}

static inline struct pcslab_slab *slab_of(const void *obj)
{
	struct pcslab_slab *slab;

	return find_slab(obj, &slab) ? slab : NULL;
}

/* The first page of the large object that starts at @obj, else NULL. */
static inline struct page *large_page_of(const void *obj)
{
	struct page *page;

	if (!PAGE_ALIGNED(obj) || !find_page(obj, &page) ||
	    compat_load_nofault(&page->lru.next) != (unsigned long)&pcslab_large_tag)
		return NULL;
	return page;
}

/* @owner is what the page of a large object has in private; NULL if that is its class. */
static inline struct pcslab_note *large_note(void *owner)
{
	return (unsigned long)owner & 1 ? owner - 1 : NULL;
}

/* The class of a large object, by its first page; NULL if it is none any more. */
static inline struct pcslab_class *large_class(struct page *page)
{
	struct pcslab_note *note;
	void *owner;

	if (!page_owner(page, &pcslab_large_tag, &owner))
		return NULL;
	note = large_note(owner);
	return note ? note->class : owner;
}

/* The class of the large object that starts at @obj, else NULL. */
static inline struct pcslab_class *large_class_of(const void *obj)
{
	struct page *page = large_page_of(obj);

	return page ? large_class(page) : NULL;
}

/* The class of the large object an address is in, else NULL. */
static inline struct pcslab_class *large_class_around(const void *obj)
{
	struct page *page;

	return find_first_page(obj, &pcslab_large_tag, &page) ? large_class(page) : NULL;
}

/*
 * The state of the object that starts at @obj; false if none does. The high
 * half of offset * recip is the index; the low half is below recip exactly if
 * the size divides the offset (Lemire, Kaser, Kurz: "Faster remainder by direct
 * computation", 2019; exact here as offset * size < 2^32).
 */
static __always_inline bool find_state(struct pcslab_slab *slab, const void *obj,
				       u8 **state)
{
	u32 recip = slab->recip;
	u64 q = (u64)(u32)((const char *)obj - slab->base) * recip;

	if (unlikely((u32)q >= recip))
		return false;
	*state = slab->state + (q >> 32);
	return true;
}

/*
 * The slab of a round, if the round leads to an object of it, which must be of @class and
 * @node. It does not if two CPUs freed the object at the same instant. Preemption is off.
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

static inline u32 size_recip(u32 size)
{
	return DIV_ROUND_UP_ULL(1ULL << 32, size);
}

#endif /* _PCSLAB_PAGE_H */
