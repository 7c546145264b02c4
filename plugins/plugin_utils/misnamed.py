# SPDX-License-Identifier: GPL-3.0-or-later
"""Files of settings that Ansible passes over without a word, because their names differ slightly from the expected ones."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

_ENDINGS = ("", ".yml", ".yaml", ".json")
_LIKE = 0.75
_OWN = "laptop.containers"


def misnamed(inventory: Any, basedir: str, environment: Mapping[str, str]) -> Iterator[str]:
    """Yield a sentence for each file beside the inventory or the playbook, or in ~/.config, that is nearly called right."""
    sources = [Path(str(source)) for source in inventory._sources or ()]
    places = {place if place.is_dir() else place.parent for place in (*sources, Path(basedir)) if place.exists()}
    for place in sorted(places):
        yield from _nearly(place / "host_vars", list(inventory.hosts), "laptop")
        yield from _nearly(place / "group_vars", list(inventory.groups), "group")
    yield from _nearly_own(Path(environment.get("XDG_CONFIG_HOME") or Path(environment.get("HOME", "/"), ".config")))


def _nearly(folder: Path, known: Collection[str], noun: str) -> Iterator[str]:
    for file in sorted(folder.iterdir()) if folder.is_dir() else ():
        name = file.name if file.is_dir() else file.stem if file.suffix in _ENDINGS else file.name
        if name in known or name.startswith("."):
            continue
        near = difflib.get_close_matches(name, known, n=1, cutoff=_LIKE)
        if near:
            yield f"'{file}' is not read: no {noun} is called '{name}'. Did you mean '{near[0]}'? Rename the file."


def _nearly_own(config: Path) -> Iterator[str]:
    own = config / _OWN
    for entry in sorted(config.iterdir()) if config.is_dir() else ():
        name = entry.name if entry.is_dir() else entry.stem if entry.suffix in _ENDINGS[1:] else ""
        if entry == own or not difflib.get_close_matches(name, [_OWN], cutoff=0.9):
            continue
        if entry.is_file():
            yield f"'{entry}' is not read: your own settings are in '{own / 'settings.yml'}'. Move it there."
        elif any(entry.glob("settings.*")):
            yield f"'{entry}' is not read: your own settings are in '{own}'. Rename it."
