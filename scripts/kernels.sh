# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0
# Kernels: stock ones from Debian's packages, and ones built from Debian's
# kernel source for the tests. Each is a directory in the cache with
#   bzImage    what QEMU boots, whatever the machine calls it
#   build/     the tree that modules are built against (KDIR)
#   flags      flags that make needs for it, if any
# Nothing is installed on this machine.

# version, release, suite (- for the newest of the release and its updates),
# metapackage of the stock kernel, package of the source
KERNEL_TABLE="
6.1 bookworm - linux-image-cloud-amd64 linux-source-6.1
6.12 bookworm bookworm-backports linux-image-cloud-amd64 linux-source-6.12
7.3 trixie trixie-backports linux-image-cloud-amd64 linux-source-7.3
"

# kernel_row VERSION: stores the row's columns in row_*.
kernel_row()
{
	table_row "$KERNEL_TABLE" "$1" ||
		die "kernel $1 is not supported; supported: $(supported_kernels)"
	read -r row_release row_suite row_image row_source <<<"$REPLY"
}

supported_kernels()
{
	awk 'NF { printf "%s%s", sep, $1; sep = ", " }' <<<"$KERNEL_TABLE"
}

# The Makefiles and links of the headers only know where the packages would be
# installed; change them to where they are.
relocate_headers()
{
	local top=$1 makefile link target
	grep -rlE --include=Makefile --include=.kernelvariables '/usr/(src|lib)/linux-' \
		"$top/usr/src" | while read -r makefile; do
		sed -i -E "s,(^|[^A-Za-z0-9_])/usr/(src|lib)/linux-,\1$2/usr/\2/linux-,g" \
			"$makefile"
	done
	find "$top/usr/src" -type l -lname '/usr/*' | while read -r link; do
		target=$(readlink "$link")
		ln -sfn "$2$target" "$link"
	done
}

# make_stock_kernel ENTRY RELEASE PACKAGE=VERSION... DIR
make_stock_kernel()
{
	local entry=$1 release=$2 dir=${*: -1} image
	fetch_and_unpack "${@:3}"
	for image in "$dir/boot/vmlinuz-$release" "$dir/usr/lib/modules/$release/vmlinuz"; do
		[ ! -e "$image" ] || mv "$image" "$dir/bzImage"
	done
	[ -e "$dir/bzImage" ] || die "there is no kernel in the packages of $release"
	relocate_headers "$dir" "$CACHE/entry/$entry"
	ln -s "usr/src/linux-headers-$release" "$dir/build"
	[ ! -e "$dir/usr/bin/make" ] || prepare_userland "$dir"
	# Megabytes that none of the guests needs.
	rm -rf "${dir:?}/lib/modules" "${dir:?}/usr/lib/modules" "${dir:?}/boot"
}

# stock_kernel VERSION: a kernel of Debian's.
stock_kernel()
{
	kernel_row "$1"
	in_release "$row_release" find_stock_kernel
}

# stock_packages VERSION: the headers of Debian's kernel and the package with its modules,
# for apt.
stock_packages()
{
	kernel_row "$1"
	in_release "$row_release" find_stock_packages
}

find_stock_packages()
{
	local image release version
	find_stock_image
	dependency "linux-image-$release" '^linux-modules-'
	REPLY="linux-headers-$release=$version ${REPLY:-linux-image-$release}"
}

