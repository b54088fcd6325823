/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Frees that an NMI puts off
 *
 * Two slabs of a dying heap, so that a slab goes with its last object: the
 * first has an object for each NMI and one that an ordinary call frees, the
 * second has one of its own. The irq_work may run on two CPUs at once. A slab is
 * queued if its link does not point to itself. Each word is the last store's; what
 * the orders are good for beyond that is in the litmus tests defer-pending and
 * defer-done; EARLY_TEST is what may happen without the first of them.
 *
 * Never: a slab touched when it is gone, or gone while queued; a node added to
 * the list twice; an object put off and not freed. In the end all is freed, the
 * list is empty and the slabs are gone.
 *
 * Knobs, each a deliberate break:
 *   DEFERRED_FIRST	the object is marked DEFERRED before the list has the slab
 *   CLEAR_LATE		the slab is queued until after the scan
 *   NO_PENDING		nobody waits for an object that is PENDING
 *   NO_KEEP		a slab goes whether it is queued or not
 *   NO_TEST		the slab is added whether it is queued or not
 *   EARLY_TEST		whether it is queued is looked at before PENDING is seen by
 *			others
 *   NEXT_LATE		the next slab of the list is looked for after the slab
 *			was worked on
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
bit lock, work;
byte done, running;

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

/* An NMI frees an object, or two in a row. */
proctype nmi(byte o)
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
	work = 1;
	if
	:: o == 1 -> o = 3; goto again
	:: else
	fi;
	atomic { was = 0; s = 0; done++ }
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
proctype irq_work()
{
	byte list = END, then = END, o;

end:	do
	:: atomic { work -> work = 0; running++ };
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
	   atomic { list = END; then = END; running-- }
	od
}

proctype watch()
{
	byte o;

	atomic {
		done == 3 && !work && !running;
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
		run nmi(0); run nmi(1); run call();
		run irq_work(); run irq_work(); run watch()
	}
}
