// SPDX-License-Identifier: GPL-2.0
/*
 * Contracts 4, 7 and 13: a call that gets no memory loses nothing and counts
 * as a failure only, frees never fail, and a CPU without caches stays down.
 * Calls of some heaps can be made to fail, by name
 *
 * src/fault.c injects failures on demand. They are confined to the test's own
 * task (task-filter), so that they hit nothing else.
 */
#include <linux/fault-inject.h>
#include <linux/mm.h>
#include <linux/sched.h>
#include <linux/slab.h>

#include "compat.h"
#include "oracle.h"

#define FAULT_OBJECTS	600
#define FAULT_OPS	6000

static const size_t fault_sizes[] = { 8, 64, 200, 1024, 3000, 8192, 30000 };

/* Fails @percent of every @interval-th request. */
static void start_failing(struct kunit *test, unsigned int percent, unsigned int interval)
{
	char command[256];

	snprintf(command, sizeof(command),
		 "cd /sys/kernel/debug/pcslab/fail_pages && echo Y >task-filter && echo %u >interval && echo -1 >times && echo %u >probability",
		 interval, percent);
	KUNIT_ASSERT_EQ(test, run_shell(command), 0);
	current->make_it_fail = 1;
}

static void stop_failing(struct kunit *test)
{
	current->make_it_fail = 0;
	KUNIT_EXPECT_EQ(test, run_shell("echo 0 >/sys/kernel/debug/pcslab/fail_pages/probability"),
			0);
}

#define FAIL_CALLS	"cd /sys/kernel/debug/pcslab/fail_pcslab && "

/* Calls of this task fail on the heaps that are set by fail_heaps(). */
static void start_failing_calls(struct kunit *test)
{
	KUNIT_ASSERT_EQ(test, run_shell(FAIL_CALLS "echo 0 >verbose && echo Y >task-filter"), 0);
	KUNIT_ASSERT_EQ(test, run_shell(FAIL_CALLS "echo N >ignore-gfp-wait && echo -1 >times"), 0);
	KUNIT_ASSERT_EQ(test, run_shell(FAIL_CALLS "echo 100 >probability"), 0);
	current->make_it_fail = 1;
}

static void fail_heaps(struct kunit *test, const char *names)
{
	char command[128];

	snprintf(command, sizeof(command), FAIL_CALLS "echo '%s' >heap-filter", names);
	KUNIT_ASSERT_EQ(test, run_shell(command), 0);
}

static void stop_failing_calls(struct kunit *test)
{
	static const char command[] = FAIL_CALLS
		"echo 0 >probability && echo Y >ignore-gfp-wait && echo >heap-filter";

	current->make_it_fail = 0;
	KUNIT_EXPECT_EQ(test, run_shell(command), 0);
}

static void fault_exit(struct kunit *test)
{
	stop_failing(test);
	stop_failing_calls(test);
}

static void expect_only_fails(struct kunit *test, struct pcslab_heap *heap,
			      struct pcslab_stats *before, unsigned int index)
{
	static struct pcslab_stats after;

	if (index == PCSLAB_LARGE)
		before->large_fails++;
	else
		before->class[index].fails++;
	KUNIT_ASSERT_EQ(test, pcslab_heap_stats(heap, &after), 0);
	KUNIT_EXPECT_EQ_MSG(test, memcmp(before, &after, sizeof(after)), 0, "class %u", index);
	*before = after;
}

/* Every class and large: one counter changes, by one, and nothing else. */
static void fail_everywhere(struct kunit *test, struct pcslab_heap *heap)
{
	static struct pcslab_stats st;
	unsigned int i;
	size_t size;

	KUNIT_ASSERT_EQ(test, pcslab_heap_stats(heap, &st), 0);
	for (i = 0; i <= PCSLAB_LARGE; i++) {
		size = i == PCSLAB_LARGE ? 3 * PAGE_SIZE : pcslab_class_size(i);
		KUNIT_EXPECT_NULL(test, pcslab_alloc(heap, size, GFP_KERNEL));
		expect_only_fails(test, heap, &st, size_index(size));
		KUNIT_EXPECT_NULL(test, pcslab_alloc(heap, size, GFP_ATOMIC));
		expect_only_fails(test, heap, &st, size_index(size));
		KUNIT_EXPECT_NULL(test, pcslab_alloc_node(heap, size, GFP_KERNEL, 0));
		expect_only_fails(test, heap, &st, size_index(size));
	}
}

