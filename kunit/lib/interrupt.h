/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Calls a function in a hard interrupt of some CPU
 *
 * The interrupt is of a kind that PREEMPT_RT runs in a thread, because nothing
 * may allocate in any other kind there. PROVE_RAW_LOCK_NESTING makes lockdep
 * report that on other kernels.
 */
#ifndef _PCSLAB_KUNIT_INTERRUPT_H
#define _PCSLAB_KUNIT_INTERRUPT_H

#include <linux/irq_work.h>
#include <linux/preempt.h>
#include <linux/smp.h>

struct interrupt {
	struct irq_work work;
	void (*fn)(void *arg);
	void *arg;
};

static inline void interrupt_run(struct irq_work *work)
{
	struct interrupt *interrupt = container_of(work, struct interrupt, work);

	WARN_ON_ONCE(!in_hardirq() && !IS_ENABLED(CONFIG_PREEMPT_RT));
	interrupt->fn(interrupt->arg);
}

static inline void interrupt_raise(void *interrupt)
{
	irq_work_queue(&((struct interrupt *)interrupt)->work);
}

/* Returns false if @cpu is not online. */
static inline bool interrupt_send(struct interrupt *interrupt, unsigned int cpu,
				  void (*fn)(void *arg), void *arg)
{
	interrupt->work = IRQ_WORK_INIT(interrupt_run);
	interrupt->fn = fn;
	interrupt->arg = arg;
	return !smp_call_function_single(cpu, interrupt_raise, interrupt, true);
}

static inline void interrupt_wait(struct interrupt *interrupt)
{
	irq_work_sync(&interrupt->work);
}

/* Same, and waits until the function has been called. */
static inline bool interrupt_call(unsigned int cpu, void (*fn)(void *arg), void *arg)
{
	struct interrupt interrupt;
	bool sent = interrupt_send(&interrupt, cpu, fn, arg);

	if (sent)
		interrupt_wait(&interrupt);
	return sent;
}

#endif /* _PCSLAB_KUNIT_INTERRUPT_H */
