// SPDX-License-Identifier: GPL-2.0
/*
 * Foreign frees: kfree() or a similar function, called on an object of pcslab
 *
 * Such a call finds no slab of SLUB at the address and ends in
 * free_large_kmalloc(). Up to 6.13 that drops a reference of the page, and
 * subtracts the page from the kernel's count of slab memory. So our pages have
 * PCSLAB_REF_BIAS more references than they need, and no such call frees a
 * page. The number of missing references tells how many calls there were: each
 * is counted in its heap, reported in the log, and undone. An additional
 * reference (get_page()) is left alone, and hides a foreign free until it is
 * dropped. Later kernels keep a page that is not from kmalloc(), with a
 * warning; there only put_page() and free_pages() drop references.
 *
 * With kprobes, one on free_large_kmalloc() reports each foreign free at once,
 * with the caller's stack. If the kernel keeps the page, the kprobe also counts
 * the free. And it tells which heaps must be searched; without it, all must be.
 *
 * In these cases the object stays live, because its owner has not freed it.
 *
 * vfree() of an object from vmalloc unmaps it and frees its pages, but for the
 * first one. Such an object is found by its first page and freed; the counters
 * have it as freed, too. The kprobe does not see this call.
 *
 * Locks: depot->lock or heap->large_lock, for one slab or object each time.
 * Context: the kprobe any, the rest process.
 */
#include <linux/kprobes.h>
#include <linux/mm.h>
#include <linux/nodemask.h>
#include <linux/poison.h>
#include <linux/printk.h>
#include <linux/ratelimit.h>
#include <linux/rculist.h>
#include <linux/string.h>

#include "compat.h"
#include "internal.h"
#include "lock.h"
#include "page.h"

/* The name of an object's kind in the log. */
struct kind {
	char name[sizeof("large object")];
};

static void name_kind(struct kind *kind, const struct pcslab_class *class)
{
	if (class->index == PCSLAB_LARGE)
		strscpy(kind->name, "large object", sizeof(kind->name));
	else
		snprintf(kind->name, sizeof(kind->name), "class %u", class->size);
}

/**
 * pcslab_foreign_found() - count foreign frees that were found
 * @class: class of the objects
 * @n: number of frees, may be 0
 *
 * Context: any. The caller must hold no lock that other calls wait for, because
 *	this writes to the log.
 */
void pcslab_foreign_found(struct pcslab_class *class, unsigned long n)
{
	static DEFINE_RATELIMIT_STATE(limit, DEFAULT_RATELIMIT_INTERVAL,
				      DEFAULT_RATELIMIT_BURST);
	struct kind kind;

	if (!n)
		return;
	atomic_long_add(n, &class->heap->foreign);
	if (!__ratelimit(&limit))
		return;
	name_kind(&kind, class);
	pr_err("freed by another allocator, %lu times; pages kept (heap %s, %s)\n",
	       n, class->heap->name, kind.name);
}

/*
 * A slab that was removed from the depot is skipped: pcslab_slab_destroy()
 * finds its foreign frees.
 */
static unsigned int find_in_slab(struct pcslab_depot *depot, struct pcslab_slab *slab)
{
	unsigned int n = 0;
	unsigned long flags;

	flags = pcslab_lock(&depot->lock);
	if (slab->all.prev != LIST_POISON2)
		n = pcslab_put_back(virt_to_page(slab->base), true);
	pcslab_unlock(&depot->lock, flags);
	return n;
}

static unsigned long find_in_depot(struct pcslab_depot *depot)
{
	struct pcslab_slab *slab;
	unsigned long n = 0;

	rcu_read_lock();
	list_for_each_entry_rcu(slab, &depot->all, all) {
		if (pcslab_lacking(virt_to_page(slab->base)) > 0)
			n += find_in_slab(depot, slab);
	}
	rcu_read_unlock();
	return n;
}

/*
 * vfree() unmaps an area before it drops the reference. The object is gone
 * then, so this frees it, which is counted.
 */
static void find_large(struct page *page, void *n)
{
	struct pcslab_area *area = large_area((void *)page_private(page));
	unsigned int lacking = pcslab_put_back(page, !area);

	*(unsigned long *)n += lacking;
	if (lacking && area && pcslab_area_lost(page, area) && pcslab_large_claim(page))
		pcslab_defer_large(page);
}

