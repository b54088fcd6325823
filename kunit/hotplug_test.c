// SPDX-License-Identifier: GPL-2.0
/*
 * Contracts 7 and 8: what a dead CPU counted and cached moves to its proper
 * place, and its memory goes. Each case checks the totals and the words of each
 * CPU before, during and after CPUs went offline.
 *
 * load_test.c tests the totals under traffic.
 */
#include <linux/delay.h>
#include <linux/kthread.h>
#include <linux/slab.h>

#include "interrupt.h"
#include "oracle.h"
#include "params.h"
#include "probe.h"

#define DONATIONS	8

/*
 * The record of one class: the CPU that goes offline, CPU 0, and what CPU 0
 * inherited. With large objects, allocs are bytes freed.
 */
struct rows {
	u64 dead_allocs, dead_frees;
	u64 own_allocs, own_frees;
	struct pcslab_inherited inherited;
};

static void read_rows(struct pcslab_heap *heap, unsigned int cpu, struct rows *rows)
{
	struct pcslab_class *class;
	struct rows *row;

	pcslab_for_each_class(class, heap) {
		row = &rows[class->index];
		row->own_allocs = own_allocs(class, 0);
		row->own_frees = own_frees(class, 0);
		row->inherited = class->inherited;
		row->dead_allocs = own_allocs(class, cpu);
		row->dead_frees = own_frees(class, cpu);
	}
}

static void expect_donated(struct kunit *test, unsigned int i,
			   const struct rows *before, const struct rows *after)
{
	KUNIT_EXPECT_EQ_MSG(test, (u64)after->inherited.allocs,
			    before->inherited.allocs + before->dead_allocs, "class %u", i);
	KUNIT_EXPECT_EQ_MSG(test, (u64)after->inherited.frees,
			    before->inherited.frees + before->dead_frees, "class %u", i);
	KUNIT_EXPECT_EQ_MSG(test, after->own_allocs, before->own_allocs, "class %u", i);
	KUNIT_EXPECT_EQ_MSG(test, after->own_frees, before->own_frees, "class %u", i);
}

struct keep {
	struct pcslab_heap *heap;
	void *obj[PCSLAB_LARGE + 1][12];
};

/* Uses every class and large objects on the current CPU; a third stays live. */
static void use_all_classes(struct kunit *test, struct keep *keep)
{
	unsigned int i, j;
	size_t size;

	for (i = 0; i <= PCSLAB_LARGE; i++) {
		size = i == PCSLAB_LARGE ? PCSLAB_MAX_SIZE + 1 : pcslab_class_size(i);
		for (j = 0; j < ARRAY_SIZE(keep->obj[i]); j++) {
			pcslab_free(keep->obj[i][j]);
			keep->obj[i][j] = pcslab_alloc(keep->heap, size, GFP_KERNEL);
			KUNIT_ASSERT_NOT_NULL(test, keep->obj[i][j]);
		}
		for (j = 0; j < ARRAY_SIZE(keep->obj[i]) * 2 / 3; j++) {
			pcslab_free(keep->obj[i][j]);
			keep->obj[i][j] = NULL;
		}
	}
}

static void free_all(struct keep *keep)
{
	unsigned int i, j;

	for (i = 0; i <= PCSLAB_LARGE; i++) {
		for (j = 0; j < ARRAY_SIZE(keep->obj[i]); j++) {
			pcslab_free(keep->obj[i][j]);
			keep->obj[i][j] = NULL;
		}
	}
}

static struct keep *new_keep(struct kunit *test, const char *name)
{
	struct keep *keep = kunit_kzalloc(test, sizeof(*keep), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, keep);
	keep->heap = new_heap(test, name);
	return keep;
}

/* Every class has a cache for CPU @cpu, or none has one. */
static void expect_caches(struct kunit *test, struct pcslab_heap *heap,
			  unsigned int cpu, bool expected)
{
	struct pcslab_class *class;

	pcslab_for_each_class(class, heap)
		KUNIT_EXPECT_EQ_MSG(test, !!pcslab_cpu_of(class, cpu), expected,
				    "CPU %u, class %u", cpu, class->index);
}

static void expect_unchanged(struct kunit *test, struct pcslab_heap *heap,
			     const struct pcslab_stats *before)
{
	static struct pcslab_stats after;

	KUNIT_ASSERT_EQ(test, pcslab_heap_stats(heap, &after), 0);
	expect_same_totals(test, before, &after);
}

