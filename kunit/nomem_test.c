// SPDX-License-Identifier: GPL-2.0
/*
 * Contract 13: of all requests for memory that a call makes, one fails at a
 * time, and nothing may be lost then
 *
 * The kernel's fail_nth does this, for this task alone: for pages, for what
 * src/fault.c fails and, if the kernel has failslab, for kmalloc.
 */
#include <linux/fault-inject.h>
#include <linux/percpu.h>
#include <linux/sched.h>

#include "oracle.h"

/* A call with more requests than this would not end. */
#define MAX_REQUESTS	500

/* Sets a control of the failures of kmalloc and of those of pages. */
static void set_all(struct kunit *test, const char *control, const char *value)
{
	char command[96];

	snprintf(command, sizeof(command),
		 "for control in /sys/kernel/debug/fail*/%s; do echo %s >$control; done",
		 control, value);
	KUNIT_ASSERT_EQ(test, run_shell(command), 0);
}

/*
 * Fail requests that may sleep, too, and those for a single page; without a
 * message.
 */
static int nomem_init(struct kunit *test)
{
	set_all(test, "ignore-gfp-wait", "N");
	set_all(test, "min-order", "0");
	set_all(test, "verbose", "0");
	return cpu_suite_init(test);
}

struct attempt {
	struct pcslab_heap *heap;
	size_t size;
	gfp_t gfp;
	void *obj;
};

/* Returns false if none failed, as the call made fewer than @nth requests. */
static bool fail_nth(void (*call)(struct attempt *), struct attempt *attempt, unsigned int nth)
{
	unsigned int left;

	current->fail_nth = nth;
	call(attempt);
	left = current->fail_nth;
	current->fail_nth = 0;
	return !left;
}

/* A lost object or page would keep its heap forever. */
static void expect_no_zombie(struct kunit *test)
{
	destroy_heap(test, new_heap(test, "nomem"));
}

static void create(struct attempt *attempt)
{
	attempt->heap = pcslab_heap_create("nomem", NULL);
}

/* A heap works even if its files could not be made. */
static void heap_is_whole_or_not_there(struct kunit *test)
{
	struct attempt attempt = {};
	unsigned int nth, fails = 0;
	bool failed = true;

	for (nth = 1; failed && nth < MAX_REQUESTS; nth++) {
		failed = fail_nth(create, &attempt, nth);
		if (IS_ERR(attempt.heap)) {
			KUNIT_EXPECT_EQ(test, PTR_ERR(attempt.heap), -ENOMEM);
			fails++;
			continue;
		}
		attempt.obj = pcslab_alloc(attempt.heap, 64, GFP_KERNEL);
		KUNIT_EXPECT_NOT_NULL(test, attempt.obj);
		pcslab_free(attempt.obj);
		pcslab_heap_destroy(attempt.heap);
	}
	KUNIT_EXPECT_FALSE(test, failed);
	expect_no_zombie(test);
	if (IS_ENABLED(CONFIG_FAILSLAB))
		KUNIT_EXPECT_EQ(test, fails, 1u);
}

static void alloc(struct attempt *attempt)
{
	attempt->obj = pcslab_alloc(attempt->heap, attempt->size, attempt->gfp);
}

/*
 * True if the call failed once, was counted once, and changed nothing else; or
 * if it returned one object.
 */
static bool all_or_nothing(struct kunit *test, const struct attempt *attempt)
{
	unsigned int index = size_index(attempt->size);
	static struct pcslab_stats st;

	KUNIT_ASSERT_EQ(test, pcslab_heap_stats(attempt->heap, &st), 0);
	return stats_live(&st) == !!attempt->obj &&
	       (index == PCSLAB_LARGE ? st.large_fails : st.class[index].fails) == !attempt->obj;
}

/*
 * Uses a new heap each time, so that all of a class has to be made. Returns the
 * number of failures.
 */
