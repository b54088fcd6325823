// SPDX-License-Identifier: GPL-2.0
/*
 * The books of adopted modules
 *
 * A module is adopted if it has a handle (adopt.h). When it comes, before its
 * parameters are set and its init function runs, it gets a heap with its name.
 * When it goes, the heap is destroyed, which waits for frees that RCU deferred
 * and reports what is live: by class, and by call site. The heap then stays as
 * a zombie until its last object is freed.
 *
 * Escapes are frees of the kernel (hook.c). Those of heaps that belong to no
 * adopted module are summed.
 *
 * Locks: books_lock, for the list; readers are under RCU.
 * Context: adopt_count_escape() any; the rest process.
 */
#include <linux/debugfs.h>
#include <linux/jhash.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/rculist.h>
#include <linux/seq_file.h>
#include <linux/slab.h>
#include <linux/string.h>

#include "adopt.h"

/**
 * struct adopted - a module and its heap
 * @list: in modules
 * @handle: in the module's data
 * @heap: its heap, or NULL
 * @name: of the module
 * @heap_name: of the heap
 * @escaped: objects of the heap that the kernel freed
 * @rcu: for kfree_rcu()
 */
struct adopted {
	struct list_head list;
	struct adopt_handle *handle;
	struct pcslab_heap *heap;
	char name[MODULE_NAME_LEN];
	char heap_name[PCSLAB_NAME_LEN];
	atomic_long_t escaped;
	struct rcu_head rcu;
};

bool adopt_track = true;
static LIST_HEAD(modules);
static DEFINE_MUTEX(books_lock);
static atomic_long_t other_escapes;
static struct dentry *file, *counted_file, *sites_file;

/**
 * adopt_count_escape() - count a free by the kernel
 * @obj: what it frees; nothing is counted if it is no live object
 *
 * Context: any.
 */
void adopt_count_escape(const void *obj)
{
	struct pcslab_heap *heap = pcslab_heap_of(obj);
	atomic_long_t *count = &other_escapes;
	struct adopted *a;

	if (!heap)
		return;
	rcu_read_lock();
	list_for_each_entry_rcu(a, &modules, list) {
		if (a->heap == heap)
			count = &a->escaped;
	}
	atomic_long_inc(count);
	rcu_read_unlock();
}

/**
 * adopt_other_escapes() - frees by the kernel in heaps of nobody adopted
 *
 * Return: their number.
 */
unsigned long adopt_other_escapes(void)
{
	return atomic_long_read(&other_escapes);
}

/*
 * The handle of a module, or NULL. The symbol table is all that a module has to
 * be recognized by; it is complete until the init function has returned.
 */
static struct adopt_handle *handle_of(struct module *mod)
{
	struct adopt_handle *handle = NULL;
	struct mod_kallsyms *syms;
	unsigned int i;

	rcu_read_lock_sched();
	syms = rcu_dereference_sched(mod->kallsyms);
	for (i = 0; syms && !handle && i < syms->num_symtab; i++) {
		if (!strcmp(syms->strtab + syms->symtab[i].st_name, "__pcslab_adopt_handle"))
			handle = (void *)syms->symtab[i].st_value;
	}
	rcu_read_unlock_sched();
	return handle;
}

/* A name that is too long for a heap ends in '~' and a hash of all of it. */
static void name_heap(char *name, const char *module)
{
	if (strscpy(name, module, PCSLAB_NAME_LEN) < 0)
		snprintf(name, PCSLAB_NAME_LEN, "%.*s~%08x", PCSLAB_NAME_LEN - 10, module,
			 jhash(module, strlen(module), 0));
}

static int come(struct module *mod, struct adopt_handle *handle)
{
	struct pcslab_heap_attr attr = { .flags = adopt_track ? PCSLAB_HEAP_TRACK : 0 };
	struct adopted *a;

	if (handle->magic != ADOPT_MAGIC || handle->mod != mod) {
		pr_err("%s was adopted by another version of pcslab-adopt, not loaded\n",
		       mod->name);
		return -ENOEXEC;
	}
	a = kzalloc(sizeof(*a), GFP_KERNEL);
	if (!a || adopt_counts_init(handle)) {
		kfree(a);
		return -ENOMEM;
	}
	strscpy(a->name, mod->name, sizeof(a->name));
	name_heap(a->heap_name, mod->name);
	a->handle = handle;
	a->heap = pcslab_heap_create_for(a->heap_name, &attr, mod);
	if (IS_ERR(a->heap)) {
		pr_err("no heap %s for %s (%ld): its memory stays the kernel's\n", a->heap_name,
		       mod->name, PTR_ERR(a->heap));
		a->heap = NULL;
	}
	/* The module does not run yet. */
	handle->heap = a->heap;
	mutex_lock(&books_lock);
	list_add_tail_rcu(&a->list, &modules);
	mutex_unlock(&books_lock);
	return 0;
}

static struct adopted *find(const struct module *mod)
{
	struct adopted *a;

