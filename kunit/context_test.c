// SPDX-License-Identifier: GPL-2.0
/*
 * Contracts 5, 9, 16 and 18: calls every public function in every context that
 * its kernel-doc names. A call that must wait for CPU hotplug has to do so,
 * any other one has to return in a hotplug callback too. The run loads the
 * module with pcslab as it is, with debug=1 and with track=1: that must not
 * make a difference.
 */
#include <kunit/test.h>
#include <linux/bottom_half.h>
#include <linux/completion.h>
#include <linux/cpu.h>
#include <linux/cpuhotplug.h>
#include <linux/delay.h>
#include <linux/interrupt.h>
#include <linux/kthread.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/rcupdate.h>
#include <linux/sched/mm.h>
#include <linux/spinlock.h>
#include <linux/stop_machine.h>
#include <linux/workqueue.h>

#include <pcslab/pcslab.h>

#include "api.h"
#include "interrupt.h"
#include "live.h"
#include "test_compat.h"

#define GOING_CPU	3U
#define CACHE_SIZE	700

static const struct pcslab_heap_attr checked = {
	.flags = PCSLAB_HEAP_POISON | PCSLAB_HEAP_REDZONE,
};

static void raise(struct pcslab_heap *heap, gfp_t gfp, void *unused)
{
	pcslab_heap_set_limit(heap, 1024 * PAGE_SIZE);
}

/* Reaches its limit once, and then gets what it needs. */
static const struct pcslab_heap_attr limited = {
	.limit_bytes = PAGE_SIZE, .at_limit = raise,
};

/* A class that is new, the same class again, another one, and a large object */
static const size_t sizes[] = { 64, 64, 1500, 3 * PAGE_SIZE };

/**
 * struct calls - the calls to make in some context
 * @heap: the heap to use
 * @cache: a fixed-size cache of @heap
 * @gfp: the flags to use
 * @bad: calls that returned a wrong result
 */
struct calls {
	struct pcslab_heap *heap;
	struct pcslab_cache *cache;
	gfp_t gfp;
	unsigned int bad;
};

static void check_object(struct calls *c, const void *obj, size_t size)
{
	c->bad += !obj || pcslab_heap_of(obj) != c->heap || pcslab_usable_size(obj) < size;
}

/* The beginning of an object that is freed after a grace period. */
struct freed_later {
	struct rcu_head rcu;
};

static void call_with_size(struct calls *c, size_t size)
{
	struct freed_later *later;
	void *objs[8];
	unsigned int i;

	objs[0] = pcslab_alloc(c->heap, size, c->gfp);
	objs[1] = pcslab_zalloc(c->heap, size, c->gfp);
	objs[2] = pcslab_alloc_node(c->heap, size, c->gfp, 0);
	objs[3] = pcslab_alloc_array(c->heap, 2, size / 2, c->gfp);
	objs[4] = pcslab_calloc(c->heap, 2, size / 2, c->gfp);
	objs[5] = pcslab_realloc(c->heap, pcslab_alloc(c->heap, 8, c->gfp), size, c->gfp);
	objs[6] = pcslab_kvalloc(c->heap, size, c->gfp);
	objs[7] = pcslab_kvrealloc(c->heap, pcslab_kvmemdup(c->heap, &size, 8, c->gfp), size,
				   c->gfp);
	for (i = 0; i < ARRAY_SIZE(objs); i++) {
		check_object(c, objs[i], size);
		pcslab_free(objs[i]);
	}
	pcslab_free(NULL);
	later = pcslab_alloc(c->heap, size, c->gfp);
	check_object(c, later, size);
	pcslab_free_rcu(later, rcu);
	c->bad += pcslab_alloc_bulk(c->heap, size, c->gfp, ARRAY_SIZE(objs), objs) !=
		  ARRAY_SIZE(objs);
	pcslab_free_bulk(ARRAY_SIZE(objs), objs);
}

