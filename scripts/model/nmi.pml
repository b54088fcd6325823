/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Frees that an NMI defers
 *
 * Two slabs of a dying heap, so that a slab goes with its last object: the
 * first has an object for each NMI and one that an ordinary call frees, the
 * second has one of its own. Each CPU has its irq_work, and both may run at
 * once. A slab is queued if its link does not point to itself. A load returns
 * the last value stored; the litmus tests defer-pending and defer-done show
 * what the orders achieve beyond that. EARLY_TEST is what may happen without
 * the first of them.
 *
 * CPU 1 goes offline meanwhile: it stops serving and waits for its irq_work,
 * whose thread is parked then. Either it dies, after its last NMI, and the
 * callback of the dead CPU empties the list; or that is rolled back, and CPU 1
 * serves again and empties the list itself. A bring-up is the second half of
 * that, and a bring-up that fails is the first half.
 *
 * A free that is deferred while the CPU's irq_work runs does not make it run
 * again. A work item does it, which runs on CPU 0 here.
 *
 * Never: a slab that is used when it is gone, or goes while it is queued; a
 * node that is added to the list twice; an object that is deferred and not
 * freed. In the end all objects are freed, the list is empty, the slabs are
 * gone and no irq_work is pending.
 *
 * Knobs, each a deliberate break:
 *   DEFERRED_FIRST	the object is marked DEFERRED before the list has the
 *			slab
 *   CLEAR_LATE		the slab is queued until after the scan
 *   NO_PENDING		nobody waits for an object that is PENDING
 *   NO_KEEP		a slab goes whether it is queued or not
 *   NO_TEST		the slab is added whether it is queued or not
 *   EARLY_TEST		the link is tested before others see the object PENDING
 *   NEXT_LATE		the next slab of the list is read after work on the slab
 *   ALWAYS_SERVING	a CPU queues its irq_work whether it serves or not
 *   NO_SYNC		a CPU that stops serving does not wait for its irq_work
 *   NO_DEAD		nobody empties the list when the CPU is dead
 *   LISTS_FIRST	a CPU empties the list before it serves
 *   NO_LATER		an irq_work does not check the list again at its end
 *   FLAG_LATE		an irq_work checks the list before it says that it does
 *			not run any more
 */

#define FREE		0
#define LIVE		2
#define PENDING		3
#define DEFERRED	4

#define SLABS	2
#define OBJECTS	4
#define SELF	SLABS		/* a link that points to its slab: not queued */
#define END	(SLABS + 1)	/* of a list */
#define SLAB_OF(o)	((o) / 3)

byte state[OBJECTS] = LIVE;
byte nr_live[SLABS];		/* not yet FREE, under the lock */
bit gone[SLABS], linked[SLABS];
byte next[SLABS] = SELF;
byte head = END;
bit lock, parked;
bit work[2], running[2], busy[2];
bit serving[2] = 1;
bit later;
byte done, nmis;

#ifdef NO_KEEP
#define KEPT(s)	0
#else
#define KEPT(s)	(next[s] != SELF)
#endif

#define LOCK	atomic { !lock -> lock = 1 }
#define UNLOCK	lock = 0

/* llist_add(): the cmpxchg. */
inline list_add(s)
{
	d_step {
		assert(!gone[s] && !linked[s]);
		next[s] = head; head = s; linked[s] = 1
	}
}

inline put_into_slab(o, s)
{
	d_step { assert(!gone[s]); state[o] = FREE; nr_live[s]-- }
}

inline trim(s)
{
	d_step {
		if
		:: nr_live[s] == 0 && !gone[s] && !KEPT(s) -> gone[s] = 1
		:: else
		fi
	}
}

