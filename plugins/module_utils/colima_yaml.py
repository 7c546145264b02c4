# SPDX-License-Identifier: GPL-3.0-or-later
"""The text of colima.yaml: parsed as colima would, rendered complete. Reads and writes no file itself."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from .colima_config import Config, Host
from .colima_settings import SETTINGS, Setting


def parse(text: str) -> tuple[dict[str, Any] | None, str]:
    """Return the settings that colima would take from a file, and what is wrong with it.

    None with a reason where colima would throw the whole file away; a wrongly typed value becomes zero, as in colima.
    """
    import yaml

    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        document = yaml.load(text, Loader=loader)  # noqa: S506 - both loaders are the safe ones
    except (yaml.YAMLError, ValueError):
        return None, "is not YAML"
    if not isinstance(document, dict):
        return None, "is empty" if document is None else "is not a mapping"
    if not document.get("runtime"):
        return None, "names no runtime"
    problems = []
    config: dict[str, Any] = {}
    for setting in SETTINGS:
        value = _lookup(document, setting.key)
        if value is None:
            value = None if setting.option == "mounts" else setting.absent
        elif not _fits(setting, value):
            problems.append(f"'{setting.key}' is not {_ARTICLE[setting.kind]}")
            value = setting.kind()
        config[setting.option] = _from_file(setting, value)
    return config, "; ".join(problems)


_ARTICLE = {int: "a whole number", float: "a number", str: "text", bool: "true or false", list: "a list", dict: "a mapping"}


def _lookup(document: Any, key: str) -> Any:
    for part in key.split("."):
        if not isinstance(document, dict):
            return None
        document = document.get(part)
    return document


def _fits(setting: Setting, value: Any) -> bool:
    if isinstance(value, bool):
        return setting.kind is bool
    if setting.kind is float:
        return isinstance(value, int | float)
    if setting.kind is str:
        return isinstance(value, str | int | float)
    return isinstance(value, setting.kind)


def _from_file(setting: Setting, value: Any) -> Any:
    if setting.kind is float:
        return float(value)
    if setting.kind is str:
        return str(value)
    if setting.option == "mounts" and value:
        return [
            {
                "location": str(item.get("location", "")),
                "mount_point": str(item.get("mountPoint") or ""),
                "writable": bool(item.get("writable")),
            }
            for item in value
            if isinstance(item, dict)
        ]
    if setting.option in ("env", "network.dns_hosts"):
        return {str(key): "" if item is None else str(item) for key, item in value.items()}
    return value


def render(config: Config, host: Host) -> str:
    """Return the complete colima.yaml: every key, because colima takes an absent one for zero."""
    import yaml

    document: dict[str, Any] = {}
    for setting in SETTINGS:
        value = config[setting.option]
        if not host.can(setting.needs):
            value = setting.neutral
        if setting.option == "mounts" and value:
            value = [_mount_for_file(mount) for mount in value]
        if setting.kind is float and float(value).is_integer():
            value = int(value)
        *parents, last = setting.key.split(".")
        place = document
        for part in parents:
            place = place.setdefault(part, {})
        place[last] = value

    base: Any = getattr(yaml, "CSafeDumper", yaml.SafeDumper)

    class Dumper(base):  # type: ignore[misc]
        pass

    Dumper.add_representer(str, _represent_text)
    # No anchors: the file is read by people too.
    Dumper.ignore_aliases = _never
    return yaml.dump(document, Dumper=Dumper, sort_keys=False, width=1_000_000, allow_unicode=True)


def _never(*_: Any) -> bool:
    return True


def _mount_for_file(mount: Mapping[str, Any]) -> dict[str, Any]:
    result = {"location": mount["location"], "writable": bool(mount.get("writable"))}
    if mount.get("mount_point"):
        result["mountPoint"] = mount["mount_point"]
    return result


def _represent_text(dumper: Any, text: str) -> Any:
    """Quote all but plain words: Go's YAML and Python's disagree on what else is a number or a date."""
    if "\n" in text:
        return dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|")
    plain = re.fullmatch(r"[A-Za-z][A-Za-z0-9._/-]*", text)
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=None if plain else '"')
