// SPDX-License-Identifier: GPL-2.0
/*
 * Frees in NMI that the magazine did not take
 *
 * An NMI may have come between any two instructions, under any of our locks. It
 * only marks the object and hangs the object's slab (or, for a
 * large object, its page) on a lock-free list; an irq_work does the rest. The
 * links are in the slab's metadata and in struct page, so nothing is allocated
 * and nothing is written into the object.
 *
 * A CPU that goes offline runs the irq_work it has queued after it has left
 * cpu_online_mask, for the last time. What its NMIs put off later is left on the
 * lists for the callback of the dead CPU (hotplug.c), which looks there.
 */
#include <linux/cpumask.h>
#include <linux/irq_work.h>
#include <linux/llist.h>

#include "internal.h"
#include "page.h"

static LLIST_HEAD(slabs);
static LLIST_HEAD(pages);

/* page->mapping is free in a page of ours, and NULL again before it is given back. */
static struct llist_node *page_node(struct page *page)
{
	return (struct llist_node *)&page->mapping;
}

/* A slab stays until its link is reset, and that of the next one still is not. */
static void run(struct irq_work *work)
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

/* Pages are given back, so on RT this is not for hard interrupt context. */
static struct irq_work work = IRQ_WORK_INIT(run);

static void run_soon(void)
{
	unsigned int cpu = smp_processor_id();

	if (cpu_online(cpu) || !cpu_dying(cpu))
		irq_work_queue(&work);
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
 * @state: of the object, PCSLAB_PENDING
 *
 * Context: NMI.
 */
void pcslab_defer_slab(struct pcslab_slab *slab, u8 *state)
{
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
 * Context: NMI.
 */
void pcslab_defer_large(struct page *page)
{
	llist_add(page_node(page), &pages);
	run_soon();
}

/**
 * pcslab_defer_dead() - do what a dead CPU has left behind
 *
 * Context: process.
 */
void pcslab_defer_dead(void)
{
	run(&work);
}

/* Wait until all that was deferred is done. */
void pcslab_defer_sync(void)
{
	irq_work_sync(&work);
}
