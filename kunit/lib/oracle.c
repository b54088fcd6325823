// SPDX-License-Identifier: GPL-2.0
/*
 * An oracle, which counts for each CPU what a test does, and its comparison
 * with the books; CPUs that go and come
 */
#include <linux/export.h>
#include <linux/prandom.h>
#include <linux/random.h>
#include <linux/sched.h>
#include <linux/timekeeping.h>

#include "oracle.h"
#include "quiet.h"

u32 random_u32(void)
{
	static struct rnd_state state;
	static bool seeded;

	if (!seeded) {
		prandom_seed_state(&state, ktime_get_ns());
		seeded = true;
	}
	return prandom_u32_state(&state);
}
EXPORT_SYMBOL_GPL(random_u32);

/* Every suite needs all CPUs; a suite that failed may have left some down. */
int cpu_suite_init(struct kunit *test)
{
	KUNIT_ASSERT_LE(test, nr_cpu_ids, TEST_CPUS);
	bring_all_up(test);
	KUNIT_ASSERT_GE(test, num_online_cpus(), 4);
	return 0;
}
EXPORT_SYMBOL_GPL(cpu_suite_init);

struct pcslab_heap *new_heap(struct kunit *test, const char *name)
{
	struct pcslab_heap *heap = pcslab_heap_create(name, NULL);

	KUNIT_ASSERT_FALSE(test, IS_ERR(heap));
	return heap;
}
EXPORT_SYMBOL_GPL(new_heap);

/* When all objects are freed, nothing of the heap may be left. */
void destroy_heap(struct kunit *test, struct pcslab_heap *heap)
{
	char command[96], name[PCSLAB_NAME_LEN];

	strscpy(name, heap->name, sizeof(name));
	pcslab_heap_destroy(heap);
	snprintf(command, sizeof(command),
		 "! grep -q '^%s ' /sys/kernel/debug/pcslab/stats", name);
	KUNIT_EXPECT_EQ_MSG(test, run_shell(command), 0,
			    "heap %s became a zombie, or the list can't be read", name);
}
EXPORT_SYMBOL_GPL(destroy_heap);

void take_down(struct kunit *test, unsigned int cpu)
{
	KUNIT_ASSERT_EQ_MSG(test, remove_cpu(cpu), 0, "CPU %u stays online", cpu);
}
EXPORT_SYMBOL_GPL(take_down);

void bring_up(struct kunit *test, unsigned int cpu)
{
	KUNIT_ASSERT_EQ_MSG(test, add_cpu(cpu), 0, "CPU %u stays offline", cpu);
}
EXPORT_SYMBOL_GPL(bring_up);

void bring_all_up(struct kunit *test)
{
	unsigned int cpu;

	for_each_present_cpu(cpu) {
		if (!cpu_online(cpu))
			bring_up(test, cpu);
	}
}
EXPORT_SYMBOL_GPL(bring_all_up);

void move_to(struct kunit *test, unsigned int cpu)
{
	KUNIT_ASSERT_EQ(test, set_cpus_allowed_ptr(current, cpumask_of(cpu)), 0);
}
EXPORT_SYMBOL_GPL(move_to);

void move_anywhere(void)
{
	set_cpus_allowed_ptr(current, cpu_possible_mask);
}
EXPORT_SYMBOL_GPL(move_anywhere);

static u64 sum_words(const unsigned long *words)
{
	return READ_ONCE(words[0]) + READ_ONCE(words[1]);
}

u64 own_allocs(struct pcslab_class *class, unsigned int cpu)
{
	struct pcslab_cpu *c = pcslab_cpu_of(class, cpu);

	return c ? sum_words(c->guarded.allocs) + sum_words(c->unguarded.allocs) : 0;
}
EXPORT_SYMBOL_GPL(own_allocs);

u64 own_frees(struct pcslab_class *class, unsigned int cpu)
{
	struct pcslab_cpu *c = pcslab_cpu_of(class, cpu);

	return c ? sum_words(c->guarded.frees) + sum_words(c->unguarded.frees) : 0;
}
EXPORT_SYMBOL_GPL(own_frees);

static u64 sum_column(const u64 (*rows)[PCSLAB_LARGE + 1], unsigned int i)
{
	unsigned int cpu;
	u64 sum = 0;

	for (cpu = 0; cpu < TEST_CPUS; cpu++)
		sum += rows[cpu][i];
	return sum;
}

