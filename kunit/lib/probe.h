/* SPDX-License-Identifier: GPL-2.0 */
/* Kprobes whose handlers wait, or make calls in NMI */
#ifndef _PCSLAB_KUNIT_PROBE_H
#define _PCSLAB_KUNIT_PROBE_H

#include <linux/kprobes.h>

/*
 * Post handler for a kprobe that must stay a breakpoint. Without a post handler
 * the kernel may turn a kprobe into a jump, which is no NMI and takes grace
 * periods to install.
 */
static void stay_breakpoint(struct kprobe *probe, struct pt_regs *regs,
			    unsigned long flags)
{
}

#endif /* _PCSLAB_KUNIT_PROBE_H */
