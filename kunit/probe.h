/* SPDX-License-Identifier: GPL-2.0 */
/* Kprobes whose handlers wait, or make calls in NMI. */
#ifndef _PCSLAB_KUNIT_PROBE_H
#define _PCSLAB_KUNIT_PROBE_H

#include <linux/kprobes.h>

/*
 * The post handler of a kprobe that has to stay a breakpoint. One without a post
 * handler may become a jump, which is no NMI and takes grace periods to make.
 */
static void stay_breakpoint(struct kprobe *probe, struct pt_regs *regs,
			    unsigned long flags)
{
}

#endif /* _PCSLAB_KUNIT_PROBE_H */
