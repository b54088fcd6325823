// SPDX-License-Identifier: GPL-2.0
#define arrive	arrive_two
#define stay	stay_two
#include "visitor.h"
