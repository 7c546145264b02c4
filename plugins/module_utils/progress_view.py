# SPDX-License-Identifier: GPL-3.0-or-later
"""What a user sees of a run: the lines of a progress file as they come, and the sentences of the closing summary.

The modules write one JSON object per line to the file that LAPTOP_CONTAINERS_PROGRESS names (colima_progress.py):
{"profile": "k8s", "phase": "provisioning kubernetes", "time": <seconds since the epoch>, "done": false}
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
import threading
import time
from pathlib import Path
from typing import Any

SECONDS_BETWEEN_LOOKS = 0.5


class Follower(threading.Thread):
    """Shows the lines of a progress file as they come, until it is stopped."""

    def __init__(self, path: Path, terminal: bool) -> None:
        super().__init__(daemon=True)
        self.path = path
        self.terminal = terminal
        self.ended = threading.Event()
        self.offset = path.stat().st_size if path.exists() else 0
        self.phases: dict[str, dict[str, Any]] = {}
        self.drawn = 0

    def run(self) -> None:
        """Look for new lines twice a second."""
        while not self.ended.wait(SECONDS_BETWEEN_LOOKS):
            self.look()
        self.look()

    def stop(self) -> None:
        """Show the last lines and end."""
        self.ended.set()
        self.join(timeout=2)

    def look(self) -> None:
        """Read what is new and show it."""
        try:
            with self.path.open() as file:
                file.seek(self.offset)
                text = file.read()
        except OSError:
            return
        # A line that is still being written is read the next time.
        whole = text[: text.rfind("\n") + 1]
        self.offset += len(whole.encode())
        for line in whole.splitlines():
            with contextlib.suppress(ValueError, KeyError, TypeError):
                event = json.loads(line)
                begun = self.phases.get(event["profile"], {}).get("begun", event["time"])
                self.phases[event["profile"]] = {**event, "begun": begun}
                if not self.terminal:
                    write(f"  {line_of(self.phases[event['profile']], event['time'])}\n")
        if self.terminal and self.phases:
            self.draw()

    def draw(self) -> None:
        """Redraw the block of lines in place."""
        up = f"\x1b[{self.drawn}A" if self.drawn else ""
        lines = [f"\x1b[2K  {line_of(event, time.time())}\n" for event in self.phases.values()]
        write(up + "".join(lines))
        self.drawn = len(lines)


def line_of(event: dict[str, Any], now: float) -> str:
    """Return one line: profile, seconds since it began, phase."""
    took = max(0.0, (event["time"] if event.get("done") else now) - event["begun"])
    return f"{event['profile']:<16} {took:5.0f} s  {event['phase']}"


def write(text: str) -> None:
    """Write past Python's buffers: workers are forked while this runs."""
    sys.stdout.flush()
    with contextlib.suppress(OSError):
        os.write(sys.stdout.fileno(), text.encode())


def pending_line(item: Any) -> str:
    """Return one pending change as a sentence."""
    if isinstance(item, dict) and {"target", "change", "reason", "remedy"} <= set(item):
        return f"{item['target']}: {item['change']}, because {item['reason']}. {item['remedy']}"
    return str(item)


def hints_of(answer: dict[str, Any]) -> list[str]:
    """Return how to use what a result describes: profiles with sizes and sockets, the current context, secrets with expiry."""
    hints = []
    for profile in answer.get("profiles") or []:
        if str(profile.get("status", "")).lower() == "running":
            size = f"{profile.get('cpu')} CPUs, {profile.get('memory'):g} GiB"
            socket = profile.get("docker_socket") or profile.get("containerd_socket") or ""
            hints.append(f"profile {profile.get('name')}: {profile.get('runtime')}, {size} {socket}".rstrip())
            kubernetes = profile.get("kubernetes")
            if kubernetes.get("enabled") if isinstance(kubernetes, dict) else kubernetes:
                hints.append(f"kubectl --context {profile.get('instance')} get pods")
    if answer.get("contexts") and answer.get("current"):
        hints.append(f"docker uses context {answer['current']}")
    for secret in answer.get("secrets") or []:
        if secret.get("hours_left") is not None:
            where = f"{secret.get('context')}/{secret.get('namespace')}"
            hints.append(f"pull secret {secret.get('name')} in {where}: {secret['hours_left']:g} h left")
    return hints
