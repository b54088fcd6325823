# shellcheck shell=dash disable=SC2034
# SPDX-License-Identifier: GPL-2.0
# The storm in the guest. pcslab_stress makes the calls. Meanwhile, as long as
# /tmp/storm exists, CPUs go off and on, pages are missing, realtime tasks keep
# CPUs busy, all files are read and caches dropped. The storm ends at the first
# mismatch or finding.

PCSLAB=/sys/kernel/debug/pcslab
KMEMLEAK=/sys/kernel/debug/kmemleak
STRESS=/sys/kernel/debug/pcslab_stress
FAIL=$PCSLAB/fail_pages
CPU=/sys/devices/system/cpu
NODE=/sys/devices/system/node
TIMES=1000000000

# draw N: stores a number below N in $drawn. Each of the loops has a stream of
# its own.
draw()
{
	random=$((random * 6364136223846793005 + 1442695040888963407))
	drawn=$(((random >> 33 & 0x3fffffff) % $1))
}

# nap N: sleeps less than N hundredths of a second, at random
nap()
{
	draw "$1"
	sleep "$((drawn / 100)).$(printf %02d $((drawn % 100)))"
}

# Any of CPU 1 and up goes off if it is on, and on if it is off.
change_cpus()
{
	random=$((SEED + 1))
	while [ -e /tmp/storm ]; do
		draw "$others"
		online=$CPU/cpu$((drawn + 1))/online
		read -r was <"$online"
		if ! echo $((1 - was)) 2>/tmp/why >"$online"; then
			echo "$online: $(cat /tmp/why)" >>"/tmp/refused-$was"
		elif [ "$was" = 0 ]; then
			echo "$online" >>/tmp/cycles
		fi
	done 2>/dev/null
}

# 1 to 30 % of the page allocations fail, mostly for the tasks of the storm
# only, because a CPU does not come up if almost any of its pages is missing.
miss_pages()
{
	[ -d "$FAIL" ] || return 0
	random=$((SEED + 2))
	for task in /proc/[0-9]*; do
		read -r name <"$task/comm" || continue
		case $name in pcslab-*) echo 1 >"$task/make-it-fail" ;; esac
	done 2>/dev/null
	while [ -e /tmp/storm ]; do
		draw 3
		if [ "$drawn" = 0 ]; then echo N; else echo Y; fi >"$FAIL/task-filter"
		draw 30
		echo $((drawn + 1)) >"$FAIL/probability"
		nap 100
	done
	echo 0 >"$FAIL/probability"
}

# For sh: stays in user space as a realtime task for that many seconds, or until
# the storm is over.
# shellcheck disable=SC2016 # expanded by that shell
HOG='
uptime() { read -r up _ </proc/uptime; up=${up%.*}; }
uptime
end=$((up + $1 + 1))
echo fifo >"$2" && echo "$1" >>/tmp/hogs
while [ "$up" -lt "$end" ] && [ -e /tmp/storm ]; do
	i=0
	while [ $i -lt 1000 ]; do i=$((i + 1)); done
	uptime
done'

# Again and again a realtime task has a CPU for itself for a second or two:
# everything else that was to run there waits, even in the middle of a call. An
# offline CPU has no hog. The task ends by itself, because this shell may be
# among those that wait.
hog_cpus()
{
	random=$((SEED + 5))
	while [ -e /tmp/storm ]; do
		draw $((others + 1))
		mask=$(printf %x $((1 << drawn)))
		draw 2
		taskset "$mask" sh -c "$HOG" hog $((drawn + 1)) "$STRESS/control" &
		hog=$!
		sleep $((drawn + 1))
		kill "$hog"
		wait "$hog"
		nap 100
	done 2>/dev/null
}

injected()
{
	if [ -d "$FAIL" ]; then echo $((TIMES - $(cat "$FAIL/times"))); else echo 0; fi
}

