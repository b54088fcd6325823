// SPDX-License-Identifier: GPL-2.0
/*
 * Contract 12: bad clients. First comes every misuse of the API, one by one,
 * each named in the log; then random sequences of them.
 *
 * A sequence is a handful of calls, legal and illegal. After each sequence the
 * books of all heaps must equal the oracle's. Misuses that no allocator can
 * detect are left out: frees of an object that was handed out again, and calls
 * on heaps that are gone.
 */
#include <linux/delay.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/random.h>
#include <linux/slab.h>
#include <linux/vmalloc.h>

#include "compat.h"
#include "interrupt.h"
#include "misuse.h"
#include "params.h"

/* Queries are no misuse; the free is one, and is counted once. */
static void throw(struct fuzz *f, struct victim *v, const void *at)
{
	struct victim *owner = owner_of(f, at);

	KUNIT_EXPECT_EQ(f->test, pcslab_usable_size(at), 0);
	KUNIT_EXPECT_NULL(f->test, pcslab_heap_of(at));
	switch (below(f, 5)) {
	case 0:
		KUNIT_EXPECT_NULL(f->test, pcslab_realloc(v->heap, at, any_size(f), GFP_KERNEL));
		break;
	case 1:
		KUNIT_EXPECT_PTR_EQ(f->test, ZERO_SIZE_PTR,
				    pcslab_realloc(v->heap, at, 0, GFP_KERNEL));
		break;
	case 2:
		/* The rcu_head is not looked at. */
		__pcslab_free_rcu((void *)at, (void *)at);
		break;
	default:
		free_somehow(f, at);
	}
	f->refused++;
	if (owner)
		owner->books.bad_frees++;
}

static void bad_pointer(struct fuzz *f, struct victim *v)
{
	const void *at = pointers[below(f, nr_pointers)].get(f, v);

	if (!ZERO_OR_NULL_PTR(at) && !is_live(f, at))
		throw(f, v, at);
}

/* Misuses without a pointer */

static const gfp_t refused_gfp[] = { __GFP_HIGHMEM, GFP_DMA | GFP_DMA32 };

static void refused_flags(struct fuzz *f, struct victim *v)
{
	gfp_t gfp = GFP_KERNEL | refused_gfp[below(f, ARRAY_SIZE(refused_gfp))];
	size_t size = any_size(f);

	KUNIT_EXPECT_NULL(f->test, below(f, 2) ? pcslab_alloc(v->heap, size, gfp) :
				   pcslab_realloc(v->heap, NULL, size, gfp));
	count_fail(v, size);
}

static void absurd_size(struct fuzz *f, struct victim *v)
{
	static const size_t sizes[] = {
		(PAGE_SIZE << MAX_PAGE_ORDER) + 1, LONG_MAX, LONG_MAX + 1UL,
		SIZE_MAX - PAGE_SIZE, SIZE_MAX - 1, SIZE_MAX,
	};
	size_t size = sizes[below(f, ARRAY_SIZE(sizes))];
	/* Without __GFP_NOWARN the page allocator warns, as it should. */
	gfp_t gfp = GFP_KERNEL | __GFP_NOWARN;
	void *live = v->nr_held ? v->held[0].obj : NULL;

	KUNIT_EXPECT_NULL(f->test, pcslab_alloc(v->heap, size, gfp));
	KUNIT_EXPECT_NULL(f->test, pcslab_alloc_node(v->heap, size, gfp, 0));
	KUNIT_EXPECT_NULL(f->test, pcslab_realloc(v->heap, live, size, gfp));
	KUNIT_EXPECT_NULL(f->test, pcslab_calloc(v->heap, size, 1 + below(f, 100), gfp));
	KUNIT_EXPECT_NULL(f->test, pcslab_alloc_array(v->heap, SIZE_MAX / 2 + below(f, 100),
						      3, gfp));
	v->books.large_fails += 5;
}

