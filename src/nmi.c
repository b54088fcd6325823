// SPDX-License-Identifier: GPL-2.0
/*
 * Frees that can't be done where they are called, and that the magazine did not
 * take
 *
 * A call in NMI may have come between any two instructions, under any of our
 * locks; a tracer's callback may have come while this CPU has one of them
 * (lock.h). Such a call only marks the object and puts the object's slab (or,
 * for a large object, its page) on a lock-free list; an irq_work does the rest.
 * The links are in the slab's metadata and in struct page, so nothing is
 * allocated and nothing is written into the object.
 *
 * The two lists are the machine's; each CPU has an irq_work of its own, which
 * frees all that is on them. So an irq_work that does not get to run, because
 * its CPU goes or a realtime task keeps its thread from running (PREEMPT_RT),
 * keeps no other CPU's from doing the work.
 *
 * A CPU queues its irq_work only while it serves: from the startup to the
 * teardown of a hotplug state that is above the one which parks the threads of
 * irq_works. What a CPU puts on the lists before that or after it is freed by
 * whoever looks at them next:
 *
 *   the CPU comes up			its startup, which sets serving first
 *   the take-down is rolled back	its startup
 *   the CPU dies, or fails to come up	the callback of the dead CPU (hotplug.c)
 *   any time				the irq_work of another CPU
 *
 * Order: serving is written by a task of its CPU, and read on that CPU with
 * interrupts off, so program order is enough: a call that came before the
 * teardown cleared it has queued the irq_work, for which irq_work_sync() waits;
 * one that comes after its startup set it queues it; and what one that came in
 * between put on the lists, the startup sees or, as it runs after the CPU died,
 * the dead callback. Adding to a list (cmpxchg) pairs with taking all of it
 * (xchg). A CPU that finds its irq_work pending relies on the kernel: the full
 * barrier of irq_work_queue() pairs with the one in irq_work_single(), so that
 * the run it did not have to ask for sees what is on the lists.
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
static DEFINE_PER_CPU(bool, running);	/* its irq_work */
/* Pages are given back, so on RT this is not for hard interrupt context. */
static DEFINE_PER_CPU(struct irq_work, work);
static int hotplug_state;

static LLIST_HEAD(slabs);
static LLIST_HEAD(pages);

/*
 * page->mapping is free in a page of ours, and NULL again before it is given
 * back.
 */
static struct llist_node *page_node(struct page *page)
{
	return (struct llist_node *)&page->mapping;
}

/*
 * pcslab_defer_finish() - do all that was put off
 *
 * A slab stays until its link is reset, and that of the next one still is not.
 *
 * Context: any but NMI; on RT any that may sleep.
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
 * A tracer may be called in here too, and have frees put off. They do not make
 * the irq_work come again, which it would do before any task runs, and so
 * without an end, but are left to a work item. What is added after the flag is
 * reset queues the irq_work.
 */
static void run(struct irq_work *unused)
{
	this_cpu_write(running, true);
	pcslab_defer_finish();
	this_cpu_write(running, false);
	barrier();	/* see above: the flag, then the lists */
	if (!llist_empty(&slabs) || !llist_empty(&pages))
		queue_delayed_work(pcslab_wq, &later, 1);
}

static void run_soon(void)
{
	if (this_cpu_read(serving) && !this_cpu_read(running))
		irq_work_queue(this_cpu_ptr(&work));
}

/* llist_add(), for a link that NMIs of other CPUs look at meanwhile. */
static void add_slab(struct llist_node *link)
{
	struct llist_node *first = READ_ONCE(slabs.first);

	do {
		WRITE_ONCE(link->next, first);
	} while (!try_cmpxchg(&slabs.first, &first, link));
}

/**
 * pcslab_defer_slab() - have an object freed soon
 * @slab: of the object
 * @state: of the object, claimed
 *
 * No function is called while the object is PENDING, where a tracer could keep
 * another CPU waiting in pcslab_depot_free_deferred().
 *
 * Context: where pcslab_must_defer() says so, which is with interrupts off.
 */
void pcslab_defer_slab(struct pcslab_slab *slab, u8 *state)
{
	WRITE_ONCE(*state, PCSLAB_PENDING);
	/*
	 * The state is set before the link is looked at: pairs with smp_store_mb()
	 * in pcslab_depot_free_deferred(). After DEFERRED the slab may be gone.
	 */
	smp_mb();	/* see above: a cmpxchg() that fails orders nothing */
	if (cmpxchg(&slab->deferred.next, &slab->deferred, NULL) == &slab->deferred)
		add_slab(&slab->deferred);
	smp_store_release(state, PCSLAB_DEFERRED);	/* pairs with the acquire there */
	run_soon();
}

/**
 * pcslab_defer_large() - have a large object freed soon
 * @page: claimed by the caller
 *
 * Context: as pcslab_defer_slab().
 */
void pcslab_defer_large(struct page *page)
{
	llist_add(page_node(page), &pages);
	run_soon();
}

/* On the CPU, in the order that the head of this file tells of. */
static int start_serving(unsigned int cpu)
{
	this_cpu_write(serving, true);
	barrier();	/* an NMI from here on queues the irq_work */
	pcslab_defer_finish();
	return 0;
}

/* On the CPU. The thread that runs its irq_work on RT is parked later. */
static int stop_serving(unsigned int cpu)
{
	this_cpu_write(serving, false);
	irq_work_sync(this_cpu_ptr(&work));
	return 0;
}

/*
 * The callbacks are not called for the CPUs that are online, for the kernel
 * would wait for a task on each of them. There is no heap yet, so nothing is
 * ordered against this.
 */
int __init pcslab_defer_init(void)
{
	unsigned int cpu;

	/* Not by an initializer: 6.1 and 6.12 relocate no per-CPU data of a module. */
	for_each_possible_cpu(cpu)
		init_irq_work(per_cpu_ptr(&work, cpu), run);
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
 * No heap is left, so the lists are empty and no irq_work is queued any more;
 * one may still be pending, or in its last instructions. On CPUs that are
 * offline none is.
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
