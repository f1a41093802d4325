# SPDX-License-Identifier: Apache-2.0
#
# The way in. `make run` sets up, builds and shows a drop report of traffic
# that it makes itself; `make test` sets up and passes the tests.

SHELL := /bin/bash
.DELETE_ON_ERROR:
.SUFFIXES:

BUILD := build
CLANG ?= clang
OBJCOPY ?= llvm-objcopy
PYTHON := /usr/bin/python3
# The machine's own architecture, as the kernel and Debian name it.
MACHINE := $(shell uname -m)
BPF_ARCH := $(if $(filter aarch64,$(MACHINE)),arm64,x86)

# sudo is used only where it says so, and not at all for root.
SUDO := $(if $(filter 0,$(shell id -u)),,sudo)

PACKAGES := libbpf-dev libelf-dev zlib1g-dev bpftool iproute2 nftables util-linux \
	busybox-static python3 python3-pytest python3-jsonschema
LAB_PACKAGES := qemu-system-x86 openvswitch-switch bash-static kmod ethtool debian-archive-keyring
BENCH_PACKAGES := libbpf-tools bpftrace

TOOLS := $(shell sed -n 's/^    ("\([a-z0-9-]*\)", "[a-z0-9-]*", "[A-Za-z]*"),$$/\1/p' Package.swift)
SOURCES := $(wildcard bpf/*/*.bpf.c)
NAMES := $(patsubst %.bpf.c,%,$(notdir $(SOURCES)))
OBJECTS := $(foreach name,$(NAMES),$(BUILD)/bpf/$(name).btf.o $(BUILD)/bpf/$(name).legacy.o)
BTF_FILES := $(wildcard bpf/btf/*.btf)

BPF_FLAGS := -target bpf -O2 -g -Wall -Wextra -Werror -Ibpf/include -Ibpf/types
BTF_FLAGS := -mcpu=v3
LEGACY_FLAGS := -mcpu=v2 -DPLUMBLINE_LEGACY
# The odd image base keeps the kernel from mapping the executable in 2 MB pages, all of it resident.
SWIFT_FLAGS := -c release -Xswiftc -static-executable -Xswiftc -use-ld=lld -Xlinker --image-base=0x601000

.PHONY: all setup setup-lab setup-bench bpf build run test unit integration arm64 lab bench clean help
all: build

help: ## this list
	@sed -n 's/^\([a-z][a-z0-9-]*\):.*## \(.*\)/make \1|\2/p' $(MAKEFILE_LIST) | column -t -s '|'

setup: ## install the Debian packages that the build and the tests need (as root)
	@missing=$$(for p in $(PACKAGES); do dpkg-query -W -f '$${Status}' $$p 2>/dev/null | grep -q 'ok installed' || echo $$p; done); \
	if [ -n "$$missing" ]; then \
		$(if $(SUDO),echo "sudo: installing Debian packages:" $$missing;) \
		$(SUDO) apt-get update -qq && \
		DEBIAN_FRONTEND=noninteractive $(SUDO) apt-get install -y -qq --no-install-recommends $$missing > /dev/null; \
	fi

# Two objects from each source; see bpf/include/target.h for what differs.
vpath %.bpf.c $(sort $(dir $(SOURCES)))

$(BUILD)/bpf/%.btf.o: %.bpf.c Makefile
	@mkdir -p $(@D)
	$(CLANG) $(BPF_FLAGS) -D__TARGET_ARCH_$(BPF_ARCH) $(BTF_FLAGS) -MMD -MT $@ -c $< -o $@
	@$(OBJCOPY) --strip-debug $@

$(BUILD)/bpf/%.legacy.o: %.bpf.c Makefile
	@mkdir -p $(@D)
	$(CLANG) $(BPF_FLAGS) -D__TARGET_ARCH_$(BPF_ARCH) $(LEGACY_FLAGS) -MMD -MT $@ -c $< -o $@
	@$(OBJCOPY) --strip-debug $@

-include $(OBJECTS:.o=.d)

# libbpf's headers must be there first.
$(OBJECTS): | setup

# What Sources/BPFObjects embeds; its time tells the Swift build that an object changed.
$(BUILD)/bpf/embedded.inc: $(OBJECTS) $(BTF_FILES)
	@{ \
	for f in $(OBJECTS); do n=$$(basename $$f .o); \
		printf 'static const unsigned char _Alignas(8) object_%s[] = {\n#embed "%s"\n};\n' "$${n//[^A-Za-z0-9]/_}" "$$n.o"; \
	done; \
	echo 'static const struct embedded_file objects[] = {'; \
	for f in $(OBJECTS); do n=$$(basename $$f .o); i=object_$${n//[^A-Za-z0-9]/_}; \
		printf '\t{ "%s", %s, sizeof(%s) },\n' "$$n" "$$i" "$$i"; \
	done; \
	printf '\t{ 0 },\n};\n'; \
	for f in $(BTF_FILES); do n=$$(basename $$f .btf); \
		printf 'static const unsigned char _Alignas(8) btf_%s[] = {\n#embed "../../%s"\n};\n' "$${n//[^A-Za-z0-9]/_}" "$$f"; \
	done; \
	echo 'static const struct embedded_file btf_files[] = {'; \
	for f in $(BTF_FILES); do n=$$(basename $$f .btf); i=btf_$${n//[^A-Za-z0-9]/_}; \
		printf '\t{ "%s", %s, sizeof(%s) },\n' "$$n" "$$i" "$$i"; \
	done; \
	printf '\t{ 0 },\n};\n'; \
	} > $@

bpf: setup $(BUILD)/bpf/embedded.inc ## compile each .bpf.c into its btf and its legacy object

build: setup bpf ## build the static executables into build/bin
	swift build $(SWIFT_FLAGS)
	@mkdir -p $(BUILD)/bin
	@for t in plumbline $(TOOLS); do \
		[ $(BUILD)/bin/$$t -nt .build/release/$$t ] && continue; \
		$(OBJCOPY) --strip-all .build/release/$$t $(BUILD)/bin/$$t.new && \
		mv $(BUILD)/bin/$$t.new $(BUILD)/bin/$$t || exit 1; \
	done

run: build ## set up, build, and show a drop report of demo traffic (as root)
	@$(if $(SUDO),echo "sudo: network namespaces and BPF";) $(SUDO) env PLUMBLINE_BIN=$(abspath $(BUILD)/bin) ./demo/packet-drop.sh

test: unit arm64 integration ## set up, build, and pass the tests (as root)

unit: setup bpf
	swift build --build-tests
	swift test --skip-build
	$(PYTHON) -m pytest -q -p no:cacheprovider Tests/repository

integration: build
	@$(if $(SUDO),echo "sudo: network namespaces and BPF";) \
	$(SUDO) env PYTHONDONTWRITEBYTECODE=1 PLUMBLINE_BIN=$(abspath $(BUILD)/bin) $(PYTHON) -m pytest -q -rs -p no:cacheprovider Tests/integration

# Every program compiles for arm64 too, both objects; running them needs such a machine.
ARM64 := $(foreach name,$(NAMES),$(BUILD)/arm64/$(name).btf.o $(BUILD)/arm64/$(name).legacy.o)

$(BUILD)/arm64/%.btf.o: %.bpf.c Makefile
	@mkdir -p $(@D)
	$(CLANG) $(BPF_FLAGS) -D__TARGET_ARCH_arm64 $(BTF_FLAGS) -MMD -MT $@ -c $< -o $@

$(BUILD)/arm64/%.legacy.o: %.bpf.c Makefile
	@mkdir -p $(@D)
	$(CLANG) $(BPF_FLAGS) -D__TARGET_ARCH_arm64 $(LEGACY_FLAGS) -MMD -MT $@ -c $< -o $@

-include $(ARM64:.o=.d)

$(ARM64): | setup

arm64: $(ARM64)

setup-lab: setup
	@$(MAKE) --no-print-directory setup PACKAGES="$(PACKAGES) $(LAB_PACKAGES)"

# make lab KERNELS=5.10,6.1 TESTS=...   or   make lab KERNEL=bzImage MODULES=dir BTF=file
lab: build setup-lab ## run the integration tests on Debian's 5.10, 6.1 and 6.12 kernels, or on KERNEL= (as root)
	$(SUDO) env PLUMBLINE_BIN=$(abspath $(BUILD)/bin) $(PYTHON) Tests/lab/lab.py \
		$(if $(KERNELS),--kernels $(KERNELS)) $(if $(KERNEL),--kernel $(KERNEL)) \
		$(if $(MODULES),--modules $(MODULES)) $(if $(BTF),--btf $(BTF)) $(if $(TESTS),--tests $(foreach t,$(TESTS),"$(t)"))

bench: build setup-bench ## measure start, memory and cost beside the peers (as root)
	@mkdir -p $(BUILD)
	$(CLANG) -O2 -Wall -Wextra -pthread Tests/bench/flood.c -o $(BUILD)/flood
	$(SUDO) env PLUMBLINE_BIN=$(abspath $(BUILD)/bin) $(PYTHON) Tests/bench/packet_drop.py

setup-bench: setup
	@$(MAKE) --no-print-directory setup PACKAGES="$(PACKAGES) $(BENCH_PACKAGES)"

clean: ## remove everything built
	rm -rf $(BUILD) .build
