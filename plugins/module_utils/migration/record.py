# SPDX-License-Identifier: GPL-3.0-or-later
"""Which containers of a source are paused for a copy, so that a run that follows a killed one lets them go on."""

from __future__ import annotations

from ..core.notes import Notes


class Record:
    """The notes about one pair of engines, each with its socket: VMs that were cloned have the same id."""

    def __init__(self, *engines: tuple[str, str]) -> None:
        self.notes, self.key = Notes("migration"), " ".join(f"{engine}@{socket}" for engine, socket in engines)

    def paused(self) -> frozenset[str]:
        """Return the containers of the source that were paused and not let go on."""
        pair = self.notes.read().get(self.key)
        found = pair.get("paused") if isinstance(pair, dict) else None
        return frozenset(found if isinstance(found, dict) else ())

    def note_paused(self, container: str, paused: bool) -> None:
        """Note that a container is about to be paused, or goes on."""
        with self.notes.edit() as notes:
            noted = notes.setdefault(self.key, {}).setdefault("paused", {})
            if paused:
                noted[container] = True
            else:
                noted.pop(container, None)
