// SPDX-License-Identifier: GPL-2.0
/*
 * The files under /sys/kernel/debug/pcslab/
 *
 *   stats			a line per heap and a total
 *   classes			the size classes
 *   whatis			the last answer of describe.c
 *   fail_pages/, fail_pcslab/	controls of fault injection (fault.c)
 *   heaps/<name>/stats		per class: the sum over all CPUs
 *   heaps/<name>/exact		the same as a cut
 *   heaps/<name>/percpu	per CPU and class: the record itself
 *   heaps/<name>/audit		per class: what a walk finds
 *   heaps/<name>/pages		pages of the heap, and their limit
 *   heaps/<name>/sites		with pcslab.track=1: call sites of live objects
 *   heaps/<name>/<cache>/	the same of a fixed-size cache, without pages
 *
 * The first line names the format and its version, the second line the columns.
 * New columns must only be appended. Classes that were never used have no line.
 * Documentation/debugfs.rst explains each column.
 *
 * A heap's files are removed when it is destroyed; zombies have no files, only
 * their line in stats. An open file holds a reference to the heap, so that
 * destroying a heap does not wait for readers, which may be preempted for long.
 * From then on the file cannot be read.
 *
 * Context: process. Locks: CPU hotplug lock > pcslab_heaps_lock.
 */
#include <linux/cpu.h>
#include <linux/debugfs.h>
#include <linux/seq_file.h>
#include <linux/slab.h>
#include <linux/string.h>

#include "internal.h"

static struct dentry *root, *heaps_dir;

/* The sums in a line of stats. */
struct line {
	u64 allocs, frees, fails, live, live_bytes, cached, depot, slabs, pages, deferred;
};

static void line_add_class(struct line *to, const struct pcslab_class_stats *st)
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

static void line_add_large(struct line *to, const struct pcslab_stats *st)
{
	u64 bytes = st->large_alloc_bytes - st->large_free_bytes;

	to->allocs += st->large_allocs;
	to->frees += st->large_frees;
	to->fails += st->large_fails;
	to->live += st->large_allocs - st->large_frees;
	to->live_bytes += bytes;
	to->pages += bytes >> PAGE_SHIFT;
}

static void sum_heap(struct line *to, const struct pcslab_stats *st)
{
	unsigned int i;

	for (i = 0; i < st->nr_classes; i++)
		line_add_class(to, &st->class[i]);
	line_add_large(to, st);
	to->deferred += st->deferred;
}

static void show_line(struct seq_file *m, const struct line *line)
{
	seq_printf(m, " %12llu %12llu %9llu %5llu %11llu %7llu %7llu %6llu %6llu\n",
		   line->allocs, line->frees, line->live, line->fails,
		   line->live_bytes, line->cached, line->depot, line->slabs,
		   line->pages);
}

#define LINE_COLUMNS \
	"       allocs        frees      live fails  live_bytes  cached   depot  slabs  pages\n"

static bool class_used(const struct pcslab_class_stats *st)
{
	return st->allocs || st->fails || st->slabs;
}

static void show_heap(struct seq_file *m, const char *format,
		      const struct pcslab_stats *st)
{
	struct line line, total = {};
	unsigned int i;

	seq_printf(m, "%s\n# size  objs" LINE_COLUMNS, format);
	for (i = 0; i < st->nr_classes; i++) {
		if (!class_used(&st->class[i]))
			continue;
		line = (struct line){};
		line_add_class(&line, &st->class[i]);
		seq_printf(m, "%6u %5u", st->class[i].size, st->class[i].objects_per_slab);
		show_line(m, &line);
	}
	if (st->large_allocs || st->large_fails) {
		line = (struct line){};
		line_add_large(&line, st);
		seq_printf(m, "%6s %5s", "large", "-");
		show_line(m, &line);
	}
	sum_heap(&total, st);
	seq_printf(m, "%6s %5s", "total", "-");
	show_line(m, &total);
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
	return show_stats_by(m, "pcslab stats version 1", pcslab_heap_stats);
}

