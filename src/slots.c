// SPDX-License-Identifier: GPL-2.0
/*
 * Slots: how a CPU finds its caches, and how caches are taken out of service
 *
 * A heap has a slot per possible CPU and class, which points to the CPU's
 * cache: to its start, where the guard is, while the cache is in service; to
 * @always_busy, one cache line further, while it is not. The fast paths take
 * @always_busy for a guard that is held, so they leave the cache alone without
 * another check. Clearing the low bits of a slot gives the cache in both cases.
 * In heaps with PCSLAB_CHECKED or with a reason to be watched, and everywhere
 * with init_on_free, slots always point to @always_busy: all calls take the
 * slow path, which checks @out instead. The slots of a class that is not made
 * yet, and of a CPU that has no cache, point to @always_busy of @nobody.
 *
 * All allocations of a heap with tracking must record their caller. So they go
 * through slots that all such heaps share. These point to a guard of the CPU
 * that is always held. Frees go through the heap's own slots.
 *
 * A task that needs exclusive use of another CPU's cache sets @out, points the
 * slot to @always_busy and waits for an RCU grace period. Calls read both, and
 * use the cache, with preemption or interrupts off, which RCU waits for; later
 * calls find the cache out of service and use the depot. To put it back into
 * service the task stores @out and the slot with release order. That pairs with
 * the acquire in cache_enter() and with the address dependency of the fast
 * paths: a call that finds the cache sees all that the task did to it. Nothing
 * has to run on the CPU itself, so a busy CPU delays nobody. All tasks that
 * wait at the same time share one grace period.
 *
 * A class may be made in any context, even during CPU hotplug. It is made with
 * a cache for each of pcslab_cpus, and published under slots_lock if that mask
 * has not changed meanwhile. The callback that adds a CPU changes the mask
 * first, then adds the caches that published classes lack for the CPU.
 *
 * Locks: CPU hotplug lock (held for reading by visitors) > service_lock >
 * pcslab_heaps_lock > slots_lock, which is raw and taken with interrupts off.
 */
#include <linux/cpu.h>
#include <linux/jiffies.h>
#include <linux/list.h>
#include <linux/mm.h>
#include <linux/mutex.h>
#include <linux/nodemask.h>
#include <linux/rcupdate.h>
#include <linux/sched.h>
#include <linux/string.h>
#include <linux/topology.h>

#include "internal.h"
#include "lock.h"

static_assert(!(sizeof(struct pcslab_cpu) & (sizeof(struct pcslab_cpu) - 1)));
static_assert(offsetof(struct pcslab_cpu, busy) == 0);
static_assert(offsetof(struct pcslab_cpu, always_busy) == sizeof(struct pcslab_cpu) / 2);

/* The cache of slots that have none: out of service, and of no node. */
static struct pcslab_cpu nobody __aligned(sizeof(struct pcslab_cpu)) = {
	.node = NUMA_NO_NODE, .always_busy = 1, .out = true
};

/* Value of a slot that has no cache. */
#define NO_CACHE	((struct pcslab_cpu *)&nobody.always_busy)

/* Longer than an ordinary grace period if all CPUs respond. */
#define GRACE_JIFFIES	(HZ / 10)
/* After a longer one, use expedited grace periods for this time. */
#define HURRY_JIFFIES	(10 * HZ)

struct cpumask pcslab_cpus;
DEFINE_PER_CPU(struct pcslab_cpu *, pcslab_no_slot);
/* Each CPU has a guard of its own, because a call that finds it held writes it. */
static DEFINE_PER_CPU_ALIGNED(unsigned int, held_guard) = 1;
DEFINE_PER_CPU(struct pcslab_slots, pcslab_held);
DEFINE_STATIC_KEY_FALSE(pcslab_many_nodes);
static DEFINE_RAW_SPINLOCK(slots_lock);
static unsigned long cpus_seq;		/* changes with pcslab_cpus */

