# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs a module of the collection in this process, as Ansible would: options in, the JSON of its result out."""

from __future__ import annotations

import contextlib
import importlib
import json
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from ansible.module_utils import _internal
from ansible.module_utils.common import warnings as module_warnings
from ansible.module_utils.testing import patch_module_args
from ansible_collections.laptop.containers.plugins.module_utils.core.subject import Subject

from tests.support.test_runs import fault_rows

PLUGINS = "ansible_collections.laptop.containers.plugins"
_CONVERGE = importlib.import_module(f"{PLUGINS}.action.converge")
# By the name of the module.
SUBJECTS: dict[str, type[Subject[Any, Any]]] = {
    name: type(_CONVERGE.subject_of(name)) for name in sorted(_CONVERGE.MODULES) if _CONVERGE.known_subject(name)
}


@contextlib.contextmanager
def as_a_module(arguments: Mapping[str, Any]) -> Iterator[None]:
    """Let this process be that of a module with these arguments."""
    # Ansible collects warnings per process, and shows them at once in one that has loaded its controller.
    module_warnings._global_warnings.clear()
    with pytest.MonkeyPatch.context() as patch, patch_module_args(dict(arguments)):
        patch.setattr(_internal, "is_controller", False)
        yield


class ModuleRun:
    """Call it with a module's name and options; the answer has the keys of an Ansible result."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self.capsys = capsys

    def __call__(self, name: str, /, *, check: bool = False, **options: Any) -> dict[str, Any]:
        module = importlib.import_module(f"{PLUGINS}.modules.{name}")
        self.capsys.readouterr()
        arguments = {**options, "_ansible_check_mode": check, "_ansible_diff": True}
        with as_a_module(arguments), pytest.raises(SystemExit) as ended:
            module.main()
        result: dict[str, Any] = json.loads(self.capsys.readouterr().out)
        assert bool(ended.value.code) == bool(result.get("failed"))
        fault_rows.noted(result)
        return result


def messages(result: dict[str, Any]) -> list[str]:
    """Return the texts of the result's warnings, whatever form this ansible-core gives them."""
    texts = []
    for warning in result.get("warnings", []):
        texts.append(warning if isinstance(warning, str) else str(warning.get("event", warning).get("msg", warning)))
    return texts
