/* SPDX-License-Identifier: GPL-2.0 */
/* An oracle of the books, and CPUs that go and come */
#ifndef _PCSLAB_KUNIT_ORACLE_H
#define _PCSLAB_KUNIT_ORACLE_H

#include <kunit/test.h>
#include <linux/cpu.h>
#include <pcslab/pcslab.h>

#include "internal.h"
#include "live.h"
#include "quiet.h"

/* CPUs of the guest; cpu_suite_init() detects a larger guest. */
#define TEST_CPUS	8

/**
 * struct oracle - what the books must say according to the test
 * @allocs: by the CPU that made the call; large objects in the last column
 * @frees: same
 * @fails: by class
 * @large_alloc_bytes: of large objects
 * @large_free_bytes: same
 */
struct oracle {
	u64 allocs[TEST_CPUS][PCSLAB_LARGE + 1];
	u64 frees[TEST_CPUS][PCSLAB_LARGE + 1];
	u64 fails[PCSLAB_LARGE + 1];
	u64 large_alloc_bytes;
	u64 large_free_bytes;
};

int cpu_suite_init(struct kunit *test);

struct pcslab_heap *new_heap(struct kunit *test, const char *name);
void destroy_heap(struct kunit *test, struct pcslab_heap *heap);
u32 random_u32(void);

void take_down(struct kunit *test, unsigned int cpu);
void bring_up(struct kunit *test, unsigned int cpu);
void bring_all_up(struct kunit *test);
void move_to(struct kunit *test, unsigned int cpu);
void move_anywhere(void);

u64 own_allocs(struct pcslab_class *class, unsigned int cpu);
u64 own_frees(struct pcslab_class *class, unsigned int cpu);

bool books_match(struct kunit *test, struct pcslab_heap *heap, const struct oracle *oracle);
void expect_rows(struct kunit *test, struct pcslab_heap *heap,
		 const struct oracle *oracle, unsigned int cpu);
void expect_same_totals(struct kunit *test, const struct pcslab_stats *a,
			const struct pcslab_stats *b);

#endif /* _PCSLAB_KUNIT_ORACLE_H */
