// SPDX-License-Identifier: GPL-2.0
/*
 * Contracts 5, 10 and 12, for a kernel that was booted with init_on_alloc=1 and
 * init_on_free=1: objects are zeroed, and what readers still use is not freed,
 * which they would see at once, because freed memory is zero. The test reads
 * and writes free objects directly: one kind of zeroing must not hide that the
 * other is missing.
 */
#include <kunit/test.h>
#include <linux/delay.h>
#include <linux/jiffies.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/sched.h>
#include <linux/string.h>
#include <linux/workqueue.h>

#include <pcslab/pcslab.h>

#include "internal.h"
#include "live.h"
#include "poke.h"
#include "probe.h"
#include "zombie.h"

static const size_t sizes[] = { 8, 64, 100, 1024, PCSLAB_MAX_SIZE };

static noinline __no_sanitize_address bool is_zero(const u8 *obj, size_t size)
{
	while (size--) {
		if (READ_ONCE(obj[size]))
			return false;
	}
	return true;
}

static int init_init(struct kunit *test)
{
	KUNIT_ASSERT_TRUE(test, want_init_on_alloc(GFP_KERNEL));
	KUNIT_ASSERT_TRUE(test, want_init_on_free());
	test->priv = pcslab_heap_create("kunit-init", NULL);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, test->priv);
	return 0;
}

static void init_exit(struct kunit *test)
{
	pcslab_heap_destroy(test->priv);
}

static void free_zeroes(struct kunit *test)
{
	unsigned int i;
	size_t usable;
	void *obj;

	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		obj = pcslab_alloc(test->priv, sizes[i], GFP_KERNEL);
		KUNIT_ASSERT_NOT_NULL(test, obj);
		usable = pcslab_usable_size(obj);
		memset(whole(obj), 0xa5, usable);
		pcslab_free(obj);
		KUNIT_EXPECT_TRUE_MSG(test, is_zero(obj, usable), "%zu bytes", sizes[i]);
	}
}

/* The object is zero, whatever is in the free object and whoever wrote it. */
static void check_alloc(struct kunit *test, size_t size)
{
	void *obj = pcslab_alloc(test->priv, size, GFP_KERNEL), *again;

	KUNIT_ASSERT_NOT_NULL(test, obj);
	pcslab_free(obj);
	if (size <= PCSLAB_MAX_SIZE)
		poke(obj, size, 0xa5);
	again = pcslab_alloc(test->priv, size, GFP_KERNEL);
	if (size <= PCSLAB_MAX_SIZE)
		KUNIT_EXPECT_PTR_EQ(test, again, obj);
	KUNIT_EXPECT_TRUE_MSG(test, is_zero(again, pcslab_usable_size(again)),
			      "%zu bytes", size);
	pcslab_free(again);
}

static void alloc_zeroes(struct kunit *test)
{
	unsigned int i;

	migrate_disable();	/* one magazine, so the same object again */
	for (i = 0; i < ARRAY_SIZE(sizes); i++)
		check_alloc(test, sizes[i]);
	check_alloc(test, 20000);
	migrate_enable();
}

/* In a heap with poison: a free object is intact if and only if it is zero. */
static void zeroes_are_poison(struct kunit *test)
{
	const struct pcslab_heap_attr attr = { .flags = PCSLAB_HEAP_POISON };
	struct pcslab_heap *heap = pcslab_heap_create("kunit-poison", &attr);
	static struct pcslab_stats st;
	u8 *obj;

	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, heap);
	migrate_disable();
	obj = pcslab_alloc(heap, 64, GFP_KERNEL);
	pcslab_free(obj);
	KUNIT_EXPECT_TRUE(test, is_zero(obj, 64));
	KUNIT_EXPECT_PTR_EQ(test, (u8 *)pcslab_alloc(heap, 64, GFP_KERNEL), obj);
	KUNIT_EXPECT_EQ(test, pcslab_heap_stats(heap, &st), 0);
	KUNIT_EXPECT_EQ(test, st.corruptions, 0);
	pcslab_free(obj);
	poke(obj + 7, 1, 1);
	pcslab_free(pcslab_alloc(heap, 64, GFP_KERNEL));
	migrate_enable();
	KUNIT_EXPECT_EQ(test, pcslab_heap_stats(heap, &st), 0);
	KUNIT_EXPECT_EQ(test, st.corruptions, 1);
	pcslab_heap_destroy(heap);
}

/*
 * Here pcslab zeroes at once whatever it frees, so a reader in an RCU section
 * can see that something it has found was freed too early.
 */
#define READER_CPU	0
#define OTHER_CPU	1
#define READINGS	5
#define READING_MS	30

static struct {
	struct pcslab_slab *slab;	/* freed next, its grace period over */
	bool inside;			/* a reader has found it */
	unsigned int readings;
} going;

