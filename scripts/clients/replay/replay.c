// SPDX-License-Identifier: GPL-2.0
/*
 * The workers, and the oracle
 *
 * Each CPU of the trace has a work item, queued on that CPU, which does what
 * that CPU did, in its order; the CPUs are not in step with each other. When a
 * CPU goes offline the kernel moves its work elsewhere, and back when it is
 * online again. A free waits until the other worker has made the allocation.
 * This wait ends, because the trace has the allocation first and each worker
 * keeps its order.
 *
 * Allocations made in atomic context are repeated in a hard interrupt, which an
 * irq_work raises.
 *
 * The oracle counts independently of the heap, each worker in words of its own.
 * It is read when no worker runs.
 *
 * Context: process; the caller must prevent concurrent calls.
 */
#include <linux/cpumask.h>
#include <linux/delay.h>
#include <linux/err.h>
#include <linux/irq_work.h>
#include <linux/mm.h>
#include <linux/preempt.h>
#include <linux/printk.h>
#include <linux/ratelimit.h>
#include <linux/sched.h>
#include <linux/smp.h>
#include <linux/vmalloc.h>
#include <linux/workqueue.h>

#include "replay.h"
#include "test_compat.h"

/**
 * struct worker - stands for one CPU of the trace
 * @cpu: that CPU
 * @work: queued on it
 * @interrupt: to allocate from
 * @object: to be allocated by @interrupt
 * @result: of this worker
 */
struct worker {
	u32 cpu;
	struct work_struct work;
	struct irq_work interrupt;
	struct replay_object *object;
	struct replay_result result;
};

static struct pcslab_heap *heap;
static struct worker *workers;
static struct workqueue_struct *queue;
static u32 round;		/* times the trace was replayed */
static bool objects_live;

static void alloc_in_interrupt(struct irq_work *interrupt)
{
	struct worker *w = container_of(interrupt, struct worker, interrupt);

	if (in_hardirq())
		w->result.from_interrupt++;
	w->object->obj = pcslab_alloc(heap, w->object->size, GFP_ATOMIC);
}

static void alloc_object(struct worker *w, struct replay_object *object)
{
	if (!object->atomic) {
		object->obj = pcslab_alloc(heap, object->size, GFP_KERNEL);
		return;
	}
	w->object = object;
	irq_work_queue(&w->interrupt);
	irq_work_sync(&w->interrupt);
}

static void count_errors(struct worker *w, const struct replay_object *object, u32 wrong)
{
	unsigned long bits = wrong;
	unsigned int bit;

	if (!wrong)
		return;
	for_each_set_bit(bit, &bits, REPLAY_NR_ERRORS)
		w->result.errors[bit]++;
	pr_err_ratelimited("pcslab_replay: object %zu of %u bytes at %p: errors %#x\n",
			   object - replay_trace.objects, object->size, object->obj, wrong);
}

static struct replay_count *count_of(struct worker *w, const struct replay_object *object)
{
	if (object->size > PCSLAB_MAX_SIZE)
		return &w->result.class[REPLAY_LARGE];
	return &w->result.class[pcslab_class_index(object->size)];
}

static void do_alloc(struct worker *w, struct replay_object *object)
{
	struct replay_count *count = count_of(w, object);
	u32 wrong;

	alloc_object(w, object);
	if (object->obj) {
		count->allocs++;
		count->bytes += replay_expected_size(object->size);
		wrong = replay_check_alloc(heap, object, ((u64)round << 32) |
					   (object - replay_trace.objects));
	} else {
		count->fails++;
		wrong = BIT(REPLAY_FAILED);
	}
	count_errors(w, object, wrong);
	/* Pairs with wait_for() */
	smp_store_release(&object->made, true);
}

static void wait_for(struct worker *w, const struct replay_object *object)
{
	/* Pairs with do_alloc() */
	if (smp_load_acquire(&object->made))
		return;
	w->result.waits++;
	while (!smp_load_acquire(&object->made))	/* as above */
		usleep_range(20, 100);
}

static void do_free(struct worker *w, struct replay_object *object)
{
	struct replay_count *count = count_of(w, object);

	wait_for(w, object);
	object->made = false;
	if (!object->obj)
		return;
	count_errors(w, object, replay_check_free(heap, object));
	count->frees++;
	count->bytes -= replay_expected_size(object->size);
	w->result.crossed += object->cpu != w->cpu;
	pcslab_free(object->obj);
}

