/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The raw locks of pcslab: depot->lock, heap->large_lock and slots_lock
 *
 * All three are taken with interrupts off, so that no interrupt asks for a lock
 * that its own CPU holds. Two things still come in between: an NMI, and a
 * tracer, whose callback runs where a function that is called under the lock
 * begins or ends (_raw_spin_unlock(), list debugging, our own ones), or where a
 * kprobe was put. If the callback uses pcslab and waits for the lock, it waits
 * for itself. So the CPU says in pcslab_locked that it holds one of them, or is
 * about to take it, and a call that finds this does what a call in NMI does: a
 * free is put off (nmi.c), and an allocation fails unless the magazine serves
 * it.
 *
 * The word is set before raw_spin_lock() and cleared after raw_spin_unlock(),
 * as a CPU that queues for a lock, or gives it back, can be traced too. The
 * word belongs to the CPU, with interrupts off, so that program order is all it
 * needs: what comes in between runs on this CPU. The locks do not nest in each
 * other.
 */
#ifndef _PCSLAB_LOCK_H
#define _PCSLAB_LOCK_H

#include <linux/hardirq.h>
#include <linux/irqflags.h>
#include <linux/percpu.h>
#include <linux/spinlock.h>

DECLARE_PER_CPU(bool, pcslab_locked);

/* Interrupts off until pcslab_unlock() gets what this returns. */
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
 * May this call not wait for a lock of pcslab? A caller that may be preempted
 * holds none, on whichever CPU the word is read.
 */
static __always_inline bool pcslab_must_defer(void)
{
	return in_nmi() || this_cpu_read(pcslab_locked);
}

#endif /* _PCSLAB_LOCK_H */
