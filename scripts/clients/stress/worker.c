// SPDX-License-Identifier: GPL-2.0
/*
 * Actors in task, softirq and hardirq, which share objects
 *
 * A worker is a task that moves from CPU to CPU. It starts a timer, which
 * interrupts the worker, or whatever runs on that CPU by then; the timer
 * schedules a tasklet. All three make calls. Objects wait in slots for anyone
 * to free or change them, so most are freed by another CPU than the one that
 * allocated them, and often in another kind of context.
 *
 * Locks: none. The actor that made a slot busy owns it, and nobody waits for
 * it.
 */
#include <linux/atomic.h>
#include <linux/cpumask.h>
#include <linux/delay.h>
#include <linux/err.h>
#include <linux/hrtimer.h>
#include <linux/interrupt.h>
#include <linux/kthread.h>
#include <linux/mm.h>
#include <linux/sched.h>
#include <linux/slab.h>

#include "stay.h"
#include "stress.h"
#include "test_compat.h"

#define NR_SLOTS	16384

enum { EMPTY, BUSY, FULL };

struct slot {
	atomic_t state;
	struct stress_object object;
};

struct worker {
	struct task_struct *task;
	struct hrtimer timer;
	struct tasklet_struct tasklet;
	struct stress_actor *by_task, *by_timer, *by_tasklet;
};

static struct slot *slots;
static struct worker *workers;
static unsigned int nr_workers;

/* Takes the slot if it is in state @from. */
static bool claim(struct slot *slot, int from)
{
	return atomic_read(&slot->state) == from &&
	       atomic_cmpxchg(&slot->state, from, BUSY) == from;
}

static void release(struct slot *slot)
{
	/* Release: pairs with claim(). */
	atomic_set_release(&slot->state, slot->object.obj ? FULL : EMPTY);
}

unsigned int stress_any_slot(struct stress_actor *actor)
{
	return stress_random(actor, NR_SLOTS);
}

/**
 * stress_publish() - let anyone have an object
 * @object: the object; none on return
 * @slot: where to put it
 *
 * Return: false if the slot is not empty; the caller keeps @object.
 */
bool stress_publish(struct stress_object *object, unsigned int slot)
{
	if (!claim(&slots[slot], EMPTY))
		return false;
	slots[slot].object = *object;
	object->obj = NULL;
	release(&slots[slot]);
	return true;
}

/**
 * stress_take_back() - take a published object back
 * @object: filled
 * @heap: the heap that the object must belong to
 * @slot: where it was put
 *
 * Return: false if it is not there, or if somebody uses it.
 */
bool stress_take_back(struct stress_object *object, struct stress_heap *heap,
		      unsigned int slot)
{
	bool ours;

	if (!claim(&slots[slot], FULL))
		return false;
	ours = slots[slot].object.heap == heap;
	if (ours) {
		*object = slots[slot].object;
		slots[slot].object.obj = NULL;
	}
	release(&slots[slot]);
	return ours;
}

/* If the heap of an object lasts, the object mostly stays there. */
static void change(struct stress_actor *actor, struct stress_object *object)
{
	struct stress_heap *heap = stress_any_heap(actor);

	if (object->heap->lasts && stress_random(actor, 4))
		heap = object->heap;
	stress_realloc(actor, heap, object, stress_size(actor));
}

/* Makes one call, or none if somebody uses the slot. */
static void step(struct stress_actor *actor)
{
	struct slot *slot = &slots[stress_any_slot(actor)];

	if (claim(slot, EMPTY)) {
		stress_alloc(actor, stress_any_heap(actor), &slot->object, stress_size(actor));
		release(slot);
	} else if (claim(slot, FULL)) {
		if (slot->object.heap->abused && !stress_random(actor, 4))
			stress_abuse(actor, &slot->object);
		else if (stress_random(actor, 8))
			stress_free(actor, &slot->object);
		else
			change(actor, &slot->object);
		release(slot);
	}
}

static void shuffle(struct stress_actor *actor, unsigned int nr)
{
	unsigned int i, j;

	for (i = nr - 1; i > 0; i--) {
		j = stress_random(actor, i + 1);
		swap(actor->run[i], actor->run[j]);
	}
}

/**
 * stress_free_run() - free an actor's own objects: first in last out, first
 * out, or any
 * @actor: the actor
 * @nr: number of objects, some of which may be none
 */
void stress_free_run(struct stress_actor *actor, unsigned int nr)
{
	u32 order = stress_random(actor, 3);
	unsigned int i;

	if (order == 2)
		shuffle(actor, nr);
	for (i = 0; i < nr; i++)
		stress_free(actor, &actor->run[order ? i : nr - 1 - i]);
}