static void nothing_at_all(struct fuzz *f, struct victim *v)
{
	KUNIT_EXPECT_PTR_EQ(f->test, pcslab_alloc(v->heap, 0, GFP_KERNEL), ZERO_SIZE_PTR);
	KUNIT_EXPECT_PTR_EQ(f->test, pcslab_calloc(v->heap, 0, below(f, 100), GFP_KERNEL),
			    ZERO_SIZE_PTR);
	pcslab_free(NULL);
	pcslab_free(ZERO_SIZE_PTR);
	pcslab_heap_destroy(NULL);
	pcslab_heap_destroy(ERR_PTR(-1 - (long)below(f, MAX_ERRNO)));
	KUNIT_EXPECT_EQ(f->test, -EINVAL, pcslab_heap_stats(NULL, &f->now));
	KUNIT_EXPECT_EQ(f->test, -EINVAL, pcslab_heap_stats_exact(v->heap, NULL));
}

static int name_error(const char *name)
{
	size_t i;

	if (strlen(name) >= PCSLAB_NAME_LEN)
		return -ENAMETOOLONG;
	if (!*name || !strcmp(name, ".") || !strcmp(name, ".."))
		return -EINVAL;
	for (i = 0; name[i]; i++) {
		if (name[i] <= ' ' || name[i] > '~' || name[i] == '/')
			return -EINVAL;
	}
	return 0;
}

/* Random bytes, or mostly letters; and a flag above the last one. */
static void bad_name(struct fuzz *f, struct victim *v)
{
	struct pcslab_heap_attr attr = {
		.flags = PCSLAB_HEAP_TRACK << (1 + below(f, BITS_PER_LONG - 8))
	};
	unsigned int i, len = below(f, PCSLAB_NAME_LEN + 3), any = below(f, 2);
	char name[PCSLAB_NAME_LEN + 3] = "";
	struct pcslab_heap *heap;

	for (i = 0; i < len; i++)
		name[i] = any ? prandom_u32_state(&f->random) : '-' + below(f, 80);
	heap = pcslab_heap_create(name, NULL);
	KUNIT_EXPECT_EQ(f->test, PTR_ERR_OR_ZERO(heap), name_error(name));
	pcslab_heap_destroy(heap);
	KUNIT_EXPECT_EQ(f->test, -EINVAL, PTR_ERR(pcslab_heap_create("victim-x", &attr)));
	KUNIT_EXPECT_EQ(f->test, -EINVAL, PTR_ERR(pcslab_heap_create(NULL, NULL)));
	KUNIT_EXPECT_EQ(f->test, -EEXIST, PTR_ERR(pcslab_heap_create(v->heap->name, NULL)));
}

#define LEFT	24

/* Objects of a destroyed heap */
struct left {
	void *obj[LEFT];
};

static void free_left(void *arg)
{
	struct left *left = arg;
	unsigned int i;

	for (i = 0; i < LEFT; i++)
		pcslab_free(left->obj[i]);
}

static struct pcslab_heap *heap_to_leave(struct fuzz *f, struct left *left)
{
	struct pcslab_heap *heap = pcslab_heap_create("left", NULL);
	unsigned int i;

	KUNIT_ASSERT_NOT_ERR_OR_NULL(f->test, heap);
	for (i = 0; i < LEFT; i++) {
		left->obj[i] = pcslab_alloc(heap, any_size(f), GFP_KERNEL);
		KUNIT_ASSERT_NOT_NULL(f->test, left->obj[i]);
		forget_freed(f, left->obj[i]);
	}
	return heap;
}

/* A work item releases the heap soon. */
static void expect_gone(struct fuzz *f)
{
	bool gone = false;
	unsigned int i;
	char *text;

	for (i = 0; i < 500; i++) {
		text = api_summary(f->test);
		gone = !strstr(text, "\nleft ");
		kunit_kfree(f->test, text);
		if (gone)
			return;
		msleep(20);
	}
	KUNIT_FAIL(f->test, "the heap stays, though its last object is freed");
}

