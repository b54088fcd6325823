// SPDX-License-Identifier: GPL-2.0
/*
 * Contract 15: compares every column of every file, by its name, with what a
 * client counted. What else the contract says of the files is seen from user
 * space: the suite debugfs of scripts/runs/api.run, with the cases first_lines
 * (format and version), only_root_reads (mode 0400) and awk_splits_them.
 *
 * The client knows only which calls it made and which pages its objects are
 * in, and nothing of pcslab. Where no caller can produce a state (an object
 * that waits for an irq_work, a round that is wrong), the test writes it by
 * hand. As far as possible no two columns of a row have the same number.
 */
#include <linux/cpu.h>
#include <linux/ctype.h>
#include <linux/mm.h>
#include <linux/sched.h>
#include <linux/slab.h>

#include "api.h"
#include "internal.h"
#include "poke.h"
#include "state.h"

#define NAME		"kunit-columns"
#define PATH(file)	"pcslab/heaps/" NAME "/" file
#define TEXT_BYTES	32768

#define GONE_CPU	1
#define OBJECTS		200
#define LARGE_SIZE	20000

static struct pcslab_heap *heap;
static char text[TEXT_BYTES];

/* What the client did with one size */
struct mine {
	size_t size;
	u64 allocs, frees, fails;
	u64 gone_allocs, gone_frees;	/* of these, on a dead CPU */
	unsigned int nr, nr_pages;
	void *obj[OBJECTS];
	struct page *page[OBJECTS];	/* the first page of each slab it saw */
};

static struct mine small = { .size = 64 }, middle = { .size = 256 };
static struct mine large = { .size = LARGE_SIZE }, none = { .size = 1024 };
static struct mine plain = { .size = 1664 };

static void see_page(struct mine *mine, const void *obj)
{
	struct page *page = virt_to_head_page(obj);
	unsigned int i;

	for (i = 0; i < mine->nr_pages; i++) {
		if (mine->page[i] == page)
			return;
	}
	mine->page[mine->nr_pages++] = page;
}

static void take(struct kunit *test, struct mine *mine, unsigned int n)
{
	while (n--) {
		KUNIT_ASSERT_LT(test, mine->nr, OBJECTS);
		mine->obj[mine->nr] = pcslab_alloc(heap, mine->size, GFP_KERNEL);
		KUNIT_ASSERT_NOT_NULL(test, mine->obj[mine->nr]);
		see_page(mine, mine->obj[mine->nr++]);
		mine->allocs++;
	}
}

static void give(struct mine *mine, unsigned int i)
{
	pcslab_free(mine->obj[i]);
	mine->obj[i] = mine->obj[--mine->nr];
	mine->frees++;
}

/* Frees objects from all over the slabs, so that no slab becomes empty. */
static void give_some(struct mine *mine, unsigned int n)
{
	unsigned int i;

	for (i = 0; i < n; i++)
		give(mine, i * 6 % mine->nr);
}

static void fail(struct kunit *test, struct mine *mine, unsigned int n)
{
	for (mine->fails += n; n; n--)
		KUNIT_EXPECT_NULL(test, pcslab_alloc(heap, mine->size, GFP_KERNEL | __GFP_HIGHMEM));
}

static u64 live(const struct mine *mine)
{
	return mine->allocs - mine->frees;
}

static u64 bytes_of_pages(const struct mine *mine)
{
	u64 bytes = 0;
	unsigned int i;

	for (i = 0; i < mine->nr_pages; i++)
		bytes += page_size(mine->page[i]);
	return bytes;
}

/* The smallest distance between two objects of one slab. */
static unsigned long distance(const struct mine *mine)
{
	unsigned int i, k;
	unsigned long least = ULONG_MAX;

	for (i = 0; i < mine->nr; i++) {
		for (k = 0; k < i; k++) {
			if (virt_to_head_page(mine->obj[i]) == virt_to_head_page(mine->obj[k]))
				least = min_t(ulong, least, abs(mine->obj[i] - mine->obj[k]));
		}
	}
	return least;
}

