/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The objects of pcslab, from the caller inwards
 *
 *   heap ---> class [64 + large] --- for each CPU ---> cache
 *               |                                     | loaded, spare
 *               |                                     v
 *               +----- for each node ----> depot    magazine {object, state}...
 *                                            | full and empty magazines
 *                                            v
 *                                          slab ---> pages
 *                                            | a state byte per object
 *
 * A class serves one size of one heap; the first allocation of that size makes
 * it. Each CPU has a cache per class: two magazines and the record, which is
 * the counters that the statistics are summed from. Each node has a depot per
 * class. A slab's metadata is never in its pages: pages carry objects only. A
 * fixed-size cache is something else: a heap with one class (fixed.c).
 *
 * Lock order: CPU hotplug lock > service_lock (slots.c) > pcslab_heaps_lock >
 * slots_lock (slots.c), depot->lock and heap->large_lock. The last three are
 * raw, are taken with interrupts off, and do not nest in each other (lock.h).
 * Documentation/locking.rst also has the mutexes that one file takes alone.
 */
#ifndef _PCSLAB_TYPES_H
#define _PCSLAB_TYPES_H

#include <linux/atomic.h>
#include <linux/build_bug.h>
#include <linux/cache.h>
#include <linux/list.h>
#include <linux/llist.h>
#include <linux/mm_types.h>
#include <linux/module.h>
#include <linux/percpu.h>
#include <linux/prandom.h>
#include <linux/refcount.h>
#include <linux/spinlock.h>
#include <linux/workqueue.h>

#include <pcslab/pcslab.h>

/*
 * The pseudo class of large objects. It has caches, for the record, but no
 * slabs.
 */
#define PCSLAB_LARGE		PCSLAB_NR_CLASSES

/* A slab has at most 2^3 pages; the largest class must not need more. */
#define PCSLAB_SLAB_MAX_ORDER	3

/*
 * The state of an object: one byte in its slab's metadata. Only the owner of
 * the object writes it: the caller that frees it, the CPU whose magazine holds
 * it, or the holder of the depot's lock while it is in the slab. It is a byte
 * and not two bits, because bits of different owners in one word would need
 * atomic operations.
 */
enum pcslab_state {
	PCSLAB_OBJ_FREE = 0,	/* in its slab */
	PCSLAB_OBJ_CACHED,	/* in a magazine */
	PCSLAB_OBJ_LIVE,	/* with a caller */
	PCSLAB_OBJ_SUSPECT,	/* the same, and no pointer to it was found */
	PCSLAB_OBJ_PENDING,	/* its free is being deferred */
	PCSLAB_OBJ_DEFERRED,	/* freed, waits for an irq_work */
	PCSLAB_OBJ_RCU,		/* freed, waits for a grace period */
	PCSLAB_OBJ_NONE,	/* no object: past the last one */
};

/*
 * True if a caller has the object and may free it. A free of a suspect takes
 * the slow path, which takes it as it takes any live object (leaks.c).
 */
static inline bool pcslab_has_owner(u8 state)
{
	return state == PCSLAB_OBJ_LIVE || state == PCSLAB_OBJ_SUSPECT;
}

/*
 * True if the object is live in the statistics: a caller has it, or readers may
 * use it until a grace period has passed (rcu.c).
 */
static inline bool pcslab_counts_as_live(u8 state)
{
	return pcslab_has_owner(state) || state == PCSLAB_OBJ_RCU;
}

/*
 * Calls on a heap with any flag of PCSLAB_CHECKED take the slow path. One with
 * any flag of PCSLAB_SITED has the call sites of its objects.
 */
#define PCSLAB_CHECKED		(PCSLAB_HEAP_POISON | PCSLAB_HEAP_REDZONE)
#define PCSLAB_SITED		(PCSLAB_CHECKED | PCSLAB_HEAP_TRACK)

/*
 * Flags of the heap of a fixed-size cache (fixed.c). PCSLAB_HEAP_CTOR: its
 * objects are constructed, and pcslab writes to none of them after that.
 * PCSLAB_HEAP_TYPESAFE: readers under RCU may look at a free object. A heap
 * with any flag of PCSLAB_LASTING has no poison, and frees do not zero.
 */
#define PCSLAB_HEAP_CTOR	BIT(5)
#define PCSLAB_HEAP_TYPESAFE	BIT(6)
#define PCSLAB_LASTING		(PCSLAB_HEAP_CTOR | PCSLAB_HEAP_TYPESAFE)

