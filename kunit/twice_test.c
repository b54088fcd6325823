// SPDX-License-Identifier: GPL-2.0
/*
 * Contracts 12 and 14: two CPUs free one object at the same instant. In the
 * worst case the heap hands this object out twice, but nobody else's memory is
 * touched and nothing is lost.
 *
 * Both CPUs find the object live, both count a free, and two magazines have
 * it. The second round is called stale here. If somebody notices that a round
 * leads to no cached object, it is dropped and counted as a bad free;
 * otherwise its object is handed out once more.
 *
 * In most cases the test makes the instant by hand: it sets the object's state
 * back, which hides the first free from the second. So both the numbers and
 * the places are known. In the last cases tasks on two CPUs really race, and
 * the books say how often.
 */
#include <kunit/test.h>
#include <linux/completion.h>
#include <linux/cpu.h>
#include <linux/delay.h>
#include <linux/kthread.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/slab.h>
#include <linux/smp.h>
#include <linux/sort.h>
#include <linux/string.h>

#include <pcslab/pcslab.h>

#include "quiet.h"
#include "stay.h"

/* Two CPUs of the same node; the first one also goes offline */
#define FIRST		3U
#define SECOND		2U
#define TRIES		10
#define MAX_POPPED	16
#define MAX_OBJECTS	2000
/* How many of each kind of memory each CPU takes */
#define WITNESSES	150
#define PATTERN		0xc3

/* Slabs of many objects, and of two */
static const size_t sizes[] = { 64, 4096, PCSLAB_MAX_SIZE };

static struct pcslab_heap *heap;
static struct pcslab_stats st;
static void *objs[MAX_OBJECTS];

struct books {
	u64 allocs, frees, bad_frees, slabs;
};

static struct books books_of(size_t size)
{
	const struct pcslab_class_stats *class = &st.class[pcslab_class_index(size)];

	pcslab_heap_stats(heap, &st);
	return (struct books){
		.allocs = class->allocs,
		.frees = class->frees,
		.bad_frees = st.bad_frees,
		.slabs = class->slabs,
	};
}

static struct pcslab_class *class_of(size_t size)
{
	return heap->class[pcslab_class_index(size)];
}

static void move_to(struct kunit *test, unsigned int cpu)
{
	KUNIT_ASSERT_EQ(test, set_cpus_allowed_ptr(current, cpumask_of(cpu)), 0);
}

/* Takes @n more, writes to all of each, and checks that they are the heap's. */
static void alloc_more(struct kunit *test, unsigned int from, unsigned int n, size_t size)
{
	unsigned int i, foreign = 0;

	KUNIT_ASSERT_LE(test, from + n, MAX_OBJECTS);
	for (i = from; i < from + n; i++) {
		objs[i] = pcslab_alloc(heap, size, GFP_KERNEL);
		KUNIT_ASSERT_NOT_NULL(test, objs[i]);
		foreign += pcslab_heap_of(objs[i]) != heap;
		memset(objs[i], i, size);
	}
	KUNIT_EXPECT_EQ_MSG(test, foreign, 0u, "objects of %zu bytes", size);
}

static void alloc_all(struct kunit *test, unsigned int n, size_t size)
{
	alloc_more(test, 0, n, size);
}

static void free_all(unsigned int n)
{
	unsigned int i;

	for (i = 0; i < n; i++)
		pcslab_free(objs[i]);
}

static int by_address(const void *a, const void *b)
{
	void *const *x = a, *const *y = b;

	return *x < *y ? -1 : *x > *y;
}

/* How many objects are there twice? Sorts them. */
static unsigned int doubles(unsigned int n)
{
	unsigned int i, twice = 0;

	sort(objs, n, sizeof(objs[0]), by_address, NULL);
	for (i = 1; i < n; i++)
		twice += objs[i] == objs[i - 1];
	return twice;
}

/*
 * Frees an object into this CPU's magazine, and hides that from the next free.
 * The caller must not migrate.
 */
static void hidden_free(struct kunit *test, void *obj, size_t size)
{
	struct pcslab_round *round;
	struct pcslab_cpu *c;

	pcslab_free(obj);
	c = pcslab_this_cache(class_of(size));
	round = c->top - 1;
	KUNIT_ASSERT_PTR_EQ(test, round->obj, obj);
	WRITE_ONCE(*round->state, PCSLAB_OBJ_LIVE);
}

