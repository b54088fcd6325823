// SPDX-License-Identifier: GPL-2.0
/*
 * A module that knows nothing of pcslab, and counts itself what it does
 *
 * The parameters say what it does when it is loaded, and how it went.
 */
#include <linux/dma-mapping.h>
#include <linux/gfp.h>
#include <linux/mempool.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/netdevice.h>
#include <linux/percpu.h>
#include <linux/platform_device.h>
#include <linux/skbuff.h>
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
MODULE_PARM_DESC(keep, "until it goes, keep that many objects of each kind that is only counted");

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
#define ELEMENT	200

static struct platform_device *device;
static struct kmem_cache *cache;
static mempool_t *cached, *allocated;

/* What is kept, of each kind. */
static struct kept {
	void *object, *area, *element, *coherent;
	struct page *pages;
	u64 __percpu *percpu;
	dma_addr_t dma;
} kept[KEPT];

/* Their sites. They store what they get, so none of these calls is a jump. */
static noinline void keep_object(struct kept *k)
{
	k->object = kmem_cache_alloc(cache, GFP_KERNEL);
}

static noinline void keep_area(struct kept *k)
{
	k->area = vmalloc(5000);
}

static noinline void keep_pages(struct kept *k)
{
	k->pages = alloc_pages(GFP_KERNEL, 1);
}

static noinline void keep_percpu(struct kept *k)
{
	k->percpu = alloc_percpu(u64);
}

static noinline void keep_element(struct kept *k)
{
	k->element = mempool_alloc(allocated, GFP_KERNEL);
}

static noinline void keep_coherent(struct kept *k)
{
	k->coherent = dma_alloc_coherent(&device->dev, 2 * PAGE_SIZE, &k->dma, GFP_KERNEL);
}

static void keep_all(struct kept *k)
{
	keep_object(k);
	keep_area(k);
	keep_pages(k);
	keep_percpu(k);
	keep_element(k);
	keep_coherent(k);
	damaged += !k->object || !k->area || !k->pages || !k->percpu || !k->element ||
		   !k->coherent;
}

static void give_back(struct kept *k)
{
	if (k->object)
		kmem_cache_free(cache, k->object);
	if (!lose)
		vfree(k->area);
	if (k->pages)
		__free_pages(k->pages, 1);
	free_percpu(k->percpu);
	if (k->element)
		mempool_free(k->element, allocated);
	if (k->coherent)
		dma_free_coherent(&device->dev, 2 * PAGE_SIZE, k->coherent, k->dma);
}

/* 3 + BULK objects. */
static void objects(void)
{
	void *objs[BULK];
	unsigned int i;
	void *obj;

	for (i = 0; i < 3; i++) {
		obj = i ? kmem_cache_zalloc(cache, GFP_KERNEL) :
			  kmem_cache_alloc_node(cache, GFP_KERNEL, 0);
		damaged += !obj || (i && memchr_inv(obj, 0, 72));
		kmem_cache_free(cache, obj);
	}
	if (kmem_cache_alloc_bulk(cache, GFP_KERNEL, BULK, objs))
		kmem_cache_free_bulk(cache, BULK, objs);
}

/* 5 areas. */
static void areas(void)
{
	kvfree(vmalloc(10000));	/* foreign memory, as in kernels() */
	vfree(vzalloc(20000));
	vfree(__vmalloc(30000, GFP_KERNEL));
	vfree(vmalloc_node(40000, 0));
	vfree(vmalloc_array(5, 10000));
	vfree(NULL);
}

/* Pages, 6 times; and per-CPU memory, twice. */
static void pages(void)
{
	free_page(__get_free_page(GFP_KERNEL));
	free_pages(get_zeroed_page(GFP_KERNEL), 0);
	free_pages_exact(alloc_pages_exact(3 * PAGE_SIZE, GFP_KERNEL), 3 * PAGE_SIZE);
	__free_pages(alloc_pages(GFP_KERNEL, 2), 2);
	__free_pages(alloc_pages_node(0, GFP_KERNEL, 1), 1);
	__free_page(alloc_page(GFP_KERNEL));
	free_percpu(alloc_percpu(u64));
	free_percpu(__alloc_percpu_gfp(24, 8, GFP_KERNEL | __GFP_ZERO));
}

