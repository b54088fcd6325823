// SPDX-License-Identifier: GPL-2.0
/*
 * Memory that the kernel gives to adopted modules: counted, not replaced
 *
 * A kmem_cache has a constructor, readers under RCU and users in the kernel;
 * pages and areas of vmalloc() are mapped, and freed by whoever drops the last
 * reference; what DMA and CPUs need only the kernel has. So this memory stays
 * the kernel's, and is only counted: in the module's calls, by kind.
 *
 * What the kernel frees for the module is not seen, as the pages of a page
 * cache, or objects of a mempool; nor is a free by another name, as kfree() of
 * an object of a kmem_cache. So the difference of allocations and frees is
 * what is live, or what others have freed; it is negative if the module frees
 * what others have allocated.
 *
 * With the parameter track, each object is recorded with the call in the module
 * that got it (live.c), until the module frees it. If the kernel has freed it,
 * it stays recorded until the module gets the same address again.
 *
 * No locks. Context: as the functions they stand for.
 */
#include <linux/dma-mapping.h>
#include <linux/gfp.h>
#include <linux/mempool.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/moduleparam.h>
#include <linux/percpu.h>
#include <linux/seq_file.h>
#include <linux/slab.h>
#include <linux/vmalloc.h>

#include "adopt.h"
#include "compat.h"
#include "live.h"
#include "standin.h"

static unsigned int counted_objects = 65536;
module_param(counted_objects, uint, 0444);
MODULE_PARM_DESC(counted_objects, "live objects of an adopted module, other than its heap's, whose call sites are remembered (default: 65536; 40 bytes each)");

#define OBJECTS_PER_BUCKET	8

static const struct {
	const char *name;
	bool sized;	/* a free says how much it frees */
	bool recorded;	/* who allocates it also frees it, as a rule */
} kinds[ADOPT_KINDS] = {
	[ADOPT_SLAB] = { "slab", true, true },
	[ADOPT_VMALLOC] = { "vmalloc", false, true },
	[ADOPT_PAGES] = { "pages", true, true },
	[ADOPT_DMA] = { "dma", true, true },
	[ADOPT_PERCPU] = { "percpu", false, true },
	[ADOPT_MEMPOOL] = { "mempool", true, true },
	[ADOPT_SKB] = { "skb", false, false },
};

/* All addresses of code have the same top byte; the kind takes its place. */
static unsigned long key_of(enum adopt_kind kind, unsigned long call)
{
	return call << 8 | kind;
}

/* The key of the site for what finds no room is 0. */
static const char *kind_of(const struct live_row *row)
{
	return row->key ? kinds[row->key & 0xff].name : "-";
}

static bool is_recorded(const struct live_row *row)
{
	return !row->key || kinds[row->key & 0xff].recorded;
}

static const char *name_of(const struct live_row *row)
{
	return row->key ? row->name ?: "unknown" : "others";
}

static struct live_site *site_of(struct live *t, enum adopt_kind kind, unsigned long call)
{
	struct live_site *site = live_site_of(t, key_of(kind, call));

	if (site->key && !READ_ONCE(site->name))
		WRITE_ONCE(site->name, __pcslab_site_name(call));
	return site;
}

static void record(struct live *t, enum adopt_kind kind, const void *obj, size_t bytes,
		   unsigned long call)
{
	struct live_site *site = site_of(t, kind, call);

	if (!kinds[kind].recorded) {
		atomic_long_inc(site->key ? &site->allocs : &t->lost);
		return;
	}
	if (live_may_be_recorded(t, obj))
		live_forget(t, obj, false);
	while (!live_record(t, site, obj, bytes)) {
		if (!live_fill(t)) {
			atomic_long_inc(&t->lost);
			return;
		}
	}
}

/**
 * adopt_count_alloc() - count an object that a module got from the kernel
 * @h: handle of the module
 * @kind: of the object
 * @obj: what tells it from others that are live
 * @bytes: its size
 * @call: return address in the module
 *
 * A preempted caller may continue on another CPU: only the sum over all CPUs
 * has a meaning.
 *
 * Context: any.
 */
