# SPDX-License-Identifier: GPL-3.0-or-later
"""Completion of the nerdctl command in the user's shells: which file each shell reads, whose it is, and how it comes about.

nerdctl itself makes the text, inside the VM. It asks nerdctl for every proposal, so it stays right when nerdctl is renewed,
and the VM is needed only once.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..core.command import Cli
from ..core.errors import CommandFailed, InputError, RefusedStep
from ..core.plan import Pending, Plan, Step
from ..core.user_file import FileState, write_file

SHELLS = ("bash", "zsh", "fish")
# At the end: zsh wants its own word in the first line.
_MARK = "# Written by laptop.containers; remove the shell from the option completion to have it removed."
_SECONDS = 30.0
_REMEDY = "Make the directory writable, or take the shell off the option completion."


@dataclass(frozen=True)
class CompletionStep(Step):
    """A step with its file; shell is empty where the file is removed."""

    path: Path = Path()
    shell: str = ""


def completion_file(shell: str, home: Path, environment: Mapping[str, str]) -> Path:
    """Return the file of the user's that the shell looks into for nerdctl."""
    if shell == "bash":
        return Path(environment.get("XDG_DATA_HOME") or home / ".local/share") / "bash-completion/completions/nerdctl"
    if shell == "fish":
        return Path(environment.get("XDG_CONFIG_HOME") or home / ".config") / "fish/completions/nerdctl.fish"
    # zsh looks into no directory of the user's by itself; this one is the habit.
    return home / ".zfunc/_nerdctl"


def is_ours(found: FileState) -> bool:
    """Whether a file was written by this project."""
    return found.kind == "file" and _MARK in found.text


def plan_completions(found: Mapping[str, tuple[Path, FileState]], shells: Sequence[str]) -> Plan:
    """Return the steps; found tells file and state per shell. Of shells that are not asked for, our own files go."""
    steps: list[Step] = []
    for shell, (path, state) in found.items():
        target = f"{shell} completion '{path}'"
        if shell in shells and state.kind == "absent":
            steps.append(CompletionStep("write", target, "as nerdctl in the VM prints it", path, shell))
        elif shell in shells and not is_ours(state):
            raise RefusedStep(
                f"Could not write {target}: something else is there. Move it away, or take '{shell}' off the option completion."
            )
        elif shell not in shells and is_ours(state):
            steps.append(CompletionStep("remove", target, path=path))
    changed = {str(step.path): bool(step.shell) for step in steps if isinstance(step, CompletionStep)}
    return Plan(tuple(steps), _shown(changed, there=False), _shown(changed, there=True))


def _shown(changed: Mapping[str, bool], there: bool) -> dict[str, Any]:
    return {path: "completion of nerdctl" if written == there else "absent" for path, written in changed.items()}


def ask_nerdctl(plan: Plan, colima: Cli, profile: str) -> tuple[Plan, dict[str, str]]:
    """Return what is left of the plan where nerdctl does not answer (that is pending), and the texts by shell."""
    texts: dict[str, str] = {}
    kept: list[Step] = []
    pending: list[Pending] = []
    for step in plan.steps:
        if isinstance(step, CompletionStep) and step.shell:
            try:
                texts[step.shell] = _text(colima, profile, step.shell)
            except CommandFailed as failure:
                said = str(failure.context.get("stderr") or "").strip().rpartition("\n")[2] or failure.message
                reason = f"nerdctl in profile '{profile}' did not print it ({said.rstrip('.')})"
                remedy = f"Start the profile (colima start {profile}) and run again."
                pending.append(Pending(step.target, "writing it", reason, remedy))
                continue
        kept.append(step)
    paths = {str(step.path): bool(step.shell) for step in kept if isinstance(step, CompletionStep)}
    return Plan(tuple(kept), _shown(paths, there=False), _shown(paths, there=True), tuple(pending)), texts


def _text(colima: Cli, profile: str, shell: str) -> str:
    done = colima.run("nerdctl", "--profile", profile, "--", "completion", shell, timeout=_SECONDS)
    if "nerdctl" not in done.stdout:
        raise CommandFailed(f"Could not read the {shell} completion of nerdctl: it printed none.", stderr="it printed none")
    return f"{done.stdout.rstrip()}\n\n{_MARK}\n"


def apply_completions(plan: Plan, texts: Mapping[str, str]) -> None:
    """Run the steps."""
    for step in plan.steps:
        if isinstance(step, CompletionStep) and step.shell:
            write_file(step.path, texts[step.shell], 0o644, _REMEDY)
        elif isinstance(step, CompletionStep):
            try:
                step.path.unlink(missing_ok=True)
            except OSError as error:
                raise InputError(f"Could not remove {step.target}: {error.strerror}. {_REMEDY}") from error


def zsh_warning(home: Path, environment: Mapping[str, str]) -> str:
    """Return what zsh lacks to find its file; empty when a start file speaks of the directory."""
    place = Path(environment.get("ZDOTDIR") or home)
    for name in (".zshenv", ".zprofile", ".zshrc"):
        try:
            if ".zfunc" in (place / name).read_text(encoding="utf-8", errors="replace"):
                return ""
        except OSError:
            continue
    return (
        f"zsh does not look into '{home}/.zfunc' yet, so nerdctl is not completed. "
        "Add to ~/.zshrc, before compinit: fpath=(~/.zfunc $fpath)"
    )