/* Frees @n objects, each @step-th. */
static void free_on_both(struct kunit *test, unsigned int n, unsigned int step, size_t size)
{
	unsigned int i;

	move_to(test, FIRST);
	stay_here();
	for (i = 0; i < n; i++)
		hidden_free(test, objs[i * step], size);
	may_leave();
	move_to(test, SECOND);
	for (i = 0; i < n; i++)
		pcslab_free(objs[i * step]);
}

/*
 * Returns the number of objects that fill a magazine, which leaves room for
 * FIRST's free objects.
 */
static unsigned int one_magazine(struct kunit *test, size_t size)
{
	move_to(test, FIRST);
	/* Makes the class */
	pcslab_free(pcslab_alloc(heap, size, GFP_KERNEL));
	return class_of(size)->capacity;
}

/* Leaves new objects both in a magazine of FIRST and in one of SECOND. */
static unsigned int make_stale_rounds(struct kunit *test, size_t size)
{
	unsigned int n = one_magazine(test, size);

	alloc_all(test, n, size);
	free_on_both(test, n, 1, size);
	return n;
}

/* Memory that is not the heap's, and must stay unchanged */
struct witness {
	struct page *page;
	void *kmalloced[3];
	void *object;
};

static struct witness witnesses[8 * WITNESSES];
static unsigned int nr_witnesses;
static struct pcslab_heap *other_heap;
/* The sizes of objects, and of the metadata of their slabs */
static const size_t kmalloc_sizes[] = { 4096, 128, 192 };

static void take_witness(struct witness *w, unsigned int order, size_t size)
{
	unsigned int i;

	do {
		w->page = alloc_pages(GFP_KERNEL | __GFP_COMP, order);
	} while (!w->page);
	memset(page_address(w->page), PATTERN, PAGE_SIZE << order);
	w->object = pcslab_alloc(other_heap, size, GFP_KERNEL | __GFP_NOFAIL);
	memset(w->object, PATTERN, size);
	for (i = 0; i < ARRAY_SIZE(kmalloc_sizes); i++) {
		w->kmalloced[i] = kmalloc(kmalloc_sizes[i], GFP_KERNEL | __GFP_NOFAIL);
		memset(w->kmalloced[i], PATTERN, kmalloc_sizes[i]);
	}
}

/* Takes on all CPUs, because each one keeps pages that were freed there. */
static void take_witnesses(size_t size)
{
	unsigned int order = get_order(2 * size), cpu, i;

	for_each_online_cpu(cpu) {
		sit_on(cpu);
		for (i = 0; i < WITNESSES && nr_witnesses < ARRAY_SIZE(witnesses); i++)
			take_witness(&witnesses[nr_witnesses++], i % 3 ? order : 0, size);
	}
	set_cpus_allowed_ptr(current, cpu_possible_mask);
}

static bool is_intact(const struct witness *w, size_t size)
{
	unsigned int i;

	if (memchr_inv(page_address(w->page), PATTERN, page_size(w->page)) ||
	    memchr_inv(w->object, PATTERN, size))
		return false;
	for (i = 0; i < ARRAY_SIZE(kmalloc_sizes); i++) {
		if (memchr_inv(w->kmalloced[i], PATTERN, kmalloc_sizes[i]))
			return false;
	}
	return true;
}

static void drop_witness(struct witness *w)
{
	unsigned int i;

	__free_pages(w->page, compound_order(w->page));
	pcslab_free(w->object);
	for (i = 0; i < ARRAY_SIZE(kmalloc_sizes); i++)
		kfree(w->kmalloced[i]);
}

static void hear_witnesses(struct kunit *test, size_t size)
{
	unsigned int i, damaged = 0;

	for (i = 0; i < nr_witnesses; i++) {
		damaged += !is_intact(&witnesses[i], size);
		drop_witness(&witnesses[i]);
	}
	KUNIT_EXPECT_GT(test, nr_witnesses, 0u);
	KUNIT_EXPECT_EQ_MSG(test, damaged, 0u, "beside objects of %zu bytes", size);
	nr_witnesses = 0;
}

