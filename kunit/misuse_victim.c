// SPDX-License-Identifier: GPL-2.0
/*
 * Victims: heaps with an oracle, and the legal calls on them
 *
 * A bad pointer is charged to the heap whose memory it points into. To find
 * that heap the oracle walks the slabs, instead of the way pcslab_free() takes.
 */
#include <linux/mm.h>
#include <linux/rculist.h>
#include <linux/slab.h>
#include <linux/smp.h>

#include "api.h"
#include "interrupt.h"
#include "misuse.h"

u32 below(struct fuzz *f, u32 limit)
{
	return prandom_u32_state(&f->random) % limit;
}

struct victim *any_victim(struct fuzz *f)
{
	return &f->victim[below(f, VICTIMS)];
}

unsigned int any_cpu(struct fuzz *f)
{
	unsigned int cpu = below(f, nr_cpu_ids);

	return cpu_online(cpu) ? cpu : raw_smp_processor_id();
}

size_t any_size(struct fuzz *f)
{
	if (below(f, 16) == 0)
		return PCSLAB_MAX_SIZE + 1 + below(f, 6 * PAGE_SIZE);
	return 1 + below(f, 8u << below(f, 11));
}

static void count_alloc(struct victim *v, size_t usable)
{
	if (usable > PCSLAB_MAX_SIZE) {
		v->books.large_allocs++;
		v->books.large_alloc_bytes += usable;
	} else {
		v->books.class[pcslab_class_index(usable)].allocs++;
	}
}

void count_free(struct victim *v, size_t usable)
{
	if (usable > PCSLAB_MAX_SIZE) {
		v->books.large_frees++;
		v->books.large_free_bytes += usable;
	} else {
		v->books.class[pcslab_class_index(usable)].frees++;
	}
}

void count_fail(struct victim *v, size_t size)
{
	if (size > PCSLAB_MAX_SIZE)
		v->books.large_fails++;
	else
		v->books.class[pcslab_class_index(size)].fails++;
}

static bool same_books(const struct pcslab_stats *a, const struct pcslab_stats *b)
{
	unsigned int i;

	for (i = 0; i < PCSLAB_NR_CLASSES; i++) {
		if (a->class[i].fails != b->class[i].fails)
			return false;
	}
	return api_same_books(a, b) && a->large_fails == b->large_fails &&
	       a->bad_frees == b->bad_frees && a->corruptions == b->corruptions &&
	       a->foreign == b->foreign;
}

bool books_are_right(struct fuzz *f)
{
	unsigned int i;
	bool right = true;

	for (i = 0; i < VICTIMS; i++) {
		KUNIT_EXPECT_EQ(f->test, 0,
				pcslab_heap_stats_exact(f->victim[i].heap, &f->now));
		right &= same_books(&f->now, &f->victim[i].books);
	}
	return right && api_refused(f->test) == f->refused;
}

/* The address is an object of @v again, whoever freed it. */
void forget_freed(struct fuzz *f, const void *obj)
{
	unsigned int i, k;

	for (i = 0; i < VICTIMS; i++) {
		for (k = 0; k < MAX_FREED; k++) {
			if (f->victim[i].freed[k] == obj)
				f->victim[i].freed[k] = NULL;
		}
	}
}

struct held handed_out(struct fuzz *f, struct victim *v, void *obj)
{
	struct held held = {
		.obj = obj,
		.seed = prandom_u32_state(&f->random),
		.usable = pcslab_usable_size(obj),
	};

	KUNIT_ASSERT_FALSE(f->test, ZERO_OR_NULL_PTR(obj));
	KUNIT_EXPECT_PTR_EQ(f->test, pcslab_heap_of(obj), v->heap);
	forget_freed(f, obj);
	count_alloc(v, held.usable);
	api_fill(obj, held.seed, held.usable);
	return held;
}

struct held *hold(struct fuzz *f, struct victim *v, void *obj)
{
	v->held[v->nr_held] = handed_out(f, v, obj);
	return &v->held[v->nr_held++];
}

static void expect_intact(struct fuzz *f, const struct held *held)
{
	KUNIT_EXPECT_TRUE(f->test, api_filled(held->obj, held->seed, held->usable));
}

static void free_arg(void *obj)
{
	pcslab_free(obj);
}

static int free_there(void *obj)
{
	pcslab_free(obj);
	return 0;
}

/*
 * Frees on this CPU, on another CPU, in an interrupt of one, or after a grace
 * period.
 */
