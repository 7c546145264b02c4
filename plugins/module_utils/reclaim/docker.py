# SPDX-License-Identifier: GPL-3.0-or-later
"""What a docker engine keeps, asked on its socket as `docker system df` asks, and its removal. Decides nothing.

Only what the engine itself takes for unused can be removed: nothing is forced.
"""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Iterable
from typing import Any
from urllib.parse import quote

from ..core.errors import CommandFailed, WorkstationError
from ..docker.client import docker_cli
from ..docker.engine import EngineSilent, get_unix, request_unix
from .items import builders, cache_items, docker_items, may_go, stopped_at
from .model import EngineInventory, ItemKind, ReclaimItem, ReclaimPolicy

# The last version of the engine's interface that tells everything in one answer of this form.
_NEWEST = (1, 51)
_QUICK_SECONDS = 10.0
# The engine counts the files of every volume.
_SECONDS = 180.0
_PRUNE_SECONDS = 900.0
_LONGEST = 64 << 20
_GONE = 404


class DockerDisk:
    """The disk of one docker engine."""

    def __init__(self, socket: str, profile: str) -> None:
        self.socket, self.profile = socket, profile

    @functools.cached_property
    def prefix(self) -> str:
        """The version of the interface, as paths begin. Raises EngineSilent where the engine does not answer."""
        _status, version = get_unix(self.socket, "/version", _QUICK_SECONDS)
        found = re.match(r"(\d+)\.(\d+)", str((version or {}).get("ApiVersion", "")))
        return "/v{}.{}".format(*min((int(found[1]), int(found[2])), _NEWEST)) if found else ""

    def inventory(self, policy: ReclaimPolicy) -> EngineInventory:
        """Return the inventory. Raises EngineSilent where the engine does not answer."""
        status, answer = request_unix(self.socket, "GET", f"{self.prefix}/system/df", _SECONDS, _LONGEST)
        if status != 200 or not isinstance(answer, dict):
            raise EngineSilent(f"it does not tell what it keeps ({_message(answer, status)})")
        asked = [
            str(container["Id"]) for container in answer.get("Containers") or () if policy.containers_age and may_go(container)
        ]
        stopped = {container: self._stopped_at(container) for container in asked}
        notes, cache = list[str](), list[ReclaimItem]()
        for builder in builders(answer):
            try:
                records = json.loads(self._exec(builder, _QUICK_SECONDS, "buildctl", "du", "--format", "{{json .}}")) or ()
                cache.extend(cache_items(records, builder))
            except (WorkstationError, ValueError):
                notes.append(f"Build cache in container '{builder}' was left alone: it does not tell what it keeps.")
        return EngineInventory((*docker_items(answer, stopped), *cache), tuple(notes))

    def _stopped_at(self, container: str) -> float | None:
        """Return when a container stopped; None for a container that is gone or runs again."""
        status, answer = request_unix(self.socket, "GET", f"{self.prefix}/containers/{container}/json", _QUICK_SECONDS, _LONGEST)
        return stopped_at(answer) if status == 200 and isinstance(answer, dict) else None

    def remove(self, kind: ItemKind, items: Iterable[ReclaimItem]) -> None:
        """Remove containers, images or volumes. One that is gone already is fine. Raises CommandFailed."""
        for item in items:
            for handle in item.handles:
                target = f"/{kind.value}s/{quote(handle, safe='/:@')}"
                self._change("DELETE", target, f"remove {kind.value} '{item.name}'", _SECONDS)

    def _exec(self, container: str, seconds: float, *command: str) -> str:
        return docker_cli().run("-H", f"unix://{self.socket}", "exec", container, *command, timeout=seconds).stdout

    def prune_cache(self, age: float, items: Iterable[ReclaimItem]) -> None:
        """Remove the build cache that nothing has used for so many seconds, where these items are. Raises CommandFailed."""
        for builder in dict.fromkeys(item.namespace for item in items):
            if builder:
                self._exec(builder, _PRUNE_SECONDS, "buildctl", "prune", "--all", "--keep-duration", f"{age:.0f}s")
            else:
                self._prune_own(age)

    def _prune_own(self, age: float) -> None:
        until = f"&filters={quote(json.dumps({'until': [f'{age:.0f}s']}))}" if age else ""
        self._change("POST", f"/build/prune?all=1{until}", "remove build cache", _PRUNE_SECONDS)

    def _change(self, method: str, target: str, what: str, seconds: float) -> None:
        what = f"{what} of profile '{self.profile}'"
        try:
            status, answer = request_unix(self.socket, method, self.prefix + target, seconds, _LONGEST)
        except EngineSilent as silent:
            raise CommandFailed(what, f"docker does not answer: {silent}", "Run again.") from silent
        if status >= 400 and status != _GONE:
            raise CommandFailed(what, f"docker refuses: {_message(answer, status)}", "Run again: what is in use stays.")


def _message(answer: Any, status: int) -> str:
    return str(answer["message"]) if isinstance(answer, dict) and answer.get("message") else f"status {status}"
