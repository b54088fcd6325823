/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The guard of a cache, and what is done under it
 *
 * Preemption is off in here, so only an interrupt can come between. An
 * interrupt that finds the guard taken must leave the magazines and the guarded
 * row alone and use the depot instead. An interrupt before the guard is taken
 * or after it is released runs from start to end as if it were alone. So the
 * guard needs no atomic operation, only compiler barriers: a CPU sees its own
 * stores in order.
 *
 * A call must read pcslab_stat_idx and count within one preemption-off section,
 * because exact reads wait for such sections (stats.c).
 */
#ifndef _PCSLAB_CACHE_H
#define _PCSLAB_CACHE_H

#include <linux/percpu.h>
#include <linux/preempt.h>

#include "arch.h"
#include "hooks.h"
#include "internal.h"

static __always_inline bool guard_enter(struct pcslab_cpu *c)
{
	return !flag_test_and_set(&c->busy);
}

static __always_inline void guard_exit(struct pcslab_cpu *c)
{
	barrier();
	WRITE_ONCE(c->busy, 0);
}

/* The object that cache_pop() would hand out, or NULL. */
static __always_inline void *cache_next(const struct pcslab_cpu *c)
{
	return (c->top - 1)->obj;
}

/* Hand out the object of the top round. The magazine must not be empty. */
static __always_inline void cache_pop(struct pcslab_cpu *c)
{
	WRITE_ONCE(*(c->top - 1)->state, PCSLAB_OBJ_LIVE);
	data_race(c->top--);	/* racy readers: it is a gauge */
	word_inc(pcslab_word(c->guarded.allocs));
}

/* True if the slab belongs to another node than the CPU. */
static __always_inline bool is_remote(const struct pcslab_slab *slab,
				      const struct pcslab_cpu *c)
{
	return static_branch_unlikely(&pcslab_many_nodes) && slab->node != c->node;
}

/*
 * Hand out an object of the slot's CPU, which is this one. NULL if its loaded
 * magazine is empty or the guard is held; otherwise @state is the object's.
 */
static __always_inline void *cache_take(struct pcslab_cpu * __percpu *slot, u8 **state)
{
	struct pcslab_cpu *c;
	void *obj = NULL;

	preempt_disable();
	c = raw_cpu_read(*slot);
	if (likely(guard_enter(c))) {
		obj = cache_next(c);
		if (likely(obj)) {
			*state = (c->top - 1)->state;
			cache_pop(c);
		}
		guard_exit(c);
	}
	preempt_enable();
	return obj;
}

/*
 * True if an object can go into the loaded magazine: it is live, there is room,
 * and it is of the CPU's node.
 */
static __always_inline bool cache_takes(const struct pcslab_cpu *c,
					const struct pcslab_slab *slab, const u8 *state)
{
	return !unlikely(load_racy(*state) != PCSLAB_OBJ_LIVE || c->top == c->limit ||
			 is_remote(slab, c));
}

/* Take an object back, uncounted. The magazine must have room. */
static __always_inline void cache_put(struct pcslab_cpu *c, void *obj, u8 *state)
{
	struct pcslab_round *round = c->top;

	WRITE_ONCE(*state, PCSLAB_OBJ_CACHED);
	round->obj = obj;
	round->state = state;
	data_race(c->top++);	/* racy readers: it is a gauge */
}

/* Take an object back. The magazine must have room. */
static __always_inline void cache_push(struct pcslab_cpu *c, void *obj, u8 *state)
{
	cache_put(c, obj, state);
	/*
	 * Release: pairs with the smp_rmb() in pcslab_class_sum(). A reader
	 * that sees this free counted also sees the object's allocation
	 * counted.
	 */
	word_inc_release(pcslab_word(c->guarded.frees));
}

/* Free into this CPU's loaded magazine, if nothing else is needed. */
static __always_inline bool cache_free(struct pcslab_slab *slab, const void *obj, u8 *state)
{
	struct pcslab_cpu *c = raw_cpu_read(*slab->caches);

	if (unlikely(!guard_enter(c)))
		return false;
	if (!cache_takes(c, slab, state)) {
		guard_exit(c);
		return false;
	}
	hook_free(obj, slab->class);
	cache_push(c, (void *)obj, state);
	guard_exit(c);
	return true;
}

#endif /* _PCSLAB_CACHE_H */