/**
 * pcslab_foreign_find() - find the foreign frees of a heap, and undo them
 * @heap: the heap
 *
 * Loads a word per slab and large object.
 *
 * Context: process. May sleep.
 */
void pcslab_foreign_find(struct pcslab_heap *heap)
{
	struct pcslab_class *class;
	unsigned long n;
	int node;

	pcslab_for_each_size_class(class, heap) {
		n = 0;
		for_each_node_state(node, N_MEMORY)
			n += find_in_depot(&class->depot[node]);
		pcslab_foreign_found(class, n);
	}
	class = pcslab_class_at(heap, PCSLAB_LARGE);
	if (!class)
		return;
	n = 0;
	pcslab_large_walk(heap, find_large, &n);
	pcslab_foreign_found(class, n);
	if (n)
		pcslab_defer_finish();	/* if find_large() has deferred one */
}

#if defined(CONFIG_KPROBES) && defined(CONFIG_HAVE_FUNCTION_ARG_ACCESS_API)

/* The class of the object that contains an address, or NULL. */
static struct pcslab_class *class_of(const void *addr)
{
	struct pcslab_slab *slab = slab_of(addr);

	return slab ? slab->class : large_class_around(addr);
}

/*
 * Preemption is off, which keeps what class_of() finds. In kernels up to 7.3
 * the object is the second argument.
 */
static int __kprobes foreign_see(struct kprobe *unused, struct pt_regs *regs)
{
	static DEFINE_RATELIMIT_STATE(limit, DEFAULT_RATELIMIT_INTERVAL,
				      DEFAULT_RATELIMIT_BURST);
	const void *obj = (const void *)regs_get_kernel_argument(regs, 1);
	struct pcslab_class *class = class_of(obj);
	struct kind kind;

	if (likely(!class))
		return 0;
	atomic_long_inc(&class->heap->foreign_seen);
	if (!COMPAT_KFREE_DROPS_REF)
		atomic_long_inc(&class->heap->foreign);
	if (!__ratelimit(&limit))
		return 0;
	name_kind(&kind, class);
	pr_err("%p is freed by another allocator (heap %s, %s)\n", obj,
	       class->heap->name, kind.name);
	dump_stack();
	return 0;
}

static struct kprobe probe = {
	.symbol_name = "free_large_kmalloc",
	.pre_handler = foreign_see,
};

static bool probed __ro_after_init;
static bool taken_over;		/* pcslab_adopt.ko sees foreign frees first */

void __init pcslab_foreign_init(void)
{
	int err = register_kprobe(&probe);

	probed = !err;
	if (err)
		pr_notice("no kprobe on %s (%d): what another allocator frees is not seen at once\n",
			  probe.symbol_name, err);
}

void __exit pcslab_foreign_exit(void)
{
	if (probed)
		unregister_kprobe(&probe);
}

/**
 * pcslab_foreign_expected() - find out whether a heap must be searched
 * @heap: the heap
 *
 * Return: false if all foreign frees that the kprobe saw are counted.
 */
bool pcslab_foreign_expected(struct pcslab_heap *heap)
{
	return !probed || READ_ONCE(taken_over) || atomic_long_read(&heap->foreign_seen) !=
			  atomic_long_read(&heap->foreign);
}

/**
 * __pcslab_take_escapes() - have another module handle foreign frees, or not
 * @take: true if it does from now on, false if it does no longer
 *
 * pcslab_adopt.ko turns such calls into frees, so they must not be reported and
 * counted as foreign. What it misses is found as if there were no kprobe.
 *
 * Context: process. May sleep.
 */
void __pcslab_take_escapes(bool take)
{
	WRITE_ONCE(taken_over, take);
	if (!probed)
		return;
	if (take)
		disable_kprobe(&probe);
	else if (enable_kprobe(&probe))
		pr_notice("no kprobe on %s any more\n", probe.symbol_name);
}
EXPORT_SYMBOL_NS_GPL(__pcslab_take_escapes, "PCSLAB");

#endif
