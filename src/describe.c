// SPDX-License-Identifier: GPL-2.0
/*
 * What is at an address
 *
 *   echo ADDRESS > /sys/module/pcslab/parameters/whatis
 *   cat /sys/kernel/debug/pcslab/whatis
 *
 * The text names the heap, the object around the address, its state and the
 * states of its neighbours, and, in a heap that is tracked or checked, the last
 * call for it. It has no address and nothing of what is stored in an object. It
 * is what was there at that moment: others may free and allocate meanwhile.
 *
 * Locks: whatis_lock, for the last answer.
 */
#include <linux/ctype.h>
#include <linux/kernel.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/seq_buf.h>
#include <linux/seq_file.h>
#include <linux/string.h>

#include "internal.h"
#include "page.h"

/* Bytes of the longest answer; the name of a call site may be cut off. */
#define ANSWER	384

static DEFINE_MUTEX(whatis_lock);
static char whatis[ANSWER] = "nothing asked\n";

static const char *state_of(const struct pcslab_slab *slab, unsigned int index)
{
	static const char * const names[] = {
		[PCSLAB_OBJ_FREE] = "free",
		[PCSLAB_OBJ_CACHED] = "free, in a magazine",
		[PCSLAB_OBJ_LIVE] = "live",
		[PCSLAB_OBJ_SUSPECT] = "live",
		[PCSLAB_OBJ_PENDING] = "being freed",
		[PCSLAB_OBJ_DEFERRED] = "being freed",
		[PCSLAB_OBJ_RCU] = "freed, waits for a grace period",
		[PCSLAB_OBJ_NONE] = "none",
	};

	/* An @index of -1, too, is past the last. */
	return index < slab->nr ? names[READ_ONCE(slab->state[index])] : "none";
}

static void say_site(struct seq_buf *s, const struct pcslab_site *site)
{
	if (site)
		seq_buf_printf(s, "last call: %s\n", site->name);
}

static void say_slab(struct seq_buf *s, struct pcslab_slab *slab, unsigned long offset)
{
	struct pcslab_class *class = slab->class;
	unsigned int index = offset / class->stride;

	seq_buf_printf(s, "heap %s, class %u, ", class->heap->name, class->size);
	if (index >= slab->nr) {
		seq_buf_printf(s, "behind the last object of a slab\n");
		return;
	}
	seq_buf_printf(s, "object %u of %u, offset %lu: %s\n", index, slab->nr,
		       offset % class->stride, state_of(slab, index));
	seq_buf_printf(s, "before it: %s; behind it: %s\n", state_of(slab, index - 1),
		       state_of(slab, index + 1));
	if (class->flags & PCSLAB_SITED)
		/* Acquire by address dependency: see pcslab_track_object(). */
		say_site(s, READ_ONCE(pcslab_sites(slab)[index]));
}

static void say_large(struct seq_buf *s, struct page *page, const void *addr)
{
	struct pcslab_note *note;
	struct pcslab_area *area;
	const void *start;
	void *owner;

	if (!large_owner(page, &owner))
		return;
	note = large_note(owner);
	area = large_area(owner);
	start = area ? area->addr : page_address(page);
	seq_buf_printf(s, "heap %s, large object of %lu bytes, offset %lu: %s\n",
		       large_class_by(owner)->heap->name, large_pages(page, owner) << PAGE_SHIFT,
		       (unsigned long)(addr - start),
		       page_has_tag(page, &pcslab_rcu_tag) ? "freed, waits for a grace period" :
							     "live");
	if (note)
		say_site(s, READ_ONCE(note->site));
}

/**
 * pcslab_describe() - say in words what is at an address
 * @obj: any address
 * @buf: filled with up to three lines of text, NUL terminated and, if need be,
 *	cut off; empty if the address is in no memory of pcslab
 * @len: bytes of @buf, at least 1; with 384 only the name of a call is ever cut
 *
 * The lines name the heap, the class, the number of the object in its slab, the
 * offset of @obj in it, its state, the states of its neighbours, and the last
 * call that allocated or freed it, if the heap is tracked or checked. They are
 * meant for an oops, an assertion or a log.
 *
 * Context: any.
 * Return: characters in @buf without the NUL; 0 if the address is in no memory
 *	of pcslab.
 */
size_t pcslab_describe(const void *obj, char *buf, size_t len)
{
	struct pcslab_slab *slab;
	struct page *page;
	struct seq_buf s;

	seq_buf_init(&s, buf, len);
	buf[0] = '\0';
	preempt_disable();	/* keeps what is found */
	slab = slab_of(obj);
	page = slab ? NULL : large_page_around(obj);
	if (slab)
		say_slab(&s, slab, (const char *)obj - slab->base);
	else if (page)
		say_large(&s, page, obj);
	preempt_enable();
	buf[len - 1] = '\0';
	return strlen(buf);
}
EXPORT_SYMBOL_NS_GPL(pcslab_describe, "PCSLAB");

/**
 * pcslab_whatis_show() - show the last answer
 * @m: the file
 *
 * Context: process. May sleep.
 */
void pcslab_whatis_show(struct seq_file *m)
{
	mutex_lock(&whatis_lock);
	seq_puts(m, whatis);
	mutex_unlock(&whatis_lock);
}

static int set_whatis(const char *value, const struct kernel_param *unused)
{
	unsigned long addr;
	int err = kstrtoul(value, 16, &addr);

	if (err)
		return err;
	mutex_lock(&whatis_lock);
	if (!pcslab_describe((void *)addr, whatis, sizeof(whatis)))
		strscpy(whatis, "not in memory of pcslab\n", sizeof(whatis));
	mutex_unlock(&whatis_lock);
	return 0;
}

static const struct kernel_param_ops whatis_ops = { .set = set_whatis };
module_param_cb(whatis, &whatis_ops, NULL, 0200);
__MODULE_PARM_TYPE(whatis, "address");
MODULE_PARM_DESC(whatis, "address (hexadecimal) to describe in debugfs, file whatis");
