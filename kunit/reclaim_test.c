// SPDX-License-Identifier: GPL-2.0
/*
 * Free memory goes back: on request, after a while, and when the kernel needs
 * it. A call from the middle of reclaim works like any other. The guest must
 * have little memory and a reap pass every few seconds. A heap is sure to be
 * quiet only just after a shrink. This is promised in README.md; no contract
 * has it.
 */
#include <kunit/test.h>
#include <linux/cpu.h>
#include <linux/delay.h>
#include <linux/kprobes.h>
#include <linux/module.h>
#include <linux/sched/mm.h>
#include <linux/slab.h>
#include <linux/smp.h>
#include <linux/string.h>
#include <linux/swap.h>

#include <pcslab/pcslab.h>

#include "compat.h"
#include "live.h"
#include "quiet.h"
#include "test_compat.h"

/*
 * Objects of each class on each CPU: more than two magazines and a slab hold,
 * with most classes.
 */
#define PER_CPU		200
#define PER_CPU_BYTES	(160 * 1024)
/* Far more jiffies than two reap passes take */
#define REAPS_COME	(120 * HZ)
#define GREED		(GFP_KERNEL | __GFP_NORETRY | __GFP_NOWARN)

static struct pcslab_heap *heap;
static struct pcslab_stats st;

static u64 pages_of(struct pcslab_heap *heap)
{
	u64 pages = 0;
	unsigned int i;

	pcslab_heap_stats(heap, &st);
	for (i = 0; i < PCSLAB_NR_CLASSES; i++)
		pages += st.class[i].pages;
	return pages;
}

static u64 free_objects(struct pcslab_heap *heap)
{
	u64 objects = 0;
	unsigned int i;

	pcslab_heap_stats(heap, &st);
	for (i = 0; i < PCSLAB_NR_CLASSES; i++)
		objects += st.class[i].cached + st.class[i].depot;
	return objects;
}

/* Takes at most @n objects of each class, linked through their first word. */
static void *take_some(unsigned int n)
{
	void *first = NULL, **obj;
	unsigned int i;
	size_t size;

	for (i = 0; i < n * PCSLAB_NR_CLASSES; i++) {
		size = pcslab_class_size(i % PCSLAB_NR_CLASSES);
		if (i / PCSLAB_NR_CLASSES >= PER_CPU_BYTES / size)
			continue;
		obj = pcslab_alloc(heap, size, GFP_KERNEL);
		if (!obj)
			break;
		*obj = first;
		first = obj;
	}
	return first;
}

static void free_all(void *first)
{
	void *next;

	for (; first; first = next) {
		next = *(void **)first;
		pcslab_free(first);
	}
}

static int use_this_cpu(void *unused)
{
	free_all(take_some(PER_CPU));
	return 0;
}

/* Leaves objects in the magazines and depots of all CPUs and classes. */
static void use_all_cpus(struct kunit *test)
{
	unsigned int cpu;

	cpus_read_lock();
	for_each_online_cpu(cpu)
		smp_call_on_cpu(cpu, use_this_cpu, NULL, false);
	cpus_read_unlock();
	KUNIT_ASSERT_GT(test, pages_of(heap), 0);
	KUNIT_ASSERT_EQ(test, stats_live(&st), 0);
}

/* Tries again, because a reap pass in between may give back some of it. */
static void shrink_gives_all_back(struct kunit *test)
{
	unsigned int tries = 5;
	u64 pages, back;

	do {
		use_all_cpus(test);
		pages = pages_of(heap);
		back = pcslab_heap_shrink(heap);
		KUNIT_EXPECT_LE(test, back, pages);
		KUNIT_EXPECT_EQ(test, pages_of(heap), 0);
		KUNIT_EXPECT_EQ(test, free_objects(heap), 0);
	} while (back != pages && --tries);
	KUNIT_EXPECT_EQ(test, back, pages);
	KUNIT_EXPECT_EQ(test, pcslab_heap_shrink(heap), 0);
	expect_quiet(test, heap);
}

/* Every slab with a live object stays, and the object is unchanged. */
static void shrink_keeps_what_is_live(struct kunit *test)
{
	u8 *obj[PCSLAB_NR_CLASSES];
	unsigned int i;
	size_t size;

	use_all_cpus(test);
	for (i = 0; i < PCSLAB_NR_CLASSES; i++) {
		obj[i] = pcslab_alloc(heap, pcslab_class_size(i), GFP_KERNEL);
		KUNIT_ASSERT_NOT_NULL(test, obj[i]);
		memset(obj[i], i + 1, pcslab_class_size(i));
	}
	KUNIT_EXPECT_GT(test, pcslab_heap_shrink(heap), 0);
	expect_quiet(test, heap);
	pcslab_heap_stats(heap, &st);
	for (i = 0; i < PCSLAB_NR_CLASSES; i++) {
		size = pcslab_class_size(i);
		KUNIT_EXPECT_EQ(test, st.class[i].slabs, 1);
		KUNIT_EXPECT_NULL(test, memchr_inv(obj[i], i + 1, size));
		pcslab_free(obj[i]);
	}
	pcslab_heap_shrink(heap);
	KUNIT_EXPECT_EQ(test, pages_of(heap), 0);
}

