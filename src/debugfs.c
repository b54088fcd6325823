// SPDX-License-Identifier: GPL-2.0
/*
 * The files under /sys/kernel/debug/pcslab/: those of a heap, and their
 * directories
 *
 *   stats, errors, json		all heaps (summary.c)
 *   classes			the size classes
 *   whatis			the last answer of describe.c
 *   fail_pages/, fail_pcslab/	controls of fault injection (fault.c)
 *   heaps/<name>/stats		per class: the sum over all CPUs
 *   heaps/<name>/exact		the same as a cut
 *   heaps/<name>/percpu	per CPU and class: the record itself
 *   heaps/<name>/audit		per class: what a walk finds
 *   heaps/<name>/pages		pages of the heap, and their limit
 *   heaps/<name>/json		stats and percpu, for programs
 *   heaps/<name>/leaks		what the last scan for leaks found (leaks.c)
 *   heaps/<name>/sites		with pcslab.track=1: call sites of live objects
 *   heaps/<name>/events	with pcslab.record: what happened last
 *   heaps/<name>/<cache>/	the same of a fixed-size cache, without pages
 *				and leaks
 *
 * The first line names the format and its version, the second line the columns.
 * New columns must only be appended. Classes that were never used have no line.
 * table.c and json.c know how all this is written.
 * Documentation/debugfs.rst explains each column.
 *
 * A heap's files are removed when it is destroyed; zombies have no files, only
 * their lines in those of all heaps. An open file holds a reference to the
 * heap, so that destroying a heap does not wait for readers, which may be
 * preempted for long. From then on the file cannot be read.
 *
 * Context: process. Locks: CPU hotplug lock > pcslab_heaps_lock.
 */
#include <linux/cpu.h>
#include <linux/debugfs.h>
#include <linux/seq_file.h>
#include <linux/slab.h>
#include <linux/string.h>

#include "event.h"
#include "internal.h"

static struct dentry *root, *heaps_dir;

/**
 * pcslab_line_add_class() - add a size class to a line
 * @to: the line
 * @st: the class's statistics
 */
void pcslab_line_add_class(struct pcslab_line *to, const struct pcslab_class_stats *st)
{
	u64 live = st->allocs - st->frees;

	to->allocs += st->allocs;
	to->frees += st->frees;
	to->fails += st->fails;
	to->live += live;
	to->live_bytes += live * st->size;
	to->cached += st->cached;
	to->depot += st->depot;
	to->slabs += st->slabs;
	to->pages += st->pages;
}

/**
 * pcslab_line_add_large() - add the large objects of a heap to a line
 * @to: the line
 * @st: the heap's statistics
 */
void pcslab_line_add_large(struct pcslab_line *to, const struct pcslab_stats *st)
{
	u64 bytes = st->large_alloc_bytes - st->large_free_bytes;

	to->allocs += st->large_allocs;
	to->frees += st->large_frees;
	to->fails += st->large_fails;
	to->live += st->large_allocs - st->large_frees;
	to->live_bytes += bytes;
	to->pages += bytes >> PAGE_SHIFT;
}

/**
 * pcslab_line_add() - add the sums of a heap to a line
 * @to: the line
 * @st: the heap's statistics
 */
void pcslab_line_add(struct pcslab_line *to, const struct pcslab_stats *st)
{
	unsigned int i;

	for (i = 0; i < st->nr_classes; i++)
		pcslab_line_add_class(to, &st->class[i]);
	pcslab_line_add_large(to, st);
	to->deferred += st->deferred;
}

static const struct pcslab_column heap_columns[] = {
	{ "#size", 5 }, { "objs", 4 }, { "allocs", 9 }, { "frees", 9 }, { "live", 6 },
	{ "fails", 5 }, { "live_bytes", 10 }, { "cached", 6 }, { "depot", 5 }, { "slabs", 5 },
	{ "pages", 6 },
};

/**
 * pcslab_line_counts() - show the columns that heaps and classes share
 * @row: where to
 * @line: what they show
 */
