/* SPDX-License-Identifier: GPL-2.0 */
/* Keeps the tasks of a load on a CPU while their calls are counted by CPU. */
#ifndef _PCSLAB_KUNIT_STAY_H
#define _PCSLAB_KUNIT_STAY_H

#include <linux/cpumask.h>
#include <linux/preempt.h>
#include <linux/sched.h>

/*
 * Stay until the call is counted, on the CPU that made it. Atomic, except on
 * RT.
 */
static inline void stay_here(void)
{
	if (IS_ENABLED(CONFIG_PREEMPT_RT))
		migrate_disable();
	else
		preempt_disable();
}

static inline void may_leave(void)
{
	if (IS_ENABLED(CONFIG_PREEMPT_RT))
		migrate_enable();
	else
		preempt_enable();
}

/*
 * Sit on one CPU for a while, because tasks left alone rarely move. Not on RT:
 * when a CPU goes offline, the scheduler of 6.12 can't handle a task that both
 * has an affinity to it and has migration disabled, as stay_here() does there.
 */
static inline void sit_on(unsigned int cpu)
{
	if (IS_ENABLED(CONFIG_PREEMPT_RT))
		return;
	if (cpu_online(cpu))
		set_cpus_allowed_ptr(current, cpumask_of(cpu));
	else
		set_cpus_allowed_ptr(current, cpu_possible_mask);
}

#endif /* _PCSLAB_KUNIT_STAY_H */
