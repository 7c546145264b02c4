# SPDX-License-Identifier: GPL-3.0-or-later
"""Looks at what surrounds docker's config.json: credential helpers, plugins, links. And carries out a plan there."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ...core.command import complete_path
from ...core.errors import InputError
from ...core.files import write_file
from ...core.plan import Plan
from ..client import context_directory
from ..plugins import find_elsewhere, in_directories, plugin_directories
from .file import ConfigFile
from .plan import Edit, Facts, Link, edited, of_docker_desktop

_HELPERS = ("osxkeychain", "secretservice", "pass")
# Of the whole machine; a user can have the app in a home, too.
DESKTOP_PLACES = ("/Applications/Docker.app", "/opt/docker-desktop")


def look_around(
    directory: Path, config: Mapping[str, Any], plugins: Sequence[str], system: str, environment: Mapping[str, str]
) -> Facts:
    """Return what the plan needs to know."""
    path = complete_path(environment.get("PATH", ""))
    desktop = desktop_is_installed(environment)
    own = directory / "cli-plugins"
    extra = config.get("cliPluginsExtraDirs")
    listed = [item for item in extra if isinstance(item, str)] if isinstance(extra, list) else []
    return Facts(
        system=system,
        helpers=frozenset(name for name in _HELPERS if shutil.which(f"docker-credential-{name}", path=path)),
        desktop=desktop,
        dead_directories=frozenset(
            item for item in listed if not desktop and of_docker_desktop(item) and not Path(item).is_dir()
        ),
        dead_context=_context_is_dead(directory, str(config.get("currentContext") or ""), desktop),
        plugins={name: _plugin(name, directory, config, path) for name in plugins},
        dangling=[str(link) for link in _links(own) if not link.exists() and _wanted_away(link, plugins, desktop)],
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


def _wanted_away(link: Path, plugins: Sequence[str], desktop: bool) -> bool:
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


def apply_plan(plan: Plan, file: ConfigFile, backup: bool) -> Path | None:
    """Carry out edits and links. Returns where config.json has been kept."""
    edits = [step for step in plan.steps if isinstance(step, Edit)]
    for step in plan.steps:
        if isinstance(step, Link):
            _apply_link(step)
    return file.edit(lambda settings: edited(settings, edits), backup) if edits else None


def _apply_link(step: Link) -> None:
    path = Path(step.path)
    try:
        if path.is_symlink():
            path.unlink()
        if step.points_to is not None:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.symlink_to(step.points_to)
    except OSError as error:
        raise InputError(
            f"Could not {step.verb} '{step.path}': {error.strerror}. Move what is there aside, then run again."
        ) from error


class Notes:
    """What earlier runs changed, so that it can be taken back."""

    def __init__(self, path: Path, directory: Path) -> None:
        self.path = path
        self.key = str(directory)

    def _all(self) -> dict[str, Any]:
        try:
            notes = json.loads(self.path.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}
        return notes if isinstance(notes, dict) else {}

    def read(self) -> list[dict[str, Any]]:
        """Return the noted steps, oldest first."""
        notes = self._all().get(self.key)
        return [note for note in notes if isinstance(note, dict)] if isinstance(notes, list) else []

    def add(self, plan: Plan) -> None:
        """Note the steps of a plan."""
        made: list[dict[str, Any]] = []
        for step in plan.steps:
            if isinstance(step, Edit):
                made.append({"key": step.key, "before": step.before, "after": step.after})
            elif isinstance(step, Link):
                made.append({"path": step.path, "points_to": step.points_to})
        if made:
            self._write({**self._all(), self.key: [*self.read(), *made]})

    def clear(self) -> None:
        """Forget the steps of this directory."""
        notes = self._all()
        if notes.pop(self.key, None) is None:
            return
        if notes:
            self._write(notes)
        else:
            self.path.unlink(missing_ok=True)

    def _write(self, notes: dict[str, Any]) -> None:
        write_file(self.path, json.dumps(notes, indent=1), 0o600, "Make its directory writable.")

    def linked(self) -> dict[str, str | None]:
        """Return what the noted links point to now."""
        found: dict[str, str | None] = {}
        for note in self.read():
            if "path" in note:
                with contextlib.suppress(OSError):
                    found[note["path"]] = os.readlink(note["path"])  # noqa: PTH115 - compared as text
        return found

    def contexts(self) -> set[str]:
        """Return the contexts that were current before a noted edit, those that are there now."""
        named = {note["before"] for note in self.read() if note.get("key") == "currentContext"}
        return {name for name in named if isinstance(name, str) and _entry(Path(self.key), name).is_file()}