static DEFINE_MUTEX(service_lock);	/* held during visits */
static LIST_HEAD(visits_waiting);
static DEFINE_SPINLOCK(visits_lock);	/* protects visits_waiting */

void __init pcslab_slots_init(void)
{
	unsigned int cpu;

	for_each_possible_cpu(cpu) {
		per_cpu(pcslab_no_slot, cpu) = NO_CACHE;
		memset_p((void **)per_cpu(pcslab_held, cpu).slot, per_cpu_ptr(&held_guard, cpu),
			 PCSLAB_NR_CLASSES);
	}
	if (nr_node_ids > 1)
		static_branch_enable(&pcslab_many_nodes);
}

/**
 * pcslab_slots_create() - the slots of a heap
 * @n: number of its classes, including the large one
 *
 * Context: process.
 * Return: a slot per CPU and class, all without a cache, or NULL.
 */
struct pcslab_cpu * __percpu *pcslab_slots_create(unsigned int n)
{
	struct pcslab_cpu * __percpu *slots;
	unsigned int cpu;

	slots = __alloc_percpu(n * sizeof(*slots), sizeof(*slots));
	if (!slots)
		return NULL;
	for_each_possible_cpu(cpu)
		memset_p((void **)per_cpu_ptr(slots, cpu), NO_CACHE, n);
	return slots;
}

/**
 * pcslab_cpus_set() - set whether a CPU has caches
 * @cpu: the CPU
 * @present: true if it has caches from now on
 */
void pcslab_cpus_set(unsigned int cpu, bool present)
{
	unsigned long flags;

	flags = pcslab_lock(&slots_lock);
	if (present)
		cpumask_set_cpu(cpu, &pcslab_cpus);
	else
		cpumask_clear_cpu(cpu, &pcslab_cpus);
	/* Release: pairs with pcslab_cpus_seq(). */
	smp_store_release(&cpus_seq, cpus_seq + 1);
	pcslab_unlock(&slots_lock, flags);
}

/* Must be called before the mask is read; see pcslab_class_publish(). */
unsigned long pcslab_cpus_seq(void)
{
	/* Acquire: pairs with pcslab_cpus_set(). */
	return smp_load_acquire(&cpus_seq);
}

/**
 * pcslab_home_of() - the node a CPU allocates from
 * @cpu: the CPU
 *
 * cpu_to_mem() is not always right: for a CPU on a node without memory it
 * returns that node until zonelists are built for it. A node with movable
 * memory only (memory hotplug) does not count, because slabs cannot use it.
 *
 * Return: the nearest node that has memory for the kernel.
 */
int pcslab_home_of(unsigned int cpu)
{
	int from = cpu_to_node(cpu), node, home = NUMA_NO_NODE;

	if (from == NUMA_NO_NODE)
		return cpu_to_mem(cpu);
	if (node_state(from, N_NORMAL_MEMORY))
		return from;
	for_each_node_state(node, N_NORMAL_MEMORY) {
		if (home == NUMA_NO_NODE || node_distance(from, node) < node_distance(from, home))
			home = node;
	}
	return home;
}

/*
 * Point a CPU's slot to its cache, which is in service. Caller holds
 * slots_lock.
 */
static void point_slot(struct pcslab_class *class, unsigned int cpu, struct pcslab_cpu *cache)
{
	struct pcslab_cpu *to = cache;

	if (class->flags & PCSLAB_CHECKED || READ_ONCE(class->heap->watched) ||
	    want_init_on_free() || cache->verified != class->doubts)
		to = (struct pcslab_cpu *)&cache->always_busy;
	/* Release: see the top of this file. */
	smp_store_release(per_cpu_ptr(class->caches, cpu), to);
}

/* The caller must hold slots_lock and own the cache. */
static void put_into_service(struct pcslab_class *class, unsigned int cpu,
			     struct pcslab_cpu *cache)
{
	if (class->heap->dying)
		return;
	/*
	 * Nodes gain and lose memory: an empty cache may move to another node.
	 */
	if (!cache->loaded && !cache->spare)
		cache->node = pcslab_home_of(cpu);
	/* Release: see the top of this file. */
	smp_store_release(&cache->out, false);
	point_slot(class, cpu, cache);
}

