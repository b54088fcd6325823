/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Reading all memory of the kernel in search of pointers
 */
#ifndef _PCSLAB_SCAN_H
#define _PCSLAB_SCAN_H

#include <linux/bitops.h>
#include <linux/mm.h>
#include <linux/types.h>

#include "arch.h"
#include "compat.h"

/**
 * struct pcslab_scan - a walk over memory
 * @ours: a bit for each page of the direct map: the caller wants pointers to
 *	it, and it is not read unless @owns says that it is not the caller's
 * @stacks: same, pages of stacks, which are read by task
 * @nr_pages: bits in each of them
 * @area_from: number of the first page of vmalloc that the caller wants
 *	pointers to
 * @area_to: number of the page after the last one
 * @owns: returns true if the page of @ours at an address is the caller's now
 * @found: called with each word that may be such a pointer, and where it is.
 *	Preemption may be off
 * @pause: called often; may sleep; an error ends the walk
 * @frame: where the frames of the callers of the scan begin on the stack of
 *	this task; what is below belongs to the scan
 * @copy: of the struct page that is looked at. Not on the stack, because it
 *	must not be at the start of a page: see page_fixed_fake_head()
 * @pages: pages read so far
 *
 * No member and no local variable that lasts has the address of an object of
 * the caller, because these words are read, too. The number of a page is its
 * address without the offset in the page; that is no pointer.
 */
struct pcslab_scan {
	unsigned long *ours;
	unsigned long *stacks;
	unsigned long nr_pages;
	unsigned long area_from;
	unsigned long area_to;
	bool (*owns)(struct pcslab_scan *scan, const void *addr);
	void (*found)(struct pcslab_scan *scan, unsigned long word, const void *at);
	int (*pause)(struct pcslab_scan *scan);
	const void *frame;
	struct page copy;
	unsigned long pages;
};

/* The page of the direct map at an address, as a number of a bit. */
static inline unsigned long scan_page_nr(const void *addr)
{
	return ((unsigned long)addr - PAGE_OFFSET) >> PAGE_SHIFT;
}

/* No compound page is larger than what an entry of a PUD maps. */
static inline struct page *scan_head_of(struct page *page)
{
	unsigned long word = load_nofault(&page->lru.next);
	struct page *head = compat_head_of(page, word);

	if (!(word & 1) || (unsigned long)page - (unsigned long)head >=
			   sizeof(struct page) << (PUD_SHIFT - PAGE_SHIFT))
		return page;
	return head;
}

static inline bool scan_is_wanted(const struct pcslab_scan *scan, unsigned long word)
{
	unsigned long nr = scan_page_nr((const void *)word);

	if (nr < scan->nr_pages)
		return test_bit(nr, scan->ours);
	return (word >> PAGE_SHIFT) - scan->area_from < scan->area_to - scan->area_from;
}

/*
 * Read the words from @from to before @to. Where nothing is mapped they are 0.
 */
static inline void pcslab_scan_words(struct pcslab_scan *scan, const void *from, const void *to)
{
	const unsigned long *at;
	unsigned long word;

	for (at = from; (const void *)(at + 1) <= to; at++) {
		word = load_nofault(at);
		if (unlikely(scan_is_wanted(scan, word)))
			scan->found(scan, word, at);
	}
}

unsigned long pcslab_scan_size(void);
int pcslab_scan_memory(struct pcslab_scan *scan);

#endif /* _PCSLAB_SCAN_H */
