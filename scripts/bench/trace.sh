# shellcheck shell=dash
# SPDX-License-Identifier: GPL-2.0
# Replays the trace of make run to measure its cost: instructions, and pages
# held.

REPLAY=/sys/kernel/debug/pcslab_replay
COST=$REPLAY/cost

# free_pages: prints the free pages of the machine, including those that CPUs
# keep for themselves. The counters are exact after the refresh, and the memory
# that pcslab frees after a grace period has been freed.
free_pages()
{
	sleep 1
	cat /proc/sys/vm/stat_refresh
	awk '$1 == "nr_free_pages" || $1 == "count:" { n += $2 } END { print n }' /proc/zoneinfo
}

cost_of()
{
	awk -v name="$1" '$1 == name { print $2 }' "$COST"
}

# line WHAT OPERATION WHO NUMBER
line()
{
	tell "@bench $1 $2 1 $3 $4"
}

# held WHO OPERATION: goes on to that operation, and prints how many pages more
# are held than at the start.
held()
{
	echo "$1 $2" >"$COST" || return 1
	pages=$((base - $(free_pages)))
}

# at_peak WHO: prints the pages, and how many bytes of them there are for 1000
# live bytes; and the pages after a pause with two reap passes of pcslab.
at_peak()
{
	held "$1" "$(cost_of peak)" || return 1
	line trace-peak:held 0 "$1" $((pages * 10))
	line trace-peak:bytes 0 "$1" $((pages * 4096 * 1000 / ($(cost_of live) / 10)))
	sleep 25
	line trace-pause:held 0 "$1" $(((base - $(free_pages)) * 10))
}

# Prints what one allocator holds over time. The first reading of a file in
# /proc takes pages too.
hold()
{
	echo fill >"$COST" || return 1
	free_pages >/dev/null
	base=$(free_pages)
	echo start >"$COST" || return 1
	for tenth in 1 2 3 4 5 6 7 8 9 10; do
		to=$((ops * tenth / 10))
		[ "$peaked" = yes ] || [ "$to" -lt "$(cost_of peak)" ] || {
			at_peak "$1"
			peaked=yes
		}
		held "$1" "$to"
		line trace:held "$to" "$1" $((pages * 10))
		line trace:live "$to" trace $(($(cost_of live) * 10 / 4096))
	done
	echo "$1 empty" >"$COST" || return 1
	line trace-freed:held 0 "$1" $(((base - $(free_pages)) * 10))
	[ "$1" != pcslab ] || line trace-heap:held 0 pcslab \
		$(($(awk '$1 == "total" { print $NF }' /sys/kernel/debug/pcslab/heaps/cost/stats) * 10))
	echo stop >"$COST"
}

# pcslab comes first: kmalloc may use what the metadata of pcslab leaves in its
# slabs.
measure_trace()
{
	note "measuring: the trace"
	load pcslab_replay && zcat /data/kmalloc-trace.txt.gz >"$REPLAY/trace" || return 1
	# Allocate now what the replay itself needs.
	echo start >"$COST" && echo stop >"$COST" || return 1
	ops=$(cost_of ops)
	for who in pcslab kmalloc; do
		peaked=no
		hold "$who" || return 1
	done
	dmesg -c >/dev/null
	echo time >"$COST" || return 1
	dmesg | sed -n 's/.*pcslab_bench: /@bench /p' >&3
	rmmod pcslab_replay
}
