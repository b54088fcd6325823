/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The guard of a cache, and what is done under it
 *
 * Preemption is off in here, so only an interrupt can come between. It looks at
 * the guard before anything else; finding it taken it leaves the magazines and
 * the guarded row alone and goes to the depot. Coming before the guard is taken
 * or after it is released, it runs from start to end as if it were alone. So
 * the guard needs no atomic operation, only the compiler's barriers: this CPU
 * sees its own stores in order.
 *
 * One preemption-off section holds the look at the turn and the count, as exact
 * reads need it (stats.c).
 */
#ifndef _PCSLAB_CACHE_H
#define _PCSLAB_CACHE_H

#include <linux/percpu.h>
#include <linux/preempt.h>

#include "compat.h"
#include "internal.h"

static __always_inline bool guard_enter(struct pcslab_cache *c)
{
	return !compat_test_and_set(&c->busy);
}

static __always_inline void guard_exit(struct pcslab_cache *c)
{
	barrier();
	WRITE_ONCE(c->busy, 0);
}

/* The object that a pop hands out; NULL if there is none. */
static __always_inline void *cache_next(const struct pcslab_cache *c)
{
	return (c->top - 1)->obj;
}

/* With a round in the magazine: hand out its object. */
static __always_inline void cache_pop(struct pcslab_cache *c)
{
	WRITE_ONCE(*(c->top - 1)->state, PCSLAB_LIVE);
	data_race(c->top--);	/* others read it, as a gauge */
	compat_count(pcslab_word(c->count.allocs));
}

/* With room in the magazine: take an object back. */
static __always_inline void cache_push(struct pcslab_cache *c, void *obj, u8 *state)
{
	struct pcslab_round *round = c->top;

	WRITE_ONCE(*state, PCSLAB_CACHED);
	round->obj = obj;
	round->state = state;
	data_race(c->top++);	/* others read it, as a gauge */
	/*
	 * Release: pairs with the smp_rmb() in pcslab_class_sum(). Whoever sees
	 * this free counted sees the allocation of the object counted.
	 */
	compat_count_release(pcslab_word(c->count.frees));
}

#endif /* _PCSLAB_CACHE_H */
