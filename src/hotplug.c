// SPDX-License-Identifier: GPL-2.0
/*
 * CPUs come and go
 *
 * A running CPU has a cache in every class of every heap, made before it comes
 * up, so that a free always finds one. When a CPU is dead, what its magazines
 * hold goes back to the slabs, its counters go to CPU 0's record, and the cache
 * is freed. CPU 0 keeps its cache when it is offline, to inherit.
 *
 * Both callbacks run on another CPU, in the PREPARE section: the CPU has not
 * started yet, or is dead and takes no interrupt any more. The control task
 * holds the CPU hotplug lock for writing, which keeps readers out (stats.c).
 * CPU 0 may be running and counting meanwhile: it inherits into words of their
 * own.
 *
 * A class may be made in any context, hotplug going on or not. It is made with
 * a cache for each of pcslab_cpus, and published under caches_lock if that mask
 * did not change meanwhile. The callback that adds a CPU changes the mask
 * first, then looks for published classes that miss the CPU.
 *
 * Locks: CPU hotplug lock (held by the caller of the callbacks) >
 * pcslab_heaps_lock; caches_lock, raw, interrupts off, nests in neither.
 */
#include <linux/cpu.h>
#include <linux/cpuhotplug.h>
#include <linux/slab.h>
#include <linux/topology.h>

#include "internal.h"

struct cpumask pcslab_cpus;
static DEFINE_RAW_SPINLOCK(caches_lock);
static unsigned long cpus_seq;		/* changes with pcslab_cpus */
static int hotplug_state;

static void cpu_change(unsigned int cpu, bool present)
{
	unsigned long flags;

	raw_spin_lock_irqsave(&caches_lock, flags);
	if (present)
		cpumask_set_cpu(cpu, &pcslab_cpus);
	else
		cpumask_clear_cpu(cpu, &pcslab_cpus);
	/* Release: pairs with pcslab_cpus_seq(). */
	smp_store_release(&cpus_seq, cpus_seq + 1);
	raw_spin_unlock_irqrestore(&caches_lock, flags);
}

/* To be called before the mask is read; see pcslab_class_publish(). */
unsigned long pcslab_cpus_seq(void)
{
	return smp_load_acquire(&cpus_seq);	/* pairs with cpu_change() */
}

/**
 * pcslab_class_publish() - make a class known to its heap
 * @class: with a cache for each CPU that was in pcslab_cpus
 * @seq: pcslab_cpus_seq() from before its caches were made
 *
 * Context: any but NMI.
 * Return: false if the CPUs changed or the heap has this class already; the
 *	caller keeps @class.
 */
bool pcslab_class_publish(struct pcslab_class *class, unsigned long seq)
{
	struct pcslab_class **slot = &class->heap->class[class->index];
	unsigned long flags;
	bool done = false;

	raw_spin_lock_irqsave(&caches_lock, flags);
	if (!*slot && cpus_seq == seq) {
		smp_store_release(slot, class);	/* pairs with who loads it */
		done = true;
	}
	raw_spin_unlock_irqrestore(&caches_lock, flags);
	return done;
}

/**
 * pcslab_cache_create() - the cache of a CPU for one class, all zero
 * @cpu: whose
 * @gfp: of the caller
 *
 * Return: the cache, or NULL.
 */
struct pcslab_cache *pcslab_cache_create(unsigned int cpu, gfp_t gfp)
{
	struct pcslab_cache *cache;

	if (pcslab_should_fail(gfp))
		return NULL;
	cache = kzalloc_node(sizeof(*cache), gfp, cpu_to_mem(cpu));
	if (cache)
		cache->node = cpu_to_mem(cpu);
	return cache;
}

typedef int (*class_fn)(struct pcslab_class *class, unsigned int cpu);

/* Every class of every heap, zombies too; stops at the first error. */
static int visit_classes(class_fn fn, unsigned int cpu)
{
	struct pcslab_class *class = NULL;
	struct pcslab_heap *heap;
	int err = 0;

	mutex_lock(&pcslab_heaps_lock);
	list_for_each_entry(heap, &pcslab_heaps, node) {
		while ((class = pcslab_next_class(heap, class)))
			err = err ?: fn(class, cpu);
	}
	mutex_unlock(&pcslab_heaps_lock);
	return err;
}

static int add_cache(struct pcslab_class *class, unsigned int cpu)
{
	struct pcslab_cache **slot = per_cpu_ptr(class->caches, cpu);

	if (!*slot)
		*slot = pcslab_cache_create(cpu, GFP_KERNEL);
	return *slot ? 0 : -ENOMEM;
}

/* The allocations may be bytes. */
static void add_row(struct pcslab_inherited *to, const struct pcslab_count *from)
{
	to->allocs += from->allocs[0] + from->allocs[1];
	to->frees += from->frees[0] + from->frees[1];
}

/*
 * Plain additions: @to is CPU 0's inherited row, written only here, with CPU
 * hotplug held for writing, and read with it held for reading.
 */
static void donate(struct pcslab_cache *from, struct pcslab_inherited *to)
{
	add_row(to, &from->count);
	add_row(to, &from->direct);
}

static int remove_cache(struct pcslab_class *class, unsigned int cpu)
{
	struct pcslab_cache **slot = per_cpu_ptr(class->caches, cpu);

	if (!*slot)
		return 0;
	pcslab_cache_drain(class, *slot);
	if (!cpu)
		return 0;
	donate(*slot, &pcslab_cache_of(class, 0)->inherited);
	kfree(*slot);
	*slot = NULL;
	return 0;
}

static int cpu_dead(unsigned int cpu)
{
	pcslab_defer_dead();
	if (cpu)
		cpu_change(cpu, false);
	return visit_classes(remove_cache, cpu);
}

static int cpu_prepare(unsigned int cpu)
{
	int err;

	cpu_change(cpu, true);
	err = visit_classes(add_cache, cpu);
	if (err) {
		pr_err("pcslab: no memory for the caches of CPU %u, it stays down\n", cpu);
		cpu_dead(cpu);
	}
	return err;
}

int pcslab_hotplug_init(void)
{
	cpu_change(0, true);	/* even if it is offline */
	hotplug_state = cpuhp_setup_state(CPUHP_BP_PREPARE_DYN, "mm/pcslab:prepare",
					  cpu_prepare, cpu_dead);
	if (hotplug_state < 0)
		return hotplug_state;
	return 0;
}

/* No heap is left, so no callback has anything to do. */
void pcslab_hotplug_exit(void)
{
	cpuhp_remove_state_nocalls(hotplug_state);
}
