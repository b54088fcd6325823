// SPDX-License-Identifier: GPL-2.0
/*
 * The allocations of a module, by the kernel's tracepoints
 *
 *   kmalloc() in foo.ko --> tracepoint --> probe --> table of live objects
 *   kfree() by anybody  --> tracepoint --> probe -->         "
 *
 * A probe of an allocation records the address if the call site is in the text
 * of the module. A probe of a free looks the address up, whoever frees it. Two
 * kinds of frees have no tracepoint, and ftrace sees them: kfree_bulk() and
 * kmem_cache_free_bulk() when they are called; and kfree_rcu() when it takes
 * the object, because from then on nobody else can get the address before it
 * is freed. If an object is freed in yet another way, this is noticed when the
 * address is handed out again, to whomever.
 *
 * Some functions allocate for their caller and name themselves as call site, or
 * have no tracepoint. If the module calls one of these, a kretprobe records
 * what it returns. Whoever else calls one pays for the kprobe.
 *
 * Each followed module has its own probes and its own table. The table has a
 * fixed size, because a probe must not allocate. When it is full, allocations
 * are counted as lost and not recorded.
 *
 * An address is recorded before the caller of kmalloc() gets it, and forgotten
 * before the allocator gets it back (live.c). A probe that finds a bucket empty
 * without taking its lock cannot have missed the record of its own address.
 * Probes of frees must be there before those of allocations, otherwise a
 * recorded object could be freed unseen.
 *
 * Others pay for a comparison, a hash and a load with each event.
 *
 * Locks: those of the table.
 * Context: the probes as kmalloc() and kfree(); the rest process.
 */
#include <linux/kernel.h>
#include <linux/kprobes.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/tracepoint.h>
#include <trace/events/kmem.h>

#include "adopt.h"
#include "compat.h"
#include "follow.h"

/* Most buckets are empty even if the table is full: others look no further. */
#define BUCKETS_PER_OBJECT	16

/* Calls of a function that can be followed at once; others may sleep there. */
#define CALLS_AT_ONCE		256

static void record(struct follow *f, unsigned long call, const void *ptr, size_t bytes)
{
	if (ZERO_OR_NULL_PTR(ptr))
		return;
	if (!live_record(&f->live, live_site_of(&f->live, call), ptr, bytes))
		atomic_long_inc(&f->live.lost);
}

static __always_inline bool may_be_recorded(struct follow *f, const void *ptr)
{
	return live_may_be_recorded(&f->live, ptr);
}

static __always_inline bool is_of_module(struct follow *f, unsigned long call)
{
	return unlikely(call - f->text < f->text_size);
}

/* What is recorded at an address that is handed out was freed unseen. */
static noinline void handed_out(struct follow *f, unsigned long call, const void *ptr,
				size_t bytes)
{
	live_forget(&f->live, ptr, false);
	if (is_of_module(f, call))
		record(f, call, ptr, bytes);
}

static notrace void on_kmalloc(void *f, unsigned long call, const void *ptr, size_t asked,
			       size_t bytes, gfp_t gfp, int node)
{
	if (is_of_module(f, call) || may_be_recorded(f, ptr))
		handed_out(f, call, ptr, bytes);
}

static notrace void on_cache_alloc(void *f, unsigned long call, const void *ptr,
				   struct kmem_cache *s, gfp_t gfp, int node)
{
	if (is_of_module(f, call) || may_be_recorded(f, ptr))
		handed_out(f, call, ptr, kmem_cache_size(s));
}

static __always_inline void freed(struct follow *f, const void *ptr)
{
	if (may_be_recorded(f, ptr))
		live_forget(&f->live, ptr, true);
}

static notrace void on_kfree(void *f, unsigned long call, const void *ptr)
{
	freed(f, ptr);
}

static notrace void on_cache_free(void *f, unsigned long call, const void *ptr,
				  const struct kmem_cache *s)
{
	freed(f, ptr);
}

/* Two arguments are looked at. */
static_assert(__same_type(kmem_cache_free_bulk, void (struct kmem_cache *, size_t, void **)));

