// SPDX-License-Identifier: GPL-2.0
/*
 * Fault injection, for tests: pages and metadata that pcslab allocates can be
 * made to fail
 *
 * The controls are in /sys/kernel/debug/pcslab/fail_pages/, as documented in
 * the kernel's Documentation/fault-injection/. This file is only built if the
 * kernel has fault injection.
 *
 * Context: any.
 */
#include <linux/dcache.h>
#include <linux/err.h>
#include <linux/fault-inject.h>

#include "compat.h"
#include "internal.h"

static DECLARE_FAULT_ATTR(fail_pages);

/* An allocation with __GFP_NOFAIL must not fail. */
bool pcslab_should_fail(gfp_t gfp)
{
	return !(gfp & __GFP_NOFAIL) && should_fail(&fail_pages, PAGE_SIZE);
}

static struct dentry *files;

void __init pcslab_fault_init(struct dentry *dir)
{
	/* No stack per failure: it would hide the test's output. */
	fail_pages.verbose = 0;
	files = fault_create_debugfs_attr("fail_pages", dir, &fail_pages);
}

void __exit pcslab_fault_exit(void)
{
	if (COMPAT_FAULT_HOLDS_DIR && !IS_ERR(files))
		dput(files);
}
