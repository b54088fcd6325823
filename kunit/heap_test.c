// SPDX-License-Identifier: GPL-2.0
/*
 * Contract 14: heaps that are destroyed with live objects, and what becomes of
 * them. Each case frees the objects later, in another context, and the heap
 * must be gone then. Names and attributes are checked too.
 *
 * What a destroyed heap says, and how it is shown, is seen from user space: in
 * scripts/runs/api.run the suite zombie, with the cases reported_by_class,
 * shown_as_zombie, pins_pcslab and goes_with_the_last_object, and the suite
 * track, with the cases reported_by_site and one_site_alone; and unload.run.
 */
#include <linux/completion.h>
#include <linux/delay.h>
#include <linux/file.h>
#include <linux/interrupt.h>
#include <linux/kthread.h>
#include <linux/mm.h>
#include <linux/slab.h>
#include <linux/workqueue.h>

#include "api.h"
#include "interrupt.h"
#include "zombie.h"

static const struct {
	const char *name;
	int err;
} names[] = {
	{ NULL, -EINVAL },
	{ "", -EINVAL },
	{ ".", -EINVAL },
	{ "..", -EINVAL },
	{ "#", -EINVAL },
	{ "#a", -EINVAL },
	{ "total", -EINVAL },
	{ "/", -EINVAL },
	{ "a/b", -EINVAL },
	{ "/a", -EINVAL },
	{ "a b", -EINVAL },
	{ "a\n", -EINVAL },
	{ "\t", -EINVAL },
	{ "a\x7f", -EINVAL },
	{ "\xc3\xa4", -EINVAL },
	{ "kunit-api", -EEXIST },
	{ "a234567890123456789012345678901", 0 },
	{ "a2345678901234567890123456789012", -ENAMETOOLONG },
	{ "a23456789012345678901234567890123", -ENAMETOOLONG },
	{ "a", 0 },
	{ "...", 0 },
	{ "totals", 0 },
	{ "a#", 0 },
	{ ".a", 0 },
	{ "kunit-apis", 0 },
	{ "kunit-ap", 0 },
	{ "Kunit-api", 0 },
	{ "a-b_c.d:e[f]%s", 0 },
};

static void names_are_checked(struct kunit *test)
{
	struct pcslab_heap *heap;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(names); i++) {
		heap = pcslab_heap_create(names[i].name, NULL);
		KUNIT_EXPECT_NOT_NULL(test, heap);
		KUNIT_EXPECT_EQ_MSG(test, PTR_ERR_OR_ZERO(heap), names[i].err, "name '%s'",
				    names[i].name ?: "(NULL)");
		pcslab_heap_destroy(heap);
	}
}

/* The caller may reuse the memory of the name. */
static void name_is_copied(struct kunit *test)
{
	char name[] = "kunit-copy";
	struct pcslab_heap *heap = pcslab_heap_create(name, NULL);

	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, heap);
	memset(name, 'x', sizeof(name) - 1);
	KUNIT_EXPECT_NOT_NULL(test, strstr(api_summary(test), "\nkunit-copy "));
	KUNIT_EXPECT_EQ(test, PTR_ERR(pcslab_heap_create("kunit-copy", NULL)), -EEXIST);
	pcslab_heap_destroy(heap);
}

static void attr_is_checked(struct kunit *test)
{
	struct pcslab_heap_attr attr = {};
	struct pcslab_heap *heap = pcslab_heap_create("kunit-attr", &attr);

	KUNIT_EXPECT_EQ(test, PTR_ERR_OR_ZERO(heap), 0);
	pcslab_heap_destroy(heap);
	attr.flags = BIT(BITS_PER_LONG - 1);
	KUNIT_EXPECT_EQ(test, PTR_ERR(pcslab_heap_create("kunit-attr", &attr)), -EINVAL);
}

static void destroy_nothing(struct kunit *test)
{
	pcslab_heap_destroy(NULL);
	pcslab_heap_destroy(ERR_PTR(-ENOMEM));
	KUNIT_EXPECT_PTR_NE(test, api_heap(test), NULL);
}

