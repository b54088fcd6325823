# SPDX-License-Identifier: GPL-2.0
# `make` builds pcslab.ko against the running kernel or KDIR; `make help` lists
# the rest. Kbuild says what the module is made of.

KVER ?= $(shell uname -r)
KDIR ?= /lib/modules/$(KVER)/build
# The newest kernel that pcslab is tested with, and the next one.
NEWEST := 7.3
NEXT := 7.4
KERNEL ?= 6.1
FLAVOUR ?= kunit
# Of `make stress`.
MINUTES ?= 5
CPUS ?= 8

.DEFAULT_GOAL := modules
.PHONY: modules run shell check check-all check-long check-breaks check-scripts check-install mutants bench coverage stress model \
	style docs cross clean clean-cache help

# Directories where builds of pcslab and its own clients leave something. Others, below
# these too, may be somebody's client's.
BUILD_DIRS := . kunit kunit/lib src src/adopt $(addprefix scripts/clients/, \
	adopted attached bench calls charge crowd dump flood foreign leaks replay stress tracer) \
	scripts/example

# O=DIR builds there. The kernel's own make has an O, too, which is something else.
build := $(if $(O),$(abspath $(O)),$(CURDIR))
MAKEOVERRIDES := $(filter-out O=%,$(MAKEOVERRIDES))

# The release whose headers KDIR would be, if it is where Debian has them.
release := $(patsubst /lib/modules/%/build,%,$(filter /lib/modules/%/build,$(KDIR)))

define need-kdir
@test -e '$(KDIR)/include/config/auto.conf' || { \
	echo 'error: KDIR=$(KDIR) is not a kernel build tree$(if \
		$(release),: apt-get install linux-headers-$(release) (for the latest kernel of \
		Debian linux-headers-$(shell dpkg --print-architecture)))' >&2; exit 2; }
@release=$$(cat '$(KDIR)/include/config/kernel.release' 2>/dev/null); \
	printf '%s\n' 6.1 "$$release" | sort -V -C || { \
	echo "error: pcslab needs Linux 6.1 or later; KDIR is of $${release:-an unknown one}" >&2; \
	exit 2; }; \
	[ -n '$(UNTESTED)' ] || ! printf '%s\n' $(NEXT) "$$release" | sort -V -C || { \
	echo "error: Linux $$release is newer than $(NEWEST), the last one that pcslab is" \
		"tested with; Documentation/install.rst tells how to try it" >&2; exit 2; }
endef

modules:
	$(need-kdir)
	@$(if $(O),scripts/install link '$(build)')
	@$(MAKE) -C '$(KDIR)' M='$(build)' modules || { \
		echo 'error: pcslab does not build for KDIR=$(KDIR); see "Kernels" in' \
			'Documentation/install.rst' >&2; exit 2; }

include scripts/install.mk

run:
	@scripts/run --kernel '$(KERNEL)'

shell:
	@scripts/shell --kernel '$(KERNEL)' \
		$(if $(filter-out file,$(origin FLAVOUR)),--flavour '$(FLAVOUR)')

check:
	@scripts/check --kernel '$(KERNEL)' --flavour '$(FLAVOUR)' $(RUN)

check-all:
	@scripts/check-all

check-long:
	@scripts/check --kernel '$(KERNEL)' --flavour '$(FLAVOUR)' --long $(RUN)

check-breaks:
	@scripts/check-breaks

check-scripts:
	@scripts/selftest

check-install:
	@scripts/check-install

mutants:
	@scripts/check-mutants $(if $(SEED),--seed '$(SEED)') $(N)

stress:
	@scripts/check --kernel '$(KERNEL)' --flavour '$(FLAVOUR)' --name stress --quiet \
		--set 'MINUTES=$(MINUTES)' --set 'SEED=$(SEED)' --set 'CPUS=$(CPUS)' stress

bench:
	@scripts/bench/measure $(if $(filter-out file,$(origin KERNEL)),--kernel '$(KERNEL)') \
		$(if $(DOCS),--docs)

coverage:
	@scripts/coverage --kernel '$(KERNEL)'

model:
	@scripts/model/check

style:
	@scripts/style

docs:
	@scripts/docs

cross:
	@scripts/style i386 arm64

clean:
	@find $(BUILD_DIRS) -maxdepth 1 -type f \( -name '*.o' -o -name '*.ko' \
		-o -name '*.mod' -o -name '*.mod.c' -o -name '.*.cmd' -o -name '.*.d' \
		-o -name '*.gcno' -o -name modules.order -o -name Module.symvers \) \
		-exec rm -f {} +

clean-cache:
	@rm -rf "$${XDG_CACHE_HOME:-$$HOME/.cache}/pcslab"

help:
	@echo 'make               build pcslab.ko against KDIR ($(KDIR))'
	@echo 'make install       pcslab for KDIR, headers, tools: below DESTDIR, prefix ($(prefix))'
	@echo 'make modules_install, headers_install, tools_install: only these'
	@echo 'make dkms_install  the source, to where DKMS takes it from'
	@echo 'make uninstall     remove what make has installed'
	@echo 'make deb           Debian packages; the last line says where'
	@echo 'make run           the main job, on a stock kernel in a guest'
	@echo 'make shell         a shell in a guest with pcslab loaded, on a stock kernel or FLAVOUR'
	@echo 'make check         the tests, in guests; RUN="api twice": only these of scripts/runs'
	@echo 'make check-all     the tests on all kernels, debugging ones too'
	@echo 'make check-long    the same with longer loads and more repetitions; RUN= too'
	@echo 'make check-scripts the tests of the scripts themselves: half a minute, no guest'
	@echo 'make check-install install and remove it in systems of Debian, in each way'
	@echo 'make check-breaks  show that the tests notice deliberate bugs'
	@echo 'make mutants       what the tests notice of small random changes: N=40 SEED=1'
	@echo 'make stress        all at once and at random: MINUTES=5 CPUS=8 SEED=n'
	@echo 'make bench         what an allocation costs, on all kernels or KERNEL; DOCS=1'
	@echo 'make coverage      which lines and branches the tests execute'
	@echo 'make model         memory order and hotplug, all states of models of them'
	@echo 'make style         gcc, clang, sparse, coccicheck, checkpatch, kernel-doc, docs, shellcheck'
	@echo 'make docs          the documentation as HTML; the last line says where'
	@echo 'make cross         builds for 32-bit x86 and arm64'
	@echo 'make clean         remove what was built here'
	@echo 'make clean-cache   remove kernels and all else kept between runs'
	@echo 'KERNEL=6.1         which kernel: 6.1, 6.12 or 7.3'
	@echo 'FLAVOUR=kunit      kunit, debug, kcsan, rt, arm64, arm64-16k or i386 (check, check-long,'
	@echo '                   stress, shell); stock (stress, shell)'