static notrace void on_free_bulk(unsigned long ip, unsigned long parent,
				 struct ftrace_ops *ops, struct ftrace_regs *fregs)
{
	void **objs = (void **)compat_argument(fregs, 2);
	size_t n = compat_argument(fregs, 1);

	while (n--)
		freed(ops->private, objs[n]);
}

static notrace void on_free_rcu(unsigned long ip, unsigned long parent,
				struct ftrace_ops *ops, struct ftrace_regs *fregs)
{
	void *head = (void *)compat_argument(fregs, 0), *x = (void *)compat_argument(fregs, 1);

	freed(ops->private, compat_rcu_object(head, x));
}

/**
 * struct call - a call of a function that allocates for the module
 * @site: where the module called
 * @cache: of a bulk allocation
 * @objs: where its objects will be
 * @n: their number
 */
struct call {
	unsigned long site;
	struct kmem_cache *cache;
	void **objs;
	size_t n;
};

/*
 * The function has just been entered. If this returns 1, its return is ignored.
 * counted.c compares the arguments of a bulk allocation with the kernel's.
 */
static int on_entry(struct kretprobe_instance *ri, struct pt_regs *regs)
{
	struct follow_return *r = container_of(get_kretprobe(ri), struct follow_return, probe);
	struct call *call = (void *)ri->data;

	call->site = regs_get_kernel_stack_nth(regs, 0);
	call->cache = (void *)regs_get_kernel_argument(regs, 0);
	call->n = regs_get_kernel_argument(regs, 2);
	call->objs = (void *)regs_get_kernel_argument(regs, 3);
	return !is_of_module(r->f, call->site);
}

/* A tracepoint may have known the call site after all. */
static int on_return_of_object(struct kretprobe_instance *ri, struct pt_regs *regs)
{
	struct follow_return *r = container_of(get_kretprobe(ri), struct follow_return, probe);
	struct call *call = (void *)ri->data;
	void *obj = (void *)regs_return_value(regs);

	if (!ZERO_OR_NULL_PTR(obj) && !is_vmalloc_addr(obj) && !live_is_recorded(&r->f->live, obj))
		record(r->f, call->site, obj, ksize(obj));
	return 0;
}

static int on_return_of_bulk(struct kretprobe_instance *ri, struct pt_regs *regs)
{
	struct follow_return *r = container_of(get_kretprobe(ri), struct follow_return, probe);
	struct call *call = (void *)ri->data;

	/* All objects or none; only the low byte of a bool is defined. */
	if (!(sizeof(COMPAT_BULK) == 1 ? (u8)regs_return_value(regs) : regs_return_value(regs)))
		return 0;
	while (call->n--)
		handed_out(r->f, call->site, call->objs[call->n], kmem_cache_size(call->cache));
	return 0;
}

static const struct {
	const char *function;
	kretprobe_handler_t handler;
} returns[FOLLOW_RETURNS] = {
	{ "kasprintf", on_return_of_object },
	{ __stringify(COMPAT_KVMALLOC), on_return_of_object },
	{ __stringify(COMPAT_NOPROF(kmem_cache_alloc_bulk)), on_return_of_bulk },
};

static void unset_returns(struct follow *f, unsigned int n)
{
	while (n--)
		unregister_kretprobe(&f->returns[n].probe);
}

static int set_returns(struct follow *f)
{
	struct kretprobe *probe;
	unsigned int i;
	int err;

	for (i = 0; i < FOLLOW_RETURNS; i++) {
		f->returns[i].f = f;
		probe = &f->returns[i].probe;
		probe->kp.symbol_name = returns[i].function;
		probe->entry_handler = on_entry;
		probe->handler = returns[i].handler;
		probe->data_size = sizeof(struct call);
		probe->maxactive = CALLS_AT_ONCE;
		err = register_kretprobe(probe);
		if (err) {
			unset_returns(f, i);
			return err;
		}
	}
	return 0;
}

/* In the order in which they are registered: see above. */
static const struct {
	struct tracepoint *point;
	void *probe;
} probes[] = {
	{ &__tracepoint_kfree, on_kfree },
	{ &__tracepoint_kmem_cache_free, on_cache_free },
	{ &__tracepoint_kmalloc, on_kmalloc },
	{ &__tracepoint_kmem_cache_alloc, on_cache_alloc },
};

