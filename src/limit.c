// SPDX-License-Identifier: GPL-2.0
/*
 * The pages of a heap: how many it holds, the most it held, and its limit
 *
 * A heap is charged for pages before it asks for them, and the charge is taken
 * back after they were given back. So a heap never holds more pages than it is
 * charged for, and, without __GFP_NOFAIL, never more than its limit. Slabs and
 * large objects are charged, whoever keeps them: slabs without live objects,
 * slabs on their way out (leave.c), and those that a dead CPU left behind. The
 * pages of a fixed-size cache are charged to its heap. Metadata is not charged:
 * state bytes, magazines, caches and classes are memory from kmalloc().
 *
 * An allocation that fails at the limit is tried again. First the heap gives
 * its own idle memory back. How far that goes depends on the caller:
 *
 *   GFP_KERNEL		empties the magazines of all CPUs and the depots, and
 *			waits for the slabs that go; some grace periods
 *   other, may sleep	the same without the magazines: pcslab allocates memory
 *			under the locks of a visit (slots.c)
 *   may not sleep	nothing
 *
 * In the last two cases a work item does the rest, for later calls. Then the
 * callback of the heap's owner is asked. If the allocation still fails, it may
 * exceed the limit if it has __GFP_NOFAIL; otherwise it returns NULL.
 *
 * The magazines are only emptied if the CPU hotplug lock is to be had at once,
 * because the caller may be in a hotplug callback.
 *
 * Context: any but NMI. Locks: none of its own.
 */
#include <linux/cpu.h>
#include <linux/limits.h>
#include <linux/minmax.h>
#include <linux/mm.h>
#include <linux/ratelimit.h>
#include <linux/sched/mm.h>
#include <linux/timekeeping.h>
#include <linux/workqueue.h>

#include "internal.h"
#include "page.h"

/*
 * The high-water mark is one word, so that the number of pages and its time
 * always belong together: the pages are above the seconds since boot. Each part
 * ends at its largest value, 256 TiB of 4 KiB pages and eight years.
 *
 * It is noted where pages go, because the most pages are those from which a
 * heap goes down, and a growing heap need not pay for it. A reader takes what
 * the heap holds now if that is more.
 */
#define PEAK_TIME_BITS	28
#define PEAK_TIME_MAX	(BIT_ULL(PEAK_TIME_BITS) - 1)
#define PEAK_PAGES_MAX	(U64_MAX >> PEAK_TIME_BITS)

static u64 peak_word(u64 pages)
{
	u64 now = ktime_get_boottime_seconds();

	return min(pages, PEAK_PAGES_MAX) << PEAK_TIME_BITS | min(now, PEAK_TIME_MAX);
}

/* The heap held @pages, including those that other CPUs were just getting. */
static void note_peak(struct pcslab_budget *budget, u64 pages)
{
	s64 old = atomic64_read(&budget->peak);
	u64 word;

	if (likely(pages <= (u64)old >> PEAK_TIME_BITS))
		return;
	word = peak_word(pages);
	while (word >> PEAK_TIME_BITS > (u64)old >> PEAK_TIME_BITS &&
	       !atomic64_try_cmpxchg(&budget->peak, &old, word))
		;
}

/**
 * pcslab_charge_undo() - a heap did not get the pages it was charged for
 * @heap: the heap
 * @pages: how many
 */
void pcslab_charge_undo(struct pcslab_heap *heap, unsigned long pages)
{
	atomic_long_sub(pages, &pcslab_root(heap)->budget.pages);
}

/**
 * pcslab_uncharge() - a heap has given pages back
 * @heap: the heap; the caller must have a reference or be an RCU reader
 * @pages: how many
 */
void pcslab_uncharge(struct pcslab_heap *heap, unsigned long pages)
{
	struct pcslab_budget *budget = &pcslab_root(heap)->budget;

	/* A full barrier: the pages are gone before others see it. */
	note_peak(budget, atomic_long_fetch_sub(pages, &budget->pages));
}

static void give_back_work(struct work_struct *work)
{
	struct pcslab_heap *heap = container_of(work, struct pcslab_heap, budget.work);

	cpus_read_lock();
	pcslab_heap_drain_caches(heap);
	cpus_read_unlock();
	pcslab_family_drain_depots(heap);
	pcslab_heap_put(heap);
}

static void give_back_later(struct pcslab_heap *heap)
{
	refcount_inc(&heap->refs);
	if (!queue_work(pcslab_wq, &heap->budget.work))
		pcslab_heap_put(heap);
}

/*
 * Empty the magazines of all CPUs. A visit waits for mutexes under which pcslab
 * allocates memory. So only a caller may do that who may also wait for all that
 * reclaim may do.
 */
static bool drain_caches(struct pcslab_heap *heap, gfp_t gfp)
{
	if ((gfp & GFP_KERNEL) != GFP_KERNEL || current->flags & PF_MEMALLOC)
		return false;
	if (!cpus_read_trylock())
		return false;
	pcslab_heap_drain_caches(heap);
	cpus_read_unlock();
	return true;
}

