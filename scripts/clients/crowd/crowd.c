// SPDX-License-Identifier: GPL-2.0
/*
 * A client with many heaps, for tests that consist of commands. Writing a
 * command to its parameter "act" executes it at once; "took" then says how many
 * milliseconds it took. In the background the client keeps a heap "busy" with
 * live objects, on CPUs 0 and 1; CPU 3 has used it, too. Only one act uses the
 * heap "pairs".
 */
#include <linux/cpu.h>
#include <linux/err.h>
#include <linux/interrupt.h>
#include <linux/jiffies.h>
#include <linux/kthread.h>
#include <linux/ktime.h>
#include <linux/module.h>
#include <linux/pid.h>
#include <linux/sched.h>
#include <linux/sched/task.h>
#include <linux/slab.h>
#include <linux/smp.h>
#include <linux/vmalloc.h>
#include <linux/workqueue.h>

#include <pcslab/pcslab.h>

#include "internal.h"

#define MAX_HEAPS	4000
#define BUSY_TASKS	2
#define BUSY_OBJECTS	100
#define LAST_CPU	3
#define BATCH		50
#define CHURNERS	4

struct member {
	struct pcslab_heap *heap;
	void *obj;
	struct work_struct work;
};

static struct member *crowd;
static unsigned int nr_heaps;
static struct pcslab_heap *busy, *paired;
static struct task_struct *tasks[BUSY_TASKS];

static unsigned int took;
module_param(took, uint, 0400);
MODULE_PARM_DESC(took, "milliseconds of the last act");

static unsigned int refused;
module_param(refused, uint, 0400);
MODULE_PARM_DESC(refused, "allocations of the last act that failed");

static unsigned int slow;
module_param(slow, uint, 0400);
MODULE_PARM_DESC(slow, "calls of the last act that took the lock of a depot; of pairs");

static int home = NUMA_NO_NODE;
module_param(home, int, 0400);
MODULE_PARM_DESC(home, "the node whose objects the CPU has in its magazine; of pairs");

static int create(unsigned int n)
{
	struct pcslab_heap *heap;
	char name[16];

	while (nr_heaps < min_t(unsigned int, n, MAX_HEAPS)) {
		snprintf(name, sizeof(name), "crowd%u", nr_heaps);
		heap = pcslab_heap_create(name, NULL);
		if (IS_ERR(heap))
			return PTR_ERR(heap);
		crowd[nr_heaps++].heap = heap;
	}
	return 0;
}

/* Allocates the first object of each heap where the caller may sleep. */
static int use(unsigned int unused)
{
	unsigned int i;

	for (i = 0; i < nr_heaps; i++) {
		crowd[i].obj = pcslab_alloc(crowd[i].heap, 64, GFP_KERNEL);
		refused += !crowd[i].obj;
	}
	return 0;
}

/* Same where the caller can neither sleep nor be helped by anybody else. */
static int use_with_interrupts_off(unsigned int unused)
{
	unsigned long flags;
	unsigned int i;

	local_irq_save(flags);
	for (i = 0; i < nr_heaps; i++) {
		crowd[i].obj = pcslab_alloc(crowd[i].heap, 64, GFP_ATOMIC);
		refused += !crowd[i].obj;
	}
	local_irq_restore(flags);
	return 0;
}

static int empty(unsigned int unused)
{
	unsigned int i;

	for (i = 0; i < nr_heaps; i++) {
		pcslab_free(crowd[i].obj);
		crowd[i].obj = NULL;
	}
	return 0;
}

static int destroy(unsigned int unused)
{
	while (nr_heaps)
		pcslab_heap_destroy(crowd[--nr_heaps].heap);
	return 0;
}

static void destroy_one(struct work_struct *work)
{
	pcslab_heap_destroy(container_of(work, struct member, work)->heap);
}

/*
 * Destroys all heaps in the kernel's own workqueue of one CPU, which runs 256
 * items at the same time.
 */
static int destroy_by_work(unsigned int cpu)
{
	unsigned int i;

	for (i = 0; i < nr_heaps; i++) {
		INIT_WORK(&crowd[i].work, destroy_one);
		schedule_work_on(cpu, &crowd[i].work);
	}
	for (i = 0; i < nr_heaps; i++)
		flush_work(&crowd[i].work);
	nr_heaps = 0;
	return 0;
}

