# SPDX-License-Identifier: GPL-3.0-or-later
"""What is generated from the code is of this code."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests import module_files, role_tables, settings_schema


@pytest.mark.parametrize("check", [module_files.main, role_tables.main, settings_schema.main], ids=lambda check: check.__module__)
def test_a_generated_file_is_of_this_code(check: Callable[[list[str]], int]) -> None:
    assert check(["--check"]) == 0, "run make tables"
