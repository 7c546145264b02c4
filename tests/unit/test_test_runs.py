# SPDX-License-Identifier: GPL-3.0-or-later
"""How the tests themselves run: their order, their progress, what each file costs, second tries, and the long ones."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests import alone, long_tests
from tests.support.test_runs.file_costs import Costs
from tests.support.test_runs.run_progress import ordered, words_for

ROOT = Path(__file__).resolve().parents[2]


def test_files_that_failed_come_first_then_the_longest_and_each_stays_whole() -> None:
    names = ["a.py::one", "a.py::two", "b.py::one", "c.py::one", "c.py::two", "d.py::one"]
    places = ordered(names, {"a.py": 1.0, "c.py": 9.0, "d.py": 2.0}, {"b.py::one"})
    assert [names[place] for place in places] == ["b.py::one", "c.py::one", "c.py::two", "d.py::one", "a.py::one", "a.py::two"]
    assert ordered(names, {}, set()) == [0, 1, 2, 3, 4, 5]


def test_a_folder_that_shares_an_engine_is_as_long_as_its_files_together() -> None:
    node = "tests/integration/node"
    names = ["tests/a.py::one", f"{node}/b.py::one", "tests/c.py::one", f"{node}/d.py::one"]
    places = ordered(names, {"tests/a.py": 5.0, f"{node}/b.py": 3.0, f"{node}/d.py": 4.0}, set())
    assert [names[place] for place in places] == [names[1], names[3], names[0], names[2]]


@pytest.mark.parametrize(
    ("seconds", "words"), [(0.2, "5 s"), (44.0, "45 s"), (90.0, "90 s"), (100.0, "2 min"), (601.0, "10 min")]
)
def test_the_time_left_is_said_in_round_numbers(seconds: float, words: str) -> None:
    assert words_for(seconds) == words


def test_waiting_is_what_no_processor_was_needed_for() -> None:
    costs = Costs(seconds=3.0, processor=1.0, tests=2)
    costs.add(Costs(seconds=1.5, processor=2.0, ansible=1))
    assert costs.row().split() == ["4.5", "3.0", "1.5", "2", "1", "0", "0", "0"]


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project with tests of its own, and this one's conftest and plugins."""
    (tmp_path / "tests").mkdir()
    (tmp_path / "pyproject.toml").write_text((ROOT / "pyproject.toml").read_text())
    # Copies: what a run notes for the next one stays in its project.
    shutil.copytree(ROOT / "tests" / "support", tmp_path / "tests" / "support", ignore=shutil.ignore_patterns("seconds.json"))
    for name in ("conftest.py", "alone.py", "long_tests.py"):
        shutil.copy(ROOT / "tests" / name, tmp_path / "tests" / name)
    (tmp_path / "tests" / "second_tries.txt").write_text("# none\n")
    for name in ("rehearsal", "collections"):
        (tmp_path / name).symlink_to(ROOT / name)
    return tmp_path


def run(project: Path, *arguments: str) -> tuple[int, str]:
    done = subprocess.run(
        [sys.executable, "-m", *arguments], cwd=project, capture_output=True, text=True, timeout=120, check=False
    )
    return done.returncode, done.stdout + done.stderr


def test_a_whole_run_ends_with_what_to_do_and_the_map_counts_what_was_started(project: Path) -> None:
    tests = {
        "test_well.py": "import subprocess\ndef test_it():\n    subprocess.run(['true'])\n",
        "test_bad.py": "def test_one():\n    assert 0\ndef test_other():\n    assert 0\n",
    }
    for name, text in tests.items():
        (project / "tests" / name).write_text(text)
    flags = ("pytest", "-q", "-n", "2", "--dist", "loadfile", "--progress", "--costs", "map.txt", "tests")
    code, said = run(project, *flags)
    assert code == 1
    assert "Mend what failed, then run it again: .venv/bin/python -m pytest 'tests/test_bad.py::test_one' (1 more: --lf)" in said
    assert said.strip().splitlines()[-1].startswith("2 failed, 1 passed in ")
    rows = {line.split()[-1]: line.split() for line in (project / "map.txt").read_text().splitlines()[1:] if line}
    assert rows["tests/test_bad.py"][3:8] == ["2", "0", "0", "0", "0"]
    assert rows["tests/test_well.py"][3:8] == ["1", "0", "0", "0", "1"]
    assert json.loads((project / "tests" / "support" / "test_runs" / "seconds.json").read_text()) == {}
    (project / "tests" / "test_bad.py").unlink()
    code, said = run(project, *flags)
    assert (code, said.strip().splitlines()[-2]) == (0, "All is well: commit.")


