# SPDX-License-Identifier: GPL-3.0-or-later
"""The file of one's own settings: where it is, and where Ansible would pass over it without a word."""

from __future__ import annotations

import contextlib
import difflib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml
from ansible.errors import AnsibleError

from ..module_utils.core.errors import InputError
from .layers import written_at
from .plays import templar_of

# The variable that names another file; the file without settings; and the plugin that chooses between them.
VARIABLE = "workstation_settings"
_NAME, _NONE, _LOOKUP = "settings.yml", "vars/none.yml", "laptop.containers.own_settings"
_LOCAL = ("localhost", "127.0.0.1")
# What says which laptops a run works on, and how it reaches them.
_OF_LAPTOPS = ("ansible_connection", "ansible_host", "workstation_hosts")


def file_of(variables: Mapping[str, Any], templar: Any, environment: Mapping[str, str]) -> str:
    """Return the file, which need not exist; vars/none.yml for a laptop other than this machine."""

    def value(name: str, default: str) -> str:
        return str(templar.template(variables[name])) if name in variables else default

    usual = "local" if value("inventory_hostname", _LOCAL[0]) in _LOCAL else "ssh"
    if value("ansible_connection", usual) != "local":
        return _NONE
    return value(VARIABLE, str(_folder(environment) / _NAME))


def settle(play: Any, hosts: Iterable[Any]) -> None:
    """Let a play read the file under its plain name, where that is the same for all of its laptops.

    Ansible asks for variables three times a task; each time it compiles the template of the name and parses the file. Raises
    InputError for what only the inventory and the command line can say.
    """
    templates = [entry for entry in play.vars_files if _LOOKUP in str(entry)]
    if not templates:
        return
    written, play.vars_files = play.vars_files, []
    # Without what the file says: it can't name another file, or another laptop, in its own place.
    found = {str(templar_of(play, host, None).template(templates[0])[0]) for host in hosts}
    play.vars_files = written
    if len(found) != 1:
        return
    names = [*found, _NONE]
    play.vars_files = [names if entry is templates[0] else entry for entry in play.vars_files]
    for name in names:
        for place in filter(Path.is_file, _places(play.get_loader().get_basedir(), name)):
            # Ansible refuses a broken one when it reads it.
            with contextlib.suppress(AnsibleError, OSError):
                _check_names(play.get_loader().load_from_file(str(place), cache="all", unsafe=True, trusted_as_template=True))


def check_text(file: Path) -> None:
    """Raise InputError for a file that is not text in UTF-8: Ansible would escape what it can't read, or not say which file."""
    try:
        file.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise InputError(f"read your settings '{file}'", "they are not text in UTF-8", "Save the file as UTF-8.") from None
    except OSError:
        # Ansible says why.
        return


def _check_names(settings: object) -> None:
    for name in settings if isinstance(settings, Mapping) else ():
        if name in _OF_LAPTOPS:
            reason = "only the inventory and -e say which laptops a run works on, and how it reaches them"
            at = written_at(name, str(Path.cwd()))
            raise InputError(f"use '{name}' of your own settings", reason, f"Move it there. ({at})")


def own_settings(play: Any, variables: Mapping[str, Any], templar: Any, environment: Mapping[str, str]) -> Iterator[str]:
    """Yield a sentence for what is wrong with the file that a play reads on this machine; Ansible itself refuses broken YAML."""
    reads = any(isinstance(entry, list) and _NONE in entry for entry in play.vars_files)
    if not reads or file_of(variables, templar, environment) == _NONE:
        return
    if VARIABLE in variables:
        given = str(templar.template(variables[VARIABLE]))
        places = _places(str(variables.get("playbook_dir", "")), given)
        file = next((place for place in places if place.is_file()), None)
        if file is None:
            yield f"Could not read your settings '{given}': the file does not exist. Correct {VARIABLE}."
            return
    else:
        folder = _folder(environment)
        file = folder / _NAME
        if not file.is_file():
            others = [entry for entry in sorted(folder.iterdir()) if _is_nearly(entry)] if folder.is_dir() else []
            if others:
                yield f"Could not use your settings '{others[0]}': only {_NAME} is read. Rename it."
            return
    yield from _content(file)


def _is_nearly(entry: Path) -> bool:
    """Whether a file is meant for the one that is read: settings.yaml or setting.yml, say."""
    near = difflib.get_close_matches(entry.name, [_NAME], cutoff=0.85)
    return entry.name.startswith("settings.") or bool(near and entry.suffix in (".yml", ".yaml", ".json"))


def _folder(environment: Mapping[str, str]) -> Path:
    return Path(environment.get("XDG_CONFIG_HOME") or f"{environment.get('HOME', '')}/.config", "laptop.containers")


def _places(directory: str, name: str) -> list[Path]:
    """Return where Ansible looks for a file of a play. directory: the playbook's."""
    return [Path(directory, folder, Path(name).expanduser()) for folder in ("", "vars")]


def _content(file: Path) -> Iterator[str]:
    try:
        # Only its form counts here, and a vaulted file begins with a text.
        found = yaml.safe_load(file.read_text(encoding="utf-8"))
    except (OSError, ValueError, yaml.YAMLError):
        # Ansible has read it: it knows tags and vaults that this does not.
        return
    if isinstance(found, list):
        yield f"Could not use your settings '{file}': they are a list, not a mapping. Write 'variable: value', without '- '."
