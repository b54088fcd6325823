// SPDX-License-Identifier: GPL-2.0
/*
 * What a module has live: a table of objects by address, and counters by call
 * site
 *
 * The owner of a table records an address before the module gets it, and has
 * it forgotten before the allocator gets it back. So the events of one address
 * are ordered by those who hand it on. An address that is recorded already was
 * freed in a way that the owner has not seen.
 *
 * Memory is bounded: there are LIVE_SITES sites, whatever is beyond that is
 * summed up in one more, and as many objects as the owner says. What finds no
 * room is counted as lost, and is not recorded.
 *
 * Locks: the bit locks of the buckets and of the pool. They do not nest, and
 * are taken with interrupts off. No tracer can be called while one is held,
 * because they are inline. On PREEMPT_RT they spin, too, but never for long.
 * Context: live_init(), live_exit() and live_visit() process; the rest any, but
 * live_fill() with interrupts on where they were on for its caller.
 */
#include <linux/log2.h>
#include <linux/mm.h>
#include <linux/overflow.h>
#include <linux/slab.h>
#include <linux/sort.h>

#include "adopt.h"
#include "live.h"

struct chunk {
	struct llist_node link;
	struct live_object objects[];
};

/**
 * live_site_of() - find a site, or make it
 * @t: the table
 * @key: of the site; not 0
 *
 * Return: the site, which never leaves its entry; or the one whose key is 0, if
 *	there is no room.
 */
struct live_site *live_site_of(struct live *t, unsigned long key)
{
	unsigned int i = hash_long(key, LIVE_SITE_BITS), n;
	unsigned long old;

	for (n = 0; n < LIVE_SITES; n++, i = (i + 1) % LIVE_SITES) {
		old = READ_ONCE(t->sites[i].key);
		if (!old)
			old = cmpxchg(&t->sites[i].key, 0, key) ?: key;
		if (old == key)
			return &t->sites[i];
	}
	return &t->sites[LIVE_SITES];
}

static void put(struct hlist_bl_head *head, struct live_object *obj)
{
	hlist_bl_lock(head);
	hlist_bl_add_head(&obj->node, head);
	hlist_bl_unlock(head);
}

static struct live_object *take_unused(struct live *t)
{
	struct hlist_bl_node *node;

	hlist_bl_lock(&t->pool);
	node = hlist_bl_first(&t->pool);
	if (node)
		hlist_bl_del(node);
	hlist_bl_unlock(&t->pool);
	return node ? hlist_bl_entry(node, struct live_object, node) : NULL;
}