DEFINE_HEAP_FILE(stats);

static int exact_show(struct seq_file *m, void *unused)
{
	return show_stats_by(m, "pcslab exact version 1", pcslab_heap_stats_exact);
}

DEFINE_HEAP_FILE(exact);

static void show_row(struct seq_file *m, unsigned int cpu, struct pcslab_class *class,
		     const struct pcslab_cpu *c)
{
	struct pcslab_inherited inherited = cpu ? (struct pcslab_inherited){} : class->inherited;
	struct pcslab_sum own = pcslab_own_sum(class, c);
	bool large = class->index == PCSLAB_LARGE;
	char size[8];

	if (large)
		inherited.allocs = 0;	/* bytes; the heap counts allocs */
	if (!own.allocs && !own.frees && !inherited.allocs && !inherited.frees)
		return;
	if (large)
		strscpy(size, "large", sizeof(size));
	else
		snprintf(size, sizeof(size), "%u", class->size);
	seq_printf(m, "%5u %6s %14lu %14lu %14lu %14lu %7u\n", cpu, size, own.allocs,
		   own.frees, inherited.allocs, inherited.frees, pcslab_cached(class, c));
}

static int percpu_show(struct seq_file *m, void *unused)
{
	struct pcslab_heap *heap = m->private;
	struct pcslab_class *class;
	unsigned int cpu;

	seq_puts(m, "pcslab percpu version 1\n");
	seq_puts(m, "# cpu   size         allocs          frees     inh_allocs      inh_frees  cached\n");
	cpus_read_lock();
	for_each_cpu(cpu, &pcslab_cpus) {
		pcslab_for_each_class(class, heap)
			show_row(m, cpu, class, pcslab_cpu_of(class, cpu));
	}
	cpus_read_unlock();
	return 0;
}

DEFINE_HEAP_FILE(percpu);

static void show_audit(struct seq_file *m, const char *name,
		       const struct pcslab_audit *audit)
{
	seq_printf(m, "%6s %7llu %10llu %10llu %9llu %9llu %9llu %8llu %5llu\n", name,
		   audit->slabs, audit->objects, audit->live, audit->cached,
		   audit->free, audit->rounds, audit->deferred, audit->wrong);
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
	seq_puts(m, "pcslab audit version 1\n");
	seq_puts(m, "# size   slabs    objects       live    cached      free    rounds deferred wrong\n");
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

static int pages_show(struct seq_file *m, void *unused)
{
	struct pcslab_stats *st = kvzalloc(sizeof(*st), GFP_KERNEL);

	if (!st)
		return -ENOMEM;
	pcslab_budget_read(m->private, st);
	seq_puts(m, "pcslab pages version 1\n");
	seq_puts(m, "#  pages      limit  max_pages   max_time over_limit\n");
	seq_printf(m, "%8llu %10llu %10llu %10llu %10llu\n", st->pages, st->limit_pages,
		   st->max_pages, st->max_pages_time, st->over_limit);
	kvfree(st);
	return 0;
}

DEFINE_HEAP_FILE(pages);

static int sites_show(struct seq_file *m, void *unused)
{
	seq_puts(m, "pcslab sites version 1\n");
	seq_puts(m, "# objects        bytes allocated by\n");
	return pcslab_track_show(m, m->private);
}

DEFINE_HEAP_FILE(sites);

static int reserves_show(struct seq_file *m, void *unused)
{
	seq_puts(m, "pcslab reserves version 1\n");
	seq_puts(m, "#    size  objects  waiting created by\n");
	pcslab_reserves_show(m, m->private);
	return 0;
}

DEFINE_HEAP_FILE(reserves);

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
	struct line line, total;
	struct faults faults;	/* of all heaps so far */
	u64 last;		/* id of the previous heap */
	bool done;
};

/* Stands for the last line, the total. */
static struct pcslab_heap total_line;