# In trixie linux-image-* only names the packages that the kernel consists of. Sets image,
# release and version of the caller.
find_stock_image()
{
	package_version "$row_image" "${row_suite#-}"
	depends_on "$row_image" '^linux-image-[0-9]' "$REPLY"
	image=$REPLY
	release=${image#linux-image-}
	dependency "$image" '^linux-binary-'
	image=${REPLY:-$image}
	package_version "$image"
	version=$REPLY
}

find_stock_kernel()
{
	local image release version key packages
	find_stock_image
	key=stock-$release-${version//[:~]/_}
	if [ "$row_release" = bookworm ]; then
		headers_packages "linux-headers-$release" "$version"
	else
		closure "linux-headers-$release=$version" "${USERLAND[@]}"
		key+=-$(printf %s "$REPLY" | sha256sum | cut -c1-12)
	fi
	mapfile -t packages <<<"$REPLY"
	cached "$key" make_stock_kernel "$key" "$release" "$image=$version" "${packages[@]}"
}

# Modules of Debian's that runs need: those that adopt.run adopts or loads, besides those that
# they need, and what tells QEMU where a dump has what a debugger begins with.
STOCK_MODULES="8021q binfmt_misc bonding brd bridge configfs dummy fat garp ifb ip6_tunnel
ip_gre ip_tunnel ipip ipvlan llc loop macvlan mrp nlmon nls_ascii nls_cp437 null_blk overlay
qemu_fw_cfg raid0 raid1 sit stp team tls tun tunnel4 veth vfat wireguard"

# dependencies DIR: prints a line for each module: its name, and those that it needs.
dependencies()
{
	local file
	for file in "$1"/*.ko; do
		echo "$(basename "$file" .ko) $(grep -azm1 '^depends=' "$file" | tr -d '\0')"
	done | sed 's/depends=//; y/-,/_ /'
}

# make_stock_modules EVERY DIR: names of files are those that the kernel has.
# shellcheck disable=SC2317 # called by cached
make_stock_modules()
{
	local file name
	dependencies "$1" >"$2/depends"
	awk -v wanted="$STOCK_MODULES" '
	function want(name, i, n, needs) {
		if (name in seen || !(name in known))
			return
		seen[name] = 1
		print name
		n = split(depends[name], needs, " ")
		for (i = 1; i <= n; i++)
			want(needs[i])
	}
	{ known[$1]; name = $1; sub(/^[^ ]+ ?/, ""); depends[name] = $0 }
	END { n = split(wanted, all); for (i = 1; i <= n; i++) want(all[i]) }
	' "$2/depends" >"$2/names"
	for file in "$1"/*.ko; do
		name=$(basename "$file" .ko | tr - _)
		! grep -qx "$name" "$2/names" || cp "$file" "$2/$name.ko"
	done
	rm "$2/names"
}

# stock_modules VERSION: a directory with the modules above, and a list of what each module
# of that kernel needs.
stock_modules()
{
	local every
	every_module "$1"
	every=$REPLY
	hash_of <(echo "$STOCK_MODULES" && declare -f dependencies make_stock_modules)
	cached "modules-of-${every##*/every-module-of-}-$REPLY" make_stock_modules "$every"
}

# The package with the modules of Debian's kernel, with its version.
find_modules_package()
{
	local image
	package_version "$row_image" "${row_suite#-}"
	depends_on "$row_image" '^linux-image-[0-9]' "$REPLY"
	image=$REPLY
	dependency "$image" '^linux-modules-'
	image=${REPLY:-$image}
	package_version "$image"
	REPLY=$image=$REPLY
}

# make_every_module PACKAGE=VERSION DIR
# shellcheck disable=SC2317 # called by cached
make_every_module()
{
	local all
	temp_dir
	all=$REPLY
	fetch_and_unpack "$1" "$all"
	find "$all" -name '*.ko*' -exec cp -t "$2" {} +
	find "$2" -name '*.xz' -exec xz -d {} +
	rm -rf "$all"
}

# every_module VERSION: a directory with all modules of Debian's kernel, not compressed.
every_module()
{
	kernel_row "$1"
	in_release "$row_release" find_every_module
}

find_every_module()
{
	find_modules_package
	cached "every-module-of-${REPLY//[:~=]/_}" make_every_module "$REPLY"
}

# headers_packages HEADERS VERSION: prints PACKAGE=VERSION, a line each, of all
# that modules are built with; the compiler is this machine's, and so is pahole
# if there is BTF.
headers_packages()
{
	local list="$1=$2" kbuild
	depends_on "$1" '^linux-headers-.*-common$'
	list+=$'\n'"$REPLY=$2"
	depends_on "$1" '^linux-kbuild-'
	kbuild=$REPLY
	package_version "$kbuild"
	REPLY=$list$'\n'$kbuild=$REPLY
}

# The headers of a later release include host programs that need its libc, and
# flags and a vmlinux (for BTF) of its compiler and pahole. If the programs were
# rebuilt here, the configuration would still ask for features that bookworm's
# gcc lacks, and with another configuration a module would no longer fit
# Debian's kernel. So everything a build needs is unpacked beside the headers,
# and make runs with that as its root, as a user of that release would run it.
# Nothing is configured, hence the links.
USERLAND=(base-files binutils coreutils dash diffutils findutils grep make mawk sed)

prepare_userland()
{
	prepare_root "$1"
	ln -s mawk "$1/usr/bin/awk"
}

# in_userland_of KERNEL COMMAND...: runs COMMAND with the files of the kernel's
# release.
in_userland_of()
{
	if [ -e "$1/usr/bin/make" ]; then
		in_root "$@"
	else
		"${@:2}"
	fi
}

make_source_tree()
{
	local package=$1 version=$2 dir=$3 parts
	temp_dir
	parts=$REPLY
	fetch_and_unpack "$package=$version" "$parts"
	say "unpacking $package"
	await tar -xJf "$parts/usr/src/$package.tar.xz" -C "$dir" --strip-components=1 \
		--exclude='*/drivers/gpu/drm/amd/*.[ch]' \
		--exclude='*/Documentation/translations' || die "unpacking $package failed"
	rm -rf "$parts"
}

# source_tree VERSION: Debian's source of that kernel, read only.
source_tree()
{
	kernel_row "$1"
	in_release "$row_release" find_source_tree "$1"
}

find_source_tree()
{
	package_version "$row_source" "${row_suite#-}"
	cached "source-$1-${REPLY//[:~]/_}" make_source_tree "$row_source" "$REPLY"
}

# list_fragments VERSION FLAVOUR: prints the files whose lines make the
# configuration. A later line overrides an earlier one; NAME-VERSION.config has
# lines that only that version needs. A flavour with a hyphen has everything of
# the one it begins with, and more.
list_fragments()
{
	local name file names=(base "${2%%-*}")
	[ "${2%%-*}" = "$2" ] || names+=("$2")
	for name in "${names[@]}"; do
		for file in "$SCRIPTS/configs/$name"{,"-$1"}.config; do
			[ ! -e "$file" ] || echo "$file"
		done
	done
}

# check_fragments .CONFIG FRAGMENT...: fails if an option is missing. Kconfig
# drops options silently, and a kernel without the options it is named for must
# not be used.
check_fragments()
{
	local config=$1 line name
	local -A wanted=()
	shift
	while read -r line; do
		case $line in
		CONFIG_*) wanted[${line%%=*}]=$line ;;
		'# CONFIG_'*' is not set')
			name=${line#\# }
			wanted[${name% is not set}]=''
			;;
		esac
	done < <(cat "$@")
	for name in "${!wanted[@]}"; do
		if [ -n "${wanted[$name]}" ]; then
			grep -qxF "${wanted[$name]}" "$config" ||
				die "the kernel configuration lost ${wanted[$name]}"
		elif grep -q "^$name=" "$config"; then
			die "the kernel configuration set $name"
		fi
	done
}

