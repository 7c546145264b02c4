# SPDX-License-Identifier: GPL-3.0-or-later
"""The radar's page: made from its results, and no difference or failure in it without a test or an explanation."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.radar.differences import DIFFERENCES, unexplained
from tests.radar.page import FILE, page
from tests.radar.results import Result, Suite, load, suite_of, version_of

ROOT = Path(__file__).resolve().parents[2]
CONTRACT = "".join(path.read_text() for path in (ROOT / "tests" / "contract" / "colima").glob("test_*.py"))


def test_the_page_shows_what_was_seen_last() -> None:
    assert FILE.read_text() == page(load())


def test_what_was_seen_is_explained() -> None:
    assert {one.colima: left for one in load().tried.values() if (left := unexplained(one))} == {}


def test_differences_are_shown_by_tests_that_exist() -> None:
    known = set(re.findall(r"^def (test_\w+)", CONTRACT, re.MULTILINE))
    assert {test for difference in DIFFERENCES for test in difference.tests} <= known


@pytest.mark.parametrize(
    ("colima", "lima", "failed", "left"),
    [
        ("0.9.1", "2.1.4", ("test_every_key_is_written",), []),
        ("0.10.2", "2.1.4", ("test_every_key_is_written",), ["test_every_key_is_written"]),
        ("0.10.3", "1.2.2", ("test_a_disk_does_not_shrink",), []),
        ("0.9.1", "2.1.4", ("test_a_disk_does_not_shrink",), ["test_a_disk_does_not_shrink"]),
        ("0.8.1", "1.0.7", ("test_what_is_not_there_is_named[disk unlock d]", "test_new"), ["test_new"]),
    ],
)
def test_a_failure_is_explained_where_the_release_is_old_enough(
    colima: str, lima: str, failed: tuple[str, ...], left: list[str]
) -> None:
    result = Result(colima, lima, "2026-11-26", 1, Suite(1, 0, failed, len(failed)), Suite(1, 0))
    assert unexplained(result) == left


def test_in_the_life_of_a_profile_nothing_is_explained_away() -> None:
    life = Suite(0, 0, ("test_every_key_is_written",), 1)
    assert unexplained(Result("0.8.1", "1.0.7", "2026-11-26", 1, Suite(1, 0), life)) == ["test_every_key_is_written"]


def test_a_report_of_pytest_is_read(tmp_path: Path) -> None:
    (tmp_path / "report.xml").write_text(
        "<testsuites><testsuite>"
        '<testcase name="test_a[real colima and limactl-disk d]"><failure message="x"/></testcase>'
        '<testcase name="test_a[real colima on the stand-in limactl-disk d]"><error message="x"/></testcase>'
        '<testcase name="test_b[real colima and limactl]"/>'
        '<testcase name="test_c"><skipped message="x"/></testcase>'
        "</testsuite></testsuites>"
    )
    assert suite_of(tmp_path / "report.xml") == Suite(1, 1, ("test_a[disk d]",), 2)


def test_versions_are_compared_as_numbers() -> None:
    assert version_of("0.9.1") < version_of("0.10.0") < version_of("0.10.3")