/* The caller must hold slots_lock, unless the heap is dying. */
static void take_out_of_service(struct pcslab_class *class, unsigned int cpu,
				struct pcslab_cpu *cache)
{
	WRITE_ONCE(cache->out, true);
	WRITE_ONCE(*per_cpu_ptr(class->caches, cpu),
		   (struct pcslab_cpu *)&cache->always_busy);
}

static void slots_install(struct pcslab_class *class, unsigned int cpu, struct pcslab_cpu *cache)
{
	take_out_of_service(class, cpu, cache);
	put_into_service(class, cpu, cache);
}

/**
 * pcslab_slot_set() - put a CPU's cache of a class into its slot
 * @class: published
 * @cpu: not running
 * @cache: new
 *
 * Context: CPU hotplug held for writing.
 */
void pcslab_slot_set(struct pcslab_class *class, unsigned int cpu,
		     struct pcslab_cpu *cache)
{
	unsigned long flags;

	flags = pcslab_lock(&slots_lock);
	slots_install(class, cpu, cache);
	pcslab_unlock(&slots_lock, flags);
}

/**
 * pcslab_slot_clear() - take a CPU's cache of a class out of its slot
 * @class: class of the cache
 * @cpu: a dead CPU
 *
 * Context: CPU hotplug held for writing.
 */
void pcslab_slot_clear(struct pcslab_class *class, unsigned int cpu)
{
	unsigned long flags;

	flags = pcslab_lock(&slots_lock);
	*per_cpu_ptr(class->caches, cpu) = NO_CACHE;
	pcslab_unlock(&slots_lock, flags);
}

/**
 * pcslab_class_publish() - make a class known to its heap
 * @class: the class
 * @caches: one for each CPU in pcslab_cpus, in order of the mask
 * @seq: pcslab_cpus_seq(), read before the caches were made
 *
 * Context: any but NMI.
 * Return: false if the CPUs changed, if the heap has this class already or if
 *	it is destroyed; then the caller keeps @class and @caches.
 */
bool pcslab_class_publish(struct pcslab_class *class, struct pcslab_cpu *caches,
			  unsigned long seq)
{
	struct pcslab_class **slot = &class->heap->class[class->index];
	struct pcslab_cpu *cache;
	unsigned long flags;
	bool done = false;
	unsigned int cpu;

	flags = pcslab_lock(&slots_lock);
	if (!*slot && cpus_seq == seq && !class->heap->dying) {
		for_each_cpu(cpu, &pcslab_cpus) {
			cache = caches;
			caches = cache->next;
			cache->spare = NULL;
			slots_install(class, cpu, cache);
		}
		/* Release: pairs with pcslab_class_at(). */
		smp_store_release(slot, class);
		done = true;
	}
	pcslab_unlock(&slots_lock, flags);
	return done;
}

/**
 * pcslab_heap_stop() - take all caches of a heap out of service for good
 * @heap: the heap
 *
 * No more classes are made for it either. Calls that found a cache before may
 * use it until a grace period has passed.
 *
 * Context: process, the CPU hotplug lock held for reading.
 * Return: false if the heap was stopped before.
 */
bool pcslab_heap_stop(struct pcslab_heap *heap)
{
	struct pcslab_class *class;
	unsigned long flags;
	unsigned int cpu;
	bool first;

	flags = pcslab_lock(&slots_lock);
	first = !heap->dying;
	WRITE_ONCE(heap->dying, true);
	pcslab_unlock(&slots_lock, flags);
	/* From here on no cache of this heap is put into service. */
	pcslab_for_each_class(class, heap) {
		for_each_cpu(cpu, &pcslab_cpus)
			take_out_of_service(class, cpu, pcslab_cpu_of(class, cpu));
	}
	return first;
}