/*
 * Runs at pcslab_depot_let_go(): the worker waits here for the reader, unless
 * it is on the reader's CPU.
 */
static int wait_for_reader(struct kprobe *probe, struct pt_regs *regs)
{
	unsigned int us;

	if (raw_smp_processor_id() == READER_CPU || READ_ONCE(going.slab))
		return 0;
	WRITE_ONCE(going.slab, (void *)regs_get_kernel_argument(regs, 0));
	for (us = 0; us < USEC_PER_SEC / 2 && !READ_ONCE(going.inside); us++)
		udelay(1);
	return 0;
}

static struct kprobe at_let_go = {
	.symbol_name = "pcslab_depot_let_go",
	.pre_handler = wait_for_reader,
	.post_handler = stay_breakpoint,
};

#define MANY		200

static void *objs[MANY];
static unsigned int nr_objs;

static void take(struct kunit *test, struct pcslab_heap *heap, size_t size, unsigned int n)
{
	for (nr_objs = 0; nr_objs < n; nr_objs++) {
		objs[nr_objs] = pcslab_alloc(heap, size, GFP_KERNEL);
		KUNIT_ASSERT_NOT_NULL(test, objs[nr_objs]);
	}
}

static void free_objs(struct work_struct *unused)
{
	while (nr_objs)
		pcslab_free(objs[--nr_objs]);
}

/* Frees on another CPU, so that the memory is released there. */
static DECLARE_WORK(free_work, free_objs);

/* False if the slab changed before the RCU section ended. */
static bool slab_stays(void)
{
	unsigned long end = jiffies + HZ;
	struct pcslab_class *class;
	struct pcslab_slab *slab;
	bool stays;

	while (!(slab = READ_ONCE(going.slab)) && time_before(jiffies, end))
		cond_resched();
	if (!slab)
		return true;
	preempt_disable();
	class = READ_ONCE(slab->class);
	WRITE_ONCE(going.inside, true);
	mdelay(READING_MS);
	stays = READ_ONCE(slab->class) == class;
	preempt_enable();
	going.readings++;
	return stays;
}

/* heap_of() and bad frees may have found a slab that is about to be freed. */
static void slab_outlives_its_readers(struct kunit *test)
{
	unsigned int i;

	KUNIT_ASSERT_EQ(test, set_cpus_allowed_ptr(current, cpumask_of(READER_CPU)), 0);
	KUNIT_ASSERT_EQ(test, register_kprobe(&at_let_go), 0);
	for (i = 0; i < READINGS; i++) {
		WRITE_ONCE(going.inside, false);
		WRITE_ONCE(going.slab, NULL);
		take(test, test->priv, PCSLAB_MAX_SIZE, MANY);
		schedule_work_on(OTHER_CPU, &free_work);
		KUNIT_EXPECT_TRUE(test, slab_stays());
		flush_work(&free_work);
		pcslab_heap_shrink(test->priv);
	}
	unregister_kprobe(&at_let_go);
	KUNIT_EXPECT_GT(test, going.readings, 0u);
}

/* Returns an emptied zombie, which is freed with its last object. */
static struct pcslab_heap *make_zombie(struct kunit *test)
{
	struct pcslab_heap *heap = pcslab_heap_create("kunit-zombie", NULL);

	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, heap);
	take(test, heap, 3 * PAGE_SIZE, 1);
	pcslab_heap_destroy(heap);
	expect_last_reference(test, heap);
	return heap;
}

/* A walk over heaps under RCU may be at a heap that is about to be freed. */
static void heap_outlives_its_readers(struct kunit *test)
{
	struct pcslab_heap *heap;
	unsigned int i;
	bool stays;
	u64 id;

	KUNIT_ASSERT_EQ(test, set_cpus_allowed_ptr(current, cpumask_of(READER_CPU)), 0);
	for (i = 0; i < READINGS; i++) {
		heap = make_zombie(test);
		preempt_disable();
		id = READ_ONCE(heap->id);
		schedule_work_on(OTHER_CPU, &free_work);
		mdelay(READING_MS);
		stays = READ_ONCE(heap->id) == id;
		preempt_enable();
		KUNIT_EXPECT_TRUE(test, stays);
		flush_work(&free_work);
	}
}

static struct kunit_case cases[] = {
	KUNIT_CASE(free_zeroes),
	KUNIT_CASE(alloc_zeroes),
	KUNIT_CASE(zeroes_are_poison),
	KUNIT_CASE(slab_outlives_its_readers),
	KUNIT_CASE(heap_outlives_its_readers),
	{}
};

static struct kunit_suite suite = {
	.name = "pcslab_init",
	.init = init_init,
	.exit = init_exit,
	.test_cases = cases,
};

kunit_test_suite(suite);

MODULE_DESCRIPTION("KUnit tests of pcslab with init_on_alloc and init_on_free");
MODULE_LICENSE("GPL");
MODULE_INFO(import_ns, "PCSLAB");