static void empty_heap_fails(struct kunit *test)
{
	struct pcslab_heap *heap = new_heap(test, "nothing");

	start_failing(test, 100, 1);
	fail_everywhere(test, heap);
	stop_failing(test);
	expect_quiet(test, heap);
	destroy_heap(test, heap);
}

/* Take all that is cached, on the current CPU. */
static unsigned int exhaust(struct pcslab_heap *heap, size_t size, void **obj, unsigned int nr)
{
	unsigned int i;

	for (i = 0; i < nr; i++) {
		obj[i] = pcslab_alloc(heap, size, GFP_KERNEL);
		if (!obj[i])
			break;
	}
	return i;
}

/*
 * With cached objects: all of them are handed out, then the call fails. Again
 * only one counter changes. A failed realloc leaves the object as it was.
 */
static void exhausted_class_fails(struct kunit *test)
{
	void **obj = kunit_kcalloc(test, FAULT_OBJECTS, sizeof(*obj), GFP_KERNEL);
	struct pcslab_heap *heap = new_heap(test, "exhausted");
	static struct pcslab_stats st;
	unsigned int i, j, nr;

	KUNIT_ASSERT_NOT_NULL(test, obj);
	move_to(test, 1);
	/*
	 * Make the class of large objects here, so that below only pages are
	 * missing.
	 */
	pcslab_free(pcslab_alloc(heap, 3 * PAGE_SIZE, GFP_KERNEL));
	for (i = 0; i < ARRAY_SIZE(fault_sizes) - 1; i++) {
		pcslab_free(pcslab_alloc(heap, fault_sizes[i], GFP_KERNEL));
		start_failing(test, 100, 1);
		nr = exhaust(heap, fault_sizes[i], obj, FAULT_OBJECTS);
		KUNIT_EXPECT_GT(test, nr, 0u);
		KUNIT_ASSERT_LT(test, nr, FAULT_OBJECTS);
		KUNIT_ASSERT_EQ(test, pcslab_heap_stats(heap, &st), 0);
		for (j = 0; j < 20; j++) {
			KUNIT_EXPECT_NULL(test, pcslab_alloc(heap, fault_sizes[i], GFP_KERNEL));
			expect_only_fails(test, heap, &st, size_index(fault_sizes[i]));
		}
		KUNIT_EXPECT_NULL(test, pcslab_realloc(heap, obj[0], 3 * PAGE_SIZE, GFP_KERNEL));
		expect_only_fails(test, heap, &st, PCSLAB_LARGE);
		KUNIT_EXPECT_EQ(test, pcslab_usable_size(obj[0]), size_usable(fault_sizes[i]));
		for (j = 0; j < nr; j++)
			pcslab_free(obj[j]);
		stop_failing(test);
	}
	expect_quiet(test, heap);
	move_anywhere();
	destroy_heap(test, heap);
}

struct faulty {
	struct pcslab_heap *heap;
	struct oracle oracle;
	void *obj[FAULT_OBJECTS];
	size_t size[FAULT_OBJECTS];
	unsigned int fails;
};

static void faulty_alloc(struct faulty *faulty, unsigned int i)
{
	size_t size = fault_sizes[random_u32() % ARRAY_SIZE(fault_sizes)];
	unsigned int index = size_index(size);

	faulty->obj[i] = pcslab_alloc(faulty->heap, size, random_u32() % 2 ? GFP_KERNEL :
				      GFP_ATOMIC);
	faulty->size[i] = size;
	if (!faulty->obj[i]) {
		faulty->oracle.fails[index]++;
		faulty->fails++;
		return;
	}
	faulty->oracle.allocs[0][index]++;
	if (index == PCSLAB_LARGE)
		faulty->oracle.large_alloc_bytes += size_usable(size);
}

static void faulty_free(struct faulty *faulty, unsigned int i)
{
	unsigned int index = size_index(faulty->size[i]);

	pcslab_free(faulty->obj[i]);
	faulty->obj[i] = NULL;
	faulty->oracle.frees[0][index]++;
	if (index == PCSLAB_LARGE)
		faulty->oracle.large_free_bytes += size_usable(faulty->size[i]);
}

