// SPDX-License-Identifier: GPL-2.0
/*
 * While nobody allocates or frees, do the record, the states of the objects and
 * the files agree?
 */
#include <linux/delay.h>
#include <linux/export.h>
#include <linux/rculist.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/umh.h>

#include "quiet.h"

/* Sums over the states of a class's objects and over its magazines */
struct walk {
	u64 live, cached, free, other, rounds;
};

/*
 * Reads debugfs files through a shell, as they can't be read from inside the
 * kernel.
 */
int run_shell(const char *command)
{
	char shell[] = "/bin/sh", option[] = "-c", path[] = "PATH=/bin";
	char *argv[4] = { shell, option, (char *)command, NULL };
	char *envp[2] = { path, NULL };

	return call_usermodehelper(shell, argv, envp, UMH_WAIT_PROC);
}
EXPORT_SYMBOL_GPL(run_shell);

/* The page allocator fails requests of this order and above, for this task. */
void fail_large_pages(struct kunit *test, bool on, unsigned int order)
{
	char command[256];

	snprintf(command, sizeof(command),
		 "cd /sys/kernel/debug/fail_page_alloc && echo Y >task-filter && echo N >ignore-gfp-wait && echo 0 >verbose && echo -1 >times && echo %u >min-order && echo %u >probability",
		 order, on ? 100 : 0);
	KUNIT_ASSERT_EQ(test, run_shell(command), 0);
	current->make_it_fail = on;
}
EXPORT_SYMBOL_GPL(fail_large_pages);

static void walk_slab(struct pcslab_slab *slab, struct walk *walk)
{
	unsigned int i;

	for (i = 0; i < slab->nr; i++) {
		switch (READ_ONCE(slab->state[i])) {
		case PCSLAB_OBJ_LIVE:
		case PCSLAB_OBJ_SUSPECT:
		case PCSLAB_OBJ_RCU:
			walk->live++;
			break;
		case PCSLAB_OBJ_CACHED:
			walk->cached++;
			break;
		case PCSLAB_OBJ_FREE:
			walk->free++;
			break;
		default:
			walk->other++;
		}
	}
}

/*
 * True if a slab is on its way out: it may go during the walk, and what was
 * read before is wrong then.
 */
static bool any_leaves(struct pcslab_class *class)
{
	struct pcslab_slab *slab;
	bool any = false;
	int node;

	rcu_read_lock();
	for_each_online_node(node) {
		list_for_each_entry_rcu(slab, &class->depot[node].all, all)
			any |= READ_ONCE(slab->leaves);
	}
	rcu_read_unlock();
	return any;
}

static void wait_for_leaving(struct pcslab_heap *heap)
{
	unsigned int i, tries;

	for (i = 0; i < PCSLAB_NR_CLASSES; i++) {
		if (!heap->class[i])
			continue;
		for (tries = 0; tries < 500 && any_leaves(heap->class[i]); tries++)
			msleep(20);
	}
}

static void walk_class(struct pcslab_class *class, struct walk *walk)
{
	struct pcslab_cpu *c;
	struct pcslab_slab *slab;
	unsigned int cpu;
	int node;

	*walk = (struct walk){};
	for_each_online_node(node) {
		rcu_read_lock();
		list_for_each_entry_rcu(slab, &class->depot[node].all, all)
			walk_slab(slab, walk);
		rcu_read_unlock();
		walk->rounds += READ_ONCE(class->depot[node].nr_rounds);
	}
	for_each_possible_cpu(cpu) {
		c = pcslab_cpu_of(class, cpu);
		if (c)
			walk->rounds += pcslab_cached(class, c);
	}
}

static void expect_quiet_class(struct kunit *test, struct pcslab_class *class,
			       const struct pcslab_class_stats *st)
{
	struct walk walk;

	walk_class(class, &walk);
	KUNIT_EXPECT_EQ_MSG(test, walk.live, st->allocs - st->frees, "class %u", st->size);
	KUNIT_EXPECT_EQ_MSG(test, walk.cached, walk.rounds, "class %u", st->size);
	KUNIT_EXPECT_EQ_MSG(test, walk.cached + walk.free, st->cached + st->depot,
			    "class %u", st->size);
	KUNIT_EXPECT_EQ_MSG(test, walk.other, 0ull, "class %u", st->size);
}

static u64 pages_of(const struct pcslab_stats *st)
{
	u64 pages = (st->large_alloc_bytes - st->large_free_bytes) >> PAGE_SHIFT;
	unsigned int i;

	for (i = 0; i < PCSLAB_NR_CLASSES; i++)
		pages += st->class[i].pages;
	return pages;
}

/*
 * The heap is charged for the pages that its classes and large objects have. A
 * slab leaves its class a little before the charge is taken back, and so does
 * an object from vmalloc: a work item frees one after the other, each with all
 * its pages. So this waits as long as the charge shrinks.
 */
static void expect_charge(struct kunit *test, struct pcslab_heap *heap, struct pcslab_stats *st)
{
	unsigned int tries;
	u64 before;

	for (tries = 0; tries < 500 && st->pages != pages_of(st); tries++) {
		msleep(20);
		before = st->pages;
		KUNIT_ASSERT_EQ(test, pcslab_heap_stats(heap, st), 0);
		if (st->pages < before)
			tries = 0;
	}
	KUNIT_EXPECT_EQ_MSG(test, st->pages, pages_of(st), "pages of %s", heap->name);
	KUNIT_EXPECT_LE(test, st->pages, st->max_pages);
}

/* Compares the files that people read: scripts/inside is in the guest. */
static const char compare_files[] =
	"cd /sys/kernel/debug/pcslab/heaps/%s && awk -f /inside/audit-is-exact.awk exact audit";

/*
 * Nobody may allocate or free meanwhile: the record, the walk and the files
 * agree.
 */
void expect_quiet(struct kunit *test, struct pcslab_heap *heap)
{
	static struct pcslab_stats st;
	char *command;
	unsigned int i;

	wait_for_leaving(heap);
	KUNIT_ASSERT_EQ(test, pcslab_heap_stats_exact(heap, &st), 0);
	for (i = 0; i < PCSLAB_NR_CLASSES; i++) {
		if (heap->class[i])
			expect_quiet_class(test, heap->class[i], &st.class[i]);
	}
	/* What a fixed-size cache holds is charged to its heap. */
	if (!heap->parent)
		expect_charge(test, heap, &st);
	command = kasprintf(GFP_KERNEL, compare_files, heap->name);
	KUNIT_ASSERT_NOT_NULL(test, command);
	KUNIT_EXPECT_EQ_MSG(test, run_shell(command), 0,
			    "the audit of %s is not its exact read", heap->name);
	kfree(command);
}
EXPORT_SYMBOL_GPL(expect_quiet);
