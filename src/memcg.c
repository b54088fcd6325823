// SPDX-License-Identifier: GPL-2.0
/*
 * The memory cgroup that pays for a heap
 *
 * Pages are charged when they are taken (page.c), and the kernel takes the
 * charge back when they go. So a cgroup pays for what the heap holds, and an
 * allocation that needs no pages costs nothing.
 *
 * No locks.
 */
#include <linux/cgroup.h>
#include <linux/err.h>
#include <linux/memcontrol.h>
#include <linux/sched.h>

#include "internal.h"

#if IS_ENABLED(CONFIG_MEMCG)
static struct mem_cgroup *memcg_named(const char *path)
{
	struct cgroup *cgroup = cgroup_get_from_path(path);
	struct cgroup_subsys_state *css;

	if (IS_ERR(cgroup))
		return ERR_CAST(cgroup);
	/* That of the nearest ancestor for which the controller is on. */
	css = cgroup_get_e_css(cgroup, &memory_cgrp_subsys);
	cgroup_put(cgroup);
	return mem_cgroup_from_css(css);
}

/**
 * pcslab_memcg_get() - get the memory cgroup that a new heap is charged to
 * @path: path in the default hierarchy, or NULL for the cgroup of this task
 *
 * Context: process. May sleep.
 * Return: the cgroup, referenced; NULL if the kernel runs without memory
 *	cgroups; or ERR_PTR: -ENOENT if there is no such cgroup.
 */
struct mem_cgroup *pcslab_memcg_get(const char *path)
{
	if (mem_cgroup_disabled())
		return NULL;
	return path ? memcg_named(path) : get_mem_cgroup_from_mm(current->mm);
}
#else
struct mem_cgroup *pcslab_memcg_get(const char *path)
{
	return NULL;
}
#endif
