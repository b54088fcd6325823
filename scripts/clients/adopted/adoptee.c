// SPDX-License-Identifier: GPL-2.0
/*
 * A module that knows nothing of pcslab, and counts itself what it does
 *
 * The parameters say what it does when it is loaded, and how it went.
 */
#include <linux/gfp.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/percpu.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/vmalloc.h>

#include "outside.h"

static unsigned int allocs, frees;
module_param(allocs, uint, 0444);
MODULE_PARM_DESC(allocs, "objects that it allocated");
module_param(frees, uint, 0444);
MODULE_PARM_DESC(frees, "objects that it freed itself");

static unsigned int damaged;
module_param(damaged, uint, 0444);
MODULE_PARM_DESC(damaged, "objects without the right contents");

static unsigned int leak;
module_param(leak, uint, 0);
MODULE_PARM_DESC(leak, "leave that many objects of 200 bytes, and one of each of 3 other kinds");

static char *escape = "";
module_param(escape, charp, 0);
MODULE_PARM_DESC(escape, "a function of the kernel that another module calls on objects of this one");

static unsigned int keep;
module_param(keep, uint, 0);
MODULE_PARM_DESC(keep, "until it goes, keep that many objects of a kmem_cache and areas of vmalloc()");

static bool lose;
module_param(lose, bool, 0);
MODULE_PARM_DESC(lose, "do not give the areas back when it goes");

static unsigned int twice;
module_param(twice, uint, 0);
MODULE_PARM_DESC(twice, "free an object twice, that often");

/* Before the init function. */
static char *early;

static int set_early(const char *value, const struct kernel_param *kp)
{
	early = kstrdup(value, GFP_KERNEL);
	allocs++;
	return early ? 0 : -ENOMEM;
}

static const struct kernel_param_ops early_ops = { .set = set_early };
module_param_cb(early, &early_ops, NULL, 0);
MODULE_PARM_DESC(early, "a string to keep a copy of");

#define OBJECTS	64

/* Tail calls: nothing of this module is on the stack but its caller. */
static noinline void *get(size_t size)
{
	allocs++;
	return kmalloc(size, GFP_KERNEL);
}

static noinline void put(const void *obj)
{
	frees++;
	kfree(obj);
}

static void check(const char *is, const char *wanted)
{
	damaged += !is || strcmp(is, wanted);
	put(is);
}

static void strings(void)
{
	allocs += 6;
	check(kstrdup("copy", GFP_KERNEL), "copy");
	check(kstrndup("copy", 2, GFP_KERNEL), "co");
	check(kmemdup_nul("copy", 3, GFP_KERNEL), "cop");
	check(kmemdup("copy", 5, GFP_KERNEL), "copy");
	check(kasprintf(GFP_KERNEL, "%d %s %d %d %d %lx %c", 1, "two", 3, 4, 5,
			0x12345678UL, '7'),
	      "1 two 3 4 5 12345678 7");
	check(kasprintf(GFP_ATOMIC, "plain"), "plain");
}

static void sizes(void)
{
	char *objs[OBJECTS];
	unsigned int i;

	for (i = 0; i < OBJECTS; i++) {
		objs[i] = get(8 + i * 97);
		if (objs[i])
			memset(objs[i], i, 8 + i * 97);
	}
	for (i = 0; i < OBJECTS; i++) {
		damaged += !objs[i] || objs[i][0] != i || objs[i][7 + i * 97] != i;
		put(objs[i]);
	}
	put(get(20000));
}

static void grow(void)
{
	char *obj = get(30), *more;

	strscpy(obj, "grows", 30);
	more = krealloc(obj, 3000, GFP_KERNEL);
	/* A new object and the free of the old one. */
	allocs++;
	frees++;
	check(more, "grows");
}

static void variants(void)
{
	void *objs[2] = { get(40), get(400) };

	kfree_bulk(2, objs);
	kfree_sensitive(get(500));
	kvfree(kvmalloc(3 << 20, GFP_KERNEL));
	kvfree(kvmalloc(300, GFP_KERNEL));
	frees += 5;
	allocs += 2;
}

/* Memory of the kernel, which frees nothing of the heap. */
static void kernels(void)
{
	unsigned int i;
	void *obj;

	for (i = 0; i < 5; i++) {
		obj = kmalloc(64, GFP_KERNEL_ACCOUNT);
		kfree(obj);
	}
	for (i = 0; i < 6; i++) {
		obj = outside_alloc(64);
		kfree(obj);
	}
}

