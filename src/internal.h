/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The interfaces between the files of pcslab. Data flows one way: caller ->
 * cache -> depot -> slab -> pages.
 */
#ifndef _PCSLAB_INTERNAL_H
#define _PCSLAB_INTERNAL_H

#include <linux/cpumask.h>
#include <linux/ctype.h>
#include <linux/jump_label.h>
#include <linux/kernel.h>
#include <linux/mm.h>
#include <linux/mutex.h>
#include <linux/nodemask.h>
#include <linux/numa.h>
#include <linux/prandom.h>
#include <linux/seq_file.h>

#include "types.h"

/* alloc.c: the public calls */
void pcslab_alloc_init(void);
void *pcslab_alloc_for(struct pcslab_heap *heap, size_t size, gfp_t gfp, int node,
		       unsigned long caller);
/*
 * The node that a caller can have, of any number that it gives, or
 * NUMA_NO_NODE. As for kmalloc_node(), a node without memory is no preference.
 */
static inline int pcslab_node_wanted(int node)
{
	if (node < 0 || node >= nr_node_ids || !node_state(node, N_NORMAL_MEMORY))
		return NUMA_NO_NODE;
	return node;
}

bool pcslab_may_alloc(struct pcslab_heap *heap, size_t size, gfp_t gfp);
void pcslab_count_unaccounted(struct pcslab_heap *heap);
void *pcslab_take(struct pcslab_heap *heap, size_t size, gfp_t gfp, int node,
		  unsigned long caller);
void *pcslab_alloc_fixed(struct pcslab_cache *cache, gfp_t gfp, unsigned long caller);
void *pcslab_alloc_failed(struct pcslab_heap *heap, unsigned int index, unsigned long caller);
typedef void *(*pcslab_alloc_fn)(struct pcslab_heap *heap, size_t size, gfp_t gfp, int node,
				 unsigned long caller);
void *pcslab_realloc_for(struct pcslab_heap *heap, const void *obj, size_t size, gfp_t gfp,
			 int node, unsigned long caller, pcslab_alloc_fn alloc);
void pcslab_free_for(const void *obj, unsigned long caller);
bool pcslab_free_waiting(struct pcslab_slab *slab, void *obj, u8 *state);

/* site.c: where calls come from */
int pcslab_site_init(void);
void pcslab_site_exit(void);
struct pcslab_site *pcslab_site(unsigned long address);
struct pcslab_site *pcslab_site_above(unsigned long address, unsigned int callers);

static inline const char *pcslab_site_name(const struct pcslab_site *site)
{
	return site ? site->name : "unknown";
}

void pcslab_site_show(struct seq_file *m, const char *name);

/* describe.c: what is at an address */
void pcslab_whatis_show(struct seq_file *m);

/* track.c: which call sites allocated which objects */
u32 pcslab_clock(void);
void pcslab_track_object(struct pcslab_slab *slab, unsigned int index,
			 unsigned long caller);
void pcslab_track_alloc(const void *obj, unsigned long caller);
struct pcslab_class *pcslab_untrack_large(struct page *page);
void pcslab_track_report(struct pcslab_heap *heap);
void pcslab_track_show(struct seq_file *m, struct pcslab_heap *heap);

/* check.c: patterns in free objects and behind live ones */
void pcslab_check_new(struct pcslab_slab *slab);
void pcslab_check_alloc(struct pcslab_slab *slab, u8 *obj, unsigned long caller);
void pcslab_check_fence(struct pcslab_slab *slab, u8 *obj, u32 size);
void pcslab_check_open(struct pcslab_slab *slab, u8 *obj, unsigned long caller);
void pcslab_check_free(struct pcslab_slab *slab, u8 *obj, unsigned long caller);

