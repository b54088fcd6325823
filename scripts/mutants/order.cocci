// SPDX-License-Identifier: GPL-2.0
// What orders accesses is gone: a barrier, a lock, a mark of an access, a grace period.
// Share: 12

@initialize:python@
@@
from sites import wanted

@barrier@
identifier f =~ "^(smp_(mb|rmb|wmb)|barrier)$";
position p : script:python() { wanted("barrier", p) };
@@
- f()@p;

@release@
expression P, V;
position p : script:python() { wanted("release", p) };
@@
- smp_store_release(P, V)@p
+ WRITE_ONCE(*P, V)

@acquire@
expression P;
position p : script:python() { wanted("acquire", p) };
@@
- smp_load_acquire(P)@p
+ READ_ONCE(*P)

@counted@
expression P;
position p : script:python() { wanted("counted", p) };
@@
- word_inc_release(P)@p
+ word_inc(P)

@read@
expression E;
position p : script:python() { wanted("read", p) };
@@
- READ_ONCE(E)@p
+ E

@write@
expression L, R;
position p : script:python() { wanted("write", p) };
@@
- WRITE_ONCE(L, R)@p
+ L = R

@wait@
identifier f =~ "^(pcslab_grace_period|synchronize_rcu|rcu_barrier|irq_work_sync|flush_work|cancel_.*_sync|drain_workqueue|debugfs_remove)$";
position p : script:python() { wanted("wait", p) };
@@
- f(...)@p;

@raw_lock@
expression L, flags;
position p : script:python() { wanted("raw_lock", p) };
@@
- flags = pcslab_lock(L)@p;
  ... when != pcslab_unlock(L, flags)
- pcslab_unlock(L, flags);

@mutex@
expression L;
position p : script:python() { wanted("mutex", p) };
@@
- mutex_lock(L)@p;
  ... when != mutex_unlock(L)
- mutex_unlock(L);

@spin@
expression L;
position p : script:python() { wanted("spin", p) };
@@
- spin_lock(L)@p;
  ... when != spin_unlock(L)
- spin_unlock(L);

@rcu_read@
position p : script:python() { wanted("rcu_read", p) };
@@
- rcu_read_lock()@p;
  ... when != rcu_read_unlock()
- rcu_read_unlock();

@cpus_read@
position p : script:python() { wanted("cpus_read", p) };
@@
- cpus_read_lock()@p;
  ... when != cpus_read_unlock()
- cpus_read_unlock();

@preempt@
position p : script:python() { wanted("preempt", p) };
@@
- preempt_disable()@p;
  ... when != preempt_enable()
- preempt_enable();

