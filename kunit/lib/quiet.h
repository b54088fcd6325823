/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _PCSLAB_KUNIT_QUIET_H
#define _PCSLAB_KUNIT_QUIET_H

#include <kunit/test.h>

#include "internal.h"

int run_shell(const char *command);
void fail_large_pages(struct kunit *test, bool on, unsigned int order);
void expect_quiet(struct kunit *test, struct pcslab_heap *heap);

#endif /* _PCSLAB_KUNIT_QUIET_H */
