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
 *   standin.c	the stand-ins of what gives memory of a heap, and of frees
 *   counted.c	those of what stays the kernel's, and is counted
 *   skb.c	those of socket buffers
 *   entry.S	the one that is variadic
 *   hook.c	what the kernel itself does to objects of heaps
 *   attach.c	modules that are attached, because they cannot be reloaded
 *   follow.c	what these allocate
 *   live.c	what of the kernel's memory is live, by call site
 *   main.c	the module
 */
#ifndef _PCSLAB_ADOPT_H
#define _PCSLAB_ADOPT_H

#include <linux/atomic.h>
#include <linux/fs.h>
#include <linux/percpu.h>
#include <linux/types.h>

#include <pcslab/pcslab.h>

/*
 * "PCSLABA3". It changes with struct adopt_handle, and with what stubs do.
 */
#define ADOPT_MAGIC	0x3341424c41534350ULL

/* What is counted, but does not come from a heap. */
enum adopt_kind {
	ADOPT_SLAB,
	ADOPT_VMALLOC,
	ADOPT_PAGES,
	ADOPT_DMA,
	ADOPT_PERCPU,
	ADOPT_MEMPOOL,
	ADOPT_SKB,
	ADOPT_KINDS
};

/**
 * struct adopt_counts - counters of a module and a CPU
 * @allocs: objects that the kernel gave
 * @frees: objects that the module gave back
 * @bytes: of the former, minus those of the latter where a free has a size
 */
struct adopt_counts {
	long allocs[ADOPT_KINDS], frees[ADOPT_KINDS], bytes[ADOPT_KINDS];
};

/**
 * struct adopt_handle - what the tool adds to a module
 * @magic: ADOPT_MAGIC
 * @heap: heap of the module; NULL if none could be made
 * @mod: the module; the loader relocates it
 * @native: allocations through stand-ins that were left to the kernel
 * @foreign: frees through stand-ins of memory that is not pcslab's
 * @counts: of what does not come from a heap
 * @live: the same by call site; NULL if that is not wanted
 *
 * The tool knows this layout.
 */
struct adopt_handle {
	u64 magic;
	struct pcslab_heap *heap;
	struct module *mod;
	atomic_long_t native;
	atomic_long_t foreign;
	struct adopt_counts __percpu *counts;
	struct live *live;
};

/* attach.c */
int adopt_attach_init(void);
void adopt_attach_exit(void);

/* books.c */
struct dentry;
struct module;
extern bool adopt_track;
bool adopt_is_adopted(const struct module *mod);
int adopt_books_init(void);
void adopt_books_exit(void);
struct dentry *adopt_file_create(const char *name, const struct file_operations *fops);
void adopt_count_escape(const void *obj);
unsigned long adopt_other_escapes(void);

/* counted.c */
struct seq_file;
int adopt_counts_init(struct adopt_handle *h);
void adopt_counts_exit(struct adopt_handle *h);
void adopt_count_alloc(struct adopt_handle *h, enum adopt_kind kind, const void *obj,
		       size_t bytes, unsigned long call);
void adopt_count_free(struct adopt_handle *h, enum adopt_kind kind, const void *obj,
		      size_t bytes);
void adopt_show_counts(struct seq_file *m, const char *module,
		       const struct adopt_handle *h);
int adopt_show_sites(struct seq_file *m, const char *module, const struct adopt_handle *h);
void adopt_report_counts(const char *module, const struct adopt_handle *h);

/* hook.c */
struct ftrace_ops;
int adopt_set_hook(struct ftrace_ops *ops, const char *function);
void adopt_unset_hook(struct ftrace_ops *ops);
int adopt_hooks_init(void);
void adopt_hooks_exit(void);

#endif /* _PCSLAB_ADOPT_H */
