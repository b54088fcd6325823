// SPDX-License-Identifier: GPL-2.0
/*
 * Two tasks that free the same objects at the same moment
 *
 * They have a heap of their own, `raced`, because pcslab promises only that the
 * damage stays within the heap (Documentation/contracts.rst, contract 12). One
 * task allocates and holds objects. Now and then it takes some of them and
 * frees each together with the other one, a work item. An object that is handed
 * out twice is held once, so all held objects differ, and an audit sees them as
 * live. Nothing is written to them, as nothing is promised about a second
 * owner's content.
 *
 * Both tasks enter an RCU read-side section before either frees. During this
 * section the object's slab can't go and be used by another heap. (A later free
 * would be one after reuse, which nobody can detect.) For the same reason no
 * object is large: its pages would go at once.
 *
 * kmemleak gives up for good when an address is allocated twice, so with
 * kmemleak nobody races.
 *
 * Context: process. Locks: none; the two wait for each other, for a while.
 */
#include <linux/atomic.h>
#include <linux/completion.h>
#include <linux/delay.h>
#include <linux/err.h>
#include <linux/kernel.h>
#include <linux/kthread.h>
#include <linux/printk.h>
#include <linux/rcupdate.h>
#include <linux/slab.h>
#include <linux/workqueue.h>

#include "live.h"
#include "stay.h"
#include "stress.h"

#define MOST_HELD	256
#define MOST_RACED	64

/* How long one of them waits for the other, with preemption off */
#define SPINS		20000
#define MOST_MISSED	4

/* Few sizes, so that magazines run full and empty */
static const size_t sizes[] = { 16, 64, 256, 1024 };

/* Who is at the meeting point: nobody, one, both; or the first has left */
enum { NOBODY, ONE, BOTH, LEFT };

struct race {
	struct task_struct *task;
	struct work_struct work;
	struct stress_actor *actor;
	struct pcslab_heap *heap;
	struct pcslab_stats st;
	void *held[MOST_HELD];
	unsigned int nr_held;
	/* The objects of a race, and their meeting points */
	void *object[MOST_RACED];
	atomic_t at[MOST_RACED];
	bool together[MOST_RACED];
	struct completion begun;
	unsigned int nr_objects;
	/* Oracle: objects handed out, objects freed by one call and by two */
	u64 allocs, singles, races;
};

static struct race *race;

/* False if the other one does not arrive, or has left already. */
static bool meet(atomic_t *at)
{
	int before = atomic_fetch_inc(at);
	unsigned int i;

	if (before != NOBODY)
		return before == ONE;
	for (i = 0; i < SPINS && atomic_read(at) == ONE; i++)
		cpu_relax();
	return atomic_cmpxchg(at, ONE, LEFT) != ONE;
}

static bool free_together(unsigned int i)
{
	bool both;

	rcu_read_lock();
	stay_here();
	both = meet(&race->at[i]);
	if (both)
		pcslab_free(race->object[i]);
	may_leave();
	rcu_read_unlock();
	return both;
}

/*
 * Both go from object to object. Each stops after it has missed the other a few
 * times; the task then frees the rest alone.
 */
static void free_all_together(bool *together)
{
	unsigned int i, missed = 0;

	for (i = 0; i < race->nr_objects && missed < MOST_MISSED; i++) {
		together[i] = free_together(i);
		missed += !together[i];
	}
}

static void run_along(struct work_struct *unused)
{
	bool together[MOST_RACED];

	complete(&race->begun);
	free_all_together(together);
}

static bool is_held(const void *obj)
{
	unsigned int i;

	for (i = 0; i < race->nr_held; i++) {
		if (race->held[i] == obj)
			return true;
	}
	return false;
}

static void hold_one(void)
{
	size_t size = sizes[stress_random(race->actor, ARRAY_SIZE(sizes))];
	void *obj = pcslab_alloc(race->heap, size, GFP_KERNEL | __GFP_NOWARN);

	if (!obj)
		return;
	race->allocs++;
	if (is_held(obj)) {
		stress_add(race->actor, STRESS_TWICE, 1);
		return;
	}
	race->held[race->nr_held++] = obj;
	stress_add(race->actor, STRESS_HELD, 1);
}

/* Returns any held object; there must be one. */
static void *let_go_one(void)
{
	unsigned int i = stress_random(race->actor, race->nr_held);
	void *obj = race->held[i];

	race->held[i] = race->held[--race->nr_held];
	stress_add(race->actor, STRESS_HELD, -1);
	return obj;
}

