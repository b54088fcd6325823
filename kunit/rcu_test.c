// SPDX-License-Identifier: GPL-2.0
/*
 * Contracts 4, 12 and 14: an object that is freed after a grace period stays
 * as it is for its readers, and live in the books, until then; it is counted as
 * freed once. It is checked like in any other free before it is written.
 * pcslab_rcu_barrier() and pcslab_heap_destroy() wait for it. kfree_rcu() gets
 * an object beside ours where both can be compared.
 *
 * The log names a second free: in scripts/runs/api.run the case
 * bad_frees_are_named of the suite log.
 */
#include <linux/completion.h>
#include <linux/delay.h>
#include <linux/interrupt.h>
#include <linux/kthread.h>
#include <linux/math64.h>
#include <linux/mm.h>
#include <linux/nodemask.h>
#include <linux/prandom.h>
#include <linux/rcupdate.h>
#include <linux/slab.h>

#include "api.h"
#include "internal.h"
#include "interrupt.h"
#include "poke.h"
#include "quiet.h"
#include "state.h"
#include "zombie.h"

#define SEED		5
#define WORDS		12
#define LARGE_BYTES	20000
/* Far more than a call takes that does not have to wait */
#define WAIT_MS		150

/* An object; the rcu_head is in the middle. */
struct thing {
	u32 before[WORDS];
	struct rcu_head rcu;
	u32 after[WORDS];
};

/* A large object, whose rcu_head is in its second page. */
struct big_thing {
	u8 before[PAGE_SIZE + 8];
	struct rcu_head rcu;
	u8 after[LARGE_BYTES];
};

/* Everything but the rcu_head says whose object it is. */
static void fill(struct thing *thing, u32 seed)
{
	memset32(thing->before, seed, WORDS);
	memset32(thing->after, seed, WORDS);
}

static bool filled(const struct thing *thing, u32 seed)
{
	unsigned int i;

	for (i = 0; i < WORDS; i++) {
		if (READ_ONCE(thing->before[i]) != seed || READ_ONCE(thing->after[i]) != seed)
			return false;
	}
	return true;
}

static struct thing *new_thing(struct kunit *test, u32 seed)
{
	struct thing *thing = pcslab_alloc(api_heap(test), sizeof(*thing), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, thing);
	fill(thing, seed);
	return thing;
}

/*
 * A task in a read-side critical section. Until it leaves no grace period ends,
 * so the test must not open files, for example.
 */
static struct {
	struct task_struct *task;
	struct completion in;
	bool leave;
} reader;

static int read_until_told(void *unused)
{
	rcu_read_lock();
	complete(&reader.in);
	while (!READ_ONCE(reader.leave))
		udelay(1);
	rcu_read_unlock();
	while (!kthread_should_stop())
		schedule_timeout_interruptible(1);
	return 0;
}

/* On the last CPU, because the test may run on the first ones. */
static void reader_enters(struct kunit *test)
{
	init_completion(&reader.in);
	reader.leave = false;
	reader.task = kthread_create(read_until_told, NULL, "pcslab-reader");
	KUNIT_ASSERT_FALSE(test, IS_ERR(reader.task));
	kthread_bind(reader.task, cpumask_last(cpu_online_mask));
	wake_up_process(reader.task);
	wait_for_completion(&reader.in);
}

static void reader_leaves(void)
{
	WRITE_ONCE(reader.leave, true);
	kthread_stop(reader.task);
}

static u64 live(struct kunit *test)
{
	return stats_live(api_books(test));
}

/* @n objects are live, and wait. */
static void expect_waiting(struct kunit *test, u64 n)
{
	KUNIT_EXPECT_EQ(test, live(test), n);
	KUNIT_EXPECT_EQ(test, api_books(test)->deferred, n);
}

/* All that waited is freed. */
static void expect_done(struct kunit *test)
{
	pcslab_rcu_barrier(api_heap(test));
	expect_waiting(test, 0);
}

/* An object that is freed at once would be handed out next. */
static void readers_see_the_object(struct kunit *test)
{
	struct thing *thing = new_thing(test, SEED), *next, *theirs;

	theirs = kmalloc(sizeof(*theirs), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, theirs);
	fill(theirs, SEED);
	reader_enters(test);
	pcslab_free_rcu(thing, rcu);
	kfree_rcu(theirs, rcu);
	next = new_thing(test, SEED + 1);
	KUNIT_EXPECT_PTR_NE(test, next, thing);
	msleep(WAIT_MS);
	KUNIT_EXPECT_TRUE(test, filled(thing, SEED));
	KUNIT_EXPECT_TRUE(test, filled(theirs, SEED));
	reader_leaves();
	pcslab_free(next);
	expect_done(test);
}

