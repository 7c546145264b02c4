#!/usr/bin/env bash
# Writes everything that is generated from the code: after a change of a setting, an option, a check or a role.
set -eu
cd "$(dirname "$0")/.."
PATH=$PWD/.venv/bin:$PATH
python tests/module_files.py
python tests/role_tables.py
python tests/settings_schema.py
python tests/doctor_tables.py
python tests/macos_table.py
python -m tests.long_tests
python tests/unit/policy/option_table.py
git status --short
