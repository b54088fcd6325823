/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Differences between kernels in what modules call to allocate. No other file
 * of pcslab_adopt may check a version. standin.c compares each prototype with
 * the kernel's when it is compiled.
 */
#ifndef _PCSLAB_ADOPT_COMPAT_H
#define _PCSLAB_ADOPT_COMPAT_H

#include <linux/ftrace.h>
#include <linux/module.h>
#include <linux/slab.h>
#include <linux/version.h>

/*
 * 6.10 renamed the functions behind kmalloc(). 6.11 added buckets, and later
 * kernels a token, both only with their options.
 */
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 10, 0)
#define COMPAT_KMALLOC_CACHE		kmalloc_trace
#define COMPAT_KMALLOC_CACHE_NODE	kmalloc_node_trace
#define COMPAT_KMALLOC			__kmalloc
#define COMPAT_KMALLOC_NODE		__kmalloc_node
#define COMPAT_KMALLOC_LARGE		kmalloc_large
#define COMPAT_KMALLOC_LARGE_NODE	kmalloc_large_node
#define COMPAT_KMALLOC_TRACK		__kmalloc_node_track_caller
#define COMPAT_KVMALLOC			kvmalloc_node
#define COMPAT_KMEMDUP			kmemdup
#define COMPAT_NOPROF(name)		name
#define COMPAT_GET_FREE_PAGES		__get_free_pages
#else
#define COMPAT_KMALLOC_CACHE		__kmalloc_cache_noprof
#define COMPAT_KMALLOC_CACHE_NODE	__kmalloc_cache_node_noprof
#define COMPAT_KMALLOC			__kmalloc_noprof
#define COMPAT_KMALLOC_NODE		__kmalloc_node_noprof
#define COMPAT_KMALLOC_LARGE		__kmalloc_large_noprof
#define COMPAT_KMALLOC_LARGE_NODE	__kmalloc_large_node_noprof
#define COMPAT_KMALLOC_TRACK		__kmalloc_node_track_caller_noprof
#define COMPAT_KVMALLOC			__kvmalloc_node_noprof
#define COMPAT_KMEMDUP			kmemdup_noprof
#define COMPAT_NOPROF(name)		name##_noprof
#define COMPAT_GET_FREE_PAGES		get_free_pages_noprof
#endif

#ifdef DECL_TOKEN_PARAMS
#define COMPAT_SIZE			DECL_TOKEN_PARAMS(size, token)
#else
#define COMPAT_SIZE			size_t size
#endif
#if defined(DECL_KMALLOC_PARAMS)
#define COMPAT_SIZE_BUCKET		DECL_KMALLOC_PARAMS(size, b, token)
#elif defined(DECL_BUCKET_PARAMS)
#define COMPAT_SIZE_BUCKET		DECL_BUCKET_PARAMS(size, b)
#else
#define COMPAT_SIZE_BUCKET		size_t size
#endif

/*
 * 6.16 gave kvmalloc(), and 6.18 krealloc(), an alignment for Rust.
 * COMPAT_ALIGN is the one that is asked for.
 */
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 18, 0)
#define COMPAT_ALIGN			1
#define COMPAT_KVMALLOC_PARAMS		COMPAT_SIZE_BUCKET, gfp_t gfp, int node
#define COMPAT_KREALLOC_PARAMS		const void *obj, size_t size, gfp_t gfp
#define COMPAT_KREALLOC_KERNEL		krealloc(obj, size, gfp)
#else
#define COMPAT_ALIGN			align
#define COMPAT_KVMALLOC_PARAMS		COMPAT_SIZE_BUCKET, unsigned long align, gfp_t gfp, int node
#define COMPAT_KREALLOC_PARAMS \
	const void *obj, COMPAT_SIZE, unsigned long align, gfp_t gfp, int node
#define COMPAT_KREALLOC_KERNEL		krealloc_node_align(obj, size, align, gfp, node)
#endif
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 10, 0)
#define COMPAT_KREALLOC			krealloc
#elif LINUX_VERSION_CODE < KERNEL_VERSION(6, 18, 0)
#define COMPAT_KREALLOC			krealloc_noprof
#else
#define COMPAT_KREALLOC			krealloc_node_align_noprof
#endif

/* 6.10 put one function behind both that allocate for each CPU. */
#define COMPAT_HAS_PCPU_ALLOC	(LINUX_VERSION_CODE >= KERNEL_VERSION(6, 10, 0))

/* 7.0 replaced one of the two that allocate pages of a node by the other. */
#if LINUX_VERSION_CODE < KERNEL_VERSION(7, 0, 0)
#define COMPAT_PAGES_NODE		COMPAT_NOPROF(__alloc_pages)
#define COMPAT_PAGES_NODE_PARAMS	gfp_t gfp, unsigned int order, int node, nodemask_t *nodes
#define COMPAT_PAGES_NODE_KERNEL	__alloc_pages(gfp, order, node, nodes)
#define COMPAT_BULK			int
#else
#define COMPAT_PAGES_NODE		alloc_pages_node_noprof
#define COMPAT_PAGES_NODE_PARAMS	int node, gfp_t gfp, unsigned int order
#define COMPAT_PAGES_NODE_KERNEL	alloc_pages_node(node, gfp, order)
#define COMPAT_BULK			bool
#endif