void adopt_count_alloc(struct adopt_handle *h, enum adopt_kind kind, const void *obj,
		       size_t bytes, unsigned long call)
{
	this_cpu_inc(h->counts->allocs[kind]);
	this_cpu_add(h->counts->bytes[kind], bytes);
	if (h->live)
		record(h->live, kind, obj, bytes, call);
}

/**
 * adopt_count_free() - count an object that a module gives back to the kernel
 * @h: handle of the module
 * @kind: of the object
 * @obj: the object, which is still the module's
 * @bytes: its size; 0 if that is not known
 *
 * Context: any.
 */
void adopt_count_free(struct adopt_handle *h, enum adopt_kind kind, const void *obj,
		      size_t bytes)
{
	this_cpu_inc(h->counts->frees[kind]);
	this_cpu_sub(h->counts->bytes[kind], bytes);
	if (h->live && live_may_be_recorded(h->live, obj))
		live_forget(h->live, obj, true);
}

/**
 * adopt_counts_init() - make what a module counts in
 * @h: its handle
 *
 * Context: process. May sleep.
 * Return: 0 or -ENOMEM; nothing is left then.
 */
int adopt_counts_init(struct adopt_handle *h)
{
	int err = 0;

	h->counts = alloc_percpu(struct adopt_counts);
	if (!h->counts)
		return -ENOMEM;
	if (adopt_track) {
		h->live = kvzalloc(sizeof(*h->live), GFP_KERNEL);
		err = h->live ? live_init(h->live, counted_objects / OBJECTS_PER_BUCKET,
					  counted_objects) : -ENOMEM;
	}
	if (err)
		adopt_counts_exit(h);
	return err;
}

/* Where modules count that have gone: their parameters are freed after that. */
static DEFINE_PER_CPU(struct adopt_counts, gone);

/**
 * adopt_counts_exit() - free what a module counts in; later calls are not shown
 * @h: its handle
 *
 * Context: process. May sleep.
 */
void adopt_counts_exit(struct adopt_handle *h)
{
	struct adopt_counts __percpu *counts = h->counts;
	struct live *live = h->live;

	h->counts = &gone;
	h->live = NULL;
	synchronize_rcu();
	free_percpu(counts);
	if (live)
		live_exit(live);
	kvfree(live);
}

/* Sums of one kind. */
struct sums {
	long allocs, frees, bytes;
};

/*
 * Allocations last: of an object whose free is seen, the allocation is seen,
 * too, on x86.
 */
static struct sums sums_of(const struct adopt_handle *h, enum adopt_kind kind)
{
	struct sums sums = {};
	unsigned int cpu;

	for_each_possible_cpu(cpu)
		sums.frees += READ_ONCE(per_cpu_ptr(h->counts, cpu)->frees[kind]);
	smp_rmb();	/* the counters are written in the order of the calls */
	for_each_possible_cpu(cpu) {
		sums.allocs += READ_ONCE(per_cpu_ptr(h->counts, cpu)->allocs[kind]);
		sums.bytes += READ_ONCE(per_cpu_ptr(h->counts, cpu)->bytes[kind]);
	}
	return sums;
}

/**
 * adopt_show_counts() - show the kinds that a module has used
 * @m: where to
 * @module: its name
 * @h: its handle
 *
 * Context: any.
 */
void adopt_show_counts(struct seq_file *m, const char *module, const struct adopt_handle *h)
{
	enum adopt_kind kind;
	struct sums sums;

	for (kind = 0; kind < ADOPT_KINDS; kind++) {
		sums = sums_of(h, kind);
		if (!sums.allocs && !sums.frees)
			continue;
		seq_printf(m, "%s %s %ld %ld %ld ", module, kinds[kind].name, sums.allocs,
			   sums.frees, sums.allocs - sums.frees);
		if (kinds[kind].sized)
			seq_printf(m, "%ld\n", sums.bytes);
		else
			seq_puts(m, "-\n");
	}
}

/* Where the rows of a module go. */
struct output {
	struct seq_file *m;
	const char *module;
};

