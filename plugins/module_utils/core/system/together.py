# SPDX-License-Identifier: GPL-3.0-or-later
"""Calls side by side: what waits for programs, sockets and servers takes the time of the slowest."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from typing import Any


def together(calls: Mapping[str, Callable[[], Any]]) -> dict[str, Any]:
    """Run the calls side by side and return their answers, in this order. The first failure is raised when all have ended."""
    answers: dict[str, Any] = {}
    failures: list[BaseException] = []

    def run(key: str, call: Callable[[], Any]) -> None:
        try:
            answers[key] = call()
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=run, args=item, daemon=True) for item in calls.items()]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        raise failures[0]
    return {key: answers[key] for key in calls}
