// SPDX-License-Identifier: GPL-2.0
/*
 * Frees that wait for an RCU grace period
 *
 * pcslab_free_rcu() claims the object first, so that a bad free is refused
 * before a word is written: an atomic operation moves its state from
 * PCSLAB_OBJ_LIVE to PCSLAB_OBJ_RCU, or the tag of a large object's page from
 * pcslab_large_tag to pcslab_rcu_tag. Any other free finds neither and is
 * refused (badfree.c). Then call_rcu() gets the rcu_head, and its callback
 * frees the object. Nothing but the rcu_head is needed to find the object: the
 * page leads to the slab, and the offset in the slab to the object. For one
 * from vmalloc, the pages below the rcu_head are searched for the first one.
 *
 * RCU collects callbacks per CPU and by grace period, and hurries when many
 * wait (rcutree.qhimark), so nothing is held back or batched here. Where a
 * thread makes the callbacks, as with PREEMPT_RT, it gets no more of its CPU
 * than the tasks that defer frees, and what waits would grow until there is no
 * memory. So an allocation that would take new pages waits if much of the
 * heap waits, and leaves the CPU to that thread (pcslab_rcu_throttle()). With
 * CONFIG_RCU_LAZY and rcutree.enable_rcu_lazy=1 callbacks may wait for ten
 * seconds. RCU itself flushes them when memory is short or many of them wait,
 * and kfree_rcu() also holds memory back for seconds. So this does not ask for
 * a hurry; rcu_barrier() does.
 *
 * While an object waits it is live in the statistics, for the audit and for
 * tracking, and keeps its slab (or pages) and the heap. It is counted in
 * heap->deferred before call_rcu() and until after it is freed. That is an
 * atomic counter per heap, whose cache line bounces between CPUs that defer
 * frees of one heap; no other call uses that line.
 *
 * Since 7.x kfree_rcu() may have room for one word only. Objects that come with
 * such a word (__pcslab_free_rcu_word()) are linked by it into a list, and a
 * work item takes the list, waits for a grace period and frees them. Queueing
 * goes through call_rcu(), because a caller may hold any lock. So these objects
 * wait for two grace periods.
 *
 * Locks: none. Context: as the public functions say; the callback runs in a
 * softirq, or in a thread of RCU with softirqs off, the work item in a
 * workqueue of pcslab.
 */
#include <linux/kernel.h>
#include <linux/llist.h>
#include <linux/mm.h>
#include <linux/rcupdate.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/workqueue.h>

#include "internal.h"
#include "page.h"

#define THROTTLE_SHARE	16

/*
 * The slab of an object that waits. The object keeps the slab; but forget.c may
 * have hidden it meanwhile. NULL if there is none: then the page is that of a
 * large object, or two CPUs freed the object at the same instant.
 */
static struct pcslab_slab *slab_of_waiting(const struct page *page)
{
	struct pcslab_slab *slab = (struct pcslab_slab *)READ_ONCE(page->private);
	unsigned long mark = (unsigned long)READ_ONCE(page->lru.next);

	return mark == slab_mark(slab) || mark == hidden_mark(slab) ? slab : NULL;
}

/* Free the object that contains @addr. Returns its heap. */
static struct pcslab_heap *free_small(struct pcslab_slab *slab, const void *addr)
{
	unsigned int index = ((const char *)addr - slab->base) / slab->class->stride;
	void *obj = slab->base + index * slab->class->stride;
	struct pcslab_class *class = slab->class;

	/* The slab may go with the object. */
	if (!pcslab_free_waiting(slab, obj, &slab->state[index]))
		pcslab_raced_free(class, obj);
	return class->heap;
}

static struct pcslab_heap *free_large(struct page *page)
{
	struct pcslab_heap *heap = large_class(page)->heap;

	pcslab_large_free_waiting(page);
	return heap;
}

/* The first page of the object that contains @addr, or NULL. */
static struct page *page_of_waiting(const void *addr)
{
	if (is_vmalloc_addr(addr))
		return pcslab_area_page_around(addr);
	return virt_to_head_page(addr);
}

/* Free an object whose grace period has passed. @addr is any address in it. */
static void free_waiting(const void *addr)
{
	struct page *page = page_of_waiting(addr);
	struct pcslab_slab *slab = page ? slab_of_waiting(page) : NULL;
	struct pcslab_heap *heap;

	rcu_read_lock();	/* keeps the heap until this has counted */
	if (slab)
		heap = free_small(slab, addr);
	else if (page && page_has_tag(page, &pcslab_rcu_tag))
		heap = free_large(page);
	else
		heap = NULL;
	/* Release: pairs with the acquire in pcslab_rcu_barrier(). */
	if (heap)
		atomic_long_dec_return_release(&heap->deferred);
	else
		pcslab_bad_free(addr, _THIS_IP_);
	rcu_read_unlock();
}

static void free_head(struct rcu_head *head)
{
	free_waiting(head);
}

static struct pcslab_class *claim_small(const void *obj)
{
	struct pcslab_slab *slab = slab_of(obj);
	u8 *state;

	if (!slab || !find_state(slab, obj, &state) ||
	    !pcslab_claim(state, PCSLAB_OBJ_RCU))
		return NULL;
	return slab->class;
}

