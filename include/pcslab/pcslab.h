/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _PCSLAB_PCSLAB_H
#define _PCSLAB_PCSLAB_H

/**
 * DOC: Overview
 *
 * pcslab gives each caller private, named heaps. A heap is used like kmalloc()
 * and kfree(), and keeps exact statistics of what was allocated from it::
 *
 *	struct pcslab_heap *heap;
 *	struct request *rq;
 *
 *	heap = pcslab_heap_create("requests", NULL);
 *	if (IS_ERR(heap))
 *		return PTR_ERR(heap);
 *	rq = pcslab_zalloc(heap, sizeof(*rq), GFP_KERNEL);
 *	...
 *	pcslab_free(rq);
 *	pcslab_heap_destroy(heap);
 *
 * The calls:
 *
 * * a heap: pcslab_heap_create(), pcslab_heap_destroy(), pcslab_heap_shrink(),
 *   pcslab_heap_set_limit()
 * * an object: pcslab_alloc(), pcslab_zalloc(), pcslab_alloc_node(),
 *   pcslab_realloc(), pcslab_free(), pcslab_free_sensitive()
 * * an object that readers under RCU may still use: pcslab_free_rcu(),
 *   pcslab_free_rcu_sync(), pcslab_rcu_barrier()
 * * an array: pcslab_alloc_array(), pcslab_calloc(),
 *   pcslab_alloc_array_node(), pcslab_calloc_node(), pcslab_realloc_array()
 * * an object that is from vmalloc if there are no contiguous pages for it:
 *   pcslab_kvalloc(), pcslab_kvzalloc(), pcslab_kvalloc_node(),
 *   pcslab_kvzalloc_node(), pcslab_kvalloc_array(), pcslab_kvcalloc(),
 *   pcslab_kvmemdup(), pcslab_kvrealloc()
 * * many objects at once: pcslab_alloc_bulk(), pcslab_free_bulk()
 * * objects of one size, as from a kmem_cache: pcslab_cache_create(),
 *   pcslab_cache_create_usercopy(), pcslab_cache_alloc(),
 *   pcslab_cache_zalloc(), pcslab_cache_free(), pcslab_cache_alloc_bulk(),
 *   pcslab_cache_free_bulk(), pcslab_cache_shrink(), pcslab_cache_destroy()
 * * a mempool of the kernel: pcslab_mempool_create(); for mempool_create() over
 *   a cache there are pcslab_mempool_alloc() and pcslab_mempool_free()
 * * memory that is there before it is needed: pcslab_prepare(),
 *   pcslab_reserve_create(), pcslab_reserve_alloc(), pcslab_reserve_free(),
 *   pcslab_reserve_destroy()
 * * a copy: pcslab_memdup(), pcslab_memdup_nul(), pcslab_strdup(),
 *   pcslab_strndup(), pcslab_strdup_const() with pcslab_free_const()
 * * a formatted string: pcslab_asprintf(), pcslab_vasprintf()
 * * a copy of user space memory: pcslab_memdup_user(),
 *   pcslab_memdup_user_nul(), pcslab_strndup_user()
 * * an object that goes with a device's driver: devm_pcslab_alloc(),
 *   devm_pcslab_zalloc(), devm_pcslab_calloc(), devm_pcslab_realloc(),
 *   devm_pcslab_memdup(), devm_pcslab_strdup(), devm_pcslab_asprintf(),
 *   devm_pcslab_free()
 * * the size of an object to be allocated: pcslab_size_roundup()
 * * information on a pointer: pcslab_usable_size(), pcslab_heap_of(),
 *   pcslab_describe()
 * * statistics: pcslab_heap_stats(), pcslab_heap_stats_exact(), and the files
 *   in /sys/kernel/debug/pcslab/
 *
 * A variable declared with __free(pcslab) frees its object at the end of the
 * scope, as with __free(kfree).
 *
 * Any context that may call kmalloc() with the same flags may allocate and free
 * objects. pcslab_free() finds the heap by itself. Creating or destroying a
 * heap and reading its statistics may sleep.
 *
 * A module that calls pcslab must import the symbol namespace PCSLAB.
 * ``MODULE_INFO(import_ns, "PCSLAB")`` does that on every kernel; the argument
 * of MODULE_IMPORT_NS() depends on the kernel.
 */

#include <linux/bits.h>
#include <linux/compiler.h>
#include <linux/err.h>
#include <linux/gfp.h>
#include <linux/kconfig.h>
#include <linux/mempool.h>
#include <linux/module.h>
#include <linux/overflow.h>
#include <linux/stdarg.h>
#include <linux/types.h>

