# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0
# What every script here starts with: words for the user, the cache, the lock.
#
# The cache holds what is slow to fetch or build. An entry's name says what made
# it (versions, a hash of its inputs); it is made in a temporary directory and
# renamed into place when it is whole, so an interrupted run leaves nothing half
# done. Functions that give a value leave it in REPLY: a subshell would swallow
# the exit of a failure.

# shellcheck disable=SC2034 # SCRIPTS and TREE are for those who source this

set -Eeuo pipefail
# A failure nobody expected must not end the script without a word.
trap 'printf "error: %s failed at %s:%s\n" "$BASH_COMMAND" "${BASH_SOURCE[0]}" "$LINENO" >&2' ERR

# What make was told is not meant for the kernel's own Makefiles.
unset MAKEFLAGS MFLAGS MAKELEVEL MAKEOVERRIDES

SCRIPTS=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
TREE=${PCSLAB_TREE:-$(dirname "$SCRIPTS")}
CACHE=${XDG_CACHE_HOME:-${HOME:?}/.cache}/pcslab
LOGS=$CACHE/log
TMP=
mkdir -p "$LOGS" "$CACHE/tmp"

# One line of progress, with the seconds since this script began.
say()
{
	printf '[%4ds] %s\n' "$SECONDS" "$*" >&2
}

die()
{
	printf 'error: %s\n' "$*" >&2
	exit 1
}

# need_value OPTION COUNT: for option parsers; COUNT is the arguments left.
need_value()
{
	[ "$2" -ge 2 ] || die "$1 needs a value"
}

# A directory of this process, gone when it ends.
temp_dir()
{
	if [ -z "$TMP" ]; then
		TMP=$(mktemp -d "$CACHE/tmp/$$.XXXXXX")
		trap 'rm -rf "$TMP"' EXIT
		# Without these a signal would skip the EXIT trap.
		trap 'exit 130' INT
		trap 'exit 143' TERM
	fi
	REPLY=$(mktemp -d "$TMP/XXXXXX")
}

# hash_of FILE...: of their contents, wherever they are.
hash_of()
{
	REPLY=$(sha256sum "$@" | cut -d' ' -f1 | sha256sum | cut -c1-12)
}

# log_tail FILE: the end of a log, for the user who just saw it fail.
log_tail()
{
	tail -n 15 "$1" | sed 's/^/    /' >&2
}

# run_logged NAME COMMAND...: quiet while it works; its log is kept.
run_logged()
{
	local log=$LOGS/$1.log
	shift
	if ! "$@" >"$log" 2>&1; then
		log_tail "$log"
		return 1
	fi
}

# One run at a time makes entries; another waits, then finds them made. The lock
# is held by the outermost cached() of a process and dropped at its end.
lock_depth=0

lock_cache()
{
	lock_depth=$((lock_depth + 1))
	[ "$lock_depth" -eq 1 ] || return 0
	exec 9>"$CACHE/lock"
	if ! flock -n 9; then
		say "waiting for another run to finish its preparations"
		flock 9
	fi
}

unlock_cache()
{
	lock_depth=$((lock_depth - 1))
	[ "$lock_depth" -gt 0 ] || exec 9>&-
}

# What nobody used for two weeks was made by versions nobody uses any more.
prune_cache()
{
	find "$CACHE" -mindepth 2 -maxdepth 2 -path "$CACHE/entry/*" -mtime +14 \
		-exec rm -rf {} +
	find "$CACHE/tmp" -mindepth 1 -maxdepth 1 -mtime +1 -exec rm -rf {} +
}

# cached NAME MAKER ARGS...: the path of entry NAME, made if need be by calling
# MAKER ARGS... with the empty directory to fill as its last argument.
cached()
{
	local entry=$CACHE/entry/$1 dir
	shift
	if [ ! -d "$entry" ]; then
		lock_cache
		if [ ! -d "$entry" ]; then
			mkdir -p "$CACHE/entry"
			prune_cache
			temp_dir
			dir=$REPLY
			chmod 755 "$dir"
			"$@" "$dir"
			mv -T "$dir" "$entry"
		fi
		unlock_cache
	fi
	touch "$entry"
	REPLY=$entry
}
