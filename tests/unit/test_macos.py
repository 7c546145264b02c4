# SPDX-License-Identifier: GPL-3.0-or-later
"""What is held of macOS without one: its table of facts, the tools of Apple's age, and what workflows call."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.macos_table import PAGE, ROOT, ROWS, SCRIPT, misnamed, names_of, page_of

DATA = tomllib.loads(ROWS.read_text(encoding="utf-8"))
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")
# After GNU make 3.81 and bash 3.2.
NEWER_MAKE = re.compile(
    r"^\.ONESHELL|^undefine |^private |^[\w.-]+\s*(?:!=|:::?=)\s|\$\((?:file|guile|let|intcmp) |&:", re.MULTILINE
)
NEWER_BASH = re.compile(r"declare -[Ang]|local -n|mapfile|readarray|\$\{\w+(?:,,?|\^\^?)\}|\|&|&>>|\bcoproc\b|wait -n|\[\[ -v ")


def test_the_table_is_that_of_its_rows() -> None:
    assert misnamed(DATA["row"]) == []
    assert PAGE.read_text(encoding="utf-8") == page_of(DATA, names_of(SCRIPT, "CHECKS")), "run tests/macos_table.py"
    assert names_of(SCRIPT, "CHECKS") <= {row["id"] for row in DATA["row"]}


def test_a_name_that_has_gone_is_found() -> None:
    row = {**DATA["row"][0], "code": ["core/system/files.py::no_such_name"]}
    assert misnamed([row]) == [f"'{row['id']}' names 'core/system/files.py::no_such_name', which is not there"]
    assert misnamed([{**DATA["row"][0], "kind": "none"}]) == [
        f"'{row['id']}' needs either a source, or what the code does without one"
    ]


def test_mac_facts_speaks_python_3_9() -> None:
    tree = ast.parse(SCRIPT.read_text(encoding="utf-8"), feature_version=(3, 9))
    imported = {alias.name.partition(".")[0] for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    imported |= {str(node.module) for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert imported <= set(sys.stdlib_module_names)
    # Not in 3.9: match, zip(strict=), isinstance with a union, datetime.UTC, and their like.
    assert not re.search(r"strict=|^\s+match |datetime|removeprefix|batched", SCRIPT.read_text(encoding="utf-8"), re.MULTILINE)


def test_mac_facts_asks_and_leaves_nothing(home: Path) -> None:
    done = subprocess.run([sys.executable, str(SCRIPT)], capture_output=True, text=True, timeout=110, check=False)
    rows = [line.split(" | ")[1] for line in done.stdout.splitlines() if line.startswith("| ") and "---" not in line][1:]
    assert done.returncode == 0, done.stdout
    assert set(rows) <= {"as stated", "not asked"}
    assert rows.count("as stated") >= 20
    assert list(home.iterdir()) == []


def test_mac_facts_names_a_row_that_is_wrong() -> None:
    wrong = SCRIPT.read_text(encoding="utf-8").replace("limit, found = (104 if MAC else 108), {}", "limit, found = 60, {}")
    done = subprocess.run(
        [sys.executable, "-c", wrong, "sun-path", "case"], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 1
    assert "| sun-path | WRONG | 59 bytes: taken, 60 bytes: taken |" in done.stdout
    assert "1 of these rows are wrong: sun-path." in done.stdout


def test_the_makefile_uses_nothing_newer_than_make_3_81() -> None:
    assert NEWER_MAKE.search(MAKEFILE) is None
    assert NEWER_MAKE.search("x != date\n")


def test_no_script_uses_what_bash_3_2_does_not_have() -> None:
    for script in (ROOT / "tests").glob("*.sh"):
        assert NEWER_BASH.search(script.read_text(encoding="utf-8")) is None, script
    assert NEWER_BASH.search("mapfile -t rows")


def steps(document: dict[Any, Any]) -> list[str]:
    return [str(step["run"]) for job in document["jobs"].values() for step in job["steps"] if "run" in step]


@pytest.mark.parametrize("file", WORKFLOWS, ids=lambda file: file.stem)
def test_workflows_call_only_verbs_that_exist(file: Path) -> None:
    document = yaml.safe_load(file.read_text(encoding="utf-8"))
    targets = set(re.findall(r"^([\w-]+):", MAKEFILE, re.MULTILINE)) | {".venv/.dev", ".venv/.lab"}
    run = "\n".join(steps(document))
    called = re.findall(r"^make ([\w./-]+)", run, re.MULTILINE)
    files = re.findall(r"(?:^|\s)((?:tests|playbooks|\.ci)/[\w./-]+)", run)
    assert set(called) <= targets
    assert [name for name in files if not (ROOT / name).exists()] == []
    # YAML reads the key "on" as a truth.
    assert document.get(True) and document["jobs"]
