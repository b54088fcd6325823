// SPDX-License-Identifier: GPL-2.0
/*
 * Tracking: which call sites allocated the live objects, with pcslab.track=1
 *
 * The site of an allocation (site.c) is stored behind the states of the slab
 * or, for a large object, in a note that private of its page leads to. The
 * allocating call writes it before the object is handed out. It is valid only
 * while the object is live.
 *
 * Context: recording, any; collecting, process. Locks: rows_lock > walks
 * (large.c) > heap->large_lock.
 */
#include <linux/list.h>
#include <linux/list_sort.h>
#include <linux/math64.h>
#include <linux/mm.h>
#include <linux/mutex.h>
#include <linux/rculist.h>
#include <linux/seq_file.h>
#include <linux/slab.h>
#include <linux/timekeeping.h>

#include "internal.h"
#include "page.h"

/* What is collected of a heap, and who wants it: a file or the log */
struct track {
	struct pcslab_heap *heap;
	struct seq_file *m;
	struct list_head rows;
};

static DEFINE_MUTEX(rows_lock);		/* the sums in all sites */

static struct pcslab_site unknown = { .name = "unknown" };

/**
 * pcslab_clock() - pcslab_now() without jiffies
 *
 * Context: any, including NMI.
 * Return: the seconds that the machine was awake.
 */
u32 pcslab_clock(void)
{
	/* It may be written meanwhile, which the clock itself finds out. */
	return div_u64(data_race(ktime_get_mono_fast_ns()), NSEC_PER_SEC);
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
	pcslab_track_store(slab, index, pcslab_site_above(caller, slab->class->heap->callers));
}

/* Without memory the object's site is unknown. */
static void track_large(struct page *page, unsigned long caller)
{
	void *owner = (void *)page_private(page);
	struct pcslab_class *class = large_class_by(owner);
	struct pcslab_note *note = large_note(owner);
	struct pcslab_site *site = pcslab_site_above(caller, class->heap->callers);

	if (note) {
		note->time = pcslab_now();
		/* Release: as above. */
		smp_store_release(&note->site, site);
		return;
	}
	note = __pcslab_note_alloc(sizeof(*note));
	if (!note)
		return;
	note->class = class;
	note->site = site;
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

/* Add an object to its site, and the site to the list when it is the first. */
static void add_object(struct track *track, struct pcslab_site *site, u64 bytes)
{
	site = site ?: &unknown;
	if (!site->objects++)
		list_add_tail(&site->row, &track->rows);
	site->bytes += bytes;
}

static void add_slab(struct track *track, struct pcslab_slab *slab)
{
	struct pcslab_site **sites = pcslab_sites(slab);
	unsigned int i, nr = slab->nr;

	for (i = 0; i < nr; i++) {
		if (pcslab_counts_as_live(READ_ONCE(slab->state[i])))
			add_object(track, READ_ONCE(sites[i]), slab->class->size);
	}
}

static void add_class(struct track *track, struct pcslab_class *class)
{
	struct pcslab_slab *slab;
	int node;

	rcu_read_lock();
	for_each_node_state(node, N_MEMORY) {
		list_for_each_entry_rcu(slab, &class->depot[node].all, all)
			add_slab(track, slab);
	}
	rcu_read_unlock();
}

static void add_large(struct page *page, void *track)
{
	struct pcslab_note *note;
	void *owner;

	if (!large_owner(page, &owner))
		return;		/* it is being freed */
	note = large_note(owner);
	add_object(track, note ? READ_ONCE(note->site) : NULL,
		   large_pages(page, owner) << PAGE_SHIFT);
}

static int by_bytes(void *unused, const struct list_head *a, const struct list_head *b)
{
	u64 x = list_entry(a, struct pcslab_site, row)->bytes;
	u64 y = list_entry(b, struct pcslab_site, row)->bytes;

	return x < y ? 1 : -(x > y);
}

/*
 * Call @show for each site of the heap's live objects, that with most bytes
 * first. The sums are in the sites themselves, so this needs no memory.
 */
static void visit_sites(struct pcslab_heap *heap, struct track *track,
			void (*show)(const struct track *track, const struct pcslab_site *site))
{
	struct pcslab_site *site, *next;
	struct pcslab_class *class;

	mutex_lock(&rows_lock);
	pcslab_for_each_size_class(class, heap)
		add_class(track, class);
	pcslab_large_walk(heap, add_large, track);
	list_sort(NULL, &track->rows, by_bytes);
	list_for_each_entry_safe(site, next, &track->rows, row) {
		show(track, site);
		site->objects = 0;
		site->bytes = 0;
	}
	mutex_unlock(&rows_lock);
}

static void log_site(const struct track *track, const struct pcslab_site *site)
{
	pr_warn("heap %s: %llu objects live, %llu bytes, allocated by %s\n", track->heap->name,
		site->objects, site->bytes, site->name);
}

/**
 * pcslab_track_report() - log which sites allocated the live objects
 * @heap: the heap
 */
void pcslab_track_report(struct pcslab_heap *heap)
{
	struct track track = { .heap = heap, .rows = LIST_HEAD_INIT(track.rows) };

	visit_sites(heap, &track, log_site);
}

static void show_site(const struct track *track, const struct pcslab_site *site)
{
	seq_printf(track->m, "%8llu %12llu ", site->objects, site->bytes);
	pcslab_site_show(track->m, site->name);
}

/**
 * pcslab_track_show() - print the same as lines of a file
 * @m: the file
 * @heap: the heap
 */
void pcslab_track_show(struct seq_file *m, struct pcslab_heap *heap)
{
	struct track track = { .m = m, .rows = LIST_HEAD_INIT(track.rows) };

	visit_sites(heap, &track, show_site);
}