static void show_summary(struct seq_file *m, const char *name, const char *state,
			 const struct line *line, const struct faults *faults,
			 const char *owner)
{
	seq_printf(m, "%-14s %-6s %9llu %9llu %8lld %5llu %10lld %6llu %9llu %7llu %7llu %s %llu %llu\n",
		   name, state, line->allocs, line->frees, line->live, line->fails,
		   line->live_bytes, line->pages, faults->bad_frees, faults->corruptions,
		   faults->foreign, owner, line->deferred, faults->unaccounted);
}

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
	sum_heap(&sum->total, &sum->st);
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

static int summary_show(struct seq_file *m, void *v)
{
	struct summary *sum = m->private;
	struct pcslab_heap *heap = v;
	struct faults faults = {};

	if (v == SEQ_START_TOKEN) {
		seq_puts(m, "pcslab heaps version 1\n");
		seq_puts(m, "# heap         state     allocs     frees     live fails live_bytes  pages bad_frees corrupt foreign owner deferred unaccounted\n");
		return 0;
	}
	if (v == &total_line) {
		show_summary(m, "total", "-", &sum->total, &sum->faults, "-");
		return 0;
	}
	cpus_read_lock();
	pcslab_heap_read(heap, &sum->st);
	cpus_read_unlock();
	sum->line = (struct line){};
	sum_heap(&sum->line, &sum->st);
	add_faults(&faults, &sum->st);
	show_summary(m, heap->name, heap->zombie ? "zombie" : "live", &sum->line, &faults,
		     heap->owner_name);
	return 0;
}

static const struct seq_operations summary_sops = {
	.start	= summary_start,
	.next	= summary_next,
	.stop	= summary_stop,
	.show	= summary_show,
};

static int summary_open(struct inode *inode, struct file *file)
{
	return seq_open_private(file, &summary_sops, sizeof(struct summary));
}

static const struct file_operations summary_fops = {
	.owner		= THIS_MODULE,
	.open		= summary_open,
	.read		= seq_read,
	.llseek		= seq_lseek,
	.release	= seq_release_private,
};

static int classes_show(struct seq_file *m, void *unused)
{
	struct pcslab_class class;
	unsigned int i, bytes;

	seq_puts(m, "pcslab classes version 1\n");
	seq_puts(m, "# size slab_pages objects unused magazine\n");
	for (i = 0; i < PCSLAB_NR_CLASSES; i++) {
		if (pcslab_class_index(pcslab_class_size(i)) != i)
			continue;
		pcslab_class_shape(&class, i, pcslab_flags_of_all());
		bytes = PAGE_SIZE << class.order;
		seq_printf(m, "%6u %10u %7u %6u %8u\n", class.size, 1U << class.order,
			   bytes / class.stride, bytes % class.stride, class.capacity);
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
	if (heap->flags & PCSLAB_HEAP_TRACK)
		debugfs_create_file_unsafe("sites", 0400, dir, heap, &sites_fops);
	return dir;
}

/* When the heap gets its first reserve, for most heaps have none. */
void pcslab_debugfs_add_reserves(struct pcslab_heap *heap)
{
	debugfs_create_file_unsafe("reserves", 0400, heap->dir, heap, &reserves_fops);
}

/* The files of a fixed-size cache are in a directory of its heap's. */
bool pcslab_is_file_name(const char *name)
{
	static const char * const names[] = {
		"stats", "percpu", "exact", "audit", "pages", "sites", "reserves",
	};

	return match_string(names, ARRAY_SIZE(names), name) >= 0;
}

void __init pcslab_debugfs_init(void)
{
	root = debugfs_create_dir("pcslab", NULL);
	heaps_dir = debugfs_create_dir("heaps", root);
	debugfs_create_file("stats", 0400, root, NULL, &summary_fops);
	debugfs_create_file("classes", 0400, root, NULL, &classes_fops);
	debugfs_create_file("whatis", 0400, root, NULL, &whatis_fops);
	pcslab_fault_init(root);
}

void __exit pcslab_debugfs_exit(void)
{
	debugfs_remove(root);
	pcslab_fault_exit();
}
