# SPDX-License-Identifier: GPL-3.0-or-later
"""Looks at the places that keep registry logins, in files alone: nothing is started, and no password is kept."""

from __future__ import annotations

import base64
import contextlib
import os
import platform
import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from ..colima_paths import parse_name, resolve
from ..core.errors import InputError
from ..core.system.command import complete_path
from ..core.system.files import read_file
from ..core.system.processes import is_alive
from ..docker.client import read_config
from .helper import HELPER, PROGRAM, profile_of
from .model import Place, PlaceState


def look(places: Iterable[Place], environment: Mapping[str, str]) -> dict[Place, PlaceState]:
    """Return what each place holds."""
    return {place: _found(place, environment) for place in places}


def _found(place: Place, environment: Mapping[str, str]) -> PlaceState:
    if place.kind == "nerdctl":
        return _machine(place, environment)
    return _wrappers(place, environment) if place.kind == "wrapper" else _config(place)


def _wrappers(place: Place, environment: Mapping[str, str]) -> PlaceState:
    folder, entries = Path(place.where), dict[str, str]()
    prefix = PROGRAM.removesuffix(HELPER)
    try:
        for file in folder.glob(f"{PROGRAM}-*"):
            state = read_file(file)
            entries[file.name.removeprefix(prefix)] = profile_of(state.text) if state.kind == "file" else ""
    except InputError as error:
        return PlaceState(unreadable=error.message)
    return PlaceState(entries=entries, on_path=place.where in environment.get("PATH", "").split(os.pathsep))


def helper_installed(environment: Mapping[str, str]) -> bool:
    """Whether docker would find AWS' credential helper."""
    return shutil.which(PROGRAM, path=complete_path(environment.get("PATH", ""))) is not None


def _config(place: Place) -> PlaceState:
    try:
        config = read_config(Path(place.where))
    except InputError as error:
        return PlaceState(unreadable=error.message)
    helpers = {str(host): str(name) for host, name in _mapping(config, "credHelpers").items()}
    if place.kind == "helper":
        return PlaceState(entries=helpers)
    return PlaceState(entries={str(host): _user(entry) for host, entry in _mapping(config, "auths").items()}, helpers=helpers)


def _mapping(config: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    value = config.get(key)
    return value if isinstance(value, dict) else {}


def _user(entry: Any) -> str:
    """Return the user of a login. Returns '' when a credential store keeps it, as docker then leaves an empty entry."""
    with contextlib.suppress(AttributeError, KeyError, TypeError, ValueError):
        return base64.b64decode(entry["auth"]).decode().partition(":")[0]
    return str(entry.get("username", "")) if isinstance(entry, dict) else ""


def _machine(place: Place, environment: Mapping[str, str]) -> PlaceState:
    directory = resolve(environment, platform.system()).instance(parse_name(place.where))
    try:
        # Lima writes this file when it makes an instance, and never again.
        made = (directory / "lima-version").stat()
    except OSError:
        return PlaceState(running=False)
    return PlaceState(machine=f"{made.st_ino}-{made.st_mtime_ns}", running=_alive(directory / "ha.pid"))


def _alive(file: Path) -> bool:
    """Whether the process that a pid file names runs."""
    try:
        return is_alive(int(file.read_text(encoding="utf-8")))
    except (OSError, ValueError):
        return False