/* As of api_snapshot() */
static const struct pcslab_stats *books_before(struct kunit *test)
{
	return ((struct api *)test->priv)->before;
}

static u64 refused_before(struct kunit *test)
{
	return ((struct api *)test->priv)->refused;
}

static void live_until_freed(struct kunit *test)
{
	struct big_thing *big = pcslab_alloc(api_heap(test), sizeof(*big), GFP_KERNEL);
	struct thing *things[3];
	unsigned int i;

	KUNIT_ASSERT_NOT_NULL(test, big);
	for (i = 0; i < ARRAY_SIZE(things); i++)
		things[i] = new_thing(test, i);
	api_snapshot(test);
	reader_enters(test);
	for (i = 0; i < ARRAY_SIZE(things); i++)
		pcslab_free_rcu(things[i], rcu);
	pcslab_free_rcu(big, rcu);
	KUNIT_EXPECT_TRUE(test, api_same_books(api_books(test), books_before(test)));
	expect_waiting(test, 4);
	KUNIT_EXPECT_EQ(test, api_books(test)->large_frees, 0);
	/* They are not the caller's any more. */
	KUNIT_EXPECT_NULL(test, pcslab_heap_of(things[0]));
	KUNIT_EXPECT_NULL(test, pcslab_heap_of(big));
	reader_leaves();
	expect_done(test);
	KUNIT_EXPECT_EQ(test, api_books(test)->large_frees, 1);
	KUNIT_EXPECT_EQ(test, api_refused(test), refused_before(test));
}

/* Every kind of free of an object that waits is one bad free. */
static void free_all_ways(struct kunit *test, void *obj, struct rcu_head *head)
{
	u64 refused = api_books(test)->bad_frees;
	struct rcu_head was = *head;

	pcslab_free(obj);
	pcslab_free_sensitive(obj);
	KUNIT_EXPECT_NULL(test, pcslab_realloc(api_heap(test), obj, 8, GFP_KERNEL));
	__pcslab_free_rcu(obj, head);
	pcslab_free_rcu_sync(obj);
	KUNIT_EXPECT_EQ(test, api_books(test)->bad_frees - refused, 5);
	/* That of the last in RCU's list changes when others use RCU. */
	if (was.next)
		KUNIT_EXPECT_PTR_EQ(test, was.next, head->next);
	KUNIT_EXPECT_PTR_EQ(test, was.func, head->func);
}

static void second_free_is_refused(struct kunit *test)
{
	struct big_thing *big = pcslab_alloc(api_heap(test), sizeof(*big), GFP_KERNEL);
	struct thing *thing = new_thing(test, SEED);
	u64 refused = api_refused(test);

	KUNIT_ASSERT_NOT_NULL(test, big);
	reader_enters(test);
	pcslab_free_rcu(thing, rcu);
	free_all_ways(test, thing, &thing->rcu);
	KUNIT_EXPECT_TRUE(test, filled(thing, SEED));
	pcslab_free_rcu(big, rcu);
	free_all_ways(test, big, &big->rcu);
	expect_waiting(test, 2);
	reader_leaves();
	expect_done(test);
	KUNIT_EXPECT_EQ(test, api_refused(test) - refused, 10);
	pcslab_free(thing);
	pcslab_free(big);
	KUNIT_EXPECT_EQ(test, api_refused(test) - refused, 12);
}

/* The object was freed; it may be in a magazine, but is not written to. */
static void free_of_a_free_object(struct kunit *test)
{
	struct thing *thing = new_thing(test, SEED), *keep = new_thing(test, SEED);
	u64 refused = api_refused(test);

	pcslab_free(thing);
	pcslab_free_rcu(thing, rcu);
	pcslab_free_rcu_sync(thing);
	KUNIT_EXPECT_EQ(test, api_refused(test) - refused, 2);
	KUNIT_EXPECT_EQ(test, api_books(test)->deferred, 0);
	pcslab_free(keep);
}

