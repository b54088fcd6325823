# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0
# What every script here starts with: words for the user, the cache, the lock.
#
# The cache holds everything that is slow to fetch or build. The name of an
# entry says what it was made from (versions, a hash of its inputs). An entry is
# made in a temporary directory and renamed into place when it is complete, so
# an interrupted run leaves nothing unfinished. Functions that return a value
# leave it in REPLY, because a subshell would hide the exit after a failure.

# shellcheck disable=SC2034 # SCRIPTS and TREE are for those who source this

set -Eeuo pipefail
trap 'unexpected "$?" "$BASH_COMMAND" "${BASH_SOURCE[0]}" "$LINENO"' ERR
trap 'interrupted 129' HUP
trap 'interrupted 130' INT
trap 'interrupted 143' TERM

# The flags given to make are not meant for the kernel's own Makefiles.
unset MAKEFLAGS MFLAGS MAKELEVEL MAKEOVERRIDES

SCRIPTS=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
TREE=${PCSLAB_TREE:-$(dirname "$SCRIPTS")}
CACHE=${XDG_CACHE_HOME:-${HOME:?}/.cache}/pcslab
TMP=
AT_EXIT=

# Prints a line of progress, with the seconds since the first script began.
say()
{
	printf '[%4ds] %s\n' $(($(date +%s) - PCSLAB_START)) "$*" >&2
}

die()
{
	printf 'error: %s\n' "$*" >&2
	exit 1
}

# unexpected STATUS COMMAND FILE LINE: prints a message, because an unexpected
# failure must not end the script silently.
unexpected()
{
	end_if_interrupted "$1"
	printf 'error: %s failed at %s:%s\n' "${@:2}" >&2
}

# interrupted STATUS: ends this script and all that it has started. Only the
# script that was started first prints a message.
interrupted()
{
	trap '' HUP INT TERM PIPE
	trap - ERR
	if [ "$BASHPID" -eq $$ ]; then
		# From now on bash would print what became of its jobs.
		exec {stderr}>&2 2>/dev/null
		end_descendants
		[ "$PCSLAB_FIRST" -ne $$ ] || say "interrupted" 2>&"$stderr"
	fi
	exit "$1"
}

# end_if_interrupted STATUS: STATUS is of a command that may have received the
# signal before this script did.
end_if_interrupted()
{
	case $1 in
	129 | 130 | 143) interrupted "$1" ;;
	esac
}

end_descendants()
{
	local below=() tries=50
	list_descendants $$
	[ "${#below[@]}" -gt 0 ] || return 0
	kill "${below[@]}" 2>/dev/null || true
	while any_alive "${below[@]}"; do
		sleep 0.1
		[ $((tries -= 1)) -gt 0 ] || kill -KILL "${below[@]}" 2>/dev/null || true
		[ "$tries" -gt -10 ] || return 0
	done
}

# list_descendants PID: adds those that may be ended to `below`. apt-get is only
# asked to stop, and stops when dpkg has finished its current step:
# half-installed packages would have to be repaired by hand.
list_descendants()
{
	local pid name children=()
	read -ra children 2>/dev/null <"/proc/$1/task/$1/children" || true
	for pid in "${children[@]}"; do
		read -r name 2>/dev/null <"/proc/$pid/comm" || continue
		case $name in
		apt-get | sudo) kill -INT "$pid" 2>/dev/null || true ;;
		*)
			below+=("$pid")
			list_descendants "$pid"
			;;
		esac
	done
}

any_alive()
{
	local pid state
	for pid; do
		read -r _ _ state _ 2>/dev/null <"/proc/$pid/stat" || continue
		[ "$state" = Z ] || return 0
	done
	return 1
}

# in_background COMMAND...: starts it as a child of this script.
in_background()
{
	# Without the trap the command would ignore ^C, as all background
	# commands do.
	(trap - INT; "$@" || exit) &
}

# await COMMAND...: runs a command that may be long. Bash acts on a signal only
# when the command in the foreground has ended; here it does so at once.
await()
{
	local status=0
	in_background "$@"
	wait $! || status=$?
	end_if_interrupted "$status"
	return "$status"
}

# into FILE COMMAND...: for use with await, whose own output must not be
# redirected, because messages about an interrupt would go there too.
# shellcheck disable=SC2317 # called by await
into()
{
	"${@:2}" >"$1" 2>&1
}

# need_value OPTION COUNT: for option parsers; COUNT is the number of arguments
# left.
need_value()
{
	[ "$2" -ge 2 ] || die "$1 needs a value"
}

# at_exit COMMAND: runs COMMAND when this script ends, even by a signal.
at_exit()
{
	[ -n "$AT_EXIT" ] || trap 'eval "$AT_EXIT"' EXIT
	AT_EXIT="$1; $AT_EXIT"
}