/* cache.c: the magazines of a CPU, and the life of a cache */
void *pcslab_cpu_alloc(struct pcslab_class *class, gfp_t gfp, int node, bool hand_out);
bool pcslab_cpu_prepare(struct pcslab_class *class);
bool pcslab_cpu_free(struct pcslab_slab *slab, void *obj, u8 *state);
unsigned long pcslab_cpu_drain(struct pcslab_class *class,
			       struct pcslab_cpu *cache);
struct pcslab_cpu *pcslab_caches_create(gfp_t gfp);
void pcslab_caches_free(struct pcslab_cpu *cache);
int pcslab_cpu_add(struct pcslab_class *class, unsigned int cpu);
int pcslab_cpu_retire(struct pcslab_class *class, unsigned int cpu);
void pcslab_class_free_caches(struct pcslab_class *class);

/* depot.c: magazines and slabs of a node */
enum pcslab_leave {
	PCSLAB_GOES,
	PCSLAB_STAYS,
	PCSLAB_WAITS,		/* for another grace period */
};

void *pcslab_depot_alloc(struct pcslab_class *class, gfp_t gfp, int node);
void pcslab_depot_free(struct pcslab_slab *slab, const void *obj, u8 *state);
void pcslab_depot_free_deferred(struct pcslab_slab *slab);
enum pcslab_leave pcslab_depot_let_go(struct pcslab_slab *slab);
struct pcslab_magazine *
pcslab_depot_trade_empty(struct pcslab_class *class, int node,
			 struct pcslab_magazine *empty, struct pcslab_magazine **second,
			 struct pcslab_magazine **surplus, struct pcslab_slab **slab);
struct pcslab_slab *pcslab_depot_get_slab(struct pcslab_class *class, gfp_t gfp, int node,
					  unsigned int more);
void pcslab_depot_add_slab(struct pcslab_slab *slab);
bool pcslab_depot_lacks_objects(struct pcslab_class *class, int node);
bool pcslab_depot_lacks_magazines(struct pcslab_class *class, int node, unsigned int nr);
struct pcslab_magazine *
pcslab_depot_trade_full(struct pcslab_class *class, int node,
			struct pcslab_magazine *full, struct pcslab_magazine **second,
			struct pcslab_magazine *fresh, bool may_flush,
			struct list_head *doomed);
struct pcslab_magazine *pcslab_depot_take_empty(struct pcslab_class *class, int node);
void pcslab_depot_flush(struct pcslab_class *class, int node,
			struct pcslab_magazine *mag, struct list_head *doomed);
unsigned long pcslab_depot_drain(struct pcslab_class *class);
unsigned long pcslab_depot_reclaimable(struct pcslab_class *class);
void pcslab_depot_reap(struct pcslab_class *class);
void pcslab_depot_init(struct pcslab_class *class);

/* magazine.c: arrays of free objects */
unsigned int pcslab_magazine_rounds(u32 size);
struct pcslab_magazine *pcslab_magazine_create(struct pcslab_class *class, gfp_t gfp);
void pcslab_magazine_free(struct pcslab_magazine *mag);
void pcslab_magazines_free(struct pcslab_magazine *mag);

/*
 * Take an object from its owner: its state becomes @to. True for one call only.
 */
static inline bool pcslab_claim(u8 *state, u8 to)
{
	u8 was = READ_ONCE(*state);

	while (pcslab_has_owner(was)) {
		if (try_cmpxchg(state, &was, to))
			return true;
	}
	return false;
}

/* slab.c: pages cut into objects */
/*
 * Number of state bytes: one for each index that an address in the slab can
 * have, which includes those past the last object, and up to a whole word.
 */
static inline unsigned int pcslab_nr_states(const struct pcslab_class *class,
					    unsigned int order)
{
	return round_up(DIV_ROUND_UP(PAGE_SIZE << order, class->stride), sizeof(long));
}

/*
 * In a heap with PCSLAB_SITED each object has a site: the call that allocated
 * it last or, with PCSLAB_CHECKED, that freed it since. The times of these
 * calls, in seconds, are in reverse order and end where the sites begin. The
 * sizes that were requested (check.c) follow the sites. Only the owner of the
 * object may write its site, its time and its size.
 */
