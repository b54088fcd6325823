/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A visitor: a client for tests that consist of commands. It uses a heap of
 * another module.
 *
 * host= is the address of an object of that heap. A visitor allocates from its
 * __init text (arrive) and from the text that stays (stay). These objects
 * outlive it; kept= can be read before it goes. unnamed=1 makes it a caller
 * without a name. With starve=1 pcslab has no memory to remember it.
 *
 * Two modules are built from this. They differ only in the names of the two
 * functions, so one can be loaded at the same addresses as the other before.
 */
#include <linux/gfp.h>
#include <linux/init.h>
#include <linux/kprobes.h>
#include <linux/module.h>
#include <linux/slab.h>

#include <pcslab/pcslab.h>

#if defined(CONFIG_X86_64)
#define FIRST_ARGUMENT	di
#elif defined(CONFIG_X86_32)
#define FIRST_ARGUMENT	ax
#elif defined(CONFIG_ARM64)
#define FIRST_ARGUMENT	regs[0]
#endif

static unsigned long host;
module_param(host, ulong, 0400);
MODULE_PARM_DESC(host, "address of an object of the heap to use");

static unsigned long kept[3];
module_param_array(kept, ulong, NULL, 0400);
MODULE_PARM_DESC(kept, "addresses of what was allocated");

static bool unnamed;
module_param(unnamed, bool, 0400);
MODULE_PARM_DESC(unnamed, "have an address of data be the return address");

static bool starve;
module_param(starve, bool, 0400);
MODULE_PARM_DESC(starve, "have pcslab want more for its notes than there is");

static unsigned long forged;

static int forge(struct kprobe *probe, struct pt_regs *regs)
{
	regs->FIRST_ARGUMENT = forged;
	return 0;
}

static struct kprobe probe = {
	.pre_handler = forge,
};

static int __init start_forging(const char *function, unsigned long argument)
{
	probe.symbol_name = function;
	forged = argument;
	return register_kprobe(&probe);
}

static noinline void stay(struct pcslab_heap *heap)
{
	kept[0] = (unsigned long)pcslab_alloc(heap, 64, GFP_KERNEL | __GFP_NOFAIL);
}

static noinline void __init arrive(struct pcslab_heap *heap)
{
	kept[1] = (unsigned long)pcslab_alloc(heap, 64, GFP_KERNEL | __GFP_NOFAIL);
	kept[2] = (unsigned long)pcslab_alloc(heap, 20000, GFP_KERNEL | __GFP_NOFAIL);
}

static int __init visitor_init(void)
{
	struct pcslab_heap *heap = pcslab_heap_of((void *)host);
	int err = 0;

	if (!heap)
		return -EINVAL;
	if (unnamed)
		err = start_forging("pcslab_site_above", host);
	if (starve)
		err = start_forging("__pcslab_note_alloc", KMALLOC_MAX_SIZE + 1);
	if (err)
		return err;
	stay(heap);
	arrive(heap);
	if (probe.symbol_name)
		unregister_kprobe(&probe);
	return 0;
}

/* Without an exit function the module could not be removed. */
static void __exit visitor_exit(void)
{
}

module_init(visitor_init);
module_exit(visitor_exit);

MODULE_DESCRIPTION("A client of pcslab that uses another module's heap");
MODULE_LICENSE("GPL");
MODULE_INFO(import_ns, "PCSLAB");
