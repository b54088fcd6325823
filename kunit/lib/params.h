/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _PCSLAB_KUNIT_PARAMS_H
#define _PCSLAB_KUNIT_PARAMS_H

#include "test_compat.h"

struct kunit;

extern unsigned long pcslab_test_load_ops;
extern unsigned int pcslab_test_load_cycles;
extern unsigned long pcslab_test_hits;
extern unsigned int pcslab_test_seconds;
extern unsigned int pcslab_test_cuts;
extern unsigned int pcslab_test_sequences;
extern unsigned long pcslab_test_seed;

const void *pcslab_test_next_round(COMPAT_PARAM_TEST const void *prev, char *desc);

#endif /* _PCSLAB_KUNIT_PARAMS_H */
