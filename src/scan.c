// SPDX-License-Identifier: GPL-2.0
/*
 * Reading all memory of the kernel in search of pointers
 *
 * What the kernel uses is read through the direct map, page by page: data of
 * the kernel and of modules, per-CPU variables, slabs, memory from vmalloc,
 * pages. So nothing has to be known about who uses a page. Not read are
 *
 *   free pages		what they contain is old
 *   user memory	anonymous pages, and pages of files: those on an LRU
 *			list or with a mapping
 *   page tables	they have no addresses
 *   no memory		holes, offline and poisoned pages, reserved pages that
 *			are no RAM
 *   free objects	of all heaps of pcslab
 *
 * Stacks are read task by task. Below the stack pointer of a task that sleeps
 * are words of calls that have returned; they are not read. The registers of
 * such a task are on its stack, or in its task_struct. The stack of a task that
 * runs is read as a whole. What it has in a register only was saved there by
 * the last tick.
 *
 * Nothing keeps a page what it is while it is read. A struct page is copied
 * with a fixup, words are read with a fixup, and both may be stale. So a
 * pointer may be missed while it moves. A word of memory is never followed,
 * because a fixup does not help with the address of a user: x86 with SMAP gives
 * an oops.
 *
 * Locks: RCU while the stacks are read. Context: process, may sleep.
 */
#include <linux/highmem.h>
#include <linux/ioport.h>
#include <linux/memory_hotplug.h>
#include <linux/mm.h>
#include <linux/mmzone.h>
#include <linux/nodemask.h>
#include <linux/page-flags.h>
#include <linux/sched.h>
#include <linux/sched/signal.h>
#include <linux/sched/task_stack.h>
#include <linux/vmalloc.h>

#include "compat.h"
#include "internal.h"
#include "page.h"
#include "scan.h"

/* Pages between two pauses: 512 KiB of 4 KiB pages. */
#define BATCH	128

static unsigned long first_pfn(void)
{
	unsigned long pfn = ULONG_MAX;
	int node;

	for_each_online_node(node)
		pfn = min(pfn, node_start_pfn(node));
	return pfn;
}

static unsigned long end_pfn(void)
{
	unsigned long pfn = 0;
	int node;

	for_each_online_node(node)
		pfn = max(pfn, node_end_pfn(node));
	return pfn;
}

/**
 * pcslab_scan_size() - number of pages of the direct map
 *
 * Context: process.
 * Return: the number of bits that the bitmaps of a scan must have. Memory that
 *	is added later has none, and is not read.
 */
unsigned long pcslab_scan_size(void)
{
	return scan_page_nr(__va(PFN_PHYS(end_pfn() - 1))) + 1;
}

/* Without sections each page must be asked for. */
static unsigned long next_section(unsigned long pfn)
{
#ifdef CONFIG_SPARSEMEM
	return SECTION_ALIGN_UP(pfn + 1);
#else
	return pfn + 1;
#endif
}

static bool is_mapped(const void *addr)
{
	unsigned long word;

	__get_kernel_nofault(&word, addr, unsigned long, unmapped);
	return true;
unmapped:
	return false;
}

static void copy_page_info(struct page *to, const struct page *page)
{
	const unsigned long *from = (const unsigned long *)page;
	unsigned long *word = (unsigned long *)to;
	unsigned int i;

	for (i = 0; i < sizeof(*to) / sizeof(*word); i++)
		word[i] = load_nofault(from + i);
}

/* @head is a copy of the head of the page @pfn. */
static bool is_kernels(struct page *head, unsigned long pfn)
{
	if (PageSlab(head))
		return true;
	if (compat_page_is_unused(head) || PageOffline(head) || PageTable(head))
		return false;
	if (PageReserved(head))
		return page_is_ram(pfn);
	return !PageLRU(head) && !head->mapping;
}

/* Pages of a free block, of which this is the first one; 0 if it is none. */
static unsigned long free_block(struct page *page)
{
	unsigned long order = page_private(page);

	if (!PageBuddy(page))
		return 0;
	return 1UL << (order <= MAX_PAGE_ORDER ? order : 0);
}

static void read_slab(struct pcslab_scan *scan, struct pcslab_slab *slab)
{
	struct pcslab_class *class = slab->class;
	const char *obj = slab->base;
	unsigned int i;

	for (i = 0; i < slab->nr; i++, obj += class->stride) {
		if (pcslab_counts_as_live(READ_ONCE(slab->state[i])))
			pcslab_scan_words(scan, obj, obj + class->size);
	}
}

/* A slab of another heap is read once, with its first page. */
static void read_page(struct pcslab_scan *scan, const void *addr)
{
	struct pcslab_slab *slab;

	scan->pages++;
	preempt_disable();	/* keeps the slab */
	slab = slab_of(addr);
	if (slab && slab->base == addr)
		read_slab(scan, slab);
	preempt_enable();
	if (!slab)
		pcslab_scan_words(scan, addr, addr + PAGE_SIZE);
}