static void refuse(struct kunit *test, void *obj)
{
	struct thing *thing = obj;
	struct rcu_head was = thing->rcu;

	api_snapshot(test);
	pcslab_free_rcu(thing, rcu);
	pcslab_free_rcu_sync(obj);
	KUNIT_EXPECT_EQ(test, api_refused(test) - refused_before(test), 2);
	KUNIT_EXPECT_TRUE(test, api_same_books(api_books(test), books_before(test)));
	KUNIT_EXPECT_EQ(test, api_books(test)->deferred, 0);
	KUNIT_EXPECT_PTR_EQ(test, was.next, thing->rcu.next);
	KUNIT_EXPECT_PTR_EQ(test, was.func, thing->rcu.func);
}

/* Aligned as rcu_heads must be. */
static void bad_pointers_are_refused(struct kunit *test)
{
	void *obj = pcslab_zalloc(api_heap(test), 1024, GFP_KERNEL);
	void *large = pcslab_zalloc(api_heap(test), LARGE_BYTES, GFP_KERNEL);
	void *theirs = kzalloc(1024, GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, obj);
	KUNIT_ASSERT_NOT_NULL(test, large);
	KUNIT_ASSERT_NOT_NULL(test, theirs);
	refuse(test, obj + 8);
	refuse(test, obj + 512);
	refuse(test, large + 64);
	refuse(test, large + PAGE_SIZE);
	refuse(test, theirs);
	kfree(theirs);
	pcslab_free(obj);
	pcslab_free(large);
}

static void nothing_is_fine(struct kunit *test)
{
	struct thing *none = NULL, *zero = ZERO_SIZE_PTR;

	OPTIMIZER_HIDE_VAR(none);
	OPTIMIZER_HIDE_VAR(zero);
	api_snapshot(test);
	pcslab_free_rcu(none, rcu);
	kfree_rcu(none, rcu);
	pcslab_free_rcu(zero, rcu);
	pcslab_free_rcu_sync(NULL);
	pcslab_free_rcu_sync(ZERO_SIZE_PTR);
	pcslab_rcu_barrier(api_heap(test));
	KUNIT_EXPECT_EQ(test, api_refused(test), refused_before(test));
}

/* The rcu_head is in the object and no damage; a byte behind the object is. */
static void patterns_are_checked(struct kunit *test)
{
	static const struct pcslab_heap_attr attr = {
		.flags = PCSLAB_HEAP_POISON | PCSLAB_HEAP_REDZONE,
	};
	struct pcslab_heap *heap = pcslab_heap_create("kunit-rcu-checked", &attr);
	struct pcslab_stats *st = ((struct api *)test->priv)->now;
	struct thing *thing;
	unsigned int i;

	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, heap);
	for (i = 0; i < 2; i++) {
		thing = pcslab_alloc(heap, sizeof(*thing), GFP_KERNEL);
		KUNIT_ASSERT_NOT_NULL(test, thing);
		fill(thing, SEED);
		poke(thing + 1, i, 0);
		reader_enters(test);
		pcslab_free_rcu(thing, rcu);
		KUNIT_EXPECT_TRUE(test, filled(thing, SEED));
		reader_leaves();
		pcslab_rcu_barrier(heap);
		KUNIT_EXPECT_EQ(test, pcslab_heap_stats(heap, st), 0);
		KUNIT_EXPECT_EQ(test, st->corruptions, i);
		KUNIT_EXPECT_EQ(test, stats_live(st), 0);
	}
	pcslab_heap_destroy(heap);
}

static void on_every_node(struct kunit *test)
{
	struct thing *thing;
	int node;

	for_each_node_state(node, N_NORMAL_MEMORY) {
		thing = pcslab_alloc_node(api_heap(test), sizeof(*thing), GFP_KERNEL, node);
		KUNIT_ASSERT_NOT_NULL(test, thing);
		pcslab_free_rcu(thing, rcu);
		thing = pcslab_alloc_node(api_heap(test), sizeof(*thing), GFP_KERNEL, node);
		KUNIT_ASSERT_NOT_NULL(test, thing);
		pcslab_free_rcu_sync(thing);
	}
	expect_done(test);
}

static void free_it(void *thing)
{
	pcslab_free_rcu((struct thing *)thing, rcu);
}

static void *for_tasklet;

