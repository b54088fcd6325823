/* SPDX-License-Identifier: GPL-2.0 */
/* A heap that was destroyed with one object live */
#ifndef _PCSLAB_KUNIT_ZOMBIE_H
#define _PCSLAB_KUNIT_ZOMBIE_H

#include <kunit/test.h>
#include <linux/delay.h>

#include "internal.h"

/* When the heap is emptied, only the object, or its slab, has a reference. */
static void expect_last_reference(struct kunit *test, struct pcslab_heap *heap)
{
	unsigned int tries;

	for (tries = 0; tries < 100 && refcount_read(&heap->refs) > 1; tries++)
		msleep(20);
	KUNIT_EXPECT_EQ(test, refcount_read(&heap->refs), 1);
}

#endif /* _PCSLAB_KUNIT_ZOMBIE_H */
