# SPDX-License-Identifier: GPL-3.0-or-later
"""buildx's own store: $DOCKER_CONFIG/buildx with instances, activity, defaults and the current builder."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import time
from pathlib import Path
from types import TracebackType
from typing import Any

from ..flags import Exit
from ..template import dumps

Group = dict[str, Any]

HASH_LENGTH = 20


def validate(name: str) -> str:
    """Return the name in lower case. Raises Exit for a name that buildx refuses."""
    start = name[:1].isascii() and name[:1].isalpha()
    if not start or not all(char.isascii() and (char.isalnum() or char in "._-") for char in name):
        reason = "name needs to start with a letter and may not contain symbols, except ._-"
        raise Exit(f"ERROR: invalid name {name}, {reason}\n")
    return name.lower()


class Store:
    """The store, locked against other buildx processes while it is open."""

    def __init__(self, config: Path) -> None:
        self.directory = Path(os.environ.get("BUILDX_CONFIG") or config / "buildx")
        for name in ("instances", "defaults", "activity"):
            (self.directory / name).mkdir(mode=0o700, parents=True, exist_ok=True)
        self.directory.chmod(0o700)

    def __enter__(self) -> Store:
        self._lock = (self.directory / ".lock").open("a")
        (self.directory / ".lock").chmod(0o600)
        fcntl.flock(self._lock, fcntl.LOCK_EX)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.release()

    def release(self) -> None:
        """Let others in, before something slow begins."""
        self._lock.close()

    def _write(self, name: str, text: str) -> None:
        path = self.directory / name
        temporary = path.with_name(f".tmp-{path.name}{os.getpid()}")
        temporary.touch(mode=0o600)
        temporary.write_text(text)
        temporary.replace(path)

    def find(self, name: str) -> Group | None:
        """Return a stored builder, None when there is none of this name."""
        path = self.directory / "instances" / validate(name)
        try:
            group: Group = json.loads(path.read_text())
        except FileNotFoundError:
            return None
        except ValueError as error:
            raise Exit(f"ERROR: {error}\n") from error
        return group

    def all(self) -> list[Group]:
        names = sorted(path.name for path in (self.directory / "instances").iterdir() if not path.name.startswith("."))
        found = [self.find(name) for name in names]
        return sorted((group for group in found if group), key=lambda group: str(group["Name"]))

    def save(self, group: Group) -> None:
        name = validate(group["Name"])
        self._write(f"activity/{group['Name']}", time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()))
        self._write(f"instances/{name}", dumps(group))

    def remove(self, name: str) -> None:
        for folder in ("activity", "instances"):
            (self.directory / folder / validate(name)).unlink(missing_ok=True)
        (self.directory / "refs").mkdir(mode=0o700, exist_ok=True)

    def activity(self, name: str) -> str:
        """Return when the builder was last changed, in RFC 3339; Go's zero time when it never was."""
        try:
            return (self.directory / "activity" / name).read_text()
        except OSError:
            return "0001-01-01T00:00:00Z"

    def set_current(self, key: str, name: str, everywhere: bool = False, default: bool = False) -> None:
        self._write("current", dumps({"Key": key, "Name": name, "Global": everywhere}))
        file = f"defaults/{hashlib.sha256(key.encode()).hexdigest()[:HASH_LENGTH]}"
        if default:
            self._write(file, name)
        else:
            (self.directory / file).unlink(missing_ok=True)

    def current(self, key: str) -> Group | None:
        """Return the builder chosen for an endpoint; writes the choice again when it was for another endpoint."""
        try:
            chosen = json.loads((self.directory / "current").read_text())
        except FileNotFoundError:
            chosen = {}
        if chosen.get("Name"):
            group = self.find(chosen["Name"])
            if chosen["Global"] and group:
                return group
            if chosen["Key"] == key:
                return group
        file = self.directory / "defaults" / hashlib.sha256(key.encode()).hexdigest()[:HASH_LENGTH]
        if not file.exists():
            self._write("current", dumps({"Key": key, "Name": "", "Global": False}))
            return None
        name = file.read_text()
        group = self.find(name)
        self.set_current(key, name, default=True)
        return group