/* More than a struct rcu_head, which is not first. */
struct waiting {
	long data[9];
	struct rcu_head head;
};

static void deferred(void)
{
	struct waiting *waiting;
	unsigned int i;

	for (i = 0; i < 10; i++) {
		waiting = get(sizeof(*waiting));
		frees++;
		kfree_rcu(waiting, head);
	}
}

#define BULK	16
#define KEPT	8

static struct kmem_cache *cache;
static void *kept[KEPT], *areas[KEPT];

/*
 * Gets 3 + BULK + keep objects of a kmem_cache, 5 + keep areas, pages six
 * times, and per-CPU memory twice. Gives back all but what it keeps.
 */
static int of_the_kernel(void)
{
	void *objs[BULK];
	unsigned int i;
	void *obj;

	cache = kmem_cache_create("adoptee", 72, 0, SLAB_ACCOUNT, NULL);
	if (!cache)
		return -ENOMEM;
	for (i = 0; i < 3; i++) {
		obj = i ? kmem_cache_zalloc(cache, GFP_KERNEL) :
			  kmem_cache_alloc_node(cache, GFP_KERNEL, 0);
		damaged += !obj || (i && memchr_inv(obj, 0, 72));
		kmem_cache_free(cache, obj);
	}
	if (kmem_cache_alloc_bulk(cache, GFP_KERNEL, BULK, objs))
		kmem_cache_free_bulk(cache, BULK, objs);
	kvfree(vmalloc(10000));	/* foreign memory, as in kernels() */
	vfree(vzalloc(20000));
	vfree(__vmalloc(30000, GFP_KERNEL));
	vfree(vmalloc_node(40000, 0));
	vfree(vmalloc_array(5, 10000));
	vfree(NULL);
	free_page(__get_free_page(GFP_KERNEL));
	free_pages(get_zeroed_page(GFP_KERNEL), 0);
	free_pages_exact(alloc_pages_exact(3 * PAGE_SIZE, GFP_KERNEL), 3 * PAGE_SIZE);
	__free_pages(alloc_pages(GFP_KERNEL, 2), 2);
	__free_pages(alloc_pages_node(0, GFP_KERNEL, 1), 1);
	__free_page(alloc_page(GFP_KERNEL));
	free_percpu(alloc_percpu(u64));
	free_percpu(__alloc_percpu_gfp(24, 8, GFP_KERNEL | __GFP_ZERO));
	for (i = 0; i < keep && i < KEPT; i++) {
		kept[i] = kmem_cache_alloc(cache, GFP_KERNEL);
		areas[i] = vmalloc(5000);
		damaged += !kept[i] || !areas[i];
	}
	return 0;
}

static void give_back(void)
{
	unsigned int i;

	for (i = 0; i < KEPT; i++) {
		if (kept[i])
			kmem_cache_free(cache, kept[i]);
		if (!lose)
			vfree(areas[i]);
	}
	kmem_cache_destroy(cache);
}

/* Keeps the compiler from jumping to the call, which would be its caller's. */
static void *lost;

static noinline void leak_here(void)
{
	allocs++;
	WRITE_ONCE(lost, kzalloc(200, GFP_KERNEL));
}

static noinline void leak_strings(void)
{
	allocs += 3;
	WRITE_ONCE(lost, kstrdup("leaked", GFP_KERNEL));
	WRITE_ONCE(lost, kasprintf(GFP_KERNEL, "leaked %u times, and this many bytes long", leak));
	WRITE_ONCE(lost, kvmalloc(30000, GFP_KERNEL));
}

static int __init adoptee_init(void)
{
	unsigned int i;

	sizes();
	strings();
	grow();
	variants();
	kernels();
	deferred();
	if (of_the_kernel())
		return -ENOMEM;
	for (i = 0; i < leak; i++)
		leak_here();
	if (leak)
		leak_strings();
	for (i = 0; *escape && i < OBJECTS; i++) {
		int err = outside_call(escape, get(96 + i));

		if (err) {
			give_back();
			return err;
		}
	}
	for (i = 0; i < twice; i++) {
		void *obj = get(48);

		put(obj);
		OPTIMIZER_HIDE_VAR(obj);
		kfree(obj);
	}
	return 0;
}

static void __exit adoptee_exit(void)
{
	give_back();
	kfree(early);
}

module_init(adoptee_init);
module_exit(adoptee_exit);
MODULE_DESCRIPTION("A module that knows nothing of pcslab");
MODULE_LICENSE("GPL");