/* The compiler compares the probes with the tracepoints. */
static __maybe_unused void check_types(void)
{
	check_trace_callback_type_kfree(on_kfree);
	check_trace_callback_type_kmem_cache_free(on_cache_free);
	check_trace_callback_type_kmalloc(on_kmalloc);
	check_trace_callback_type_kmem_cache_alloc(on_cache_alloc);
}

static void unset_probes(struct follow *f, unsigned int n)
{
	while (n--)
		tracepoint_probe_unregister(probes[n].point, probes[n].probe, f);
	tracepoint_synchronize_unregister();
}

static int set_probes(struct follow *f)
{
	unsigned int i;
	int err;

	for (i = 0; i < ARRAY_SIZE(probes); i++) {
		err = tracepoint_probe_register(probes[i].point, probes[i].probe, f);
		if (err) {
			unset_probes(f, i);
			return err;
		}
	}
	return 0;
}

static int set_hook(struct follow *f, struct ftrace_ops *ops, const char *function,
		    ftrace_func_t func)
{
	ops->func = func;
	ops->private = f;
	return adopt_set_hook(ops, function);
}

static int set_all(struct follow *f)
{
	int err = set_hook(f, &f->bulk, "kmem_cache_free_bulk", on_free_bulk);

	if (err)
		return err;
	err = set_hook(f, &f->rcu, "kvfree_call_rcu", on_free_rcu);
	if (err)
		goto err_bulk;
	err = set_probes(f);
	if (err)
		goto err_rcu;
	err = set_returns(f);
	if (!err)
		return 0;
	unset_probes(f, ARRAY_SIZE(probes));
err_rcu:
	adopt_unset_hook(&f->rcu);
err_bulk:
	adopt_unset_hook(&f->bulk);
	return err;
}

static int init(struct follow *f, struct module *mod, unsigned int objects)
{
	int err;

	f->mod = mod;
	compat_text(mod, &f->text, &f->text_size);
	err = live_init(&f->live, (unsigned long)objects * BUCKETS_PER_OBJECT, 0);
	err = err ?: live_reserve(&f->live, objects);
	return err ?: set_all(f);
}

/**
 * follow_start() - follow the allocations of a module
 * @mod: it must stay until follow_stop()
 * @objects: how many of its live objects can be recorded
 *
 * Context: process. May sleep.
 * Return: what follow_stop() and follow_free() take, or an ERR_PTR(): -ENOMEM,
 *	or what tracepoints and ftrace return.
 */
struct follow *follow_start(struct module *mod, unsigned int objects)
{
	struct follow *f = kvzalloc(sizeof(*f), GFP_KERNEL);
	int err;

	if (!f)
		return ERR_PTR(-ENOMEM);
	err = init(f, mod, objects);
	if (!err)
		return f;
	follow_free(f);
	return ERR_PTR(err);
}

/**
 * follow_stop() - stop following; the counters stay as they are
 * @f: from follow_start()
 *
 * Context: process. May sleep.
 */
void follow_stop(struct follow *f)
{
	unset_returns(f, FOLLOW_RETURNS);
	unset_probes(f, ARRAY_SIZE(probes));
	adopt_unset_hook(&f->rcu);
	adopt_unset_hook(&f->bulk);
}

/**
 * follow_lost() - count allocations that were not recorded
 * @f: from follow_start()
 *
 * Context: any.
 * Return: their number; some of them may be of others than the module.
 */
unsigned long follow_lost(struct follow *f)
{
	unsigned long lost = atomic_long_read(&f->live.lost);
	unsigned int i;

	for (i = 0; i < FOLLOW_RETURNS; i++)
		lost += READ_ONCE(f->returns[i].probe.nmissed);
	return lost;
}

/**
 * follow_free() - free the counters
 * @f: after follow_stop()
 *
 * Context: process.
 */
void follow_free(struct follow *f)
{
	live_exit(&f->live);
	kvfree(f);
}
