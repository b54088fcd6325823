/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Definition of a stand-in
 *
 * Each has the prototype of what it stands for, which the compiler checks, and
 * the licence class of its export, which scripts/pcslab-adopt --check does. The
 * module's information says how many arguments each has, from which the tool
 * knows the register of the handle, and whether it gives memory of a heap
 * (stand_in) or counts what the kernel does (counted).
 */
#ifndef _PCSLAB_ADOPT_STANDIN_H
#define _PCSLAB_ADOPT_STANDIN_H

#include <linux/kernel.h>
#include <linux/module.h>

#define __STAND_IN(what, export, ret, name, ...)					\
	static_assert(__builtin_types_compatible_p(typeof(name), ret (__VA_ARGS__)));	\
	MODULE_INFO(what, #name "=" __stringify(COUNT_ARGS(__VA_ARGS__)));		\
	ret pcslab_adopt_##name(__VA_ARGS__, struct adopt_handle *h);			\
	export(pcslab_adopt_##name);							\
	ret pcslab_adopt_##name(__VA_ARGS__, struct adopt_handle *h)
/* For names and parameters that are macros of compat.h. */
#define STAND_IN(...)		__STAND_IN(stand_in, EXPORT_SYMBOL, __VA_ARGS__)
#define STAND_IN_GPL(...)	__STAND_IN(stand_in, EXPORT_SYMBOL_GPL, __VA_ARGS__)
#define COUNTED(...)		__STAND_IN(counted, EXPORT_SYMBOL, __VA_ARGS__)
#define COUNTED_GPL(...)	__STAND_IN(counted, EXPORT_SYMBOL_GPL, __VA_ARGS__)

#endif /* _PCSLAB_ADOPT_STANDIN_H */
