/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The exact read: is it a cut?
 *
 * Three movers: a task on each of two CPUs, and on CPU 1 an interrupt, which
 * may come between any two steps of the task. A mover allocates, swaps the new
 * object for the one in a slot, mostly another CPU's, and frees that. An
 * allocation or a free is a section: it enters with a read of stat_idx; it
 * counts, with a load and a store, between which an interrupt may come; it
 * leaves. A free also counts in a second word by the same read, as that of a
 * large object counts its bytes. The reader makes READS exact reads. CPU 1 may
 * die when all is moved, and CPU 0 inherits.
 *
 * Here stat_idx is a number, and its last bit is the index. A CPU sees a flip
 * at any time after it, and from then on. At the latest it sees the flip when
 * the reader found the CPU outside of a section, or when it took an object from
 * a CPU that had seen the flip, because objects are handed over with order. The
 * litmus tests cut-* show what that relies on. What the reader sums does not
 * change (this is asserted), so a sum is one step.
 *
 * Never: an exact read of anything but the calls that read the index before the
 * flip, all of them; fewer live objects than slots, or more than one more for
 * each mover; a free that is counted without its allocation, or in one of its
 * two words only; a count in words of another index, except while the reader
 * waits. In the end no count is lost.
 *
 * Knobs, each a deliberate break:
 *   NO_WAIT	the reader does not wait for calls that may have read the index
 *		before the flip
 *   READ_EARLY	a call reads stat_idx before its section
 *   BOTH_LATE	the reader sums both words after the flip
 *   OTHER_LATE	the reader sums the other index's words after the flip, as it
 *		may if nothing keeps its loads before it
 *   ONE_ROW	an interrupt counts in the row of the call that it interrupts
 *   TWO_READS	a free reads stat_idx again for its second word
 *   NO_ORDER	objects are handed over without order
 *   NO_LOCK	the reader does not hold CPU hotplug
 */

#ifndef MOVES
#define MOVES	3	/* of the tasks together; one of the interrupt */
#endif
#ifndef READS
#define READS	2
#endif
#define SLOTS	1
#define MOVERS	3

/* What is counted. Each CPU has a class of its own, which tells frees apart. */
#define ALLOC(class)	(class)
#define FREE(class)	(2 + (class))
#define BYTES		4	/* of frees: the second word, 1 for each */
#define KINDS		5

/* Rows: one per CPU, and one of calls that interrupt another on CPU 1. */
#define UNGUARDED		2
#define ROWS		3
#define WORD(row, t, kind)	(((row) * 2 + (t) % 2) * KINDS + (kind))
byte words[ROWS * 2 * KINDS], inherited[KINDS];

byte stat_idx, seen[2];		/* seen: by each CPU */
bit waiting;			/* the reader, for the words of the old index */
bit in_section[2], in_irq;	/* in_irq: CPU 1 */
bit hotplug_held;
byte moves, done;

/* The object in the slot: its class, and the stat_idx that its mover saw. */
byte slot, slot_seen;

/* Calls that read the index, and those that did before the last flip. */
byte all[KINDS], before[KINDS];

#ifdef READ_EARLY
#define READ_INSIDE	0
#else
#define READ_INSIDE	1
#endif
#ifdef ONE_ROW
#define IRQ_ROW		1
#else
#define IRQ_ROW		(in_section[1] -> UNGUARDED : 1)
#endif

inline load_idx(cpu)
{
	if
	:: t = seen[cpu]
	:: seen[cpu] < stat_idx -> seen[cpu] = stat_idx; t = stat_idx
	fi
}

inline take_idx(cpu, kind)
{
	load_idx(cpu);
	all[kind]++;
	if
	:: t < stat_idx -> before[kind]++
	:: else
	fi
}

inline enter(cpu, kind)
{
	in_section[cpu] = READ_INSIDE;
	take_idx(cpu, kind)
}

inline leave(cpu)
{
	t = 0; in_section[cpu] = 0
}

inline store(row, kind, value)
{
	assert(t == stat_idx || waiting);
	words[WORD(row, t, kind)] = value
}

inline add(row, kind)
{
	store(row, kind, words[WORD(row, t, kind)] + 1)
}

inline add_bytes(cpu, row)
{
#ifdef TWO_READS
	load_idx(cpu);
#endif
	add(row, BYTES)
}

/* xchg() */
inline swap(cpu)
{
#ifndef NO_ORDER
	seen[cpu] = (slot_seen > seen[cpu] -> slot_seen : seen[cpu]);
#endif
	slot_seen = seen[cpu];
	class = slot;
	slot = cpu
}

/* Nothing interrupts CPU 0: a count is one step. */
proctype task0()
{
	byte t, class;

	do
	:: atomic { moves < MOVES -> moves++; enter(0, ALLOC(0)) };
	   atomic { add(0, ALLOC(0)); leave(0) };
	   atomic { swap(0); enter(0, FREE(class)) };
	   atomic { add(0, FREE(class)); add_bytes(0, 0); class = 0; leave(0) }
	:: moves == MOVES -> break
	od;
	done++
}

