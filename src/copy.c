// SPDX-License-Identifier: GPL-2.0
/*
 * Copies: objects that are filled from memory, from a format or from user space
 *
 * The rules are those of the kernel's functions of the same names (mm/util.c,
 * lib/kasprintf.c), but a length that overflows fails instead of wrapping.
 * Tracking and checks record the caller of these functions.
 *
 * Context: as the caller of pcslab_alloc(), except where a function says more.
 *	No locks here.
 */
#include <linux/err.h>
#include <linux/minmax.h>
#include <linux/overflow.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/uaccess.h>

#include "compat.h"
#include "internal.h"
#include "page.h"

/**
 * pcslab_memdup() - allocate a copy of memory
 * @heap: the heap to take it from
 * @src: the memory
 * @len: bytes to copy
 * @gfp: as for pcslab_alloc()
 *
 * Context: as pcslab_alloc().
 * Return: the copy, ZERO_SIZE_PTR for a @len of 0, or NULL, which is counted in
 *	the heap's fails.
 */
void *pcslab_memdup(struct pcslab_heap *heap, const void *src, size_t len, gfp_t gfp)
{
	void *copy = pcslab_alloc_for(heap, len, gfp, NUMA_NO_NODE, _RET_IP_);

	if (copy)
		memcpy(copy, src, len);
	return copy;
}
EXPORT_SYMBOL_NS_GPL(pcslab_memdup, "PCSLAB");

/* A copy of @len bytes and a NUL behind them. */
static char *copy_nul(struct pcslab_heap *heap, const char *s, size_t len, gfp_t gfp,
		      unsigned long caller)
{
	char *copy = pcslab_alloc_for(heap, size_add(len, 1), gfp, NUMA_NO_NODE, caller);

	if (!copy)
		return NULL;
	memcpy(copy, s, len);
	copy[len] = '\0';
	return copy;
}

/**
 * pcslab_memdup_nul() - allocate a string from bytes that need not end in a NUL
 * @heap: the heap to take it from
 * @s: the bytes, or NULL
 * @len: bytes to copy, without the NUL
 * @gfp: as for pcslab_alloc()
 *
 * Context: as pcslab_alloc().
 * Return: the string of @len bytes and a NUL, NULL for a @s of NULL, or NULL,
 *	which is counted in the heap's fails.
 */
char *pcslab_memdup_nul(struct pcslab_heap *heap, const char *s, size_t len, gfp_t gfp)
{
	return s ? copy_nul(heap, s, len, gfp, _RET_IP_) : NULL;
}
EXPORT_SYMBOL_NS_GPL(pcslab_memdup_nul, "PCSLAB");

/**
 * pcslab_strdup() - allocate a copy of a string
 * @heap: the heap to take it from
 * @s: the string, or NULL
 * @gfp: as for pcslab_alloc()
 *
 * Context: as pcslab_alloc().
 * Return: the copy, NULL for a @s of NULL, or NULL, which is counted in the
 *	heap's fails.
 */
char *pcslab_strdup(struct pcslab_heap *heap, const char *s, gfp_t gfp)
{
	return s ? copy_nul(heap, s, strlen(s), gfp, _RET_IP_) : NULL;
}
EXPORT_SYMBOL_NS_GPL(pcslab_strdup, "PCSLAB");

/**
 * pcslab_strndup() - allocate a copy of the beginning of a string
 * @heap: the heap to take it from
 * @s: the string, or NULL
 * @max: bytes to copy at most, without the NUL; no more are read
 * @gfp: as for pcslab_alloc()
 *
 * Context: as pcslab_alloc().
 * Return: the copy, with a NUL behind it; NULL for a @s of NULL; or NULL, which
 *	is counted in the heap's fails.
 */
char *pcslab_strndup(struct pcslab_heap *heap, const char *s, size_t max, gfp_t gfp)
{
	return s ? copy_nul(heap, s, strnlen(s, max), gfp, _RET_IP_) : NULL;
}
EXPORT_SYMBOL_NS_GPL(pcslab_strndup, "PCSLAB");

