// SPDX-License-Identifier: GPL-2.0
// A counter's row or word is another one's, or it counts the wrong way.
// Share: 8

@initialize:python@
@@
from sites import wanted

@member@
expression E;
position p : script:python() { wanted("member", p) };
@@
(
- E@p->allocs
+ E->frees
|
- E@p->frees
+ E->allocs
|
- E@p->nr_slabs
+ E->nr_pages
|
- E@p->nr_pages
+ E->nr_slabs
|
- E@p->large_allocs
+ E->large_alloc_bytes
|
- E@p->large_alloc_bytes
+ E->large_allocs
|
- E@p->large_frees
+ E->large_free_bytes
|
- E@p->large_free_bytes
+ E->large_frees
|
- E@p->bad_frees
+ E->corruptions
|
- E@p->corruptions
+ E->foreign
|
- E@p->foreign
+ E->bad_frees
|
- E@p->cached
+ E->depot
|
- E@p->slabs
+ E->pages
|
- E@p->pages
+ E->slabs
|
- E@p->guarded
+ E->unguarded
|
- E@p->unguarded
+ E->guarded
|
- E@p->nr_spare
+ E->busy
|
- E@p->top
+ E->limit
|
- E@p->limit
+ E->top
|
- E@p->loaded
+ E->spare
|
- E@p->spare
+ E->loaded
|
- E@p->nr_free
+ E->nr
|
- E@p->nr_rounds
+ E->nr_missed
|
- E@p->nr_slabs_empty
+ E->nr_slabs
|
- E@p->size
+ E->stride
|
- E@p->stride
+ E->size
|
- E@p->order
+ E->min_order
)

@part@
expression E;
position p : script:python() { wanted("part", p) };
@@
(
- E@p.allocs
+ E.frees
|
- E@p.frees
+ E.allocs
|
- E@p.nr_slabs
+ E.nr_pages
|
- E@p.nr_pages
+ E.nr_slabs
|
- E@p.large_allocs
+ E.large_alloc_bytes
|
- E@p.large_alloc_bytes
+ E.large_allocs
|
- E@p.large_frees
+ E.large_free_bytes
|
- E@p.large_free_bytes
+ E.large_frees
|
- E@p.bytes
+ E.allocs
|
- E@p.bad_frees
+ E.corruptions
|
- E@p.corruptions
+ E.foreign
|
- E@p.foreign
+ E.bad_frees
|
- E@p.cached
+ E.depot
|
- E@p.slabs
+ E.pages
|
- E@p.pages
+ E.slabs
|
- E@p.guarded
+ E.unguarded
|
- E@p.unguarded
+ E.guarded
|
- E@p.top
+ E.limit
|
- E@p.limit
+ E.top
|
- E@p.loaded
+ E.spare
|
- E@p.spare
+ E.loaded
|
- E@p.nr_free
+ E.nr
|
- E@p.nr_rounds
+ E.nr_missed
|
- E@p.nr_slabs_empty
+ E.nr_slabs
|
- E@p.size
+ E.stride
|
- E@p.stride
+ E.size
|
- E@p.order
+ E.min_order
)

@word@
identifier words =~ "^(words|counters|allocs|frees|fails)$";
position p : script:python() { wanted("word", p) };
@@
(
- words[0@p]
+ words[1]
|
- words[1@p]
+ words[0]
)

@rank@
symbol idx;
position p : script:python() { wanted("rank", p) };
@@
(
- WORD(idx)@p
+ WORD(!idx)
|
- WORD(!idx)@p
+ WORD(idx)
)

@up@
expression E;
position p : script:python() { wanted("up", p) };
@@
(
- E@p++
+ E--
|
- E@p--
+ E++
)

@sum@
expression L, R;
position p : script:python() { wanted("sum", p) };
@@
(
- L += R@p
+ L -= R
|
- L -= R@p
+ L += R
)

@plain_sum@
expression L, R;
position p : script:python() { wanted("plain_sum", p) };
@@
- L += R@p
+ L = R

