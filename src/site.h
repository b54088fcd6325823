/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Finding the site of a call that was made before (site.c)
 *
 * Inline, because every allocation of a heap with tracking does it.
 */
#ifndef _PCSLAB_SITE_H
#define _PCSLAB_SITE_H

#include <linux/atomic.h>
#include <linux/hash.h>
#include <linux/llist.h>

#include "internal.h"

#define SITE_BITS	8	/* of a hash */

/* A call and the callers above it; the rest are 0. */
struct calls {
	unsigned long address[PCSLAB_MAX_CALLERS];
};

/* The site of calls, as it was in an epoch */
struct caller {
	struct llist_node link;
	struct calls calls;
	int epoch;
	struct pcslab_site *site;
};

extern struct llist_head pcslab_callers[1 << SITE_BITS];
extern atomic_t pcslab_site_epoch;

static_assert(PCSLAB_MAX_CALLERS == 4);	/* gcc unrolls no loops in here */

static __always_inline bool same_calls(const struct calls *a, const struct calls *b)
{
	return a->address[0] == b->address[0] && a->address[1] == b->address[1] &&
	       a->address[2] == b->address[2] && a->address[3] == b->address[3];
}

static __always_inline struct caller *caller_find(struct llist_head *bucket,
						  const struct calls *calls)
{
	struct caller *caller;

	llist_for_each_entry(caller, READ_ONCE(bucket->first), link) {
		if (same_calls(&caller->calls, calls))
			return caller;
	}
	return NULL;
}

static __always_inline u32 hash_of(const struct calls *calls)
{
	const unsigned long *address = calls->address;

	return hash_long(address[0] + 2 * address[1] + 4 * address[2] + 8 * address[3], SITE_BITS);
}

/* NULL if learn_site() must look the name up. */
static __always_inline struct pcslab_site *known_site(const struct calls *calls)
{
	struct caller *caller = caller_find(&pcslab_callers[hash_of(calls)], calls);

	/*
	 * Acquire: the site is of this epoch. Pairs with the release in
	 * learn_site().
	 */
	if (!caller || smp_load_acquire(&caller->epoch) != atomic_read(&pcslab_site_epoch))
		return NULL;
	return READ_ONCE(caller->site);
}

static __always_inline struct pcslab_site *site_of_call(unsigned long address)
{
	return known_site(&(struct calls){ .address = { address } });
}

#endif /* _PCSLAB_SITE_H */