#include <pcslab/class.h>

/* The version; also in the module (modinfo) and in CHANGELOG.md */
#define PCSLAB_VERSION		"0.9.0"

struct device;
struct pcslab_cache;
struct pcslab_heap;
struct pcslab_reserve;

/* Bytes of a heap's name, including the final NUL */
#define PCSLAB_NAME_LEN		32

/**
 * DOC: Flags of a heap
 *
 * Each of these turns on a check, which has a cost: see
 * Documentation/security.rst. With pcslab.debug=1 every heap has all of them.
 *
 * ``PCSLAB_HEAP_RANDOM``
 *	hands out the free objects of a slab in random order
 * ``PCSLAB_HEAP_POISON``
 *	fills a freed object with a pattern, and checks the pattern before the
 *	object is handed out again
 * ``PCSLAB_HEAP_REDZONE``
 *	keeps a pattern behind the bytes that the caller asked for, and checks
 *	the pattern when the object is freed
 */
#define PCSLAB_HEAP_RANDOM	BIT(0)
#define PCSLAB_HEAP_POISON	BIT(1)
#define PCSLAB_HEAP_REDZONE	BIT(2)

/**
 * DOC: Call sites
 *
 * ``PCSLAB_HEAP_TRACK``
 *	remembers the call that allocated each object: see
 *	Documentation/debugfs.rst. With pcslab.track=1 every heap does
 */
#define PCSLAB_HEAP_TRACK	BIT(7)
#define PCSLAB_MAX_CALLERS	4

/**
 * DOC: Memory cgroups
 *
 * ``PCSLAB_HEAP_ACCOUNT``
 *	charges the pages of all objects of the heap to a memory cgroup: the one
 *	named in the attributes, or that of the task that creates the heap. When
 *	the cgroup's limit is reached, allocations fail as with kmalloc().
 *	Magazines and the metadata of slabs are not charged
 * ``PCSLAB_HEAP_NO_ACCOUNT``
 *	refuses calls with ``__GFP_ACCOUNT``, with a line in the log. Without any
 *	of the two flags such a call is served and counted as unaccounted
 */
#define PCSLAB_HEAP_ACCOUNT	BIT(3)
#define PCSLAB_HEAP_NO_ACCOUNT	BIT(4)

/**
 * struct pcslab_heap_attr - options of a new heap
 * @flags: PCSLAB_HEAP_* or 0
 * @cgroup: with PCSLAB_HEAP_ACCOUNT, the path of a cgroup of the default
 *	hierarchy, as in /proc/PID/cgroup: "/name"; NULL for the cgroup of the
 *	task that creates the heap
 * @limit_bytes: the heap may hold this many bytes of pages, at least a page,
 *	rounded down to whole pages; 0 for no limit
 * @at_limit: called when an allocation needs pages beyond the limit, or NULL
 * @at_limit_arg: passed to @at_limit
 * @callers: if the heap is tracked, how many callers make a call site, from 1
 *	to PCSLAB_MAX_CALLERS: more than 1 for a heap whose users go through a
 *	wrapper of their own. 0 means pcslab.track_callers. Each costs the time
 *	to unwind the stack
 *
 * All zeroes means the defaults. The structure may grow at its end. A module
 * need not be built again then: the call passes the size of the structure that
 * it was built with. Members past that size count as 0. If the module is newer
 * than pcslab, members that pcslab does not know must be 0, or the heap is not
 * created (-E2BIG).
 *
 * The pages of slabs and large objects count against the limit, free or not;
 * metadata, which is memory from kmalloc(), does not. A heap never holds more
 * pages than its limit, even for a moment, except for __GFP_NOFAIL. An
 * allocation that needs more
 *
 * 1. has the heap give its own idle memory back. Where the caller may sleep,
 *    that takes a grace period or two; otherwise it is done in the background,
 *    for later calls;
 * 2. calls @at_limit, if the limit is still in the way, with the gfp flags of
 *    the allocation. It may free objects of the heap or raise the limit
 *    (pcslab_heap_set_limit()). It runs in the context of the allocation, on
 *    several CPUs at once, and must not allocate from this heap;
 * 3. exceeds the limit, which is counted in over_limit, if it has
 *    __GFP_NOFAIL. Otherwise it fails, with a line in the log (ratelimited, and
 *    none with __GFP_NOWARN).
 *
 * Before each of these steps but the first the allocation is tried again.
 */
