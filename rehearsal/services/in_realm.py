# SPDX-License-Identifier: GPL-3.0-or-later
"""What engines in their own namespaces have in common: whether they run, and how they end."""

from __future__ import annotations

from abc import abstractmethod

from rehearsal.processes.realm import Realm
from rehearsal.services.service import Service


class InRealm(Service):
    """An engine in a realm."""

    realm: Realm

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