/*
 * True if the NUL at the end of a string is in the kernel's .rodata. The bounds
 * of the section are not exported, but kstrdup_const() is, and it returns such
 * a string as it is. Of any other string it makes a copy, here of one byte, or
 * returns NULL.
 */
static bool ends_in_rodata(const char *end)
{
	const char *copy = kstrdup_const(end, GFP_NOWAIT | __GFP_NOWARN);

	if (copy == end)
		return true;
	kfree(copy);
	return false;
}

/**
 * pcslab_strdup_const() - allocate a copy of a string that may change
 * @heap: the heap to take it from
 * @s: the string, or NULL
 * @gfp: as for pcslab_alloc()
 *
 * As for kstrdup_const(), only strings in the .rodata of the kernel's image
 * never change: those of a module go with the module, and are copied. The test
 * allocates a byte from kmalloc() for a moment if @s is not such a string.
 *
 * Context: as pcslab_alloc(), but not NMI.
 * Return: @s itself, or a copy as by pcslab_strdup(); for pcslab_free_const().
 */
const char *pcslab_strdup_const(struct pcslab_heap *heap, const char *s, gfp_t gfp)
{
	size_t len;

	if (!s)
		return NULL;
	len = strlen(s);
	return ends_in_rodata(s + len) ? s : copy_nul(heap, s, len, gfp, _RET_IP_);
}
EXPORT_SYMBOL_NS_GPL(pcslab_strdup_const, "PCSLAB");

/* True for a string in the kernel's .rodata. @s may be any address but NULL. */
static bool is_rodata_string(const char *s)
{
	bool ours;
	char c;

	preempt_disable();	/* keeps what slab_of() finds */
	ours = slab_of(s) || large_class_around(s);
	preempt_enable();
	if (ours)
		return false;
	do {
		if (copy_from_kernel_nofault(&c, s++, 1))
			return false;
	} while (c);
	return ends_in_rodata(s - 1);
}

/**
 * pcslab_free_const() - free what pcslab_strdup_const() returned
 * @s: the string, NULL or ZERO_SIZE_PTR
 *
 * A string in the .rodata of the kernel's image stays. Anything else is freed
 * as by pcslab_free(), or refused.
 *
 * Context: as pcslab_free(), but not NMI.
 */
void pcslab_free_const(const void *s)
{
	if (ZERO_OR_NULL_PTR(s) || is_rodata_string(s))
		return;
	pcslab_free_for(s, _RET_IP_);
}
EXPORT_SYMBOL_NS_GPL(pcslab_free_const, "PCSLAB");

/**
 * __pcslab_vasprintf() - allocate a formatted string, for a call of pcslab
 * @heap: as for pcslab_vasprintf()
 * @gfp: same
 * @fmt: same
 * @args: same
 * @node: as for pcslab_alloc_node()
 * @caller: return address of that call, which tracking and checks record
 *
 * Context: as pcslab_alloc().
 * Return: as pcslab_vasprintf().
 */
char *__pcslab_vasprintf(struct pcslab_heap *heap, gfp_t gfp, const char *fmt, va_list args,
			 int node, unsigned long caller)
{
	unsigned int len, written;
	va_list again;
	char *copy;

	va_copy(again, args);
	len = vsnprintf(NULL, 0, fmt, again);
	va_end(again);
	copy = pcslab_alloc_for(heap, size_add(len, 1), gfp, node, caller);
	if (!copy)
		return NULL;
	written = vsnprintf(copy, size_add(len, 1), fmt, args);
	WARN(written != len, "%u and %u bytes of the format \"%s\"", len, written, fmt);
	return copy;
}
EXPORT_SYMBOL_NS_GPL(__pcslab_vasprintf, "PCSLAB");

/**
 * pcslab_vasprintf() - allocate a formatted string
 * @heap: the heap to take it from
 * @gfp: as for pcslab_alloc()
 * @fmt: as for printk()
 * @args: arguments of the format; they must not change during the call
 *
 * Context: as pcslab_alloc().
 * Return: the string, or NULL, which is counted in the heap's fails.
 */
char *pcslab_vasprintf(struct pcslab_heap *heap, gfp_t gfp, const char *fmt, va_list args)
{
	return __pcslab_vasprintf(heap, gfp, fmt, args, NUMA_NO_NODE, _RET_IP_);
}
EXPORT_SYMBOL_NS_GPL(pcslab_vasprintf, "PCSLAB");

