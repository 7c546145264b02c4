# SPDX-License-Identifier: GPL-3.0-or-later
"""The file of one's own settings, where Ansible would pass over it without a word: another name, no file, no settings in it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

# The variable that names another file, and the file itself; and what playbooks/vars/own.yml makes of them.
VARIABLE = "workstation_settings"
_NAME = "settings.yml"
_FILE, _NONE = "__own_settings", "vars/none.yml"


def own_settings(play: Any, variables: Mapping[str, Any], templar: Any, environment: Mapping[str, str]) -> Iterator[str]:
    """Yield a sentence for what is wrong with the file that a play reads on this machine; Ansible itself refuses broken YAML."""
    if _FILE not in str(play.vars_files) or templar.template(variables[_FILE]) == _NONE:
        return
    if VARIABLE in variables:
        given = str(templar.template(variables[VARIABLE]))
        places = [Path(str(variables.get("playbook_dir", "")), folder, Path(given).expanduser()) for folder in ("", "vars")]
        file = next((place for place in places if place.is_file()), None)
        if file is None:
            yield f"Could not read your settings '{given}': there is no such file. Correct {VARIABLE}."
            return
    else:
        folder = Path(environment.get("XDG_CONFIG_HOME") or f"{environment.get('HOME', '')}/.config", "laptop.containers")
        file = folder / _NAME
        if not file.is_file():
            others = sorted(folder.glob("settings.*")) if folder.is_dir() else []
            if others:
                yield f"Could not use your settings '{others[0]}': only {_NAME} is read. Rename it."
            return
    yield from _content(file)


def _content(file: Path) -> Iterator[str]:
    try:
        # Only its form counts here, and a vaulted file begins with a text.
        found = yaml.safe_load(file.read_text(encoding="utf-8"))
    except (OSError, ValueError, yaml.YAMLError):
        # Ansible has read it: it knows tags and vaults that this does not.
        return
    if isinstance(found, list):
        yield f"Could not use your settings '{file}': they are a list, not a mapping. Write 'variable: value', without '- '."
