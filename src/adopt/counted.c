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
 * No locks. Context: as the functions they stand for.
 */
#include <linux/dma-mapping.h>
#include <linux/gfp.h>
#include <linux/mm.h>
#include <linux/percpu.h>
#include <linux/seq_file.h>
#include <linux/slab.h>
#include <linux/vmalloc.h>

#include "adopt.h"
#include "compat.h"
#include "standin.h"

static const struct {
	const char *name;
	bool sized;	/* a free says how much it frees */
} kinds[ADOPT_KINDS] = {
	[ADOPT_SLAB] = { "slab", true },
	[ADOPT_VMALLOC] = { "vmalloc", false },
	[ADOPT_PAGES] = { "pages", true },
	[ADOPT_DMA] = { "dma", true },
	[ADOPT_PERCPU] = { "percpu", false },
};

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

/**
 * adopt_report_counts() - log what a module has not freed itself
 * @module: its name
 * @h: its handle
 *
 * Context: any.
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
}

static __always_inline void *counted(struct adopt_handle *h, enum adopt_kind kind, void *obj,
				     size_t bytes)
{
	if (obj)
		adopt_count_allocs(h, kind, 1, bytes);
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

	if (got)
		adopt_count_allocs(h, ADOPT_SLAB, n, n * kmem_cache_size(s));
	return got;
}

COUNTED(void, kmem_cache_free, struct kmem_cache *s, void *obj)
{
	adopt_count_frees(h, ADOPT_SLAB, 1, kmem_cache_size(s));
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
	adopt_count_frees(h, ADOPT_VMALLOC, 1, 0);
	vfree(addr);
}

static __always_inline void *counted_pages(struct adopt_handle *h, void *pages,
					   unsigned int order)
{
	return counted(h, ADOPT_PAGES, pages, PAGE_SIZE << order);
}

COUNTED(struct page *, COMPAT_NOPROF(alloc_pages), gfp_t gfp, unsigned int order)
{
	return counted_pages(h, alloc_pages(gfp, order), order);
}

COUNTED(struct page *, COMPAT_PAGES_NODE, COMPAT_PAGES_NODE_PARAMS)
{
	return counted_pages(h, COMPAT_PAGES_NODE_KERNEL, order);
}

COUNTED(unsigned long, COMPAT_GET_FREE_PAGES, gfp_t gfp, unsigned int order)
{
	return (unsigned long)counted_pages(h, (void *)__get_free_pages(gfp, order), order);
}

COUNTED(unsigned long, COMPAT_NOPROF(get_zeroed_page), gfp_t gfp)
{
	return (unsigned long)counted_pages(h, (void *)get_zeroed_page(gfp), 0);
}

COUNTED(void *, COMPAT_NOPROF(alloc_pages_exact), size_t size, gfp_t gfp)
{
	return counted(h, ADOPT_PAGES, alloc_pages_exact(size, gfp), PAGE_ALIGN(size));
}

COUNTED(void, __free_pages, struct page *page, unsigned int order)
{
	adopt_count_frees(h, ADOPT_PAGES, 1, PAGE_SIZE << order);
	__free_pages(page, order);
}

COUNTED(void, free_pages, unsigned long addr, unsigned int order)
{
	if (addr)
		adopt_count_frees(h, ADOPT_PAGES, 1, PAGE_SIZE << order);
	free_pages(addr, order);
}

COUNTED(void, free_pages_exact, void *addr, size_t size)
{
	if (addr)
		adopt_count_frees(h, ADOPT_PAGES, 1, PAGE_ALIGN(size));
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
		adopt_count_frees(h, ADOPT_DMA, 1, size);
	dma_free_attrs(dev, size, addr, dma, attrs);
}

static __always_inline void __percpu *counted_percpu(struct adopt_handle *h, void __percpu *p,
						     size_t size)
{
	if (p)
		adopt_count_allocs(h, ADOPT_PERCPU, 1, size);
	return p;
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
		adopt_count_frees(h, ADOPT_PERCPU, 1, 0);
	free_percpu(p);
}
