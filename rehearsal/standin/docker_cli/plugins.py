# SPDX-License-Identifier: GPL-3.0-or-later
"""CLI plugins: found in the same folders as the real docker's, started by replacing this process."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from .config import Client
from .flags import Exit

PREFIX = "docker-"
METADATA_SECONDS = 10


def folders(client: Client) -> list[Path]:
    """Return where plugins are looked for, first match first.

    The system's folders are left out on purpose (a lab must not see the host's plugins) unless they are named in
    REHEARSAL_DOCKER_PLUGIN_DIRS.
    """
    extra = client.config.values.get("cliPluginsExtraDirs") or []
    system = os.environ.get("REHEARSAL_DOCKER_PLUGIN_DIRS", "")
    return [
        *(Path(item) for item in extra),
        client.directory / "cli-plugins",
        *(Path(item) for item in system.split(os.pathsep) if item),
    ]


def find(client: Client, name: str) -> Path | None:
    """Return the plugin's executable, or None when none runs."""
    for folder in folders(client):
        path = folder / f"{PREFIX}{name}"
        if path.is_file() and os.access(path, os.X_OK):
            return path
    return None


def run(client: Client, name: str, argv: list[str]) -> int:
    """Hand the whole command line to the plugin of that name."""
    path = find(client, name)
    if path is None:
        raise Exit(f"docker: unknown command: docker {name}\n\nRun 'docker --help' for more information\n")
    environment = {**os.environ, "DOCKER_CLI_PLUGIN_ORIGINAL_CLI_COMMAND": sys.argv[0]}
    sys.stdout.flush()
    os.execve(path, [str(path), *argv], environment)  # noqa: S606 - a plugin replaces the CLI, as the real one's does


def listed(client: Client) -> list[dict[str, Any]]:
    """Return the valid plugins as `docker info` shows them."""
    seen: dict[str, dict[str, Any]] = {}
    for folder in folders(client):
        for path in sorted(folder.glob(f"{PREFIX}*")) if folder.is_dir() else []:
            name = path.name.removeprefix(PREFIX)
            metadata = None if name in seen else _metadata(path)
            if metadata:
                seen[name] = {**metadata, "Name": name, "Path": str(path)}
    return [seen[name] for name in sorted(seen)]


def _metadata(path: Path) -> dict[str, Any] | None:
    try:
        command = [str(path), "docker-cli-plugin-metadata"]
        answer = subprocess.run(command, capture_output=True, check=True, timeout=METADATA_SECONDS)
        return dict(json.loads(answer.stdout))
    except (OSError, ValueError, subprocess.SubprocessError):
        return None