static unsigned long objects_in_slab(const struct mine *mine)
{
	return page_size(mine->page[0]) / distance(mine);
}

static u64 all_objects(const struct mine *mine)
{
	u64 objects = 0;
	unsigned int i;

	for (i = 0; i < mine->nr_pages; i++)
		objects += page_size(mine->page[i]) / distance(mine);
	return objects;
}

/* The @n-th word of a line, or NULL. */
static const char *word(const char *line, unsigned int n)
{
	for (;;) {
		while (*line == ' ')
			line++;
		if (!*line || *line == '\n')
			return NULL;
		if (!n--)
			return line;
		while (*line && !isspace(*line))
			line++;
	}
}

static bool is_word(const char *at, const char *name)
{
	size_t len = strlen(name);

	return at && !strncmp(at, name, len) && (!at[len] || isspace(at[len]));
}

/* The names of the columns, behind a #. */
static const char *names(void)
{
	return strchr(text, '#') + 1;
}

static int column_of(const char *name)
{
	const char *at;
	unsigned int i;

	for (i = 0; (at = word(names(), i)); i++) {
		if (is_word(at, name))
			return i;
	}
	return -1;
}

/* The row that begins with these words; @second may be NULL. */
static const char *row_of(const char *first, const char *second)
{
	const char *line = text;

	while ((line = strchr(line, '\n')) && *++line) {
		if (is_word(word(line, 0), first) && (!second || is_word(word(line, 1), second)))
			return line;
	}
	return NULL;
}

static void read_file(struct kunit *test, const char *path)
{
	KUNIT_ASSERT_GT(test, api_read_file(path, text, sizeof(text)), 0);
	KUNIT_ASSERT_LT(test, strlen(text), sizeof(text) - 1);
}

/* The cell in column @name of the row that begins with @first and @second. */
static const char *cell(struct kunit *test, const char *first, const char *second,
			const char *name)
{
	const char *row = row_of(first, second), *at;
	int column = column_of(name);

	KUNIT_ASSERT_NOT_NULL_MSG(test, row, "no row %s", first);
	KUNIT_ASSERT_GE_MSG(test, column, 0, "no column %s", name);
	at = word(row, column);
	KUNIT_ASSERT_NOT_NULL_MSG(test, at, "row %s ends before %s", first, name);
	return at;
}

static void expect_cell(struct kunit *test, const char *first, const char *second,
			const char *name, u64 value)
{
	const char *at = cell(test, first, second, name);
	unsigned long long shown = ~value;
	int fields, length = 0;

	fields = sscanf(at, "%llu%n", &shown, &length);
	KUNIT_EXPECT_EQ(test, fields, 1);
	KUNIT_EXPECT_EQ_MSG(test, shown, value, "%s of %s", name, first);
	KUNIT_EXPECT_TRUE(test, isspace(at[length]));
}

static void expect_word(struct kunit *test, const char *first, const char *name,
			const char *value)
{
	KUNIT_EXPECT_TRUE_MSG(test, is_word(cell(test, first, NULL, name), value),
			      "%s of %s", name, first);
}

/* The file has exactly @n columns. A new column must be tested here. */
static void expect_columns(struct kunit *test, unsigned int n)
{
	KUNIT_EXPECT_NOT_NULL(test, word(names(), n - 1));
	KUNIT_EXPECT_NULL(test, word(names(), n));
}

/* The CPU then goes offline, and CPU 0 inherits its counts. */
static void use_gone_cpu(struct kunit *test)
{
	struct mine *all[] = { &small, &middle, &large };
	unsigned int i;

	KUNIT_ASSERT_EQ(test, set_cpus_allowed_ptr(current, cpumask_of(GONE_CPU)), 0);
	for (i = 0; i < ARRAY_SIZE(all); i++) {
		take(test, all[i], 9 - i);
		give_some(all[i], 4 - i);
		all[i]->gone_allocs = all[i]->allocs;
		all[i]->gone_frees = all[i]->frees;
	}
	KUNIT_ASSERT_EQ(test, set_cpus_allowed_ptr(current, cpumask_of(0)), 0);
	KUNIT_ASSERT_EQ(test, remove_cpu(GONE_CPU), 0);
	KUNIT_ASSERT_EQ(test, add_cpu(GONE_CPU), 0);
}

