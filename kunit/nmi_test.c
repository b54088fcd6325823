// SPDX-License-Identifier: GPL-2.0
/*
 * Contracts 1 and 14: NMIs that allocate and free, in the middle of calls and
 * while locks are held, lose no count and no object
 *
 * On every CPU a task allocates and frees. It also puts objects into a box
 * that the NMI handler empties; the handler leaves the objects that it
 * allocates for the task. Either side only turns a NULL into an object, or an
 * object into a NULL, and both run on one CPU, so the boxes need no lock. The
 * local APIC sends the NMIs: x86 only.
 */
#include <linux/delay.h>
#include <linux/kthread.h>
#include <linux/module.h>
#include <linux/nmi.h>
#include <asm/apic.h>
#include <asm/nmi.h>
#include <pcslab/pcslab.h>

#include "actor.h"
#include "compat.h"
#include "quiet.h"
#include "test_compat.h"

#define NMI_HITS	100
#define NMI_SECONDS	120
#define NMI_LARGE	(3 * PAGE_SIZE)
#define NMI_VAST	((PAGE_SIZE << MAX_PAGE_ORDER) + 1)

struct nmi_site {
	unsigned int cpu;
	struct task_struct *task;
	bool sent;
	void *to_free[4], *large, *vast, *allocated[4];
	u64 rounds, entries, hits;
	/* Counted in NMI */
	u64 nmi_allocs, nmi_fails, nmi_frees, nmi_large_frees, nmi_large_fails;
	/* Counted by the task */
	u64 allocs, frees, fails, large_allocs, large_fails;
	struct actor actor;
};

static struct {
	struct pcslab_heap *heap;
	bool stop;
	struct nmi_site site[ENTRY_CPUS];
} nmi;

static void alloc_in_nmi(struct nmi_site *site)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(site->allocated); i++) {
		if (site->allocated[i])
			continue;
		site->allocated[i] = pcslab_alloc(nmi.heap, ENTRY_SIZE,
						  GFP_ATOMIC | __GFP_NOWARN);
		if (site->allocated[i])
			site->nmi_allocs++;
		else
			site->nmi_fails++;
		break;
	}
	if (site->entries % 8 == 0)
		site->nmi_large_fails += !pcslab_alloc(nmi.heap, NMI_LARGE,
						       GFP_ATOMIC | __GFP_NOWARN);
}

static void free_large_in_nmi(struct nmi_site *site, void **box)
{
	void *obj = *box;

	if (!obj)
		return;
	*box = NULL;
	site->nmi_large_frees++;
	pcslab_free(obj);
}

static void free_in_nmi(struct nmi_site *site)
{
	unsigned int i;
	void *obj;

	for (i = 0; i < ARRAY_SIZE(site->to_free); i++) {
		obj = site->to_free[i];
		if (!obj)
			continue;
		site->to_free[i] = NULL;
		site->nmi_frees++;
		pcslab_free(obj);
	}
	free_large_in_nmi(site, &site->large);
	free_large_in_nmi(site, &site->vast);
}

static int nmi_test_handler(unsigned int type, struct pt_regs *regs)
{
	struct nmi_site *site = &nmi.site[raw_smp_processor_id()];

	if (!READ_ONCE(site->sent))
		return NMI_DONE;
	site->entries++;
	site->hits += guard_taken(nmi.heap);
	/*
	 * Change the order each time, so that each meets what the other leaves.
	 */
	if (site->entries % 2)
		alloc_in_nmi(site);
	free_in_nmi(site);
	if (!(site->entries % 2))
		alloc_in_nmi(site);
	WRITE_ONCE(site->sent, false);
	return NMI_HANDLED;
}

static void fill_large(struct nmi_site *site, void **box, size_t size)
{
	void *obj;

	if (READ_ONCE(*box))
		return;
	obj = pcslab_kvalloc(nmi.heap, size, GFP_KERNEL);
	site->large_allocs += !!obj;
	/* With 32 bits, vmalloc has little space. */
	site->large_fails += !obj;
	WRITE_ONCE(*box, obj);
}

