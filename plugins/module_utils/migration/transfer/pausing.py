# SPDX-License-Identifier: GPL-3.0-or-later
"""Keeps containers of a source paused for a copy. What is noted lets a run that follows a killed one unpause them."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence

from ...core.errors import CommandFailed, TimedOut
from ...core.notes import Notes
from ...docker.engine import EngineSilent
from .sides import Side


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
        """Note that a container is about to be paused, or was unpaused."""
        with self.notes.edit() as notes:
            noted = notes.setdefault(self.key, {}).setdefault("paused", {})
            if paused:
                noted[container] = True
            else:
                noted.pop(container, None)


def paused(
    source: Side, containers: Sequence[str], doing: str, note: Callable[[str, bool], object]
) -> contextlib.AbstractContextManager[None]:
    """Keep containers from writing meanwhile. note gets each before it is paused, and after it is unpaused."""

    def change(container: str, verb: str) -> None:
        with source.trouble(doing):
            source.api.ask("POST", f"/containers/{container}/{verb}")

    return pausing(change, containers, note)


@contextlib.contextmanager
def pausing(
    change: Callable[[str, str], object], containers: Sequence[str], note: Callable[[str, bool], object]
) -> Iterator[None]:
    """Keep containers from writing meanwhile, see paused(). change: gets one, and "pause" or "unpause"."""

    def go_on(container: str) -> None:
        change(container, "unpause")
        note(container, False)

    with contextlib.ExitStack() as stack:
        for container in containers:
            note(container, True)
            try:
                change(container, "pause")
            except CommandFailed as error:
                # One that fell silent may have paused it: the next run looks.
                if not isinstance(error.__cause__, (EngineSilent, TimedOut)):
                    note(container, False)
                raise
            stack.callback(go_on, container)
        yield


def unpause(source: Side, container: str, doing: str) -> None:
    """Let a container go on."""
    with source.trouble(doing):
        source.api.ask("POST", f"/containers/{container}/unpause")
