// SPDX-License-Identifier: GPL-2.0
/*
 * A tracer that allocates and frees in its callback, where pcslab is at work
 *
 * The callback is attached to every function of pcslab, and to those of the
 * kernel that pcslab calls under its locks: spin locks, list debugging,
 * prandom. It allocates an object of any class from any of the heaps, puts it
 * into a box and frees what was in there. Meanwhile a thread on each CPU
 * allocates and frees, so magazines run empty and full all the time. Loading
 * the module does all of this; the log has the results. In a deadlock only the
 * run file's time limit ends it.
 *
 * If a function was reached by a jump from another one, the callback leaves it
 * alone, because the other one may hold a lock of the kernel's own allocators:
 * kmalloc() could not be called there either.
 */
#include <linux/completion.h>
#include <linux/cpu.h>
#include <linux/delay.h>
#include <linux/err.h>
#include <linux/ftrace.h>
#include <linux/hash.h>
#include <linux/kthread.h>
#include <linux/ktime.h>
#include <linux/module.h>
#include <linux/string.h>

#include <pcslab/pcslab.h>

#define HEAPS	3
#define BOXES	64
#define BATCH	50
#define ROUNDS	(3 * (PCSLAB_NR_CLASSES + 1))
#define LARGE	(3 * PAGE_SIZE)
/*
 * How often the callback acts for each pair of a function and its caller. The
 * frees that it defers are done under the locks, where the callback is called
 * some three times for each object. If it acted every time, it would defer more
 * than is done.
 */
#define TURNS		200
#define PAIR_BITS	12

struct books {
	atomic64_t allocs, frees, fails;
};

static const struct pcslab_heap_attr attrs[HEAPS] = {
	{},
	{ .flags = PCSLAB_HEAP_RANDOM },
	{ .flags = PCSLAB_HEAP_POISON },
};

static struct pcslab_heap *heaps[HEAPS];
static struct books books[HEAPS];
/* Each heap has its own boxes, because the books are kept by heap */
static void *boxes[HEAPS][BOXES];
static atomic_t calls, calls_locked, running;
static atomic_t turns[1 << PAIR_BITS];
static struct module *pcslab;
static DECLARE_COMPLETION(all_done);

/* Each class in turn, and now and then a large object. */
static size_t size_of(unsigned int turn)
{
	turn %= PCSLAB_NR_CLASSES + 1;
	return turn == PCSLAB_NR_CLASSES ? LARGE : pcslab_class_size(turn);
}

static void *get(unsigned int heap, size_t size, gfp_t gfp)
{
	void *obj = pcslab_alloc(heaps[heap], size, gfp);

	atomic64_inc(obj ? &books[heap].allocs : &books[heap].fails);
	return obj;
}

static void put(unsigned int heap, void *obj)
{
	if (!obj)
		return;
	atomic64_inc(&books[heap].frees);
	pcslab_free(obj);
}

/* Did a call instruction call the function of @ip? */
static bool was_called(unsigned long ip, unsigned long parent_ip)
{
	unsigned long target = parent_ip + *(s32 *)(parent_ip - 4);

	/* The traced address may come after an endbr. */
	return *(u8 *)(parent_ip - 5) == 0xe8 && ip - target <= 4;
}

static bool has_turn(unsigned long ip, unsigned long parent_ip)
{
	unsigned int pair = hash_long(ip + 3 * parent_ip, PAIR_BITS);

	return atomic_read(&turns[pair]) < TURNS && atomic_inc_return(&turns[pair]) <= TURNS;
}

static void notrace act(unsigned long ip, unsigned long parent_ip, struct ftrace_ops *ops,
			struct ftrace_regs *regs)
{
	unsigned int turn, heap;
	void **box;

	if (!within_module(ip, pcslab) &&
	    !(within_module(parent_ip, pcslab) && was_called(ip, parent_ip)))
		return;
	if (!has_turn(ip, parent_ip))
		return;
	turn = atomic_inc_return(&calls);
	heap = turn % HEAPS;
	box = &boxes[heap][turn / HEAPS % BOXES];
	if (irqs_disabled() && !in_hardirq())
		atomic_inc(&calls_locked);
	put(heap, xchg(box, get(heap, size_of(turn / HEAPS), GFP_ATOMIC | __GFP_NOWARN)));
}

/* Functions that the callback calls must not call it again. */
static struct ftrace_ops ops = { .func = act, .flags = FTRACE_OPS_FL_RECURSION };

/*
 * Traces each function of pcslab that can be traced; all are aligned to 16 at
 * least.
 */
static void filter_pcslab(void)
{
	unsigned long ip, start = round_down((unsigned long)pcslab_free, 16);

	for (ip = start; within_module(ip, pcslab); ip += 16)
		ftrace_set_filter_ip(&ops, ip, 0, 0);
	for (ip = start - 16; within_module(ip, pcslab); ip -= 16)
		ftrace_set_filter_ip(&ops, ip, 0, 0);
}

