// SPDX-License-Identifier: GPL-2.0
/*
 * A module that allocates and frees on request
 *
 *   echo "get KIND N" >/sys/module/attachee/parameters/act
 *   echo "FREE KIND N" >/sys/module/attachee/parameters/act
 *
 * The first one gets N objects in the way KIND and keeps them; the second one
 * frees the N youngest of this kind in the way FREE. Each way is a function of
 * its own, so that its name is in the call site.
 *
 * storm=1 starts threads on all CPUs that allocate and free all the time, what
 * others of them have allocated, too; storm=0 stops them and frees all that
 * they have. Then the parameters allocs and frees are right.
 */
#include <linux/cpu.h>
#include <linux/delay.h>
#include <linux/device.h>
#include <linux/err.h>
#include <linux/kthread.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/smp.h>
#include <linux/string.h>

#include "bystander.h"

#define OBJECTS	65536
#define SLOTS	256
#define BULK	4

static unsigned int allocs, frees;
module_param(allocs, uint, 0444);
MODULE_PARM_DESC(allocs, "objects that the storm has allocated since it was started");
module_param(frees, uint, 0444);
MODULE_PARM_DESC(frees, "objects that it has freed since then");

/* Large enough for kfree_rcu(). */
struct object {
	struct rcu_head head;
	long data[6];
};

static struct kmem_cache *cache;
static struct device *dev;

static noinline void *get_by_kmalloc(void)
{
	struct object *obj = kmalloc(sizeof(*obj), GFP_KERNEL);

	barrier();	/* no tail call: the call site must be here */
	return obj;
}

static noinline void *get_large(void)
{
	void *obj = kmalloc(20000, GFP_KERNEL);

	barrier();
	return obj;
}

static noinline void *get_string(void)
{
	void *obj = kstrdup("attached", GFP_KERNEL);

	barrier();
	return obj;
}

static noinline void *get_from_cache(void)
{
	void *obj = kmem_cache_alloc(cache, GFP_KERNEL);

	barrier();
	return obj;
}

static noinline void *get_by_kvmalloc(void)
{
	void *obj = kvmalloc(5000, GFP_KERNEL);

	barrier();
	return obj;
}

static noinline void *get_small(void)
{
	void *obj = kvmalloc(300, GFP_KERNEL);

	barrier();
	return obj;
}

/* More than kmalloc() has. */
static noinline void *get_huge(void)
{
	void *obj = kvmalloc(KMALLOC_MAX_SIZE + 1, GFP_KERNEL);

	barrier();
	return obj;
}

/* The array is in the first of the objects. */
static noinline void *get_bulk(void)
{
	void *objs[BULK];

	if (!kmem_cache_alloc_bulk(cache, GFP_KERNEL, BULK, objs))
		return NULL;
	return memcpy(objs[0], objs, sizeof(objs));
}

static noinline void *get_managed(void)
{
	void *managed = devm_kmalloc(dev, 200, GFP_KERNEL);

	barrier();
	return managed;
}

/* One object is freed, and another one has its contents. */
static noinline void *get_grown(void)
{
	void *obj = krealloc(kmalloc(64, GFP_KERNEL), 500, GFP_KERNEL);

	barrier();
	return obj;
}

static noinline void *get_formatted(void)
{
	void *obj = kasprintf(GFP_KERNEL, "%d", 1);

	barrier();
	return obj;
}

static noinline void get_here(void *result)
{
	struct object *obj = kmalloc(sizeof(*obj), GFP_ATOMIC);

	*(void **)result = obj;
}

/* In an interrupt of another CPU, if there is one. */
static void elsewhere(smp_call_func_t fn, void *arg)
{
	smp_call_function_any(cpumask_of(cpumask_last(cpu_online_mask)), fn, arg, true);
}

static void *get_in_interrupt(void)
{
	void *obj = NULL;

	elsewhere(get_here, &obj);
	return obj;
}

