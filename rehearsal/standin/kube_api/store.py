# SPDX-License-Identifier: GPL-3.0-or-later
"""The objects, in memory; every change is appended to a journal that a restart reads."""

from __future__ import annotations

import json
import threading
from pathlib import Path
from typing import Any

Object = dict[str, Any]
Key = tuple[str, str, str, str]  # group, plural, namespace, name


class Store:
    """All objects with one version counter, as etcd has it."""

    def __init__(self, directory: Path) -> None:
        self.lock = threading.RLock()
        self.objects: dict[Key, Object] = {}
        self.version = 0
        self._journal = directory / "objects.jsonl"
        directory.mkdir(parents=True, exist_ok=True)
        self._replay()
        self._journal.touch(mode=0o600)
        self._file = self._journal.open("a")

    def _replay(self) -> None:
        if not self._journal.exists():
            return
        for line in self._journal.read_text().splitlines():
            try:
                change = json.loads(line)
            except ValueError:
                break  # the last line of a server that was killed while writing
            self.version = change["version"]
            key = tuple(change["key"])
            if change["object"] is None:
                self.objects.pop(key, None)
            else:
                self.objects[key] = change["object"]
        compact = [self._line(key, item) for key, item in self.objects.items()]
        temporary = self._journal.with_suffix(".part")
        temporary.touch(mode=0o600)
        temporary.write_text("".join(compact))
        temporary.replace(self._journal)

    def _line(self, key: Key, item: Object | None) -> str:
        return json.dumps({"version": self.version, "key": key, "object": item}, separators=(",", ":")) + "\n"

    def get(self, key: Key) -> Object | None:
        return self.objects.get(key)

    def put(self, key: Key, item: Object) -> None:
        """Store an object under the next version, which it then carries."""
        self.version += 1
        item["metadata"]["resourceVersion"] = str(self.version)
        self.objects[key] = item
        self._append(key, item)

    def remove(self, key: Key) -> None:
        if self.objects.pop(key, None) is not None:
            self.version += 1
            self._append(key, None)

    def list(self, group: str, plural: str, namespace: str) -> list[Object]:
        """Return the objects of a kind, of all namespaces when none is given, in the order of their keys."""
        keys = [key for key in self.objects if key[:2] == (group, plural) and namespace in ("", key[2])]
        return [self.objects[key] for key in sorted(keys)]

    def _append(self, key: Key, item: Object | None) -> None:
        self._file.write(self._line(key, item))
        self._file.flush()

    def close(self) -> None:
        self._file.close()
