// SPDX-License-Identifier: GPL-2.0
/*
 * Tracking: which call sites allocated the live objects, with pcslab.track=1
 *
 * The site of an allocation (site.c) is stored behind the states of the slab
 * or, for a large object, in a note that private of its page leads to. The
 * allocating call writes it before the object is handed out. It is valid only
 * while the object is live.
 *
 * Context: recording, any; collecting, process. Locks: heap->large_lock.
 */
#include <linux/math64.h>
#include <linux/mm.h>
#include <linux/rculist.h>
#include <linux/seq_file.h>
#include <linux/slab.h>
#include <linux/sort.h>
#include <linux/timekeeping.h>

#include "internal.h"
#include "page.h"

#define NR_ROWS		64	/* sites shown; the rest are summed in others */

struct row {
	const struct pcslab_site *site;
	u64 objects, bytes;
};

struct table {
	unsigned int nr;
	struct row row[NR_ROWS];
	struct row others;
};

/**
 * pcslab_now() - seconds since the kernel was booted
 *
 * Context: any, including NMI.
 * Return: the seconds that the machine was awake.
 */
u32 pcslab_now(void)
{
	return div_u64(ktime_get_mono_fast_ns(), NSEC_PER_SEC);
}

/**
 * pcslab_track_object() - record the last call for an object
 * @slab: slab of the object
 * @index: index of the object, which the caller must own
 * @caller: return address of the call
 */
void pcslab_track_object(struct pcslab_slab *slab, unsigned int index,
			 unsigned long caller)
{
	WRITE_ONCE(pcslab_times(slab)[index], pcslab_now());
	/* Release: pairs with the address dependency of readers of the name. */
	smp_store_release(&pcslab_sites(slab)[index], pcslab_site(caller));
}

/* Without memory the object's site is unknown. */
static void track_large(struct page *page, unsigned long caller)
{
	struct pcslab_note *note = large_note((void *)page_private(page));

	if (note) {
		note->time = pcslab_now();
		/* Release: as above. */
		smp_store_release(&note->site, pcslab_site(caller));
		return;
	}
	note = pcslab_note_alloc(sizeof(*note));
	if (!note)
		return;
	note->class = (struct pcslab_class *)page_private(page);
	note->site = pcslab_site(caller);
	note->time = pcslab_now();
	/* Release: as above, and for the note itself. */
	smp_store_release(&page->private, (unsigned long)note | PAGE_HAS_NOTE);
}

/**
 * pcslab_track_alloc() - record the site that allocated an object
 * @obj: just allocated
 * @caller: return address of the call
 */
void pcslab_track_alloc(const void *obj, unsigned long caller)
{
	struct pcslab_slab *slab = slab_of(obj);
	u8 *state;

	if (!slab)
		track_large(large_page_of(obj), caller);
	else if (find_state(slab, obj, &state))
		pcslab_track_object(slab, state - slab->state, caller);
}

/**
 * pcslab_untrack_large() - drop the note of a large object
 * @page: its first page, claimed
 *
 * The note is freed a grace period later, because readers may have found it:
 * pcslab_heap_of(), bad frees, and walks of the large objects.
 *
 * Return: the object's class, which private leads to from now on.
 */
struct pcslab_class *pcslab_untrack_large(struct page *page)
{
	struct pcslab_note *note = large_note((void *)page_private(page));

	if (note) {
		WRITE_ONCE(page->private, (unsigned long)note->class);
		kfree_rcu(note, rcu);
	}
	return (struct pcslab_class *)page_private(page);
}

static void track_add(struct table *table, const struct pcslab_site *site, u64 bytes)
{
	struct row *row = &table->others;
	unsigned int i;

	for (i = 0; i < table->nr && table->row[i].site != site; i++)
		;
	if (i < NR_ROWS) {
		row = &table->row[i];
		row->site = site;
		table->nr = max(table->nr, i + 1);
	}
	row->objects++;
	row->bytes += bytes;
}

static void track_add_slab(struct table *table, struct pcslab_slab *slab)
{
	struct pcslab_site **sites = pcslab_sites(slab);
	unsigned int i, nr = slab->nr;

	for (i = 0; i < nr; i++) {
		if (pcslab_counts_as_live(READ_ONCE(slab->state[i])))
			track_add(table, READ_ONCE(sites[i]), slab->class->size);
	}
}

static void track_add_class(struct table *table, struct pcslab_class *class)
{
	struct pcslab_slab *slab;
	int node;

	rcu_read_lock();
	for_each_node_state(node, N_MEMORY) {
		list_for_each_entry_rcu(slab, &class->depot[node].all, all)
			track_add_slab(table, slab);
	}
	rcu_read_unlock();
}

static void track_add_large(struct page *page, void *table)
{
	struct pcslab_note *note;
	void *owner;

	if (!large_owner(page, &owner))
		return;		/* it is being freed */
	note = large_note(owner);
	track_add(table, note ? READ_ONCE(note->site) : NULL,
		  large_pages(page, owner) << PAGE_SHIFT);
}

static int by_bytes(const void *a, const void *b)
{
	u64 x = ((const struct row *)a)->bytes, y = ((const struct row *)b)->bytes;

	return x < y ? 1 : -(x > y);
}

static struct table *track_collect(struct pcslab_heap *heap)
{
	struct table *table = kvzalloc(sizeof(*table), GFP_KERNEL);
	struct pcslab_class *class;

	if (!table)
		return NULL;
	pcslab_for_each_size_class(class, heap)
		track_add_class(table, class);
	pcslab_large_walk(heap, track_add_large, table);
	sort(table->row, table->nr, sizeof(table->row[0]), by_bytes, NULL);
	return table;
}

/**
 * pcslab_track_report() - log which sites allocated the live objects
 * @heap: the heap
 */
void pcslab_track_report(struct pcslab_heap *heap)
{
	struct table *table = track_collect(heap);
	unsigned int i;

	if (!table)
		return;
	for (i = 0; i < table->nr; i++)
		pr_warn("heap %s: %llu objects live, %llu bytes, allocated by %s\n",
			heap->name, table->row[i].objects, table->row[i].bytes,
			pcslab_site_name(table->row[i].site));
	if (table->others.objects)
		pr_warn("heap %s: %llu objects live, %llu bytes, allocated by others\n",
			heap->name, table->others.objects, table->others.bytes);
	kvfree(table);
}

static void show_row(struct seq_file *m, const struct row *row, const char *name)
{
	seq_printf(m, "%8llu %12llu ", row->objects, row->bytes);
	pcslab_site_show(m, name);
}

/**
 * pcslab_track_show() - print the same as lines of a file
 * @m: the file
 * @heap: the heap
 *
 * Return: 0 or -ENOMEM.
 */
int pcslab_track_show(struct seq_file *m, struct pcslab_heap *heap)
{
	struct table *table = track_collect(heap);
	unsigned int i;

	if (!table)
		return -ENOMEM;
	for (i = 0; i < table->nr; i++)
		show_row(m, &table->row[i], pcslab_site_name(table->row[i].site));
	if (table->others.objects)
		show_row(m, &table->others, "others");
	kvfree(table);
	return 0;
}
