/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The objects of pcslab, from the caller inwards
 *
 *   heap ---> class [64 + large] --- for each CPU ----> cache
 *               |                                      | loaded, spare
 *               |                                      v
 *               +----- for each node ----> depot     magazine {object, state}...
 *                                            | full and empty magazines
 *                                            v
 *                                          slab ---> pages
 *                                            | a state byte per object
 *
 * A class is what one heap keeps for one size; it is made when its first
 * object is asked for. The cache holds the part of a CPU: two magazines and
 * the record, the counters that are the statistics. The depot holds the part
 * of a node. A slab's metadata is never in its pages: pages carry objects only.
 *
 * Lock order: CPU hotplug lock > service_lock (slots.c) > pcslab_heaps_lock >
 * slots_lock (slots.c) and depot->lock. The last two are raw, taken with
 * interrupts off, and not nested in each other.
 */
#ifndef _PCSLAB_TYPES_H
#define _PCSLAB_TYPES_H

#include <linux/atomic.h>
#include <linux/cache.h>
#include <linux/list.h>
#include <linux/llist.h>
#include <linux/mm_types.h>
#include <linux/module.h>
#include <linux/percpu.h>
#include <linux/prandom.h>
#include <linux/refcount.h>
#include <linux/spinlock.h>

#include <pcslab/pcslab.h>

/*
 * The pseudo class of large objects: it has caches (for the record), no slabs.
 */
#define PCSLAB_LARGE		PCSLAB_NR_CLASSES

/* A slab has 2^3 pages at most, or the largest class may not need more. */
#define PCSLAB_SLAB_MAX_ORDER	3

/*
 * The state of an object, a byte in its slab's metadata. Who owns the object
 * writes it: the caller who frees it, the CPU whose magazine it is in, or the
 * depot's lock while it is in the slab. A byte, not a bit: bits of different
 * owners in one word would need atomic operations.
 */
enum pcslab_state {
	PCSLAB_FREE = 0,	/* in its slab */
	PCSLAB_CACHED,		/* in a magazine */
	PCSLAB_LIVE,		/* with a caller */
	PCSLAB_PENDING,		/* a call is just putting off its free (nmi.c) */
	PCSLAB_DEFERRED,	/* freed, waits for an irq_work */
	PCSLAB_NONE,		/* no object: behind the last one */
};

/*
 * Flags of a heap beside the public ones: it remembers who allocated what.
 * Calls on a heap that has any of PCSLAB_SLOW take the slow path.
 */
#define PCSLAB_HEAP_TRACK	BIT(7)
#define PCSLAB_CHECKED		(PCSLAB_HEAP_POISON | PCSLAB_HEAP_REDZONE)
#define PCSLAB_SLOW		(PCSLAB_CHECKED | PCSLAB_HEAP_TRACK)

/**
 * struct pcslab_site - a place that calls pcslab
 * @link: in a table of site.c; entries stay until pcslab goes
 * @name: function, offset and module; no two have the same
 */
struct pcslab_site {
	struct llist_node link;
	char name[];
};

/* A free object in a magazine, and where its state is kept. */
struct pcslab_round {
	void *obj;
	u8 *state;
};

/**
 * struct pcslab_magazine - an array of free objects of one class
 * @next: in a depot's stack
 * @n: rounds in it while in a depot; a cache knows that of its own two
 * @verified: while in a depot: as in the cache
 * @round: class->cap of them
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

/* Magazines in a depot. */
struct pcslab_stack {
	struct pcslab_magazine *top;
	unsigned int nr;
};

/*
 * A row of the record. A counter is two words: a call counts in that of the
 * turn (stats.c) it sees, and the counter's value is their sum. Words are
 * native: 64 bits on 64-bit kernels, and never torn on any.
 */
struct pcslab_count {
	union {
		unsigned long allocs[2];
		/* Freed; of large objects, whose allocations the heap counts. */
		unsigned long bytes[2];
	};
	unsigned long frees[2];
};

/* What dead CPUs counted, in whatever turn, and CPU 0 inherited. */
struct pcslab_inherited {
	union {
		unsigned long allocs;
		unsigned long bytes;
	};
	unsigned long frees;
};