static void tasklet_frees(struct tasklet_struct *unused)
{
	free_it(for_tasklet);
}

static DECLARE_TASKLET(tasklet, tasklet_frees);

static void in_every_context(struct kunit *test)
{
	u64 refused = api_refused(test);
	unsigned long flags;
	unsigned int cpu;
	void *thing;

	for_tasklet = new_thing(test, SEED);
	tasklet_schedule(&tasklet);
	tasklet_kill(&tasklet);
	thing = new_thing(test, SEED);
	local_irq_save(flags);
	free_it(thing);
	local_irq_restore(flags);
	for_each_online_cpu(cpu) {
		thing = new_thing(test, SEED);
		KUNIT_EXPECT_TRUE(test, interrupt_call(cpu, free_it, thing));
	}
	expect_done(test);
	KUNIT_EXPECT_EQ(test, api_refused(test), refused);
}

/* A task that makes one call, which should wait for the reader. */
struct waiter {
	void (*fn)(void *arg);
	void *arg;
	struct completion done;
	struct task_struct *task;
};

static int waiter_thread(void *arg)
{
	struct waiter *waiter = arg;

	waiter->fn(waiter->arg);
	complete_all(&waiter->done);
	while (!kthread_should_stop())
		schedule_timeout_interruptible(1);
	return 0;
}

static void start_waiter(struct kunit *test, struct waiter *waiter)
{
	init_completion(&waiter->done);
	waiter->task = kthread_run(waiter_thread, waiter, "pcslab-waiter");
	KUNIT_ASSERT_FALSE(test, IS_ERR(waiter->task));
}

static void expect_it_waits(struct kunit *test, struct waiter *waiter)
{
	start_waiter(test, waiter);
	msleep(WAIT_MS);
	KUNIT_EXPECT_FALSE(test, completion_done(&waiter->done));
}

static void waiter_ends(struct waiter *waiter)
{
	wait_for_completion(&waiter->done);
	kthread_stop(waiter->task);
}

static void wait_for_frees(void *heap)
{
	pcslab_rcu_barrier(heap);
}

static void barrier_waits(struct kunit *test)
{
	struct waiter waiter = { .fn = wait_for_frees, .arg = api_heap(test) };
	struct thing *thing = new_thing(test, SEED);

	reader_enters(test);
	pcslab_free_rcu(thing, rcu);
	expect_it_waits(test, &waiter);
	expect_waiting(test, 1);
	reader_leaves();
	waiter_ends(&waiter);
	expect_waiting(test, 0);
}

/* With the reader in its section no grace period ends. */
static void barrier_without_objects(struct kunit *test)
{
	struct thing *thing = new_thing(test, SEED);

	reader_enters(test);
	pcslab_rcu_barrier(api_heap(test));
	pcslab_free(thing);
	pcslab_rcu_barrier(api_heap(test));
	reader_leaves();
}

static void destroy(void *heap)
{
	pcslab_heap_destroy(heap);
}

static void destroy_waits(struct kunit *test)
{
	struct pcslab_heap *heap = pcslab_heap_create("kunit-rcu-gone", NULL);
	struct waiter waiter = { .fn = destroy, .arg = heap };
	struct big_thing *big;
	struct thing *thing;

	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, heap);
	thing = pcslab_alloc(heap, sizeof(*thing), GFP_KERNEL);
	big = pcslab_alloc(heap, sizeof(*big), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, thing);
	KUNIT_ASSERT_NOT_NULL(test, big);
	reader_enters(test);
	pcslab_free_rcu(thing, rcu);
	pcslab_free_rcu(big, rcu);
	expect_it_waits(test, &waiter);
	KUNIT_EXPECT_FALSE(test, READ_ONCE(heap->dying));
	reader_leaves();
	waiter_ends(&waiter);
	KUNIT_EXPECT_NULL(test, strstr(api_summary(test), "kunit-rcu-gone zombie"));
}

/* A free after destroy is as late as any, and the zombie goes with it. */
static void expect_heap_goes(struct kunit *test, const char *name)
{
	unsigned int tries;

	for (tries = 0; tries < 500 && strstr(api_summary(test), name); tries++)
		msleep(20);
	KUNIT_EXPECT_NULL(test, strstr(api_summary(test), name));
}

