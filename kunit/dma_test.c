// SPDX-License-Identifier: GPL-2.0
/*
 * Contract 10: every object has the alignment that the kernel assumes of its
 * size. On machines with non-coherent DMA the kernel judges by the size of a
 * kmalloc() buffer whether it shares cache lines with others. This is checked
 * for every machine the kernel is built for, whatever the size of its cache
 * lines.
 */
#include <kunit/test.h>
#include <linux/align.h>
#include <linux/module.h>
#include <linux/slab.h>

#include <pcslab/pcslab.h>

/*
 * Held at the same time, because the first object of a slab is aligned for any
 * size.
 */
#define HELD	64

struct alignment {
	struct pcslab_heap *heap;
	void *held[HELD];
};

/* dma_kmalloc_size_aligned(), which uses the cache lines of this machine. */
static bool is_trusted(size_t size, size_t line)
{
	return size >= 2 * PCSLAB_DMA_MINALIGN || IS_ALIGNED(kmalloc_size_roundup(size), line);
}

static void check_heap(struct kunit *test, struct alignment *a)
{
	unsigned int wrong = 0, trusted = 0;
	size_t size, line;
	void **obj;

	for (size = 1; size <= 2 * PCSLAB_MAX_SIZE; size++) {
		obj = &a->held[size % HELD];
		pcslab_free(*obj);
		*obj = pcslab_alloc(a->heap, size, GFP_KERNEL);
		KUNIT_ASSERT_NOT_NULL(test, *obj);
		for (line = 8; line <= PCSLAB_DMA_MINALIGN; line *= 2) {
			if (!is_trusted(size, line))
				continue;
			trusted++;
			if (IS_ALIGNED((unsigned long)*obj, line))
				continue;
			if (!wrong++)
				kunit_err(test, "%zu bytes at %p, cache lines of %zu\n", size,
					  *obj, line);
		}
	}
	for (size = 0; size < HELD; size++)
		pcslab_free(a->held[size]);
	KUNIT_EXPECT_EQ(test, wrong, 0);
	KUNIT_EXPECT_GT(test, trusted, 0);
}

static void aligned_as_assumed(struct kunit *test)
{
	static const struct pcslab_heap_attr attrs[] = {
		{ 0 }, { PCSLAB_HEAP_RANDOM }, { PCSLAB_HEAP_REDZONE },
		{ PCSLAB_HEAP_RANDOM | PCSLAB_HEAP_POISON | PCSLAB_HEAP_REDZONE },
	};
	struct alignment *a = kunit_kzalloc(test, sizeof(*a), GFP_KERNEL);
	unsigned int i;

	KUNIT_ASSERT_NOT_NULL(test, a);
	if (PCSLAB_DMA_MINALIGN <= ARCH_KMALLOC_MINALIGN)
		kunit_skip(test, "kmalloc() aligns enough for DMA here");
	for (i = 0; i < ARRAY_SIZE(attrs); i++) {
		a->heap = pcslab_heap_create("kunit-dma", &attrs[i]);
		KUNIT_ASSERT_NOT_ERR_OR_NULL(test, a->heap);
		check_heap(test, a);
		memset(a->held, 0, sizeof(a->held));
		pcslab_heap_destroy(a->heap);
	}
}

static struct kunit_case cases[] = {
	KUNIT_CASE(aligned_as_assumed),
	{}
};

static struct kunit_suite suite = {
	.name = "pcslab_dma",
	.test_cases = cases,
};

kunit_test_suite(suite);

MODULE_DESCRIPTION("Alignment of pcslab's objects for DMA");
MODULE_LICENSE("GPL");
MODULE_INFO(import_ns, "PCSLAB");
