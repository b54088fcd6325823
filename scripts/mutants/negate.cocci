// SPDX-License-Identifier: GPL-2.0
// A condition negated, or a part of it left out.
// Share: 16

@initialize:python@
@@
from sites import wanted

@branch@
expression E;
statement S1, S2;
position p : script:python() { wanted("branch", p) };
@@
(
  if (
- E@p
+ !(E)
  ) S1 else S2
|
  if (
- E@p
+ !(E)
  ) S1
)

@choice@
expression E, A, B;
position p : script:python() { wanted("choice", p) };
@@
- E@p ? A : B
+ !(E) ? A : B

@and@
expression A, B;
position p : script:python() { wanted("and", p) };
@@
- A && B@p
+ A

@and_first@
expression A, B;
position p : script:python() { wanted("and_first", p) };
@@
- A && B@p
+ B

@or@
expression A, B;
position p : script:python() { wanted("or", p) };
@@
- A || B@p
+ A

@or_first@
expression A, B;
position p : script:python() { wanted("or_first", p) };
@@
- A || B@p
+ B

@result@
expression E;
position p : script:python() { wanted("result", p) };
@@
  return
- !E@p
+ E
  ;

