# make setup | demo | test | lint | bench | bench-peers. Each sets up what it needs; the second time nothing is installed.
SHELL := /bin/bash
.DELETE_ON_ERROR:
.PHONY: setup demo test lint lock packages postgresql bench bench-peers bench-packages clean

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
UV_VERSION := 0.13.9
AZURITE_VERSION := 3.36.0
AZURITE := $(VENV)/azurite/.$(AZURITE_VERSION)
ARM_IMAGEBUILDER_VERSION := 5.0.0
AZURE_IDENTITY_VERSION := 4.14.1
CLIENTS := $(VENV)/clients
# Azure's own tools, each in an environment of its own.
AZURE_ENVIRONMENTS := azure-cli azure-sdk-1 azure-sdk-2
AZURE_PACKAGES := $(CLIENTS)/npm/.$(ARM_IMAGEBUILDER_VERSION)-$(AZURE_IDENTITY_VERSION)
AZURE_TOOLS := $(AZURE_ENVIRONMENTS:%=$(CLIENTS)/%/.complete) $(AZURE_PACKAGES)
SUDO := $(if $(filter 0,$(shell id -u)),,sudo)

# Host programs that vmwright drives; `vmwright doctor` tells what each is for.
PACKAGES := qemu-system-x86 qemu-utils ovmf systemd-container passt mmdebstrap arch-test mtools dosfstools fdisk \
	e2fsprogs fuse3 iproute2 uidmap xfsprogs btrfs-progs openssh-client python3-venv debian-archive-keyring
INSTALLED = dpkg-query -W -f '$${Package} $${db:Status-Status}\n' $(PACKAGES) 2>/dev/null | sed -n 's/ installed$$//p'
MISSING := $(shell comm -23 <(printf '%s\n' $(PACKAGES) | sort) <($(INSTALLED) | sort))

setup: packages $(VENV)/.complete

packages:
ifneq ($(strip $(MISSING)),)
	@echo "installing with apt-get: $(MISSING)"
	$(SUDO) apt-get update -q
	$(SUDO) env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends $(MISSING)
endif

$(VENV)/.complete: pyproject.toml requirements.lock | packages
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "vmwright needs Python 3.11 or newer: make PYTHON=python3.11 setup"; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet uv==$(UV_VERSION)
	$(BIN)/uv pip install --quiet --compile-bytecode --python $(BIN)/python --require-hashes \
		--requirements requirements.lock
	$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation --editable .
	$(BIN)/python -m compileall -q src
	@touch $@

# The pinned versions, with hashes, of all that pyproject.toml asks for.
lock:
	$(BIN)/uv pip compile --quiet --universal --generate-hashes --no-header --upgrade \
		--group dev pyproject.toml --output-file requirements.lock
	$(BIN)/uv pip compile --quiet --universal --generate-hashes --no-header --upgrade \
		--group clients --constraint requirements.lock --output-file requirements-clients.lock
	$(BIN)/uv pip compile --quiet --universal --generate-hashes --no-header --upgrade \
		--group bench --constraint requirements.lock --output-file requirements-bench.lock
	$(foreach name,$(AZURE_ENVIRONMENTS),$(BIN)/uv pip compile --quiet --universal --generate-hashes --no-header \
		--upgrade --group $(name) --output-file requirements-$(name).lock &&) true

demo: setup
	$(BIN)/vmwright build examples/hello-linux.json --out demo
	$(BIN)/vmwright boot demo/hello-linux.vhd --page /

lint: setup
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

# Azure's storage emulator, for the ring of tests with clients; npm's lock file would hold registry addresses.
$(AZURITE): $(VENV)/.complete requirements-clients.lock
	$(BIN)/uv pip install --quiet --python $(BIN)/python --require-hashes --requirements requirements-clients.lock
	$(BIN)/npm install --prefix $(VENV)/azurite --no-package-lock --no-audit --no-fund --ignore-scripts \
		--loglevel=error azurite@$(AZURITE_VERSION)
	@touch $@

$(CLIENTS)/%/.complete: requirements-%.lock | $(VENV)/.complete
	$(BIN)/uv venv --quiet --clear --python $(BIN)/python $(CLIENTS)/$*
	$(BIN)/uv pip install --quiet --python $(CLIENTS)/$*/bin/python --require-hashes --requirements $<
	@touch $@

$(AZURE_PACKAGES): $(AZURITE)
	$(BIN)/npm install --prefix $(CLIENTS)/npm --no-package-lock --no-audit --no-fund --ignore-scripts \
		--loglevel=error @azure/arm-imagebuilder@$(ARM_IMAGEBUILDER_VERSION) @azure/identity@$(AZURE_IDENTITY_VERSION)
	@touch $@

# A real PostgreSQL, which the tests start and stop for themselves.
postgresql: packages
ifeq ($(wildcard /usr/lib/postgresql/*/bin/initdb),)
	$(SUDO) env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends postgresql
endif

# All rings in one run: tests beside each other, emulated boots one at a time (see tests/conftest.py).
test: lint $(AZURITE) $(AZURE_TOOLS) postgresql
	$(BIN)/pytest -n 2 --parity=docs/parity.md

$(VENV)/.bench: $(VENV)/.complete requirements-bench.lock
	$(BIN)/uv pip install --quiet --python $(BIN)/python --require-hashes --requirements requirements-bench.lock
	@touch $@

# vmwright alone: its start, builds by phase, how their cost grows. Root, as a container does.
bench: setup $(VENV)/.bench
	$(BIN)/python -m bench.startup
	$(BIN)/python -m bench.build
	$(BIN)/python -m bench.growth --json bench/results/growth.json
	@$(BIN)/python -m bench.page

# The tools that vmwright is compared with, as Debian has them.
bench-packages: packages
ifeq ($(and $(shell command -v packer),$(shell command -v virt-customize)),)
	$(SUDO) apt-get update -q
	$(SUDO) env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends packer guestfs-tools
endif

# The same job by all; the last lines are the ratios.
bench-peers: setup $(VENV)/.bench bench-packages
	$(BIN)/python -m bench.side_by_side --runs 3 --json bench/results/peers.json
	@$(BIN)/python -m bench.page

clean:
	rm -rf $(VENV) .bench demo .mypy_cache .ruff_cache .pytest_cache .hypothesis
