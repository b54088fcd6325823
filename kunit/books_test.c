// SPDX-License-Identifier: GPL-2.0
/*
 * Contracts 2, 3 and 4: each operation is counted once, on the CPU that made
 * it, and the sum is right at once. After every operation, in tasks and in
 * interrupts, the statistics must equal those of an oracle (lib/oracle.h).
 */
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/slab.h>

#include "interrupt.h"
#include "oracle.h"

#define BOOK_OPS	4000
#define BOOK_OBJECTS	256

struct held {
	void *obj;
	size_t usable;
	unsigned int index;
};

struct bookkeeper {
	struct pcslab_heap *heap;
	struct oracle oracle;
	struct held held[BOOK_OBJECTS];
	unsigned int nr;
};

static void count_alloc(struct oracle *oracle, unsigned int index, size_t usable)
{
	oracle->allocs[raw_smp_processor_id()][index]++;
	if (index == PCSLAB_LARGE)
		oracle->large_alloc_bytes += usable;
}

static void count_free(struct oracle *oracle, unsigned int index, size_t usable)
{
	oracle->frees[raw_smp_processor_id()][index]++;
	if (index == PCSLAB_LARGE)
		oracle->large_free_bytes += usable;
}

static size_t random_size(void)
{
	u32 r = random_u32();

	if (r % 16 == 0)
		return PCSLAB_MAX_SIZE + 1 + random_u32() % (6 * PAGE_SIZE);
	return 1 + random_u32() % (8u << (r / 16 % 11));
}

static void do_alloc(struct kunit *test, struct bookkeeper *keeper)
{
	size_t size = random_size();
	struct held held = {
		.index = size_index(size),
		.usable = size_usable(size),
	};

	held.obj = random_u32() % 2 ? pcslab_alloc(keeper->heap, size, GFP_KERNEL) :
				      pcslab_alloc_node(keeper->heap, size, GFP_KERNEL,
							random_u32() % nr_node_ids);
	KUNIT_ASSERT_NOT_NULL(test, held.obj);
	count_alloc(&keeper->oracle, held.index, held.usable);
	keeper->held[keeper->nr++] = held;
}

static void do_free(struct bookkeeper *keeper, unsigned int i)
{
	struct held held = keeper->held[i];

	keeper->held[i] = keeper->held[--keeper->nr];
	pcslab_free(held.obj);
	count_free(&keeper->oracle, held.index, held.usable);
}

/* Counts as nothing if in place, else as an allocation and a free. */
static void do_realloc(struct kunit *test, struct bookkeeper *keeper, unsigned int i)
{
	struct held *held = &keeper->held[i];
	size_t size = random_size();
	void *obj = pcslab_realloc(keeper->heap, held->obj, size, GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, obj);
	KUNIT_EXPECT_EQ(test, obj == held->obj, size <= held->usable);
	if (obj == held->obj)
		return;
	count_free(&keeper->oracle, held->index, held->usable);
	*held = (struct held){ obj, size_usable(size), size_index(size) };
	count_alloc(&keeper->oracle, held->index, held->usable);
}

/* A refused call counts as one failure of its class and nothing else. */
static void do_fail(struct kunit *test, struct bookkeeper *keeper)
{
	size_t size = random_size();

	KUNIT_EXPECT_NULL(test, pcslab_alloc(keeper->heap, size, GFP_KERNEL | __GFP_HIGHMEM));
	keeper->oracle.fails[size_index(size)]++;
	KUNIT_EXPECT_NULL(test, pcslab_alloc_array(keeper->heap, SIZE_MAX / 2, 3, GFP_KERNEL));
	keeper->oracle.fails[PCSLAB_LARGE]++;
}

static void do_something(struct kunit *test, struct bookkeeper *keeper)
{
	u32 r = random_u32() % 32;

	if (r == 0)
		do_fail(test, keeper);
	else if (keeper->nr == 0 || (r < 16 && keeper->nr < BOOK_OBJECTS))
		do_alloc(test, keeper);
	else if (r < 20)
		do_realloc(test, keeper, random_u32() % keeper->nr);
	else
		do_free(keeper, random_u32() % keeper->nr);
}

/*
 * Makes random calls on all CPUs in turn, and checks the totals after each
 * call.
 */