static void donate_once(struct kunit *test, struct keep *keep, unsigned int cpu)
{
	static struct rows before[PCSLAB_LARGE + 1], after[PCSLAB_LARGE + 1];
	static struct pcslab_stats st;
	unsigned int i;

	move_to(test, 0);
	use_all_classes(test, keep);
	move_to(test, cpu);
	use_all_classes(test, keep);
	move_to(test, 0);
	KUNIT_ASSERT_EQ(test, pcslab_heap_stats(keep->heap, &st), 0);

	read_rows(keep->heap, cpu, before);
	KUNIT_EXPECT_GT(test, before[0].dead_allocs, 0ull);
	take_down(test, cpu);
	read_rows(keep->heap, cpu, after);
	for (i = 0; i <= PCSLAB_LARGE; i++)
		expect_donated(test, i, &before[i], &after[i]);
	expect_caches(test, keep->heap, cpu, false);
	expect_unchanged(test, keep->heap, &st);
	expect_quiet(test, keep->heap);

	bring_up(test, cpu);
	read_rows(keep->heap, cpu, after);
	for (i = 0; i <= PCSLAB_LARGE; i++)
		KUNIT_EXPECT_EQ_MSG(test, after[i].dead_allocs + after[i].dead_frees, 0ull,
				    "class %u", i);
	expect_caches(test, keep->heap, cpu, true);
	expect_unchanged(test, keep->heap, &st);
}

/*
 * Exact to the object in each class, many times over; the magazines move as
 * well.
 */
static void donation_is_exact(struct kunit *test)
{
	struct keep *keep = new_keep(test, "donation");
	unsigned int i;

	for (i = 0; i < DONATIONS; i++)
		donate_once(test, keep, 1 + i % (num_online_cpus() - 1));
	free_all(keep);
	expect_quiet(test, keep->heap);
	move_anywhere();
	destroy_heap(test, keep->heap);
}

/* Only CPU 0 stays up: all that the others cached is in the depots. */
static void one_cpu_left(struct kunit *test)
{
	struct keep *keep = new_keep(test, "last");
	static struct pcslab_stats st;
	struct pcslab_class *class;
	unsigned int cpu;
	u64 cached = 0;

	for_each_online_cpu(cpu) {
		move_to(test, cpu);
		use_all_classes(test, keep);
	}
	move_to(test, 0);
	KUNIT_ASSERT_EQ(test, pcslab_heap_stats(keep->heap, &st), 0);
	for (cpu = num_present_cpus() - 1; cpu; cpu--)
		take_down(test, cpu);
	expect_unchanged(test, keep->heap, &st);
	expect_quiet(test, keep->heap);

	KUNIT_ASSERT_EQ(test, pcslab_heap_stats(keep->heap, &st), 0);
	class = keep->heap->class[7];
	cached = pcslab_cached(class, pcslab_cpu_of(class, 0));
	KUNIT_EXPECT_EQ(test, st.class[7].cached, cached);
	free_all(keep);
	bring_all_up(test);
	expect_quiet(test, keep->heap);
	move_anywhere();
	destroy_heap(test, keep->heap);
}

/*
 * CPU 0 goes offline: it keeps its counts, and inherits while it is away. Its
 * rows are donated to nobody.
 */
static void cpu0_inherits_offline(struct kunit *test)
{
	static struct rows before[PCSLAB_LARGE + 1], after[PCSLAB_LARGE + 1];
	static struct pcslab_stats st;
	struct keep *keep;
	unsigned int i;

	if (!run_shell("[ ! -e /sys/devices/system/cpu/cpu0/online ]"))
		kunit_skip(test, "this kernel keeps CPU 0 online");
	keep = new_keep(test, "cpu0");
	move_to(test, 1);
	use_all_classes(test, keep);
	move_to(test, 0);
	use_all_classes(test, keep);
	move_to(test, 2);
	KUNIT_ASSERT_EQ(test, pcslab_heap_stats(keep->heap, &st), 0);
	read_rows(keep->heap, 1, before);
	take_down(test, 0);
	expect_unchanged(test, keep->heap, &st);
	take_down(test, 1);
	read_rows(keep->heap, 1, after);
	for (i = 0; i <= PCSLAB_LARGE; i++)
		expect_donated(test, i, &before[i], &after[i]);
	expect_unchanged(test, keep->heap, &st);
	expect_quiet(test, keep->heap);
	bring_up(test, 0);
	bring_up(test, 1);
	expect_unchanged(test, keep->heap, &st);
	free_all(keep);
	expect_quiet(test, keep->heap);
	move_anywhere();
	destroy_heap(test, keep->heap);
}

/* Takes CPUs 1 and up down and up until it is stopped; leaves them up */
struct toggler {
	struct task_struct *task;
	unsigned int cycles;
	int err;
};

static int toggle(void *arg)
{
	struct toggler *toggler = arg;
	unsigned int cpu = 1;

	while (!kthread_should_stop()) {
		toggler->err = toggler->err ?: remove_cpu(cpu);
		toggler->err = toggler->err ?: add_cpu(cpu);
		toggler->cycles++;
		cpu = cpu % (num_present_cpus() - 1) + 1;
	}
	return 0;
}