struct pcslab_heap_attr {
	unsigned long flags;
	const char *cgroup;
	size_t limit_bytes;
	void (*at_limit)(struct pcslab_heap *heap, gfp_t gfp, void *arg);
	void *at_limit_arg;
	unsigned int callers;
};

/**
 * struct pcslab_class_stats - statistics of one size class of one heap
 * @size: bytes of an object
 * @objects_per_slab: objects in a slab of the usual order
 * @allocs: objects handed out since the heap was created
 * @frees: objects given back; live = @allocs - @frees
 * @fails: allocations that returned NULL
 * @cached: free objects in the CPUs' magazines
 * @depot: free objects in the depots, in full magazines and in slabs
 * @slabs: slabs held
 * @pages: pages held by these slabs
 *
 * @allocs, @frees and @fails are exact. The last four are gauges: racy reads,
 * which may be out of date.
 *
 * A 32-bit kernel counts modulo 2^32: @frees and @fails wrap. @allocs is @frees
 * plus the live objects, so the difference stays right. This is also true for
 * large objects and their bytes.
 */
struct pcslab_class_stats {
	u32 size;
	u32 objects_per_slab;
	u64 allocs;
	u64 frees;
	u64 fails;
	u64 cached;
	u64 depot;
	u64 slabs;
	u64 pages;
};

/**
 * struct pcslab_stats - statistics of one heap
 * @nr_classes: valid entries of @class
 * @class: per size class, in ascending order of size
 * @large_allocs: large objects handed out
 * @large_frees: large objects given back
 * @large_alloc_bytes: bytes of the large objects handed out, in whole pages
 * @large_free_bytes: bytes of the large objects given back
 * @large_fails: large allocations that returned NULL
 * @bad_frees: frees of this heap's memory that were refused
 * @corruptions: objects that were found with a damaged pattern
 * @foreign: calls of kfree() and similar functions on this heap's objects that
 *	were found so far; the objects stay live, except those from vmalloc that
 *	vfree() took
 * @unaccounted: objects handed out for a call with __GFP_ACCOUNT, by a heap
 *	without a cgroup
 * @deferred: live objects that wait for a grace period, after
 *	pcslab_free_rcu() or in pcslab_free_rcu_sync(); a gauge
 * @pages: pages that the heap holds or is just getting, of slabs and large
 *	objects
 * @limit_pages: the limit of @pages; 0 if there is none
 * @max_pages: the most pages that it held so far
 * @max_pages_time: when it gave the first of these back, in seconds since boot;
 *	the time of reading while it holds them
 * @over_limit: how often __GFP_NOFAIL exceeded the limit
 */
struct pcslab_stats {
	u32 nr_classes;
	struct pcslab_class_stats class[PCSLAB_NR_CLASSES];
	u64 large_allocs;
	u64 large_frees;
	u64 large_alloc_bytes;
	u64 large_free_bytes;
	u64 large_fails;
	u64 bad_frees;
	u64 corruptions;
	u64 foreign;
	u64 unaccounted;
	u64 deferred;
	u64 pages;
	u64 limit_pages;
	u64 max_pages;
	u64 max_pages_time;
	u64 over_limit;
};

/* For pcslab_heap_create_for() only; @size is that of the caller's *@attr. */
struct pcslab_heap *__pcslab_heap_create(const char *name, const struct pcslab_heap_attr *attr,
					 size_t size, struct module *owner);

/**
 * pcslab_heap_create_for() - create a heap in the name of a module
 * @name: 1 to 31 printable ASCII characters without '/', the first not '#', and
 *	not "total"; copied
 * @attr: options, or NULL for the defaults
 * @owner: the module the heap belongs to, or NULL for the kernel itself; if the
 *	module is unloaded before it destroyed the heap, pcslab reports that and
 *	destroys it
 *
 * pcslab_heap_create() calls this with the calling module. An empty heap costs
 * its structure of about 2 KiB and 520 bytes for each possible CPU; a class is
 * made when its first object is allocated.
 *
 * Context: process. May sleep. Takes no CPU hotplug lock, so hotplug callbacks
 *	may call it.
 * Return: the heap, or ERR_PTR: -EINVAL if the name is NULL, empty, "." or
 *	"..", or has a character that is not allowed, or if a flag is not
 *	defined or contradicts another, or if the limit is less than a page;
 *	-E2BIG if an option is not known; -ENAMETOOLONG; -EEXIST if the name is
 *	taken; -ENOENT if there is no such cgroup; -ENOMEM.
 */