/* Allocates many of one size, or of all sizes: more than magazines hold. */
static void run(struct stress_actor *actor, unsigned int most)
{
	unsigned int i, nr = 1 + stress_random(actor, most);
	struct stress_heap *heap = stress_any_heap(actor);
	size_t size = stress_size(actor);
	bool mixed = !stress_random(actor, 4);

	for (i = 0; i < nr; i++)
		stress_alloc(actor, heap, &actor->run[i], mixed ? stress_size(actor) : size);
	stress_free_run(actor, nr);
	stress_add(actor, STRESS_RUNS, 1);
}

static void act_in_interrupt(struct stress_actor *actor)
{
	unsigned int i, nr = 1 + stress_random(actor, 12);

	for (i = 0; i < nr; i++)
		step(actor);
	if (!stress_random(actor, 16))
		run(actor, STRESS_RUN / 2);
}

static void tasklet_handler(struct tasklet_struct *tasklet)
{
	act_in_interrupt(container_of(tasklet, struct worker, tasklet)->by_tasklet);
}

static enum hrtimer_restart timer_handler(struct hrtimer *timer)
{
	struct worker *w = container_of(timer, struct worker, timer);

	act_in_interrupt(w->by_timer);
	if (stress_random(w->by_timer, 2))
		tasklet_schedule(&w->tasklet);
	return HRTIMER_NORESTART;
}

static void set_off_timer(struct worker *w)
{
	u64 ns = 1000 + stress_random(w->by_task, 50 * NSEC_PER_USEC);

	hrtimer_start(&w->timer, ns_to_ktime(ns), HRTIMER_MODE_REL_PINNED);
}

static int work(void *arg)
{
	struct worker *w = arg;
	struct stress_actor *actor = w->by_task;
	unsigned int i;

	/*
	 * The task that takes CPUs up and down must not wait long: hence the
	 * pauses.
	 */
	set_user_nice(current, MAX_NICE);
	while (!kthread_should_stop()) {
		usleep_range(500, 5000);
		sit_on(stress_random(actor, num_present_cpus()));
		for (i = 0; i < 256 && !kthread_should_stop(); i++) {
			if (stress_random(actor, 64))
				step(actor);
			else
				run(actor, STRESS_RUN);
			if (!stress_random(actor, 8))
				set_off_timer(w);
			cond_resched();
		}
	}
	return 0;
}

static int start_worker(struct worker *w, unsigned int number)
{
	struct task_struct *task;

	compat_hrtimer_setup(&w->timer, timer_handler, CLOCK_MONOTONIC,
			     HRTIMER_MODE_REL_PINNED);
	tasklet_setup(&w->tasklet, tasklet_handler);
	task = kthread_run(work, w, "pcslab-stress/%u", number);
	if (IS_ERR(task))
		return PTR_ERR(task);
	w->task = task;
	return 0;
}

/**
 * stress_workers_start() - start the workers, one for each possible CPU
 *
 * If this fails, the caller must still stop the workers that did start.
 *
 * Return: 0 or an error.
 */
int stress_workers_start(void)
{
	unsigned int i;
	int err = 0;

	for (i = 0; i < nr_workers && !err; i++)
		err = start_worker(&workers[i], i);
	return err;
}

void stress_workers_stop(void)
{
	struct worker *w;

	for (w = workers; w < workers + nr_workers; w++) {
		if (!w->task)
			continue;
		kthread_stop(w->task);
		w->task = NULL;
		hrtimer_cancel(&w->timer);
		tasklet_kill(&w->tasklet);
	}
}

/**
 * stress_free_slots() - free all that is left in the slots, after the storm
 * @actor: the caller
 */
void stress_free_slots(struct stress_actor *actor)
{
	struct slot *slot;

	for (slot = slots; slot < slots + NR_SLOTS; slot++) {
		stress_free(actor, &slot->object);
		release(slot);
		cond_resched();
	}
}

int stress_workers_init(void)
{
	struct worker *w;

	nr_workers = num_present_cpus();
	slots = kvcalloc(NR_SLOTS, sizeof(*slots), GFP_KERNEL);
	workers = kcalloc(nr_workers, sizeof(*workers), GFP_KERNEL);
	if (!slots || !workers)
		return -ENOMEM;
	for (w = workers; w < workers + nr_workers; w++) {
		w->by_task = stress_actor_create(true);
		w->by_timer = stress_actor_create(false);
		w->by_tasklet = stress_actor_create(false);
		if (!w->by_task || !w->by_timer || !w->by_tasklet)
			return -ENOMEM;
	}
	return 0;
}

void stress_workers_exit(void)
{
	kfree(workers);
	kvfree(slots);
}
