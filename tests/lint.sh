#!/usr/bin/env bash
# All linters in parallel. Each runs to its end, so that one run shows everything, and prints only what it has to report.
# Called by `make lint` with .venv/bin first on PATH.
set -u
cd "$(dirname "$0")/.." || exit 1
said=$(mktemp -d)
trap 'rm -rf "$said"' EXIT
names=()
processes=()
step() {
  "${@:2}" >"$said/$1" 2>&1 &
  names+=("$1")
  processes+=($!)
}

# CHANGELOG.md is written by `antsibull-changelog generate`, from releases; what is new goes into changelogs/fragments/.
changelog() {
  antsibull-changelog lint && antsibull-changelog generate --output "$said/CHANGELOG.md" --output-format md &&
    diff CHANGELOG.md "$said/CHANGELOG.md"
}

# It keeps a log in the home directory, which grows with each run.
docs() {
  HOME=$said antsibull-docs lint-collection-docs --plugin-docs .
}

# The slow ones first.
step ansible-lint ansible-lint --offline -q
step mypy mypy plugins/module_utils rehearsal bench tests
step antsibull-docs docs
step syntax ansible-playbook --syntax-check playbooks/*.yml
step changelog changelog
step role-tables python tests/role_tables.py --check
step macos python tests/macos_table.py --check
step schema python tests/settings_schema.py --check
step yamllint yamllint --strict .
step shellcheck shellcheck .ci/* tests/*.sh rehearsal/machines/{as-owner,qemu-tcg} rehearsal/machines/guest/usr/lib/machine/* rehearsal/machines/guest/usr/local/bin/*
step ruff ruff check --quiet .
step ruff-format ruff format --quiet --check plugins rehearsal tests bench

failed=()
for number in "${!names[@]}"; do
  name=${names[number]}
  if wait "${processes[number]}"; then
    echo "lint: $name ok"
  else
    failed+=("$name")
    cat "$said/$name"
    echo "lint: $name FAILED"
  fi
done
if ((${#failed[@]})); then
  echo "lint: failed: ${failed[*]}"
  exit 1
fi
