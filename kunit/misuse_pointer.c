// SPDX-License-Identifier: GPL-2.0
/* Pointers that must not be freed: each function returns one, or NULL. */
#include <linux/err.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/sched/task_stack.h>
#include <linux/slab.h>

#include "misuse.h"

static const void *just_freed(struct fuzz *f, struct victim *v, size_t size)
{
	struct held held = handed_out(f, v, pcslab_alloc(v->heap, size, GFP_KERNEL));

	free_somehow(f, held.obj);
	count_free(v, held.usable);
	return held.obj;
}

static const void *freed_object(struct fuzz *f, struct victim *v)
{
	return just_freed(f, v, 72);
}

static const void *freed_large(struct fuzz *f, struct victim *v)
{
	return just_freed(f, v, 20000);
}

static const void *freed_long_ago(struct fuzz *f, struct victim *v)
{
	return v->freed[below(f, MAX_FREED)];
}

/* A live object of @v, small or large. */
static const struct held *held_by(struct fuzz *f, struct victim *v, bool large)
{
	unsigned int i, start = below(f, MAX_HELD);

	for (i = 0; i < MAX_HELD; i++) {
		const struct held *held = &v->held[(start + i) % MAX_HELD];
		bool is_large = held->usable > PCSLAB_MAX_SIZE;

		if (held - v->held < v->nr_held && is_large == large)
			return held;
	}
	return NULL;
}

static const void *inside(struct fuzz *f, struct victim *v)
{
	const struct held *held = held_by(f, v, false);

	return held ? held->obj + 1 + below(f, held->usable - 1) : NULL;
}

static const void *inside_large(struct fuzz *f, struct victim *v)
{
	const struct held *held = held_by(f, v, true);

	return held ? held->obj + 1 + below(f, held->usable - 1) : NULL;
}

/* A slab of @v that has a live object. */
static struct pcslab_slab *slab_of_held(struct fuzz *f, struct victim *v)
{
	const struct held *held = held_by(f, v, false);

	return held ? slab_at(v, held->obj) : NULL;
}

/* The next object in the slab; after the last one the first. */
static const void *next_object(struct fuzz *f, struct victim *v)
{
	const struct held *held = held_by(f, v, false);
	struct pcslab_slab *slab = held ? slab_at(v, held->obj) : NULL;
	size_t next;

	if (!slab)
		return NULL;
	next = (char *)held->obj - slab->base + slab->class->stride;
	return slab->base + next % (slab->nr * slab->class->stride);
}

static const void *tail(struct fuzz *f, struct victim *v)
{
	struct pcslab_slab *slab = slab_of_held(f, v);
	unsigned int used, bytes;

	if (!slab)
		return NULL;
	used = slab->nr * slab->class->stride;
	bytes = PAGE_SIZE << slab->order;
	return used < bytes ? slab->base + used + below(f, bytes - used) : NULL;
}

static const void *a_heap(struct fuzz *f, struct victim *v)
{
	return v->heap;
}

static const void *a_class(struct fuzz *f, struct victim *v)
{
	struct pcslab_slab *slab = slab_of_held(f, v);

	return slab ? slab->class : NULL;
}

static const void *a_slab(struct fuzz *f, struct victim *v)
{
	return slab_of_held(f, v);
}

static const void *a_state(struct fuzz *f, struct victim *v)
{
	struct pcslab_slab *slab = slab_of_held(f, v);

	return slab ? &slab->state[below(f, slab->nr)] : NULL;
}

static const void *a_cache(struct fuzz *f, struct victim *v)
{
	struct pcslab_slab *slab = slab_of_held(f, v);

	return slab ? pcslab_cpu_of(slab->class, any_cpu(f)) : NULL;
}

static const void *a_page(struct fuzz *f, struct victim *v)
{
	const struct held *held = held_by(f, v, below(f, 2));

	return held ? virt_to_page(held->obj) : NULL;
}

static const void *kmalloced(struct fuzz *f, struct victim *v)
{
	return f->kmalloced + below(f, OTHERS);
}

