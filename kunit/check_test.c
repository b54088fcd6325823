// SPDX-License-Identifier: GPL-2.0
/*
 * Contract 12: writes past an object, or into a freed one. A heap with checks
 * must detect each, at every byte that it fills with a pattern; any heap must
 * survive them.
 */
#include <linux/mm.h>
#include <linux/slab.h>
#include <linux/sort.h>

#include "api.h"
#include "internal.h"
#include "poke.h"

#define CHECKS		(PCSLAB_HEAP_POISON | PCSLAB_HEAP_REDZONE)
/* Number of objects: more than a slab or a magazine of most classes holds. */
#define MANY		(PAGE_SIZE / 16)

/*
 * The compiler must not know these sizes: with a constant size the caller may
 * use the whole size of the class.
 */
static size_t sixty_bytes = 60, sixty_four_bytes = 64;

#define sixty		READ_ONCE(sixty_bytes)
#define sixty_four	READ_ONCE(sixty_four_bytes)

static struct pcslab_heap *checked;

static u64 corruptions(void)
{
	static struct pcslab_stats st;

	pcslab_heap_stats(checked, &st);
	return st.corruptions;
}

static void overflow_by_one(struct kunit *test)
{
	u8 *obj = pcslab_alloc(checked, sixty, GFP_KERNEL);

	memset(obj, 1, 60);
	poke(obj + 60, 1, 0);
	pcslab_free(obj);
	KUNIT_EXPECT_EQ(test, corruptions(), 1);
}

/* Every class has a redzone behind objects that fill it completely. */
static void overflow_of_a_full_class(struct kunit *test)
{
	unsigned int i;
	size_t size;
	u8 *obj;

	for (i = 0; i < PCSLAB_NR_CLASSES; i++) {
		size = pcslab_class_size(i);
		obj = pcslab_alloc(checked, size, GFP_KERNEL);
		KUNIT_ASSERT_NOT_NULL(test, obj);
		memset(obj, 1, size);
		poke(obj + size, 1, 0);
		pcslab_free(obj);
		KUNIT_EXPECT_EQ(test, corruptions(), i + 1);
	}
}

/* The zero that ends a string must not pass for a zero written by zalloc. */
static void overflow_of_a_zeroed_object(struct kunit *test)
{
	u8 *obj = pcslab_zalloc(checked, sixty, GFP_KERNEL);

	KUNIT_EXPECT_NULL(test, memchr_inv(obj, 0, 60));
	poke(obj + 60, 1, 0);
	pcslab_free(obj);
	KUNIT_EXPECT_EQ(test, corruptions(), 1);
}

static void write_after_free(struct kunit *test)
{
	u8 *obj, *again;

	migrate_disable();	/* the object freed last is handed out next */
	obj = pcslab_alloc(checked, 64, GFP_KERNEL);
	pcslab_free(obj);
	poke(obj + 63, 1, 0);
	again = pcslab_alloc(checked, 64, GFP_KERNEL);
	migrate_enable();
	KUNIT_EXPECT_PTR_EQ(test, again, obj);
	KUNIT_EXPECT_EQ(test, corruptions(), 1);
	pcslab_free(again);
	KUNIT_EXPECT_EQ(test, corruptions(), 1);
}

/*
 * Overwrites one byte of a live object at @at. The free must find this once,
 * and repair it.
 */
static void damage_live(struct kunit *test, size_t size, u32 at)
{
	u64 before = corruptions();
	u8 *obj = pcslab_alloc(checked, size, GFP_KERNEL), *again;

	poke(obj + at, 1, 0);
	pcslab_free(obj);
	KUNIT_EXPECT_EQ_MSG(test, corruptions(), before + 1, "size %zu, byte %u", size, at);
	again = pcslab_alloc(checked, size, GFP_KERNEL);
	KUNIT_EXPECT_PTR_EQ(test, again, obj);
	pcslab_free(again);
	KUNIT_EXPECT_EQ_MSG(test, corruptions(), before + 1, "size %zu, byte %u", size, at);
}