/* Bytes of HEAP/NAME, the name of a fixed-size cache in the books */
#define PCSLAB_FULL_NAME_LEN	(2 * PCSLAB_NAME_LEN)

/**
 * struct pcslab_site - a place that calls pcslab
 * @link: in a table of site.c; entries stay until pcslab is unloaded
 * @row: in the list of a reader that adds objects up (track.c), as are
 * @objects: live ones, and
 * @bytes: of these objects; both are 0 for the next reader
 * @name: function, offset and module; unique
 */
struct pcslab_site {
	struct llist_node link;
	struct list_head row;
	u64 objects, bytes;
	char name[];
};

/* A free object in a magazine, and the address of its state byte. */
struct pcslab_round {
	void *obj;
	u8 *state;
};

/**
 * struct pcslab_magazine - an array of free objects of one class
 * @next: in a depot's stack
 * @n: number of rounds, valid while in a depot; a cache knows the number of its
 *	own two
 * @verified: like @verified of the cache, valid while in a depot
 * @round: class->capacity of them
 *
 * The term and the exchange of whole magazines with a depot are from Bonwick
 * and Adams, "Magazines and Vmem", USENIX 2001.
 */
struct pcslab_magazine {
	struct pcslab_magazine *next;
	unsigned int n;
	u32 verified;
	struct pcslab_round round[];
};

/* A stack of magazines in a depot. */
struct pcslab_stack {
	struct pcslab_magazine *top;
	unsigned int nr;
};

/*
 * A row of the record. Each counter is two words, one per value of
 * pcslab_stat_idx (stats.c): a call adds to the word of the index that it
 * reads, and the counter's value is the sum of both. The words are native: 64
 * bits on 64-bit kernels, and never torn on any kernel.
 *
 * The heap counts the allocations of large objects. So their class counts in
 * allocs the bytes that it frees: freed_bytes() in large.c, sum_of() in
 * stats.c.
 */
struct pcslab_row {
	unsigned long allocs[2];
	unsigned long frees[2];
};

/* What dead CPUs counted, the sum of both words; shown with CPU 0. */
struct pcslab_inherited {
	unsigned long allocs;
	unsigned long frees;
};

/**
 * struct pcslab_cpu - what one CPU keeps of one class of one heap
 * @busy: the guard: a call on this CPU sets it before it reads the magazine,
 *	and clears it after it has counted; a call that interrupts it must not
 *	touch the rest of this line
 * @node: the node this CPU allocates from
 * @top: where the next freed round goes. The round below is handed out next;
 *	below the first round of a loaded magazine, and without a magazine, that
 *	is a NULL (cache.c)
 * @limit: value of @top when @loaded has no room or is NULL
 * @loaded: the magazine in use, or NULL
 * @guarded: the record of calls that held the guard
 * @always_busy: where the slot points while the cache is out of service
 *	(slots.c): it looks like @busy of a cache whose guard is held
 * @reap_mark: number of calls at the last reap pass, modulo 2^32; only that
 *	pass writes it
 * @unguarded: the record of calls that did not hold the guard; only this CPU
 *	writes it, with interrupts off
 * @spare: the other magazine, full or empty, or NULL
 * @next: in a list of caches that are in no slot yet
 * @verified: the class's @doubts when all rounds here were last verified
 * @frees: frees in @guarded when the CPU last needed a slab, modulo 2^32
 * @nr_spare: rounds in @spare
 * @needed: slabs that the CPU needed in a row without a free in between, up to
 *	a limit
 * @gave: the last trade with the depot gave full magazines, not empty ones
 * @out: out of service: the CPU must leave everything but @unguarded alone
 * @visited: a visit has taken it out of service (slots.c)
 *
 * Unless stated otherwise only this CPU writes a member or, while the cache is
 * out of service, only the task that took it out; none is written with an
 * atomic operation. There are two rows of counters, because a call that
 * interrupts another must not count in the words that the other is just
 * incrementing.
 */
struct pcslab_cpu {
	unsigned int busy;
	int node;
	struct pcslab_round *top;
	struct pcslab_round *limit;
	struct pcslab_magazine *loaded;
	struct pcslab_row guarded;

	unsigned int always_busy ____cacheline_aligned;
	unsigned int reap_mark;
	struct pcslab_row unguarded;
	union {
		struct pcslab_magazine *spare;
		struct pcslab_cpu *next;
	};
	u32 verified;
	u32 frees;
	u16 nr_spare;
	u8 needed;
	bool gave;
	bool out;
	bool visited;
} ____cacheline_aligned;