/* The audit counts objects, not calls, and counts stale rounds as wrong. */
static void expect_audited(struct kunit *test, unsigned int live, const char *wrong)
{
	static const char command[] =
		"awk '/total/ { exit $4 != %u || !(%s) }' /sys/kernel/debug/pcslab/heaps/%s/audit";
	char *line = kasprintf(GFP_KERNEL, command, live, wrong, heap->name);

	KUNIT_ASSERT_NOT_NULL(test, line);
	KUNIT_EXPECT_EQ_MSG(test, run_shell(line), 0, "the audit is not of %u live, %s", live,
			    wrong);
	kfree(line);
}

/* No object is live, and all memory goes back. The books stay wrong by @off. */
static void expect_empty(struct kunit *test, size_t size, const struct books *before, s64 off)
{
	struct books now;

	expect_audited(test, 0, "1");
	pcslab_heap_shrink(heap);
	expect_audited(test, 0, "$9 == 0");
	now = books_of(size);
	KUNIT_EXPECT_EQ_MSG(test, now.slabs, 0ull, "objects of %zu bytes", size);
	KUNIT_EXPECT_EQ_MSG(test, (s64)(now.frees - before->frees - now.allocs + before->allocs),
			    off, "objects of %zu bytes", size);
}

static void expect_bad_frees(struct kunit *test, size_t size, const struct books *before,
			     u64 expected)
{
	KUNIT_EXPECT_EQ_MSG(test, books_of(size).bad_frees - before->bad_frees, expected,
			    "objects of %zu bytes", size);
}

typedef void (*size_fn)(struct kunit *test, size_t size);

static void with_each_size(struct kunit *test, size_fn fn)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(sizes); i++)
		fn(test, sizes[i]);
}

/* Both magazines are used before anybody checks their rounds. */
static void use_both_magazines(struct kunit *test, size_t size)
{
	struct books before = books_of(size);
	unsigned int n = make_stale_rounds(test, size);

	move_to(test, FIRST);
	alloc_all(test, n, size);
	move_to(test, SECOND);
	alloc_more(test, n, n, size);
	KUNIT_EXPECT_EQ(test, doubles(2 * n), n);
	expect_audited(test, n, "$9 == 0");
	expect_bad_frees(test, size, &before, 0);
	free_all(2 * n);
	expect_bad_frees(test, size, &before, n);
	expect_empty(test, size, &before, 0);
}

static void handed_out_twice(struct kunit *test)
{
	with_each_size(test, use_both_magazines);
}

/* Live objects lie between the free ones. */
static void flush_both_magazines(struct kunit *test, size_t size)
{
	struct books before = books_of(size);
	unsigned int i, n = one_magazine(test, size), damaged = 0;

	alloc_all(test, 2 * n, size);
	free_on_both(test, n, 2, size);
	pcslab_heap_shrink(heap);
	expect_bad_frees(test, size, &before, n);
	expect_audited(test, n, "$9 == 0");
	for (i = 1; i < 2 * n; i += 2) {
		damaged += !!memchr_inv(objs[i], (u8)i, size);
		objs[i / 2] = objs[i];
	}
	KUNIT_EXPECT_EQ(test, damaged, 0u);
	alloc_more(test, n, n, size);
	KUNIT_EXPECT_EQ(test, doubles(2 * n), 0u);
	free_all(2 * n);
	expect_empty(test, size, &before, n);
}

static void dropped_when_flushed(struct kunit *test)
{
	with_each_size(test, flush_both_magazines);
}

/* Empties the depots; the CPUs keep their magazines. */
static void empty_depots(struct kunit *test, size_t size)
{
	unsigned int i;

	for (i = 0; i < 100 && books_of(size).slabs; i++) {
		KUNIT_ASSERT_EQ(test, run_shell("echo 2 >/proc/sys/vm/drop_caches"), 0);
		msleep(20);
	}
	KUNIT_EXPECT_EQ_MSG(test, books_of(size).slabs, 0ull, "objects of %zu bytes", size);
}

/* When SECOND checks its rounds, others own the memory of the objects. */
static void lose_pages(struct kunit *test, size_t size)
{
	struct books before = books_of(size);
	unsigned int n = make_stale_rounds(test, size);

	KUNIT_ASSERT_EQ(test, remove_cpu(FIRST), 0);
	empty_depots(test, size);
	take_witnesses(size);
	move_to(test, SECOND);
	alloc_all(test, n, size);
	KUNIT_EXPECT_EQ(test, doubles(n), 0u);
	hear_witnesses(test, size);
	expect_bad_frees(test, size, &before, n);
	free_all(n);
	expect_empty(test, size, &before, n);
	KUNIT_ASSERT_EQ(test, add_cpu(FIRST), 0);
}