static unsigned int fail_first_alloc(struct kunit *test, size_t size, gfp_t gfp)
{
	struct attempt attempt = { .size = size, .gfp = gfp };
	unsigned int nth, fails = 0;
	bool failed = true;

	for (nth = 1; failed && nth < MAX_REQUESTS; nth++) {
		attempt.heap = new_heap(test, "nomem");
		failed = fail_nth(alloc, &attempt, nth);
		KUNIT_EXPECT_TRUE_MSG(test, all_or_nothing(test, &attempt),
				      "size %zu, request %u", size, nth);
		fails += !attempt.obj;
		pcslab_free(attempt.obj);
		pcslab_heap_destroy(attempt.heap);
	}
	KUNIT_EXPECT_FALSE(test, failed);
	expect_no_zombie(test);
	KUNIT_EXPECT_GT(test, nth, 2u);
	return fails;
}

static const size_t nomem_sizes[] = { 64, 8192, 3 * PAGE_SIZE };

static void allocated_or_counted(struct kunit *test)
{
	static const gfp_t flags[] = { GFP_KERNEL, GFP_ATOMIC, GFP_KERNEL | __GFP_THISNODE };
	unsigned int i, k;

	for (i = 0; i < ARRAY_SIZE(nomem_sizes); i++) {
		for (k = 0; k < ARRAY_SIZE(flags); k++)
			KUNIT_EXPECT_NE(test, 0u,
					fail_first_alloc(test, nomem_sizes[i], flags[k]));
	}
}

static void nofail_does_not_fail(struct kunit *test)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(nomem_sizes); i++)
		KUNIT_EXPECT_EQ(test, 0u, fail_first_alloc(test, nomem_sizes[i],
							   GFP_KERNEL | __GFP_NOFAIL));
}

/* More than the kernel keeps ready for atomic allocations. */
#define PERCPU_OBJECTS	20000

/* Takes per-CPU memory until there is none; the caller has interrupts off. */
static unsigned int take_percpu_memory(void __percpu **objs)
{
	unsigned int i;

	for (i = 0; i < PERCPU_OBJECTS; i++) {
		objs[i] = __alloc_percpu_gfp(sizeof(void *), sizeof(void *),
					     GFP_ATOMIC | __GFP_NOWARN);
		if (!objs[i])
			break;
	}
	return i;
}

/*
 * The pointers to the caches are allocated with the heap, so its first object
 * needs no per-CPU memory.
 */
static void no_percpu_memory(struct kunit *test)
{
	void __percpu **objs = kvcalloc(PERCPU_OBJECTS, sizeof(*objs), GFP_KERNEL);
	struct attempt attempt = { .size = 64, .gfp = GFP_ATOMIC | __GFP_NOWARN };
	unsigned int i, nr;

	if (IS_ENABLED(CONFIG_PREEMPT_RT))
		kunit_skip(test, "nothing may be allocated so on RT");
	KUNIT_ASSERT_NOT_NULL(test, objs);
	attempt.heap = new_heap(test, "nomem");
	local_irq_disable();
	nr = take_percpu_memory(objs);
	alloc(&attempt);
	local_irq_enable();
	for (i = 0; i < nr; i++)
		free_percpu(objs[i]);
	kvfree(objs);
	KUNIT_EXPECT_LT(test, nr, PERCPU_OBJECTS);
	KUNIT_EXPECT_NOT_NULL(test, attempt.obj);
	KUNIT_EXPECT_TRUE(test, all_or_nothing(test, &attempt));
	pcslab_free(attempt.obj);
	destroy_heap(test, attempt.heap);
}

static struct kunit_case nomem_cases[] = {
	KUNIT_CASE(heap_is_whole_or_not_there),
	KUNIT_CASE(allocated_or_counted),
	KUNIT_CASE(nofail_does_not_fail),
	KUNIT_CASE(no_percpu_memory),
	{}
};

static struct kunit_suite suite = {
	.name = "pcslab_nomem",
	.init = nomem_init,
	.test_cases = nomem_cases,
};

kunit_test_suite(suite);