static void fill_boxes(struct nmi_site *site)
{
	unsigned int i;
	void *obj;

	for (i = 0; i < ARRAY_SIZE(site->to_free); i++) {
		if (READ_ONCE(site->to_free[i]))
			continue;
		obj = pcslab_alloc(nmi.heap, ENTRY_SIZE, GFP_KERNEL);
		site->allocs += !!obj;
		site->fails += !obj;
		WRITE_ONCE(site->to_free[i], obj);
	}
	fill_large(site, &site->large, NMI_LARGE);
	/* Its thousand pages take the time of many calls that NMIs can hit. */
	if (site->rounds++ % 16 == 0)
		fill_large(site, &site->vast, NMI_VAST);
}

static void empty_box(struct nmi_site *site)
{
	unsigned int i;
	void *obj;

	for (i = 0; i < ARRAY_SIZE(site->allocated); i++) {
		obj = READ_ONCE(site->allocated[i]);
		if (!obj)
			continue;
		WRITE_ONCE(site->allocated[i], NULL);
		site->frees++;
		pcslab_free(obj);
	}
}

static int nmi_task(void *arg)
{
	struct nmi_site *site = arg;
	unsigned int i;

	while (!READ_ONCE(nmi.stop)) {
		fill_boxes(site);
		empty_box(site);
		for (i = 0; i < 8 * HELD; i++) {
			act_free(&site->actor, i % HELD);
			act_alloc(nmi.heap, &site->actor, i % HELD);
		}
		cond_resched();
	}
	while (!kthread_should_stop())
		msleep(20);
	return 0;
}

static void start_tasks(struct kunit *test)
{
	struct nmi_site *site;
	unsigned int cpu;

	nmi.stop = false;
	for_each_online_cpu(cpu) {
		site = &nmi.site[cpu];
		*site = (struct nmi_site){ .cpu = cpu };
		site->actor.token = token_of(cpu, 0);
		site->task = kthread_create(nmi_task, site, "pcslab-nmi/%u", cpu);
		KUNIT_ASSERT_FALSE(test, IS_ERR(site->task));
		kthread_bind(site->task, cpu);
		wake_up_process(site->task);
	}
}

static u64 nmi_hits(void)
{
	unsigned int cpu;
	u64 hits = 0;

	for_each_online_cpu(cpu)
		hits += READ_ONCE(nmi.site[cpu].hits);
	return hits;
}

/* One at a time for each CPU: two could merge on their way. */
static void send_nmis(void)
{
	unsigned long end = jiffies + NMI_SECONDS * HZ;
	unsigned int cpu;

	while (nmi_hits() < NMI_HITS && time_before(jiffies, end)) {
		for_each_online_cpu(cpu) {
			if (READ_ONCE(nmi.site[cpu].sent))
				continue;
			WRITE_ONCE(nmi.site[cpu].sent, true);
			compat_send_nmi(cpu);
		}
		cond_resched();
	}
}

static bool nmis_arrived(void)
{
	unsigned int cpu;

	for_each_online_cpu(cpu) {
		if (READ_ONCE(nmi.site[cpu].sent))
			return false;
	}
	return true;
}

static void stop_tasks(struct kunit *test)
{
	unsigned int cpu, tries;

	for (tries = 0; tries < 100 && !nmis_arrived(); tries++)
		msleep(20);
	KUNIT_EXPECT_TRUE(test, nmis_arrived());
	WRITE_ONCE(nmi.stop, true);
	for_each_online_cpu(cpu)
		kthread_stop(nmi.site[cpu].task);
}

static void free_rest(struct nmi_site *site)
{
	unsigned int i;

	empty_box(site);
	for (i = 0; i < ARRAY_SIZE(site->to_free); i++) {
		site->frees += !!site->to_free[i];
		pcslab_free(site->to_free[i]);
	}
	give_all_back(&site->actor);
	site->allocs += site->actor.allocs;
	site->frees += site->actor.frees;
	site->fails += site->actor.fails;
}

