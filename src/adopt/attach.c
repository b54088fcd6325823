// SPDX-License-Identifier: GPL-2.0
/*
 * Attaching to a module that cannot be reloaded
 *
 *   echo foo >/sys/module/pcslab_adopt/parameters/attach	(or detach)
 *
 * From then on its allocations are followed (follow.c), and the file attached
 * has what is live, by call site. When the module goes, the log names the sites
 * of what is live then. The memory stays the kernel's.
 *
 * A module is found by its name among the modules in sysfs. The reference on
 * its kobject keeps its memory until it is attached. If it is live then, it
 * will call the notifier below before it goes.
 *
 * Locks: attach_lock, for the list, > books_lock and the locks of tracepoints,
 * ftrace and kprobes.
 * Context: process.
 */
#include <linux/ctype.h>
#include <linux/debugfs.h>
#include <linux/kobject.h>
#include <linux/list.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/moduleparam.h>
#include <linux/mutex.h>
#include <linux/seq_file.h>
#include <linux/slab.h>
#include <linux/string.h>

#include "adopt.h"
#include "compat.h"
#include "follow.h"

static unsigned int attach_objects = 65536;
module_param(attach_objects, uint, 0444);
MODULE_PARM_DESC(attach_objects, "live objects of an attached module that can be followed (default: 65536; 168 bytes each)");

static LIST_HEAD(attached);
static DEFINE_MUTEX(attach_lock);
static struct dentry *file;

/*
 * The module is there, and so are its symbols; but it may have been stripped.
 * No address may be shown.
 */
static const char *name_of(const struct live_row *row, char *name, size_t len)
{
	if (!row->key)
		return "others";
	snprintf(name, len, "%pS", (void *)row->key);
	return isdigit(name[0]) ? "unknown" : name;
}

static void report_site(const struct live_row *row, void *arg)
{
	struct follow *f = arg;
	char name[KSYM_SYMBOL_LEN];

	if (row->live)
		pr_info("%s goes: %ld objects live, %ld bytes, allocated by %s\n", f->mod->name,
			row->live, row->bytes, name_of(row, name, sizeof(name)));
}

static void detach(struct follow *f)
{
	list_del(&f->list);
	follow_stop(f);
	follow_free(f);
}

static struct follow *find(const char *name)
{
	struct follow *f;

	list_for_each_entry(f, &attached, list) {
		if (!strcmp(f->mod->name, name))
			return f;
	}
	return NULL;
}

/* The exit function of the module has run, and nothing of it can come back. */
static int changes(struct notifier_block *unused, unsigned long state, void *data)
{
	struct module *mod = data;
	struct follow *f;

	if (state != MODULE_STATE_GOING)
		return NOTIFY_OK;
	mutex_lock(&attach_lock);
	f = find(mod->name);
	if (f) {
		if (live_visit(&f->live, f, report_site))
			pr_err("%s goes: no memory for a report\n", mod->name);
		detach(f);
	}
	mutex_unlock(&attach_lock);
	return NOTIFY_OK;
}

/* After all others, which may free what the module has allocated. */
static struct notifier_block notifier = {
	.notifier_call = changes,
	.priority = INT_MIN,
};

/* @mod is NULL for what is built in. */
static int attach_to(struct module *mod, const char *name)
{
	struct follow *f;

	if (!mod || mod->state != MODULE_STATE_LIVE) {
		pr_err("%s is %s, not attached\n", name, mod ? "coming or going" : "built in");
		return mod ? -EBUSY : -EINVAL;
	}
	if (adopt_is_adopted(mod)) {
		pr_err("%s is adopted and has a heap, not attached\n", name);
		return -EINVAL;
	}
	f = follow_start(mod, attach_objects);
	if (IS_ERR(f)) {
		pr_err("%s cannot be followed (%ld), not attached\n", name, PTR_ERR(f));
		return PTR_ERR(f);
	}
	list_add_tail(&f->list, &attached);
	return 0;
}