static void stats_need_both(struct kunit *test)
{
	struct api *api = test->priv;

	KUNIT_EXPECT_EQ(test, pcslab_heap_stats(NULL, api->now), -EINVAL);
	KUNIT_EXPECT_EQ(test, pcslab_heap_stats(api->heap, NULL), -EINVAL);
	KUNIT_EXPECT_EQ(test, pcslab_heap_stats_exact(NULL, api->now), -EINVAL);
	KUNIT_EXPECT_EQ(test, pcslab_heap_stats_exact(api->heap, NULL), -EINVAL);
}

/* The line of a heap in the summary, from its state on, or NULL. */
static const char *summary_of(struct kunit *test, const char *name)
{
	char *key = kunit_kzalloc(test, PCSLAB_NAME_LEN + 2, GFP_KERNEL), *line;

	KUNIT_ASSERT_NOT_NULL(test, key);
	snprintf(key, PCSLAB_NAME_LEN + 2, "\n%s ", name);
	line = strstr(api_summary(test), key);
	return line ? skip_spaces(line + strlen(key)) : NULL;
}

static bool is_zombie(struct kunit *test, const char *name)
{
	const char *state = summary_of(test, name);

	return state && !strncmp(state, "zombie ", strlen("zombie "));
}

static u64 live_of(struct kunit *test, const char *name)
{
	const char *state = summary_of(test, name);
	u64 live = U64_MAX;
	int n;

	KUNIT_ASSERT_NOT_NULL(test, state);
	n = sscanf(state, "%*s %*s %*s %llu", &live);
	KUNIT_EXPECT_EQ(test, n, 1);
	return live;
}

/* A work item releases the heap soon after the last free. */
static bool goes(struct kunit *test, const char *name)
{
	unsigned int i;

	for (i = 0; i < 500; i++) {
		if (!summary_of(test, name))
			return true;
		msleep(20);
	}
	return false;
}

/* The last one is from vmalloc. */
static const size_t left[] = {
	64, 64, 64, 1000, 8192, 20000, 100000, API_MAX_LARGE + 1,
};

struct remains {
	struct pcslab_heap *heap;
	void *obj[ARRAY_SIZE(left)];
};

/*
 * Destroys a heap that has live objects, and cached ones, which must go at
 * once.
 */
static void make_zombie(struct kunit *test, const char *name, struct remains *r)
{
	void *cached;
	unsigned int i;

	r->heap = pcslab_heap_create(name, NULL);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, r->heap);
	for (i = 0; i < ARRAY_SIZE(left); i++) {
		r->obj[i] = pcslab_kvalloc(r->heap, left[i], GFP_KERNEL);
		cached = pcslab_kvalloc(r->heap, left[i], GFP_KERNEL);
		KUNIT_ASSERT_NOT_NULL(test, r->obj[i]);
		KUNIT_ASSERT_NOT_NULL(test, cached);
		pcslab_free(cached);
	}
	pcslab_heap_destroy(r->heap);
	KUNIT_EXPECT_TRUE(test, is_zombie(test, name));
	KUNIT_EXPECT_EQ(test, live_of(test, name), ARRAY_SIZE(left));
}

static void expect_usable(struct kunit *test, struct remains *r, unsigned int i)
{
	KUNIT_EXPECT_PTR_EQ(test, pcslab_heap_of(r->obj[i]), r->heap);
	KUNIT_EXPECT_GE(test, pcslab_usable_size(r->obj[i]), left[i]);
	api_fill(r->obj[i], i, pcslab_usable_size(r->obj[i]));
}

typedef void (*free_fn)(const void *obj);

/* The zombie lives until its last object is freed, in whichever context. */
static void free_remains(struct kunit *test, const char *name, free_fn free)
{
	struct remains r;
	unsigned int i;

	make_zombie(test, name, &r);
	for (i = 0; i < ARRAY_SIZE(left); i++)
		expect_usable(test, &r, i);
	for (i = 0; i < ARRAY_SIZE(left); i++) {
		KUNIT_EXPECT_TRUE(test, is_zombie(test, name));
		KUNIT_EXPECT_EQ(test, live_of(test, name), ARRAY_SIZE(left) - i);
		KUNIT_EXPECT_TRUE(test, api_filled(r.obj[i], i, pcslab_usable_size(r.obj[i])));
		free(r.obj[i]);
	}
	KUNIT_EXPECT_TRUE(test, goes(test, name));
}