/*
 * Deferred frees are done soon after the NMI. A large object that is left at
 * the end is freed here.
 */
static void expect_nmi_books(struct kunit *test)
{
	u64 allocs = 1, frees = 1, fails = 0, large_allocs = 0, large_frees = 0, large_fails = 0;
	static struct pcslab_stats st;
	struct nmi_site *site;
	unsigned int cpu;

	for_each_online_cpu(cpu) {
		site = &nmi.site[cpu];
		free_rest(site);
		KUNIT_EXPECT_EQ_MSG(test, site->actor.bad, 0ull, "objects handed out twice");
		allocs += site->allocs + site->nmi_allocs;
		frees += site->frees + site->nmi_frees;
		fails += site->fails + site->nmi_fails;
		large_allocs += site->large_allocs;
		large_frees += site->nmi_large_frees + !!site->large + !!site->vast;
		large_fails += site->large_fails + site->nmi_large_fails;
		pcslab_free(site->large);
		pcslab_free(site->vast);
	}
	msleep(100);
	expect_class(test, nmi.heap, allocs, frees, fails);
	KUNIT_ASSERT_EQ(test, pcslab_heap_stats(nmi.heap, &st), 0);
	KUNIT_EXPECT_EQ(test, allocs, frees);
	KUNIT_EXPECT_EQ(test, st.large_allocs, large_allocs);
	KUNIT_EXPECT_EQ(test, st.large_frees, large_frees);
	KUNIT_EXPECT_EQ(test, large_allocs, large_frees);
	KUNIT_EXPECT_EQ(test, st.large_fails, large_fails);
}

static void report_nmis(struct kunit *test)
{
	u64 entries = 0, allocs = 0, frees = 0, large = 0;
	unsigned int cpu;

	for_each_online_cpu(cpu) {
		entries += nmi.site[cpu].entries;
		allocs += nmi.site[cpu].nmi_allocs;
		frees += nmi.site[cpu].nmi_frees;
		large += nmi.site[cpu].nmi_large_frees;
	}
	/* With kmemleak all of them fail. */
	KUNIT_EXPECT_EQ(test, allocs > 0, !IS_ENABLED(CONFIG_DEBUG_KMEMLEAK));
	KUNIT_EXPECT_GT(test, frees, 0ull);
	KUNIT_EXPECT_GT(test, large, 0ull);
	kunit_info(test, "%llu NMIs, %llu hits; %llu allocations, %llu frees, %llu of large objects\n",
		   entries, nmi_hits(), allocs, frees, large);
}

static void by_nmi(struct kunit *test)
{
	nmi.heap = pcslab_heap_create("nmi", NULL);
	KUNIT_ASSERT_FALSE(test, IS_ERR(nmi.heap));
	pcslab_free(pcslab_alloc(nmi.heap, ENTRY_SIZE, GFP_KERNEL));
	start_tasks(test);
	KUNIT_ASSERT_EQ(test, register_nmi_handler(NMI_LOCAL, nmi_test_handler, 0, "pcslab_test"),
			0);
	send_nmis();
	stop_tasks(test);
	unregister_nmi_handler(NMI_LOCAL, "pcslab_test");

	KUNIT_EXPECT_GE(test, nmi_hits(), (u64)NMI_HITS);
	expect_nmi_books(test);
	report_nmis(test);
	expect_quiet(test, nmi.heap);
	pcslab_heap_destroy(nmi.heap);
	KUNIT_EXPECT_EQ(test, run_shell("! grep -q '^nmi ' /sys/kernel/debug/pcslab/stats"), 0);
}

static struct kunit_case nmi_cases[] = {
	KUNIT_CASE(by_nmi),
	{}
};

static struct kunit_suite nmi_suite = {
	.name = "pcslab_nmi",
	.test_cases = nmi_cases,
};

kunit_test_suites(&nmi_suite);

MODULE_DESCRIPTION("Tests of pcslab: NMIs");
MODULE_INFO(import_ns, "PCSLAB");
MODULE_LICENSE("GPL");
