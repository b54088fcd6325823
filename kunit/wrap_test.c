// SPDX-License-Identifier: GPL-2.0
/*
 * Contract 2: counters that are about to wrap. Every reader must still return
 * the right number of live objects. On 32-bit kernels a counter is a sum of
 * words that wrap at different times; on 64-bit kernels no word ever wraps
 * outside of this test.
 */
#include <linux/cpu.h>
#include <linux/kmsg_dump.h>
#include <linux/string.h>

#include "api.h"
#include "internal.h"

#define NAME		"kunit-wrap"
#define SIZE		64
#define LARGE_SIZE	20000
#define LARGE_BYTES	(PAGE_SIZE << get_order(LARGE_SIZE))
/*
 * Number of calls after which each word of this CPU has wrapped; the bytes of
 * large objects wrap first.
 */
#define STEPS		8
#define NEARLY		(ULONG_MAX - STEPS / 2)

static struct pcslab_heap *heap;
static void *small[STEPS], *large[STEPS];
static struct pcslab_stats st;
static char text[16384];

/*
 * Presets allocations and frees alike. The heap counts the allocations of large
 * objects, and their bytes.
 */
static void add_row(struct pcslab_row *row, bool is_large)
{
	unsigned int idx;

	for (idx = 0; idx < 2; idx++) {
		row->allocs[idx] += NEARLY;
		row->frees[idx] += NEARLY;
		if (!is_large)
			continue;
		atomic_long_add(NEARLY, &heap->counters[idx].large_alloc_bytes);
		atomic_long_add(NEARLY, &heap->counters[idx].large_allocs);
	}
}

/* The caller must be the only user of the heap. */
static void preset(unsigned int index)
{
	struct pcslab_class *class = pcslab_class_at(heap, index);
	struct pcslab_cpu *c;
	unsigned int cpu;

	cpus_read_lock();
	for_each_online_cpu(cpu) {
		c = pcslab_cpu_of(class, cpu);
		add_row(&c->guarded, index == PCSLAB_LARGE);
		add_row(&c->unguarded, index == PCSLAB_LARGE);
	}
	cpus_read_unlock();
}

/*
 * Makes the classes, leaves nothing live, and sets all words close to their
 * end.
 */
static int wrap_init(struct kunit *test)
{
	heap = pcslab_heap_create(NAME, NULL);
	if (IS_ERR(heap))
		return PTR_ERR(heap);
	pcslab_free(pcslab_alloc(heap, SIZE, GFP_KERNEL));
	pcslab_free(pcslab_alloc(heap, LARGE_SIZE, GFP_KERNEL));
	preset(pcslab_class_index(SIZE));
	preset(PCSLAB_LARGE);
	return 0;
}

static void wrap_exit(struct kunit *test)
{
	pcslab_heap_destroy(heap);
}

static void take(struct kunit *test, unsigned int i)
{
	small[i] = pcslab_alloc(heap, SIZE, GFP_KERNEL);
	large[i] = pcslab_alloc(heap, LARGE_SIZE, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, small[i]);
	KUNIT_ASSERT_NOT_NULL(test, large[i]);
}

static void give_back(unsigned int i)
{
	pcslab_free(small[i]);
	pcslab_free(large[i]);
}

/* Subtracts in 64 bits, as every user of the counters does. */
static void expect_live(struct kunit *test, u64 live)
{
	const struct pcslab_class_stats *class = &st.class[pcslab_class_index(SIZE)];

	KUNIT_EXPECT_EQ(test, class->allocs - class->frees, live);
	KUNIT_EXPECT_EQ(test, st.large_allocs - st.large_frees, live);
	KUNIT_EXPECT_EQ(test, st.large_alloc_bytes - st.large_free_bytes, live * LARGE_BYTES);
}

static void read_both(struct kunit *test, u64 live)
{
	KUNIT_EXPECT_EQ(test, pcslab_heap_stats(heap, &st), 0);
	expect_live(test, live);
	KUNIT_EXPECT_EQ(test, pcslab_heap_stats_exact(heap, &st), 0);
	expect_live(test, live);
}

