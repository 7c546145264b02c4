# SPDX-License-Identifier: GPL-3.0-or-later
"""The task of colima_profile as a whole: options in, one result out. It decides nothing itself; it connects the parts."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from ..colima_paths import resolve
from ..core.errors import InputError, naming_files
from .client.programs import Colima
from .converge import Request, converge
from .model.desired import desired_from, policy_from
from .model.options import profile_options
from .observe.host import host_from

ARGUMENT_SPEC: dict[str, Any] = {
    "profiles": {"type": "list", "elements": "dict", "options": profile_options(name_required=True)},
    **profile_options(name_required=False),
    "restart": {"type": "str", "choices": ["always", "if_idle", "never"], "default": "if_idle"},
    "on_fixed_change": {
        "type": "str",
        "choices": ["refuse", "warn", "recreate", "recreate_with_data_loss"],
        "default": "refuse",
    },
    "confirm_data_loss": {"type": "list", "elements": "str", "default": []},
    "delete_data": {"type": "bool", "default": False},
    "timeout": {"type": "int", "default": 1800},
    "stall_timeout": {"type": "int", "default": 600},
    "host": {
        "type": "dict",
        "options": {
            "cpus": {"type": "int"},
            "memory_mib": {"type": "int"},
            "reserve_memory_mib": {"type": "int", "default": 1024},
            "disk_free_mib": {"type": "int"},
            "system": {"type": "str", "choices": ["Darwin", "Linux"]},
            "arch": {"type": "str"},
            "weight": {"type": "float"},
        },
    },
}
RULES: dict[str, Any] = {
    "mutually_exclusive": [("profiles", option) for option in profile_options(name_required=False)],
    "required_one_of": [("profiles", "name")],
}


@naming_files("converge the colima profiles")
def run(params: Mapping[str, Any], check_mode: bool) -> dict[str, Any]:
    """Converge the profiles and return the result, with its warnings."""
    given = params["host"] or {}
    paths = resolve(os.environ, given.get("system") or os.uname().sysname)
    profiles = params["profiles"] if params["profiles"] is not None else [params]
    host = host_from(given, os.environ, paths.lima, with_chip=any(one.get("nested_virtualization") for one in profiles))
    desired = desired_from(profiles, host)
    limits = {"timeout": _seconds(params, "timeout"), "stall": _seconds(params, "stall_timeout")}
    request = Request(tuple(desired), policy_from(params), host, limits)
    outcome = converge(Colima(paths), request, check_mode)
    return {
        "changed": bool(outcome.actions),
        **({"bookkeeping": True} if check_mode and outcome.bookkeeping else {}),
        "actions": list(outcome.actions),
        "pending": [item.public() for item in outcome.plan.pending],
        "profiles": list(outcome.profiles),
        "diff": outcome.plan.diff,
        "warnings": list(outcome.plan.warnings),
    }


def _seconds(params: Mapping[str, Any], option: str) -> int:
    """Return a time limit. Raises InputError for one that would end every start before it began."""
    seconds: int = params[option]
    if seconds < 1:
        usual = ARGUMENT_SPEC[option]["default"]
        raise InputError(f"Could not use {option} {seconds}: no start ends before it begins. Give seconds, such as {usual}.")
    return seconds
