// SPDX-License-Identifier: GPL-2.0
/*
 * A module that is not adopted: it stands for the kernel, which frees what
 * modules give it, and gives them what it allocated.
 */
#include <linux/module.h>
#include <linux/rcupdate.h>
#include <linux/slab.h>
#include <linux/string.h>

#include "outside.h"

struct object {
	long data[3];
	struct rcu_head head;
};

static void call_kfree_rcu(struct object *obj)
{
	kfree_rcu(obj, head);
}

static void call_kfree_bulk(void *obj)
{
	kfree_bulk(1, &obj);
}

static void call_krealloc(void *obj)
{
	kfree(krealloc(obj, 5000, GFP_KERNEL));
}

static void call_kvfree_rcu(void *obj)
{
	kvfree_rcu_mightsleep(obj);
}

static const struct {
	const char *name;
	void (*call)(void *obj);
} calls[] = {
	{ "kfree", (void *)kfree },
	{ "kvfree", (void *)kvfree },
	{ "kfree_sensitive", (void *)kfree_sensitive },
	{ "kfree_const", (void *)kfree_const },
	{ "kfree_bulk", call_kfree_bulk },
	{ "kfree_rcu", (void *)call_kfree_rcu },
	{ "kvfree_rcu", call_kvfree_rcu },
	{ "krealloc", call_krealloc },
};

void *outside_alloc(size_t size)
{
	return kmalloc(size, GFP_KERNEL);
}
EXPORT_SYMBOL(outside_alloc);

int outside_call(const char *name, void *obj)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(calls); i++) {
		if (strcmp(calls[i].name, name))
			continue;
		calls[i].call(obj);
		return 0;
	}
	return -EINVAL;
}
EXPORT_SYMBOL(outside_call);

MODULE_DESCRIPTION("A module that frees objects of others");
MODULE_LICENSE("GPL");
