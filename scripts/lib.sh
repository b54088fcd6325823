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

# need_value OPTION COUNT: for option parsers; COUNT is the arguments left.
need_value()
{
	[ "$2" -ge 2 ] || die "$1 needs a value"
}

# at_exit COMMAND: done when this script ends, also by a signal.
at_exit()
{
	[ -n "$AT_EXIT" ] || {
		trap 'eval "$AT_EXIT"' EXIT
		# Without these a signal would skip the EXIT trap.
		trap 'exit 130' INT
		trap 'exit 143' TERM
	}
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
	if ! "$@" >"$log" 2>&1; then
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
		flock "$lock"
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
	results_path "$@"
	mkdir -p "$REPLY" "$CACHE/locks"
	exec 8>"$CACHE/locks/${REPLY##*/}"
	if ! flock -n 8; then
		say "waiting for another run of the same"
		flock 8
	fi
	find "$REPLY" -mindepth 1 -delete
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