static void fail_at(struct kunit *test, unsigned int percent)
{
	struct faulty *faulty = kunit_kzalloc(test, sizeof(*faulty), GFP_KERNEL);
	unsigned int op, i;

	KUNIT_ASSERT_NOT_NULL(test, faulty);
	faulty->heap = new_heap(test, "faulty");
	start_failing(test, percent, 1);
	for (op = 0; op < FAULT_OPS; op++) {
		if (op % 200 == 0)
			move_to(test, op / 200 % num_online_cpus());
		i = random_u32() % FAULT_OBJECTS;
		if (faulty->obj[i])
			faulty_free(faulty, i);
		else
			faulty_alloc(faulty, i);
		if (op % 16 == 0 && !books_match(test, faulty->heap, &faulty->oracle)) {
			KUNIT_FAIL(test, "the books are wrong after operation %u", op);
			break;
		}
	}
	KUNIT_EXPECT_GT(test, faulty->fails, 0u);
	for (i = 0; i < FAULT_OBJECTS; i++) {
		if (faulty->obj[i])
			faulty_free(faulty, i);
	}
	KUNIT_EXPECT_TRUE(test, books_match(test, faulty->heap, &faulty->oracle));
	expect_quiet(test, faulty->heap);
	stop_failing(test);
	move_anywhere();
	destroy_heap(test, faulty->heap);
}

/*
 * No object and no page is lost: after the frees the heap leaves nothing
 * behind.
 */
static void some_fail(struct kunit *test)
{
	fail_at(test, 10);
	fail_at(test, 30);
	fail_at(test, 90);
}

/*
 * A CPU without a magazine gets no memory for one: the free succeeds all the
 * same.
 */
static void free_never_fails(struct kunit *test)
{
	void **obj = kunit_kcalloc(test, FAULT_OBJECTS, sizeof(*obj), GFP_KERNEL);
	struct pcslab_heap *heap = new_heap(test, "never");
	static struct pcslab_stats st;
	unsigned int cpu, i;

	KUNIT_ASSERT_NOT_NULL(test, obj);
	for_each_online_cpu(cpu) {
		move_to(test, 0);
		for (i = 0; i < FAULT_OBJECTS; i++) {
			obj[i] = pcslab_alloc(heap, fault_sizes[i % ARRAY_SIZE(fault_sizes)],
					      GFP_KERNEL);
			KUNIT_ASSERT_NOT_NULL(test, obj[i]);
		}
		move_to(test, cpu);
		start_failing(test, 100, 1);
		for (i = 0; i < FAULT_OBJECTS; i++)
			pcslab_free(obj[i]);
		stop_failing(test);
		KUNIT_ASSERT_EQ(test, pcslab_heap_stats(heap, &st), 0);
		KUNIT_EXPECT_EQ(test, stats_live(&st), 0ull);
		expect_quiet(test, heap);
	}
	move_anywhere();
	destroy_heap(test, heap);
}

/*
 * A CPU stays down if any of its caches can't be allocated, and nothing is
 * counted for it.
 */
static void cpu_stays_down(struct kunit *test)
{
	static const unsigned int intervals[] = { 1, 2, 5, 20 };
	struct pcslab_heap *heap = new_heap(test, "bringup");
	static struct pcslab_stats before, after;
	unsigned int i;

	for (i = 0; i < PCSLAB_NR_CLASSES; i++)
		pcslab_free(pcslab_alloc(heap, pcslab_class_size(i), GFP_KERNEL));
	take_down(test, 3);
	KUNIT_ASSERT_EQ(test, pcslab_heap_stats(heap, &before), 0);
	for (i = 0; i < ARRAY_SIZE(intervals); i++) {
		start_failing(test, 100, intervals[i]);
		KUNIT_EXPECT_NE(test, add_cpu(3), 0);
		stop_failing(test);
		KUNIT_EXPECT_FALSE(test, cpu_online(3));
		KUNIT_ASSERT_EQ(test, pcslab_heap_stats(heap, &after), 0);
		expect_same_totals(test, &before, &after);
		KUNIT_EXPECT_NULL(test, pcslab_cpu_of(heap->class[0], 3));
	}
	bring_up(test, 3);
	move_to(test, 3);
	pcslab_free(pcslab_alloc(heap, 64, GFP_KERNEL));
	move_anywhere();
	expect_quiet(test, heap);
	destroy_heap(test, heap);
}

