/* SPDX-License-Identifier: GPL-2.0 */
/*
 * pcslab_adopt: heaps for modules that know nothing of pcslab
 *
 *   kfree(obj) in foo.ko --> stub in foo.ko --> stand-in in pcslab_adopt.ko
 *
 * scripts/pcslab-adopt adds to a module a handle and, for each function that
 * has a stand-in here, a stub. The calls in the module go to the stubs. A stub
 * loads the address of the handle into the first argument register that the
 * function leaves unused, and jumps to the stand-in. So the stand-in has the
 * arguments of the kernel's function, then the handle, and returns to the
 * module.
 *
 *   books.c	adopted modules: their heaps, their counts, their reports
 *   standin.c	the stand-ins
 *   entry.S	the one that is variadic
 *   hook.c	what the kernel itself does to objects of heaps
 *   main.c	the module
 */
#ifndef _PCSLAB_ADOPT_H
#define _PCSLAB_ADOPT_H

#include <linux/atomic.h>
#include <linux/types.h>

#include <pcslab/pcslab.h>

/*
 * "PCSLABA1". It changes with struct adopt_handle, and with what stubs do.
 */
#define ADOPT_MAGIC	0x3141424c41534350ULL

/**
 * struct adopt_handle - what the tool adds to a module
 * @magic: ADOPT_MAGIC
 * @heap: heap of the module; NULL if none could be made
 * @mod: the module; the loader relocates it
 * @native: allocations through stand-ins that were left to the kernel
 * @foreign: frees through stand-ins of memory that is not pcslab's
 *
 * The tool knows this layout.
 */
struct adopt_handle {
	u64 magic;
	struct pcslab_heap *heap;
	struct module *mod;
	atomic_long_t native;
	atomic_long_t foreign;
};

/* books.c */
extern bool adopt_track;
int adopt_books_init(void);
void adopt_books_exit(void);
void adopt_count_escape(const void *obj);
unsigned long adopt_other_escapes(void);

/* hook.c */
int adopt_hooks_init(void);
void adopt_hooks_exit(void);

#endif /* _PCSLAB_ADOPT_H */
