# Every verb installs what it needs into .venv first, with uv where it is there and with pip otherwise.
# Recipes use relative paths, or the shell's own variables in quotes: the folder's name may hold any letter but a colon.
PYTHON ?= python3
VENV := .venv
UV := $(shell command -v uv 2>/dev/null)
# Scripts in .venv start Python by a line that not every folder name survives, so Python starts the modules.
RUN := $(VENV)/bin/python -m
ANSIBLE := $(RUN) ansible playbook
# For programs that start other programs of .venv.
WITH_PATH := PATH="$$PWD/$(VENV)/bin:$$PATH"
# Most tests wait for processes, so a few run at a time also on two cores; a file of tests at a time, so that engines are shared
# within a file. What failed last time comes first, then the longest files: else one worker has one of them at the end.
WORKERS ?= 3
PYTEST := $(RUN) pytest -q -n $(WORKERS) --dist loadfile --no-loadscope-reorder --progress --ignore tests/machines
# A few that failed run once more, alone, to say which kind of defect each is.
OR_ALONE := || $(RUN) tests.alone $$?
# Without bytecode each start of Ansible, of a stand-in and of a linter compiles all that it imports, for as long as it then works.
export PYTHONDONTWRITEBYTECODE :=
export ANSIBLE_CONFIG := $(CURDIR)/ansible.cfg
# Playbooks print commands as they can be typed in this shell: with these verbs.
export LAPTOP_MAKE_VERBS := converge doctor fleet migrate move reclaim restore settings snapshot start stop support \
  teardown toolchain upgrade
# Tests and lint find the collection through the committed links.
export ANSIBLE_COLLECTIONS_PATH := $(CURDIR)/.ansible/collections:$(CURDIR)/collections
# In a clone that another user owns, Ansible's own files go where it has them without a project.
ifeq ($(shell [ -w .ansible ] || { [ ! -e .ansible ] && [ -w . ]; } && echo yes),)
export ANSIBLE_HOME ?= $(HOME)/.ansible
export ANSIBLE_CACHE_PLUGIN_CONNECTION ?= $(ANSIBLE_HOME)/facts
endif
# A company's certificates: uv reads SSL_CERT_FILE, pip PIP_CERT, and either is enough here. uv takes an empty one for a file.
CERTIFICATES := $(or $(SSL_CERT_FILE),$(PIP_CERT),$(REQUESTS_CA_BUNDLE))
ifneq ($(CERTIFICATES),)
SSL_CERT_FILE ?= $(CERTIFICATES)
PIP_CERT ?= $(CERTIFICATES)
export SSL_CERT_FILE PIP_CERT
endif
NOT_FETCHED = { [ -r "$${SSL_CERT_FILE:-/}" ] || echo "SSL_CERT_FILE names '$$SSL_CERT_FILE', which can't be read."; \
  echo "Could not fetch packages: the lines above say why. Behind a proxy that intercepts TLS, set SSL_CERT_FILE to the company's" \
  "certificates (a PEM file), or UV_SYSTEM_CERTS=1 to use the system's. Then run make again."; exit 1; } >&2
# Ansible refuses to work in a locale such as C.
ifneq ($(shell locale charmap 2>/dev/null),UTF-8)
export LC_ALL := $(or $(shell locale -a 2>/dev/null | grep -m 1 -ixE '(C|en_US)\.utf-?8'),C.UTF-8)
endif

.DEFAULT_GOAL := help
PLAYS := check converge settings status doctor stop start support secrets toolchain teardown fleet reclaim migrate move upgrade \
  snapshot restore
VERBS := $(PLAYS) help rehearse quick test test-long test-map test-machines tables lint sanity unit contract molecule bench profile \
  engines machines radar setup mac-facts docs lock clean
.PHONY: $(VERBS)

