// SPDX-License-Identifier: GPL-2.0
/*
 * Heaps: life and death
 *
 * A heap is referenced by its owner, by every slab and by every large object.
 * Destroying it gives the name back, stops caching, returns what is cached to
 * the slabs and lets go of empty slabs; from then on an emptied slab goes at
 * once. If objects are live the heap stays as a zombie, pins the module, and is
 * released with the last of them, by a work item if need be.
 *
 * Locks: pcslab_heaps_lock for the list and the names; the CPU hotplug lock is
 * taken before it.
 */
#include <linux/cpu.h>
#include <linux/ctype.h>
#include <linux/debugfs.h>
#include <linux/err.h>
#include <linux/jump_label.h>
#include <linux/module.h>
#include <linux/rculist.h>
#include <linux/slab.h>
#include <linux/workqueue.h>

#include "compat.h"
#include "internal.h"

LIST_HEAD(pcslab_heaps);
DEFINE_MUTEX(pcslab_heaps_lock);	/* of the list, the names, zombie */
struct workqueue_struct *pcslab_wq;
/* What every heap gets, by the module's parameters. */
u8 pcslab_heap_flags __ro_after_init;
DEFINE_STATIC_KEY_FALSE(pcslab_slow);

/* What a caller may ask for. */
#define PCSLAB_HEAP_FLAGS	(PCSLAB_HEAP_RANDOM | PCSLAB_CHECKED)

static int check_name(const char *name)
{
	size_t i, len;

	if (!name || !*name)
		return -EINVAL;
	len = strnlen(name, PCSLAB_NAME_LEN);
	if (len == PCSLAB_NAME_LEN)
		return -ENAMETOOLONG;
	/* It becomes a directory's name and a column. */
	if (!strcmp(name, ".") || !strcmp(name, ".."))
		return -EINVAL;
	for (i = 0; i < len; i++) {
		if (name[i] == '/' || !isascii(name[i]) || !isgraph(name[i]))
			return -EINVAL;
	}
	return 0;
}

static bool name_taken(const char *name)
{
	struct pcslab_heap *heap;

	list_for_each_entry(heap, &pcslab_heaps, node) {
		if (!heap->zombie && !strcmp(heap->name, name))
			return true;
	}
	return false;
}

/* What points here was unreachable for new readers before the last reference went. */
static void heap_release(struct pcslab_heap *heap)
{
	unsigned int i;

	mutex_lock(&pcslab_heaps_lock);
	list_del_rcu(&heap->node);
	mutex_unlock(&pcslab_heaps_lock);
	synchronize_rcu();	/* heap_of(), bad frees, reclaim; the last free's own section */
	for (i = 0; i <= PCSLAB_LARGE; i++)
		pcslab_class_free(heap->class[i]);
	if (heap->flags & PCSLAB_SLOW)
		static_branch_dec(&pcslab_slow);
	kfree(heap);
}

static void release_zombie(struct work_struct *work)
{
	heap_release(container_of(work, struct pcslab_heap, release));
	module_put(THIS_MODULE);	/* pcslab_heap_exit() waits for the rest */
}

/**
 * pcslab_heap_put() - drop the reference of a slab or a large object
 * @heap: the heap
 *
 * Context: any but NMI.
 */
void pcslab_heap_put(struct pcslab_heap *heap)
{
	if (refcount_dec_and_test(&heap->refs))
		queue_work(pcslab_wq, &heap->release);
}

static int heap_register(struct pcslab_heap *heap)
{
	int err = -EEXIST;

	mutex_lock(&pcslab_heaps_lock);
	if (!name_taken(heap->name)) {
		list_add_tail_rcu(&heap->node, &pcslab_heaps);
		heap->dir = pcslab_debugfs_add(heap);
		err = 0;
	}
	mutex_unlock(&pcslab_heaps_lock);
	return err;
}

/**
 * pcslab_heap_create() - create a heap
 * @name: 1 to 31 printable ASCII characters without '/'; copied
 * @attr: how it differs from the default, or NULL
 *
 * An empty heap costs its structure of about 1.7 KiB; classes come with their
 * first object.
 *
 * Context: process. May sleep.
 * Return: the heap, or ERR_PTR: -EINVAL for a name that is NULL, empty, "." or
 *	"..", or has a character that is not allowed, and for flags that are not
 *	defined; -ENAMETOOLONG; -EEXIST if the name is taken; -ENOMEM.
 */
