/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Replaying a trace of kernel allocations through one heap of pcslab
 *
 *   trace.c	the trace, parsed from text
 *   replay.c	the workers, one for each CPU of the trace, and the oracle
 *   check.c	checks of every object
 *   cost.c	what the trace costs, for make bench
 *   main.c	the module and its files in debugfs
 */
#ifndef _PCSLAB_REPLAY_H
#define _PCSLAB_REPLAY_H

#include <linux/rbtree.h>
#include <linux/types.h>
#include <pcslab/pcslab.h>

/* CPUs that a trace may have */
#define REPLAY_CPUS	64

/**
 * struct replay_op - a line of the trace
 * @id: of the object
 * @cpu: the CPU that did it
 * @free: a free, else an allocation
 */
struct replay_op {
	u32 id;
	u8 cpu;
	bool free;
};

/**
 * struct replay_object - an object of the trace
 * @obj: its address; NULL if the allocation failed
 * @made: it was allocated (or that failed) and not yet freed; the allocating
 *	worker sets it with release order when everything else is in place
 * @size: bytes to request
 * @usable: usable bytes
 * @cpu: the CPU that allocates it
 * @atomic: allocated from an interrupt
 * @freed: the trace frees it
 * @owned: in the tree of owned addresses, by @node
 * @seed: of the stamp it carries
 * @node: in that tree
 */
struct replay_object {
	void *obj;
	bool made;
	u32 size;
	u32 usable;
	u8 cpu;
	bool atomic;
	bool freed;
	bool owned;
	u64 seed;
	struct rb_node node;
};

/**
 * struct replay_trace - the trace
 * @nr_wanted: operations announced by its header; 0 before that
 * @nr_ops: operations read so far
 * @nr_objects: objects read so far
 * @nr_cpus: 1 + the highest CPU
 * @ops: in the order of the trace
 * @objects: by id
 */
struct replay_trace {
	u32 nr_wanted;
	u32 nr_ops;
	u32 nr_objects;
	u32 nr_cpus;
	struct replay_op *ops;
	struct replay_object *objects;
};

extern struct replay_trace replay_trace;

int replay_trace_line(const char *line);
void replay_trace_drop(void);

static inline bool replay_trace_whole(void)
{
	return replay_trace.nr_wanted && replay_trace.nr_ops == replay_trace.nr_wanted;
}

enum replay_error {
	REPLAY_OVERLAP,		/* shares a byte with another live object */
	REPLAY_MISALIGNED,	/* kmalloc() would align it better */
	REPLAY_STRAY_WRITE,	/* its content changed while it was live */
	REPLAY_WRONG_SIZE,	/* of another class than its size */
	REPLAY_WRONG_HEAP,	/* pcslab_heap_of() names another heap */
	REPLAY_FAILED,		/* NULL, though the guest has memory */
	REPLAY_NR_ERRORS
};

size_t replay_expected_size(size_t size);
u32 replay_check_alloc(struct pcslab_heap *heap, struct replay_object *object, u64 seed);
u32 replay_check_free(struct pcslab_heap *heap, struct replay_object *object);

/* The index of large objects in the oracle, after the classes. */
#define REPLAY_LARGE	PCSLAB_NR_CLASSES

/**
 * struct replay_count - the oracle of a class
 * @allocs: objects allocated
 * @frees: objects freed
 * @fails: failed allocations
 * @bytes: what the live objects should take
 */
struct replay_count {
	u64 allocs;
	u64 frees;
	u64 fails;
	s64 bytes;
};

/**
 * struct replay_result - what was done and found
 * @rounds: times the trace was replayed
 * @class: the oracle, by class
 * @errors: by enum replay_error
 * @from_interrupt: allocations made in a hard interrupt
 * @crossed: objects freed by another worker than the one that allocated them
 * @displaced: operations done on another CPU because the trace's CPU was
 *	offline
 * @waits: frees that had to wait for their allocation
 */
struct replay_result {
	u32 rounds;
	struct replay_count class[PCSLAB_NR_CLASSES + 1];
	u64 errors[REPLAY_NR_ERRORS];
	u64 from_interrupt;
	u64 crossed;
	u64 displaced;
	u64 waits;
};

int replay_init(void);
void replay_exit(void);
int replay_once(void);
void replay_free_rest(void);
void replay_sum(struct replay_result *sum);

struct seq_file;
int replay_cost(const char *text);
void replay_cost_show(struct seq_file *m);
void replay_cost_exit(void);

#endif /* _PCSLAB_REPLAY_H */