static int see_a_tick(void *unused)
{
	mdelay(2 * MSEC_PER_SEC / HZ);
	return 0;
}

/*
 * Wakes all CPUs, because the timer of the reap pass does not wake an idle CPU.
 * Returns false if the passes are overdue.
 */
static bool let_reaps_come(unsigned long since)
{
	unsigned int cpu;

	cpus_read_lock();
	for_each_online_cpu(cpu)
		smp_call_on_cpu(cpu, see_a_tick, NULL, false);
	cpus_read_unlock();
	msleep(50);
	return time_before(jiffies, since + REAPS_COME);
}

/* Unused memory is gone after two reap passes. */
static void idle_memory_goes_back(struct kunit *test)
{
	unsigned long start;

	use_all_cpus(test);
	start = jiffies;
	while (pages_of(heap) && let_reaps_come(start))
		;
	KUNIT_EXPECT_EQ(test, pages_of(heap), 0);
	KUNIT_EXPECT_EQ(test, free_objects(heap), 0);
	expect_quiet(test, heap);
}

/* A magazine in occasional use stays while those of other classes go. */
static void used_magazine_stays(struct kunit *test)
{
	unsigned int index = pcslab_class_index(64);
	unsigned long start;
	u64 others;

	use_all_cpus(test);
	start = jiffies;
	do {
		others = pages_of(heap) - st.class[index].pages;
		KUNIT_EXPECT_GT(test, st.class[index].cached, 0);
		pcslab_free(pcslab_alloc(heap, 64, GFP_KERNEL));
	} while (others && let_reaps_come(start));
	KUNIT_EXPECT_EQ(test, others, 0);
}

/*
 * Takes as many objects as it gets, at most @most, linked through their first
 * word.
 */
static void *take(struct pcslab_heap *from, size_t size, gfp_t gfp, unsigned long most,
		  unsigned long *n)
{
	void *first = NULL, **obj;

	for (*n = 0; *n < most && (obj = pcslab_alloc(from, size, gfp)); ++*n) {
		*obj = first;
		first = obj;
	}
	return first;
}

static void *take_all(struct pcslab_heap *greedy, size_t size, unsigned long *n)
{
	return take(greedy, size, GREED, ULONG_MAX, n);
}

/* Runs on CPU 0, and uses the depot of its node */
struct swing {
	struct pcslab_depot *depot;
	unsigned long objects;
	unsigned int mags_empty;
	void *held;
};

static int take_and_hold(void *arg)
{
	struct swing *swing = arg;
	unsigned long n;
	void **obj;

	for (n = 0; n < swing->objects; n++) {
		obj = pcslab_alloc(heap, 64, GFP_KERNEL);
		if (!obj)
			break;
		*obj = swing->held;
		swing->held = obj;
	}
	swing->mags_empty = pcslab_gauge(swing->depot->mags_empty.nr);
	return 0;
}

static int take_and_give_back(void *arg)
{
	struct swing *swing = arg;

	take_and_hold(swing);
	free_all(swing->held);
	swing->held = NULL;
	return 0;
}

/*
 * If the same number of objects is taken and given back again and again, the
 * depot learns to keep them in full magazines. Once this stops, it forgets. A
 * reap pass comes each second meanwhile.
 */
