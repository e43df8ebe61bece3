# Two commands matter to a newcomer: `make demo` and `make test`. Each installs what is missing
# (Debian packages), builds, and does its job. Meson is underneath; `make help` lists the rest.
BUILD  ?= build
PREFIX ?= /usr/local
DESTDIR ?=
MESON_OPTIONS ?=

# What `make demo` shows: the programs, and for machines that cannot mount some of the tests that
# run in one process.
DEMO_PROGRAMS = tools/userdrive examples/memfs/memfs examples/passthrough/passthrough \
	examples/rawdisk/rawdisk examples/ramdisk/ramdisk tools/scsitool/scsitool tools/stgtest/stgtest
DEMO_TESTS = tests/api/api-passthrough-meta tests/api/api-passthrough-names
# What `make test-guest` needs, and one of its jobs alone: make test-guest GUEST_JOBS=chap
GUEST_PROGRAMS = tools/userdrive examples/rawdisk/rawdisk tests/clients/memdisk
GUEST_JOBS ?=
# make soak: for so long at each door, of which there are three
SOAK_SECONDS ?= 3600

.PHONY: all help demo test test-guest check install uninstall clean stress soak

all: $(BUILD)/build.ninja
	@ninja -C "$(BUILD)"

help:
	@echo "make            build into $(BUILD)/"
	@echo "make demo       mount drives, attach disks and run real work on them (installs what it needs)"
	@echo "make test       the core tests (installs what it needs)"
	@echo "make test-guest Linux in an emulated machine uses our disks over iSCSI (minutes)"
	@echo "make check      everything: sanitizers, clang, static analysis, long suites"
	@echo "make stress     long mount suites alone: a million operations, 10,000 mounts"
	@echo "make soak       disks at work for SOAK_SECONDS=$(SOAK_SECONDS) at each door"
	@echo "make install    into PREFIX=$(PREFIX), below DESTDIR= when that is given"
	@echo "make uninstall  what make install put there"
	@echo "make clean      removes $(BUILD)/"

# Debian's folder of libraries is asked of the compiler: Meson asks dpkg-dev, which may be missing.
$(BUILD)/build.ninja:
	@ci/deps.sh build
	@log=$$(mktemp) && libs=$$(cc -print-multiarch 2>/dev/null || true) && \
	if meson setup "$(BUILD)" --prefix "$(PREFIX)" $${libs:+--libdir "lib/$$libs"} $(MESON_OPTIONS) \
		>"$$log" 2>&1; then rm -f "$$log"; else cat "$$log" >&2; rm -f "$$log"; exit 1; fi

demo:
	@ci/deps.sh demo "$(BUILD)"
	@$(MAKE) -s "$(BUILD)/build.ninja"
	@ninja -C "$(BUILD)" --quiet $(DEMO_PROGRAMS)
	@ninja -C "$(BUILD)" --quiet $(DEMO_TESTS) >/dev/null 2>&1 || true
	@examples/demo/demo.sh "$(BUILD)"

test:
	@ci/deps.sh test "$(BUILD)"
	@$(MAKE) --no-print-directory all
	@ci/run-tests.sh "$(BUILD)"

test-guest:
	@ci/deps.sh guest "$(BUILD)"
	@$(MAKE) -s "$(BUILD)/build.ninja"
	@ninja -C "$(BUILD)" --quiet $(GUEST_PROGRAMS)
	@timeout -k 60 3600 tests/guest/run.sh "$(BUILD)" $(GUEST_JOBS)

check:
	@ci/deps.sh check "$(BUILD)"
	@ci/check.sh

stress: all
	@ci/run-tests.sh "$(BUILD)" slow

soak: all
	@tests/soak/soak.sh "$(BUILD)" "$(SOAK_SECONDS)"

install: all
	@meson configure "$(BUILD)" -Dprefix="$(PREFIX)" >/dev/null
	@DESTDIR="$(DESTDIR)" meson install -C "$(BUILD)" --quiet
	@tools/after-install.sh "$(BUILD)" "$(DESTDIR)"

uninstall:
	@ninja -C "$(BUILD)" uninstall

clean:
	@rm -rf "$(BUILD)"