struct pcslab_heap *pcslab_heap_create(const char *name,
				       const struct pcslab_heap_attr *attr)
{
	int err = check_name(name);
	struct pcslab_heap *heap;

	if (err)
		return ERR_PTR(err);
	if (attr && attr->flags & ~PCSLAB_HEAP_FLAGS)
		return ERR_PTR(-EINVAL);
	heap = kzalloc(sizeof(*heap), GFP_KERNEL);
	if (!heap)
		return ERR_PTR(-ENOMEM);
	strscpy(heap->name, name, sizeof(heap->name));
	heap->flags = pcslab_heap_flags | (attr ? attr->flags : 0);
	refcount_set(&heap->refs, 1);
	raw_spin_lock_init(&heap->large_lock);
	INIT_WORK(&heap->release, release_zombie);

	err = heap_register(heap);
	if (err) {
		kfree(heap);
		return ERR_PTR(err);
	}
	if (heap->flags & PCSLAB_SLOW)
		static_branch_inc(&pcslab_slow);
	return heap;
}
EXPORT_SYMBOL_PCSLAB(pcslab_heap_create);

/* Objects of one class that callers have. */
static u64 class_live(struct pcslab_heap *heap, unsigned int index)
{
	struct pcslab_class *class = heap->class[index];
	struct pcslab_sum sum;

	if (!class)
		return 0;
	sum = pcslab_class_sum(class);
	if (index == PCSLAB_LARGE)
		sum.allocs = pcslab_large_allocs(heap);
	return sum.allocs - sum.frees;
}

static void report_live(struct pcslab_heap *heap)
{
	u64 live, total = 0;
	unsigned int i;

	cpus_read_lock();
	for (i = 0; i <= PCSLAB_LARGE; i++) {
		live = class_live(heap, i);
		total += live;
		if (live && i == PCSLAB_LARGE)
			pr_warn("pcslab: heap %s: %llu large objects live\n",
				heap->name, live);
		else if (live)
			pr_warn("pcslab: heap %s: %llu objects of %u bytes live\n",
				heap->name, live, heap->class[i]->size);
	}
	cpus_read_unlock();
	if (!total)
		return;
	pr_warn("pcslab: heap %s destroyed with %llu objects live\n", heap->name, total);
	if (heap->flags & PCSLAB_HEAP_TRACK)
		pcslab_track_report(heap);
}

/**
 * pcslab_heap_destroy() - destroy a heap
 * @heap: the heap; NULL and error pointers are fine
 *
 * Live objects are reported in the log by class, and with pcslab.track=1 by who
 * allocated them. They stay valid and may be
 * freed later, in any context; until the last one is, the heap is shown as a
 * zombie and pcslab can't be unloaded. The name is free at once. Frees may race
 * with this; allocations may not.
 *
 * Context: process. May sleep; takes the CPU hotplug lock for reading, so not
 * from under it.
 */
void pcslab_heap_destroy(struct pcslab_heap *heap)
{
	if (IS_ERR_OR_NULL(heap))
		return;
	debugfs_remove(heap->dir);	/* waits for who is reading */
	mutex_lock(&pcslab_heaps_lock);
	heap->zombie = true;
	mutex_unlock(&pcslab_heaps_lock);

	/* A cache is drained on its own CPU; after that was done the CPU sees dying. */
	WRITE_ONCE(heap->dying, true);
	pcslab_heap_shrink(heap);
	report_live(heap);
	/* Before the reference goes: after it the heap may go at any moment. */
	__module_get(THIS_MODULE);
	if (!refcount_dec_and_test(&heap->refs))
		return;
	heap_release(heap);
	module_put(THIS_MODULE);
}
EXPORT_SYMBOL_PCSLAB(pcslab_heap_destroy);

int pcslab_heap_init(void)
{
	pcslab_wq = alloc_workqueue("pcslab", WQ_UNBOUND, 0);
	return pcslab_wq ? 0 : -ENOMEM;
}

/* The module goes, so no heap is left; a release may be in its last instructions. */
void pcslab_heap_exit(void)
{
	destroy_workqueue(pcslab_wq);
}
