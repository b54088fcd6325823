// SPDX-License-Identifier: GPL-2.0
// A statement dropped; what orders things is in order.cocci, and what only debugging
// kernels see is left alone.
// Share: 16

@initialize:python@
@@
from sites import wanted

@call@
identifier f !~ "^(lockdep_|might_|hooks?_|shadow_|kasan_|kmemleak_|cond_resched|smp_|barrier|(mutex|spin|raw_spin|rcu_read|cpus_read)_(un)?lock|preempt_|pcslab_(un)?lock|pcslab_grace_period|WRITE_ONCE|EXPORT_|MODULE_|static_assert|BUILD_BUG)";
position p : script:python() { wanted("call", p) };
@@
- f(...)@p;

@store@
expression L, R;
position p : script:python() { wanted("store", p) };
@@
- L = R@p;

@add@
expression L, R;
assignment operator op = {+=, -=, |=, &=, ^=};
position p : script:python() { wanted("add", p) };
@@
- L op R@p;

@step@
expression E;
position p : script:python() { wanted("step", p) };
@@
(
- E@p++;
|
- E@p--;
|
- ++E@p;
|
- --E@p;
)

@leave@
position p : script:python() { wanted("leave", p) };
@@
(
- break@p;
|
- continue@p;
)

