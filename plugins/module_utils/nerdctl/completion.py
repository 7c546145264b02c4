# SPDX-License-Identifier: GPL-3.0-or-later
"""Completion of the nerdctl command in the user's shells: which file each shell reads, and who wrote it. Pure but for one look.

nerdctl itself makes the text, inside the VM. It asks nerdctl for every proposal, so it stays right when nerdctl is updated,
and the VM is needed only once.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..core.errors import RefusedStep
from ..core.plan import Pending, Plan, Step
from ..core.system.files import FileState

SHELLS = ("bash", "zsh", "fish")
# At the end: zsh wants its own word in the first line.
MARK = "# Written by laptop.containers; remove the shell from the option completion to have it removed."


@dataclass(frozen=True)
class CompletionState:
    """What was found for one shell: its file, and what nerdctl answered where it was asked (the text, or why there is none)."""

    path: Path
    file: FileState
    text: str = ""
    problem: str = ""


@dataclass(frozen=True)
class WriteCompletion(Step):
    """Write a shell's file."""

    path: Path = Path()
    text: str = ""


@dataclass(frozen=True)
class RemoveCompletion(Step):
    """Remove a shell's file."""

    path: Path = Path()


def completion_file(shell: str, home: Path, environment: Mapping[str, str]) -> Path:
    """Return the user's file in which the shell looks for nerdctl."""
    if shell == "bash":
        return Path(environment.get("XDG_DATA_HOME") or home / ".local/share") / "bash-completion/completions/nerdctl"
    if shell == "fish":
        return Path(environment.get("XDG_CONFIG_HOME") or home / ".config") / "fish/completions/nerdctl.fish"
    # zsh looks into no directory of the user's by itself; this one is the habit.
    return home / ".zfunc/_nerdctl"


def plan_completions(found: Mapping[str, CompletionState], shells: Sequence[str], profile: str) -> Plan:
    """Return the steps by shell. Files of this collection go where their shell is not asked for."""
    steps: list[Step] = []
    pending: list[Pending] = []
    for shell, completion in found.items():
        target = f"{shell} completion '{completion.path}'"
        owned = completion.file.kind == "file" and MARK in completion.file.text
        if shell in shells and completion.file.kind == "absent":
            if completion.problem:
                reason = f"nerdctl in profile '{profile}' did not print it ({completion.problem.rstrip('.')})"
                remedy = f"Start the profile (colima start {profile}) and run again."
                pending.append(Pending(target, "writing it", reason, remedy, kind="profile_stopped"))
            else:
                steps.append(
                    WriteCompletion("write", target, "as nerdctl in the VM prints it", path=completion.path, text=completion.text)
                )
        elif shell in shells and not owned:
            remedy = f"Move it away, or take '{shell}' off O(completion)."
            raise RefusedStep(f"write {target}", "another file is there", remedy)
        elif shell not in shells and owned:
            steps.append(RemoveCompletion("remove", target, path=completion.path))
    return Plan(tuple(steps), _shown(steps, before=True), _shown(steps, before=False), tuple(pending))


def _shown(steps: Sequence[Step], *, before: bool) -> dict[str, Any]:
    text = "completion of nerdctl"
    written = {str(step.path): "absent" if before else text for step in steps if isinstance(step, WriteCompletion)}
    return written | {str(step.path): text if before else "absent" for step in steps if isinstance(step, RemoveCompletion)}


def zsh_warning(home: Path, environment: Mapping[str, str]) -> str:
    """Return what zsh lacks to find its file; empty when a start file names the directory."""
    place = Path(environment.get("ZDOTDIR") or home)
    for name in (".zshenv", ".zprofile", ".zshrc"):
        try:
            if ".zfunc" in (place / name).read_text(encoding="utf-8", errors="replace"):
                return ""
        except OSError:
            continue
    return (
        f"zsh does not look into '{home}/.zfunc' yet, so it does not complete nerdctl. "
        "Add to ~/.zshrc, before compinit: fpath=(~/.zfunc $fpath)"
    )