read_files()
{
	random=$((SEED + 4))
	while [ -e /tmp/storm ]; do
		cat "$PCSLAB/stats" "$PCSLAB/classes" "$PCSLAB"/heaps/[!r]*/* 2>/dev/null |
			awk -f /data/readings.awk >>/tmp/read 2>>/tmp/misread
		# Anything is allowed in the books of this heap.
		cat "$PCSLAB"/heaps/raced/* >/dev/null
		nap 20
	done
}

# A 4 keeps the kernel from logging each time.
drop_caches()
{
	random=$((SEED + 3))
	echo 4 >/proc/sys/vm/drop_caches
	while [ -e /tmp/storm ]; do
		echo 2 >/proc/sys/vm/drop_caches
		echo dropped >>/tmp/drops
		nap 100
	done
}

result()
{
	awk -v name="$1" '$1 == name { print $2 }' "$STRESS/result"
}

operations()
{
	awk '$1 == "allocs" || $1 == "frees" { n += $2 } END { print n }' "$STRESS/result"
}

lines()
{
	wc -l <"/tmp/$1"
}

readings()
{
	echo $(($(awk '{ n += $1 } END { print n + 0 }' /tmp/read) + $(result reads)))
}

mismatches()
{
	echo $(($(result mismatches) + $(lines misread) + $(lines refused-1)))
}

now()
{
	cut -d. -f1 /proc/uptime
}

# of_results TEST NAME...: all of them exist and pass the test, in awk
of_results()
{
	test=$1
	shift
	awk -v names="$*" '
	BEGIN { n = split(names, name); for (i in name) wanted[name[i]] }
	$1 in wanted {
		print
		n -= ($2 '"$test"')
	}
	END { exit n != 0 }' "$STRESS/result"
}

# Later kernels refuse memory that is not from kmalloc, with a warning.
kfree_drops_references()
{
	case $(uname -r) in 6.*) ;; *) return 1 ;; esac
}

# All kinds of things did happen.
something_of_all()
{
	# Interrupts are threads on RT. A slow kernel seldom meets a failure in
	# one.
	[ "$FLAVOUR" = rt ] || of_results "> 0" in_hardirq || return 1
	[ "$FLAVOUR" != kunit ] || of_results "> 0" nulls_in_interrupt || return 1
	[ ! -d "$FAIL" ] || of_results "> 0" nulls vmalloced || return 1
	[ -e "$KMEMLEAK" ] || of_results "> 0" races || return 1
	! kfree_drops_references || of_results "> 0" foreign || return 1
	of_results "> 0" in_task in_softirq crossed deferred reallocs_in_place runs heaps zombies \
		crowd shrinks shrunk reads compared || return 1
	[ -s /tmp/cycles ] && [ -s /tmp/read ] && [ -s /tmp/drops ] && [ -s /tmp/hogs ]
}

# progress SECONDS: returns when they are over, or when something is wrong. A
# slow kernel gets up to two minutes more for the first of everything.
progress()
{
	started=$(now)
	while :; do
		left=$((started + $1 - $(now)))
		if [ "$left" -le 0 ]; then
			[ "$left" -gt -120 ] && ! something_of_all >/tmp/missing || return 0
		fi
		sleep $((left > 0 && left < 15 ? left : 15))
		note "   $(($(now) - started)) s: $(commas "$(operations)") operations," \
			"$(lines cycles) CPU cycles, $(commas "$(injected)") failures injected," \
			"$(commas "$(readings)") readings, $(mismatches) mismatches"
		# The log has no room for an hour of this.
		dmesg -s 16777216 -c >/tmp/dmesg
		findings_in_dmesg || return 1
		[ "$(mismatches)" -eq 0 ] || return 1
	done
}

all_cpus_on()
{
	for online in "$CPU"/cpu[1-9]*/online; do
		[ "$(cat "$online")" = 1 ] || echo 1 >"$online" || return 1
	done
}

rage()
{
	: >/tmp/storm
	for file in cycles refused-0 refused-1 read misread drops hogs; do
		: >"/tmp/$file"
	done
	if [ -d "$FAIL" ]; then
		echo 1 >"$FAIL/interval"
		echo "$TIMES" >"$FAIL/times"
	fi
	echo start >"$STRESS/control" || return 1
	change_cpus &
	loops=$!
	for loop in miss_pages hog_cpus read_files drop_caches; do
		$loop &
		loops="$loops $!"
	done
	status=0
	progress "$1" || status=1
	rm /tmp/storm
	grep pcslab_stress: /tmp/dmesg | head -n 20
	# shellcheck disable=SC2086 # words
	wait $loops
	all_cpus_on || status=1
	return "$status"
}

failures_injected()
{
	[ -d "$FAIL" ] || return "$SKIPPED"
	echo "$(injected) failures injected, $(result nulls) allocations failed"
	[ "$(injected)" -gt 0 ] && [ "$(result nulls)" -gt 0 ]
}

# cpus_without_memory: prints how many there are, on nodes that have none
cpus_without_memory()
{
	without=0
	for node in "$NODE"/node[0-9]*; do
		grep -q "MemTotal: *0 kB" "$node/meminfo" || continue
		for cpu in "$node"/cpu[0-9]*; do
			[ ! -e "$cpu" ] || without=$((without + 1))
		done
	done 2>/dev/null
	echo "$without"
}

# A CPU stays down only if there is no memory for it, which happens only when
# failures are injected. It needs no memory of its own node.
cpus_obey()
{
	[ ! -d "$NODE" ] || [ "$(cpus_without_memory)" -gt 0 ] || return 1
	echo "$(lines cycles) times off and on, $(lines refused-0) refused for lack of pages"
	cat /tmp/refused-1
	[ "$(lines refused-1)" -eq 0 ] || return 1
	[ -d "$FAIL" ] || [ "$(lines refused-0)" -eq 0 ]
}

readings_hold()
{
	cut -c1-300 /tmp/misread
	[ "$(lines misread)" -eq 0 ] && of_results "== 0" fell negative
}

