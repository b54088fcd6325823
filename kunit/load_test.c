// SPDX-License-Identifier: GPL-2.0
/*
 * Contracts 1, 5 and 7 under load: millions of operations on all CPUs while
 * CPUs come and go and a reader reads. No total may ever fall, and at the end
 * all counts must be those of an oracle.
 *
 * Workers exchange objects through slots, so most objects are freed by another
 * CPU than the one that allocated them. Each object carries a description of
 * itself (see stamp()), which is checked before the free. There are two heaps.
 * Operations on the first run with preemption off, so the oracle knows their
 * CPU. Those on the second may sleep, migrate and be preempted in the middle,
 * so only their totals are known.
 */
#include <linux/delay.h>
#include <linux/hash.h>
#include <linux/kthread.h>
#include <linux/prandom.h>
#include <linux/slab.h>

#include "oracle.h"
#include "params.h"
#include "stay.h"

#define NR_SLOTS	8192	/* a power of two */
#define NR_WORKERS	4

enum { KNOWN, ANYWHERE, NR_HEAPS };

struct worker {
	struct load *load;
	struct task_struct *task;
	u64 random;
	unsigned long ops;
	unsigned long bad;
	struct oracle oracle[NR_HEAPS];
};

struct load {
	struct pcslab_heap *heap[NR_HEAPS];
	void **slot;
	bool stop;
	struct worker worker[NR_WORKERS];
};

/* xorshift64* */
static u64 next(struct worker *w)
{
	w->random ^= w->random >> 12;
	w->random ^= w->random << 25;
	w->random ^= w->random >> 27;
	return w->random * 0x2545F4914F6CDD1DULL;
}

/*
 * The first word of an object holds a hash of its address and what it is. The
 * last word is the complement, so an object that overlaps another is noticed.
 */
static u64 stamp_of(const void *obj, unsigned int heap, size_t size)
{
	return (u64)hash_ptr(obj, 32) << 32 | heap << 31 | (u32)size;
}

static void stamp(struct worker *w, void *obj, unsigned int heap, size_t size)
{
	u64 *word = obj, value = stamp_of(obj, heap, size);

	/* This also tells KASAN that all of it is used. */
	w->bad += pcslab_usable_size(obj) != size_usable(size);
	word[size_usable(size) / sizeof(*word) - 1] = ~value;
	word[0] = value;
}

static bool stamp_read(const void *obj, unsigned int *heap, size_t *size)
{
	const u64 *word = obj;
	size_t last;

	*heap = word[0] >> 31 & 1;
	*size = word[0] & GENMASK(30, 0);
	if (word[0] != stamp_of(obj, *heap, *size))
		return false;
	last = size_usable(*size) / sizeof(*word) - 1;
	return !last || word[last] == ~word[0];
}

static void count_alloc(struct worker *w, unsigned int heap, size_t size, bool done)
{
	unsigned int index = size_index(size);
	struct oracle *oracle = &w->oracle[heap];

	if (!done) {
		oracle->fails[index]++;
		return;
	}
	oracle->allocs[raw_smp_processor_id()][index]++;
	if (index == PCSLAB_LARGE)
		oracle->large_alloc_bytes += size_usable(size);
}

static void count_free(struct worker *w, unsigned int heap, size_t size)
{
	unsigned int index = size_index(size);
	struct oracle *oracle = &w->oracle[heap];

	oracle->frees[raw_smp_processor_id()][index]++;
	if (index == PCSLAB_LARGE)
		oracle->large_free_bytes += size_usable(size);
}

static void *checked_alloc(struct worker *w, unsigned int heap, size_t size)
{
	void *obj;

	w->ops++;
	if (heap == KNOWN) {
		stay_here();
		obj = pcslab_alloc(w->load->heap[heap], size, GFP_ATOMIC | __GFP_NOWARN);
		count_alloc(w, heap, size, obj);
		may_leave();
	} else {
		obj = pcslab_alloc(w->load->heap[heap], size, GFP_KERNEL);
		count_alloc(w, heap, size, obj);
	}
	if (obj)
		stamp(w, obj, heap, size);
	return obj;
}

static void checked_free(struct worker *w, void *obj)
{
	unsigned int heap;
	size_t size;

	if (!obj)
		return;
	if (!stamp_read(obj, &heap, &size)) {
		w->bad++;
		return;
	}
	*(u64 *)obj = 0;	/* exposes an object handed out twice */
	w->ops++;
	if (heap == KNOWN) {
		stay_here();
		pcslab_free(obj);
		count_free(w, heap, size);
		may_leave();
	} else {
		pcslab_free(obj);
		count_free(w, heap, size);
	}
}

