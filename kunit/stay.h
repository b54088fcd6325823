/* SPDX-License-Identifier: GPL-2.0 */
/* Where tasks of a load run, whose calls are counted by CPU. */
#ifndef _PCSLAB_KUNIT_STAY_H
#define _PCSLAB_KUNIT_STAY_H

#include <linux/cpumask.h>
#include <linux/preempt.h>
#include <linux/sched.h>

/* Until the call is counted, on the CPU that made it; atomic, but on RT. */
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
 * Sit on one CPU for a while: left alone they would stay where they are. Not on RT:
 * when a CPU goes, the scheduler of 6.12 can't cope with a task that has both chosen
 * the CPU and disabled its migration, as stay_here() does there.
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