#define BAD_FREES	4
#define CORRUPTIONS	3
#define FOREIGN		11
#define UNACCOUNTED	12
#define DEFERRED	13

static void do_wrong(struct kunit *test)
{
	unsigned int i;
	size_t size;
	u8 *obj;

	for (i = 0; i < BAD_FREES; i++)
		pcslab_free(small.obj[0] + 1);
	for (i = 0; i < CORRUPTIONS; i++) {
		size = small.size - 4;
		OPTIMIZER_HIDE_VAR(size);
		obj = pcslab_alloc(heap, size, GFP_KERNEL);
		KUNIT_ASSERT_NOT_NULL(test, obj);
		see_page(&small, obj);
		poke(obj + size, 1, 0);
		pcslab_free(obj);
		small.allocs++;
		small.frees++;
	}
	/* Set by hand: other tests are of what makes them grow. */
	atomic_long_set(&heap->foreign, FOREIGN);
	atomic_long_set(&heap->unaccounted, UNACCOUNTED);
	atomic_long_set(&heap->deferred, DEFERRED);
}

static void forget_mine(struct mine *mine)
{
	*mine = (struct mine){ .size = mine->size };
}

/*
 * All free objects are in slabs, except for the ones freed last, which are in a
 * magazine.
 */
#define SMALL_CACHED	5
#define MIDDLE_CACHED	3

static int columns_init(struct kunit *test)
{
	static const struct pcslab_heap_attr attr = { .flags = PCSLAB_HEAP_REDZONE };

	heap = pcslab_heap_create(NAME, &attr);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, heap);
	forget_mine(&small);
	forget_mine(&middle);
	forget_mine(&large);
	forget_mine(&none);
	use_gone_cpu(test);
	take(test, &small, 150);
	take(test, &middle, 70);
	take(test, &large, 6);
	do_wrong(test);
	give_some(&small, 24);
	give_some(&middle, 9);
	give_some(&large, 3);
	fail(test, &small, 5);
	fail(test, &middle, 7);
	fail(test, &large, 2);
	fail(test, &none, 6);
	pcslab_heap_shrink(heap);
	give_some(&small, SMALL_CACHED);
	give_some(&middle, MIDDLE_CACHED);
	return 0;
}

static void give_all(struct mine *mine)
{
	while (mine->nr)
		give(mine, 0);
}

static void columns_exit(struct kunit *test)
{
	if (IS_ERR_OR_NULL(heap))
		return;
	give_all(&small);
	give_all(&middle);
	give_all(&large);
	atomic_long_set(&heap->deferred, 0);
	pcslab_heap_destroy(heap);
	heap = NULL;
	set_cpus_allowed_ptr(current, cpu_possible_mask);
}

/* The expected values of a row */
struct row {
	u64 allocs, frees, live, fails, live_bytes, cached, depot, slabs, pages;
};

static struct row row_of_large(void)
{
	u64 pages = live(&large) << get_order(LARGE_SIZE);

	return (struct row){
		.allocs = large.allocs, .frees = large.frees, .live = live(&large),
		.fails = large.fails, .live_bytes = pages << PAGE_SHIFT, .pages = pages,
	};
}

static struct row row_of_class(const struct mine *mine, u64 cached)
{
	return (struct row){
		.allocs = mine->allocs, .frees = mine->frees, .live = live(mine),
		.fails = mine->fails, .live_bytes = live(mine) * mine->size,
		.cached = cached, .slabs = mine->nr_pages,
		.depot = all_objects(mine) - live(mine) - cached,
		.pages = bytes_of_pages(mine) >> PAGE_SHIFT,
	};
}

static struct row row_of_none(void)
{
	return (struct row){ .fails = none.fails };
}

