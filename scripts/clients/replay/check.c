// SPDX-License-Identifier: GPL-2.0
/*
 * Checks of every object
 *
 * A tree of all live objects by address shows at once when two of them share a
 * byte. Each object is also filled with a stamp of its own when it is
 * allocated. The stamp must be intact when the object is freed: then nobody
 * else wrote there.
 *
 * Locks: owned_lock, of the tree. Context: process.
 */
#include <linux/bits.h>
#include <linux/cache.h>
#include <linux/hash.h>
#include <linux/mm.h>
#include <linux/slab.h>
#include <linux/spinlock.h>
#include <linux/string.h>

#include "replay.h"

static struct rb_root owned = RB_ROOT;
static DEFINE_SPINLOCK(owned_lock);

static bool overlap(const struct replay_object *a, const struct replay_object *b)
{
	return a->obj < b->obj + b->usable && b->obj < a->obj + a->usable;
}

/*
 * Objects in the tree do not overlap. So if a new object overlaps any, it
 * overlaps one of those on the way down to its place.
 */
static bool own(struct replay_object *object)
{
	struct rb_node **link = &owned.rb_node, *parent = NULL;
	struct replay_object *other;

	spin_lock(&owned_lock);
	while (*link) {
		parent = *link;
		other = rb_entry(parent, struct replay_object, node);
		if (overlap(object, other)) {
			spin_unlock(&owned_lock);
			return false;
		}
		link = object->obj < other->obj ? &parent->rb_left : &parent->rb_right;
	}
	rb_link_node(&object->node, parent, link);
	rb_insert_color(&object->node, &owned);
	spin_unlock(&owned_lock);
	object->owned = true;
	return true;
}

static void disown(struct replay_object *object)
{
	if (!object->owned)
		return;
	spin_lock(&owned_lock);
	rb_erase(&object->node, &owned);
	spin_unlock(&owned_lock);
	object->owned = false;
}

static u64 stamp_word(u64 seed, size_t i)
{
	return seed + i * GOLDEN_RATIO_64;
}

static void stamp(const struct replay_object *object)
{
	size_t i, n = object->size / sizeof(u64);
	u64 *word = object->obj;
	u64 last = stamp_word(object->seed, n);

	for (i = 0; i < n; i++)
		word[i] = stamp_word(object->seed, i);
	memcpy(word + n, &last, object->size % sizeof(u64));
}

static bool stamp_whole(const struct replay_object *object)
{
	size_t i, n = object->size / sizeof(u64);
	const u64 *word = object->obj;
	u64 last = stamp_word(object->seed, n);

	for (i = 0; i < n; i++) {
		if (word[i] != stamp_word(object->seed, i))
			return false;
	}
	return !memcmp(word + n, &last, object->size % sizeof(u64));
}

/*
 * The alignment of a power of two is itself; of any other size it is the
 * largest power of two that divides the size.
 */
static bool aligned(const struct replay_object *object)
{
	unsigned long align = max_t(unsigned long, object->size & -object->size,
				    ARCH_KMALLOC_MINALIGN);

	return IS_ALIGNED((unsigned long)object->obj, align);
}

/**
 * replay_expected_size() - the size that pcslab should round a size up to
 * @size: bytes wanted
 *
 * Return: bytes of the class, or of the pages of a large object.
 */
size_t replay_expected_size(size_t size)
{
	if (size > PCSLAB_MAX_SIZE)
		return PAGE_SIZE << get_order(size);
	return pcslab_class_size(pcslab_class_index(size));
}

/**
 * replay_check_alloc() - check a new object, and stamp it
 * @heap: the heap it must belong to
 * @object: the object
 * @seed: for the stamp
 *
 * Return: errors found, a bit for each enum replay_error.
 */
u32 replay_check_alloc(struct pcslab_heap *heap, struct replay_object *object, u64 seed)
{
	u32 wrong = 0;

	object->usable = pcslab_usable_size(object->obj);
	if (object->usable != replay_expected_size(object->size))
		wrong |= BIT(REPLAY_WRONG_SIZE);
	if (pcslab_heap_of(object->obj) != heap)
		wrong |= BIT(REPLAY_WRONG_HEAP);
	if (!aligned(object))
		wrong |= BIT(REPLAY_MISALIGNED);
	if (!own(object))
		wrong |= BIT(REPLAY_OVERLAP);
	object->seed = hash_64(seed, 64);
	stamp(object);
	return wrong;
}

/**
 * replay_check_free() - check an object that is about to be freed
 * @heap: the heap it must belong to
 * @object: the object; no longer owned afterwards
 *
 * Return: as replay_check_alloc().
 */
u32 replay_check_free(struct pcslab_heap *heap, struct replay_object *object)
{
	u32 wrong = 0;

	if (!stamp_whole(object))
		wrong |= BIT(REPLAY_STRAY_WRITE);
	if (pcslab_heap_of(object->obj) != heap)
		wrong |= BIT(REPLAY_WRONG_HEAP);
	disown(object);
	return wrong;
}
