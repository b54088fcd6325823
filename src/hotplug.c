// SPDX-License-Identifier: GPL-2.0
/*
 * CPU hotplug: when caches are made and given up (cache.c)
 *
 * A running CPU has a cache in every class of every heap, made before it comes
 * up, so that a free always finds one. When a CPU is dead its caches are
 * emptied, CPU 0 inherits their counts, and they are freed.
 *
 * Both callbacks run on another CPU, in the PREPARE section: the CPU has not
 * started yet, or is dead and takes no interrupt any more. The control task
 * holds the CPU hotplug lock for writing, which excludes readers (stats.c). CPU
 * 0 may be running and counting meanwhile, so it inherits into separate words.
 *
 * The callback that adds a CPU must change pcslab_cpus first and then add
 * caches to all classes; slots.c explains why.
 *
 * Locks: CPU hotplug lock (held by the caller of the callbacks) >
 * pcslab_heaps_lock.
 */
#include <linux/cpu.h>
#include <linux/cpuhotplug.h>

#include "internal.h"

static int hotplug_state;

typedef int (*class_fn)(struct pcslab_class *class, unsigned int cpu);

/* Call @fn for every class of every heap, including zombies, until it fails. */
static int visit_classes(class_fn fn, unsigned int cpu)
{
	struct pcslab_class *class;
	struct pcslab_heap *heap;
	int err = 0;

	mutex_lock(&pcslab_heaps_lock);
	list_for_each_entry(heap, &pcslab_heaps, node) {
		pcslab_for_each_class(class, heap)
			err = err ?: fn(class, cpu);
	}
	mutex_unlock(&pcslab_heaps_lock);
	return err;
}

static int cpu_dead(unsigned int cpu)
{
	pcslab_defer_finish();
	if (cpu)
		pcslab_cpus_set(cpu, false);
	return visit_classes(pcslab_cpu_retire, cpu);
}

static int cpu_prepare(unsigned int cpu)
{
	int err;

	pcslab_cpus_set(cpu, true);
	err = visit_classes(pcslab_cpu_add, cpu);
	if (err) {
		pr_err("no memory for the caches of CPU %u, it stays down\n", cpu);
		cpu_dead(cpu);
	}
	return err;
}

int __init pcslab_hotplug_init(void)
{
	pcslab_cpus_set(0, true);	/* even if it is offline */
	hotplug_state = cpuhp_setup_state(CPUHP_BP_PREPARE_DYN, "mm/pcslab:prepare",
					  cpu_prepare, cpu_dead);
	if (hotplug_state < 0)
		return hotplug_state;
	return 0;
}

/* No heap is left, so no callback needs to run. */
void pcslab_hotplug_exit(void)
{
	cpuhp_remove_state_nocalls(hotplug_state);
}
