# SPDX-License-Identifier: GPL-2.0
# Installation; Documentation/install.rst describes it, and scripts/install does it.

prefix ?= /usr/local
DESTDIR ?=
UNITDIR ?= $(prefix)/lib/systemd/system
# The list of what is installed, for uninstall; packages need none.
MANIFEST ?= $(prefix)/lib/pcslab/installed

.PHONY: install can-install modules_install headers_install tools_install dkms_install \
	uninstall deb

install-env = DESTDIR='$(if $(DESTDIR),$(abspath $(DESTDIR)))' prefix='$(prefix)' \
	UNITDIR='$(UNITDIR)' MANIFEST='$(MANIFEST)' KDIR='$(KDIR)' BUILD='$(build)' \
	KEY='$(KEY)' CERT='$(CERT)' TOOLS='pcslab-adopt pcslab-drgn pcslab-export pcslab-leaks pcslabtop' \
	VERSION='$(shell sed -n 's/^.define PCSLAB_VERSION[[:space:]]*"\(.*\)"/\1/p' \
		include/pcslab/pcslab.h)'

install: modules_install headers_install tools_install

# Whether it may be installed is known before it is built.
can-install:
	$(need-kdir)
	@$(install-env) scripts/install can modules

modules: | $(if $(filter install modules_install,$(MAKECMDGOALS)),can-install)

modules_install: modules
	@$(install-env) scripts/install modules

headers_install tools_install dkms_install: %_install: $(if $(filter install,$(MAKECMDGOALS)),modules)
	@$(install-env) scripts/install can
	@$(install-env) scripts/install $*

uninstall:
	@$(install-env) scripts/install remove

deb:
	@scripts/deb