static inline struct pcslab_site **pcslab_sites(struct pcslab_slab *slab)
{
	return (void *)slab + slab->sites_at;
}

static inline u32 *pcslab_time(struct pcslab_slab *slab, unsigned int index)
{
	return (u32 *)pcslab_sites(slab) - 1 - index;
}

/* Seconds since the kernel was booted. Jiffies of 32 bits would wrap around. */
static inline u32 pcslab_now(void)
{
	return IS_ENABLED(CONFIG_64BIT) ? (jiffies - INITIAL_JIFFIES) / HZ : pcslab_clock();
}

static inline void pcslab_track_store(struct pcslab_slab *slab, unsigned int index,
				      struct pcslab_site *site)
{
	WRITE_ONCE(*pcslab_time(slab, index), pcslab_now());
	/* Release: pairs with the address dependency of readers of the name. */
	smp_store_release(&pcslab_sites(slab)[index], site);
}

struct pcslab_slab *pcslab_slab_create(struct pcslab_class *class, gfp_t gfp,
				       int node, unsigned int order);
void pcslab_slab_disown(struct pcslab_slab *slab);
void pcslab_slab_destroy(struct pcslab_slab *slab);
unsigned int pcslab_slab_count(const struct pcslab_slab *slab, enum pcslab_state state);
unsigned int pcslab_slab_take(struct pcslab_slab *slab, struct pcslab_round *round,
			      unsigned int n);
unsigned int pcslab_slab_take_random(struct pcslab_slab *slab, struct pcslab_round *round,
				     unsigned int n, struct rnd_state *random);

/* A number below @n. */
static inline u32 pcslab_random_below(struct rnd_state *random, u32 n)
{
	return reciprocal_scale(prandom_u32_state(random), n);
}

/* A published class of a heap, or NULL. */
static inline struct pcslab_class *pcslab_class_at(struct pcslab_heap *heap,
						   unsigned int index)
{
	/* Acquire: pairs with pcslab_class_publish(). */
	return smp_load_acquire(&heap->class[index]);
}

/* The first published class from @index on and below @end, or NULL. */
static inline struct pcslab_class *pcslab_class_from(struct pcslab_heap *heap,
						     unsigned int index,
						     unsigned int end)
{
	struct pcslab_class *class = NULL;

	for (; !class && index < end; index++)
		class = pcslab_class_at(heap, index);
	return class;
}

/* Iterate over the published size classes of @heap, which is evaluated once. */
#define pcslab_for_each_size_class(class, heap)				\
	for (class = pcslab_class_from(heap, 0, PCSLAB_NR_CLASSES); class; \
	     class = pcslab_class_from(class->heap, class->index + 1,	\
				       PCSLAB_NR_CLASSES))

/* The same, including the class of large objects. */
#define pcslab_for_each_class(class, heap)				\
	for (class = pcslab_class_from(heap, 0, PCSLAB_LARGE + 1); class; \
	     class = pcslab_class_from(class->heap, class->index + 1,	\
				       PCSLAB_LARGE + 1))

/* leave.c: slabs on their way out */
unsigned long pcslab_slabs_leave(struct list_head *doomed);
void pcslab_leave_wait(void);

/* fixed.c: fixed-size caches */
void pcslab_free_fixed(struct pcslab_cache *cache, const void *obj, unsigned long caller);

/* The cache whose heap this is, or NULL. */
static inline struct pcslab_cache *pcslab_cache_of(struct pcslab_heap *heap)
{
	return heap->parent ? container_of(heap, struct pcslab_cache, heap) : NULL;
}

/* The heap that the owner knows. A fixed-size cache belongs to such a heap. */
static inline struct pcslab_heap *pcslab_root(struct pcslab_heap *heap)
{
	return heap->parent ?: heap;
}