# While nobody works: compares the files with each other and with the oracle.
files_agree()
{
	for heap in known anywhere abused; do
		(cd "$PCSLAB/heaps/$heap" && awk -f /inside/audit-is-exact.awk exact audit) || return 1
	done
	awk -f /data/rows.awk "$STRESS/rows" "$PCSLAB/heaps/known/percpu"
}

# raced_line: prints the line of the heap with double frees, if there is one.
raced_line()
{
	awk '$1 == "raced"' "$PCSLAB/stats"
}

# After double frees the books may be off, but every object that is held is
# live.
raced_are_live()
{
	raced_line
	live=$(total "$PCSLAB/heaps/raced/audit" live)
	echo "$live live, $(result raced_held) held"
	[ "$live" -gt 0 ] && [ "$live" = "$(result raced_held)" ]
}

# If the books of the destroyed heap are off, it is a zombie, which goes when
# its last slab does. If a slab stays, it can be given up.
raced_goes()
{
	for _ in $(seq 30); do
		[ -n "$(raced_line)" ] || return 0
		sleep 0.1
	done
	raced_line
	echo raced >/sys/module/pcslab/parameters/forget || return 1
	sleep 1
	[ -z "$(raced_line)" ]
}

nothing_is_left()
{
	for _ in $(seq 50); do
		grep -q zombie "$PCSLAB/stats" || break
		sleep 0.1
	done
	cat "$PCSLAB/stats"
	[ "$(awk 'NR > 2 && $1 != "total" { printf "%s %s ", $1, $5 }' "$PCSLAB/stats")" = \
		"known 0 anywhere 0 abused 0 " ]
}

table()
{
	row "allocations and frees" "$(operations)"
	row "  of these in softirq" "$(result in_softirq)"
	row "  of these in hardirq" "$(result in_hardirq)"
	row "  frees on another CPU than the allocation" "$(result crossed)"
	row "frees of live objects by kfree()" "$(result foreign)"
	if [ -e "$KMEMLEAK" ]; then
		row "objects freed twice at the same moment: not with kmemleak" 0
	else
		row "objects freed twice at the same moment" "$(result races)"
	fi
	row "  of these counted twice" "$(result both_counted)"
	row "  objects of that heap handed out twice" "$(result handed_out_twice)"
	row "allocations that failed" "$(result nulls)"
	row "  of these in softirq or hardirq" "$(result nulls_in_interrupt)"
	row "objects from vmalloc" "$(result vmalloced)"
	if [ -d "$FAIL" ]; then
		row "failures injected" "$(injected)"
	else
		row "failures injected: no fault injection in this kernel" 0
	fi
	row "CPUs off and on again" "$(lines cycles)"
	row "  CPUs that stayed off for lack of pages" "$(lines refused-0)"
	row "CPUs on nodes without memory" "$(cpus_without_memory)"
	row "times a realtime task had a CPU for itself" "$(lines hogs)"
	row "heaps created and destroyed" "$(result heaps)"
	row "  of these with objects live" "$(result zombies)"
	row "heaps created and destroyed by the hundred" "$(result crowd)"
	row "heaps shrunk" "$(result shrinks)"
	row "  pages given back by these" "$(result shrunk)"
	row "caches dropped" "$(lines drops)"
	row "readings taken" "$(readings)"
	row "times all counters of a heap were compared" "$(result compared)"
	row "mismatches" "$(mismatches)"
}

# storm SECONDS
storm()
{
	# shellcheck source=/dev/null
	. /data/books.sh
	# A writer waits long for a file that is being read.
	echo 600 >/proc/sys/kernel/hung_task_timeout_secs
	# Realtime tasks may use all of a CPU. On 6.12 any access to this file
	# oopses in sd_numa_mask() if a CPU comes or goes at that moment, so
	# write to it before the storm begins.
	echo -1 >/proc/sys/kernel/sched_rt_runtime_us
	# Zombies are named in the log, and there are many.
	dmesg -n 1
	SEED=${SEED:-$(od -An -N4 -tu4 /dev/urandom | tr -d ' ')}
	others=$(($(grep -c ^processor /proc/cpuinfo) - 1))
	note "   $1 seconds on $((others + 1)) CPUs; SEED=$SEED makes the same decisions"
	load pcslab && load pcslab_stress "seed=$SEED" || return 1
	ktap_suite stress 12
	ktap_case weathered rage "$1"
	echo stop >"$STRESS/control"
	ktap_case files_agree_while_objects_live files_agree
	ktap_case raced_are_live raced_are_live
	echo free >"$STRESS/control"
	ktap_case files_agree files_agree
	ktap_case books_are_the_oracle of_results "== 0" books
	ktap_case objects_are_whole of_results "== 0" content not_zero misaligned \
		wrong_size wrong_heap wrong_result
	ktap_case readings_hold readings_hold
	ktap_case cpus_obey cpus_obey
	ktap_case failures_injected failures_injected
	ktap_case something_of_all something_of_all
	ktap_case raced_goes raced_goes
	ktap_case nothing_is_left nothing_is_left
	(echo && table && echo) | show
	rmmod pcslab_stress && remove pcslab
}