static void keep_books(struct kunit *test, struct pcslab_heap *heap)
{
	struct bookkeeper *keeper = kunit_kzalloc(test, sizeof(*keeper), GFP_KERNEL);
	unsigned int op, cpu;

	KUNIT_ASSERT_NOT_NULL(test, keeper);
	keeper->heap = heap;
	for (op = 0; op < BOOK_OPS; op++) {
		if (op % 16 == 0)
			move_to(test, op / 16 % num_online_cpus());
		do_something(test, keeper);
		if (!books_match(test, keeper->heap, &keeper->oracle)) {
			KUNIT_FAIL(test, "the books are wrong after operation %u", op);
			break;
		}
	}
	for_each_online_cpu(cpu)
		expect_rows(test, keeper->heap, &keeper->oracle, cpu);
	expect_quiet(test, keeper->heap);
	while (keeper->nr)
		do_free(keeper, 0);
	KUNIT_EXPECT_TRUE(test, books_match(test, keeper->heap, &keeper->oracle));
	expect_quiet(test, keeper->heap);
	move_anywhere();
	destroy_heap(test, keeper->heap);
}

static void after_every_operation(struct kunit *test)
{
	keep_books(test, new_heap(test, "books"));
}

static const size_t some_sizes[] = { 8, 64, 100, 1000, 8192, 20000 };

static void across(struct kunit *test, struct pcslab_heap *heap, struct oracle *oracle,
		   unsigned int from, unsigned int to, size_t size)
{
	size_t usable = size_usable(size);
	void *obj[40];
	unsigned int i;

	move_to(test, from);
	for (i = 0; i < ARRAY_SIZE(obj); i++) {
		obj[i] = pcslab_alloc(heap, size, GFP_KERNEL);
		KUNIT_ASSERT_NOT_NULL(test, obj[i]);
		count_alloc(oracle, size_index(size), usable);
	}
	move_to(test, to);
	for (i = 0; i < ARRAY_SIZE(obj); i++) {
		pcslab_free(obj[i]);
		count_free(oracle, size_index(size), usable);
	}
	/* Check now, because later errors of the pairs could cancel out. */
	expect_rows(test, heap, oracle, from);
	expect_rows(test, heap, oracle, to);
}

/*
 * For every pair of CPUs: the CPU that allocates counts that, the CPU that
 * frees counts that.
 */
static void freed_on_another_cpu(struct kunit *test)
{
	struct oracle *oracle = kunit_kzalloc(test, sizeof(*oracle), GFP_KERNEL);
	struct pcslab_heap *heap = new_heap(test, "across");
	unsigned int from, to, i;

	KUNIT_ASSERT_NOT_NULL(test, oracle);
	for (i = 0; i < ARRAY_SIZE(some_sizes); i++) {
		for_each_online_cpu(from) {
			for_each_online_cpu(to)
				across(test, heap, oracle, from, to, some_sizes[i]);
		}
	}
	KUNIT_EXPECT_TRUE(test, books_match(test, heap, oracle));
	expect_quiet(test, heap);
	move_anywhere();
	destroy_heap(test, heap);
}

struct from_interrupt {
	struct pcslab_heap *heap;
	struct oracle *oracle;
	void *obj[64];
};

/* Allocates the objects that are missing, and frees those that are there. */
static void interrupt_handler(void *arg)
{
	struct from_interrupt *call = arg;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(call->obj); i++) {
		if (call->obj[i]) {
			pcslab_free(call->obj[i]);
			count_free(call->oracle, size_index(200), 0);
			call->obj[i] = NULL;
			continue;
		}
		call->obj[i] = pcslab_alloc(call->heap, 200, GFP_ATOMIC);
		if (call->obj[i])
			count_alloc(call->oracle, size_index(200), 0);
		else
			call->oracle->fails[size_index(200)]++;
	}
}