static void magazines_are_verified(struct kunit *test)
{
	with_each_size(test, lose_pages);
}

static void expect_slabs_leave(struct kunit *test, size_t size, u64 before)
{
	unsigned int i;

	for (i = 0; i < 500 && books_of(size).slabs >= before; i++)
		msleep(20);
	KUNIT_EXPECT_LT(test, books_of(size).slabs, before);
}

/*
 * Other objects push the stale rounds of SECOND from its magazines into the
 * depot.
 */
static void lose_pages_of_depot(struct kunit *test, size_t size)
{
	struct books before = books_of(size);
	unsigned int i, n = one_magazine(test, size);

	alloc_all(test, 3 * n, size);
	free_on_both(test, n, 1, size);
	for (i = n; i < 3 * n; i++)
		pcslab_free(objs[i]);
	KUNIT_EXPECT_GT(test, class_of(size)->depot[cpu_to_node(SECOND)].mags_full.nr, 0u);

	before.slabs = books_of(size).slabs;
	KUNIT_ASSERT_EQ(test, remove_cpu(FIRST), 0);
	expect_slabs_leave(test, size, before.slabs);
	take_witnesses(size);
	move_to(test, SECOND);
	alloc_all(test, 3 * n, size);
	KUNIT_EXPECT_EQ(test, doubles(3 * n), 0u);
	hear_witnesses(test, size);
	expect_bad_frees(test, size, &before, n);
	free_all(3 * n);
	expect_empty(test, size, &before, n);
	KUNIT_ASSERT_EQ(test, add_cpu(FIRST), 0);
}

/* With two objects to a slab, some slabs are empty, more than a depot keeps. */
static void full_magazines_are_verified(struct kunit *test)
{
	lose_pages_of_depot(test, 4096);
	lose_pages_of_depot(test, PCSLAB_MAX_SIZE);
}

static struct pcslab_slab *slab_at(size_t size, const void *obj)
{
	struct pcslab_class *class = class_of(size);
	struct pcslab_slab *slab, *found = NULL;
	int node;

	rcu_read_lock();
	for_each_online_node(node) {
		list_for_each_entry_rcu(slab, &class->depot[node].all, all) {
			if (obj >= (void *)slab->base &&
			    obj < (void *)slab->base + (PAGE_SIZE << slab->order))
				found = slab;
		}
	}
	rcu_read_unlock();
	return found;
}

/*
 * One CPU is so late that the object is in its slab again when that CPU marks
 * it as cached. The slab then counts more objects as free than it has. Of every
 * eight objects four are live and two are late.
 */
static void mark_late(struct kunit *test, size_t size)
{
	struct books before = books_of(size);
	unsigned int i, n = one_magazine(test, size) / 8 * 8;
	struct pcslab_slab *slab;

	alloc_all(test, n, size);
	for (i = 0; i < n; i += 2)
		pcslab_free(objs[i]);
	pcslab_heap_shrink(heap);
	move_to(test, SECOND);
	for (i = 0; i < n; i += 4) {
		slab = slab_at(size, objs[i]);
		KUNIT_ASSERT_NOT_NULL(test, slab);
		WRITE_ONCE(slab->state[(objs[i] - (void *)slab->base) / size], PCSLAB_OBJ_LIVE);
		pcslab_free(objs[i]);
	}
	for (i = 1; i < n; i += 2)
		objs[i / 2] = objs[i];
	move_to(test, FIRST);
	alloc_more(test, n / 2, n, size);
	move_to(test, SECOND);
	alloc_more(test, n / 2 + n, n, size);
	KUNIT_EXPECT_EQ(test, doubles(n / 2 + 2 * n), 0u);
	free_all(n / 2 + 2 * n);
	expect_bad_frees(test, size, &before, 0);
	expect_empty(test, size, &before, n / 4);
}

static void slab_counts_too_many(struct kunit *test)
{
	mark_late(test, 64);
}

static bool is_listed(const char *name)
{
	char command[96];

	snprintf(command, sizeof(command),
		 "grep -q '^%s ' /sys/kernel/debug/pcslab/stats", name);
	return !run_shell(command);
}