static void call_cache(struct calls *c)
{
	void *objs[8];

	objs[0] = pcslab_cache_alloc(c->cache, c->gfp);
	objs[1] = pcslab_cache_zalloc(c->cache, c->gfp);
	objs[2] = pcslab_mempool_alloc(c->gfp, c->cache);
	check_object(c, objs[0], CACHE_SIZE);
	check_object(c, objs[1], CACHE_SIZE);
	check_object(c, objs[2], CACHE_SIZE);
	pcslab_cache_free(c->cache, objs[0]);
	pcslab_free(objs[1]);
	pcslab_mempool_free(objs[2], c->cache);
	c->bad += pcslab_cache_alloc_bulk(c->cache, c->gfp, ARRAY_SIZE(objs), objs) !=
		  ARRAY_SIZE(objs);
	pcslab_cache_free_bulk(c->cache, ARRAY_SIZE(objs), objs);
}

/* Calls everything that is allowed in any context. */
static void call_all(void *calls)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(sizes); i++)
		call_with_size(calls, sizes[i]);
	call_cache(calls);
}

static struct pcslab_heap *new_heap(const char *name, const struct pcslab_heap_attr *attr,
				    struct calls *c, gfp_t gfp)
{
	struct pcslab_heap *heap = pcslab_heap_create(name, attr);

	*c = (struct calls){ .heap = heap, .gfp = gfp };
	if (IS_ERR(heap))
		return heap;
	c->cache = pcslab_cache_create(heap, "cache", CACHE_SIZE, 0, 0, NULL);
	return IS_ERR(c->cache) ? ERR_CAST(c->cache) : heap;
}

static void destroy(struct calls *c)
{
	pcslab_cache_destroy(c->cache);
	pcslab_heap_destroy(c->heap);
}

/* All calls were counted, and nothing is live. */
static void expect_counted(struct kunit *test, const struct calls *c, const char *where)
{
	static struct pcslab_stats st;

	KUNIT_EXPECT_EQ_MSG(test, c->bad, 0u, "%s", where);
	pcslab_rcu_barrier(c->heap);
	KUNIT_ASSERT_EQ(test, pcslab_heap_stats_exact(c->heap, &st), 0);
	KUNIT_EXPECT_GT_MSG(test, st.class[pcslab_class_index(64)].allocs, 0ull, "%s", where);
	KUNIT_EXPECT_EQ_MSG(test, stats_live(&st), 0ull, "%s", where);
	KUNIT_EXPECT_EQ_MSG(test, st.bad_frees + st.corruptions, 0ull, "%s", where);
}

typedef void (*place_fn)(struct calls *c);

static void by_task(struct calls *c)
{
	call_all(c);
}

static void without_preemption(struct calls *c)
{
	preempt_disable();
	call_all(c);
	preempt_enable();
}

static void without_interrupts(struct calls *c)
{
	unsigned long flags;

	local_irq_save(flags);
	call_all(c);
	local_irq_restore(flags);
}

static void under_spinlock(struct calls *c)
{
	static DEFINE_SPINLOCK(lock);

	spin_lock_bh(&lock);
	call_all(c);
	spin_unlock_bh(&lock);
}

static void in_rcu_reader(struct calls *c)
{
	rcu_read_lock();
	call_all(c);
	rcu_read_unlock();
}

static void in_interrupt_of_all(struct calls *c)
{
	unsigned int cpu;

	for_each_online_cpu(cpu)
		c->bad += !interrupt_call(cpu, call_all, c);
}

static struct calls *softirq_calls;

static void call_softirq(struct tasklet_struct *unused)
{
	call_all(softirq_calls);
}

static DECLARE_TASKLET(tasklet, call_softirq);

static void by_softirq(struct calls *c)
{
	softirq_calls = c;
	tasklet_schedule(&tasklet);
	tasklet_kill(&tasklet);
}

static void in_reclaim(struct calls *c)
{
	unsigned int flags = memalloc_noreclaim_save();

	call_all(c);
	memalloc_noreclaim_restore(flags);
}

static int call_stopped(void *calls)
{
	call_all(calls);
	return 0;
}

