# shellcheck shell=dash
# SPDX-License-Identifier: GPL-2.0
# Several runs one after the other in one guest, until one fails.

# In a shell of its own: run files must not see each other's functions. What a part has to
# say of the log it says before its modules go; what is in the log then is a finding.
part()
{
	tell "@part $1"
	(
		# shellcheck source=/dev/null
		. "/data/$1.run"
		run
	) || return 1
	unload_modules && report_findings || return 1
	dmesg -c >/dev/null
}

# parts RUN...
parts()
{
	for part; do
		part "$part" || return 1
	done
}
