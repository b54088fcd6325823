// SPDX-License-Identifier: GPL-2.0
/*
 * Contracts 1, 7, 12 and 14: frees in NMI at chosen places, on the way of a
 * CPU up or down and in the middle of calls, are counted, checked and done in
 * the end. The kernel treats a kprobe's int3 as an NMI.
 */
#include <linux/cpu.h>
#include <linux/cpuhotplug.h>
#include <linux/delay.h>
#include <linux/err.h>
#include <linux/hardirq.h>
#include <linux/module.h>
#include <linux/sched.h>
#include <linux/workqueue.h>
#include <kunit/test.h>

#include "live.h"
#include "poke.h"
#include "probe.h"
#include "quiet.h"
#include "zombie.h"

#define OTHER_CPU	1

static struct {
	const void *obj;		/* to be freed; then NULL */
	bool in_nmi, online;		/* where it was freed */
} trap;

static int free_in_trap(struct kprobe *probe, struct pt_regs *regs)
{
	const void *obj = xchg(&trap.obj, NULL);

	if (!obj)
		return 0;
	trap.in_nmi = in_nmi();
	trap.online = cpu_online(raw_smp_processor_id());
	pcslab_free(obj);
	return 0;
}

static noinline void trap_here(void)
{
	barrier();
}

/* After the CPU has run its irq_works for the last time */
static struct kprobe at_death = {
	.symbol_name = "sched_cpu_dying",
	.pre_handler = free_in_trap,
	.post_handler = stay_breakpoint,
};

/* On a CPU that comes up, before it is online */
static struct kprobe at_birth = {
	.symbol_name = "sched_cpu_starting",
	.pre_handler = free_in_trap,
	.post_handler = stay_breakpoint,
};

static struct kprobe at_call = {
	.addr = (kprobe_opcode_t *)trap_here,
	.pre_handler = free_in_trap,
	.post_handler = stay_breakpoint,
};

static void arm(struct kunit *test, struct kprobe *probe)
{
	/* An earlier registration leaves flags, and an address too. */
	probe->flags = 0;
	if (probe->symbol_name)
		probe->addr = NULL;
	KUNIT_ASSERT_EQ(test, register_kprobe(probe), 0);
}

/* As if in the middle of a call: then an NMI may not use the magazine. */
static void trap_in_a_call(struct pcslab_heap *heap, size_t size)
{
	unsigned int index = size > PCSLAB_MAX_SIZE ? PCSLAB_LARGE : pcslab_class_index(size);
	struct pcslab_cpu *c;

	preempt_disable();
	c = pcslab_this_cache(heap->class[index]);
	WRITE_ONCE(c->busy, 1);
	trap_here();
	WRITE_ONCE(c->busy, 0);
	preempt_enable();
}

static u64 live_in(struct kunit *test, struct pcslab_heap *heap)
{
	static struct pcslab_stats st;

	KUNIT_ASSERT_EQ(test, pcslab_heap_stats(heap, &st), 0);
	return stats_live(&st);
}

static void set_trap(struct kunit *test, struct pcslab_heap *heap, size_t size)
{
	trap.obj = pcslab_alloc(heap, size, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, trap.obj);
}

static void expect_freed(struct kunit *test, struct pcslab_heap *heap, bool online)
{
	KUNIT_EXPECT_NULL(test, trap.obj);
	KUNIT_EXPECT_TRUE(test, trap.in_nmi);
	KUNIT_EXPECT_EQ(test, trap.online, online);
	KUNIT_EXPECT_EQ(test, live_in(test, heap), 0ull);
}

/* Only the test's CPU uses the heap, so the other CPU has no magazine. */
static struct pcslab_heap *heap_of_cpu0(struct kunit *test)
{
	struct pcslab_heap *heap = pcslab_heap_create("trap", NULL);

	KUNIT_ASSERT_FALSE(test, IS_ERR(heap));
	KUNIT_ASSERT_EQ(test, set_cpus_allowed_ptr(current, cpumask_of(0)), 0);
	return heap;
}

/*
 * Frees deferred by a dying CPU are done when it is dead. Frees that other CPUs
 * defer while it is dead are done by those CPUs. Frees that the CPU defers
 * before it is online again are done by itself.
 */
