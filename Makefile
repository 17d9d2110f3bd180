# SPDX-License-Identifier: GPL-2.0-only
# `make help` lists the targets.

PREFIX ?= /usr
DESTDIR ?=
CC ?= cc
CLANG ?= clang
BPFTOOL ?= $(firstword $(wildcard /usr/sbin/bpftool) bpftool)
PYTHON ?= /usr/bin/python3

# SANITIZE=1 builds everything apart, with the address and undefined behaviour sanitizers.
BUILD := build$(if $(SANITIZE),/sanitize)
ARCH := $(shell uname -m)
MULTIARCH := $(shell $(CC) -print-multiarch 2>/dev/null)

Q := $(if $(V),,@)
say = $(if $(V),,@printf '  %-8s%s\n' '$(1)' '$(2)')

# ---- what is built

BPF_SOURCES := $(wildcard bpf/*.bpf.c)
BPF_OBJECTS := $(BPF_SOURCES:%.c=$(BUILD)/%.o)
SKELETON := $(BUILD)/bpf/bgswitch.skel.h

SOURCES := $(wildcard userspace/*.c userspace/*/*.c)
OBJECTS := $(SOURCES:%.c=$(BUILD)/%.o)
LIBRARY := $(BUILD)/libbgswitch.a
BINARY := $(BUILD)/bgswitch