static struct kind {
	const char *name;
	void *(*get)(void);
	unsigned int n;
	void *objs[OBJECTS];
} kinds[] = {
	{ "kmalloc", get_by_kmalloc },
	{ "large", get_large },
	{ "string", get_string },
	{ "cached", get_from_cache },
	{ "kvmalloc", get_by_kvmalloc },
	{ "others", bystander_kvmalloc },
	{ "small", get_small },
	{ "huge", get_huge },
	{ "bulk", get_bulk },
	{ "managed", get_managed },
	{ "grown", get_grown },
	{ "formatted", get_formatted },
	{ "interrupt", get_in_interrupt },
};

static void free_each(void **objs, unsigned int n, void (*put)(void *obj))
{
	while (n--)
		put(objs[n]);
}

static void do_kfree(void *obj)
{
	kfree(obj);
}

static void do_kfree_rcu(void *obj)
{
	struct object *o = obj;

	kfree_rcu(o, head);
}

static void do_cache_free(void *obj)
{
	kmem_cache_free(cache, obj);
}

static void do_devm_kfree(void *obj)
{
	devm_kfree(dev, obj);
}

static void do_free_bulk(void *first)
{
	void *objs[BULK];

	memcpy(objs, first, sizeof(objs));
	kmem_cache_free_bulk(cache, BULK, objs);
}

static void do_kfree_elsewhere(void *obj)
{
	elsewhere(do_kfree, obj);
}

static void do_gets(void *obj)
{
	bystander_gets(obj);
}

/* The pointer is lost, the object stays. */
static void do_nothing(void *obj)
{
}

static void by_kfree(void **objs, unsigned int n)
{
	free_each(objs, n, do_kfree);
}

static void by_rcu(void **objs, unsigned int n)
{
	free_each(objs, n, do_kfree_rcu);
}

static void by_kvfree(void **objs, unsigned int n)
{
	free_each(objs, n, (void *)kvfree);
}

static void by_kfree_bulk(void **objs, unsigned int n)
{
	kfree_bulk(n, objs);
}

static void by_cache_free(void **objs, unsigned int n)
{
	free_each(objs, n, do_cache_free);
}

static void by_cache_bulk(void **objs, unsigned int n)
{
	kmem_cache_free_bulk(cache, n, objs);
}

static void by_free_bulk(void **objs, unsigned int n)
{
	free_each(objs, n, do_free_bulk);
}

static void by_devm_kfree(void **objs, unsigned int n)
{
	free_each(objs, n, do_devm_kfree);
}

static void by_interrupt(void **objs, unsigned int n)
{
	free_each(objs, n, do_kfree_elsewhere);
}

static void by_bystander(void **objs, unsigned int n)
{
	free_each(objs, n, bystander_free);
}

static void unseen(void **objs, unsigned int n)
{
	free_each(objs, n, do_gets);
	free_each(objs, n, do_kfree);
}

static void leak(void **objs, unsigned int n)
{
	free_each(objs, n, do_nothing);
}

static const struct {
	const char *name;
	void (*put)(void **objs, unsigned int n);
} ways[] = {
	{ "kfree", by_kfree },
	{ "kfree_rcu", by_rcu },
	{ "kvfree", by_kvfree },
	{ "kfree_bulk", by_kfree_bulk },
	{ "kmem_cache_free", by_cache_free },
	{ "kmem_cache_free_bulk", by_cache_bulk },
	{ "free_bulk", by_free_bulk },
	{ "devm_kfree", by_devm_kfree },
	{ "interrupt", by_interrupt },
	{ "bystander", by_bystander },
	{ "unseen", unseen },
	{ "leak", leak },
};

static int get(struct kind *kind, unsigned int n)
{
	if (n > OBJECTS - kind->n)
		return -ENOSPC;
	while (n--) {
		kind->objs[kind->n] = kind->get();
		if (!kind->objs[kind->n])
			return -ENOMEM;
		kind->n++;
	}
	return 0;
}