static void did_one(struct worker *w)
{
	w->result.displaced += raw_smp_processor_id() != w->cpu;
	cond_resched();
}

static void replay(struct work_struct *work)
{
	struct worker *w = container_of(work, struct worker, work);
	const struct replay_op *op;
	u32 i;

	for (i = 0; i < replay_trace.nr_ops; i++) {
		op = &replay_trace.ops[i];
		if (op->cpu != w->cpu)
			continue;
		if (op->free)
			do_free(w, &replay_trace.objects[op->id]);
		else
			do_alloc(w, &replay_trace.objects[op->id]);
		did_one(w);
	}
}

/*
 * Frees what the trace did not; each worker frees objects that its neighbour
 * allocated.
 */
static void free_rest(struct work_struct *work)
{
	struct worker *w = container_of(work, struct worker, work);
	struct replay_object *object;
	u32 i;

	for (i = 0; i < replay_trace.nr_objects; i++) {
		object = &replay_trace.objects[i];
		if (!object->made || (object->cpu + 1) % replay_trace.nr_cpus != w->cpu)
			continue;
		do_free(w, object);
		did_one(w);
	}
}

/* If a CPU is offline or does not exist, any other CPU does its work. */
static void run_workers(work_func_t fn)
{
	struct worker *w;
	u32 i;

	for (i = 0; i < replay_trace.nr_cpus; i++) {
		w = &workers[i];
		w->cpu = i;
		INIT_WORK(&w->work, fn);
		init_irq_work(&w->interrupt, alloc_in_interrupt);
		if (i < nr_cpu_ids && cpu_online(i))
			queue_work_on(i, queue, &w->work);
		else
			queue_work(queue, &w->work);
	}
	for (i = 0; i < replay_trace.nr_cpus; i++)
		flush_work(&workers[i].work);
}

/**
 * replay_once() - replay the trace from beginning to end
 *
 * Objects that the trace does not free are live afterwards.
 *
 * Return: 0, -ENODATA without a whole trace, or -EBUSY if objects are live.
 */
int replay_once(void)
{
	if (!replay_trace_whole())
		return -ENODATA;
	if (objects_live)
		return -EBUSY;
	round++;
	objects_live = true;
	run_workers(replay);
	return 0;
}

/**
 * replay_free_rest() - free the objects that the trace did not
 */
void replay_free_rest(void)
{
	if (objects_live)
		run_workers(free_rest);
	objects_live = false;
}

static void add_result(struct replay_result *to, const struct replay_result *from)
{
	u32 i;

	for (i = 0; i <= REPLAY_LARGE; i++) {
		to->class[i].allocs += from->class[i].allocs;
		to->class[i].frees += from->class[i].frees;
		to->class[i].fails += from->class[i].fails;
		to->class[i].bytes += from->class[i].bytes;
	}
	for (i = 0; i < REPLAY_NR_ERRORS; i++)
		to->errors[i] += from->errors[i];
	to->from_interrupt += from->from_interrupt;
	to->crossed += from->crossed;
	to->displaced += from->displaced;
	to->waits += from->waits;
}

/**
 * replay_sum() - add up what all workers did and found
 * @sum: filled
 */
void replay_sum(struct replay_result *sum)
{
	u32 i;

	*sum = (struct replay_result){ .rounds = round };
	for (i = 0; i < REPLAY_CPUS; i++)
		add_result(sum, &workers[i].result);
}

int replay_init(void)
{
	int err = -ENOMEM;

	workers = vzalloc(array_size(REPLAY_CPUS, sizeof(*workers)));
	if (!workers)
		return -ENOMEM;
	/*
	 * CPU_INTENSIVE: they run for long, and other work should not wait for
	 * them.
	 */
	queue = alloc_workqueue("pcslab_replay", WQ_CPU_INTENSIVE | COMPAT_WQ_PERCPU, 0);
	if (!queue)
		goto err_workers;
	heap = pcslab_heap_create("replay", NULL);
	if (!IS_ERR(heap))
		return 0;
	err = PTR_ERR(heap);
	destroy_workqueue(queue);
err_workers:
	vfree(workers);
	return err;
}

void replay_exit(void)
{
	replay_free_rest();
	pcslab_heap_destroy(heap);
	destroy_workqueue(queue);
	vfree(workers);
}
