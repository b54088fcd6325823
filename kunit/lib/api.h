/* SPDX-License-Identifier: GPL-2.0 */
/* A heap, its books, patterns in objects, files of debugfs */
#ifndef _PCSLAB_KUNIT_API_H
#define _PCSLAB_KUNIT_API_H

#include <kunit/test.h>

#include <pcslab/pcslab.h>

#include "compat.h"
#include "live.h"

/* Bytes of the largest large object */
#define API_MAX_LARGE	(PAGE_SIZE << MAX_PAGE_ORDER)

/**
 * struct api - state of a test case
 * @heap: empty at the start
 * @before: books as of api_snapshot()
 * @now: books as last read
 * @refused: bad frees in all of pcslab as of api_snapshot()
 */
struct api {
	struct pcslab_heap *heap;
	struct pcslab_stats *before;
	struct pcslab_stats *now;
	u64 refused;
};

/*
 * Init function of a suite: sets test->priv to a struct api. The case fails if
 * objects are still live at its end.
 */
int api_init(struct kunit *test);
void api_exit(struct kunit *test);

/* Read the books, before and after */
void api_snapshot(struct kunit *test);
struct pcslab_stats *api_books(struct kunit *test);
bool api_same_books(const struct pcslab_stats *a, const struct pcslab_stats *b);
u64 api_refused(struct kunit *test);

/* Read a seq_file in debugfs, NUL terminated; returns its length or an error */
struct file *api_open(const char *path);
ssize_t api_read(struct file *file, char *buf, size_t size);
ssize_t api_read_file(const char *path, char *buf, size_t size);
char *api_summary(struct kunit *test);

/* Fill an object so that a write through another object shows; and check it. */
void api_fill(void *obj, u32 seed, size_t size);
bool api_filled(const void *obj, u32 seed, size_t size);

/*
 * Make page and metadata allocations of pcslab itself fail: the next ones; or
 * all, or none.
 */
void api_fail_next(struct kunit *test, int times);
void api_fail_pages(struct kunit *test, bool on);

static inline struct pcslab_heap *api_heap(struct kunit *test)
{
	return ((struct api *)test->priv)->heap;
}

#endif /* _PCSLAB_KUNIT_API_H */