static void in_stop_machine(struct calls *c)
{
	stop_machine(call_stopped, c, NULL);
}

static const struct {
	const char *name;
	place_fn fn;
	gfp_t gfp;
	bool atomic;
} places[] = {
	{ "a task", by_task, GFP_KERNEL },
	{ "reclaim", in_reclaim, GFP_NOIO },
	{ "an RCU reader", in_rcu_reader, GFP_ATOMIC },
	{ "a spinlock", under_spinlock, GFP_ATOMIC },
	{ "a softirq", by_softirq, GFP_ATOMIC },
	{ "preemption off", without_preemption, GFP_ATOMIC, true },
	{ "interrupts off", without_interrupts, GFP_ATOMIC, true },
	{ "an interrupt", in_interrupt_of_all, GFP_ATOMIC },
	{ "stop_machine()", in_stop_machine, GFP_ATOMIC, true },
};

/*
 * The first object of a heap, then others. With PREEMPT_RT pcslab may not be
 * used in the atomic contexts.
 */
static void call_anywhere(struct kunit *test, const struct pcslab_heap_attr *attr)
{
	struct calls c;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(places); i++) {
		if (places[i].atomic && IS_ENABLED(CONFIG_PREEMPT_RT))
			continue;
		KUNIT_ASSERT_FALSE(test, IS_ERR(new_heap("anywhere", attr, &c, places[i].gfp)));
		places[i].fn(&c);
		places[i].fn(&c);
		expect_counted(test, &c, places[i].name);
		destroy(&c);
	}
}

static void calls_anywhere(struct kunit *test)
{
	call_anywhere(test, NULL);
}

static void calls_at_the_limit(struct kunit *test)
{
	call_anywhere(test, &limited);
}

/* Calls everything that may sleep. @arg counts the failures. */
static void call_process(void *arg)
{
	static struct pcslab_stats st;
	struct pcslab_reserve *reserve;
	unsigned int *bad = arg;
	mempool_t *pool;
	struct calls c;

	if (IS_ERR(new_heap("process", NULL, &c, GFP_KERNEL))) {
		++*bad;
		return;
	}
	call_all(&c);
	pcslab_free_rcu_sync(pcslab_alloc(c.heap, 64, GFP_KERNEL));
	pcslab_rcu_barrier(c.heap);
	*bad += !!pcslab_prepare(c.heap, 300);
	reserve = pcslab_reserve_create(c.heap, 300, 2);
	if (!IS_ERR(reserve))
		pcslab_reserve_free(reserve, pcslab_reserve_alloc(reserve, GFP_KERNEL));
	*bad += IS_ERR(reserve);
	pcslab_reserve_destroy(reserve);
	pcslab_heap_shrink(c.heap);
	*bad += c.bad + !!pcslab_heap_stats(c.heap, &st) + !!stats_live(&st);
	*bad += !!pcslab_heap_stats_exact(c.heap, &st) + !!stats_live(&st);
	pcslab_cache_shrink(c.cache);
	pool = pcslab_mempool_create(c.heap, 2, 300);
	*bad += !pool;
	mempool_destroy(pool);
	destroy(&c);
}

static int process_thread(void *bad)
{
	call_process(bad);
	while (!kthread_should_stop())
		schedule_timeout_interruptible(1);
	return 0;
}

struct job {
	struct work_struct work;
	unsigned int bad;
};

static void process_work(struct work_struct *work)
{
	call_process(&container_of(work, struct job, work)->bad);
}

static void run_job(struct workqueue_struct *queue, struct job *job)
{
	INIT_WORK_ONSTACK(&job->work, process_work);
	queue_work(queue, &job->work);
	flush_work(&job->work);
	destroy_work_on_stack(&job->work);
}

