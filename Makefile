# Phantom Gateway: every target sets up what it needs. "make" alone lists them.

PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV := .venv
BIN := $(VENV)/bin
CLIENTS := .venv-clients
TOOLS := .venv-tools

# Each file is checked against the hash in the lock, and none is built on the way: a build would fetch what no hash pins.
# Where a wheel is missing: make setup WHEELS_ONLY=:none:
WHEELS_ONLY := :all:
INSTALL := -m pip install --quiet --disable-pip-version-check
LOCKED := $(INSTALL) --require-hashes --only-binary $(WHEELS_ONLY) --requirement
LIBVIRT := $(LOCKED) locks/libvirt.txt --no-build-isolation --no-binary libvirt-python
ITSELF := $(INSTALL) --no-deps --no-build-isolation --editable .

ROOMS := phantom_gateway protocol backends reconciler

# What is imported is compiled once, not again by each of the thousand processes that the tests start.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help setup run demo test test-postgresql failover sim sim-long replay check audit lock format bench manual metrics clients prometheus clean setup-vms test-vms setup-openstack test-openstack

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-16s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

$(VENV)/installed: pyproject.toml locks/run.txt
	@echo "Installing into $(VENV) (about half a minute) ..."
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python $(LOCKED) locks/run.txt
	@$(BIN)/python $(ITSELF)
	@touch $@

$(VENV)/installed-tests: $(VENV)/installed locks/test.txt locks/libvirt.txt
	@echo "Installing what the tests need ..."
	@$(BIN)/python $(LOCKED) locks/test.txt
	@# libvirt-python is compiled: it is tested wherever libvirt's headers are.
	@! pkg-config --exists libvirt 2>/dev/null || $(BIN)/python $(LIBVIRT)
	@touch $@

$(TOOLS)/installed: locks/tools.txt
	@test -x $(TOOLS)/bin/python || $(PYTHON) -m venv $(TOOLS)
	@$(TOOLS)/bin/python $(LOCKED) locks/tools.txt
	@touch $@

CLIENT_LISTS := requirements-cli.txt requirements-boto2.txt requirements-ansible.txt package.json package-lock.json .npmrc install.sh

$(CLIENTS)/installed: $(addprefix tests/clients/,$(CLIENT_LISTS))
	@echo "Installing real clients: AWS CLI, boto 2, the JavaScript SDK, Ansible (about two minutes) ..."
	@PYTHON=$(PYTHON) tests/clients/install.sh $(CLIENTS)
	@touch $@

setup: $(VENV)/installed-tests ## Install everything for development

clients: $(CLIENTS)/installed ## Install the real clients that the tests drive

prometheus: ## Install Debian's Prometheus, which one test asks (without it, the test is skipped)
	apt-get install -y -qq --no-install-recommends prometheus

run: $(VENV)/installed ## Serve on 127.0.0.1:8445 with the embedded default: SQLite, four local clouds
	@$(BIN)/phantom-gateway serve

demo: $(VENV)/installed $(CLIENTS)/installed ## The whole story with the real AWS CLI, in a temporary directory
	@$(BIN)/python demo/story.py --aws $(CLIENTS)/cli/bin/aws

test: $(VENV)/installed-tests $(CLIENTS)/installed ## Run all tests, real clients and real processes included
	@$(BIN)/python -m pytest --numprocesses auto --maxprocesses 4 --dist loadfile --no-loadscope-reorder --reruns 2 --reruns-delay 1

test-postgresql: $(VENV)/installed-tests $(CLIENTS)/installed ## The tests of whole gateways once more, with their records in PostgreSQL
	@PHANTOM_TEST_DATABASE=postgresql $(BIN)/python -m pytest --numprocesses auto --maxprocesses 4 --dist loadfile --no-loadscope-reorder \
		--reruns 2 --reruns-delay 1 tests/clients tests/processes tests/crash_points tests/real_clouds tests/as_tools

