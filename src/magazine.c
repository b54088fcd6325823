// SPDX-License-Identifier: GPL-2.0
/*
 * Magazines: how many rounds they have, and how they come and go
 *
 * Context: as the caller's flags, not NMI; no locks.
 */
#include <linux/minmax.h>
#include <linux/overflow.h>
#include <linux/slab.h>
#include <linux/topology.h>

#include "internal.h"
#include "sanitize.h"

/*
 * A magazine has rounds for 24 KiB of objects, or a few, and is not larger than
 * a KiB.
 */
#define MAG_OBJECTS	24576
#define MAG_MIN_ROUNDS	7U
#define MAG_MAX_BYTES	1024

/**
 * pcslab_magazine_rounds() - how many rounds a magazine has
 * @size: bytes of an object
 *
 * Return: as many as all that kmalloc() gives for it has room for, which may
 *	double them.
 */
unsigned int pcslab_magazine_rounds(u32 size)
{
	struct pcslab_magazine *mag;
	size_t bytes = struct_size(mag, round, max(MAG_OBJECTS / size, MAG_MIN_ROUNDS));

	bytes = kmalloc_size_roundup(min_t(size_t, bytes, MAG_MAX_BYTES));
	return (bytes - sizeof(*mag)) / sizeof(mag->round[0]);
}

/*
 * Of this CPU's node if there is some. SLUB of 6.12 forgets __GFP_NOMEMALLOC
 * when it is asked for a node that may be another.
 */
static void *near_memory(size_t bytes, gfp_t gfp)
{
	return kmalloc_node(bytes, gfp | __GFP_THISNODE, numa_mem_id()) ?: kmalloc(bytes, gfp);
}

/**
 * pcslab_magazine_create() - allocate an empty magazine
 * @class: of the objects
 * @gfp: the caller's; what makes it try hard is not heeded, and the reserves
 *	for freeing memory are not touched
 *
 * Return: the magazine, or NULL.
 */
struct pcslab_magazine *pcslab_magazine_create(struct pcslab_class *class, gfp_t gfp)
{
	struct pcslab_magazine *mag;

	/* On RT kmalloc takes sleeping locks; a caller that may not, goes without. */
	if (IS_ENABLED(CONFIG_PREEMPT_RT) && !preemptible())
		return NULL;
	gfp &= ~(__GFP_ZERO | __GFP_NOFAIL | __GFP_THISNODE | __GFP_MEMALLOC);
	if (pcslab_should_fail(gfp))
		return NULL;
	mag = near_memory(struct_size(mag, round, class->cap),
			  gfp | __GFP_NOMEMALLOC | __GFP_NOWARN | __GFP_NORETRY);
	if (!mag)
		return NULL;
	sanitize_hide(mag);
	mag->n = 0;
	return mag;
}

/**
 * pcslab_magazines_free() - free empty magazines
 * @mag: the first; the others follow it
 */
void pcslab_magazines_free(struct pcslab_magazine *mag)
{
	struct pcslab_magazine *next;

	for (; mag; mag = next) {
		next = mag->next;
		kfree(mag);
	}
}
