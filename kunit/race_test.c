// SPDX-License-Identifier: GPL-2.0
/*
 * Contract 12: all CPUs free the same object at the same instant, and only one
 * free may succeed. pcslab.debug=1 ensures this. The test fails without it, so
 * the run loads the module only with it.
 */
#include <kunit/test.h>
#include <linux/atomic.h>
#include <linux/cpu.h>
#include <linux/module.h>
#include <linux/percpu.h>
#include <linux/slab.h>
#include <linux/workqueue.h>

#include <pcslab/pcslab.h>

#define ROUNDS	300

static DEFINE_PER_CPU(struct work_struct, works);
static void *raced;		/* the object of this round */
static atomic_t missing;	/* CPUs that are not at the start yet */

static void free_with_the_others(struct work_struct *work)
{
	atomic_dec(&missing);
	while (atomic_read(&missing))
		cpu_relax();
	pcslab_free(raced);
}

/* Returns the number of CPUs that took part. */
static unsigned int race_once(void *obj)
{
	unsigned int cpu, cpus;

	cpus_read_lock();
	cpus = num_online_cpus();
	raced = obj;
	atomic_set(&missing, cpus);
	for_each_online_cpu(cpu) {
		INIT_WORK(per_cpu_ptr(&works, cpu), free_with_the_others);
		queue_work_on(cpu, system_highpri_wq, per_cpu_ptr(&works, cpu));
	}
	for_each_online_cpu(cpu)
		flush_work(per_cpu_ptr(&works, cpu));
	cpus_read_unlock();
	return cpus;
}

static u64 frees_of(const struct pcslab_stats *st, size_t size)
{
	return size > PCSLAB_MAX_SIZE ? st->large_frees :
	       st->class[pcslab_class_index(size)].frees;
}

/* One of the frees of an object is counted, the others are refused. */
static void one_wins(struct kunit *test, size_t size)
{
	struct pcslab_heap *heap = pcslab_heap_create("kunit-claim", NULL);
	struct pcslab_stats *st = kunit_kzalloc(test, sizeof(*st), GFP_KERNEL);
	unsigned int i, cpus = 0;
	void *obj;

	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, heap);
	KUNIT_ASSERT_NOT_NULL(test, st);
	for (i = 0; i < ROUNDS; i++) {
		obj = pcslab_alloc(heap, size, GFP_KERNEL);
		KUNIT_ASSERT_NOT_NULL(test, obj);
		cpus = race_once(obj);
	}
	KUNIT_EXPECT_GT(test, cpus, 1);
	KUNIT_EXPECT_EQ(test, pcslab_heap_stats(heap, st), 0);
	KUNIT_EXPECT_EQ(test, frees_of(st, size), ROUNDS);
	/* A freed large object is no longer memory of the heap. */
	if (size <= PCSLAB_MAX_SIZE)
		KUNIT_EXPECT_EQ(test, st->bad_frees, (cpus - 1) * ROUNDS);
	pcslab_heap_destroy(heap);
}

static void small_object(struct kunit *test)
{
	one_wins(test, 64);
}

static void large_object(struct kunit *test)
{
	one_wins(test, 20000);
}

static struct kunit_case cases[] = {
	KUNIT_CASE(small_object),
	KUNIT_CASE(large_object),
	{}
};

static struct kunit_suite suite = {
	.name = "pcslab_race",
	.test_cases = cases,
};

kunit_test_suite(suite);

MODULE_DESCRIPTION("KUnit tests of pcslab with debug=1");
MODULE_LICENSE("GPL");
MODULE_INFO(import_ns, "PCSLAB");