/* Is it the same heap, or a fixed-size cache of it? */
static inline bool pcslab_is_of(const struct pcslab_heap *heap, const struct pcslab_heap *root)
{
	return heap == root || heap->parent == root;
}

/* Bytes of an object of a class, which need not be made yet. */
static inline size_t pcslab_size_at(struct pcslab_heap *heap, unsigned int index)
{
	struct pcslab_cache *cache = pcslab_cache_of(heap);

	return cache ? cache->fixed.size : pcslab_class_size(index);
}

/*
 * Must an object be zeroed when it is handed out? The rules for objects that
 * last are those of slab_want_init_on_alloc() in the kernel.
 */
static __always_inline bool pcslab_must_zero(u8 flags, gfp_t gfp)
{
	if (likely(!(flags & PCSLAB_LASTING)))
		return want_init_on_alloc(gfp);
	return !(flags & PCSLAB_HEAP_CTOR) && gfp & __GFP_ZERO;
}

/* class.c: the size classes of a heap */
struct pcslab_class *pcslab_class_make(struct pcslab_heap *heap,
				       unsigned int index, gfp_t gfp);
void pcslab_class_shape(struct pcslab_class *class, unsigned int index,
			unsigned int flags);
bool pcslab_fixed_fits(size_t size, size_t align);
void pcslab_class_free(struct pcslab_class *class);

/* kvalloc.c: large objects from vmalloc; page.h has what finds them */
struct pcslab_area;
bool pcslab_area_lost(struct page *page, const struct pcslab_area *area);
void pcslab_area_put(struct page *page, struct pcslab_area *area);
void pcslab_area_wait(void);

/* large.c: objects with pages of their own */
void pcslab_large_add(struct pcslab_heap *heap, struct page *page, size_t bytes);
bool pcslab_large_claim(struct page *page);
void *pcslab_large_alloc(struct pcslab_heap *heap, size_t size, gfp_t gfp, int node);
bool pcslab_large_free(const void *obj, unsigned long caller, bool wipe);
struct pcslab_class *pcslab_large_wait(const void *obj);
void pcslab_large_free_waiting(struct page *page);
unsigned long pcslab_large_give_up(struct pcslab_heap *heap);
void pcslab_large_release(struct page *page);
size_t pcslab_large_size(const void *obj);
void pcslab_large_set_old(struct pcslab_heap *heap, bool old);
void pcslab_large_walk(struct pcslab_heap *heap,
		       void (*visit)(struct page *page, void *arg), void *arg);

/* page.c: getting pages; page.h has what is written into them */
struct page *pcslab_pages_get(struct pcslab_heap *heap, gfp_t gfp, int node,
			      unsigned int order);

/* limit.c: the pages of a heap */
/*
 * An allocation that may be tried again at the limit of its heap. The fields
 * are its flags; the flags of the next try, which keep __GFP_NOFAIL for the
 * last one; and what comes next.
 */
struct pcslab_plea {
	gfp_t wanted, gfp;
	enum {
		PCSLAB_PLEA_IDLE,	/* the heap gives idle memory back */
		PCSLAB_PLEA_OWNER,	/* the heap's owner is asked */
		PCSLAB_PLEA_EXCEED,	/* __GFP_NOFAIL exceeds the limit */
		PCSLAB_PLEA_DONE,
	} step;
};

void pcslab_charge_undo(struct pcslab_heap *heap, unsigned long pages);
void pcslab_uncharge(struct pcslab_heap *heap, unsigned long pages);
bool pcslab_plea_retry(struct pcslab_heap *heap, unsigned long pages, struct pcslab_plea *plea);
void pcslab_budget_init(struct pcslab_heap *heap, const struct pcslab_heap_attr *attr);
void pcslab_budget_read(struct pcslab_heap *heap, struct pcslab_stats *st);