/**
 * pcslab_class_doubt() - have all rounds in magazines verified before use
 * @class: class of the magazines; slabs of it are about to go (leave.c)
 *
 * Context: process.
 */
void pcslab_class_doubt(struct pcslab_class *class)
{
	struct pcslab_cpu *c;
	unsigned long flags;
	unsigned int cpu;

	flags = pcslab_lock(&slots_lock);
	/* Release: pairs with the acquire in cache_enter(). */
	smp_store_release(&class->doubts, class->doubts + 1);
	for_each_cpu(cpu, &pcslab_cpus) {
		c = pcslab_cpu_of(class, cpu);
		/* A CPU that is coming up has no cache yet. */
		if (c && !READ_ONCE(c->out))
			point_slot(class, cpu, c);
	}
	pcslab_unlock(&slots_lock, flags);
}

/**
 * pcslab_heap_watch() - have all calls on a heap take the slow path, or not
 * @heap: the heap
 * @reason: one of PCSLAB_WATCH_*
 * @on: false if the reason is gone
 *
 * Calls that have begun may still take the fast path.
 *
 * Context: process; pcslab_heaps_lock is held.
 */
void pcslab_heap_watch(struct pcslab_heap *heap, u8 reason, bool on)
{
	u8 watched = on ? heap->watched | reason : heap->watched & ~reason;
	struct pcslab_class *class;
	unsigned long flags;

	lockdep_assert_held(&pcslab_heaps_lock);
	if (watched == heap->watched)
		return;
	/* A class that is being published is found below, or has read this. */
	flags = pcslab_lock(&slots_lock);
	WRITE_ONCE(heap->watched, watched);
	pcslab_unlock(&slots_lock, flags);
	/* Doubts point the slots of all CPUs anew. */
	pcslab_for_each_size_class(class, heap)
		pcslab_class_doubt(class);
}

/**
 * pcslab_cpu_trust() - use a cache's magazines without further verification
 * @class: class of the cache
 * @cache: this CPU's, in service, with the guard held
 * @doubts: the class's @doubts, read before the rounds were verified
 */
void pcslab_cpu_trust(struct pcslab_class *class, struct pcslab_cpu *cache, u32 doubts)
{
	unsigned long flags;

	flags = pcslab_lock(&slots_lock);
	cache->verified = doubts;
	if (!READ_ONCE(cache->out))
		point_slot(class, smp_processor_id(), cache);
	pcslab_unlock(&slots_lock, flags);
}

/* A step of a visit, for one class. The results of all classes are ORed. */
typedef bool (*visit_step)(const struct pcslab_visit *visit, struct pcslab_class *class);

static bool stop_class(const struct pcslab_visit *visit, struct pcslab_class *class)
{
	struct pcslab_cpu *c;
	unsigned long flags;
	bool any = false;
	unsigned int cpu;

	flags = pcslab_lock(&slots_lock);
	for_each_cpu(cpu, &pcslab_cpus) {
		c = pcslab_cpu_of(class, cpu);
		if (!visit->kind->wants(c, cpu))
			continue;
		take_out_of_service(class, cpu, c);
		c->visited = true;
		any = true;
	}
	pcslab_unlock(&slots_lock, flags);
	return any;
}

static bool visit_class(const struct pcslab_visit *visit, struct pcslab_class *class)
{
	struct pcslab_cpu *c;
	unsigned int cpu;

	for_each_cpu(cpu, &pcslab_cpus) {
		c = pcslab_cpu_of(class, cpu);
		if (c->visited)
			visit->kind->fn(class, c, visit->arg);
	}
	return true;
}

static bool start_class(const struct pcslab_visit *unused, struct pcslab_class *class)
{
	struct pcslab_cpu *c;
	unsigned long flags;
	unsigned int cpu;

	flags = pcslab_lock(&slots_lock);
	for_each_cpu(cpu, &pcslab_cpus) {
		c = pcslab_cpu_of(class, cpu);
		if (!c->visited)
			continue;
		c->visited = false;
		put_into_service(class, cpu, c);
	}
	pcslab_unlock(&slots_lock, flags);
	return true;
}