static void start_toggling(struct kunit *test, struct toggler *toggler)
{
	*toggler = (struct toggler){};
	toggler->task = kthread_run(toggle, toggler, "pcslab-toggle");
	KUNIT_ASSERT_FALSE(test, IS_ERR(toggler->task));
}

static void stop_toggling(struct kunit *test, struct toggler *toggler)
{
	kthread_stop(toggler->task);
	KUNIT_EXPECT_EQ(test, toggler->err, 0);
	KUNIT_EXPECT_GT(test, toggler->cycles, 4u);
	kunit_info(test, "%u offline/online cycles\n", toggler->cycles);
}

/* Heaps with all classes are created and destroyed while CPUs come and go. */
static void heaps_come_and_go(struct kunit *test)
{
	struct toggler toggler;
	struct keep *keep = kunit_kzalloc(test, sizeof(*keep), GFP_KERNEL);
	static struct pcslab_stats st;
	unsigned int i;

	KUNIT_ASSERT_NOT_NULL(test, keep);
	start_toggling(test, &toggler);
	for (i = 0; i < pcslab_test_load_cycles / 5 || toggler.cycles < 10; i++) {
		keep->heap = pcslab_heap_create("mayfly", NULL);
		if (IS_ERR(keep->heap)) {
			KUNIT_FAIL(test, "no heap: %ld", PTR_ERR(keep->heap));
			break;
		}
		use_all_classes(test, keep);
		pcslab_heap_stats(keep->heap, &st);
		KUNIT_EXPECT_EQ(test, stats_live(&st),
				(u64)ARRAY_SIZE(keep->obj) * ARRAY_SIZE(keep->obj[0]) / 3);
		free_all(keep);
		pcslab_heap_destroy(keep->heap);
	}
	stop_toggling(test, &toggler);
	KUNIT_EXPECT_EQ(test, run_shell("! grep -q '^mayfly ' /sys/kernel/debug/pcslab/stats"),
			0);
}

struct first_use {
	struct pcslab_heap *heap;
	void *obj[PCSLAB_LARGE + 1];
	u64 allocs, fails;
	struct interrupt interrupt;
	bool sent;
};

static void first_use_handler(void *arg)
{
	struct first_use *use = arg;
	unsigned int i;
	size_t size;

	for (i = 0; i <= PCSLAB_LARGE; i++) {
		size = i == PCSLAB_LARGE ? PCSLAB_MAX_SIZE + 1 : pcslab_class_size(i);
		use->obj[i] = pcslab_alloc(use->heap, size, GFP_ATOMIC | __GFP_NOWARN);
		if (use->obj[i])
			use->allocs++;
		else
			use->fails++;
	}
}

static void drop_handler(void *arg)
{
	struct first_use *use = arg;
	unsigned int i;

	for (i = 0; i <= PCSLAB_LARGE; i++) {
		pcslab_free(use->obj[i]);
		use->obj[i] = NULL;
	}
}

/* The cache of CPU 0 is never freed. */
static bool may_have_cache(unsigned int cpu)
{
	return cpu == 0 || cpu_online(cpu);
}

static bool all_caches_there(struct pcslab_heap *heap)
{
	struct pcslab_class *class;
	unsigned int cpu;
	bool there = true;

	cpus_read_lock();
	pcslab_for_each_class(class, heap) {
		for_each_online_cpu(cpu)
			there &= !!pcslab_cpu_of(class, cpu);
		for_each_possible_cpu(cpu)
			there &= may_have_cache(cpu) || !pcslab_cpu_of(class, cpu);
	}
	cpus_read_unlock();
	return there;
}

/*
 * In one heap, every CPU that is online uses all classes at once, in an
 * interrupt. Then each CPU frees its objects, or the test does if the CPU is
 * gone.
 */
static void first_use_once(struct kunit *test, struct first_use *use)
{
	static struct pcslab_stats st;
	u64 allocs = 0, fails = 0, failed = 0;
	unsigned int cpu, i;

	for_each_present_cpu(cpu) {
		use[cpu] = (struct first_use){ .heap = use[0].heap };
		use[cpu].sent = interrupt_send(&use[cpu].interrupt, cpu,
					       first_use_handler, &use[cpu]);
	}
	for_each_present_cpu(cpu) {
		/* A CPU on its way down still handles a pending interrupt. */
		if (use[cpu].sent)
			interrupt_wait(&use[cpu].interrupt);
		if (!interrupt_call(cpu, drop_handler, &use[cpu]))
			drop_handler(&use[cpu]);
		allocs += use[cpu].allocs;
		fails += use[cpu].fails;
	}
	KUNIT_EXPECT_TRUE(test, all_caches_there(use[0].heap));
	pcslab_heap_stats(use[0].heap, &st);
	KUNIT_EXPECT_EQ(test, stats_live(&st), 0ull);
	for (i = 0; i < PCSLAB_NR_CLASSES; i++) {
		allocs -= st.class[i].allocs;
		failed += st.class[i].fails;
	}
	KUNIT_EXPECT_EQ(test, allocs, st.large_allocs);
	KUNIT_EXPECT_EQ(test, fails, failed + st.large_fails);
}

