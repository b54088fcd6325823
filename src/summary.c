// SPDX-License-Identifier: GPL-2.0
/*
 * The files of all heaps in /sys/kernel/debug/pcslab/
 *
 *   stats	a line per heap and a total
 *   errors	the same: what the callers of a heap did wrong
 *   json	all heaps, for programs
 *
 * A read goes on behind the last heap that it showed. So heaps may come and go
 * meanwhile, and any number of them needs little memory.
 *
 * Context: process. Locks: CPU hotplug lock, for one heap at a time.
 */
#include <linux/cpu.h>
#include <linux/debugfs.h>
#include <linux/seq_file.h>

#include "internal.h"

/* Errors of a heap's callers. */
struct faults {
	u64 bad_frees, corruptions, foreign, unaccounted;
};

static void add_faults(struct faults *to, const struct pcslab_stats *st)
{
	to->bad_frees += st->bad_frees;
	to->corruptions += st->corruptions;
	to->foreign += st->foreign;
	to->unaccounted += st->unaccounted;
}

/* State of a reader of the summary. */
struct summary {
	struct pcslab_stats st;
	struct pcslab_line total;
	struct faults faults;	/* of all heaps so far */
	u64 last;		/* id of the previous heap */
	bool done;
};

/* Stands for the last line, the total. */
static struct pcslab_heap total_line;

static void *summary_next(struct seq_file *m, void *v, loff_t *pos)
{
	struct summary *sum = m->private;
	struct pcslab_heap *heap = v;

	++*pos;
	sum->done = v == &total_line;
	if (sum->done)
		return NULL;
	if (v == SEQ_START_TOKEN)
		return pcslab_heap_after(NULL, 0) ?: &total_line;
	/* Not in summary_show(), which may be called twice for one heap. */
	sum->last = heap->id;
	pcslab_line_add(&sum->total, &sum->st);
	add_faults(&sum->faults, &sum->st);
	return pcslab_heap_after(heap, 0) ?: &total_line;
}

static void *summary_start(struct seq_file *m, loff_t *pos)
{
	struct summary *sum = m->private;

	if (sum->done && *pos)
		return NULL;
	if (*pos)
		return pcslab_heap_after(NULL, sum->last) ?: &total_line;
	*sum = (struct summary){ .faults.bad_frees = atomic_long_read(&pcslab_bad_frees) };
	return SEQ_START_TOKEN;
}

static void summary_stop(struct seq_file *m, void *v)
{
	if (v && v != SEQ_START_TOKEN && v != &total_line)
		pcslab_heap_put(v);
}

static const struct pcslab_column summary_columns[] = {
	{ "#heap", -10 }, { "state", -6 }, { "allocs", 9 }, { "frees", 8 }, { "live", 5 },
	{ "fails", 5 }, { "live_bytes", 10 }, { "pages", 5 }, { "deferred", 8 }, { "id", 5 },
};

static const struct pcslab_column errors_columns[] = {
	{ "#heap", -10 }, { "state", -6 }, { "bad_frees", 9 }, { "corrupt", 7 },
	{ "foreign", 7 }, { "unaccounted", 11 }, { "id", 4 }, { "owner", -1 },
};

/* A heap's id tells it from a zombie of the same name. */
static void show_id(struct pcslab_table_row *row, const struct pcslab_heap *heap)
{
	if (heap == &total_line)
		pcslab_row_text(row, "-");
	else
		pcslab_row_number(row, heap->id);
}

static void show_name(struct pcslab_table_row *row, const struct pcslab_heap *heap)
{
	bool total = heap == &total_line;

	pcslab_row_text(row, total ? "total" : heap->name);
	pcslab_row_text(row, total ? "-" : heap->zombie ? "zombie" : "live");
}

static void show_summary(struct seq_file *m, const struct pcslab_heap *heap,
			 const struct pcslab_line *line)
{
	struct pcslab_table_row row = pcslab_row_begin(m, summary_columns);

	show_name(&row, heap);
	pcslab_line_counts(&row, line);
	pcslab_row_number(&row, line->pages);
	pcslab_row_number(&row, line->deferred);
	show_id(&row, heap);
	pcslab_row_end(&row);
}