# A directory of this process, which is removed when the process ends.
temp_dir()
{
	if [ -z "$TMP" ]; then
		TMP=$(mktemp -d "$CACHE/tmp/$$.XXXXXX")
		# shellcheck disable=SC2016 # at_exit expands it
		at_exit 'rm -rf "$TMP"'
	fi
	REPLY=$(mktemp -d "$TMP/XXXXXX")
}

# patched_tree PATCH: copies what is built and run, and applies a patch.
patched_tree()
{
	local copy part
	temp_dir
	copy=$REPLY
	for part in Kbuild include src kunit scripts; do
		cp -a "$TREE/$part" "$copy/"
	done
	patch -s -p1 -d "$copy" <"$1" >&2 || die "$(basename "$1") does not apply"
	REPLY=$copy
}

# table_row TABLE NAME: the rest of the row that begins with NAME, if there is
# one.
table_row()
{
	local name
	while read -r name REPLY; do
		[ "$name" != "$2" ] || return 0
	done <<<"$1"
	return 1
}

# hash_of FILE...: a hash of their contents, independent of their location.
hash_of()
{
	REPLY=$(sha256sum "$@" | cut -d' ' -f1 | sha256sum | cut -c1-12)
}

# log_tail FILE: prints the end of a log, for the user who just saw it fail.
log_tail()
{
	tail -n 15 "$1" | sed 's/^/    /' >&2
}

# run_logged NAME COMMAND...: shows no output of COMMAND while it works; keeps
# its log.
run_logged()
{
	local log=$LOGS/$1.log
	shift
	if ! await into "$log" "$@"; then
		log_tail "$log"
		return 1
	fi
}

# with_lock NAME COMMAND...: one run at a time does what NAME stands for;
# another one waits, then finds it done. The lock goes with the process, however
# it ends.
with_lock()
{
	local lock
	mkdir -p "$CACHE/locks"
	exec {lock}>"$CACHE/locks/$1"
	if ! flock -n "$lock"; then
		say "waiting for another run: $1"
		await flock "$lock"
	fi
	"${@:2}"
	exec {lock}>&-
}

# Entries that nobody has used for two weeks belong to versions that are out of
# use.
prune_cache()
{
	mkdir -p "$CACHE/entry" "$CACHE/results"
	find "$CACHE/entry" "$CACHE/results" "$CACHE/log" -mindepth 1 -maxdepth 1 \
		-mtime +14 -exec rm -rf {} +
	find "$CACHE/tmp" -mindepth 1 -maxdepth 1 -mtime +1 -exec rm -rf {} +
}

# make_entry NAME MAKER ARGS...: makes the entry unless somebody has just made
# it.
make_entry()
{
	local dir
	[ ! -d "$CACHE/entry/$1" ] || return 0
	prune_cache
	temp_dir
	dir=$REPLY
	chmod 755 "$dir"
	"${@:2}" "$dir"
	mv -T "$dir" "$CACHE/entry/$1"
}

# cached NAME MAKER ARGS...: returns the path of entry NAME. If it does not
# exist, calls MAKER ARGS... with the empty directory to fill as the last
# argument.
cached()
{
	[ -d "$CACHE/entry/$1" ] || with_lock "$1" make_entry "$@"
	REPLY=$CACHE/entry/$1
	touch "$REPLY"
}

# results_path NAME [OF]: the directory of the results of that name, which no
# two clones share. They belong to TREE, or to what OF names if copies of the
# tree come and go.
results_path()
{
	REPLY=$CACHE/results/$1-$(printf '%s %s' "$SCRIPTS" "${2:-$TREE}" | cksum | cut -d' ' -f1)
}

# results_dir NAME [OF]: an empty directory for this run alone, which stays
# after it.
results_dir()
{
	lock_results "$@"
	find "$REPLY" -mindepth 1 -delete
}

# lock_results NAME [OF]: that directory with its contents.
lock_results()
{
	results_path "$@"
	mkdir -p "$REPLY" "$CACHE/locks"
	exec 8>"$CACHE/locks/${REPLY##*/}"
	if ! flock -n 8; then
		say "waiting for another run of the same"
		await flock 8
	fi
	touch "$REPLY"
}

# The script that was started first makes a directory for the logs of all of
# them, because no two runs may write the same logs.
first_script()
{
	PCSLAB_FIRST=$$
	: "${PCSLAB_START:=$(date +%s)}"
	PCSLAB_LOGS=$(mktemp -d "$CACHE/log/${0##*/}.XXXXXX")
	export PCSLAB_FIRST PCSLAB_START PCSLAB_LOGS
	# shellcheck disable=SC2016 # at_exit expands it
	at_exit 'rmdir "$PCSLAB_LOGS" 2>/dev/null || true'
}

mkdir -p "$CACHE"/{log,tmp} || die "there must be a directory $CACHE to keep things in"
[ -n "${PCSLAB_FIRST:-}" ] || first_script
LOGS=$PCSLAB_LOGS
