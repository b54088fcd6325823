// SPDX-License-Identifier: GPL-2.0
/*
 * Contract 10: GFP_DMA and GFP_DMA32 are served from pages of the zone, as by
 * kmalloc() and alloc_pages(). Each object has its own pages and is counted as a
 * large one.
 */
#include <linux/mm.h>
#include <linux/slab.h>

#include "api.h"

static const size_t sizes[] = { 1, 64, 96, 4096, 5000, 8192, 20000 };

static bool has_zone(enum zone_type zone)
{
	return populated_zone(&NODE_DATA(first_online_node)->node_zones[zone]);
}

static u64 pages_of(size_t size)
{
	return 1ULL << get_order(size);
}

/* Allocates and frees all sizes, in zones up to @zone. */
static void __maybe_unused check_zone(struct kunit *test, gfp_t gfp, enum zone_type zone)
{
	struct pcslab_heap *heap = api_heap(test);
	void *objs[ARRAY_SIZE(sizes)];
	u64 pages = 0;
	unsigned int i;

	if (!has_zone(zone))
		kunit_skip(test, "this kernel has no such zone");
	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		objs[i] = pcslab_zalloc(heap, sizes[i], GFP_KERNEL | gfp);
		KUNIT_ASSERT_NOT_NULL(test, objs[i]);
		KUNIT_EXPECT_LE(test, page_zonenum(virt_to_page(objs[i])), zone);
		KUNIT_EXPECT_NULL(test, memchr_inv(objs[i], 0, sizes[i]));
		KUNIT_EXPECT_EQ(test, pcslab_usable_size(objs[i]), PAGE_SIZE * pages_of(sizes[i]));
		KUNIT_EXPECT_PTR_EQ(test, pcslab_heap_of(objs[i]), heap);
		pages += pages_of(sizes[i]);
	}
	KUNIT_EXPECT_EQ(test, api_books(test)->large_alloc_bytes, pages * PAGE_SIZE);
	for (i = 0; i < ARRAY_SIZE(sizes); i++)
		pcslab_free(objs[i]);
}

#ifdef CONFIG_ZONE_DMA
static void dma_is_the_zone_of_kmalloc(struct kunit *test)
{
	void *obj = kmalloc(64, GFP_KERNEL | GFP_DMA);

	KUNIT_ASSERT_NOT_NULL(test, obj);
	KUNIT_EXPECT_EQ(test, page_zonenum(virt_to_page(obj)), ZONE_DMA);
	kfree(obj);
	check_zone(test, GFP_DMA, ZONE_DMA);
}
#else
static void dma_is_the_zone_of_kmalloc(struct kunit *test)
{
	kunit_skip(test, "this kernel has no such zone");
}
#endif

#ifdef CONFIG_ZONE_DMA32
static void dma32_is_below_4_gib(struct kunit *test)
{
	check_zone(test, GFP_DMA32, ZONE_DMA32);
}
#else
static void dma32_is_below_4_gib(struct kunit *test)
{
	kunit_skip(test, "this kernel has no such zone");
}
#endif

/* An object does not leave its zone because it grows. */
static void zones_are_kept_by_realloc(struct kunit *test)
{
	void *obj = pcslab_alloc(api_heap(test), 100, GFP_KERNEL | GFP_DMA), *more;

	KUNIT_ASSERT_NOT_NULL(test, obj);
	api_fill(obj, 1, 100);
	more = pcslab_realloc(api_heap(test), obj, 3 * PAGE_SIZE, GFP_KERNEL | GFP_DMA);
	KUNIT_ASSERT_NOT_NULL(test, more);
	KUNIT_EXPECT_TRUE(test, api_filled(more, 1, 100));
	KUNIT_EXPECT_LE(test, page_zonenum(virt_to_page(more)),
			IS_ENABLED(CONFIG_ZONE_DMA) ? 0 : MAX_NR_ZONES);
	pcslab_free(more);
}

static void failures_are_of_large_objects(struct kunit *test)
{
	api_fail_pages(test, true);
	KUNIT_EXPECT_NULL(test, pcslab_alloc(api_heap(test), 64, GFP_KERNEL | GFP_DMA));
	api_fail_pages(test, false);
	KUNIT_EXPECT_EQ(test, api_books(test)->large_fails, 1);
}

static struct kunit_case cases[] = {
	KUNIT_CASE(dma_is_the_zone_of_kmalloc),
	KUNIT_CASE(dma32_is_below_4_gib),
	KUNIT_CASE(zones_are_kept_by_realloc),
	KUNIT_CASE(failures_are_of_large_objects),
	{}
};

static struct kunit_suite suite = {
	.name = "pcslab_zone",
	.init = api_init,
	.exit = api_exit,
	.test_cases = cases,
};

kunit_test_suite(suite);
