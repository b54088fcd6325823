// SPDX-License-Identifier: GPL-2.0
/*
 * The audit: counting objects one by one, without using a counter
 *
 * It is an independent result to compare the statistics with, as
 * ReadMemStatsSlow is in the Go runtime. The slabs are walked under RCU and the
 * state of every object is read. Then the magazines are walked, those of a CPU
 * while the CPU is kept off them (slots.c), and every round must lead to a
 * cached object. While no call uses the heap, live equals allocs - frees, and
 * rounds equals cached, to the object.
 *
 * The time grows with what the heap holds. Locks: audit_lock, so that one audit
 * runs at a time; a depot's lock, for one full magazine each time, after which
 * the cursor leads to the next.
 * Context: process.
 */
#include <linux/cpu.h>
#include <linux/mutex.h>
#include <linux/rculist.h>

#include "internal.h"
#include "lock.h"
#include "page.h"

/* Protects the cursors of all depots. */
static DEFINE_MUTEX(audit_lock);

static void walk_slab(struct pcslab_slab *slab, struct pcslab_audit *audit)
{
	unsigned int i, nr = slab->nr;

	audit->slabs++;
	audit->objects += nr;
	for (i = 0; i < nr; i++) {
		switch (READ_ONCE(slab->state[i])) {
		case PCSLAB_OBJ_FREE:
			audit->free++;
			break;
		case PCSLAB_OBJ_CACHED:
			audit->cached++;
			break;
		case PCSLAB_OBJ_LIVE:
		case PCSLAB_OBJ_SUSPECT:
		case PCSLAB_OBJ_RCU:
			audit->live++;
			break;
		default:
			audit->deferred++;
		}
	}
}

static void walk_rounds(struct pcslab_magazine *mag, unsigned int n,
			struct pcslab_audit *audit)
{
	struct pcslab_round *round;
	struct pcslab_slab *slab;
	unsigned int i;
	u8 *state;

	for (i = 0; i < n; i++) {
		round = &mag->round[i];
		slab = slab_of(round->obj);
		audit->rounds++;
		audit->wrong += !slab || !find_state(slab, round->obj, &state) ||
				state != round->state || READ_ONCE(*state) != PCSLAB_OBJ_CACHED;
	}
}

/*
 * Code that takes the magazine at the cursor moves the cursor on; new magazines
 * are pushed above it.
 */
static void walk_full(struct pcslab_depot *depot, struct pcslab_audit *audit)
{
	struct pcslab_magazine *mag;
	unsigned long flags;

	flags = pcslab_lock(&depot->lock);
	depot->cursor = depot->mags_full.top;
	while (depot->cursor) {
		mag = depot->cursor;
		walk_rounds(mag, mag->n, audit);
		depot->cursor = mag->next;
		pcslab_unlock(&depot->lock, flags);
		flags = pcslab_lock(&depot->lock);
	}
	pcslab_unlock(&depot->lock, flags);
}

static void walk_depot(struct pcslab_depot *depot, struct pcslab_audit *audit)
{
	struct pcslab_slab *slab;

	rcu_read_lock();
	list_for_each_entry_rcu(slab, &depot->all, all)
		walk_slab(slab, audit);
	rcu_read_unlock();
	walk_full(depot, audit);
}

static void walk_cache(struct pcslab_class *class, struct pcslab_cpu *c, void *audits)
{
	struct pcslab_audit *audit = (struct pcslab_audit *)audits + class->index;

	walk_rounds(c->loaded, pcslab_nr_loaded(class, c), audit);
	walk_rounds(c->spare, c->nr_spare, audit);
}

/**
 * pcslab_heap_audit() - count the objects of a heap
 * @heap: the heap
 * @audits: one per size class, zeroed; those of classes in use are filled
 *
 * Context: process, takes the CPU hotplug lock for reading.
 */
void pcslab_heap_audit(struct pcslab_heap *heap, struct pcslab_audit *audits)
{
	static const struct pcslab_visit_kind kind = {
		.wants = pcslab_has_magazines, .fn = walk_cache
	};
	struct pcslab_visit visit = { .heap = heap, .kind = &kind, .arg = audits };
	struct pcslab_class *class;
	int node;

	cpus_read_lock();
	mutex_lock(&audit_lock);
	pcslab_for_each_size_class(class, heap) {
		for_each_node_state(node, N_MEMORY)
			walk_depot(&class->depot[node], &audits[class->index]);
	}
	mutex_unlock(&audit_lock);
	pcslab_visit_announce(&visit);
	pcslab_visit_make(&visit);
	cpus_read_unlock();
}