/* Two lines, of which the fast paths use the first only. */
static_assert(SMP_CACHE_BYTES < 64 ||
	      sizeof(struct pcslab_cpu) == 2 * SMP_CACHE_BYTES);

/**
 * struct pcslab_slots - what allocations of a heap go through on one CPU
 * @slot: by class
 */
struct pcslab_slots {
	struct pcslab_cpu *slot[PCSLAB_NR_CLASSES];
};

/**
 * struct pcslab_slab - a run of pages cut into objects of one class
 * @base: address of the first object
 * @recip: 2^BITS_PER_LONG / stride, rounded up
 * @node: of the pages; NUMA_NO_NODE if they came from the page allocator's
 *	reserves, whose objects must enter no magazine
 * @sites_at: bytes from here to pcslab_sites(), in heaps with PCSLAB_SITED
 * @caches: the slots that a free goes through: a copy of class->caches, which
 *	saves a load. In a slab of the reserves it points to slots without a
 *	cache, so that no magazine takes its objects
 * @class: the class it belongs to
 * @list: in the depot's @slabs_partial, @slabs_empty or @slabs_reserve; in none
 *	when no object is free
 * @leaving: in the list of slabs on their way out (leave.c)
 * @rcu: frees the metadata; pcslab_heap_of() and bad frees may still read it
 * @all: in the depot's list of all slabs; the audit walks it under RCU
 * @nr: number of objects
 * @nr_free: objects in PCSLAB_OBJ_FREE
 * @hint: no object below this index is PCSLAB_OBJ_FREE
 * @order: of the pages
 * @leaves: it was empty and is on its way out (leave.c)
 * @returned: after @leaves was set an object was handed out and came back
 * @deferred: in the list of slabs with deferred objects, see nmi.c
 * @state: enum pcslab_state of every object. Past @nr it is PCSLAB_OBJ_NONE,
 *	for each index that an address in the pages can lead to, and up to a
 *	whole word. In heaps with PCSLAB_SITED the times, pcslab_sites() and
 *	sizes_of() follow
 *
 * The depot's lock protects @list, @nr_free, @hint, @leaves and @returned. The
 * rules for @deferred and @state are in nmi.c and at enum pcslab_state. The
 * other members do not change.
 */
struct pcslab_slab {
	char *base;
	unsigned long recip;
	struct pcslab_cpu * __percpu *caches;
	int node;
	u32 sites_at;
	struct pcslab_class *class;

	union {
		struct list_head list;
		struct llist_node leaving;
		struct rcu_head rcu;
	};
	struct list_head all;
	u16 nr;
	u16 nr_free;
	u16 hint;
	u8 order;
	bool leaves;
	bool returned;
	struct llist_node deferred;
	u8 state[] __aligned(sizeof(long));
};

/**
 * struct pcslab_depot - what one node keeps of one class of one heap
 * @lock: protects all members; innermost, held for a bounded number of objects
 * @mags_full: full magazines; some may have lost objects that were taken one by
 *	one
 * @mags_empty: empty magazines
 * @cursor: position of an audit in @mags_full
 * @nr_rounds: objects in @mags_full
 * @max_rounds: limit of @nr_rounds
 * @nr_missed: since the last drain, objects put into slabs because @nr_rounds
 *	was at its limit, and not taken out again yet
 * @slabs_partial: slabs with some objects free
 * @slabs_empty: slabs with all objects free
 * @nr_slabs_empty: slabs in @slabs_empty
 * @slabs_reserve: slabs of the reserves with objects free; they are in neither
 *	@slabs_partial nor @slabs_empty
 * @all: every slab of this class and node
 * @nr_slabs: slabs in @all
 * @nr_pages: pages of these slabs
 * @nr_free: free objects in these slabs
 * @random: for PCSLAB_HEAP_RANDOM
 * @reap_mark: objects free here at the last reap pass; only that pass writes it
 */
struct pcslab_depot {
	raw_spinlock_t lock;
	struct pcslab_stack mags_full;
	struct pcslab_stack mags_empty;
	struct pcslab_magazine *cursor;
	unsigned int nr_rounds;
	unsigned int max_rounds;
	unsigned int nr_missed;
	unsigned int nr_slabs_empty;
	struct list_head slabs_partial;
	struct list_head slabs_empty;
	struct list_head slabs_reserve;
	struct list_head all;
	unsigned long nr_slabs;
	unsigned long nr_pages;
	unsigned long nr_free;
	struct rnd_state random;
	unsigned long reap_mark;
} ____cacheline_aligned_in_smp;