/* An NMI frees an object, or two in a row, between which its CPU's task runs. */
proctype nmi(bit cpu; byte o)
{
	bit was;
	byte s;

again:	s = SLAB_OF(o);
	assert(state[o] == LIVE);
#ifndef EARLY_TEST
	state[o] = PENDING;
#endif
#ifdef DEFERRED_FIRST
	state[o] = DEFERRED;
#endif
	d_step {
		assert(!gone[s]);
		was = next[s] != SELF;
		if
		:: !was -> next[s] = END
		:: else
		fi
	};
#ifdef EARLY_TEST
	state[o] = PENDING;
#endif
	if
#ifdef NO_TEST
	:: list_add(s)
#else
	:: !was -> list_add(s)
	:: else
#endif
	fi;
#ifndef DEFERRED_FIRST
	state[o] = DEFERRED;
#endif
	/* No task of this CPU comes between the two, nor another NMI. */
	atomic {
		if
#ifdef ALWAYS_SERVING
		:: running[cpu]
#else
		:: !serving[cpu] || running[cpu]
#endif
		:: else -> work[cpu] = 1
		fi
	};
	if
	:: o == 1 -> o = 3; goto again
	:: else
	fi;
	atomic { was = 0; s = 0; nmis = nmis + cpu; done++ }
}

/* A call that frees an object of the first slab: pcslab_depot_free(). */
proctype call()
{
	LOCK;
	put_into_slab(2, 0);
	trim(0);
	UNLOCK;
	done++
}

inline free_deferred(s)
{
	LOCK;
	assert(!gone[s]);
#ifndef CLEAR_LATE
	next[s] = SELF;
#endif
	o = s * 3;
	do
	:: o < OBJECTS && SLAB_OF(o) == s ->
#ifndef NO_PENDING
		state[o] != PENDING;
#endif
		if
		:: state[o] == DEFERRED -> put_into_slab(o, s)
		:: else
		fi;
		o++
	:: else -> break
	od;
	o = 0;
#ifdef CLEAR_LATE
	next[s] = SELF;
#endif
	trim(s);
	UNLOCK
}

/* llist_del_all() leaves the links as they are, and they keep the slabs. */
inline finish()
{
	d_step {
		list = head;
		head = END;
		o = list;
		do
		:: o != END -> linked[o] = 0; o = next[o]
		:: else -> break
		od;
		o = 0
	};
	do
	:: list != END ->
#ifdef NEXT_LATE
		free_deferred(list);
		d_step { assert(!gone[list]); then = next[list]; assert(then != SELF) };
#else
		d_step { assert(!gone[list]); then = next[list]; assert(then != SELF) };
		free_deferred(list);
#endif
		list = then
	:: else -> break
	od;
	atomic { list = END; then = END }
}

proctype irq_work(bit cpu)
{
	byte list = END, then = END, o;

end:	do
	:: atomic { work[cpu] && !(cpu && parked) -> work[cpu] = 0; busy[cpu] = 1; running[cpu] = 1 };
	   finish();
#ifndef FLAG_LATE
	   running[cpu] = 0;
#endif
#ifndef NO_LATER
	   if
	   :: head != END -> later = 1
	   :: else
	   fi;
#endif
	   atomic { running[cpu] = 0; busy[cpu] = 0 }
	:: atomic { !cpu && later -> later = 0; busy[0] = 1 };	/* the work item */
	   finish();
	   busy[0] = 0
	od
}

/* Of CPU 1. */
proctype hotplug()
{
	byte list = END, then = END, o;

	serving[1] = 0;
#ifndef NO_SYNC
	!work[1] && !busy[1];
#endif
	parked = 1;
	if
	:: nmis == 1;		/* dead */
#ifndef NO_DEAD
	   finish()
#endif
	:: parked = 0;		/* rolled back */
#ifdef LISTS_FIRST
	   finish();
	   serving[1] = 1
#else
	   serving[1] = 1;
	   finish()
#endif
	fi;
	done++
}

proctype watch()
{
	byte o;

	atomic {
		done == 4 && !work[0] && !work[1] && !busy[0] && !busy[1] && !later;
		assert(head == END);
		do
		:: o < OBJECTS -> assert(state[o] == FREE); o++
		:: else -> break
		od;
		assert(gone[0] && gone[1])
	}
}

init {
	atomic {
		nr_live[0] = 3; nr_live[1] = 1;
		run nmi(0, 0); run nmi(1, 1); run call();
		run irq_work(0); run irq_work(1); run hotplug(); run watch()
	}
}
