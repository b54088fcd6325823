// SPDX-License-Identifier: GPL-2.0
/*
 * Creating and destroying heaps
 *
 * References to a heap are held by its owner, every slab, every large object
 * and readers of its statistics. Destroying a heap gives the name back, takes
 * the heap's caches out of service (slots.c) and reports live objects. A work
 * item does the rest:
 *
 *   destroyed --> dying_heaps --(grace period)--> emptied, owner's ref dropped
 *   last reference --> gone_heaps --(grace period)--> freed
 *
 * One grace period serves all heaps in a list, so destroying many costs no more
 * than destroying one. A heap with live objects stays as a zombie, pins the
 * module, and goes when the last of them is freed. While a heap is dying, a
 * slab goes as soon as it is empty.
 *
 * A heap records the module that created it. If the module is unloaded without
 * destroying the heap, the heap is reported and destroyed here.
 *
 * Locks: pcslab_heaps_lock for the list and the names; the CPU hotplug lock
 * must be taken before it.
 */
#include <linux/cpu.h>
#include <linux/debugfs.h>
#include <linux/err.h>
#include <linux/hashtable.h>
#include <linux/llist.h>
#include <linux/memcontrol.h>
#include <linux/minmax.h>
#include <linux/module.h>
#include <linux/notifier.h>
#include <linux/rculist.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/stringhash.h>
#include <linux/workqueue.h>

#include "compat.h"
#include "event.h"
#include "internal.h"

LIST_HEAD(pcslab_heaps);
DEFINE_MUTEX(pcslab_heaps_lock);	/* protects the list and the names */
struct workqueue_struct *pcslab_wq;

static DEFINE_HASHTABLE(names, 10);
static LLIST_HEAD(dying_heaps);
static LLIST_HEAD(gone_heaps);

/* Flags that a caller may pass. */
#define PCSLAB_HEAP_PAYS	(PCSLAB_HEAP_ACCOUNT | PCSLAB_HEAP_NO_ACCOUNT)
#define PCSLAB_HEAP_FLAGS	(PCSLAB_HEAP_RANDOM | PCSLAB_SITED | PCSLAB_HEAP_PAYS)

static int check_name(const char *name)
{
	size_t i, len;

	if (!name || !*name)
		return -EINVAL;
	len = strnlen(name, PCSLAB_NAME_LEN);
	if (len == PCSLAB_NAME_LEN)
		return -ENAMETOOLONG;
	/*
	 * The name becomes a directory and the first column of a table, where
	 * # begins the names of the columns, and total the last row.
	 */
	if (!strcmp(name, ".") || !strcmp(name, "..") || !strcmp(name, "total") ||
	    name[0] == '#')
		return -EINVAL;
	for (i = 0; i < len; i++) {
		if (!pcslab_is_name_char(name[i]))
			return -EINVAL;
	}
	return 0;
}

static u32 name_key(const char *name)
{
	return full_name_hash(NULL, name, strlen(name));
}

static bool name_taken(const char *name)
{
	struct pcslab_heap *heap;

	hash_for_each_possible(names, heap, by_name, name_key(name)) {
		if (!strcmp(heap->name, name))
			return true;
	}
	return false;
}

static void heap_free(struct pcslab_heap *heap)
{
	struct pcslab_heap *parent = heap->parent;
	unsigned int i;

	for (i = 0; i <= PCSLAB_LARGE; i++)
		pcslab_class_free(heap->class[i]);
	free_percpu(heap->caches);
	if (!parent)
		mem_cgroup_put(heap->memcg);
	pcslab_reserves_part(heap);
	pcslab_record_free(heap);
	pcslab_leaks_free(heap);
	kfree(heap);
	if (parent)
		pcslab_heap_put(parent);
}

/*
 * Empty the caches and depots of dying heaps. Frees may still be going on; they
 * go to the depots.
 */
static void empty_heaps(struct llist_node *dying)
{
	struct pcslab_heap *heap, *next;

	cpus_read_lock();
	llist_for_each_entry(heap, dying, grave)
		pcslab_visit_announce(&heap->visit);
	llist_for_each_entry(heap, dying, grave)
		pcslab_visit_make(&heap->visit);
	cpus_read_unlock();
	llist_for_each_entry_safe(heap, next, dying, grave) {
		pcslab_heap_drain_depots(heap);
		/* Release: pairs with is_emptied() in forget.c. */
		smp_store_release(&heap->emptied, true);
		pcslab_heap_put(heap);
	}
}

