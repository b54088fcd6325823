// SPDX-License-Identifier: GPL-2.0
/*
 * The stand-ins: what adopted modules call instead of the kernel's functions
 *
 * An allocation is served by the module's heap; one that pcslab does not serve
 * as the kernel does (of a zone, or charged to a cgroup) is left to the kernel
 * and counted in the handle's native. A free of memory that is not pcslab's
 * goes to the kernel and is counted in foreign.
 *
 * Allocating stand-ins end in a jump to pcslab, so that the module is the
 * caller for it: call sites are the module's. scripts/runs/adopt.run checks
 * that.
 *
 * No locks. Context: as the functions they stand for.
 */
#include <linux/bitmap.h>
#include <linux/device.h>
#include <linux/kernel.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/rcupdate.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/vmalloc.h>

#include "adopt.h"
#include "compat.h"
#include "standin.h"

/* The heap that serves a call, or NULL, which is counted. */
static __always_inline struct pcslab_heap *heap_for(struct adopt_handle *h, gfp_t gfp)
{
	struct pcslab_heap *heap = h->heap;

	if (likely(heap && !(gfp & PCSLAB_GFP_SPECIAL)))
		return heap;
	atomic_long_inc(&h->native);
	return NULL;
}

static __always_inline void *alloc(size_t size, gfp_t gfp, struct adopt_handle *h)
{
	struct pcslab_heap *heap = heap_for(h, gfp);

	return heap ? pcslab_alloc(heap, size, gfp) : kmalloc(size, gfp);
}

static __always_inline void *alloc_node(size_t size, gfp_t gfp, int node,
					struct adopt_handle *h)
{
	struct pcslab_heap *heap = heap_for(h, gfp);

	return heap ? pcslab_alloc_node(heap, size, gfp, node) : kmalloc_node(size, gfp, node);
}

static __always_inline bool free_ours(const void *obj, struct adopt_handle *h)
{
	if (likely(__pcslab_try_free(obj)))
		return true;
	atomic_long_inc(&h->foreign);
	return false;
}

STAND_IN(void *, COMPAT_KMALLOC_CACHE, struct kmem_cache *s, gfp_t gfp, size_t size)
{
	return alloc(size, gfp, h);
}

STAND_IN(void *, COMPAT_KMALLOC_CACHE_NODE, struct kmem_cache *s, gfp_t gfp, int node, size_t size)
{
	return alloc_node(size, gfp, node, h);
}

STAND_IN(void *, COMPAT_KMALLOC, COMPAT_SIZE, gfp_t gfp)
{
	return alloc(size, gfp, h);
}

STAND_IN(void *, COMPAT_KMALLOC_NODE, COMPAT_SIZE_BUCKET, gfp_t gfp, int node)
{
	return alloc_node(size, gfp, node, h);
}

STAND_IN(void *, COMPAT_KMALLOC_LARGE, size_t size, gfp_t gfp)
{
	return alloc(size, gfp, h);
}

STAND_IN(void *, COMPAT_KMALLOC_LARGE_NODE, size_t size, gfp_t gfp, int node)
{
	return alloc_node(size, gfp, node, h);
}

/* The caller that is named is in the module or calls it; the former counts. */
STAND_IN(void *, COMPAT_KMALLOC_TRACK, COMPAT_SIZE_BUCKET, gfp_t gfp, int node,
	 unsigned long caller)
{
	return alloc_node(size, gfp, node, h);
}

/* A size that is a multiple of a power of two is aligned to it. */
STAND_IN(void *, COMPAT_KVMALLOC, COMPAT_KVMALLOC_PARAMS)
{
	struct pcslab_heap *heap = heap_for(h, gfp);
	void *obj;

	if (likely(heap))
		return pcslab_kvalloc_node(heap, ALIGN(size, COMPAT_ALIGN), gfp, node);
	obj = kvmalloc_node(size, gfp, node);
	if (is_vmalloc_addr(obj))
		adopt_count_alloc(h, ADOPT_VMALLOC, obj, size, _RET_IP_);
	return obj;
}

STAND_IN(void *, COMPAT_KMEMDUP, const void *src, size_t len, gfp_t gfp)
{
	struct pcslab_heap *heap = heap_for(h, gfp);

	return heap ? pcslab_memdup(heap, src, len, gfp) : kmemdup(src, len, gfp);
}

