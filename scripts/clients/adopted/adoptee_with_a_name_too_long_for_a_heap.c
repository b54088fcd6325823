// SPDX-License-Identifier: GPL-2.0
/* The same module with a name that a heap cannot have. */
#include "adoptee.c"