/* Bad frees of its objects are charged to the heap, and forgotten with it. */
static void destroyed_with_objects(struct fuzz *f, struct victim *v)
{
	struct left left;
	struct pcslab_heap *heap = heap_to_leave(f, &left);

	pcslab_heap_destroy(heap);
	pcslab_free(left.obj[0] + 1);
	KUNIT_EXPECT_EQ(f->test, api_refused(f->test), f->refused + 1);
	KUNIT_EXPECT_PTR_EQ(f->test, pcslab_heap_of(left.obj[0]), heap);
	KUNIT_EXPECT_TRUE(f->test, interrupt_call(any_cpu(f), free_left, &left));
	expect_gone(f);
}

static void destroyed_while_freed(struct fuzz *f, struct victim *v)
{
	struct left left;
	struct pcslab_heap *heap = heap_to_leave(f, &left);
	struct interrupt interrupt;

	KUNIT_EXPECT_TRUE(f->test, interrupt_send(&interrupt, any_cpu(f), free_left, &left));
	pcslab_heap_destroy(heap);
	interrupt_wait(&interrupt);
	expect_gone(f);
}

/* The weight of each call in the mix */
static const struct call {
	void (*call)(struct fuzz *f, struct victim *v);
	unsigned int weight;
} calls[] = {
	{ do_alloc, 200 },
	{ do_free, 150 },
	{ do_realloc, 100 },
	{ bad_pointer, 400 },
	{ refused_flags, 50 },
	{ absurd_size, 20 },
	{ nothing_at_all, 20 },
	{ bad_name, 10 },
	{ destroyed_with_objects, 1 },
	{ destroyed_while_freed, 1 },
};

static void any_call(struct fuzz *f)
{
	unsigned int i, sum = 0, at;

	for (i = 0; i < ARRAY_SIZE(calls); i++)
		sum += calls[i].weight;
	at = below(f, sum);
	for (i = 0; at >= calls[i].weight; i++)
		at -= calls[i].weight;
	calls[i].call(f, any_victim(f));
}

#define CALLS		16	/* in a sequence */

static void sequence(struct fuzz *f)
{
	unsigned int i;

	for (i = 0; i < CALLS; i++)
		any_call(f);
}

static void random_sequences(struct kunit *test)
{
	u32 seed = pcslab_test_seed;
	struct fuzz *f = test->priv;
	u64 before = f->refused;
	unsigned int i;

	if (!seed)
		get_random_bytes(&seed, sizeof(seed));
	prandom_seed_state(&f->random, seed);
	for (i = 0; i < pcslab_test_sequences; i++) {
		sequence(f);
		if (!books_are_right(f)) {
			KUNIT_FAIL(test, "the books are wrong after sequence %u", i);
			break;
		}
	}
	kunit_info(test, "seed %u: %u sequences, %llu bad frees", seed, i, f->refused - before);
}

/* The kernel log */

static void log_skip(struct fuzz *f)
{
	kmsg_dump_rewind(&f->log);
	f->log.cur_seq = f->log.next_seq;
}

/* True if the log has a line with @key by now, which is then in @line. */
static bool log_has(struct fuzz *f, const char *key, char *line, size_t size)
{
	size_t len;

	while (kmsg_dump_get_line(&f->log, false, line, size - 1, &len)) {
		line[len] = '\0';
		if (strstr(line, key))
			return true;
	}
	return false;
}

/*
 * The first heap has one object of the kind's size. The log takes ten bad frees
 * in five seconds, so if the line is missing the pointer is freed once more.
 */
static void expect_named(struct fuzz *f, const struct pointer *kind)
{
	struct victim *v = &f->victim[0];
	char line[256] = "";
	const void *at;
	bool said;

	hold(f, v, pcslab_alloc(v->heap, kind->size, GFP_KERNEL));
	at = kind->get(f, v);
	log_skip(f);
	throw(f, v, at);
	said = log_has(f, "pcslab: bad free of ", line, sizeof(line));
	if (!said) {
		msleep(5000);
		throw(f, v, at);
		said = log_has(f, "pcslab: bad free of ", line, sizeof(line));
	}
	KUNIT_EXPECT_TRUE_MSG(f->test, said && strstr(line, kind->says),
			      "%ps should be said to be %s, not: %s", kind->get, kind->says, line);
	KUNIT_EXPECT_TRUE(f->test, log_has(f, "pcslab: freed by ", line, sizeof(line)));
	drop(f, v, &v->held[0]);
}