static inline struct pcslab_heap *pcslab_heap_create_for(const char *name,
							 const struct pcslab_heap_attr *attr,
							 struct module *owner)
{
	return __pcslab_heap_create(name, attr, sizeof(*attr), owner);
}

/**
 * pcslab_heap_create() - create a heap of the calling module
 * @name: as for pcslab_heap_create_for()
 * @attr: as for pcslab_heap_create_for()
 *
 * A macro, so that THIS_MODULE is the caller's.
 *
 * Context: as pcslab_heap_create_for().
 * Return: as pcslab_heap_create_for().
 */
#define pcslab_heap_create(name, attr)	pcslab_heap_create_for(name, attr, THIS_MODULE)

void pcslab_heap_destroy(struct pcslab_heap *heap);
unsigned long pcslab_heap_shrink(struct pcslab_heap *heap);
int pcslab_heap_set_limit(struct pcslab_heap *heap, size_t bytes);

/*
 * The inlines below call these; callers must not. An allocation needs only the
 * class. @size is there for the compiler: FORTIFY_SOURCE asks it how large the
 * returned object is, and it can tell that only from an argument.
 * __pcslab_alloc_plain() is for a @gfp that is not special and does not ask for
 * zeroes, so it need not check these flags; __pcslab_alloc_account() is the same
 * for one with __GFP_ACCOUNT.
 */
void *__pcslab_alloc(struct pcslab_heap *heap, size_t size, gfp_t gfp) __alloc_size(2);
void *__pcslab_alloc_class(struct pcslab_heap *heap, unsigned long index, gfp_t gfp,
			   size_t size) __alloc_size(4);
void *__pcslab_alloc_plain(struct pcslab_heap *heap, unsigned long index, gfp_t gfp,
			   size_t size) __alloc_size(4);
void *__pcslab_alloc_account(struct pcslab_heap *heap, unsigned long index, gfp_t gfp,
			     size_t size) __alloc_size(4);

/* Flags for the slow path: zones, and charging memory to a cgroup. */
#define PCSLAB_GFP_SPECIAL \
	(__GFP_DMA | __GFP_DMA32 | __GFP_HIGHMEM | __GFP_ACCOUNT)

/**
 * pcslab_alloc() - allocate an object
 * @heap: the heap to take it from
 * @size: bytes wanted
 * @gfp: as for kmalloc(); with GFP_DMA or GFP_DMA32 the object gets its own
 *	pages of the zone. __GFP_HIGHMEM, and both zones at once, are refused
 *	with a line in the log
 *
 * A call with __GFP_ACCOUNT is served as without; it is counted as unaccounted
 * if the heap has no cgroup (PCSLAB_HEAP_ACCOUNT), and refused if the heap has
 * PCSLAB_HEAP_NO_ACCOUNT.
 *
 * The object is aligned as by kmalloc(), and zeroed as by kmalloc() with
 * __GFP_ZERO or init_on_alloc. A constant size is resolved to its class when
 * the caller is compiled.
 *
 * Context: any that may call kmalloc() with the same @gfp. In NMI, and in a
 *	tracer's callback under a lock of pcslab, it fails unless the CPU's own
 *	magazine can serve it. Sleeps only if @gfp allows it.
 * Return: the object, ZERO_SIZE_PTR for a @size of 0, or NULL. A NULL is
 *	counted in the heap's fails.
 */
static __always_inline __alloc_size(2) void *pcslab_alloc(struct pcslab_heap *heap,
							  size_t size, gfp_t gfp)
{
	/* KASAN and kmemleak must know the exact size. */
	if (!__builtin_constant_p(size) || size - 1 >= PCSLAB_MAX_SIZE ||
	    IS_ENABLED(CONFIG_KASAN_GENERIC) || IS_ENABLED(CONFIG_DEBUG_KMEMLEAK))
		return __pcslab_alloc(heap, size, gfp);
	if (__builtin_constant_p(gfp) && !(gfp & (PCSLAB_GFP_SPECIAL | __GFP_ZERO)))
		return __pcslab_alloc_plain(heap, pcslab_class_index(size), gfp, size);
	if (__builtin_constant_p(gfp) &&
	    (gfp & (PCSLAB_GFP_SPECIAL | __GFP_ZERO)) == __GFP_ACCOUNT)
		return __pcslab_alloc_account(heap, pcslab_class_index(size), gfp, size);
	return __pcslab_alloc_class(heap, pcslab_class_index(size), gfp, size);
}

