/* SPDX-License-Identifier: GPL-2.0 */
/* live.c: what is live, by address, and counters by call site */
#ifndef _ADOPT_LIVE_H
#define _ADOPT_LIVE_H

#include <linux/atomic.h>
#include <linux/bits.h>
#include <linux/hash.h>
#include <linux/list.h>
#include <linux/list_bl.h>
#include <linux/llist.h>
#include <linux/types.h>

#define LIVE_SITE_BITS	10
#define LIVE_SITES	BIT(LIVE_SITE_BITS)

/**
 * struct live_site - a call that allocates
 * @key: tells it from others; 0 if this entry is not in use yet
 * @name: for the owner of the table
 * @allocs: objects recorded
 * @frees: of these, those whose free was seen
 * @unseen: of these, those whose address was handed out again
 * @bytes: that live objects occupy
 */
struct live_site {
	unsigned long key;
	const char *name;
	atomic_long_t allocs, frees, unseen, bytes;
};

/**
 * struct live_object - a live object
 * @node: in its bucket, or in the pool
 * @address: of the object
 * @bytes: that it occupies
 * @site: who allocated it
 */
struct live_object {
	struct hlist_bl_node node;
	unsigned long address;
	size_t bytes;
	struct live_site *site;
};

/**
 * struct live - live objects of a module, and its sites
 * @buckets: live objects by address
 * @shift: makes a hash of 64 bits the number of a bucket
 * @pool: unused objects
 * @chunks: where objects are
 * @room: objects for which there may be more chunks
 * @lost: allocations that were not recorded
 * @sites: a hash table by the key; the last entry is for what finds no room
 */
struct live {
	struct hlist_bl_head *buckets;
	unsigned int shift;
	struct hlist_bl_head pool;
	struct llist_head chunks;
	atomic_t room;
	atomic_long_t lost;
	struct live_site sites[LIVE_SITES + 1];
};

/**
 * struct live_row - counters of a site, read once
 * @key: of the site
 * @name: of the site
 * @allocs: as in the site
 * @frees: as in the site
 * @unseen: as in the site
 * @live: allocs - frees - unseen
 * @bytes: as in the site
 */
struct live_row {
	unsigned long key;
	const char *name;
	long allocs, frees, unseen, live, bytes;
};

int live_init(struct live *t, unsigned long buckets, unsigned int room);
int live_reserve(struct live *t, unsigned int n);
void live_exit(struct live *t);
bool live_fill(struct live *t);
struct live_site *live_site_of(struct live *t, unsigned long key);
bool live_record(struct live *t, struct live_site *site, const void *ptr, size_t bytes);
void live_forget(struct live *t, const void *ptr, bool seen);
bool live_is_recorded(struct live *t, const void *ptr);
int live_visit(struct live *t, void *arg, void (*fn)(const struct live_row *row, void *arg));

static __always_inline struct hlist_bl_head *live_bucket_of(struct live *t, const void *ptr)
{
	return &t->buckets[((unsigned long)ptr * GOLDEN_RATIO_64) >> t->shift];
}

/* Of an address that is not in the table this is nearly always false. */
static __always_inline bool live_may_be_recorded(struct live *t, const void *ptr)
{
	return unlikely(!hlist_bl_empty(live_bucket_of(t, ptr)));
}

#endif /* _ADOPT_LIVE_H */
