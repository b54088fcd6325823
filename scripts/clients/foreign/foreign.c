// SPDX-License-Identifier: GPL-2.0
/*
 * A client that calls functions of kmalloc() on objects of its heap. call=NAME
 * selects the function, which is called on small objects, on those of slabs of
 * several pages, and on large ones. The module frees the objects correctly when
 * it goes. Reading "damaged" first allocates and writes to PAGES pages, which
 * would include a page that one of the calls has freed. It returns the number
 * of objects beside them that have changed.
 */
#include <linux/err.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/slab.h>
#include <linux/string.h>

#include <pcslab/pcslab.h>

/* Calls for each size */
#define TIMES		20
#define PAGES		1024
#define PATTERN		0x5c
#define TOO_LARGE	(64UL << 10)

/* The object of the call, and what stands beside it */
struct thing {
	long x;
	struct rcu_head rcu;
};

static const size_t sizes[] = { 64, PCSLAB_MAX_SIZE, 20000 };

#define OBJECTS		(ARRAY_SIZE(sizes) * TIMES)

static char *call;
module_param(call, charp, 0400);
MODULE_PARM_DESC(call, "which function");

static struct pcslab_heap *heap;
static struct thing *called[OBJECTS];
static void *beside[OBJECTS];
static void *moved[OBJECTS];

static size_t size_of(unsigned int i)
{
	return sizes[i / TIMES];
}

static void call_kfree(unsigned int i)
{
	kfree(called[i]);
}

static void call_kvfree(unsigned int i)
{
	kvfree(called[i]);
}

static void call_kfree_sensitive(unsigned int i)
{
	kfree_sensitive(called[i]);
}

static void call_kfree_rcu(unsigned int i)
{
	kfree_rcu(called[i], rcu);
}

static void call_kvfree_rcu(unsigned int i)
{
	kvfree_rcu(called[i], rcu);
}

static void call_kfree_bulk(unsigned int i)
{
	if (!i)
		kfree_bulk(OBJECTS, (void **)called);
}

static void call_krealloc(unsigned int i)
{
	moved[i] = krealloc(called[i], TOO_LARGE, GFP_KERNEL);
}

static void call_ksize(unsigned int i)
{
	ksize(called[i]);
}

/* As zero copy does, which holds a reference for a while. */
static void call_get_page(unsigned int i)
{
	get_page(virt_to_page(called[i]));
	put_page(virt_to_page(called[i]));
}

static const struct {
	const char *name;
	void (*make)(unsigned int i);
} calls[] = {
	{ "kfree", call_kfree },
	{ "kvfree", call_kvfree },
	{ "kfree_sensitive", call_kfree_sensitive },
	{ "kfree_rcu", call_kfree_rcu },
	{ "kvfree_rcu", call_kvfree_rcu },
	{ "kfree_bulk", call_kfree_bulk },
	{ "krealloc", call_krealloc },
	{ "ksize", call_ksize },
	{ "get_page", call_get_page },
};

/* If a call has freed a page too early, it is likely among these. */
static void write_to_pages(void)
{
	struct page *page, *next, *first = NULL;
	unsigned int i;

	for (i = 0; i < PAGES; i++) {
		page = alloc_page(GFP_KERNEL);
		if (!page)
			break;
		memset(page_address(page), ~PATTERN, PAGE_SIZE);
		set_page_private(page, (unsigned long)first);
		first = page;
	}
	for (page = first; page; page = next) {
		next = (struct page *)page_private(page);
		set_page_private(page, 0);
		__free_page(page);
	}
}

static int get_damaged(char *buf, const struct kernel_param *unused)
{
	unsigned int i, damaged = 0;

	write_to_pages();
	for (i = 0; i < OBJECTS; i++)
		damaged += !!memchr_inv(beside[i], PATTERN, size_of(i));
	return sysfs_emit(buf, "%u\n", damaged);
}

static const struct kernel_param_ops damaged_ops = {
	.get = get_damaged,
};

module_param_cb(damaged, &damaged_ops, NULL, 0400);
MODULE_PARM_DESC(damaged, "objects that are not as they were");

/*
 * From the object on, kfree_sensitive() of later kernels wipes as many bytes as
 * a page or the slab has. Unless the object is the first of its page, the last
 * of these bytes lie behind the slab and belong to others.
 */
static void *first_of_page(size_t size)
{
	void **others = NULL, **next;
	void **obj;

	while (!PAGE_ALIGNED(obj = pcslab_alloc(heap, size, GFP_KERNEL | __GFP_NOFAIL))) {
		*obj = others;
		others = obj;
	}
	for (; others; others = next) {
		next = *others;
		pcslab_free(others);
	}
	return obj;
}

static int __init foreign_init(void)
{
	void (*make)(unsigned int i) = NULL;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(calls); i++) {
		if (call && !strcmp(call, calls[i].name))
			make = calls[i].make;
	}
	if (!make)
		return -EINVAL;
	heap = pcslab_heap_create("foreign", NULL);
	if (IS_ERR(heap))
		return PTR_ERR(heap);
	for (i = 0; i < OBJECTS; i++) {
		if (make == call_kfree_sensitive)
			called[i] = first_of_page(size_of(i));
		else
			called[i] = pcslab_alloc(heap, size_of(i), GFP_KERNEL | __GFP_NOFAIL);
		beside[i] = pcslab_alloc(heap, size_of(i), GFP_KERNEL | __GFP_NOFAIL);
		memset(beside[i], PATTERN, size_of(i));
	}
	for (i = 0; i < OBJECTS; i++)
		make(i);
	return 0;
}

static void __exit foreign_exit(void)
{
	unsigned int i;

	for (i = 0; i < OBJECTS; i++) {
		kfree(moved[i]);
		pcslab_free(called[i]);
		pcslab_free(beside[i]);
	}
	pcslab_heap_destroy(heap);
}

module_init(foreign_init);
module_exit(foreign_exit);

MODULE_DESCRIPTION("A client of pcslab that takes it for kmalloc");
MODULE_LICENSE("GPL");
MODULE_INFO(import_ns, "PCSLAB");
