// SPDX-License-Identifier: GPL-2.0
// Nobody asks whether a pointer or a result is NULL.
// Share: 7

@initialize:python@
@@
from sites import wanted

@no_way_out@
expression x;
statement S;
position p : script:python() { wanted("no_way_out", p) };
@@
- if (!x@p) S

@always@
identifier x;
statement S;
position p : script:python() { wanted("always", p) };
@@
- if (x@p)
  S

@always_member@
expression E;
identifier f;
statement S;
position p : script:python() { wanted("always_member", p) };
@@
- if (E->f@p)
  S

@or_else@
expression A, B;
position p : script:python() { wanted("or_else", p) };
@@
- A ?: B@p
+ A

@never_first@
expression A, B;
position p : script:python() { wanted("never_first", p) };
@@
- A ?: B@p
+ B

@choice@
identifier x;
expression A, B;
position p : script:python() { wanted("choice", p) };
@@
- x@p ? A : B
+ A

@error_pointer@
expression E;
position p : script:python() { wanted("error_pointer", p) };
@@
- IS_ERR_OR_NULL(E)@p
+ IS_ERR(E)