static void free_heaps(struct llist_node *gone)
{
	struct pcslab_heap *heap, *next;

	mutex_lock(&pcslab_heaps_lock);
	llist_for_each_entry(heap, gone, grave)
		list_del_rcu(&heap->node);
	mutex_unlock(&pcslab_heaps_lock);
	/* For pcslab_heap_of(), bad frees, reclaim and the last free. */
	pcslab_grace_period();
	llist_for_each_entry_safe(heap, next, gone, grave) {
		/* pcslab_heap_exit() waits for the code behind this. */
		if (heap->zombie)
			module_put(THIS_MODULE);
		heap_free(heap);
		cond_resched();
	}
}

static void heap_bury(struct work_struct *work)
{
	struct llist_node *dying = llist_del_all(&dying_heaps);
	struct llist_node *gone = llist_del_all(&gone_heaps);

	if (dying)
		empty_heaps(dying);
	if (gone)
		free_heaps(gone);
}

static DECLARE_WORK(bury_work, heap_bury);

static void bury_soon(struct pcslab_heap *heap, struct llist_head *heaps)
{
	llist_add(&heap->grave, heaps);
	queue_work(pcslab_wq, &bury_work);
}

/**
 * pcslab_heap_put() - drop a reference
 * @heap: the heap
 *
 * Context: any but NMI.
 */
void pcslab_heap_put(struct pcslab_heap *heap)
{
	if (refcount_dec_and_test(&heap->refs))
		bury_soon(heap, &gone_heaps);
}

/*
 * True for a live heap and a zombie, false for one that is about to be freed.
 */
static bool has_books(struct pcslab_heap *heap)
{
	/* Acquire: pairs with the release in report_live(). */
	return !READ_ONCE(heap->dying) || smp_load_acquire(&heap->zombie);
}

/**
 * pcslab_heap_after() - iterate over the live and zombie heaps, in order of id
 * @heap: referenced by the caller, this drops the reference; or NULL
 * @id: only find heaps with a larger id
 *
 * Context: process.
 * Return: the next heap, referenced, or NULL.
 */
struct pcslab_heap *pcslab_heap_after(struct pcslab_heap *heap, u64 id)
{
	struct pcslab_heap *next = heap;
	bool found = false;

	rcu_read_lock();
	/* A referenced heap is in the list, so its next pointer is valid. */
	next = list_prepare_entry(next, &pcslab_heaps, node);
	list_for_each_entry_continue_rcu(next, &pcslab_heaps, node) {
		found = next->id > id && has_books(next) &&
			refcount_inc_not_zero(&next->refs);
		if (found)
			break;
	}
	rcu_read_unlock();
	if (heap)
		pcslab_heap_put(heap);
	return found ? next : NULL;
}

static int heap_register(struct pcslab_heap *heap)
{
	static u64 last_id;
	int err = -EEXIST;

	mutex_lock(&pcslab_heaps_lock);
	if (!name_taken(heap->name)) {
		heap->id = ++last_id;
		hash_add(names, &heap->by_name, name_key(heap->name));
		list_add_tail_rcu(&heap->node, &pcslab_heaps);
		heap->dir = pcslab_debugfs_add(heap);
		pcslab_fault_join(heap);
		pcslab_event_join(heap);
		err = 0;
	}
	mutex_unlock(&pcslab_heaps_lock);
	return err;
}

static bool any_cache(const struct pcslab_cpu *c, unsigned int cpu)
{
	return true;
}

static void empty_cache(struct pcslab_class *class, struct pcslab_cpu *c, void *unused)
{
	pcslab_cpu_drain(class, c);
}