void pcslab_line_counts(struct pcslab_table_row *row, const struct pcslab_line *line)
{
	pcslab_row_number(row, line->allocs);
	pcslab_row_number(row, line->frees);
	pcslab_row_number(row, line->live);
	pcslab_row_number(row, line->fails);
	pcslab_row_number(row, line->live_bytes);
}

static void show_line(struct seq_file *m, const char *size, const char *objs,
		      const struct pcslab_line *line)
{
	struct pcslab_table_row row = pcslab_row_begin(m, heap_columns);

	pcslab_row_text(&row, size);
	pcslab_row_text(&row, objs);
	pcslab_line_counts(&row, line);
	pcslab_row_number(&row, line->cached);
	pcslab_row_number(&row, line->depot);
	pcslab_row_number(&row, line->slabs);
	pcslab_row_number(&row, line->pages);
	pcslab_row_end(&row);
}

static void show_class(struct seq_file *m, const struct pcslab_class_stats *st)
{
	struct pcslab_line line = {};
	char size[12], objs[12];

	pcslab_line_add_class(&line, st);
	snprintf(size, sizeof(size), "%u", st->size);
	snprintf(objs, sizeof(objs), "%u", st->objects_per_slab);
	show_line(m, size, objs, &line);
}

static void show_heap(struct seq_file *m, const char *format,
		      const struct pcslab_stats *st)
{
	struct pcslab_line large = {}, total = {};
	unsigned int i;

	pcslab_table_begin(m, format, heap_columns, ARRAY_SIZE(heap_columns));
	for (i = 0; i < st->nr_classes; i++) {
		if (pcslab_class_used(&st->class[i]))
			show_class(m, &st->class[i]);
	}
	pcslab_line_add_large(&large, st);
	if (large.allocs || large.fails)
		show_line(m, "large", "-", &large);
	pcslab_line_add(&total, st);
	show_line(m, "total", "-", &total);
}

static int show_stats_by(struct seq_file *m, const char *format,
			 int (*read)(struct pcslab_heap *, struct pcslab_stats *))
{
	struct pcslab_stats *st = kvmalloc(sizeof(*st), GFP_KERNEL);
	int err;

	if (!st)
		return -ENOMEM;
	err = read(m->private, st);
	if (!err)
		show_heap(m, format, st);
	kvfree(st);
	return err;
}

/*
 * A heap's files have a line per class. seq_file starts with a smaller buffer
 * than they need and would call show twice, which would repeat the audit's
 * walk.
 */
static int heap_file_open(struct inode *inode, struct file *file,
			  int (*show)(struct seq_file *m, void *unused))
{
	struct pcslab_heap *heap = inode->i_private;
	int err = single_open_size(file, show, heap, (PCSLAB_NR_CLASSES + 4) * 100);

	/* Removing the file waits for this; the owner's reference is held. */
	if (!err)
		refcount_inc(&heap->refs);
	return err;
}

static int heap_file_release(struct inode *inode, struct file *file)
{
	pcslab_heap_put(inode->i_private);
	return single_release(inode, file);
}

/* The same error as from a file of debugfs that was removed. */
static ssize_t heap_file_read(struct file *file, char __user *buf, size_t size, loff_t *pos)
{
	struct pcslab_heap *heap = file_inode(file)->i_private;

	return READ_ONCE(heap->dying) ? -EIO : seq_read(file, buf, size, pos);
}

#define DEFINE_HEAP_FILE(name)						\
static int name##_open(struct inode *inode, struct file *file)		\
{									\
	return heap_file_open(inode, file, name##_show);		\
}									\
									\
static const struct file_operations name##_fops = {			\
	.owner		= THIS_MODULE,					\
	.open		= name##_open,					\
	.read		= heap_file_read,				\
	.llseek		= seq_lseek,					\
	.release	= heap_file_release,				\
}

static int stats_show(struct seq_file *m, void *unused)
{
	return show_stats_by(m, "stats", pcslab_heap_stats);
}

DEFINE_HEAP_FILE(stats);

static int exact_show(struct seq_file *m, void *unused)
{
	return show_stats_by(m, "exact", pcslab_heap_stats_exact);
}

DEFINE_HEAP_FILE(exact);