/**
 * pcslab_zalloc() - allocate a zeroed object
 * @heap: the heap to take it from
 * @size: bytes wanted
 * @gfp: as for pcslab_alloc()
 *
 * Context: as pcslab_alloc().
 * Return: as pcslab_alloc(); the whole usable size is zero.
 */
static __always_inline __alloc_size(2) void *pcslab_zalloc(struct pcslab_heap *heap,
							   size_t size, gfp_t gfp)
{
	return pcslab_alloc(heap, size, gfp | __GFP_ZERO);
}

void *pcslab_alloc_node(struct pcslab_heap *heap, size_t size, gfp_t gfp,
			int node) __alloc_size(2);
size_t pcslab_size_roundup(size_t size);

/**
 * pcslab_alloc_array() - allocate an array
 * @heap: the heap to take it from
 * @n: elements
 * @size: bytes of an element
 * @gfp: as for pcslab_alloc()
 *
 * Context: as pcslab_alloc().
 * Return: as pcslab_alloc(). If @n * @size overflows, NULL, counted as a failed
 *	large allocation.
 */
static __always_inline __alloc_size(2, 3) void *
pcslab_alloc_array(struct pcslab_heap *heap, size_t n, size_t size, gfp_t gfp)
{
	return pcslab_alloc(heap, size_mul(n, size), gfp);
}

/**
 * pcslab_calloc() - allocate a zeroed array
 * @heap: the heap to take it from
 * @n: elements
 * @size: bytes of an element
 * @gfp: as for pcslab_alloc()
 *
 * Context: as pcslab_alloc().
 * Return: as pcslab_alloc_array().
 */
static __always_inline __alloc_size(2, 3) void *
pcslab_calloc(struct pcslab_heap *heap, size_t n, size_t size, gfp_t gfp)
{
	return pcslab_alloc_array(heap, n, size, gfp | __GFP_ZERO);
}

/**
 * pcslab_alloc_array_node() - allocate an array on a node
 * @heap: the heap to take it from
 * @n: elements
 * @size: bytes of an element
 * @gfp: as for pcslab_alloc_node()
 * @node: as for pcslab_alloc_node()
 *
 * Context: as pcslab_alloc().
 * Return: as pcslab_alloc_array().
 */
static __always_inline __alloc_size(2, 3) void *
pcslab_alloc_array_node(struct pcslab_heap *heap, size_t n, size_t size, gfp_t gfp, int node)
{
	return pcslab_alloc_node(heap, size_mul(n, size), gfp, node);
}

/**
 * pcslab_calloc_node() - allocate a zeroed array on a node
 * @heap: the heap to take it from
 * @n: elements
 * @size: bytes of an element
 * @gfp: as for pcslab_alloc_node()
 * @node: as for pcslab_alloc_node()
 *
 * Context: as pcslab_alloc().
 * Return: as pcslab_alloc_array().
 */
static __always_inline __alloc_size(2, 3) void *
pcslab_calloc_node(struct pcslab_heap *heap, size_t n, size_t size, gfp_t gfp, int node)
{
	return pcslab_alloc_array_node(heap, n, size, gfp | __GFP_ZERO, node);
}

void * __must_check pcslab_realloc(struct pcslab_heap *heap, const void *obj, size_t size,
				   gfp_t gfp) __realloc_size(3);
static __always_inline void * __must_check
pcslab_realloc_array(struct pcslab_heap *heap, const void *obj, size_t n, size_t size,
		     gfp_t gfp) __realloc_size(3, 4);

/**
 * pcslab_realloc_array() - change the number of elements of an array
 * @heap: as for pcslab_realloc()
 * @obj: as for pcslab_realloc()
 * @n: elements
 * @size: bytes of an element
 * @gfp: as for pcslab_alloc()
 *
 * Context: as pcslab_alloc().
 * Return: as pcslab_realloc(). If @n * @size overflows, NULL, counted as a
 *	failed large allocation; @obj is unchanged.
 */
static __always_inline void * __must_check
pcslab_realloc_array(struct pcslab_heap *heap, const void *obj, size_t n, size_t size, gfp_t gfp)
{
	return pcslab_realloc(heap, obj, size_mul(n, size), gfp);
}

void *pcslab_kvalloc_node(struct pcslab_heap *heap, size_t size, gfp_t gfp,
			  int node) __alloc_size(2);