/*
 * Free objects of node 0 must not serve a call that insists on node 1, but must
 * serve a call that only prefers node 1.
 */
static void this_node_or_none(struct kunit *test)
{
	struct pcslab_heap *heap;
	void *alone, *obj;

	if (num_online_nodes() < 2)
		kunit_skip(test, "one node only");
	heap = new_heap(test, "thisnode");
	move_to(test, cpumask_first(cpumask_of_node(0)));
	pcslab_free(pcslab_alloc(heap, 64, GFP_KERNEL));
	start_failing(test, 100, 1);
	alone = pcslab_alloc_node(heap, 64, GFP_KERNEL | __GFP_THISNODE, 1);
	obj = pcslab_alloc_node(heap, 64, GFP_KERNEL, 1);
	stop_failing(test);
	KUNIT_EXPECT_NULL(test, alone);
	KUNIT_ASSERT_NOT_NULL(test, obj);
	KUNIT_EXPECT_EQ(test, page_to_nid(virt_to_page(obj)), 0);
	pcslab_free(alone);
	pcslab_free(obj);
	move_anywhere();
	destroy_heap(test, heap);
}

/* Returns the order of the slab, or a negative number. */
/* Larger pages fail from @fail_order on, but not those of the heap itself. */
static int order_of_first_slab(struct kunit *test, size_t size, unsigned int fail_order)
{
	struct pcslab_heap *heap = new_heap(test, "orders");
	void *obj;
	int order;

	fail_large_pages(test, true, fail_order);
	obj = pcslab_alloc(heap, size, GFP_KERNEL | __GFP_NOWARN);
	fail_large_pages(test, false, fail_order);
	order = obj ? (int)compound_order(virt_to_head_page(obj)) : -1;
	pcslab_free(obj);
	pcslab_heap_destroy(heap);
	return order;
}

/*
 * If no full-size slab can be had, every class uses a slab of the pages that
 * one object needs.
 */
static void smallest_slab_will_do(struct kunit *test)
{
	unsigned int i, full = 0;
	size_t size;
	int order;

	for (i = 0; i < PCSLAB_NR_CLASSES; i++) {
		size = pcslab_class_size(i);
		order = get_order(size);
		if (pcslab_class_index(size) != i)
			continue;
		full += order_of_first_slab(test, size, MAX_PAGE_ORDER) > order;
		KUNIT_EXPECT_EQ_MSG(test, order_of_first_slab(test, size, order + 1), order,
				    "%zu bytes", size);
	}
	KUNIT_EXPECT_GT(test, full, 0u);
}

/* Do calls of all kinds fail, and are they counted as failures only? */
static void expect_calls_fail(struct kunit *test, struct pcslab_heap *heap)
{
	void *obj;

	fail_everywhere(test, heap);
	KUNIT_EXPECT_PTR_EQ(test, pcslab_alloc(heap, 0, GFP_KERNEL), ZERO_SIZE_PTR);
	obj = pcslab_alloc(heap, 64, GFP_KERNEL | __GFP_NOFAIL);
	KUNIT_ASSERT_NOT_NULL(test, obj);
	KUNIT_EXPECT_NULL(test, pcslab_realloc(heap, obj, 1000, GFP_KERNEL));
	KUNIT_EXPECT_PTR_EQ(test, pcslab_heap_of(obj), heap);
	pcslab_free(obj);
}

static void expect_calls_work(struct kunit *test, struct pcslab_heap *heap)
{
	void *small = pcslab_alloc(heap, 64, GFP_KERNEL);
	void *large = pcslab_alloc(heap, 20000, GFP_KERNEL);

	KUNIT_EXPECT_NOT_NULL(test, small);
	KUNIT_EXPECT_NOT_NULL(test, large);
	pcslab_free(small);
	pcslab_free(large);
}

/*
 * Only the heaps that are named, whether they have free objects or not, and
 * whether they were there before or not.
 */