/**
 * struct pcslab_cache - what one CPU keeps of one class of one heap
 * @busy: the guard: set while a call on this CPU is between its first look at
 *	the magazine and its count; a call that interrupts it then does not
 *	touch the rest of this line
 * @node: the node this CPU allocates from
 * @top: where the next round goes. The round below is the next one to be handed
 *	out; below the first of a loaded magazine, and without one, is a NULL
 *	(cache.c)
 * @full: what @top is when @loaded has no room, or there is none
 * @loaded: the magazine in use, or NULL
 * @count: the record of calls that held the guard
 * @always_busy: what the slot leads to while the cache is out of service
 *	(slots.c): it looks like @busy of a cache whose guard is held
 * @seen: calls counted at the last look at what is idle, modulo 2^32; written
 *	by that alone
 * @direct: the record of calls that did not hold the guard; written with
 *	interrupts off, by this CPU
 * @spare: the other magazine, full or empty, or NULL
 * @next: in a list of caches that are in no slot yet
 * @verified: the class's @doubts when every round here was last seen to be one
 * @frees: of @count when the CPU last needed a slab, modulo 2^32
 * @nr_spare: rounds in @spare
 * @needed: slabs that the CPU needed in a row without a free in between, up to
 *	a limit
 * @out: out of service: the CPU leaves all but @direct alone
 * @visited: somebody has taken it out of service for a visit (slots.c)
 *
 * What has no other rule here is written by the one CPU alone, or, while the
 * cache is out of service, by who has it; none of it with an atomic operation.
 * Two rows, because a call that interrupts another must not count in the words
 * that the other is just counting in.
 */
struct pcslab_cache {
	unsigned int busy;
	int node;
	struct pcslab_round *top;
	struct pcslab_round *full;
	struct pcslab_magazine *loaded;
	struct pcslab_count count;

	unsigned int always_busy ____cacheline_aligned;
	unsigned int seen;
	struct pcslab_count direct;
	union {
		struct pcslab_magazine *spare;
		struct pcslab_cache *next;
	};
	u32 verified;
	u32 frees;
	u16 nr_spare;
	u8 needed;
	bool out;
	bool visited;
} ____cacheline_aligned;

/**
 * struct pcslab_slab - a run of pages cut into objects of one class
 * @base: address of the first object
 * @recip: 2^BITS_PER_LONG / stride, rounded up
 * @node: of the pages; NUMA_NO_NODE if they came from the reserves for freeing
 *	memory, so that no magazine takes objects of theirs
 * @caches: the slots that frees look at: class->caches, to spare them a load;
 *	or, so that no magazine takes an object of the reserves, slots of
 *	nobody
 * @class: what it belongs to
 * @list: in the depot's partial or empty list, or in none when all is handed
 *	out
 * @leaving: in the list of those that go (leave.c)
 * @rcu: when it is gone; heap_of() and bad frees may still be looking
 * @all: in the depot's list of all slabs, walked under RCU by the audit
 * @nr: objects in it
 * @nr_free: objects in PCSLAB_FREE
 * @hint: no object below this index is PCSLAB_FREE
 * @order: of the pages
 * @leaves: it was empty and is about to go (leave.c)
 * @returned: since then an object was handed out and came back
 * @deferred: in the list of slabs with objects freed in NMI; points to itself
 *	when no NMI has claimed the slab for it, and only then may the slab go
 * @state: enum pcslab_state of every object; beyond @nr PCSLAB_NONE, for each
 *	index that an address in the pages can lead to, and up to a whole word;
 *	then, in heaps with PCSLAB_SLOW, pcslab_sites() and pcslab_sizes()
 *
 * @list, @nr_free, @hint, @leaves and @returned: under the depot's lock. @deferred and @state
 * are shared, as nmi.c and enum pcslab_state say. The rest does not change.
 */