/* Hard interrupts count the same way, even with the first use of a class. */
static void in_interrupts(struct kunit *test)
{
	struct from_interrupt *call = kunit_kzalloc(test, sizeof(*call), GFP_KERNEL);
	unsigned int cpu;

	KUNIT_ASSERT_NOT_NULL(test, call);
	call->oracle = kunit_kzalloc(test, sizeof(*call->oracle), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, call->oracle);
	call->heap = new_heap(test, "interrupts");
	for_each_online_cpu(cpu) {
		interrupt_call(cpu, interrupt_handler, call);
		interrupt_call(cpumask_next(cpu, cpu_online_mask) % nr_cpu_ids,
			       interrupt_handler, call);
	}
	for_each_online_cpu(cpu)
		expect_rows(test, call->heap, call->oracle, cpu);
	KUNIT_EXPECT_TRUE(test, books_match(test, call->heap, call->oracle));
	expect_quiet(test, call->heap);
	destroy_heap(test, call->heap);
}

static unsigned int cpu_of_node(struct kunit *test, int node)
{
	unsigned int cpu = cpumask_first(cpumask_of_node(node));

	KUNIT_ASSERT_LT(test, cpu, nr_cpu_ids);
	return cpu;
}

static u64 depot_objects(struct pcslab_class *class, int node)
{
	return class->depot[node].nr_free + class->depot[node].nr_rounds;
}

/* More than four magazines, which have 126 rounds for 256 bytes on 32 bits */
#define NODE_OBJECTS	600

static int node_of(const void *obj)
{
	return page_to_nid(virt_to_page(obj));
}

static void fill_from(struct kunit *test, struct pcslab_heap *heap, void **obj, int node)
{
	unsigned int i, elsewhere = 0;

	for (i = 0; i < NODE_OBJECTS; i++) {
		obj[i] = pcslab_alloc(heap, 256, GFP_KERNEL);
		KUNIT_ASSERT_NOT_NULL(test, obj[i]);
		elsewhere += node_of(obj[i]) != node;
	}
	KUNIT_EXPECT_EQ(test, elsewhere, 0u);
}

/*
 * When CPUs of node 0 free objects of node 1, these go to node 1's depot. None
 * goes to the magazines of those CPUs, and no CPU of node 0 gets it.
 */
static void node_gets_its_own_back(struct kunit *test)
{
	void **obj = kunit_kcalloc(test, NODE_OBJECTS, sizeof(*obj), GFP_KERNEL);
	unsigned int i, near, far;
	struct pcslab_class *class;
	struct pcslab_heap *heap;
	u64 before, mine, frees;
	void *last;

	if (num_online_nodes() < 2)
		kunit_skip(test, "one node only");
	KUNIT_ASSERT_NOT_NULL(test, obj);
	near = cpu_of_node(test, 0);
	far = cpu_of_node(test, 1);
	heap = new_heap(test, "nodes");

	/*
	 * Fill a magazine and leave room for the objects that must not go
	 * there.
	 */
	move_to(test, near);
	fill_from(test, heap, obj, 0);
	for (i = 0; i < NODE_OBJECTS; i++)
		pcslab_free(obj[i]);
	last = pcslab_alloc(heap, 256, GFP_KERNEL);

	move_to(test, far);
	fill_from(test, heap, obj, 1);
	class = heap->class[size_index(256)];
	before = depot_objects(class, 1);

	move_to(test, near);
	mine = pcslab_cached(class, pcslab_cpu_of(class, near)) + depot_objects(class, 0);
	frees = own_frees(class, near);
	for (i = 0; i < NODE_OBJECTS; i++)
		pcslab_free(obj[i]);
	KUNIT_EXPECT_EQ(test, mine, pcslab_cached(class, pcslab_cpu_of(class, near)) +
				    depot_objects(class, 0));
	/* Slabs that became empty may have been freed. */
	KUNIT_EXPECT_GT(test, depot_objects(class, 1), before);
	KUNIT_EXPECT_EQ(test, own_frees(class, near), frees + NODE_OBJECTS);
	pcslab_free(last);
	expect_quiet(test, heap);

	fill_from(test, heap, obj, 0);
	for (i = 0; i < NODE_OBJECTS; i++)
		pcslab_free(obj[i]);
	move_anywhere();
	destroy_heap(test, heap);
}

