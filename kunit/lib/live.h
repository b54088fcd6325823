/* SPDX-License-Identifier: GPL-2.0 */
/* Arithmetic on the books, for the tests in KUnit and outside of it. */
#ifndef _PCSLAB_KUNIT_LIVE_H
#define _PCSLAB_KUNIT_LIVE_H

#include <linux/mm.h>
#include <pcslab/pcslab.h>

/* Live objects of a heap, of all classes and large ones. */
static inline u64 stats_live(const struct pcslab_stats *st)
{
	u64 live = st->large_allocs - st->large_frees;
	unsigned int i;

	for (i = 0; i < PCSLAB_NR_CLASSES; i++)
		live += st->class[i].allocs - st->class[i].frees;
	return live;
}

/* How many counters have fallen? */
static inline unsigned int stats_fell(const struct pcslab_stats *last,
				      const struct pcslab_stats *now)
{
	const struct pcslab_class_stats *a, *b;
	unsigned int i, fell = 0;

	for (i = 0; i < PCSLAB_NR_CLASSES; i++) {
		a = &last->class[i];
		b = &now->class[i];
		fell += b->allocs < a->allocs;
		fell += b->frees < a->frees;
		fell += b->fails < a->fails;
	}
	fell += now->large_allocs < last->large_allocs;
	fell += now->large_frees < last->large_frees;
	fell += now->large_alloc_bytes < last->large_alloc_bytes;
	fell += now->large_free_bytes < last->large_free_bytes;
	fell += now->large_fails < last->large_fails;
	return fell;
}

/* In how many classes is live below zero? */
static inline unsigned int stats_negative(const struct pcslab_stats *st)
{
	unsigned int i, negative = 0;

	for (i = 0; i < PCSLAB_NR_CLASSES; i++)
		negative += st->class[i].allocs < st->class[i].frees;
	negative += st->large_allocs < st->large_frees;
	negative += st->large_alloc_bytes < st->large_free_bytes;
	return negative;
}

/*
 * Where a size is counted: the index of its class, or the one behind all
 * classes.
 */
static inline unsigned int size_index(size_t size)
{
	return size > PCSLAB_MAX_SIZE ? PCSLAB_NR_CLASSES : pcslab_class_index(size);
}

/* What a size is rounded up to. */
static inline size_t size_usable(size_t size)
{
	if (size > PCSLAB_MAX_SIZE)
		return PAGE_SIZE << get_order(size);
	return pcslab_class_size(pcslab_class_index(size));
}

/* Hides from the compiler that less than the whole object was requested. */
static inline void *whole(void *obj)
{
	OPTIMIZER_HIDE_VAR(obj);
	return obj;
}

#endif /* _PCSLAB_KUNIT_LIVE_H */
