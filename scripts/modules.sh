# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0
# Builds of pcslab and its clients, in the cache: the checkout stays clean, and
# builds against several kernels do not overwrite each other's object files.

# Prints the files that a build reads; clients outside of kunit use live.h and
# stay.h too.
source_files()
{
	(cd "$TREE" && find Kbuild include src kunit/{live,stay}.h "$@" -type f \
		\( -name Kbuild -o -name '*.[chS]' \) ! -name '*.mod.c' 2>/dev/null |
		LC_ALL=C sort -u)
}

# copy_sources DIR CLIENT...
copy_sources()
{
	(cd "$TREE" && source_files "${@:2}" | cpio -pdm --quiet "$1")
}

# make_modules KERNEL CLIENTS FLAGS DIR: builds pcslab first, because the
# clients need its symbols.
# shellcheck disable=SC2317 # called by cached
make_modules()
{
	local kernel=$1 client dir=$4 clients flags
	read -ra clients <<<"$2"
	read -ra flags <<<"$3"
	say "building pcslab ${clients[*]} for ${kernel##*/}"
	mkdir "$dir/tree"
	copy_sources "$dir/tree" "${clients[@]}"
	build_external "$kernel" "$dir/tree" "${flags[@]}"
	for client in "${clients[@]}"; do
		build_external "$kernel" "$dir/tree/$client" \
			KBUILD_EXTRA_SYMBOLS="$dir/tree/Module.symvers" "${flags[@]}"
	done
	# gcov needs the *.gcno of the code that it counts; most kernels let it
	# count nothing.
	find "$dir/tree" \( -name '*.ko' -o -name '*.gcno' \) -exec mv {} "$dir" \;
	rm -rf "$dir/tree"
}

# build_external KERNEL DIR FLAG...: KERNEL may have flags of its own, in a
# file.
build_external()
{
	local log=modules-${1##*/} own=()
	[ ! -e "$1/flags" ] || read -ra own <"$1/flags"
	run_logged "$log" in_userland_of "$1" make -C "$1/build" M="$2" -j"$(nproc)" \
		"${own[@]}" "${@:3}" modules || {
		say "building the modules failed (see $LOGS/$log.log)"
		exit 3
	}
	! grep -E 'warning:|error:|WARNING' "$LOGS/$log.log" >&2 ||
		say "the build has warnings"
}

# modules_for KERNEL CLIENTS [FLAGS]: returns the directory with the *.ko files.
# CLIENTS are directories of the tree with a Kbuild. Exits with 3 if they do not
# build, so that check-breaks can tell a broken build from a failing test.
modules_for()
{
	local clients kernel
	kernel=$(basename "$(readlink -f "$1")")
	read -ra clients <<<"$2"
	hash_tree "${clients[@]}"
	cached "modules-$kernel-$(printf '%s' "$2 ${3:-}" | cksum | cut -d' ' -f1)-$REPLY" \
		make_modules "$1" "$2" "${3:-}"
}

# The hash includes names: a file that moved makes another program.
hash_tree()
{
	REPLY=$(cd "$TREE" && source_files "$@" | xargs -d'\n' sha256sum | sha256sum | cut -c1-12)
}
