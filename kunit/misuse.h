/* SPDX-License-Identifier: GPL-2.0 */
/* What the files of pcslab_misuse_test share: heaps with an oracle, and bad pointers. */
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
#define OTHERS		40000	/* bytes of memory of others */

struct held {
	void *obj;
	u32 seed;
	size_t usable;
};

/**
 * struct victim - a heap and what is known of it
 * @heap: the heap
 * @books: what its record must be
 * @held: its live objects
 * @nr_held: of them
 * @freed: objects that were freed, and not handed out again since
 */
struct victim {
	struct pcslab_heap *heap;
	struct pcslab_stats books;
	struct held held[MAX_HELD];
	unsigned int nr_held;
	const void *freed[MAX_FREED];
};

/**
 * struct fuzz - what a case has
 * @test: the case
 * @random: where it goes next
 * @victim: heaps
 * @refused: bad frees in all of pcslab, as it must be
 * @now: the books as read
 * @log: how far the kernel log was read
 * @kmalloced: memory of others: each is of OTHERS bytes
 * @vmalloced: same
 * @page: same, with what could be taken for ours in its struct page
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
 * @get: one of a heap, or NULL if there is none just now
 * @size: of the one object that the heap has when the log is looked at
 * @says: what the log says of it then; NULL if that is a matter of chance
 */
struct pointer {
	const void *(*get)(struct fuzz *f, struct victim *v);
	size_t size;
	const char *says;
};

extern const struct pointer pointers[];
extern const unsigned int nr_pointers;

/* What comes next */
u32 below(struct fuzz *f, u32 limit);
struct victim *any_victim(struct fuzz *f);
unsigned int any_cpu(struct fuzz *f);
size_t any_size(struct fuzz *f);

/* The oracle: count what was done, and compare with the books of all heaps. */
void count_free(struct victim *v, size_t usable);
void count_fail(struct victim *v, size_t size);
bool books_are_right(struct fuzz *f);

/* Whose memory is it? */
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
