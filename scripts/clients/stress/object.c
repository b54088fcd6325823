// SPDX-License-Identifier: GPL-2.0
/*
 * One allocation, free or realloc, with all its checks
 *
 * What is known of an object is kept apart from it. All usable bytes of an
 * object are filled with content that depends on its seed. The free must find
 * this content unchanged: it does not if the object was handed out twice,
 * overlapped or overwritten.
 *
 * Context: any; the actor says whether it may sleep. No locks.
 */
#include <linux/cache.h>
#include <linux/hash.h>
#include <linux/mm.h>
#include <linux/nodemask.h>
#include <linux/printk.h>
#include <linux/ratelimit.h>
#include <linux/rcupdate.h>
#include <linux/slab.h>
#include <linux/smp.h>
#include <linux/string.h>

#include "compat.h"
#include "live.h"
#include "stay.h"
#include "stress.h"

static void mismatch(struct stress_actor *actor, enum stress_number number,
		     const struct stress_object *object, const char *what)
{
	stress_add(actor, number, 1);
	pr_err_ratelimited("pcslab_stress: %s: object of %zu bytes at %p, allocated on CPU %u\n",
			   what, object->size, object->obj, object->cpu);
}

static u64 content(const struct stress_object *object, size_t word)
{
	return object->seed + word * GOLDEN_RATIO_64;
}

static void fill(const struct stress_object *object)
{
	size_t i, n = object->usable / sizeof(u64);
	u64 *word = object->obj;

	for (i = 0; i < n; i++)
		word[i] = content(object, i);
}

/* Do the first @bytes of @obj have the content of @object? */
static bool has_content(const void *obj, const struct stress_object *object, size_t bytes)
{
	size_t i, n = bytes / sizeof(u64);
	u64 last = content(object, n);
	const u64 *word = obj;

	for (i = 0; i < n; i++) {
		if (word[i] != content(object, i))
			return false;
	}
	return !memcmp(word + n, &last, bytes % sizeof(u64));
}

/*
 * The alignment of a power of two is itself; of any other size it is the
 * largest power of two that divides the size. vmalloc aligns to pages.
 */
static bool aligned(const struct stress_object *object)
{
	unsigned long align = max_t(unsigned long, object->size & -object->size,
				    ARCH_KMALLOC_MINALIGN);

	if (is_vmalloc_addr(object->obj))
		align = PAGE_SIZE;
	return IS_ALIGNED((unsigned long)object->obj, align);
}

/* What an object of a size has. */
static size_t usable_of(const void *obj, size_t size)
{
	return is_vmalloc_addr(obj) ? PAGE_ALIGN(size) : size_usable(size);
}

/* Where the object is counted. */
static unsigned int index_of(const void *obj, size_t size)
{
	return is_vmalloc_addr(obj) ? STRESS_LARGE : size_index(size);
}

/*
 * usable_size() comes first: until then KASAN forbids the bytes beyond the
 * request.
 */
static void check_owner(struct stress_actor *actor, const struct stress_object *object)
{
	if (pcslab_usable_size(object->obj) != object->usable)
		mismatch(actor, STRESS_WRONG_SIZE, object, "wrong usable size");
	if (pcslab_heap_of(object->obj) != object->heap->heap)
		mismatch(actor, STRESS_WRONG_HEAP, object, "of another heap");
}

/* Makes the caller the owner, and fills the object. */
static void own(struct stress_actor *actor, struct stress_object *object)
{
	object->seed = (u64)prandom_u32_state(&actor->random) << 32 | (u32)object->size;
	object->cpu = raw_smp_processor_id();
	fill(object);
}

static void count_call(struct stress_actor *actor, enum stress_number number)
{
	stress_add(actor, number, 1);
	if (in_hardirq())
		stress_add(actor, STRESS_IN_HARDIRQ, 1);
	else if (in_serving_softirq())
		stress_add(actor, STRESS_IN_SOFTIRQ, 1);
	else
		stress_add(actor, STRESS_IN_TASK, 1);
}