static const void *vmalloced(struct fuzz *f, struct victim *v)
{
	return f->vmalloced + below(f, OTHERS);
}

/*
 * The owner of a page sets page->private: a heap and a slab are the worst
 * values.
 */
static const void *paged(struct fuzz *f, struct victim *v)
{
	set_page_private(f->page, (unsigned long)(below(f, 2) ? a_heap(f, v) : a_slab(f, v)));
	return page_address(f->page) + below(f, 2) * below(f, OTHERS);
}

static const void *stack(struct fuzz *f, struct victim *v)
{
	return task_stack_page(current) + below(f, THREAD_SIZE);
}

static const void *data(struct fuzz *f, struct victim *v)
{
	return &THIS_MODULE->name;
}

static const void *text(struct fuzz *f, struct victim *v)
{
	return below(f, 2) ? (const void *)kfree : (const void *)pcslab_free;
}

static const void *error(struct fuzz *f, struct victim *v)
{
	return ERR_PTR(-1 - (long)below(f, MAX_ERRNO));
}

static const void *user_address(struct fuzz *f, struct victim *v)
{
	return (void *)(unsigned long)prandom_u32_state(&f->random);
}

/* On 64-bit kernels no such address exists; elsewhere it is a user address. */
static const void *non_canonical(struct fuzz *f, struct victim *v)
{
	return (void *)((1UL << (BITS_PER_LONG - 2)) + prandom_u32_state(&f->random));
}

static const void *behind_memory(struct fuzz *f, struct victim *v)
{
	return high_memory + ((u64)below(f, 1024) << below(f, 30));
}

/* Any address up to the end of memory, holes included. */
static const void *somewhere(struct fuzz *f, struct victim *v)
{
	unsigned long bytes = (unsigned long)high_memory - PAGE_OFFSET;

	return (void *)PAGE_OFFSET + below(f, bytes >> PAGE_SHIFT) * PAGE_SIZE +
	       below(f, 2) * below(f, PAGE_SIZE);
}

static const void *anything(struct fuzz *f, struct victim *v)
{
	return (void *)(unsigned long)(((u64)prandom_u32_state(&f->random) << 32) |
				       prandom_u32_state(&f->random));
}

#define OF_NO_HEAP	"not an object of pcslab"

const struct pointer pointers[] = {
	{ freed_object, 64, "already free (heap victim-0, class 72)" },
	{ freed_long_ago, 0, NULL },
	/* Its pages are freed, so nothing shows that they were pcslab's. */
	{ freed_large, 64, OF_NO_HEAP },
	{ inside, 2, " bytes into an object (heap victim-0, class 8)" },
	{ inside_large, 20000, "inside a large object (heap victim-0)" },
	{ next_object, 64, "already free (heap victim-0, class 64)" },
	{ tail, 1152, "behind the last object of a slab (heap victim-0, class 1152)" },
	{ a_heap, 64, OF_NO_HEAP },
	{ a_class, 64, OF_NO_HEAP },
	{ a_slab, 64, OF_NO_HEAP },
	{ a_state, 64, OF_NO_HEAP },
	{ a_cache, 64, OF_NO_HEAP },
	{ a_page, 64, OF_NO_HEAP },
	{ kmalloced, 64, OF_NO_HEAP },
	{ vmalloced, 64, OF_NO_HEAP },
	{ paged, 64, OF_NO_HEAP },
	{ stack, 64, OF_NO_HEAP },
	{ data, 64, OF_NO_HEAP },
	{ text, 64, OF_NO_HEAP },
	{ error, 64, OF_NO_HEAP },
	{ user_address, 64, OF_NO_HEAP },
	{ non_canonical, 64, OF_NO_HEAP },
	{ behind_memory, 64, OF_NO_HEAP },
	{ somewhere, 0, NULL },
	{ anything, 0, NULL },
};

const unsigned int nr_pointers = ARRAY_SIZE(pointers);
