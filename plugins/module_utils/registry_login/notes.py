# SPDX-License-Identifier: GPL-3.0-or-later
"""What earlier runs logged in to: hosts, leases and machines. It never holds a token."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..core import notes as core
from ..ecr.renewal import lease_from
from .model import KINDS, Note, Place


class Notes:
    """The logins of one pull secret's task, by place and host."""

    def __init__(self, environment: Mapping[str, str], secret: str) -> None:
        self.store = core.Notes("registry_logins", environment)
        self.secret = secret

    def read(self) -> dict[Place, dict[str, Note]]:
        """Return what is noted; what can't be read counts as not noted."""
        noted: dict[Place, dict[str, Note]] = {}
        for key, hosts in _mapping(self.store.read().get(self.secret)).items():
            kind, _colon, where = str(key).partition(":")
            if kind in KINDS and isinstance(hosts, dict) and hosts:
                noted[Place(kind, where)] = {str(host): _note(entry) for host, entry in hosts.items()}
        return noted

    def write(self, place: Place, host: str, note: Note | None) -> None:
        """Note one login, or forget it (None)."""
        key = f"{place.kind}:{place.where}"
        with self.store.edit() as notes:
            mine = _mapping(notes.pop(self.secret, None))
            hosts = {name: entry for name, entry in _mapping(mine.pop(key, None)).items() if name != host}
            if note is not None:
                hosts[host] = {**(note.lease.public() if note.lease else {}), "machine": note.machine}
            if left := {**mine, key: hosts} if hosts else mine:
                notes[self.secret] = left


def _mapping(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _note(entry: Any) -> Note:
    try:
        return Note(lease_from(entry), str(entry["machine"]))
    except (ValueError, TypeError, KeyError):
        return Note()
