# SPDX-License-Identifier: GPL-3.0-or-later
"""What colima, limactl and a guest answer, as typed values. An unreadable answer is a failure, never an empty answer.

Opens nothing and starts nothing. Also the small files that colima, Lima and our own earlier runs leave: a torn one is None.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ...core.errors import CommandFailed
from ...core.system.logfmt import log_line

# Larger numbers fit neither Go's int64 nor what Python's floats and system calls take.
_LARGEST = 2**63 - 1
_LARGEST_PID = 2**31 - 1
_LIST, _DISKS, _STATUS = "colima list --json", "limactl disk list --json", "colima status --json"
_K3S_VERSION = re.compile(r"v?(\d{1,5})\.(\d{1,5})\.(\d{1,5})(?:\+k3s(\d{1,5}))?")


class Malformed(ValueError):
    """A text is not what it should be; the message says how, without its content."""


@dataclass(frozen=True)
class ListedProfile:
    """One line of `colima list --json`. Zero and empty mean that colima left the key out."""

    name: str
    status: str = ""
    arch: str = ""
    cpus: int = 0
    memory: int = 0
    disk: int = 0
    address: str = ""
    runtime: str = ""


@dataclass(frozen=True)
class ListedDisk:
    """One line of `limactl disk list --json`: size in bytes, the instance that uses it, and its directory."""

    name: str
    size: int = 0
    instance: str = ""
    dir: str = ""


@dataclass(frozen=True)
class DiskNote:
    """What colima remembers of the data disk."""

    formatted: bool
    runtime: str


@dataclass(frozen=True)
class K3sState:
    """What a guest says of its k3s. port 0: it was never installed; version empty: unknown."""

    port: int = 0
    version: str = ""


_ROW = {"name": str, "status": str, "arch": str, "cpus": int, "memory": int, "disk": int, "address": str, "runtime": str}
_DISK = {"name": str, "size": int, "instance": str, "dir": str}
_LIVE = {
    "display_name": str,
    "driver": str,
    "arch": str,
    "runtime": str,
    "mount_type": str,
    "ip_address": str,
    "docker_socket": str,
    "containerd_socket": str,
    "buildkitd_socket": str,
    "incus_socket": str,
    "kubernetes": bool,
    "cpu": int,
    "memory": int,
    "disk": int,
}


def parse_rows(stdout: str) -> list[ListedProfile]:
    """Return the rows of `colima list --json`: one object per line, not an array."""
    return [ListedProfile(**fields) for fields in _lines(_LIST, stdout, _ROW)]


def parse_disks(stdout: str) -> list[ListedDisk]:
    """Return the rows of `limactl disk list --json`."""
    return [ListedDisk(**fields) for fields in _lines(_DISKS, stdout, _DISK)]


def parse_live(stdout: str) -> dict[str, Any]:
    """Return what `colima status --json` says of a guest."""
    try:
        return _fields(loads(stdout), _LIVE)
    except Malformed as error:
        raise _unreadable(_STATUS, error, stdout) from error


def parse_k3s(text: str) -> K3sState | None:
    """Return what /etc/colima/colima.json in a guest says of k3s. None when it can't be read."""
    try:
        # colima keeps all values there as texts.
        data = _fields(loads(text), {"k3s_listen_port": str, "kubernetes_config": str})
        config = _fields(loads(data.get("kubernetes_config") or "{}"), {"Version": str})
    except Malformed:
        return None
    port = data.get("k3s_listen_port") or "0"
    return K3sState(int(port), config.get("Version", "")) if re.fullmatch(r"[0-9]{1,5}", port) else None


def parse_store(text: str) -> DiskNote | None:
    """Return colima's notes about a data disk. None when they can't be read: colima then believes that there are none."""
    try:
        data = _fields(loads(text), {"disk_formatted": bool, "disk_runtime": str})
    except Malformed:
        return None
    return DiskNote(data.get("disk_formatted", False), data.get("disk_runtime", ""))


def parse_pid(text: str) -> int:
    """Return the process that a pid file names; 0 when it names none."""
    number = text.strip()
    if not re.fullmatch(r"[0-9]{1,10}", number):
        return 0
    pid = int(number)
    return pid if 1 < pid <= _LARGEST_PID else 0


def k3s_release(version: str) -> tuple[int, ...]:
    """Return v1.33.4+k3s1 as numbers to compare; empty for another form."""
    found = _K3S_VERSION.fullmatch(version)
    return tuple(int(part or 0) for part in found.groups()) if found else ()


def tells_of_running(events: str) -> bool:
    """Return whether the events that Lima's host agent writes down (ha.stdout.log) tell of a VM that came up."""
    return bool(re.search(r'"running":\s*true', events))


def loads(text: str) -> Any:
    """Return the value of a JSON text. Raises Malformed."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise Malformed("it is not JSON") from error


def _lines(command: str, stdout: str, fields: Mapping[str, type]) -> Iterator[dict[str, Any]]:
    for line in stdout.split("\n"):
        # Beside its answer colima passes on remarks of limactl.
        if not line.strip() or (line.startswith("time=") and log_line(line)):
            continue
        try:
            found = _fields(loads(line), fields)
            if not found.get("name"):
                raise Malformed("a row has no name")
        except Malformed as error:
            raise _unreadable(command, error, stdout) from error
        yield found


def _fields(data: Any, fields: Mapping[str, type]) -> dict[str, Any]:
    """Return the known fields of an object. Raises Malformed for one of another type; null counts as absent, as in Go."""
    if not isinstance(data, dict):
        raise Malformed("it is not a JSON object")
    result = {}
    for name, kind in fields.items():
        value = data.get(name)
        if value is None:
            continue
        if type(value) is not kind or not _fits(value):
            raise Malformed(f"'{name}' is not {_WORDS[kind]}")
        result[name] = value
    return result


def _fits(value: Any) -> bool:
    """Whether a number fits what computes with it, and a text what opens a file by it."""
    return "\0" not in value if isinstance(value, str) else 0 <= value <= _LARGEST


_WORDS = {int: "a whole number", str: "text", bool: "true or false"}


def _unreadable(command: str, error: Malformed, stdout: str) -> CommandFailed:
    remedy = "Run it by hand, and repair what it shows."
    return CommandFailed(f"read the answer of '{command}'", str(error), remedy, stdout=stdout)