static void show_site(const struct live_row *row, void *arg)
{
	const struct output *out = arg;

	seq_printf(out->m, "%s %s %ld ", out->module, kind_of(row), row->allocs);
	if (is_recorded(row))
		seq_printf(out->m, "%ld %ld %ld %ld ", row->frees, row->unseen, row->live,
			   row->bytes);
	else
		seq_puts(out->m, "- - - - ");
	seq_printf(out->m, "%s\n", name_of(row));
}

/**
 * adopt_show_sites() - show the calls of a module that got memory
 * @m: where to
 * @module: its name
 * @h: its handle
 *
 * Context: process. May sleep.
 * Return: 0 or -ENOMEM.
 */
int adopt_show_sites(struct seq_file *m, const char *module, const struct adopt_handle *h)
{
	struct output out = { m, module };
	unsigned long lost;

	if (!h->live)
		return 0;
	lost = atomic_long_read(&h->live->lost);
	if (lost)
		seq_printf(m, "# %s: %lu not recorded (counted_objects=%u)\n", module, lost,
			   counted_objects);
	return live_visit(h->live, &out, show_site);
}

static void report_site(const struct live_row *row, void *module)
{
	if (is_recorded(row) && row->live)
		pr_info("%s goes: %s: %ld not freed by it, %ld bytes, allocated by %s\n",
			(char *)module, kind_of(row), row->live, row->bytes, name_of(row));
}

/**
 * adopt_report_counts() - log what a module has not freed itself
 * @module: its name
 * @h: its handle
 *
 * Context: process. May sleep.
 */
void adopt_report_counts(const char *module, const struct adopt_handle *h)
{
	enum adopt_kind kind;
	struct sums sums;

	for (kind = 0; kind < ADOPT_KINDS; kind++) {
		sums = sums_of(h, kind);
		if (sums.allocs != sums.frees)
			pr_info("%s goes: %s: %ld allocated, %ld freed by it\n", module,
				kinds[kind].name, sums.allocs, sums.frees);
	}
	if (h->live && live_visit(h->live, (void *)module, report_site))
		pr_err("%s goes: no memory for a report of call sites\n", module);
}

static __always_inline void *counted(struct adopt_handle *h, enum adopt_kind kind, void *obj,
				     size_t bytes)
{
	if (obj)
		adopt_count_alloc(h, kind, obj, bytes, _RET_IP_);
	return obj;
}

static __always_inline void *counted_slab(struct adopt_handle *h, struct kmem_cache *s, void *obj)
{
	return counted(h, ADOPT_SLAB, obj, kmem_cache_size(s));
}

COUNTED(void *, COMPAT_NOPROF(kmem_cache_alloc), struct kmem_cache *s, gfp_t gfp)
{
	return counted_slab(h, s, kmem_cache_alloc(s, gfp));
}

COUNTED(void *, COMPAT_NOPROF(kmem_cache_alloc_lru), struct kmem_cache *s, struct list_lru *lru,
	gfp_t gfp)
{
	return counted_slab(h, s, kmem_cache_alloc_lru(s, lru, gfp));
}

COUNTED(void *, COMPAT_NOPROF(kmem_cache_alloc_node), struct kmem_cache *s, gfp_t gfp, int node)
{
	return counted_slab(h, s, kmem_cache_alloc_node(s, gfp, node));
}

/* All or none. */
COUNTED(COMPAT_BULK, COMPAT_NOPROF(kmem_cache_alloc_bulk), struct kmem_cache *s, gfp_t gfp,
	size_t n, void **objs)
{
	COMPAT_BULK got = kmem_cache_alloc_bulk(s, gfp, n, objs);
	size_t i;

	for (i = 0; got && i < n; i++)
		adopt_count_alloc(h, ADOPT_SLAB, objs[i], kmem_cache_size(s), _RET_IP_);
	return got;
}

COUNTED(void, kmem_cache_free, struct kmem_cache *s, void *obj)
{
	adopt_count_free(h, ADOPT_SLAB, obj, kmem_cache_size(s));
	kmem_cache_free(s, obj);
}

COUNTED(void *, COMPAT_NOPROF(vmalloc), unsigned long size)
{
	return counted(h, ADOPT_VMALLOC, vmalloc(size), size);
}

