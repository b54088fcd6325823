// SPDX-License-Identifier: GPL-2.0
/*
 * What every object is checked for
 *
 * A tree of all live objects by address tells at once when two of them share a
 * byte. Each is also filled with a stamp of its own when it is got, which must
 * be whole when it is given back: nobody else wrote there.
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
 * What is in the tree does not overlap, so a new object that overlaps any does
 * overlap one of those that are looked at on the way down to its place.
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

/* A power of two to itself, all else to the largest one that divides it. */
static bool aligned(const struct replay_object *object)
{
	unsigned long align = max_t(unsigned long, object->size & -object->size,
				    ARCH_KMALLOC_MINALIGN);

	return IS_ALIGNED((unsigned long)object->obj, align);
}

/**
 * replay_expected_size() - what pcslab should make of a size
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
 * replay_check_alloc() - check an object that was just got, and stamp it
 * @heap: where it is from
 * @object: it
 * @seed: for the stamp
 *
 * Return: what is wrong with it, a bit for each enum replay_error.
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
 * replay_check_free() - check an object that is about to be given back
 * @heap: where it is from
 * @object: it; no longer owned afterwards
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