static void add_row(struct row *to, const struct row *from)
{
	to->allocs += from->allocs;
	to->frees += from->frees;
	to->live += from->live;
	to->fails += from->fails;
	to->live_bytes += from->live_bytes;
	to->cached += from->cached;
	to->depot += from->depot;
	to->slabs += from->slabs;
	to->pages += from->pages;
}

static struct row row_of_total(void)
{
	const struct row rows[] = {
		row_of_class(&small, SMALL_CACHED), row_of_class(&middle, MIDDLE_CACHED),
		row_of_large(), row_of_none(),
	};
	struct row total = {};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(rows); i++)
		add_row(&total, &rows[i]);
	return total;
}

/* The columns that every file with a line per heap or class has. */
static void expect_counts(struct kunit *test, const char *key, struct row row)
{
	expect_cell(test, key, NULL, "allocs", row.allocs);
	expect_cell(test, key, NULL, "frees", row.frees);
	expect_cell(test, key, NULL, "live", row.live);
	expect_cell(test, key, NULL, "fails", row.fails);
	expect_cell(test, key, NULL, "live_bytes", row.live_bytes);
	expect_cell(test, key, NULL, "pages", row.pages);
}

static void summary(struct kunit *test)
{
	read_file(test, "pcslab/stats");
	expect_columns(test, 10);
	expect_counts(test, NAME, row_of_total());
	expect_word(test, NAME, "heap", NAME);
	expect_word(test, NAME, "state", "live");
	expect_cell(test, NAME, NULL, "deferred", DEFERRED);
	expect_cell(test, NAME, NULL, "id", heap->id);
	expect_word(test, "total", "id", "-");
}

static void errors_of_callers(struct kunit *test)
{
	read_file(test, "pcslab/errors");
	expect_columns(test, 8);
	expect_word(test, NAME, "heap", NAME);
	expect_word(test, NAME, "state", "live");
	expect_cell(test, NAME, NULL, "bad_frees", BAD_FREES);
	expect_cell(test, NAME, NULL, "corrupt", CORRUPTIONS);
	expect_cell(test, NAME, NULL, "foreign", FOREIGN);
	expect_cell(test, NAME, NULL, "unaccounted", UNACCOUNTED);
	expect_cell(test, NAME, NULL, "id", heap->id);
	expect_word(test, NAME, "owner", module_name(THIS_MODULE));
	expect_word(test, "total", "id", "-");
	expect_word(test, "total", "owner", "-");
}

static void expect_row(struct kunit *test, const char *key, struct row row)
{
	expect_counts(test, key, row);
	expect_cell(test, key, NULL, "cached", row.cached);
	expect_cell(test, key, NULL, "depot", row.depot);
	expect_cell(test, key, NULL, "slabs", row.slabs);
}

static void expect_table(struct kunit *test, const char *path)
{
	read_file(test, path);
	expect_columns(test, 11);
	expect_row(test, "64", row_of_class(&small, SMALL_CACHED));
	expect_row(test, "256", row_of_class(&middle, MIDDLE_CACHED));
	expect_row(test, "1024", row_of_none());
	expect_row(test, "large", row_of_large());
	expect_row(test, "total", row_of_total());
	expect_cell(test, "64", NULL, "objs", objects_in_slab(&small));
	expect_cell(test, "256", NULL, "objs", objects_in_slab(&middle));
	expect_cell(test, "64", NULL, "size", 64);
}

static void stats(struct kunit *test)
{
	expect_table(test, PATH("stats"));
}

static void exact(struct kunit *test)
{
	expect_table(test, PATH("exact"));
}

/* CPUs count only the frees of large objects, not their allocations. */
static void expect_cpu0(struct kunit *test, const char *size, const struct mine *mine,
			u64 cached)
{
	bool is_large = mine == &large;

	expect_cell(test, "0", size, "allocs", is_large ? 0 : mine->allocs - mine->gone_allocs);
	expect_cell(test, "0", size, "frees", mine->frees - mine->gone_frees);
	expect_cell(test, "0", size, "inh_allocs", is_large ? 0 : mine->gone_allocs);
	expect_cell(test, "0", size, "inh_frees", mine->gone_frees);
	expect_cell(test, "0", size, "cached", cached);
}

