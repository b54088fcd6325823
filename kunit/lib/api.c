// SPDX-License-Identifier: GPL-2.0
/*
 * The fixture of the suites about single calls (an empty heap and its
 * statistics), patterns in objects, and files of debugfs
 */
#include <linux/export.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/mount.h>
#include <linux/seq_file.h>
#include <linux/uio.h>
#include <linux/umh.h>

#include "api.h"

#define SUMMARY		"pcslab/stats"
#define SUMMARY_BYTES	8192

int api_init(struct kunit *test)
{
	struct api *api = kunit_kzalloc(test, sizeof(*api), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, api);
	api->before = kunit_kzalloc(test, sizeof(*api->before), GFP_KERNEL);
	api->now = kunit_kzalloc(test, sizeof(*api->now), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, api->before);
	KUNIT_ASSERT_NOT_NULL(test, api->now);
	api->heap = pcslab_heap_create("kunit-api", NULL);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, api->heap);
	test->priv = api;
	return 0;
}
EXPORT_SYMBOL_GPL(api_init);

void api_exit(struct kunit *test)
{
	struct api *api = test->priv;

	if (!api)
		return;
	KUNIT_EXPECT_EQ_MSG(test, stats_live(api_books(test)), 0, "objects left behind");
	pcslab_heap_destroy(api->heap);
}
EXPORT_SYMBOL_GPL(api_exit);

struct pcslab_stats *api_books(struct kunit *test)
{
	struct api *api = test->priv;

	KUNIT_EXPECT_EQ(test, pcslab_heap_stats(api->heap, api->now), 0);
	return api->now;
}
EXPORT_SYMBOL_GPL(api_books);

void api_snapshot(struct kunit *test)
{
	struct api *api = test->priv;

	KUNIT_EXPECT_EQ(test, pcslab_heap_stats(api->heap, api->before), 0);
	api->refused = api_refused(test);
}
EXPORT_SYMBOL_GPL(api_snapshot);

/* Compares allocations and frees of every class and of large objects. */
bool api_same_books(const struct pcslab_stats *a, const struct pcslab_stats *b)
{
	unsigned int i;

	for (i = 0; i < PCSLAB_NR_CLASSES; i++) {
		if (a->class[i].allocs != b->class[i].allocs ||
		    a->class[i].frees != b->class[i].frees)
			return false;
	}
	return a->large_allocs == b->large_allocs &&
	       a->large_frees == b->large_frees &&
	       a->large_alloc_bytes == b->large_alloc_bytes &&
	       a->large_free_bytes == b->large_free_bytes;
}
EXPORT_SYMBOL_GPL(api_same_books);

/*
 * Opens a file by its path in debugfs. Kernel threads need not see what
 * processes have mounted (in 7.3 they don't), so this mounts debugfs until the
 * file is open.
 */
struct file *api_open(const char *path)
{
	struct vfsmount *mnt = kern_mount(get_fs_type("debugfs"));
	struct path root;
	struct file *file;

	if (IS_ERR(mnt))
		return ERR_CAST(mnt);
	root = (struct path){ .mnt = mnt, .dentry = mnt->mnt_root };
	file = file_open_root(&root, path, O_RDONLY, 0);
	kern_unmount(mnt);
	return file;
}
EXPORT_SYMBOL_GPL(api_open);

/*
 * debugfs files have no read_iter, so kernel_read() refuses them; seq_file's
 * own read works.
 */
ssize_t api_read(struct file *file, char *buf, size_t size)
{
	struct kvec vec = { .iov_base = buf, .iov_len = size - 1 };
	struct iov_iter iter;
	struct kiocb kiocb;
	ssize_t n;

	init_sync_kiocb(&kiocb, file);
	iov_iter_kvec(&iter, READ, &vec, 1, vec.iov_len);
	n = seq_read_iter(&kiocb, &iter);
	buf[max_t(ssize_t, n, 0)] = '\0';
	return n;
}
EXPORT_SYMBOL_GPL(api_read);

/*
 * Close the file at once: fput() defers its work, which would keep the module
 * in use for a while.
 */
ssize_t api_read_file(const char *path, char *buf, size_t size)
{
	struct file *file = api_open(path);
	ssize_t n;

	if (IS_ERR(file))
		return PTR_ERR(file);
	n = api_read(file, buf, size);
	__fput_sync(file);
	return n;
}
EXPORT_SYMBOL_GPL(api_read_file);

static char *read_all(struct kunit *test, const char *path)
{
	char *text = kunit_kzalloc(test, SUMMARY_BYTES, GFP_KERNEL);
	ssize_t n;

	KUNIT_ASSERT_NOT_NULL(test, text);
	n = api_read_file(path, text, SUMMARY_BYTES);
	KUNIT_ASSERT_GT(test, n, 0);
	return text;
}

/* Reads pcslab/stats. The test owns the buffer. */
char *api_summary(struct kunit *test)
{
	return read_all(test, SUMMARY);
}
EXPORT_SYMBOL_GPL(api_summary);

/* Bad frees of all heaps, and of memory that belongs to no heap. */
u64 api_refused(struct kunit *test)
{
	char *text = read_all(test, "pcslab/errors");
	char *line = strstr(text, "\ntotal ");
	u64 refused = 0;
	int n;

	KUNIT_ASSERT_NOT_NULL(test, line);
	n = sscanf(line, " total - %llu", &refused);
	KUNIT_EXPECT_EQ(test, n, 1);
	kunit_kfree(test, text);
	return refused;
}
EXPORT_SYMBOL_GPL(api_refused);

static u8 filler(u32 seed)
{
	return (seed * 0x9e3779b1U) >> 24;
}

/* Writes the seed where it fits, and one byte of it everywhere else. */
void api_fill(void *obj, u32 seed, size_t size)
{
	memset(obj, filler(seed), size);
	if (size >= sizeof(seed))
		memcpy(obj, &seed, sizeof(seed));
}
EXPORT_SYMBOL_GPL(api_fill);

bool api_filled(const void *obj, u32 seed, size_t size)
{
	size_t skip = size >= sizeof(seed) ? sizeof(seed) : 0;

	if (skip && memcmp(obj, &seed, sizeof(seed)))
		return false;
	return size == skip || !memchr_inv(obj + skip, filler(seed), size - skip);
}
EXPORT_SYMBOL_GPL(api_filled);

#define FAIL_PAGES	"/sys/kernel/debug/pcslab/fail_pages/"

/* Only user space can write to debugfs files, so a shell does it. */
void api_fail_next(struct kunit *test, int times)
{
	char command[sizeof(FAIL_PAGES) + 64];
	char *argv[4] = { "/bin/sh", "-c", command };
	char *envp[2] = { "PATH=/bin:/usr/bin" };

	snprintf(command, sizeof(command), "cd %s && echo %d >times && echo %d >probability",
		 FAIL_PAGES, times, times ? 100 : 0);
	KUNIT_ASSERT_EQ(test, 0, call_usermodehelper(argv[0], argv, envp, UMH_WAIT_PROC));
}
EXPORT_SYMBOL_GPL(api_fail_next);

void api_fail_pages(struct kunit *test, bool on)
{
	api_fail_next(test, on ? -1 : 0);
}
EXPORT_SYMBOL_GPL(api_fail_pages);