static bool class_matches(struct kunit *test, const struct pcslab_class_stats *st,
			  const struct oracle *oracle, unsigned int i)
{
	u64 allocs = sum_column(oracle->allocs, i), frees = sum_column(oracle->frees, i);

	if (st->allocs == allocs && st->frees == frees && st->fails == oracle->fails[i])
		return true;
	kunit_err(test, "class %u: allocs %llu should be %llu, frees %llu %llu, fails %llu %llu\n",
		  st->size, st->allocs, allocs, st->frees, frees, st->fails,
		  oracle->fails[i]);
	return false;
}

static bool large_matches(struct kunit *test, const struct pcslab_stats *st,
			  const struct oracle *oracle)
{
	u64 allocs = sum_column(oracle->allocs, PCSLAB_LARGE);
	u64 frees = sum_column(oracle->frees, PCSLAB_LARGE);

	if (st->large_allocs == allocs && st->large_frees == frees &&
	    st->large_alloc_bytes == oracle->large_alloc_bytes &&
	    st->large_free_bytes == oracle->large_free_bytes &&
	    st->large_fails == oracle->fails[PCSLAB_LARGE])
		return true;
	kunit_err(test, "large: allocs %llu should be %llu, frees %llu %llu, bytes %llu %llu, freed %llu %llu, fails %llu %llu\n",
		  st->large_allocs, allocs, st->large_frees, frees,
		  st->large_alloc_bytes, oracle->large_alloc_bytes,
		  st->large_free_bytes, oracle->large_free_bytes,
		  st->large_fails, oracle->fails[PCSLAB_LARGE]);
	return false;
}

/* Are the totals of every class, and of the large objects, the oracle's? */
bool books_match(struct kunit *test, struct pcslab_heap *heap, const struct oracle *oracle)
{
	static struct pcslab_stats st;
	bool match = true;
	unsigned int i;

	KUNIT_ASSERT_EQ(test, pcslab_heap_stats(heap, &st), 0);
	for (i = 0; i < PCSLAB_NR_CLASSES; i++)
		match &= class_matches(test, &st.class[i], oracle, i);
	return large_matches(test, &st, oracle) && match;
}
EXPORT_SYMBOL_GPL(books_match);

/* The counts of CPU @cpu itself. CPUs count only the frees of large objects. */
void expect_rows(struct kunit *test, struct pcslab_heap *heap,
		 const struct oracle *oracle, unsigned int cpu)
{
	struct pcslab_class *class;
	unsigned int i;

	pcslab_for_each_class(class, heap) {
		i = class->index;
		if (i != PCSLAB_LARGE)
			KUNIT_EXPECT_EQ_MSG(test, own_allocs(class, cpu),
					    oracle->allocs[cpu][i], "CPU %u, class %u", cpu, i);
		KUNIT_EXPECT_EQ_MSG(test, own_frees(class, cpu),
				    oracle->frees[cpu][i], "CPU %u, class %u", cpu, i);
	}
}
EXPORT_SYMBOL_GPL(expect_rows);

/* Compares the record without the gauges. */
void expect_same_totals(struct kunit *test, const struct pcslab_stats *a,
			const struct pcslab_stats *b)
{
	unsigned int i;

	for (i = 0; i < PCSLAB_NR_CLASSES; i++) {
		KUNIT_EXPECT_EQ_MSG(test, a->class[i].allocs, b->class[i].allocs, "class %u", i);
		KUNIT_EXPECT_EQ_MSG(test, a->class[i].frees, b->class[i].frees, "class %u", i);
		KUNIT_EXPECT_EQ_MSG(test, a->class[i].fails, b->class[i].fails, "class %u", i);
	}
	KUNIT_EXPECT_EQ(test, a->large_allocs, b->large_allocs);
	KUNIT_EXPECT_EQ(test, a->large_frees, b->large_frees);
	KUNIT_EXPECT_EQ(test, a->large_alloc_bytes, b->large_alloc_bytes);
	KUNIT_EXPECT_EQ(test, a->large_free_bytes, b->large_free_bytes);
	KUNIT_EXPECT_EQ(test, a->large_fails, b->large_fails);
}
EXPORT_SYMBOL_GPL(expect_same_totals);
