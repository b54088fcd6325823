// SPDX-License-Identifier: GPL-2.0
// A bound off by one.
// Share: 10

@initialize:python@
@@
from sites import wanted

@below@
expression A, B;
position p : script:python() { wanted("below", p) };
@@
- A < B@p
+ A <= B

@at_most@
expression A, B;
position p : script:python() { wanted("at_most", p) };
@@
- A <= B@p
+ A < B

@above@
expression A, B;
position p : script:python() { wanted("above", p) };
@@
- A > B@p
+ A >= B

@at_least@
expression A, B;
position p : script:python() { wanted("at_least", p) };
@@
- A >= B@p
+ A > B

@less_one@
expression E;
position p : script:python() { wanted("less_one", p) };
@@
- E@p - 1
+ E

@plus_one@
expression E;
position p : script:python() { wanted("plus_one", p) };
@@
- E@p + 1
+ E

@from_zero@
expression i;
position p : script:python() { wanted("from_zero", p) };
@@
  for (
- i = 0@p
+ i = 1
  ; ...; ...) { ... }

