// SPDX-License-Identifier: GPL-2.0
/*
 * The module: the order of setup and teardown
 */
#include <linux/module.h>
#include <linux/rcupdate.h>

#include "event.h"
#include "internal.h"

static int __init pcslab_init(void)
{
	int err;

	pcslab_layout_init();
	pcslab_alloc_init();
	pcslab_slots_init();
	err = pcslab_site_init();
	if (err)
		return err;
	err = pcslab_heap_init();
	if (err)
		goto err_site;
	err = pcslab_hotplug_init();
	if (err)
		goto err_heap;
	err = pcslab_defer_init();
	if (err)
		goto err_hotplug;
	err = pcslab_record_init();
	if (err)
		goto err_defer;
	err = pcslab_reclaim_init();
	if (err)
		goto err_record;
	pcslab_foreign_init();
	pcslab_debugfs_init();
	return 0;

err_record:
	pcslab_record_exit();
err_defer:
	pcslab_defer_exit();
err_hotplug:
	pcslab_hotplug_exit();
err_heap:
	pcslab_heap_exit();
err_site:
	pcslab_site_exit();
	return err;
}

/*
 * No object is left: users pin the module by its symbols, zombies by a
 * reference.
 */
static void __exit pcslab_exit(void)
{
	/* The last callbacks of rcu.c may not have returned yet. */
	rcu_barrier();
	pcslab_debugfs_exit();
	pcslab_foreign_exit();
	pcslab_reclaim_exit();
	pcslab_record_exit();
	pcslab_defer_exit();
	pcslab_heap_exit();
	pcslab_hotplug_exit();
	pcslab_site_exit();
}

module_init(pcslab_init);
module_exit(pcslab_exit);

MODULE_DESCRIPTION("Slab allocator with private heaps and exact per-CPU books");
MODULE_AUTHOR("The pcslab developers");
MODULE_VERSION(PCSLAB_VERSION);
MODULE_LICENSE("GPL");