sim: $(VENV)/installed-tests ## Simulate fresh universes for a minute: faults, crashes, and what may never happen
	@$(BIN)/python -m tests.sim.playing --for-s 60

sim-long: $(VENV)/installed-tests ## The same for an hour
	@$(BIN)/python -m tests.sim.playing --for-s 3600

replay: $(VENV)/installed-tests ## Tell the whole story of one universe: make replay SEED=7
	@$(BIN)/python -m tests.sim.playing --seeds $(SEED)

failover: $(VENV)/installed-tests ## Kill PostgreSQL 50 times under load, gateways 50 times, and let a pair fail over (half an hour)
	@PHANTOM_KILLS=50 PHANTOM_TAKEOVERS=25 PHANTOM_FAIL_OVERS=5 PHANTOM_FIGURES=failover-figures.jsonl $(BIN)/python -m pytest -m processes --timeout 3600 \
		tests/processes/test_postgresql.py tests/processes/test_several_gateways.py tests/processes/test_fail_over.py

check: $(VENV)/installed-tests ## Lint, types, layers, formatting, what bandit finds
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports
	@$(BIN)/bandit --quiet --configfile pyproject.toml --recursive $(ROOMS)

audit: $(VENV)/installed-tests $(TOOLS)/installed ## Ask the public advisories about every locked version (needs the network)
	@$(BIN)/python -m tests.supply.auditing $(TOOLS)/bin/pip-audit $(AUDIT)

UV = $(TOOLS)/bin/uv
COMPILE = $(UV) pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
	--custom-compile-command "make lock" $(UPGRADE)
BUILD = $(PYTHON) -c 'import tomllib; print(*tomllib.load(open("pyproject.toml", "rb"))["build-system"]["requires"], sep="\n")'

lock: $(TOOLS)/installed ## Write locks/ anew after a change of pyproject.toml; UPGRADE=--upgrade takes the newest of everything
	@$(BUILD) | $(COMPILE) pyproject.toml - --output-file locks/run.txt
	@$(BUILD) | $(COMPILE) pyproject.toml - --extra test --constraints locks/run.txt --output-file locks/test.txt
	@echo libvirt-python | $(COMPILE) - --output-file locks/libvirt.txt
	@$(COMPILE) --group tools --output-file locks/tools.txt

format: $(VENV)/installed-tests ## Put the code into its one format
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

setup-vms: $(VENV)/installed-tests ## Install what real VMs need, as root (Debian: QEMU, libvirt, a kernel)
	@tests/vms/install.sh $(CURDIR)/.vms
	@$(BIN)/python $(LIBVIRT)

test-vms: $(VENV)/installed-tests ## Real VMs through libvirt: two booted, one killed, one replaced
	@$(BIN)/python -m pytest -q -s tests/vms tests/backends/test_libvirt_contract.py

setup-openstack: ## Install a real OpenStack control plane from Debian's packages, as root (about four minutes)
	@tests/real_openstack/install.sh $(CURDIR)/.venv-ec2-api

test-openstack: $(VENV)/installed-tests $(CLIENTS)/installed ## The tests on a real OpenStack control plane, on loopback
	@$(BIN)/python -m tests.real_openstack.control_plane

bench: $(VENV)/installed-tests ## Measure against moto_server and a bare aiohttp handler, then what big clouds cost
	@PYTHON=$(PYTHON) bench/run.sh
	@$(BIN)/python -m bench.clouds

manual: $(VENV)/installed ## Write docs/as-tools.md anew from the table of the as-* commands
	@$(BIN)/python -m phantom_gateway.as_tools.manual > docs/as-tools.md

metrics: $(VENV)/installed ## Write docs/metrics.md anew from the table of metrics
	@$(BIN)/python -m phantom_gateway.metrics > docs/metrics.md

clean: ## Remove environments and caches; never the state of a gateway
	rm -rf $(VENV) $(CLIENTS) $(TOOLS) .venv-bench .venv-ec2-api .vms build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis
