# SPDX-License-Identifier: GPL-3.0-or-later
"""nerdctl wrappers and completion as a subject: options, reading, and carrying out each step."""

from __future__ import annotations

import contextlib
import os
import platform
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import dropwhile
from pathlib import Path
from typing import Any

from ..colima_paths import parse_name
from ..core.entries import STATE, in_state
from ..core.errors import CommandFailed, InputError, naming_files
from ..core.install import homebrew_programs
from ..core.notes import Notes
from ..core.plan import Plan, Step, merge
from ..core.subject import Result, Subject
from ..core.system.command import Cli
from ..core.system.files import aside, read_file, rename_new, write_file
from ..core.system.lock import user_files
from ..core.system.logfmt import final_message
from .completion import (
    MARK,
    SHELLS,
    CompletionState,
    RemoveCompletion,
    WriteCompletion,
    completion_file,
    plan_completions,
    zsh_warning,
)
from .wrapper import (
    ForgetWrapper,
    RemoveWrapper,
    RestoreFile,
    WrapperSpec,
    WrapperState,
    WriteWrapper,
    check_wrappers,
    path_warnings,
    plan_wrappers,
)

# Where colima's own page for Linux puts it.
_ON_LINUX = "/usr/local/bin/colima"
_REMEDY = "Choose a path in your home, such as ~/.local/bin/nerdctl, or run the task with become."
_COMPLETION_REMEDY = "Make the directory writable, or take the shell off O(completion)."
_SECONDS = 30.0


@dataclass(frozen=True)
class NerdctlSpec:
    """What the options ask for. profile is the one whose nerdctl is completed; colima is empty where it has to be found."""

    wrappers: tuple[WrapperSpec, ...]
    shells: tuple[str, ...]
    profile: str
    colima: str
    check_mode: bool


@dataclass(frozen=True)
class NerdctlState:
    """What was found. assumed: colima is not installed yet, and colima is where Homebrew would put it."""

    places: Mapping[Path, WrapperState]
    completions: Mapping[str, CompletionState]
    colima: str
    assumed: bool


class Nerdctl(Subject[NerdctlSpec, NerdctlState]):
    """The nerdctl command on the host."""

    argument_spec = {
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
        "state": STATE,
        "completion": {"type": "list", "elements": "str", "choices": list(SHELLS), "default": []},
        "colima": {"type": "path"},
    }
    work = "converge the nerdctl wrappers"

    def __init__(self) -> None:
        self.notes = Notes("nerdctl_wrapper")
        self.asked: dict[str, tuple[str, str]] = {}

    def programs(self, spec: NerdctlSpec) -> tuple[str, ...]:
        """Return colima where a wrapper has to call it."""
        return ("colima",) if not spec.colima and any(item.present for item in spec.wrappers) else ()

    def lock(self) -> contextlib.AbstractContextManager[bool]:
        """Keep other runs away from the user's files."""
        return user_files(self.work)

    def parse(self, params: Mapping[str, Any], *, check_mode: bool) -> NerdctlSpec:
        """Return the wrappers and shells. Raises InputError."""
        wrappers = tuple(_wrapper(options) for options in in_state(params["wrappers"], params["state"]))
        check_wrappers(wrappers)
        present = [item for item in wrappers if item.present]
        profile = next((item.profile for item in present if item.path.name == "nerdctl"), "")
        if params["completion"] and present and not profile:
            raise InputError(
                "plan completion of 'nerdctl'",
                "no wrapper has that name, and nerdctl completes no other",
                "Name one wrapper nerdctl, or leave O(completion) out.",
            )
        given = params["colima"] or ""
        if given and not (Path(given).is_absolute() and os.access(given, os.X_OK)):
            raise InputError(f"use colima command '{given}'", "that program does not exist", "Give its absolute path.")
        return NerdctlSpec(wrappers, tuple(params["completion"]) if profile else (), profile, given, check_mode)

    def read(self, spec: NerdctlSpec) -> NerdctlState:
        """Return what is at the paths, and what nerdctl answers where a completion has to be written."""
        noted = self.notes.read()
        cli = Cli("colima")
        missing = not spec.colima and not cli.installed
        needed = any(item.present for item in spec.wrappers)
        # Raises ToolMissing in a real run.
        search = cli.environment["PATH"]
        of_homebrew = platform.system() == "Darwin" or shutil.which("brew", path=search)
        guess = f"{homebrew_programs(search=search)}/colima" if of_homebrew else _ON_LINUX
        colima = spec.colima or (guess if missing and (spec.check_mode or not needed) else cli.path)
        files = {shell: completion_file(shell, Path.home(), os.environ) for shell in SHELLS}
        return NerdctlState(
            {item.path: _place(item.path, noted) for item in spec.wrappers},
            {shell: self._completion(spec, colima, shell, path) for shell, path in files.items()},
            colima,
            missing and needed,
        )

    def plan(self, spec: NerdctlSpec, current: NerdctlState) -> Plan:
        """Return the steps for wrappers, then for completions."""
        wrappers = plan_wrappers(current.places, spec.wrappers, current.colima)
        return merge([wrappers, plan_completions(current.completions, spec.shells, spec.profile)])

    def apply(self, step: Step) -> None:
        """Carry out one step."""
        if isinstance(step, WriteCompletion):
            write_file(step.path, step.text, 0o644, _COMPLETION_REMEDY)
        elif isinstance(step, RemoveCompletion):
            with naming_files(f"remove {step.target}", _COMPLETION_REMEDY):
                step.path.unlink(missing_ok=True)
        elif isinstance(step, ForgetWrapper):
            with self.notes.edit() as notes:
                notes.pop(str(step.path), None)
        elif isinstance(step, WriteWrapper):
            self._write(step)
        elif isinstance(step, RemoveWrapper | RestoreFile):
            with naming_files(f"{step.verb} '{step.path}'", _REMEDY):
                if isinstance(step, RemoveWrapper):
                    step.path.unlink(missing_ok=True)
                else:
                    rename_new(step.moved_from, step.path)

    def _write(self, step: WriteWrapper) -> None:
        # Noted first: if the run is killed in between, the user's file can still be restored.
        with self.notes.edit() as notes:
            notes[str(step.path)] = str(step.moved_to or notes.get(str(step.path)) or "")
        if step.moved_to is not None:
            with naming_files(f"move '{step.path}' aside", _REMEDY):
                rename_new(step.path, step.moved_to)
        write_file(step.path, step.text, 0o755, _REMEDY)

    def public(self, outcome: Result[NerdctlSpec, NerdctlState]) -> dict[str, Any]:
        """Return the wrappers after the run, whether the plan rests on a guess, and what keeps a name from running one."""
        spec, assumed = outcome.spec, outcome.after.assumed
        search = os.environ.get("PATH", "").split(os.pathsep)
        # In check mode a name may still run something else; only existing files can be looked up.
        planned = outcome.check_mode and outcome.plan.changed
        first = {} if planned else {item.path.name: shutil.which(item.path.name) for item in spec.wrappers}
        lacks = zsh_warning(Path.home(), os.environ) if "zsh" in spec.shells else ""
        guess = f"colima is not installed here yet; the plan assumes that it will be {outcome.after.colima}."
        return {
            "wrappers": [{"path": str(item.path), "profile": item.profile} for item in spec.wrappers if item.present],
            "guess": assumed,
            "warnings": [*([guess] if assumed else []), *path_warnings(spec.wrappers, search, first), *filter(None, [lacks])],
        }

    def _completion(self, spec: NerdctlSpec, colima: str, shell: str, path: Path) -> CompletionState:
        file = read_file(path)
        if spec.check_mode or shell not in spec.shells or file.kind != "absent":
            return CompletionState(path, file)
        if shell not in self.asked:
            self.asked[shell] = _ask_nerdctl(colima, spec.profile, shell)
        return CompletionState(path, file, *self.asked[shell])


SUBJECT = Nerdctl


def _wrapper(options: Mapping[str, Any]) -> WrapperSpec:
    present = options["state"] == "present"
    return WrapperSpec(
        path=Path(options["path"]),
        profile=parse_name(options["profile"]).name if present else "",
        present=present,
        move_foreign=options["move_foreign"],
    )


def _place(path: Path, noted: Mapping[str, Any]) -> WrapperState:
    moved = Path(str(noted[str(path)])) if noted.get(str(path)) else None
    free = next(dropwhile(os.path.lexists, aside(path, "moved")))
    return WrapperState(read_file(path), free, str(path) in noted, moved if moved and os.path.lexists(moved) else None)


def _ask_nerdctl(colima: str, profile: str, shell: str) -> tuple[str, str]:
    """Return the text of a completion, or an empty one and why there is none."""
    try:
        done = Cli(colima).run("nerdctl", "--profile", profile, "--", "completion", shell, timeout=_SECONDS)
    except CommandFailed as failure:
        return "", final_message(str(failure.context.get("stderr") or "")) or failure.message
    if "nerdctl" not in done.stdout:
        return "", "it printed none"
    return f"{done.stdout.rstrip()}\n\n{MARK}\n", ""
