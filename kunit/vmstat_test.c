// SPDX-License-Identifier: GPL-2.0
/*
 * Contract 19: the kernel's own books include what heaps hold: SUnreclaim of
 * /proc/meminfo, for each node. The guest must do nothing else.
 */
#include <kunit/test.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/sched.h>
#include <linux/sizes.h>
#include <linux/vmstat.h>

#include <pcslab/pcslab.h>

#include "quiet.h"

#define LARGE_OBJECTS	64
#define LARGE_SIZE	(64 * PAGE_SIZE)
#define LARGE_PAGES	(LARGE_OBJECTS * 64UL)
/* Bytes of objects of each class */
#define CLASS_BYTES	SZ_1M
/* The kernel's own slabs change meanwhile, but not for long. */
#define TRIES		50

static struct pcslab_heap *heap;

/*
 * Pages of unreclaimable slab memory of a node, including what CPUs have not
 * yet added to the count.
 */
static long unreclaimable(struct kunit *test, int node)
{
	KUNIT_ASSERT_EQ(test, run_shell("cat /proc/sys/vm/stat_refresh"), 0);
	return atomic_long_read(&NODE_DATA(node)->vm_stat[NR_SLAB_UNRECLAIMABLE_B]);
}

static void free_large(void **objs)
{
	unsigned int i;

	for (i = 0; i < LARGE_OBJECTS; i++)
		pcslab_free(objs[i]);
}

static bool take_large(void **objs, int node)
{
	unsigned int i;

	for (i = 0; i < LARGE_OBJECTS; i++)
		objs[i] = pcslab_alloc_node(heap, LARGE_SIZE, GFP_KERNEL | __GFP_THISNODE, node);
	return objs[LARGE_OBJECTS - 1];
}

/* Large objects have no metadata, so the number of pages must match exactly. */
static bool large_are_counted(struct kunit *test, void **objs, int node)
{
	long before = unreclaimable(test, node), with, after;

	KUNIT_ASSERT_TRUE(test, take_large(objs, node));
	with = unreclaimable(test, node);
	free_large(objs);
	after = unreclaimable(test, node);
	if (with - before == LARGE_PAGES && after == before)
		return true;
	kunit_info(test, "node %d: %ld pages before, %ld with %lu of ours, %ld after\n", node,
		   before, with, LARGE_PAGES, after);
	return false;
}

static void large_objects_to_the_page(struct kunit *test)
{
	void **objs = kunit_kcalloc(test, LARGE_OBJECTS, sizeof(*objs), GFP_KERNEL);
	unsigned int tries;
	int node;

	KUNIT_ASSERT_NOT_NULL(test, objs);
	for_each_node_state(node, N_MEMORY) {
		for (tries = 0; tries < TRIES; tries++) {
			if (large_are_counted(test, objs, node))
				break;
		}
		KUNIT_EXPECT_LT(test, tries, TRIES);
	}
}

static long all_nodes(struct kunit *test)
{
	long pages = 0;
	int node;

	for_each_node_state(node, N_MEMORY)
		pages += unreclaimable(test, node);
	return pages;
}

static long pages_of_heap(void)
{
	static struct pcslab_stats st;
	long pages = 0;
	unsigned int i;

	pcslab_heap_stats(heap, &st);
	for (i = 0; i < PCSLAB_NR_CLASSES; i++)
		pages += st.class[i].pages;
	return pages;
}

/* Takes objects of all classes, linked through their first word. */
static void *take_of_all_classes(void)
{
	void *first = NULL, **obj;
	unsigned long bytes;
	unsigned int i;
	size_t size;

	for (i = 0; i < PCSLAB_NR_CLASSES; i++) {
		size = pcslab_class_size(i);
		for (bytes = 0; bytes < CLASS_BYTES; bytes += size) {
			obj = pcslab_alloc(heap, size, GFP_KERNEL | __GFP_NOFAIL);
			*obj = first;
			first = obj;
		}
	}
	return first;
}

static void free_list(void *first)
{
	void *next;

	for (; first; first = next) {
		next = *(void **)first;
		pcslab_free(first);
	}
	pcslab_heap_shrink(heap);
}

/*
 * Metadata comes from kmalloc() and is counted with the rest: a byte for each
 * object of 8 bytes, and 100 for each slab. So the test only checks bounds; but
 * a wrong count grows with every round.
 */
static void slabs_of_all_classes(struct kunit *test)
{
	long before, held = 0, with, after = 0;
	unsigned int round;
	void *objs;

	free_list(take_of_all_classes());
	before = all_nodes(test);
	for (round = 0; round < 10; round++) {
		objs = take_of_all_classes();
		held = pages_of_heap();
		with = all_nodes(test) - before;
		free_list(objs);
		after = all_nodes(test) - before;
		KUNIT_EXPECT_GE(test, with, held - held / 16);
		KUNIT_EXPECT_LE(test, with, held + held / 8);
		KUNIT_EXPECT_EQ(test, pages_of_heap(), 0);
	}
	kunit_info(test, "%ld pages held, %ld more unreclaimable; %ld when they were gone\n",
		   held, with, after);
	KUNIT_EXPECT_LE(test, abs(after), held / 16);
}

#define SWING_OBJECTS	20000

/* From empty to full and back, on one CPU. */
static void swing(unsigned int times)
{
	void *first, **obj;
	unsigned int i;

	while (times--) {
		first = NULL;
		for (i = 0; i < SWING_OBJECTS; i++) {
			obj = pcslab_alloc(heap, 64, GFP_KERNEL | __GFP_NOFAIL);
			*obj = first;
			first = obj;
		}
		while (first) {
			obj = first;
			first = *obj;
			pcslab_free(obj);
		}
	}
}

/*
 * Each time hundreds of magazines come and go, once the depot has learnt to
 * keep that many: none of them may stay. kmemleak does not report them, because
 * it ignores magazines, which point to free objects (hooks.h).
 */
static void swings_leave_no_magazine(struct kunit *test)
{
	long before, missing;

	KUNIT_ASSERT_EQ(test, set_cpus_allowed_ptr(current, cpumask_of(0)), 0);
	swing(5);
	pcslab_heap_shrink(heap);
	before = all_nodes(test);
	swing(20);
	pcslab_heap_shrink(heap);
	missing = all_nodes(test) - before;
	kunit_info(test, "%ld pages more than before\n", missing);
	KUNIT_EXPECT_LT(test, missing, 128l);
	set_cpus_allowed_ptr(current, cpu_possible_mask);
}

static int make_heap(struct kunit *test)
{
	heap = pcslab_heap_create("kunit-vmstat", NULL);
	if (IS_ERR(heap))
		return PTR_ERR(heap);
	/* Make the class first. */
	pcslab_free(pcslab_alloc(heap, LARGE_SIZE, GFP_KERNEL));
	return 0;
}

static void drop_heap(struct kunit *test)
{
	pcslab_heap_destroy(heap);
}

static struct kunit_case cases[] = {
	KUNIT_CASE(large_objects_to_the_page),
	KUNIT_CASE(slabs_of_all_classes),
	KUNIT_CASE(swings_leave_no_magazine),
	{}
};

static struct kunit_suite suite = {
	.name = "pcslab_vmstat",
	.init = make_heap,
	.exit = drop_heap,
	.test_cases = cases,
};

kunit_test_suite(suite);

MODULE_DESCRIPTION("KUnit tests of what the kernel knows of pcslab's memory");
MODULE_LICENSE("GPL");
MODULE_INFO(import_ns, "PCSLAB");
