// SPDX-License-Identifier: GPL-2.0
/*
 * Slabs on their way out
 *
 * All objects of an empty slab are in state PCSLAB_OBJ_FREE, and no magazine
 * should hold one of them. But two CPUs that free one object at the same
 * instant may both find it live. Then two magazines hold it, and when the first
 * of them is flushed the slab may become empty. Its pages must not go while the
 * other magazine could hand the object out. To make the claim exclusive every
 * free would need an atomic operation. Instead slabs go in two steps:
 *
 * 1. The slab leaves the depot's lists, and all magazines of its class are put
 *    in doubt (pcslab_class_doubt()): the slots of the CPUs point to a guard
 *    that is always held. So the next call on each CPU takes the slow path,
 *    which verifies every round first and drops those that do not lead to a
 *    cached object (cache_verify_mag() in cache.c). A full magazine of a depot
 *    is verified when a CPU loads it.
 * 2. After a grace period no call is left that found its cache before step 1.
 *    If all objects of the slab are still free, its pages go. If a call took
 *    one meanwhile, the slab goes back into the depot: the heap has handed this
 *    object out twice. If one was taken and came back, two CPUs may again have
 *    freed it at the same instant, after the rounds were verified: then the
 *    slab begins with step 1 again.
 *
 * One work item does this for all slabs in the list. It runs on a workqueue of
 * pcslab with a rescuer, because reclaim waits for pages. A caller that waits
 * for the pages (pcslab_leave_wait()) does it itself, because it may hold locks
 * that other items of that workqueue need.
 *
 * Locks: leave_lock, under which no memory is allocated; inside all mutexes.
 * Context: pcslab_slabs_leave(): any but NMI.
 */
#include <linux/llist.h>
#include <linux/mutex.h>
#include <linux/rcupdate.h>
#include <linux/workqueue.h>

#include "internal.h"

static LLIST_HEAD(leaving);
static DEFINE_MUTEX(leave_lock);	/* held while slabs leave */

static void leave_run(struct work_struct *work);
static DECLARE_WORK(leave_work, leave_run);

static void doubt_all(struct llist_node *batch)
{
	struct pcslab_class *last = NULL;
	struct pcslab_slab *slab;

	llist_for_each_entry(slab, batch, leaving) {
		if (slab->class != last)
			pcslab_class_doubt(slab->class);
		last = slab->class;
	}
}

static void leave_batch(struct llist_node *batch)
{
	struct pcslab_slab *slab, *next;

	doubt_all(batch);
	pcslab_grace_period();
	llist_for_each_entry_safe(slab, next, batch, leaving) {
		switch (pcslab_depot_let_go(slab)) {
		case PCSLAB_GOES:
			pcslab_slab_destroy(slab);
			break;
		case PCSLAB_WAITS:
			llist_add(&slab->leaving, &leaving);
			queue_work(pcslab_wq, &leave_work);
			break;
		case PCSLAB_STAYS:
			break;
		}
		cond_resched();
	}
}

static void leave_run(struct work_struct *work)
{
	struct llist_node *batch;

	mutex_lock(&leave_lock);
	batch = llist_del_all(&leaving);
	if (batch)
		leave_batch(batch);
	mutex_unlock(&leave_lock);
}

/**
 * pcslab_slabs_leave() - have slabs given back soon
 * @doomed: slabs whose objects are all free, taken off their depot's lists
 *
 * Return: the number of their pages.
 */
unsigned long pcslab_slabs_leave(struct list_head *doomed)
{
	struct pcslab_slab *slab, *next;
	unsigned long pages = 0;

	list_for_each_entry_safe(slab, next, doomed, list) {
		pages += 1UL << slab->order;
		llist_add(&slab->leaving, &leaving);
	}
	if (pages)
		queue_work(pcslab_wq, &leave_work);
	return pages;
}

/**
 * pcslab_leave_wait() - wait until slabs that are on their way out are gone
 *
 * Context: process. May sleep. The caller may be in reclaim and in a callback
 *	of CPU hotplug. Takes a grace period or two.
 */
void pcslab_leave_wait(void)
{
	/* The second run is for slabs that had to begin anew. */
	leave_run(NULL);
	leave_run(NULL);
}
