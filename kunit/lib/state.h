/* SPDX-License-Identifier: GPL-2.0 */
/* The state byte of an object, for tests that look at it or change it */
#ifndef _PCSLAB_KUNIT_STATE_H
#define _PCSLAB_KUNIT_STATE_H

#include <linux/mm.h>

#include "types.h"

static inline u8 *state_of(const void *obj)
{
	struct pcslab_slab *slab = (void *)virt_to_head_page(obj)->private;

	return &slab->state[(obj - (void *)slab->base) / slab->class->stride];
}

#endif /* _PCSLAB_KUNIT_STATE_H */
