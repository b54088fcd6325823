/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A class is made while a CPU comes and goes
 *
 * Two callers in any context make the same class (try_to_make(),
 * pcslab_class_publish()). The callbacks for a CPU (cpu_prepare(), cpu_dead())
 * hold CPU hotplug for writing, which the makers do not take; a reader holds it
 * for reading. Orders are those of the litmus test cpus+seq; steps are taken in
 * the order in which they are written here.
 *
 * Never: a CPU that runs without a cache in a published class; a CPU in the
 * mask without a cache when a reader visits it; a cache of a dead CPU that is
 * left behind; a class that is published twice.
 *
 * Knobs, each a deliberate break:
 *   NO_SEQ	publish whether the mask changed or not
 *   LATE_SEQ	the sequence is read after the caches are made
 *   MASK_LAST	the callback of a CPU that comes searches the classes before it
 *		changes the mask
 *   GONE_LATE	the callback of a dead CPU does so
 *   NO_SLOT	publish whether the heap has the class or not
 */

#define MAKERS	2
#define NONE	MAKERS

byte slot = NONE;		/* heap->class[]: which maker's */
bool cache[MAKERS];		/* of the CPU, in the class of each maker */
bool mask = true, online = true;
byte seq;
bit lock, write_locked;
byte readers, published, done;

#ifdef NO_SEQ
#define SEQ_OK	true
#else
#define SEQ_OK	(was == seq)
#endif
#ifdef NO_SLOT
#define SLOT_OK	true
#else
#define SLOT_OK	(slot == NONE)
#endif

#define LOCK	atomic { !lock -> lock = 1 }
#define UNLOCK	lock = 0

proctype maker(byte me)
{
	byte was;
	bool ok;

	do
	:: slot != NONE -> break
	:: else ->
#ifndef LATE_SEQ
		was = seq;
#endif
		cache[me] = mask;		/* pcslab_caches_create() */
#ifdef LATE_SEQ
		was = seq;
#endif
		LOCK;
		ok = SLOT_OK && SEQ_OK;
		if
		:: ok -> atomic { slot = me; published++ }
		:: else
		fi;
		UNLOCK;
		if
		:: ok -> break
		:: else -> cache[me] = false	/* and freed */
		fi
	od;
	atomic { was = 0; ok = false; done++ }
}

inline change(to)
{
	LOCK; mask = to; seq++; UNLOCK
}

inline add_cache()
{
	i = slot;
	if
	:: i != NONE -> cache[i] = true
	:: else
	fi
}

inline remove_cache()
{
	i = slot;
	if
	:: i != NONE -> cache[i] = false
	:: else
	fi
}

proctype hotplug()
{
	byte n, i;

	do
	:: n < 3 ->
		n++;
		atomic { !readers && !write_locked -> write_locked = 1 };
		if
		:: online ->
			online = false;
#ifdef GONE_LATE
			remove_cache();
			change(false);
#else
			change(false);
			remove_cache();
#endif
			assert(slot == NONE || !cache[slot])
		:: else ->
#ifdef MASK_LAST
			add_cache();
			change(true);
#else
			change(true);
			add_cache();
#endif
			if
			:: online = true
			:: change(false); remove_cache()	/* no memory */
			fi
		fi;
		write_locked = 0
	:: break
	od;
	atomic { n = 0; i = 0; done++ }
}

/* What a call on the CPU, and a reader, may find at any moment. */
proctype watch()
{
	do
	:: atomic { online && slot != NONE -> assert(cache[slot]) }
	:: atomic { !write_locked && slot != NONE -> assert(cache[slot] == mask) }
	:: atomic { done == MAKERS + 1 ->
		assert(published == 1);
		assert(cache[slot] == online);
		break
	   }
	od
}

init {
	atomic {
		run maker(0); run maker(1); run hotplug(); run watch()
	}
}
