# SPDX-License-Identifier: GPL-3.0-or-later
"""How long requests to a busy or restarting API server are repeated: each for itself, and all of them together.

A thousand requests that each had all the patience would wait for hours, eight at a time, for a server that is gone.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

REQUEST_SECONDS = 30.0
PATIENCE_SECONDS = 60.0  # a k3s that restarts is back within half of it
LONGEST_PAUSE = 8.0


@dataclass(frozen=True)
class Patience:
    """How long requests keep trying, in seconds."""

    request: float = REQUEST_SECONDS
    total: float = PATIENCE_SECONDS
    first_pause: float = 0.2


def pause_before(attempt: int, retry_after: str | None, patience: Patience, jitter: float) -> float:
    """Return the seconds to wait before the next attempt (counted from 1); the server's own wish comes first."""
    try:
        wished = float(retry_after) if retry_after else 0.0
    except ValueError:
        wished = 0.0
    if wished > 0:
        # Spread what the server told everybody at the same moment.
        return min(wished, LONGEST_PAUSE) * (1 + jitter / 4)
    return min(patience.first_pause * 2.0 ** (attempt - 1), LONGEST_PAUSE) * (0.5 + jitter / 2)


class Trouble:
    """What all requests to one cluster know of its failures. Threads share it; an update that is lost does no harm."""

    def __init__(self, patience: Patience) -> None:
        self.patience = patience
        self._since: float | None = None  # since when no request has had an answer that counts
        self._spent = False  # patience has run out once; from then on each request is sent once
        self._hopeless: Exception | None = None

    def over(self) -> None:
        """Note an answer that counts, be it a refusal: the server is at work."""
        self._since = self._hopeless = None

    def raise_if_hopeless(self) -> None:
        """Raise the last failure when nothing more is worth sending."""
        if self._hopeless is not None:
            raise self._hopeless

    def allows(self, pause: float, started: float, failure: Exception, answered: bool) -> bool:
        """Whether a request that has failed just now may be repeated after a pause. answered: the server did say something."""
        now, total = time.monotonic(), self.patience.total
        since = self._since = now if self._since is None else self._since
        if not self._spent and now + pause <= min(started, since) + total:
            return True
        self._spent = True
        # A server that answers may refuse some namespaces only, so the others are tried, unless each of them takes long to fail.
        if now + pause > since + total and (not answered or now > since + 2 * total):
            self._hopeless = failure
        return False
