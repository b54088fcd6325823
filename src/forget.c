// SPDX-License-Identifier: GPL-2.0
/*
 * Giving a zombie up on purpose
 *
 *   echo NAME > /sys/module/pcslab/parameters/forget
 *
 * A zombie pins pcslab until all its objects are freed, and those of a module
 * that is gone may never be freed. Here they are given up: their pages stay
 * allocated for good but no longer belong to pcslab, so code that still uses an
 * object can continue to; the heap is forgotten, and pcslab can be unloaded.
 * This is done only on request.
 *
 * Objects may be freed meanwhile. First the slabs are hidden, so that no new
 * free finds them; a grace period later all frees that found them before have
 * claimed their object. Objects that are claimed and not back in their slab yet
 * must be waited for, also those that wait for a grace period (rcu.c). Then the
 * slabs hold only live and free objects, and no call can find them any more.
 *
 * Context: process, may sleep. Locks: forget_lock > depot->lock,
 *	heap->large_lock.
 */
#include <linux/delay.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/rculist.h>
#include <linux/string.h>

#include "internal.h"
#include "lock.h"
#include "page.h"

/* How long to wait for frees in progress, and for the caches to be emptied. */
#define TRIES		1000
#define PAUSE_MS	10

static DEFINE_MUTEX(forget_lock);

/* Sums of what was given up. */
struct given_up {
	unsigned long objects, pages;
};

typedef bool (*slab_fn)(struct pcslab_depot *depot, struct pcslab_slab *slab, void *arg);

/* Slabs on their way out need nothing (leave.c). */
static bool visit_depot(struct pcslab_depot *depot, slab_fn fn, void *arg)
{
	struct pcslab_slab *slab;
	unsigned long flags;
	bool go_on = true;

	list_for_each_entry_rcu(slab, &depot->all, all) {
		flags = pcslab_lock(&depot->lock);
		if (!slab->leaves)
			go_on = fn(depot, slab, arg);
		pcslab_unlock(&depot->lock, flags);
		if (!go_on)
			break;
	}
	return go_on;
}

/*
 * Call @fn for each slab of a heap with its depot locked, until one returns
 * false.
 */
static bool visit_slabs(struct pcslab_heap *heap, slab_fn fn, void *arg)
{
	struct pcslab_class *class;
	bool go_on = true;
	int node;

	rcu_read_lock();
	pcslab_for_each_size_class(class, heap) {
		for_each_node_state(node, N_MEMORY)
			go_on = go_on && visit_depot(&class->depot[node], fn, arg);
		if (!go_on)
			break;
	}
	rcu_read_unlock();
	return go_on;
}

static bool forget_hide(struct pcslab_depot *depot, struct pcslab_slab *slab, void *unused)
{
	pcslab_hide(slab);
	return true;
}

/* A scan for leaks (leaks.c) may be under way, or may have found it hidden. */
static unsigned int nr_owned(const struct pcslab_slab *slab)
{
	return pcslab_slab_count(slab, PCSLAB_OBJ_LIVE) +
	       pcslab_slab_count(slab, PCSLAB_OBJ_SUSPECT);
}

static bool is_at_rest(struct pcslab_depot *depot, struct pcslab_slab *slab, void *unused)
{
	return nr_owned(slab) + pcslab_slab_count(slab, PCSLAB_OBJ_FREE) == slab->nr;
}

/* Move the slab to the list of those given up. */
static bool take_out(struct pcslab_depot *depot, struct pcslab_slab *slab, void *list)
{
	list_del_rcu(&slab->all);
	list_move(&slab->list, list);
	slab->leaves = true;
	depot->nr_slabs--;
	depot->nr_pages -= 1UL << slab->order;
	depot->nr_free -= slab->nr_free;
	return true;
}

static void give_up_slabs(struct pcslab_heap *heap, struct given_up *sum)
{
	struct pcslab_slab *slab, *next;
	LIST_HEAD(slabs);

	visit_slabs(heap, take_out, &slabs);
	list_for_each_entry_safe(slab, next, &slabs, list) {
		sum->objects += nr_owned(slab);
		sum->pages += 1UL << slab->order;
		pcslab_slab_disown(slab);
	}
}

static bool give_up_large(struct pcslab_heap *heap, struct given_up *sum)
{
	unsigned long pages;

	while ((pages = pcslab_large_give_up(heap))) {
		sum->objects++;
		sum->pages += pages;
	}
	return !READ_ONCE(heap->large);
}

/* True if no free of the heap's objects is in progress. */
static bool is_quiet(struct pcslab_heap *heap)
{
	return visit_slabs(heap, is_at_rest, NULL);
}

/*
 * A work item empties the heap a grace period after it became a zombie
 * (heap.c).
 */
static bool is_emptied(struct pcslab_heap *heap)
{
	/* Acquire: pairs with the release in empty_heaps(). */
	return smp_load_acquire(&heap->emptied);
}

static bool wait_until(struct pcslab_heap *heap, bool (*condition)(struct pcslab_heap *heap))
{
	unsigned int tries;

	for (tries = 0; tries < TRIES; tries++) {
		if (condition(heap))
			return true;
		msleep(PAUSE_MS);
	}
	return false;
}

/**
 * pcslab_heap_forget() - give up the live objects of a heap
 * @heap: destroyed; after its caches were emptied it makes no more slabs
 *
 * Context: process. May sleep.
 * Return: 0, or -EBUSY if the caches were not emptied in time, or if frees in
 *	progress do not end.
 */
int pcslab_heap_forget(struct pcslab_heap *heap)
{
	struct given_up sum = {};

	if (!wait_until(heap, is_emptied)) {
		pr_err("heap %s is still being emptied, not forgotten\n", heap->name);
		return -EBUSY;
	}
	visit_slabs(heap, forget_hide, NULL);
	pcslab_grace_period();
	pcslab_rcu_barrier(heap);
	if (!wait_until(heap, is_quiet) || !give_up_large(heap, &sum)) {
		pr_err("heap %s has frees going on that do not end, not forgotten\n",
		       heap->name);
		return -EBUSY;
	}
	give_up_slabs(heap, &sum);
	pr_warn("heap %s of %s is forgotten: %lu objects live in %lu pages, which are lost\n",
		heap->name, heap->owner_name, sum.objects, sum.pages);
	return 0;
}

static int forget_zombies(const char *name)
{
	struct pcslab_heap *heap;
	int err = -ENOENT;

	mutex_lock(&forget_lock);
	for (heap = pcslab_heap_after(NULL, 0); heap; heap = pcslab_heap_after(heap, 0)) {
		if (READ_ONCE(heap->zombie) && !strcmp(heap->name, name))
			err = pcslab_heap_forget(heap);
	}
	mutex_unlock(&forget_lock);
	if (err == -ENOENT)
		pr_err("there is no zombie %s to forget\n", name);
	return err;
}

static int set_forget(const char *value, const struct kernel_param *unused)
{
	char name[PCSLAB_FULL_NAME_LEN + 1];

	if (strscpy(name, value, sizeof(name)) < 0)
		return -EINVAL;
	return forget_zombies(strim(name));
}

static const struct kernel_param_ops forget_ops = { .set = set_forget };
module_param_cb(forget, &forget_ops, NULL, 0200);
__MODULE_PARM_TYPE(forget, "name");
MODULE_PARM_DESC(forget, "name of a zombie whose objects are given up, so that pcslab can be unloaded");
