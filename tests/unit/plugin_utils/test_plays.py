# SPDX-License-Identifier: GPL-3.0-or-later
"""Tasks that can't run are left out of a play before it begins, and no others."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from tests.support.ansible_runs.left_out import modules_left

SETTINGS = ("workstation_autostart", "workstation_idle_stop")


def role(name: str, condition: object = True) -> dict[str, Any]:
    """Return a task that imports a role."""
    return {"import_role": {"name": f"laptop.containers.{name}", "rolespec_validate": False}, "when": condition}


def case(*tasks: Mapping[str, Any], **hosts: Mapping[str, Any]) -> dict[str, Any]:
    """Return a play for laptops with these variables."""
    return {"tasks": tasks, "hosts": hosts or {"laptop": {}}}


NERDCTL, SOCKET = role("nerdctl"), role("docker_cli")
WANTED = "workstation_autostart | default(false) | bool"
AUTOSTART = role("autostart", WANTED)
CASES: dict[str, tuple[dict[str, Any], list[str]]] = {
    "a role that no setting asks for": (case(NERDCTL, AUTOSTART), ["nerdctl_wrapper"]),
    "nothing but a role that no setting asks for": (case(AUTOSTART), ["user_timer"]),
    "a role that is asked for": (case(AUTOSTART, laptop={"workstation_autostart": True}), ["user_timer"]),
    "a role that one of the laptops asks for": (case(AUTOSTART, one={}, other={"workstation_autostart": True}), ["user_timer"]),
    "a task inside of a role": (case(SOCKET), ["docker_cli_config"]),
    "a task inside of a role that is asked for": (
        case(SOCKET, laptop={"docker_cli_socket_link": True}),
        ["docker_cli_config", "docker_socket_link"],
    ),
    "a condition on a result": (
        case(NERDCTL, role("autostart", "nerdctl_result.x | default(false)")),
        ["nerdctl_wrapper", "user_timer"],
    ),
    "a condition on what is unknown": (case(role("autostart", "unknown | default(false)")), ["user_timer"]),
    "a condition on a fact": (case(role("autostart", "ansible_facts.system == 'Darwin'")), ["user_timer"]),
    "a condition that is none": (case(role("autostart", "not valid (")), ["user_timer"]),
    "a play with tasks of others": (case({"set_fact": {"workstation_autostart": True}}, AUTOSTART), ["set_fact", "user_timer"]),
}


@pytest.fixture(scope="module")
def left() -> dict[str, list[str]]:
    """The modules that stay, of all cases."""
    return modules_left({name: play for name, (play, _expected) in CASES.items()}, SETTINGS)


@pytest.mark.parametrize("name", CASES)
def test_only_what_settings_alone_rule_out_is_left_out(name: str, left: dict[str, list[str]]) -> None:
    assert left[name] == CASES[name][1]
