# SPDX-License-Identifier: GPL-3.0-or-later
"""What settings mention, found on the laptop before anything is changed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from ansible_collections.laptop.containers.plugins.module_utils.nerdctl.wrapper import script
from ansible_collections.laptop.containers.plugins.plugin_utils.references import foreign_wrappers


def said(**entry: Any) -> list[str]:
    works = {"nerdctl_wrapper": {"wrappers": [{"profile": "k8s", **entry}], "state": "present"}}
    return [sentence for sentence, _at in foreign_wrappers(works, {})]


def test_a_file_of_the_users_holds_up_a_wrapper_before_any_vm_starts(home: Path) -> None:
    mine = home / ".local" / "bin" / "nerdctl"
    mine.parent.mkdir(parents=True)
    mine.write_text("#!/bin/sh\n")
    assert said() == [
        f"Could not write nerdctl wrapper '{mine}': another file is there. Choose another path, or set 'move_foreign: true' in "
        "its entry of nerdctl_wrappers to have it moved aside."
    ]
    assert said(path=str(home)) == [f"Could not write nerdctl wrapper '{home}': it is not a file. Choose another path."]


@pytest.mark.parametrize("entry", [{"move_foreign": True}, {"state": "absent"}, {"path": "~/elsewhere"}], ids=str)
def test_what_can_be_written_or_need_not_is_no_problem(home: Path, entry: dict[str, Any]) -> None:
    (home / ".local" / "bin").mkdir(parents=True)
    (home / ".local" / "bin" / "nerdctl").write_text("#!/bin/sh\n")
    assert said(**entry) == []


def test_a_wrapper_that_was_written_before_is_no_problem(home: Path) -> None:
    (home / "nerdctl").write_text(script("/opt/colima", "k8s"))
    assert said(path="~/nerdctl") == []
