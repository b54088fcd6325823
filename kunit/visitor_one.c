// SPDX-License-Identifier: GPL-2.0
#define arrive	arrive_one
#define stay	stay_one
#include "visitor.h"
