# SPDX-License-Identifier: GPL-3.0-or-later
"""docs/faults.md: each row is of a test that exists, each test of a fault has a row, and there are enough of them."""

from __future__ import annotations

import pytest

from tests.support.test_runs import fault_rows
from tests.support.test_runs.fault_rows import Fault, Row, plain, rows_of

# These hold what the others of their files rest on, or look at whole histories of several programs.
NO_FAULTS = {
    "tests/faults/test_colima_kill.py::test_the_kills_of_this_file_fell_into_runs",
    "tests/faults/test_kubeconfig.py::test_runs_at_the_same_moment_lose_no_entry",
    "tests/faults/test_kubeconfig.py::test_kubectl_beside_runs_loses_nothing_of_its_own",
    "tests/faults/test_move.py::test_the_daily_run_moves_a_profile_that_is_to_be_recreated",
    "tests/faults/test_move.py::test_a_disk_that_fills_up_is_named_and_gets_no_half_file",
}
LEAST = 100


def test_each_row_is_of_a_test_that_exists_and_each_test_of_a_fault_has_one() -> None:
    assert {row.function for row in rows_of(fault_rows.PAGE.read_text())} == {*fault_rows.marked()}


def test_each_test_in_the_folder_of_faults_says_what_it_breaks() -> None:
    files = sorted((fault_rows.ROOT / "tests/faults").glob("test_*.py"))
    bare = {
        f"{file.relative_to(fault_rows.ROOT)}::{name}"
        for file in files
        for name, is_fault in fault_rows.tests_in(file)
        if not is_fault
    }
    assert bare == NO_FAULTS


def test_there_are_enough_rows_and_none_is_empty() -> None:
    rows = rows_of(fault_rows.PAGE.read_text())
    assert len(rows) >= LEAST
    assert [row for row in rows if not all(row)] == []
    assert fault_rows.PAGE.read_text().startswith(fault_rows.HEAD)


def test_a_row_survives_being_written_and_read() -> None:
    row = Row("a | b", "Could not: {}.", "c", "nothing to do", "tests/x.py::test_y[a|b]")
    assert rows_of(fault_rows.HEAD + f"{row}\n") == [row]
    assert row.function == "tests/x.py::test_y"


def test_a_row_needs_the_run_that_was_disturbed_and_a_good_one_after_it() -> None:
    fault = Fault("x", "y", [(False, "made"), (True, "no"), (False, "renewed"), (False, "fresh")])
    assert fault.row("t") == Row("x", "no", "y", "renewed; then fresh", "t")
    for runs in ([], [(True, "no")], [(False, "made"), (True, "no")]):
        with pytest.raises(AssertionError):
            Fault("x", "y", runs).row("t")


def test_what_differs_from_run_to_run_is_left_out() -> None:
    said = "'/tmp/pytest-1/x' at 127.0.0.1:4242 (process 77) since 2026-12-01T01:02:03Z, 5.5 GiB, commit 0123456789abcdef"
    assert plain(said) == "'{}' at 127.0.0.1:{} (process {}) since {}, {}, commit {}"
    assert len(plain("word " * 200)) < 300
