// SPDX-License-Identifier: GPL-2.0
/*
 * Call sites: return addresses, stored as names that stay valid
 *
 *   address ---> caller ---> site (a name) <--- objects
 *
 * A call may be one of a wrapper that many call. So a site can have the callers
 * above it, too: then it stands for all these addresses together.
 *
 * An address has a name only while its code is loaded: __init text is freed,
 * modules are unloaded, and others are loaded at the same place. So the name is
 * looked up during the call, which keeps its code in place, and objects refer
 * to the name. A caller entry caches the name of an address. Each module that
 * is loaded starts a new epoch; an entry of an earlier epoch is looked up again
 * at the next call.
 *
 * Both tables only grow until pcslab is unloaded, and are bounded by the number
 * of places that call, or of chains of them. So they need no locks and no RCU:
 * entries are pushed with a cmpxchg, and stay valid for everyone that finds
 * them.
 *
 * Context: any, including NMI. Where kmalloc() must not be called a new name
 *	cannot be stored. Then the site is NULL, which is shown as "unknown".
 */
#include <linux/atomic.h>
#include <linux/ctype.h>
#include <linux/hash.h>
#include <linux/llist.h>
#include <linux/module.h>
#include <linux/preempt.h>
#include <linux/seq_buf.h>
#include <linux/seq_file.h>
#include <linux/slab.h>
#include <linux/stacktrace.h>
#include <linux/string.h>
#include <linux/stringhash.h>

#include "compat.h"
#include "internal.h"
#include "lock.h"
#include "site.h"

/* Includes offset and module; longer names are cut off. */
#define NAME_LEN	256

#define MODULE_LEN	(MODULE_NAME_LEN + 2)
/* Callers of pcslab_site_above() in pcslab, and those that are wanted */
#define MAX_FRAMES	16

struct llist_head pcslab_callers[1 << SITE_BITS];
atomic_t pcslab_site_epoch;

static struct llist_head sites[1 << SITE_BITS];

/**
 * __pcslab_note_alloc() - allocate memory for tracking
 * @bytes: number of bytes
 *
 * Tracking must not change anything for the caller of pcslab or pcslab_adopt:
 * no waiting, no waking of kswapd, no use of the reserves.
 *
 * Out of line, so that tests can make it fail.
 *
 * Context: any.
 * Return: memory for kfree(), or NULL.
 */
noinline void *__pcslab_note_alloc(size_t bytes)
{
	if (pcslab_must_defer() || (IS_ENABLED(CONFIG_PREEMPT_RT) && !preemptible()))
		return NULL;
	return kmalloc(bytes, __GFP_NOWARN | __GFP_NOMEMALLOC);
}
EXPORT_SYMBOL_NS_GPL(__pcslab_note_alloc, "PCSLAB");

static struct pcslab_site *site_find(struct llist_node *first, const char *name)
{
	struct pcslab_site *site;

	llist_for_each_entry(site, first, link) {
		if (!strcmp(site->name, name))
			return site;
	}
	return NULL;
}

/*
 * Find the site of a name, or make it; names are unique. NULL if there is no
 * memory.
 */
static struct pcslab_site *site_get(const char *name)
{
	size_t len = strlen(name);
	struct llist_head *bucket = &sites[hash_32(full_name_hash(NULL, name, len), SITE_BITS)];
	struct llist_node *first = READ_ONCE(bucket->first);
	struct pcslab_site *site = site_find(first, name), *new;

	if (site)
		return site;
	new = __pcslab_note_alloc(struct_size(new, name, len + 1));
	if (!new)
		return NULL;
	new->objects = 0;
	new->bytes = 0;
	memcpy(new->name, name, len + 1);
	do {
		site = site_find(first, name);
		if (site) {
			kfree(new);
			return site;
		}
		new->link.next = first;
	} while (!try_cmpxchg(&bucket->first, &first, &new->link));
	return new;
}

/* Two CPUs may add the same caller at the same time; that is harmless. */
static void caller_add(struct llist_head *bucket, const struct calls *calls, int now,
		       struct pcslab_site *site)
{
	struct caller *caller = __pcslab_note_alloc(sizeof(*caller));

	if (!caller)
		return;
	caller->calls = *calls;
	caller->epoch = now;
	caller->site = site;
	llist_add(&caller->link, bucket);
}

/*
 * Append the name of an address to @name, and its module unless it is that of
 * the first address, @module, which goes to the end of the whole name.
 */
static void add_name(struct seq_buf *name, unsigned long address, char *module)
{
	bool first = !seq_buf_used(name);
	char text[NAME_LEN / 2], *own;

	snprintf(text, sizeof(text), "%pS", (void *)address);
	own = strchrnul(text, ' ');
	if (*own)
		*own++ = '\0';
	if (!first && isdigit(text[0]))
		strscpy(text, "unknown", sizeof(text));
	if (first)
		strscpy(module, own, MODULE_LEN);
	seq_buf_printf(name, "%s%s", first ? "" : "<-", text);
	if (strcmp(own, module))
		seq_buf_printf(name, "%s", *own ? own : "[kernel]");
}