static void check_death(struct kunit *test, size_t size)
{
	struct pcslab_heap *heap = heap_of_cpu0(test);

	set_trap(test, heap, size);
	KUNIT_EXPECT_EQ(test, remove_cpu(OTHER_CPU), 0);
	expect_freed(test, heap, false);

	set_trap(test, heap, size);
	trap_in_a_call(heap, size);
	msleep(100);
	expect_freed(test, heap, true);

	set_trap(test, heap, size);
	KUNIT_EXPECT_EQ(test, add_cpu(OTHER_CPU), 0);
	msleep(100);
	expect_freed(test, heap, false);
	pcslab_heap_destroy(heap);
}

static void freed_by_a_dying_cpu(struct kunit *test)
{
	arm(test, &at_birth);
	arm(test, &at_death);
	arm(test, &at_call);
	check_death(test, 64);
	check_death(test, 3 * PAGE_SIZE);
	unregister_kprobe(&at_call);
	unregister_kprobe(&at_death);
	unregister_kprobe(&at_birth);
}

/*
 * Stations on a CPU's way up and down. On PREEMPT_RT the thread of irq_work
 * runs from smpboot_unpark_threads() to smpboot_park_threads(). pcslab's state
 * is between those of the workqueues and of the scheduler. On the way up no
 * station comes after the point where the CPU serves again: its irq_work would
 * do there what the startup callback forgot.
 */
struct station {
	struct kprobe probe;
	const void *small, *large;
	bool hit;
};

#define STATION(name)							\
	{								\
		.probe = {						\
			.symbol_name = name,				\
			.pre_handler = free_at_station,			\
			.post_handler = stay_breakpoint,		\
		},							\
	}

static int free_at_station(struct kprobe *probe, struct pt_regs *regs)
{
	struct station *station = container_of(probe, struct station, probe);

	if (raw_smp_processor_id() != OTHER_CPU || !station->small)
		return 0;
	station->hit = in_nmi();
	pcslab_free(station->small);
	pcslab_free(station->large);
	station->small = NULL;
	station->large = NULL;
	return 0;
}

static struct station stations[] = {
	STATION("sched_cpu_starting"),
	STATION("smpboot_unpark_threads"),
	STATION("workqueue_online_cpu"),
	STATION("sched_cpu_deactivate"),
	STATION("workqueue_offline_cpu"),
	STATION("smpboot_park_threads"),
	STATION("sched_cpu_wait_empty"),
	STATION("sched_cpu_dying"),
};

enum { STARTING, UNPARK, WORKQUEUE_ONLINE, DEACTIVATE, WORKQUEUE_OFFLINE, PARK, WAIT_EMPTY, DYING };

static bool passed(unsigned int first, unsigned int last)
{
	unsigned int i;

	for (i = first; i <= last; i++) {
		if (!stations[i].hit)
			return false;
	}
	return true;
}

static void arm_stations(struct kunit *test, struct pcslab_heap *heap)
{
	struct station *station;

	for (station = stations; station < stations + ARRAY_SIZE(stations); station++) {
		station->hit = false;
		station->large = pcslab_alloc(heap, 3 * PAGE_SIZE, GFP_KERNEL);
		station->small = pcslab_alloc(heap, 64, GFP_KERNEL);
		KUNIT_ASSERT_NOT_NULL(test, station->small);
		KUNIT_ASSERT_NOT_NULL(test, station->large);
		arm(test, &station->probe);
	}
}

/* The objects of stations that the CPU did not reach are still live. */
static void disarm_stations(struct kunit *test, struct pcslab_heap *heap)
{
	struct station *station;
	u64 left = 0;

	for (station = stations; station < stations + ARRAY_SIZE(stations); station++) {
		unregister_kprobe(&station->probe);
		left += 2 * !station->hit;
	}
	KUNIT_EXPECT_EQ(test, live_in(test, heap), left);
	for (station = stations; station < stations + ARRAY_SIZE(stations); station++) {
		pcslab_free(station->small);
		pcslab_free(station->large);
	}
	KUNIT_EXPECT_EQ(test, live_in(test, heap), 0ull);
}

/*
 * With poison, no magazine takes an object at once, so an NMI defers every
 * free.
 */