static const struct pcslab_column percpu_columns[] = {
	{ "#cpu", 4 }, { "size", 5 }, { "allocs", 14 }, { "frees", 14 }, { "inh_allocs", 14 },
	{ "inh_frees", 14 }, { "cached", 6 },
};

static void show_cpu(struct seq_file *m, unsigned int cpu,
		     const struct pcslab_cpu_counts *counts)
{
	struct pcslab_table_row row = pcslab_row_begin(m, percpu_columns);

	pcslab_row_number(&row, cpu);
	if (counts->size)
		pcslab_row_number(&row, counts->size);
	else
		pcslab_row_text(&row, "large");
	pcslab_row_number(&row, counts->allocs);
	pcslab_row_number(&row, counts->frees);
	pcslab_row_number(&row, counts->inh_allocs);
	pcslab_row_number(&row, counts->inh_frees);
	pcslab_row_number(&row, counts->cached);
	pcslab_row_end(&row);
}

static int percpu_show(struct seq_file *m, void *unused)
{
	struct pcslab_heap *heap = m->private;
	struct pcslab_cpu_counts counts;
	struct pcslab_class *class;
	unsigned int cpu;

	pcslab_table_begin(m, "percpu", percpu_columns, ARRAY_SIZE(percpu_columns));
	cpus_read_lock();
	for_each_cpu(cpu, &pcslab_cpus) {
		pcslab_for_each_class(class, heap) {
			if (pcslab_cpu_counts(class, cpu, &counts))
				show_cpu(m, cpu, &counts);
		}
	}
	cpus_read_unlock();
	return 0;
}

DEFINE_HEAP_FILE(percpu);

static const struct pcslab_column audit_columns[] = {
	{ "#size", 5 }, { "slabs", 6 }, { "objects", 10 }, { "live", 9 }, { "cached", 9 },
	{ "free", 9 }, { "rounds", 9 }, { "deferred", 8 }, { "wrong", 5 },
};

static void show_audit(struct seq_file *m, const char *name,
		       const struct pcslab_audit *audit)
{
	struct pcslab_table_row row = pcslab_row_begin(m, audit_columns);

	pcslab_row_text(&row, name);
	pcslab_row_number(&row, audit->slabs);
	pcslab_row_number(&row, audit->objects);
	pcslab_row_number(&row, audit->live);
	pcslab_row_number(&row, audit->cached);
	pcslab_row_number(&row, audit->free);
	pcslab_row_number(&row, audit->rounds);
	pcslab_row_number(&row, audit->deferred);
	pcslab_row_number(&row, audit->wrong);
	pcslab_row_end(&row);
}

static void add_audit(struct pcslab_audit *to, const struct pcslab_audit *from)
{
	to->slabs += from->slabs;
	to->objects += from->objects;
	to->live += from->live;
	to->cached += from->cached;
	to->free += from->free;
	to->deferred += from->deferred;
	to->rounds += from->rounds;
	to->wrong += from->wrong;
}

static void count_page(struct page *page, void *nr)
{
	(*(u64 *)nr)++;
}

static int audit_show(struct seq_file *m, void *unused)
{
	struct pcslab_audit *audits, large = {}, total = {};
	struct pcslab_heap *heap = m->private;
	unsigned int i;
	char name[8];

	audits = kvcalloc(PCSLAB_NR_CLASSES, sizeof(*audits), GFP_KERNEL);
	if (!audits)
		return -ENOMEM;
	pcslab_heap_audit(heap, audits);
	pcslab_large_walk(heap, count_page, &large.objects);
	large.live = large.objects;

	pcslab_foreign_find(heap);
	pcslab_table_begin(m, "audit", audit_columns, ARRAY_SIZE(audit_columns));
	for (i = 0; i < PCSLAB_NR_CLASSES; i++) {
		if (!pcslab_class_at(heap, i))
			continue;
		snprintf(name, sizeof(name), "%zu", pcslab_size_at(heap, i));
		show_audit(m, name, &audits[i]);
		add_audit(&total, &audits[i]);
	}
	add_audit(&total, &large);
	if (large.objects)
		show_audit(m, "large", &large);
	show_audit(m, "total", &total);
	kvfree(audits);
	return 0;
}