	list_for_each_entry(a, &modules, list) {
		if (a->handle->mod == mod)
			return a;
	}
	return NULL;
}

/**
 * adopt_is_adopted() - find out whether a module is adopted
 * @mod: the module
 *
 * Context: process. May sleep.
 * Return: true if it is.
 */
bool adopt_is_adopted(const struct module *mod)
{
	bool adopted;

	mutex_lock(&books_lock);
	adopted = find(mod);
	mutex_unlock(&books_lock);
	return adopted;
}

/*
 * The module's exit function has run. What belongs to its parameters is freed
 * later: these calls need counters, but no heap. Objects that wait for RCU are
 * waited for before anything is reported, because their frees are escapes, too.
 */
static void go(struct module *mod)
{
	struct adopted *a;

	mutex_lock(&books_lock);
	a = find(mod);
	mutex_unlock(&books_lock);
	if (!a)
		return;
	if (a->heap)
		pcslab_rcu_barrier(a->heap);
	pr_info("%s goes: %ld allocations left to the kernel, %ld frees of foreign memory, %ld objects freed by the kernel\n",
		a->name, atomic_long_read(&a->handle->native),
		atomic_long_read(&a->handle->foreign), atomic_long_read(&a->escaped));
	adopt_report_counts(a->name, a->handle);
	mutex_lock(&books_lock);
	list_del_rcu(&a->list);
	mutex_unlock(&books_lock);
	a->handle->heap = NULL;
	adopt_counts_exit(a->handle);
	pcslab_heap_destroy(a->heap);
	kfree_rcu(a, rcu);
}

static int changes(struct notifier_block *unused, unsigned long state, void *data)
{
	struct adopt_handle *handle;

	if (state == MODULE_STATE_GOING)
		go(data);
	if (state != MODULE_STATE_COMING)
		return NOTIFY_OK;
	handle = handle_of(data);
	return handle ? notifier_from_errno(come(data, handle)) : NOTIFY_OK;
}

/*
 * Before all that call the module, as KUnit of 6.1 does, but after pcslab has
 * noticed that there are new names of call sites.
 */
static struct notifier_block notifier = {
	.notifier_call = changes,
	.priority = INT_MAX - 1,
};

static int adopted_show(struct seq_file *m, void *unused)
{
	struct adopted *a;

	seq_puts(m, "pcslab adopted version 1\n");
	seq_puts(m, "#module heap native foreign escaped\n");
	mutex_lock(&books_lock);
	list_for_each_entry(a, &modules, list)
		seq_printf(m, "%s %s %ld %ld %ld\n", a->name, a->heap ? a->heap_name : "-",
			   atomic_long_read(&a->handle->native),
			   atomic_long_read(&a->handle->foreign), atomic_long_read(&a->escaped));
	mutex_unlock(&books_lock);
	seq_printf(m, "- others 0 0 %lu\n", adopt_other_escapes());
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(adopted);

static int counted_show(struct seq_file *m, void *unused)
{
	struct adopted *a;

	seq_puts(m, "pcslab counted version 1\n");
	seq_puts(m, "#module kind allocs frees live bytes\n");
	mutex_lock(&books_lock);
	list_for_each_entry(a, &modules, list)
		adopt_show_counts(m, a->name, a->handle);
	mutex_unlock(&books_lock);
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(counted);

static int counted_sites_show(struct seq_file *m, void *unused)
{
	struct adopted *a;
	int err = 0;

	seq_puts(m, "pcslab counted_sites version 1\n");
	seq_puts(m, "#module kind allocs frees unseen live bytes site\n");
	mutex_lock(&books_lock);
	list_for_each_entry(a, &modules, list)
		err = err ?: adopt_show_sites(m, a->name, a->handle);
	mutex_unlock(&books_lock);
	return err;
}
DEFINE_SHOW_ATTRIBUTE(counted_sites);

/**
 * adopt_file_create() - add a file to pcslab's directory in debugfs
 * @name: its name
 * @fops: of the file
 *
 * Context: process. May sleep.
 * Return: the file, for debugfs_remove(). As usual, errors of debugfs may be
 *	ignored.
 */
struct dentry *adopt_file_create(const char *name, const struct file_operations *fops)
{
	struct dentry *dir = debugfs_lookup("pcslab", NULL);
	struct dentry *created = debugfs_create_file(name, 0400, dir, NULL, fops);

	dput(dir);
	return created;
}

int __init adopt_books_init(void)
{
	int err;

	err = register_module_notifier(&notifier);
	if (err)
		return err;
	file = adopt_file_create("adopted", &adopted_fops);
	counted_file = adopt_file_create("counted", &counted_fops);
	sites_file = adopt_file_create("counted_sites", &counted_sites_fops);
	return 0;
}

/* Adopted modules pin this one: the list is empty. */
void adopt_books_exit(void)
{
	debugfs_remove(sites_file);
	debugfs_remove(counted_file);
	debugfs_remove(file);
	unregister_module_notifier(&notifier);
}
