# SPDX-License-Identifier: GPL-3.0-or-later
"""Edits docker's config.json without losing anything of it: not a key, not its order, not a login made meanwhile.

docker itself reads the file, and some time later replaces it as a whole. So an edit is made to what the file holds just
before the replacement, and once more when docker was faster.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from ...core.errors import InputError, NotVerified, file_trouble
from ...core.system.files import replace_if_unchanged
from ...core.system.lock import entries_of
from ..client import parse_config

_INDENT = re.compile(r"\{\r?\n([ \t]+)")
_ATTEMPTS = 100


def render(settings: Mapping[str, Any], like: str) -> str:
    """Return the settings as JSON in the manner of the text before: its indentation and its last line end."""
    match = _INDENT.match(like.lstrip("\ufeff \t\r\n"))
    indent = match[1] if match else "\t"
    text = json.dumps(settings, indent=indent, ensure_ascii=False)
    try:
        text.encode()
    except UnicodeEncodeError:
        # Half of a surrogate pair, which only an escape can hold.
        text = json.dumps(settings, indent=indent)
    return text + ("\n" if like.endswith("\n") or not like else "")


class ConfigFile:
    """docker's config.json. A link to it (dotfiles managers make such) stays a link."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def _bytes(self) -> bytes | None:
        try:
            return self.path.read_bytes()
        except FileNotFoundError:
            return None

    def edit(self, change: Callable[[dict[str, Any]], dict[str, Any]], backup: bool = True) -> Path | None:
        """Apply a change to the settings. Returns where the file as it was before has been kept, if it was kept."""
        what = f"change '{self.path}'"
        try:
            target = Path(os.path.realpath(self.path))
            target.parent.mkdir(parents=True, exist_ok=True)
            # docker knows no lock.
            with entries_of(target.parent, what):
                return self._edit(target, change, backup)
        except UnicodeDecodeError as error:
            raise InputError(what, "it is not UTF-8", "Repair the file by hand.") from error
        except OSError as error:
            raise file_trouble(what, error, "Make file and directory writable, then run again.") from error

    def _edit(self, target: Path, change: Callable[[dict[str, Any]], dict[str, Any]], backup: bool) -> Path | None:
        for _attempt in range(_ATTEMPTS):
            found = self._bytes()
            text = (found or b"").decode()
            settings = parse_config(text, str(self.path))
            wanted = change(settings)
            if wanted == settings:
                return None
            mode = target.stat().st_mode & 0o777 if found is not None else 0o600
            kept = self._keep(target, found, mode) if backup and found is not None else None
            # Not when docker has written meanwhile: then the edit is made to what it wrote.
            if replace_if_unchanged(target, render(wanted, text), mode, found):
                return kept
            if kept is not None:
                kept.unlink()
        remedy = "Wait for running docker commands, then run again."
        raise NotVerified(f"change '{self.path}'", "other programs keep changing it", remedy)

    @staticmethod
    def _keep(target: Path, content: bytes, mode: int) -> Path:
        """Copy the file beside itself under a new name, as readable as it is."""
        stem = f"{target.name}.{time.strftime('%Y%m%d-%H%M%S')}"
        for number in range(1000):
            path = target.with_name(f"{stem}{f'-{number}' if number else ''}.bak")
            with contextlib.suppress(FileExistsError):
                handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
                with os.fdopen(handle, "wb") as file:
                    os.fchmod(file.fileno(), mode)
                    file.write(content)
                return path
        raise FileExistsError(17, "a thousand backups of this second are there", str(target))
