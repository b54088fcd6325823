# shellcheck shell=dash
# SPDX-License-Identifier: GPL-2.0
# Functions that a run file may use inside the guest.

MARK="pcslab-run:"

# tell LINE: sends a line to the host.
tell()
{
	echo "$*" >&3
}

# note WORD...: shows progress to the person who waits.
note()
{
	tell "@say $*"
}

# show: copies its input to the host's standard output.
show()
{
	sed 's/^/@out /' >&3
}

# request LINE: sends a line to the host, and prints its answer (one line).
request()
{
	tell "$1"
	read -r answer <&3
	echo "$answer"
}

# monitor COMMAND...: makes the host give QEMU's monitor a command, and prints
# its answer (one line). Returns when the command is done.
monitor()
{
	request "@monitor $*"
}

# dump: makes the host write the guest's memory into files; prints what QEMU says
# about it, which is nothing if all is well.
dump()
{
	request @dump
}

# debugger NAME WORD...: prints what a debugger says about the dump: kdump and elf are
# pcslab-drgn with a dump of that format, gdb is gdb.
debugger()
{
	request "@debugger $*" | base64 -d
}

# plug NUMBER: plugs 128 MiB of the run's hotmem into node 1.
plug()
{
	monitor object_add "memory-backend-ram,id=hm$1,size=128M"
	monitor device_add "pc-dimm,id=dimm$1,memdev=hm$1,node=1"
}

# set_memory STATE FROM: sets the state of all memory of node 1 that is in state
# FROM.
set_memory()
{
	changed=0
	for block in /sys/devices/system/node/node1/memory[0-9]*; do
		[ "$(cat "$block/state" 2>/dev/null)" = "$2" ] || continue
		echo "$1" >"$block/state" || return 1
		changed=$((changed + 1))
	done
	[ "$changed" -gt 0 ]
}

# soon COMMAND...: succeeds when the command does. On a busy host it may take
# some seconds until the guest has noticed the memory, has moved what is in it,
# and has done a reap pass.
soon()
{
	for _ in $(seq 20); do
		"$@" && return
		sleep 1
	done
	return 1
}

log()
{
	echo "$*" >/dev/kmsg
}

mark()
{
	log "$MARK $1"
}

# Test results go from the kernel log to the host as they arrive, so that a
# guest that dies shows how far it got. Starts at the mark of the beginning and
# ends at that of the end, because a kernel with KUnit reports an empty plan
# when it boots. (awk, because sed reads a line ahead. cat, because a read of
# /dev/kmsg needs room for a whole record, and awk's buffer is too small for
# that.)
stream_ktap()
{
	mkfifo /tmp/kmsg
	cat /dev/kmsg >/tmp/kmsg &
	awk -v mark="$MARK" '
	{ text = $0; sub(/^[^;]*;/, "", text) }
	text == mark " end" { exit }
	text == mark " begin" { on = 1 }
	on && /^[0-9]/ && text ~ /^ *(ok |not ok |# |1\.\.[0-9]|KTAP )/ {
		print "@ktap " text
		fflush()
	}' </tmp/kmsg >&3
	kill $!
}

# load MODULE [PARAMETER...]: loads a module of this run, by its name.
load()
{
	module=$1
	shift
	insmod "/modules/$module.ko" "$@"
}

# remove MODULE: removes a module that may be busy for a while: as long as a
# reader has a file open, or until a grace period after the last zombie of
# pcslab.
remove()
{
	for _ in $(seq 100); do
		rmmod "$1" 2>/dev/null && return
		sleep 0.05
	done
	rmmod "$1"
}

loaded_modules()
{
	cut -d' ' -f1 /proc/modules | tr '\n' ' '
}

# Users go before what they use: /proc/modules lists the newest first.
unload_modules()
{
	for module in $(loaded_modules); do
		rmmod "$module" || return 1
	done
}

# traces: prints the traces of pcslab in this kernel; nothing if it was never
# here.
traces()
{
	grep '^pcslab' /proc/modules
	ls -d /sys/kernel/debug/pcslab* /sys/module/pcslab* 2>/dev/null
	grep pcslab /sys/devices/system/cpu/hotplug/states
}

# page_bytes: prints the size of a page. A shell can only learn it from the sum
# of all pages.
page_bytes()
{
	awk '$1 == "managed" { pages += $2 }
		$1 == "MemTotal:" { print $2 * 1024 / pages }' /proc/zoneinfo /proc/meminfo
}