static int attach_by_name(const char *name)
{
	struct kobject *kobj;
	int err;

	if (find(name)) {
		pr_err("%s is attached already\n", name);
		return -EEXIST;
	}
	kobj = kset_find_obj(THIS_MODULE->mkobj.kobj.kset, name);
	if (!kobj) {
		pr_err("there is no module %s to attach to\n", name);
		return -ENOENT;
	}
	err = attach_to(container_of(kobj, struct module_kobject, kobj)->mod, name);
	kobject_put(kobj);
	return err;
}

static int detach_by_name(const char *name)
{
	struct follow *f = find(name);

	if (!f) {
		pr_err("%s is not attached\n", name);
		return -ENOENT;
	}
	detach(f);
	return 0;
}

/*
 * The parameters are there before the init function and until after the exit
 * function: nothing may be attached then.
 */
static int set_parameter(const char *value, const struct kernel_param *kp)
{
	int (*act)(const char *name) = kp->arg;
	char name[MODULE_NAME_LEN + 1];
	int err = -EBUSY;

	if (!value || strscpy(name, value, sizeof(name)) < 0)
		return -EINVAL;
	mutex_lock(&attach_lock);
	if (THIS_MODULE->state == MODULE_STATE_LIVE)
		err = act(strim(name));
	mutex_unlock(&attach_lock);
	return err;
}

static const struct kernel_param_ops name_ops = { .set = set_parameter };
module_param_cb(attach, &name_ops, attach_by_name, 0200);
__MODULE_PARM_TYPE(attach, "name");
MODULE_PARM_DESC(attach, "name of a loaded module whose allocations are followed from now on");
module_param_cb(detach, &name_ops, detach_by_name, 0200);
__MODULE_PARM_TYPE(detach, "name");
MODULE_PARM_DESC(detach, "name of an attached module, which is not followed any more");

/* Where the rows of a module go. */
struct output {
	struct seq_file *m;
	struct follow *f;
};

static void show_site(const struct live_row *row, void *arg)
{
	struct output *out = arg;
	char name[KSYM_SYMBOL_LEN];

	seq_printf(out->m, "%s %ld %ld %ld %ld %ld %s\n", out->f->mod->name, row->allocs,
		   row->frees, row->unseen, row->live, row->bytes,
		   name_of(row, name, sizeof(name)));
}

static void show_lost(struct seq_file *m)
{
	unsigned long lost;
	struct follow *f;

	list_for_each_entry(f, &attached, list) {
		lost = follow_lost(f);
		if (lost)
			seq_printf(m, "# %s: %lu not recorded (attach_objects=%u)\n",
				   f->mod->name, lost, attach_objects);
	}
}

static const char head[] =
	"pcslab attached version 1\n"
	"# Objects that calls in a module got from kmalloc() and kmem_cache_alloc() since\n"
	"# it was attached, whoever freed them. Not seen are pages, areas of vmalloc(),\n"
	"# per-CPU memory, and what functions of the kernel allocate for a module, except\n"
	"# kvmalloc(), kasprintf(), and those that pass on who calls them, as kstrdup().\n"
	"# unseen: freed in a way that is not seen, which is found out when somebody\n"
	"# gets the same address; until then such an object is in the column live.\n";

static int attached_show(struct seq_file *m, void *unused)
{
	struct output out = { m };
	int err = 0;

	seq_puts(m, head);
	mutex_lock(&attach_lock);
	show_lost(m);
	seq_puts(m, "#module allocs frees unseen live bytes site\n");
	list_for_each_entry(out.f, &attached, list)
		err = err ?: live_visit(&out.f->live, &out, show_site);
	mutex_unlock(&attach_lock);
	return err;
}
DEFINE_SHOW_ATTRIBUTE(attached);

int __init adopt_attach_init(void)
{
	int err = register_module_notifier(&notifier);

	if (!err)
		file = adopt_file_create("attached", &attached_fops);
	return err;
}

void adopt_attach_exit(void)
{
	struct follow *f, *next;

	debugfs_remove(file);
	unregister_module_notifier(&notifier);
	mutex_lock(&attach_lock);
	list_for_each_entry_safe(f, next, &attached, list)
		detach(f);
	mutex_unlock(&attach_lock);
}