static noinline struct pcslab_site *look_up(const struct calls *calls)
{
	char text[NAME_LEN] = "", module[MODULE_LEN];
	struct seq_buf name;
	unsigned int i;

	seq_buf_init(&name, text, sizeof(text) - 1);
	for (i = 0; i < PCSLAB_MAX_CALLERS && calls->address[i]; i++)
		add_name(&name, calls->address[i], module);
	if (module[0])
		seq_buf_printf(&name, " %s", module);
	/* An address without a name is printed as a number. */
	return isdigit(text[0]) ? NULL : site_get(text);
}

/* Look the name of a call up, and remember it. */
static struct pcslab_site *learn_site(const struct calls *calls)
{
	struct llist_head *bucket = &pcslab_callers[hash_of(calls)];
	struct caller *caller = caller_find(bucket, calls);
	int now = atomic_read(&pcslab_site_epoch);
	struct pcslab_site *site = look_up(calls);

	if (!site)
		return NULL;
	if (!caller) {
		caller_add(bucket, calls, now, site);
		return site;
	}
	WRITE_ONCE(caller->site, site);
	/* Release: pairs with the acquire in known_site(). */
	smp_store_release(&caller->epoch, now);
	return site;
}

static noinline struct pcslab_site *learn_call(unsigned long address)
{
	return learn_site(&(struct calls){ .address = { address } });
}

/**
 * pcslab_site() - find the site of a call
 * @address: return address of a running call
 *
 * Context: any.
 * Return: the site, or NULL if it has no name or there is no memory for it.
 */
struct pcslab_site *pcslab_site(unsigned long address)
{
	return site_of_call(address) ?: learn_call(address);
}

/**
 * __pcslab_site_name() - find the name of a call
 * @address: return address of a running call
 *
 * Context: any.
 * Return: the name, which stays valid until pcslab is unloaded; or NULL, as
 *	pcslab_site().
 */
const char *__pcslab_site_name(unsigned long address)
{
	struct pcslab_site *site = pcslab_site(address);

	return site ? site->name : NULL;
}
EXPORT_SYMBOL_NS_GPL(__pcslab_site_name, "PCSLAB");

/* With the callers above the call, if the stack can be read. */
static noinline struct pcslab_site *site_unwound(unsigned long address, unsigned int callers)
{
	struct calls calls = { .address = { address } };
	unsigned long frames[MAX_FRAMES];
	unsigned int i, n, at;

	n = stack_trace_save(frames, MAX_FRAMES, 0);
	for (at = 0; at < n && frames[at] != address; at++)
		;
	for (i = 1; i < callers && at + i < n; i++)
		calls.address[i] = frames[at + i];
	return known_site(&calls) ?: learn_site(&calls);
}

/**
 * pcslab_site_above() - find the site of a call and of the callers above it
 * @address: return address of a running call of this task
 * @callers: how many callers the site has, @address included; up to
 *	PCSLAB_MAX_CALLERS
 *
 * Context: any.
 * Return: as pcslab_site(). It has fewer callers if the stack has, or cannot be
 *	read.
 */
struct pcslab_site *pcslab_site_above(unsigned long address, unsigned int callers)
{
	if (IS_ENABLED(CONFIG_STACKTRACE) && callers > 1)
		return site_unwound(address, callers);
	return pcslab_site(address);
}

/**
 * pcslab_site_show() - show a site as two columns, place and module
 * @m: the file
 * @name: of the site
 */
void pcslab_site_show(struct seq_file *m, const char *name)
{
	seq_printf(m, "%s%s\n", name, strchr(name, ' ') ? "" : " -");
}

/* Only loading a module brings new names. */
static int site_module_changes(struct notifier_block *nb, unsigned long state, void *unused)
{
	if (state == MODULE_STATE_COMING)
		atomic_inc(&pcslab_site_epoch);
	return NOTIFY_OK;
}

/*
 * Must run before notifiers that call the module: KUnit of 6.1 runs its suites
 * then.
 */
static struct notifier_block notifier = {
	.notifier_call = site_module_changes,
	.priority = INT_MAX,
};

/* Needed even without tracking: heaps with checks record callers, too. */
int __init pcslab_site_init(void)
{
	return register_module_notifier(&notifier);
}

static void free_entries(struct llist_head *table)
{
	struct llist_node *entry, *next;
	unsigned int i;

	static_assert(!offsetof(struct caller, link));
	static_assert(!offsetof(struct pcslab_site, link));
	for (i = 0; i < 1 << SITE_BITS; i++) {
		llist_for_each_safe(entry, next, llist_del_all(&table[i]))
			kfree(entry);
	}
}

/* No heap is left that could use a site. */
void pcslab_site_exit(void)
{
	unregister_module_notifier(&notifier);
	free_entries(pcslab_callers);
	free_entries(sites);
}