/* Same for a free object: the next allocation must find it once. */
static void damage_free(struct kunit *test, size_t size, u32 at)
{
	u64 before = corruptions();
	u8 *obj = pcslab_alloc(checked, size, GFP_KERNEL), *again;

	pcslab_free(obj);
	poke(obj + at, 1, 0);
	again = pcslab_alloc(checked, size, GFP_KERNEL);
	KUNIT_EXPECT_PTR_EQ(test, again, obj);
	KUNIT_EXPECT_EQ_MSG(test, corruptions(), before + 1, "size %zu, byte %u", size, at);
	pcslab_free(again);
	pcslab_free(pcslab_alloc(checked, size, GFP_KERNEL));
	KUNIT_EXPECT_EQ_MSG(test, corruptions(), before + 1, "size %zu, byte %u", size, at);
}

/* Damages both ends of each checked range, for every class. */
static void ends_of_every_pattern(struct kunit *test)
{
	struct pcslab_class *class;
	unsigned int i;
	size_t size;

	migrate_disable();	/* the object freed last is handed out next */
	for (i = 0; i < PCSLAB_NR_CLASSES; i++) {
		size = pcslab_class_size(i) - 3;
		if (pcslab_class_index(size) != i)
			continue;	/* this architecture skips the class */
		pcslab_free(pcslab_alloc(checked, size, GFP_KERNEL));
		class = pcslab_class_at(checked, i);
		KUNIT_ASSERT_NOT_NULL(test, class);
		damage_live(test, size, size);
		damage_live(test, size, class->size - 1);
		damage_live(test, size, class->size);
		damage_live(test, size, class->stride - 1);
		damage_free(test, size, 0);
		damage_free(test, size, class->size - 1);
		damage_free(test, size, class->size);
		damage_free(test, size, class->stride - 1);
	}
	migrate_enable();
}

/*
 * After usable_size the caller may use all bytes, and the tail is zero like
 * zalloc's.
 */
static void usable_size_opens_the_object(struct kunit *test)
{
	u8 *obj = whole(pcslab_zalloc(checked, 50, GFP_KERNEL));

	KUNIT_EXPECT_EQ(test, pcslab_usable_size(obj), size_usable(50));
	KUNIT_EXPECT_NULL(test, memchr_inv(obj, 0, size_usable(50)));
	memset(obj, 1, size_usable(50));
	pcslab_free(obj);
	KUNIT_EXPECT_EQ(test, corruptions(), 0);
}

static void usable_size_finds_the_overflow(struct kunit *test)
{
	u8 *obj = pcslab_alloc(checked, sixty, GFP_KERNEL);

	poke(obj + 63, 1, 0);
	KUNIT_EXPECT_EQ(test, pcslab_usable_size(obj), 64);
	KUNIT_EXPECT_EQ(test, corruptions(), 1);
	pcslab_free(obj);
	KUNIT_EXPECT_EQ(test, corruptions(), 1);
}

static void realloc_moves_the_redzone(struct kunit *test)
{
	u8 *obj = whole(pcslab_alloc(checked, sixty, GFP_KERNEL));

	KUNIT_EXPECT_PTR_EQ(test, (void *)obj,
			    pcslab_realloc(checked, obj, sixty_four, GFP_KERNEL));
	memset(obj, 1, 64);
	KUNIT_EXPECT_PTR_EQ(test, pcslab_realloc(checked, obj, 20, GFP_KERNEL), (void *)obj);
	KUNIT_EXPECT_EQ(test, corruptions(), 0);
	poke(obj + 20, 1, 0);
	pcslab_free(obj);
	KUNIT_EXPECT_EQ(test, corruptions(), 1);
}

/* Overflows an object, and writes into it after the free. */
static void check_alone(struct kunit *test, unsigned long flag)
{
	const struct pcslab_heap_attr attr = { .flags = flag };
	struct pcslab_heap *heap = pcslab_heap_create("kunit-alone", &attr);
	struct pcslab_stats *st = ((struct api *)test->priv)->now;
	u8 *obj;

	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, heap);
	migrate_disable();
	obj = pcslab_alloc(heap, sixty, GFP_KERNEL);
	poke(obj + 60, 1, 0);
	pcslab_free(obj);
	KUNIT_EXPECT_EQ(test, pcslab_heap_stats(heap, st), 0);
	KUNIT_EXPECT_EQ(test, st->corruptions, flag == PCSLAB_HEAP_REDZONE ? 1 : 0);
	poke(obj + 7, 1, 0);
	pcslab_free(pcslab_alloc(heap, sixty, GFP_KERNEL));
	migrate_enable();
	KUNIT_EXPECT_EQ(test, pcslab_heap_stats(heap, st), 0);
	KUNIT_EXPECT_EQ(test, st->corruptions, 1);
	pcslab_heap_destroy(heap);
}

