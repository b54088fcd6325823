// SPDX-License-Identifier: GPL-2.0
/*
 * The module and its files, under /sys/kernel/debug/pcslab_stress/
 *
 *   control	write `start`; `stop`, which leaves objects live and compares
 *		the books; `free`, which frees them, compares again, gives back
 *		all pages, and destroys the heap `raced`; `fifo` makes the
 *		writer realtime
 *   result	a line for each thing counted: name, number; mismatches is the
 *		sum of those of its kinds
 *   rows	what each CPU did to the heap `known`: CPU, size, allocations,
 *		frees
 *
 * Each actor draws from a random stream of its own, derived from the parameter
 * seed.
 *
 * Locks: files_lock, which admits one command at a time.
 */
#include <linux/debugfs.h>
#include <linux/fs.h>
#include <linux/hash.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/percpu.h>
#include <linux/prandom.h>
#include <linux/sched.h>
#include <linux/seq_file.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/uaccess.h>

#include "stress.h"

/* Three for each of 64 CPUs, and some more */
#define MAX_ACTORS	256

static unsigned long long seed = 1;
module_param(seed, ullong, 0400);
MODULE_PARM_DESC(seed, "where all decisions come from");

static struct dentry *dir;
static DEFINE_MUTEX(files_lock);
static bool running;
static struct stress_actor *actors[MAX_ACTORS];
static unsigned int nr_actors;
static struct stress_actor *self;	/* the task that writes to control */
static struct pcslab_stats st;

/**
 * stress_actor_create() - make an actor with the next random stream
 * @may_sleep: the actor is a task
 *
 * The actor lives as long as the module.
 *
 * Return: the actor or NULL.
 */
struct stress_actor *stress_actor_create(bool may_sleep)
{
	struct stress_actor *actor;

	if (nr_actors == MAX_ACTORS)
		return NULL;
	actor = kzalloc(sizeof(*actor), GFP_KERNEL);
	if (!actor)
		return NULL;
	actor->may_sleep = may_sleep;
	prandom_seed_state(&actor->random, hash_64(seed * MAX_ACTORS + nr_actors, 64));
	actors[nr_actors++] = actor;
	return actor;
}

static int start(void)
{
	int err;

	if (running)
		return -EBUSY;
	running = true;
	err = stress_workers_start();
	if (!err)
		err = stress_heaps_start();
	if (!err)
		err = stress_crowd_start();
	if (!err)
		err = stress_race_start();
	if (!err)
		err = stress_reader_start();
	return err;
}

static void compare_lasting(void)
{
	unsigned int i;

	for (i = 0; i < STRESS_NR_LASTING; i++)
		stress_compare(self, &stress_lasting[i], &st);
}

static void stop(void)
{
	/* Owners first: they wait for those that hold their objects. */
	stress_heaps_stop();
	stress_crowd_stop();
	stress_race_stop();
	stress_workers_stop();
	stress_reader_stop();
	running = false;
}

static void free_lasting(void)
{
	unsigned int i;

	stress_free_slots(self);
	compare_lasting();
	for (i = 0; i < STRESS_NR_LASTING; i++)
		stress_expect_empty(self, &stress_lasting[i], &st);
}

static int do_command(const char *word)
{
	if (sysfs_streq(word, "start"))
		return start();
	if (sysfs_streq(word, "fifo")) {
		sched_set_fifo(current);
		return 0;
	}
	if (sysfs_streq(word, "stop")) {
		stop();
		compare_lasting();
		return 0;
	}
	if (!sysfs_streq(word, "free"))
		return -EINVAL;
	if (running)
		return -EBUSY;
	free_lasting();
	stress_race_end();
	return 0;
}

static ssize_t control_write(struct file *file, const char __user *from, size_t len,
			     loff_t *pos)
{
	char word[16] = "";
	int err;

	if (len >= sizeof(word))
		return -EINVAL;
	if (copy_from_user(word, from, len))
		return -EFAULT;
	mutex_lock(&files_lock);
	err = do_command(word);
	mutex_unlock(&files_lock);
	return err ?: len;
}

static const struct file_operations control_fops = {
	.owner = THIS_MODULE,
	.open = simple_open,
	.write = control_write,
};

