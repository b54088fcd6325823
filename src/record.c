// SPDX-License-Identifier: GPL-2.0
/*
 * Flight recorders: the last events of a heap, per CPU
 *
 *   echo 'net*' > /sys/module/pcslab/parameters/record
 *   cat /sys/kernel/debug/pcslab/heaps/net-rx/events
 *
 * Each CPU has a ring of entries, the oldest of which is overwritten. The
 * newest events of a heap are written to the log when a free is refused, when
 * damage is found, and when the kernel panics. The events of a fixed-size cache
 * are in its heap's recorder.
 *
 * Only its own CPU writes a ring, with interrupts off. A call in NMI may come
 * in between: it has the next number and so another entry, unless one NMI makes
 * as many events as a ring has entries. Readers take no lock: they copy an
 * entry and drop it if its number has changed meanwhile.
 *
 * Context: recording and writing to the log: any. Starting, stopping and
 * showing: process. Locks: pcslab_heaps_lock > recorders_lock.
 */
#include <linux/cpumask.h>
#include <linux/irqflags.h>
#include <linux/math64.h>
#include <linux/mm.h>
#include <linux/mutex.h>
#include <linux/panic_notifier.h>
#include <linux/rculist.h>
#include <linux/rcupdate.h>
#include <linux/sched/clock.h>
#include <linux/seq_file.h>
#include <linux/slab.h>
#include <linux/sort.h>

#include <asm/local.h>

#include "event.h"
#include "internal.h"

#define DUMP_EVENTS	32U	/* written to the log */

/* An entry of a ring. @nr is 0 while it is written. */
struct entry {
	unsigned long nr;
	u64 time;
	unsigned int cpu;
	struct pcslab_event event;
	const struct pcslab_site *site;
};

struct ring {
	local_t last;		/* number of the newest entry */
	struct entry entry[];
};

/**
 * struct pcslab_recorder - the flight recorder of a heap
 * @rcu: frees it when nobody can be using it any more
 * @size: entries of a ring, a power of two
 * @rings: one per possible CPU
 */
struct pcslab_recorder {
	struct rcu_head rcu;
	unsigned int size;
	char rings[] __aligned(sizeof(u64));
};

static const char * const kinds[PCSLAB_NR_EVENTS] = {
	[PCSLAB_EVENT_ALLOC] = "alloc",
	[PCSLAB_EVENT_FREE] = "free",
	[PCSLAB_EVENT_FAIL] = "fail",
	[PCSLAB_EVENT_BAD_FREE] = "bad_free",
	[PCSLAB_EVENT_REFILL] = "refill",
	[PCSLAB_EVENT_FLUSH] = "flush",
	[PCSLAB_EVENT_SLAB_ALLOC] = "slab_alloc",
	[PCSLAB_EVENT_SLAB_FREE] = "slab_free",
	[PCSLAB_EVENT_DONATE] = "donate",
};

/* Starting and stopping, and readers in process context */
static DEFINE_MUTEX(recorders_lock);

static size_t ring_bytes(unsigned int size)
{
	return offsetof(struct ring, entry[size]);
}

static struct ring *ring_of(struct pcslab_recorder *recorder, unsigned int cpu)
{
	return (void *)recorder->rings + cpu * ring_bytes(recorder->size);
}

static struct entry *entry_of(struct pcslab_recorder *recorder, struct ring *ring,
			      unsigned long nr)
{
	return ring->entry + (nr & (recorder->size - 1));
}

/*
 * In an entry the address of an object has all bits inverted, so that a scan
 * for leaks (leaks.c) does not take it for a pointer to the object. Hiding it
 * twice gives the address again.
 */
static const void *hide(const void *obj)
{
	return (const void *)~(unsigned long)obj;
}

