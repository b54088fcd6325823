/* SPDX-License-Identifier: GPL-2.0 */
/* follow.c: the allocations of a module, by the kernel's tracepoints */
#ifndef _ADOPT_FOLLOW_H
#define _ADOPT_FOLLOW_H

#include <linux/ftrace.h>
#include <linux/kprobes.h>
#include <linux/list.h>
#include <linux/types.h>

#include "live.h"

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
 * @bulk: ftrace's, for kmem_cache_free_bulk()
 * @rcu: ftrace's, for kvfree_call_rcu()
 * @returns: of functions that allocate for their caller
 * @mod: the module
 * @list: for the owner (attach.c)
 * @live: its objects and sites; the key of a site is the call
 */
struct follow {
	unsigned long text, text_size;
	struct ftrace_ops bulk, rcu;
	struct follow_return returns[FOLLOW_RETURNS];
	struct module *mod;
	struct list_head list;
	struct live live;
};

struct follow *follow_start(struct module *mod, unsigned int objects);
void follow_stop(struct follow *f);
unsigned long follow_lost(struct follow *f);
void follow_free(struct follow *f);

#endif /* _ADOPT_FOLLOW_H */