FLAKY = """
from pathlib import Path
def test_it():
    seen = Path(__file__).with_name("seen")
    again = seen.exists()
    seen.touch()
    assert again
"""


@pytest.mark.parametrize(
    ("text", "listed", "code", "said"),
    [
        (FLAKY, "", 0, "tests/test_flaky.py::test_it (not listed yet)"),
        (FLAKY, "tests/test_flaky.py::test_it\n", 0, "Passed on a second try only, a defect each."),
        ("def test_it():\n    assert 0\n", "", 1, "1 failed"),
        ("def test_it():\n    assert 0\n", "tests/test_flaky.py::test_it\n", 1, "1 failed"),
    ],
    ids=["unknown", "listed", "fails again", "listed and fails again"],
)
def test_a_test_that_passes_on_a_second_try_only_is_named(project: Path, text: str, listed: str, code: int, said: str) -> None:
    (project / "tests" / "test_flaky.py").write_text(text)
    (project / "tests" / "second_tries.txt").write_text(f"# until they are mended\n{listed}")
    assert run(project, "pytest", "-q", "tests/test_flaky.py")[0] == 1
    found, words = run(project, "tests.alone", "1")
    assert found == code and said in words and ("tests/test_flaky.py::test_it" in words)


def test_only_tests_that_exist_are_listed_for_a_second_try() -> None:
    names = alone.listed(alone.LISTED.read_text())
    assert [name for name in names if not (ROOT / name.partition("::")[0]).exists()] == []


def test_a_long_test_without_a_reason_is_refused(project: Path) -> None:
    (project / "tests" / "test_long.py").write_text("import pytest\n@pytest.mark.long\ndef test_it():\n    pass\n")
    code, said = run(project, "pytest", "-q", "tests/test_long.py")
    assert code == 4 and 'tests/test_long.py::test_it: say why, @pytest.mark.long("...")' in said


def test_of_many_rows_the_first_and_the_last_one_run_unless_each_is_a_promise(project: Path) -> None:
    rows = "import pytest\n{}@pytest.mark.parametrize('row', range(5))\ndef test_it(row):\n    pass\n"
    for name, mark in {"integration/test_a.py": "", "faults/test_b.py": "@pytest.mark.each_row\n", "unit/test_c.py": ""}.items():
        (project / "tests" / name).parent.mkdir(exist_ok=True)
        (project / "tests" / name).write_text(rows.format(mark))
    _code, said = run(project, "pytest", "-q", "--collect-only", "-m", "not long", "tests")
    found = sorted(line.rpartition("/")[2] for line in said.splitlines() if "::" in line)
    assert found == [
        *(f"test_a.py::test_it[{row}]" for row in (0, 4)),
        *(f"test_{file}.py::test_it[{row}]" for file in "bc" for row in range(5)),
    ]


def test_the_list_of_long_tests_has_each_with_its_reason(tmp_path: Path) -> None:
    texts: dict[str, Any] = {
        "test_all.py": 'import pytest\npytestmark = [pytest.mark.real("docker"), pytest.mark.long("all of it")]\n',
        "test_one.py": 'import pytest\n@pytest.mark.long("one")\ndef test_it():\n    pass\n',
        "test_row.py": 'import pytest\nROWS = [pytest.param(1, marks=pytest.mark.long("a row"))]\n',
        "test_short.py": "def test_it():\n    pass\n",
    }
    for name, text in texts.items():
        (tmp_path / name).write_text(text)
    rows = [json.loads(row) for row in map(json.dumps, long_tests.found(tmp_path))]
    assert rows == [
        ["test_all.py", "all", "all of it"],
        ["test_one.py", "test_it", "one"],
        ["test_row.py", "a row of it", "a row"],
    ]
