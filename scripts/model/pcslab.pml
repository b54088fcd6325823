/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The statistics: counting, donating, reading
 *
 * CPU 1 is the owner: a task calls, an interrupt or NMI may call between any
 * two of its steps, and it goes offline and comes back. CPU 0 counts meanwhile
 * and inherits. The donor holds CPU hotplug for writing, the reader holds it
 * for reading. A count is a load and a store, as on an architecture that has no
 * single instruction for it.
 *
 * Memory is weak where it matters, for the reader, because only the reader loads
 * words of others while they change. Of each word it may see any value from the
 * last one it saw to the last one stored (the store is still on its way, or the
 * load was done early), independently of other words. Order is modelled as an
 * obligation: a free counted with release carries the allocation count of its
 * object (ta, tv below), and a reader that sees the free sees that count from
 * then on. Objects are handed over with order, as callers must do.
 *
 * Never: a total that falls, live below zero, a read above what was counted. In
 * the end, with the world quiet, a read finds every count once.
 *
 * Knobs, each a deliberate break:
 *   NO_GUARD	calls do not check whether they interrupt another
 *   ONE_ROW	calls without the guard count in the guarded row
 *   PLAIN_ADD	the donor adds to the words that CPU 0 counts in
 *   NOT_ZEROED	the donor leaves the counts where they were as well
 *   NO_LOCK	the reader does not hold CPU hotplug
 *   ALIVE	the donor does not wait for the CPU to be dead
 *   NO_RELEASE	a free is counted with a plain store
 *   NO_RMB	nothing between the passes of the reader
 *   ALLOCS_FIRST	the reader sums the allocations first
 */

/* One for each caller: a third is needed only while two are claimed. */
#define OBJECTS	3
#ifndef CALLS
#define CALLS	3	/* of all callers together */
#endif
#ifndef READS
#define READS	2
#endif

/* Words: the guarded and the unguarded row of CPU 0 and of CPU 1; inherited. */
#define WORD(cpu, row)	((cpu) * 2 + (row))
#define INHERITED	4
#define WORDS		5
#define NOWHERE		7	/* no obligation */

/* What was stored, and what the reader has seen of it. */
byte allocs[WORDS], frees[WORDS];
byte seen_allocs[WORDS], seen_frees[WORDS];

/* The k-th free of a word carries the tv-th allocation of word ta. */
#define MAX_COUNT	6
#define FREE(w, k)	((w) * MAX_COUNT + (k))
byte ta[24] = NOWHERE, tv[24];

/* Objects: free, live (with a caller), or being freed; and their obligation. */
#define IDLE	0
#define LIVE	1
#define CLAIMED	2
byte object[OBJECTS], oa[OBJECTS] = NOWHERE, ov[OBJECTS];

/* What really happened. */
byte all_allocs, all_frees;

bit busy, irqs_off;	/* CPU 1: the guard, and in the unguarded row */
bit in_call;		/* CPU 1's task */
bit online = 1;		/* CPU 1 */
bit present = 1;	/* its bit in pcslab_cpus */
bit write_locked;
byte readers;
byte calls, done;

/* Take a free object to hand out, or a live one to free; the first of equals. */
inline claim_object(o, is_free)
{
	if
	:: object[0] != CLAIMED -> o = 0
	:: object[1] != CLAIMED && (object[0] || object[1]) -> o = 1
	:: object[2] != CLAIMED && object[1] -> o = 2
	fi;
	is_free = (object[o] == LIVE);
	object[o] = CLAIMED
}

/* The two halves of a count. */
inline count_load(w, is_free, r)
{
	r = (is_free -> frees[w] : allocs[w])
}

inline count_store(w, o, is_free, r)
{
	d_step {
		if
		:: is_free ->
			frees[w] = r + 1;
			all_frees++;
#ifndef NO_RELEASE
			if
			:: oa[o] != NOWHERE && seen_allocs[oa[o]] < ov[o] ->
				ta[FREE(w, r)] = oa[o];
				tv[FREE(w, r)] = ov[o]
			:: else
			fi;
#endif
			object[o] = IDLE; oa[o] = NOWHERE; ov[o] = 0
		:: else ->
			allocs[w] = r + 1;
			all_allocs++;
			object[o] = LIVE; oa[o] = w; ov[o] = r + 1
		fi;
		r = 0; o = 0; is_free = 0
	}
}

