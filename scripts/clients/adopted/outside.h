/* SPDX-License-Identifier: GPL-2.0 */
/* adoptee_outside.c: what a module does to memory of others */
#ifndef _OUTSIDE_H
#define _OUTSIDE_H

#include <linux/types.h>

void *outside_alloc(size_t size);
int outside_call(const char *name, void *obj);

#endif /* _OUTSIDE_H */