struct pcslab_slab {
	char *base;
	unsigned long recip;
	struct pcslab_cache * __percpu *caches;
	int node;
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
 * @lock: of all of it; innermost, a bounded number of objects at a time
 * @full: full magazines; from some objects may have been taken one by one
 * @idle: empty magazines
 * @cursor: where an audit is in @full
 * @nr_rounds: objects in @full
 * @max_rounds: how many it keeps
 * @nr_missed: objects put into slabs because there were as many, since a drain,
 *	and not taken out again yet
 * @partial: slabs with some objects free
 * @empty: slabs with all objects free
 * @nr_empty: of them
 * @reserve: slabs of the reserves with objects free, which are in neither of
 *	the two
 * @all: every slab of this class and node
 * @nr_slabs: of them
 * @nr_pages: held by them
 * @nr_free: objects free in them
 * @random: for PCSLAB_HEAP_RANDOM
 * @seen: objects free here at the last look at what is idle; written by that
 *	alone
 */
struct pcslab_depot {
	raw_spinlock_t lock;
	struct pcslab_stack full;
	struct pcslab_stack idle;
	struct pcslab_magazine *cursor;
	unsigned int nr_rounds;
	unsigned int max_rounds;
	unsigned int nr_missed;
	unsigned int nr_empty;
	struct list_head partial;
	struct list_head empty;
	struct list_head reserve;
	struct list_head all;
	unsigned long nr_slabs;
	unsigned long nr_pages;
	unsigned long nr_free;
	struct rnd_state random;
	unsigned long seen;
} ____cacheline_aligned_in_smp;

/**
 * struct pcslab_class - one size class of one heap
 * @caches: the heap's slots of this class: they lead to the caches of
 *	pcslab_cpus (slots.c)
 * @inherited: a part of CPU 0's record, written with CPU hotplug held for
 *	writing
 * @size: bytes of an object
 * @stride: from one to the next: more than @size if there is a redzone
 * @recip: as in the slab
 * @doubts: changes when slabs are about to go, and rounds have to be verified
 *	(leave.c)
 * @cap: rounds in a magazine
 * @index: in heap->class
 * @order: of a slab
 * @min_order: of the smallest slab that holds an object
 * @flags: of the heap
 * @heap: what it belongs to
 * @depot: per node
 */
struct pcslab_class {
	struct pcslab_cache * __percpu *caches;
	struct pcslab_inherited inherited;
	unsigned long recip;
	u32 size;
	u32 stride;
	u32 doubts;
	u16 cap;
	u8 index;
	u8 order;
	u8 min_order;
	u8 flags;
	struct pcslab_heap *heap;
	struct pcslab_depot depot[];
};

/**
 * struct pcslab_visit - something to be done to caches while they are out of service
 * @node: in the list of those that wait (slots.c)
 * @heap: whose caches, or NULL for those of every heap
 * @wants: is it to be done to this cache? Asked with interrupts off
 * @fn: does it; the cache is nobody else's meanwhile
 * @arg: for @fn
 */
struct pcslab_visit {
	struct list_head node;
	struct pcslab_heap *heap;
	bool (*wants)(const struct pcslab_cache *c, unsigned int cpu);
	void (*fn)(struct pcslab_class *class, struct pcslab_cache *c, void *arg);
	void *arg;
};

/**
 * struct pcslab_heap_count - what a heap counts itself, one of each turn
 * @fails: allocations that returned NULL, by class
 * @large_allocs: large objects handed out
 * @large_alloc_bytes: and their bytes
 *
 * Not on any fast path, and failures are counted in NMI too, hence atomic and
 * not per CPU.
 */
struct pcslab_heap_count {
	atomic_long_t fails[PCSLAB_NR_CLASSES + 1];
	atomic_long_t large_allocs;
	atomic_long_t large_alloc_bytes;
};

/**
 * struct pcslab_heap - a named, private allocator
 * @class: by index, NULL until used, with the large one; first, for the fast
 *	path to find it without adding anything
 * @slots: for each class, with the large one, a pointer per possible CPU
 *	(slots.c)
 * @name: as given
 * @node: in pcslab_heaps, under pcslab_heaps_lock; freed an RCU grace period
 *	later
 * @by_name: while the name is taken, under pcslab_heaps_lock
 * @id: of later heaps is larger
 * @owner: the module that made it; only compared
 * @owner_name: its name, for when it is gone
 * @refs: one of the owner, one per slab, one per large object
 * @flags: PCSLAB_HEAP_* and internal ones; do not change
 * @dying: destroyed: its caches are out of service for good; under slots_lock
 * @zombie: destroyed with objects live
 * @emptied: destroyed, and nothing is free in its caches and depots any more
 * @grave: in a list of heap.c, of those to be emptied or of those to be freed
 * @visit: the visit that empties its caches in the end
 * @dir: in debugfs
 * @count: what is not counted per CPU
 * @bad_frees: refused frees of this heap's memory
 * @corruptions: objects of which a pattern was found damaged
 * @foreign: frees of its objects by other allocators that were found
 * @foreign_seen: those that were seen when they were made
 * @large_lock: of @large; innermost, interrupts off
 * @large: all large objects, for the audit
 * @large_cursor: where a walk is in @large
 */
struct pcslab_heap {
	struct pcslab_class *class[PCSLAB_NR_CLASSES + 1];
	struct pcslab_cache * __percpu *slots;
	char name[PCSLAB_NAME_LEN];
	struct list_head node;
	struct hlist_node by_name;
	u64 id;
	struct module *owner;
	char owner_name[MODULE_NAME_LEN];
	refcount_t refs;
	u8 flags;
	bool dying;
	bool zombie;
	bool emptied;
	struct llist_node grave;
	struct pcslab_visit visit;
	struct dentry *dir;
	struct pcslab_heap_count count[2];
	atomic_long_t bad_frees;
	atomic_long_t corruptions;
	atomic_long_t foreign;
	atomic_long_t foreign_seen;
	raw_spinlock_t large_lock;
	struct page *large;
	struct page *large_cursor;
};

#endif /* _PCSLAB_TYPES_H */