#if COMPAT_HAS_MEMDUP_ARRAY
STAND_IN(void *, kmemdup_array, const void *src, size_t count, size_t size, gfp_t gfp)
{
	struct pcslab_heap *heap = heap_for(h, gfp);

	return heap ? pcslab_memdup(heap, src, size_mul(size, count), gfp) :
		      kmemdup_array(src, count, size, gfp);
}
#endif

STAND_IN(char *, kmemdup_nul, const char *s, size_t len, gfp_t gfp)
{
	struct pcslab_heap *heap = heap_for(h, gfp);

	return heap ? pcslab_memdup_nul(heap, s, len, gfp) : kmemdup_nul(s, len, gfp);
}

STAND_IN(char *, kstrdup, const char *s, gfp_t gfp)
{
	struct pcslab_heap *heap = heap_for(h, gfp);

	return heap ? pcslab_strdup(heap, s, gfp) : kstrdup(s, gfp);
}

STAND_IN(char *, kstrndup, const char *s, size_t max, gfp_t gfp)
{
	struct pcslab_heap *heap = heap_for(h, gfp);

	return heap ? pcslab_strndup(heap, s, max, gfp) : kstrndup(s, max, gfp);
}

__printf(2, 0)
char *pcslab_adopt_kvasprintf(gfp_t gfp, const char *fmt, va_list args, struct adopt_handle *h);
STAND_IN(char *, kvasprintf, gfp_t gfp, const char *fmt, va_list args)
{
	struct pcslab_heap *heap = heap_for(h, gfp);

	return heap ? pcslab_vasprintf(heap, gfp, fmt, args) : kvasprintf(gfp, fmt, args);
}

/* entry.S makes a va_list and calls the function below. */
char *pcslab_adopt_kasprintf(gfp_t gfp, const char *fmt, ...);
static_assert(__same_type(pcslab_adopt_kasprintf, kasprintf));
MODULE_INFO(stand_in, "kasprintf=variadic");
EXPORT_SYMBOL(pcslab_adopt_kasprintf);

__printf(2, 0)
char *adopt_kasprintf(gfp_t gfp, const char *fmt, va_list args, struct adopt_handle *h,
		      unsigned long caller);
char *adopt_kasprintf(gfp_t gfp, const char *fmt, va_list args, struct adopt_handle *h,
		      unsigned long caller)
{
	struct pcslab_heap *heap = heap_for(h, gfp);

	return heap ? __pcslab_vasprintf(heap, gfp, fmt, args, NUMA_NO_NODE, caller) :
		      kvasprintf(gfp, fmt, args);
}

STAND_IN(void *, memdup_user, const void __user *src, size_t len)
{
	struct pcslab_heap *heap = heap_for(h, 0);

	return heap ? pcslab_memdup_user(heap, src, len) : memdup_user(src, len);
}

STAND_IN(void *, memdup_user_nul, const void __user *src, size_t len)
{
	struct pcslab_heap *heap = heap_for(h, 0);

	return heap ? pcslab_memdup_user_nul(heap, src, len) : memdup_user_nul(src, len);
}

STAND_IN(char *, strndup_user, const char __user *s, long n)
{
	struct pcslab_heap *heap = heap_for(h, 0);

	return heap ? pcslab_strndup_user(heap, s, n) : strndup_user(s, n);
}

STAND_IN(unsigned long *, bitmap_alloc, unsigned int nbits, gfp_t gfp)
{
	return alloc(BITS_TO_LONGS(nbits) * sizeof(long), gfp, h);
}

STAND_IN(unsigned long *, bitmap_zalloc, unsigned int nbits, gfp_t gfp)
{
	return alloc(BITS_TO_LONGS(nbits) * sizeof(long), gfp | __GFP_ZERO, h);
}

STAND_IN(unsigned long *, bitmap_alloc_node, unsigned int nbits, gfp_t gfp, int node)
{
	return alloc_node(BITS_TO_LONGS(nbits) * sizeof(long), gfp, node, h);
}

STAND_IN(unsigned long *, bitmap_zalloc_node, unsigned int nbits, gfp_t gfp, int node)
{
	return alloc_node(BITS_TO_LONGS(nbits) * sizeof(long), gfp | __GFP_ZERO, node, h);
}

/*
 * The kernel's objects stay the kernel's. An object of pcslab that may stay
 * where it is, but is not aligned as wanted, is left to the hook (hook.c).
 */