static void record(struct pcslab_recorder *recorder, const struct pcslab_event *event,
		   const struct pcslab_site *site)
{
	struct ring *ring = ring_of(recorder, smp_processor_id());
	unsigned long nr = local_inc_return(&ring->last);
	struct entry *entry = entry_of(recorder, ring, nr);

	WRITE_ONCE(entry->nr, 0);
	/* Pairs with the smp_rmb() in read_entry(). */
	smp_wmb();
	entry->time = local_clock();
	entry->cpu = smp_processor_id();
	entry->event = *event;
	entry->event.obj = hide(event->obj);
	entry->site = site;
	/* Release: pairs with the acquire in read_entry(). */
	smp_store_release(&entry->nr, nr);
}

/**
 * pcslab_record() - record an event, if the heap has a recorder
 * @heap: the heap
 * @event: the event
 *
 * Context: any.
 */
void pcslab_record(struct pcslab_heap *heap, const struct pcslab_event *event)
{
	struct pcslab_heap *root = pcslab_root(heap);
	struct pcslab_recorder *recorder;
	const struct pcslab_site *site;
	unsigned long flags;

	if (!READ_ONCE(root->recorder))
		return;
	site = event->caller ? pcslab_site(event->caller) : NULL;
	local_irq_save(flags);		/* keeps the recorder, too */
	/* Acquire: pairs with the release in replace(). */
	recorder = smp_load_acquire(&root->recorder);
	if (recorder)
		record(recorder, event, site);
	local_irq_restore(flags);
}

/* Copy an entry. Returns false if it is being written, or is another one. */
static bool read_entry(struct entry *from, unsigned long nr, struct entry *to)
{
	/* Acquire: pairs with the release in record(). */
	if (smp_load_acquire(&from->nr) != nr)
		return false;
	data_race(*to = *from);		/* if so, the number has changed */
	to->event.obj = hide(to->event.obj);
	/* Pairs with the smp_wmb() in record(). */
	smp_rmb();
	return READ_ONCE(from->nr) == nr;
}

/*
 * Call @fn for each of the newest @max entries of every ring. The caller must
 * keep the recorder.
 */
static void visit_entries(struct pcslab_recorder *recorder, unsigned int max,
			  void (*fn)(const struct entry *entry, void *arg), void *arg)
{
	unsigned long last, nr;
	struct entry entry;
	struct ring *ring;
	unsigned int cpu;

	for_each_possible_cpu(cpu) {
		ring = ring_of(recorder, cpu);
		last = local_read(&ring->last);
		for (nr = last; nr && last - nr < max; nr--) {
			if (read_entry(entry_of(recorder, ring, nr), nr, &entry))
				fn(&entry, arg);
		}
	}
}

/* The newest entry that is older than @before, if @found. */
struct newest {
	struct entry before;
	bool found;
	struct entry entry;
};

/* Entries may have the same time. */
static bool is_older(const struct entry *a, const struct entry *b)
{
	if (a->time != b->time)
		return a->time < b->time;
	return a->cpu != b->cpu ? a->cpu < b->cpu : a->nr < b->nr;
}

static void pick_newest(const struct entry *entry, void *arg)
{
	struct newest *newest = arg;

	if (!is_older(entry, &newest->before) ||
	    (newest->found && !is_older(&newest->entry, entry)))
		return;
	newest->entry = *entry;
	newest->found = true;
}

static void log_entry(const struct pcslab_heap *heap, const struct entry *entry)
{
	const struct pcslab_event *event = &entry->event;
	const char *by = event->caller ? pcslab_site_name(entry->site) : "pcslab";
	u64 now = local_clock();	/* that of another CPU may be ahead */
	u64 us = now > entry->time ? div_u64(now - entry->time, NSEC_PER_USEC) : 0;

	if (event->obj)
		pr_err("heap %s: %llu us ago, CPU %u: %s of %p, %zu bytes, by %s\n", heap->name,
		       us, entry->cpu, kinds[event->kind], event->obj, event->size, by);
	else
		pr_err("heap %s: %llu us ago, CPU %u: %s, %lu objects of %zu bytes, by %s\n",
		       heap->name, us, entry->cpu, kinds[event->kind], event->objects,
		       event->size, by);
}