/* CPU 0: nothing interrupts it here; the donor may interfere with its count. */
proctype task0()
{
	byte o, r;
	bit is_free;

	do
	:: atomic {
		calls < CALLS ->
		calls++;
		claim_object(o, is_free);
		count_load(WORD(0, 0), is_free, r)
	   };
	   count_store(WORD(0, 0), o, is_free, r)
	:: break
	od;
	done++
}

#ifdef NO_GUARD
#define GUARD_TAKEN	0
#else
#define GUARD_TAKEN	busy
#endif
#ifdef ONE_ROW
#define DIRECT		WORD(1, 0)
#else
#define DIRECT		WORD(1, 1)
#endif

/* CPU 1's task: between any two steps it may be interrupted. */
proctype task1()
{
	byte o, r;
	bit is_free, taken;

	do
	:: atomic {
		calls < CALLS && online ->
		in_call = 1;
		calls++;
		claim_object(o, is_free);
		taken = GUARD_TAKEN
	   };
	   assert(!taken);	/* who interrupted is done */
	   busy = 1;
	   if
	   :: count_load(WORD(1, 0), is_free, r);
	      count_store(WORD(1, 0), o, is_free, r);
	      atomic { busy = 0; in_call = 0 }
	   :: busy = 0;		/* the magazine does not serve it, the depot does */
	      irqs_off = 1;
	      count_load(DIRECT, is_free, r);
	      count_store(DIRECT, o, is_free, r);
	      atomic { irqs_off = 0; in_call = 0 }
	   fi;
	:: break
	od;
	done++
}

/*
 * An interrupt of CPU 1, or with interrupts off an NMI. It runs from start to
 * end while the task does not, and others see but one store of it: one step.
 * An NMI that finds the guard taken allocates nothing and puts a free off.
 */
proctype interrupt()
{
	byte o, r;
	bit is_free, nmi;

	do
	:: atomic {
		calls < CALLS && online ->
		calls++;
		claim_object(o, is_free);
		if
		:: !irqs_off
		:: nmi = 1
		fi;
		if
		:: !GUARD_TAKEN ->
			count_load(WORD(1, 0), is_free, r);
			count_store(WORD(1, 0), o, is_free, r)
		:: !nmi ->
			count_load(DIRECT, is_free, r);
			count_store(DIRECT, o, is_free, r)
		:: GUARD_TAKEN && nmi ->
			object[o] = (is_free -> LIVE : IDLE);
			o = 0; is_free = 0
		fi;
		nmi = 0
	   }
	:: break
	od;
	done++
}

/* Who sees the first n frees of a word sees the allocations they carry. */
inline fulfil(w, n, i)
{
	i = 0;
	do
	:: i < n ->
		if
		:: ta[FREE(w, i)] != NOWHERE && seen_allocs[ta[FREE(w, i)]] < tv[FREE(w, i)] ->
			seen_allocs[ta[FREE(w, i)]] = tv[FREE(w, i)]
		:: else
		fi;
		ta[FREE(w, i)] = NOWHERE; tv[FREE(w, i)] = 0;
		i++
	:: else -> break
	od;
	i = 0
}

/*
 * Unlock: all that CPU 1 did, and what it knew, is known to the next who locks.
 * Its words are gone, and with them what refers to them.
 */
inline settle(i)
{
	d_step {
		fulfil(2, MAX_COUNT, i);
		fulfil(3, MAX_COUNT, i);
		seen_allocs[INHERITED] = allocs[INHERITED];
		seen_frees[INHERITED] = frees[INHERITED];
#ifndef NOT_ZEROED
		allocs[2] = 0; allocs[3] = 0; frees[2] = 0; frees[3] = 0;
#endif
		seen_allocs[2] = 0; seen_allocs[3] = 0;
		seen_frees[2] = 0; seen_frees[3] = 0;
		i = 0;
		do
		:: i < 2 * MAX_COUNT ->		/* frees of CPU 0 */
			if
			:: ta[i] == 2 || ta[i] == 3 -> ta[i] = NOWHERE; tv[i] = 0
			:: else
			fi;
			i++
		:: else -> break
		od;
		i = 0;
		do
		:: i < OBJECTS ->
			if
			:: oa[i] == 2 || oa[i] == 3 -> oa[i] = NOWHERE; ov[i] = 0
			:: else
			fi;
			i++
		:: else -> break
		od;
		i = 0
	}
}

