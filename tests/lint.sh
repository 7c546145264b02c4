#!/usr/bin/env bash
# All linters; each runs to its end so that one run shows everything. Called by `make lint` with .venv/bin first on PATH.
set -u
cd "$(dirname "$0")/.." || exit 1
failed=()
step() {
  local name=$1
  shift
  if "$@"; then echo "lint: $name ok"; else failed+=("$name"); echo "lint: $name FAILED"; fi
}
# What git tracks or would track; linked folders are linted where they are.
files() { git ls-files --cached --others --exclude-standard -- "$@" | grep -v '^collections/'; }

step ruff ruff check --quiet .
step ruff-format ruff format --quiet --check plugins rehearsal tests bench
step mypy mypy plugins/module_utils
mapfile -t yaml < <(files '*.yml' '*.yaml')
step yamllint yamllint --strict "${yaml[@]}"
mapfile -t scripts < <(files '*.sh' .ci/run)
step shellcheck shellcheck "${scripts[@]}"
step ansible-lint ansible-lint --offline -q
step antsibull-docs antsibull-docs lint-collection-docs --plugin-docs .
step syntax ansible-playbook --syntax-check playbooks/*.yml
if ((${#failed[@]})); then
  echo "lint: failed: ${failed[*]}"
  exit 1
fi
