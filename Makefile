# Two commands matter to a newcomer: `make demo` and `make test`. Each installs what is missing
# (Debian packages), builds, and does its job. Meson is underneath; `make help` lists the rest.
BUILD  ?= build
PREFIX ?= /usr/local
DESTDIR ?=
MESON_OPTIONS ?=

.PHONY: all help demo test check install uninstall bench clean stress soak

all: $(BUILD)/build.ninja
	@ninja -C $(BUILD)

help:
	@echo "make            build into $(BUILD)/"
	@echo "make demo       mount drives and run real work on them (installs what it needs)"
	@echo "make test       the core tests (installs what it needs)"
	@echo "make check      everything: sanitizers, clang, static analysis, long suites"
	@echo "make stress     long mount suites alone: a million operations, 10,000 mounts"
	@echo "make install    DESTDIR= PREFIX=$(PREFIX)"
	@echo "make clean      removes $(BUILD)/"

$(BUILD)/build.ninja:
	@ci/deps.sh build
	@meson setup $(BUILD) --prefix $(PREFIX) $(MESON_OPTIONS)

demo:
	@ci/deps.sh demo
	@$(MAKE) --no-print-directory all
	@examples/demo/demo.sh $(BUILD)

test:
	@ci/deps.sh test
	@$(MAKE) --no-print-directory all
	@ci/run-tests.sh $(BUILD)

check:
	@ci/deps.sh check
	@ci/check.sh

stress: all
	@ci/run-tests.sh $(BUILD) slow

install: all
	@meson configure $(BUILD) -Dprefix=$(PREFIX) >/dev/null
	@DESTDIR=$(DESTDIR) meson install -C $(BUILD) --quiet

uninstall:
	@ninja -C $(BUILD) uninstall

clean:
	@rm -rf $(BUILD)
