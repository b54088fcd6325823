// SPDX-License-Identifier: GPL-2.0
/*
 * Deliberate bugs, one for each of the kernel's bug finders: bug=NAME makes one
 * of them when the module is loaded. If the finder reports it, a log without a
 * report means something. Load this only into guests that run nothing else.
 */
#include <linux/delay.h>
#include <linux/kthread.h>
#include <linux/list.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/rcupdate.h>
#include <linux/sched/mm.h>
#include <linux/slab.h>
#include <linux/uaccess.h>
#include <linux/workqueue.h>

#include <pcslab/pcslab.h>

#include "poke.h"

static char *bug;
module_param(bug, charp, 0400);
MODULE_PARM_DESC(bug, "which");

static struct pcslab_heap *heap;
static void *objs[4000];
/* Pointer to an object, in a form that kmemleak does not recognize */
static unsigned long hidden;

static noinline void touch(u8 *byte)
{
	WRITE_ONCE(*byte, READ_ONCE(*byte) + 1);
}

/* The object freed last is in a magazine. */
static void use_after_free(void)
{
	u8 *obj = pcslab_alloc(heap, 64, GFP_KERNEL);

	pcslab_free(obj);
	touch(obj);
}

static void free_every_second(unsigned int from)
{
	unsigned int i;

	for (i = from; i < ARRAY_SIZE(objs); i += 2)
		pcslab_free(objs[i]);
}

/*
 * Frees more objects than magazines and depot keep, so some return to their
 * slabs. The live half keeps the slabs.
 */
static void use_after_long_free(void)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(objs); i++)
		objs[i] = pcslab_alloc(heap, 64, GFP_KERNEL);
	free_every_second(0);
	touch(objs[ARRAY_SIZE(objs) - 2]);
	free_every_second(1);
}

/* The class has 104 bytes. */
static void one_byte_too_far(void)
{
	u8 *obj = pcslab_alloc(heap, 100, GFP_KERNEL);

	touch(obj + 100);
	pcslab_free(obj);
}

/*
 * Touches the byte before the higher one of two objects: that belongs to
 * another object, even if that object is free.
 */
static void one_byte_before(void)
{
	u8 *a = pcslab_alloc(heap, 100, GFP_KERNEL);
	u8 *b = pcslab_alloc(heap, 100, GFP_KERNEL);

	touch(max(a, b) - 1);
	pcslab_free(a);
	pcslab_free(b);
}

/* Uses two pages and one byte of the four pages. */
static void large_overflow(void)
{
	u8 *obj = pcslab_alloc(heap, 2 * PAGE_SIZE + 1, GFP_KERNEL);

	touch(obj + 2 * PAGE_SIZE + 1);
	pcslab_free(obj);
}

static void shrunk(void)
{
	u8 *obj = pcslab_alloc(heap, 100, GFP_KERNEL);

	obj = pcslab_realloc(heap, obj, 97, GFP_KERNEL);
	touch(obj + 97);
	pcslab_free(obj);
}

static void double_free(void)
{
	void *obj = pcslab_alloc(heap, 64, GFP_KERNEL);

	pcslab_free(obj);
	pcslab_free(obj);
}

/* One object points to the other; nothing points to the first. */
static void leak(void)
{
	void **obj = pcslab_alloc(heap, 72, GFP_KERNEL);

	*obj = pcslab_alloc(heap, 200, GFP_KERNEL);
	hidden = ~(unsigned long)obj;
}

/* The kmalloc object is reachable through a pcslab object in objs[]. */
static void no_leak(void)
{
	void **obj = pcslab_alloc(heap, 80, GFP_KERNEL);

	*obj = kmalloc(208, GFP_KERNEL);
	hidden = ~(unsigned long)obj;
	objs[0] = obj;
}

static void sleep_in_atomic(void)
{
	preempt_disable();
	pcslab_free(pcslab_alloc(heap, 64, GFP_KERNEL));
	preempt_enable();
}

/* Reclaim takes the lock, and an allocation made under the lock may reclaim. */
static void reclaim_deadlock(void)
{
	static DEFINE_MUTEX(lock);

	fs_reclaim_acquire(GFP_KERNEL);
	mutex_lock(&lock);
	mutex_unlock(&lock);
	fs_reclaim_release(GFP_KERNEL);

	mutex_lock(&lock);
	pcslab_free(pcslab_alloc(heap, 64, GFP_KERNEL));
	mutex_unlock(&lock);
}

static void migrating_cpu_number(void)
{
	objs[0] = (void *)(long)smp_processor_id();
}

static void list_corruption(void)
{
	LIST_HEAD(a);
	LIST_HEAD(b);

	list_add(&a, &b);
	a.next = &a;
	list_del(&a);
}

static void no_callback(struct rcu_head *head)
{
}

static void call_rcu_twice(void)
{
	static struct rcu_head head;

	call_rcu(&head, no_callback);
	call_rcu(&head, no_callback);
	rcu_barrier();
}

static void be_slow(struct work_struct *work)
{
	msleep(100);
}

/*
 * The second work item waits behind the first, and is initialised while it
 * waits.
 */