static struct pcslab_heap *heap_of_stations(struct kunit *test)
{
	static const struct pcslab_heap_attr attr = { .flags = PCSLAB_HEAP_POISON };
	struct pcslab_heap *heap = pcslab_heap_create("stations", &attr);

	KUNIT_ASSERT_FALSE(test, IS_ERR(heap));
	KUNIT_ASSERT_EQ(test, set_cpus_allowed_ptr(current, cpumask_of(0)), 0);
	return heap;
}

/* Deferred frees are done when the CPU is dead, or soon after it is back. */
static void freed_on_the_way(struct kunit *test)
{
	struct pcslab_heap *heap = heap_of_stations(test);

	arm_stations(test, heap);
	KUNIT_EXPECT_EQ(test, remove_cpu(OTHER_CPU), 0);
	KUNIT_EXPECT_TRUE(test, passed(DEACTIVATE, DYING));
	disarm_stations(test, heap);

	arm_stations(test, heap);
	KUNIT_EXPECT_EQ(test, add_cpu(OTHER_CPU), 0);
	msleep(100);
	KUNIT_EXPECT_TRUE(test, passed(STARTING, WORKQUEUE_ONLINE));
	disarm_stations(test, heap);
	pcslab_heap_destroy(heap);
}

/* Fails the next transition of OTHER_CPU to the state of this name. */
static void fail_once(struct kunit *test, const char *name)
{
	char command[256];

	snprintf(command, sizeof(command),
		 "sed -n 's,^ *\\([0-9]*\\): %s$,\\1,p' /sys/devices/system/cpu/hotplug/states >/sys/devices/system/cpu/cpu%d/hotplug/fail",
		 name, OTHER_CPU);
	KUNIT_ASSERT_EQ(test, run_shell(command), 0);
}

/* Fails before the thread of irq_works runs, and after pcslab's own state. */
static void freed_when_a_bring_up_fails(struct kunit *test)
{
	static const char * const states[] = { "smpboot/threads:online", "sched:active" };
	struct pcslab_heap *heap = heap_of_stations(test);
	unsigned int i;

	KUNIT_ASSERT_EQ(test, remove_cpu(OTHER_CPU), 0);
	for (i = 0; i < ARRAY_SIZE(states); i++) {
		arm_stations(test, heap);
		fail_once(test, states[i]);
		KUNIT_EXPECT_NE(test, add_cpu(OTHER_CPU), 0);
		KUNIT_EXPECT_FALSE(test, cpu_online(OTHER_CPU));
		KUNIT_EXPECT_TRUE(test, stations[STARTING].hit);
		KUNIT_EXPECT_TRUE(test, stations[DYING].hit);
		disarm_stations(test, heap);
	}
	KUNIT_EXPECT_EQ(test, add_cpu(OTHER_CPU), 0);
	pcslab_heap_destroy(heap);
}

/*
 * Fails after pcslab's state was taken down: when it comes back, it serves
 * again.
 */
static void freed_when_a_take_down_fails(struct kunit *test)
{
	struct pcslab_heap *heap = heap_of_stations(test);

	arm_stations(test, heap);
	fail_once(test, "smpboot/threads:online");
	KUNIT_EXPECT_NE(test, remove_cpu(OTHER_CPU), 0);
	KUNIT_EXPECT_TRUE(test, cpu_online(OTHER_CPU));
	KUNIT_EXPECT_TRUE(test, passed(DEACTIVATE, WORKQUEUE_OFFLINE));
	KUNIT_EXPECT_FALSE(test, stations[PARK].hit);
	disarm_stations(test, heap);
	pcslab_heap_destroy(heap);
}

struct pending {
	struct work_struct work;
	u8 *state;
};

/* Do what an NMI does after it has found the bit of the slab set. */
static void end_pending(struct work_struct *work)
{
	struct pending *pending = container_of(work, struct pending, work);
	unsigned int i;

	for (i = 0; i < 1000 && READ_ONCE(trap.obj); i++)
		mdelay(1);
	mdelay(10);
	/* as pcslab_defer_slab() */
	smp_store_release(pending->state, PCSLAB_OBJ_DEFERRED);
}