static void depot_learns_and_forgets(struct kunit *test)
{
	struct pcslab_class *class;
	unsigned int at_first, i;
	struct swing swing = { };
	unsigned long start;

	free_all(take_some(1));
	class = pcslab_class_at(heap, pcslab_class_index(64));
	swing.depot = &class->depot[cpu_to_mem(0)];
	at_first = swing.depot->max_rounds / class->capacity;
	swing.objects = 5 * at_first * class->capacity;
	smp_call_on_cpu(0, take_and_give_back, &swing, false);
	KUNIT_EXPECT_LE(test, pcslab_gauge(swing.depot->mags_full.nr), at_first);

	/* The limit must grow no further than the number of objects. */
	swing.objects = 2 * at_first * class->capacity;
	smp_call_on_cpu(0, take_and_hold, &swing, false);
	KUNIT_EXPECT_LE(test, pcslab_gauge(swing.depot->max_rounds), swing.objects);
	free_all(swing.held);
	swing.held = NULL;

	swing.objects = 5 * at_first * class->capacity;
	for (i = 0; i < 50 && pcslab_gauge(swing.depot->mags_full.nr) < 4 * at_first; i++)
		smp_call_on_cpu(0, take_and_give_back, &swing, false);
	KUNIT_EXPECT_GE(test, pcslab_gauge(swing.depot->mags_full.nr), 4 * at_first);
	if (!IS_ENABLED(CONFIG_PREEMPT_RT))
		KUNIT_EXPECT_LE(test, swing.mags_empty, at_first);

	swing.objects = class->capacity;
	start = jiffies;
	do {
		smp_call_on_cpu(0, take_and_hold, &swing, false);
	} while (pcslab_gauge(swing.depot->max_rounds) > at_first * class->capacity &&
		 let_reaps_come(start));
	KUNIT_EXPECT_EQ(test, pcslab_gauge(swing.depot->max_rounds), at_first * class->capacity);
	KUNIT_EXPECT_LE(test, pcslab_gauge(swing.depot->mags_full.nr), at_first);
	free_all(swing.held);
	pcslab_heap_shrink(heap);
	KUNIT_EXPECT_EQ(test, pages_of(heap), 0);
	expect_quiet(test, heap);
}

static unsigned long serve(struct pcslab_heap *other, unsigned int n, gfp_t gfp)
{
	unsigned long served;

	free_all(take(other, 64, gfp, n, &served));
	return served;
}

/* Full magazines and empty slabs of all classes. */
static unsigned long depots_hold(void)
{
	struct pcslab_class *class;
	unsigned long n = 0;
	int node;

	pcslab_for_each_size_class(class, heap) {
		for_each_node_state(node, N_MEMORY)
			n += class->depot[node].mags_full.nr + class->depot[node].nr_slabs_empty;
	}
	return n;
}

/*
 * drop_caches asks the shrinker for everything. The shrinker also starts a reap
 * pass, and the caches' objects may reach the depots just after those have been
 * emptied. For a tenth of a second after that it reports that there is nothing.
 */
static void drop_caches_empties_depots(struct kunit *test)
{
	unsigned int tries;

	use_all_cpus(test);
	KUNIT_EXPECT_GT(test, depots_hold(), PCSLAB_NR_CLASSES);
	for (tries = 0; tries < 5 && depots_hold(); tries++) {
		if (tries)
			msleep(150);
		KUNIT_ASSERT_EQ(test, run_shell("echo 2 >/proc/sys/vm/drop_caches"), 0);
	}
	KUNIT_EXPECT_EQ(test, depots_hold(), 0);
}

typedef unsigned long (*scan_fn)(struct shrinker *s, struct shrink_control *sc);

/* A kprobe finds the address of the function. */
static scan_fn find_scan(void)
{
	struct kprobe probe = { .symbol_name = "pcslab:scan_pages" };
	scan_fn scan;

	if (register_kprobe(&probe))
		return NULL;
	scan = (scan_fn)probe.addr;
	unregister_kprobe(&probe);
	return scan;
}

/*
 * Reclaim must be told of each page that was freed, or it goes on as if nothing
 * had been.
 */
static void reclaim_is_told(struct kunit *test)
{
	struct reclaim_state state = {}, *saved = current->reclaim_state;
	struct shrink_control sc = { .nr_to_scan = ULONG_MAX };
	scan_fn scan = find_scan();
	unsigned long pages;

	KUNIT_ASSERT_NOT_NULL(test, scan);
	use_all_cpus(test);
	current->reclaim_state = &state;
	pages = scan(NULL, &sc);
	current->reclaim_state = saved;
	KUNIT_EXPECT_GT(test, pages, 0);
	KUNIT_EXPECT_NE(test, pages, SHRINK_STOP);
	/* This includes what kfree() gave back meanwhile. */
	KUNIT_EXPECT_GE(test, compat_reclaimed(&state), pages);
	pcslab_heap_shrink(heap);
}

/*
 * One heap takes all memory there is. On the way it gets the free memory of
 * other heaps. When it gets no more, the other heaps are still served, and
 * nothing is lost.
 */