static void count_alloc(struct stress_actor *actor, struct stress_heap *heap, size_t size,
			const void *obj)
{
	unsigned int index = index_of(obj, size);

	if (!obj) {
		this_cpu_inc(heap->counts->fails[index]);
		stress_add(actor, STRESS_NULLS, 1);
		stress_add(actor, STRESS_NULLS_IN_INTERRUPT, !in_task());
		return;
	}
	this_cpu_inc(heap->counts->allocs[index]);
	if (index == STRESS_LARGE)
		this_cpu_add(heap->counts->large_alloc_bytes, usable_of(obj, size));
	stress_add(actor, STRESS_VMALLOCED, is_vmalloc_addr(obj));
	count_call(actor, STRESS_ALLOCS);
}

static void count_free(struct stress_actor *actor, const struct stress_object *object)
{
	struct stress_counts __percpu *counts = object->heap->counts;
	unsigned int index = index_of(object->obj, object->usable);

	this_cpu_inc(counts->frees[index]);
	if (index == STRESS_LARGE)
		this_cpu_add(counts->large_free_bytes, object->usable);
	count_call(actor, STRESS_FREES);
	stress_add(actor, STRESS_CROSSED, object->cpu != raw_smp_processor_id());
}

static gfp_t any_gfp(struct stress_actor *actor, bool atomic)
{
	static const gfp_t sleeping[] = { GFP_KERNEL, GFP_NOFS, GFP_NOIO, GFP_ATOMIC };
	u32 r = stress_random(actor, 4);

	if (atomic)
		return (r ? GFP_ATOMIC : GFP_NOWAIT) | __GFP_NOWARN;
	return sleeping[r] | __GFP_NOWARN;
}

static void *call_alloc(struct stress_actor *actor, struct pcslab_heap *heap, size_t size,
			gfp_t gfp, bool zero)
{
	size_t n = size % 4 ? 1 : 4;

	/* A constant size takes another path. */
	if (size == 64 && !zero)
		return pcslab_alloc(heap, 64, gfp);
	switch (stress_random(actor, 8)) {
	case 0:
		return pcslab_alloc_node(heap, size, zero ? gfp | __GFP_ZERO : gfp,
					 stress_random(actor, nr_node_ids));
	case 1:
		if (zero)
			return pcslab_calloc(heap, n, size / n, gfp);
		return pcslab_alloc_array(heap, n, size / n, gfp);
	case 2:
		return pcslab_realloc(heap, NULL, size, zero ? gfp | __GFP_ZERO : gfp);
	case 3:
		return zero ? pcslab_kvzalloc(heap, size, gfp) : pcslab_kvalloc(heap, size, gfp);
	default:
		return zero ? pcslab_zalloc(heap, size, gfp) : pcslab_alloc(heap, size, gfp);
	}
}

/**
 * stress_alloc() - allocate by any of the functions
 * @actor: the caller
 * @heap: where to allocate
 * @object: filled; its obj is NULL if the allocation failed
 * @size: bytes
 */
void stress_alloc(struct stress_actor *actor, struct stress_heap *heap,
		  struct stress_object *object, size_t size)
{
	gfp_t gfp = any_gfp(actor, !actor->may_sleep || heap->rows);
	bool zero = !stress_random(actor, 4);

	*object = (struct stress_object){ .heap = heap, .size = size };
	if (heap->rows)
		stay_here();
	object->obj = call_alloc(actor, heap->heap, size, gfp, zero);
	object->usable = usable_of(object->obj, size);
	count_alloc(actor, heap, size, object->obj);
	if (heap->rows)
		may_leave();
	if (!object->obj)
		return;
	stress_heap_get(heap);
	if (!aligned(object))
		mismatch(actor, STRESS_MISALIGNED, object, "misaligned");
	check_owner(actor, object);
	if (zero && memchr_inv(whole(object->obj), 0, heap->redzone ? size : object->usable))
		mismatch(actor, STRESS_NOT_ZERO, object, "not zeroed");
	own(actor, object);
}

/**
 * stress_realloc() - change an object's size, and maybe its heap
 * @actor: the caller
 * @heap: the new heap, a lasting one
 * @object: the object; unchanged if this failed
 * @size: new size in bytes
 */
void stress_realloc(struct stress_actor *actor, struct stress_heap *heap,
		    struct stress_object *object, size_t size)
{
	bool rows = heap->rows || object->heap->rows;
	bool stays = heap == object->heap && size <= object->usable;
	gfp_t gfp = any_gfp(actor, !actor->may_sleep || rows);
	struct stress_object old = *object;
	bool stayed;
	void *new;

