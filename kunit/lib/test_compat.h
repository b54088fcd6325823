/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Differences between kernel versions that only the suites and the clients
 * meet. These are macros, so that this file need not include the headers that
 * they need.
 */
#ifndef _PCSLAB_KUNIT_TEST_COMPAT_H
#define _PCSLAB_KUNIT_TEST_COMPAT_H

#include <linux/version.h>

/*
 * The member of struct reclaim_state that compat_account_reclaimed() adds to.
 */
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 4, 0)
#define compat_reclaimed(state)	((state)->reclaimed_slab)
#else
#define compat_reclaimed(state)	((state)->reclaimed)
#endif

/* 6.13 introduced hrtimer_setup(); hrtimer_init() was gone by 7.3. */
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 13, 0)
#define compat_hrtimer_setup(timer, handler, clock, mode)	\
do {								\
	struct hrtimer *__timer = (timer);			\
								\
	hrtimer_init(__timer, clock, mode);			\
	__timer->function = (handler);				\
} while (0)
#else
#define compat_hrtimer_setup	hrtimer_setup
#endif

/*
 * 6.6 turned the APIC's functions into static calls; modules may use the one
 * for masks.
 */
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 6, 0)
#define compat_send_nmi(cpu)	apic->send_IPI_mask(cpumask_of(cpu), NMI_VECTOR)
#else
#define compat_send_nmi(cpu)	__apic_send_IPI_mask(cpumask_of(cpu), NMI_VECTOR)
#endif

/* Since 6.12 it knows the old size. */
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 12, 0)
#define compat_kvrealloc(p, old, size, gfp)	kvrealloc(p, old, size, gfp)
#else
#define compat_kvrealloc(p, old, size, gfp)	kvrealloc(p, size, gfp)
#endif

/*
 * Since 6.17 a workqueue with workers on each CPU must be requested explicitly.
 */
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 17, 0)
#define COMPAT_WQ_PERCPU	0
#else
#define COMPAT_WQ_PERCPU	WQ_PERCPU
#endif

/*
 * Since 6.18 a function that generates the parameters of a case gets the test.
 */
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 18, 0)
#define COMPAT_PARAM_TEST
#else
#define COMPAT_PARAM_TEST	struct kunit *test,
#endif

#endif /* _PCSLAB_KUNIT_TEST_COMPAT_H */