/* A heap with @classes classes, in a structure of @bytes. */
static struct pcslab_heap *heap_alloc(size_t bytes, unsigned int classes, u8 flags,
				      const struct pcslab_heap_attr *attr)
{
	static const struct pcslab_visit_kind last_visit = {
		.wants = any_cache, .fn = empty_cache
	};
	struct pcslab_heap *heap = kzalloc(bytes, GFP_KERNEL);

	if (!heap)
		return NULL;
	heap->caches = pcslab_slots_create(classes);
	if (!heap->caches) {
		kfree(heap);
		return NULL;
	}
	heap->flags = flags;
	heap->slots = flags & PCSLAB_HEAP_TRACK ? pcslab_held.slot : heap->caches;
	pcslab_budget_init(heap, attr);
	refcount_set(&heap->refs, 1);
	raw_spin_lock_init(&heap->large_lock);
	heap->visit = (struct pcslab_visit){ .heap = heap, .kind = &last_visit };
	INIT_LIST_HEAD(&heap->reserves);
	return heap;
}

static int heap_charge(struct pcslab_heap *heap, const struct pcslab_heap_attr *attr)
{
	struct mem_cgroup *memcg;

	if (!(attr->flags & PCSLAB_HEAP_ACCOUNT))
		return 0;
	memcg = pcslab_memcg_get(attr->cgroup);
	if (IS_ERR(memcg))
		return PTR_ERR(memcg);
	heap->memcg = memcg;
	return 0;
}

/*
 * Copy the options of a caller that was built with a struct of @size bytes. As
 * with copy_struct_from_user(), members that the caller does not know are 0,
 * and members that are not known here must be.
 */
static int copy_attr(struct pcslab_heap_attr *to, const struct pcslab_heap_attr *from, size_t size)
{
	*to = (struct pcslab_heap_attr){};
	if (!from)
		return 0;
	if (size < sizeof(to->flags))
		return -EINVAL;
	if (size > sizeof(*to) && memchr_inv(from + 1, 0, size - sizeof(*to)))
		return -E2BIG;
	memcpy(to, from, min(size, sizeof(*to)));
	return 0;
}

static int check_attr(const struct pcslab_heap_attr *attr)
{
	bool account = attr->flags & PCSLAB_HEAP_ACCOUNT;

	if (attr->flags & ~PCSLAB_HEAP_FLAGS || attr->callers > PCSLAB_MAX_CALLERS ||
	    (account && attr->flags & PCSLAB_HEAP_NO_ACCOUNT) || (attr->cgroup && !account))
		return -EINVAL;
	return attr->limit_bytes && attr->limit_bytes < PAGE_SIZE ? -EINVAL : 0;
}

/*
 * pcslab_heap_create_for() calls this with the size of its @attr: see struct
 * pcslab_heap_attr.
 */
struct pcslab_heap *__pcslab_heap_create(const char *name, const struct pcslab_heap_attr *options,
					 size_t size, struct module *owner)
{
	struct pcslab_heap_attr attr;
	struct pcslab_heap *heap;
	int err;

	err = check_name(name) ?: copy_attr(&attr, options, size) ?: check_attr(&attr);
	if (err)
		return ERR_PTR(err);
	heap = heap_alloc(sizeof(*heap), PCSLAB_LARGE + 1, pcslab_flags_of(name) | attr.flags,
			  &attr);
	if (!heap)
		return ERR_PTR(-ENOMEM);
	strscpy(heap->name, name, sizeof(heap->name));
	heap->owner = owner;
	strscpy(heap->owner_name, owner ? module_name(owner) : "kernel",
		sizeof(heap->owner_name));
	heap->callers = attr.callers ?: pcslab_track_callers();
	err = heap_charge(heap, &attr) ?: heap_register(heap);
	if (err) {
		heap_free(heap);
		return ERR_PTR(err);
	}
	return heap;
}
EXPORT_SYMBOL_NS_GPL(__pcslab_heap_create, "PCSLAB");

/**
 * pcslab_heap_add_cache() - create a fixed-size cache without its class
 * @parent: the heap it belongs to
 * @name: its name, not checked yet
 * @fixed: what its objects are like, checked
 *
 * Context: process. May sleep.
 * Return: the cache, or ERR_PTR: errors of the name as for a heap's; -ENOMEM.
 */
