# SPDX-License-Identifier: GPL-3.0-or-later
"""The last lines of a run over many laptops."""

from __future__ import annotations

from ansible_collections.laptop.containers.plugins.module_utils.progress.fleet import LaptopOutcome, LaptopResult, fleet_lines


def test_the_count_comes_first_and_what_a_person_has_to_look_at_last() -> None:
    laptops = [
        LaptopResult("anna", LaptopOutcome.FAILED, "colima: Could not start it."),
        LaptopResult("ben", LaptopOutcome.UNCHANGED),
        LaptopResult("cleo", LaptopOutcome.AWAY, "Connection refused"),
        LaptopResult("dora", LaptopOutcome.CHANGED),
        LaptopResult("emil", LaptopOutcome.LEFT_ALONE),
        LaptopResult("fritz", LaptopOutcome.UNCHANGED),
    ]
    assert list(fleet_lines(laptops)) == [
        (None, "6 laptops", ["2 unchanged, 1 changed, 1 left alone, 1 failed, 1 did not answer"]),
        (LaptopOutcome.LEFT_ALONE, "left alone", ["emil"]),
        (LaptopOutcome.AWAY, "did not answer", ["cleo: Connection refused"]),
        (LaptopOutcome.FAILED, "failed", ["anna: colima: Could not start it."]),
    ]


def test_where_all_is_well_there_is_one_line() -> None:
    assert list(fleet_lines([LaptopResult("ben", LaptopOutcome.UNCHANGED)])) == [(None, "1 laptop", ["1 unchanged"])]