static void wait_until_gone(struct kunit *test, const char *name)
{
	unsigned int i;

	for (i = 0; i < 500 && is_listed(name); i++)
		msleep(20);
	KUNIT_EXPECT_FALSE(test, is_listed(name));
}

/* The heap goes with its last object, whatever the books say. */
static void expect_gone(struct kunit *test, struct pcslab_heap *heap)
{
	char name[PCSLAB_NAME_LEN];

	strscpy(name, heap->name, sizeof(name));
	pcslab_heap_destroy(heap);
	wait_until_gone(test, name);
}

static void make_heap(struct kunit *test, unsigned long flags)
{
	struct pcslab_heap_attr attr = { .flags = flags };

	heap = pcslab_heap_create("twice", &attr);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, heap);
}

/* A random slab takes any of its objects, and as many as it counts. */
static void random_slab_counts_too_many(struct kunit *test)
{
	unsigned int i;

	expect_gone(test, heap);
	make_heap(test, PCSLAB_HEAP_RANDOM);
	for (i = 0; i < 10; i++)
		mark_late(test, 64);
}

static void expect_ours(struct kunit *test, unsigned int n, size_t size)
{
	unsigned int i, foreign = 0;

	for (i = 0; i < n; i++) {
		foreign += pcslab_heap_of(objs[i]) != heap;
		memset(objs[i], i, size);
	}
	KUNIT_EXPECT_EQ_MSG(test, foreign, 0u, "objects of %zu bytes", size);
}

/*
 * Live objects of one class are offset by as many frees of another class that
 * were counted twice.
 */
static void zombie_whose_books_balance(struct kunit *test)
{
	unsigned int n = make_stale_rounds(test, 64);

	alloc_all(test, n, 4096);
	pcslab_heap_destroy(heap);
	msleep(500);
	KUNIT_EXPECT_EQ(test, run_shell("grep -q '^twice *zombie ' /sys/kernel/debug/pcslab/stats"),
			0);
	expect_ours(test, n, 4096);
	free_all(n);
	wait_until_gone(test, "twice");
	make_heap(test, 0);
}

/*
 * The heap is destroyed while two CPUs have the same objects in their
 * magazines.
 */
static void destroyed_meanwhile(struct kunit *test)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(sizes); i++)
		make_stale_rounds(test, sizes[i]);
	expect_gone(test, heap);
	take_witnesses(sizes[0]);
	make_heap(test, 0);
	with_each_size(test, use_both_magazines);
	hear_witnesses(test, sizes[0]);
}

/* Some of the objects: @n from @from on, each @step-th */
struct part {
	unsigned int from, n, step;
};

static void free_part(void *arg)
{
	const struct part *part = arg;
	unsigned int i;

	for (i = 0; i < part->n; i++)
		pcslab_free(objs[part->from + i * part->step]);
}

/* Frees in an interrupt of FIRST, while the caller keeps its CPU. */
static void free_on_first(struct kunit *test, struct part part)
{
	KUNIT_ASSERT_EQ(test, smp_call_function_single(FIRST, free_part, &part, true), 0);
}

static unsigned int filled;

/*
 * Makes n stale rounds and fills the depot, so that FIRST empties its magazines
 * into the slabs when more is freed there. When the 3n objects from filled on
 * are freed, their slabs leave. Of the 6n objects behind those every second one
 * stays live, so their slabs stay. Returns n.
 */
static unsigned int fill_depot(struct kunit *test, size_t size)
{
	unsigned int n = one_magazine(test, size);

	KUNIT_ASSERT_LE(test, n, MAX_POPPED);
	/*
	 * The stale rounds, those in the CPUs' magazines, and those the depot
	 * may keep
	 */
	filled = 6 * n + pcslab_gauge(class_of(size)->depot[0].max_rounds);
	KUNIT_ASSERT_LE(test, filled + 9 * n, MAX_OBJECTS);
	alloc_all(test, filled + 9 * n, size);
	sort(objs + filled + 3 * n, 6 * n, sizeof(objs[0]), by_address, NULL);
	free_part(&(struct part){ n, filled - n, 1 });
	free_on_both(test, n, 1, size);
	return n;
}

