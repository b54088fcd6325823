/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Objects that a module has, and hands on by parameters: a later load of the
 * module may free those that an earlier one has left. Whoever includes this
 * defines MAX_HELD.
 */
#ifndef _PCSLAB_KUNIT_HELD_H
#define _PCSLAB_KUNIT_HELD_H

#include <linux/moduleparam.h>

#include <pcslab/pcslab.h>

static unsigned long held[MAX_HELD];
static unsigned int nr_held;
module_param_array(held, ulong, &nr_held, 0400);
MODULE_PARM_DESC(held, "addresses of the objects");

static unsigned long free[MAX_HELD];
static unsigned int nr_free;
module_param_array(free, ulong, &nr_free, 0400);
MODULE_PARM_DESC(free, "objects of an earlier load to free");

static bool leave;
module_param(leave, bool, 0400);
MODULE_PARM_DESC(leave, "do not free the objects when the module goes");

static inline void hold(const void *obj)
{
	if (obj)
		held[nr_held++] = (unsigned long)obj;
}

static inline void free_all(const unsigned long *objs, unsigned int n)
{
	unsigned int i;

	for (i = 0; i < n; i++)
		pcslab_free((void *)objs[i]);
}

#endif /* _PCSLAB_KUNIT_HELD_H */
