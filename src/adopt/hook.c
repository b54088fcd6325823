// SPDX-License-Identifier: GPL-2.0
/*
 * What the kernel itself, or a module that is not adopted, does to objects of
 * heaps
 *
 *   kfree(obj) --> free_large_kmalloc() --> ftrace --> here
 *
 * The kernel takes an object of pcslab for one of kmalloc() that has pages of
 * its own. So kfree(), kvfree() and kfree_bulk() end in free_large_kmalloc(),
 * and a hook there costs nothing for objects of slabs. The other functions of
 * the table do something else to such an object first, so that each needs its
 * own hook. For an address of pcslab a hook makes the function return into a
 * replacement below; any other address goes on.
 *
 * A free is done as if pcslab_free() had been called, and counted as escaped
 * besides. krealloc() keeps the object in its heap.
 *
 * A function may have been inlined, or another module may hold its hook. So
 * each hook is tried when it is set, with an object of a heap made for that; if
 * the kernel's function is executed after all, the module is not loaded. The
 * trial is safe, because such a call frees no page of pcslab (src/foreign.c).
 *
 * Locks: none. Context: the replacements, as the functions of the kernel; the
 * rest process.
 */
#include <linux/delay.h>
#include <linux/ftrace.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/rcupdate.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/vmalloc.h>

#include "adopt.h"
#include "compat.h"

/* Calls that sleep in a replacement; their code must not go. */
static atomic_t sleeping;

static void free_escaped(const void *obj)
{
	adopt_count_escape(obj);
	pcslab_free(obj);
}

static void free_large_escaped(void *page, void *obj)
{
	free_escaped(obj);
}

static void free_sensitive_escaped(const void *obj)
{
	adopt_count_escape(obj);
	pcslab_free_sensitive(obj);
}

static void free_rcu_escaped(COMPAT_RCU_PARAMS)
{
	void *obj = compat_rcu_object(head, (void *)x);

	adopt_count_escape(obj);
	if (head) {
		__pcslab_free_rcu_word(obj, head);
		return;
	}
	atomic_inc(&sleeping);
	pcslab_free_rcu_sync(obj);
	atomic_dec(&sleeping);
}

/* An object that is not aligned as wanted must move. */
static void *move(struct pcslab_heap *heap, const void *obj, size_t size, gfp_t gfp)
{
	void *new = pcslab_alloc(heap, size, gfp);

	if (new) {
		memcpy(new, obj, min(size, pcslab_usable_size(obj)));
		pcslab_free(obj);
	}
	return new;
}

static void *realloc_escaped(COMPAT_KREALLOC_PARAMS)
{
	struct pcslab_heap *heap = pcslab_heap_of(obj);

	if (!size || !heap) {
		free_escaped(obj);	/* or refuse it */
		return size ? NULL : ZERO_SIZE_PTR;
	}
	size = ALIGN(size, COMPAT_ALIGN);
	if (!IS_ALIGNED((unsigned long)obj, COMPAT_ALIGN))
		return move(heap, obj, size, gfp);
	return pcslab_realloc(heap, obj, size, gfp);
}

/**
 * struct hook - a function of the kernel
 * @name: its name
 * @replacement: what is called instead
 * @argument: number of the argument that is the object
 * @ops: for ftrace
 */
struct hook {
	const char *name;
	void *replacement;
	int argument;
	struct ftrace_ops ops;
};

#define OBJECT_OF_RCU	-1	/* see compat_rcu_object() */

static struct hook hooks[] = {
	{ "free_large_kmalloc", free_large_escaped, 1 },
	{ "vfree", free_escaped, 0 },
	{ "kfree_sensitive", free_sensitive_escaped, 0 },
	{ "kvfree_call_rcu", free_rcu_escaped, OBJECT_OF_RCU },
	{ "ksize", pcslab_usable_size, 0 },
	{ __stringify(COMPAT_KREALLOC), realloc_escaped, 0 },
};

/* What is called with the same arguments must have the same type. */
static_assert(__same_type(vfree, free_escaped));
static_assert(__same_type(kfree_sensitive, free_sensitive_escaped));
static_assert(__same_type(kvfree_call_rcu, free_rcu_escaped));
static_assert(__same_type(ksize, pcslab_usable_size));
static_assert(__same_type(COMPAT_KREALLOC, realloc_escaped));

/* ftrace keeps this from recursing. */
static notrace void hooked(unsigned long ip, unsigned long parent, struct ftrace_ops *ops,
			   struct ftrace_regs *fregs)
{
	struct hook *hook = container_of(ops, struct hook, ops);
	void *obj;

	if (hook->argument == OBJECT_OF_RCU)
		obj = compat_rcu_object((void *)compat_argument(fregs, 0),
					(void *)compat_argument(fregs, 1));
	else
		obj = (void *)compat_argument(fregs, hook->argument);
	if (unlikely(__pcslab_owns(obj)))
		compat_return_to(fregs, (unsigned long)hook->replacement);
}

/**
 * adopt_set_hook() - have a function of the kernel call ours
 * @ops: with func and flags
 * @function: its name
 *
 * Context: process. May sleep.
 * Return: 0, or what ftrace returns.
 */
int adopt_set_hook(struct ftrace_ops *ops, const char *function)
{
	char name[32];
	int err;

	strscpy(name, function, sizeof(name));
	err = ftrace_set_filter(ops, name, strlen(name), 0);
	if (!err)
		err = register_ftrace_function(ops);
	if (err)
		ftrace_free_filter(ops);
	return err;
}