/**
 * pcslab_kvalloc() - allocate an object, if need be from vmalloc
 * @heap: the heap to take it from
 * @size: bytes wanted, at most INT_MAX
 * @gfp: as for pcslab_alloc()
 *
 * The rules are those of kvmalloc(). Above a page, contiguous pages are tried
 * without reclaim (with it, if @gfp has __GFP_RETRY_MAYFAIL); if there are none,
 * the object is from vmalloc, provided that @gfp allows to sleep and has no
 * zone. All other calls take the object, whatever it is. pcslab_free() takes it
 * in any context; from one that must not sleep, the memory goes back a little
 * later.
 *
 * An object from vmalloc starts at a page, has whole pages, and is counted as a
 * large object. It is aligned to a page, whatever its size is, and its memory
 * is not contiguous, so it cannot be used for DMA as it is.
 *
 * Context: as pcslab_alloc().
 * Return: as pcslab_alloc(). An object that is from vmalloc after all is no
 *	failed allocation.
 */
static __always_inline __alloc_size(2) void *pcslab_kvalloc(struct pcslab_heap *heap,
							    size_t size, gfp_t gfp)
{
	if (__builtin_constant_p(size) && size <= PAGE_SIZE)
		return pcslab_alloc(heap, size, gfp);
	return pcslab_kvalloc_node(heap, size, gfp, NUMA_NO_NODE);
}

/**
 * pcslab_kvzalloc() - pcslab_kvalloc() of a zeroed object
 * @heap: the heap to take it from
 * @size: bytes wanted, at most INT_MAX
 * @gfp: as for pcslab_alloc()
 *
 * Context: as pcslab_kvalloc().
 * Return: as pcslab_kvalloc(); the whole usable size is zero.
 */
static __always_inline __alloc_size(2) void *pcslab_kvzalloc(struct pcslab_heap *heap,
							     size_t size, gfp_t gfp)
{
	return pcslab_kvalloc(heap, size, gfp | __GFP_ZERO);
}

/**
 * pcslab_kvzalloc_node() - pcslab_kvalloc_node() of a zeroed object
 * @heap: the heap to take it from
 * @size: bytes wanted, at most INT_MAX
 * @gfp: as for pcslab_kvalloc_node()
 * @node: as for pcslab_kvalloc_node()
 *
 * Context: as pcslab_kvalloc().
 * Return: as pcslab_kvzalloc().
 */
static __always_inline __alloc_size(2) void *
pcslab_kvzalloc_node(struct pcslab_heap *heap, size_t size, gfp_t gfp, int node)
{
	return pcslab_kvalloc_node(heap, size, gfp | __GFP_ZERO, node);
}

/**
 * pcslab_kvalloc_array() - pcslab_kvalloc() of an array
 * @heap: the heap to take it from
 * @n: elements
 * @size: bytes of an element
 * @gfp: as for pcslab_alloc()
 *
 * Context: as pcslab_kvalloc().
 * Return: as pcslab_kvalloc(). If @n * @size overflows, NULL, counted as a
 *	failed large allocation.
 */
static __always_inline __alloc_size(2, 3) void *
pcslab_kvalloc_array(struct pcslab_heap *heap, size_t n, size_t size, gfp_t gfp)
{
	return pcslab_kvalloc(heap, size_mul(n, size), gfp);
}

/**
 * pcslab_kvcalloc() - pcslab_kvalloc() of a zeroed array
 * @heap: the heap to take it from
 * @n: elements
 * @size: bytes of an element
 * @gfp: as for pcslab_alloc()
 *
 * Context: as pcslab_kvalloc().
 * Return: as pcslab_kvalloc_array().
 */
static __always_inline __alloc_size(2, 3) void *
pcslab_kvcalloc(struct pcslab_heap *heap, size_t n, size_t size, gfp_t gfp)
{
	return pcslab_kvalloc_array(heap, n, size, gfp | __GFP_ZERO);
}

void * __must_check pcslab_kvrealloc(struct pcslab_heap *heap, const void *obj, size_t size,
				     gfp_t gfp) __realloc_size(3);
void *pcslab_kvmemdup(struct pcslab_heap *heap, const void *src, size_t len,
		      gfp_t gfp) __realloc_size(3);

int __must_check pcslab_alloc_bulk(struct pcslab_heap *heap, size_t size, gfp_t gfp, size_t n,
				   void **objs);
void *pcslab_memdup(struct pcslab_heap *heap, const void *src, size_t len,
		    gfp_t gfp) __realloc_size(3);
