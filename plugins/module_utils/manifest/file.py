# SPDX-License-Identifier: GPL-3.0-or-later
"""The manifest of one source and one target on the disk: rows are appended, the last one of a resource counts.

A line is a JSON object: the first says which source and target, each other one is a row, or {"kind", "name"} alone where a
resource has no row from now on. Half of a line, which a killed run leaves, and a damaged line are ignored: without a row nothing
counts as arrived, and both sides are read and compared.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from ..core.errors import InputError, naming_files
from ..core.system.files import make_directory, write_atomically
from ..core.system.home import state_directory
from .model import Fingerprint, Kind, Resource, Row, Status

_VERSION = 1
_DIRECTORY = "manifests"
_REMEDY = "Make its directory writable, or set XDG_STATE_HOME to another one, and run again."
# A larger file is written again, without the rows that others replaced.
_LARGEST_BYTES = 16 << 20
_SIDES = ("source", "target", "replaces")
_STATUS = "status"
_STATUS_BEFORE = "fate"  # until December 2026; rows are read by both


class ManifestFile:
    """The rows of one pair. source, target: each engine's identity, complete: VMs that were cloned share an id, not a socket."""

    def __init__(self, source: str, target: str) -> None:
        self.source, self.target = source, target
        name = hashlib.sha256(json.dumps([source, target]).encode()).hexdigest()[:32]
        self.path = state_directory() / _DIRECTORY / f"{name}.jsonl"

    def rows(self) -> dict[Resource, Row]:
        """Return the rows; none where the file is absent. Raises InputError for a file of a newer release."""
        rows = dict[Resource, Row]()
        for entry in _entries(self._lines()):
            version = entry.get("version", _VERSION)
            if isinstance(version, int) and version > _VERSION:
                reason = f"it has version {version}, of a newer release"
                raise InputError(f"read the manifest '{self.path}'", reason, "Update laptop.containers.")
            with contextlib.suppress(KeyError, ValueError, TypeError):
                resource = Resource(Kind(entry["kind"]), str(entry["name"]))
                rows.pop(resource, None)
                if _STATUS in entry or _STATUS_BEFORE in entry:
                    rows[resource] = row_from(entry)
        return rows

    def append(self, *rows: Row) -> None:
        """Add rows, each in place of an earlier one of its resource; they are on the disk when this returns."""
        self._append(map(written, rows))

    def forget(self, *resources: Resource) -> None:
        """Remove the rows of resources."""
        self._append({"kind": one.kind.value, "name": one.name} for one in resources)

    def _append(self, entries: Iterable[Mapping[str, Any]]) -> None:
        lines = [json.dumps(entry) for entry in entries]
        if not lines:
            return
        with naming_files(f"write the manifest '{self.path}'", _REMEDY):
            if not self.path.exists() or self.path.stat().st_size > _LARGEST_BYTES:
                self._write(self.rows().values())
            with self.path.open("r+b") as file:
                # What a killed run has left of a line must not become a part of this one.
                end = file.seek(0, os.SEEK_END)
                file.seek(max(end - 1, 0))
                broken = file.read(1) not in (b"", b"\n")
                file.write(("\n" * broken + "\n".join(lines) + "\n").encode())
                file.flush()
                os.fsync(file.fileno())

    def _write(self, rows: Iterable[Row]) -> None:
        make_directory(self.path.parent)
        head = {"version": _VERSION, "source": self.source, "target": self.target}
        lines = [json.dumps(head), *(json.dumps(written(row)) for row in rows)]
        write_atomically(self.path, "\n".join(lines) + "\n")

    def _lines(self) -> list[str]:
        with naming_files(f"read the manifest '{self.path}'", _REMEDY):
            try:
                return self.path.read_text(encoding="utf-8", errors="replace").split("\n")
            except FileNotFoundError:
                return []


def _entries(lines: Iterable[str]) -> Iterator[dict[str, Any]]:
    for line in lines:
        with contextlib.suppress(ValueError, RecursionError):
            entry = json.loads(line)
            if isinstance(entry, dict):
                yield entry


def written(row: Row) -> dict[str, Any]:
    """Return a row as JSON has it."""
    entry: dict[str, Any] = {"kind": row.resource.kind.value, "name": row.resource.name, _STATUS: row.status.value}
    for side in _SIDES:
        if reading := getattr(row, side):
            entry[side] = {"digest": reading.digest, "identity": reading.identity}
    return {**entry, **{key: value for key, value in (("work", row.work), ("reason", row.reason)) if value}}


def row_from(entry: Mapping[str, Any]) -> Row:
    """Return the row that is written so. Raises KeyError, ValueError and TypeError for anything else."""
    resource = Resource(Kind(entry["kind"]), str(entry["name"]))
    readings = {side: Fingerprint(str(entry[side]["digest"]), str(entry[side]["identity"])) for side in _SIDES if side in entry}
    status = Status(entry[_STATUS] if _STATUS in entry else entry[_STATUS_BEFORE])
    return Row(resource, status, **readings, work=str(entry.get("work", "")), reason=str(entry.get("reason", "")))