static void bad_frees_are_named(struct kunit *test)
{
	struct fuzz *f = test->priv;
	unsigned int i;

	for (i = 0; i < nr_pointers; i++) {
		if (pointers[i].says)
			expect_named(f, &pointers[i]);
	}
	KUNIT_EXPECT_TRUE(test, books_are_right(f));
}

static void refused_flags_are_named(struct kunit *test)
{
	struct fuzz *f = test->priv;
	struct victim *v = &f->victim[0];
	char key[96], line[256];
	unsigned int i;
	gfp_t gfp;

	for (i = 0; i < ARRAY_SIZE(refused_gfp); i++) {
		gfp = GFP_KERNEL | refused_gfp[i];
		snprintf(key, sizeof(key), "pcslab: heap victim-0: gfp %pGg asks for ", &gfp);
		log_skip(f);
		KUNIT_EXPECT_NULL(test, pcslab_alloc(v->heap, 64, gfp));
		count_fail(v, 64);
		KUNIT_EXPECT_TRUE_MSG(test, log_has(f, key, line, sizeof(line)), "%s", key);
	}
}

static void objects_left_are_named(struct kunit *test)
{
	struct fuzz *f = test->priv;
	char line[256];

	log_skip(f);
	destroyed_with_objects(f, &f->victim[0]);
	KUNIT_EXPECT_TRUE(test, log_has(f, "pcslab: heap left destroyed with 24 objects live",
					line, sizeof(line)));
}

/* The log is tested with the first heap, which has default attributes. */
static const struct pcslab_heap_attr attrs[VICTIMS] = {
	{}, { PCSLAB_HEAP_RANDOM }, { PCSLAB_HEAP_POISON | PCSLAB_HEAP_REDZONE },
};

static int misuse_init(struct kunit *test)
{
	struct fuzz *f = vzalloc(sizeof(*f));
	char name[] = "victim-0";
	unsigned int i;

	KUNIT_ASSERT_NOT_NULL(test, f);
	test->priv = f;
	f->test = test;
	f->kmalloced = kmalloc(OTHERS, GFP_KERNEL);
	f->vmalloced = vmalloc(OTHERS);
	f->page = alloc_pages(GFP_KERNEL | __GFP_COMP, get_order(OTHERS));
	KUNIT_ASSERT_TRUE(test, f->kmalloced && f->vmalloced && f->page);
	for (i = 0; i < VICTIMS; i++) {
		name[sizeof(name) - 2] = '0' + i;
		f->victim[i].heap = pcslab_heap_create(name, &attrs[i]);
		KUNIT_ASSERT_NOT_ERR_OR_NULL(test, f->victim[i].heap);
	}
	f->refused = api_refused(test);
	prandom_seed_state(&f->random, 1);
	return 0;
}

static void misuse_exit(struct kunit *test)
{
	struct fuzz *f = test->priv;
	unsigned int i;

	for (i = 0; i < VICTIMS; i++) {
		while (f->victim[i].nr_held)
			drop(f, &f->victim[i], &f->victim[i].held[0]);
	}
	KUNIT_EXPECT_TRUE_MSG(test, books_are_right(f), "with all freed");
	for (i = 0; i < VICTIMS; i++)
		pcslab_heap_destroy(f->victim[i].heap);
	set_page_private(f->page, 0);
	__free_pages(f->page, get_order(OTHERS));
	vfree(f->vmalloced);
	kfree(f->kmalloced);
	vfree(f);
}

static struct kunit_case cases[] = {
	KUNIT_CASE(bad_frees_are_named),
	KUNIT_CASE(refused_flags_are_named),
	KUNIT_CASE(objects_left_are_named),
	KUNIT_CASE(random_sequences),
	{}
};

static struct kunit_suite suite = {
	.name = "pcslab_misuse",
	.init = misuse_init,
	.exit = misuse_exit,
	.test_cases = cases,
};

kunit_test_suite(suite);

MODULE_DESCRIPTION("KUnit tests of pcslab with bad clients");
MODULE_LICENSE("GPL");
MODULE_INFO(import_ns, "PCSLAB");