	if (rows)
		stay_here();
	new = stress_random(actor, 4) ? pcslab_realloc(heap->heap, old.obj, size, gfp) :
					pcslab_kvrealloc(heap->heap, old.obj, size, gfp);
	if (!stays) {
		count_alloc(actor, heap, size, new);
		if (new)
			count_free(actor, &old);
	}
	if (rows)
		may_leave();
	stayed = new == old.obj;
	if (stayed != stays)
		mismatch(actor, STRESS_WRONG_RESULT, object, "realloc went elsewhere");
	if (!new)
		return;

	stress_add(actor, STRESS_REALLOCS, stays);
	object->obj = new;
	object->size = size;
	if (!stays) {
		object->heap = heap;
		object->usable = usable_of(new, size);
		stress_heap_get(heap);
		stress_heap_put(old.heap);
		if (!aligned(object))
			mismatch(actor, STRESS_MISALIGNED, object, "misaligned");
	}
	if (!has_content(new, &old, min(size, old.usable)))
		mismatch(actor, STRESS_CONTENT, object, "content lost in a realloc");
	check_owner(actor, object);
	own(actor, object);
}

/* The beginning of an object that is freed after a grace period. */
struct freed_later {
	struct rcu_head rcu;
};

/*
 * The CPU that counts the free is not known then, so this is not for heaps with
 * rows.
 */
static bool may_defer(const struct stress_object *object)
{
	return !object->heap->rows && object->size >= sizeof(struct freed_later);
}

static void free_later(struct stress_actor *actor, struct freed_later *obj)
{
	pcslab_free_rcu(obj, rcu);
	stress_add(actor, STRESS_DEFERRED, 1);
}

/**
 * stress_free() - check an object and free it
 * @actor: the caller
 * @object: the object, or none
 */
void stress_free(struct stress_actor *actor, struct stress_object *object)
{
	struct stress_heap *heap = object->heap;
	u32 way = stress_random(actor, 16);
	void *result = ZERO_SIZE_PTR;

	if (!object->obj)
		return;
	if (!has_content(object->obj, object, object->usable))
		mismatch(actor, STRESS_CONTENT, object, "content changed");
	check_owner(actor, object);
	if (heap->rows)
		stay_here();
	if (!way)
		result = pcslab_realloc(stress_lasting[STRESS_ANYWHERE].heap, object->obj, 0,
					GFP_NOWAIT);
	else if (way < 3 && may_defer(object))
		free_later(actor, object->obj);
	else
		pcslab_free(object->obj);
	count_free(actor, object);
	if (heap->rows)
		may_leave();
	if (result != ZERO_SIZE_PTR)
		mismatch(actor, STRESS_WRONG_RESULT, object, "realloc to nothing");
	object->obj = NULL;
	stress_heap_put(heap);
}

/*
 * Later kernels warn of every kfree() of memory that is not kmalloc's. Earlier
 * ones warn if it is a single page, and with KASAN if the address is inside the
 * pages.
 */
static bool may_abuse(const struct stress_object *object)
{
	struct page *head;

	if (is_vmalloc_addr(object->obj))
		return false;
	head = virt_to_head_page(object->obj);
	return COMPAT_KFREE_DROPS_REF && compound_order(head) &&
	       (!IS_ENABLED(CONFIG_KASAN) || object->obj == page_address(head));
}

/**
 * stress_abuse() - kfree() a live object, if the kernel does not warn of that
 * @actor: the caller
 * @object: the object; stays live
 */
void stress_abuse(struct stress_actor *actor, struct stress_object *object)
{
	if (!may_abuse(object))
		return;
	kfree(object->obj);
	this_cpu_inc(object->heap->counts->foreign);
	stress_add(actor, STRESS_FOREIGN, 1);
}

/**
 * stress_size() - choose a size
 * @actor: the caller
 *
 * Return: mostly small; a quarter are powers of two, one in 64 is large.
 */
size_t stress_size(struct stress_actor *actor)
{
	u32 kind = stress_random(actor, 64);
	size_t most;

	if (!kind)
		return PCSLAB_MAX_SIZE + 1 + stress_random(actor, 6 * PAGE_SIZE);
	most = 8 << stress_random(actor, 8) << stress_random(actor, 4);
	return kind < 16 ? most : 1 + stress_random(actor, most);
}
