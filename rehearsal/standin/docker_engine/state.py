# SPDX-License-Identifier: GPL-3.0-or-later
"""What the stand-in engine remembers: facts of itself, containers, images, and volumes, each in a file."""

from __future__ import annotations

import hashlib
import json
import os
import threading
import time
from pathlib import Path
from typing import Any

VERSION = "28.4.0"
API_VERSION = "1.51"
DEFAULT_FACTS = {
    "Name": "colima",
    "NCPU": os.cpu_count() or 1,
    "MemTotal": 2 * 2**30,
    "Architecture": "aarch64",
    "OperatingSystem": "Ubuntu 24.04.3 LTS",
    "ServerVersion": VERSION,
}


class Refusal(Exception):
    """An answer of the engine that is not success."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class State:
    """What the engine remembers, read from and written to files at every request, so that tests can write them too."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.lock = threading.Lock()
        directory.mkdir(parents=True, exist_ok=True)

    def load(self, name: str) -> Any:
        try:
            return json.loads((self.directory / f"{name}.json").read_text())
        except FileNotFoundError:
            return {} if name == "engine" else []

    def save(self, name: str, value: Any) -> None:
        temporary = self.directory / f".{name}.json"
        temporary.write_text(json.dumps(value, indent=2) + "\n")
        temporary.replace(self.directory / f"{name}.json")

    def now(self) -> float:
        """Return the time, in seconds since the epoch."""
        return time.time()

    def containers(self) -> list[dict[str, Any]]:
        return [_whole_container(item) for item in self.load("containers")]

    def images(self) -> list[dict[str, Any]]:
        return [_whole_image(item) for item in self.load("images")]

    def facts(self) -> dict[str, Any]:
        return {**DEFAULT_FACTS, **self.load("engine")}


class Memory(State):
    """The same without files, for tests that start many engines."""

    def __init__(self, directory: Path) -> None:
        super().__init__(directory)
        self.texts: dict[str, str] = {}
        self.days = 0

    def now(self) -> float:
        """Return a time of another day with each call: what is made again is known by its time."""
        self.days += 1
        return self.days * 86400.0

    def load(self, name: str) -> Any:
        return json.loads(self.texts.get(name, "{}" if name == "engine" else "[]"))

    def save(self, name: str, value: Any) -> None:
        self.texts[name] = json.dumps(value)


def filters_of(query: dict[str, str]) -> dict[str, list[str]]:
    """Return the filters of a query: the values of each."""
    given = json.loads(query.get("filters") or "{}")
    return {key: list(values) for key, values in given.items()}


def _whole_container(item: dict[str, Any]) -> dict[str, Any]:
    """Fill in what a test left out of a container: it runs, unless it says otherwise."""
    names = item.get("Names") or ["/nameless"]
    state = item.get("State", "running")
    status = {"running": "Up 2 minutes", "created": "Created"}.get(state, "Exited (0) 2 minutes ago")
    return {
        "Id": hashlib.sha256(names[0].encode()).hexdigest(),
        "Image": "scratch:latest",
        "ImageID": "sha256:" + hashlib.sha256(b"scratch").hexdigest(),
        "Command": "/app",
        "Created": int(time.time()) - 120,
        "Ports": [],
        "Labels": {},
        "HostConfig": {"NetworkMode": "default"},
        "NetworkSettings": {"Networks": {"bridge": {}}},
        "Mounts": [],
        **item,
        "Names": [name if name.startswith("/") else f"/{name}" for name in names],
        "State": state,
        "Status": item.get("Status", status),
    }


def _whole_image(item: dict[str, Any]) -> dict[str, Any]:
    tags = item.get("RepoTags") or []
    return {
        "Containers": -1,
        "Created": int(time.time()) - 120,
        "Id": "sha256:" + hashlib.sha256("".join(tags).encode()).hexdigest(),
        "Labels": None,
        "ParentId": "",
        "RepoDigests": [],
        "SharedSize": -1,
        "Size": 0,
        **item,
        "RepoTags": tags,
    }