# KiB of memory that nobody has, including what the CPUs keep at hand.
free_memory()
{
	sleep 1
	echo 3 >/proc/sys/vm/drop_caches
	cat /proc/sys/vm/stat_refresh
	awk -v bytes="$(page_bytes)" '/nr_free_pages |^ +count:/ { n += $2 }
		END { print n * bytes / 1024 }' /proc/zoneinfo
}

scan_for_leaks()
{
	kmemleak=/sys/kernel/debug/kmemleak
	[ -e "$kmemleak" ] || return 0
	# An object counts as leaked when it is old enough and when that many
	# scans have not found it, after one scan that saw its contents.
	scans=$(cat /sys/module/kmemleak/parameters/min_unref_scans 2>/dev/null || echo 1)
	sleep 5
	for _ in $(seq 0 "$scans"); do
		echo scan >"$kmemleak"
		sleep 1
	done
	while read -r line; do
		log "kmemleak: $line"
	done <"$kmemleak"
}

# On a kernel that counts what was executed: sends the counters, including those
# of modules that are gone. The sizes debugfs gives are wrong, so tar must not
# see them.
send_counters()
{
	counters=/sys/kernel/debug/gcov
	[ -e "$counters" ] || return 0
	mkdir /tmp/gcov
	find "$counters" -name '*.gcda' | while read -r file; do
		cat "$file" >"/tmp/gcov/${file##*/}"
	done
	tar -C /tmp/gcov -cz . | base64 | sed 's/^/@gcov /' >&3
}

# Finds all complaints of the kernel in /tmp/dmesg, wherever they came from. The
# text of each complaint goes into the results too.
findings_in_dmesg()
{
	awk -f /inside/kernel-races.awk /tmp/dmesg >/tmp/log
	grep -E -f /inside/findings /tmp/log >/tmp/findings || return 0
	head -n 20 /tmp/findings | sed 's/^/@finding /' >&3
	grep -E -A 60 -f /inside/findings /tmp/log | head -n 500 | sed 's/^/@dmesg /' >&3
	return 1
}

# Covers the time since the boot, or since the log was cleared.
report_findings()
{
	dmesg -s 16777216 >/tmp/dmesg
	findings_in_dmesg
}

# finds BUG PATTERN: pcslab_bug makes the bug, and the kernel must report it.
# The log is cleared afterwards, so that the report does not count as a finding;
# so nothing may be in it before.
finds()
{
	report_findings || return 1
	load pcslab_bug "bug=$1" || return 1
	case $1 in *leak) scan_for_leaks ;; esac
	rmmod pcslab_bug || return 1
	dmesg -s 16777216 -c >/tmp/report
	grep -qE "$2" /tmp/report && return
	sed 's/^/@dmesg /' /tmp/report >&3
	return 1
}

# since MARK PATTERN...: each pattern is in the kernel log after MARK. One space
# separates the words of a pattern.
since()
{
	dmesg | awk -v mark="$1" 'on { print } index($0, mark) { on = 1 }' >/tmp/since
	shift
	for pattern; do
		grep -q "$pattern" /tmp/since || {
			echo "not in the log: $pattern"
			return 1
		}
	done
}

# ktap_suite NAME COUNT, then COUNT times ktap_case NAME COMMAND...: tests that
# consist of commands. A case passes if its command succeeds, and counts as
# skipped if it returns $SKIPPED. The output of the command becomes the
# diagnostics of the case.
SKIPPED=4

ktap_suite()
{
	suite=$1
	suite_size=$2
	suite_at=0
	suite_result=ok
	log "    # Subtest: $suite"
	log "    1..$suite_size"
}

ktap_case()
{
	case_name=$1
	shift
	suite_at=$((suite_at + 1))
	result=ok directive=''
	"$@" >/tmp/case.out 2>&1
	case $? in
	0) ;;
	"$SKIPPED") directive=" # SKIP not for this kernel" ;;
	*) result="not ok" ;;
	esac
	while read -r line; do
		log "    # $case_name: $line"
	done </tmp/case.out
	log "    $result $suite_at - $case_name$directive"
	[ "$result" = ok ] || suite_result=$result
	[ "$suite_at" -lt "$suite_size" ] || log "$suite_result 1 - $suite"
}