static void zombie_goes(struct kunit *test)
{
	struct pcslab_heap *heap = pcslab_heap_create("kunit-rcu-late", NULL);
	struct thing *thing;

	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, heap);
	thing = pcslab_alloc(heap, sizeof(*thing), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, thing);
	pcslab_heap_destroy(heap);
	KUNIT_EXPECT_NOT_NULL(test, strstr(api_summary(test), "kunit-rcu-late zombie"));
	pcslab_free_rcu(thing, rcu);
	expect_heap_goes(test, "kunit-rcu-late");
}

static int forgotten;

static void give_up(void *unused)
{
	forgotten = run_shell("echo kunit-rcu-lost >/sys/module/pcslab/parameters/forget");
}

/* A zombie that is given up is waited for, too, and nothing is lost. */
static void forget_waits(struct kunit *test)
{
	struct pcslab_heap *heap = pcslab_heap_create("kunit-rcu-lost", NULL);
	struct waiter waiter = { .fn = give_up };
	struct thing *thing;
	unsigned int tries;

	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, heap);
	thing = pcslab_alloc(heap, sizeof(*thing), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, thing);
	pcslab_heap_destroy(heap);
	expect_last_reference(test, heap);
	reader_enters(test);
	pcslab_free_rcu(thing, rcu);
	expect_it_waits(test, &waiter);
	/* A shell may take long to start and find the heap. */
	for (tries = 0; tries < 500 && refcount_read(&heap->refs) < 2; tries++)
		msleep(20);
	reader_leaves();
	waiter_ends(&waiter);
	KUNIT_EXPECT_EQ(test, forgotten, 0);
	expect_heap_goes(test, "kunit-rcu-lost");
}

static void free_sync(void *obj)
{
	pcslab_free_rcu_sync(obj);
}

static void sync_waits(struct kunit *test)
{
	struct thing *thing = new_thing(test, SEED);
	struct waiter waiter = { .fn = free_sync, .arg = thing };

	reader_enters(test);
	expect_it_waits(test, &waiter);
	expect_waiting(test, 1);
	KUNIT_EXPECT_TRUE(test, filled(thing, SEED));
	pcslab_free_rcu(thing, rcu);
	pcslab_free(thing);
	KUNIT_EXPECT_EQ(test, api_books(test)->bad_frees, 2);
	reader_leaves();
	waiter_ends(&waiter);
	expect_waiting(test, 0);
}

/*
 * In a heap without checks a free at the same instant may take the object, and
 * the heap may hand it out again. The callback leaves it alone then.
 */
static void raced_free_is_refused(struct kunit *test)
{
	struct thing *thing = new_thing(test, SEED);

	reader_enters(test);
	pcslab_free_rcu(thing, rcu);
	WRITE_ONCE(*state_of(thing), PCSLAB_OBJ_LIVE);
	reader_leaves();
	pcslab_rcu_barrier(api_heap(test));
	KUNIT_EXPECT_EQ(test, api_books(test)->bad_frees, 1);
	KUNIT_EXPECT_EQ(test, api_books(test)->deferred, 0);
	KUNIT_EXPECT_TRUE(test, filled(thing, SEED));
	KUNIT_EXPECT_EQ(test, live(test), 1);
	pcslab_free(thing);
	KUNIT_EXPECT_EQ(test, live(test), 0);
}

/* Two CPUs free the same objects: each is freed once, and refused once. */
#define RACES	2000

static struct {
	struct thing *thing[RACES];
	atomic_t ready;
} race;

static void race_all(void *unused)
{
	unsigned int i;

	for (i = 0; i < RACES; i++) {
		atomic_inc(&race.ready);
		while (atomic_read(&race.ready) < 2 * (i + 1))
			cond_resched();
		pcslab_free_rcu(race.thing[i], rcu);
	}
}

static void one_of_two_wins(struct kunit *test)
{
	struct waiter waiter = { .fn = race_all };
	u64 refused = api_refused(test);
	unsigned int i;

	for (i = 0; i < RACES; i++)
		race.thing[i] = new_thing(test, i);
	atomic_set(&race.ready, 0);
	reader_enters(test);
	init_completion(&waiter.done);
	waiter.task = kthread_run(waiter_thread, &waiter, "pcslab-racer");
	KUNIT_ASSERT_FALSE(test, IS_ERR(waiter.task));
	race_all(NULL);
	waiter_ends(&waiter);
	expect_waiting(test, RACES);
	reader_leaves();
	expect_done(test);
	KUNIT_EXPECT_EQ(test, api_refused(test) - refused, RACES);
}