/* How many objects are handed out again from slabs on their way out? */
static unsigned int pop_all(unsigned int n, size_t size)
{
	const void *leaving[MAX_POPPED];
	unsigned int i, hits = 0;

	for (i = 0; i < n; i++)
		leaving[i] = READ_ONCE(slab_at(size, objs[i])->leaves) ? objs[i] : NULL;
	for (i = 0; i < n; i++)
		objs[i] = pcslab_alloc(heap, size, GFP_ATOMIC | __GFP_NOFAIL);
	/* The one freed last comes first. */
	for (i = 0; i < n; i++)
		hits += objs[i] == leaving[n - 1 - i];
	return hits;
}

/*
 * SECOND hands out objects of a slab that has just left its depot: the slab
 * stays.
 */
static unsigned int pop_from_leaving_slab(struct kunit *test, size_t size)
{
	struct books before = books_of(size);
	unsigned int hits, n = fill_depot(test, size);

	stay_here();
	free_on_first(test, (struct part){ filled, 3 * n, 1 });
	hits = pop_all(n, size);
	may_leave();
	pcslab_heap_shrink(heap);
	take_witnesses(size);
	expect_ours(test, n, size);
	hear_witnesses(test, size);
	free_all(n);
	free_part(&(struct part){ filled + 3 * n, 6 * n, 1 });
	expect_empty(test, size, &before, n);
	return hits;
}

static void wait_for_doubt(size_t size, u32 doubts)
{
	unsigned long end = jiffies + HZ;

	while (READ_ONCE(class_of(size)->doubts) == doubts && time_before(jiffies, end))
		cpu_relax();
}

/* Same, and two CPUs free these objects again before the slab has left. */
static unsigned int race_in_leaving_slab(struct kunit *test, size_t size)
{
	unsigned int i, hits, n = fill_depot(test, size);
	u32 doubts;

	stay_here();
	doubts = READ_ONCE(class_of(size)->doubts);
	free_on_first(test, (struct part){ filled, 3 * n, 1 });
	hits = pop_all(n, size);
	wait_for_doubt(size, doubts);
	for (i = 0; i < n; i++)
		hidden_free(test, objs[i], size);
	free_on_first(test, (struct part){ 0, n, 1 });
	free_on_first(test, (struct part){ filled + 3 * n, 3 * n, 2 });
	may_leave();
	msleep(500);
	take_witnesses(size);
	move_to(test, SECOND);
	alloc_all(test, n, size);
	hear_witnesses(test, size);
	free_all(n);
	free_part(&(struct part){ filled + 3 * n + 1, 3 * n, 2 });
	pcslab_heap_shrink(heap);
	expect_audited(test, 0, "$9 == 0");
	KUNIT_EXPECT_EQ(test, books_of(size).slabs, 0ull);
	return hits;
}

/* Tries often: the interrupt may be late, or the pages may be doubted early. */
static void slab_is_used_while_it_leaves(struct kunit *test)
{
	unsigned int i, hits = 0, raced = 0;

	if (IS_ENABLED(CONFIG_PREEMPT_RT))
		kunit_skip(test, "nobody keeps the grace period waiting there");
	for (i = 0; i < TRIES; i++) {
		hits += pop_from_leaving_slab(test, 4096);
		raced += race_in_leaving_slab(test, 4096);
	}
	kunit_info(test, "%u and %u objects in %u tries\n", hits, raced, TRIES);
	KUNIT_EXPECT_GT(test, hits, 0u);
	KUNIT_EXPECT_GT(test, raced, 0u);
}

/* Tasks that free all objects, both of them each at the same instant */
struct racer {
	struct task_struct *task;
	struct completion done;
	unsigned int n;
};

static atomic_t arrived;

static int race_through(void *arg)
{
	struct racer *racer = arg;
	unsigned int i;

	for (i = 0; i < racer->n; i++) {
		atomic_inc(&arrived);
		while (atomic_read(&arrived) < 2 * (i + 1))
			cpu_relax();
		pcslab_free(objs[i]);
	}
	complete(&racer->done);
	return 0;
}

static void start_racer(struct kunit *test, struct racer *racer, unsigned int cpu,
			unsigned int n)
{
	init_completion(&racer->done);
	racer->n = n;
	racer->task = kthread_create(race_through, racer, "pcslab-race/%u", cpu);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, racer->task);
	kthread_bind(racer->task, cpu);
}