char *pcslab_memdup_nul(struct pcslab_heap *heap, const char *s, size_t len, gfp_t gfp);
char *pcslab_strdup(struct pcslab_heap *heap, const char *s, gfp_t gfp) __malloc;
char *pcslab_strndup(struct pcslab_heap *heap, const char *s, size_t max, gfp_t gfp);
const char *pcslab_strdup_const(struct pcslab_heap *heap, const char *s, gfp_t gfp);
__printf(3, 0) __malloc
char *pcslab_vasprintf(struct pcslab_heap *heap, gfp_t gfp, const char *fmt, va_list args);
__printf(3, 4) __malloc
char *pcslab_asprintf(struct pcslab_heap *heap, gfp_t gfp, const char *fmt, ...);
void *pcslab_memdup_user(struct pcslab_heap *heap, const void __user *src,
			 size_t len) __realloc_size(3);
void *pcslab_memdup_user_nul(struct pcslab_heap *heap, const void __user *src, size_t len);
char *pcslab_strndup_user(struct pcslab_heap *heap, const char __user *s, long n);

void pcslab_free(const void *obj);
void pcslab_free_bulk(size_t n, void **objs);
void pcslab_free_sensitive(const void *obj);
void pcslab_free_const(const void *s);

/* For the macro below only. */
void __pcslab_free_rcu(void *obj, struct rcu_head *head);

/**
 * pcslab_free_rcu() - give an object back after an RCU grace period
 * @obj: as for pcslab_free(), with its type
 * @member: name of a struct rcu_head in that type
 *
 * Readers that found the object before this call may use it, except for
 * @member, until they leave their read-side critical section. This is
 * kfree_rcu() for objects of pcslab, and needs no other memory than @member.
 *
 * The object is checked as by pcslab_free() before @member is written. Until
 * the grace period has passed it is live in the statistics, counted in the
 * heap's deferred, and any free of it is refused. While more than a sixteenth
 * of the memory waits in a heap, its allocations that need pages and may sleep
 * wait for a grace period.
 *
 * As with any two frees, two CPUs must not free one object at the same instant.
 * Two calls of this function are told apart in every heap, but not a call of
 * this function and one of pcslab_free(), except in a heap with checks. There
 * @member may be overwritten while RCU uses it, as with kfree_rcu().
 *
 * Context: any that may call call_rcu(), so not NMI. Does not sleep.
 */
#define pcslab_free_rcu(obj, member)					\
do {									\
	typeof(obj) __pcslab_obj = (obj);				\
									\
	if (__pcslab_obj)						\
		__pcslab_free_rcu(__pcslab_obj, &__pcslab_obj->member);	\
} while (0)

void pcslab_free_rcu_sync(void *obj);
void pcslab_rcu_barrier(struct pcslab_heap *heap);

/*
 * A variable declared like this frees its object at the end of the scope, as
 * with __free(kfree):
 *
 *	struct request *rq __free(pcslab) = pcslab_alloc(...);
 *
 * The earliest kernels of 6.1 lack the macro, which <linux/slab.h> brings.
 */
#ifdef DEFINE_FREE
DEFINE_FREE(pcslab, void *, IS_ERR_OR_NULL(_T) ? (void)0 : pcslab_free(_T))
#endif
size_t pcslab_usable_size(const void *obj);
struct pcslab_heap *pcslab_heap_of(const void *obj);
size_t pcslab_describe(const void *obj, char *buf, size_t len);

void *devm_pcslab_alloc(struct pcslab_heap *heap, struct device *dev, size_t size,
			gfp_t gfp) __alloc_size(3);

/**
 * devm_pcslab_zalloc() - devm_pcslab_alloc() of a zeroed object
 * @heap: as for devm_pcslab_alloc()
 * @dev: the device
 * @size: bytes wanted
 * @gfp: as for pcslab_alloc()
 *
 * Context: as devm_pcslab_alloc().
 * Return: as devm_pcslab_alloc(); the whole usable size is zero.
 */
static __always_inline __alloc_size(3) void *
devm_pcslab_zalloc(struct pcslab_heap *heap, struct device *dev, size_t size, gfp_t gfp)
{
	return devm_pcslab_alloc(heap, dev, size, gfp | __GFP_ZERO);
}

/**
 * devm_pcslab_calloc() - devm_pcslab_alloc() of a zeroed array
 * @heap: as for devm_pcslab_alloc()
 * @dev: the device
 * @n: elements
 * @size: bytes of an element
 * @gfp: as for pcslab_alloc()
 *
 * Context: as devm_pcslab_alloc().
 * Return: as devm_pcslab_alloc(). If @n * @size overflows, NULL, counted as a
 *	failed large allocation.
 */