static void calls_that_sleep(struct kunit *test)
{
	struct workqueue_struct *reclaim;
	static DEFINE_MUTEX(lock);
	struct task_struct *task;
	struct job job = {};
	unsigned int flags;

	reclaim = alloc_workqueue("pcslab-test", WQ_MEM_RECLAIM | COMPAT_WQ_PERCPU, 1);
	KUNIT_ASSERT_NOT_NULL(test, reclaim);
	mutex_lock(&lock);
	call_process(&job.bad);
	mutex_unlock(&lock);
	flags = memalloc_nofs_save();
	call_process(&job.bad);
	memalloc_nofs_restore(flags);
	task = kthread_run(process_thread, &job.bad, "pcslab-process");
	KUNIT_ASSERT_FALSE(test, IS_ERR(task));
	kthread_stop(task);
	run_job(system_highpri_wq, &job);
	run_job(reclaim, &job);
	destroy_workqueue(reclaim);
	KUNIT_EXPECT_EQ(test, job.bad, 0u);
}

/*
 * CPU hotplug callbacks create a heap of each kind, use it, and use another
 * heap.
 */
struct made {
	struct calls plain, checked, limited;
	int calls;
};

static struct made at_prepare, at_online, at_offline, at_dead;
static struct calls used_anyway;

static int make_heaps(struct made *made, const char *when)
{
	struct calls c = used_anyway;
	char name[PCSLAB_NAME_LEN];

	made->calls++;
	call_all(&c);
	snprintf(name, sizeof(name), "%s%d", when, made->calls);
	if (!IS_ERR(new_heap(name, NULL, &made->plain, GFP_KERNEL)))
		call_all(&made->plain);
	snprintf(name, sizeof(name), "%s%d-checked", when, made->calls);
	if (!IS_ERR(new_heap(name, &checked, &made->checked, GFP_KERNEL)))
		call_all(&made->checked);
	snprintf(name, sizeof(name), "%s%d-limited", when, made->calls);
	if (!IS_ERR(new_heap(name, &limited, &made->limited, GFP_KERNEL)))
		call_all(&made->limited);
	made->plain.bad += c.bad;
	return 0;
}

static int prepare(unsigned int cpu)
{
	return make_heaps(&at_prepare, "prepare");
}

static int online(unsigned int cpu)
{
	return make_heaps(&at_online, "online");
}

static int offline(unsigned int cpu)
{
	return make_heaps(&at_offline, "offline");
}

static int dead(unsigned int cpu)
{
	return make_heaps(&at_dead, "dead");
}

static void expect_made(struct kunit *test, struct made *made, const char *when)
{
	KUNIT_ASSERT_EQ_MSG(test, made->calls, 1, "%s", when);
	KUNIT_ASSERT_FALSE_MSG(test, IS_ERR_OR_NULL(made->plain.heap), "%s", when);
	KUNIT_ASSERT_FALSE_MSG(test, IS_ERR_OR_NULL(made->checked.heap), "%s", when);
	KUNIT_ASSERT_FALSE_MSG(test, IS_ERR_OR_NULL(made->limited.heap), "%s", when);
	expect_counted(test, &made->plain, when);
	expect_counted(test, &made->checked, when);
	expect_counted(test, &made->limited, when);
	destroy(&made->plain);
	destroy(&made->checked);
	destroy(&made->limited);
}

static void heaps_in_hotplug_callbacks(struct kunit *test)
{
	int below, above;

	KUNIT_ASSERT_FALSE(test, IS_ERR(new_heap("anyway", NULL, &used_anyway, GFP_KERNEL)));
	below = cpuhp_setup_state_nocalls(CPUHP_BP_PREPARE_DYN, "pcslab-test:prepare",
					  prepare, dead);
	above = cpuhp_setup_state_nocalls(CPUHP_AP_ONLINE_DYN, "pcslab-test:online",
					  online, offline);
	KUNIT_EXPECT_GT(test, below, 0);
	KUNIT_EXPECT_GT(test, above, 0);
	KUNIT_EXPECT_EQ(test, remove_cpu(GOING_CPU), 0);
	KUNIT_EXPECT_EQ(test, add_cpu(GOING_CPU), 0);
	cpuhp_remove_state_nocalls(above);
	cpuhp_remove_state_nocalls(below);

	expect_made(test, &at_offline, "offline");
	expect_made(test, &at_dead, "dead");
	expect_made(test, &at_prepare, "prepare");
	expect_made(test, &at_online, "online");
	call_all(&used_anyway);
	expect_counted(test, &used_anyway, "callbacks");
	destroy(&used_anyway);
}

