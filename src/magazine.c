// SPDX-License-Identifier: GPL-2.0
/*
 * Magazines: their size, allocating and freeing them
 *
 * Context: as the caller's flags, not NMI; no locks.
 */
#include <linux/minmax.h>
#include <linux/overflow.h>
#include <linux/slab.h>
#include <linux/topology.h>

#include "hooks.h"
#include "internal.h"

/*
 * A magazine has rounds for 24 KiB of objects, but at least MAG_MIN_ROUNDS, and
 * takes at most MAG_MAX_BYTES.
 */
#define MAG_OBJECTS	24576
#define MAG_MIN_ROUNDS	7U
#define MAG_MAX_BYTES	1024

/**
 * pcslab_magazine_rounds() - number of rounds in a magazine
 * @size: bytes of an object
 *
 * Return: the number of rounds. It uses all of the memory that kmalloc()
 *	returns for the size, which may double the number.
 */
unsigned int pcslab_magazine_rounds(u32 size)
{
	struct pcslab_magazine *mag;
	size_t bytes = struct_size(mag, round, max(MAG_OBJECTS / size, MAG_MIN_ROUNDS));

	bytes = kmalloc_size_roundup(min_t(size_t, bytes, MAG_MAX_BYTES));
	return (bytes - sizeof(*mag)) / sizeof(mag->round[0]);
}

/*
 * Allocate from this CPU's node if possible. Two calls, because SLUB of 6.12
 * forgets __GFP_NOMEMALLOC for kmalloc_node() without __GFP_THISNODE.
 */
static void *near_memory(size_t bytes, gfp_t gfp)
{
	return kmalloc_node(bytes, gfp | __GFP_THISNODE, numa_mem_id()) ?: kmalloc(bytes, gfp);
}

/**
 * pcslab_magazine_create() - allocate an empty magazine
 * @class: class of the objects
 * @gfp: the caller's; flags that ask for more effort are ignored, and the page
 *	allocator's reserves are not used
 *
 * Return: the magazine, or NULL.
 */
struct pcslab_magazine *pcslab_magazine_create(struct pcslab_class *class, gfp_t gfp)
{
	struct pcslab_magazine *mag;

	/*
	 * On RT kmalloc() takes sleeping locks, which not all callers may take.
	 */
	if (IS_ENABLED(CONFIG_PREEMPT_RT) && !preemptible())
		return NULL;
	gfp &= ~(__GFP_ZERO | __GFP_NOFAIL | __GFP_THISNODE | __GFP_MEMALLOC);
	if (pcslab_should_fail(gfp))
		return NULL;
	mag = near_memory(struct_size(mag, round, class->capacity),
			  gfp | __GFP_NOMEMALLOC | __GFP_NOWARN | __GFP_NORETRY);
	if (!mag)
		return NULL;
	hook_metadata(mag);
	mag->n = 0;
	return mag;
}

/**
 * pcslab_magazine_free() - free an empty magazine
 * @mag: the magazine, or NULL
 *
 * It is wiped: old addresses of objects would hide leaks (leaks.c).
 */
void pcslab_magazine_free(struct pcslab_magazine *mag)
{
	kfree_sensitive(mag);
}

/**
 * pcslab_magazines_free() - free a list of empty magazines
 * @mag: the first, or NULL
 */
void pcslab_magazines_free(struct pcslab_magazine *mag)
{
	struct pcslab_magazine *next;

	for (; mag; mag = next) {
		next = mag->next;
		pcslab_magazine_free(mag);
	}
}
