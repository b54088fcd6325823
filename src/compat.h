/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Differences between kernel versions, each with its reason. No other file of
 * the module may check a version. What differs between architectures is in
 * arch.h.
 */
#ifndef _PCSLAB_COMPAT_H
#define _PCSLAB_COMPAT_H

#include <linux/export.h>
#include <linux/mm.h>
#include <linux/page_ref.h>
#include <linux/shrinker.h>
#include <linux/slab.h>
#include <linux/version.h>

#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 1, 0)
#error "pcslab needs Linux 6.1 or later"
#endif

/*
 * Since 6.13 a symbol namespace is a string; before that it was an identifier
 * that the macro made a string of. The code uses the later form,
 * EXPORT_SYMBOL_NS_GPL(name, "PCSLAB"), and no macro of its own, because
 * kernel-doc -export does not expand macros but looks for these words. Older
 * kernels get a macro here that takes the string. 6.5 changed how
 * __EXPORT_SYMBOL() is told the licence.
 */
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 13, 0)
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 5, 0)
#define COMPAT_EXPORT_GPL	"_gpl"
#else
#define COMPAT_EXPORT_GPL	"GPL"
#endif
#undef EXPORT_SYMBOL_NS_GPL
#define EXPORT_SYMBOL_NS_GPL(sym, ns)	__EXPORT_SYMBOL(sym, COMPAT_EXPORT_GPL, ns)
#endif

/*
 * Flags of a kmem_cache that are hints: 6.5 introduced SLAB_NO_MERGE, 6.9 took
 * SLAB_MEM_SPREAD away.
 */
#ifdef SLAB_NO_MERGE
#define COMPAT_SLAB_NO_MERGE	SLAB_NO_MERGE
#else
#define COMPAT_SLAB_NO_MERGE	0
#endif
#ifdef SLAB_MEM_SPREAD
#define COMPAT_SLAB_MEM_SPREAD	SLAB_MEM_SPREAD
#else
#define COMPAT_SLAB_MEM_SPREAD	0
#endif
#define COMPAT_SLAB_HINTS	(COMPAT_SLAB_NO_MERGE | COMPAT_SLAB_MEM_SPREAD)

/*
 * 6.8 renamed it; before that MAX_ORDER was the number of orders, not the
 * largest.
 */
#ifndef MAX_PAGE_ORDER
#define MAX_PAGE_ORDER		(MAX_ORDER - 1)
#endif

/* A word of our page that is free in a compound head; 6.16 renamed it. */
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 16, 0)
#define COMPAT_PAGE_WORD	index
#else
#define COMPAT_PAGE_WORD	__folio_index
#endif

static inline unsigned long *compat_page_word(struct page *page)
{
	return &page->COMPAT_PAGE_WORD;
}

/*
 * The member of struct folio whose low byte is the order of a compound page;
 * 6.6 moved it.
 */
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 6, 0)
#define COMPAT_FOLIO_ORDER	_folio_order
#else
#define COMPAT_FOLIO_ORDER	_flags_1
#endif

/*
 * 6.4 introduced the function and renamed the member. A macro, because
 * <linux/swap.h> includes too much.
 */
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 4, 0)
#define compat_account_reclaimed(pages)				\
do {								\
	if (current->reclaim_state)				\
		current->reclaim_state->reclaimed_slab += (pages); \
} while (0)
#else
#define compat_account_reclaimed	mm_account_reclaimed_pages
#endif

/* Since 6.10 a tracepoint remembers what its string is assigned from. */
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 10, 0)
#define compat_assign_str(dst, src)	__assign_str(dst, src)
#else
#define compat_assign_str(dst, src)	__assign_str(dst)
#endif

typedef unsigned long (*compat_shrink_fn)(struct shrinker *s, struct shrink_control *sc);

/*
 * Returns a registered shrinker, or NULL. Since 6.7 the kernel allocates them.
 */
static inline struct shrinker *
compat_shrinker_create(const char *name, compat_shrink_fn count, compat_shrink_fn scan)
{
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 7, 0)
	struct shrinker *s = kzalloc(sizeof(*s), GFP_KERNEL);
#else
	struct shrinker *s = shrinker_alloc(0, "%s", name);
#endif

	if (!s)
		return NULL;
	s->count_objects = count;
	s->scan_objects = scan;
	s->seeks = DEFAULT_SEEKS;
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 7, 0)
	if (register_shrinker(s, "%s", name)) {
		kfree(s);
		return NULL;
	}
#else
	shrinker_register(s);
#endif
	return s;
}

static inline void compat_shrinker_destroy(struct shrinker *s)
{
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 7, 0)
	unregister_shrinker(s);
	kfree(s);
#else
	shrinker_free(s);
#endif
}

/*
 * True if kfree() drops a reference of a page that is not from kmalloc(). Since
 * 6.14 it refuses.
 */
#define COMPAT_KFREE_DROPS_REF	(LINUX_VERSION_CODE < KERNEL_VERSION(6, 14, 0))

/* The word of a tail page that leads to its head; 7.1 renamed it. */
#if LINUX_VERSION_CODE < KERNEL_VERSION(7, 1, 0)
#define COMPAT_HEAD_WORD	compound_head
#else
#define COMPAT_HEAD_WORD	compound_info
#endif

/*
 * Return the head page that COMPAT_HEAD_WORD of a tail page, @word, leads to.
 * @word may be anything, so the caller must check that a head can be there.
 * compound_head() would read the page, and pages next to it, without a fixup.
 * Since 7.1 kernels may store a mask instead of an address.
 */
static __always_inline struct page *compat_head_of(struct page *page, unsigned long word)
{
#if LINUX_VERSION_CODE >= KERNEL_VERSION(7, 1, 0)
	if (compound_info_has_mask())
		return (struct page *)((unsigned long)page & word);
#endif
	return (struct page *)(word - 1);
}

/*
 * True if nobody uses a page, by the copy of its head; it need not be a slab's.
 * Since 6.14 pages in use may have no reference: those of slabs, large objects
 * of kmalloc(), and huge pages of users.
 */
static inline bool compat_page_is_unused(struct page *head)
{
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 14, 0)
	if (PageLargeKmalloc(head))
		return false;
#endif
	return !page_ref_count(head);
}

/*
 * True if the kernel's own allocator has arrays of free objects per CPU, which
 * it calls sheaves, since 6.18. leaks.c must know them.
 */
#define COMPAT_HAS_SHEAVES	(LINUX_VERSION_CODE >= KERNEL_VERSION(6, 18, 0))

/*
 * True if a fault attribute holds a reference to its directory that nobody
 * drops. In 6.1 and 6.12 it does; in 7.3 it only has a copy of the name.
 */
#define COMPAT_FAULT_HOLDS_DIR \
	(sizeof_field(struct fault_attr, dname) == sizeof(struct dentry *))

#endif /* _PCSLAB_COMPAT_H */
