# shellcheck shell=dash
# SPDX-License-Identifier: GPL-2.0
# Functions for the run files of make bench, in the guest.

# The clock is not reliable right after boot.
settle()
{
	sleep 15
}

# measure SET [PREFIX]: sends the results to the host, with PREFIX before the
# names of the cases. Fails if the clock did not count instructions: a hundred
# too many may be interrupts, but one too few is wrong.
measure()
{
	dmesg -c >/dev/null
	note "measuring: $1"
	load pcslab_bench "set=$1" || return 1
	rmmod pcslab_bench
	dmesg -s 16777216 | sed -n "s/.*pcslab_bench: /@bench ${2-}/p" >/tmp/bench
	awk '$2 ~ /clock$/ {
		clocks++
		if ($6 < $3 * 10 || $6 > $3 * 10.1)
			wrong++
	}
	END { exit !clocks || wrong }' /tmp/bench || {
		note "the clock does not count instructions: $(grep clock /tmp/bench)"
		return 1
	}
	cat /tmp/bench >&3
}