/*
 * Charge a heap for pages that it is about to get; with __GFP_NOFAIL the limit
 * is exceeded. Returns false at the limit. If the heap does not get the pages,
 * the caller must call pcslab_charge_undo().
 *
 * Compare and exchange, not add and check, because a charge that is taken back
 * again could make another CPU fail that is within the limit. Inline, because
 * objects of 4 KiB need a slab for at most eight of them.
 */
static __always_inline bool pcslab_charge(struct pcslab_heap *heap, unsigned long pages,
					  gfp_t gfp)
{
	struct pcslab_budget *budget = &pcslab_root(heap)->budget;
	long held = atomic_long_read(&budget->pages);
	bool fits;

	do {
		fits = held + pages <= READ_ONCE(budget->limit);
		if (unlikely(!fits) && !(gfp & __GFP_NOFAIL))
			return false;
	} while (unlikely(!atomic_long_try_cmpxchg(&budget->pages, &held, held + pages)));
	if (unlikely(!fits))
		atomic_long_inc(&budget->over_limit);
	return true;
}

/*
 * Get compound pages that a heap is charged for, and its cgroup. With
 * __GFP_NOFAIL the limit is exceeded. Returns the first page, or NULL: there
 * are no pages, or the heap is at its limit.
 */
static __always_inline struct page *
pcslab_heap_get_pages(struct pcslab_heap *heap, gfp_t gfp, int node, unsigned int order)
{
	struct page *page;

	if (!pcslab_charge(heap, 1UL << order, gfp))
		return NULL;
	if (likely(!heap->memcg && !(gfp & __GFP_NOFAIL)))
		page = alloc_pages_node(node, gfp | __GFP_COMP, order);
	else
		page = pcslab_pages_get(heap, gfp, node, order);
	if (unlikely(!page))
		pcslab_charge_undo(heap, 1UL << order);
	return page;
}

static inline struct pcslab_plea pcslab_plea(struct pcslab_heap *heap, gfp_t gfp)
{
	struct pcslab_plea plea = { .wanted = gfp, .gfp = gfp, .step = PCSLAB_PLEA_DONE };

	if (likely(READ_ONCE(pcslab_root(heap)->budget.limit) == ULONG_MAX))
		return plea;
	plea.step = PCSLAB_PLEA_IDLE;
	if (gfp & __GFP_NOFAIL)
		plea.gfp = (gfp & ~__GFP_NOFAIL) | __GFP_NOWARN;
	return plea;
}

/* nmi.c: frees that must be deferred */
void pcslab_defer_slab(struct pcslab_slab *slab, u8 *state);
void pcslab_defer_large(struct page *page);
void pcslab_defer_finish(void);
int pcslab_defer_init(void);
void pcslab_defer_exit(void);

/* heap.c: creating and destroying heaps */
extern struct list_head pcslab_heaps;		/* includes zombies; RCU */
extern struct mutex pcslab_heaps_lock;
extern struct workqueue_struct *pcslab_wq;
void pcslab_heap_put(struct pcslab_heap *heap);
struct pcslab_cache *pcslab_heap_add_cache(struct pcslab_heap *parent, const char *name,
					   const struct pcslab_fixed *fixed);

/* May a heap's name have this character? */
static inline bool pcslab_is_name_char(char c)
{
	return c != '/' && isascii(c) && isgraph(c);
}

struct pcslab_heap *pcslab_heap_after(struct pcslab_heap *heap, u64 id);
int pcslab_heap_init(void);
void pcslab_heap_exit(void);

/* param.c: the parameters that name heaps */
u8 pcslab_flags_of(const char *name);
u8 pcslab_flags_of_all(void);
unsigned int pcslab_track_callers(void);
bool pcslab_record_wanted(const char *name);
unsigned int pcslab_record_size(void);
#define PCSLAB_LIST_LEN	512	/* bytes of a list of names, including the NUL */
bool pcslab_are_names(const char *list);
bool pcslab_name_in(const char *list, const char *name);

/* forget.c: giving a zombie up */
int pcslab_heap_forget(struct pcslab_heap *heap);