/* Every CPU gets objects of the requested node, of every class and large. */
static void node_asked_for(struct kunit *test)
{
	struct pcslab_heap *heap = new_heap(test, "asked");
	unsigned int cpu, i;
	size_t size;
	void *obj;
	int node;

	for_each_online_cpu(cpu) {
		move_to(test, cpu);
		for (i = 0; i <= PCSLAB_LARGE; i++) {
			size = i == PCSLAB_LARGE ? 4 * PAGE_SIZE : pcslab_class_size(i);
			for_each_online_node(node) {
				obj = pcslab_alloc_node(heap, size, GFP_KERNEL | __GFP_THISNODE,
							node);
				KUNIT_ASSERT_NOT_NULL(test, obj);
				KUNIT_EXPECT_EQ(test, node_of(obj), node);
				pcslab_free(obj);
			}
		}
	}
	expect_quiet(test, heap);
	move_anywhere();
	destroy_heap(test, heap);
}

/*
 * Objects that only full magazines hold are handed out one by one to CPUs of
 * other nodes.
 */
static void full_magazines_serve_other_nodes(struct kunit *test)
{
	void **obj = kunit_kcalloc(test, NODE_OBJECTS, sizeof(*obj), GFP_KERNEL);
	struct pcslab_depot *depot;
	unsigned long slabs;
	struct pcslab_heap *heap;
	unsigned int i, nr;

	if (num_online_nodes() < 2)
		kunit_skip(test, "one node only");
	KUNIT_ASSERT_NOT_NULL(test, obj);
	heap = new_heap(test, "full");
	move_to(test, cpu_of_node(test, 0));
	fill_from(test, heap, obj, 0);
	for (i = 0; i < NODE_OBJECTS; i++)
		pcslab_free(obj[i]);
	depot = &heap->class[size_index(256)]->depot[0];
	slabs = depot->nr_slabs;
	KUNIT_EXPECT_GT(test, depot->mags_full.nr, 0u);

	move_to(test, cpu_of_node(test, 1));
	for (nr = 0; nr < NODE_OBJECTS && depot->mags_full.nr; nr++) {
		obj[nr] = pcslab_alloc_node(heap, 256, GFP_KERNEL | __GFP_THISNODE, 0);
		KUNIT_ASSERT_NOT_NULL(test, obj[nr]);
		KUNIT_EXPECT_EQ(test, node_of(obj[nr]), 0);
	}
	KUNIT_EXPECT_EQ(test, depot->mags_full.nr, 0u);
	KUNIT_EXPECT_EQ(test, depot->nr_free + depot->nr_rounds, 0ul);
	KUNIT_EXPECT_EQ(test, depot->nr_slabs, slabs);
	expect_quiet(test, heap);
	for (i = 0; i < nr; i++)
		pcslab_free(obj[i]);
	move_anywhere();
	destroy_heap(test, heap);
}

/* The state of any object of a class that has the state @state. */
static u8 *find_state_of(struct pcslab_class *class, enum pcslab_state state)
{
	struct pcslab_slab *slab;
	u8 *found = NULL;
	int node;

	for_each_online_node(node) {
		list_for_each_entry(slab, &class->depot[node].all, all)
			found = found ?: memchr(slab->state, state, slab->nr);
	}
	return found;
}

static void expect_audit(struct kunit *test, const char *live_deferred_wrong)
{
	char command[160];

	snprintf(command, sizeof(command),
		 "awk '$1 == 64 { print $4, $8, $9 }' /sys/kernel/debug/pcslab/heaps/audit/audit | grep -qx '%s'",
		 live_deferred_wrong);
	KUNIT_EXPECT_EQ_MSG(test, run_shell(command), 0, "not %s", live_deferred_wrong);
}

/*
 * Rounds that point outside of any object, into an object, or to the state of
 * another object.
 */
static void check_rounds(struct kunit *test, struct pcslab_round *round, u8 *state)
{
	struct pcslab_round was = *round;

	round->obj = round;
	expect_audit(test, "2 0 1");
	round->obj = was.obj + 1;
	expect_audit(test, "2 0 1");
	*round = (struct pcslab_round){ .obj = was.obj, .state = state };
	expect_audit(test, "2 0 1");
	*round = was;
}

/*
 * The audit finds wrong states without the counters: it reads states and
 * magazines.
 */