TEST_LIB := $(patsubst %.c,$(BUILD)/%.o,$(wildcard tests/lib/*.c))
UNIT_TESTS := $(patsubst %.c,$(BUILD)/%,$(wildcard tests/unit/test_*.c))
PROG_TESTS := $(patsubst %.c,$(BUILD)/%,$(wildcard tests/prog/test_*.c))
BENCHES := $(patsubst %.c,$(BUILD)/%,$(wildcard tests/bench/bench_*.c))
BENCH_BPF := $(patsubst %.c,$(BUILD)/%.o,$(wildcard tests/bench/*.bpf.c))

# The library a second time, as libFuzzer wants it, under $(FUZZ).
FUZZ := $(BUILD)/fuzz
FUZZERS := $(patsubst tests/fuzz/%.c,$(FUZZ)/%,$(wildcard tests/fuzz/fuzz_*.c))
FUZZ_LIBRARY := $(FUZZ)/libbgswitch.a
FUZZ_OBJECTS := $(filter-out $(FUZZ)/userspace/main.o,$(SOURCES:%.c=$(FUZZ)/%.o))
FUZZ_SECONDS ?= 60

# ---- how

PACKAGES := libbpf jansson smartcols libsystemd yaml-0.1 libmnl
# Found when it is needed: `make deps` runs before the libraries are there.
PACKAGE_CFLAGS = $(shell pkg-config --cflags $(PACKAGES))
# http_parser brings no .pc file.
PACKAGE_LIBS = $(shell pkg-config --libs $(PACKAGES)) -lhttp_parser -lm

CFLAGS ?= -O2 -g
WARNINGS := -Wall -Wextra -Werror -Wshadow -Wstrict-prototypes -Wmissing-prototypes \
	-Wformat=2 -Wno-missing-field-initializers
comma := ,
SANITIZERS := $(if $(SANITIZE),-fsanitize=address$(comma)undefined -fno-sanitize-recover=all \
	-fno-omit-frame-pointer)
ALL_CFLAGS = -std=gnu17 -D_GNU_SOURCE -Iinclude -Iuserspace -I$(BUILD) $(WARNINGS) \
	$(SANITIZERS) $(CFLAGS) $(PACKAGE_CFLAGS)
FUZZ_CFLAGS := -O1 -g -fsanitize=address$(comma)undefined -fno-sanitize-recover=all \
	-fno-omit-frame-pointer

BPF_ARCH := $(patsubst aarch64,arm64,$(patsubst x86_64,x86,$(ARCH)))
# v3 has atomic operations beyond addition (Linux 5.12).
BPF_CFLAGS := -target bpf -mcpu=v3 -g -O2 -Wall -Wextra -Werror -Wno-missing-field-initializers \
	-D__TARGET_ARCH_$(BPF_ARCH) -Iinclude $(MULTIARCH:%=-isystem /usr/include/%)

.DEFAULT_GOAL := all
.DELETE_ON_ERROR:
.SECONDARY:

.PHONY: all
all: $(BINARY) ## build $(BUILD)/bgswitch; what it needs comes with `make deps-build`

$(BUILD)/bpf/%.bpf.o: bpf/%.bpf.c
	$(call say,BPF,$@)
	@mkdir -p $(@D)
	$(Q)$(CLANG) $(BPF_CFLAGS) -MMD -MP -c $< -o $@

$(BUILD)/bpf/bgswitch.bpf.o: $(BPF_OBJECTS)
	$(call say,LINK,$@)
	$(Q)$(BPFTOOL) gen object $@ $^

$(SKELETON): $(BUILD)/bpf/bgswitch.bpf.o
	$(call say,SKEL,$@)
	$(Q)$(BPFTOOL) gen skeleton $< name bgswitch_bpf > $@

$(BUILD)/userspace/%.o: userspace/%.c | $(SKELETON)
	$(call say,CC,$@)
	@mkdir -p $(@D)
	$(Q)$(CC) $(ALL_CFLAGS) -MMD -MP -c $< -o $@

$(LIBRARY): $(filter-out $(BUILD)/userspace/main.o,$(OBJECTS))
	$(call say,AR,$@)
	$(Q)rm -f $@ && $(AR) rcs $@ $^

$(BINARY): $(BUILD)/userspace/main.o $(LIBRARY)
	$(call say,LINK,$@)
	$(Q)$(CC) $(SANITIZERS) $(LDFLAGS) $^ $(PACKAGE_LIBS) -o $@

$(BUILD)/tests/%.o: tests/%.c | $(SKELETON)
	$(call say,CC,$@)
	@mkdir -p $(@D)
	$(Q)$(CC) $(ALL_CFLAGS) -Itests -MMD -MP -c $< -o $@

# BPF programs that only benchmarks load.
$(BUILD)/tests/bench/%.bpf.o: tests/bench/%.bpf.c
	$(call say,BPF,$@)
	@mkdir -p $(@D)
	$(Q)$(CLANG) $(BPF_CFLAGS) -Ibpf -MMD -MP -c $< -o $@

$(BUILD)/tests/%: $(BUILD)/tests/%.o $(TEST_LIB) $(LIBRARY)
	$(call say,LINK,$@)
	$(Q)$(CC) $(SANITIZERS) $(LDFLAGS) $^ $(PACKAGE_LIBS) -lcmocka -o $@

$(FUZZ)/userspace/%.o: userspace/%.c | $(SKELETON)
	$(call say,CC,$@)
	@mkdir -p $(@D)
	$(Q)$(CLANG) $(ALL_CFLAGS) $(FUZZ_CFLAGS) -fsanitize=fuzzer-no-link -MMD -MP -c $< -o $@

$(FUZZ_LIBRARY): $(FUZZ_OBJECTS)
	$(call say,AR,$@)
	$(Q)rm -f $@ && $(AR) rcs $@ $^

$(FUZZ)/%: tests/fuzz/%.c $(FUZZ_LIBRARY)
	$(call say,FUZZ,$@)
	$(Q)$(CLANG) $(ALL_CFLAGS) $(FUZZ_CFLAGS) -fsanitize=fuzzer -MMD -MP -MF $@.d $< \
		$(FUZZ_LIBRARY) $(LDFLAGS) $(PACKAGE_LIBS) -o $@

-include $(BPF_OBJECTS:.o=.d) $(OBJECTS:.o=.d) $(TEST_LIB:.o=.d) \
	$(addsuffix .d,$(UNIT_TESTS) $(PROG_TESTS) $(BENCHES) $(FUZZERS)) $(FUZZ_OBJECTS:.o=.d)

# ---- dependencies: installed by apt when missing, otherwise nothing happens

DEPS := build check test demo vmtest lint fuzz
# A rule that needs several groups asks for them at once: apt runs one at a time.
.PHONY: deps $(DEPS:%=deps-%)
deps: ## install all packages that are missing (Debian, root)
	@sh tests/deps.sh $(DEPS)
$(DEPS:%=deps-%): deps-%:
	@sh tests/deps.sh $*

# ---- tests

.PHONY: tests check test
tests: $(BINARY) $(UNIT_TESTS) $(PROG_TESTS)

check: ## unit tests (no root, once their packages are there)
	@sh tests/deps.sh build check
	@$(MAKE) --no-print-directory $(UNIT_TESTS)
	@PYTHON=$(PYTHON) tests/run.sh unit $(UNIT_TESTS)

# The recursion is for the packages: what they bring must be there when make reads its rules.
test: ## install what is missing, build, run every test (root)
	@sh tests/deps.sh build test
	@$(MAKE) --no-print-directory tests
	@PYTHON=$(PYTHON) tests/run.sh all $(UNIT_TESTS) $(PROG_TESTS)

.PHONY: check-sanitized
check-sanitized: ## unit and program tests under the sanitizers (root)
	@sh tests/deps.sh build test
	@$(MAKE) --no-print-directory SANITIZE=1 tests
	@tests/run.sh binaries $(addprefix build/sanitize/,$(patsubst build/%,%,$(UNIT_TESTS) $(PROG_TESTS)))

.PHONY: demo
demo: ## install what is missing, build, show the main job for real (root)
	@sh tests/deps.sh build demo
	@$(MAKE) --no-print-directory all
	@tests/demo/demo.sh

.PHONY: bench
bench: ## what lookups, flips, counting and health checks cost (root)
	@sh tests/deps.sh build test
	@$(MAKE) --no-print-directory $(BINARY) $(BENCHES) $(BENCH_BPF)
	@set -e; for bench in $(BENCHES); do $$bench $(BINARY); echo; done

.PHONY: vmtest
vmtest: ## the program tests and a short end-to-end test on other kernels (root)
	@sh tests/deps.sh build test vmtest
	@$(MAKE) --no-print-directory tests
	@vmtest/run $(KERNELS)

.PHONY: fuzz fuzzers
fuzzers: $(FUZZERS)

fuzz: ## malformed input for every reader of outside data, FUZZ_SECONDS (60) each
	@sh tests/deps.sh build fuzz
	@$(MAKE) --no-print-directory fuzzers
	@tests/fuzz/run.sh $(FUZZ_SECONDS) $(FUZZERS)

.PHONY: deb
deb:
	@echo "make $@: not there yet; it comes with the packages in dist/" >&2
	@exit 1

.PHONY: lint format
lint: ## clang-format, cppcheck, shellcheck
	@sh tests/deps.sh build lint
	@$(MAKE) --no-print-directory $(SKELETON)
	@tests/lint.sh

format: ## let clang-format rewrite the sources
	$(Q)git ls-files '*.c' '*.h' | xargs clang-format -i

# ---- installation

.PHONY: install uninstall clean help
SHARE := $(PREFIX)/share
UNIT := $(PREFIX)/lib/systemd/system/bgswitch.service
COMPLETION := $(SHARE)/bash-completion/completions/bgswitch
MANUAL := $(SHARE)/man/man8/bgswitch.8
DOC := $(SHARE)/doc/bgswitch

install: $(BINARY) ## install binary, unit, manual, completion and docs under DESTDIR and PREFIX
	install -D -m 755 $(BINARY) $(DESTDIR)$(PREFIX)/sbin/bgswitch
	install -D -m 644 dist/bgswitch.service $(DESTDIR)$(UNIT)
	sed -i 's,/usr/sbin/bgswitch,$(PREFIX)/sbin/bgswitch,' $(DESTDIR)$(UNIT)
	install -D -m 644 dist/completions/bgswitch $(DESTDIR)$(COMPLETION)
	install -D -m 644 docs/bgswitch.8 $(DESTDIR)$(MANUAL)
	install -D -m 644 -t $(DESTDIR)$(DOC) README.md
	install -D -m 644 -t $(DESTDIR)$(DOC)/docs docs/*.md
	install -D -m 644 -t $(DESTDIR)$(DOC)/examples dist/bgswitch.yaml

uninstall: ## remove what install put there; configuration and state stay
	rm -f $(addprefix $(DESTDIR),$(PREFIX)/sbin/bgswitch $(UNIT) $(COMPLETION) $(MANUAL))
	rm -rf $(DESTDIR)$(DOC)

clean: ## remove build/
	rm -rf build

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-18s%s\n", $$1, $$2 }' $(MAKEFILE_LIST)