/* No memory to sort them: the newest one is looked for again and again. */
static void dump(const struct pcslab_heap *heap, struct pcslab_recorder *recorder)
{
	struct newest newest = { .before.time = U64_MAX };
	unsigned int i;

	for (i = 0; i < DUMP_EVENTS; i++) {
		newest.found = false;
		visit_entries(recorder, min(recorder->size, DUMP_EVENTS), pick_newest, &newest);
		if (!newest.found)
			break;
		log_entry(heap, &newest.entry);
		newest.before = newest.entry;
	}
}

/**
 * pcslab_record_dump() - write the newest events of a heap to the log
 * @heap: the heap; one without a recorder has none
 *
 * Context: any.
 */
void pcslab_record_dump(struct pcslab_heap *heap)
{
	struct pcslab_heap *root = pcslab_root(heap);
	struct pcslab_recorder *recorder;

	preempt_disable();	/* keeps the recorder */
	/* Acquire: pairs with the release in replace(). */
	recorder = smp_load_acquire(&root->recorder);
	if (recorder)
		dump(root, recorder);
	preempt_enable();
}

/* What a file shows, sorted by time */
struct snapshot {
	size_t nr, max;
	struct entry entry[];
};

static void snapshot_add(const struct entry *entry, void *arg)
{
	struct snapshot *shot = arg;

	if (shot->nr < shot->max)
		shot->entry[shot->nr++] = *entry;
}

static int by_time(const void *a, const void *b)
{
	u64 x = ((const struct entry *)a)->time, y = ((const struct entry *)b)->time;

	return x < y ? -1 : x > y;
}

static const struct pcslab_column events_columns[] = {
	{ "#time", 14 }, { "cpu", 3 }, { "event", -10 }, { "size", 5 }, { "objects", 7 },
	{ "object", 8 }, { "site", 0 }, { "module", 0 },
};

/*
 * Hashed, as in the log: the events of one object have the same number. It has
 * 32 bits, behind zeroes.
 */
static void show_object(struct pcslab_table_row *row, const void *obj)
{
	char text[2 * sizeof(obj) + 1];

	snprintf(text, sizeof(text), "%p", obj);
	pcslab_row_text(row, obj ? text + strlen(text) - 8 : "-");
}

static void show_entry(struct seq_file *m, const struct entry *entry)
{
	struct pcslab_table_row row = pcslab_row_begin(m, events_columns);
	u32 rest;
	char time[24];
	u64 seconds = div_u64_rem(entry->time, NSEC_PER_SEC, &rest);

	snprintf(time, sizeof(time), "%llu.%06u", seconds, rest / (u32)NSEC_PER_USEC);
	pcslab_row_text(&row, time);
	pcslab_row_number(&row, entry->cpu);
	pcslab_row_text(&row, kinds[entry->event.kind]);
	pcslab_row_number(&row, entry->event.size);
	pcslab_row_number(&row, entry->event.objects);
	show_object(&row, entry->event.obj);
	seq_putc(m, ' ');
	pcslab_site_show(m, entry->event.caller ? pcslab_site_name(entry->site) : "-");
}

static int show(struct seq_file *m, struct pcslab_recorder *recorder)
{
	size_t i, max = (size_t)recorder->size * num_possible_cpus();
	struct snapshot *shot = kvmalloc(struct_size(shot, entry, max),
					 GFP_KERNEL | __GFP_NOWARN);

	if (!shot)
		return -ENOMEM;
	shot->nr = 0;
	shot->max = max;
	visit_entries(recorder, recorder->size, snapshot_add, shot);
	sort(shot->entry, shot->nr, sizeof(shot->entry[0]), by_time, NULL);
	for (i = 0; i < shot->nr; i++)
		show_entry(m, &shot->entry[i]);
	kvfree(shot);
	return 0;
}

/**
 * pcslab_record_show() - print the events of a heap as a table
 * @m: the file
 * @heap: the heap
 *
 * Context: process. May sleep.
 * Return: 0 or -ENOMEM.
 */
