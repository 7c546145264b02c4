# SPDX-License-Identifier: GPL-3.0-or-later
"""What a failure tells of what was done before it."""

from __future__ import annotations

import pytest
from ansible_collections.laptop.containers.plugins.module_utils.colima.carry_out.account import Account
from ansible_collections.laptop.containers.plugins.module_utils.colima.plan.action import Action
from ansible_collections.laptop.containers.plugins.module_utils.colima_paths import parse_name
from ansible_collections.laptop.containers.plugins.module_utils.core.errors import CommandFailed, InputError, WorkstationError
from ansible_collections.laptop.containers.plugins.module_utils.core.plan import telling

STOP = Action("stop", parse_name("k8s"), "stop")
START = Action("start", parse_name("k8s"), "start")
WRITE = Action("write", parse_name("k8s"), "write the settings of", hidden=True)
NOTE = Action("fresh", parse_name("k8s"), "note", hidden=True)


def test_a_failure_tells_what_was_done_and_what_was_begun() -> None:
    account = Account()
    with pytest.raises(InputError) as caught, account.told():
        with account.recorded(STOP):
            pass
        with account.recorded(START):
            raise InputError("no")
    assert caught.value.result == {
        "msg": "no",
        "changed": True,
        "actions": ["stop profile 'k8s'", "start profile 'k8s': not finished"],
    }


@pytest.mark.parametrize(("action", "changed"), [(WRITE, True), (NOTE, False)], ids=["settings", "bookkeeping"])
def test_settings_are_a_change_without_a_line_and_bookkeeping_is_none(action: Action, changed: bool) -> None:
    account = Account()
    with account.recorded(action):
        pass
    assert account.result() == {"changed": changed, "actions": []}


def test_an_interrupted_run_tells_as_well() -> None:
    account = Account()
    with pytest.raises(CommandFailed) as caught, account.told(), account.recorded(STOP):
        raise KeyboardInterrupt
    assert caught.value.result["actions"] == ["stop profile 'k8s': not finished"]
    assert "interrupted. Run again" in caught.value.message


def test_a_refusal_before_the_first_step_did_nothing() -> None:
    assert WorkstationError("no", refusals=["no"]).result == {
        "msg": "no",
        "changed": False,
        "actions": [],
        "refusals": ["no"],
    }


def test_steps_that_were_done_are_told_by_every_module() -> None:
    done: list[str] = []
    with pytest.raises(InputError) as caught, telling(done):
        done.append("create docker context 'a'")
        raise InputError("no")
    assert (caught.value.result["changed"], caught.value.result["actions"]) == (True, ["create docker context 'a'"])
