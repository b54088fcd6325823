// SPDX-License-Identifier: GPL-2.0
/*
 * Deferred frees: an irq_work frees what a call in NMI cannot
 *
 * A call in NMI may have interrupted any instruction, under any of our locks; a
 * tracer's callback may run while this CPU holds one of them (lock.h). If the
 * magazine does not take its object, such a call only marks the object and puts
 * its slab (or, for a large object, its page) on a lock-free list; an irq_work
 * does the rest. The links are in the slab's metadata and in struct page, so
 * nothing is allocated and nothing is written into the object.
 *
 * The link of a slab, slab->deferred, points to itself while the slab is on no
 * list. Otherwise the slab stays, even if it is empty (depot.c).
 *
 *   pcslab_defer_slab()		pcslab_depot_free_deferred()
 *   1. object = PENDING		a. (the slab was taken off the list)
 *   2. full barrier			b. lock the depot
 *   3. link points to itself?		c. link = itself; full barrier
 *      put the slab on the list	d. for each object: wait while it is
 *   4. object = DEFERRED		   PENDING; free it if it is DEFERRED
 *
 * The barriers of 2 and c make sure that the object is not forgotten: either 3
 * finds the link reset and puts the slab on the list again, or d finds the
 * object PENDING or DEFERRED. In the second case 3 may have found the slab on
 * the list, and nobody else would free the object: that is why d must wait. The
 * wait is short, because the call runs on another CPU, with interrupts off, and
 * calls no function between 1 and 4, where a tracer could run. A PENDING object
 * is not free, so it keeps the slab until 4. After that the slab may be gone.
 * 4 has release order and the load in d has acquire order, so the call is done
 * with the slab when the object is freed.
 *
 * The two lists are global. Each CPU has an irq_work, which frees all that is
 * on them. So if the irq_work of one CPU does not run, because the CPU goes
 * down or a realtime task keeps the irq_work's thread from running
 * (PREEMPT_RT), any other CPU can still do the work.
 *
 * A CPU queues its irq_work only while it serves: from the startup to the
 * teardown of a hotplug state above the one that parks the threads of
 * irq_works. Objects that a CPU puts on the lists before or after that are
 * freed by the next to empty the lists:
 *
 *   the CPU comes up			its startup, which sets serving first
 *   the take-down is rolled back	its startup
 *   the CPU dies, or fails to come up	the callback of the dead CPU (hotplug.c)
 *   any time				the irq_work of another CPU
 *
 * Order: serving is written by a task of its CPU, and read on that CPU with
 * interrupts off, so program order is enough. A call before the teardown
 * cleared serving has queued the irq_work, and irq_work_sync() waits for it. A
 * call after the startup set serving queues it. A call in between leaves its
 * entry on the lists; the startup sees it or, because it runs after the CPU
 * died, the dead callback. Adding to a list (cmpxchg) pairs with emptying it
 * (xchg). If the irq_work is pending already, the full barrier of
 * irq_work_queue() pairs with the one in irq_work_single(), so that the pending
 * run sees the new entry.
 */
#include <linux/cpu.h>
#include <linux/cpuhotplug.h>
#include <linux/cpumask.h>
#include <linux/irq_work.h>
#include <linux/llist.h>
#include <linux/minmax.h>
#include <linux/percpu.h>
#include <linux/workqueue.h>

#include "internal.h"
#include "lock.h"
#include "page.h"

DEFINE_PER_CPU(bool, pcslab_locked);
static DEFINE_PER_CPU(bool, serving);
static DEFINE_PER_CPU(bool, running);	/* its irq_work runs */
/* It frees pages, so on RT it must not run in hard interrupt context. */
static DEFINE_PER_CPU(struct irq_work, work);
static int hotplug_state;

static LLIST_HEAD(slabs);
static LLIST_HEAD(pages);

/*
 * page->mapping is unused in our pages, and must be NULL again before a page is
 * given back.
 */
static struct llist_node *page_node(struct page *page)
{
	static_assert(sizeof_field(struct page, mapping) == sizeof(struct llist_node));
	return (struct llist_node *)&page->mapping;
}

/*
 * pcslab_defer_finish() - do all deferred frees
 *
 * A slab stays until its link is reset. The link of the next slab is not reset
 * yet, so it can be followed.
 *
 * Context: any but NMI; on RT only contexts that may sleep.
 */
void pcslab_defer_finish(void)
{
	struct llist_node *node, *next;
	struct pcslab_slab *slab;
	struct page *page;

	llist_for_each_safe(node, next, llist_del_all(&slabs)) {
		slab = llist_entry(node, struct pcslab_slab, deferred);
		pcslab_depot_free_deferred(slab);
	}
	llist_for_each_safe(node, next, llist_del_all(&pages)) {
		page = container_of((struct address_space **)node, struct page, mapping);
		page->mapping = NULL;
		pcslab_large_release(page);
	}
}

