# SPDX-License-Identifier: GPL-3.0-or-later
"""What engines in their own namespaces have in common: whether they run, and how they end."""

from __future__ import annotations

from abc import ABC, abstractmethod
from types import TracebackType
from typing import Self

from rehearsal.processes.realm import Realm


class InRealm(ABC):
    """An engine in a realm, also as a context manager."""

    realm: Realm

    @abstractmethod
    def start(self) -> Self:
        """Start the engine and wait until it answers. Raises LabError."""

    @abstractmethod
    def _clean(self) -> None:
        """Remove what the engine leaves behind."""

    @property
    def running(self) -> bool:
        """Whether the engine's realm is up."""
        return self.realm.daemon.pid is not None

    def stop(self) -> None:
        """End the engine and its containers."""
        self.realm.stop()
        self._clean()

    def kill(self) -> None:
        """End everything at once."""
        self.realm.kill()
        self._clean()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.stop()