static u8 *state_of(struct pcslab_class *class, const void *obj)
{
	struct pcslab_depot *depot = &class->depot[page_to_nid(virt_to_page(obj))];
	struct pcslab_slab *slab;

	slab = list_first_entry(&depot->all, struct pcslab_slab, all);
	return &slab->state[(obj - (void *)slab->base) / class->size];
}

/*
 * One of two objects of a slab is freed while an NMI on another CPU is in the
 * middle of freeing the other one.
 */
static void freed_with_one_pending(struct kunit *test)
{
	struct pcslab_heap *heap = heap_of_cpu0(test);
	struct pending pending;
	void *obj;

	arm(test, &at_call);
	obj = pcslab_alloc(heap, 64, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, obj);
	set_trap(test, heap, 64);
	pending.state = state_of(heap->class[pcslab_class_index(64)], obj);
	KUNIT_ASSERT_EQ(test, *pending.state, PCSLAB_OBJ_LIVE);
	WRITE_ONCE(*pending.state, PCSLAB_OBJ_PENDING);
	INIT_WORK_ONSTACK(&pending.work, end_pending);
	schedule_work_on(OTHER_CPU, &pending.work);
	trap_in_a_call(heap, 64);
	flush_work(&pending.work);
	destroy_work_on_stack(&pending.work);
	msleep(100);
	expect_freed(test, heap, true);
	unregister_kprobe(&at_call);
	pcslab_heap_destroy(heap);
}

/* Calls that CPU 0 counted with the guard held, and without it */
struct rows {
	unsigned long guarded, unguarded;
};

static unsigned long sum_row(const struct pcslab_row *row)
{
	return row->allocs[0] + row->allocs[1] + row->frees[0] + row->frees[1];
}

static struct rows rows_of(struct pcslab_heap *heap, size_t size)
{
	struct pcslab_cpu *c = pcslab_cpu_of(heap->class[pcslab_class_index(size)], 0);

	return (struct rows){
		.guarded = sum_row(&c->guarded), .unguarded = sum_row(&c->unguarded)
	};
}

/* There is one more call in the row of those without the guard. */
static void expect_unguarded(struct kunit *test, struct pcslab_heap *heap, size_t size,
			     struct rows *before)
{
	struct rows now = rows_of(heap, size);

	KUNIT_EXPECT_EQ(test, now.guarded, before->guarded);
	KUNIT_EXPECT_EQ(test, now.unguarded, before->unguarded + 1);
	*before = now;
}

/*
 * An allocation, a free, and a deferred free inside a call. They count in a row
 * of their own, because an increment of the other row may be half done. A size
 * unknown to the compiler has a path of its own.
 */
static void called_in_a_call(struct kunit *test)
{
	struct pcslab_heap *heap = heap_of_cpu0(test);
	struct pcslab_cpu *c;
	struct rows rows;
	size_t size = 64;
	void *obj;

	OPTIMIZER_HIDE_VAR(size);
	arm(test, &at_call);
	set_trap(test, heap, size);
	rows = rows_of(heap, size);
	trap_in_a_call(heap, size);
	msleep(100);
	expect_freed(test, heap, true);
	expect_unguarded(test, heap, size, &rows);
	unregister_kprobe(&at_call);

	preempt_disable();
	c = pcslab_this_cache(heap->class[pcslab_class_index(size)]);
	WRITE_ONCE(c->busy, 1);
	obj = pcslab_alloc(heap, size, GFP_ATOMIC);
	WRITE_ONCE(c->busy, 0);
	preempt_enable();
	KUNIT_EXPECT_NOT_NULL(test, obj);
	expect_unguarded(test, heap, size, &rows);
	KUNIT_EXPECT_EQ(test, live_in(test, heap), 1ull);

	preempt_disable();
	WRITE_ONCE(c->busy, 1);
	pcslab_free(obj);
	WRITE_ONCE(c->busy, 0);
	preempt_enable();
	expect_unguarded(test, heap, size, &rows);
	KUNIT_EXPECT_EQ(test, live_in(test, heap), 0ull);
	pcslab_heap_destroy(heap);
}

/* A work item releases the heap, some grace periods after the last free. */
static bool zombie_goes(void)
{
	unsigned int tries;

	for (tries = 0; tries < 100; tries++) {
		if (!run_shell("! grep -q '^remains ' /sys/kernel/debug/pcslab/stats"))
			return true;
		msleep(20);
	}
	return false;
}