static void percpu(struct kunit *test)
{
	read_file(test, PATH("percpu"));
	expect_columns(test, 7);
	expect_cpu0(test, "64", &small, SMALL_CACHED);
	expect_cpu0(test, "256", &middle, MIDDLE_CACHED);
	expect_cpu0(test, "large", &large, 0);
	expect_cell(test, "0", "64", "cpu", 0);
	expect_cell(test, "0", "64", "size", 64);
	KUNIT_EXPECT_NULL(test, row_of("1", NULL));
}

/* Expected result of the audit of one class, or of all */
struct found {
	u64 slabs, objects, live, cached, free, rounds, deferred, wrong;
};

static struct found found_of(const struct mine *mine, u64 cached)
{
	return (struct found){
		.slabs = mine->nr_pages, .objects = all_objects(mine), .live = live(mine),
		.cached = cached, .free = all_objects(mine) - live(mine) - cached,
		.rounds = cached,
	};
}

static void expect_found(struct kunit *test, const char *key, struct found found)
{
	expect_cell(test, key, NULL, "slabs", found.slabs);
	expect_cell(test, key, NULL, "objects", found.objects);
	expect_cell(test, key, NULL, "live", found.live);
	expect_cell(test, key, NULL, "cached", found.cached);
	expect_cell(test, key, NULL, "free", found.free);
	expect_cell(test, key, NULL, "rounds", found.rounds);
	expect_cell(test, key, NULL, "deferred", found.deferred);
	expect_cell(test, key, NULL, "wrong", found.wrong);
}

/*
 * Makes two objects wait for an irq_work and one for a grace period, which
 * leaves it live. Gives one object in a magazine a wrong state.
 */
static void change_states(bool back)
{
	struct pcslab_class *class = heap->class[pcslab_class_index(small.size)];
	struct pcslab_magazine *mag = pcslab_cpu_of(class, 0)->loaded;

	WRITE_ONCE(*state_of(small.obj[0]), back ? PCSLAB_OBJ_LIVE : PCSLAB_OBJ_DEFERRED);
	WRITE_ONCE(*state_of(small.obj[1]), back ? PCSLAB_OBJ_LIVE : PCSLAB_OBJ_DEFERRED);
	WRITE_ONCE(*state_of(small.obj[2]), back ? PCSLAB_OBJ_LIVE : PCSLAB_OBJ_RCU);
	WRITE_ONCE(*mag->round[0].state, back ? PCSLAB_OBJ_CACHED : PCSLAB_OBJ_FREE);
}

static void audit(struct kunit *test)
{
	struct found found = found_of(&small, SMALL_CACHED);
	struct found other = found_of(&middle, MIDDLE_CACHED);
	struct found big = { .objects = live(&large), .live = live(&large) };
	struct found total;

	found.live -= 2;
	found.deferred = 2;
	found.cached--;
	found.free++;
	found.wrong = 1;
	total = (struct found){
		.slabs = found.slabs + other.slabs,
		.objects = found.objects + other.objects + big.objects,
		.live = found.live + other.live + big.live,
		.cached = found.cached + other.cached,
		.free = found.free + other.free,
		.rounds = found.rounds + other.rounds,
		.deferred = found.deferred,
		.wrong = found.wrong,
	};
	change_states(false);
	read_file(test, PATH("audit"));
	change_states(true);
	expect_columns(test, 9);
	expect_cell(test, "64", NULL, "size", 64);
	expect_found(test, "64", found);
	expect_found(test, "256", other);
	expect_found(test, "large", big);
	expect_found(test, "total", total);
}

/*
 * The heap has held more than now, at a time that is read elsewhere; and
 * __GFP_NOFAIL exceeds a limit that is passed already.
 */
#define LIMIT_PAGES	9