COUNTED(void *, COMPAT_NOPROF(vzalloc), unsigned long size)
{
	return counted(h, ADOPT_VMALLOC, vzalloc(size), size);
}

COUNTED(void *, COMPAT_NOPROF(vmalloc_user), unsigned long size)
{
	return counted(h, ADOPT_VMALLOC, vmalloc_user(size), size);
}

COUNTED(void *, COMPAT_NOPROF(vmalloc_32), unsigned long size)
{
	return counted(h, ADOPT_VMALLOC, vmalloc_32(size), size);
}

COUNTED(void *, COMPAT_NOPROF(vmalloc_node), unsigned long size, int node)
{
	return counted(h, ADOPT_VMALLOC, vmalloc_node(size, node), size);
}

COUNTED(void *, COMPAT_NOPROF(vzalloc_node), unsigned long size, int node)
{
	return counted(h, ADOPT_VMALLOC, vzalloc_node(size, node), size);
}

COUNTED(void *, COMPAT_NOPROF(__vmalloc), unsigned long size, gfp_t gfp)
{
	return counted(h, ADOPT_VMALLOC, __vmalloc(size, gfp), size);
}

COUNTED(void *, COMPAT_NOPROF(vmalloc_array), size_t n, size_t size)
{
	return counted(h, ADOPT_VMALLOC, vmalloc_array(n, size), size_mul(n, size));
}

COUNTED(void *, COMPAT_NOPROF(__vmalloc_array), size_t n, size_t size, gfp_t gfp)
{
	return counted(h, ADOPT_VMALLOC, __vmalloc_array(n, size, gfp), size_mul(n, size));
}

COUNTED(void *, COMPAT_NOPROF(vcalloc), size_t n, size_t size)
{
	return counted(h, ADOPT_VMALLOC, vcalloc(n, size), size_mul(n, size));
}

COUNTED(void *, COMPAT_NOPROF(__vcalloc), size_t n, size_t size, gfp_t gfp)
{
	return counted(h, ADOPT_VMALLOC, __vcalloc(n, size, gfp), size_mul(n, size));
}

/* An object of the heap may be an area, if kvmalloc() allocated it. */
COUNTED(void, vfree, const void *addr)
{
	if (!addr || __pcslab_try_free(addr))
		return;
	adopt_count_free(h, ADOPT_VMALLOC, addr, 0);
	vfree(addr);
}

/* What has an address is told from others by its first page, as the rest is. */
static __always_inline struct page *counted_pages(struct adopt_handle *h, struct page *pages,
						  size_t bytes)
{
	return counted(h, ADOPT_PAGES, pages, bytes);
}

static __always_inline void *counted_mapped(struct adopt_handle *h, void *addr, size_t bytes)
{
	if (addr)
		counted_pages(h, virt_to_page(addr), bytes);
	return addr;
}

static __always_inline void free_mapped(struct adopt_handle *h, void *addr, size_t bytes)
{
	if (addr)
		adopt_count_free(h, ADOPT_PAGES, virt_to_page(addr), bytes);
}

COUNTED(struct page *, COMPAT_NOPROF(alloc_pages), gfp_t gfp, unsigned int order)
{
	return counted_pages(h, alloc_pages(gfp, order), PAGE_SIZE << order);
}

COUNTED(struct page *, COMPAT_PAGES_NODE, COMPAT_PAGES_NODE_PARAMS)
{
	return counted_pages(h, COMPAT_PAGES_NODE_KERNEL, PAGE_SIZE << order);
}

COUNTED(unsigned long, COMPAT_GET_FREE_PAGES, gfp_t gfp, unsigned int order)
{
	void *addr = (void *)__get_free_pages(gfp, order);

	return (unsigned long)counted_mapped(h, addr, PAGE_SIZE << order);
}

COUNTED(unsigned long, COMPAT_NOPROF(get_zeroed_page), gfp_t gfp)
{
	return (unsigned long)counted_mapped(h, (void *)get_zeroed_page(gfp), PAGE_SIZE);
}