static void race(struct kunit *test, unsigned int n, unsigned int a, unsigned int b)
{
	static struct racer racers[2];

	atomic_set(&arrived, 0);
	start_racer(test, &racers[0], a, n);
	start_racer(test, &racers[1], b, n);
	wake_up_process(racers[0].task);
	wake_up_process(racers[1].task);
	wait_for_completion(&racers[0].done);
	wait_for_completion(&racers[1].done);
}

/*
 * Two CPUs free all objects; then they are allocated again, and freed. Each
 * race has left a stale round. That was found, or its object was handed out
 * twice, or neither if the slab had taken the object back and handed it out
 * before. (A free that comes when the slab is gone is no bad free of this
 * heap.) Returns the number of races.
 */
static unsigned int race_once(struct kunit *test, size_t size, unsigned int a, unsigned int b)
{
	unsigned int n = min(MAX_OBJECTS * 64 / size * 64, MAX_OBJECTS), twice;
	struct books before = books_of(size), after;
	s64 races, found;

	alloc_all(test, n, size);
	race(test, n, a, b);
	take_witnesses(size);
	alloc_all(test, n, size);
	twice = doubles(n);
	hear_witnesses(test, size);
	free_all(n);
	after = books_of(size);
	races = after.frees - before.frees - (n + n - twice);
	expect_empty(test, size, &before, races - twice);

	after = books_of(size);
	found = after.frees + after.bad_frees - before.frees - before.bad_frees - 3 * n;
	kunit_info(test, "%u objects of %zu bytes, CPUs %u and %u: %lld races, %lld found, %u handed out twice\n",
		   n, size, a, b, races, found, twice);
	KUNIT_EXPECT_EQ(test, after.allocs - before.allocs, 2ull * n);
	KUNIT_EXPECT_LE(test, found + twice, races);
	return races;
}

/* CPUs of the same node, and of two nodes. */
static void raced_by_two_cpus(struct kunit *test)
{
	unsigned int i, races = 0;

	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		races += race_once(test, sizes[i], 2, 3);
		races += race_once(test, sizes[i], 1, 2);
	}
	KUNIT_EXPECT_GT(test, races, 0u);
}

/* CPU 3 goes and comes, and idle memory goes back. */
static int change_and_reap(void *unused)
{
	while (!kthread_should_stop()) {
		remove_cpu(FIRST);
		run_shell("echo 2 >/proc/sys/vm/drop_caches");
		add_cpu(FIRST);
		run_shell("echo 2 >/proc/sys/vm/drop_caches");
		msleep(20);
	}
	return 0;
}

static void raced_while_cpus_change(struct kunit *test)
{
	struct task_struct *task = kthread_run(change_and_reap, NULL, "pcslab-change");
	unsigned int i, races = 0;

	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, task);
	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		races += race_once(test, sizes[i], 0, 1);
		races += race_once(test, sizes[i], 1, 2);
	}
	kthread_stop(task);
	KUNIT_EXPECT_GT(test, races, 0u);
}

static int make_heaps(struct kunit *test)
{
	other_heap = pcslab_heap_create("witness", NULL);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, other_heap);
	make_heap(test, 0);
	return 0;
}

static void drop_heaps(struct kunit *test)
{
	set_cpus_allowed_ptr(current, cpu_possible_mask);
	expect_gone(test, heap);
	pcslab_heap_destroy(other_heap);
}

static struct kunit_case cases[] = {
	KUNIT_CASE(handed_out_twice),
	KUNIT_CASE(dropped_when_flushed),
	KUNIT_CASE(magazines_are_verified),
	KUNIT_CASE(full_magazines_are_verified),
	KUNIT_CASE(slab_counts_too_many),
	KUNIT_CASE(random_slab_counts_too_many),
	KUNIT_CASE(zombie_whose_books_balance),
	KUNIT_CASE(destroyed_meanwhile),
	KUNIT_CASE(slab_is_used_while_it_leaves),
	KUNIT_CASE(raced_by_two_cpus),
	KUNIT_CASE(raced_while_cpus_change),
	{}
};

static struct kunit_suite suite = {
	.name = "pcslab_twice",
	.init = make_heaps,
	.exit = drop_heaps,
	.test_cases = cases,
};

kunit_test_suite(suite);

MODULE_DESCRIPTION("KUnit tests of what comes of a free on two CPUs at once");
MODULE_LICENSE("GPL");
MODULE_INFO(import_ns, "PCSLAB");