#ifdef PLAIN_ADD
#define HEIR	WORD(0, 0)
#else
#define HEIR	INHERITED
#endif

/* Nobody but the donor uses the heir between load and store. */
#ifdef PLAIN_ADD
#define DONATE(row, w)	r = row[HEIR]; atomic { row[HEIR] = r + row[w]; r = 0 }
#else
#define DONATE(row, w)	row[HEIR] = row[HEIR] + row[w]
#endif

proctype donor()
{
	byte r, i;

	if
	:: atomic {
#ifdef ALIVE
		!readers ->
#else
		!readers && !in_call ->
		online = 0;
#endif
		write_locked = 1
	   };
	   present = 0;			/* cpu_dead() */
	   DONATE(allocs, 2);
	   DONATE(frees, 2);
	   DONATE(allocs, 3);
	   DONATE(frees, 3);
#ifndef NOT_ZEROED
	   d_step {
		allocs[2] = 0; allocs[3] = 0; frees[2] = 0; frees[3] = 0;
		seen_allocs[2] = 0; seen_allocs[3] = 0;
		seen_frees[2] = 0; seen_frees[3] = 0
	   };
#endif
	   atomic { settle(i); write_locked = 0 };
	   /* It may come back: cpu_prepare(), with a cache of its own. */
	   if
	   :: atomic { !readers -> write_locked = 1 };
	      present = 1;
	      atomic { write_locked = 0; online = 1 }
	   :: skip
	   fi
	:: skip
	fi;
	done++
}

/* A load: any value from the last one seen to the last one stored. */
inline load(seen, mem)
{
	do
	:: seen < mem -> seen++
	:: break
	od
}

#define MASK	(present -> 31 : 19)

#define COUNTED(w)	(present || (w) < 2 || (w) == INHERITED)

/*
 * A pass is one step: at its end each word has a value that was stored by then,
 * whichever came first.
 */
inline pass_frees()
{
	atomic {
		w = 0;
		do
		:: w < WORDS && COUNTED(w) ->
			load(seen_frees[w], frees[w]);
			if
			:: w < INHERITED -> fulfil(w, seen_frees[w], i)
			:: else
			fi;
			sum_frees = sum_frees + seen_frees[w];
			w++
		:: w < WORDS && !COUNTED(w) -> w++
		:: w == WORDS -> break
		od;
		w = 0
	}
}

inline pass_allocs()
{
	atomic {
		w = 0;
		do
		:: w < WORDS && COUNTED(w) ->
			load(seen_allocs[w], allocs[w]);
			sum_allocs = sum_allocs + seen_allocs[w];
			w++
		:: w < WORDS && !COUNTED(w) -> w++
		:: w == WORDS -> break
		od;
		w = 0
	}
}

inline read_books()
{
#ifndef NO_LOCK
	atomic { !write_locked -> readers++ };
#endif
	if
#ifndef ALLOCS_FIRST
	:: pass_frees(); pass_allocs()	/* smp_rmb() between */
#endif
#if defined(ALLOCS_FIRST) || defined(NO_RMB)
	:: pass_allocs(); pass_frees()
#endif
	fi;
	atomic {
		assert(sum_frees <= sum_allocs);	/* live is not negative */
		assert(sum_allocs >= last_allocs);	/* totals do not fall */
		assert(sum_frees >= last_frees);
		assert(sum_allocs <= all_allocs);	/* nothing is counted twice */
		assert(sum_frees <= all_frees);
		last_allocs = sum_allocs; last_frees = sum_frees;
		sum_allocs = 0; sum_frees = 0;
#ifndef NO_LOCK
		readers--
#endif
	}
}

proctype reader()
{
	byte sum_allocs, sum_frees, last_allocs, last_frees;
	byte n, w, i;

	do
	:: n < READS -> n++; read_books()
	:: else -> break
	od;

	/* The world is quiet: every store has arrived, nothing was lost. */
	done == 4;
	d_step {
		do
		:: w < WORDS ->
			if
			:: COUNTED(w) ->
				sum_allocs = sum_allocs + allocs[w];
				sum_frees = sum_frees + frees[w]
			:: else
			fi;
			w++
		:: else -> break
		od;
		assert(sum_allocs == all_allocs);
		assert(sum_frees == all_frees)
	}
}

init {
	atomic {
		run task0();
		run task1();
		run interrupt();
		run donor();
		run reader()
	}
}
