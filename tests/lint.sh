#!/usr/bin/env bash
# All linters in parallel. Each runs to its end, so that one run shows everything, and prints only what it has to report.
# Called by `make lint` with .venv/bin first on PATH. With --changed, only what looks at files that differ from the last commit or, where
# none does, at those of the last commit.
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

changed=.
if [ "${1:-}" = --changed ]; then
  changed=$(git diff --name-only --diff-filter=d HEAD; git ls-files --others --exclude-standard)
  [ -n "$changed" ] || changed=$(git diff --name-only --diff-filter=d HEAD~)
fi
# Starts a linter if one of the changed files has such a name.
where() {
  if [ "$changed" = . ] || grep -qE "$1" <<<"$changed"; then step "${@:2}"; fi
}

# The slow ones first.
where '^(playbooks|roles|inventory|molecule|meta|galaxy|\.ansible-lint)' ansible-lint ansible-lint --offline -q
where '\.py$|^pyproject' mypy mypy plugins/module_utils rehearsal bench tests
where '^(plugins/.*\.py$|roles|meta|docs)' antsibull-docs docs
where '^(playbooks|roles)/' syntax ansible-playbook --syntax-check playbooks/*.yml
where '^(changelogs/|CHANGELOG)' changelog changelog
where '^(plugins|roles|meta)/|^docs/arch|^tests/(module_files|unit/test_rooms)' module-files python tests/module_files.py --check
where '^roles/|^tests/role_tables' role-tables python tests/role_tables.py --check
where '^tests/|^docs/long' long-tests python -m tests.long_tests --check
where '^plugins/.*\.py$|^tests/(branches|dense)' branches python tests/branches.py --check
where '^(plugins|roles)/|^docs/macos|^tests/macos' macos python tests/macos_table.py --check
where '^(plugins|roles|inventory)/|^tests/settings_schema' schema python tests/settings_schema.py --check
where '\.ya?ml$|^\.yamllint' yamllint yamllint --strict .
where '\.sh$|^\.ci/|^rehearsal/machines/' shellcheck shellcheck .ci/* tests/*.sh rehearsal/machines/{as-owner,qemu-tcg} rehearsal/machines/guest/usr/lib/machine/* rehearsal/machines/guest/usr/local/bin/*
where '\.py$|^pyproject' ruff ruff check --quiet .
where '\.py$|^pyproject' ruff-format ruff format --quiet --check plugins rehearsal tests bench

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
