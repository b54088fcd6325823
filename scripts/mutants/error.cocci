// SPDX-License-Identifier: GPL-2.0
// A way out on an error, or at the end of something, is not taken.
// Share: 8

@initialize:python@
@@
from sites import wanted

@returns@
expression E, R;
position p : script:python() { wanted("returns", p) };
@@
- if (E@p) return R;

@returns_void@
expression E;
position p : script:python() { wanted("returns_void", p) };
@@
- if (E@p) return;

@jumps@
expression E;
identifier l;
position p : script:python() { wanted("jumps", p) };
@@
- if (E@p) goto l;

@leaves_loop@
expression E;
position p : script:python() { wanted("leaves_loop", p) };
@@
(
- if (E@p) break;
|
- if (E@p) continue;
)

@succeeds@
constant C;
position p : script:python() { wanted("succeeds", p) };
@@
  return
- -C@p
+ 0
  ;