# What a verb does not know, make passes over in silence, and it takes --check, -i and -e for options of its own. So a verb says what
# it takes; a variable with a _ in capitals is one of the environment.
TAKES_rehearse := DIR GRADE KEEP
TAKES_test-machines := SHORT
TAKES_bench := SUITES
TAKES_radar := VERSIONS
TAKES_doctor := REPORT
TAKES_migrate := SOURCE
TAKES_move := PROFILE
TAKES_snapshot := PROFILE NAME
TAKES_restore := PROFILE NAME
# A variable of make, if it was typed, as a setting: of the environment it is none, and a value may hold blanks and quotes.
JSON := import json, os, sys; print(json.dumps({sys.argv[1]: os.environ[sys.argv[2]]}))
SETTING = $(if $(and $(findstring command line,$(origin $(2))),$($(2))),-e "$$($(VENV)/bin/python -c '$(JSON)' $(1) $(2))")
GOALS := $(or $(MAKECMDGOALS),help)
TAKES := $(if $(filter $(PLAYS) profile mac-facts,$(GOALS)),ARGS) $(sort $(foreach goal,$(GOALS),$(TAKES_$(goal))))
GIVEN := $(foreach name,$(.VARIABLES),$(if $(findstring command line,$(origin $(name))),$(name)))
UNKNOWN := $(filter-out $(TAKES) PYTHON VENV UV WORKERS PATH HOME KUBECONFIG %_proxy,$(GIVEN))
UNKNOWN := $(foreach name,$(UNKNOWN),$(if $(and $(findstring _,$(name)),$(shell echo '$(name)' | grep '^[A-Z]')),,$(name)))
ifneq ($(UNKNOWN),)
$(error Could not use $(firstword $(UNKNOWN)): make $(GOALS) does not take it. \
  It takes $(or $(strip $(TAKES)),no variable)$(if $(filter ARGS,$(TAKES)),; settings go into ARGS="-e name=value"))
endif
ifneq ($(filter $(PLAYS),$(GOALS)),)
LETTERS := $(filter-out --%,$(firstword -$(MAKEFLAGS)))
WORDS := $(filter-out $(VERBS),$(GOALS)) $(if $(findstring L,$(LETTERS)),--check) \
  $(foreach letter,i e t,$(if $(findstring $(letter),$(LETTERS)),-$(letter)))
ifneq ($(strip $(WORDS)),)
$(error Could not use $(firstword $(WORDS)): make took it for itself. Arguments of the playbook go into ARGS, such as \
  make $(firstword $(filter $(PLAYS),$(GOALS))) ARGS="--check")
endif
endif

help: ## Show the verbs
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sort | awk -F ':.*## ' '{printf "  make %-10s %s\n", $$1, $$2}'

# A stamp follows each step that is complete; what an interrupted one left, the next run replaces.
WRITABLE = [ -w . ] || { echo "Could not make $(VENV): this folder is read-only. Clone the project to a folder of your own." >&2; exit 1; }
BASE := $(if $(wildcard $(VENV)/.lab),,$(VENV)/.base)
$(VENV)/.base:
	@$(WRITABLE)
	@rm -rf $(VENV)
ifeq ($(UV),)
	@"$(PYTHON)" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
	  echo "Could not make $(VENV): laptop.containers needs Python 3.11 or newer, and $(PYTHON) is $$("$(PYTHON)" --version 2>&1)." \
	    "Use: make PYTHON=/path/to/python3.11, or install uv." >&2; exit 1; }
	@"$(PYTHON)" -m venv $(VENV) || { echo "Could not make $(VENV). Install your system's python3-venv package, or uv." >&2; exit 1; }
	@$(RUN) pip install --quiet --disable-pip-version-check --require-hashes -r requirements/uv.lock || $(NOT_FETCHED)
else
	@uv venv --quiet --python "$(PYTHON)" $(VENV) 2>/dev/null && \
	  $(VENV)/bin/python -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { rm -rf $(VENV); uv venv --quiet --python '>=3.11' $(VENV); }
endif
	@touch $@

# .lab is enough for playbooks and the rehearsal; .dev holds the test tools as well.
$(VENV)/.lab: requirements/lab.lock | $(BASE)
	@$(WRITABLE)
	@$(WITH_PATH) uv pip install --quiet --compile-bytecode --python $(VENV)/bin/python --require-hashes -r requirements/lab.lock || $(NOT_FETCHED)
	@touch $@

$(VENV)/.dev: requirements/dev.lock | $(BASE)
	@$(WRITABLE)
	@$(WITH_PATH) uv pip install --quiet --compile-bytecode --python $(VENV)/bin/python --require-hashes -r requirements/dev.lock || $(NOT_FETCHED)
	@touch $(VENV)/.lab $@

setup: $(VENV)/.lab ## Install what the playbooks need into .venv

rehearse: $(VENV)/.lab ## Converge the workstation in a lab and remove the lab; KEEP=1 keeps it, DIR=/short/path says where, GRADE=machines starts VMs
	@$(RUN) rehearsal run $(if $(DIR),--dir "$$DIR") $(if $(GRADE),--grade "$$GRADE") $(if $(filter-out 0 no false,$(KEEP)),--keep)