# configure DIR FRAGMENT...: makes DIR/build and its .config, with the caller's
# kmake.
configure()
{
	mkdir "$1/build"
	cat "${@:2}" >"$1/fragments"
	run_logged config "${kmake[@]}" KCONFIG_ALLCONFIG="$1/fragments" allnoconfig ||
		die "configuring the kernel failed (see $LOGS/config.log)"
	check_fragments "$1/build/.config" "${@:2}"
}

# watch_build LOG: prints a line now and then while make works, in the
# background.
watch_build()
{
	local next=$((SECONDS + 15))
	while sleep 1; do
		[ "$SECONDS" -ge "$next" ] || continue
		next=$((SECONDS + 15))
		say "    $(grep -c '^  \(CC\|AS\|HOSTCC\)' "$1") files compiled"
	done
}

# Modules need the generated headers, the host programs and Module.symvers. The
# objects are some hundred megabytes that nobody needs any more.
strip_object_tree()
{
	find "$1" \( -path "$1/scripts" -o -path "$1/tools" \) -prune -o -type f \
		\( -name '*.o' -o -name '*.a' -o -name '.*.cmd' -o -name 'vmlinux*' \
		-o -name '.vmlinux*' -o -name '.tmp_*' \) ! -name vmlinux.lds -exec rm -f {} +
	find "$1" -mindepth 1 -type d -empty -delete
}

