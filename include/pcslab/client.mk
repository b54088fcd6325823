# SPDX-License-Identifier: GPL-2.0
# For the Kbuild of a client: finds pcslab's headers, and the symbols of the pcslab that
# was built for the same kernel.

# Where pcslab is installed, or its source.
pcslab-dir := $(abspath $(dir $(lastword $(MAKEFILE_LIST)))../..)

ccflags-y += -I$(pcslab-dir)/include

# Of a build in pcslab's source, of `make install`, and of DKMS.
KBUILD_EXTRA_SYMBOLS ?= $(firstword $(wildcard \
	$(addprefix $(pcslab-dir)/, Module.symvers $(KERNELRELEASE)/Module.symvers) \
	/var/lib/dkms/pcslab/kernel-$(KERNELRELEASE)-$(shell uname -m)/Module.symvers))

# `make clean` reads this, too, and needs no symbols.
ifeq ($(KBUILD_EXTRA_SYMBOLS)$(findstring Makefile.clean,$(MAKEFILE_LIST)),)
$(error There is no pcslab for Linux $(KERNELRELEASE): install it, or build it in $(pcslab-dir))
endif
