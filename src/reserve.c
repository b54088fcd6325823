// SPDX-License-Identifier: GPL-2.0
/*
 * Memory that is there before it is needed: classes that are made in advance,
 * and reserves of objects
 *
 * A reserve is a mempool of the kernel (mm/mempool.c) whose elements are
 * objects of a heap. So the kernel's code decides when the heap is asked, when
 * an object of the reserve is handed out, who waits, and when the reserve is
 * filled again. The objects that wait in a reserve are live objects of the
 * heap.
 *
 * Locks: reserves_lock protects the lists of all heaps; nothing is taken inside
 * it but what debugfs takes. A mempool has a lock of its own.
 */
#include <linux/err.h>
#include <linux/limits.h>
#include <linux/list.h>
#include <linux/mempool.h>
#include <linux/mm.h>
#include <linux/mutex.h>
#include <linux/slab.h>
#include <linux/string.h>

#include "compat.h"
#include "internal.h"

static DEFINE_MUTEX(reserves_lock);

/**
 * struct pcslab_reserve - objects of a heap that one owner alone can have
 * @pool: has the objects
 * @heap: the heap; its objects in @pool keep it
 * @size: bytes of an object
 * @creator: the call that created it; NULL if its name is not known
 * @node: in the heap's list
 */
struct pcslab_reserve {
	mempool_t pool;
	struct pcslab_heap *heap;
	size_t size;
	struct pcslab_site *creator;
	struct list_head node;
};

static void *element_alloc(gfp_t gfp, void *arg)
{
	const struct pcslab_reserve *reserve = arg;

	return pcslab_alloc_for(reserve->heap, reserve->size, gfp, NUMA_NO_NODE, _RET_IP_);
}

static void element_free(void *obj, void *unused)
{
	pcslab_free_for(obj, _RET_IP_);
}

static bool can_be_served(struct pcslab_heap *heap, size_t size)
{
	return size && size <= PAGE_SIZE << MAX_PAGE_ORDER && !READ_ONCE(heap->dying);
}

static void reserve_list(struct pcslab_reserve *reserve)
{
	struct pcslab_heap *heap = reserve->heap;

	mutex_lock(&reserves_lock);
	list_add_tail(&reserve->node, &heap->reserves);
	if (!heap->reserves_shown)
		pcslab_debugfs_add_reserves(heap);
	heap->reserves_shown = true;
	mutex_unlock(&reserves_lock);
}

/**
 * pcslab_reserve_create() - set objects aside for one owner
 * @heap: the heap to take them from
 * @size: bytes of an object
 * @n: number of objects
 *
 * The objects count as live objects of the heap. The heap's file ``reserves`` in
 * debugfs shows how many of them wait. With pcslab.track=1 their call site is in
 * the kernel's mempool, which does the work.
 *
 * A caller of mempool_create_kmalloc_pool() moves to a reserve like this::
 *
 *	pool = pcslab_reserve_create(heap, sizeof(*rq), 16);
 *	...
 *	rq = pcslab_reserve_alloc(pool, GFP_NOIO);
 *	...
 *	pcslab_reserve_free(pool, rq);
 *
 * A reserve must be destroyed before its heap.
 *
 * Context: process. May sleep.
 * Return: the reserve, or ERR_PTR: -EINVAL if @size or @n is 0 or too large, or
 *	if the heap is destroyed; -ENOMEM.
 */
struct pcslab_reserve *pcslab_reserve_create(struct pcslab_heap *heap, size_t size,
					     unsigned int n)
{
	struct pcslab_reserve *reserve;

	if (!n || n > INT_MAX || !can_be_served(heap, size))
		return ERR_PTR(-EINVAL);
	reserve = kzalloc(sizeof(*reserve), GFP_KERNEL);
	if (!reserve)
		return ERR_PTR(-ENOMEM);
	reserve->heap = heap;
	reserve->size = size;
	reserve->creator = pcslab_site(_RET_IP_);
	if (mempool_init(&reserve->pool, n, element_alloc, element_free, reserve)) {
		kfree(reserve);
		return ERR_PTR(-ENOMEM);
	}
	reserve_list(reserve);
	return reserve;
}
EXPORT_SYMBOL_NS_GPL(pcslab_reserve_create, "PCSLAB");

/**
 * pcslab_reserve_alloc() - allocate an object, from a reserve if necessary
 * @reserve: the reserve
 * @gfp: as for pcslab_alloc()
 *
 * The heap is asked first, without sleeping; if it has nothing, which is
 * counted in its fails, the object comes from the reserve. Nobody else can have
 * those: so while fewer than @n objects of this reserve are in use, this
 * neither fails nor sleeps. If more are in use and the heap has nothing, it
 * sleeps until it gets memory or an object is given back, or returns NULL if
 * @gfp forbids to sleep. These are the rules of mempool_alloc(), but
 * __GFP_ZERO and init_on_alloc are honoured.
 *
 * Context: as pcslab_alloc(), but not in NMI or in a tracer's callback.
 * Return: the object; NULL only without __GFP_DIRECT_RECLAIM, or if @gfp has a
 *	flag that pcslab_alloc() refuses.
 */