/* reclaim.c: free memory goes back to the kernel */
unsigned long pcslab_heap_drain_caches(struct pcslab_heap *heap);
unsigned long pcslab_heap_drain_depots(struct pcslab_heap *heap);
unsigned long pcslab_family_drain_depots(struct pcslab_heap *heap);
int pcslab_reclaim_init(void);
void pcslab_reclaim_exit(void);

/* reserve.c: memory that is there before it is needed */
void pcslab_reserves_show(struct seq_file *m, struct pcslab_heap *heap);
void pcslab_reserves_part(struct pcslab_heap *heap);

/* rcu.c: frees that wait for a grace period */
bool pcslab_rcu_throttle(struct pcslab_heap *heap, size_t size, gfp_t gfp);

/* slots.c: how a CPU finds its caches */
extern struct cpumask pcslab_cpus;		/* CPUs that have caches */
DECLARE_PER_CPU(struct pcslab_cpu *, pcslab_no_slot);	/* has no cache */
DECLARE_PER_CPU(struct pcslab_slots, pcslab_held);	/* its guard is held */
DECLARE_STATIC_KEY_FALSE(pcslab_many_nodes);	/* more than one possible */
struct pcslab_cpu * __percpu *pcslab_slots_create(unsigned int n);
void pcslab_slots_init(void);
void pcslab_cpus_set(unsigned int cpu, bool present);
unsigned long pcslab_cpus_seq(void);
int pcslab_home_of(unsigned int cpu);
void pcslab_slot_set(struct pcslab_class *class, unsigned int cpu,
		     struct pcslab_cpu *cache);
void pcslab_slot_clear(struct pcslab_class *class, unsigned int cpu);
bool pcslab_class_publish(struct pcslab_class *class, struct pcslab_cpu *caches,
			  unsigned long seq);
bool pcslab_heap_stop(struct pcslab_heap *heap);
void pcslab_class_doubt(struct pcslab_class *class);
void pcslab_heap_watch(struct pcslab_heap *heap, u8 reason, bool on);
void pcslab_cpu_trust(struct pcslab_class *class, struct pcslab_cpu *cache, u32 doubts);
void pcslab_grace_period(void);
void pcslab_visit_announce(struct pcslab_visit *visit);
void pcslab_visit_make(struct pcslab_visit *visit);

/*
 * The cache that a slot points to, in service or not; @nobody if it has none.
 */
static inline struct pcslab_cpu *pcslab_slot_cache(struct pcslab_cpu *slot)
{
	return (void *)((unsigned long)slot & ~(sizeof(*slot) - 1));
}

/* This CPU's cache. Preemption must be off. */
static inline struct pcslab_cpu *pcslab_this_cache(struct pcslab_class *class)
{
	return pcslab_slot_cache(raw_cpu_read(*class->caches));
}

/* The cache of a CPU, or NULL. */
static inline struct pcslab_cpu *pcslab_cpu_of(struct pcslab_class *class,
					       unsigned int cpu)
{
	struct pcslab_cpu *slot = READ_ONCE(*per_cpu_ptr(class->caches, cpu));
	struct pcslab_cpu *cache = pcslab_slot_cache(slot);

	/* Racy: a cache may change its node, but has one. */
	return data_race(cache->node) == NUMA_NO_NODE ? NULL : cache;
}

/* hotplug.c: CPU hotplug */
int pcslab_hotplug_init(void);
void pcslab_hotplug_exit(void);

/*
 * stats.c: sums over the record. The sums are words, so that differences are
 * right when counters wrap.
 */
struct pcslab_sum {
	unsigned long allocs, frees, bytes;
};

extern unsigned int pcslab_stat_idx;		/* 0 or 1 */

/* A row of the record. */
struct pcslab_cpu_counts {
	u32 size;		/* 0: large objects */
	unsigned long allocs, frees, inh_allocs, inh_frees;
	unsigned int cached;
};

struct pcslab_sum pcslab_own_sum(struct pcslab_class *class,
				 const struct pcslab_cpu *c);
