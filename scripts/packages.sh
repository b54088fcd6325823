# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0
# Debian packages: some are installed on this machine, some are only unpacked
# into the cache. Private apt configurations add the suites that are needed to
# the mirror that this machine already uses; the machine's own sources are never
# changed.
#
# Each release has a configuration with lists of its own: the packages of trixie
# must not change which version of a package bookworm offers, or what gets
# installed.

# shellcheck disable=SC2034 # the lists are for those who source this

DEFAULT_MIRROR=http://deb.debian.org/debian
DEFAULT_SECURITY_MIRROR=http://deb.debian.org/debian-security
KEYRING=/usr/share/keyrings/debian-archive-keyring.gpg

# The configuration in use; in_release and for_machine change it for one
# command.
RELEASE=bookworm
HOST=$(dpkg --print-architecture)
MACHINE=$HOST
APT=$CACHE/apt

# The tools that the host needs: "command package" (or "/file package").
HOST_TOOLS="
gcc gcc
make make
bc bc
flex flex
bison bison
cpio cpio
xz xz-utils
python3 python3
pahole pahole
/usr/include/gelf.h libelf-dev
/usr/include/stdio.h libc6-dev
"
STYLE_TOOLS="
sparse sparse
spatch coccinelle
ocamlopt ocaml
shellcheck shellcheck
perl perl
"
DOCS_TOOLS="
sphinx-build python3-sphinx
xz xz-utils
"
DEB_TOOLS="
dpkg-buildpackage dpkg-dev
dh debhelper
dh_dkms dh-dkms
rst2man python3-docutils
/usr/share/build-essential/list build-essential
"
INSTALL_TOOLS="
debootstrap debootstrap
lintian lintian
unshare util-linux
"
MODEL_TOOLS="
spin spin
gcc gcc
/usr/include/stdio.h libc6-dev
"

# 7.2 corrupts the flags after cmpxchg16b; 8.1 introduced one-insn-per-tb.
QEMU_NEEDED=8.1
BACKPORTS=bookworm-backports
# QEMU's name of the machine, Debian's package with it, and the packages that
# must match it.
QEMU_PACKAGES="
x86_64 qemu-system-x86 qemu-system-common qemu-system-data seabios
aarch64 qemu-system-arm qemu-system-common qemu-system-data
"

# mirror_of SUITE DEFAULT: the mirror from which this machine fetches SUITE.
mirror_of()
{
	local uri
	# shellcheck disable=SC2016 # apt expands these
	uri=$(apt-get indextargets --no-release-info \
		--format '$(REPO_URI) $(RELEASE)' 'Created-By: Packages' \
		2>/dev/null | awk -v s="$1" '$2 == s { print $1; exit }')
	REPLY=${uri:-$2}
}

# in_release RELEASE COMMAND...: COMMAND finds the packages of that release.
in_release()
{
	local RELEASE=$1 APT=$CACHE/apt
	[ "$RELEASE" = bookworm ] || APT+=-$RELEASE
	"${@:2}"
}

# for_machine ARCH COMMAND...: COMMAND finds the packages for that machine.
for_machine()
{
	local APT=$APT
	[ "$1" = "$HOST" ] || APT+=-$1
	local MACHINE=$1
	"${@:2}"
}

# Guests of another machine have only busybox, which need not be new. Not
# fetching the other lists also avoids the times when a mirror has updated only
# half of them.
suites()
{
	echo "$RELEASE"
	[ "$MACHINE" = "$HOST" ] || return 0
	printf '%s\n' "$RELEASE-updates" "$RELEASE-backports" "$RELEASE-security"
}

# The host's way to the network (a proxy, say) is used here too, its hooks are
# not.
write_apt_conf()
{
	apt-config dump | grep '^Acquire::' || true
	cat <<-END
	Dir::Etc::main "/dev/null";
	Dir::Etc::parts "/dev/null";
	Dir::Etc::sourcelist "$APT/sources.list";
	Dir::Etc::sourceparts "/dev/null";
	Dir::Etc::preferences "/dev/null";
	Dir::Etc::preferencesparts "/dev/null";
	Dir::State::lists "$APT/lists";
	Dir::Cache "$APT/cache";
	Acquire::Languages "none";
	APT::Sandbox::User "root";
	APT::Architecture "$MACHINE";
	APT::Architectures "$MACHINE";
	END
}

# The mirror that has bookworm for this machine has the other releases as well.
write_sources()
{
	local suite mirror security
	mirror_of bookworm "$DEFAULT_MIRROR"
	mirror=$REPLY
	mirror_of bookworm-security "$DEFAULT_SECURITY_MIRROR"
	security=$REPLY
	for suite in $(suites); do
		case $suite in
		*-security) echo "deb [signed-by=$KEYRING] $security $suite main" ;;
		*) echo "deb [signed-by=$KEYRING] $mirror $suite main" ;;
		esac
	done
}

