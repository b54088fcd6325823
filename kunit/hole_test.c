// SPDX-License-Identifier: GPL-2.0
/*
 * Contract 12: addresses that are not pcslab's, and what pcslab may find when
 * it looks them up: no struct page, for addresses below 4 GiB, where a machine
 * with more memory has its devices; or a struct page with arbitrary content,
 * as that of memory that is not online yet. None may pass for an object.
 */
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/sizes.h>

#include "api.h"

/* Sections of the memory map are larger than a step. */
#define STEP	SZ_16M

static unsigned int ask_of_holes(struct kunit *test, const void *end)
{
	unsigned int holes = 0;
	const void *at;

	for (at = (void *)PAGE_OFFSET; at < end; at += STEP) {
		if (virt_addr_valid(at))
			continue;
		holes++;
		KUNIT_EXPECT_NULL(test, pcslab_heap_of(at));
		KUNIT_EXPECT_EQ(test, pcslab_usable_size(at), 0);
		pcslab_free(at);
		pcslab_free(at + 64);
	}
	return holes;
}

/*
 * Looks up addresses below an object. Those without memory are refused like any
 * bad pointer.
 */
static void no_object_where_no_memory_is(struct kunit *test)
{
	struct api *api = test->priv;
	unsigned int holes;
	void *obj;

	obj = pcslab_alloc(api->heap, 64, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, obj);
	api_snapshot(test);
	holes = ask_of_holes(test, obj);
	kunit_info(test, "%u addresses without memory\n", holes);
	KUNIT_EXPECT_GT(test, holes, 0);
	KUNIT_EXPECT_EQ(test, api_refused(test), api->refused + 2 * holes);
	KUNIT_EXPECT_TRUE(test, api_same_books(api->before, api_books(test)));
	pcslab_free(obj);
}

/* The content of another owner's struct page, and how often pcslab was asked */
struct stranger {
	struct page *page;
	struct page content;
	unsigned int asked;
};

/* Interrupts are off, so nobody sees the wrong content of a page in use. */
static void ask_of_stranger(struct kunit *test, struct stranger *stranger)
{
	const void *at = page_address(stranger->page);
	struct page is = *stranger->page;
	struct pcslab_heap *heap;
	unsigned long flags;
	size_t size;

	local_irq_save(flags);
	*stranger->page = stranger->content;
	heap = pcslab_heap_of(at + 64);
	size = pcslab_usable_size(at + 64);
	pcslab_free(at + 64);
	*stranger->page = is;
	local_irq_restore(flags);
	stranger->content = is;
	stranger->asked++;
	KUNIT_EXPECT_NULL(test, heap);
	KUNIT_EXPECT_EQ(test, size, 0);
}

/*
 * Writes the word that leads from a tail page to its head: an address and a
 * bit, or a mask.
 */
static void ask_of_tail(struct kunit *test, struct stranger *stranger, unsigned long word)
{
	stranger->content.lru.next = (struct list_head *)(word | 1);
	ask_of_stranger(test, stranger);
}

static void ask_of_tails(struct kunit *test, struct stranger *stranger)
{
	unsigned long page = (unsigned long)stranger->page;
	unsigned int bit;

	for (bit = 0; bit < BITS_PER_LONG; bit++) {
		ask_of_tail(test, stranger, BIT(bit));
		ask_of_tail(test, stranger, GENMASK(BITS_PER_LONG - 1, bit));
		ask_of_tail(test, stranger, page ^ BIT(bit));
	}
	ask_of_tail(test, stranger, page);
	ask_of_tail(test, stranger, (unsigned long)test);
	ask_of_tail(test, stranger, (unsigned long)&ask_of_tails);
	ask_of_tail(test, stranger, (unsigned long)virt_to_page((void *)PAGE_OFFSET));
}

static void ask_of_flags(struct kunit *test, struct stranger *stranger)
{
	unsigned int bit;

	for (bit = 0; bit < BITS_PER_LONG; bit++) {
		__change_bit(bit, (unsigned long *)&stranger->content.flags);
		ask_of_stranger(test, stranger);
	}
}

/* Fills it all with one byte: page_init_poison() uses 0xff. */
static void ask_of_bytes(struct kunit *test, struct stranger *stranger)
{
	unsigned int byte;

	for (byte = 0; byte <= 0xff; byte++) {
		memset(&stranger->content, byte, sizeof(stranger->content));
		ask_of_stranger(test, stranger);
	}
}

/*
 * The page is inside a large object, so pages above it and below it are
 * pcslab's.
 */
static void no_object_whatever_the_page(struct kunit *test)
{
	struct api *api = test->priv;
	struct stranger stranger = { };
	void *obj;

	obj = pcslab_alloc(api->heap, 2 * PCSLAB_MAX_SIZE, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, obj);
	stranger.page = virt_to_page(obj + PAGE_SIZE);
	stranger.content = *stranger.page;
	api_snapshot(test);
	ask_of_bytes(test, &stranger);
	ask_of_flags(test, &stranger);
	ask_of_tails(test, &stranger);
	KUNIT_EXPECT_EQ(test, api_refused(test), api->refused + stranger.asked);
	pcslab_free(obj);
}

static struct kunit_case cases[] = {
	KUNIT_CASE(no_object_where_no_memory_is),
	KUNIT_CASE(no_object_whatever_the_page),
	{}
};

static struct kunit_suite suite = {
	.name = "pcslab_hole",
	.init = api_init,
	.exit = api_exit,
	.test_cases = cases,
};

kunit_test_suite(suite);

MODULE_DESCRIPTION("KUnit test of pcslab in a machine with holes in its memory");
MODULE_LICENSE("GPL");
MODULE_INFO(import_ns, "PCSLAB");
