// SPDX-License-Identifier: GPL-2.0
/*
 * Checks of heaps with PCSLAB_CHECKED: patterns in free objects and behind live
 * ones
 *
 *            size asked for   size of the class      stride
 *                  |                 |                  |
 *   live:  ........|ccccccccccccccccc|cccccccccccccccccc|	c: redzone
 *   free:  pppppppppppppppppppppppppp|cccccccccccccccccc|	p: poison
 *
 * A redzone is checked when the object is freed, and when its usable size is
 * asked for, which extends the object to the size of the class. Poison is
 * checked when the object is handed out again. Damage is reported in the log
 * with the heap, the class and the last call for the object, counted in the
 * heap's corruptions, and repaired. The patterns are those of SLUB; with
 * init_on_free, which zeroes freed objects, the poison is zeroes.
 *
 * No locks: the caller must own the object.
 * Context: any; freeing also in NMI.
 */
#include <linux/poison.h>
#include <linux/printk.h>
#include <linux/ratelimit.h>
#include <linux/slab.h>
#include <linux/string.h>

#include "event.h"
#include "hooks.h"
#include "internal.h"
#include "page.h"

#define REDZONE		SLUB_RED_ACTIVE

static u8 check_poison(void)
{
	return want_init_on_free() ? 0 : POISON_FREE;
}

/* The index of an object, which must be one of the slab. */
static unsigned int index_of(struct pcslab_slab *slab, const void *obj)
{
	u8 *state = slab->state;

	find_state(slab, obj, &state);
	return state - slab->state;
}

static void check_remember(struct pcslab_slab *slab, const void *obj, unsigned long caller)
{
	pcslab_track_object(slab, index_of(slab, obj), caller);
}

/* Behind the sites of a slab. */
static u16 *sizes_of(struct pcslab_slab *slab)
{
	return (void *)&pcslab_sites(slab)[pcslab_nr_states(slab->class, slab->order)];
}

static u16 *size_of(struct pcslab_slab *slab, const void *obj)
{
	return &sizes_of(slab)[index_of(slab, obj)];
}

/*
 * Check that every byte of @obj from @from to before @to is still @pattern. If
 * not, report it with the last call for the object and with @caller, which came
 * across it.
 */
static void check_inspect(struct pcslab_slab *slab, const u8 *obj, u32 from, u32 to,
			  u8 pattern, const char *what, unsigned long caller)
{
	static DEFINE_RATELIMIT_STATE(limit, DEFAULT_RATELIMIT_INTERVAL,
				      DEFAULT_RATELIMIT_BURST);
	const u8 *bad = memchr_inv(obj + from, pattern, to - from);
	struct pcslab_heap *heap = slab->class->heap;

	if (likely(!bad))
		return;
	atomic_long_inc(&heap->corruptions);
	if (!__ratelimit(&limit))
		return;
	pr_err("%s %p: byte %td is 0x%02x (heap %s, class %u)\n", what, obj,
	       bad - obj, *bad, heap->name, slab->class->size);
	pr_err("last call for it by %s, found by %pS\n",
	       pcslab_site_name(pcslab_sites(slab)[index_of(slab, obj)]), (void *)caller);
	dump_stack();
	pcslab_record_dump(heap);
}

/* Restore the redzone behind the object, up to the next one. */
static void restore_gap(struct pcslab_class *class, u8 *obj)
{
	u32 gap = class->stride - class->size;

	memset(obj + class->size, REDZONE, gap);
	shadow_trim(obj, class->size, class->stride);
}

/**
 * pcslab_check_new() - put the patterns into all objects of a slab
 * @slab: a new slab, accessible
 */
void pcslab_check_new(struct pcslab_slab *slab)
{
	struct pcslab_class *class = slab->class;
	unsigned int i;
	u8 *obj;

	for (i = 0; i < slab->nr; i++) {
		obj = slab->base + i * class->stride;
		memset(obj, check_poison(), class->size);
		restore_gap(class, obj);
	}
}

/**
 * pcslab_check_alloc() - check an object that is to be handed out
 * @slab: slab of the object
 * @obj: the object, not accessible yet
 * @caller: return address of the allocating call
 */
void pcslab_check_alloc(struct pcslab_slab *slab, u8 *obj, unsigned long caller)
{
	struct pcslab_class *class = slab->class;

	shadow_unpoison(obj, class->stride);
	if (class->flags & PCSLAB_HEAP_POISON)
		check_inspect(slab, obj, 0, class->size, check_poison(),
			      "use after free of", caller);
	if (class->flags & PCSLAB_HEAP_REDZONE)
		check_inspect(slab, obj, class->size, class->stride, REDZONE,
			      "write behind free", caller);
	restore_gap(class, obj);
	check_remember(slab, obj, caller);
}

/**
 * pcslab_check_fence() - put a redzone behind the requested size
 * @slab: slab of the object
 * @obj: a live object
 * @size: bytes that the caller may use
 */
void pcslab_check_fence(struct pcslab_slab *slab, u8 *obj, u32 size)
{
	struct pcslab_class *class = slab->class;

	shadow_unpoison(obj, class->size);
	memset(obj + size, REDZONE, class->size - size);
	shadow_trim(obj, size, class->size);
	*size_of(slab, obj) = size;
}

/**
 * pcslab_check_open() - let the caller use the whole object
 * @slab: slab of the object
 * @obj: a live object, accessible
 * @caller: return address of the call
 *
 * Zeroes the bytes behind the requested size, because they must be zero if the
 * object was allocated with __GFP_ZERO.
 */
void pcslab_check_open(struct pcslab_slab *slab, u8 *obj, unsigned long caller)
{
	u16 *size = size_of(slab, obj);
	u32 full = slab->class->size;

	check_inspect(slab, obj, *size, full, REDZONE, "overflow of", caller);
	memset(obj + *size, 0, full - *size);
	*size = full;
}

/**
 * pcslab_check_free() - check an object that was given back, and poison it
 * @slab: slab of the object
 * @obj: the object, claimed
 * @caller: return address of the freeing call
 */
void pcslab_check_free(struct pcslab_slab *slab, u8 *obj, unsigned long caller)
{
	struct pcslab_class *class = slab->class;

	shadow_unpoison(obj, class->stride);
	if (class->flags & PCSLAB_HEAP_REDZONE)
		check_inspect(slab, obj, *size_of(slab, obj), class->stride, REDZONE,
			      "overflow of", caller);
	if (class->flags & PCSLAB_HEAP_POISON)
		memset(obj, check_poison(), class->size);
	restore_gap(class, obj);
	check_remember(slab, obj, caller);
}
