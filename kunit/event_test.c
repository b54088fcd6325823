// SPDX-License-Identifier: GPL-2.0
/*
 * Contracts 6 and 15: a heap with a flight recorder takes the slow path, one
 * that had one takes the fast path again, and its books do not notice. What
 * recorders tell is tested by ../scripts/runs/events.run.
 */
#include <linux/err.h>
#include <linux/kthread.h>
#include <linux/prandom.h>
#include <linux/slab.h>

#include "live.h"
#include "oracle.h"
#include "quiet.h"

#define WORKERS		4
#define HELD		64
#define TOGGLES		20
#define BRIEF		40
#define EVENTS		"/sys/kernel/debug/pcslab/heaps/toggled/events"

static void choose(struct kunit *test, const char *names)
{
	char command[96];

	snprintf(command, sizeof(command), "echo '%s' >/sys/module/pcslab/parameters/record",
		 names);
	KUNIT_EXPECT_EQ(test, run_shell(command), 0);
}

/* Does this CPU's slot point to the cache, and not to @always_busy? */
static bool is_fast(struct pcslab_heap *heap, size_t size)
{
	struct pcslab_cpu * __percpu *slots = heap->caches + pcslab_class_index(size);
	unsigned long slot = (unsigned long)raw_cpu_read(*slots);

	return !(slot & (sizeof(struct pcslab_cpu) - 1));
}

static void use(struct pcslab_heap *heap, size_t size)
{
	pcslab_free(pcslab_alloc(heap, size, GFP_KERNEL));
}

static void fast_path_comes_back(struct kunit *test)
{
	struct pcslab_heap *heap = new_heap(test, "watched");
	bool fast = !(heap->flags & PCSLAB_CHECKED);
	unsigned int i;

	migrate_disable();
	use(heap, 64);
	for (i = 0; i < 3; i++) {
		use(heap, 64);
		KUNIT_EXPECT_EQ(test, is_fast(heap, 64), fast);
		choose(test, "other,watch*");
		use(heap, 64);
		use(heap, 512);		/* at first, a class that is made now */
		KUNIT_EXPECT_FALSE(test, is_fast(heap, 64));
		KUNIT_EXPECT_FALSE(test, is_fast(heap, 512));
		choose(test, i == 1 ? "other" : "0");
		use(heap, 64);
	}
	KUNIT_EXPECT_EQ(test, is_fast(heap, 64), fast);
	choose(test, "0");
	migrate_enable();
	expect_quiet(test, heap);
	destroy_heap(test, heap);
}

/* A thread that allocates and frees, and knows how often. */
struct worker {
	struct pcslab_heap *heap;
	struct task_struct *task;
	struct rnd_state random;
	void *held[HELD];
	u64 allocs;
};

static int work(void *data)
{
	struct worker *worker = data;
	unsigned int i;

	while (!kthread_should_stop()) {
		i = prandom_u32_state(&worker->random) % HELD;
		pcslab_free(worker->held[i]);
		worker->held[i] = pcslab_alloc(worker->heap, i % 2 ? 64 : 3000, GFP_KERNEL);
		worker->allocs += !!worker->held[i];
		cond_resched();
	}
	for (i = 0; i < HELD; i++)
		pcslab_free(worker->held[i]);
	return 0;
}

/* Each call is counted once, on whichever path it is. */
static void books_do_not_notice(struct kunit *test)
{
	struct worker *workers = kunit_kcalloc(test, WORKERS, sizeof(*workers), GFP_KERNEL);
	struct pcslab_heap *heap = new_heap(test, "toggled");
	static struct pcslab_stats st;
	u64 allocs = 0, counted = 0;
	unsigned int i;

	KUNIT_ASSERT_NOT_NULL(test, workers);
	for (i = 0; i < WORKERS; i++) {
		workers[i].heap = heap;
		prandom_seed_state(&workers[i].random, i);
		workers[i].task = kthread_run(work, &workers[i], "pcslab-worker");
		KUNIT_ASSERT_FALSE(test, IS_ERR(workers[i].task));
	}
	for (i = 0; i < TOGGLES; i++) {
		choose(test, i % 2 ? "0" : "1");
		KUNIT_EXPECT_EQ(test, run_shell("cat " EVENTS " >/dev/null"), 0);
	}
	for (i = 0; i < WORKERS; i++) {
		kthread_stop(workers[i].task);
		allocs += workers[i].allocs;
	}
	KUNIT_ASSERT_EQ(test, pcslab_heap_stats(heap, &st), 0);
	for (i = 0; i < PCSLAB_NR_CLASSES; i++)
		counted += st.class[i].allocs;
	KUNIT_EXPECT_GT(test, allocs, 1000ull);
	KUNIT_EXPECT_EQ(test, counted, allocs);
	KUNIT_EXPECT_EQ(test, stats_live(&st), 0ull);
	expect_quiet(test, heap);
	destroy_heap(test, heap);
}

/* The file of a recorder is added while the heap is on its way out, or not. */
static void heaps_go_meanwhile(struct kunit *test)
{
	static const char toggle[] =
		"cd /sys/module/pcslab/parameters; rm -f /tmp/stop /tmp/toggled; "
		"(while [ ! -e /tmp/stop ]; do echo 1 >record; echo 0 >record; "
		"echo >>/tmp/toggled; done; rm /tmp/stop) >/dev/null 2>&1 &";
	static const char stop[] =
		"touch /tmp/stop; while [ -e /tmp/stop ]; do sleep 0.1; done; "
		"[ $(wc -l </tmp/toggled) -gt 50 ]";
	struct pcslab_heap *heap;
	unsigned int i;

	KUNIT_ASSERT_EQ(test, run_shell(toggle), 0);
	for (i = 0; i < BRIEF; i++) {
		heap = new_heap(test, "brief");
		use(heap, 64);
		destroy_heap(test, heap);
	}
	KUNIT_EXPECT_EQ(test, run_shell(stop), 0);
	KUNIT_EXPECT_NE(test, run_shell("[ -e /sys/kernel/debug/pcslab/heaps/brief ]"), 0);
}

static struct kunit_case event_cases[] = {
	KUNIT_CASE(fast_path_comes_back),
	KUNIT_CASE(books_do_not_notice),
	KUNIT_CASE(heaps_go_meanwhile),
	{}
};

static struct kunit_suite event_suite = {
	.name = "pcslab_event",
	.init = cpu_suite_init,
	.test_cases = event_cases,
};

kunit_test_suites(&event_suite);
