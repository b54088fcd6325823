// SPDX-License-Identifier: GPL-2.0
/* The module: what is set up in which order, and taken down in the reverse one. */
#include <linux/jump_label.h>
#include <linux/module.h>
#include <linux/rcupdate.h>

#include "internal.h"

static bool debug;
module_param(debug, bool, 0444);
MODULE_PARM_DESC(debug, "catch two CPUs freeing one object at the same instant (slower)");

static bool track;
module_param(track, bool, 0444);
MODULE_PARM_DESC(track, "remember who allocated each object (slower, a word per object)");

static int __init pcslab_init(void)
{
	int err;

	if (debug)
		static_branch_enable(&pcslab_debug);
	if (track)
		static_branch_enable(&pcslab_track);
	err = pcslab_heap_init();
	if (err)
		return err;
	err = pcslab_hotplug_init();
	if (err)
		goto err_heap;
	pcslab_debugfs_init();
	return 0;

err_heap:
	pcslab_heap_exit();
	return err;
}

/* Users pin the module by its symbols, zombies by a reference: no heap is left. */
static void __exit pcslab_exit(void)
{
	pcslab_debugfs_exit();
	pcslab_hotplug_exit();
	pcslab_defer_sync();
	pcslab_heap_exit();
}

module_init(pcslab_init);
module_exit(pcslab_exit);

MODULE_DESCRIPTION("Slab allocator with private heaps and exact per-CPU books");
MODULE_LICENSE("GPL");
