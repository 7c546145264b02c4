# SPDX-License-Identifier: GPL-3.0-or-later
"""Reports what a run is about to do, and how far it is: one JSON object per line in a file, for the callback plugin.

{"time": <seconds since the epoch>, "plan": ["create profile 'k8s'"]} before the first step of a task, and
{"time": ..., "profile": "k8s", "phase": "provisioning kubernetes", "done": false} while a VM starts.
"""

from __future__ import annotations

import contextlib
import json
import os
import time
from typing import Any

from .secrecy.known import hidden

# The variable that names the file; without it nothing is reported.
VARIABLE = "LAPTOP_CONTAINERS_PROGRESS"


def emit(path: str | None = None, /, **event: Any) -> None:
    """Append an event, by default to the file of this run. The file is never created: the callback plugin removes it."""
    path = os.environ.get(VARIABLE, "") if path is None else path
    if path:
        line = json.dumps({"time": time.time(), **hidden(event)}) + "\n"
        with contextlib.suppress(OSError):
            handle = os.open(path, os.O_WRONLY | os.O_APPEND)
            try:
                os.write(handle, line.encode())
            finally:
                os.close(handle)