/* Returns false if nothing can have come back yet. */
static bool give_idle_back(struct pcslab_heap *heap, gfp_t gfp)
{
	gfp = current_gfp_context(gfp);
	if (!drain_caches(heap, gfp))
		give_back_later(heap);
	if (!gfpflags_allow_blocking(gfp))
		return false;
	pcslab_family_drain_depots(heap);
	pcslab_leave_wait();
	pcslab_area_wait();
	return true;
}

static bool at_limit(const struct pcslab_budget *budget, unsigned long pages)
{
	return atomic_long_read(&budget->pages) + pages > READ_ONCE(budget->limit);
}

static void report(struct pcslab_heap *heap, unsigned long pages, gfp_t gfp)
{
	static DEFINE_RATELIMIT_STATE(limit, DEFAULT_RATELIMIT_INTERVAL,
				      DEFAULT_RATELIMIT_BURST);

	if (!(gfp & __GFP_NOWARN) && at_limit(&heap->budget, pages) && __ratelimit(&limit))
		pr_warn("heap %s: limit of %lu pages reached, allocation of %lu failed\n",
			heap->name, READ_ONCE(heap->budget.limit), pages);
}

/**
 * pcslab_plea_retry() - find out whether to try an allocation again
 * @heap: the heap, or that of a fixed-size cache
 * @pages: the fewest pages that the allocation may need
 * @plea: of this allocation, which failed
 *
 * Gives idle memory back or asks the heap's owner for help, if the heap has a
 * limit.
 *
 * Return: true if the caller must try again, with @plea->gfp.
 */
bool pcslab_plea_retry(struct pcslab_heap *heap, unsigned long pages, struct pcslab_plea *plea)
{
	struct pcslab_budget *budget;

	heap = pcslab_root(heap);
	budget = &heap->budget;
	switch (plea->step++) {
	case PCSLAB_PLEA_IDLE:
		if (give_idle_back(heap, plea->wanted))
			return true;
		fallthrough;
	case PCSLAB_PLEA_OWNER:
		plea->step = PCSLAB_PLEA_EXCEED;
		if (budget->ask && at_limit(budget, pages)) {
			budget->ask(heap, plea->wanted, budget->arg);
			return true;
		}
		fallthrough;
	case PCSLAB_PLEA_EXCEED:
		plea->step = PCSLAB_PLEA_DONE;
		plea->gfp = plea->wanted;
		if (plea->gfp & __GFP_NOFAIL)
			return true;
		report(heap, pages, plea->wanted);
		return false;
	default:
		return false;
	}
}

/* The limit in pages for a number of bytes, of which 0 means none. */
static unsigned long limit_of(size_t bytes)
{
	return bytes ? bytes >> PAGE_SHIFT : ULONG_MAX;
}

/**
 * pcslab_budget_init() - set up the limit of a new heap
 * @heap: the heap
 * @attr: its options, checked
 */
void pcslab_budget_init(struct pcslab_heap *heap, const struct pcslab_heap_attr *attr)
{
	heap->budget.limit = limit_of(attr->limit_bytes);
	heap->budget.ask = attr->at_limit;
	heap->budget.arg = attr->at_limit_arg;
	INIT_WORK(&heap->budget.work, give_back_work);
}

/**
 * pcslab_budget_read() - fill in the pages of a heap
 * @heap: the heap
 * @st: filled, as far as limit.c has the numbers
 */
void pcslab_budget_read(struct pcslab_heap *heap, struct pcslab_stats *st)
{
	const struct pcslab_budget *budget = &heap->budget;
	unsigned long limit = READ_ONCE(budget->limit);
	u64 peak;

	st->pages = atomic_long_read(&budget->pages);
	peak = atomic64_read(&budget->peak);
	if (st->pages > peak >> PEAK_TIME_BITS)
		peak = peak_word(st->pages);
	st->limit_pages = limit == ULONG_MAX ? 0 : limit;
	st->max_pages = peak >> PEAK_TIME_BITS;
	st->max_pages_time = peak & PEAK_TIME_MAX;
	st->over_limit = atomic_long_read(&budget->over_limit);
}

/**
 * pcslab_heap_set_limit() - change the limit of a heap
 * @heap: the heap
 * @bytes: the heap may hold this many bytes of pages, rounded down to whole
 *	pages; 0 for no limit
 *
 * A heap that holds more than its new limit keeps what it has, and gets no more
 * pages until it holds less. Allocations that run meanwhile may still go by the
 * old limit. The callback of the heap (struct pcslab_heap_attr) may call this.
 *
 * Context: any.
 * Return: 0, or -EINVAL if @heap is NULL, or if @bytes is less than a page and
 *	not 0.
 */
int pcslab_heap_set_limit(struct pcslab_heap *heap, size_t bytes)
{
	if (!heap || !limit_of(bytes))
		return -EINVAL;
	WRITE_ONCE(heap->budget.limit, limit_of(bytes));
	return 0;
}
EXPORT_SYMBOL_NS_GPL(pcslab_heap_set_limit, "PCSLAB");