static void audit_looks_itself(struct kunit *test)
{
	struct pcslab_heap *heap = new_heap(test, "audit");
	void *obj, *other;
	u8 *live, *cached;

	move_to(test, 0);
	obj = pcslab_alloc(heap, 64, GFP_KERNEL);
	other = pcslab_alloc(heap, 64, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, obj);
	KUNIT_ASSERT_NOT_NULL(test, other);
	live = find_state_of(heap->class[size_index(64)], PCSLAB_OBJ_LIVE);
	cached = find_state_of(heap->class[size_index(64)], PCSLAB_OBJ_CACHED);
	KUNIT_ASSERT_NOT_NULL(test, live);
	KUNIT_ASSERT_NOT_NULL(test, cached);
	expect_audit(test, "2 0 0");
	WRITE_ONCE(*live, PCSLAB_OBJ_DEFERRED);
	expect_audit(test, "1 1 0");
	WRITE_ONCE(*live, PCSLAB_OBJ_LIVE);
	WRITE_ONCE(*cached, PCSLAB_OBJ_LIVE);
	expect_audit(test, "3 0 1");
	WRITE_ONCE(*cached, PCSLAB_OBJ_CACHED);
	check_rounds(test, pcslab_cpu_of(heap->class[size_index(64)], 0)->loaded->round, live);
	pcslab_free(obj);
	pcslab_free(other);
	expect_quiet(test, heap);
	move_anywhere();
	destroy_heap(test, heap);
}

/*
 * A walk keeps a pointer to the next object or magazine. Taking that one must
 * move the walk on.
 */
static void walks_are_moved_on(struct kunit *test)
{
	void **obj = kunit_kcalloc(test, NODE_OBJECTS, sizeof(*obj), GFP_KERNEL);
	struct pcslab_heap *heap = new_heap(test, "walk");
	struct pcslab_magazine *next;
	struct pcslab_depot *depot;
	unsigned int i, nr_full;
	void *older, *newer;

	KUNIT_ASSERT_NOT_NULL(test, obj);
	older = pcslab_alloc(heap, 20000, GFP_KERNEL);
	newer = pcslab_alloc(heap, 20000, GFP_KERNEL);
	KUNIT_ASSERT_PTR_EQ(test, heap->large, virt_to_page(newer));
	heap->large_cursor = virt_to_page(newer);
	pcslab_free(newer);
	KUNIT_EXPECT_PTR_EQ(test, heap->large_cursor, virt_to_page(older));
	pcslab_free(older);
	KUNIT_EXPECT_NULL(test, heap->large_cursor);

	move_to(test, 0);
	fill_from(test, heap, obj, 0);
	for (i = 0; i < NODE_OBJECTS; i++)
		pcslab_free(obj[i]);
	depot = &heap->class[size_index(256)]->depot[0];
	nr_full = depot->mags_full.nr;
	KUNIT_ASSERT_GE(test, nr_full, 2u);
	depot->cursor = depot->mags_full.top;
	next = depot->mags_full.top->next;
	for (i = 0; i < NODE_OBJECTS && depot->mags_full.nr == nr_full; i++)
		obj[i] = pcslab_alloc(heap, 256, GFP_KERNEL);
	KUNIT_EXPECT_PTR_EQ(test, depot->cursor, next);
	while (i--)
		pcslab_free(obj[i]);
	expect_quiet(test, heap);
	move_anywhere();
	destroy_heap(test, heap);
}

static struct kunit_case books_cases[] = {
	KUNIT_CASE(after_every_operation),
	KUNIT_CASE(freed_on_another_cpu),
	KUNIT_CASE(in_interrupts),
	KUNIT_CASE(node_gets_its_own_back),
	KUNIT_CASE(node_asked_for),
	KUNIT_CASE(full_magazines_serve_other_nodes),
	KUNIT_CASE(audit_looks_itself),
	KUNIT_CASE(walks_are_moved_on),
	{}
};

static struct kunit_suite suite = {
	.name = "pcslab_books",
	.init = cpu_suite_init,
	.test_cases = books_cases,
};

kunit_test_suite(suite);

MODULE_DESCRIPTION("KUnit tests of pcslab's books: CPUs, failures, load");
MODULE_LICENSE("GPL");
MODULE_INFO(import_ns, "PCSLAB");
