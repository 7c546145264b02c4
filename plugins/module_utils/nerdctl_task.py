# SPDX-License-Identifier: GPL-3.0-or-later
"""The task of nerdctl_wrapper as a whole: options in, one result out. It decides nothing itself; it connects the parts."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from .cli import Cli
from .colima_paths import parse_name
from .docker_files import read_file
from .errors import InputError
from .nerdctl import Wrapper, apply_wrappers, check_wrappers, free_path, path_warnings, plan_wrappers

ARGUMENT_SPEC: dict[str, Any] = {
    "wrappers": {
        "type": "list",
        "elements": "dict",
        "required": True,
        "options": {
            "path": {"type": "path", "default": "~/.local/bin/nerdctl"},
            "profile": {"type": "str"},
            "move_foreign": {"type": "bool", "default": False},
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
        },
        "required_if": [("state", "present", ["profile"])],
    },
    "colima": {"type": "path"},
}
HOMEBREW = "/opt/homebrew/bin/colima"


def wrapper_from(options: Mapping[str, Any]) -> Wrapper:
    """Return what the user asks of one script."""
    present = options["state"] == "present"
    return Wrapper(
        path=Path(options["path"]),
        profile=parse_name(options["profile"]).name if present else "",
        present=present,
        move_foreign=options["move_foreign"],
    )


def colima_path(given: str | None, needed: bool, check_mode: bool) -> tuple[str, list[str]]:
    """Return the colima command that the scripts call, and warnings. Not installed yet, check mode assumes Homebrew's place."""
    if given is not None:
        if not Path(given).is_absolute() or not os.access(given, os.X_OK):
            raise InputError(f"Could not use colima command '{given}': there is no such program. Give its absolute path.")
        return given, []
    cli = Cli("colima", "Install it ('brew install colima'), or set the option colima to its path.")
    if cli.installed:
        return cli.path, []
    if needed and check_mode:
        return HOMEBREW, ["colima is not installed here yet; the plan assumes that it will be in /opt/homebrew/bin."]
    return (cli.path if needed else HOMEBREW), []


def run(params: Mapping[str, Any], check_mode: bool) -> dict[str, Any]:
    """Converge the wrappers and return the result, with its warnings."""
    wrappers = [wrapper_from(options) for options in params["wrappers"]]
    check_wrappers(wrappers)
    colima, warnings = colima_path(params["colima"], any(item.present for item in wrappers), check_mode)
    current = {item.path: read_file(item.path) for item in wrappers}
    plan = plan_wrappers(current, wrappers, colima, {item.path: free_path(item.path) for item in wrappers})
    if not check_mode:
        apply_wrappers(plan)
    search = os.environ.get("PATH", "").split(os.pathsep)
    # In check mode a name may still run something else; only what is there can be looked up.
    first = {} if check_mode and plan.changed else {item.path.name: shutil.which(item.path.name) for item in wrappers}
    return {
        "changed": plan.changed,
        "actions": plan.actions,
        "diff": plan.diff,
        "wrappers": [{"path": str(item.path), "profile": item.profile} for item in wrappers if item.present],
        "warnings": [*warnings, *plan.warnings, *path_warnings(wrappers, search, first)],
    }
