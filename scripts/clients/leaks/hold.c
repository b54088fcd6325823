// SPDX-License-Identifier: GPL-2.0
/*
 * Objects that are not lost: HELD for each way to hold a pointer
 */
#include <linux/kthread.h>
#include <linux/mm.h>
#include <linux/percpu.h>
#include <linux/prandom.h>
#include <linux/sched.h>
#include <linux/sizes.h>
#include <linux/slab.h>
#include <linux/vmalloc.h>
#include <linux/workqueue.h>
#include <linux/xarray.h>

#include "loser.h"

/* Where a pointer leads to that does not lead to the start of an object. */
#define INNER	64

static void *in_data[HELD] = { (void *)1 };
static void *in_bss[HELD];
static void **in_kmalloc, **in_vmalloc, **in_page, **in_own, **in_area, **in_large;
static void **in_second, **inner;
static DEFINE_PER_CPU(struct thing *, in_percpu);
static struct thing * __percpu *in_dynamic;
static LIST_HEAD(in_list);
static HLIST_HEAD(in_hlist);
static struct rb_root in_tree = RB_ROOT;
static DEFINE_XARRAY(in_xarray);
static struct pcslab_reserve *reserve;
static struct task_struct *sleeper, *runner, *churner;

/* Objects that only the timer of a work item leads to. */
struct late {
	struct delayed_work work;
	struct thing *things;
};

static struct late *late;

static noinline void *hold_one(void)
{
	void *obj = pcslab_zalloc(loser_heap, HELD_SIZE, GFP_KERNEL);

	loser_failed += !obj;
	return obj;
}

/* A chain of @n objects, before those of @next. */
static struct thing *hold_chain(unsigned int n, struct thing *next)
{
	struct thing *thing;

	while (n--) {
		thing = hold_one();
		if (!thing)
			break;
		thing->next = next;
		next = thing;
	}
	return next;
}

static void let_go_chain(struct thing *thing)
{
	struct thing *next;

	for (; thing; thing = next) {
		next = thing->next;
		pcslab_free(thing);
	}
}

static void **hold_in(void **table)
{
	unsigned int i;

	loser_failed += !table;
	for (i = 0; table && i < HELD; i++)
		table[i] = hold_one();
	return table;
}

static void **let_go_in(void **table)
{
	unsigned int i;

	for (i = 0; table && i < HELD; i++) {
		pcslab_free(table[i]);
		table[i] = NULL;
	}
	return table;
}

static noinline void **hold_table(size_t size)
{
	return pcslab_kvzalloc(loser_heap, size, GFP_KERNEL);
}

static void hold_in_tables(void)
{
	hold_in(in_data);
	hold_in(in_bss);
	in_kmalloc = hold_in(kzalloc(TABLE_SIZE, GFP_KERNEL));
	in_vmalloc = hold_in(vzalloc(TABLE_SIZE));
	in_page = hold_in((void **)get_zeroed_page(GFP_KERNEL));
	in_own = hold_in(hold_table(TABLE_SIZE));
	in_large = hold_in(hold_table(3 * PAGE_SIZE));
	in_area = hold_in(hold_table(SZ_4M + PAGE_SIZE));
	in_second = hold_in(pcslab_zalloc(loser_second, TABLE_SIZE, GFP_KERNEL));
}

static void let_go_tables(void)
{
	let_go_in(in_data);
	let_go_in(in_bss);
	kfree(let_go_in(in_kmalloc));
	vfree(let_go_in(in_vmalloc));
	free_page((unsigned long)let_go_in(in_page));
	pcslab_free(let_go_in(in_own));
	pcslab_free(let_go_in(in_large));
	pcslab_free(let_go_in(in_area));
	pcslab_free(let_go_in(in_second));
}

/* Pointers to the middle of objects, and no others. */
static void hold_inner(void)
{
	unsigned int i;

	inner = hold_in(kzalloc(TABLE_SIZE, GFP_KERNEL));
	for (i = 0; inner && i < HELD; i++)
		inner[i] += INNER;
}

static void let_go_inner(void)
{
	unsigned int i;

	for (i = 0; inner && i < HELD; i++)
		inner[i] -= INNER;
	kfree(let_go_in(inner));
}

static void hold_by_cpu(struct thing * __percpu *variable)
{
	struct thing **chain;
	unsigned int cpu;

	if (!variable)
		return;
	for_each_possible_cpu(cpu) {
		chain = per_cpu_ptr(variable, cpu);
		*chain = hold_chain(HELD / num_possible_cpus(), NULL);
	}
}