struct pcslab_cache *pcslab_heap_add_cache(struct pcslab_heap *parent, const char *name,
					   const struct pcslab_fixed *fixed)
{
	static const struct pcslab_heap_attr no_options;
	struct pcslab_cache *cache;
	struct pcslab_heap *heap;
	int err = check_name(name);

	if (err)
		return ERR_PTR(err);
	if (pcslab_is_file_name(name))
		return ERR_PTR(-EEXIST);
	heap = heap_alloc(sizeof(*cache), 1, parent->flags | fixed->flags, &no_options);
	if (!heap)
		return ERR_PTR(-ENOMEM);
	refcount_inc(&parent->refs);
	heap->parent = parent;
	cache = pcslab_cache_of(heap);
	cache->fixed = *fixed;
	snprintf(heap->name, sizeof(heap->name), "%s/%s", parent->name, name);
	heap->owner = parent->owner;
	strscpy(heap->owner_name, parent->owner_name, sizeof(heap->owner_name));
	heap->callers = parent->callers;
	if (heap->flags & PCSLAB_LASTING)
		heap->flags &= ~PCSLAB_HEAP_POISON;
	heap->memcg = parent->memcg;
	err = heap_register(heap);
	if (err) {
		heap_free(heap);
		return ERR_PTR(err);
	}
	return cache;
}

/* Number of live objects of one class. */
static long class_live(struct pcslab_heap *heap, unsigned int index)
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

/*
 * An object that two calls freed at the same instant was counted twice, so live
 * may be off; everything that is not zero is reported.
 */
static bool any_live(struct pcslab_heap *heap, long *total)
{
	bool any = false;
	unsigned int i;
	long live;

	*total = 0;
	for (i = 0; i <= PCSLAB_LARGE; i++) {
		live = class_live(heap, i);
		*total += live;
		any |= live;
	}
	return any;
}

static void report_classes(struct pcslab_heap *heap)
{
	unsigned int i;
	long live;

	for (i = 0; i <= PCSLAB_LARGE; i++) {
		live = class_live(heap, i);
		if (live && i == PCSLAB_LARGE)
			pr_warn("heap %s: %ld large objects live\n",
				heap->name, live);
		else if (live)
			pr_warn("heap %s: %ld objects of %u bytes live\n",
				heap->name, live, heap->class[i]->size);
	}
}

/* If objects are live, report them, make the heap a zombie, pin the module. */
static void report_live(struct pcslab_heap *heap)
{
	long total;

	if (!any_live(heap, &total))
		return;
	pcslab_foreign_find(heap);	/* may be the reason */
	pr_warn("heap %s destroyed with %ld objects live\n", heap->name, total);
	pr_warn("heap %s of %s keeps pcslab from being unloaded until they are freed\n",
		heap->name, heap->owner_name);
	if (heap->flags & PCSLAB_HEAP_TRACK)
		pcslab_track_report(heap);
	report_classes(heap);
	__module_get(THIS_MODULE);
	/* Release: pairs with has_books(). */
	smp_store_release(&heap->zombie, true);
}

/*
 * Those who add a file to the heap of somebody else (record.c, leaks.c) do so
 * under the lock, and not if the heap is dying. So none is added after this has
 * the lock.
 */
static void remove_files(struct pcslab_heap *heap)
{
	struct dentry *dir;

	mutex_lock(&pcslab_heaps_lock);
	dir = heap->dir;
	heap->dir = ERR_PTR(-ENOENT);	/* debugfs adds nothing to it */
	mutex_unlock(&pcslab_heaps_lock);
	debugfs_remove(dir);
}

/*
 * Must be called after the heap's files, which have the name, are removed. The
 * heap stays listed until it is freed, for CPU hotplug.
 */
static void give_name_back(struct pcslab_heap *heap)
{
	mutex_lock(&pcslab_heaps_lock);
	hash_del(&heap->by_name);
	mutex_unlock(&pcslab_heaps_lock);
}

/* A cache of a heap that is not destroyed, or NULL. */
static struct pcslab_heap *left_cache(const struct pcslab_heap *parent)
{
	struct pcslab_heap *heap, *found = NULL;

	mutex_lock(&pcslab_heaps_lock);
	list_for_each_entry(heap, &pcslab_heaps, node) {
		if (heap->parent == parent && !READ_ONCE(heap->dying)) {
			found = heap;
			break;
		}
	}
	mutex_unlock(&pcslab_heaps_lock);
	return found;
}