bool pcslab_cpu_counts(struct pcslab_class *class, unsigned int cpu,
		       struct pcslab_cpu_counts *counts);
struct pcslab_sum pcslab_class_sum(struct pcslab_class *class);
unsigned long pcslab_large_allocs(struct pcslab_heap *heap);
void pcslab_heap_read(struct pcslab_heap *heap, struct pcslab_stats *st);

/*
 * Return the word of a row, or the counters of a heap, that calls count in now.
 * The caller must keep preemption or interrupts off until it has counted.
 * Pointer arithmetic, not [], so that UBSAN_BOUNDS adds no check here.
 */
static __always_inline unsigned long *pcslab_word(unsigned long *words)
{
	return words + READ_ONCE(pcslab_stat_idx);
}

static inline struct pcslab_heap_counters *pcslab_heap_counters(struct pcslab_heap *heap)
{
	return heap->counters + READ_ONCE(pcslab_stat_idx);
}

/* audit.c: the walk */
struct pcslab_audit {
	u64 slabs, objects, live, cached, free, deferred;
	u64 rounds;		/* in magazines of CPUs and depots */
	u64 wrong;		/* rounds that lead to no cached object */
};

void pcslab_heap_audit(struct pcslab_heap *heap, struct pcslab_audit *audits);

/* leaks.c: live objects that nothing points to */
void pcslab_leaks_show(struct seq_file *m, struct pcslab_heap *heap);
void pcslab_leaks_free(struct pcslab_heap *heap);

/* badfree.c: reports of bad frees */
void pcslab_bad_free(const void *obj, unsigned long caller);
void pcslab_bad_free_fixed(struct pcslab_cache *cache, const void *obj, unsigned long caller);
void pcslab_raced_free(struct pcslab_class *class, const void *obj);
extern atomic_long_t pcslab_bad_frees;		/* in no heap */

/* memcg.c: the memory cgroup that pays for a heap */
struct mem_cgroup *pcslab_memcg_get(const char *path);

/* foreign.c: our objects freed by other allocators */
void pcslab_foreign_found(struct pcslab_class *class, unsigned long n);
void pcslab_foreign_find(struct pcslab_heap *heap);
#if defined(CONFIG_KPROBES) && defined(CONFIG_HAVE_FUNCTION_ARG_ACCESS_API)
void pcslab_foreign_init(void);
void pcslab_foreign_exit(void);
bool pcslab_foreign_expected(struct pcslab_heap *heap);
#else
static inline void pcslab_foreign_init(void) { }
static inline void pcslab_foreign_exit(void) { }

static inline bool pcslab_foreign_expected(struct pcslab_heap *heap)
{
	return true;
}
#endif

/* table.c: tables in debugfs */
struct pcslab_column {
	const char *name;
	int width;		/* negative: aligned to the left */
};

struct pcslab_table_row {
	struct seq_file *m;
	const struct pcslab_column *column;	/* of the next cell */
	size_t start;		/* offset of the row in the file */
	int stop;		/* where the last cell should have ended */
};

void pcslab_table_begin(struct seq_file *m, const char *format,
			const struct pcslab_column *columns, unsigned int nr);
struct pcslab_table_row pcslab_row_begin(struct seq_file *m,
					 const struct pcslab_column *columns);
void pcslab_row_text(struct pcslab_table_row *row, const char *text);
void pcslab_row_number(struct pcslab_table_row *row, u64 number);
void pcslab_row_end(struct pcslab_table_row *row);

/* json.c: statistics for programs */
void pcslab_json_begin(struct seq_file *m, const char *format);
void pcslab_json_heap(struct seq_file *m, struct pcslab_heap *heap,
		      const struct pcslab_stats *st);
void pcslab_json_cpus(struct seq_file *m, struct pcslab_heap *heap);

