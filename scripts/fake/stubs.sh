# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0
# What ../selftest adds to packages.sh, kernels.sh and modules.sh of its clones: there is all
# that takes long to make.

# shellcheck disable=SC2034,SC2317 # they are for those who source this

DEFAULT_MIRROR=http://127.0.0.1:9/debian
DEFAULT_SECURITY_MIRROR=$DEFAULT_MIRROR
for list in HOST_TOOLS STYLE_TOOLS DOCS_TOOLS MODEL_TOOLS DEB_TOOLS INSTALL_TOOLS; do
	declare "$list=${SELFTEST_MISSING:-}"
done

have_tool()
{
	case $1 in
	no-such-tool) return 1 ;;
	qemu-system-*) qemu_is_new_enough "$1" ;;
	esac
}

unpacked()
{
	REPLY=$SELFTEST/busybox
}

stock_kernel()
{
	REPLY=$SELFTEST/kernel
}

built_kernel()
{
	REPLY=$SELFTEST/kernel
}

source_tree()
{
	REPLY=$SELFTEST/source
}

modules_for()
{
	REPLY=$SELFTEST/modules
}
