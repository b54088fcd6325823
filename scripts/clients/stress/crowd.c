// SPDX-License-Identifier: GPL-2.0
/*
 * Heaps by the thousand
 *
 * One task creates some hundred heaps in a row, uses each, and destroys them in
 * a row, so many are on their way out together. The next turn uses the same
 * names, which are free by then. It begins before everything that the last turn
 * destroyed is gone.
 *
 * Context: process. Locks: none; nobody else knows these heaps.
 */
#include <linux/delay.h>
#include <linux/err.h>
#include <linux/kernel.h>
#include <linux/kthread.h>
#include <linux/percpu.h>
#include <linux/slab.h>

#include "stress.h"

#define NR_HEAPS	256
#define NR_OBJECTS	4	/* of each heap */

struct crowd {
	struct task_struct *task;
	struct stress_actor *actor;
	struct pcslab_stats st;
	struct stress_heap heap[NR_HEAPS];
	struct stress_object object[NR_HEAPS][NR_OBJECTS];
};

static struct crowd *crowd;

static void create(unsigned int i)
{
	struct stress_heap *heap = &crowd->heap[i];
	char name[PCSLAB_NAME_LEN];
	unsigned int j;

	snprintf(name, sizeof(name), "crowd-%u", i);
	if (stress_heap_init(heap, name, 0, 0)) {
		stress_add(crowd->actor, STRESS_WRONG_RESULT, 1);
		return;
	}
	for (j = 0; j < NR_OBJECTS; j++)
		stress_alloc(crowd->actor, heap, &crowd->object[i][j],
			     stress_size(crowd->actor));
}

/*
 * Compares only some of the books, because each comparison takes a grace
 * period.
 */
static void destroy(unsigned int i)
{
	struct stress_heap *heap = &crowd->heap[i];
	unsigned int j;

	if (!atomic_read(&heap->refs))
		return;
	for (j = 0; j < NR_OBJECTS; j++)
		stress_free(crowd->actor, &crowd->object[i][j]);
	if (!stress_random(crowd->actor, 32))
		stress_compare(crowd->actor, heap, &crowd->st);
	pcslab_heap_destroy(heap->heap);
	stress_heap_put(heap);
	stress_add(crowd->actor, STRESS_CROWD, 1);
}

static int come_and_go(void *unused)
{
	unsigned int i;

	while (!kthread_should_stop()) {
		for (i = 0; i < NR_HEAPS; i++) {
			create(i);
			cond_resched();
		}
		for (i = 0; i < NR_HEAPS; i++) {
			destroy(i);
			cond_resched();
		}
		usleep_range(20000, 100000);
	}
	return 0;
}

/**
 * stress_crowd_start() - start to create and destroy heaps by the hundred
 *
 * Return: 0 or an error.
 */
int stress_crowd_start(void)
{
	struct task_struct *task;

	task = kthread_run(come_and_go, NULL, "pcslab-crowd");
	if (IS_ERR(task))
		return PTR_ERR(task);
	crowd->task = task;
	return 0;
}

void stress_crowd_stop(void)
{
	if (crowd->task)
		kthread_stop(crowd->task);
	crowd->task = NULL;
}

int stress_crowd_init(void)
{
	unsigned int i;
	int err = 0;

	crowd = kvzalloc(sizeof(*crowd), GFP_KERNEL);
	if (!crowd)
		return -ENOMEM;
	crowd->actor = stress_actor_create(true);
	if (!crowd->actor)
		return -ENOMEM;
	for (i = 0; i < NR_HEAPS && !err; i++)
		err = stress_oracle_create(&crowd->heap[i]);
	return err;
}

void stress_crowd_exit(void)
{
	unsigned int i;

	for (i = 0; crowd && i < NR_HEAPS; i++)
		free_percpu(crowd->heap[i].counts);
	kvfree(crowd);
}
