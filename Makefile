# SPDX-License-Identifier: Apache-2.0
# A front door. The build is Meson's, below $(BUILD); what each command needs, tools/setup.sh installs.
BUILD ?= build
PREFIX ?= /usr/local
export BUILD

all: $(BUILD)/build.ninja ## build
	@ninja -C $(BUILD)

$(BUILD)/build.ninja:
	@meson setup $(BUILD) -Dprefix=$(PREFIX)

demo: setup-build setup-demo all ## deploy and invoke the examples; ONCE=1 ends after that
	@ONCE=$(ONCE) examples/demo.sh

test: setup-build setup-test setup-demo all ## run every test; T="unit http" chooses some
	@tests/run $(T)

lab: setup-build setup-test setup-demo setup-lab all ## run the tests on Linux 6.1, emulated, and the vm tier on kvm-amd
	@lab/run.sh $(T)
	@[ -n "$(T)" ] || lab/kvm.sh

bench: setup-build setup-demo setup-bench all ## measure, beside the peers
	@bench/run.sh

lint: setup-build setup-test setup-lint ## formatters and analysers
	@tools/lint.sh

fuzz: setup-build setup-fuzz ## each fuzzer for SECONDS (10)
	@tools/fuzz.sh $(or $(SECONDS),10)

format: ## lay the C files out as .clang-format says
	@git ls-files '*.c' '*.h' | xargs clang-format -i

install: all ## below PREFIX (/usr/local)
	@meson configure $(BUILD) -Dprefix=$(PREFIX)
	@meson install -C $(BUILD)

clean: ## remove what was built
	rm -rf build build-*

setup-%:
	@tools/setup.sh $*

help: ## this list
	@sed -n 's/^\([a-z]*\):.*## /  make \1\t/p' Makefile | expand -t 16

.PHONY: all demo test lab bench lint fuzz format install clean help