/* 6.8 added them. */
#define COMPAT_HAS_MEMDUP_ARRAY	(LINUX_VERSION_CODE >= KERNEL_VERSION(6, 8, 0))
#define COMPAT_HAS_PREALLOCATED	(LINUX_VERSION_CODE >= KERNEL_VERSION(6, 8, 0))

/* 6.4 gave these a reason that all drops have, and other names. */
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 4, 0)
#define COMPAT_SKB_DROP_ANY		__dev_kfree_skb_any
#define COMPAT_SKB_DROP_IRQ		__dev_kfree_skb_irq
#define COMPAT_SKB_REASON		enum skb_free_reason
#else
#define COMPAT_SKB_DROP_ANY		dev_kfree_skb_any_reason
#define COMPAT_SKB_DROP_IRQ		dev_kfree_skb_irq_reason
#define COMPAT_SKB_REASON		enum skb_drop_reason
#endif

/* 6.10 took its flags away. */
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 10, 0)
#define COMPAT_NAPI_ALLOC_SKB		__napi_alloc_skb
#define COMPAT_NAPI_ALLOC_SKB_PARAMS	struct napi_struct *napi, unsigned int len, gfp_t gfp
#define COMPAT_NAPI_ALLOC_SKB_KERNEL	__napi_alloc_skb(napi, len, gfp)
#else
#define COMPAT_NAPI_ALLOC_SKB		napi_alloc_skb
#define COMPAT_NAPI_ALLOC_SKB_PARAMS	struct napi_struct *napi, unsigned int len
#define COMPAT_NAPI_ALLOC_SKB_KERNEL	napi_alloc_skb(napi, len)
#endif

/* 6.11 gave it a socket, which 7.0 made constant. */
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 11, 0)
#define COMPAT_SKB_DROP			kfree_skb_reason
#define COMPAT_SKB_DROP_PARAMS		struct sk_buff *skb, enum skb_drop_reason reason
#define COMPAT_SKB_DROP_KERNEL		kfree_skb_reason(skb, reason)
#elif LINUX_VERSION_CODE < KERNEL_VERSION(7, 0, 0)
#define COMPAT_SKB_DROP			sk_skb_reason_drop
#define COMPAT_SKB_DROP_PARAMS \
	struct sock *sk, struct sk_buff *skb, enum skb_drop_reason reason
#define COMPAT_SKB_DROP_KERNEL		sk_skb_reason_drop(sk, skb, reason)
#else
#define COMPAT_SKB_DROP			sk_skb_reason_drop
#define COMPAT_SKB_DROP_PARAMS \
	const struct sock *sk, struct sk_buff *skb, enum skb_drop_reason reason
#define COMPAT_SKB_DROP_KERNEL		sk_skb_reason_drop(sk, skb, reason)
#endif

/*
 * What kfree_rcu() calls: up to 6.1 it is given the offset of @head in the
 * object in @x, or the object if @head is NULL; then always the object. The
 * head that it needs shrank to a word.
 */
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 2, 0)
#define COMPAT_RCU_PARAMS		struct rcu_head *head, rcu_callback_t x
static inline void *compat_rcu_object(void *head, void *x)
{
	return head ? head - (unsigned long)x : x;
}
#else
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 19, 0)
#define COMPAT_RCU_PARAMS		struct rcu_head *head, void *x
#else
#define COMPAT_RCU_PARAMS		struct kvfree_rcu_head *head, void *x
#endif
static inline void *compat_rcu_object(void *head, void *x)
{
	return x;
}
#endif

/* 6.4 keeps the kinds of a module's memory apart. */
static inline void compat_text(const struct module *mod, unsigned long *start,
			       unsigned long *size)
{
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 4, 0)
	*start = (unsigned long)mod->core_layout.base;
	*size = mod->core_layout.text_size;
#else
	*start = (unsigned long)mod->mem[MOD_TEXT].base;
	*size = mod->mem[MOD_TEXT].size;
#endif
}

/* 6.2 made struct ftrace_regs opaque. */
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 2, 0)
static __always_inline unsigned long compat_argument(struct ftrace_regs *fregs, unsigned int n)
{
	return regs_get_kernel_argument(&fregs->regs, n);
}

#define compat_return_to		ftrace_instruction_pointer_set
#else
#define compat_argument			ftrace_regs_get_argument
#define compat_return_to		ftrace_regs_set_instruction_pointer
#endif

#endif /* _PCSLAB_ADOPT_COMPAT_H */
