# SPDX-License-Identifier: GPL-3.0-or-later
"""The files of a team's policy. All that there are count together, so that another inventory can add rules and take none away."""

from __future__ import annotations

import difflib
import os
from pathlib import Path
from typing import Any

from ...module_utils.core.errors import InputError, file_trouble

NAME = "policy.yml"
_ROOT = Path(__file__).resolve().parents[3]
# Where only an administrator of the laptop can write.
_SYSTEM = Path("/etc/laptop.containers")


def policy_files(play: Any) -> list[Path]:
    """Return the files of the policy that there are: the laptop's, the project's, and those beside the inventories in use.

    Raises WorkstationError for one of another name, over which it would be passed without a word.
    """
    inventory = play.get_variable_manager()._inventory
    folders = [_SYSTEM, _ROOT / "inventory", *_beside_playbook(play), *(_folder(source) for source in inventory._sources or ())]
    found: dict[str, Path] = {}
    for folder in dict.fromkeys(map(str, folders)):
        file = f"{folder}/{NAME}"
        # A link that leads nowhere is there, and refused when it is read.
        if os.path.lexists(file):
            found.setdefault(os.path.realpath(file), Path(file))
        elif other := _nearly(Path(folder)):
            raise InputError(f"use policy '{folder}/{other}'", f"only {NAME} is read", "Rename it.")
    return [*found.values()]


def _nearly(folder: Path) -> str:
    """Return the name of a file that is meant for the policy; empty where there is none."""
    files = folder.iterdir() if folder.is_dir() else ()
    names = sorted(file.name for file in files if file.suffix in (".yml", ".yaml"))
    return next(iter(difflib.get_close_matches(NAME, names, n=1, cutoff=0.85)), "")


def read(file: Path) -> tuple[Any, tuple[int, ...]]:
    """Return what a policy file says, and the line of each rule. Raises WorkstationError."""
    import yaml

    loader = _strict()
    try:
        text = file.read_text(encoding="utf-8")
        opened = loader(text)
        node = opened.get_single_node()
        document = opened.construct_document(node) if node is not None else None
    except OSError as error:
        raise file_trouble(f"read policy '{file}'", error, "Make it readable: until then nothing is changed.") from error
    except (ValueError, yaml.YAMLError) as error:
        reason = " ".join(str(error).split())
        raise InputError(f"read policy '{file}'", reason, "Correct it: until then nothing is changed.") from error
    return document, tuple(_lines(node))


def _folder(source: Any) -> Path:
    # What was typed as a list of laptops ends in a comma, and is not a file.
    path = Path(str(source)).absolute()
    return path if path.is_dir() else path.parent


def _beside_playbook(play: Any) -> list[Path]:
    folder = Path(str(play.get_loader().get_basedir())).absolute()
    return [folder / "inventory", folder.parent / "inventory"]


def _lines(node: Any) -> list[int]:
    for key, value in getattr(node, "value", ()) if node is not None and node.id == "mapping" else ():
        if key.value == "rules" and value.id == "sequence":
            return [entry.start_mark.line + 1 for entry in value.value]
    return []


def _strict() -> Any:
    import yaml

    class Strict(yaml.SafeLoader):
        """Refuses a key that is there twice, of which YAML would silently take the last."""

        def construct_mapping(self, node: Any, deep: bool = False) -> dict[Any, Any]:
            keys = [key.value for key, _value in node.value]
            twice = next((key for key, _value in node.value if keys.count(key.value) > 1), None)
            if twice is not None:
                raise yaml.constructor.ConstructorError(None, None, f"'{twice.value}' is there twice", twice.start_mark)
            return super().construct_mapping(node, deep)

    return Strict
