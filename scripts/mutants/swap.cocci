// SPDX-License-Identifier: GPL-2.0
// Two statements, one at least a call, change places.
// Share: 8

@initialize:python@
@@
from sites import wanted

@calls@
identifier f !~ "^(INIT_LIST_HEAD|seq_|pr_|lockdep_)";
expression list a;
expression E;
position p;
@@
  f(a)@p;
  E;

@script:python picked@
p << calls.p;
@@
cocci.include_match(wanted("call_first", p))

@depends on picked@
expression calls.E;
identifier calls.f;
expression list calls.a;
position calls.p;
@@
- f(a)@p;
- E;
+ E;
+ f(a);

@stores@
identifier f !~ "^(INIT_LIST_HEAD|seq_|pr_|lockdep_)";
expression list a;
expression L, R;
position p;
@@
  L = R@p;
  f(a);

@script:python chosen@
p << stores.p;
@@
cocci.include_match(wanted("store_first", p))

@depends on chosen@
expression stores.L, stores.R;
identifier stores.f;
expression list stores.a;
position stores.p;
@@
- L = R@p;
- f(a);
+ f(a);
+ L = R;
