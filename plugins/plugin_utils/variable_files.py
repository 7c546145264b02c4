# SPDX-License-Identifier: GPL-3.0-or-later
"""Files of variables that Ansible passes over without a word, or can't read without naming them."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

from ansible.errors import AnsibleError
from ansible.parsing.vault import AnsibleVaultError

_ENDINGS = ("", ".yml", ".yaml", ".json")
# They hold what is said of groups and of laptops, beside the inventory or the playbook.
_FOLDERS = ("group_vars", "host_vars")
_LIKE = 0.75
_OWN, _OWN_FILE = "laptop.containers", "settings.yml"


def misnamed(inventory: Any, basedir: str, environment: Mapping[str, str], current: Path) -> Iterator[str]:
    """Yield a sentence for each file or folder of variables that is nearly called right, or is at a wrong place.

    basedir: the playbook's directory; current: the one that the run was started in.
    """
    places = _places(inventory, basedir)
    for place in places:
        yield from _nearly(place / "host_vars", list(inventory.hosts), "laptop")
        yield from _nearly(place / "group_vars", list(inventory.groups), "group")
        yield from _nearly_folders(place)
    for folder in _FOLDERS:
        if current not in places and (current / folder).is_dir():
            yield f"'{current / folder}' is not read: it is neither beside the inventory nor the playbook. Move it there."
    yield from _nearly_own(Path(environment.get("XDG_CONFIG_HOME") or Path(environment.get("HOME", "/"), ".config")))


def unreadable(inventory: Any, basedir: str, loader: Any) -> Iterator[str]:
    """Yield a sentence for each file of a group or laptop that can't be read: Ansible's own error names neither file nor line."""
    for place in _places(inventory, basedir):
        for folder, names in zip(_FOLDERS, (inventory.groups, inventory.hosts), strict=True):
            for name in names if (place / folder).is_dir() else ():
                for file in loader.find_vars_files(str(place / folder), name):
                    yield from _trouble(file, loader)


def _trouble(file: str, loader: Any) -> Iterator[str]:
    try:
        found = loader.load_from_file(file, cache="none", unsafe=True, trusted_as_template=True)
    except AnsibleVaultError:
        reason = "the password is not the file's" if loader._vault.secrets else "no password was given"
        yield f"Could not decrypt '{file}': {reason}. Run it again with --ask-vault-pass; with make: ARGS=--ask-vault-pass."
    except AnsibleError as error:
        reason = error.message.removeprefix("YAML parsing failed: ").rstrip(".")
        yield f"Could not read '{file}'{_line(error)}: {reason[:1].lower()}{reason[1:]}. Correct it."
    else:
        if found and not isinstance(found, Mapping):
            what = "a list" if isinstance(found, list) else "a single value"
            yield f"Could not use '{file}': it is {what}, not a mapping. Write 'variable: value' in it."


def _line(error: AnsibleError) -> str:
    """Return where YAML ends to make sense, for a quote that is never closed where it begins; empty where that is not known."""
    from yaml.scanner import ScannerError

    cause = error.__cause__
    marks = [getattr(cause, "problem_mark", None), getattr(cause, "context_mark", None)]
    mark = next(filter(None, reversed(marks) if isinstance(cause, ScannerError) else marks), None)
    return f" in line {mark.line + 1}" if mark else ""


def _places(inventory: Any, basedir: str) -> list[Path]:
    """Return the directories in which Ansible looks for variables of groups and laptops."""
    sources = (*(Path(str(source)).absolute() for source in inventory._sources or ()), Path(basedir))
    return sorted({place if place.is_dir() else place.parent for place in sources if place.exists()})


def _nearly(folder: Path, known: Collection[str], noun: str) -> Iterator[str]:
    for file in sorted(folder.iterdir()) if folder.is_dir() else ():
        name = file.name if file.is_dir() else file.stem if file.suffix in _ENDINGS else file.name
        if name.startswith("."):
            continue
        if name in known:
            yield from map(_wrong_ending, filter(_has_wrong_ending, sorted(file.iterdir()) if file.is_dir() else ()))
        elif _has_wrong_ending(file):
            yield _wrong_ending(file)
        elif near := difflib.get_close_matches(name, known, n=1, cutoff=_LIKE):
            yield f"'{file}' is not read: no {noun} is called '{name}'. Did you mean '{near[0]}'? Rename the file."


def _has_wrong_ending(file: Path) -> bool:
    """Whether a file's ending is meant for one that Ansible reads; a copy (all.yml.bak) is not."""
    ending = file.suffix[1:].lower()
    meant = ending == "txt" or difflib.get_close_matches(ending, ("yml", "yaml", "json"), cutoff=0.7)
    return bool(meant) and file.suffix not in _ENDINGS and file.is_file()


def _wrong_ending(file: Path) -> str:
    right = file.stem if Path(file.stem).suffix in _ENDINGS[1:] else f"{file.stem}.yml"
    return f"'{file}' is not read: Ansible reads only files that end in .yml, .yaml or .json. Rename it to '{right}'."


def _nearly_folders(place: Path) -> Iterator[str]:
    for entry in sorted(place.iterdir()):
        near = difflib.get_close_matches(entry.name.lower(), _FOLDERS, n=1, cutoff=0.85)
        if near and entry.is_dir() and not any(entry.samefile(place / name) for name in _FOLDERS if (place / name).exists()):
            yield f"'{entry}' is not read: Ansible reads '{near[0]}'. Rename it."


def _nearly_own(config: Path) -> Iterator[str]:
    own = config / _OWN
    for entry in sorted(config.iterdir()) if config.is_dir() else ():
        name = entry.name if entry.is_dir() else entry.stem if entry.suffix in _ENDINGS[1:] else ""
        if entry != own and difflib.get_close_matches(name, [_OWN], cutoff=0.9):
            yield from _beside_own(entry, own)
    # Without that file, a run refuses the others.
    others = [file.name for file in sorted(own.iterdir()) if file.suffix in _ENDINGS[1:]] if (own / _OWN_FILE).is_file() else ()
    for name in difflib.get_close_matches(_OWN_FILE, others, n=9, cutoff=0.85):
        if name != _OWN_FILE:
            yield f"'{own / name}' is not read: your own settings are in '{own / _OWN_FILE}'. Move them there, and remove it."


def _beside_own(entry: Path, own: Path) -> Iterator[str]:
    if entry.is_file():
        yield f"'{entry}' is not read: your own settings are in '{own / _OWN_FILE}'. Move it there."
    elif any(entry.glob("settings.*")):
        yield f"'{entry}' is not read: your own settings are in '{own}'. Rename it."
