# SPDX-License-Identifier: GPL-3.0-or-later
"""Which file of the user's made way for a nerdctl wrapper, so that it can come back. The wrapper's own text is as colima's."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from ..core.notes import state_directory
from ..core.user_file import write_file

_REMEDY = "Make the directory writable, or set XDG_STATE_HOME to another one."


class Moved:
    """The notes of where files went, by the wrapper's path."""

    def __init__(self, environment: Mapping[str, str], home: str) -> None:
        self.path = state_directory(environment, home) / "nerdctl_wrapper.json"

    def _all(self) -> dict[str, str]:
        try:
            notes = json.loads(self.path.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}
        return {str(path): str(place) for path, place in notes.items()} if isinstance(notes, dict) else {}

    def there(self) -> dict[Path, Path]:
        """Return the moved files that still are where they were moved to."""
        found = {Path(path): Path(place) for path, place in self._all().items()}
        return {path: place for path, place in found.items() if place.exists() or place.is_symlink()}

    def note(self, path: Path, place: Path) -> None:
        """Note that the file at the path is being moved to a place."""
        self._write({**self._all(), str(path): str(place)})

    def forget(self, path: Path) -> None:
        """Forget what was moved from the path."""
        notes = self._all()
        if notes.pop(str(path), None) is not None:
            self._write(notes)

    def _write(self, notes: Mapping[str, str]) -> None:
        if notes:
            write_file(self.path, json.dumps(notes, indent=1), 0o600, _REMEDY)
        else:
            self.path.unlink(missing_ok=True)
