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
 * An address belongs to one owner at a time. It is recorded before the caller
 * of kmalloc() gets it, and removed before the allocator gets it back. So the
 * events of one address are ordered by those who hand it on, and a probe that
 * finds a bucket empty without taking its lock cannot have missed the record
 * of its own address. Probes of frees must be there before those of
 * allocations, otherwise a recorded object could be freed unseen.
 *
 * Others pay for a comparison, a hash and a load with each event.
 *
 * Locks: the bit locks of the buckets and of the pool. They do not nest, and
 * are taken with interrupts off. No tracer can be called while one is held,
 * because they are inline. On PREEMPT_RT they spin, too, but never for long.
 * Context: the probes as kmalloc() and kfree(); the rest process.
 */
#include <linux/hash.h>
#include <linux/kernel.h>
#include <linux/kprobes.h>
#include <linux/log2.h>
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

static __always_inline struct hlist_bl_head *bucket_of(struct follow *f, const void *ptr)
{
	return &f->buckets[((unsigned long)ptr * GOLDEN_RATIO_64) >> f->shift];
}

/* A site never leaves its entry. */
static struct follow_site *site_of(struct follow *f, unsigned long call)
{
	unsigned int i = hash_long(call, FOLLOW_SITE_BITS), n;
	unsigned long old;

	for (n = 0; n < FOLLOW_SITES; n++, i = (i + 1) % FOLLOW_SITES) {
		old = READ_ONCE(f->sites[i].call);
		if (!old)
			old = cmpxchg(&f->sites[i].call, 0, call) ?: call;
		if (old == call)
			return &f->sites[i];
	}
	return &f->sites[FOLLOW_SITES];
}

static void put(struct hlist_bl_head *head, struct follow_object *obj)
{
	hlist_bl_lock(head);
	hlist_bl_add_head(&obj->node, head);
	hlist_bl_unlock(head);
}

static struct follow_object *take_unused(struct follow *f)
{
	struct hlist_bl_node *node;

	hlist_bl_lock(&f->pool);
	node = hlist_bl_first(&f->pool);
	if (node)
		hlist_bl_del(node);
	hlist_bl_unlock(&f->pool);
	return node ? hlist_bl_entry(node, struct follow_object, node) : NULL;
}

static struct follow_object *take_recorded(struct follow *f, const void *ptr)
{
	struct hlist_bl_head *bucket = bucket_of(f, ptr);
	struct hlist_bl_node *node;
	struct follow_object *obj;

	hlist_bl_lock(bucket);
	hlist_bl_for_each_entry(obj, node, bucket, node) {
		if (obj->address == (unsigned long)ptr) {
			hlist_bl_del(node);
			break;
		}
	}
	hlist_bl_unlock(bucket);
	return node ? obj : NULL;
}

static bool is_recorded(struct follow *f, const void *ptr)
{
	struct follow_object *obj;
	unsigned long flags;

	local_irq_save(flags);
	obj = take_recorded(f, ptr);
	if (obj)
		put(bucket_of(f, ptr), obj);
	local_irq_restore(flags);
	return obj;
}

/* Counted before it can be found: so no number of live objects is negative. */
static void record_as(struct follow *f, struct follow_object *obj, unsigned long call,
		      const void *ptr, size_t bytes)
{
	obj->address = (unsigned long)ptr;
	obj->bytes = bytes;
	obj->site = site_of(f, call);
	atomic_long_inc(&obj->site->allocs);
	atomic_long_add(bytes, &obj->site->bytes);
	put(bucket_of(f, ptr), obj);
}

static void record(struct follow *f, unsigned long call, const void *ptr, size_t bytes)
{
	struct follow_object *obj;
	unsigned long flags;

	if (ZERO_OR_NULL_PTR(ptr))
		return;
	local_irq_save(flags);
	obj = take_unused(f);
	if (obj)
		record_as(f, obj, call, ptr, bytes);
	else
		atomic_long_inc(&f->lost);
	local_irq_restore(flags);
}

static noinline void forget(struct follow *f, const void *ptr, bool seen)
{
	struct follow_object *obj;
	unsigned long flags;

	local_irq_save(flags);
	obj = take_recorded(f, ptr);
	if (obj) {
		atomic_long_sub(obj->bytes, &obj->site->bytes);
		atomic_long_inc(seen ? &obj->site->frees : &obj->site->unseen);
		put(&f->pool, obj);
	}
	local_irq_restore(flags);
}

static __always_inline bool may_be_recorded(struct follow *f, const void *ptr)
{
	return unlikely(!hlist_bl_empty(bucket_of(f, ptr)));
}

static __always_inline bool is_of_module(struct follow *f, unsigned long call)
{
	return unlikely(call - f->text < f->text_size);
}

/* What is recorded at an address that is handed out was freed unseen. */
static noinline void handed_out(struct follow *f, unsigned long call, const void *ptr,
				size_t bytes)
{
	forget(f, ptr, false);
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
		forget(f, ptr, true);
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

	if (!ZERO_OR_NULL_PTR(obj) && !is_vmalloc_addr(obj) && !is_recorded(r->f, obj))
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

/* An array that is too large is refused without a warning. */
static void *new_array(size_t n, size_t size)
{
	return kvcalloc(n, size, GFP_KERNEL | __GFP_NOWARN);
}

static int init(struct follow *f, struct module *mod, unsigned int objects)
{
	unsigned long nr = roundup_pow_of_two(max(objects, 1U)) * BUCKETS_PER_OBJECT;

	f->mod = mod;
	compat_text(mod, &f->text, &f->text_size);
	f->shift = 64 - ilog2(nr);
	f->buckets = new_array(nr, sizeof(*f->buckets));
	f->objects = new_array(objects, sizeof(*f->objects));
	if (!f->buckets || !f->objects)
		return -ENOMEM;
	while (objects--)
		put(&f->pool, &f->objects[objects]);
	return set_all(f);
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
	unsigned long lost = atomic_long_read(&f->lost);
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
	kvfree(f->buckets);
	kvfree(f->objects);
	kvfree(f);
}
