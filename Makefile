# Every verb installs what it needs into .venv first, with uv where it is there and with pip otherwise.
PYTHON ?= python3
VENV := .venv
BIN := $(CURDIR)/$(VENV)/bin
UV := $(shell command -v uv 2>/dev/null)
ANSIBLE := $(BIN)/ansible-playbook
# Most tests wait for processes, so a few run at a time also on two cores; a file of tests at a time, so that engines are shared
# within a file.
WORKERS ?= 3
PYTEST := $(BIN)/python -m pytest -q -n $(WORKERS) --dist loadfile
export ANSIBLE_CONFIG := $(CURDIR)/ansible.cfg
# Tests and lint find the collection through the committed links.
export ANSIBLE_COLLECTIONS_PATH := $(CURDIR)/.ansible/collections:$(CURDIR)/collections

.DEFAULT_GOAL := help
.PHONY: help rehearse test test-long lint sanity unit contract molecule bench engines setup check converge lock clean

help: ## Show the verbs
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sort | awk -F ':.*## ' '{printf "  make %-10s %s\n", $$1, $$2}'

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "laptop.containers needs Python 3.11 or newer; $(PYTHON) is older. Use: make PYTHON=/path/to/python3.11"; exit 1; }
ifeq ($(UV),)
	@$(PYTHON) -m venv $(VENV) || { echo "Could not make $(VENV): install your system's python3-venv package, or uv."; exit 1; }
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/uv.lock
else
	@uv venv --quiet --python $(PYTHON) $(VENV)
endif

# .lab is enough for playbooks and the rehearsal; .dev holds the test tools as well.
$(VENV)/.lab: requirements/lab.lock | $(VENV)/bin/python
	@PATH="$(BIN):$$PATH" uv pip install --quiet --python $(BIN)/python --require-hashes -r requirements/lab.lock
	@touch $@

$(VENV)/.dev: requirements/dev.lock | $(VENV)/bin/python
	@PATH="$(BIN):$$PATH" uv pip install --quiet --python $(BIN)/python --require-hashes -r requirements/dev.lock
	@touch $(VENV)/.lab $@

setup: $(VENV)/.lab ## Install what the playbooks need into .venv

rehearse: $(VENV)/.lab ## Converge the whole workstation in a lab of its own, and remove the lab again
	@$(BIN)/python -m rehearsal run

test: $(VENV)/.dev lint ## Everything: lint, molecule, unit, contract, property, fault and integration tests
	@$(MAKE) --no-print-directory molecule
	@$(PYTEST)

test-long: $(VENV)/.dev ## The long form of property and fault tests
	@LAPTOP_LONG=1 $(PYTEST) tests/property tests/faults tests/contract/docker

unit: $(VENV)/.dev ## Only the fast tests
	@$(BIN)/python -m pytest -q tests/unit

contract: $(VENV)/.dev ## Stand-ins and real tools against one suite each
	@$(PYTEST) tests/contract

molecule: $(VENV)/.dev ## The molecule scenarios, in the lab
	@for scenario in default secret_refresh; do PATH="$(BIN):$$PATH" $(BIN)/molecule test --scenario-name $$scenario || exit 1; done

lint: $(VENV)/.dev ## All linters
	@PATH="$(BIN):$$PATH" tests/lint.sh

sanity: $(VENV)/.dev ## What Ansible demands of a collection: ansible-test sanity
	@PATH="$(BIN):$$PATH" tests/sanity.sh

bench: $(VENV)/.dev ## Measure the speed goals as ratios; writes bench/results.json
	@$(BIN)/python -m bench.run

engines: $(VENV)/.lab ## Install and build the real engines where this machine can have them
	@$(BIN)/python -m rehearsal.engines.install

check: $(VENV)/.lab ## Show what a run would change on this laptop
	@$(ANSIBLE) playbooks/workstation.yml --check --diff

converge: $(VENV)/.lab ## Converge this laptop
	@$(ANSIBLE) playbooks/workstation.yml

lock: ## Renew the locks from pyproject.toml
	@uv pip compile -q --upgrade --universal --generate-hashes --no-header --python-version 3.11 pyproject.toml -o requirements/runtime.lock
	@uv pip compile -q --upgrade --universal --generate-hashes --no-header --python-version 3.11 pyproject.toml --group lab -o requirements/lab.lock
	@uv pip compile -q --upgrade --universal --generate-hashes --no-header --python-version 3.11 pyproject.toml --group dev -o requirements/dev.lock
	@echo uv | uv pip compile -q --upgrade --universal --generate-hashes --no-header --python-version 3.11 - -o requirements/uv.lock

clean: ## Remove what the verbs above made in this folder
	@rm -rf $(VENV) .ansible .cache .pytest_cache .mypy_cache .ruff_cache .hypothesis
