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
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from ...core.errors import InputError, NotVerified, WorkstationError, file_trouble
from ...core.secrecy.patterns import logins_in, secrets_in
from ...core.secrecy.patterns import without_logins as bare_address
from ...core.system.files import check_links, replace_if_unchanged, set_mode, write_atomically
from ...core.system.lock import entries_of
from ..client import parse_config

_INDENT = re.compile(r"\{\r?\n([ \t]+)")
_ATTEMPTS = 100
_BACKUP = re.compile(r"\.\d{8}-\d{6}(?:-\d+)?\.bak\Z")
# What opens a registry in an entry of auths.
_LOGIN = ("auth", "identitytoken", "registrytoken", "password")
_HEADERS = ("authorization", "proxy-authorization", "cookie")


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


def without_logins(content: bytes) -> bytes:
    """Return a config.json without what opens a registry or a proxy: a copy of it is kept for years, for its settings."""
    try:
        text = content.decode()
        settings = parse_config(text, "")
    except (UnicodeDecodeError, WorkstationError):
        return content
    kept = {key: _KEEP[key](value) if key in _KEEP else value for key, value in settings.items()}
    return content if kept == settings else render(kept, text).encode()


def _without_logins(auths: Any) -> Any:
    if not isinstance(auths, dict):
        return auths
    return {host: _left(entry, _LOGIN) if isinstance(entry, dict) else entry for host, entry in auths.items()}


def _without_secrets(headers: Any) -> Any:
    if not isinstance(headers, dict):
        return headers
    secret = [name for name, value in headers.items() if name.lower() in _HEADERS or secrets_in({name: value})]
    return _left(headers, secret)


def _left(mapping: Mapping[str, Any], names: Iterable[str]) -> dict[str, Any]:
    return {key: value for key, value in mapping.items() if key not in names}


def _without_passwords(proxies: Any) -> Any:
    if isinstance(proxies, dict):
        return {key: _without_passwords(value) for key, value in proxies.items()}
    return bare_address(proxies) if isinstance(proxies, str) and logins_in(proxies) else proxies


_KEEP = {"auths": _without_logins, "HttpHeaders": _without_secrets, "proxies": _without_passwords}


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
            check_links(self.path.parent)
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
        """Copy the file beside itself under a new name, as readable as it is, without its logins. Older copies lose theirs."""
        for old in target.parent.iterdir():
            if old.name.startswith(target.name) and _BACKUP.fullmatch(old.name.removeprefix(target.name)) and old.is_file():
                _strip(old)
        content = without_logins(content)
        stem = f"{target.name}.{time.strftime('%Y%m%d-%H%M%S')}"
        for number in range(1000):
            path = target.with_name(f"{stem}{f'-{number}' if number else ''}.bak")
            with contextlib.suppress(FileExistsError):
                handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
                with os.fdopen(handle, "wb") as file:
                    set_mode(file.fileno(), mode)
                    file.write(content)
                return path
        raise FileExistsError(17, "a thousand backups of this second are there", str(target))


def _strip(backup: Path) -> None:
    """Remove the logins of a copy that an earlier version made."""
    with contextlib.suppress(OSError):
        content = backup.read_bytes()
        if (bare := without_logins(content)) != content:
            write_atomically(backup, bare, backup.stat().st_mode & 0o777)
