# SPDX-License-Identifier: GPL-3.0-or-later
"""The environment file for tools that know no docker contexts (testcontainers, IDEs): what it holds and who wrote it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ...core.errors import RefusedStep, naming_files
from ...core.plan import Plan, Step
from ...core.system.files import FileState, write_file

_FIRST_LINE = "# Written by laptop.containers; changes are lost."


@dataclass(frozen=True)
class WriteEnv(Step):
    """Write the file."""

    path: Path = Path()
    text: str = ""


@dataclass(frozen=True)
class RemoveEnv(Step):
    """Remove the file."""

    path: Path = Path()


def env_text(host: str) -> str:
    """Return the file's text: plain assignments, which shells and IDEs both read."""
    lines = [
        _FIRST_LINE,
        "# In a shell: set -a; . THIS_FILE; set +a   (DOCKER_HOST then comes before docker's contexts)",
        f"DOCKER_HOST={_quoted(host)}",
    ]
    if host.startswith("unix://"):
        # The reaper container mounts the socket as it is named inside the VM.
        lines.append("TESTCONTAINERS_DOCKER_SOCKET_OVERRIDE=/var/run/docker.sock")
    return "\n".join(lines) + "\n"


def _quoted(text: str) -> str:
    return text if all(char.isalnum() or char in "/:._-@" for char in text) else '"' + text.replace('"', '\\"') + '"'


def plan_env_file(path: Path, found: FileState, host: str | None) -> Plan:
    """Return the step that writes the file, or with host None removes it. A file of the user's is refused or left alone."""
    ours = found.kind == "file" and found.text.startswith(_FIRST_LINE)
    target = f"environment file '{path}'"
    before = {str(path): found.text}
    if host is None:
        return Plan((RemoveEnv("remove", target, path=path),), before, {str(path): ""}) if ours else Plan()
    if found.kind in ("other", "dangling") or (not ours and (found.text or not found.readable)):
        reason = "it holds something else" if found.kind == "file" else "it is not a file"
        raise RefusedStep(f"write {target}", reason, "Choose another path.")
    text = env_text(host)
    return Plan((WriteEnv("write", target, path=path, text=text),), before, {str(path): text}) if found.text != text else Plan()


def apply_env_file(step: WriteEnv | RemoveEnv) -> None:
    """Carry out a step."""
    if isinstance(step, WriteEnv):
        write_file(step.path, step.text, 0o644, "Choose a path that you can write.")
        return
    with naming_files(f"remove {step.target}", "Make its directory writable, and run again."):
        step.path.unlink(missing_ok=True)
