# SPDX-License-Identifier: GPL-3.0-or-later
"""colima.yaml: how it is read (Go's typed decoding with zero values), written back whole, and defaulted.

A configuration is a flat dictionary with the dotted keys below. None stands for Go's nil: an absent list, pointer or
address, which is not the same as an empty one.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
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
    "network.dns": "list",
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
GO_NAMES = {"int": "int", "float": "float32", "bool": "bool", "bool?": "bool", "list": "[]string", "map": "map[string]string"}
GO_NAMES |= {"any": "map[string]interface {}", "records": "[]config.Provision", "mounts": "[]config.Mount"}


class LoadError(Exception):
    """A file that could not be read whole. What could be read is in config."""

    def __init__(self, reason: str, config: Config) -> None:
        super().__init__(f"could not load config from file: {reason}")
        self.config = config


def zero() -> Config:
    """A configuration in which nothing was said."""
    return {key: ZEROS.get(kind) for key, kind in KINDS.items()}


def load(file: Path) -> Config:
    """Read a file. Raises LoadError, with what was understood, when the file is missing, malformed or wrongly typed."""
    try:
        text = file.read_text(encoding="utf-8")
    except OSError as error:
        raise LoadError(f"open {file}: {(error.strerror or '').lower()}", zero()) from error
    return parse(text)


def load_or_zero(file: Path) -> Config:
    """Read a file and take what could be understood."""
    try:
        return load(file)
    except LoadError as error:
        return error.config


def parse(text: str) -> Config:
    """Decode the text of a file."""
    own = _parse_own(text)
    if own is not None:
        return own
    import yaml

    config = zero()
    try:
        # The nodes, not the values: colima tells a number from a word by the YAML tag and names the line.
        root = yaml.compose(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f"line {mark.line + 1}: " if mark else ""
        raise LoadError(f"yaml: {where}{getattr(error, 'problem', None) or error}", config) from error
    if root is None:
        return config
    problems: list[str] = []
    decoder = _Decoder(problems)
    if not decoder.is_mapping(root):
        raise LoadError(f"yaml: unmarshal errors:\n  {decoder.complain(root, 'config.Config')}", config)
    for name, node in decoder.items(root):
        if name in ("kubernetes", "network"):
            if decoder.is_mapping(node):
                for inner, value in decoder.items(node):
                    decoder.take(config, f"{name}.{inner}", value)
            elif not decoder.is_null(node):
                problems.append(decoder.complain(node, f"config.{name.capitalize()}"))
        else:
            decoder.take(config, name, node)
    if problems:
        raise LoadError("yaml: unmarshal errors:\n" + "\n".join(f"  {problem}" for problem in problems), config)
    return config


_HEADING = "# Settings of this profile for its next start. Every start writes the file anew."
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


class _Decoder:
    """Decodes YAML nodes into Go's types, as far as colima's settings need them."""

    def __init__(self, problems: list[str]) -> None:
        self.problems = problems

    @staticmethod
    def is_mapping(node: Any) -> bool:
        return bool(node.id == "mapping")

    @staticmethod
    def is_null(node: Any) -> bool:
        return bool(node.tag == "tag:yaml.org,2002:null")

    @staticmethod
    def items(node: Any) -> list[tuple[str, Any]]:
        return [(key.value, value) for key, value in node.value]

    @staticmethod
    def complain(node: Any, wanted: str) -> str:
        tag = node.tag.replace("tag:yaml.org,2002:", "!!")
        shown = f" `{node.value[:10]}`" if node.id == "scalar" else ""
        return f"line {node.start_mark.line + 1}: cannot unmarshal {tag}{shown} into {wanted}"

    def take(self, config: Config, key: str, node: Any) -> None:
        """Decode one known key; unknown keys are dropped."""
        kind = KINDS.get(key)
        if kind is None or self.is_null(node):
            return
        decode: dict[str, Callable[[Any], Any]] = {
            "str": self._text,
            "ip": self._text,
            "int": self._integer,
            "float": self._number,
            "bool": self._truth,
            "bool?": self._truth,
            "list": self._texts,
            "map": self._map,
            "any": self._anything,
            "records": self._records,
            "mounts": self._mounts,
        }
        try:
            config[key] = decode[kind](node)
        except ValueError:
            self.problems.append(self.complain(node, GO_NAMES.get(kind, "string")))

    def _text(self, node: Any) -> str:
        if node.id != "scalar":
            raise ValueError
        return str(node.value)

    def _number(self, node: Any) -> float:
        if node.id != "scalar" or node.tag not in ("tag:yaml.org,2002:int", "tag:yaml.org,2002:float"):
            raise ValueError
        value = float(node.value)
        return int(value) if value == int(value) else value

    def _integer(self, node: Any) -> int:
        return int(self._number(node))

    def _truth(self, node: Any) -> bool:
        if node.id != "scalar" or node.tag != "tag:yaml.org,2002:bool":
            raise ValueError
        return node.value.lower() in ("true", "yes", "on", "y")

    def _texts(self, node: Any) -> list[str]:
        if node.id != "sequence":
            raise ValueError
        return [self._text(item) for item in node.value]

    def _map(self, node: Any) -> dict[str, str]:
        if node.id != "mapping":
            raise ValueError
        return {key: "" if self.is_null(value) else self._text(value) for key, value in self.items(node)}

    def _anything(self, node: Any) -> dict[str, Any]:
        if node.id != "mapping":
            raise ValueError
        return {key: self._value(value) for key, value in self.items(node)}

    def _value(self, node: Any) -> Any:
        if node.id == "mapping":
            return self._anything(node)
        if node.id == "sequence":
            return [self._value(item) for item in node.value]
        kind = node.tag.rsplit(":", 1)[-1]
        if kind in ("int", "float"):
            return self._number(node)
        if kind == "bool":
            return self._truth(node)
        return None if kind == "null" else str(node.value)

    def _records(self, node: Any) -> list[dict[str, Any]]:
        if node.id != "sequence":
            raise ValueError
        found = [self._anything(item) for item in node.value]
        return [{"mode": one.get("mode") or "", "script": one.get("script") or ""} for one in found]

    def _mounts(self, node: Any) -> list[dict[str, Any]]:
        if node.id != "sequence":
            raise ValueError
        mounts = []
        for one in (self._anything(item) for item in node.value):
            mount: dict[str, Any] = {"location": one.get("location") or ""}
            if one.get("mountPoint"):
                mount["mountPoint"] = one["mountPoint"]
            mounts.append({**mount, "writable": bool(one.get("writable"))})
        return mounts


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
    """Fill what colima defaults in a file that it takes up."""
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