COUNTED(void *, COMPAT_NOPROF(alloc_pages_exact), size_t size, gfp_t gfp)
{
	return counted_mapped(h, alloc_pages_exact(size, gfp), PAGE_ALIGN(size));
}

COUNTED(void, __free_pages, struct page *page, unsigned int order)
{
	adopt_count_free(h, ADOPT_PAGES, page, PAGE_SIZE << order);
	__free_pages(page, order);
}

COUNTED(void, free_pages, unsigned long addr, unsigned int order)
{
	free_mapped(h, (void *)addr, PAGE_SIZE << order);
	free_pages(addr, order);
}

COUNTED(void, free_pages_exact, void *addr, size_t size)
{
	free_mapped(h, addr, PAGE_ALIGN(size));
	free_pages_exact(addr, size);
}

COUNTED(void *, dma_alloc_attrs, struct device *dev, size_t size, dma_addr_t *dma, gfp_t gfp,
	unsigned long attrs)
{
	return counted(h, ADOPT_DMA, dma_alloc_attrs(dev, size, dma, gfp, attrs), size);
}

COUNTED(void, dma_free_attrs, struct device *dev, size_t size, void *addr, dma_addr_t dma,
	unsigned long attrs)
{
	if (addr)
		adopt_count_free(h, ADOPT_DMA, addr, size);
	dma_free_attrs(dev, size, addr, dma, attrs);
}

static __always_inline void __percpu *counted_percpu(struct adopt_handle *h, void __percpu *p,
						     size_t size)
{
	return (void __percpu *)counted(h, ADOPT_PERCPU, (__force void *)p, size);
}

#if COMPAT_HAS_PCPU_ALLOC
COUNTED_GPL(void __percpu *, pcpu_alloc_noprof, size_t size, size_t align, bool reserved,
	    gfp_t gfp)
{
	return counted_percpu(h, pcpu_alloc_noprof(size, align, reserved, gfp), size);
}
#else
COUNTED_GPL(void __percpu *, __alloc_percpu, size_t size, size_t align)
{
	return counted_percpu(h, __alloc_percpu(size, align), size);
}

COUNTED_GPL(void __percpu *, __alloc_percpu_gfp, size_t size, size_t align, gfp_t gfp)
{
	return counted_percpu(h, __alloc_percpu_gfp(size, align, gfp), size);
}
#endif

COUNTED_GPL(void, free_percpu, void __percpu *p)
{
	if (p)
		adopt_count_free(h, ADOPT_PERCPU, (__force void *)p, 0);
	free_percpu(p);
}

/* Those of pools that allocate in a way of their own are not known. */
static size_t element_size(const mempool_t *pool)
{
	if (pool->alloc == mempool_alloc_slab)
		return kmem_cache_size(pool->pool_data);
	if (pool->alloc == mempool_kmalloc)
		return (size_t)pool->pool_data;
	if (pool->alloc == mempool_alloc_pages)
		return PAGE_SIZE << (unsigned long)pool->pool_data;
	return 0;
}

/*
 * What a pool allocates with functions of the module is recorded as what these
 * get, too. No address is odd but here.
 */
static void *element_id(void *element)
{
	return element + 1;
}

static __always_inline void *counted_element(struct adopt_handle *h, mempool_t *pool,
					     void *element)
{
	if (element)
		adopt_count_alloc(h, ADOPT_MEMPOOL, element_id(element), element_size(pool),
				  _RET_IP_);
	return element;
}

COUNTED(void *, COMPAT_NOPROF(mempool_alloc), mempool_t *pool, gfp_t gfp)
{
	return counted_element(h, pool, mempool_alloc(pool, gfp));
}

#if COMPAT_HAS_PREALLOCATED
COUNTED(void *, mempool_alloc_preallocated, mempool_t *pool)
{
	return counted_element(h, pool, mempool_alloc_preallocated(pool));
}
#endif

COUNTED(void, mempool_free, void *element, mempool_t *pool)
{
	if (element)
		adopt_count_free(h, ADOPT_MEMPOOL, element_id(element), element_size(pool));
	mempool_free(element, pool);
}
