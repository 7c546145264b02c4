# SPDX-License-Identifier: GPL-3.0-or-later
"""The nerdctl command on the host: a two-line script bound to one colima profile, as `colima nerdctl install` writes it.

We write it ourselves because colima's own command asks for a password for its default path, fails when the right script
is already there, and may report success without having written anything.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..core.errors import InputError, RefusedStep
from ..core.plan import Plan, Step
from ..core.user_file import FileState, write_file
from .moved import Moved

# The form of every colima so far; the profile and colima's own path are what may differ.
_SCRIPT = re.compile(
    r"#!\s*\S.*\n\s*(?:exec )?(?:\"?[^\n\"]*colima\"?|'(?:[^'\n]|'\"'\"')*colima')"
    r" nerdctl (?:--profile|-p)[ =](?P<profile>\S+) -- \"\$@\"\s*"
)
_REMEDY = "Choose a path in your home, such as ~/.local/bin/nerdctl, or run the task with become."


@dataclass(frozen=True)
class Wrapper:
    """What is asked of one path. move_foreign allows a file that is not such a script to be moved aside."""

    path: Path
    profile: str
    present: bool = True
    move_foreign: bool = False


@dataclass(frozen=True)
class WrapperStep(Step):
    """A step with the file that it writes (text), brings back (moved_from) or removes, and where a foreign file goes first."""

    path: Path = Path()
    text: str | None = None
    moved_to: Path | None = None
    moved_from: Path | None = None


def script(colima: str, profile: str) -> str:
    """Return the text of the wrapper, letter by letter what colima writes; but its own path with a space would not work."""
    return f'#!/usr/bin/env sh\n\n{shlex.quote(colima)} nerdctl --profile {profile} -- "$@"\n'


def bound_profile(text: str) -> str | None:
    """Return the profile that a wrapper is bound to, or None when the text is no wrapper."""
    match = _SCRIPT.fullmatch(text)
    return match["profile"] if match else None


def check_wrappers(wrappers: Sequence[Wrapper]) -> None:
    """Raise InputError for what can't be meant."""
    paths = [item.path for item in wrappers]
    for path in paths:
        if not path.is_absolute():
            raise InputError(f"Could not use nerdctl wrapper path '{path}': it is not absolute. Start it with '/' or '~/'.")
        if paths.count(path) > 1:
            raise InputError(f"Could not plan nerdctl wrapper '{path}': it is listed twice. Give each profile its own path.")


def plan_wrappers(
    current: Mapping[Path, FileState],
    wrappers: Sequence[Wrapper],
    colima: str,
    free: Mapping[Path, Path],
    moved: Mapping[Path, Path],
) -> Plan:
    """Return the steps. free tells, per path, where a foreign file could be moved to; moved, where an earlier run moved one."""
    check_wrappers(wrappers)
    steps: list[Step] = []
    warnings: list[str] = []
    for item in wrappers:
        found = current[item.path]
        if item.present:
            step = _plan_present(found, item, script(colima, item.profile), free[item.path])
            steps += [step] if step else []
            continue
        ours = found.kind == "file" and bound_profile(found.text) is not None
        if ours:
            steps.append(WrapperStep("remove", f"nerdctl wrapper '{item.path}'", path=item.path))
        if item.path in moved and (ours or found.kind == "absent"):
            place = moved[item.path]
            steps.append(WrapperStep("bring back", f"'{item.path}'", f"from {place}", path=item.path, moved_from=place))
        elif not ours and found.kind != "absent":
            warnings.append(f"'{item.path}' is not a nerdctl wrapper for colima and was left alone.")
    after = {
        **current,
        **{item.path: FileState("file", script(colima, item.profile), 0o755) for item in wrappers if item.present},
    }
    after |= {
        step.path: FileState("file", f"what is in {step.moved_from}") if step.moved_from else FileState("absent")
        for step in steps
        if isinstance(step, WrapperStep) and step.text is None
    }
    return Plan(tuple(steps), _shown(current, wrappers), _shown(after, wrappers), warnings=tuple(warnings))


def _plan_present(found: FileState, item: Wrapper, text: str, moved_to: Path) -> WrapperStep | None:
    bound = bound_profile(found.text) if found.kind == "file" else None
    target = f"nerdctl wrapper '{item.path}'"
    if found.kind == "absent":
        return WrapperStep("write", target, f"for profile '{item.profile}'", path=item.path, text=text)
    if bound is None:
        if not item.move_foreign or found.kind == "other":
            raise RefusedStep(
                f"Could not write nerdctl wrapper '{item.path}': something else is there. "
                "Choose another path, or set move_foreign to have the file moved aside."
            )
        return WrapperStep("write", target, f"old file moved to {moved_to}", path=item.path, text=text, moved_to=moved_to)
    if bound != item.profile:
        return WrapperStep("write", target, f"profile '{bound}' -> '{item.profile}'", path=item.path, text=text)
    if found.text != text:
        return WrapperStep("write", target, "path of the colima command", path=item.path, text=text)
    if not found.mode & 0o100:
        return WrapperStep("write", target, "made executable", path=item.path, text=text)
    return None


def _shown(state: Mapping[Path, FileState], wrappers: Sequence[Wrapper]) -> dict[str, Any]:
    return {str(item.path): state[item.path].text or state[item.path].kind for item in wrappers}


def free_path(path: Path) -> Path:
    """Return the first of path.moved, path.moved.1, ... that is not taken."""
    candidate, number = path.with_name(f"{path.name}.moved"), 0
    while candidate.exists() or candidate.is_symlink():
        number += 1
        candidate = path.with_name(f"{path.name}.moved.{number}")
    return candidate


def apply_wrappers(plan: Plan, moved: Moved) -> None:
    """Run the steps."""
    for step in plan.steps:
        if not isinstance(step, WrapperStep):
            continue
        try:
            if step.moved_to is not None:
                # Noted first: killed in between, it can still come back.
                moved.note(step.path, step.moved_to)
                step.path.rename(step.moved_to)
            if step.moved_from is not None:
                step.moved_from.rename(step.path)
            elif step.text is None:
                step.path.unlink(missing_ok=True)
        except OSError as error:
            raise InputError(f"Could not {step.verb} '{step.path}': {error.strerror}. {_REMEDY}") from error
        if step.text is not None:
            write_file(step.path, step.text, 0o755, _REMEDY)


def path_warnings(wrappers: Sequence[Wrapper], search: Sequence[str], first: Mapping[str, str | None]) -> list[str]:
    """Return why a wrapper would not be what its name runs. search is PATH; first tells what a name runs today."""
    warnings = []
    for item in (item for item in wrappers if item.present):
        name, directory = item.path.name, str(item.path.parent)
        found = first.get(name)
        if directory not in search:
            warnings.append(
                f"'{directory}' is not on the PATH of this run, so typing '{name}' does not start '{item.path}'. "
                f'Add it to PATH in your shell\'s start file: export PATH="{directory}:$PATH"'
            )
        elif found is not None and found != str(item.path):
            warnings.append(
                f"Typing '{name}' starts '{found}', which comes before '{item.path}' on PATH. Give the wrapper another name."
            )
    return warnings