DEFINE_HEAP_FILE(audit);

static const struct pcslab_column pages_columns[] = {
	{ "#pages", 6 }, { "limit", 10 }, { "max_pages", 10 }, { "max_time", 10 },
	{ "over_limit", 10 },
};

static int pages_show(struct seq_file *m, void *unused)
{
	struct pcslab_stats *st = kvzalloc(sizeof(*st), GFP_KERNEL);
	struct pcslab_table_row row;

	if (!st)
		return -ENOMEM;
	pcslab_budget_read(m->private, st);
	pcslab_table_begin(m, "pages", pages_columns, ARRAY_SIZE(pages_columns));
	row = pcslab_row_begin(m, pages_columns);
	pcslab_row_number(&row, st->pages);
	pcslab_row_number(&row, st->limit_pages);
	pcslab_row_number(&row, st->max_pages);
	pcslab_row_number(&row, st->max_pages_time);
	pcslab_row_number(&row, st->over_limit);
	pcslab_row_end(&row);
	kvfree(st);
	return 0;
}

DEFINE_HEAP_FILE(pages);

/* The rows are those of track.c. */
static const struct pcslab_column sites_columns[] = {
	{ "#objects", 8 }, { "bytes", 12 }, { "site", 0 }, { "module", 0 },
};

static int sites_show(struct seq_file *m, void *unused)
{
	pcslab_table_begin(m, "sites", sites_columns, ARRAY_SIZE(sites_columns));
	pcslab_track_show(m, m->private);
	return 0;
}

DEFINE_HEAP_FILE(sites);

/* The rows are those of leaks.c, after which come lines that begin with #. */
static const struct pcslab_column leaks_columns[] = {
	{ "#objects", 8 }, { "bytes", 12 }, { "size", 5 }, { "age", 7 }, { "cache", -12 },
	{ "site", 0 }, { "module", 0 },
};

static int leaks_show(struct seq_file *m, void *unused)
{
	pcslab_table_begin(m, "leaks", leaks_columns, ARRAY_SIZE(leaks_columns));
	pcslab_leaks_show(m, m->private);
	return 0;
}

DEFINE_HEAP_FILE(leaks);

/* The rows are those of reserve.c. */
static const struct pcslab_column reserves_columns[] = {
	{ "#size", 5 }, { "objects", 8 }, { "waiting", 8 }, { "site", 0 }, { "module", 0 },
};

static int reserves_show(struct seq_file *m, void *unused)
{
	pcslab_table_begin(m, "reserves", reserves_columns, ARRAY_SIZE(reserves_columns));
	pcslab_reserves_show(m, m->private);
	return 0;
}

DEFINE_HEAP_FILE(reserves);

static int events_show(struct seq_file *m, void *unused)
{
	return pcslab_record_show(m, m->private);
}

DEFINE_HEAP_FILE(events);

/* Sums and record with one lock, so that they have the same CPUs. */
static int json_show(struct seq_file *m, void *unused)
{
	struct pcslab_stats *st = kvmalloc(sizeof(*st), GFP_KERNEL);
	struct pcslab_heap *heap = m->private;

	if (!st)
		return -ENOMEM;
	pcslab_json_begin(m, "heap");
	seq_puts(m, ",\"heap\":");
	cpus_read_lock();
	pcslab_heap_read(heap, st);
	pcslab_json_heap(m, heap, st);
	pcslab_json_cpus(m, heap);
	cpus_read_unlock();
	seq_puts(m, "}}\n");
	kvfree(st);
	return 0;
}

DEFINE_HEAP_FILE(json);

static const struct pcslab_column classes_columns[] = {
	{ "#size", 5 }, { "slab_pages", 10 }, { "objects", 7 }, { "unused", 6 },
	{ "magazine", 8 },
};

static void show_shape(struct seq_file *m, const struct pcslab_class *class)
{
	struct pcslab_table_row row = pcslab_row_begin(m, classes_columns);
	unsigned int bytes = PAGE_SIZE << class->order;

	pcslab_row_number(&row, class->size);
	pcslab_row_number(&row, 1U << class->order);
	pcslab_row_number(&row, bytes / class->stride);
	pcslab_row_number(&row, bytes % class->stride);
	pcslab_row_number(&row, class->capacity);
	pcslab_row_end(&row);
}