static bool step_heap(visit_step step, const struct pcslab_visit *visit,
		      struct pcslab_heap *heap)
{
	struct pcslab_class *class;
	bool any = false;

	pcslab_for_each_size_class(class, heap)
		any |= step(visit, class);
	return any;
}

static bool take_step(visit_step step, const struct pcslab_visit *visit)
{
	struct pcslab_heap *heap;
	bool any = false;

	if (visit->heap && !visit->kind->family)
		return step_heap(step, visit, visit->heap);
	mutex_lock(&pcslab_heaps_lock);
	list_for_each_entry(heap, &pcslab_heaps, node) {
		if (!visit->heap || pcslab_is_of(heap, visit->heap))
			any |= step_heap(step, visit, heap);
		cond_resched();
	}
	mutex_unlock(&pcslab_heaps_lock);
	return any;
}

static bool wait_a_while(void)
{
	unsigned long end = jiffies + GRACE_JIFFIES;
	unsigned long state = start_poll_synchronize_rcu();

	while (!poll_state_synchronize_rcu(state)) {
		if (time_after(jiffies, end))
			return false;
		schedule_timeout_uninterruptible(1);
	}
	return true;
}

/*
 * pcslab_grace_period() - wait for an RCU grace period
 *
 * A CPU reports its quiescent states to RCU in a softirq. A realtime task in
 * user space can keep the CPU's ksoftirqd from running, and the grace period
 * then lasts as long as the task. An expedited grace period interrupts the CPU
 * instead. To interrupt CPUs only if necessary, this waits for an ordinary one
 * first and switches to expedited ones after GRACE_JIFFIES, for HURRY_JIFFIES.
 *
 * Context: process.
 */
void pcslab_grace_period(void)
{
	static unsigned long slow = INITIAL_JIFFIES - HURRY_JIFFIES;

	if (jiffies - READ_ONCE(slow) < HURRY_JIFFIES) {
		synchronize_rcu_expedited();
	} else if (!wait_a_while()) {
		WRITE_ONCE(slow, jiffies);
		synchronize_rcu_expedited();
	}
}

/* Make all waiting visits, including the caller's. */
static void make_visits(void)
{
	struct pcslab_visit *visit, *next;
	LIST_HEAD(visits);
	bool any = false;

	lockdep_assert_held(&service_lock);
	spin_lock(&visits_lock);
	list_splice_init(&visits_waiting, &visits);
	spin_unlock(&visits_lock);

	list_for_each_entry(visit, &visits, node)
		any |= take_step(stop_class, visit);
	if (any)
		pcslab_grace_period();
	list_for_each_entry(visit, &visits, node)
		take_step(visit_class, visit);
	list_for_each_entry_safe(visit, next, &visits, node) {
		take_step(start_class, visit);
		list_del_init(&visit->node);	/* on a stack or in a heap */
	}
}

/**
 * pcslab_visit_announce() - queue a visit
 * @visit: what to do, and to which caches
 *
 * Context: any task; it must call pcslab_visit_make() next.
 */
void pcslab_visit_announce(struct pcslab_visit *visit)
{
	spin_lock(&visits_lock);
	list_add_tail(&visit->node, &visits_waiting);
	spin_unlock(&visits_lock);
}

/**
 * pcslab_visit_make() - make a queued visit
 * @visit: announced
 *
 * The visit's function runs on one cache at a time and may do all that the
 * cache's CPU could do. Calls on these CPUs are served by the depots meanwhile.
 * All announced visits are made together: they share a grace period, if any of
 * them has something to do. This call may have to wait for the grace period of
 * earlier visits. It waits for no CPU.
 *
 * Context: process, the CPU hotplug lock held for reading.
 */
void pcslab_visit_make(struct pcslab_visit *visit)
{
	mutex_lock(&service_lock);
	if (!list_empty(&visit->node))
		make_visits();
	mutex_unlock(&service_lock);
}
