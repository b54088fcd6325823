/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _PCSLAB_KUNIT_POKE_H
#define _PCSLAB_KUNIT_POKE_H

#include <linux/compiler.h>
#include <linux/types.h>

/*
 * Write where one must not. By hand, for KASAN, which would be first to tell, not to
 * see it: what does pcslab itself make of it?
 */
static noinline __no_sanitize_address __maybe_unused void
poke(void *to, size_t size, u8 value)
{
	while (size--)
		WRITE_ONCE(((u8 *)to)[size], value);
}

#endif /* _PCSLAB_KUNIT_POKE_H */