int pcslab_record_show(struct seq_file *m, struct pcslab_heap *heap)
{
	int err = 0;

	pcslab_table_begin(m, "events", events_columns, ARRAY_SIZE(events_columns));
	mutex_lock(&recorders_lock);
	if (heap->recorder)
		err = show(m, heap->recorder);
	mutex_unlock(&recorders_lock);
	return err;
}

static struct pcslab_recorder *recorder_create(void)
{
	struct pcslab_recorder *recorder;

	recorder = kvzalloc(sizeof(*recorder) + nr_cpu_ids * ring_bytes(pcslab_record_size()),
			    GFP_KERNEL | __GFP_NOWARN);
	if (recorder)
		recorder->size = pcslab_record_size();
	return recorder;
}

/* Set or clear the recorder of a heap. Returns the one that it had. */
static struct pcslab_recorder *replace(struct pcslab_heap *heap, struct pcslab_recorder *recorder)
{
	struct pcslab_recorder *old;

	mutex_lock(&recorders_lock);
	old = heap->recorder;
	/* Release: pairs with the acquires of those who read it. */
	smp_store_release(&heap->recorder, recorder);
	mutex_unlock(&recorders_lock);
	return old;
}

static void watch_family(struct pcslab_heap *root, bool on)
{
	struct pcslab_heap *heap;

	list_for_each_entry(heap, &pcslab_heaps, node) {
		if (pcslab_is_of(heap, root))
			pcslab_heap_watch(heap, PCSLAB_WATCH_RECORD, on);
	}
}

static void start(struct pcslab_heap *heap)
{
	struct pcslab_recorder *recorder = recorder_create();

	if (!recorder) {
		pr_err("heap %s: no memory for a flight recorder\n", heap->name);
		return;
	}
	replace(heap, recorder);
	pcslab_debugfs_add_events(heap);
	watch_family(heap, true);
}

static void stop(struct pcslab_heap *heap)
{
	watch_family(heap, false);
	pcslab_record_free(heap);
}

/**
 * pcslab_record_free() - drop the recorder of a heap, if it has one
 * @heap: the heap
 *
 * Context: process. May sleep.
 */
void pcslab_record_free(struct pcslab_heap *heap)
{
	struct pcslab_recorder *recorder = replace(heap, NULL);

	/* No wait: the caller may hold a lock. */
	if (recorder)
		kvfree_rcu(recorder, rcu);
}

static void update(struct pcslab_heap *heap)
{
	bool wanted = pcslab_record_wanted(heap->name);

	/* If it dies just now, its files go later: remove_files() in heap.c. */
	if (wanted && !heap->recorder && !READ_ONCE(heap->dying))
		start(heap);
	else if (!wanted && heap->recorder)
		stop(heap);
}

/**
 * pcslab_record_update() - start and stop recorders after a new choice
 *
 * Context: process; pcslab_heaps_lock is held.
 */
void pcslab_record_update(void)
{
	struct pcslab_heap *heap;

	lockdep_assert_held(&pcslab_heaps_lock);
	list_for_each_entry(heap, &pcslab_heaps, node) {
		if (!heap->parent)
			update(heap);
	}
}

/**
 * pcslab_record_join() - start the recorder of a new heap, if it is to have one
 * @heap: the heap, or a fixed-size cache
 *
 * Context: process; pcslab_heaps_lock is held.
 */
void pcslab_record_join(struct pcslab_heap *heap)
{
	if (!heap->parent)
		update(heap);
	else if (heap->parent->recorder)
		pcslab_heap_watch(heap, PCSLAB_WATCH_RECORD, true);
}

static int dump_all(struct notifier_block *nb, unsigned long unused, void *message)
{
	struct pcslab_heap *heap;

	list_for_each_entry_rcu(heap, &pcslab_heaps, node, true) {
		if (!heap->parent)
			pcslab_record_dump(heap);
	}
	return NOTIFY_DONE;
}

static struct notifier_block panic_block = { .notifier_call = dump_all };

int __init pcslab_record_init(void)
{
	return atomic_notifier_chain_register(&panic_notifier_list, &panic_block);
}

void pcslab_record_exit(void)
{
	atomic_notifier_chain_unregister(&panic_notifier_list, &panic_block);
}