/* A class that was never used is not shown. */
static inline bool pcslab_class_used(const struct pcslab_class_stats *st)
{
	return st->allocs || st->fails || st->slabs;
}

/* debugfs.c */
void pcslab_debugfs_init(void);
void pcslab_debugfs_exit(void);
struct dentry *pcslab_debugfs_add(struct pcslab_heap *heap);
void pcslab_debugfs_add_reserves(struct pcslab_heap *heap);
void pcslab_debugfs_add_events(struct pcslab_heap *heap);
void pcslab_debugfs_add_leaks(struct pcslab_heap *heap);
bool pcslab_is_file_name(const char *name);

/* The sums in a line of a table. */
struct pcslab_line {
	u64 allocs, frees, fails, live, live_bytes, cached, depot, slabs, pages, deferred;
};

void pcslab_line_add(struct pcslab_line *to, const struct pcslab_stats *st);
void pcslab_line_add_class(struct pcslab_line *to, const struct pcslab_class_stats *st);
void pcslab_line_add_large(struct pcslab_line *to, const struct pcslab_stats *st);
void pcslab_line_counts(struct pcslab_table_row *row, const struct pcslab_line *line);

/* summary.c: the files of all heaps */
void pcslab_summary_add(struct dentry *root);

/* layout.c: for debuggers */
#ifdef CONFIG_SPARSEMEM_VMEMMAP
void pcslab_layout_init(void);
#else
static inline void pcslab_layout_init(void) { }
#endif

/* fault.c: fault injection */
#ifdef CONFIG_FAULT_INJECTION_DEBUG_FS
bool pcslab_should_fail(gfp_t gfp);
bool pcslab_should_fail_call(struct pcslab_heap *heap, size_t size, gfp_t gfp);
void pcslab_fault_join(struct pcslab_heap *heap);
void pcslab_fault_init(struct dentry *dir);
void pcslab_fault_exit(void);
#else
static inline bool pcslab_should_fail(gfp_t gfp)
{
	return false;
}

static inline bool pcslab_should_fail_call(struct pcslab_heap *heap, size_t size, gfp_t gfp)
{
	return false;
}

static inline void pcslab_fault_join(struct pcslab_heap *heap) { }
static inline void pcslab_fault_init(struct dentry *dir) { }
static inline void pcslab_fault_exit(void) { }
#endif

/*
 * The row for calls that do not hold the guard; only they may write it. The
 * caller must run on this CPU with interrupts off, never in NMI.
 */
static inline struct pcslab_row *pcslab_unguarded_row(struct pcslab_class *class)
{
	lockdep_assert_irqs_disabled();
	return &pcslab_this_cache(class)->unguarded;
}

/*
 * Racy read of a depot; even under the lock it would be stale once the lock is
 * dropped.
 */
#define pcslab_gauge(words)	data_race(words)

/* A filter for visits: caches with magazines. */
static inline bool pcslab_has_magazines(const struct pcslab_cpu *c, unsigned int cpu)
{
	return READ_ONCE(c->loaded) || READ_ONCE(c->spare);
}

/*
 * Objects in the loaded magazine of a cache. While the CPU loads another
 * magazine, top and loaded may not match; then this may return 0.
 */
static inline unsigned int pcslab_nr_loaded(const struct pcslab_class *class,
					    const struct pcslab_cpu *c)
{
	const struct pcslab_magazine *mag = READ_ONCE(c->loaded);
	unsigned long n;

	if (!mag)
		return 0;
	n = (unsigned long)READ_ONCE(c->top) - (unsigned long)mag->round;
	n /= sizeof(struct pcslab_round);
	return n <= class->capacity ? n : 0;
}

/* Objects in the magazines of a cache. Approximate if the CPU is using it. */
static inline unsigned int pcslab_cached(const struct pcslab_class *class,
					 const struct pcslab_cpu *c)
{
	return pcslab_nr_loaded(class, c) + READ_ONCE(c->nr_spare);
}

#endif /* _PCSLAB_INTERNAL_H */
