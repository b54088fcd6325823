/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The stand-in for kasprintf(), which has no argument register to spare: the
 * handle comes in r10. The kernel passes no vectors, so the va_list needs the
 * general registers only.
 */
#include <linux/cfi_types.h>
#include <linux/linkage.h>

SYM_TYPED_FUNC_START(pcslab_adopt_kasprintf)
	push	%rbp
	mov	%rsp, %rbp
	sub	$0x50, %rsp
	mov	%rdi, -0x30(%rbp)
	mov	%rsi, -0x28(%rbp)
	mov	%rdx, -0x20(%rbp)
	mov	%rcx, -0x18(%rbp)
	mov	%r8, -0x10(%rbp)
	mov	%r9, -0x08(%rbp)
	movl	$0x10, -0x48(%rbp)		/* gp_offset: behind gfp and fmt */
	movl	$0x30, -0x44(%rbp)		/* fp_offset: there are none */
	lea	0x10(%rbp), %rax
	mov	%rax, -0x40(%rbp)		/* overflow_arg_area */
	lea	-0x30(%rbp), %rax
	mov	%rax, -0x38(%rbp)		/* reg_save_area */
	lea	-0x48(%rbp), %rdx
	mov	%r10, %rcx
	mov	0x08(%rbp), %r8			/* return address: the caller */
	call	adopt_kasprintf
	leave
	RET
SYM_FUNC_END(pcslab_adopt_kasprintf)
