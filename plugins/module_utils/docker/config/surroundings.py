# SPDX-License-Identifier: GPL-3.0-or-later
"""What surrounds docker's config.json: credential helpers, plugins, and links to them."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ...core.errors import file_trouble
from ...core.system.command import complete_path
from ...core.system.files import check_links, link_target, remove_link, replace_link
from ..client import context_directory
from ..plugins import find_elsewhere, in_directories, plugin_directories
from .plan import ConfigFacts, EditConfig, LinkPlugin, UndoFacts, of_docker_desktop

_HELPERS = ("osxkeychain", "secretservice", "pass")
# Of the whole machine; a user can have the app in a home, too.
DESKTOP_PLACES = ("/Applications/Docker.app", "/opt/docker-desktop")


def look_around(
    directory: Path, config: Mapping[str, Any], plugins: Sequence[str], system: str, environment: Mapping[str, str]
) -> ConfigFacts:
    """Return what the plan needs to know."""
    path = complete_path(environment.get("PATH", ""))
    desktop = desktop_is_installed(environment)
    own = directory / "cli-plugins"
    extra = config.get("cliPluginsExtraDirs")
    listed = [item for item in extra if isinstance(item, str)] if isinstance(extra, list) else []
    return ConfigFacts(
        system=system,
        helpers=frozenset(name for name in _HELPERS if shutil.which(f"docker-credential-{name}", path=path)),
        desktop=desktop,
        dead_directories=frozenset(
            item for item in listed if not desktop and of_docker_desktop(item) and not Path(item).is_dir()
        ),
        dead_context=_context_is_dead(directory, str(config.get("currentContext") or ""), desktop),
        plugins={name: _plugin(name, directory, config, path) for name in plugins},
        dangling={str(link): str(link.readlink()) for link in _links(own) if not link.exists() and _goes(link, plugins, desktop)},
        plugin_directory=str(own),
    )


def desktop_is_installed(environment: Mapping[str, str]) -> bool:
    """Whether Docker Desktop is there, running or not."""
    home = Path(environment.get("HOME") or Path.home())
    # Installed for one user, its programs are here, which only log-in shells have on PATH.
    path = os.pathsep.join([complete_path(environment.get("PATH", "")), str(home / ".docker/bin")])
    if shutil.which("docker-credential-desktop", path=path):
        return True
    return any(place.exists() for place in (*map(Path, DESKTOP_PLACES), home / "Applications/Docker.app"))


def _plugin(name: str, directory: Path, config: Mapping[str, Any], path: str) -> tuple[str, str] | None:
    found = in_directories(name, plugin_directories(directory, config))
    if found is not None:
        return ("found", str(found))
    elsewhere = find_elsewhere(name, path)
    if elsewhere is None:
        return None
    if elsewhere.parent.name == "cli-plugins":
        return ("directory", str(elsewhere.parent))
    return ("program", str(elsewhere))


def _links(place: Path) -> list[Path]:
    return sorted(item for item in place.iterdir() if item.is_symlink()) if place.is_dir() else []


def _goes(link: Path, plugins: Sequence[str], desktop: bool) -> bool:
    if link.name in plugins:
        return True
    return not desktop and of_docker_desktop(os.readlink(link))  # noqa: PTH115 - a string is looked at


def _entry(directory: Path, context: str) -> Path:
    return context_directory(directory, context) / "meta.json"


def _context_is_dead(directory: Path, current: str, desktop: bool) -> bool:
    """Whether docker fails on its current context: it is gone, or Docker Desktop's and that has been removed."""
    if current in ("", "default"):
        return False
    try:
        host = json.loads(_entry(directory, current).read_text(encoding="utf-8"))["Endpoints"]["docker"]["Host"]
    except FileNotFoundError:
        return True
    except (OSError, ValueError, KeyError, TypeError):
        return False
    if desktop:
        # It is only not running.
        return False
    return of_docker_desktop(current) and host.startswith("unix://") and not Path(host.removeprefix("unix://")).exists()


def undo_facts(directory: Path, noted: Sequence[EditConfig | LinkPlugin], environment: Mapping[str, str]) -> UndoFacts:
    """Return what undoing needs to know."""
    links = {note.path: link_target(Path(note.path)) for note in noted if isinstance(note, LinkPlugin)}
    named = {note.before for note in noted if isinstance(note, EditConfig) and note.key == "currentContext" and note.before}
    return UndoFacts(
        noted,
        {path: target for path, target in links.items() if target},
        desktop_is_installed(environment),
        frozenset(name for name in map(str, named) if _entry(directory, name).is_file()),
    )


def apply_link(step: LinkPlugin) -> None:
    """Make, change or remove a link among docker's plugins. A file, or a link to elsewhere, stays."""
    path = Path(step.path)
    try:
        if step.points_to is None:
            remove_link(path, step.found or "")
        else:
            check_links(path.parent)
            path.parent.mkdir(parents=True, exist_ok=True)
            replace_link(path, step.points_to, step.found)
    except OSError as error:
        raise file_trouble(f"{step.verb} '{step.path}'", error, "Move that file aside, then run again.") from error