static int result_show(struct seq_file *m, void *unused)
{
	static const char * const name[] = {
		[STRESS_ALLOCS] = "allocs",
		[STRESS_FREES] = "frees",
		[STRESS_REALLOCS] = "reallocs_in_place",
		[STRESS_VMALLOCED] = "vmalloced",
		[STRESS_NULLS] = "nulls",
		[STRESS_NULLS_IN_INTERRUPT] = "nulls_in_interrupt",
		[STRESS_IN_TASK] = "in_task",
		[STRESS_IN_SOFTIRQ] = "in_softirq",
		[STRESS_IN_HARDIRQ] = "in_hardirq",
		[STRESS_CROSSED] = "crossed",
		[STRESS_DEFERRED] = "deferred",
		[STRESS_FOREIGN] = "foreign",
		[STRESS_RACES] = "races",
		[STRESS_BOTH_COUNTED] = "both_counted",
		[STRESS_TWICE] = "handed_out_twice",
		[STRESS_HELD] = "raced_held",
		[STRESS_RUNS] = "runs",
		[STRESS_HEAPS] = "heaps",
		[STRESS_ZOMBIES] = "zombies",
		[STRESS_CROWD] = "crowd",
		[STRESS_SHRINKS] = "shrinks",
		[STRESS_SHRUNK] = "shrunk",
		[STRESS_READS] = "reads",
		[STRESS_COMPARED] = "compared",
		[STRESS_CONTENT] = "content",
		[STRESS_NOT_ZERO] = "not_zero",
		[STRESS_MISALIGNED] = "misaligned",
		[STRESS_WRONG_SIZE] = "wrong_size",
		[STRESS_WRONG_HEAP] = "wrong_heap",
		[STRESS_WRONG_RESULT] = "wrong_result",
		[STRESS_FELL] = "fell",
		[STRESS_NEGATIVE] = "negative",
		[STRESS_BOOKS] = "books",
	};
	u64 sum, mismatches = 0;
	unsigned int i, j;

	seq_puts(m, "pcslab_stress result version 1\n");
	for (i = 0; i < STRESS_NR_NUMBERS; i++) {
		for (sum = 0, j = 0; j < nr_actors; j++)
			sum += READ_ONCE(actors[j]->number[i]);
		seq_printf(m, "%s %llu\n", name[i], sum);
		if (i >= STRESS_CONTENT)
			mismatches += sum;
	}
	seq_printf(m, "mismatches %llu\n", mismatches);
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(result);

/* Of large objects only the frees are counted by CPU. */
static void show_row(struct seq_file *m, unsigned int cpu, const struct stress_counts *counts)
{
	unsigned int i;

	for (i = 0; i < STRESS_LARGE; i++)
		seq_printf(m, "%5u %6zu %14lu %14lu\n", cpu, pcslab_class_size(i),
			   counts->allocs[i], counts->frees[i]);
	seq_printf(m, "%5u %6s %14u %14lu\n", cpu, "large", 0, counts->frees[STRESS_LARGE]);
}

static int rows_show(struct seq_file *m, void *unused)
{
	unsigned int cpu;

	seq_puts(m, "pcslab_stress rows version 1\n");
	seq_puts(m, "# cpu   size         allocs          frees\n");
	for_each_possible_cpu(cpu)
		show_row(m, cpu, per_cpu_ptr(stress_lasting[STRESS_KNOWN].counts, cpu));
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(rows);

static void free_all(void)
{
	stress_reader_exit();
	stress_race_exit();
	stress_crowd_exit();
	stress_heaps_exit();
	stress_workers_exit();
	while (nr_actors)
		kfree(actors[--nr_actors]);
}

static int __init stress_init(void)
{
	int err;

	self = stress_actor_create(true);
	err = self ? 0 : -ENOMEM;
	if (!err)
		err = stress_workers_init();
	if (!err)
		err = stress_heaps_init();
	if (!err)
		err = stress_crowd_init();
	if (!err)
		err = stress_race_init();
	if (!err)
		err = stress_reader_init();
	if (err) {
		free_all();
		return err;
	}
	dir = debugfs_create_dir("pcslab_stress", NULL);
	debugfs_create_file("control", 0200, dir, NULL, &control_fops);
	debugfs_create_file("result", 0400, dir, NULL, &result_fops);
	debugfs_create_file("rows", 0400, dir, NULL, &rows_fops);
	return 0;
}

static void __exit stress_exit(void)
{
	debugfs_remove(dir);
	stop();
	stress_free_slots(self);
	free_all();
}

module_init(stress_init);
module_exit(stress_exit);

MODULE_DESCRIPTION("All that callers of pcslab do, at once and at random, beside an oracle");
MODULE_LICENSE("GPL");
MODULE_INFO(import_ns, "PCSLAB");