/*
 * An interrupt may make a class, though it can't keep CPUs from coming and
 * going.
 */
static void first_use_in_interrupts(struct kunit *test)
{
	struct first_use *use = kunit_kcalloc(test, TEST_CPUS, sizeof(*use), GFP_KERNEL);
	struct toggler toggler;
	unsigned int i;

	KUNIT_ASSERT_NOT_NULL(test, use);
	start_toggling(test, &toggler);
	for (i = 0; i < pcslab_test_load_cycles / 2 || toggler.cycles < 10; i++) {
		use[0].heap = pcslab_heap_create("first", NULL);
		if (IS_ERR(use[0].heap)) {
			KUNIT_FAIL(test, "no heap: %ld", PTR_ERR(use[0].heap));
			break;
		}
		first_use_once(test, use);
		pcslab_heap_destroy(use[0].heap);
	}
	stop_toggling(test, &toggler);
	KUNIT_EXPECT_EQ(test, run_shell("! grep -q '^first ' /sys/kernel/debug/pcslab/stats"),
			0);
}

#define DYING_CPU	3
#define MAKER_CPU	2

/* Makes a class while the caches of a dead CPU are being removed */
static struct {
	struct pcslab_heap *heap;
	bool go, made;
	void *obj;
} late;

static int make_late_class(void *unused)
{
	while (!READ_ONCE(late.go) && !kthread_should_stop())
		usleep_range(100, 200);
	late.obj = pcslab_alloc(late.heap, 8, GFP_ATOMIC);
	WRITE_ONCE(late.made, true);
	while (!kthread_should_stop())
		msleep(20);
	return 0;
}

static int let_it_be_made(struct kprobe *probe, struct pt_regs *regs)
{
	unsigned int us;

	WRITE_ONCE(late.go, true);
	for (us = 0; us < USEC_PER_SEC && !READ_ONCE(late.made); us++)
		udelay(1);
	return 0;
}

static struct kprobe at_slot_clear = {
	.symbol_name = "pcslab_slot_clear",
	.pre_handler = let_it_be_made,
	.post_handler = stay_breakpoint,
};

/*
 * A class is made after the removal has started on the others. The dead CPU
 * must have no cache of it.
 */
static void class_made_while_a_cpu_dies(struct kunit *test)
{
	unsigned int index = pcslab_class_index(8);
	struct task_struct *maker;

	late.heap = new_heap(test, "late");
	late.go = false;
	late.made = false;
	pcslab_free(pcslab_alloc(late.heap, 64, GFP_KERNEL));
	move_to(test, 0);
	KUNIT_ASSERT_EQ(test, register_kprobe(&at_slot_clear), 0);
	maker = kthread_create(make_late_class, NULL, "pcslab-maker");
	KUNIT_ASSERT_FALSE(test, IS_ERR(maker));
	kthread_bind(maker, MAKER_CPU);
	wake_up_process(maker);

	take_down(test, DYING_CPU);
	unregister_kprobe(&at_slot_clear);
	KUNIT_EXPECT_TRUE(test, late.go && late.made);
	kthread_stop(maker);
	KUNIT_EXPECT_NOT_NULL(test, late.obj);
	expect_caches(test, late.heap, DYING_CPU, false);
	bring_up(test, DYING_CPU);
	expect_caches(test, late.heap, DYING_CPU, true);
	KUNIT_EXPECT_NOT_NULL(test, late.heap->class[index]);
	pcslab_free(late.obj);
	expect_quiet(test, late.heap);
	move_anywhere();
	destroy_heap(test, late.heap);
}

static struct kunit_case hotplug_cases[] = {
	KUNIT_CASE(donation_is_exact),
	KUNIT_CASE(one_cpu_left),
	KUNIT_CASE(cpu0_inherits_offline),
	KUNIT_CASE(heaps_come_and_go),
	KUNIT_CASE(first_use_in_interrupts),
	KUNIT_CASE(class_made_while_a_cpu_dies),
	{}
};

static struct kunit_suite suite = {
	.name = "pcslab_hotplug",
	.init = cpu_suite_init,
	.test_cases = hotplug_cases,
};

kunit_test_suite(suite);
