# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0
# Builds of pcslab and its clients, in the cache: the checkout stays clean, and
# builds against several kernels do not overwrite each other's object files.

# Prints the files that a build reads; clients outside of kunit use some of its
# headers too.
source_files()
{
	(cd "$TREE" && find Kbuild include src kunit/lib/{held,live,stay,test_compat}.h "$@" -type f \
		\( -name Kbuild -o -name '*.mk' -o -name '*.[chS]' \) ! -name '*.mod.c' 2>/dev/null |
		LC_ALL=C sort -u)
}

# copy_sources DIR CLIENT...
copy_sources()
{
	(cd "$TREE" && source_files "${@:2}" | cpio -pdm --quiet "$1")
}

# make_pcslab KERNEL FLAGS DIR: pcslab alone, with what its clients need to know of
# it.
make_pcslab()
{
	local flags
	read -ra flags <<<"$2"
	say "building pcslab for ${1##*/}"
	mkdir "$3/tree"
	copy_sources "$3/tree"
	build_external "$1" "$3/tree" "${flags[@]}"
	mv "$3/tree/Module.symvers" "$3/"
	keep_modules "$3"
}

# make_clients KERNEL CLIENTS FLAGS PCSLAB DIR: PCSLAB is what make_pcslab made.
make_clients()
{
	local client clients flags
	read -ra clients <<<"$2"
	read -ra flags <<<"$3"
	say "building ${clients[*]} for ${1##*/}"
	mkdir "$5/tree"
	copy_sources "$5/tree" "${clients[@]}"
	for client in "${clients[@]}"; do
		build_external "$1" "$5/tree/$client" \
			KBUILD_EXTRA_SYMBOLS="$4/Module.symvers" "${flags[@]}"
	done
	keep_modules "$5"
}

# keep_modules DIR: gcov needs the *.gcno of the code that it counts; most kernels
# let it count nothing.
keep_modules()
{
	find "$1/tree" \( -name '*.ko' -o -name '*.gcno' \) -exec mv {} "$1" \;
	rm -rf "$1/tree"
}

# make_modules KERNEL CLIENTS FLAGS DIR: pcslab and clients. pcslab is built once for
# all clients.
# shellcheck disable=SC2317 # called by cached
make_modules()
{
	local pcslab
	hash_tree
	cached "pcslab-$(modules_key "$1" "$3")-$REPLY" make_pcslab "$1" "$3"
	pcslab=$REPLY
	make_clients "$1" "$2" "$3" "$pcslab" "$4"
	find "$pcslab" \( -name '*.ko' -o -name '*.gcno' \) -exec cp -t "$4" {} +
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
	local clients
	read -ra clients <<<"$2"
	hash_tree "${clients[@]}"
	cached "modules-$(modules_key "$1" "$2 ${3:-}")-$REPLY" make_modules "$1" "$2" "${3:-}"
}

# modules_key KERNEL OPTIONS
modules_key()
{
	local kernel
	kernel=$(basename "$(readlink -f "$1")")
	echo "$kernel-$(printf '%s' "$2" | cksum | cut -d' ' -f1)"
}

# The hash includes names: a file that moved makes another program.
hash_tree()
{
	REPLY=$(cd "$TREE" && source_files "$@" | xargs -d'\n' sha256sum | sha256sum | cut -c1-12)
}

# make_adopted KERNEL MODULES STOCK NAMES DIR: see below.
# shellcheck disable=SC2317 # called by cached
make_adopted()
{
	local name names adopt=("$TREE/scripts/pcslab-adopt" --with "$2/pcslab_adopt.ko")
	read -ra names <<<"${4//$'\n'/ }"
	say "adopting ${names[*]:-nothing}"
	run_logged adopt "${adopt[@]}" --check "$1/build/Module.symvers" ||
		die "pcslab_adopt.ko does not fit ${1##*/} (see $LOGS/adopt.log)"
	cp "$3"/* "$2"/*.ko "$5/"
	for name in "${names[@]}"; do
		run_logged adopt "${adopt[@]}" "$5/$name.ko" "$5/$name.ko" ||
			die "adopting $name failed (see $LOGS/adopt.log)"
	done
}

# adopted_for VERSION KERNEL MODULES NAMES: returns a directory with what is in MODULES
# and the modules of Debian's kernel that adopt.run needs. Those in NAMES are adopted.
adopted_for()
{
	local stock tool
	stock_modules "$1"
	stock=$REPLY
	hash_of "$TREE/scripts/pcslab-adopt"
	tool=$REPLY
	hash_of <(echo "$4" && declare -f make_adopted)
	cached "adopted-${3##*/modules-}-$tool-$REPLY" make_adopted "$2" "$3" "$stock" "$4"
}

# adopt_one TOOL STOCK DIR FILE: no file comes of a module that calls nothing that can be
# adopted. The tool says so, and what it says is in the log.
# shellcheck disable=SC2317 # called by xargs
adopt_one()
{
	"$1" --with "$3/pcslab_adopt.ko" "$2/$4" "$3/${4%.ko}.adopted.ko" 2>&1 || true
}

# make_swept KERNEL MODULES STOCK DIR: see below.
# shellcheck disable=SC2317 # called by cached
make_swept()
{
	local log=$LOGS/sweep-${1##*/}.log tool=$TREE/scripts/pcslab-adopt
	say "adopting all modules of ${1##*/}"
	cp "$3"/*.ko "$2"/pcslab{,_adopt}.ko "$4/"
	export -f adopt_one
	# shellcheck disable=SC2016 # the other shell expands it
	find "$3" -name '*.ko' -printf '%f\n' | LC_ALL=C sort | await into "$log" \
		xargs -P "$(nproc)" -I{} bash -c 'adopt_one "$@"' bash "$tool" "$3" "$4" {}
	[ -n "$(find "$4" -name '*.adopted.ko' -print -quit)" ] || die "nothing was adopted (see $log)"
	dependencies "$3" >"$4/depends"
}

# swept_for VERSION KERNEL MODULES: returns a directory with pcslab and all modules of
# Debian's kernel: NAME.ko as it is, and NAME.adopted.ko. The file depends has their names.
swept_for()
{
	local every tool
	every_module "$1"
	every=$REPLY
	hash_of "$TREE/scripts/pcslab-adopt"
	tool=$REPLY
	hash_of <(sha256sum <"$3/pcslab_adopt.ko" && declare -f adopt_one dependencies make_swept)
	cached "swept-$(basename "$2")-$tool-$REPLY" make_swept "$2" "$3" "$every"
}