static __always_inline __alloc_size(3, 4) void *
devm_pcslab_calloc(struct pcslab_heap *heap, struct device *dev, size_t n, size_t size, gfp_t gfp)
{
	return devm_pcslab_zalloc(heap, dev, size_mul(n, size), gfp);
}

void * __must_check devm_pcslab_realloc(struct pcslab_heap *heap, struct device *dev, void *obj,
					size_t size, gfp_t gfp) __realloc_size(4);
void *devm_pcslab_memdup(struct pcslab_heap *heap, struct device *dev, const void *src,
			 size_t len, gfp_t gfp) __realloc_size(4);
char *devm_pcslab_strdup(struct pcslab_heap *heap, struct device *dev, const char *s,
			 gfp_t gfp) __malloc;
__printf(4, 5) __malloc
char *devm_pcslab_asprintf(struct pcslab_heap *heap, struct device *dev, gfp_t gfp,
			   const char *fmt, ...);
void devm_pcslab_free(struct device *dev, const void *obj);

int pcslab_prepare(struct pcslab_heap *heap, size_t size);
struct pcslab_reserve *pcslab_reserve_create(struct pcslab_heap *heap, size_t size,
					     unsigned int n);
void *pcslab_reserve_alloc(struct pcslab_reserve *reserve, gfp_t gfp);
void pcslab_reserve_free(struct pcslab_reserve *reserve, void *obj);
void pcslab_reserve_destroy(struct pcslab_reserve *reserve);

struct pcslab_cache *pcslab_cache_create(struct pcslab_heap *heap, const char *name,
					 unsigned int size, unsigned int align,
					 slab_flags_t flags, void (*ctor)(void *obj));
struct pcslab_cache *pcslab_cache_create_usercopy(struct pcslab_heap *heap, const char *name,
						  unsigned int size, unsigned int align,
						  slab_flags_t flags, unsigned int useroffset,
						  unsigned int usersize, void (*ctor)(void *obj));
void *pcslab_cache_alloc(struct pcslab_cache *cache, gfp_t gfp) __malloc;
void pcslab_cache_free(struct pcslab_cache *cache, void *obj);
int pcslab_cache_alloc_bulk(struct pcslab_cache *cache, gfp_t gfp, size_t n, void **objs);
void pcslab_cache_free_bulk(struct pcslab_cache *cache, size_t n, void **objs);
unsigned long pcslab_cache_shrink(struct pcslab_cache *cache);
void pcslab_cache_destroy(struct pcslab_cache *cache);

/**
 * pcslab_cache_zalloc() - allocate a zeroed object of a cache
 * @cache: the cache
 * @gfp: as for pcslab_cache_alloc()
 *
 * Context: as pcslab_cache_alloc().
 * Return: as pcslab_cache_alloc(); zeroed, unless the cache has a constructor.
 */
static __always_inline void *pcslab_cache_zalloc(struct pcslab_cache *cache, gfp_t gfp)
{
	return pcslab_cache_alloc(cache, gfp | __GFP_ZERO);
}

mempool_t *pcslab_mempool_create(struct pcslab_heap *heap, int min_nr, size_t size);
void *pcslab_mempool_alloc(gfp_t gfp, void *cache);
void pcslab_mempool_free(void *obj, void *cache);

/*
 * For pcslab_adopt.ko, which handles calls of kfree() and its kin: an address
 * may be pcslab's or not, and other modules and the kernel itself may free
 * objects of heaps with functions of the kernel. It names call sites as heaps
 * do.
 */
bool __pcslab_owns(const void *addr);
bool __pcslab_try_free(const void *obj);
void __pcslab_free_rcu_word(void *obj, void *word);
__printf(3, 0)
char *__pcslab_vasprintf(struct pcslab_heap *heap, gfp_t gfp, const char *fmt, va_list args,
			 int node, unsigned long caller);
void __pcslab_take_escapes(bool take);
void *__pcslab_note_alloc(size_t bytes);
const char *__pcslab_site_name(unsigned long address);

int pcslab_heap_stats(struct pcslab_heap *heap, struct pcslab_stats *st);
int pcslab_heap_stats_exact(struct pcslab_heap *heap, struct pcslab_stats *st);

#endif /* _PCSLAB_PCSLAB_H */
