# SPDX-License-Identifier: GPL-3.0-or-later
"""Every option of every module has a setting that binds it, or a reason why none does; the page says so."""

from __future__ import annotations

import pytest

from tests.unit.policy.option_table import NO_SETTING, PAGE, WAYS, Row, page, rows

ROWS = list(rows())


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row.module}.{row.option} {row.setting}")
def test_a_rule_holds_in_every_way(row: Row) -> None:
    passed_over = [way for way in WAYS if not row.held.get(way)]
    assert row.why or not passed_over, f"{row.option}: let a role pass it, or say why not in NO_SETTING of option_table.py"


def test_no_reason_is_left_of_an_option_that_has_a_setting() -> None:
    assert {(row.module, row.option) for row in ROWS if not row.setting} == set(NO_SETTING)


def test_settings_of_all_task_files_bind() -> None:
    bound = {(row.module, row.setting) for row in ROWS}
    assert {("cluster_migration", "migrate_pause"), ("cluster_migration", "migrate_cluster_secrets")} <= bound
    assert ("move", "move_runtime") in bound


def test_the_page_is_of_this_code() -> None:
    assert PAGE.read_text() == page(), "run python tests/unit/policy/option_table.py"