static void filter_kernel(void)
{
	static const char * const patterns[] = { "_raw_spin_*", "__list_*", "prandom_*" };
	char pattern[16];
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(patterns); i++) {
		strscpy(pattern, patterns[i], sizeof(pattern));
		ftrace_set_filter(&ops, pattern, strlen(pattern), 0);
	}
}

/* Fills and empties magazines, and makes classes. */
static int work(void *unused)
{
	unsigned int round, i, heap = 0;
	void *obj[BATCH];
	size_t size;

	for (round = 0; round < ROUNDS; round++) {
		size = size_of(round);
		for (i = 0; i < BATCH; i++)
			obj[i] = get(heap, size, GFP_KERNEL);
		for (i = 0; i < BATCH; i++)
			put(heap, obj[i]);
		heap = (heap + 1) % HEAPS;
		cond_resched();
	}
	if (atomic_dec_and_test(&running))
		complete(&all_done);
	return 0;
}

static int start_threads(void)
{
	struct task_struct *task;
	unsigned int cpu;

	atomic_set(&running, num_online_cpus());
	for_each_online_cpu(cpu) {
		task = kthread_create(work, NULL, "pcslab_tracer/%u", cpu);
		if (IS_ERR(task))
			return PTR_ERR(task);
		kthread_bind(task, cpu);
		wake_up_process(task);
	}
	return 0;
}

/* Calls all that takes a lock of pcslab, while the threads run. */
static void meanwhile(void)
{
	static struct pcslab_stats st;
	unsigned int heap = 0;

	while (!wait_for_completion_timeout(&all_done, HZ / 20)) {
		heap = (heap + 1) % HEAPS;
		pcslab_heap_shrink(heaps[heap]);
		pcslab_heap_stats_exact(heaps[heap], &st);
	}
}

static void empty_boxes(void)
{
	unsigned int heap, i;

	for (heap = 0; heap < HEAPS; heap++) {
		for (i = 0; i < BOXES; i++)
			put(heap, boxes[heap][i]);
	}
}

/* The caller must have waited for deferred frees. */
static void compare_books(unsigned int heap)
{
	static struct pcslab_stats st;
	u64 allocs, frees, fails;
	unsigned int i;

	pcslab_heap_stats_exact(heaps[heap], &st);
	allocs = st.large_allocs;
	frees = st.large_frees;
	fails = st.large_fails;
	for (i = 0; i < st.nr_classes; i++) {
		allocs += st.class[i].allocs;
		frees += st.class[i].frees;
		fails += st.class[i].fails;
	}
	pr_info("pcslab_tracer: heap %u: %llu allocations, %llu frees, %llu failed, %llu corrupted: %s\n",
		heap, allocs, frees, fails, st.corruptions,
		allocs == atomic64_read(&books[heap].allocs) && frees == allocs &&
		frees == atomic64_read(&books[heap].frees) &&
		fails == atomic64_read(&books[heap].fails) && !st.corruptions &&
		!st.bad_frees ? "exact" : "WRONG");
}

static int trace(void)
{
	ktime_t start;
	int err;

	filter_pcslab();
	filter_kernel();
	err = register_ftrace_function(&ops);
	if (err)
		return err;
	start = ktime_get();
	err = start_threads();
	if (!err)
		meanwhile();
	unregister_ftrace_function(&ops);
	pr_info("pcslab_tracer: %d calls, %d with interrupts off, %lld ms\n",
		atomic_read(&calls), atomic_read(&calls_locked),
		ktime_ms_delta(ktime_get(), start));
	return err;
}

static int __init tracer_init(void)
{
	char name[16];
	unsigned int heap;
	int err;

	/*
	 * The module loaded last is at the head of the kernel's list of
	 * modules.
	 */
	pcslab = list_next_entry(THIS_MODULE, list);
	if (strcmp(pcslab->name, "pcslab"))
		return -EINVAL;
	for (heap = 0; heap < HEAPS; heap++) {
		snprintf(name, sizeof(name), "traced%u", heap);
		heaps[heap] = pcslab_heap_create(name, &attrs[heap]);
	}
	err = trace();
	empty_boxes();
	msleep(100);
	for (heap = 0; heap < HEAPS; heap++) {
		compare_books(heap);
		pcslab_heap_destroy(heaps[heap]);
	}
	return err;
}

static void __exit tracer_exit(void)
{
}

module_init(tracer_init);
module_exit(tracer_exit);

MODULE_DESCRIPTION("A tracer that uses pcslab where pcslab is traced");
MODULE_LICENSE("GPL");
MODULE_INFO(import_ns, "PCSLAB");
