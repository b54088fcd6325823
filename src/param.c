// SPDX-License-Identifier: GPL-2.0
/*
 * The parameters debug, track and record: all heaps, none, or some by name
 *
 *   insmod pcslab.ko debug=net* track=net-rx,net-tx
 *   echo 'net*' > /sys/module/pcslab/parameters/record
 *
 * A value that is a boolean stands for all heaps or none. Any other value is a
 * list of names, separated by commas. A name that ends in * stands for all that
 * begin like it, as with slub_debug. The lists of debug and track are set when
 * the module is loaded and do not change; record starts and stops the flight
 * recorders of heaps at any time (record.c).
 *
 * Fault injection has a list of the same form (fault.c).
 *
 * Context: loading the module, and setting record; functions that are not
 * static: any. Locks: pcslab_heaps_lock for record.
 */
#include <linux/jump_label.h>
#include <linux/kernel.h>
#include <linux/log2.h>
#include <linux/moduleparam.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/sysfs.h>

#include "event.h"
#include "internal.h"

/* Events of each CPU */
#define MIN_RECORD	16U
#define MAX_RECORD	65536U

struct choice {
	bool all;
	char list[PCSLAB_LIST_LEN];	/* empty, or names */
};

static struct choice debug, track;
static struct choice record;		/* under pcslab_heaps_lock */
static unsigned int record_size = 256;

/*
 * kstrtobool() looks at the first letters only, and would take a name like
 * "nvme" for a no.
 */
static bool is_bool(const char *value, bool *res)
{
	static const char * const words[2][6] = {
		{ "0", "n", "no", "off", "f", "false" }, { "1", "y", "yes", "on", "t", "true" },
	};
	unsigned int i, yes;

	for (yes = 0; yes < 2; yes++) {
		for (i = 0; i < ARRAY_SIZE(words[yes]); i++) {
			if (strcasecmp(value, words[yes][i]))
				continue;
			*res = yes;
			return true;
		}
	}
	return false;
}

/* The length of the first name in a list. */
static size_t name_len(const char *list)
{
	return strchrnul(list, ',') - list;
}

/* Can a heap have a name like this one of @len bytes, which may end in *? */
static bool is_name(const char *name, size_t len)
{
	size_t i;

	if (len && name[len - 1] == '*')
		len--;
	else if (!len)
		return false;
	if (len >= PCSLAB_NAME_LEN)
		return false;
	for (i = 0; i < len; i++) {
		if (name[i] == '*' || !pcslab_is_name_char(name[i]))
			return false;
	}
	return true;
}

/**
 * pcslab_are_names() - find out whether a string is a list of names
 * @list: the string
 *
 * Return: false if no heap can have one of the names, or if it is a number.
 */
bool pcslab_are_names(const char *list)
{
	size_t len = name_len(list);
	int number;

	/* A level of debugging, as other modules have them. */
	if (!kstrtoint(list, 0, &number))
		return false;
	for (; list[len] && is_name(list, len); len = name_len(list))
		list += len + 1;
	return is_name(list, len) && strlen(list) == len;
}

/**
 * pcslab_name_in() - find out whether a list has the name of a heap
 * @list: empty, or pcslab_are_names()
 * @name: the heap's name
 *
 * Return: true if it has.
 */
bool pcslab_name_in(const char *list, const char *name)
{
	size_t len;

	for (; *list; list += len + !!list[len]) {
		len = name_len(list);
		if (list[len - 1] == '*' && !strncmp(list, name, len - 1))
			return true;
		if (strlen(name) == len && !strncmp(list, name, len))
			return true;
	}
	return false;
}

static bool is_chosen(const struct choice *choice, const char *name)
{
	return choice->all || pcslab_name_in(choice->list, name);
}

/* Like a bool, a parameter without a value means yes. */
static int read_choice(const char *value, const char *name, struct choice *choice)
{
	*choice = (struct choice){};
	if (!value || is_bool(value, &choice->all)) {
		choice->all |= !value;
		return 0;
	}
	if (!pcslab_are_names(value)) {
		pr_err("%s is 0, 1 or names of heaps (a,b*), not %s\n", name, value);
		return -EINVAL;
	}
	return strscpy(choice->list, value, sizeof(choice->list)) < 0 ? -ENOSPC : 0;
}

static int set_choice(const char *value, const struct kernel_param *kp)
{
	return read_choice(value, kp->name, kp->arg);
}

static int set_number(const char *value, const struct kernel_param *kp, unsigned int min,
		      unsigned int max)
{
	int err = param_set_uint_minmax(value, kp, min, max);

	if (err)
		pr_err("%s is a number from %u to %u, not %s\n", kp->name, min, max, value);
	return err;
}

static int get_choice(char *buffer, const struct kernel_param *kp)
{
	const struct choice *choice = kp->arg;

	if (choice->list[0])
		return sysfs_emit(buffer, "%s\n", choice->list);
	return sysfs_emit(buffer, "%c\n", choice->all ? 'Y' : 'N');
}

