// SPDX-License-Identifier: GPL-2.0
/*
 * Objects that may come from vmalloc
 *
 * An object above a page for which there are no contiguous pages, or that is
 * above the page allocator's largest order, is a large object from vmalloc. It
 * is listed and counted as any large object (large.c). Its first page has the
 * marks of one (page.h), with the tag pcslab_vmalloc_tag while it is live, and
 * private leads to a struct pcslab_area, which has the address and the number
 * of pages.
 *
 * The address leads to the page through the kernel's page tables. Any address
 * of vmalloc may be looked up: the page need not exist (ioremap()), so it is
 * read with a fixup. The area's own address must be the one that was looked up,
 * because vmap() can map a page a second time.
 *
 * vfree() may sleep. A free in a context that must not has a work item call it.
 *
 * Locks: none but those of large.c.
 * Context: allocating as the caller's flags say. Freeing any but NMI, where
 *	nmi.c defers it.
 */
#include <linux/kernel.h>
#include <linux/llist.h>
#include <linux/mm.h>
#include <linux/preempt.h>
#include <linux/rcupdate.h>
#include <linux/sched/mm.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/vmalloc.h>
#include <linux/workqueue.h>

#include "arch.h"
#include "compat.h"
#include "event.h"
#include "hooks.h"
#include "internal.h"
#include "page.h"

/* Flags for the kernel's allocations. Later kernels warn of others. */
#define AREA_GFP (GFP_USER | __GFP_HIGH | __GFP_ZERO | __GFP_NOFAIL | __GFP_NORETRY | \
		  __GFP_RETRY_MAYFAIL | __GFP_NOWARN)

/* Pages of the longest area so far. */
static unsigned long longest;

/* Areas that wait for vfree(). */
static LLIST_HEAD(doomed);

/* The pages are gone. An area has a reference to its heap. */
static void area_gone(struct pcslab_area *area)
{
	struct pcslab_heap *heap = area->note.class->heap;

	pcslab_uncharge(heap, area->pages);
	WRITE_ONCE(area->addr, NULL);	/* it would hide a leak (leaks.c) */
	kfree_rcu(&area->note, rcu);
	pcslab_heap_put(heap);
}

static void area_free(struct pcslab_area *area)
{
	vfree(area->addr);
	area_gone(area);
}

static void free_doomed(struct work_struct *unused)
{
	struct pcslab_area *area, *next;

	llist_for_each_entry_safe(area, next, llist_del_all(&doomed), link)
		area_free(area);
}

/* At exit nothing has to be done: the workqueue is drained. */
static DECLARE_WORK(doomed_work, free_doomed);

/**
 * pcslab_area_wait() - wait until areas that are on their way out are gone
 *
 * Context: process. May sleep.
 */
void pcslab_area_wait(void)
{
	flush_work(&doomed_work);
}

/* False where it is not certain: without PREEMPT_COUNT it never is. */
static bool may_sleep(void)
{
	return preemptible() && !rcu_preempt_depth();
}

/**
 * pcslab_area_lost() - find out whether vfree() was called on an object
 * @page: first page of the object
 * @area: its area
 *
 * Context: any.
 * Return: true if the object's address does not lead to its page any more.
 */
bool pcslab_area_lost(struct page *page, const struct pcslab_area *area)
{
	return vmalloc_to_page(area->addr) != page;
}

/**
 * pcslab_area_put() - give an area back to vmalloc
 * @page: its first page, without marks
 * @area: the area, freed as well
 *
 * Context: any but NMI.
 */
void pcslab_area_put(struct page *page, struct pcslab_area *area)
{
	pcslab_refs_put(page, false);
	if (pcslab_area_lost(page, area)) {
		__free_page(page);
		area_gone(area);
	} else if (may_sleep()) {
		area_free(area);
	} else if (llist_add(&area->link, &doomed)) {
		queue_work(pcslab_wq, &doomed_work);
	}
}

/* True if an object, live or waiting, starts at @addr, which leads to @page. */
static bool area_starts(struct page *page, const void *addr)
{
	struct pcslab_area *area;
	bool starts = false;
	void *owner;

	if (!page_has_tag(page, &pcslab_vmalloc_tag) && !page_has_tag(page, &pcslab_rcu_tag))
		return false;
	preempt_disable();	/* keeps the area */
	if (large_owner(page, &owner)) {
		area = large_area(owner);
		starts = area && area->addr == addr;
	}
	preempt_enable();
	return starts;
}

/**
 * pcslab_area_page() - find an object from vmalloc
 * @obj: any address
 * @tag: pcslab_vmalloc_tag for a live object, pcslab_rcu_tag for one that waits
 *	for a grace period
 *
 * Context: any.
 * Return: the first page of the object that starts at @obj, or NULL.
 */
struct page *pcslab_area_page(const void *obj, const unsigned long *tag)
{
	struct page *page;

