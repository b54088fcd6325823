// SPDX-License-Identifier: GPL-2.0
/*
 * Marking pages as ours; see page.h for what is written and in which order.
 *
 * No locks. Any context.
 */
#include "page.h"

unsigned long pcslab_span __read_mostly;
unsigned long pcslab_slab_tag, pcslab_large_tag, pcslab_deferred_tag;

/* Only grows, so a reader that was handed an object sees a span that holds it. */
static void span_cover(const void *end)
{
	unsigned long want = (unsigned long)end - PAGE_OFFSET;
	unsigned long span = READ_ONCE(pcslab_span);

	while (want > span && !try_cmpxchg(&pcslab_span, &span, want))
		;
}

void pcslab_stamp(struct page *page, unsigned int nr, unsigned long *tag, void *owner)
{
	unsigned int i;

	span_cover(page_address(page) + nr * PAGE_SIZE);
	for (i = 0; i < nr; i++)
		WRITE_ONCE(page[i].private, (unsigned long)owner);
	smp_wmb();	/* pairs with page_owner_if() */
	for (i = 0; i < nr; i++)
		WRITE_ONCE(page[i].lru.next, (struct list_head *)tag);
}

void pcslab_unstamp(struct page *page, unsigned int nr)
{
	unsigned int i;

	for (i = 0; i < nr; i++)
		WRITE_ONCE(page[i].lru.next, NULL);
	smp_wmb();	/* pairs with page_owner_if() */
	for (i = 0; i < nr; i++)
		WRITE_ONCE(page[i].private, 0);
}
