# SPDX-License-Identifier: GPL-3.0-or-later
"""The last lines of a run over many laptops."""

from __future__ import annotations

from ansible_collections.laptop.containers.plugins.module_utils.progress.fleet import Laptop, Outcome, fleet_lines


def test_the_count_comes_first_and_what_a_person_has_to_look_at_last() -> None:
    laptops = [
        Laptop("anna", Outcome.FAILED, "colima: Could not start it."),
        Laptop("ben", Outcome.UNCHANGED),
        Laptop("cleo", Outcome.AWAY, "Connection refused"),
        Laptop("dora", Outcome.CHANGED),
        Laptop("emil", Outcome.LEFT_ALONE),
        Laptop("fritz", Outcome.UNCHANGED),
    ]
    assert list(fleet_lines(laptops)) == [
        (None, "6 laptops", ["2 unchanged, 1 changed, 1 left alone, 1 failed, 1 did not answer"]),
        (Outcome.LEFT_ALONE, "left alone", ["emil"]),
        (Outcome.AWAY, "did not answer", ["cleo: Connection refused"]),
        (Outcome.FAILED, "failed", ["anna: colima: Could not start it."]),
    ]


def test_where_all_is_well_there_is_one_line() -> None:
    assert list(fleet_lines([Laptop("ben", Outcome.UNCHANGED)])) == [(None, "1 laptop", ["1 unchanged"])]