	if (!PAGE_ALIGNED(obj) || !is_vmalloc_addr(obj))
		return NULL;
	page = vmalloc_to_page(obj);
	if (!page || !page_has_tag(page, tag) || !area_starts(page, obj))
		return NULL;
	return page;
}

/**
 * pcslab_area_page_around() - find the object from vmalloc around an address
 * @obj: any address
 *
 * Goes from page to page, down to the hole below the area. This is for reports
 * of bad frees, and for the callback of a free that waited for a grace period,
 * which has an address close to the start.
 *
 * Context: any.
 * Return: the first page of the object, or NULL.
 */
struct page *pcslab_area_page_around(const void *obj)
{
	unsigned long pages = READ_ONCE(longest);
	struct page *page;

	obj = PTR_ALIGN_DOWN(obj, PAGE_SIZE);
	for (; pages && is_vmalloc_addr(obj); pages--, obj -= PAGE_SIZE) {
		page = vmalloc_to_page(obj);
		if (!page)
			break;
		if (area_starts(page, obj))
			return page;
	}
	return NULL;
}

/* Take an area whose pages are charged to the heap's cgroup. */
static void *area_get_charged(struct pcslab_heap *heap, size_t size, gfp_t gfp)
{
	struct mem_cgroup *before = set_active_memcg(heap->memcg);
	void *addr = __vmalloc(size, (gfp & AREA_GFP) | __GFP_ACCOUNT);

	set_active_memcg(before);
	return addr;
}

/* Only these two functions of vmalloc are there for modules and take a node. */
static void *area_get(struct pcslab_heap *heap, size_t size, gfp_t gfp, int node)
{
	if (heap->memcg)
		return area_get_charged(heap, size, gfp);
	if (node == NUMA_NO_NODE || (gfp & ~__GFP_ZERO) != GFP_KERNEL)
		return __vmalloc(size, gfp & AREA_GFP);
	return gfp & __GFP_ZERO ? vzalloc_node(size, node) : vmalloc_node(size, node);
}

/* area_get(), with the heap charged for the pages. */
static void *area_get_pages(struct pcslab_heap *heap, size_t size, gfp_t gfp, int node)
{
	void *addr;

	if (!pcslab_charge(heap, PFN_UP(size), gfp))
		return NULL;
	addr = area_get(heap, size, gfp, node);
	if (!addr)
		pcslab_charge_undo(heap, PFN_UP(size));
	return addr;
}

/* An object's area, which is not marked yet. */
static struct pcslab_area *area_create(struct pcslab_heap *heap, size_t size, gfp_t gfp,
				       int node)
{
	struct pcslab_area *area;

	if (pcslab_should_fail(gfp))
		return NULL;
	area = kzalloc(sizeof(*area), gfp & AREA_GFP);
	if (!area)
		return NULL;
	hook_metadata(area);
	area->pages = PFN_UP(size);
	area->addr = area_get_pages(heap, size, gfp, node);
	if (area->addr) {
		refcount_inc(&heap->refs);
		return area;
	}
	kfree(area);
	return NULL;
}

static void remember_length(unsigned long pages)
{
	unsigned long old = READ_ONCE(longest);

	while (pages > old && !try_cmpxchg(&longest, &old, pages))
		;
}

static void *area_alloc(struct pcslab_heap *heap, size_t size, gfp_t gfp, int node)
{
	struct pcslab_plea plea = pcslab_plea(heap, gfp);
	struct pcslab_class *class;
	struct pcslab_area *area;
	struct page *page;

	class = pcslab_class_at(heap, PCSLAB_LARGE) ?:
		pcslab_class_make(heap, PCSLAB_LARGE, gfp);
	if (!class)
		return NULL;
	do {
		area = area_create(heap, size, plea.gfp, node);
	} while (!area && pcslab_plea_retry(heap, PFN_UP(size), &plea));
	if (!area)
		return NULL;
	area->note.class = class;
	remember_length(area->pages);
	page = vmalloc_to_page(area->addr);
	pcslab_mark(page, (unsigned long)&pcslab_vmalloc_tag,
		    (void *)area + (PAGE_HAS_NOTE | PAGE_HAS_AREA));
	pcslab_large_add(heap, page, area->pages << PAGE_SHIFT);
	return area->addr;
}

/* As the kernel's kvmalloc(). No message for n * size that overflowed. */
static bool may_vmalloc(size_t size, gfp_t gfp)
{
	if (!gfpflags_allow_blocking(gfp))
		return false;
	if (size <= INT_MAX)
		return true;
	WARN_ON_ONCE(!(gfp & __GFP_NOWARN) && size != SIZE_MAX);
	return false;
}

/*
 * As the kernel's kvmalloc(): there is another way, so contiguous pages are not
 * worth reclaim, unless the caller prefers them.
 */
