/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Differences between architectures: operations of the fast paths for which the
 * compiler does not choose the best instructions
 *
 * Each function has a form for any architecture, and one for x86 if that saves
 * something. Differences between kernel versions are in compat.h.
 */
#ifndef _PCSLAB_ARCH_H
#define _PCSLAB_ARCH_H

#include <linux/compiler.h>
#include <linux/mm.h>
#include <linux/sched.h>
#include <linux/uaccess.h>
#ifdef CONFIG_X86
#include <asm/asm.h>
#endif

/*
 * The page of an address in the direct map. On x86-64 virt_to_page() also
 * handles addresses of the kernel image, which costs a compare and a select;
 * none of our objects is there.
 */
static __always_inline struct page *direct_map_page(unsigned long addr)
{
#ifdef CONFIG_X86_64
	return pfn_to_page((addr - PAGE_OFFSET) >> PAGE_SHIFT);
#else
	return virt_to_page((void *)addr);
#endif
}

/*
 * Add one to a word that only this CPU writes and that readers load with
 * READ_ONCE(). On x86 this is one instruction; gcc does not generate that from
 * volatile accesses.
 */
static __always_inline void word_inc(unsigned long *word)
{
#ifdef CONFIG_X86
	asm volatile(_ASM_INC " %0" : "+m" (*word));
#else
	WRITE_ONCE(*word, *word + 1);
#endif
}

/*
 * The same with release order. x86 does not reorder a store with earlier
 * accesses.
 */
static __always_inline void word_inc_release(unsigned long *word)
{
#ifdef CONFIG_X86
	asm volatile(_ASM_INC " %0" : "+m" (*word) : : "memory");
#else
	/* Release: pairs with pcslab_class_sum(). */
	smp_store_release(word, *word + 1);
#endif
}

/* Add @n to such a word. */
static __always_inline void word_add(unsigned long *word, unsigned long n)
{
#ifdef CONFIG_X86
	asm volatile(_ASM_ADD " %1, %0" : "+m" (*word) : "er" (n));
#else
	WRITE_ONCE(*word, *word + n);
#endif
}

/* The same with release order. */
static __always_inline void word_add_release(unsigned long *word, unsigned long n)
{
#ifdef CONFIG_X86
	asm volatile(_ASM_ADD " %1, %0" : "+m" (*word) : "er" (n) : "memory");
#else
	/* Release: pairs with pcslab_class_sum(). */
	smp_store_release(word, *word + n);
#endif
}

/*
 * Racy read of a word, used once and immediately. On x86 the load becomes part
 * of the instruction that compares the word or indexes with it; gcc does not do
 * that for READ_ONCE(), which is volatile. On other architectures READ_ONCE()
 * orders dependent accesses.
 */
#ifdef CONFIG_X86
/* The race is intended. */
#define load_racy(word)	data_race(word)
#else
#define load_racy(word)	READ_ONCE(word)
#endif

/*
 * Load a word; 0 if it is not mapped. gcc 12 has miscompiled outputs of asm
 * goto, so later kernels do not use them (CC_HAS_ASM_GOTO_OUTPUT), and their
 * __get_kernel_nofault() takes four instructions more than the load.
 */
static __always_inline unsigned long load_nofault(const void *from)
{
	unsigned long word;

#ifdef CONFIG_X86
	/* EX_DATA_REG(1) is rcx. */
	asm volatile("1: mov %1, %0\n"
		     "2:\n"
		     _ASM_EXTABLE_TYPE(1b, 2b, EX_TYPE_ZERO_REG | EX_DATA_REG(1))
		     : "=c" (word) : "m" (*(const unsigned long *)from));
	return word;
#else
	__get_kernel_nofault(&word, from, unsigned long, unmapped);
	return word;
unmapped:
	return 0;
#endif
}

/* True if a word is mapped and equal to @value. */
static __always_inline bool equals_nofault(const void *at, unsigned long value)
{
#ifdef CONFIG_X86
	asm goto("1: cmp %[value], %[word]\n"
		 "   jne %l[differs]\n"
		 _ASM_EXTABLE(1b, %l[differs])
		 : : [word] "m" (*(const unsigned long *)at), [value] "r" (value)
		 : "cc" : differs);
	return true;
differs:
	return false;
#else
	return load_nofault(at) == value;
#endif
}

/*
 * Multiply two words, the second one in memory. Returns the high word of the
 * product, and the low word in @low. On x86-64 this is written in assembler,
 * because gcc would align the stack for an __int128.
 */
static __always_inline unsigned long mul_wide(unsigned long a, const unsigned long *b,
					      unsigned long *low)
{
#if defined(CONFIG_X86_64)
	unsigned long high;

	asm("mulq %3" : "=a" (*low), "=d" (high) : "0" (a), "m" (*b) : "cc");
	return high;
#elif defined(CONFIG_64BIT)
	__uint128_t product = (__uint128_t)a * *b;

	*low = product;
	return product >> 64;
#else
	u64 product = (u64)a * *b;

	*low = product;
	return product >> 32;
#endif
}

/*
 * Set a flag that only this CPU accesses, including its interrupts. Returns
 * true if it was set before. Where this takes more than one instruction, an
 * interrupt may come between the load and the store; but it leaves the flag as
 * it found it.
 */
static __always_inline bool flag_test_and_set(unsigned int *flag)
{
	bool was;

#ifdef CONFIG_X86
	asm volatile("btsl $0, %0" : "+m" (*flag), "=@ccc" (was) : : "memory");
#else
	was = READ_ONCE(*flag);
	WRITE_ONCE(*flag, 1);
	barrier();
#endif
	return was;
}

/*
 * The stack pointer of a task that does not run. The registers that a call
 * keeps are saved above it, or in the task_struct. NULL where it is not known.
 */
static inline const void *saved_stack_pointer(const struct task_struct *task)
{
#if defined(CONFIG_X86)
	return (const void *)READ_ONCE(task->thread.sp);
#elif defined(CONFIG_ARM64)
	return (const void *)READ_ONCE(task->thread.cpu_context.sp);
#else
	return NULL;
#endif
}

#endif /* _PCSLAB_ARCH_H */