# From 6.13 on the tree's Makefile stores the directory where it was built. The
# tree moves later, so make it determine the directory itself.
relocate_object_tree()
{
	# shellcheck disable=SC2016 # make expands it
	sed -i 's|^export KBUILD_OUTPUT = /.*|export KBUILD_OUTPUT := $(dir $(realpath $(lastword $(MAKEFILE_LIST))))|' \
		"$1/Makefile"
}

# make_built_kernel SOURCE FLAVOUR ARCH FLAGS FRAGMENT... DIR
make_built_kernel()
{
	local source=$1 flavour=$2 arch=$3 dir=${*: -1} log=$LOGS/kernel-${1##*/source-}-$2.log
	local fragments=("${@:5:$#-5}") flags kmake watcher image=bzImage
	[ "$arch" = x86 ] || image=Image
	read -ra flags <<<"$4"
	kmake=(make -C "$source" O="$dir/build" "${flags[@]}")
	say "building a kernel from ${source##*/}, flavour $flavour"
	configure "$dir" "${fragments[@]}"
	: >"$log"
	watch_build "$log" &
	watcher=$!
	at_exit "kill $watcher 2>/dev/null || true"
	if ! await into "$log" "${kmake[@]}" -j"$(nproc)" "$image" modules; then
		log_tail "$log"
		die "building the kernel failed (see $log)"
	fi
	kill "$watcher"
	mv "$dir/build/arch/$arch/boot/$image" "$dir/bzImage"
	echo "$4" >"$dir/flags"
	strip_object_tree "$dir/build"
	relocate_object_tree "$dir/build"
}

# flavour_row FLAVOUR: stores how it is built in row_*. It is for 64-bit x86
# unless the flavour begins with the name of another machine.
flavour_row()
{
	[ -e "$SCRIPTS/configs/$1.config" ] || die "no flavour $1; there are: $(flavours)"
	row_arch=x86 row_compiler=gcc row_package=gcc row_flags=ARCH=x86_64
	! table_row "$MODULE_TREES" "${1%%-*}" || module_tree_row "${1%%-*}"
}

# flavour_tools FLAVOUR...: prints the tools that are needed to build and boot
# kernels of these flavours, in the form of HOST_TOOLS. Debian's own kernels
# need no more than those for x86.
flavour_tools()
{
	local flavour machine list=$HOST_TOOLS row_arch row_compiler row_package row_flags
	for flavour; do
		flavour_row "${flavour/#stock/kunit}"
		list+=$row_compiler\ $row_package$'\n'
		machine=x86_64
		[ "$row_arch" != arm64 ] || machine=aarch64
		qemu_tools "$machine"
		list+=$REPLY$'\n'
	done
	REPLY=$list
}

# built_kernel VERSION FLAVOUR: a kernel for tests; FLAVOUR.config says what is
# special.
built_kernel()
{
	local source hash fragments row_arch row_compiler row_package row_flags
	flavour_row "$2"
	need_tools "$row_compiler $row_package"
	source_tree "$1"
	source=$REPLY
	mapfile -t fragments < <(list_fragments "$1" "$2")
	hash_of "${fragments[@]}"
	hash=$REPLY
	cached "kernel-${source##*/source-}-$2-gcc$("$row_compiler" -dumpfullversion)-$hash" \
		make_built_kernel "$source" "$2" "$row_arch" "$row_flags" "${fragments[@]}"
}

flavours()
{
	local config
	for config in "$SCRIPTS"/configs/*.config; do
		config=$(basename "$config" .config)
		case $config in
		base | *-[0-9]*.[0-9]*) ;;
		*) printf '%s ' "$config" ;;
		esac
	done
}

# Trees to build modules against, without a kernel: for another compiler and for
# other machines. Columns: name, directory of arch/, compiler, its package,
# flags of make
MODULE_TREES="
clang x86 clang-14 clang-14 ARCH=x86_64 LLVM=-14
i386 x86 gcc gcc ARCH=i386
arm64 arm64 aarch64-linux-gnu-gcc gcc-aarch64-linux-gnu ARCH=arm64 CROSS_COMPILE=aarch64-linux-gnu-
"
LLVM_TOOLS="
ld.lld-14 lld-14
llvm-ar-14 llvm-14
"

# module_tree_row NAME: stores the row's columns in row_*.
module_tree_row()
{
	table_row "$MODULE_TREES" "$1" || die "there is no module tree $1"
	read -r row_arch row_compiler row_package row_flags <<<"$REPLY"
}

# module_tree_tools NAME...: prints the tools that are needed to build for them,
# in the form of HOST_TOOLS.
module_tree_tools()
{
	local name list='' row_arch row_compiler row_package row_flags
	for name; do
		module_tree_row "$name"
		list+=$row_compiler\ $row_package$'\n'
		[ "$name" != clang ] || list+=$LLVM_TOOLS
	done
	REPLY=$list
}

# exported_symbols SOURCE ARCH: prints the symbols that modules may use, in the
# form of Module.symvers. There is no vmlinux to take them from, but modpost
# must know them. Otherwise it could not report a symbol that nobody exports, as
# __udivdi3, which gcc calls for a 64-bit division.
exported_symbols()
{
	(
		cd "$1" || exit
		# The excluded files are those of libgcc for other machines.
		grep -rhoE --include='*.[chS]' --exclude='*di[23].c' \
			'EXPORT_(PER_CPU_|TRACEPOINT_|STATIC_CALL_)?SYMBOL[A-Z_]*\(\w+' \
			"arch/$2" block drivers/{base,char,clocksource,irqchip} fs init kernel lib mm security
		# This file exports names that it pastes together.
		grep -oE '^STANDARD_PARAM_DEF\(\w+' kernel/params.c |
			sed -E 's/(.*\()(.*)/\1param_ops_\2\n\1param_get_\2\n\1param_set_\2/'
		# So does this one, for 32-bit x86.
		[ "$2" != x86 ] || grep -ohE '^ATOMIC64_DECL\(\w+' arch/x86/include/asm/atomic64_32.h |
			sed -E 's/(.*\()(.*)/\1atomic64_\2_cx8/'
	) | sed 's/.*(//' | sort -u |
		awk '{ printf "0x00000000\t%s\tvmlinux\tEXPORT_SYMBOL\t\n", $1 }'
}

# make_module_tree SOURCE ARCH FLAGS FRAGMENT... DIR
make_module_tree()
{
	local source=$1 arch=$2 dir=${*: -1} fragments=("${@:4:$#-4}") flags kmake
	read -ra flags <<<"$3"
	kmake=(make -C "$source" O="$dir/build" "${flags[@]}")
	say "preparing a tree from ${source##*/}, ${flags[*]}"
	configure "$dir" "${fragments[@]}"
	run_logged prepare "${kmake[@]}" -j"$(nproc)" modules_prepare ||
		die "preparing the tree failed (see $LOGS/prepare.log)"
	exported_symbols "$source" "$arch" >"$dir/build/Module.symvers"
	echo "$3" >"$dir/flags"
}

# module_tree VERSION NAME: one of MODULE_TREES, with build/, and the flags for
# make in flags. The one for clang is configured as the kernel for the tests is.
module_tree()
{
	local source fragments=("$SCRIPTS/configs/cross/$2.config")
	module_tree_tools "$2"
	need_tools "$REPLY"
	module_tree_row "$2"
	[ "$2" != clang ] || mapfile -t fragments < <(list_fragments "$1" kunit)
	source_tree "$1"
	source=$REPLY
	hash_of "${fragments[@]}" <(declare -f exported_symbols make_module_tree)
	cached "tree-${source##*/source-}-$2-$("$row_compiler" -dumpversion)-$REPLY" \
		make_module_tree "$source" "$row_arch" "$row_flags" "${fragments[@]}"
}