/* Several tasks at once create, use and destroy heaps, one after the other */
struct churner {
	struct work_struct work;
	unsigned int id, n;
	int err;
};

static int live_once(const char *name)
{
	struct pcslab_heap *heap = pcslab_heap_create(name, NULL);

	if (IS_ERR(heap))
		return PTR_ERR(heap);
	pcslab_free(pcslab_alloc(heap, 64, GFP_KERNEL));
	pcslab_free(pcslab_alloc(heap, 1000, GFP_KERNEL));
	pcslab_heap_destroy(heap);
	return 0;
}

static void churn_some(struct work_struct *work)
{
	struct churner *churner = container_of(work, struct churner, work);
	char name[16];

	snprintf(name, sizeof(name), "churn%u", churner->id);
	while (churner->n-- && !churner->err)
		churner->err = live_once(name);
}

static int churn(unsigned int n)
{
	static struct churner churners[CHURNERS];
	unsigned int i;
	int err = 0;

	for (i = 0; i < CHURNERS; i++) {
		churners[i] = (struct churner){ .id = i, .n = n / CHURNERS };
		INIT_WORK(&churners[i].work, churn_some);
		queue_work(system_unbound_wq, &churners[i].work);
	}
	for (i = 0; i < CHURNERS; i++) {
		flush_work(&churners[i].work);
		err = err ?: churners[i].err;
	}
	return err;
}

static int set_priority(unsigned int pid, void (*set)(struct task_struct *task))
{
	struct task_struct *task = get_pid_task(find_vpid(pid), PIDTYPE_PID);

	if (!task)
		return -ESRCH;
	set(task);
	put_task_struct(task);
	return 0;
}

/*
 * From now on a task may use all of its CPU, unless another realtime task wants
 * it.
 */
static int make_low_realtime(unsigned int pid)
{
	return set_priority(pid, sched_set_fifo_low);
}

static int make_realtime(unsigned int pid)
{
	return set_priority(pid, sched_set_fifo);
}

/* More softirqs than a CPU handles at once: ksoftirqd has to do the rest. */
static unsigned long flood_end;

static void flood_on(struct tasklet_struct *tasklet)
{
	if (time_before(jiffies, flood_end))
		tasklet_schedule(tasklet);
}

static DECLARE_TASKLET(flood_tasklet, flood_on);

static void start_flood(void *unused)
{
	tasklet_schedule(&flood_tasklet);
}

static int flood(unsigned int cpu)
{
	flood_end = jiffies + HZ / 20;
	return smp_call_function_single(cpu, start_flood, NULL, true);
}

static int shrink(unsigned int unused)
{
	pcslab_heap_shrink(busy);
	return 0;
}

/* Calls that this CPU counted without its magazine. */
static unsigned long nr_unguarded(const struct pcslab_cpu *c)
{
	return c->unguarded.allocs[0] + c->unguarded.allocs[1] + c->unguarded.frees[0] +
	       c->unguarded.frees[1];
}

/*
 * Runs on the caller's CPU. Fills its magazine, then allocates and frees @n
 * times.
 */
static int pairs(unsigned int n)
{
	struct pcslab_cpu *c;
	void *objs[BATCH];
	unsigned int i;

	for (i = 0; i < BATCH; i++)
		objs[i] = pcslab_alloc(paired, 64, GFP_KERNEL);
	for (i = 0; i < BATCH; i++)
		pcslab_free(objs[i]);
	migrate_disable();
	c = pcslab_cpu_of(paired->class[pcslab_class_index(64)], smp_processor_id());
	slow = nr_unguarded(c);
	for (i = 0; i < n; i++)
		pcslab_free(pcslab_alloc(paired, 64, GFP_KERNEL));
	slow = nr_unguarded(c) - slow;
	home = c->node;
	migrate_enable();
	return 0;
}