/* The words of one CPU wrap one after the other. */
static void stats_are_right(struct kunit *test)
{
	unsigned int i;

	read_both(test, 0);
	for (i = 0; i < STEPS; i++) {
		take(test, i);
		read_both(test, i + 1);
	}
	for (i = 0; i < STEPS; i++) {
		give_back(i);
		read_both(test, STEPS - i - 1);
	}
}

/*
 * Checks the live column of a row, by its name, and the bytes two columns
 * behind.
 */
static void expect_row(struct kunit *test, const char *path, const char *row, u64 live,
		       u64 bytes)
{
	u64 shown_live = -1, shown_bytes = -1;
	ssize_t n = api_read_file(path, text, sizeof(text));
	char *line;
	int fields = 0;

	KUNIT_ASSERT_GT(test, n, 0);
	line = strstr(text, row);
	KUNIT_ASSERT_NOT_NULL(test, line);
	fields = sscanf(line, " %*s %*s %*u %*u %llu %*u %llu", &shown_live, &shown_bytes);
	KUNIT_EXPECT_EQ(test, fields, 2);
	KUNIT_EXPECT_EQ_MSG(test, shown_live, live, "%s of %s", row, path);
	KUNIT_EXPECT_EQ_MSG(test, shown_bytes, bytes, "%s of %s", row, path);
}

static void expect_table(struct kunit *test, const char *path, u64 live)
{
	const u64 bytes = live * SIZE, large_bytes = live * LARGE_BYTES;

	expect_row(test, path, "\n   64 ", live, bytes);
	expect_row(test, path, "\nlarge ", live, large_bytes);
	expect_row(test, path, "\ntotal ", 2 * live, bytes + large_bytes);
}

/* The sum of all rows of the 64-byte class, modulo a word. */
static unsigned long live_per_cpu(struct kunit *test)
{
	ssize_t n = api_read_file("pcslab/heaps/" NAME "/percpu", text, sizeof(text));
	unsigned long live = 0, allocs, frees, inh_allocs, inh_frees;
	char *line;

	KUNIT_ASSERT_GT(test, n, 0);
	for (line = text; line; line = strchr(line + 1, '\n')) {
		if (sscanf(line, " %*u 64 %lu %lu %lu %lu", &allocs, &frees, &inh_allocs,
			   &inh_frees) == 4)
			live += allocs + inh_allocs - frees - inh_frees;
	}
	return live;
}

static void files_are_right(struct kunit *test)
{
	unsigned int i, live;

	for (i = 0; i < STEPS; i++)
		take(test, i);
	for (live = STEPS; live; live--) {
		expect_table(test, "pcslab/heaps/" NAME "/stats", live);
		expect_table(test, "pcslab/heaps/" NAME "/exact", live);
		expect_row(test, "pcslab/stats", "\n" NAME " ", 2 * live,
			   live * (SIZE + LARGE_BYTES));
		KUNIT_EXPECT_EQ(test, live_per_cpu(test), live);
		give_back(live - 1);
	}
}

static bool is_logged(const char *what)
{
	struct kmsg_dump_iter iter;
	size_t len;

	kmsg_dump_rewind(&iter);
	while (kmsg_dump_get_line(&iter, false, text, sizeof(text), &len)) {
		if (strnstr(text, what, len))
			return true;
	}
	return false;
}

static void destroy_reports_what_is_live(struct kunit *test)
{
	unsigned int i;

	for (i = 0; i < STEPS; i++)
		take(test, i);
	give_back(--i);
	pcslab_heap_destroy(heap);
	heap = NULL;
	while (i--)
		give_back(i);
	KUNIT_EXPECT_TRUE(test, is_logged("heap " NAME ": 7 objects of 64 bytes live"));
	KUNIT_EXPECT_TRUE(test, is_logged("heap " NAME ": 7 large objects live"));
	KUNIT_EXPECT_TRUE(test, is_logged("heap " NAME " destroyed with 14 objects live"));
}

static struct kunit_case cases[] = {
	KUNIT_CASE(stats_are_right),
	KUNIT_CASE(files_are_right),
	KUNIT_CASE(destroy_reports_what_is_live),
	{}
};

static struct kunit_suite suite = {
	.name = "pcslab_wrap",
	.init = wrap_init,
	.exit = wrap_exit,
	.test_cases = cases,
};

kunit_test_suite(suite);