static void calls_fail_by_heap(struct kunit *test)
{
	struct pcslab_heap *heap = new_heap(test, "fail-one");
	struct pcslab_heap *other = new_heap(test, "other");
	struct pcslab_heap *later;

	expect_calls_work(test, heap);
	start_failing_calls(test);
	expect_calls_work(test, heap);
	fail_heaps(test, "x,fail-*");
	later = new_heap(test, "fail-two");
	expect_calls_fail(test, heap);
	expect_calls_fail(test, later);
	expect_calls_work(test, other);
	fail_heaps(test, "other");
	expect_calls_fail(test, other);
	expect_calls_work(test, heap);
	expect_calls_work(test, later);
	stop_failing_calls(test);
	expect_calls_work(test, other);
	expect_quiet(test, heap);
	expect_quiet(test, other);
	destroy_heap(test, heap);
	destroy_heap(test, later);
	destroy_heap(test, other);
}

/* As with failslab, calls that may sleep do not fail by default. */
static void waiting_calls_are_spared(struct kunit *test)
{
	struct pcslab_heap *heap = new_heap(test, "fail-gfp");

	start_failing_calls(test);
	fail_heaps(test, "fail-gfp");
	KUNIT_EXPECT_EQ(test, run_shell(FAIL_CALLS "echo Y >ignore-gfp-wait"), 0);
	expect_calls_work(test, heap);
	KUNIT_EXPECT_NULL(test, pcslab_alloc(heap, 64, GFP_ATOMIC));
	KUNIT_EXPECT_NULL(test, pcslab_alloc(heap, 20000, GFP_NOWAIT));
	stop_failing_calls(test);
	destroy_heap(test, heap);
}

/* A heap that is named no longer uses its fast path again. */
static void fast_path_comes_back(struct kunit *test)
{
	struct pcslab_heap *heap = new_heap(test, "fail-fast");
	struct pcslab_class *class;
	struct pcslab_cpu *c;

	move_to(test, 1);
	pcslab_free(pcslab_alloc(heap, 64, GFP_KERNEL));
	class = heap->class[size_index(64)];
	c = pcslab_cpu_of(class, 1);
	fail_heaps(test, "fail-fast");
	pcslab_free(pcslab_alloc(heap, 64, GFP_KERNEL));
	KUNIT_EXPECT_PTR_NE(test, READ_ONCE(*per_cpu_ptr(class->caches, 1)), c);
	fail_heaps(test, "");
	pcslab_free(pcslab_alloc(heap, 64, GFP_KERNEL));
	KUNIT_EXPECT_PTR_EQ(test, READ_ONCE(*per_cpu_ptr(class->caches, 1)), c);
	move_anywhere();
	destroy_heap(test, heap);
}

/* What is no list of names is refused, and what was there stays. */
static void filter_refuses_nonsense(struct kunit *test)
{
	static const char too_long[] = FAIL_CALLS
		"echo $(yes name-23 | head -n 70 | tr '\\n' ,)x >heap-filter";

	fail_heaps(test, "a,b*");
	KUNIT_EXPECT_NE(test, run_shell(FAIL_CALLS "echo a/b >heap-filter"), 0);
	KUNIT_EXPECT_NE(test, run_shell(FAIL_CALLS "echo a,, >heap-filter"), 0);
	KUNIT_EXPECT_NE(test, run_shell(too_long), 0);
	KUNIT_EXPECT_EQ(test, run_shell(FAIL_CALLS "[ \"$(cat heap-filter)\" = 'a,b*' ]"), 0);
	fail_heaps(test, "");
	KUNIT_EXPECT_EQ(test, run_shell(FAIL_CALLS "[ -z \"$(cat heap-filter)\" ]"), 0);
}

static struct kunit_case fault_cases[] = {
	KUNIT_CASE(empty_heap_fails),
	KUNIT_CASE(exhausted_class_fails),
	KUNIT_CASE(some_fail),
	KUNIT_CASE(free_never_fails),
	KUNIT_CASE(cpu_stays_down),
	KUNIT_CASE(this_node_or_none),
	KUNIT_CASE(smallest_slab_will_do),
	KUNIT_CASE(calls_fail_by_heap),
	KUNIT_CASE(waiting_calls_are_spared),
	KUNIT_CASE(fast_path_comes_back),
	KUNIT_CASE(filter_refuses_nonsense),
	{}
};

static struct kunit_suite suite = {
	.name = "pcslab_fault",
	.init = cpu_suite_init,
	.exit = fault_exit,
	.test_cases = fault_cases,
};

kunit_test_suite(suite);
