// SPDX-License-Identifier: GPL-2.0
/*
 * Contract 6: while another CPU counts, live is never read as less than zero
 *
 * There is only one object at a time, so a free that is seen before its
 * allocation shows. In a heap with many live objects it would not.
 */
#include <linux/cpumask.h>
#include <linux/kthread.h>
#include <linux/sched.h>

#include "api.h"

#define NAME		"kunit-read"
#define READER_CPU	0
#define MOVER_CPU	1
/* These tools check every memory access, which is slow. */
#define SLOW		(IS_ENABLED(CONFIG_KASAN) || IS_ENABLED(CONFIG_KCSAN))
#define READS		(SLOW ? 1000 : 20000)
#define FILE_READS	(SLOW ? 50 : 300)

/* Allocates and frees one object in a loop */
struct mover {
	struct task_struct *task;
	struct pcslab_heap *heap;
	size_t size;
	unsigned long pairs;
};

static int move(void *arg)
{
	struct mover *mover = arg;

	while (!kthread_should_stop()) {
		pcslab_free(pcslab_alloc(mover->heap, mover->size, GFP_KERNEL));
		WRITE_ONCE(mover->pairs, mover->pairs + 1);
		cond_resched();
	}
	return 0;
}

static void start_mover(struct kunit *test, struct mover *mover, size_t size)
{
	if (num_online_cpus() <= MOVER_CPU)
		kunit_skip(test, "one CPU only");
	*mover = (struct mover){ .size = size };
	mover->heap = pcslab_heap_create(NAME, NULL);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, mover->heap);
	pcslab_free(pcslab_alloc(mover->heap, size, GFP_KERNEL));
	KUNIT_ASSERT_EQ(test, set_cpus_allowed_ptr(current, cpumask_of(READER_CPU)), 0);
	mover->task = kthread_create(move, mover, "pcslab-mover");
	KUNIT_ASSERT_FALSE(test, IS_ERR(mover->task));
	kthread_bind(mover->task, MOVER_CPU);
	wake_up_process(mover->task);
}

/*
 * True until @reads reads are done and the mover made progress meanwhile. On a
 * busy machine with a debug kernel the mover may not run for long.
 */
static bool go_on(const struct mover *mover, unsigned int done, unsigned int reads)
{
	return done < reads || (READ_ONCE(mover->pairs) <= reads / 10 && done < 100 * reads);
}

static void stop_mover(struct kunit *test, struct mover *mover, unsigned long reads)
{
	kthread_stop(mover->task);
	KUNIT_EXPECT_GT(test, mover->pairs, reads / 10);
	pcslab_heap_destroy(mover->heap);
}

/* No reader is so slow that this many objects are allocated during one read. */
static bool below_zero(u64 allocs, u64 frees)
{
	return allocs - frees > BIT(30);
}

static unsigned int wrong_in(const struct pcslab_stats *st, size_t size)
{
	const struct pcslab_class_stats *class;

	if (size > PCSLAB_MAX_SIZE)
		return below_zero(st->large_allocs, st->large_frees) +
		       (st->large_alloc_bytes < st->large_free_bytes);
	class = &st->class[pcslab_class_index(size)];
	return below_zero(class->allocs, class->frees);
}

static void read_beside(struct kunit *test, size_t size)
{
	struct pcslab_stats *now = ((struct api *)test->priv)->now;
	struct mover mover;
	unsigned int i, wrong = 0;

	start_mover(test, &mover, size);
	for (i = 0; go_on(&mover, i, READS); i++) {
		pcslab_heap_stats(mover.heap, now);
		wrong += wrong_in(now, size);
		cond_resched();
	}
	KUNIT_EXPECT_EQ(test, wrong, 0u);
	stop_mover(test, &mover, READS);
}

static void one_object_at_a_time(struct kunit *test)
{
	read_beside(test, 64);
}

static void one_large_object_at_a_time(struct kunit *test)
{
	read_beside(test, 3 * PAGE_SIZE);
}

/* Reads the row of the CPU that does both calls, in a file. */
static void one_object_in_percpu(struct kunit *test)
{
	char *text = kunit_kzalloc(test, PAGE_SIZE, GFP_KERNEL), *line;
	unsigned int i, rows = 0, wrong = 0;
	unsigned long allocs, frees;
	struct mover mover;

	KUNIT_ASSERT_NOT_NULL(test, text);
	start_mover(test, &mover, 64);
	for (i = 0; go_on(&mover, i, FILE_READS); i++) {
		KUNIT_ASSERT_GT(test, api_read_file("pcslab/heaps/" NAME "/percpu", text,
						    PAGE_SIZE), 0);
		for (line = text; line; line = strchr(line + 1, '\n')) {
			if (sscanf(line, " 1 64 %lu %lu", &allocs, &frees) != 2)
				continue;
			rows++;
			wrong += below_zero(allocs, frees);
		}
	}
	KUNIT_EXPECT_GT(test, rows, 0u);
	KUNIT_EXPECT_EQ(test, wrong, 0u);
	stop_mover(test, &mover, FILE_READS);
}

static struct kunit_case cases[] = {
	KUNIT_CASE(one_object_at_a_time),
	KUNIT_CASE(one_large_object_at_a_time),
	KUNIT_CASE(one_object_in_percpu),
	{}
};

static struct kunit_suite suite = {
	.name = "pcslab_read",
	.init = api_init,
	.exit = api_exit,
	.test_cases = cases,
};

kunit_test_suite(suite);