/*
 * Readers of the books wait until a CPU change is complete, because the counts
 * of the dead CPU are on their way to CPU 0 until then.
 */
static struct reader {
	const char *path;
	struct task_struct *task;
	struct completion done;
	ssize_t n;
	char text[8192];
} readers[] = {
	{ "pcslab/stats" },
	{ "pcslab/errors" },
	{ "pcslab/json" },
	{ "pcslab/heaps/read/stats" },
	{ "pcslab/heaps/read/exact" },
	{ "pcslab/heaps/read/percpu" },
	{ "pcslab/heaps/read/audit" },
	{ "pcslab/heaps/read/json" },
};

/* Far more than a reader takes that does not have to wait */
#define READ_MS		300

static int read_one(void *arg)
{
	struct reader *reader = arg;

	reader->n = api_read_file(reader->path, reader->text, sizeof(reader->text));
	complete(&reader->done);
	while (!kthread_should_stop())
		schedule_timeout_interruptible(1);
	return 0;
}

/* Runs in the callback, while CPU hotplug is held for writing. */
static int let_them_read(unsigned int cpu)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(readers); i++)
		wake_up_process(readers[i].task);
	msleep(READ_MS);
	for (i = 0; i < ARRAY_SIZE(readers); i++) {
		if (completion_done(&readers[i].done))
			readers[i].n = -EBUSY;
	}
	return 0;
}

static void make_readers(struct kunit *test)
{
	struct reader *reader;

	for (reader = readers; reader < readers + ARRAY_SIZE(readers); reader++) {
		init_completion(&reader->done);
		reader->task = kthread_create(read_one, reader, "pcslab-reader");
		KUNIT_ASSERT_FALSE(test, IS_ERR(reader->task));
	}
}

static void readers_wait_for_hotplug(struct kunit *test)
{
	struct reader *reader;
	struct calls c;
	int state;

	KUNIT_ASSERT_FALSE(test, IS_ERR(new_heap("read", NULL, &c, GFP_KERNEL)));
	call_all(&c);
	make_readers(test);
	state = cpuhp_setup_state_nocalls(CPUHP_BP_PREPARE_DYN, "pcslab-test:read", NULL,
					  let_them_read);
	KUNIT_EXPECT_GT(test, state, 0);
	KUNIT_EXPECT_EQ(test, remove_cpu(GOING_CPU), 0);
	KUNIT_EXPECT_EQ(test, add_cpu(GOING_CPU), 0);
	cpuhp_remove_state_nocalls(state);
	for (reader = readers; reader < readers + ARRAY_SIZE(readers); reader++) {
		wait_for_completion(&reader->done);
		kthread_stop(reader->task);
		KUNIT_EXPECT_GT_MSG(test, reader->n, 0, "%s did not wait", reader->path);
	}
	destroy(&c);
}

static int forget_made(struct kunit *test)
{
	at_prepare = (struct made){};
	at_online = (struct made){};
	at_offline = (struct made){};
	at_dead = (struct made){};
	return 0;
}

static struct kunit_case cases[] = {
	KUNIT_CASE(calls_anywhere),
	KUNIT_CASE(calls_at_the_limit),
	KUNIT_CASE(calls_that_sleep),
	KUNIT_CASE(heaps_in_hotplug_callbacks),
	KUNIT_CASE(readers_wait_for_hotplug),
	{}
};

static struct kunit_suite suite = {
	.name = "pcslab_context",
	.init = forget_made,
	.test_cases = cases,
};

kunit_test_suite(suite);

MODULE_DESCRIPTION("KUnit tests of where pcslab may be called");
MODULE_LICENSE("GPL");
MODULE_INFO(import_ns, "PCSLAB");
