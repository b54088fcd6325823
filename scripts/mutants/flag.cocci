// SPDX-License-Identifier: GPL-2.0
// A flag not passed, not looked at, or not masked.
// Share: 8

@initialize:python@
@@
from sites import wanted

@with@
expression E;
identifier F =~ "^(__)?[A-Z]";
position p : script:python() { wanted("with", p) };
@@
- E | F@p
+ E

@without@
expression E, M;
position p : script:python() { wanted("without", p) };
@@
- E & ~M@p
+ E

@set@
expression E;
identifier F =~ "^(__)?[A-Z]";
position p : script:python() { wanted("set", p) };
@@
- E | F@p
+ F

@none@
identifier F =~ "^(__GFP_|GFP_|WQ_|PCSLAB_HEAP_)";
expression E;
position p : script:python() { wanted("none", p) };
@@
  E &
- F@p
+ 0

