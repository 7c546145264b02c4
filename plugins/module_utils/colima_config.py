# SPDX-License-Identifier: GPL-3.0-or-later
"""colima.yaml as a value: parse it as colima would, compare by meaning, render it complete.

A Config is a flat mapping from option names (kubernetes.enabled) to plain values. Reads and writes no file.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from .colima_settings import ANYWHERE, APPLE_SILICON, BY_OPTION, MACOS, SETTINGS, Setting

Config = Mapping[str, Any]

_ARCHITECTURES = {"arm64": "aarch64", "amd64": "x86_64"}
# What colima itself adds to the applied settings.
_IMPLICIT_HOST = ("host.docker.internal", "host.lima.internal")
_URL_CREDENTIALS = re.compile(r"//[^/@\s]+@")


@dataclass(frozen=True)
class Host:
    """The laptop: what its system can do and how much it has. Sizes in MiB; 0 means unknown."""

    system: str = "Linux"
    arch: str = "x86_64"
    home: str = ""
    cpus: int = 0
    memory_mib: int = 0
    disk_free_mib: int = 0
    reserve_memory_mib: int = 1024

    def can(self, needs: str) -> bool:
        """Whether a setting with these needs has an effect here."""
        if needs == ANYWHERE:
            return True
        mac = self.system == "Darwin"
        return mac and (needs == MACOS or (needs == APPLE_SILICON and self.arch == "aarch64"))


def architecture(word: str) -> str:
    """Return colima's word for a machine type."""
    return _ARCHITECTURES.get(word, word)


def defaults(host: Host) -> dict[str, Any]:
    """Return colima's documented defaults for a new profile on this host."""
    config = {setting.option: setting.default for setting in SETTINGS}
    config["vm_type"] = "vz" if host.system == "Darwin" else "qemu"
    config["mount_type"] = default_mount_type(config["vm_type"])
    return config


def default_mount_type(vm_type: str) -> str:
    """Return how colima shares directories with a VM of this type unless told."""
    return "virtiofs" if vm_type in ("vz", "krunkit") else "sshfs"


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


def canonical(config: Config, host: Host, instance: str) -> dict[str, Any]:
    """Return the settings in a form in which equal meanings are equal values."""
    result = dict(config)
    arch = architecture(str(result.get("arch") or "host"))
    result["arch"] = host.arch if arch == "host" else arch
    result["vm_type"] = result.get("vm_type") or ("vz" if host.system == "Darwin" else "qemu")
    result["mount_type"] = result.get("mount_type") or default_mount_type(result["vm_type"])
    result["hostname"] = result.get("hostname") or instance
    if result.get("cpu_type") == "host":
        result["cpu_type"] = ""
    for setting in SETTINGS:
        value = result.get(setting.option)
        if not host.can(setting.needs):
            result[setting.option] = setting.neutral
        elif setting.choices and not value and setting.default:
            result[setting.option] = setting.default
        elif setting.kind in (list, dict) and not value and setting.option != "mounts":
            result[setting.option] = setting.kind()
        elif setting.kind is float and value is not None:
            result[setting.option] = float(value)
    result["network.interface"] = result["network.interface"] or ("en0" if host.can(MACOS) else "")
    result["network.gateway_address"] = result.get("network.gateway_address") or "192.168.5.2"
    hosts = dict(result.get("network.dns_hosts") or {})
    if hosts.get(_IMPLICIT_HOST[0]) == _IMPLICIT_HOST[1]:
        del hosts[_IMPLICIT_HOST[0]]
    result["network.dns_hosts"] = hosts
    result["mounts"] = canonical_mounts(result.get("mounts"), host.home)
    result["provision"] = [
        {"mode": item.get("mode"), "script": str(item.get("script") or "").rstrip()} for item in result.get("provision") or []
    ]
    return result


def canonical_mounts(mounts: Any, home: str) -> list[tuple[str, str, bool]] | None:
    """Return (location, mount point, writable) with paths expanded; the empty list is the home directory; None is none."""
    if mounts is None:
        return None
    if not mounts:
        return [(home, home, True)]
    result = []
    for mount in mounts:
        location = expanded(mount["location"], home)
        result.append((location, expanded(mount.get("mount_point") or location, home), bool(mount.get("writable"))))
    return result


def expanded(path: str, home: str) -> str:
    """Return a path with the home directory in full and no closing slash."""
    if path == "~" or path.startswith("~/"):
        path = home + path[1:]
    return path.rstrip("/") or "/"


def differences(current: Config, wanted: Config, options: frozenset[str], host: Host, instance: str) -> list[str]:
    """Return the options, out of the given ones, whose meaning differs, in the order of the table."""
    one, other = canonical(current, host, instance), canonical(wanted, host, instance)
    return [s.option for s in SETTINGS if s.option in options and one[s.option] != other[s.option]]


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


def shown(option: str, value: Any) -> Any:
    """Return a setting's value as it may be printed: without what could be a secret."""
    if option == "env":
        return dict.fromkeys(value or {}, "(not shown)")
    if option == "docker":
        return json.loads(_URL_CREDENTIALS.sub("//(not shown)@", json.dumps(value or {}, default=str)))
    if option == "provision":
        return [f"{item.get('mode')}: {len(str(item.get('script') or '').splitlines())} lines" for item in value or []]
    if option == "mounts":
        return "none" if value is None else (value or "home directory, writable")
    return value


def worded(option: str, value: Any) -> str:
    """Return a setting's value in a few words, with its unit, for a line of the plan."""
    value = shown(option, value)
    unit = BY_OPTION[option].unit
    if isinstance(value, bool):
        return "on" if value else "off"
    if isinstance(value, float):
        value = f"{value:g}"
    if isinstance(value, list | dict):
        return json.dumps(value) if value else "none"
    return f"{value} {unit}".strip() if value != "" else "unset"
