# SPDX-License-Identifier: GPL-3.0-or-later
"""colima.yaml: how it is read (Go's typed decoding with zero values), written back whole, and defaulted.

A configuration is a flat dictionary with the dotted keys below. None stands for Go's nil: an absent list, pointer or
address, which is not the same as an empty one.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

Config = dict[str, Any]
K3S_VERSION = "v1.35.0+k3s1"
GATEWAY = "192.168.5.2"

# Dotted key to kind, in the order of the file that colima writes.
KINDS: dict[str, str] = {
    "cpu": "int",
    "disk": "int",
    "memory": "float",
    "arch": "str",
    "runtime": "str",
    "modelRunner": "str",
    "hostname": "str",
    "kubernetes.enabled": "bool",
    "kubernetes.version": "str",
    "kubernetes.k3sArgs": "list",
    "kubernetes.port": "int",
    "autoActivate": "bool?",
    "network.address": "bool",
    "network.mode": "str",
    "network.interface": "str",
    "network.preferredRoute": "bool",
    "network.dns": "ips",
    "network.dnsHosts": "map",
    "network.hostAddresses": "bool",
    "network.gatewayAddress": "ip",
    "forwardAgent": "bool",
    "docker": "any",
    "vmType": "str",
    "portForwarder": "str",
    "rosetta": "bool",
    "binfmt": "bool?",
    "nestedVirtualization": "bool",
    "mountType": "str",
    "mountInotify": "bool",
    "cpuType": "str",
    "provision": "records",
    "sshConfig": "bool",
    "sshPort": "int",
    "mounts": "mounts",
    "diskImage": "str",
    "forceDiskImage": "bool?",
    "rootDisk": "int",
    "env": "map",
}
ZEROS: dict[str, Any] = {"int": 0, "float": 0, "str": "", "bool": False}


class LoadError(Exception):
    """A file that is only partly valid. config has the valid part."""

    def __init__(self, reason: str, config: Config) -> None:
        super().__init__(f"could not load config from file: {reason}")
        self.config = config


def zero() -> Config:
    """Return an empty configuration."""
    return {key: ZEROS.get(kind) for key, kind in KINDS.items()}


def load(file: Path) -> Config:
    """Read a file. Raises LoadError, with what was understood, when the file is missing, malformed or wrongly typed."""
    try:
        text = file.read_text(encoding="utf-8")
    except OSError as error:
        raise LoadError(f"open {file}: {(error.strerror or '').lower()}", zero()) from error
    return parse(text)


def load_or_zero(file: Path) -> Config:
    """Read a file and keep the valid part."""
    try:
        return load(file)
    except LoadError as error:
        return error.config


def parse(text: str) -> Config:
    """Decode the text of a file."""
    own = _parse_own(text)
    if own is not None:
        return own
    from .go_yaml import Invalid, decode

    config = zero()
    try:
        problem = decode(text, KINDS, config)
    except Invalid as error:
        # Go stops here and keeps what it has read.
        raise LoadError(str(error), config) from error
    if problem:
        raise LoadError(problem, config)
    return config


_HEADING = "# Settings of this profile for its next start. Every start rewrites the file."
_LINE = re.compile(r"(?P<inner>  )?(?P<name>\w+):(?: (?P<value>.+))?\Z")
_PYTHON = {"int": int, "float": (int, float), "str": str, "bool": bool, "bool?": (bool, type(None)), "ip": (str, type(None))}
_PYTHON |= {"map": dict, "any": dict}


def _parse_own(text: str) -> Config | None:
    """Read a file just as save wrote it, which is quicker than YAML. Returns None for any other file."""
    if not text.startswith(_HEADING):
        return None
    config, section = zero(), ""
    for line in text.splitlines()[1:]:
        if not line:
            continue
        found = _LINE.match(line)
        if found is None:
            return None
        if found["value"] is None:
            section = found["name"]
            continue
        key = f"{section}.{found['name']}" if found["inner"] else found["name"]
        try:
            value = json.loads(found["value"])
        except ValueError:
            return None
        wanted = _PYTHON.get(KINDS.get(key, ""), (list, type(None)))
        if key not in KINDS or not isinstance(value, wanted) or (KINDS[key] in ("int", "float") and value is True):  # type: ignore[arg-type]
            return None
        config[key] = value
    return config


def save(config: Config, file: Path) -> None:
    """Write every key. Comments and unknown keys of an older file are gone, as with colima."""
    file.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
    file.write_text(dump(config), encoding="utf-8")


def dump(config: Config) -> str:
    """Return the text of a file that holds every key."""
    lines = [_HEADING]
    section = ""
    for key, kind in KINDS.items():
        parent, _, name = key.rpartition(".")
        if parent != section and parent:
            lines += ["", f"{parent}:"]
        elif not parent:
            lines.append("")
        section = parent
        value = config.get(key)
        if value is None and kind in ("map", "any"):
            value = {}
        lines.append(f"{'  ' if parent else ''}{name}: {_shown(value)}")
    return "\n".join(lines) + "\n"


def _shown(value: Any) -> str:
    """One value in YAML's flow form, which JSON is."""
    return json.dumps(value, ensure_ascii=False)


def with_defaults(config: Config, profile_id: str, vm_type: str) -> Config:
    """Fill in colima's defaults."""
    filled = dict(config)
    filled["vmType"] = config["vmType"] or vm_type
    filled["mountType"] = config["mountType"] or ("virtiofs" if filled["vmType"] == "vz" else "sshfs")
    filled["hostname"] = config["hostname"] or profile_id
    filled["portForwarder"] = config["portForwarder"] or "ssh"
    return filled


def auto_activate(config: Config) -> bool:
    """Whether host clients are switched to the profile; an absent key means yes."""
    return config["autoActivate"] is not False


def runtime_label(config: Config) -> str:
    """What list shows as the runtime."""
    if config["runtime"] == "none":
        return "none"
    if config["runtime"] not in ("docker", "containerd", "incus"):
        return ""
    return str(config["runtime"]) + ("+k3s" if config["kubernetes.enabled"] else "")