static void pages(struct kunit *test)
{
	static struct pcslab_stats st;
	u64 held = row_of_total().pages;
	char key[16];
	void *obj;

	pcslab_free(pcslab_alloc(heap, 64 * PAGE_SIZE, GFP_KERNEL));
	KUNIT_ASSERT_EQ(test, pcslab_heap_stats(heap, &st), 0);
	KUNIT_EXPECT_EQ(test, pcslab_heap_set_limit(heap, LIMIT_PAGES * PAGE_SIZE), 0);
	obj = pcslab_alloc(heap, 4 * PAGE_SIZE, GFP_KERNEL | __GFP_NOFAIL);
	snprintf(key, sizeof(key), "%llu", held + 4);
	read_file(test, PATH("pages"));
	expect_columns(test, 5);
	expect_cell(test, key, NULL, "pages", held + 4);
	expect_cell(test, key, NULL, "limit", LIMIT_PAGES);
	expect_cell(test, key, NULL, "max_pages", held + 64);
	expect_cell(test, key, NULL, "max_time", st.max_pages_time);
	expect_cell(test, key, NULL, "over_limit", 1);
	pcslab_free(obj);
}

/*
 * Uses a heap with default attributes; the magazine column is that of a CPU
 * that uses the class.
 */
static void size_classes(struct kunit *test)
{
	struct pcslab_heap *checked = heap;
	struct pcslab_class *class;
	unsigned long bytes;

	heap = api_heap(test);
	forget_mine(&plain);
	take(test, &plain, 20);
	read_file(test, "pcslab/classes");
	expect_columns(test, 5);
	bytes = page_size(plain.page[0]);
	class = heap->class[pcslab_class_index(plain.size)];
	expect_cell(test, "1664", NULL, "size", 1664);
	expect_cell(test, "1664", NULL, "slab_pages", bytes >> PAGE_SHIFT);
	expect_cell(test, "1664", NULL, "objects", objects_in_slab(&plain));
	expect_cell(test, "1664", NULL, "unused", bytes % distance(&plain));
	expect_cell(test, "1664", NULL, "magazine",
		    pcslab_cpu_of(class, 0)->limit -
		    pcslab_cpu_of(class, 0)->loaded->round);
	give_all(&plain);
	heap = checked;
}

static void expect_narrow(struct kunit *test, const char *path)
{
	const char *line, *end;

	read_file(test, path);
	for (line = text; (end = strchr(line, '\n')); line = end + 1)
		KUNIT_EXPECT_LE_MSG(test, end - line, 80, "%s: %s", path, line);
}

/* As after months: rows stay within 80 columns, and the words apart. */
static void long_numbers(struct kunit *test)
{
	const unsigned long many = BITS_PER_LONG == 64 ? 234567890123 : 1234567890;
	struct pcslab_inherited *inherited = &heap->class[pcslab_class_index(64)]->inherited;
	struct row row = row_of_class(&small, SMALL_CACHED);

	inherited->allocs += many;
	inherited->frees += many;
	row.allocs += many;
	row.frees += many;
	expect_narrow(test, "pcslab/stats");
	expect_narrow(test, PATH("percpu"));
	expect_narrow(test, PATH("stats"));
	expect_row(test, "64", row);
	inherited->allocs -= many;
	inherited->frees -= many;
}

/* The value of the first such key from @at on. */
static void expect_key(struct kunit *test, const char *at, const char *key, u64 value)
{
	char quoted[24];
	unsigned long long shown = ~value;
	int fields;

	snprintf(quoted, sizeof(quoted), "\"%s\":", key);
	KUNIT_ASSERT_NOT_NULL(test, at);
	at = strstr(at, quoted);
	KUNIT_ASSERT_NOT_NULL_MSG(test, at, "no key %s", key);
	fields = sscanf(at + strlen(quoted), "%llu", &shown);
	KUNIT_EXPECT_EQ(test, fields, 1);
	KUNIT_EXPECT_EQ_MSG(test, shown, value, "%s", key);
}