void *pcslab_reserve_alloc(struct pcslab_reserve *reserve, gfp_t gfp)
{
	void *obj;

	/* What waits in the reserve is not of a zone. */
	if (unlikely(gfp & PCSLAB_GFP_SPECIAL & ~__GFP_ACCOUNT))
		return pcslab_alloc_for(reserve->heap, reserve->size, gfp, NUMA_NO_NODE, _RET_IP_);
	obj = mempool_alloc(&reserve->pool, gfp & ~__GFP_ZERO);
	if (obj && want_init_on_alloc(gfp))
		memset(obj, 0, reserve->size);
	return obj;
}
EXPORT_SYMBOL_NS_GPL(pcslab_reserve_alloc, "PCSLAB");

/**
 * pcslab_reserve_free() - give an object back, to a reserve that is not full
 * @reserve: the reserve
 * @obj: an object that pcslab_reserve_alloc() of @reserve returned, or NULL
 *
 * An object that the reserve lacks stays there and is not checked; any other
 * one is freed as by pcslab_free().
 *
 * Context: as pcslab_free(), but not in NMI or in a tracer's callback.
 */
void pcslab_reserve_free(struct pcslab_reserve *reserve, void *obj)
{
	mempool_free(obj, &reserve->pool);
}
EXPORT_SYMBOL_NS_GPL(pcslab_reserve_free, "PCSLAB");

/**
 * pcslab_reserve_destroy() - free what waits in a reserve, and the reserve
 * @reserve: the reserve; NULL and error pointers are fine
 *
 * Objects that are in use stay valid, and are freed with pcslab_free() then.
 *
 * Context: process. May sleep.
 */
void pcslab_reserve_destroy(struct pcslab_reserve *reserve)
{
	if (IS_ERR_OR_NULL(reserve))
		return;
	mutex_lock(&reserves_lock);
	list_del(&reserve->node);
	mutex_unlock(&reserves_lock);
	mempool_exit(&reserve->pool);
	kfree(reserve);
}
EXPORT_SYMBOL_NS_GPL(pcslab_reserve_destroy, "PCSLAB");

/**
 * pcslab_reserves_show() - show the reserves of a heap
 * @m: where to
 * @heap: the heap
 *
 * Context: process. May sleep.
 */
void pcslab_reserves_show(struct seq_file *m, struct pcslab_heap *heap)
{
	unsigned long objects = 0, waiting = 0;
	struct pcslab_reserve *reserve;
	int nr;

	mutex_lock(&reserves_lock);
	list_for_each_entry(reserve, &heap->reserves, node) {
		nr = data_race(reserve->pool.curr_nr);	/* a gauge */
		seq_printf(m, "%5zu %8d %8d ", reserve->size, reserve->pool.min_nr, nr);
		pcslab_site_show(m, pcslab_site_name(reserve->creator));
		objects += reserve->pool.min_nr;
		waiting += nr;
	}
	mutex_unlock(&reserves_lock);
	seq_printf(m, "%5s %8lu %8lu - -\n", "total", objects, waiting);
}

/**
 * pcslab_reserves_part() - take a heap out of the list of its reserves
 * @heap: about to be freed
 *
 * Reserves that are left have no objects, or those were given up (forget.c).
 * They stay linked to each other, so that they can still be destroyed.
 */
void pcslab_reserves_part(struct pcslab_heap *heap)
{
	mutex_lock(&reserves_lock);
	list_del(&heap->reserves);
	mutex_unlock(&reserves_lock);
}

/**
 * pcslab_prepare() - have memory for the first objects of a size
 * @heap: the heap
 * @size: bytes that will be asked for
 *
 * The first allocation of a size makes what the heap needs for it, which takes
 * some thousand instructions and may fail. After this call the CPU it ran on
 * has objects of the size in its magazine, and other CPUs of its node find some
 * in the depot. Memory that is not used goes back in time, as all free memory
 * of a heap: to have objects for certain, create a reserve.
 *
 * For large objects, which have pages of their own, only what all of them share
 * is made.
 *
 * Context: process. May sleep.
 * Return: 0; -EINVAL if @size is too large or the heap is destroyed; -ENOMEM.
 */
int pcslab_prepare(struct pcslab_heap *heap, size_t size)
{
	struct pcslab_class *class;
	unsigned int index;

	might_sleep();
	if (!size)
		return 0;
	if (!can_be_served(heap, size))
		return -EINVAL;
	index = size > PCSLAB_MAX_SIZE ? PCSLAB_LARGE : pcslab_class_index(size);
	class = pcslab_class_at(heap, index) ?: pcslab_class_make(heap, index, GFP_KERNEL);
	if (!class)
		return -ENOMEM;
	return index == PCSLAB_LARGE || pcslab_cpu_prepare(class) ? 0 : -ENOMEM;
}
EXPORT_SYMBOL_NS_GPL(pcslab_prepare, "PCSLAB");
