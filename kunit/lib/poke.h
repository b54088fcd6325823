/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _PCSLAB_KUNIT_POKE_H
#define _PCSLAB_KUNIT_POKE_H

#include <linux/compiler.h>
#include <linux/types.h>

/*
 * Writes where nobody may write, to see what pcslab itself does about it. KASAN
 * must not see the writes, because it would report them first.
 */
static noinline __no_sanitize_address __maybe_unused void
poke(void *to, size_t size, u8 value)
{
	while (size--)
		WRITE_ONCE(((u8 *)to)[size], value);
}

#endif /* _PCSLAB_KUNIT_POKE_H */
