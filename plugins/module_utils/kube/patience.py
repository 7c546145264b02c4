# SPDX-License-Identifier: GPL-3.0-or-later
"""How long requests to a busy or restarting API server are repeated: each for itself, and all of them together.

A thousand requests that each had all the patience would wait for hours, eight at a time, for a server that is gone.
"""

from __future__ import annotations

import random
import ssl
import time
from dataclasses import dataclass
from typing import Any

from urllib3.exceptions import HTTPError, MaxRetryError, ResponseError, SSLError
from urllib3.util import Retry

RETRIED = frozenset({429, 500, 502, 503, 504})


@dataclass(frozen=True)
class Patience:
    """How long requests keep trying, in seconds."""

    request: float = 30.0  # silence between two parts of an answer
    answer: float = 60.0  # one answer, from its request to its last byte
    total: float = 60.0  # a k3s that restarts is back within half of it
    first_pause: float = 0.2
    longest_pause: float = 8.0


class Trouble:
    """What all requests to one cluster know of its failures. Threads share it; an update that is lost does no harm."""

    def __init__(self, patience: Patience) -> None:
        self.patience = patience
        self.reached = False
        self.hopeless = False  # nothing more is worth sending
        self._since: float | None = None  # since when no request has had an answer that counts
        self._spent = False  # patience has run out once; from then on each request is sent once

    def over(self) -> None:
        """Note an answer that counts, be it a refusal: the server works."""
        self.reached, self.hopeless, self._since = True, False, None

    def allows(self, pause: float, started: float, answered: bool) -> bool:
        """Whether a request that has just failed may be repeated after a pause. answered: the server did say something."""
        # A cluster that never answered is most likely stopped: say so at once. One that did is restarting.
        self.reached = self.reached or answered
        if not self.reached:
            self.hopeless = True
            return False
        now, total = time.monotonic(), self.patience.total
        since = self._since = now if self._since is None else self._since
        if not self._spent and now + pause <= min(started, since) + total:
            return True
        self._spent = True
        # A server that answers may refuse some namespaces only, so the others are tried, unless each of them takes long to fail.
        self.hopeless = now + pause > since + total and (not answered or now > since + 2 * total)
        return False


class Retries(Retry):
    """urllib3's retries, bounded by the patience that all requests to a cluster share instead of a number."""

    def __init__(self, trouble: Trouble, **options: Any) -> None:
        # Every request that goes through here may be repeated: reads, server-side applies, guarded patches and deletes.
        usual: dict[str, Any] = {
            "total": None,
            "allowed_methods": None,
            "status_forcelist": RETRIED,
            "raise_on_status": False,
            "redirect": 0,
            "raise_on_redirect": False,
            "backoff_factor": trouble.patience.first_pause,
            "backoff_max": trouble.patience.longest_pause,
        }
        super().__init__(**{**usual, **options})
        self.trouble = trouble
        self.since: float | None = None  # when this request failed first

    def new(self, **options: Any) -> Retries:
        """Return a copy with other options, as urllib3 makes one for each attempt."""
        return super().new(trouble=self.trouble, **options)

    def increment(
        self,
        method: Any = None,
        url: Any = None,
        response: Any = None,
        error: Any = None,
        _pool: Any = None,
        _stacktrace: Any = None,
    ) -> Retries:
        """Return the retries for the next attempt. Raises MaxRetryError when patience is over."""
        since = self.since or time.monotonic()
        pause = self.get_retry_after(response) if response is not None else None
        hopeless = isinstance(error, SSLError) and isinstance(error.args[0], ssl.SSLCertVerificationError)
        if hopeless or not self.trouble.allows(pause or self.backoff_factor, since, answered=response is not None):
            raise MaxRetryError(_pool, url, error or ResponseError("too many refusals"))
        following = super().increment(method, url, response, error, _pool, _stacktrace)
        following.since = since
        return following

    def get_backoff_time(self) -> float:
        """Return the next pause, spread so that not all come back at the same moment."""
        attempts = len(self.history)
        pause = min(self.backoff_factor * 2.0 ** max(attempts - 1, 0), self.backoff_max)
        return pause * (0.5 + random.random() / 2)  # noqa: S311

    def get_retry_after(self, response: Any) -> float | None:
        """Return the pause that the server asks for, within bounds."""
        try:
            asked = super().get_retry_after(response)
        except HTTPError:
            return None
        return min(asked, self.trouble.patience.longest_pause) * (1 + random.random() / 4) if asked else None  # noqa: S311
