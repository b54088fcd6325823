/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _PCSLAB_KUNIT_LIVE_H
#define _PCSLAB_KUNIT_LIVE_H

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

#endif /* _PCSLAB_KUNIT_LIVE_H */