static void *checked_realloc(struct worker *w, void *obj, size_t size)
{
	unsigned int heap;
	size_t old;
	void *new;

	if (!obj)
		return NULL;
	if (!stamp_read(obj, &heap, &old)) {
		w->bad++;
		return NULL;
	}
	if (size <= size_usable(old)) {
		/* The object stays where it is, and in its class. */
		w->bad += pcslab_realloc(w->load->heap[heap], obj, size, GFP_KERNEL) != obj;
		w->bad += pcslab_usable_size(obj) != size_usable(old);
		return obj;
	}
	if (heap == KNOWN) {
		stay_here();
		new = pcslab_realloc(w->load->heap[heap], obj, size, GFP_ATOMIC | __GFP_NOWARN);
		count_alloc(w, heap, size, new);
		if (new)
			count_free(w, heap, old);
		may_leave();
	} else {
		new = pcslab_realloc(w->load->heap[heap], obj, size, GFP_KERNEL);
		count_alloc(w, heap, size, new);
		if (new)
			count_free(w, heap, old);
	}
	if (!new)
		return obj;
	w->ops += 2;
	w->bad += *(u64 *)new != stamp_of(obj, heap, old);
	stamp(w, new, heap, size);
	return new;
}

/* Mostly small: sizes of all classes, and one in 1024 large. */
static size_t next_size(u64 r)
{
	if (!(r & 1023))
		return PCSLAB_MAX_SIZE + 1 + (r >> 10 & (4 * PAGE_SIZE - 1));
	return 1 + (r >> 20 & ((8 << (r & 7) << (r >> 3 & 3)) - 1));
}

static void step(struct worker *w)
{
	u64 r = next(w);
	void **slot = &w->load->slot[r >> 40 & (NR_SLOTS - 1)];
	void *obj;

	if ((r >> 60) == 0)
		obj = checked_realloc(w, xchg(slot, NULL), next_size(r));
	else if ((r >> 60) == 1)
		obj = NULL;
	else
		obj = checked_alloc(w, r >> 59 & 1, next_size(r));
	checked_free(w, xchg(slot, obj));
}

static int work(void *arg)
{
	struct worker *w = arg;
	unsigned int i;

	while (!READ_ONCE(w->load->stop)) {
		sit_on((u32)next(w) % num_present_cpus());
		for (i = 0; i < 4096 && !READ_ONCE(w->load->stop); i++) {
			step(w);
			cond_resched();
		}
	}
	while (!kthread_should_stop())
		msleep(20);
	return 0;
}

/*
 * The reader checks that no counter falls, and that frees never exceed
 * allocations
 */
struct reader {
	struct load *load;
	struct task_struct *task;
	unsigned long reads, fell, negative;
	struct pcslab_stats last[NR_HEAPS], now;
};

static void compare_with_last(struct reader *reader, struct pcslab_stats *last)
{
	reader->fell += stats_fell(last, &reader->now);
	reader->negative += stats_negative(&reader->now);
	*last = reader->now;
}

static int read_all_the_time(void *arg)
{
	struct reader *reader = arg;
	unsigned int heap;

	while (!kthread_should_stop()) {
		heap = reader->reads % NR_HEAPS;
		if (reader->reads % 64 < NR_HEAPS)
			pcslab_heap_stats_exact(reader->load->heap[heap], &reader->now);
		else
			pcslab_heap_stats(reader->load->heap[heap], &reader->now);
		compare_with_last(reader, &reader->last[heap]);
		reader->reads++;
		cond_resched();
	}
	return 0;
}

static unsigned long ops_done(struct load *load)
{
	unsigned long ops = 0;
	unsigned int i;

	for (i = 0; i < NR_WORKERS; i++)
		ops += READ_ONCE(load->worker[i].ops);
	return ops;
}

/* Runs until both targets are reached; sometimes two CPUs are down together. */
static void cycle_cpus(struct kunit *test, struct load *load)
{
	unsigned int others = num_present_cpus() - 1, cpu, second, done = 0;
	unsigned long ops = pcslab_test_load_ops;
	unsigned int cycles = pcslab_test_load_cycles;

	while (done < cycles || ops_done(load) < ops) {
		cpu = 1 + done % others;
		second = 1 + (done + 1) % others;
		take_down(test, cpu);
		if (done % 4 == 3) {
			take_down(test, second);
			bring_up(test, second);
			done++;
		}
		/* Spread the cycles over all of the operations. */
		while (done < cycles && ops_done(load) < ops / cycles * done)
			usleep_range(1000, 2000);
		bring_up(test, cpu);
		done++;
	}
	kunit_info(test, "%lu operations, %u offline/online cycles\n", ops_done(load), done);
}

static void start_load(struct kunit *test, struct load *load, struct reader *reader)
{
	struct worker *w;
	unsigned int i;

	for (i = 0; i < NR_WORKERS; i++) {
		w = &load->worker[i];
		w->load = load;
		w->random = random_u32() | 1;
		w->task = kthread_run(work, w, "pcslab-load/%u", i);
		KUNIT_ASSERT_FALSE(test, IS_ERR(w->task));
	}
	reader->load = load;
	reader->task = kthread_run(read_all_the_time, reader, "pcslab-reader");
	KUNIT_ASSERT_FALSE(test, IS_ERR(reader->task));
}

static void stop_load(struct load *load, struct reader *reader)
{
	unsigned int i;

	WRITE_ONCE(load->stop, true);
	for (i = 0; i < NR_WORKERS; i++)
		kthread_stop(load->worker[i].task);
	kthread_stop(reader->task);
}