static void free_alone(void *obj)
{
	pcslab_free(obj);
	race->singles++;
}

static void race_once(unsigned int nr)
{
	unsigned int i;

	for (i = 0; i < nr; i++) {
		race->object[i] = let_go_one();
		race->together[i] = false;
		atomic_set(&race->at[i], NOBODY);
	}
	race->nr_objects = nr;
	if (!IS_ENABLED(CONFIG_DEBUG_KMEMLEAK)) {
		queue_work(system_unbound_wq, &race->work);
		wait_for_completion(&race->begun);
		free_all_together(race->together);
		flush_work(&race->work);
	}
	for (i = 0; i < nr; i++) {
		race->races += race->together[i];
		stress_add(race->actor, STRESS_RACES, race->together[i]);
		if (!race->together[i])
			free_alone(race->object[i]);
	}
}

static int race_on(void *unused)
{
	struct stress_actor *actor = race->actor;
	unsigned int i, nr;

	while (!kthread_should_stop()) {
		sit_on(stress_random(actor, num_present_cpus()));
		nr = stress_random(actor, MOST_HELD + 1 - race->nr_held);
		for (i = 0; i < nr; i++)
			hold_one();
		nr = min_t(unsigned int, stress_random(actor, MOST_RACED + 1), race->nr_held);
		race_once(nr);
		if (!stress_random(actor, 32))
			pcslab_heap_shrink(race->heap);
		usleep_range(200, 2000);
	}
	return 0;
}

static void expect(bool holds, const char *what, u64 is, u64 should)
{
	if (holds)
		return;
	stress_add(race->actor, STRESS_BOOKS, 1);
	pr_err("pcslab_stress: heap raced: %s %llu should be %llu\n", what, is, should);
}

/*
 * One or both of two frees of an object are counted; an uncounted one is a bad
 * free.
 */
static void compare_books(void)
{
	u64 allocs = 0, frees = 0, least = race->races + race->singles;
	unsigned int i;

	stress_add(race->actor, STRESS_WRONG_RESULT,
		   !!pcslab_heap_stats_exact(race->heap, &race->st));
	for (i = 0; i < PCSLAB_NR_CLASSES; i++) {
		allocs += race->st.class[i].allocs;
		frees += race->st.class[i].frees;
	}
	expect(allocs == race->allocs, "allocs", allocs, race->allocs);
	expect(frees >= least, "frees, at least,", frees, least);
	expect(frees <= least + race->races, "frees, at most,", frees, least + race->races);
	expect(frees + race->st.bad_frees >= least + race->races, "frees and bad frees, at least,",
	       frees + race->st.bad_frees, least + race->races);
	stress_add(race->actor, STRESS_BOTH_COUNTED, frees - least);
}

static void free_held(void)
{
	while (race->nr_held)
		free_alone(let_go_one());
}

/**
 * stress_race_end() - free held objects, compare the books, and destroy the
 * heap
 */
void stress_race_end(void)
{
	if (!race->heap)
		return;
	free_held();
	compare_books();
	pcslab_heap_destroy(race->heap);
	race->heap = NULL;
}

/**
 * stress_race_start() - start the races
 *
 * Return: 0 or an error, also if the heap has been destroyed.
 */
int stress_race_start(void)
{
	struct task_struct *task;

	if (!race->heap)
		return -ENOENT;
	task = kthread_run(race_on, NULL, "pcslab-race");
	if (IS_ERR(task))
		return PTR_ERR(task);
	race->task = task;
	return 0;
}

void stress_race_stop(void)
{
	if (race->task)
		kthread_stop(race->task);
	race->task = NULL;
}

int stress_race_init(void)
{
	race = kzalloc(sizeof(*race), GFP_KERNEL);
	if (!race)
		return -ENOMEM;
	INIT_WORK(&race->work, run_along);
	init_completion(&race->begun);
	race->actor = stress_actor_create(true);
	if (!race->actor)
		return -ENOMEM;
	race->heap = pcslab_heap_create("raced", NULL);
	return PTR_ERR_OR_ZERO(race->heap);
}

void stress_race_exit(void)
{
	if (!race)
		return;
	free_held();
	pcslab_heap_destroy(race->heap);
	kfree(race);
}
