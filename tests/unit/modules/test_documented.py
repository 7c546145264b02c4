# SPDX-License-Identifier: GPL-3.0-or-later
"""The documentation of each module is that of its options."""

from __future__ import annotations

import importlib
from typing import Any

import pytest
import yaml

from tests.support.in_process_module import PLUGINS, SUBJECTS


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
    text = importlib.import_module(f"{PLUGINS}.modules.{module}").DOCUMENTATION
    assert documented(yaml.safe_load(text).get("options", {})) == documented(dict(SUBJECTS[module].argument_spec))
