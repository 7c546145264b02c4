# SPDX-License-Identifier: GPL-3.0-or-later
"""What all services have in common: they can be started for the length of a block."""

from __future__ import annotations

from abc import ABC, abstractmethod
from types import TracebackType
from typing import Self


class Service(ABC):
    """Something that is started and stopped, also as a context manager."""

    @abstractmethod
    def start(self) -> Self:
        """Start it and wait until it answers. Raises LabError."""

    @abstractmethod
    def stop(self) -> None:
        """End it."""

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.stop()