/* Each check detects its own kind of error, and no other. */
static void poison_or_redzone_alone(struct kunit *test)
{
	if (checked->flags != CHECKS)
		kunit_skip(test, "with pcslab.debug=1 every heap has all the checks");
	check_alone(test, PCSLAB_HEAP_POISON);
	check_alone(test, PCSLAB_HEAP_REDZONE);
}

static int by_address(const void *a, const void *b)
{
	const void *x = *(void **)a, *y = *(void **)b;

	return x < y ? -1 : x > y;
}

/* Counts objects whose next one in memory was handed out next to them. */
static unsigned int neighbours(u8 **obj, unsigned int n, size_t stride)
{
	unsigned int i, found = 0;

	for (i = 1; i < n; i++)
		found += abs(obj[i] - obj[i - 1]) == (ssize_t)stride;
	return found;
}

/*
 * If a slab has many objects, the first magazine gets them from all over the
 * slab.
 */
static void picked_from_the_whole_slab(struct kunit *test)
{
	const struct pcslab_heap_attr attr = { .flags = PCSLAB_HEAP_RANDOM };
	struct pcslab_heap *heap = pcslab_heap_create("kunit-picked", &attr);
	unsigned int size, i, n;
	struct pcslab_class *class;
	u8 *obj[64];

	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, heap);
	for (size = 8; size <= 16; size += 8) {
		migrate_disable();
		obj[0] = pcslab_alloc(heap, size, GFP_KERNEL);
		class = pcslab_class_at(heap, pcslab_class_index(size));
		n = min_t(unsigned int, class->capacity, ARRAY_SIZE(obj));
		for (i = 1; i < n; i++)
			obj[i] = pcslab_alloc(heap, size, GFP_KERNEL);
		migrate_enable();

		sort(obj, n, sizeof(obj[0]), by_address, NULL);
		KUNIT_EXPECT_LT(test, (ulong)obj[n - 1], (ulong)obj[0] + PAGE_SIZE);
		KUNIT_EXPECT_GT(test, (ulong)obj[n - 1], (ulong)obj[0] + PAGE_SIZE / 2);
		for (i = 0; i < n; i++)
			pcslab_free(obj[i]);
	}
	pcslab_heap_destroy(heap);
}

/* Each object of a slab comes once, in an order that cannot be guessed. */
static void order_is_random(struct kunit *test)
{
	const struct pcslab_heap_attr attr = { .flags = PCSLAB_HEAP_RANDOM };
	struct pcslab_heap *heap = pcslab_heap_create("kunit-random", &attr);
	struct pcslab_class *class;
	unsigned int i, n;
	u8 **obj;

	obj = kunit_kcalloc(test, PAGE_SIZE / 64, sizeof(*obj), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, obj);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, heap);
	migrate_disable();
	obj[0] = pcslab_alloc(heap, 64, GFP_KERNEL);
	class = pcslab_class_at(heap, pcslab_class_index(64));
	n = (PAGE_SIZE << class->order) / class->stride;
	KUNIT_ASSERT_LE(test, n, PAGE_SIZE / 64);
	for (i = 1; i < n; i++)
		obj[i] = pcslab_alloc(heap, 64, GFP_KERNEL);
	migrate_enable();
	KUNIT_EXPECT_LT(test, neighbours(obj, n, class->stride), n / 4);

	sort(obj, n, sizeof(obj[0]), by_address, NULL);
	KUNIT_EXPECT_EQ(test, neighbours(obj, n, class->stride), n - 1);
	for (i = 0; i < n; i++)
		pcslab_free(obj[i]);
	pcslab_heap_destroy(heap);
}

struct scribble {
	struct pcslab_heap *heap;
	u8 *obj[MANY];
};