/**
 * pcslab_asprintf() - allocate a formatted string
 * @heap: the heap to take it from
 * @gfp: as for pcslab_alloc()
 * @fmt: as for printk()
 * @...: arguments of the format; they must not change during the call
 *
 * Context: as pcslab_alloc().
 * Return: the string, or NULL, which is counted in the heap's fails.
 */
char *pcslab_asprintf(struct pcslab_heap *heap, gfp_t gfp, const char *fmt, ...)
{
	va_list args;
	char *copy;

	va_start(args, fmt);
	copy = __pcslab_vasprintf(heap, gfp, fmt, args, NUMA_NO_NODE, _RET_IP_);
	va_end(args);
	return copy;
}
EXPORT_SYMBOL_NS_GPL(pcslab_asprintf, "PCSLAB");

/* An object of @size bytes, of which the first @len are from user space. */
static void *copy_user(struct pcslab_heap *heap, const void __user *src, size_t len,
		       size_t size, unsigned long caller)
{
	void *copy = pcslab_alloc_for(heap, size, GFP_USER | __GFP_NOWARN, NUMA_NO_NODE,
				      caller);

	if (!copy)
		return ERR_PTR(-ENOMEM);
	if (copy_from_user(copy, src, len)) {
		pcslab_free_for(copy, caller);
		return ERR_PTR(-EFAULT);
	}
	return copy;
}

/**
 * pcslab_memdup_user() - allocate a copy of user space memory
 * @heap: the heap to take it from
 * @src: the memory, of the current process
 * @len: bytes to copy
 *
 * Memory that cannot be read is noticed when it is copied. So a call that
 * returns -EFAULT is counted as an allocation and a free.
 *
 * Context: process. May sleep.
 * Return: the copy, ZERO_SIZE_PTR for a @len of 0, ERR_PTR(-ENOMEM), which is
 *	counted in the heap's fails, or ERR_PTR(-EFAULT).
 */
void *pcslab_memdup_user(struct pcslab_heap *heap, const void __user *src, size_t len)
{
	return copy_user(heap, src, len, len, _RET_IP_);
}
EXPORT_SYMBOL_NS_GPL(pcslab_memdup_user, "PCSLAB");

/**
 * pcslab_memdup_user_nul() - allocate a string from user space memory
 * @heap: the heap to take it from
 * @src: the memory, of the current process; it need not end in a NUL
 * @len: bytes to copy, without the NUL
 *
 * Context: process. May sleep.
 * Return: the copy, with a NUL behind it, or errors as of pcslab_memdup_user().
 */
void *pcslab_memdup_user_nul(struct pcslab_heap *heap, const void __user *src, size_t len)
{
	char *copy = copy_user(heap, src, len, size_add(len, 1), _RET_IP_);

	if (!IS_ERR(copy))
		copy[len] = '\0';
	return copy;
}
EXPORT_SYMBOL_NS_GPL(pcslab_memdup_user_nul, "PCSLAB");

/**
 * pcslab_strndup_user() - allocate a copy of a user space string
 * @heap: the heap to take it from
 * @s: the string, of the current process
 * @n: bytes that it may have, with the NUL
 *
 * Context: process. May sleep.
 * Return: the copy; ERR_PTR(-EINVAL) if there is no NUL in @n bytes;
 *	ERR_PTR(-EFAULT) if the string cannot be read; ERR_PTR(-ENOMEM), which
 *	is counted in the heap's fails.
 */
char *pcslab_strndup_user(struct pcslab_heap *heap, const char __user *s, long n)
{
	long len = strnlen_user(s, n);
	char *copy;

	if (!len)
		return ERR_PTR(-EFAULT);
	if (len > n)
		return ERR_PTR(-EINVAL);
	copy = copy_user(heap, s, len, len, _RET_IP_);
	/* User space may have overwritten the NUL meanwhile. */
	if (!IS_ERR(copy))
		copy[len - 1] = '\0';
	return copy;
}
EXPORT_SYMBOL_NS_GPL(pcslab_strndup_user, "PCSLAB");