/* Slabs have two objects if there is memory for them, else one. */
static int fill(unsigned int n)
{
	struct member *m;

	for (m = crowd; m < crowd + min_t(unsigned int, n, MAX_HEAPS); m++)
		m->obj = pcslab_alloc(paired, 4096, GFP_KERNEL);
	for (m = crowd; m < crowd + min_t(unsigned int, n, MAX_HEAPS); m++)
		pcslab_free(m->obj);
	return 0;
}

static const struct {
	const char *name;
	int (*act)(unsigned int n);
} acts[] = {
	{ "create", create },
	{ "use", use },
	{ "use_with_interrupts_off", use_with_interrupts_off },
	{ "empty", empty },
	{ "destroy", destroy },
	{ "destroy_by_work", destroy_by_work },
	{ "churn", churn },
	{ "make_low_realtime", make_low_realtime },
	{ "make_realtime", make_realtime },
	{ "flood", flood },
	{ "shrink", shrink },
	{ "pairs", pairs },
	{ "fill", fill },
};

/* NAME or NAME N */
static int set_act(const char *value, const struct kernel_param *unused)
{
	unsigned int i, n = 0;
	ktime_t start;
	char name[32];
	int err;

	if (sscanf(value, "%31s %u", name, &n) < 1)
		return -EINVAL;
	for (i = 0; i < ARRAY_SIZE(acts); i++) {
		if (strcmp(acts[i].name, name))
			continue;
		refused = 0;
		start = ktime_get();
		err = acts[i].act(n);
		took = ktime_ms_delta(ktime_get(), start);
		return err;
	}
	return -EINVAL;
}

static const struct kernel_param_ops act_ops = { .set = set_act };
module_param_cb(act, &act_ops, NULL, 0200);
MODULE_PARM_DESC(act, "what to do now");

static void alloc_some(void **objs)
{
	unsigned int i;

	for (i = 0; i < BUSY_OBJECTS; i++)
		objs[i] = pcslab_alloc(busy, 8 + i % 32 * 64, GFP_KERNEL);
}

static void free_some(void **objs)
{
	unsigned int i;

	for (i = 0; i < BUSY_OBJECTS; i++)
		pcslab_free(objs[i]);
}

static int keep_busy(void *unused)
{
	void *live[BUSY_OBJECTS], *objs[BUSY_OBJECTS];

	alloc_some(live);
	while (!kthread_should_stop()) {
		alloc_some(objs);
		free_some(objs);
		schedule_timeout_uninterruptible(1);
	}
	free_some(live);
	return 0;
}

static long use_here(void *unused)
{
	void *objs[BUSY_OBJECTS];

	alloc_some(objs);
	free_some(objs);
	return 0;
}

static void stop(void)
{
	unsigned int i;

	for (i = 0; i < BUSY_TASKS; i++) {
		if (!IS_ERR_OR_NULL(tasks[i]))
			kthread_stop(tasks[i]);
	}
	tasklet_kill(&flood_tasklet);
	empty(0);
	destroy(0);
	pcslab_heap_destroy(busy);
	pcslab_heap_destroy(paired);
	vfree(crowd);
}

static int __init crowd_init(void)
{
	unsigned int i;

	crowd = vzalloc(MAX_HEAPS * sizeof(*crowd));
	if (!crowd)
		return -ENOMEM;
	busy = pcslab_heap_create("busy", NULL);
	paired = pcslab_heap_create("pairs", NULL);
	if (IS_ERR(busy) || IS_ERR(paired)) {
		stop();
		return -ENOMEM;
	}
	work_on_cpu(LAST_CPU, use_here, NULL);
	for (i = 0; i < BUSY_TASKS; i++) {
		tasks[i] = kthread_create(keep_busy, NULL, "pcslab-busy/%u", i);
		if (IS_ERR(tasks[i])) {
			stop();
			return PTR_ERR(tasks[i]);
		}
		kthread_bind(tasks[i], i);
		wake_up_process(tasks[i]);
	}
	return 0;
}

static void __exit crowd_exit(void)
{
	stop();
}

module_init(crowd_init);
module_exit(crowd_exit);

MODULE_DESCRIPTION("A client of pcslab with many heaps");
MODULE_LICENSE("GPL");
MODULE_INFO(import_ns, "PCSLAB");
