# SPDX-License-Identifier: GPL-3.0-or-later
"""What earlier runs logged in to: hosts, leases and machines in one small file of the user's. It never holds a token."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
from collections.abc import Iterator, Mapping
from typing import Any

from ..core.errors import InputError
from ..core.home import state_directory
from ..ecr.lease import lease_from
from .plan import KINDS, Note, Place

_REMEDY = "Make the directory writable, or set XDG_STATE_HOME to another one."


class Notes:
    """The logins of one pull secret's task, by place and host."""

    def __init__(self, environment: Mapping[str, str], _home: str, secret: str) -> None:
        self.path = state_directory(environment) / "registry_logins.json"
        self.secret = secret

    def read(self) -> dict[Place, dict[str, Note]]:
        """Return what is noted; what can't be read counts as not noted."""
        noted: dict[Place, dict[str, Note]] = {}
        for key, hosts in _mapping(self._all().get(self.secret)).items():
            kind, _colon, where = str(key).partition(":")
            if kind in KINDS and isinstance(hosts, dict) and hosts:
                noted[Place(kind, where)] = {str(host): _note(entry) for host, entry in hosts.items()}
        return noted

    def write(self, place: Place, host: str, note: Note | None) -> None:
        """Note one login, or forget it (None)."""
        with self._alone():
            notes = self._all()
            mine = _mapping(notes.get(self.secret))
            key = f"{place.kind}:{place.where}"
            hosts = {name: entry for name, entry in _mapping(mine.get(key)).items() if name != host}
            if note is not None:
                hosts[host] = {**(note.lease.public() if note.lease else {}), "machine": note.machine}
            notes[self.secret] = {name: entry for name, entry in {**mine, key: hosts}.items() if entry}
            self._save({name: entry for name, entry in notes.items() if entry})

    def _all(self) -> dict[str, Any]:
        try:
            notes = json.loads(self.path.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}
        return _mapping(notes)

    def _save(self, notes: dict[str, Any]) -> None:
        from ..core.files import write_file

        if notes:
            write_file(self.path, json.dumps(notes, indent=1), 0o600, _REMEDY)
        else:
            self.path.unlink(missing_ok=True)

    @contextlib.contextmanager
    def _alone(self) -> Iterator[None]:
        """Keep other runs away, such as the timer's."""
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            handle = os.open(self.path.parent, os.O_RDONLY)
        except OSError as error:
            raise InputError(f"Could not write '{self.path}': {error.strerror}. {_REMEDY}") from error
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            yield
        finally:
            os.close(handle)


def _mapping(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _note(entry: Any) -> Note:
    try:
        return Note(lease_from(entry), str(entry["machine"]))
    except (ValueError, TypeError, KeyError):
        return Note()
