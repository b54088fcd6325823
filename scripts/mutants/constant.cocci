// SPDX-License-Identifier: GPL-2.0
// Another constant.
// Share: 7

@initialize:python@
@@
from sites import wanted

@number@
constant C =~ "^[0-9]";
position p : script:python() { wanted("number", p) };
@@
- C@p
+ (C + 1)

@defined@
identifier X;
constant C =~ "^[0-9]";
position p : script:python() { wanted("defined", p) };
@@
- #define X@p C
+ #define X (C + 1)

@truth@
symbol true, false;
position p : script:python() { wanted("truth", p) };
@@
(
- true@p
+ false
|
- false@p
+ true
)

@named@
position p : script:python() { wanted("named", p) };
@@
(
- PCSLAB_OBJ_FREE@p
+ PCSLAB_OBJ_CACHED
|
- PCSLAB_OBJ_CACHED@p
+ PCSLAB_OBJ_LIVE
|
- PCSLAB_OBJ_LIVE@p
+ PCSLAB_OBJ_CACHED
|
- PCSLAB_OBJ_PENDING@p
+ PCSLAB_OBJ_DEFERRED
|
- PCSLAB_OBJ_DEFERRED@p
+ PCSLAB_OBJ_LIVE
|
- PCSLAB_OBJ_RCU@p
+ PCSLAB_OBJ_LIVE
|
- PCSLAB_OBJ_NONE@p
+ PCSLAB_OBJ_FREE
|
- N_MEMORY@p
+ N_POSSIBLE
|
- N_NORMAL_MEMORY@p
+ N_MEMORY
|
- GFP_NOWAIT@p
+ GFP_KERNEL
|
- GFP_KERNEL@p
+ GFP_NOWAIT
|
- NUMA_NO_NODE@p
+ 0
|
- UINT_MAX@p
+ 0
|
- PAGE_SIZE@p
+ (PAGE_SIZE / 2)
|
- EINVAL@p
+ ENOMEM
|
- ENOMEM@p
+ EINVAL
|
- PCSLAB_LARGE@p
+ (PCSLAB_LARGE - 1)
|
- PCSLAB_NR_CLASSES@p
+ (PCSLAB_NR_CLASSES - 1)
|
- PCSLAB_MAX_SIZE@p
+ (PCSLAB_MAX_SIZE - 8)
|
- PCSLAB_STAYS@p
+ PCSLAB_GOES
|
- PCSLAB_WAITS@p
+ PCSLAB_STAYS
|
- PCSLAB_GOES@p
+ PCSLAB_WAITS
)

