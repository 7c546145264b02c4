# SPDX-License-Identifier: GPL-3.0-or-later
"""The nerdctl command on the host: a two-line script bound to one colima profile, as `colima nerdctl install` writes it.

colima's own command asks for a password for its default path, fails when the right script is already there, and may report
success without writing anything; so this collection writes the script. Pure.
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
from ..core.system.files import FileState, check_path

# The form of every colima so far; the profile and colima's own path are what may differ.
_SCRIPT = re.compile(
    r"#!\s*\S.*\n\s*(?:exec )?(?:\"?[^\n\"]*colima\"?|'(?:[^'\n]|'\"'\"')*colima')"
    r" nerdctl (?:--profile|-p)[ =](?P<profile>\S+) -- \"\$@\"\s*"
)


@dataclass(frozen=True)
class WrapperSpec:
    """What is asked of one path. move_foreign allows a file that is not such a script to be moved aside."""

    path: Path
    profile: str
    present: bool = True
    move_foreign: bool = False


@dataclass(frozen=True)
class WrapperState:
    """What was found for one path. free is where its file could be moved to.

    owned: whether an earlier run wrote the script; moved: where that run put the user's file, if it is still there.
    """

    file: FileState
    free: Path
    owned: bool = False
    moved: Path | None = None


@dataclass(frozen=True)
class WriteWrapper(Step):
    """Write the script. moved_to: where the file that is there goes first."""

    path: Path = Path()
    text: str = ""
    moved_to: Path | None = None


@dataclass(frozen=True)
class RemoveWrapper(Step):
    """Remove the script."""

    path: Path = Path()


@dataclass(frozen=True)
class RestoreFile(Step):
    """Put the user's file back."""

    path: Path = Path()
    moved_from: Path = Path()


@dataclass(frozen=True)
class ForgetWrapper(Step):
    """Remove the note of a path; silent."""

    path: Path = Path()


def script(colima: str, profile: str) -> str:
    """Return the text of the wrapper, exactly what colima writes; but colima's own path with a space would not work there."""
    return f'#!/usr/bin/env sh\n\n{shlex.quote(colima)} nerdctl --profile {profile} -- "$@"\n'


def removal(path: Path | str, profile: object) -> tuple[str, str, str]:
    """Return verb, target and detail of a removal. colima_profile shows the same, so a summary of both has the line once."""
    return "remove", f"nerdctl wrapper '{path}'", f"for profile '{profile}'"


def bound_profile(text: str) -> str | None:
    """Return the profile that a wrapper is bound to, or None when the text is not a wrapper."""
    match = _SCRIPT.fullmatch(text)
    return match["profile"] if match else None


def check_wrappers(wrappers: Sequence[WrapperSpec]) -> None:
    """Raise InputError for invalid or repeated paths."""
    paths = [item.path for item in wrappers]
    for path in paths:
        check_path("path of a nerdctl wrapper", str(path), suffix=".moved.99")
        if paths.count(path) > 1:
            raise InputError(f"plan nerdctl wrapper '{path}'", "it is listed twice", "Give each profile a path of its own.")


def plan_wrappers(places: Mapping[Path, WrapperState], wrappers: Sequence[WrapperSpec], colima: str) -> Plan:
    """Return the steps from what was found to what is asked for."""
    steps: list[Step] = []
    warnings: list[str] = []
    after: dict[Path, str] = {path: _shown(place.file) for path, place in places.items()}
    for item in wrappers:
        place = places[item.path]
        if item.present:
            steps += _present(place, item, script(colima, item.profile))
            after[item.path] = script(colima, item.profile)
            continue
        gone = _absent(place, item.path, script(colima, item.profile))
        steps += gone
        if any(isinstance(step, RemoveWrapper) for step in gone):
            after[item.path] = "absent"
        if any(isinstance(step, RestoreFile) for step in gone):
            after[item.path] = f"what is in {place.moved}"
        elif not any(isinstance(step, RemoveWrapper) for step in gone) and place.file.kind != "absent":
            warnings.append(f"'{item.path}' was not written by laptop.containers and was left alone.")
    before: dict[str, Any] = {str(path): _shown(place.file) for path, place in places.items()}
    return Plan(tuple(steps), before, {str(path): text for path, text in after.items()}, warnings=tuple(warnings))


def _shown(file: FileState) -> str:
    return file.text or file.kind


def why_not_written(item: WrapperSpec, found: FileState) -> RefusedStep | None:
    """Return why a wrapper can't be written where this file is; None where it can."""
    if found.kind == "other":
        return RefusedStep(f"write nerdctl wrapper '{item.path}'", "it is not a file", "Move it away, or choose another path.")
    if found.kind == "file" and bound_profile(found.text) is None and not item.move_foreign:
        remedy = "Choose another path, or set 'move_foreign: true' in its entry of O(wrappers) to have it moved aside."
        return RefusedStep(f"write nerdctl wrapper '{item.path}'", "another file is there", remedy)
    return None


def _present(place: WrapperState, item: WrapperSpec, text: str) -> list[Step]:
    found, target = place.file, f"nerdctl wrapper '{item.path}'"
    bound = bound_profile(found.text) if found.kind == "file" else None
    if found.kind == "absent":
        return [WriteWrapper("write", target, f"for profile '{item.profile}'", path=item.path, text=text)]
    if refusal := why_not_written(item, found):
        raise refusal
    if bound is not None and (place.owned or found.text == text):
        return _rewrite(found, item, text, bound)
    # The user's own, also where it has colima's form: it is kept.
    detail = f"profile '{bound}' -> '{item.profile}', " if bound is not None and bound != item.profile else ""
    return [
        WriteWrapper("write", target, f"{detail}old file moved to {place.free}", path=item.path, text=text, moved_to=place.free)
    ]


def _rewrite(found: FileState, item: WrapperSpec, text: str, bound: str) -> list[Step]:
    reasons = (
        (bound != item.profile, f"profile '{bound}' -> '{item.profile}'"),
        (found.text != text, "path of the colima command"),
        (not found.mode & 0o100, "made executable"),
    )
    why = next((words for applies, words in reasons if applies), "")
    return [WriteWrapper("write", f"nerdctl wrapper '{item.path}'", why, path=item.path, text=text)] if why else []


def _absent(place: WrapperState, path: Path, text: str) -> list[Step]:
    # As where it is written: a file with this text is the wrapper, whatever became of the note of it.
    ours = place.file.kind == "file" and (place.owned or place.file.text == text)
    bound = bound_profile(place.file.text) if ours else None
    steps: list[Step] = [RemoveWrapper(*removal(path, bound), path=path)] if bound is not None else []
    if place.moved is not None and (bound is not None or place.file.kind == "absent"):
        steps.append(RestoreFile("restore", f"'{path}'", f"from {place.moved}", path=path, moved_from=place.moved))
    if place.owned:
        steps.append(ForgetWrapper("forget", f"'{path}'", path=path, silent=True))
    return steps


def path_warnings(wrappers: Sequence[WrapperSpec], search: Sequence[str], first: Mapping[str, str | None]) -> list[str]:
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