static void expect_object(struct kunit *test, const char *at, struct row row)
{
	expect_key(test, at, "allocs", row.allocs);
	expect_key(test, at, "frees", row.frees);
	expect_key(test, at, "live", row.live);
	expect_key(test, at, "fails", row.fails);
	expect_key(test, at, "live_bytes", row.live_bytes);
	expect_key(test, at, "pages", row.pages);
}

static void expect_class(struct kunit *test, const char *at, const struct mine *mine,
			 struct row row)
{
	expect_object(test, at, row);
	expect_key(test, at, "objs", objects_in_slab(mine));
	expect_key(test, at, "cached", row.cached);
	expect_key(test, at, "depot", row.depot);
	expect_key(test, at, "slabs", row.slabs);
}

/* A heap in either file. */
static const char *expect_heap(struct kunit *test)
{
	const char *at = strstr(text, "{\"name\":\"" NAME "\",");

	expect_key(test, text, "version", 1);
	expect_key(test, text, "page_size", PAGE_SIZE);
	expect_key(test, at, "id", heap->id);
	KUNIT_EXPECT_NOT_NULL(test, strstr(at, ",\"state\":\"live\",\"owner\":\""));
	expect_key(test, at, "bad_frees", BAD_FREES);
	expect_key(test, at, "corrupt", CORRUPTIONS);
	expect_key(test, at, "foreign", FOREIGN);
	expect_key(test, at, "unaccounted", UNACCOUNTED);
	expect_key(test, at, "deferred", DEFERRED);
	expect_key(test, at, "pages", row_of_total().pages);
	expect_key(test, at, "limit", 0);
	expect_key(test, at, "over_limit", 0);
	expect_class(test, strstr(at, "{\"size\":64,"), &small,
		     row_of_class(&small, SMALL_CACHED));
	expect_class(test, strstr(at, "{\"size\":256,"), &middle,
		     row_of_class(&middle, MIDDLE_CACHED));
	expect_object(test, strstr(at, "\"large\":{"), row_of_large());
	return at;
}

static void json_of_all(struct kunit *test)
{
	read_file(test, "pcslab/json");
	KUNIT_EXPECT_TRUE(test, strstarts(text, "{\"format\":\"pcslab heaps\","));
	expect_heap(test);
	KUNIT_EXPECT_NULL(test, strstr(text, "\"percpu\":"));
}

static void json(struct kunit *test)
{
	const char *at;

	read_file(test, PATH("json"));
	KUNIT_EXPECT_TRUE(test, strstarts(text, "{\"format\":\"pcslab heap\","));
	at = strstr(expect_heap(test), "{\"cpu\":0,\"size\":64,");
	expect_key(test, at, "allocs", small.allocs - small.gone_allocs);
	expect_key(test, at, "frees", small.frees - small.gone_frees);
	expect_key(test, at, "inh_allocs", small.gone_allocs);
	expect_key(test, at, "inh_frees", small.gone_frees);
	expect_key(test, at, "cached", SMALL_CACHED);
	at = strstr(text, "{\"cpu\":0,\"size\":0,");
	expect_key(test, at, "allocs", 0);
	expect_key(test, at, "frees", large.frees - large.gone_frees);
	expect_key(test, at, "inh_allocs", 0);
	expect_key(test, at, "inh_frees", large.gone_frees);
}

static int init(struct kunit *test)
{
	int err = api_init(test);

	return err ?: columns_init(test);
}

static void leave(struct kunit *test)
{
	columns_exit(test);
	api_exit(test);
}

static struct kunit_case cases[] = {
	KUNIT_CASE(summary),
	KUNIT_CASE(errors_of_callers),
	KUNIT_CASE(stats),
	KUNIT_CASE(exact),
	KUNIT_CASE(percpu),
	KUNIT_CASE(audit),
	KUNIT_CASE(long_numbers),
	KUNIT_CASE(json_of_all),
	KUNIT_CASE(json),
	KUNIT_CASE(pages),
	KUNIT_CASE(size_classes),
	{}
};

static struct kunit_suite suite = {
	.name = "pcslab_columns",
	.init = init,
	.exit = leave,
	.test_cases = cases,
};

kunit_test_suite(suite);
