// SPDX-License-Identifier: GPL-2.0
/*
 * The trace, parsed from text
 *
 * The first line is `# ops N`; N lines follow, in the order of time: `a id size
 * cpu ctx` for an allocation (ctx A: in atomic context, -: not) and `f id cpu`
 * for a free. Ids count up from 0. Anything else is refused, so a replay can
 * rely on it: each object is allocated once, before it is freed, and freed at
 * most once.
 *
 * Context: process; the caller must prevent concurrent calls.
 */
#include <linux/errno.h>
#include <linux/kernel.h>
#include <linux/vmalloc.h>

#include "replay.h"

struct replay_trace replay_trace;

static int read_header(const char *line)
{
	struct replay_trace *t = &replay_trace;
	u32 n;

	if (sscanf(line, "# ops %u", &n) != 1 || !n || n > 100 * 1000 * 1000)
		return -EINVAL;
	t->ops = vzalloc(array_size(n, sizeof(*t->ops)));
	t->objects = vzalloc(array_size(n, sizeof(*t->objects)));
	if (!t->ops || !t->objects) {
		replay_trace_drop();
		return -ENOMEM;
	}
	t->nr_wanted = n;
	return 0;
}

static int read_alloc(const char *line, struct replay_op *op)
{
	struct replay_trace *t = &replay_trace;
	struct replay_object *object;
	u32 id, size, cpu;
	char ctx;

	if (sscanf(line, "a %u %u %u %c", &id, &size, &cpu, &ctx) != 4)
		return -EINVAL;
	if (id != t->nr_objects || !size || cpu >= REPLAY_CPUS)
		return -EINVAL;
	object = &t->objects[t->nr_objects++];
	object->size = size;
	object->cpu = cpu;
	object->atomic = ctx == 'A';
	*op = (struct replay_op){ .id = id, .cpu = cpu };
	return 0;
}

static int read_free(const char *line, struct replay_op *op)
{
	struct replay_trace *t = &replay_trace;
	u32 id, cpu;

	if (sscanf(line, "f %u %u", &id, &cpu) != 2)
		return -EINVAL;
	if (id >= t->nr_objects || t->objects[id].freed || cpu >= REPLAY_CPUS)
		return -EINVAL;
	t->objects[id].freed = true;
	*op = (struct replay_op){ .id = id, .cpu = cpu, .free = true };
	return 0;
}

/**
 * replay_trace_line() - parse the next line of the trace
 * @line: without its newline
 *
 * Return: 0, -EINVAL if this line can't follow, or -ENOMEM.
 */
int replay_trace_line(const char *line)
{
	struct replay_trace *t = &replay_trace;
	struct replay_op *op;
	int err;

	if (!t->nr_wanted)
		return read_header(line);
	if (replay_trace_whole())
		return -EINVAL;
	op = &t->ops[t->nr_ops];
	err = *line == 'a' ? read_alloc(line, op) : read_free(line, op);
	if (err)
		return err;
	t->nr_ops++;
	t->nr_cpus = max_t(u32, t->nr_cpus, op->cpu + 1);
	return 0;
}

/**
 * replay_trace_drop() - forget the trace
 */
void replay_trace_drop(void)
{
	vfree(replay_trace.ops);
	vfree(replay_trace.objects);
	replay_trace = (struct replay_trace){};
}