static void zombie_freed_from_a_task(struct kunit *test)
{
	free_remains(test, "kunit-task", pcslab_free);
}

struct softirq {
	struct tasklet_struct tasklet;
	const void *obj;
};

static void free_in_tasklet(struct tasklet_struct *tasklet)
{
	WARN_ON_ONCE(!in_serving_softirq());
	pcslab_free(container_of(tasklet, struct softirq, tasklet)->obj);
}

static void free_in_softirq(const void *obj)
{
	struct softirq softirq = { .obj = obj };

	tasklet_setup(&softirq.tasklet, free_in_tasklet);
	tasklet_schedule(&softirq.tasklet);
	tasklet_kill(&softirq.tasklet);		/* waits until it has run */
}

static void zombie_freed_from_softirq(struct kunit *test)
{
	free_remains(test, "kunit-softirq", free_in_softirq);
}

static void free_arg(void *obj)
{
	pcslab_free(obj);
}

/* Each object is freed on the next CPU. */
static void free_in_hardirq(const void *obj)
{
	static int cpu = -1;

	cpu = cpumask_next(cpu, cpu_online_mask);
	if (cpu >= nr_cpu_ids)
		cpu = cpumask_first(cpu_online_mask);
	interrupt_call(cpu, free_arg, (void *)obj);
}

static void zombie_freed_from_hardirq(struct kunit *test)
{
	free_remains(test, "kunit-hardirq", free_in_hardirq);
}

/* The name is free at once, and the new heap is independent of the old one. */
static void name_of_a_zombie_is_free(struct kunit *test)
{
	struct pcslab_heap *heap;
	struct remains r;
	unsigned int i;

	make_zombie(test, "kunit-again", &r);
	heap = pcslab_heap_create("kunit-again", NULL);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, heap);
	KUNIT_EXPECT_PTR_NE(test, heap, r.heap);
	for (i = 0; i < ARRAY_SIZE(left); i++)
		pcslab_free(r.obj[i]);
	KUNIT_EXPECT_EQ(test, pcslab_heap_stats(heap, ((struct api *)test->priv)->now), 0);
	KUNIT_EXPECT_EQ(test, stats_live(((struct api *)test->priv)->now), 0);
	pcslab_heap_destroy(heap);
	KUNIT_EXPECT_TRUE(test, goes(test, "kunit-again"));
}

#define JOBS		4
#define JOB_OBJECTS	500

struct job {
	struct work_struct work;
	void *obj[JOB_OBJECTS];
};

static void free_job(struct work_struct *work)
{
	struct job *job = container_of(work, struct job, work);
	unsigned int i;

	for (i = 0; i < JOB_OBJECTS; i++)
		pcslab_free(job->obj[i]);
}

static void fill_job(struct kunit *test, struct pcslab_heap *heap, struct job *job)
{
	unsigned int i;

	for (i = 0; i < JOB_OBJECTS; i++) {
		/* Few large objects, because the guest has little memory. */
		job->obj[i] = pcslab_alloc(heap, i % 50 ? left[i % 4] : 20000, GFP_KERNEL);
		KUNIT_ASSERT_NOT_NULL(test, job->obj[i]);
	}
}

static void race_once(struct kunit *test, struct job *jobs)
{
	struct pcslab_heap *heap = pcslab_heap_create("kunit-race", NULL);
	unsigned int i, cpu = 0;

	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, heap);
	for (i = 0; i < JOBS; i++)
		fill_job(test, heap, &jobs[i]);
	for (i = 0; i < JOBS; i++) {
		INIT_WORK(&jobs[i].work, free_job);
		schedule_work_on(cpu, &jobs[i].work);
		cpu = cpumask_next(cpu, cpu_online_mask);
		if (cpu >= nr_cpu_ids)
			cpu = cpumask_first(cpu_online_mask);
	}
	pcslab_heap_destroy(heap);
	for (i = 0; i < JOBS; i++)
		flush_work(&jobs[i].work);
}

