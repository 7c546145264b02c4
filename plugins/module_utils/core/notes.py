# SPDX-License-Identifier: GPL-3.0-or-later
"""What earlier runs changed, so that it can be undone: one small JSON file per subject in the user's state directory.

A file is {"version": 1, "notes": {...}}; one without a version is of an older release and holds the notes alone. What the notes
mean, their subject knows; they never hold a secret.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from .errors import InputError, file_trouble, naming_files
from .system.files import keep_aside, write_atomically
from .system.home import private_directory, state_directory
from .system.lock import Lock

_VERSION = 1
_SECONDS = 30.0
_REMEDY = "Make its directory writable, or set XDG_STATE_HOME to another one, and run again."


class Notes:
    """The notes of one subject."""

    def __init__(self, subject: str, environment: Mapping[str, str] = os.environ) -> None:
        self.path = state_directory(environment) / f"{subject}.json"

    def read(self) -> dict[str, Any]:
        """Return the notes; none where the file is absent or damaged. Raises InputError for those of a newer release."""
        try:
            found = json.loads(self.path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return {}
        except OSError as error:
            raise file_trouble(f"read notes '{self.path}'", error, _REMEDY) from error
        except (ValueError, RecursionError):
            return {}
        if not isinstance(found, dict):
            return {}
        version = found.get("version", 0)
        if version == 0 or not isinstance(version, int):
            return found
        if version > _VERSION:
            raise InputError(
                f"read notes '{self.path}'", f"they have version {version}, of a newer release", "Update laptop.containers."
            )
        notes = found.get("notes")
        return notes if isinstance(notes, dict) else {}

    @contextlib.contextmanager
    def edit(self) -> Iterator[dict[str, Any]]:
        """Yield the notes to be changed in place, and write them at the end, with no other run in between.

        Without notes, no file is left. A damaged file is kept beside the new one.
        """
        what = f"write notes '{self.path}'"
        with contextlib.ExitStack() as stack:
            with naming_files(what, _REMEDY):
                stack.enter_context(Lock(self.path.parent, what, _SECONDS, name="notes.lock"))
            notes = self.read()
            before = json.dumps(notes)
            yield notes
            if json.dumps(notes) != before or (not notes and self.path.exists()):
                with naming_files(what, _REMEDY):
                    self._write(notes)

    def _write(self, notes: Mapping[str, Any]) -> None:
        with contextlib.suppress(FileNotFoundError):
            if not _is_json(self.path):
                keep_aside(self.path, "damaged")
        if notes:
            private_directory(self.path.parent)
            write_atomically(self.path, json.dumps({"version": _VERSION, "notes": notes}, indent=1))
        else:
            self.path.unlink(missing_ok=True)


def _is_json(path: Path) -> bool:
    try:
        return isinstance(json.loads(path.read_text(encoding="utf-8")), dict)
    except (ValueError, RecursionError):
        return False