apt_update()
{
	say "fetching the lists of Debian packages"
	run_logged apt-update env APT_CONFIG="$APT/apt.conf" apt-get update \
		-o APT::Update::Error-Mode=any ||
		die "apt-get update failed (see $LOGS/apt-update.log); is there a network?"
}

# The lists are fetched once and then kept: they decide which versions are used,
# and a newer kernel each week would only mean building it each week. If the
# scripts now need other suites, the lists are fetched again.
apt_ready()
{
	lists_are_ready || with_lock "${APT##*/}" make_apt_ready
}

lists_are_ready()
{
	local suite
	[ -e "$APT/ready" ] || return 1
	[ "$(awk '{ print $4 }' "$APT/sources.list")" = "$(suites)" ] || return 1
	for suite in $(suites); do
		compgen -G "$APT/lists/*_dists_${suite}_*Release" >/dev/null || return 1
	done
}

make_apt_ready()
{
	! lists_are_ready || return 0
	command -v apt-get >/dev/null || die "this needs Debian's apt-get"
	rm -f "$APT/ready"
	mkdir -p "$APT/lists/partial" "$APT/cache/archives/partial"
	write_apt_conf >"$APT/apt.conf"
	write_sources >"$APT/sources.list"
	apt_update
	touch "$APT/ready"
}

apt_cache()
{
	APT_CONFIG=$APT/apt.conf apt-cache "$@"
}

# package_version PACKAGE [SUITE]: the version that would be fetched.
package_version()
{
	apt_ready
	REPLY=$(apt_cache show --no-all-versions "$1${2:+/$2}" 2>/dev/null |
		awk '/^Version: / && !n++ { print $2 }')
	[ -n "$REPLY" ] || die "Debian package $1 not found${2:+ in $2}"
}

# dependency PACKAGE PATTERN [VERSION]: its first dependency that matches, or
# nothing.
dependency()
{
	REPLY=$(apt_cache show "$1${3:+=$3}" | sed -n 's/^Depends: //p' |
		tr '|' ',' | tr ',' '\n' |
		awk -v re="$2" '$1 ~ re && !n++ { print $1 }')
}

# depends_on: same, but fails if there is none.
depends_on()
{
	dependency "$@"
	[ -n "$REPLY" ] ||
		die "Debian package $1 depends on nothing like $2"
}

# closure PACKAGE[=VERSION]...: prints PACKAGE=VERSION of these and of all
# packages they need, as if nothing were installed.
closure()
{
	apt_ready
	REPLY=$(APT_CONFIG=$APT/apt.conf apt-get install --simulate --no-install-recommends \
		-o Dir::State::status=/dev/null "$@" 2>"$LOGS/closure.log" |
		sed -nE 's/^Inst ([^ ]+) \(([^ ]+) .*/\1=\2/p') || {
		log_tail "$LOGS/closure.log"
		die "Debian packages cannot be had together: $*"
	}
	[ -n "$REPLY" ] || die "Debian packages not found: $*"
}

# download DIR PACKAGE=VERSION...: downloads the files into DIR. Old versions
# leave the archive; then the lists are stale. They are replaced only by new
# ones, because without a network the cache can still be used with the old ones.
download()
{
	local dir=$1
	shift
	apt_ready
	run_logged download env -C "$dir" APT_CONFIG="$APT/apt.conf" \
		apt-get download -q "$@" && return
	with_lock "${APT##*/}" apt_update
	die "fetching $* failed (see $LOGS/download.log); the lists are new now: run again"
}

