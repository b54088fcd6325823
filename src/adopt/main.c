// SPDX-License-Identifier: GPL-2.0
/*
 * The module pcslab_adopt: the order of setup and teardown
 */
#include <linux/module.h>

#include "adopt.h"

module_param_named(track, adopt_track, bool, 0444);
MODULE_PARM_DESC(track, "remember who allocated each object of an adopted module (default: yes; slower)");

/* No module is adopted before the hooks are known to work. */
static int __init adopt_init(void)
{
	int err;

	err = adopt_hooks_init();
	if (err)
		return err;
	err = adopt_books_init();
	if (err)
		goto err_hooks;
	err = adopt_attach_init();
	if (!err)
		return 0;
	adopt_books_exit();
err_hooks:
	adopt_hooks_exit();
	return err;
}

static void __exit adopt_exit(void)
{
	adopt_attach_exit();
	adopt_books_exit();
	adopt_hooks_exit();
}

module_init(adopt_init);
module_exit(adopt_exit);

MODULE_DESCRIPTION("Heaps of pcslab for modules that do not know it");
MODULE_AUTHOR("The pcslab developers");
MODULE_VERSION(PCSLAB_VERSION);
MODULE_INFO(import_ns, "PCSLAB");
MODULE_LICENSE("GPL");
