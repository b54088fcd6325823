// SPDX-License-Identifier: GPL-2.0
/*
 * The module and its files, under /sys/kernel/debug/pcslab_replay/
 *
 *   trace	write the trace here, all of it, once
 *   control	write `replay` to replay it, `free` to free what it leaves; the
 *		write returns when that is done
 *   oracle	per class: what was done, as the heap's own stats should say
 *   result	a line for each thing counted: name, number
 *   cost	for make bench, see replay_cost(); shows where its steps are
 *
 * Locks: files_lock, which admits one file operation at a time.
 */
#include <linux/debugfs.h>
#include <linux/fs.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/seq_file.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/uaccess.h>

#include "replay.h"

static struct dentry *dir;
static DEFINE_MUTEX(files_lock);

/* The beginning of a line whose end was not written yet */
static char line[64];
static size_t line_len;

static int take_text(const char *text, size_t len)
{
	size_t i;
	int err;

	for (i = 0; i < len; i++) {
		if (text[i] != '\n') {
			if (line_len == sizeof(line) - 1)
				return -EINVAL;
			line[line_len++] = text[i];
			continue;
		}
		line[line_len] = '\0';
		line_len = 0;
		err = replay_trace_line(line);
		if (err)
			return err;
	}
	return 0;
}

static ssize_t trace_write(struct file *file, const char __user *from, size_t len,
			   loff_t *pos)
{
	char *text;
	int err;

	len = min_t(size_t, len, PAGE_SIZE);
	text = memdup_user(from, len);
	if (IS_ERR(text))
		return PTR_ERR(text);
	mutex_lock(&files_lock);
	err = take_text(text, len);
	mutex_unlock(&files_lock);
	kfree(text);
	return err ?: len;
}

static const struct file_operations trace_fops = {
	.owner = THIS_MODULE,
	.open = simple_open,
	.write = trace_write,
};

static ssize_t control_write(struct file *file, const char __user *from, size_t len,
			     loff_t *pos)
{
	char word[16] = "";
	int err = 0;

	if (len >= sizeof(word))
		return -EINVAL;
	if (copy_from_user(word, from, len))
		return -EFAULT;
	mutex_lock(&files_lock);
	if (sysfs_streq(word, "replay"))
		err = replay_once();
	else if (sysfs_streq(word, "free"))
		replay_free_rest();
	else
		err = -EINVAL;
	mutex_unlock(&files_lock);
	return err ?: len;
}

static const struct file_operations control_fops = {
	.owner = THIS_MODULE,
	.open = simple_open,
	.write = control_write,
};

static void show_count(struct seq_file *m, const char *class,
		       const struct replay_count *count)
{
	if (!count->allocs && !count->fails)
		return;
	seq_printf(m, "%6s %12llu %12llu %9llu %5llu %11lld\n", class, count->allocs,
		   count->frees, count->allocs - count->frees, count->fails, count->bytes);
}

static void show_oracle(struct seq_file *m, const struct replay_result *sum)
{
	char class[16];
	u32 i;

	seq_puts(m, "pcslab_replay oracle version 1\n");
	seq_puts(m, "# size       allocs        frees      live fails  live_bytes\n");
	for (i = 0; i < PCSLAB_NR_CLASSES; i++) {
		snprintf(class, sizeof(class), "%zu", pcslab_class_size(i));
		show_count(m, class, &sum->class[i]);
	}
	show_count(m, "large", &sum->class[REPLAY_LARGE]);
}

static void show_result(struct seq_file *m, const struct replay_result *sum)
{
	static const char * const name[] = {
		[REPLAY_OVERLAP] = "overlap",
		[REPLAY_MISALIGNED] = "misaligned",
		[REPLAY_STRAY_WRITE] = "stray_write",
		[REPLAY_WRONG_SIZE] = "wrong_size",
		[REPLAY_WRONG_HEAP] = "wrong_heap",
		[REPLAY_FAILED] = "failed",
	};
	u64 allocs = 0, frees = 0;
	u32 i;

	for (i = 0; i <= REPLAY_LARGE; i++) {
		allocs += sum->class[i].allocs;
		frees += sum->class[i].frees;
	}
	seq_puts(m, "pcslab_replay result version 1\n");
	seq_printf(m, "rounds %u\n", sum->rounds);
	seq_printf(m, "allocs %llu\n", allocs);
	seq_printf(m, "frees %llu\n", frees);
	seq_printf(m, "from_interrupt %llu\n", sum->from_interrupt);
	seq_printf(m, "crossed %llu\n", sum->crossed);
	seq_printf(m, "displaced %llu\n", sum->displaced);
	seq_printf(m, "waits %llu\n", sum->waits);
	for (i = 0; i < REPLAY_NR_ERRORS; i++)
		seq_printf(m, "%s %llu\n", name[i], sum->errors[i]);
}

static int show(struct seq_file *m,
		void (*as)(struct seq_file *m, const struct replay_result *sum))
{
	struct replay_result *sum = kmalloc(sizeof(*sum), GFP_KERNEL);

	if (!sum)
		return -ENOMEM;
	mutex_lock(&files_lock);
	replay_sum(sum);
	mutex_unlock(&files_lock);
	as(m, sum);
	kfree(sum);
	return 0;
}

static int oracle_show(struct seq_file *m, void *unused)
{
	return show(m, show_oracle);
}
DEFINE_SHOW_ATTRIBUTE(oracle);

static int result_show(struct seq_file *m, void *unused)
{
	return show(m, show_result);
}
DEFINE_SHOW_ATTRIBUTE(result);

static int cost_show(struct seq_file *m, void *unused)
{
	mutex_lock(&files_lock);
	replay_cost_show(m);
	mutex_unlock(&files_lock);
	return 0;
}

static int cost_open(struct inode *inode, struct file *file)
{
	return single_open(file, cost_show, NULL);
}

static ssize_t cost_write(struct file *file, const char __user *from, size_t len,
			  loff_t *pos)
{
	char text[32] = "";
	int err;

	if (len >= sizeof(text))
		return -EINVAL;
	if (copy_from_user(text, from, len))
		return -EFAULT;
	mutex_lock(&files_lock);
	err = replay_cost(text);
	mutex_unlock(&files_lock);
	return err ?: len;
}

static const struct file_operations cost_fops = {
	.owner = THIS_MODULE,
	.open = cost_open,
	.read = seq_read,
	.llseek = seq_lseek,
	.release = single_release,
	.write = cost_write,
};

static int __init replay_module_init(void)
{
	int err = replay_init();

	if (err)
		return err;
	dir = debugfs_create_dir("pcslab_replay", NULL);
	debugfs_create_file("trace", 0200, dir, NULL, &trace_fops);
	debugfs_create_file("control", 0200, dir, NULL, &control_fops);
	debugfs_create_file("oracle", 0400, dir, NULL, &oracle_fops);
	debugfs_create_file("result", 0400, dir, NULL, &result_fops);
	debugfs_create_file("cost", 0600, dir, NULL, &cost_fops);
	return 0;
}

static void __exit replay_module_exit(void)
{
	debugfs_remove(dir);
	replay_cost_exit();
	replay_exit();
	replay_trace_drop();
}

module_init(replay_module_init);
module_exit(replay_module_exit);

MODULE_DESCRIPTION("Replay a trace of kernel allocations through a heap of pcslab");
MODULE_LICENSE("GPL");
MODULE_INFO(import_ns, "PCSLAB");