static bool is_left_out(struct pcslab_scan *scan, const void *addr)
{
	unsigned long nr = scan_page_nr(addr);

	if (nr >= scan->nr_pages || test_bit(nr, scan->stacks))
		return true;
	return test_bit(nr, scan->ours) && scan->owns(scan, addr);
}

/* Read a page, if need be. Returns how many pages this deals with. */
static unsigned long visit_page(struct pcslab_scan *scan, unsigned long pfn, struct page *page)
{
	const void *addr = __va(PFN_PHYS(pfn));
	unsigned long block;

	copy_page_info(&scan->copy, page);
	block = free_block(&scan->copy);
	if (block || PageHWPoison(&scan->copy))
		return block ?: 1;
	copy_page_info(&scan->copy, scan_head_of(page));
	/* If it is a tail by now, page flags would be read in its head. */
	if (scan->copy.COMPAT_HEAD_WORD & 1)
		return 1;
	if (is_kernels(&scan->copy, pfn) && !is_left_out(scan, addr) && is_mapped(addr))
		read_page(scan, addr);
	return 1;
}

static int read_pages(struct pcslab_scan *scan)
{
	unsigned long pfn = first_pfn(), end = end_pfn(), pause = pfn;
	struct page *page;
	int err = 0;

	while (pfn < end && !err) {
		page = pfn_to_online_page(pfn);
		pfn = page ? pfn + visit_page(scan, pfn, page) : next_section(pfn);
		if (pfn < pause)
			continue;
		err = scan->pause(scan);
		pause = pfn + BATCH;
	}
	return err;
}

static struct page *page_of_stack(const void *addr)
{
	if (is_vmalloc_addr(addr))
		return vmalloc_to_page(addr);
	return virt_addr_valid(addr) ? virt_to_page(addr) : NULL;
}

/* Have the walk over the pages leave a stack out. */
static void leave_out(struct pcslab_scan *scan, const void *stack)
{
	const void *end = stack + THREAD_SIZE;
	struct page *page;
	unsigned long nr;

	for (; stack < end; stack += PAGE_SIZE) {
		page = page_of_stack(stack);
		nr = page ? scan_page_nr(page_address(page)) : ULONG_MAX;
		if (nr < scan->nr_pages)
			__set_bit(nr, scan->stacks);
	}
}

static bool is_running(struct task_struct *task)
{
#ifdef CONFIG_SMP
	return READ_ONCE(task->on_cpu);
#else
	return task == current;
#endif
}

static unsigned long nr_switches(struct task_struct *task)
{
	return READ_ONCE(task->nvcsw) + READ_ONCE(task->nivcsw);
}

/* Where the words of running calls begin. */
static const void *stack_top(struct pcslab_scan *scan, struct task_struct *task,
			     const void *stack)
{
	const void *top = saved_stack_pointer(task);

	if (task == current)
		return scan->frame;
	if (is_running(task) || top < stack || top >= stack + THREAD_SIZE)
		return stack;
	return top;
}

/* If the task runs meanwhile its stack is read again, as a whole. */
static void read_stack(struct pcslab_scan *scan, struct task_struct *task)
{
	const void *stack = READ_ONCE(task->stack), *top;
	unsigned long switches = nr_switches(task);

	if (!stack)
		return;		/* it has exited */
	leave_out(scan, stack);
	smp_rmb();	/* the task's last switch, then its stack pointer */
	top = stack_top(scan, task, stack);
	pcslab_scan_words(scan, top, stack + THREAD_SIZE);
	smp_rmb();	/* its stack, then what tells whether it ran */
	if (task != current && (is_running(task) || nr_switches(task) != switches))
		pcslab_scan_words(scan, stack, stack + THREAD_SIZE);
}

static void read_stacks(struct pcslab_scan *scan)
{
	struct task_struct *process, *thread;

	rcu_read_lock();
	for_each_process_thread(process, thread)
		read_stack(scan, thread);
	rcu_read_unlock();
}

/**
 * pcslab_scan_memory() - read all memory of the kernel
 * @scan: what to look for
 *
 * The stacks are read before and after everything else, because a pointer that
 * moves often moves from a list to a stack.
 *
 * Context: process. May sleep. Takes as long as reading all pages in use takes.
 * Return: 0, or the error of @scan->pause.
 */
int pcslab_scan_memory(struct pcslab_scan *scan)
{
	int err;

	bitmap_zero(scan->stacks, scan->nr_pages);
	read_stacks(scan);
	err = read_pages(scan);
	if (!err)
		read_stacks(scan);
	return err;
}
