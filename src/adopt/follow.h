/* SPDX-License-Identifier: GPL-2.0 */
/* follow.c: the allocations of a module, by the kernel's tracepoints */
#ifndef _ADOPT_FOLLOW_H
#define _ADOPT_FOLLOW_H

#include <linux/atomic.h>
#include <linux/bits.h>
#include <linux/ftrace.h>
#include <linux/kprobes.h>
#include <linux/list.h>
#include <linux/list_bl.h>
#include <linux/types.h>

#define FOLLOW_SITE_BITS	10
#define FOLLOW_SITES		BIT(FOLLOW_SITE_BITS)

/**
 * struct follow_site - a call that allocates
 * @call: its return address; 0 if this entry is not in use yet
 * @allocs: objects recorded
 * @frees: of these, those whose free was seen
 * @unseen: of these, those whose address was handed out again
 * @bytes: that live objects occupy
 */
struct follow_site {
	unsigned long call;
	atomic_long_t allocs, frees, unseen, bytes;
};

/**
 * struct follow_object - a live object
 * @node: in its bucket, or in the pool
 * @address: of the object
 * @bytes: that it occupies
 * @site: who allocated it
 */
struct follow_object {
	struct hlist_bl_node node;
	unsigned long address;
	size_t bytes;
	struct follow_site *site;
};

struct follow;

/**
 * struct follow_return - what a function returns that allocates for its caller
 * @probe: on the function
 * @f: who asks
 */
struct follow_return {
	struct kretprobe probe;
	struct follow *f;
};

#define FOLLOW_RETURNS	3

/**
 * struct follow - a module that is followed
 * @text: where its code begins
 * @text_size: bytes of it
 * @buckets: live objects by address
 * @shift: makes a hash of 64 bits the number of a bucket
 * @pool: unused objects
 * @lost: allocations that were not recorded
 * @objects: all objects
 * @bulk: ftrace's, for kmem_cache_free_bulk()
 * @rcu: ftrace's, for kvfree_call_rcu()
 * @returns: of functions that allocate for their caller
 * @mod: the module
 * @list: for the owner (attach.c)
 * @sites: a hash table by the call; the last entry is for what finds no room
 */
struct follow {
	unsigned long text, text_size;
	struct hlist_bl_head *buckets;
	unsigned int shift;
	struct hlist_bl_head pool;
	atomic_long_t lost;
	struct follow_object *objects;
	struct ftrace_ops bulk, rcu;
	struct follow_return returns[FOLLOW_RETURNS];
	struct module *mod;
	struct list_head list;
	struct follow_site sites[FOLLOW_SITES + 1];
};

struct follow *follow_start(struct module *mod, unsigned int objects);
void follow_stop(struct follow *f);
unsigned long follow_lost(struct follow *f);
void follow_free(struct follow *f);

#endif /* _ADOPT_FOLLOW_H */