STAND_IN(void *, COMPAT_KREALLOC, COMPAT_KREALLOC_PARAMS)
{
	struct pcslab_heap *heap = NULL;

	if (IS_ALIGNED((unsigned long)obj, COMPAT_ALIGN) &&
	    (ZERO_OR_NULL_PTR(obj) || __pcslab_owns(obj)))
		heap = heap_for(h, gfp);
	return heap ? pcslab_realloc(heap, obj, ALIGN(size, COMPAT_ALIGN), gfp) :
		      COMPAT_KREALLOC_KERNEL;
}

STAND_IN(size_t, ksize, const void *obj)
{
	return __pcslab_owns(obj) ? pcslab_usable_size(obj) : ksize(obj);
}

STAND_IN(void, kfree, const void *obj)
{
	if (!free_ours(obj, h))
		kfree(obj);
}

STAND_IN(void, kvfree, const void *obj)
{
	if (free_ours(obj, h))
		return;
	if (is_vmalloc_addr(obj))
		adopt_count_free(h, ADOPT_VMALLOC, obj, 0);
	kvfree(obj);
}

STAND_IN(void, bitmap_free, const unsigned long *bitmap)
{
	if (!free_ours(bitmap, h))
		kfree(bitmap);
}

static __always_inline bool free_sensitive(const void *obj, struct adopt_handle *h)
{
	if (ZERO_OR_NULL_PTR(obj))
		return true;
	if (__pcslab_owns(obj)) {
		pcslab_free_sensitive(obj);
		return true;
	}
	atomic_long_inc(&h->foreign);
	return false;
}

STAND_IN(void, kfree_sensitive, const void *obj)
{
	if (!free_sensitive(obj, h))
		kfree_sensitive(obj);
}

STAND_IN(void, kvfree_sensitive, const void *obj, size_t len)
{
	if (!free_sensitive(obj, h))
		kvfree_sensitive(obj, len);
}

/* kfree_bulk() is the one without a cache; the other one is counted only. */
STAND_IN(void, kmem_cache_free_bulk, struct kmem_cache *s, size_t n, void **objs)
{
	size_t i;

	for (i = 0; i < n; i++) {
		if (s)
			adopt_count_free(h, ADOPT_SLAB, objs[i], kmem_cache_size(s));
		else if (!free_ours(objs[i], h))
			kfree(objs[i]);
	}
	if (s)
		kmem_cache_free_bulk(s, n, objs);
}

STAND_IN_GPL(void, kvfree_call_rcu, COMPAT_RCU_PARAMS)
{
	void *obj = compat_rcu_object(head, (void *)x);

	if (!__pcslab_owns(obj)) {
		atomic_long_inc(&h->foreign);
		kvfree_call_rcu(head, x);
	} else if (head) {
		__pcslab_free_rcu_word(obj, head);
	} else {
		pcslab_free_rcu_sync(obj);
	}
}

STAND_IN_GPL(void *, devm_kmalloc, struct device *dev, size_t size, gfp_t gfp)
{
	struct pcslab_heap *heap = heap_for(h, gfp);

	return heap ? devm_pcslab_alloc(heap, dev, size, gfp) : devm_kmalloc(dev, size, gfp);
}

STAND_IN_GPL(void *, devm_kmemdup, struct device *dev, const void *src, size_t len, gfp_t gfp)
{
	struct pcslab_heap *heap = heap_for(h, gfp);

	return heap ? devm_pcslab_memdup(heap, dev, src, len, gfp) :
		      devm_kmemdup(dev, src, len, gfp);
}

STAND_IN_GPL(char *, devm_kstrdup, struct device *dev, const char *s, gfp_t gfp)
{
	struct pcslab_heap *heap = heap_for(h, gfp);

	return heap ? devm_pcslab_strdup(heap, dev, s, gfp) : devm_kstrdup(dev, s, gfp);
}

/* Only pcslab can find the device's entry of its object. */
STAND_IN_GPL(void *, devm_krealloc, struct device *dev, void *obj, size_t size, gfp_t gfp)
{
	struct pcslab_heap *heap = __pcslab_owns(obj) ? pcslab_heap_of(obj) : NULL;

	if (ZERO_OR_NULL_PTR(obj))
		heap = heap_for(h, gfp);
	return heap ? devm_pcslab_realloc(heap, dev, obj, size, gfp) :
		      devm_krealloc(dev, obj, size, gfp);
}

STAND_IN_GPL(void, devm_kfree, struct device *dev, const void *obj)
{
	if (ZERO_OR_NULL_PTR(obj))
		return;
	if (__pcslab_owns(obj)) {
		devm_pcslab_free(dev, obj);
		return;
	}
	atomic_long_inc(&h->foreign);
	devm_kfree(dev, obj);
}