void free_somehow(struct fuzz *f, const void *obj)
{
	switch (below(f, 8)) {
	case 0:
		KUNIT_EXPECT_EQ(f->test, 0, smp_call_on_cpu(any_cpu(f), free_there,
							    (void *)obj, false));
		break;
	case 1:
		KUNIT_EXPECT_TRUE(f->test, interrupt_call(any_cpu(f), free_arg, (void *)obj));
		break;
	case 2:
		pcslab_free_rcu_sync((void *)obj);
		break;
	default:
		pcslab_free(obj);
	}
}

void drop(struct fuzz *f, struct victim *v, struct held *held)
{
	struct held dropped = *held;

	expect_intact(f, held);
	*held = v->held[--v->nr_held];
	free_somehow(f, dropped.obj);
	count_free(v, dropped.usable);
	v->freed[below(f, MAX_FREED)] = dropped.obj;
}

void do_alloc(struct fuzz *f, struct victim *v)
{
	size_t size = any_size(f);
	bool node = below(f, 2);

	if (v->nr_held == MAX_HELD)
		return;
	/* Any number is accepted as a node. */
	hold(f, v, node ? pcslab_alloc_node(v->heap, size, GFP_KERNEL,
					    prandom_u32_state(&f->random)) :
			  pcslab_zalloc(v->heap, size, GFP_KERNEL));
}

void do_free(struct fuzz *f, struct victim *v)
{
	if (v->nr_held)
		drop(f, v, &v->held[below(f, v->nr_held)]);
}

/* Reallocates within the heap or into another heap. */
void do_realloc(struct fuzz *f, struct victim *v)
{
	struct victim *to = any_victim(f);
	size_t size = sizeof(u32) + any_size(f);	/* the seed must fit */
	struct held *held, old;
	void *obj;

	if (!v->nr_held || to->nr_held == MAX_HELD)
		return;
	held = &v->held[below(f, v->nr_held)];
	expect_intact(f, held);
	old = *held;
	obj = pcslab_realloc(to->heap, old.obj, size, GFP_KERNEL);
	KUNIT_EXPECT_TRUE(f->test, api_filled(obj, old.seed, min(size, old.usable)));
	if (obj == old.obj) {
		/* The bytes beyond the new size may be a redzone now. */
		KUNIT_EXPECT_EQ(f->test, pcslab_usable_size(obj), old.usable);
		api_fill(obj, old.seed, old.usable);
		return;
	}
	*held = v->held[--v->nr_held];
	count_free(v, old.usable);
	v->freed[below(f, MAX_FREED)] = old.obj;
	hold(f, to, obj);
}

static struct pcslab_slab *slab_in_class(struct pcslab_class *class, const void *at)
{
	struct pcslab_slab *slab, *found = NULL;
	int node;

	rcu_read_lock();
	for_each_online_node(node) {
		list_for_each_entry_rcu(slab, &class->depot[node].all, all) {
			if ((unsigned long)at - (unsigned long)slab->base <
			    PAGE_SIZE << slab->order)
				found = slab;
		}
	}
	rcu_read_unlock();
	return found;
}

/* No other call runs meanwhile, so the slab stays. */
struct pcslab_slab *slab_at(struct victim *v, const void *at)
{
	struct pcslab_slab *slab = NULL;
	unsigned int i;

	for (i = 0; i < PCSLAB_NR_CLASSES && !slab; i++) {
		if (v->heap->class[i])
			slab = slab_in_class(v->heap->class[i], at);
	}
	return slab;
}

static bool in_large(const struct victim *v, const void *at)
{
	const struct held *held;
	unsigned int i;

	for (i = 0; i < v->nr_held; i++) {
		held = &v->held[i];
		if (held->usable > PCSLAB_MAX_SIZE &&
		    (unsigned long)at - (unsigned long)held->obj < held->usable)
			return true;
	}
	return false;
}

/* Returns NULL if no victim owns it. */
struct victim *owner_of(struct fuzz *f, const void *at)
{
	unsigned int i;

	for (i = 0; i < VICTIMS; i++) {
		if (slab_at(&f->victim[i], at) || in_large(&f->victim[i], at))
			return &f->victim[i];
	}
	return NULL;
}

bool is_live(struct fuzz *f, const void *at)
{
	unsigned int i, k;

	for (i = 0; i < VICTIMS; i++) {
		for (k = 0; k < f->victim[i].nr_held; k++) {
			if (f->victim[i].held[k].obj == at)
				return true;
		}
	}
	return false;
}