# fetch_and_unpack PACKAGE=VERSION... DIR: unpacks as dpkg -x does.
fetch_and_unpack()
{
	local dir=${*: -1} debs deb
	temp_dir
	debs=$REPLY
	if [ $# -le 7 ]; then say "fetching ${*:1:$#-1}"; else say "fetching $1 and $(($# - 2)) more"; fi
	download "$debs" "${@:1:$#-1}"
	for deb in "$debs"/*.deb; do
		dpkg -x "$deb" "$dir"
	done
	rm -rf "$debs"
}

# unpacked PACKAGE: the directory in the cache with its files.
unpacked()
{
	local package=$1
	package_version "$package"
	cached "deb-$package-${REPLY//[:~]/_}-$MACHINE" fetch_and_unpack "$package=$REPLY"
}

# prepare_root DIR: what in_root needs there besides unpacked packages.
prepare_root()
{
	mkdir -p "$1/proc" "$1/dev" "$1/tmp" "$1$CACHE"
}

# in_root DIR COMMAND...: runs COMMAND with DIR as its root. The mounts are in a
# namespace of their own and go with COMMAND.
in_root()
{
	local root=$1 namespace=(--mount)
	shift
	[ "$(id -u)" -eq 0 ] || namespace+=(--map-root-user)
	# shellcheck disable=SC2016 # the other shell expands it
	unshare "${namespace[@]}" sh -euc '
		mount --rbind /proc "$1/proc"
		mount --rbind /dev "$1/dev"
		mount --bind "$2" "$1$2"
		export PATH=/usr/bin:/usr/sbin
		root=$1
		shift 2
		exec /usr/sbin/chroot "$root" "$@"
	' sh "$root" "$CACHE" "$@"
}

# make_debuggers PACKAGE=VERSION... DIR
# shellcheck disable=SC2317 # called by cached
make_debuggers()
{
	fetch_and_unpack "$@"
	prepare_root "${*: -1}"
}

# debuggers: the directory with drgn and gdb, and with all that they need.
debuggers()
{
	local packages
	closure python3-drgn gdb
	mapfile -t packages <<<"$REPLY"
	cached "debuggers-$(cksum <<<"$REPLY" | cut -d' ' -f1)" make_debuggers "${packages[@]}"
}

# Asks for a password now, if there is somebody to ask.
may_be_root()
{
	[ "$(id -u)" -ne 0 ] || return 0
	command -v sudo >/dev/null || return 1
	sudo -n true 2>/dev/null || { (: </dev/tty) 2>/dev/null && sudo -v; }
}

as_root()
{
	if [ "$(id -u)" -eq 0 ]; then "$@"; else sudo "$@"; fi
}

# command_for_root PACKAGE[/SUITE]...: prints what root can run instead of these
# scripts.
command_for_root()
{
	local command="apt-get update && apt-get install --no-install-recommends $*"
	REPLY=$command
	[[ "$*" = */$BACKPORTS* ]] || return 0
	mirror_of "$BACKPORTS" ''
	if [ -z "$REPLY" ]; then
		mirror_of bookworm "$DEFAULT_MIRROR"
		command="echo 'deb $REPLY $BACKPORTS main' >/etc/apt/sources.list.d/$BACKPORTS.list && $command"
	fi
	REPLY=$command
}

# install_packages PACKAGE[/SUITE]...
install_packages()
{
	apt_ready
	say "installing $*"
	run_logged install as_root env APT_CONFIG="$APT/apt.conf" \
		DEBIAN_FRONTEND=noninteractive apt-get install -y -q \
		--no-install-recommends -o DPkg::Lock::Timeout=300 \
		-o Dir::Cache=/var/cache/apt "$@" ||
		die "installing $* failed (see $LOGS/install.log)"
}

have_tool()
{
	case $1 in
	/*) [ -e "$1" ] ;;
	qemu-system-*) qemu_is_new_enough "$1" ;;
	*) command -v "$1" >/dev/null ;;
	esac
}

# missing_tools LIST: the packages of all tools in LIST that this machine lacks.
missing_tools()
{
	local tool packages
	REPLY=
	while read -r tool packages; do
		[ -z "$tool" ] || have_tool "$tool" || REPLY+=" $packages"
	done <<<"$1"
	REPLY=$(xargs -n1 <<<"$REPLY" | sort -u | xargs)
}

# need_tools LIST: installs what is missing. Every script first calls this for
# all that it will need: a user who can't install must not learn that after half
# an hour.
need_tools()
{
	local missing
	missing_tools "$1"
	missing=$REPLY
	[ -n "$missing" ] || return 0
	if ! may_be_root; then
		# shellcheck disable=SC2086 # a list of words
		command_for_root $missing
		die "packages are missing, and only root can install them: $REPLY"
	fi
	with_lock install install_tools "$1"
}

# install_tools LIST: installs what is still missing; another run may have
# installed some of it just now.
install_tools()
{
	missing_tools "$1"
	# shellcheck disable=SC2086 # a list of words
	[ -z "$REPLY" ] || install_packages $REPLY
	missing_tools "$1"
	[ -z "$REPLY" ] || die "installed, but still missing or too old: $REPLY"
}

# qemu_is_new_enough COMMAND
qemu_is_new_enough()
{
	local version
	version=$("$1" --version 2>/dev/null |
		sed -n 's/^QEMU emulator version \([0-9.]*\).*/\1/p')
	[ -n "$version" ] &&
		printf '%s\n' "$QEMU_NEEDED" "$version" | sort -V -C
}

# qemu_tools MACHINE: prints a line for need_tools.
qemu_tools()
{
	local packages
	table_row "$QEMU_PACKAGES" "$1" || die "there is no QEMU for $1"
	read -ra packages <<<"$REPLY"
	REPLY="qemu-system-$1 ${packages[*]/%//$BACKPORTS}"
}