/* No step of it while the interrupt runs. */
proctype task1()
{
	byte t, class, r;

	do
	:: atomic { moves < MOVES && !in_irq -> moves++; enter(1, ALLOC(1)) };
	   atomic { !in_irq -> in_section[1] = 1; r = words[WORD(1, t, ALLOC(1))] };
	   atomic {
		!in_irq -> store(1, ALLOC(1), r + 1);
		r = 0;
		leave(1)
	   };
	   atomic { !in_irq -> swap(1); enter(1, FREE(class)) };
	   atomic { !in_irq -> in_section[1] = 1; r = words[WORD(1, t, FREE(class))] };
	   atomic {
		!in_irq -> store(1, FREE(class), r + 1);
		r = 0;
		add_bytes(1, 1);
		class = 0;
		leave(1)
	   }
	:: moves == MOVES -> break
	od;
	done++
}

/* All of it is a section. Who interrupted is done before the task goes on. */
proctype interrupt()
{
	byte t, class, row;

	atomic { in_irq = 1; row = IRQ_ROW; take_idx(1, ALLOC(1)) };
	add(row, ALLOC(1));
	atomic { swap(1); take_idx(1, FREE(class)) };
	atomic {
		add(row, FREE(class));
		add_bytes(1, row);
		t = 0; class = 0; row = 0;
		in_irq = 0;
		done++
	}
}

inline donate(kind)
{
	inherited[kind] = words[WORD(1, 0, kind)] + words[WORD(1, 1, kind)] +
			  words[WORD(UNGUARDED, 0, kind)] + words[WORD(UNGUARDED, 1, kind)];
	words[WORD(1, 0, kind)] = 0; words[WORD(1, 1, kind)] = 0;
	words[WORD(UNGUARDED, 0, kind)] = 0; words[WORD(UNGUARDED, 1, kind)] = 0
}

/* With CPU hotplug held for writing: for the reader it is one step. */
proctype donor()
{
	byte i;

	if
	:: d_step {
		done == MOVERS && !hotplug_held ->
		for (i : 0 .. KINDS - 1) { donate(i) }
		i = 0
	   }
	:: true
	fi;
	done++
}

inline sum_words(t)
{
	for (i : 0 .. KINDS - 1) {
		sum[i] = sum[i] + words[WORD(0, t, i)] + words[WORD(1, t, i)] +
			 words[WORD(UNGUARDED, t, i)]
	}
	i = 0
}

inline sum_inherited()
{
	for (i : 0 .. KINDS - 1) { sum[i] = sum[i] + inherited[i] }
	i = 0
}

inline flip()
{
	for (i : 0 .. KINDS - 1) { before[i] = all[i] }
	i = 0;
	stat_idx++
}

/* In the end nobody is left who would see an older index. */
inline synchronize_rcu()
{
	atomic { !in_section[0] -> seen[0] = stat_idx };
	atomic { !in_section[1] && !in_irq -> seen[1] = stat_idx; slot_seen = stat_idx }
}

inline check(counted)
{
	assert(sum[ALLOC(0)] >= sum[FREE(0)] && sum[ALLOC(1)] >= sum[FREE(1)]);
	live = sum[ALLOC(0)] + sum[ALLOC(1)] - sum[FREE(0)] - sum[FREE(1)];
	assert(SLOTS <= live && live <= SLOTS + MOVERS);
	live = 0;
	assert(sum[BYTES] == sum[FREE(0)] + sum[FREE(1)]);
	for (i : 0 .. BYTES - 1) { assert(sum[i] == counted) }
	i = 0
}

proctype reader()
{
	byte sum[KINDS], live, n, i;

	do
	:: n < READS ->
		d_step {
#ifndef NO_LOCK
			hotplug_held = 1;
#endif
			sum_inherited();
#if !defined(BOTH_LATE) && !defined(OTHER_LATE)
			sum_words(stat_idx + 1)
#endif
		}
		d_step {
			waiting = 1;
			flip()
		}
#ifdef OTHER_LATE
		d_step { sum_words(stat_idx) }
#endif
#ifndef NO_WAIT
		synchronize_rcu();
#endif
		d_step {
			waiting = 0;
			sum_words(stat_idx + 1);
#ifdef BOTH_LATE
			sum_words(stat_idx);
#endif
			check(before[i]);
			for (i : 0 .. KINDS - 1) { sum[i] = 0; before[i] = 0 }
			i = 0;
			hotplug_held = 0;
			n++
		}
	:: else -> break
	od;

	done == MOVERS + 1;
	d_step {
		sum_inherited(); sum_words(0); sum_words(1);
		check(all[i])
	}
}

init {
	atomic {
		words[WORD(0, 0, ALLOC(0))] = SLOTS;
		all[ALLOC(0)] = SLOTS;
		run task0(); run task1(); run interrupt(); run donor(); run reader()
	}
}