static const struct kernel_param_ops choice_ops = {
	.flags = KERNEL_PARAM_OPS_FL_NOARG,
	.set = set_choice,
	.get = get_choice,
};

module_param_cb(debug, &choice_ops, &debug, 0444);
__MODULE_PARM_TYPE(debug, "bool or names");
MODULE_PARM_DESC(debug, "all heaps, or those with these names (a,b*), have all checks: poison, redzones, frees at the same instant (slower)");

module_param_cb(track, &choice_ops, &track, 0444);
__MODULE_PARM_TYPE(track, "bool or names");
MODULE_PARM_DESC(track, "remember who allocated each object of all heaps, or of those with these names (a,b*) (slower, 14 bytes per object)");

static u8 flags_if(bool debugged, bool tracked)
{
	return (debugged ? PCSLAB_HEAP_RANDOM | PCSLAB_CHECKED : 0) |
	       (tracked ? PCSLAB_HEAP_TRACK : 0);
}

/**
 * pcslab_flags_of() - flags that the module's parameters give to a heap
 * @name: its name
 *
 * Return: PCSLAB_HEAP_* and internal flags.
 */
u8 pcslab_flags_of(const char *name)
{
	return flags_if(is_chosen(&debug, name), is_chosen(&track, name));
}

/**
 * pcslab_flags_of_all() - flags that the module's parameters give to every heap
 *
 * Return: PCSLAB_HEAP_* and internal flags.
 */
u8 pcslab_flags_of_all(void)
{
	return flags_if(debug.all, track.all);
}

static unsigned int track_callers = 1;

static int set_track_callers(const char *value, const struct kernel_param *kp)
{
	return set_number(value, kp, 1, PCSLAB_MAX_CALLERS);
}

static const struct kernel_param_ops track_callers_ops = {
	.set = set_track_callers,
	.get = param_get_uint,
};

module_param_cb(track_callers, &track_callers_ops, &track_callers, 0444);
__MODULE_PARM_TYPE(track_callers, "uint");
MODULE_PARM_DESC(track_callers, "how many callers track remembers, from 1 to 4 (each costs the time to unwind the stack)");

/**
 * pcslab_track_callers() - callers of a site, if the heap does not say how many
 *
 * Return: 1 to PCSLAB_MAX_CALLERS.
 */
unsigned int pcslab_track_callers(void)
{
	return track_callers;
}

static bool chooses(const struct choice *choice)
{
	return choice->all || choice->list[0];
}

/* The static key cannot be changed under pcslab_heaps_lock (event.c). */
static void choose_record(const struct choice *choice)
{
	bool was = chooses(&record);

	if (!was && chooses(choice))
		static_branch_inc(&pcslab_events);
	mutex_lock(&pcslab_heaps_lock);
	record = *choice;
	pcslab_record_update();
	mutex_unlock(&pcslab_heaps_lock);
	if (was && !chooses(choice))
		static_branch_dec(&pcslab_events);
}

/*
 * The kernel sets the parameters of a module one at a time. Built in, this one
 * is set before there is memory to allocate.
 */
static int set_record(const char *value, const struct kernel_param *kp)
{
	static char list[PCSLAB_LIST_LEN + 1];
	static struct choice choice;
	int err;

	if (strscpy(list, value ?: "1", sizeof(list)) < 0)
		return -ENOSPC;
	err = read_choice(strim(list), kp->name, &choice);
	if (!err)
		choose_record(&choice);
	return err;
}

static const struct kernel_param_ops record_ops = {
	.flags = KERNEL_PARAM_OPS_FL_NOARG,
	.set = set_record,
};

module_param_cb(record, &record_ops, NULL, 0200);
__MODULE_PARM_TYPE(record, "bool or names");
MODULE_PARM_DESC(record, "keep the last events of all heaps, or of those with these names (a,b*), for debugfs, file events (slower)");

static int set_record_size(const char *value, const struct kernel_param *kp)
{
	int err = set_number(value, kp, MIN_RECORD, MAX_RECORD);

	record_size = roundup_pow_of_two(record_size);
	return err;
}

static const struct kernel_param_ops record_size_ops = {
	.set = set_record_size,
	.get = param_get_uint,
};

module_param_cb(record_size, &record_size_ops, &record_size, 0444);
__MODULE_PARM_TYPE(record_size, "uint");
MODULE_PARM_DESC(record_size, "events of each CPU that record keeps, from 16 to 65536");

/**
 * pcslab_record_wanted() - find out whether a heap is to have a flight recorder
 * @name: of the heap
 *
 * Context: process; pcslab_heaps_lock is held.
 * Return: true if it is.
 */
bool pcslab_record_wanted(const char *name)
{
	lockdep_assert_held(&pcslab_heaps_lock);
	return is_chosen(&record, name);
}

/**
 * pcslab_record_size() - events that a flight recorder keeps
 *
 * Return: events of each CPU, a power of two.
 */
unsigned int pcslab_record_size(void)
{
	return record_size;
}