static void finish_later(struct work_struct *unused)
{
	pcslab_defer_finish();
}

static DECLARE_DELAYED_WORK(later, finish_later);

/*
 * A tracer's callback may run in here, too, and have frees deferred. They must
 * not queue the irq_work again: it would run again before any task does,
 * without end. A work item frees them instead. Frees after the flag is reset
 * queue the irq_work.
 */
static void nmi_run(struct irq_work *unused)
{
	this_cpu_write(running, true);
	pcslab_defer_finish();
	this_cpu_write(running, false);
	barrier();	/* reset the flag, then check the lists */
	if (!llist_empty(&slabs) || !llist_empty(&pages))
		queue_delayed_work(pcslab_wq, &later, 1);
}

static void nmi_run_soon(void)
{
	if (this_cpu_read(serving) && !this_cpu_read(running))
		irq_work_queue(this_cpu_ptr(&work));
}

/*
 * llist_add() for a link that NMIs of other CPUs read meanwhile. Inline, so
 * that no tracer can run in it.
 */
static __always_inline void nmi_add_slab(struct llist_node *link)
{
	struct llist_node *first = READ_ONCE(slabs.first);

	do {
		WRITE_ONCE(link->next, first);
	} while (!try_cmpxchg(&slabs.first, &first, link));
}

/**
 * pcslab_defer_slab() - have an object freed soon
 * @slab: slab of the object
 * @state: state of the object, claimed
 *
 * The steps are explained at the top of this file.
 *
 * Context: if pcslab_must_defer(), which implies that interrupts are off.
 */
void pcslab_defer_slab(struct pcslab_slab *slab, u8 *state)
{
	WRITE_ONCE(*state, PCSLAB_OBJ_PENDING);
	/*
	 * Full barrier: pairs with smp_store_mb() in
	 * pcslab_depot_free_deferred(). A failing cmpxchg() orders nothing.
	 */
	smp_mb();
	if (cmpxchg(&slab->deferred.next, &slab->deferred, NULL) == &slab->deferred)
		nmi_add_slab(&slab->deferred);
	/* Release: pairs with the acquire there. The slab may go from here. */
	smp_store_release(state, PCSLAB_OBJ_DEFERRED);
	nmi_run_soon();
}

/**
 * pcslab_defer_large() - have a large object freed soon
 * @page: its first page, claimed by the caller
 *
 * Context: as pcslab_defer_slab().
 */
void pcslab_defer_large(struct page *page)
{
	llist_add(page_node(page), &pages);
	nmi_run_soon();
}

/* Runs on the CPU. The order is explained at the top of this file. */
static int start_serving(unsigned int cpu)
{
	this_cpu_write(serving, true);
	barrier();	/* an NMI from here on queues the irq_work */
	pcslab_defer_finish();
	return 0;
}

/* Runs on the CPU. On RT the thread that runs its irq_work is parked later. */
static int stop_serving(unsigned int cpu)
{
	this_cpu_write(serving, false);
	irq_work_sync(this_cpu_ptr(&work));
	return 0;
}

/*
 * Does not call the callbacks for CPUs that are online, because the kernel
 * would wait for a task on each of them. No heap exists yet, so nothing needs
 * to be ordered against this.
 */
int __init pcslab_defer_init(void)
{
	unsigned int cpu;

	/* At run time: 6.1 and 6.12 do not relocate per-CPU data of modules. */
	for_each_possible_cpu(cpu)
		init_irq_work(per_cpu_ptr(&work, cpu), nmi_run);
	cpus_read_lock();
	hotplug_state = cpuhp_setup_state_nocalls_cpuslocked(CPUHP_AP_ONLINE_DYN,
							     "mm/pcslab:online",
							     start_serving, stop_serving);
	if (hotplug_state >= 0) {
		for_each_online_cpu(cpu)
			per_cpu(serving, cpu) = true;
	}
	cpus_read_unlock();
	return min(hotplug_state, 0);
}

/*
 * No heap is left, so the lists are empty and no irq_work is queued any more.
 * One may still be pending or finishing, but not on a CPU that is offline.
 */
void pcslab_defer_exit(void)
{
	unsigned int cpu;

	cpus_read_lock();
	for_each_online_cpu(cpu)
		irq_work_sync(per_cpu_ptr(&work, cpu));
	cpuhp_remove_state_nocalls_cpuslocked(hotplug_state);
	cpus_read_unlock();
	cancel_delayed_work_sync(&later);
}