/**
 * struct pcslab_class - one size class of one heap
 * @caches: the heap's slots of this class; for each CPU in pcslab_cpus one
 *	points to its cache (slots.c)
 * @inherited: counts of dead CPUs, part of CPU 0's record; written with CPU
 *	hotplug held for writing
 * @size: bytes of an object
 * @stride: bytes from one object to the next: more than @size with a redzone
 * @recip: as in the slab
 * @doubts: incremented when slabs are about to go, after which rounds must be
 *	verified (leave.c)
 * @capacity: rounds in a magazine
 * @index: in heap->class
 * @order: of a slab
 * @min_order: order of the smallest slab that holds an object
 * @flags: of the heap
 * @heap: the heap it belongs to
 * @depot: per node
 */
struct pcslab_class {
	struct pcslab_cpu * __percpu *caches;
	struct pcslab_inherited inherited;
	unsigned long recip;
	u32 size;
	u32 stride;
	u32 doubts;
	u16 capacity;
	u8 index;
	u8 order;
	u8 min_order;
	u8 flags;
	struct pcslab_heap *heap;
	struct pcslab_depot depot[];
};

/**
 * struct pcslab_visit_kind - what visits are for
 * @family: visit those of the heap's fixed-size caches too
 * @wants: returns true for each cache to be visited; called with interrupts off
 * @fn: does the work; nobody else uses the cache meanwhile
 */
struct pcslab_visit_kind {
	bool family;
	bool (*wants)(const struct pcslab_cpu *c, unsigned int cpu);
	void (*fn)(struct pcslab_class *class, struct pcslab_cpu *c, void *arg);
};

/**
 * struct pcslab_visit - work to be done on caches while they are out of service
 * @node: in the list of waiting visits (slots.c)
 * @heap: visit the caches of this heap, or of every heap if NULL
 * @kind: the work
 * @arg: passed to the function of @kind
 */
struct pcslab_visit {
	struct list_head node;
	struct pcslab_heap *heap;
	const struct pcslab_visit_kind *kind;
	void *arg;
};

/**
 * struct pcslab_heap_counters - counters of a whole heap, one set per index
 * @fails: allocations that returned NULL, by class
 * @large_allocs: large objects handed out
 * @large_alloc_bytes: bytes of these objects
 *
 * No fast path uses them, and failures are counted in NMI too: so they are
 * atomic and not per CPU.
 */
struct pcslab_heap_counters {
	atomic_long_t fails[PCSLAB_NR_CLASSES + 1];
	atomic_long_t large_allocs;
	atomic_long_t large_alloc_bytes;
};

/**
 * struct pcslab_budget - the pages of a heap (limit.c)
 * @limit: most pages that it may hold; ULONG_MAX for no limit
 * @pages: pages that it holds or is just getting
 * @peak: the most pages that it held, and when
 * @over_limit: how often __GFP_NOFAIL exceeded the limit
 * @ask: called at the limit, or NULL
 * @arg: passed to @ask
 * @work: gives idle memory back; has a reference to the heap while it is queued
 *
 * Written where pages come and go only.
 */
struct pcslab_budget {
	unsigned long limit;
	atomic_long_t pages;
	atomic64_t peak;
	atomic_long_t over_limit;
	void (*ask)(struct pcslab_heap *heap, gfp_t gfp, void *arg);
	void *arg;
	struct work_struct work;
};