static void frees_race_with_destroy(struct kunit *test)
{
	struct job *jobs = kvcalloc(JOBS, sizeof(*jobs), GFP_KERNEL);
	unsigned int round;

	KUNIT_ASSERT_NOT_NULL(test, jobs);
	api_snapshot(test);
	for (round = 0; round < 50; round++)
		race_once(test, jobs);
	KUNIT_EXPECT_TRUE(test, goes(test, "kunit-race"));
	KUNIT_EXPECT_EQ(test, api_refused(test), ((struct api *)test->priv)->refused);
	kvfree(jobs);
}

#define SLEEPERS	4
#define SLEEPER_OBJECTS	400

/*
 * Frees its objects and sleeps now and then, so that it takes longer than a
 * grace period.
 */
struct sleeper {
	struct task_struct *task;
	struct completion runs;
	void *obj[SLEEPER_OBJECTS];
};

static int free_slowly(void *arg)
{
	struct sleeper *sleeper = arg;
	unsigned int i;

	complete(&sleeper->runs);
	for (i = 0; i < SLEEPER_OBJECTS; i++) {
		pcslab_free(sleeper->obj[i]);
		if (i % 8 == 0)
			usleep_range(200, 1000);
	}
	while (!kthread_should_stop())
		msleep(20);
	return 0;
}

static void destroy_among_sleepers(struct kunit *test, struct sleeper *sleepers)
{
	struct pcslab_heap *heap = pcslab_heap_create("kunit-asleep", NULL);
	unsigned int i, k, cpu = cpumask_first(cpu_online_mask);
	struct sleeper *sleeper;

	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, heap);
	for (i = 0; i < SLEEPERS; i++) {
		sleeper = &sleepers[i];
		for (k = 0; k < SLEEPER_OBJECTS; k++) {
			sleeper->obj[k] = pcslab_alloc(heap, left[k % 4], GFP_KERNEL);
			KUNIT_ASSERT_NOT_NULL(test, sleeper->obj[k]);
		}
		init_completion(&sleeper->runs);
		sleeper->task = kthread_create(free_slowly, sleeper, "pcslab-sleeper/%u", i);
		KUNIT_ASSERT_FALSE(test, IS_ERR(sleeper->task));
		kthread_bind(sleeper->task, cpu);
		cpu = cpumask_next(cpu, cpu_online_mask);
		if (cpu >= nr_cpu_ids)
			cpu = cpumask_first(cpu_online_mask);
	}
	for (i = 0; i < SLEEPERS; i++)
		wake_up_process(sleepers[i].task);
	/* A task that is stopped before it runs frees nothing. */
	for (i = 0; i < SLEEPERS; i++)
		wait_for_completion(&sleepers[i].runs);
	usleep_range(2000, 4000);
	pcslab_heap_destroy(heap);
	for (i = 0; i < SLEEPERS; i++)
		kthread_stop(sleepers[i].task);
	KUNIT_EXPECT_TRUE(test, goes(test, "kunit-asleep"));
}

/*
 * Objects are freed before, while and after the heap is emptied, each on its
 * own CPU. No free may leave an object in a magazine that is never emptied
 * again.
 */
static void frees_sleep_while_destroyed(struct kunit *test)
{
	struct sleeper *sleepers = kvcalloc(SLEEPERS, sizeof(*sleepers), GFP_KERNEL);
	unsigned int round;

	KUNIT_ASSERT_NOT_NULL(test, sleepers);
	for (round = 0; round < 5; round++)
		destroy_among_sleepers(test, sleepers);
	kvfree(sleepers);
}

#define CYCLES	200

static long free_pages_now(void)
{
	struct sysinfo info;

	si_meminfo(&info);
	return info.freeram;
}

/* One object of several classes, which alone takes some 30 pages a cycle. */
static void one_life(struct kunit *test)
{
	static const size_t some[] = { 8, 64, 1000, 4096, 8192, 20000 };
	struct pcslab_heap *heap = pcslab_heap_create("kunit-cycle", NULL);
	unsigned int i;

	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, heap);
	for (i = 0; i < ARRAY_SIZE(some); i++)
		pcslab_free(pcslab_alloc(heap, some[i], GFP_KERNEL));
	pcslab_heap_destroy(heap);
}

