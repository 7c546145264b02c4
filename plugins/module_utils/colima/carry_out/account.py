# SPDX-License-Identifier: GPL-3.0-or-later
"""What a run has done so far, so that a failure can tell it as well. Knows actions, not how they are done."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from ...core.errors import CommandFailed, WorkstationError
from ..plan.action import Action


@dataclass
class Account:
    """Actions as they begin and end, also side by side; further holds what came to light only on the way."""

    finished: list[str] = field(default_factory=list)
    underway: list[str] = field(default_factory=list)
    further: list[str] = field(default_factory=list)
    files_touched: bool = False

    @contextlib.contextmanager
    def recorded(self, action: Action) -> Iterator[None]:
        """Keep account of one action. Bookkeeping has no line of its own, but the settings of a profile are the user's file."""
        if action.hidden:
            self.files_touched = self.files_touched or action.kind == "write"
            yield
            return
        text = str(action.step())
        self.underway.append(text)
        yield
        self.underway.remove(text)
        self.finished.append(text)

    @contextlib.contextmanager
    def told(self) -> Iterator[None]:
        """Let a failure carry what was done until then."""
        try:
            yield
        except WorkstationError as error:
            error.context.update(self.result())
            raise
        except KeyboardInterrupt as stop:
            message = "Could not finish the colima profiles: interrupted. Run again; it goes on from what is there."
            raise CommandFailed(message, **self.result()) from stop

    def result(self) -> dict[str, Any]:
        """Return the result keys."""
        actions = [*self.finished, *self.further, *(f"{text}: not finished" for text in self.underway)]
        return {"changed": bool(actions) or self.files_touched, "actions": actions}
