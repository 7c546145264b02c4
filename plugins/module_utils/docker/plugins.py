# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the docker command looks for its plugins, and where else they may have been installed."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..core.system.command import complete_path
from .client import read_config

SYSTEM_DIRECTORIES = (
    "/usr/local/lib/docker/cli-plugins",
    "/usr/local/libexec/docker/cli-plugins",
    "/usr/lib/docker/cli-plugins",
    "/usr/libexec/docker/cli-plugins",
)
# Homebrew puts plugins where docker does not look, and says so only in a caveat.
HOMEBREW_DIRECTORIES = ("/opt/homebrew/lib/docker/cli-plugins", "/home/linuxbrew/.linuxbrew/lib/docker/cli-plugins")


def plugin_directories(docker_directory: Path, config: Mapping[str, Any]) -> list[Path]:
    """Return the directories in docker's own order."""
    extra = config.get("cliPluginsExtraDirs")
    listed = [item for item in extra if isinstance(item, str) and "\0" not in item] if isinstance(extra, list) else []
    return [*map(Path, listed), docker_directory / "cli-plugins", *map(Path, SYSTEM_DIRECTORIES)]


def in_directories(name: str, directories: list[Path]) -> Path | None:
    """Return the first program of the name that can be run."""
    return next((place / name for place in directories if os.access(place / name, os.X_OK) and (place / name).is_file()), None)


def find_plugin(name: str, docker_directory: Path) -> Path | None:
    """Return the plugin that docker would run, or None."""
    return in_directories(name, plugin_directories(docker_directory, read_config(docker_directory)))


def find_elsewhere(name: str, path: str) -> Path | None:
    """Return the plugin where docker does not find it: in Homebrew's directory, or as a program on PATH."""
    docker = shutil.which("docker", path=complete_path(path))
    # Homebrew may live anywhere; its plugins are always beside its docker.
    beside = [Path(docker).parent.parent / "lib/docker/cli-plugins"] if docker else []
    brewed = in_directories(name, [*map(Path, HOMEBREW_DIRECTORIES), *beside])
    if brewed is not None:
        return brewed
    found = shutil.which(name, path=complete_path(path))
    return Path(found) if found else None