static void init_active_work(void)
{
	struct workqueue_struct *queue = alloc_ordered_workqueue("bug", 0);
	static DECLARE_WORK(first, be_slow);
	static struct work_struct second;

	INIT_WORK(&second, be_slow);
	queue_work(queue, &first);
	queue_work(queue, &second);
	INIT_WORK(&second, be_slow);
	destroy_workqueue(queue);
}

static void write_to_free_page(void)
{
	struct page *pages[64];
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(pages); i++)
		pages[i] = alloc_page(GFP_KERNEL);
	for (i = 0; i < ARRAY_SIZE(pages); i++)
		__free_page(pages[i]);
	for (i = 0; i < ARRAY_SIZE(pages); i++)
		poke(page_address(pages[i]) + 100, 1, 0);
	for (i = 0; i < ARRAY_SIZE(pages); i++)
		pages[i] = alloc_page(GFP_KERNEL);
	for (i = 0; i < ARRAY_SIZE(pages); i++)
		__free_page(pages[i]);
}

static void free_page_in_use(void)
{
	struct page *page = alloc_page(GFP_KERNEL);

	page->mapping = (void *)8;
	__free_page(page);
}

static void shift_too_far(void)
{
	int bits = 40;

	OPTIMIZER_HIDE_VAR(bits);
	objs[0] = (void *)(long)(1 << bits);
}

static int count_up(void *counter)
{
	unsigned long end = jiffies + 2 * HZ;

	while (time_before(jiffies, end)) {
		(*(int *)counter)++;
		/* Keeps the compiler from merging all the reads into one. */
		barrier();
	}
	while (!kthread_should_stop())
		msleep(20);
	return 0;
}

/* The counter is in a pcslab object, which is checked like any other memory. */
static void unlocked_counter(void)
{
	int *counter = pcslab_zalloc(heap, sizeof(int), GFP_KERNEL);
	struct task_struct *a, *b;

	a = kthread_run(count_up, counter, "pcslab-race/a");
	b = kthread_run(count_up, counter, "pcslab-race/b");
	msleep(2500);
	kthread_stop(a);
	kthread_stop(b);
	pcslab_free(counter);
}

/*
 * The task does not survive the report. The user address does not matter,
 * because the object is checked first.
 */
static int copy_too_much(void *obj)
{
	/* More than a slab, and than the large object below. */
	size_t size = (PAGE_SIZE << PAGE_ALLOC_COSTLY_ORDER) + 1;

	OPTIMIZER_HIDE_VAR(size);
	pr_info("copied, but for %lu\n", copy_to_user((void __user *)PAGE_SIZE, obj, size));
	return 0;
}

static void copied(size_t size)
{
	void *obj = pcslab_alloc(heap, size, GFP_KERNEL);

	kthread_run(copy_too_much, obj, "pcslab-copy");
	msleep(500);
	pcslab_free(obj);
}

/*
 * Copies beyond a slab of several pages, because a slab of a single page looks
 * like any page. Only a kmem_cache could tell where in the slab an object ends.
 */
static void copied_beyond_slab(void)
{
	copied(PCSLAB_MAX_SIZE);
}

static void copied_beyond_large(void)
{
	copied(2 * PCSLAB_MAX_SIZE);
}

/* Sleeps only with PREEMPT_RT. */
static void sleeping_lock(void)
{
	static DEFINE_SPINLOCK(lock);

	preempt_disable();
	spin_lock(&lock);
	spin_unlock(&lock);
	preempt_enable();
}

#define SPECIMEN(function) { #function, function }

static const struct {
	const char *name;
	void (*make)(void);
} bugs[] = {
	SPECIMEN(use_after_free),
	SPECIMEN(use_after_long_free),
	SPECIMEN(one_byte_too_far),
	SPECIMEN(one_byte_before),
	SPECIMEN(large_overflow),
	SPECIMEN(shrunk),
	SPECIMEN(double_free),
	SPECIMEN(leak),
	SPECIMEN(no_leak),
	SPECIMEN(sleep_in_atomic),
	SPECIMEN(reclaim_deadlock),
	SPECIMEN(migrating_cpu_number),
	SPECIMEN(list_corruption),
	SPECIMEN(call_rcu_twice),
	SPECIMEN(init_active_work),
	SPECIMEN(write_to_free_page),
	SPECIMEN(free_page_in_use),
	SPECIMEN(shift_too_far),
	SPECIMEN(unlocked_counter),
	SPECIMEN(copied_beyond_slab),
	SPECIMEN(copied_beyond_large),
	SPECIMEN(sleeping_lock),
};

static int __init bug_init(void)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(bugs); i++) {
		if (!bug || strcmp(bug, bugs[i].name))
			continue;
		heap = pcslab_heap_create("bug", NULL);
		if (IS_ERR(heap))
			return PTR_ERR(heap);
		bugs[i].make();
		return 0;
	}
	return -EINVAL;
}

static void __exit bug_exit(void)
{
	void **obj = (void **)~hidden;

	if (hidden) {
		if (pcslab_heap_of(*obj))
			pcslab_free(*obj);
		else
			kfree(*obj);
		pcslab_free(obj);
	}
	pcslab_heap_destroy(heap);
}

module_init(bug_init);
module_exit(bug_exit);

MODULE_DESCRIPTION("Deliberate bugs for the bug finders of the kernel");
MODULE_LICENSE("GPL");
MODULE_INFO(import_ns, "PCSLAB");