/*
 * Everything free in the heap has gone before, so only the object, or its slab,
 * has a reference.
 */
static void free_last_in_nmi(struct kunit *test, size_t size)
{
	struct pcslab_heap *heap = pcslab_heap_create("remains", NULL);

	KUNIT_ASSERT_FALSE(test, IS_ERR(heap));
	set_trap(test, heap, size);
	pcslab_heap_destroy(heap);
	expect_last_reference(test, heap);
	trap_here();
	KUNIT_EXPECT_NULL(test, trap.obj);
	KUNIT_EXPECT_TRUE(test, trap.in_nmi);
	KUNIT_EXPECT_TRUE(test, zombie_goes());
}

/* A zombie goes with its last object, even if an NMI frees that. */
static void zombie_freed_in_nmi(struct kunit *test)
{
	arm(test, &at_call);
	free_last_in_nmi(test, 64);
	free_last_in_nmi(test, 8192);
	free_last_in_nmi(test, 3 * PAGE_SIZE);
	unregister_kprobe(&at_call);
}

#define SOME	64

/* Uses every free object of a few slabs, which checks it. */
static u64 corruptions_after_use(struct kunit *test, struct pcslab_heap *heap, size_t size)
{
	static struct pcslab_stats st;
	void *obj[SOME];
	unsigned int i;

	for (i = 0; i < SOME; i++) {
		obj[i] = pcslab_alloc(heap, size, GFP_KERNEL);
		KUNIT_ASSERT_NOT_NULL(test, obj[i]);
	}
	for (i = 0; i < SOME; i++)
		pcslab_free(obj[i]);
	KUNIT_ASSERT_EQ(test, pcslab_heap_stats(heap, &st), 0);
	return st.corruptions;
}

/* A free in NMI checks redzones and writes poison like any other free. */
static void checked_in_nmi(struct kunit *test)
{
	static const struct pcslab_heap_attr attr = {
		.flags = PCSLAB_HEAP_POISON | PCSLAB_HEAP_REDZONE,
	};
	struct pcslab_heap *heap = pcslab_heap_create("checked", &attr);
	size_t size = 60;
	u8 *obj;

	OPTIMIZER_HIDE_VAR(size);
	KUNIT_ASSERT_FALSE(test, IS_ERR(heap));
	KUNIT_ASSERT_EQ(test, set_cpus_allowed_ptr(current, cpumask_of(0)), 0);
	arm(test, &at_call);

	set_trap(test, heap, size);
	obj = (u8 *)trap.obj;
	memset(obj, 1, size);
	poke(obj + size, 1, 0);
	trap_here();
	msleep(100);
	expect_freed(test, heap, true);
	KUNIT_EXPECT_EQ(test, corruptions_after_use(test, heap, size), 1ull);

	set_trap(test, heap, size);
	obj = (u8 *)trap.obj;
	memset(obj, 1, size);
	trap_here();
	msleep(100);
	KUNIT_EXPECT_EQ(test, corruptions_after_use(test, heap, size), 1ull);

	set_trap(test, heap, size);
	obj = (u8 *)trap.obj;
	trap_here();
	msleep(100);
	poke(obj + 7, 1, 1);
	KUNIT_EXPECT_EQ(test, corruptions_after_use(test, heap, size), 2ull);
	unregister_kprobe(&at_call);
	pcslab_heap_destroy(heap);
}

static struct kunit_case trap_cases[] = {
	KUNIT_CASE(freed_by_a_dying_cpu),
	KUNIT_CASE(freed_on_the_way),
	KUNIT_CASE(freed_when_a_bring_up_fails),
	KUNIT_CASE(freed_when_a_take_down_fails),
	KUNIT_CASE(freed_with_one_pending),
	KUNIT_CASE(called_in_a_call),
	KUNIT_CASE(zombie_freed_in_nmi),
	KUNIT_CASE(checked_in_nmi),
	{}
};

static struct kunit_suite trap_suite = {
	.name = "pcslab_trap",
	.test_cases = trap_cases,
};

kunit_test_suites(&trap_suite);

MODULE_DESCRIPTION("KUnit tests of pcslab: deferred frees");
MODULE_INFO(import_ns, "PCSLAB");
MODULE_LICENSE("GPL");