static void greedy_heap_and_others(struct kunit *test)
{
	struct pcslab_heap *greedy = pcslab_heap_create("kunit-greedy", NULL);
	unsigned long n, m;
	unsigned int tries = 0;
	u64 reclaimable;
	void *all;

	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, greedy);
	use_all_cpus(test);
	reclaimable = pages_of(heap);
	all = take_all(greedy, 8192, &n);
	KUNIT_EXPECT_GT(test, n, 1000);
	KUNIT_EXPECT_EQ(test, serve(heap, 200, GFP_ATOMIC), 200);

	pcslab_heap_stats_exact(greedy, &st);
	KUNIT_EXPECT_EQ(test, stats_live(&st), n);
	KUNIT_EXPECT_EQ(test, st.class[pcslab_class_index(8192)].fails, 1);
	free_all(all);
	KUNIT_EXPECT_EQ(test, serve(heap, 10000, GFP_KERNEL), 10000);

	/*
	 * Expect as much again, except for what other caches hold; KASAN and
	 * kmemleak keep a lot. Pages go some grace periods after the frees.
	 */
	do {
		msleep(500);
		all = take_all(greedy, 8192, &m);
		/* With highmem the first call may find enough elsewhere. */
		KUNIT_EXPECT_LT(test, pages_of(heap), reclaimable);
		free_all(all);
	} while (!IS_ENABLED(CONFIG_KASAN) && m <= n - n / 10 && ++tries < 10);
	kunit_info(test, "%lu objects of 8 KiB, then %lu; %llu pages reclaimable elsewhere, %llu left\n",
		   n, m, reclaimable, pages_of(heap));
	if (!IS_ENABLED(CONFIG_KASAN))
		KUNIT_EXPECT_GT(test, m, n - n / 10);
	pcslab_heap_shrink(greedy);
	expect_quiet(test, greedy);
	pcslab_heap_destroy(greedy);
}

static atomic_t reclaims, refused;

/* A shrinker like a filesystem's; allocates with all flags allowed there. */
static unsigned long count_one(struct shrinker *s, struct shrink_control *sc)
{
	return 1;
}

static unsigned long scan_and_alloc(struct shrinker *s, struct shrink_control *sc)
{
	static const gfp_t flags[] = { GFP_NOWAIT, GFP_NOIO, GFP_NOFS, GFP_ATOMIC };
	unsigned int i, n = atomic_inc_return(&reclaims);
	void *obj;

	for (i = 0; i < ARRAY_SIZE(flags); i++) {
		obj = pcslab_alloc(heap, n * 56 % PCSLAB_MAX_SIZE + 8, flags[i] | __GFP_NOWARN);
		if (!obj)
			atomic_inc(&refused);
		pcslab_free(obj);
	}
	return SHRINK_STOP;
}

static void calls_from_reclaim(struct kunit *test)
{
	struct shrinker *shrinker;
	unsigned int i, tries;
	unsigned long n;
	u64 fails = 0;

	shrinker = compat_shrinker_create("pcslab-test", count_one, scan_and_alloc);
	KUNIT_ASSERT_NOT_NULL(test, shrinker);
	KUNIT_EXPECT_EQ(test, run_shell("echo 2 >/proc/sys/vm/drop_caches"), 0);
	/* Reclaim decides how often it calls the shrinker. */
	for (tries = 0; tries < 100 && atomic_read(&reclaims) <= 10; tries++)
		free_all(take_all(heap, 4096, &n));
	compat_shrinker_destroy(shrinker);
	kunit_info(test, "%d times in reclaim, %d allocations refused there\n",
		   atomic_read(&reclaims), atomic_read(&refused));
	KUNIT_EXPECT_GT(test, atomic_read(&reclaims), 10);
	pcslab_heap_stats_exact(heap, &st);
	KUNIT_EXPECT_EQ(test, stats_live(&st), 0);
	for (i = 0; i < PCSLAB_NR_CLASSES; i++)
		fails += st.class[i].fails;
	/* The last call of take_all() failed, too */
	KUNIT_EXPECT_EQ(test, fails, atomic_read(&refused) + tries);
	pcslab_heap_shrink(heap);
	expect_quiet(test, heap);
}

static int make_heap(struct kunit *test)
{
	heap = pcslab_heap_create("kunit-reclaim", NULL);
	return PTR_ERR_OR_ZERO(heap);
}

static void drop_heap(struct kunit *test)
{
	pcslab_heap_destroy(heap);
}

static struct kunit_case cases[] = {
	KUNIT_CASE(shrink_gives_all_back),
	KUNIT_CASE(shrink_keeps_what_is_live),
	KUNIT_CASE(idle_memory_goes_back),
	KUNIT_CASE(used_magazine_stays),
	KUNIT_CASE(depot_learns_and_forgets),
	KUNIT_CASE(drop_caches_empties_depots),
	KUNIT_CASE(reclaim_is_told),
	KUNIT_CASE(greedy_heap_and_others),
	KUNIT_CASE(calls_from_reclaim),
	{}
};

static struct kunit_suite suite = {
	.name = "pcslab_reclaim",
	.init = make_heap,
	.exit = drop_heap,
	.test_cases = cases,
};

kunit_test_suite(suite);

MODULE_DESCRIPTION("KUnit tests of how pcslab gives memory back");
MODULE_LICENSE("GPL");
MODULE_INFO(import_ns, "PCSLAB");