/*
 * Writers replace the objects in slots and free the old ones; readers look at
 * them meanwhile. Every object carries the same number in all its words.
 */
#define SLOTS		16
#define STORM_MS	1000
#define STORM_WRITES	1000
#define STORM_TASKS	4

static struct {
	struct pcslab_heap *heap;
	struct thing __rcu *slot[SLOTS];
	unsigned long end;
	atomic_long_t broken, reads, writes;
} storm;

static void read_slot(unsigned int i)
{
	struct thing *thing;

	rcu_read_lock();
	thing = rcu_dereference(storm.slot[i]);
	if (thing && !filled(thing, READ_ONCE(thing->before[0])))
		atomic_long_inc(&storm.broken);
	rcu_read_unlock();
	atomic_long_inc(&storm.reads);
}

static void write_slot(unsigned int i, u32 seed)
{
	struct thing *thing = pcslab_alloc(storm.heap, sizeof(*thing), GFP_KERNEL), *old;

	if (!thing)
		return;
	fill(thing, seed);
	old = unrcu_pointer(xchg(&storm.slot[i], RCU_INITIALIZER(thing)));
	pcslab_free_rcu(old, rcu);
	atomic_long_inc(&storm.writes);
}

/* On a busy machine with a debug kernel much less happens in the same time. */
static bool storm_goes_on(void)
{
	return time_before(jiffies, storm.end) ||
	       (atomic_long_read(&storm.writes) <= STORM_WRITES &&
		time_before(jiffies, storm.end + 60 * HZ));
}

static void storm_task(void *unused)
{
	struct rnd_state rnd;
	unsigned int i;

	prandom_seed_state(&rnd, task_pid_nr(current));
	while (storm_goes_on()) {
		for (i = 0; i < 100; i++) {
			read_slot(prandom_u32_state(&rnd) % SLOTS);
			if (i % 4 == 0)
				write_slot(prandom_u32_state(&rnd) % SLOTS,
					   prandom_u32_state(&rnd));
		}
		cond_resched();
	}
}

static void empty_slots(void)
{
	unsigned int i;
	struct thing *old;

	for (i = 0; i < SLOTS; i++) {
		old = unrcu_pointer(xchg(&storm.slot[i], NULL));
		pcslab_free_rcu(old, rcu);
	}
}

static void many_readers_and_writers(struct kunit *test)
{
	struct waiter waiter[STORM_TASKS];
	u64 refused = api_refused(test);
	unsigned int i;

	storm.heap = api_heap(test);
	atomic_long_set(&storm.broken, 0);
	atomic_long_set(&storm.writes, 0);
	atomic_long_set(&storm.reads, 0);
	storm.end = jiffies + msecs_to_jiffies(STORM_MS);
	for (i = 0; i < STORM_TASKS; i++) {
		waiter[i].fn = storm_task;
		init_completion(&waiter[i].done);
		waiter[i].task = kthread_run(waiter_thread, &waiter[i], "pcslab-storm");
		KUNIT_ASSERT_FALSE(test, IS_ERR(waiter[i].task));
	}
	for (i = 0; i < STORM_TASKS; i++)
		waiter_ends(&waiter[i]);
	empty_slots();
	expect_done(test);
	KUNIT_EXPECT_EQ(test, atomic_long_read(&storm.broken), 0);
	KUNIT_EXPECT_GT(test, atomic_long_read(&storm.writes), STORM_WRITES);
	KUNIT_EXPECT_GT(test, atomic_long_read(&storm.reads), 1000);
	KUNIT_EXPECT_EQ(test, api_refused(test), refused);
}

/* An allocation, in the way that is usual for the size */
struct order {
	struct pcslab_heap *heap;
	size_t size;
	gfp_t gfp;
	int node;
	bool served;
};

static void get_and_free(void *arg)
{
	struct order *order = arg;
	void *obj;

	if (order->size > PAGE_SIZE << MAX_PAGE_ORDER)
		obj = pcslab_kvalloc(order->heap, order->size, order->gfp);
	else
		obj = pcslab_alloc_node(order->heap, order->size, order->gfp, order->node);
	order->served = obj;
	pcslab_free(obj);
}

