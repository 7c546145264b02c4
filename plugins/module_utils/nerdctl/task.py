# SPDX-License-Identifier: GPL-3.0-or-later
"""The task of nerdctl_wrapper as a whole: options in, one result out. It decides nothing itself; it connects the parts."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from ..colima_paths import parse_name
from ..core.command import Cli
from ..core.errors import InputError
from ..core.plan import Plan, merge, telling
from ..core.user_file import read_file
from .completion import SHELLS, apply_completions, ask_nerdctl, completion_file, plan_completions, zsh_warning
from .moved import Moved
from .wrapper import Wrapper, apply_wrappers, check_wrappers, free_path, path_warnings, plan_wrappers

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
    "completion": {"type": "list", "elements": "str", "choices": list(SHELLS), "default": []},
    "colima": {"type": "path"},
}
HOW_TO_INSTALL = "Install it ('brew install colima'), or set the option colima to its path."
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
    cli = Cli("colima", HOW_TO_INSTALL)
    if cli.installed:
        return cli.path, []
    if needed and check_mode:
        return HOMEBREW, ["colima is not installed here yet; the plan assumes that it will be in /opt/homebrew/bin."]
    return (cli.path if needed else HOMEBREW), []


def completion_plan(wanted: Sequence[str], wrappers: Sequence[Wrapper]) -> tuple[Plan, str | None]:
    """Return the plan for the shells, and the profile whose nerdctl defines completion."""
    profile = next((item.profile for item in wrappers if item.present and item.path.name == "nerdctl"), None)
    if wanted and profile is None and any(item.present for item in wrappers):
        raise InputError(
            "Could not plan completion of 'nerdctl': no wrapper has that name, and nerdctl completes no other. "
            "Name one wrapper nerdctl, or leave completion out."
        )
    files = {shell: completion_file(shell, Path.home(), os.environ) for shell in SHELLS}
    found = {shell: (path, read_file(path)) for shell, path in files.items()}
    return plan_completions(found, wanted if profile is not None else ()), profile


def run(params: Mapping[str, Any], check_mode: bool) -> dict[str, Any]:
    """Converge wrappers and completions and return the result, with its warnings."""
    wrappers = [wrapper_from(options) for options in params["wrappers"]]
    check_wrappers(wrappers)
    colima, assumed = colima_path(params["colima"], any(item.present for item in wrappers), check_mode)
    current = {item.path: read_file(item.path) for item in wrappers}
    moved = Moved(os.environ, str(Path.home()))
    plan = plan_wrappers(current, wrappers, colima, {item.path: free_path(item.path) for item in wrappers}, moved.there())
    completions, profile = completion_plan(params["completion"], wrappers)
    if not check_mode:
        completions, texts = ask_nerdctl(completions, Cli(colima, HOW_TO_INSTALL), profile or "")
        done: list[str] = []
        with telling(done):
            for one in plan.steps:
                apply_wrappers(replace(plan, steps=(one,)), moved)
                done.append(str(one))
            apply_completions(completions, texts)
        for item in wrappers:
            if not item.present:
                moved.forget(item.path)
    both = merge([plan, completions])
    search = os.environ.get("PATH", "").split(os.pathsep)
    # In check mode a name may still run something else; only what is there can be looked up.
    first = {} if check_mode and plan.changed else {item.path.name: shutil.which(item.path.name) for item in wrappers}
    lacks = zsh_warning(Path.home(), os.environ) if profile is not None and "zsh" in params["completion"] else ""
    return {
        "changed": both.changed,
        "actions": both.actions,
        "diff": both.diff,
        "wrappers": [{"path": str(item.path), "profile": item.profile} for item in wrappers if item.present],
        "pending": [item.public() for item in both.pending],
        "guess": bool(assumed),
        "warnings": [
            *assumed,
            *plan.warnings,
            *path_warnings(wrappers, search, first),
            *map(str, completions.pending),
            *filter(None, [lacks]),
        ],
    }
