// SPDX-License-Identifier: GPL-2.0
/*
 * Tracking: who allocated what is live, with pcslab.track=1
 *
 * The return address of every allocation is kept beside the states of its slab,
 * or for a large object in a note that the private word of its page leads to. It
 * is written by the caller's own CPU before the object is handed out, and only
 * means something while the object is live.
 *
 * Context: recording, any; collecting, process. Locks: heap->large_lock.
 */
#include <linux/mm.h>
#include <linux/rculist.h>
#include <linux/seq_file.h>
#include <linux/slab.h>
#include <linux/sort.h>

#include "internal.h"
#include "page.h"

#define NR_SITES	64	/* told apart; more are summed up in others */

struct site {
	unsigned long caller;
	u64 objects, bytes;
};

struct sites {
	unsigned int nr;
	struct site site[NR_SITES];
	struct site others;
};

/*
 * Nothing may change for the caller of pcslab: no waiting, no waking of kswapd, nothing
 * from the reserves. Without memory the object stays one of nobody.
 */
static void track_large(struct page *page, unsigned long caller)
{
	struct pcslab_note *note = kmalloc(sizeof(*note), __GFP_NOWARN | __GFP_NOMEMALLOC);

	if (!note)
		return;
	note->class = (struct pcslab_class *)page_private(page);
	note->caller = caller;
	/* Release: pairs with the address dependency of those who read the note. */
	smp_store_release(&page->private, (unsigned long)note | 1);
}

/**
 * pcslab_track_alloc() - remember who allocated an object
 * @obj: just allocated
 * @caller: return address of the call
 */
void pcslab_track_alloc(const void *obj, unsigned long caller)
{
	struct pcslab_slab *slab = slab_of(obj);
	u8 *state;

	if (!slab)
		track_large(virt_to_page(obj), caller);
	else if (find_state(slab, obj, &state))
		WRITE_ONCE(pcslab_callers(slab)[state - slab->state], caller);
}

/**
 * pcslab_untrack_large() - forget who allocated a large object
 * @page: its first page, claimed
 *
 * The note stays for those who have found it under its tag: heap_of(), bad frees, and
 * walks of the large objects.
 *
 * Return: its class, which private leads to from now on.
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

static void add(struct sites *sites, unsigned long caller, u64 bytes)
{
	struct site *site = &sites->others;
	unsigned int i;

	for (i = 0; i < sites->nr && sites->site[i].caller != caller; i++)
		;
	if (i < NR_SITES) {
		site = &sites->site[i];
		site->caller = caller;
		sites->nr = max(sites->nr, i + 1);
	}
	site->objects++;
	site->bytes += bytes;
}

static void add_slab(struct sites *sites, struct pcslab_slab *slab)
{
	const unsigned long *callers = pcslab_callers(slab);
	unsigned int i, nr = slab->nr;

	for (i = 0; i < nr; i++) {
		if (READ_ONCE(slab->state[i]) == PCSLAB_LIVE)
			add(sites, READ_ONCE(callers[i]), slab->class->size);
	}
}

static void add_class(struct sites *sites, struct pcslab_class *class)
{
	struct pcslab_slab *slab;
	int node;

	rcu_read_lock();
	for_each_node_state(node, N_MEMORY) {
		list_for_each_entry_rcu(slab, &class->depot[node].all, all)
			add_slab(sites, slab);
	}
	rcu_read_unlock();
}

static void add_large(struct page *page, void *sites)
{
	struct pcslab_note *note;
	void *owner;

	if (!page_owner(page, &pcslab_large_tag, &owner))
		return;		/* it is just being freed */
	note = large_note(owner);
	add(sites, note ? note->caller : 0, PAGE_SIZE << compound_order(page));
}

static int by_bytes(const void *a, const void *b)
{
	u64 x = ((const struct site *)a)->bytes, y = ((const struct site *)b)->bytes;

	return x < y ? 1 : -(x > y);
}

static struct sites *collect(struct pcslab_heap *heap)
{
	struct sites *sites = kvzalloc(sizeof(*sites), GFP_KERNEL);
	struct pcslab_class *class = NULL;

	if (!sites)
		return NULL;
	while ((class = pcslab_next_size_class(heap, class)))
		add_class(sites, class);
	pcslab_large_walk(heap, add_large, sites);
	sort(sites->site, sites->nr, sizeof(sites->site[0]), by_bytes, NULL);
	return sites;
}

/**
 * pcslab_track_report() - say in the log who allocated what is live
 * @heap: the heap
 */
void pcslab_track_report(struct pcslab_heap *heap)
{
	struct sites *sites = collect(heap);
	unsigned int i;

	if (!sites)
		return;
	for (i = 0; i < sites->nr; i++)
		pr_warn("pcslab: heap %s: %llu objects live, %llu bytes, allocated by %pS\n",
			heap->name, sites->site[i].objects, sites->site[i].bytes,
			(void *)sites->site[i].caller);
	if (sites->others.objects)
		pr_warn("pcslab: heap %s: %llu objects live, %llu bytes, allocated by others\n",
			heap->name, sites->others.objects, sites->others.bytes);
	kvfree(sites);
}

/**
 * pcslab_track_show() - the same as lines of a file
 * @m: where to
 * @heap: the heap
 *
 * Return: 0 or -ENOMEM.
 */
int pcslab_track_show(struct seq_file *m, struct pcslab_heap *heap)
{
	struct sites *sites = collect(heap);
	unsigned int i;

	if (!sites)
		return -ENOMEM;
	for (i = 0; i < sites->nr; i++)
		seq_printf(m, "%10llu %12llu %pS\n", sites->site[i].objects,
			   sites->site[i].bytes, (void *)sites->site[i].caller);
	if (sites->others.objects)
		seq_printf(m, "%10llu %12llu others\n", sites->others.objects,
			   sites->others.bytes);
	kvfree(sites);
	return 0;
}
