# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0
# Kernels: stock ones from Debian's packages, and ones built from Debian's
# kernel source for the tests. Either is a directory in the cache with
#   bzImage    what QEMU boots
#   build/     the tree modules are built against (KDIR)
# Nothing is installed on this machine.

# version, suite (- for the newest of bookworm and its updates), metapackage of the stock kernel, package of the source
KERNEL_TABLE="
6.1 - linux-image-cloud-amd64 linux-source-6.1
"

# kernel_row VERSION: the row's columns into row_*.
kernel_row()
{
	local version
	while read -r version row_suite row_image row_source; do
		[ "$version" != "$1" ] || return 0
	done <<<"$KERNEL_TABLE"
	die "kernel $1 is not supported; supported: $(supported_kernels)"
}

supported_kernels()
{
	awk 'NF { printf "%s%s", sep, $1; sep = ", " }' <<<"$KERNEL_TABLE"
}

# The headers' Makefiles and links know only the places the packages are
# installed to; make them know where they are.
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
	local entry=$1 release=$2 dir=${*: -1}
	fetch_and_unpack "${@:3}"
	mv "$dir/boot/vmlinuz-$release" "$dir/bzImage"
	relocate_headers "$dir" "$CACHE/entry/$entry"
	ln -s "usr/src/linux-headers-$release" "$dir/build"
	# Megabytes that no guest of ours needs.
	rm -rf "${dir:?}/lib/modules" "${dir:?}/boot"
}

# stock_kernel VERSION: Debian's own.
stock_kernel()
{
	local image headers release version common kbuild kbuild_version
	kernel_row "$1"
	apt_ready
	package_version "$row_image" "${row_suite#-}"
	depends_on "$row_image" '^linux-image-[0-9]' "$REPLY"
	image=$REPLY
	release=${image#linux-image-}
	headers=linux-headers-$release
	package_version "$image"
	version=$REPLY
	depends_on "$headers" '^linux-headers-.*-common$'
	common=$REPLY
	depends_on "$headers" '^linux-kbuild-'
	kbuild=$REPLY
	package_version "$kbuild"
	kbuild_version=$REPLY
	cached "stock-$release-$version" make_stock_kernel "stock-$release-$version" \
		"$release" "$image=$version" "$headers=$version" \
		"$common=$version" "$kbuild=$kbuild_version"
}

make_source_tree()
{
	local package=$1 version=$2 dir=$3 parts
	temp_dir
	parts=$REPLY
	fetch_and_unpack "$package=$version" "$parts"
	say "unpacking $package"
	tar -xJf "$parts/usr/src/$package.tar.xz" -C "$dir" --strip-components=1 \
		--exclude='*/drivers/gpu/drm/amd/*.[ch]' \
		--exclude='*/Documentation/translations'
	rm -rf "$parts"
}

# source_tree VERSION: Debian's source of that kernel, read only.
source_tree()
{
	kernel_row "$1"
	package_version "$row_source"
	cached "source-$1-$REPLY" make_source_tree "$row_source" "$REPLY"
}

# check_fragments .CONFIG FRAGMENT...: Kconfig drops what it does not like without
# a word; a kernel without what it is named for must not be used.
check_fragments()
{
	local config=$1 line name
	shift
	while read -r line; do
		case $line in
		CONFIG_*)
			grep -qxF "$line" "$config" ||
				die "the kernel configuration lost $line"
			;;
		'# CONFIG_'*' is not set')
			name=${line#\# }
			name=${name% is not set}
			! grep -q "^$name=" "$config" ||
				die "the kernel configuration set $name"
			;;
		esac
	done < <(cat "$@")
}

# watch_build LOG: a line now and then while make works, in the background.
watch_build()
{
	local next=$((SECONDS + 15))
	while sleep 1; do
		[ "$SECONDS" -ge "$next" ] || continue
		next=$((SECONDS + 15))
		say "    $(grep -c '^  \(CC\|AS\|HOSTCC\)' "$1") files compiled"
	done
}

# Modules need the generated headers, the host programs and Module.symvers;
# the objects are some hundred megabytes of no further use.
strip_object_tree()
{
	find "$1" \( -path "$1/scripts" -o -path "$1/tools" \) -prune -o -type f \
		\( -name '*.o' -o -name '*.a' -o -name '.*.cmd' -o -name 'vmlinux*' \
		-o -name '.vmlinux*' -o -name '.tmp_*' \) ! -name vmlinux.lds -exec rm -f {} +
	find "$1" -mindepth 1 -type d -empty -delete
}

# make_built_kernel SOURCE FLAVOUR DIR
make_built_kernel()
{
	local source=$1 flavour=$2 dir=$3 log=$LOGS/kernel-$2.log
	local fragments=("$SCRIPTS/configs/base.config" "$SCRIPTS/configs/$2.config")
	local kmake=(make -C "$source" O="$dir/build" ARCH=x86_64)
	say "building a kernel from ${source##*/}, flavour $flavour"
	mkdir "$dir/build"
	cat "${fragments[@]}" >"$dir/fragments"
	run_logged config "${kmake[@]}" KCONFIG_ALLCONFIG="$dir/fragments" allnoconfig ||
		die "configuring the kernel failed (see $LOGS/config.log)"
	check_fragments "$dir/build/.config" "${fragments[@]}"
	: >"$log"
	watch_build "$log" &
	at_exit "kill $! 2>/dev/null || true"
	if ! "${kmake[@]}" -j"$(nproc)" bzImage modules >"$log" 2>&1; then
		log_tail "$log"
		die "building the kernel failed (see $log)"
	fi
	kill $!
	mv "$dir/build/arch/x86/boot/bzImage" "$dir/bzImage"
	strip_object_tree "$dir/build"
}

# built_kernel VERSION FLAVOUR: one for tests; FLAVOUR.config says what is special.
built_kernel()
{
	local source hash compiler
	[ -e "$SCRIPTS/configs/$2.config" ] || die "no flavour $2; there are: $(flavours)"
	source_tree "$1"
	source=$REPLY
	hash_of "$SCRIPTS/configs/base.config" "$SCRIPTS/configs/$2.config"
	hash=$REPLY
	compiler=$(gcc -dumpfullversion)
	cached "kernel-${source##*/source-}-$2-gcc$compiler-$hash" \
		make_built_kernel "$source" "$2"
}

flavours()
{
	local config
	for config in "$SCRIPTS"/configs/*.config; do
		config=${config##*/}
		[ "$config" = base.config ] || printf '%s ' "${config%.config}"
	done
}
