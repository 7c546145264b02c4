# SPDX-License-Identifier: GPL-3.0-or-later
"""The text of colima.yaml: read as colima would, rendered complete. Opens no file itself."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from . import go_yaml
from .config import Config, Host
from .settings import SETTINGS, UNKNOWN, Setting

_ARTICLE = {int: "a whole number", float: "a number", str: "text", bool: "true or false", list: "a list", dict: "a mapping"}
_KEYS = frozenset(setting.key for setting in SETTINGS)
_PARENTS = frozenset(key.partition(".")[0] for key in _KEYS if "." in key)
_ADDRESSES = ("network.dns", "network.gateway_address")


def parse(text: str) -> tuple[dict[str, Any] | None, str]:
    """Return the settings that colima would take from a file, and what is wrong with it.

    None with a reason where colima would throw the whole file away; a wrongly typed value becomes zero, as in colima.
    """
    try:
        document = go_yaml.load(text)
        if go_yaml.is_null(document):
            return None, "is empty"
        if not isinstance(document, dict):
            return None, "is not a mapping"
        config, problems = _settings(document)
    except go_yaml.Unreadable as error:
        return None, str(error)
    return (config, "; ".join(problems)) if config["runtime"] else (None, "names no runtime")


def _settings(document: Mapping[str, Any]) -> tuple[dict[str, Any], list[str]]:
    config: dict[str, Any] = {}
    problems = []
    for setting in SETTINGS:
        value = _lookup(document, setting.key)
        try:
            config[setting.option] = _absent(setting) if go_yaml.is_null(value) else _READERS[setting.kind](setting, value)
        except go_yaml.WrongType:
            problems.append(f"'{setting.key}' is not {_ARTICLE[setting.kind]}")
            config[setting.option] = setting.kind()
    config[UNKNOWN] = _unknown(document)
    return config, problems


def _unknown(document: Mapping[str, Any], above: str = "") -> dict[str, Any]:
    """Return the keys that are not in the table: a newer colima's. They stay in the file."""
    result: dict[str, Any] = {}
    for key, value in document.items():
        path = f"{above}{key}"
        if path in _PARENTS:
            inner = _unknown(value, f"{path}.") if isinstance(value, dict) else {}
            result.update({key: inner} if inner else {})
        elif path not in _KEYS:
            result[key] = go_yaml.anything(value)
    return result


def _absent(setting: Setting) -> Any:
    # Without a runtime colima ignores the whole file.
    return "" if setting.option == "runtime" else setting.absent


def _lookup(document: Any, key: str) -> Any:
    for part in key.split("."):
        if not isinstance(document, dict):
            return None
        document = document.get(part)
    return document


def _text(setting: Setting, value: Any) -> str:
    text = go_yaml.text(value)
    return _address(text) if setting.option in _ADDRESSES else text


def _list(setting: Setting, value: Any) -> list[Any]:
    if not isinstance(value, list):
        raise go_yaml.WrongType
    if setting.option in ("mounts", "provision"):
        return [_RECORDS[setting.option](item) for item in value if isinstance(item, dict)]
    return [_text(setting, item) for item in value if not go_yaml.is_null(item)]


def _mount(item: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "location": go_yaml.text(item.get("location")),
        "mount_point": go_yaml.text(item.get("mountPoint")),
        "writable": not go_yaml.is_null(item.get("writable")) and go_yaml.switch(item["writable"]),
    }


def _script(item: Mapping[str, Any]) -> dict[str, Any]:
    return {"mode": go_yaml.text(item.get("mode")), "script": go_yaml.text(item.get("script"))}


def _mapping(setting: Setting, value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise go_yaml.WrongType
    if setting.option == "docker":
        return {key: go_yaml.anything(item) for key, item in value.items()}
    return {key: go_yaml.text(item) for key, item in value.items() if isinstance(item, go_yaml.Scalar)}


def _address(text: str) -> str:
    import ipaddress

    try:
        if text:
            ipaddress.ip_address(text)
    except ValueError:
        raise go_yaml.Unreadable(f"has '{text}' where an IP address belongs") from None
    return text


_RECORDS = {"mounts": _mount, "provision": _script}
_READERS: dict[type, Callable[[Setting, Any], Any]] = {
    int: lambda _, value: go_yaml.whole(value),
    float: lambda _, value: float(go_yaml.number(value)),
    str: _text,
    bool: lambda _, value: go_yaml.switch(value),
    list: _list,
    dict: _mapping,
}


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
    _add(document, config.get(UNKNOWN) or {})

    base: Any = getattr(yaml, "CSafeDumper", yaml.SafeDumper)

    class Dumper(base):  # type: ignore[misc]
        pass

    Dumper.add_representer(str, _represent_text)
    # No anchors: the file is read by people too.
    Dumper.ignore_aliases = _never
    return yaml.dump(document, Dumper=Dumper, sort_keys=False, width=1_000_000, allow_unicode=True)


def _add(document: dict[str, Any], unknown: Mapping[str, Any]) -> None:
    for key, value in unknown.items():
        if isinstance(document.get(key), dict) and isinstance(value, dict):
            _add(document[key], value)
        else:
            document.setdefault(key, value)


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