/*
 * Pages of destroyed heaps are back after some grace periods: within seconds,
 * or never.
 */
static long missing_soon(long before, long some)
{
	unsigned int tries;
	long missing;

	for (tries = 0; tries < 100; tries++) {
		rcu_barrier();
		missing = before - free_pages_now();
		if (missing < some)
			break;
		msleep(50);
	}
	return missing;
}

/*
 * A first pass of as many cycles warms up, because the pages of all cycles may
 * be on their way back together. After the second pass fewer than two pages a
 * cycle may be missing. KASAN keeps freed memory for a while, so it gets more.
 */
static void cycles_leave_nothing(struct kunit *test)
{
	long before, some = (IS_ENABLED(CONFIG_KASAN) ? 10 : 2) * CYCLES;
	unsigned int i;
	char buf[64];

	for (i = 0; i < CYCLES; i++)
		one_life(test);
	msleep(500);
	rcu_barrier();
	before = free_pages_now();
	for (i = 0; i < CYCLES; i++)
		one_life(test);
	KUNIT_EXPECT_LT(test, missing_soon(before, some), some);
	KUNIT_EXPECT_NULL(test, summary_of(test, "kunit-cycle"));
	KUNIT_EXPECT_EQ(test, -ENOENT,
			api_read_file("pcslab/heaps/kunit-cycle/stats",
				      buf, sizeof(buf)));
}

/*
 * If each refused heap were leaked, more pages would be missing than anything
 * else here could explain.
 */
#define REFUSED		2000

static void refuse_names(struct kunit *test)
{
	unsigned int i;

	for (i = 0; i < REFUSED; i++)
		KUNIT_EXPECT_EQ(test, PTR_ERR(pcslab_heap_create("kunit-api", NULL)), -EEXIST);
}

/* api_init() already uses the name. */
static void taken_name_leaves_nothing(struct kunit *test)
{
	long before;

	refuse_names(test);
	before = free_pages_now();
	refuse_names(test);
	KUNIT_EXPECT_LT(test, missing_soon(before, REFUSED / 2), REFUSED / 2);
}

/* The file has the last reference. A read that has begun is not disturbed. */
static void open_file_keeps_heap(struct kunit *test)
{
	struct pcslab_heap *heap = pcslab_heap_create("kunit-open", NULL);
	char text[512];
	struct file *file;

	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, heap);
	pcslab_free(pcslab_alloc(heap, 64, GFP_KERNEL));
	file = api_open("pcslab/heaps/kunit-open/stats");
	KUNIT_EXPECT_FALSE(test, IS_ERR(file));
	pcslab_heap_destroy(heap);
	if (IS_ERR(file))
		return;
	expect_last_reference(test, heap);
	KUNIT_EXPECT_GT(test, api_read(file, text, sizeof(text)), 0);
	KUNIT_EXPECT_NOT_NULL(test, strstr(text, "\n   64 "));
	__fput_sync(file);
}

static struct kunit_case cases[] = {
	KUNIT_CASE(names_are_checked),
	KUNIT_CASE(name_is_copied),
	KUNIT_CASE(attr_is_checked),
	KUNIT_CASE(destroy_nothing),
	KUNIT_CASE(stats_need_both),
	KUNIT_CASE(zombie_freed_from_a_task),
	KUNIT_CASE(zombie_freed_from_softirq),
	KUNIT_CASE(zombie_freed_from_hardirq),
	KUNIT_CASE(name_of_a_zombie_is_free),
	KUNIT_CASE(frees_race_with_destroy),
	KUNIT_CASE(cycles_leave_nothing),
	KUNIT_CASE(taken_name_leaves_nothing),
	KUNIT_CASE(frees_sleep_while_destroyed),
	KUNIT_CASE(open_file_keeps_heap),
	{}
};

static struct kunit_suite suite = {
	.name = "pcslab_heap",
	.init = api_init,
	.exit = api_exit,
	.test_cases = cases,
};

kunit_test_suite(suite);
