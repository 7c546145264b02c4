# SPDX-License-Identifier: GPL-3.0-or-later
"""The environment file for tools that know no docker contexts (testcontainers, IDEs): what it holds and whose it is."""

from __future__ import annotations

from pathlib import Path

from ...core.errors import RefusedStep
from ...core.files import FileState
from ...core.plan import Plan, Step

_FIRST_LINE = "# Written by laptop.containers; changes are lost."


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
    """Return the step that writes the file, or with host None removes it. A foreign file is refused or left alone."""
    ours = found.kind == "file" and found.text.startswith(_FIRST_LINE)
    text = env_text(host) if host is not None else ""
    target = f"environment file '{path}'"
    if host is None:
        steps = (Step("remove", target),) if ours else ()
    elif not ours and (found.text or not found.readable):
        raise RefusedStep(f"Could not write environment file '{path}': it holds something else. Choose another path.")
    elif found.kind in ("other", "dangling"):
        raise RefusedStep(f"Could not write environment file '{path}': no file is there. Choose another path.")
    else:
        steps = (Step("write", target),) if found.text != text else ()
    return Plan(steps, {str(path): found.text} if steps else {}, {str(path): text} if steps else {})
