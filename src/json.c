// SPDX-License-Identifier: GPL-2.0
/*
 * Statistics as JSON, for programs
 *
 * The keys are the names of the columns of the tables (debugfs.c). There are no
 * totals, which a program adds up itself. New keys may come without a new
 * version; a key that goes or changes its meaning makes one.
 *
 * Context: process, in a show function of a seq_file.
 */
#include <linux/cpu.h>
#include <linux/seq_file.h>
#include <linux/timekeeping.h>

#include "internal.h"

#define VERSION		1

/**
 * pcslab_json_begin() - begin a file
 * @m: the file
 * @format: its name
 */
void pcslab_json_begin(struct seq_file *m, const char *format)
{
	seq_printf(m, "{\"format\":\"pcslab %s\",\"version\":%d,\"page_size\":%lu,\"time_ns\":%llu",
		   format, VERSION, PAGE_SIZE, ktime_get_boottime_ns());
}

/* The names of heaps and modules have no control characters. */
static void show_string(struct seq_file *m, const char *key, const char *value)
{
	seq_printf(m, "\"%s\":\"", key);
	for (; *value; value++) {
		if (*value == '"' || *value == '\\')
			seq_putc(m, '\\');
		seq_putc(m, *value);
	}
	seq_putc(m, '"');
}

static void show_number(struct seq_file *m, const char *key, u64 value)
{
	seq_printf(m, ",\"%s\":%llu", key, value);
}

static void show_counts(struct seq_file *m, const struct pcslab_line *line)
{
	show_number(m, "allocs", line->allocs);
	show_number(m, "frees", line->frees);
	show_number(m, "live", line->live);
	show_number(m, "fails", line->fails);
	show_number(m, "live_bytes", line->live_bytes);
}

static void show_class(struct seq_file *m, const struct pcslab_class_stats *st)
{
	struct pcslab_line line = {};

	pcslab_line_add_class(&line, st);
	seq_printf(m, "{\"size\":%u,\"objs\":%u", st->size, st->objects_per_slab);
	show_counts(m, &line);
	show_number(m, "cached", line.cached);
	show_number(m, "depot", line.depot);
	show_number(m, "slabs", line.slabs);
	show_number(m, "pages", line.pages);
	seq_putc(m, '}');
}

static void show_large(struct seq_file *m, const struct pcslab_stats *st)
{
	struct pcslab_line line = {};

	pcslab_line_add_large(&line, st);
	seq_puts(m, "\"large\":{\"size\":0");
	show_counts(m, &line);
	show_number(m, "pages", line.pages);
	seq_putc(m, '}');
}

static void show_classes(struct seq_file *m, const struct pcslab_stats *st)
{
	const char *comma = "";
	unsigned int i;

	seq_puts(m, "\"classes\":[");
	for (i = 0; i < st->nr_classes; i++) {
		if (!pcslab_class_used(&st->class[i]))
			continue;
		seq_puts(m, comma);
		show_class(m, &st->class[i]);
		comma = ",";
	}
	seq_puts(m, "],");
	show_large(m, st);
}

/**
 * pcslab_json_heap() - show a heap
 * @m: the file
 * @heap: the heap
 * @st: its statistics
 *
 * The object is not closed: the caller may add something.
 */
void pcslab_json_heap(struct seq_file *m, struct pcslab_heap *heap,
		      const struct pcslab_stats *st)
{
	seq_putc(m, '{');
	show_string(m, "name", heap->name);
	show_number(m, "id", heap->id);
	seq_putc(m, ',');
	show_string(m, "state", heap->zombie ? "zombie" : "live");
	seq_putc(m, ',');
	show_string(m, "owner", heap->owner_name);
	show_number(m, "bad_frees", st->bad_frees);
	show_number(m, "corrupt", st->corruptions);
	show_number(m, "foreign", st->foreign);
	show_number(m, "unaccounted", st->unaccounted);
	show_number(m, "deferred", st->deferred);
	show_number(m, "pages", st->pages);
	show_number(m, "limit", st->limit_pages);
	show_number(m, "max_pages", st->max_pages);
	show_number(m, "max_time", st->max_pages_time);
	show_number(m, "over_limit", st->over_limit);
	seq_putc(m, ',');
	show_classes(m, st);
}

/**
 * pcslab_json_cpus() - show the record of a heap
 * @m: the file
 * @heap: the heap
 *
 * Context: the CPU hotplug lock is held for reading.
 */
void pcslab_json_cpus(struct seq_file *m, struct pcslab_heap *heap)
{
	struct pcslab_cpu_counts counts;
	struct pcslab_class *class;
	const char *comma = "";
	unsigned int cpu;

	seq_puts(m, ",\"percpu\":[");
	for_each_cpu(cpu, &pcslab_cpus) {
		pcslab_for_each_class(class, heap) {
			if (!pcslab_cpu_counts(class, cpu, &counts))
				continue;
			seq_printf(m, "%s{\"cpu\":%u,\"size\":%u", comma, cpu, counts.size);
			show_number(m, "allocs", counts.allocs);
			show_number(m, "frees", counts.frees);
			show_number(m, "inh_allocs", counts.inh_allocs);
			show_number(m, "inh_frees", counts.inh_frees);
			show_number(m, "cached", counts.cached);
			seq_putc(m, '}');
			comma = ",";
		}
	}
	seq_putc(m, ']');
}