static void destroy_caches(const struct pcslab_heap *parent)
{
	struct pcslab_heap *heap;

	while ((heap = left_cache(parent))) {
		if (!pcslab_cache_of(heap)->for_mempools)
			pr_warn("heap %s is destroyed before its cache %s\n", parent->name,
				heap->name);
		pcslab_heap_destroy(heap);
	}
}

/**
 * pcslab_heap_destroy() - destroy a heap
 * @heap: the heap; NULL and error pointers are fine
 *
 * Its fixed-size caches must have been destroyed before; those that are left
 * are reported and destroyed.
 *
 * This waits for objects that were given to pcslab_free_rcu(). Live objects are
 * reported in the log by class, and with pcslab.track=1 by allocating caller.
 * They stay valid and may be freed later, in any context; until all are freed,
 * the heap is shown as a zombie and pcslab cannot be unloaded. The name can be
 * used again at once. Frees may race with this call, allocations must not. The
 * free memory of the heap goes back to the kernel an RCU grace period later.
 *
 * A zombie must not be destroyed again: the call is logged and ignored.
 *
 * Context: process. May sleep. Takes the CPU hotplug lock for reading, so the
 *	caller must not hold it.
 */
void pcslab_heap_destroy(struct pcslab_heap *heap)
{
	bool first;

	if (IS_ERR_OR_NULL(heap))
		return;
	destroy_caches(heap);
	pcslab_rcu_barrier(heap);
	cpus_read_lock();
	first = pcslab_heap_stop(heap);
	if (first)
		report_live(heap);
	cpus_read_unlock();
	if (!first) {
		pr_err("heap %s of %s is destroyed twice\n", heap->name,
		       heap->owner_name);
		dump_stack();
		return;
	}
	remove_files(heap);
	give_name_back(heap);
	bury_soon(heap, &dying_heaps);
}
EXPORT_SYMBOL_NS_GPL(pcslab_heap_destroy, "PCSLAB");

/* A heap that @owner has not destroyed, or NULL. */
static struct pcslab_heap *forgotten_heap(const struct module *owner)
{
	struct pcslab_heap *heap, *found = NULL;

	mutex_lock(&pcslab_heaps_lock);
	list_for_each_entry(heap, &pcslab_heaps, node) {
		if (heap->owner == owner && !READ_ONCE(heap->dying)) {
			found = heap;
			break;
		}
	}
	mutex_unlock(&pcslab_heaps_lock);
	return found;
}

/* The module's code is still loaded, but no longer runs. */
static int heap_module_changes(struct notifier_block *unused, unsigned long state, void *owner)
{
	struct pcslab_heap *heap;

	if (state != MODULE_STATE_GOING)
		return NOTIFY_DONE;
	while ((heap = forgotten_heap(owner))) {
		pr_warn("module %s goes and has not destroyed its heap %s\n",
			heap->owner_name, heap->name);
		pcslab_heap_destroy(heap);
	}
	return NOTIFY_OK;
}

static struct notifier_block module_notifier = { .notifier_call = heap_module_changes };

int __init pcslab_heap_init(void)
{
	int err;

	pcslab_wq = alloc_workqueue("pcslab", WQ_UNBOUND | WQ_MEM_RECLAIM, 0);
	if (!pcslab_wq)
		return -ENOMEM;
	err = register_module_notifier(&module_notifier);
	if (err)
		destroy_workqueue(pcslab_wq);
	return err;
}

/*
 * All heaps are destroyed, and no object is live according to the counters. If
 * a free that two CPUs made at the same instant was counted twice, objects may
 * be left nevertheless; give them up.
 */
void pcslab_heap_exit(void)
{
	struct pcslab_heap *heap;

	unregister_module_notifier(&module_notifier);
	drain_workqueue(pcslab_wq);
	mutex_lock(&pcslab_heaps_lock);
	list_for_each_entry(heap, &pcslab_heaps, node)
		pcslab_heap_forget(heap);
	mutex_unlock(&pcslab_heaps_lock);
	destroy_workqueue(pcslab_wq);
}
