/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _PCSLAB_KUNIT_PARAMS_H
#define _PCSLAB_KUNIT_PARAMS_H

extern unsigned long pcslab_test_load_ops;
extern unsigned int pcslab_test_load_cycles;
extern unsigned int pcslab_test_load_rounds;
extern unsigned long pcslab_test_hits;
extern unsigned int pcslab_test_seconds;
extern unsigned int pcslab_test_cuts;

#endif /* _PCSLAB_KUNIT_PARAMS_H */