static void let_go_by_cpu(struct thing * __percpu *variable)
{
	unsigned int cpu;

	for_each_possible_cpu(cpu) {
		if (variable)
			let_go_chain(*per_cpu_ptr(variable, cpu));
	}
}

static void hold_in_structures(void)
{
	struct thing *thing;
	unsigned int i;

	for (i = 0; i < 4 * HELD && !loser_failed; i++) {
		thing = hold_one();
		if (!thing)
			break;
		if (i % 4 == 0)
			list_add(&thing->list, &in_list);
		else if (i % 4 == 1)
			hlist_add_head(&thing->node, &in_hlist);
		else if (i % 4 == 2)
			loser_rb_add(thing, &in_tree);
		else
			xa_store(&in_xarray, i * 7, thing, GFP_KERNEL);
	}
}

static void let_go_structures(void)
{
	struct thing *thing, *next;
	struct hlist_node *node;
	unsigned long index;

	list_for_each_entry_safe(thing, next, &in_list, list)
		pcslab_free(thing);
	hlist_for_each_entry_safe(thing, node, &in_hlist, node)
		pcslab_free(thing);
	while (in_tree.rb_node) {
		thing = rb_entry(in_tree.rb_node, struct thing, rb);
		rb_erase(&thing->rb, &in_tree);
		pcslab_free(thing);
	}
	xa_for_each(&in_xarray, index, thing)
		pcslab_free(thing);
	xa_destroy(&in_xarray);
}

static void expire(struct work_struct *unused)
{
}

static void hold_by_timer(void)
{
	late = kzalloc(sizeof(*late), GFP_KERNEL);
	if (!late)
		return;
	INIT_DELAYED_WORK(&late->work, expire);
	late->things = hold_chain(HELD, NULL);
	schedule_delayed_work(&late->work, 3600 * HZ);
}

static void let_go_timer(void)
{
	if (!late)
		return;
	cancel_delayed_work_sync(&late->work);
	let_go_chain(late->things);
	kfree(late);
}

/* Its stack has the pointers. */
static int sleep_on_it(void *unused)
{
	void *table[HELD];

	hold_in(table);
	while (!kthread_should_stop())
		schedule_timeout_interruptible(HZ);
	let_go_in(table);
	return 0;
}

/* A register or its stack has the pointer, and it hardly ever sleeps. */
static int run_with_it(void *unused)
{
	struct thing *things = hold_chain(HELD, NULL);

	while (!kthread_should_stop())
		cond_resched();
	let_go_chain(things);
	return 0;
}

/* Objects come and go all the time, and their addresses are used again. */
static int churn(void *unused)
{
	static void *table[HELD];
	struct rnd_state random;
	unsigned int i, n = 0;

	prandom_seed_state(&random, 1);
	while (!kthread_should_stop()) {
		i = prandom_u32_state(&random) % HELD;
		pcslab_free(table[i]);
		table[i] = pcslab_alloc(loser_heap, CHURN_SIZE, GFP_KERNEL);
		if (++n % 64 == 0)
			schedule_timeout_interruptible(1);
	}
	let_go_in(table);
	return 0;
}

static void stop(struct task_struct *task)
{
	if (!IS_ERR_OR_NULL(task))
		kthread_stop(task);
}

/* Returns 0 or -ENOMEM; what is held already is let go by loser_let_go(). */
int loser_hold(void)
{
	hold_in_tables();
	hold_inner();
	hold_by_cpu(&in_percpu);
	in_dynamic = alloc_percpu(struct thing *);
	hold_by_cpu(in_dynamic);
	hold_in_structures();
	hold_by_timer();
	reserve = pcslab_reserve_create(loser_heap, HELD_SIZE, HELD);
	sleeper = kthread_run(sleep_on_it, NULL, "loser_sleeps");
	runner = kthread_run(run_with_it, NULL, "loser_runs");
	if (loser_churns)
		churner = kthread_run(churn, NULL, "loser_churns");
	return loser_failed ? -ENOMEM : 0;
}

void loser_let_go(void)
{
	stop(churner);
	stop(runner);
	stop(sleeper);
	if (!IS_ERR_OR_NULL(reserve))
		pcslab_reserve_destroy(reserve);
	let_go_timer();
	let_go_structures();
	let_go_by_cpu(in_dynamic);
	free_percpu(in_dynamic);
	let_go_by_cpu(&in_percpu);
	let_go_inner();
	let_go_tables();
}