/**
 * adopt_unset_hook() - undo adopt_set_hook()
 * @ops: the same
 *
 * Context: process. May sleep. Calls of @ops->func have ended then.
 */
void adopt_unset_hook(struct ftrace_ops *ops)
{
	unregister_ftrace_function(ops);
	ftrace_free_filter(ops);
}

/* Permanent: with it, sysctl kernel.ftrace_enabled=0 is refused. */
static int set(struct hook *hook)
{
	int err;

	hook->ops.func = hooked;
	hook->ops.flags = FTRACE_OPS_FL_IPMODIFY | FTRACE_OPS_FL_PERMANENT;
	err = adopt_set_hook(&hook->ops, hook->name);
	if (err)
		pr_err("no hook on %s (%d), nothing can be adopted\n", hook->name, err);
	return err;
}

static void unset_first(unsigned int n)
{
	while (n--)
		adopt_unset_hook(&hooks[n].ops);
}

static int set_all(void)
{
	unsigned int i;
	int err;

	for (i = 0; i < ARRAY_SIZE(hooks); i++) {
		err = set(&hooks[i]);
		if (err) {
			unset_first(i);
			return err;
		}
	}
	return 0;
}

/* Has the last call freed an object, and was it seen as an escape? */
static bool freed_one(struct pcslab_heap *heap, struct pcslab_stats *st, unsigned long *seen)
{
	u64 frees = 0;
	u32 i;

	pcslab_rcu_barrier(heap);
	if (pcslab_heap_stats(heap, st))
		return false;
	for (i = 0; i < st->nr_classes; i++)
		frees += st->class[i].frees;
	frees += st->large_frees;
	++*seen;
	return frees == *seen && adopt_other_escapes() == *seen;
}

/* Through a pointer, the compiler cannot know what it frees. */
static void kfree_rcu_of(void *obj)
{
	struct word_and_head {
		long word;
		struct rcu_head head;
	} *waiting = obj;

	kfree_rcu(waiting, head);
}

static void kfree_bulk_of(const void *obj)
{
	kfree_bulk(1, (void **)&obj);
}

static void krealloc_to_0(const void *obj)
{
	WARN_ON_ONCE(krealloc((void *)obj, 0, GFP_KERNEL) != ZERO_SIZE_PTR);
}

/*
 * Each call, on an object of pcslab, with the name of its hook. All objects are
 * larger than a slab's, so that a call that goes to the kernel can only hurt
 * this one. vfree() gets one for which there are no contiguous pages.
 */
static const struct trial {
	const char *hook;
	size_t size;
	void (*call)(const void *obj);
} trials[] = {
	{ "free_large_kmalloc", PCSLAB_MAX_SIZE + 1, kfree },
	{ "free_large_kmalloc", PCSLAB_MAX_SIZE + 1, kfree_bulk_of },
	{ "vfree", KMALLOC_MAX_SIZE + 1, kvfree },
	{ "kfree_sensitive", PCSLAB_MAX_SIZE + 1, kfree_sensitive },
	{ "kvfree_call_rcu", PCSLAB_MAX_SIZE + 1, (void *)kfree_rcu_of },
	{ __stringify(COMPAT_KREALLOC), PCSLAB_MAX_SIZE + 1, krealloc_to_0 },
};

static const char *fails(struct pcslab_heap *heap, struct pcslab_stats *st)
{
	unsigned long seen = 0;
	unsigned int i;
	size_t size;
	void *obj;

	for (i = 0; i < ARRAY_SIZE(trials); i++) {
		obj = pcslab_kvalloc(heap, trials[i].size, GFP_KERNEL);
		if (!obj)
			return "memory";
		trials[i].call(obj);
		if (!freed_one(heap, st, &seen))
			return trials[i].hook;
	}
	obj = pcslab_alloc(heap, PCSLAB_MAX_SIZE + 1, GFP_KERNEL);
	if (!obj)
		return "memory";
	size = ksize(obj);
	kfree(obj);
	return size == PAGE_SIZE << get_order(PCSLAB_MAX_SIZE + 1) &&
	       freed_one(heap, st, &seen) ? NULL : "ksize";
}

static int try_all(void)
{
	struct pcslab_heap *heap = pcslab_heap_create("pcslab_adopt", NULL);
	struct pcslab_stats *st = kvmalloc(sizeof(*st), GFP_KERNEL);
	const char *reason = "memory";

	if (!IS_ERR(heap) && st)
		reason = fails(heap, st);
	if (!IS_ERR(heap))
		pcslab_heap_destroy(heap);
	kvfree(st);
	if (!reason)
		return 0;
	pr_err("this kernel goes round the hook on %s, nothing can be adopted\n", reason);
	return -EOPNOTSUPP;
}

/*
 * Wait for calls that are in a replacement: those that sleep, and those that
 * were preempted there.
 */
static void wait_for_calls(void)
{
	while (atomic_read(&sleeping))
		msleep(20);
	synchronize_rcu_tasks();
	synchronize_rcu();
}

int __init adopt_hooks_init(void)
{
	int err;

	__pcslab_take_escapes(true);
	err = set_all();
	if (err)
		goto err_escapes;
	err = try_all();
	if (!err)
		return 0;
	unset_first(ARRAY_SIZE(hooks));
	wait_for_calls();
err_escapes:
	__pcslab_take_escapes(false);
	return err;
}

void adopt_hooks_exit(void)
{
	unset_first(ARRAY_SIZE(hooks));
	wait_for_calls();
	__pcslab_take_escapes(false);
}