/**
 * struct pcslab_heap - a named, private allocator
 * @class: by index, the class of large objects last; NULL until used. First
 *	member, so that the fast path adds no offset
 * @slots: what allocations go through first: @caches or, with tracking,
 *	pcslab_held
 * @caches: for each class, including the large one, a pointer per possible CPU
 *	(slots.c)
 * @name: as given; of a fixed-size cache, HEAP/NAME
 * @parent: of a fixed-size cache, the heap it belongs to, referenced; otherwise
 *	NULL
 * @node: in pcslab_heaps, under pcslab_heaps_lock; freed an RCU grace period
 *	after removal
 * @by_name: in the table of names while the name is taken, under
 *	pcslab_heaps_lock
 * @id: unique; later heaps have larger ones
 * @owner: the module that created the heap; only compared, never followed
 * @owner_name: the module's name, for messages after it is gone
 * @refs: one for the owner; one per slab, object from vmalloc, open file and
 *	fixed-size cache; one for @large while it is not empty; one for the
 *	work of @budget while it is queued
 * @flags: PCSLAB_HEAP_* and internal ones; constant
 * @dying: destroyed, its caches are out of service for good; under slots_lock
 * @zombie: destroyed while objects were live
 * @emptied: destroyed, and its caches and depots were emptied
 * @grave: in one of the lists of heap.c: heaps to be emptied, or to be freed
 * @visit: the visit that empties the caches when the heap is destroyed
 * @dir: in debugfs
 * @reserves: list of its reserves (reserve.c)
 * @reserves_shown: @dir has a file for them
 * @shown: PCSLAB_SHOWS_*: files added to @dir; under pcslab_heaps_lock
 * @callers: number of callers that a site consists of (site.c)
 * @watched: PCSLAB_WATCH_*: why all its calls take the slow path; written under
 *	pcslab_heaps_lock
 * @counters: those that are not per CPU
 * @bad_frees: refused frees of this heap's memory
 * @corruptions: objects found with a damaged pattern
 * @foreign: frees of its objects by other allocators that were found
 * @foreign_seen: such frees that the kprobe saw when they were made
 * @unaccounted: objects handed out for __GFP_ACCOUNT without a cgroup
 * @memcg: the memory cgroup that pages are charged to, referenced; or NULL
 * @deferred: objects that wait for a grace period (rcu.c)
 * @large_lock: protects @large and @large_cursor; innermost, interrupts off
 * @large: list of all large objects
 * @large_cursor: position of a walk in @large
 * @budget: its pages and those of its fixed-size caches, and their limit; that
 *	of a fixed-size cache is not used
 * @recorder: the flight recorder of a heap that is not a cache, or NULL; set
 *	under pcslab_heaps_lock (record.c)
 * @large_old: position in @large: the objects from here on were there when a
 *	scan began (leaks.c); under @large_lock
 * @leaks: what the last scan found, or NULL (leaks.c)
 *
 * 2048 bytes at most on 64-bit kernels without debugging options: a larger one
 * would cost a new heap 2000 instructions more, as kmalloc() has to get pages
 * more often.
 */
struct pcslab_heap {
	struct pcslab_class *class[PCSLAB_NR_CLASSES + 1];
	struct pcslab_cpu * __percpu *slots;
	struct pcslab_cpu * __percpu *caches;
	char name[PCSLAB_FULL_NAME_LEN];
	struct pcslab_heap *parent;
	struct list_head node;
	union {
		struct hlist_node by_name;
		struct llist_node grave;
	};
	u64 id;
	struct module *owner;
	char owner_name[MODULE_NAME_LEN];
	refcount_t refs;
	u8 flags;
	bool dying;
	bool zombie;
	bool emptied;
	struct pcslab_visit visit;
	struct dentry *dir;
	struct list_head reserves;
	struct pcslab_heap_counters counters[2];
	atomic_long_t bad_frees;
	atomic_long_t corruptions;
	atomic_long_t foreign;
	atomic_long_t foreign_seen;
	atomic_long_t unaccounted;
	struct mem_cgroup *memcg;
	atomic_long_t deferred;
	bool reserves_shown;
	u8 shown;
	u8 watched;
	u8 callers;
	raw_spinlock_t large_lock;
	struct page *large;
	struct page *large_cursor;
	struct pcslab_budget budget;
	struct pcslab_recorder *recorder;
	struct page *large_old;
	struct pcslab_leaks *leaks;
};

/* Files that a heap gets when it needs them (debugfs.c) */
#define PCSLAB_SHOWS_EVENTS	BIT(0)
#define PCSLAB_SHOWS_LEAKS	BIT(1)

/* Reasons to watch a heap */
#define PCSLAB_WATCH_FAULT	BIT(0)	/* its calls may fail (fault.c) */
#define PCSLAB_WATCH_TRACE	BIT(1)	/* a tracepoint is in use (event.c) */
#define PCSLAB_WATCH_RECORD	BIT(2)	/* flight recorder (record.c) */

/* What the creator of a fixed-size cache wants; @flags are PCSLAB_HEAP_*. */
struct pcslab_fixed {
	u32 size;
	u32 align;
	u8 flags;
	void (*ctor)(void *obj);
};

/**
 * struct pcslab_cache - a fixed-size cache
 * @heap: has its objects, in a single class. First member, so that freeing the
 *	heap frees the cache
 * @fixed: bytes of an object, its alignment, and its constructor or NULL
 * @for_mempools: made by pcslab_mempool_create(); goes with the heap
 */
struct pcslab_cache {
	struct pcslab_heap heap;
	struct pcslab_fixed fixed;
	bool for_mempools;
};

static_assert(offsetof(struct pcslab_cache, heap) == 0);

#endif /* _PCSLAB_TYPES_H */
