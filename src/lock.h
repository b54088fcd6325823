/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The raw locks of pcslab: depot->lock, heap->large_lock and slots_lock
 *
 * All three must be taken with interrupts off, so that no interrupt can wait
 * for a lock that its own CPU holds. An NMI can still come in between, and so
 * can a tracer, whose callback runs at the start or end of a function called
 * under the lock (_raw_spin_unlock(), list debugging, our own ones), or at a
 * kprobe. If such a callback waited for the lock, it would deadlock. So the CPU
 * sets pcslab_locked before it takes one of the locks, and a call that finds it
 * set behaves as in NMI: a free is deferred (nmi.c), and an allocation fails
 * unless the magazine serves it.
 *
 * The flag is set before raw_spin_lock() and cleared after raw_spin_unlock(),
 * because a CPU that waits for a lock or releases it can be traced too. It is
 * per CPU and written with interrupts off, so program order is enough: code
 * that comes in between runs on this CPU. The locks do not nest in each other.
 */
#ifndef _PCSLAB_LOCK_H
#define _PCSLAB_LOCK_H

#include <linux/hardirq.h>
#include <linux/irqflags.h>
#include <linux/percpu.h>
#include <linux/spinlock.h>

DECLARE_PER_CPU(bool, pcslab_locked);

/* Take a lock with interrupts off. Returns the flags for pcslab_unlock(). */
static __always_inline unsigned long pcslab_lock(raw_spinlock_t *lock)
	__acquires(lock)
{
	unsigned long flags;

	local_irq_save(flags);
	this_cpu_write(pcslab_locked, true);
	raw_spin_lock(lock);
	return flags;
}

static __always_inline void pcslab_unlock(raw_spinlock_t *lock, unsigned long flags)
	__releases(lock)
{
	raw_spin_unlock(lock);
	this_cpu_write(pcslab_locked, false);
	local_irq_restore(flags);
}

/*
 * True if this call must not wait for a lock of pcslab. A caller that can be
 * preempted holds none, so it may read the flag of any CPU.
 */
static __always_inline bool pcslab_must_defer(void)
{
	return in_nmi() || this_cpu_read(pcslab_locked);
}

#endif /* _PCSLAB_LOCK_H */
