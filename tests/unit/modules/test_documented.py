# SPDX-License-Identifier: GPL-3.0-or-later
"""The documentation of each module is that of its options."""

from __future__ import annotations

from typing import Any

import pytest

from tests import settings_schema
from tests.support.in_process_module import SUBJECTS


def documented(options: dict[str, Any]) -> dict[str, Any]:
    keys = ("type", "choices", "elements", "default", "required")
    result = {}
    for name, option in options.items():
        result[name] = {key: option[key] for key in keys if key in option}
        inner = option.get("suboptions") or option.get("options")
        if inner:
            result[name]["options"] = documented(inner)
    return result


@pytest.mark.parametrize("module", SUBJECTS)
def test_the_documentation_is_that_of_the_options(module: str) -> None:
    assert documented(settings_schema.documented(module)) == documented(dict(SUBJECTS[module].argument_spec))
