# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0
# Adds up the closing lines of checks: `N passed, N failed[, N skipped]`.

passed=0 failed=0 skipped=0 failures=

# count COMMAND...: runs a check that ends in a closing line, shows it, and adds
# it up.
count()
{
	local log status=0
	log=$(mktemp "$LOGS/check.XXXXXX")
	await show_and_keep "$log" "$@" || status=$?
	add_up "$log" "$status"
}

# shellcheck disable=SC2317 # called by await
show_and_keep()
{
	"${@:2}" | tee "$1"
}

# add_up LOG STATUS: adds the closing line in LOG of a check that ended with
# STATUS. A check without that line has failed. So has one that reports failure
# without a failed case.
add_up()
{
	local p='' f='' s=''
	read -r p f s < <(sed -nE \
		's/^([0-9]+) passed, ([0-9]+) failed(, ([0-9]+) skipped)?$/\1 \2 \4/p' \
		"$1" | tail -n 1) || true
	: "${f:=1}"
	[ "$2" -eq 0 ] || [ "$f" -gt 0 ] || f=1
	failures+=$'\n'$(awk '/^(FAILED|not ok) / { show = 1; print; next }
		/^[ #]/ { if (show) print; next } { show = 0 }' "$1")
	passed=$((passed + ${p:-0}))
	failed=$((failed + f))
	skipped=$((skipped + ${s:-0}))
}

# Prints what failed once more, for a reader who sees only the end, and the
# closing line with the sums; and ends.
close_sums()
{
	local closing="$passed passed, $failed failed"
	[ "$skipped" -eq 0 ] || closing+=", $skipped skipped"
	awk 'NF && !seen[$0]++' <<<"$failures"
	echo "$closing"
	[ "$failed" -eq 0 ] || exit 1
}
