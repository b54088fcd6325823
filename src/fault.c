// SPDX-License-Identifier: GPL-2.0
/*
 * Fault injection, for tests
 *
 *   /sys/kernel/debug/pcslab/fail_pages/	pages and metadata that pcslab
 *						allocates
 *   /sys/kernel/debug/pcslab/fail_pcslab/	calls of pcslab_alloc() and its
 *						relatives, on some heaps
 *
 * Both have the controls that the kernel's Documentation/fault-injection/
 * describes. fail_pcslab is failslab for heaps: an allocation returns NULL
 * without being tried. heap-filter has the names of the heaps to which that may
 * happen, as a list like that of pcslab.debug (param.c); it is empty at first.
 * All calls on these heaps take the slow path, which asks here.
 *
 * This file is only built if the kernel has fault injection.
 *
 * Locks: pcslab_heaps_lock for the filter. Context: any, but for the files.
 */
#include <linux/dcache.h>
#include <linux/debugfs.h>
#include <linux/err.h>
#include <linux/fault-inject.h>
#include <linux/fs.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/uaccess.h>

#include "compat.h"
#include "internal.h"

static DECLARE_FAULT_ATTR(fail_pages);
static DECLARE_FAULT_ATTR(fail_pcslab);
/* As with failslab, calls that may sleep fail only if they are asked to. */
static bool ignore_gfp_wait = true;
static char heap_filter[PCSLAB_LIST_LEN];	/* under pcslab_heaps_lock */

/* An allocation with __GFP_NOFAIL must not fail. */
bool pcslab_should_fail(gfp_t gfp)
{
	return !(gfp & __GFP_NOFAIL) && should_fail(&fail_pages, PAGE_SIZE);
}

/**
 * pcslab_should_fail_call() - find out whether an allocation shall fail
 * @heap: the heap
 * @size: bytes, which the control "space" counts
 * @gfp: the caller's
 *
 * Context: any but NMI.
 * Return: true if it shall.
 */
bool pcslab_should_fail_call(struct pcslab_heap *heap, size_t size, gfp_t gfp)
{
	if (likely(!(READ_ONCE(heap->watched) & PCSLAB_WATCH_FAULT)) || gfp & __GFP_NOFAIL)
		return false;
	if (READ_ONCE(ignore_gfp_wait) && gfp & __GFP_DIRECT_RECLAIM)
		return false;
	return should_fail(&fail_pcslab, size);
}

/**
 * pcslab_fault_join() - have a heap watched if its calls may fail, or not
 * @heap: the heap
 *
 * Context: process; pcslab_heaps_lock is held.
 */
void pcslab_fault_join(struct pcslab_heap *heap)
{
	pcslab_heap_watch(heap, PCSLAB_WATCH_FAULT,
			  pcslab_name_in(heap_filter, pcslab_root(heap)->name));
}

static void set_filter(const char *list)
{
	struct pcslab_heap *heap;

	mutex_lock(&pcslab_heaps_lock);
	strscpy(heap_filter, list, sizeof(heap_filter));
	list_for_each_entry(heap, &pcslab_heaps, node)
		pcslab_fault_join(heap);
	mutex_unlock(&pcslab_heaps_lock);
}

static ssize_t filter_write(struct file *file, const char __user *buf, size_t size, loff_t *pos)
{
	char *text, *list;

	if (*pos || size > sizeof(heap_filter))
		return -EINVAL;
	text = memdup_user_nul(buf, size);
	if (IS_ERR(text))
		return PTR_ERR(text);
	list = strim(text);
	if (strlen(list) >= sizeof(heap_filter) || (*list && !pcslab_are_names(list))) {
		kfree(text);
		return -EINVAL;
	}
	set_filter(list);
	kfree(text);
	return size;
}

static int filter_show(struct seq_file *m, void *unused)
{
	mutex_lock(&pcslab_heaps_lock);
	seq_printf(m, "%s\n", heap_filter);
	mutex_unlock(&pcslab_heaps_lock);
	return 0;
}

static int filter_open(struct inode *inode, struct file *file)
{
	return single_open(file, filter_show, NULL);
}

static const struct file_operations filter_fops = {
	.owner		= THIS_MODULE,
	.open		= filter_open,
	.read		= seq_read,
	.write		= filter_write,
	.llseek		= seq_lseek,
	.release	= single_release,
};

static struct dentry *pages_files, *call_files;

void __init pcslab_fault_init(struct dentry *dir)
{
	/* No stack per failure: it would hide the test's output. */
	fail_pages.verbose = 0;
	pages_files = fault_create_debugfs_attr("fail_pages", dir, &fail_pages);
	call_files = fault_create_debugfs_attr("fail_pcslab", dir, &fail_pcslab);
	if (IS_ERR(call_files))
		return;
	debugfs_create_bool("ignore-gfp-wait", 0600, call_files, &ignore_gfp_wait);
	debugfs_create_file("heap-filter", 0600, call_files, NULL, &filter_fops);
}

static void drop_dir(struct dentry *files)
{
	if (COMPAT_FAULT_HOLDS_DIR && !IS_ERR(files))
		dput(files);
}

void __exit pcslab_fault_exit(void)
{
	drop_dir(pages_files);
	drop_dir(call_files);
}
