// SPDX-License-Identifier: GPL-2.0
/*
 * Contract 17, and what it takes to shrink and destroy heaps in use: a call is
 * stopped in the middle, and others want the magazines of its CPU. A task that
 * takes a cache out of service must wait for the calls that have found it
 * before. A task that holds the guard with preemption off acts as such a call,
 * and checks that nobody touches what it uses. In other cases somebody changes
 * what the call finds when it goes on.
 */
#include <kunit/test.h>
#include <linux/completion.h>
#include <linux/cpumask.h>
#include <linux/kthread.h>
#include <linux/ktime.h>
#include <linux/module.h>
#include <linux/sched.h>

#include <pcslab/pcslab.h>

#include "cache.h"
#include "internal.h"
#include "probe.h"
#include "quiet.h"

#define SIZE		64
#define OBJECTS		20
/* Milliseconds for others to begin, and then to go wrong */
#define PATIENCE	2000
#define STANDS		50
#define CPU		1

struct call {
	struct task_struct *task;
	struct pcslab_class *class;
	struct completion inside;
	unsigned int stands;
	bool wanted, disturbed;
};

static struct pcslab_heap *heap;
static int forgotten;

static void fill_magazine(void)
{
	void *obj[OBJECTS];
	unsigned int i;

	for (i = 0; i < OBJECTS; i++)
		obj[i] = pcslab_alloc(heap, SIZE, GFP_KERNEL | __GFP_NOFAIL);
	for (i = 0; i < OBJECTS; i++)
		pcslab_free(obj[i]);
}

static void stand_still(struct call *call, struct pcslab_cpu *c)
{
	struct pcslab_magazine *loaded = c->loaded;
	ktime_t end = ktime_add_ms(ktime_get(), PATIENCE);
	struct pcslab_round *top = c->top;

	while (ktime_before(ktime_get(), end)) {
		if (!call->wanted && READ_ONCE(c->out)) {
			call->wanted = true;
			end = ktime_add_ms(ktime_get(), call->stands);
		}
		call->disturbed |= READ_ONCE(c->loaded) != loaded ||
				   READ_ONCE(c->top) != top;
		cpu_relax();
	}
}

static int make_call(void *arg)
{
	struct call *call = arg;
	struct pcslab_cpu *c;

	fill_magazine();
	call->class = pcslab_class_at(heap, pcslab_class_index(SIZE));
	preempt_disable();
	c = pcslab_this_cache(call->class);
	call->disturbed = !c->loaded || !guard_enter(c);
	complete(&call->inside);
	if (!call->disturbed) {
		stand_still(call, c);
		guard_exit(c);
	}
	preempt_enable();
	return 0;
}

/* @act must not get the CPU's cache before the call there has ended. */
static void call_is_waited_for(struct kunit *test, void (*act)(struct pcslab_heap *heap),
			       unsigned int stands)
{
	struct call call = { .stands = stands };

	init_completion(&call.inside);
	KUNIT_ASSERT_EQ(test, set_cpus_allowed_ptr(current, cpumask_of(0)), 0);
	call.task = kthread_create_on_cpu(make_call, &call, CPU, "pcslab-call/%u");
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, call.task);
	get_task_struct(call.task);
	wake_up_process(call.task);
	wait_for_completion(&call.inside);
	act(heap);
	kthread_stop(call.task);
	put_task_struct(call.task);
	KUNIT_EXPECT_TRUE(test, call.wanted);
	KUNIT_EXPECT_FALSE(test, call.disturbed);
}

static void shrink(struct pcslab_heap *heap)
{
	pcslab_heap_shrink(heap);
}

static void shrink_waits(struct kunit *test)
{
	call_is_waited_for(test, shrink, STANDS);
	expect_quiet(test, heap);
}

static void destroy_waits(struct kunit *test)
{
	call_is_waited_for(test, pcslab_heap_destroy, STANDS);
	heap = NULL;
}

static void destroy_and_forget(struct pcslab_heap *heap)
{
	pcslab_heap_destroy(heap);
	forgotten = run_shell("echo kunit-visit >/sys/module/pcslab/parameters/forget");
}

/* A zombie is given up once its caches are empty. Its object is lost. */
static void forget_waits(struct kunit *test)
{
	if (IS_ENABLED(CONFIG_DEBUG_KMEMLEAK))
		kunit_skip(test, "an object is lost");
	KUNIT_ASSERT_NOT_NULL(test, pcslab_alloc(heap, SIZE, GFP_KERNEL));
	call_is_waited_for(test, destroy_and_forget, 10 * STANDS);
	heap = NULL;
	KUNIT_EXPECT_EQ(test, forgotten, 0);
}

static void *kept[OBJECTS];
static unsigned int nr_kept, left_over;

/* Gives the CPU an object, so it does not need the slab that it is getting. */
static int free_meanwhile(struct kprobe *probe, struct pt_regs *regs)
{
	if (nr_kept) {
		pcslab_free(kept[--nr_kept]);
		left_over++;
	}
	return 0;
}

static struct kprobe at_get_slab = {
	.symbol_name = "pcslab:pcslab_depot_get_slab",
	.pre_handler = free_meanwhile,
	.post_handler = stay_breakpoint,
};

/* A slab that a call did not need goes to the depot, and goes back with it. */
static void slab_is_left_over(struct kunit *test)
{
	unsigned int i;
	void *obj;

	nr_kept = 0;
	left_over = 0;
	KUNIT_ASSERT_EQ(test, register_kprobe(&at_get_slab), 0);
	for (i = 0; i < OBJECTS; i++) {
		obj = pcslab_alloc(heap, 4096, GFP_KERNEL | __GFP_NOFAIL);
		kept[nr_kept++] = obj;
	}
	unregister_kprobe(&at_get_slab);
	KUNIT_EXPECT_GT(test, left_over, 0);
	while (nr_kept)
		pcslab_free(kept[--nr_kept]);
	pcslab_heap_shrink(heap);
	expect_quiet(test, heap);
	/* Each slab has a reference; the one that is left is the owner's. */
	KUNIT_EXPECT_EQ(test, refcount_read(&heap->refs), 1);
}

static int make_heap(struct kunit *test)
{
	heap = pcslab_heap_create("kunit-visit", NULL);
	return PTR_ERR_OR_ZERO(heap);
}

static void drop_heap(struct kunit *test)
{
	pcslab_heap_destroy(heap);
}

static struct kunit_case cases[] = {
	KUNIT_CASE(shrink_waits),
	KUNIT_CASE(destroy_waits),
	KUNIT_CASE(forget_waits),
	KUNIT_CASE(slab_is_left_over),
	{}
};

static struct kunit_suite suite = {
	.name = "pcslab_visit",
	.init = make_heap,
	.exit = drop_heap,
	.test_cases = cases,
};

kunit_test_suite(suite);

MODULE_DESCRIPTION("KUnit tests of pcslab: visits wait for calls");
MODULE_LICENSE("GPL");
MODULE_INFO(import_ns, "PCSLAB");
