/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _PCSLAB_BENCH_PATTERNS_H
#define _PCSLAB_BENCH_PATTERNS_H

#include "together.h"

#define LARSON_CPUS	4
#define LARSON_OBJS	64	/* of an array */
#define LARSON_TURNS	4
#define LARSON_REPLACED	100	/* in a turn */

#define MSTRESS_CPUS		4
#define MSTRESS_OBJS		64	/* that a CPU holds */
#define MSTRESS_SHARED		16	/* that it shares with all CPUs */
#define MSTRESS_REPLACED	500

#define XMALLOC_CPUS	4
#define XMALLOC_OBJS	1024	/* that one CPU allocates or frees */

void bench_larson(enum bench_who who, unsigned int id);
void bench_mstress(enum bench_who who, unsigned int id);
void bench_xmalloc(enum bench_who who, unsigned int id);

#endif /* _PCSLAB_BENCH_PATTERNS_H */