static int put(const char *how, struct kind *kind, unsigned int n)
{
	unsigned int i;

	if (n > kind->n)
		return -ENOENT;
	for (i = 0; i < ARRAY_SIZE(ways); i++) {
		if (strcmp(ways[i].name, how))
			continue;
		kind->n -= n;
		ways[i].put(kind->objs + kind->n, n);
		return 0;
	}
	return -EINVAL;
}

static int act(const char *value, const struct kernel_param *kp)
{
	char how[32], what[32];
	unsigned int n, i;

	if (sscanf(value, "%31s %31s %u", how, what, &n) != 3)
		return -EINVAL;
	for (i = 0; i < ARRAY_SIZE(kinds); i++) {
		if (strcmp(kinds[i].name, what))
			continue;
		return strcmp(how, "get") ? put(how, &kinds[i], n) : get(&kinds[i], n);
	}
	return -EINVAL;
}

static const struct kernel_param_ops act_ops = { .set = act };
module_param_cb(act, &act_ops, NULL, 0200);
MODULE_PARM_DESC(act, "what to do: see the source");

static void *slots[SLOTS];
static struct task_struct *threads[NR_CPUS];
static atomic_t taken, given;

static void storm_put(void *obj, unsigned int turn)
{
	if (!obj)
		return;
	atomic_inc(&given);
	if (turn % 8)
		kfree(obj);
	else
		do_kfree_rcu(obj);
}

static noinline void *storm_get(void)
{
	struct object *obj = kmalloc(sizeof(*obj), GFP_KERNEL);

	if (obj)
		atomic_inc(&taken);
	return obj;
}

static int storm_thread(void *unused)
{
	unsigned int turn = 0;

	while (!kthread_should_stop()) {
		storm_put(xchg(&slots[turn % SLOTS], storm_get()), turn);
		/* Others need the CPUs, too. */
		if (!(++turn % 1024))
			usleep_range(1000, 2000);
	}
	return 0;
}

static void stop_storm(void)
{
	unsigned int i;

	for (i = 0; i < nr_cpu_ids; i++) {
		if (threads[i])
			kthread_stop(threads[i]);
		threads[i] = NULL;
	}
	for (i = 0; i < SLOTS; i++)
		storm_put(xchg(&slots[i], NULL), i);
	allocs = atomic_read(&taken);
	frees = atomic_read(&given);
}

static int start_storm(void)
{
	struct task_struct *task;
	unsigned int cpu;

	atomic_set(&taken, 0);
	atomic_set(&given, 0);
	for_each_online_cpu(cpu) {
		task = kthread_create(storm_thread, NULL, "attachee/%u", cpu);
		if (IS_ERR(task))
			return PTR_ERR(task);
		kthread_bind(task, cpu);
		threads[cpu] = task;
		wake_up_process(task);
	}
	return 0;
}

static int set_storm(const char *value, const struct kernel_param *kp)
{
	bool on;
	int err = kstrtobool(value, &on);

	if (err)
		return err;
	stop_storm();
	return on ? start_storm() : 0;
}

static const struct kernel_param_ops storm_ops = { .set = set_storm };
module_param_cb(storm, &storm_ops, NULL, 0200);
MODULE_PARM_DESC(storm, "1: allocate and free on all CPUs; 0: stop that");

static int __init attachee_init(void)
{
	dev = root_device_register("attachee");
	if (IS_ERR(dev))
		return PTR_ERR(dev);
	cache = kmem_cache_create("attachee", 72, 0, SLAB_ACCOUNT, NULL);
	if (!cache)
		root_device_unregister(dev);
	return cache ? 0 : -ENOMEM;
}

static void __exit attachee_exit(void)
{
	stop_storm();
	kmem_cache_destroy(cache);
	root_device_unregister(dev);
}

module_init(attachee_init);
module_exit(attachee_exit);
MODULE_DESCRIPTION("A module that allocates and frees on request");
MODULE_LICENSE("GPL");