static gfp_t gfp_for_pages(gfp_t gfp)
{
	if (!(gfp & __GFP_RETRY_MAYFAIL))
		gfp &= ~__GFP_DIRECT_RECLAIM;
	return (gfp | __GFP_NOWARN) & ~__GFP_NOFAIL;
}

static void *kvalloc_large(struct pcslab_heap *heap, size_t size, gfp_t gfp, int node,
			   unsigned long caller)
{
	void *obj;

	/* Smaller ones may be in a magazine. */
	if (size > PCSLAB_MAX_SIZE)
		pcslab_rcu_throttle(heap, size, gfp);
	obj = pcslab_take(heap, size, gfp_for_pages(gfp), node, caller);
	if (obj || !may_vmalloc(size, gfp))
		return obj;
	obj = area_alloc(heap, size, gfp, pcslab_node_wanted(node));
	if (!obj)
		return NULL;
	if (heap->flags & PCSLAB_HEAP_TRACK)
		pcslab_track_alloc(obj, caller);
	pcslab_event_alloc(heap, obj, size, PAGE_ALIGN(size), gfp, node, caller);
	return obj;
}

/* vmalloc cannot be told to take pages of one node only, or of some zones. */
static void *kvalloc_for(struct pcslab_heap *heap, size_t size, gfp_t gfp, int node,
			 unsigned long caller)
{
	void *obj = NULL;

	if (size <= PAGE_SIZE || gfp & (__GFP_THISNODE | __GFP_DMA | __GFP_DMA32))
		return pcslab_alloc_for(heap, size, gfp, node, caller);
	might_alloc(gfp);
	if (pcslab_may_alloc(heap, size, gfp))
		obj = kvalloc_large(heap, size, gfp & ~__GFP_ACCOUNT, node, caller);
	if (!obj)
		return pcslab_alloc_failed(heap, size > PCSLAB_MAX_SIZE ? PCSLAB_LARGE :
						 pcslab_class_index(size), caller);
	if (gfp & __GFP_ACCOUNT)
		pcslab_count_unaccounted(heap);
	return obj;
}

/**
 * pcslab_kvalloc_node() - allocate an object on a node, if need be from vmalloc
 * @heap: the heap to take it from
 * @size: bytes wanted
 * @gfp: as for pcslab_kvalloc(); with __GFP_THISNODE nothing is taken from
 *	vmalloc
 * @node: as for pcslab_alloc_node(). An object from vmalloc has it as a
 *	preference, and only if @gfp is GFP_KERNEL, with or without __GFP_ZERO,
 *	and the heap is not charged to a cgroup
 *
 * Context: as pcslab_kvalloc().
 * Return: as pcslab_kvalloc().
 */
void *pcslab_kvalloc_node(struct pcslab_heap *heap, size_t size, gfp_t gfp, int node)
{
	return kvalloc_for(heap, size, gfp, node, _RET_IP_);
}
EXPORT_SYMBOL_NS_GPL(pcslab_kvalloc_node, "PCSLAB");

/**
 * pcslab_kvmemdup() - allocate a copy of memory, if need be from vmalloc
 * @heap: the heap to take it from
 * @src: the memory
 * @len: bytes
 * @gfp: as for pcslab_kvalloc()
 *
 * Context: as pcslab_kvalloc().
 * Return: as pcslab_kvalloc().
 */
void *pcslab_kvmemdup(struct pcslab_heap *heap, const void *src, size_t len, gfp_t gfp)
{
	void *copy = kvalloc_for(heap, len, gfp, NUMA_NO_NODE, _RET_IP_);

	if (!ZERO_OR_NULL_PTR(copy))
		memcpy(copy, src, len);
	return copy;
}
EXPORT_SYMBOL_NS_GPL(pcslab_kvmemdup, "PCSLAB");

/**
 * pcslab_kvrealloc() - change the size of an object, if need be with vmalloc
 * @heap: the heap the result must belong to
 * @obj: an object of any heap, of any size, NULL or ZERO_SIZE_PTR
 * @size: bytes wanted
 * @gfp: as for pcslab_kvalloc()
 *
 * The rules are those of pcslab_realloc(), but a new object is allocated as by
 * pcslab_kvalloc(). kvrealloc() has the same rules in kernels from 6.12 on,
 * except that for a @size of 0 it returns NULL if @obj is from vmalloc.
 *
 * Context: as pcslab_kvalloc().
 * Return: as pcslab_realloc().
 */
void *pcslab_kvrealloc(struct pcslab_heap *heap, const void *obj, size_t size, gfp_t gfp)
{
	return pcslab_realloc_for(heap, obj, size, gfp, NUMA_NO_NODE, _RET_IP_, kvalloc_for);
}
EXPORT_SYMBOL_NS_GPL(pcslab_kvrealloc, "PCSLAB");
