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
trap 'unexpected "$?" "$BASH_COMMAND" "${BASH_SOURCE[0]}" "$LINENO"' ERR
trap 'interrupted 129' HUP
trap 'interrupted 130' INT
trap 'interrupted 143' TERM

# What make was told is not meant for the kernel's own Makefiles.
unset MAKEFLAGS MFLAGS MAKELEVEL MAKEOVERRIDES

SCRIPTS=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
TREE=${PCSLAB_TREE:-$(dirname "$SCRIPTS")}
CACHE=${XDG_CACHE_HOME:-${HOME:?}/.cache}/pcslab
TMP=
AT_EXIT=

# One line of progress, with the seconds since the first script began.
say()
{
	printf '[%4ds] %s\n' $(($(date +%s) - PCSLAB_START)) "$*" >&2
}

die()
{
	printf 'error: %s\n' "$*" >&2
	exit 1
}

# unexpected STATUS COMMAND FILE LINE: a failure nobody expected must not end the
# script without a word.
unexpected()
{
	end_if_interrupted "$1"
	printf 'error: %s failed at %s:%s\n' "${@:2}" >&2
}

# interrupted STATUS: end, and all that this script has started with it. The script that
# was started first says so, and only that one.
interrupted()
{
	trap '' HUP INT TERM PIPE
	trap - ERR
	if [ "$BASHPID" -eq $$ ]; then
		end_descendants
		[ "$PCSLAB_FIRST" -ne $$ ] || say "interrupted"
	fi
	exit "$1"
}

# end_if_interrupted STATUS: of a command that had the signal before this script had it.
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

# list_descendants PID: add those that may be ended to `below`. apt-get is told to
# stop, and does so when dpkg is done with what it is at: packages that are half
# installed would have to be mended by hand.
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

# in_background COMMAND...: start it, and be its parent.
in_background()
{
	# Without the trap the command would ignore ^C, as all in the background do.
	(trap - INT; "$@" || exit) &
}

# await COMMAND...: run it, be it long. Bash acts on a signal only when the command in
# the foreground has ended; here it does so at once.
await()
{
	local status=0
	in_background "$@"
	wait $! || status=$?
	end_if_interrupted "$status"
	return "$status"
}

# into FILE COMMAND...: for await, whose own output is not to be redirected: what is said
# of an interrupt would go there too.
# shellcheck disable=SC2317 # called by await
into()
{
	"${@:2}" >"$1" 2>&1
}

# need_value OPTION COUNT: for option parsers; COUNT is the arguments left.
need_value()
{
	[ "$2" -ge 2 ] || die "$1 needs a value"
}

# at_exit COMMAND: done when this script ends, also by a signal.
at_exit()
{
	[ -n "$AT_EXIT" ] || trap 'eval "$AT_EXIT"' EXIT
	AT_EXIT="$1; $AT_EXIT"
}

# A directory of this process, gone when it ends.
temp_dir()
{
	if [ -z "$TMP" ]; then
		TMP=$(mktemp -d "$CACHE/tmp/$$.XXXXXX")
		# shellcheck disable=SC2016 # at_exit expands it
		at_exit 'rm -rf "$TMP"'
	fi
	REPLY=$(mktemp -d "$TMP/XXXXXX")
}

# patched_tree PATCH: a copy of what is built and run, with a patch applied.
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

# table_row TABLE NAME: the rest of the row that begins with NAME, if there is one.
table_row()
{
	local name
	while read -r name REPLY; do
		[ "$name" != "$2" ] || return 0
	done <<<"$1"
	return 1
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
	if ! await into "$log" "$@"; then
		log_tail "$log"
		return 1
	fi
}

# with_lock NAME COMMAND...: one run at a time does what NAME stands for; another
# waits, then finds it done. The lock goes with the process, however it ends.
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

# What nobody used for two weeks was made by versions nobody uses any more.
prune_cache()
{
	mkdir -p "$CACHE/entry" "$CACHE/results"
	find "$CACHE/entry" "$CACHE/results" "$CACHE/log" -mindepth 1 -maxdepth 1 \
		-mtime +14 -exec rm -rf {} +
	find "$CACHE/tmp" -mindepth 1 -maxdepth 1 -mtime +1 -exec rm -rf {} +
}

# make_entry NAME MAKER ARGS...: unless somebody just did.
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

# cached NAME MAKER ARGS...: the path of entry NAME, made if need be by calling
# MAKER ARGS... with the empty directory to fill as its last argument.
cached()
{
	[ -d "$CACHE/entry/$1" ] || with_lock "$1" make_entry "$@"
	REPLY=$CACHE/entry/$1
	touch "$REPLY"
}

# results_path NAME [OF]: where results of that name are, which no two clones share. They
# are of TREE, or of what is called OF where copies of the tree come and go.
results_path()
{
	REPLY=$CACHE/results/$1-$(printf '%s %s' "$SCRIPTS" "${2:-$TREE}" | cksum | cut -d' ' -f1)
}

# results_dir NAME [OF]: an empty directory that stays after the run, for this run alone.
results_dir()
{
	lock_results "$@"
	find "$REPLY" -mindepth 1 -delete
}

# lock_results NAME [OF]: that directory with what is in it.
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

# The script that was started first makes a directory for the logs of them all, for no
# two runs may write the same.
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