static void *own_alloc(gfp_t gfp, void *data)
{
	return get(ELEMENT);
}

static void own_free(void *element, void *data)
{
	put(element);
}

/* 6 elements. What the last pool has for itself is of the module's heap. */
static void pools(void)
{
	mempool_t *own = mempool_create(2, own_alloc, own_free, NULL);
	void *elements[5];
	unsigned int i;

	for (i = 0; i < 5; i++)
		elements[i] = mempool_alloc(cached, GFP_KERNEL);
	for (i = 0; i < 5; i++)
		mempool_free(elements[i], cached);
	damaged += !own;
	if (own)
		mempool_free(mempool_alloc(own, GFP_KERNEL), own);
	mempool_free(NULL, own);
	mempool_destroy(own);
}

/* Coherent memory, twice. */
static void coherent(void)
{
	dma_addr_t dma;
	unsigned int i;
	void *addr;

	for (i = 1; i < 3; i++) {
		addr = dma_alloc_coherent(&device->dev, i * PAGE_SIZE, &dma, GFP_KERNEL);
		damaged += !addr;
		dma_free_coherent(&device->dev, i * PAGE_SIZE, addr, dma);
	}
}

/* 4 buffers, each of which it gives back. */
static void buffers(void)
{
	struct sk_buff *skb = alloc_skb(100, GFP_KERNEL), *other;

	if (!skb) {
		damaged++;
		return;
	}
	skb_put_data(skb, "buffer", 7);
	kfree_skb(skb_clone(skb, GFP_KERNEL));
	consume_skb(skb_copy(skb, GFP_KERNEL));
	other = skb_copy_expand(skb, 50, 50, GFP_KERNEL);
	damaged += !other || strcmp(other->data, "buffer");
	dev_kfree_skb_any(other);
	kfree_skb(NULL);
	__kfree_skb(skb);
}

/* Half of the objects go with the device. */
static void managed(void)
{
	struct platform_device *owner;
	char *grows, *text;

	owner = platform_device_register_simple(KBUILD_MODNAME, 1, NULL, 0);
	if (IS_ERR(owner)) {
		damaged++;
		return;
	}
	grows = devm_kzalloc(&owner->dev, 30, GFP_KERNEL);
	text = devm_kstrdup(&owner->dev, "managed", GFP_KERNEL);
	damaged += !grows || memchr_inv(grows, 0, 30) || !text || strcmp(text, "managed");
	devm_kfree(&owner->dev, text);
	grows = devm_krealloc(&owner->dev, grows, 3000, GFP_KERNEL);
	text = devm_kmemdup(&owner->dev, "copied", 7, GFP_KERNEL);
	damaged += !grows || !text || strcmp(text, "copied");
	devm_kfree(&owner->dev, NULL);
	platform_device_unregister(owner);
	allocs += 4;
	frees += 4;
}

static void destroy(void)
{
	unsigned int i;

	for (i = 0; i < KEPT; i++)
		give_back(&kept[i]);
	mempool_destroy(allocated);
	mempool_destroy(cached);
	kmem_cache_destroy(cache);
	platform_device_unregister(device);
}

/* Gets memory of all kinds, and gives back all but what it keeps. */
static int of_the_kernel(void)
{
	unsigned int i;

	device = platform_device_register_simple(KBUILD_MODNAME, PLATFORM_DEVID_NONE, NULL, 0);
	if (IS_ERR(device))
		return PTR_ERR(device);
	cache = kmem_cache_create("adoptee", 72, 0, SLAB_ACCOUNT, NULL);
	cached = cache ? mempool_create_slab_pool(4, cache) : NULL;
	allocated = mempool_create_kmalloc_pool(2, ELEMENT);
	if (!cached || !allocated) {
		destroy();
		return -ENOMEM;
	}
	objects();
	areas();
	pages();
	pools();
	coherent();
	if (IS_ENABLED(CONFIG_NET))
		buffers();
	managed();
	for (i = 0; i < keep && i < KEPT; i++)
		keep_all(&kept[i]);
	return 0;
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
			destroy();
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
	destroy();
	kfree(early);
}

module_init(adoptee_init);
module_exit(adoptee_exit);
MODULE_DESCRIPTION("A module that knows nothing of pcslab");
MODULE_LICENSE("GPL");
