/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the files of pcslab_misuse_test share: heaps with an oracle, and bad
 * pointers.
 */
#ifndef _PCSLAB_KUNIT_MISUSE_H
#define _PCSLAB_KUNIT_MISUSE_H

#include <kunit/test.h>
#include <linux/kmsg_dump.h>
#include <linux/prandom.h>

#include "api.h"
#include "internal.h"

#define VICTIMS		3
#define MAX_HELD	64
#define MAX_FREED	16
#define OTHERS		40000	/* bytes of other owners' memory */

struct held {
	void *obj;
	u32 seed;
	size_t usable;
};

/**
 * struct victim - a heap and what is known of it
 * @heap: the heap
 * @books: what its record must say
 * @held: its live objects
 * @nr_held: number of live objects
 * @freed: objects that were freed and not handed out again since
 */
struct victim {
	struct pcslab_heap *heap;
	struct pcslab_stats books;
	struct held held[MAX_HELD];
	unsigned int nr_held;
	const void *freed[MAX_FREED];
};

/**
 * struct fuzz - the state of a test case
 * @test: the case
 * @random: decides what comes next
 * @victim: heaps
 * @refused: bad frees that all of pcslab must have counted
 * @now: the books as read
 * @log: position in the kernel log
 * @kmalloced: other owners' memory, OTHERS bytes of each kind
 * @vmalloced: same
 * @page: same, with a struct page that could pass for pcslab's
 */
struct fuzz {
	struct kunit *test;
	struct rnd_state random;
	struct victim victim[VICTIMS];
	u64 refused;
	struct pcslab_stats now;
	struct kmsg_dump_iter log;
	char *kmalloced;
	char *vmalloced;
	struct page *page;
};

/**
 * struct pointer - a kind of pointer that must not be freed
 * @get: returns one into a heap, or NULL if there is none at present
 * @size: of the only object in the heap when the log is checked
 * @says: what the log must say then; NULL if that is a matter of chance
 */
struct pointer {
	const void *(*get)(struct fuzz *f, struct victim *v);
	size_t size;
	const char *says;
};

extern const struct pointer pointers[];
extern const unsigned int nr_pointers;

/* A random number below @limit */
u32 below(struct fuzz *f, u32 limit);
struct victim *any_victim(struct fuzz *f);
unsigned int any_cpu(struct fuzz *f);
size_t any_size(struct fuzz *f);

/* The oracle: count a call, and compare with the books of all heaps. */
void count_free(struct victim *v, size_t usable);
void count_fail(struct victim *v, size_t size);
bool books_are_right(struct fuzz *f);

/* Find the slab, or the victim, that owns an address */
struct pcslab_slab *slab_at(struct victim *v, const void *at);
struct victim *owner_of(struct fuzz *f, const void *at);
bool is_live(struct fuzz *f, const void *at);

/* Legal calls, counted; and a note that an address is an object again */
void do_alloc(struct fuzz *f, struct victim *v);
void do_free(struct fuzz *f, struct victim *v);
void do_realloc(struct fuzz *f, struct victim *v);
struct held handed_out(struct fuzz *f, struct victim *v, void *obj);
struct held *hold(struct fuzz *f, struct victim *v, void *obj);
void drop(struct fuzz *f, struct victim *v, struct held *held);
void free_somehow(struct fuzz *f, const void *obj);
void forget_freed(struct fuzz *f, const void *obj);

#endif /* _PCSLAB_KUNIT_MISUSE_H */
