// SPDX-License-Identifier: GPL-2.0
/*
 * Failures on purpose, for tests: the kernel's fault injection, applied to the
 * pages and metadata that pcslab asks for
 *
 * Its controls are in /sys/kernel/debug/pcslab/fail_pages/, as documented in
 * the kernel's Documentation/fault-injection/. Built only where the kernel has
 * them.
 *
 * Context: any.
 */
#include <linux/dcache.h>
#include <linux/err.h>
#include <linux/fault-inject.h>

#include "compat.h"
#include "internal.h"

static DECLARE_FAULT_ATTR(fail_pages);

/* An allocation that must not fail is not made to. */
bool pcslab_should_fail(gfp_t gfp)
{
	return !(gfp & __GFP_NOFAIL) && should_fail(&fail_pages, PAGE_SIZE);
}

static struct dentry *files;

void __init pcslab_fault_init(struct dentry *dir)
{
	fail_pages.verbose = 0;	/* a stack per failure hides what the test says */
	files = fault_create_debugfs_attr("fail_pages", dir, &fail_pages);
}

void __exit pcslab_fault_exit(void)
{
	if (COMPAT_FAULT_HOLDS_DIR && !IS_ERR(files))
		dput(files);
}