static void show_errors(struct seq_file *m, const struct pcslab_heap *heap,
			const struct faults *faults)
{
	struct pcslab_table_row row = pcslab_row_begin(m, errors_columns);

	show_name(&row, heap);
	pcslab_row_number(&row, faults->bad_frees);
	pcslab_row_number(&row, faults->corruptions);
	pcslab_row_number(&row, faults->foreign);
	pcslab_row_number(&row, faults->unaccounted);
	show_id(&row, heap);
	pcslab_row_text(&row, heap == &total_line ? "-" : heap->owner_name);
	pcslab_row_end(&row);
}

static void summary_read(struct summary *sum, struct pcslab_heap *heap)
{
	cpus_read_lock();
	pcslab_heap_read(heap, &sum->st);
	cpus_read_unlock();
}

static int summary_show(struct seq_file *m, void *v)
{
	struct summary *sum = m->private;
	struct pcslab_line line = {};

	if (v == SEQ_START_TOKEN) {
		pcslab_table_begin(m, "heaps", summary_columns, ARRAY_SIZE(summary_columns));
		return 0;
	}
	if (v == &total_line) {
		show_summary(m, v, &sum->total);
		return 0;
	}
	summary_read(sum, v);
	pcslab_line_add(&line, &sum->st);
	show_summary(m, v, &line);
	return 0;
}

static int errors_show(struct seq_file *m, void *v)
{
	struct summary *sum = m->private;
	struct faults faults = {};

	if (v == SEQ_START_TOKEN) {
		pcslab_table_begin(m, "errors", errors_columns, ARRAY_SIZE(errors_columns));
		return 0;
	}
	if (v == &total_line) {
		show_errors(m, v, &sum->faults);
		return 0;
	}
	summary_read(sum, v);
	add_faults(&faults, &sum->st);
	show_errors(m, v, &faults);
	return 0;
}

/* A line for each heap. */
static int all_json_show(struct seq_file *m, void *v)
{
	struct summary *sum = m->private;

	if (v == SEQ_START_TOKEN) {
		pcslab_json_begin(m, "heaps");
		seq_printf(m, ",\"bad_frees\":%lu,\"heaps\":[\n",
			   atomic_long_read(&pcslab_bad_frees));
		return 0;
	}
	if (v == &total_line) {
		seq_puts(m, "]}\n");
		return 0;
	}
	summary_read(sum, v);
	seq_puts(m, sum->last ? "," : "");
	pcslab_json_heap(m, v, &sum->st);
	seq_puts(m, "}\n");
	return 0;
}

#define DEFINE_SUMMARY_FILE(name)					\
static const struct seq_operations name##_sops = {			\
	.start	= summary_start,					\
	.next	= summary_next,						\
	.stop	= summary_stop,						\
	.show	= name##_show,						\
};									\
									\
static int name##_open(struct inode *inode, struct file *file)		\
{									\
	return seq_open_private(file, &name##_sops, sizeof(struct summary)); \
}									\
									\
static const struct file_operations name##_fops = {			\
	.owner		= THIS_MODULE,					\
	.open		= name##_open,					\
	.read		= seq_read,					\
	.llseek		= seq_lseek,					\
	.release	= seq_release_private,				\
}

DEFINE_SUMMARY_FILE(summary);
DEFINE_SUMMARY_FILE(errors);
DEFINE_SUMMARY_FILE(all_json);

/**
 * pcslab_summary_add() - make the files
 * @root: their directory
 */
void __init pcslab_summary_add(struct dentry *root)
{
	debugfs_create_file("stats", 0400, root, NULL, &summary_fops);
	debugfs_create_file("errors", 0400, root, NULL, &errors_fops);
	debugfs_create_file("json", 0400, root, NULL, &all_json_fops);
}
