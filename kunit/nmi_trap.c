// SPDX-License-Identifier: GPL-2.0
/*
 * Frees in NMI at a place of choice: to the kernel a kprobe's int3 is an NMI
 */
#include <linux/cpu.h>
#include <linux/delay.h>
#include <linux/err.h>
#include <linux/hardirq.h>
#include <linux/kprobes.h>
#include <linux/sched.h>
#include <linux/workqueue.h>
#include <kunit/test.h>

#include "internal.h"
#include "live.h"

#define OTHER_CPU	1

static struct {
	const void *obj;		/* to be freed; then NULL */
	bool in_nmi, online;		/* it was freed so */
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

/* A kprobe without this may become a jump. */
static void after_trap(struct kprobe *probe, struct pt_regs *regs, unsigned long flags) { }

static noinline void trap_here(void)
{
	barrier();
}

/* After the CPU has run its irq_works for the last time. */
static struct kprobe at_death = {
	.symbol_name = "sched_cpu_dying",
	.pre_handler = free_in_trap,
	.post_handler = after_trap,
};

/* On the CPU that comes, before it is online. */
static struct kprobe at_birth = {
	.symbol_name = "sched_cpu_starting",
	.pre_handler = free_in_trap,
	.post_handler = after_trap,
};

static struct kprobe at_call = {
	.addr = (kprobe_opcode_t *)trap_here,
	.pre_handler = free_in_trap,
	.post_handler = after_trap,
};

static void arm(struct kunit *test, struct kprobe *probe)
{
	probe->flags = 0;	/* being unregistered leaves it disabled */
	KUNIT_ASSERT_EQ(test, register_kprobe(probe), 0);
}

/* As if in the middle of a call: the magazine is not for an NMI then. */
static void trap_in_a_call(struct pcslab_heap *heap, size_t size)
{
	unsigned int index = size > PCSLAB_MAX_SIZE ? PCSLAB_LARGE : pcslab_class_index(size);
	struct pcslab_cache *c;

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

/* Of this test's CPU alone: the other one has no magazine. */
static struct pcslab_heap *heap_of_cpu0(struct kunit *test)
{
	struct pcslab_heap *heap = pcslab_heap_create("trap", NULL);

	KUNIT_ASSERT_FALSE(test, IS_ERR(heap));
	KUNIT_ASSERT_EQ(test, set_cpus_allowed_ptr(current, cpumask_of(0)), 0);
	return heap;
}

/*
 * What a dying CPU puts off is done when it is dead; what others put off while it is, by
 * them; and what it puts off before it is online again, by itself.
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

struct pending {
	struct work_struct work;
	u8 *state;
};

/* What an NMI does that looked at the slab's bit and found it set. */
static void end_pending(struct work_struct *work)
{
	struct pending *pending = container_of(work, struct pending, work);
	unsigned int i;

	for (i = 0; i < 1000 && READ_ONCE(trap.obj); i++)
		mdelay(1);
	mdelay(10);
	smp_store_release(pending->state, PCSLAB_DEFERRED);	/* as pcslab_defer_slab() */
}

static u8 *state_of(struct pcslab_class *class, const void *obj)
{
	struct pcslab_depot *depot = &class->depot[page_to_nid(virt_to_page(obj))];
	struct pcslab_slab *slab;

	slab = list_first_entry(&depot->all, struct pcslab_slab, all);
	return &slab->state[(obj - (void *)slab->base) / class->size];
}

/* Of two objects of a slab one is freed while another CPU's NMI has begun with the other. */
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
	KUNIT_ASSERT_EQ(test, *pending.state, PCSLAB_LIVE);
	WRITE_ONCE(*pending.state, PCSLAB_PENDING);
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

/* A size the compiler does not know has a path of its own. */
static void called_in_a_call(struct kunit *test)
{
	struct pcslab_heap *heap = heap_of_cpu0(test);
	struct pcslab_cache *c;
	size_t size = 64;
	void *obj;

	OPTIMIZER_HIDE_VAR(size);
	pcslab_free(pcslab_alloc(heap, size, GFP_KERNEL));
	preempt_disable();
	c = pcslab_this_cache(heap->class[pcslab_class_index(size)]);
	WRITE_ONCE(c->busy, 1);
	obj = pcslab_alloc(heap, size, GFP_ATOMIC);
	WRITE_ONCE(c->busy, 0);
	preempt_enable();
	KUNIT_EXPECT_NOT_NULL(test, obj);
	/* In the row of calls that did not hold the guard. */
	KUNIT_EXPECT_EQ(test, c->direct.allocs[0] + c->direct.allocs[1], 2ul);
	KUNIT_EXPECT_EQ(test, live_in(test, heap), 1ull);
	pcslab_free(obj);
	pcslab_heap_destroy(heap);
}

static struct kunit_case trap_cases[] = {
	KUNIT_CASE(freed_by_a_dying_cpu),
	KUNIT_CASE(freed_with_one_pending),
	KUNIT_CASE(called_in_a_call),
	{}
};

static struct kunit_suite trap_suite = {
	.name = "pcslab_trap",
	.test_cases = trap_cases,
};

kunit_test_suite(trap_suite);