static int classes_show(struct seq_file *m, void *unused)
{
	struct pcslab_class class;
	unsigned int i;

	pcslab_table_begin(m, "classes", classes_columns, ARRAY_SIZE(classes_columns));
	for (i = 0; i < PCSLAB_NR_CLASSES; i++) {
		if (pcslab_class_index(pcslab_class_size(i)) != i)
			continue;
		pcslab_class_shape(&class, i, pcslab_flags_of_all());
		show_shape(m, &class);
	}
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(classes);

static int whatis_show(struct seq_file *m, void *unused)
{
	seq_puts(m, "pcslab whatis version 1\n");
	pcslab_whatis_show(m);
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(whatis);

/*
 * Errors of debugfs are ignored, as usual: a heap works without its files.
 * "Unsafe" files are those whose removal waits for nothing but open().
 */
struct dentry *pcslab_debugfs_add(struct pcslab_heap *heap)
{
	struct dentry *above = heap->parent ? heap->parent->dir : heaps_dir;
	struct dentry *dir = debugfs_create_dir(kbasename(heap->name), above);

	debugfs_create_file_unsafe("stats", 0400, dir, heap, &stats_fops);
	debugfs_create_file_unsafe("percpu", 0400, dir, heap, &percpu_fops);
	debugfs_create_file_unsafe("exact", 0400, dir, heap, &exact_fops);
	debugfs_create_file_unsafe("audit", 0400, dir, heap, &audit_fops);
	if (!heap->parent)
		debugfs_create_file_unsafe("pages", 0400, dir, heap, &pages_fops);
	debugfs_create_file_unsafe("json", 0400, dir, heap, &json_fops);
	if (heap->flags & PCSLAB_HEAP_TRACK)
		debugfs_create_file_unsafe("sites", 0400, dir, heap, &sites_fops);
	return dir;
}

/* When the heap gets its first reserve, for most heaps have none. */
void pcslab_debugfs_add_reserves(struct pcslab_heap *heap)
{
	debugfs_create_file_unsafe("reserves", 0400, heap->dir, heap, &reserves_fops);
}

/*
 * Files that most heaps do not need are added later, and stay: one file costs
 * 2000 instructions. pcslab_heaps_lock is held. remove_files() in heap.c has
 * made it impossible to add one if the heap is dying.
 */
static void add_later(struct pcslab_heap *heap, u8 which, const char *name,
		      const struct file_operations *fops)
{
	lockdep_assert_held(&pcslab_heaps_lock);
	if (heap->shown & which)
		return;
	heap->shown |= which;
	debugfs_create_file_unsafe(name, 0400, heap->dir, heap, fops);
}

/* When the heap gets its first flight recorder */
void pcslab_debugfs_add_events(struct pcslab_heap *heap)
{
	add_later(heap, PCSLAB_SHOWS_EVENTS, "events", &events_fops);
}

/* When the heap is scanned for the first time */
void pcslab_debugfs_add_leaks(struct pcslab_heap *heap)
{
	add_later(heap, PCSLAB_SHOWS_LEAKS, "leaks", &leaks_fops);
}

/* The files of a fixed-size cache are in a directory of its heap's. */
bool pcslab_is_file_name(const char *name)
{
	static const char * const names[] = {
		"stats", "percpu", "exact", "audit", "pages", "json", "sites", "reserves",
		"events", "leaks",
	};

	return match_string(names, ARRAY_SIZE(names), name) >= 0;
}

void __init pcslab_debugfs_init(void)
{
	root = debugfs_create_dir("pcslab", NULL);
	heaps_dir = debugfs_create_dir("heaps", root);
	pcslab_summary_add(root);
	debugfs_create_file("classes", 0400, root, NULL, &classes_fops);
	debugfs_create_file("whatis", 0400, root, NULL, &whatis_fops);
	pcslab_fault_init(root);
}

void __exit pcslab_debugfs_exit(void)
{
	debugfs_remove(root);
	pcslab_fault_exit();
}