/*
 * Must not wait for a grace period, because none ends while the reader is in
 * its section. One that does would wait for ever.
 */
static void expect_at_once(struct kunit *test, struct order *order)
{
	struct waiter waiter = { .fn = get_and_free, .arg = order };
	bool done;

	start_waiter(test, &waiter);
	done = wait_for_completion_timeout(&waiter.done, 10 * HZ);
	KUNIT_EXPECT_TRUE(test, done);
	if (!done)
		reader_leaves();
	waiter_ends(&waiter);
	if (!done)
		reader_enters(test);
	KUNIT_EXPECT_TRUE(test, order->served);
}

static int last_node(void)
{
	int node, last = 0;

	for_each_node_state(node, N_MEMORY)
		last = node;
	return last;
}

/* Pretend that half the memory waits, in objects of @size. */
static void let_much_wait(struct pcslab_heap *heap, size_t size)
{
	unsigned long pages = totalram_pages() / 2;

	atomic_long_set(&heap->deferred, div_u64((u64)pages << PAGE_SHIFT, size));
	atomic_long_add(pages, &heap->budget.pages);
}

static void let_nothing_wait(struct pcslab_heap *heap)
{
	atomic_long_set(&heap->deferred, 0);
	atomic_long_sub(totalram_pages() / 2, &heap->budget.pages);
}

/*
 * If half the memory waits in a heap it takes no pages before a grace period,
 * whether a magazine, a depot or the page allocator needs them. Who may not
 * sleep gets them at once; and so does who wants large objects of a heap in
 * which many small ones wait.
 */
static void growth_waits_if_much_does(struct kunit *test)
{
	static const size_t sizes[] = { 64, 192, 2 * PCSLAB_MAX_SIZE, 16 << 20 };
	struct pcslab_heap *heap = api_heap(test);
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		struct order order = {
			.heap = heap, .size = sizes[i], .gfp = GFP_KERNEL,
			.node = i == 1 ? last_node() : NUMA_NO_NODE
		};
		struct order nowait = {
			.heap = heap, .size = 1024 << i, .gfp = GFP_NOWAIT, .node = NUMA_NO_NODE
		};
		struct waiter waiter = { .fn = get_and_free, .arg = &order };

		reader_enters(test);
		let_much_wait(heap, sizes[i]);
		expect_it_waits(test, &waiter);
		if (i < 2)
			expect_at_once(test, &nowait);
		reader_leaves();
		waiter_ends(&waiter);
		let_nothing_wait(heap);
		KUNIT_EXPECT_TRUE(test, order.served);
	}
}

static void few_pages_do_not_wait(struct kunit *test)
{
	struct pcslab_heap *heap = api_heap(test);
	struct order order = {
		.heap = heap, .size = 2 * PCSLAB_MAX_SIZE, .gfp = GFP_KERNEL, .node = NUMA_NO_NODE
	};

	reader_enters(test);
	atomic_long_set(&heap->deferred, totalram_pages());
	expect_at_once(test, &order);
	atomic_long_set(&heap->deferred, 0);
	reader_leaves();
}

static struct kunit_case cases[] = {
	KUNIT_CASE(readers_see_the_object),
	KUNIT_CASE(live_until_freed),
	KUNIT_CASE(second_free_is_refused),
	KUNIT_CASE(free_of_a_free_object),
	KUNIT_CASE(bad_pointers_are_refused),
	KUNIT_CASE(nothing_is_fine),
	KUNIT_CASE(patterns_are_checked),
	KUNIT_CASE(on_every_node),
	KUNIT_CASE(in_every_context),
	KUNIT_CASE(barrier_waits),
	KUNIT_CASE(barrier_without_objects),
	KUNIT_CASE(destroy_waits),
	KUNIT_CASE(zombie_goes),
	KUNIT_CASE(forget_waits),
	KUNIT_CASE(sync_waits),
	KUNIT_CASE(raced_free_is_refused),
	KUNIT_CASE(one_of_two_wins),
	KUNIT_CASE(growth_waits_if_much_does),
	KUNIT_CASE(few_pages_do_not_wait),
	KUNIT_CASE(many_readers_and_writers),
	{}
};

static struct kunit_suite suite = {
	.name = "pcslab_rcu",
	.init = api_init,
	.exit = api_exit,
	.test_cases = cases,
};

kunit_test_suite(suite);