quick: $(VENV)/.dev ## What a commit needs, in a minute: lint of what changed, unit tests, a few histories of each property
	@$(WITH_PATH) tests/lint.sh --changed
	@LAPTOP_QUICK=1 $(PYTEST) -m "not long" tests/unit tests/property

test: $(VENV)/.dev ## All that needs no VM: lint, molecule, unit, contract, property, fault and integration tests
	@$(MAKE) --no-print-directory -j 2 lint molecule
	@$(PYTEST) -m "not long" $(OR_ALONE)

test-long: $(VENV)/.dev ## Every test at full length: thousands of histories, races a hundred times, VMs
	@LAPTOP_LONG=1 $(PYTEST)
	@$(MAKE) --no-print-directory test-machines

test-map: $(VENV)/.dev ## The tests of make test; write what each file of them costs to .cache/test-map.txt
	@mkdir -p .cache
	@$(PYTEST) -m "not long" --costs=.cache/test-map.txt

test-machines: machines $(VENV)/.dev ## Life on two real virtual machines; SHORT=1 takes a third of the time
	@$(RUN) rehearsal.machines $(VENV)/bin/python -m pytest -q --durations=8 -p no:cacheprovider $(if $(SHORT),-m "not long") tests/machines

unit: $(VENV)/.dev ## Only the fast tests
	@$(PYTEST) -m "not long" tests/unit $(OR_ALONE)

contract: $(VENV)/.dev ## Stand-ins and real tools against one suite each
	@$(PYTEST) -m "not long" tests/contract $(OR_ALONE)

# A lab that a person keeps or rehearses in stays theirs.
ITS_LAB := LAPTOP_REHEARSAL_DIR="$${LAPTOP_REHEARSAL_DIR:-/tmp/laptop-molecule-$$(id -u)}"
# A run that was killed left a note of a lab that may no longer be up: reset forgets it.
molecule: $(VENV)/.dev ## The molecule scenarios, one for each verb of a week, on one lab
	@$(WITH_PATH) $(ITS_LAB) $(RUN) molecule reset >/dev/null 2>&1
	@$(WITH_PATH) $(ITS_LAB) $(RUN) molecule test --all

tables: $(VENV)/.dev ## Write what is generated from the code: after a change of a setting, an option, a check or a role
	@tests/tables.sh

lint: $(VENV)/.dev ## All linters
	@$(WITH_PATH) tests/lint.sh

sanity: $(VENV)/.dev ## What Ansible demands of a collection: ansible-test sanity
	@$(WITH_PATH) tests/sanity.sh

bench: $(VENV)/.dev ## Measure the speed goals as ratios; writes bench/results.json; SUITES=machines does it on real VMs
	@$(RUN) bench.run $(SUITES)

profile: $(VENV)/.dev ## Show where the time of a run with nothing to do goes, by part and task; ARGS=playbooks/doctor.yml of another playbook
	@$(RUN) bench.run_map $(ARGS)

engines: $(VENV)/.lab ## Install and build the real engines where this machine can have them
	@$(RUN) rehearsal.engines.install

machines: engines ## Bring what real virtual machines need: Lima's guest agent and an image (root, Go; not needed on a Mac)
	@$(RUN) rehearsal.machines.install

radar: $(VENV)/.dev ## Try releases of colima, old and new, and renew docs/supported-versions.md; VERSIONS="0.9.1" tries some
	@$(WITH_PATH) $(RUN) tests.radar $(VERSIONS)

check: $(VENV)/.lab ## Show what a run would change on this laptop
	@$(ANSIBLE) playbooks/workstation.yml --check --diff $(ARGS)

converge: $(VENV)/.lab ## Converge this laptop
	@$(ANSIBLE) playbooks/workstation.yml $(ARGS)

settings: $(VENV)/.lab ## Show what is set on this laptop, and in which line of which file
	@$(ANSIBLE) playbooks/settings.yml $(ARGS)

status: $(VENV)/.lab ## Show the VMs: state, CPUs, memory, disk, uptime, address; in a second, and changing nothing
	@$(ANSIBLE) playbooks/doctor.yml --tags profiles $(ARGS)

doctor: $(VENV)/.lab ## Look at the whole workstation and say what helps; REPORT=path writes JSON and HTML
	@$(ANSIBLE) playbooks/doctor.yml $(call SETTING,doctor_report,REPORT) $(ARGS)