static void take_many(struct kunit *test, struct scribble *s, size_t size, u32 seed)
{
	unsigned int i;

	for (i = 0; i < MANY; i++) {
		if (s->obj[i])
			continue;
		s->obj[i] = pcslab_alloc(s->heap, size, GFP_KERNEL);
		KUNIT_ASSERT_NOT_NULL(test, s->obj[i]);
		api_fill(s->obj[i], seed + i, size);
	}
}

/*
 * Frees all objects but the first of each slab, which keeps the slab in place,
 * and overwrites them. Also overwrites the bytes behind the live ones, up to
 * the size of the class.
 */
static void scribble_over(struct scribble *s, unsigned int index, size_t size)
{
	unsigned int bytes = PAGE_SIZE << pcslab_class_at(s->heap, index)->order;
	size_t full = pcslab_class_size(index);
	unsigned int i;

	for (i = 0; i < MANY; i++) {
		if (IS_ALIGNED((unsigned long)s->obj[i], bytes)) {
			poke(s->obj[i] + size, full - size, 0xff);
			continue;
		}
		pcslab_free(s->obj[i]);
		poke(s->obj[i], full, 0xff);
		s->obj[i] = NULL;
	}
}

static void expect_filled(struct kunit *test, struct scribble *s, size_t size, u32 seed)
{
	unsigned int i;

	for (i = 0; i < MANY; i++)
		KUNIT_EXPECT_TRUE(test, !s->obj[i] || api_filled(s->obj[i], seed + i, size));
}

/*
 * The allocator keeps no pointers in memory that it hands out. The heap has no
 * checks: they would report the writes.
 */
static void scribbled_memory_does_no_harm(struct kunit *test)
{
	struct scribble *s = kunit_kzalloc(test, sizeof(*s), GFP_KERNEL);
	unsigned int i, j, round;
	size_t size;

	KUNIT_ASSERT_NOT_NULL(test, s);
	s->heap = api_heap(test);
	api_snapshot(test);
	for (i = 0; i < PCSLAB_NR_CLASSES; i++) {
		size = pcslab_class_size(i) - 1;
		if (pcslab_class_index(size) != i)
			continue;	/* this architecture skips the class */
		for (round = 0; round < 3; round++) {
			take_many(test, s, size, i);
			expect_filled(test, s, size, i);
			scribble_over(s, i, size);
			expect_filled(test, s, size, i);
		}
		take_many(test, s, size, i);
		expect_filled(test, s, size, i);
		for (j = 0; j < MANY; j++) {
			pcslab_free(s->obj[j]);
			s->obj[j] = NULL;
		}
	}
	KUNIT_EXPECT_EQ(test, api_refused(test), ((struct api *)test->priv)->refused);
}

static int check_init(struct kunit *test)
{
	static const struct pcslab_heap_attr attr = { .flags = CHECKS };

	checked = pcslab_heap_create("kunit-checked", &attr);
	if (IS_ERR(checked))
		return PTR_ERR(checked);
	return api_init(test);
}

static void check_exit(struct kunit *test)
{
	static struct pcslab_stats st;

	pcslab_heap_stats(checked, &st);
	KUNIT_EXPECT_EQ(test, stats_live(&st), 0);
	pcslab_heap_destroy(checked);
	api_exit(test);
}

static struct kunit_case cases[] = {
	KUNIT_CASE(overflow_by_one),
	KUNIT_CASE(overflow_of_a_full_class),
	KUNIT_CASE(overflow_of_a_zeroed_object),
	KUNIT_CASE(write_after_free),
	KUNIT_CASE(ends_of_every_pattern),
	KUNIT_CASE(usable_size_opens_the_object),
	KUNIT_CASE(usable_size_finds_the_overflow),
	KUNIT_CASE(realloc_moves_the_redzone),
	KUNIT_CASE(poison_or_redzone_alone),
	KUNIT_CASE(picked_from_the_whole_slab),
	KUNIT_CASE(order_is_random),
	KUNIT_CASE(scribbled_memory_does_no_harm),
	{}
};

static struct kunit_suite suite = {
	.name = "pcslab_check",
	.init = check_init,
	.exit = check_exit,
	.test_cases = cases,
};

kunit_test_suite(suite);