static struct live_object *take_recorded(struct live *t, const void *ptr)
{
	struct hlist_bl_head *bucket = live_bucket_of(t, ptr);
	struct hlist_bl_node *node;
	struct live_object *obj;

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

/**
 * live_is_recorded() - find out whether an address is in the table
 * @t: the table
 * @ptr: the address; its owner is the caller
 *
 * Return: true if it is.
 */
bool live_is_recorded(struct live *t, const void *ptr)
{
	struct live_object *obj;
	unsigned long flags;

	local_irq_save(flags);
	obj = take_recorded(t, ptr);
	if (obj)
		put(live_bucket_of(t, ptr), obj);
	local_irq_restore(flags);
	return obj;
}

/* Counted before it can be found: so no number of live objects is negative. */
static void record_as(struct live *t, struct live_object *obj, struct live_site *site,
		      const void *ptr, size_t bytes)
{
	obj->address = (unsigned long)ptr;
	obj->bytes = bytes;
	obj->site = site;
	atomic_long_inc(&site->allocs);
	atomic_long_add(bytes, &site->bytes);
	put(live_bucket_of(t, ptr), obj);
}

/**
 * live_record() - record an object
 * @t: the table
 * @site: who allocated it
 * @ptr: its address, which must not be recorded already
 * @bytes: that it occupies
 *
 * Return: false if there is no unused object; nothing is done then.
 */
bool live_record(struct live *t, struct live_site *site, const void *ptr, size_t bytes)
{
	struct live_object *obj;
	unsigned long flags;

	local_irq_save(flags);
	obj = take_unused(t);
	if (obj)
		record_as(t, obj, site, ptr, bytes);
	local_irq_restore(flags);
	return obj;
}

/**
 * live_forget() - an object is not live any more
 * @t: the table
 * @ptr: its address; nothing is done if that is not recorded
 * @seen: the object is being freed; otherwise it was freed before
 */
noinline void live_forget(struct live *t, const void *ptr, bool seen)
{
	struct live_object *obj;
	unsigned long flags;

	local_irq_save(flags);
	obj = take_recorded(t, ptr);
	if (obj) {
		atomic_long_sub(obj->bytes, &obj->site->bytes);
		atomic_long_inc(seen ? &obj->site->frees : &obj->site->unseen);
		put(&t->pool, obj);
	}
	local_irq_restore(flags);
}

static void add_chunk(struct live *t, struct chunk *chunk, unsigned int n)
{
	unsigned long flags;

	llist_add(&chunk->link, &t->chunks);
	while (n--) {
		local_irq_save(flags);
		put(&t->pool, &chunk->objects[n]);
		local_irq_restore(flags);
	}
}

/**
 * live_fill() - add unused objects
 * @t: the table
 *
 * Return: false if there is no memory, or no room for more.
 */
bool live_fill(struct live *t)
{
	int room = atomic_read(&t->room), n;
	struct chunk *chunk;

	do {
		n = min_t(int, room, (PAGE_SIZE - sizeof(*chunk)) / sizeof(chunk->objects[0]));
		if (!n)
			return false;
	} while (!atomic_try_cmpxchg(&t->room, &room, room - n));
	chunk = __pcslab_note_alloc(struct_size(chunk, objects, n));
	if (chunk)
		add_chunk(t, chunk, n);
	else
		atomic_add(n, &t->room);
	return chunk;
}

/**
 * live_reserve() - add unused objects, so that none need be added later
 * @t: the table
 * @n: how many
 *
 * Too many are refused without a warning.
 *
 * Return: 0 or -ENOMEM.
 */
int live_reserve(struct live *t, unsigned int n)
{
	struct chunk *chunk = kvzalloc(struct_size(chunk, objects, n), GFP_KERNEL | __GFP_NOWARN);

	if (!chunk)
		return -ENOMEM;
	add_chunk(t, chunk, n);
	return 0;
}

/**
 * live_init() - make an empty table
 * @t: the table, all zeroes
 * @buckets: how many there are, at least
 * @room: how many objects live_fill() may add
 *
 * Return: 0 or -ENOMEM; live_exit() is needed in any case.
 */
int live_init(struct live *t, unsigned long buckets, unsigned int room)
{
	unsigned long nr = roundup_pow_of_two(max(buckets, 2UL));

	atomic_set(&t->room, min_t(unsigned int, room, INT_MAX));
	t->shift = 64 - ilog2(nr);
	t->buckets = kvcalloc(nr, sizeof(*t->buckets), GFP_KERNEL | __GFP_NOWARN);
	return t->buckets ? 0 : -ENOMEM;
}

/**
 * live_exit() - free what a table consists of
 * @t: the table, which nobody uses any more
 */
void live_exit(struct live *t)
{
	struct chunk *chunk, *next;

	llist_for_each_entry_safe(chunk, next, llist_del_all(&t->chunks), link)
		kvfree(chunk);
	kvfree(t->buckets);
}

/*
 * Frees first: an object is counted as allocated before it is in its bucket,
 * and as freed after it was taken out of there.
 */
static void read_site(struct live_row *row, struct live_site *site)
{
	row->key = READ_ONCE(site->key);
	row->name = READ_ONCE(site->name);
	row->frees = atomic_long_read(&site->frees);
	row->unseen = atomic_long_read(&site->unseen);
	smp_rmb();	/* pairs with the lock of the bucket */
	row->allocs = atomic_long_read(&site->allocs);
	row->bytes = atomic_long_read(&site->bytes);
	row->live = row->allocs - row->frees - row->unseen;
}

static int by_bytes(const void *a, const void *b)
{
	const struct live_row *left = a, *right = b;

	return left->bytes < right->bytes ? 1 : -(left->bytes > right->bytes);
}

/**
 * live_visit() - call a function for the sites that have allocated
 * @t: the table
 * @arg: for @fn
 * @fn: the function; sites with most bytes come first
 *
 * Return: 0 or -ENOMEM.
 */
int live_visit(struct live *t, void *arg, void (*fn)(const struct live_row *row, void *arg))
{
	struct live_row *rows = kvcalloc(LIVE_SITES + 1, sizeof(*rows), GFP_KERNEL);
	unsigned int i, n = 0;

	if (!rows)
		return -ENOMEM;
	for (i = 0; i <= LIVE_SITES; i++) {
		read_site(&rows[n], &t->sites[i]);
		n += !!rows[n].allocs;
	}
	sort(rows, n, sizeof(*rows), by_bytes, NULL);
	for (i = 0; i < n; i++)
		fn(&rows[i], arg);
	kvfree(rows);
	return 0;
}