stop: $(VENV)/.lab ## Stop the VMs in which nothing of yours runs
	@$(ANSIBLE) playbooks/stop.yml $(ARGS)

support: $(VENV)/.lab ## Write what helps to find a fault into one file, without secrets
	@$(ANSIBLE) playbooks/support.yml $(ARGS)

secrets: $(VENV)/.lab ## Renew the pull secrets that are due
	@$(ANSIBLE) playbooks/workstation.yml --tags secret_refresh $(ARGS)

toolchain: $(VENV)/.lab ## Install the programs of the Brewfile with Homebrew
	@$(ANSIBLE) playbooks/toolchain.yml $(ARGS)

teardown: $(VENV)/.lab ## Remove everything that the workstation made, but not images and volumes; ARGS=--check shows first what goes
	@$(ANSIBLE) playbooks/teardown.yml $(ARGS)

fleet: $(VENV)/.lab ## Converge the laptops of the inventory over SSH, canaries first
	@$(ANSIBLE) playbooks/fleet.yml $(ARGS)

start: $(VENV)/.lab ## Start the VMs, and renew pull secrets that became due
	@$(ANSIBLE) playbooks/start.yml $(ARGS)

reclaim: $(VENV)/.lab ## Free disk space in the running VMs; ARGS=--check shows first what goes
	@$(ANSIBLE) playbooks/reclaim.yml $(ARGS)

migrate: $(VENV)/.lab ## Move in from another docker engine; SOURCE=its context, ARGS=--check shows first what goes where
	@$(ANSIBLE) playbooks/migrate.yml $(call SETTING,migrate_source,SOURCE) $(ARGS)

move: $(VENV)/.lab ## Let a VM with runtime docker go on with containerd; PROFILE=its name, ARGS=--check shows first what goes where
	@$(ANSIBLE) playbooks/move.yml $(call SETTING,move_profile,PROFILE) $(ARGS)

upgrade: $(VENV)/.lab ## Upgrade colima, Lima, docker and kubectl; ARGS=--check shows first from what to what
	@$(ANSIBLE) playbooks/upgrade.yml $(ARGS)

# Of snapshot and restore.
WHICH = $(call SETTING,snapshot_profile,PROFILE) $(call SETTING,snapshot_name,NAME)

snapshot: $(VENV)/.lab ## Keep the data disk of a stopped VM: PROFILE=its name, NAME=of the copy; or volumes: ARGS="-e snapshot_volumes=db"
	@$(ANSIBLE) playbooks/snapshot.yml $(WHICH) $(ARGS)

restore: $(VENV)/.lab ## Let the data disk of the stopped VM PROFILE, or volumes, be what they were in the snapshot NAME
	@$(ANSIBLE) playbooks/restore.yml $(WHICH) $(ARGS)

mac-facts: ## Ask this Mac whether it is as docs/macos.md says; prints a table for an issue; nothing is changed
	@python=$$(command -v /usr/bin/python3 || command -v "$(PYTHON)") && "$$python" docs/mac_facts.py $(ARGS)

docs: $(VENV)/.dev ## Draw the pictures of the documentation from a real rehearsal
	@$(RUN) docs.record

lock: ## Renew the locks from pyproject.toml
	@uv pip compile -q --upgrade --universal --generate-hashes --no-header --no-annotate --python-version 3.11 pyproject.toml -o requirements/runtime.lock
	@mkdir -p .cache && uv pip compile -q --universal --generate-hashes --python-version 3.11 pyproject.toml -c requirements/runtime.lock --format pylock.toml -o .cache/pylock.runtime.toml
	@"$(PYTHON)" -m tests.laptop_lock .cache/pylock.runtime.toml requirements/runtime.lock
	@uv pip compile -q --upgrade --universal --generate-hashes --no-header --python-version 3.11 pyproject.toml --group lab -o requirements/lab.lock
	@uv pip compile -q --upgrade --universal --generate-hashes --no-header --python-version 3.11 pyproject.toml --group dev -o requirements/dev.lock
	@echo uv | uv pip compile -q --upgrade --universal --generate-hashes --no-header --python-version 3.11 - -o requirements/uv.lock

clean: ## Remove what the verbs above made in this folder
	@rm -rf $(VENV) .ansible .cache .pytest_cache .mypy_cache .ruff_cache .hypothesis