/* Take the object from the caller; false if that is refused. */
static bool claim(const void *obj, unsigned long caller)
{
	struct pcslab_class *class;

	preempt_disable();	/* keeps the slab until the claim pins it */
	class = claim_small(obj) ?: pcslab_large_wait(obj);
	preempt_enable();
	if (class)
		atomic_long_inc(&class->heap->deferred);
	else
		pcslab_bad_free(obj, caller);
	return class;
}

void __pcslab_free_rcu(void *obj, struct rcu_head *head)
{
	if (!ZERO_OR_NULL_PTR(obj) && claim(obj, _RET_IP_))
		call_rcu(head, free_head);
}
EXPORT_SYMBOL_NS_GPL(__pcslab_free_rcu, "PCSLAB");

static LLIST_HEAD(words);

static void free_words(struct work_struct *unused)
{
	struct llist_node *word = llist_del_all(&words), *next;

	if (!word)
		return;
	pcslab_grace_period();
	for (; word; word = next) {
		next = word->next;	/* free_waiting() destroys it */
		free_waiting(word);
		cond_resched();
	}
}

/* INIT_RCU_WORK() has no static form, but the work is all it initializes. */
static struct rcu_work words_work = { .work = __WORK_INITIALIZER(words_work.work, free_words) };

/**
 * __pcslab_free_rcu_word() - pcslab_free_rcu() with room for a single word
 * @obj: as for pcslab_free_rcu()
 * @word: a word of @obj that readers do not use any more
 *
 * Context: as pcslab_free_rcu().
 */
void __pcslab_free_rcu_word(void *obj, void *word)
{
	if (ZERO_OR_NULL_PTR(obj) || !claim(obj, _RET_IP_))
		return;
	/*
	 * If the list was not empty, the work that takes it has not begun to:
	 * who made it non-empty has queued the work, or finds it queued.
	 */
	if (llist_add(word, &words))
		queue_rcu_work(pcslab_wq, &words_work);
}
EXPORT_SYMBOL_NS_GPL(__pcslab_free_rcu_word, "PCSLAB");

/**
 * pcslab_free_rcu_sync() - wait for an RCU grace period and give an object back
 * @obj: as for pcslab_free()
 *
 * pcslab_free_rcu() for objects without a struct rcu_head. The object is
 * checked and claimed before the wait.
 *
 * Context: process. May sleep. pcslab_rcu_barrier() does not wait for this
 *	call, and destroying the heap meanwhile makes it a zombie.
 */
void pcslab_free_rcu_sync(void *obj)
{
	might_sleep();
	if (ZERO_OR_NULL_PTR(obj) || !claim(obj, _RET_IP_))
		return;
	pcslab_grace_period();
	free_waiting(obj);
}
EXPORT_SYMBOL_NS_GPL(pcslab_free_rcu_sync, "PCSLAB");

/*
 * True if more than a share of the memory waits. An estimate: the sizes of the
 * objects that wait are not known, so each is taken to be @size; but all of
 * them together are in the pages of the heap.
 */
static bool much_waits(struct pcslab_heap *heap, size_t size)
{
	u64 bytes = (u64)atomic_long_read(&heap->deferred) * size;
	unsigned long limit = totalram_pages() / THROTTLE_SHARE;

	return bytes >> PAGE_SHIFT > limit &&
	       atomic_long_read(&pcslab_root(heap)->budget.pages) > limit;
}

/**
 * pcslab_rcu_throttle() - wait before a heap takes pages, if much of it waits
 * @heap: the heap
 * @size: bytes of an object that the pages are for; those that wait are taken
 *	to be as large
 * @gfp: of the allocation, which decides whether it may sleep
 *
 * An allocation may wait twice, if nothing came back in the first wait.
 *
 * Context: as the allocation. May sleep if @gfp allows it.
 * Return: true if it has waited for a grace period, so that objects may have
 *	come back.
 */
bool pcslab_rcu_throttle(struct pcslab_heap *heap, size_t size, gfp_t gfp)
{
	if (likely(!much_waits(heap, size)) || !gfpflags_allow_blocking(gfp) ||
	    current->flags & PF_MEMALLOC)
		return false;
	pcslab_grace_period();
	return true;
}

/**
 * pcslab_rcu_barrier() - wait for deferred frees
 * @heap: the heap
 *
 * When this returns, all objects of the heap are freed that were given to
 * pcslab_free_rcu() before the call. If no object waits it returns at once,
 * otherwise it calls rcu_barrier(), which takes a grace period and waits for
 * all callbacks of the kernel. pcslab_heap_destroy() does this. This function
 * does not wait for objects of the heap's caches; pcslab_cache_destroy() does.
 *
 * Context: process. May sleep.
 */
void pcslab_rcu_barrier(struct pcslab_heap *heap)
{
	might_sleep();
	/*
	 * An object is counted in pcslab_free_rcu(), which was before this. So
	 * if this reads 0, it reads the result of the last decrement or of one
	 * after that, all of which are atomic read-modify-writes. Acquire:
	 * pairs with the release in free_waiting(), so the frees are seen.
	 */
	if (!atomic_long_read_acquire(&heap->deferred))
		return;
	rcu_barrier();
	/* Its callback has queued the work, if there was any. */
	flush_work(&words_work.work);
}
EXPORT_SYMBOL_NS_GPL(pcslab_rcu_barrier, "PCSLAB");