static void add_oracle(struct oracle *to, const struct oracle *from)
{
	unsigned int cpu, i;

	for (cpu = 0; cpu < TEST_CPUS; cpu++) {
		for (i = 0; i <= PCSLAB_LARGE; i++) {
			to->allocs[cpu][i] += from->allocs[cpu][i];
			to->frees[cpu][i] += from->frees[cpu][i];
		}
	}
	for (i = 0; i <= PCSLAB_LARGE; i++)
		to->fails[i] += from->fails[i];
	to->large_alloc_bytes += from->large_alloc_bytes;
	to->large_free_bytes += from->large_free_bytes;
}

/* All counts that do not belong to CPU 0, those of dead CPUs included. */
static void expect_other_rows(struct kunit *test, struct pcslab_class *class,
			      const struct oracle *oracle, unsigned int i)
{
	const struct pcslab_inherited *inherited = &class->inherited;
	u64 allocs = inherited->allocs, frees = inherited->frees;
	unsigned int cpu;

	for (cpu = 1; cpu < TEST_CPUS; cpu++) {
		allocs -= oracle->allocs[cpu][i];
		frees -= oracle->frees[cpu][i];
		if (cpu >= nr_cpu_ids)
			continue;
		allocs += own_allocs(class, cpu);
		frees += own_frees(class, cpu);
	}
	if (i != PCSLAB_LARGE)
		KUNIT_EXPECT_EQ_MSG(test, allocs, 0ull, "other CPUs, class %u", i);
	KUNIT_EXPECT_EQ_MSG(test, frees, 0ull, "other CPUs, class %u", i);
}

static void expect_oracle(struct kunit *test, struct load *load, unsigned int heap)
{
	struct oracle *sum = kunit_kzalloc(test, sizeof(*sum), GFP_KERNEL);
	struct pcslab_class *class;
	unsigned int i;

	KUNIT_ASSERT_NOT_NULL(test, sum);
	for (i = 0; i < NR_WORKERS; i++)
		add_oracle(sum, &load->worker[i].oracle[heap]);
	KUNIT_EXPECT_TRUE(test, books_match(test, load->heap[heap], sum));
	if (heap != KNOWN)
		return;
	expect_rows(test, load->heap[heap], sum, 0);
	for (i = 0; i <= PCSLAB_LARGE; i++) {
		class = load->heap[heap]->class[i];
		if (class)
			expect_other_rows(test, class, sum, i);
	}
}

static void expect_books(struct kunit *test, struct load *load)
{
	unsigned int heap;

	for (heap = 0; heap < NR_HEAPS; heap++) {
		expect_oracle(test, load, heap);
		expect_quiet(test, load->heap[heap]);
	}
}

static void free_slots(struct load *load)
{
	unsigned int i;

	for (i = 0; i < NR_SLOTS; i++)
		checked_free(&load->worker[i % NR_WORKERS], load->slot[i]);
}

static void expect_nothing_bad(struct kunit *test, struct load *load, struct reader *reader)
{
	unsigned int i;

	for (i = 0; i < NR_WORKERS; i++)
		KUNIT_EXPECT_EQ_MSG(test, load->worker[i].bad, 0ul,
				    "objects with a stamp that is not theirs");
	KUNIT_EXPECT_EQ_MSG(test, reader->fell, 0ul, "totals that fell");
	KUNIT_EXPECT_EQ_MSG(test, reader->negative, 0ul, "live below zero");
	KUNIT_EXPECT_GT(test, reader->reads, 10ul);
}

static void big_load(struct kunit *test)
{
	struct load *load = kunit_kzalloc(test, sizeof(*load), GFP_KERNEL);
	struct reader *reader = kunit_kzalloc(test, sizeof(*reader), GFP_KERNEL);
	static struct pcslab_stats st;
	unsigned int heap;

	KUNIT_ASSERT_NOT_NULL(test, load);
	KUNIT_ASSERT_NOT_NULL(test, reader);
	load->slot = kunit_kcalloc(test, NR_SLOTS, sizeof(*load->slot), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, load->slot);
	load->heap[KNOWN] = new_heap(test, "known");
	load->heap[ANYWHERE] = new_heap(test, "anywhere");

	start_load(test, load, reader);
	cycle_cpus(test, load);
	stop_load(load, reader);
	kunit_info(test, "%lu reads\n", reader->reads);
	expect_nothing_bad(test, load, reader);
	expect_books(test, load);

	move_to(test, 0);
	free_slots(load);
	move_anywhere();
	expect_nothing_bad(test, load, reader);
	expect_books(test, load);
	for (heap = 0; heap < NR_HEAPS; heap++) {
		KUNIT_ASSERT_EQ(test, pcslab_heap_stats(load->heap[heap], &st), 0);
		KUNIT_EXPECT_EQ(test, stats_live(&st), 0ull);
		destroy_heap(test, load->heap[heap]);
	}
}

static struct kunit_case load_cases[] = {
	KUNIT_CASE_PARAM(big_load, pcslab_test_next_round),
	{}
};

static struct kunit_suite suite = {
	.name = "pcslab_load",
	.init = cpu_suite_init,
	.test_cases = load_cases,
};

kunit_test_suite(suite);
