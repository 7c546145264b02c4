# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads docker's contexts and carries out planned steps through the docker command, never by writing docker's store.

Also keeps one note: which context was current before a run switched, so that removal can go back to it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from ...core.errors import CommandFailed, InputError
from ...core.notes import Notes
from ...core.system.command import Cli, Output
from ..client import context_directory, current_context, docker_failed
from .model import BUILT_IN, TLS_KINDS, Context, ContextsState, ContextStep, TlsFile, chain, switched

_SECONDS = 30.0
_READ_ERRORS = (OSError, ValueError, RecursionError)


def tls_file(path: str, what: str) -> TlsFile:
    """Return the digest of a TLS file. Raises InputError when it can't be read."""
    try:
        return TlsFile(path, hashlib.sha256(Path(path).read_bytes()).hexdigest())
    except (OSError, ValueError) as error:
        reason = (getattr(error, "strerror", None) or str(error)).lower()
        raise InputError(f"read the TLS file '{path}' ({what})", reason, "Give the path of a readable file.") from error


class DockerContexts:
    """The contexts of one docker directory."""

    def __init__(self, docker: Cli, directory: Path) -> None:
        self.docker = docker
        self.directory = directory
        self.notes = Notes("docker_context")

    def current(self) -> str:
        """Return the name of the current context, empty when none was chosen."""
        return current_context(self.directory)

    def read(self, names: Iterable[str]) -> ContextsState:
        """Return the named contexts, the current one and those before it, with one process for all of them."""
        current = self.current()
        came_from = _came_from(self.notes.read(), self.directory)
        asked = dict.fromkeys([*names, current, *chain(came_from, current)])
        wanted = [name for name in asked if name not in ("", BUILT_IN) and self._meta(name).exists()]
        return ContextsState(self._inspect(wanted), current, came_from)

    def names(self) -> list[str]:
        """Return the names of all contexts but the built-in one."""
        if not (self.directory / "contexts" / "meta").is_dir() or not self.docker.installed:
            return []
        listed = self.docker.run("context", "ls", "--quiet", timeout=_SECONDS).stdout.split()
        return [name for name in listed if name != BUILT_IN]

    def apply(self, step: ContextStep) -> None:
        """Carry out one step."""
        if step.switches is not None:
            # Noted first: after a kill in between, the next run switches again and notes the same.
            self._note(*step.switches)
        try:
            self.docker.run("context", *step.argv, timeout=_SECONDS)
        except CommandFailed as error:
            if step.unreadable:
                what, place = f"{step.verb} {step.target}", self._meta(step.argv[-1])
                remedy = f"Delete the directory '{place}', then run again."
                raise InputError(what, "this docker command can't", remedy, **error.context) from error
            raise docker_failed(f"{step.verb} {step.target}", error, "Look at 'docker context ls', and run again.") from error

    def _note(self, left: str, entered: str) -> None:
        key = str(self.directory)
        with self.notes.edit() as notes:
            notes[key] = switched(_came_from(notes, self.directory), left, entered)
            if not notes[key]:
                del notes[key]

    def _meta(self, name: str) -> Path:
        return context_directory(self.directory, name)

    def _inspect(self, names: list[str]) -> dict[str, Context]:
        if not names:
            return {}
        if not self.docker.installed:
            return {name: self._entry(name) for name in names}
        # One call for all. docker leaves out what it can't read and exits with 1, hence no check.
        output = self.docker.run("context", "inspect", *names, check=False, timeout=_SECONDS)
        try:
            found = {context.name: context for context in map(parse_context, _entries(output.stdout))}
        except (ValueError, RecursionError) as error:
            raise _unreadable(output, str(error)) from error
        lost = [name for name in names if name not in found]
        for name in lost:
            found[name] = self._entry(name)
            # An incomplete answer of docker would have a user's context made again.
            if not found[name].broken:
                raise _unreadable(output, f"it leaves out '{name}', whose entry is complete")
        return {name: found[name] for name in names}

    def _entry(self, name: str) -> Context:
        """Return a context as its entry in docker's store tells, for a docker command that is missing or silent about it."""
        try:
            entry = json.loads((self._meta(name) / "meta.json").read_text(encoding="utf-8"))
            files = self.directory / "contexts" / "tls" / self._meta(name).name
            listed = [item.name for item in (files / "docker").glob("*")]
            return parse_context({**entry, "Name": name, "Storage": {"TLSPath": str(files)}, "TLSMaterial": {"docker": listed}})
        except (*_READ_ERRORS, TypeError):
            return Context(name, "", broken=True)


def parse_context(entry: object) -> Context:
    """Return the context that an entry of `docker context inspect` describes. Raises ValueError for any other shape."""
    parts = _mapping(entry, "an entry")
    name = _text(parts.get("Name"), "Name")
    if not name:
        raise ValueError("an entry has no name")
    endpoints, metadata = _mapping(parts.get("Endpoints"), "Endpoints"), _mapping(parts.get("Metadata"), "Metadata")
    endpoint, storage = _mapping(endpoints.get("docker"), "docker"), _mapping(parts.get("Storage"), "Storage")
    stored = Path(_text(storage.get("TLSPath"), "TLSPath")) / "docker"
    listed = _mapping(parts.get("TLSMaterial"), "TLSMaterial").get("docker") or []
    if not isinstance(listed, list):
        raise ValueError("TLSMaterial holds no list")
    return Context(
        name=name,
        host=_text(endpoint.get("Host"), "Host"),
        description=_text(metadata.get("Description"), "Description"),
        skip_tls_verify=endpoint.get("SkipTLSVerify") is True,
        tls={
            kind: tls_file(str(stored / f"{kind}.pem"), f"{kind} of docker context '{name}'")
            for kind in TLS_KINDS
            if f"{kind}.pem" in listed
        },
        broken=not endpoint,
    )


def _entries(text: str) -> list[object]:
    entries = json.loads(text or "[]")
    if not isinstance(entries, list):
        raise ValueError("it is not a list")
    return entries


def _mapping(value: object, name: str) -> Mapping[str, Any]:
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise ValueError(f"{name} is not a mapping")
    return value


def _text(value: object, name: str) -> str:
    if value is not None and not isinstance(value, str):
        raise ValueError(f"{name} is not a text")
    return value or ""


def _unreadable(output: Output, reason: str) -> CommandFailed:
    return CommandFailed(
        "read the docker contexts",
        f"the answer of 'docker context inspect' can't be used ({reason})",
        "Run 'docker context ls' to see what docker says.",
        rc=output.rc,
        stdout=output.stdout,
        stderr=output.stderr,
    )


def _came_from(notes: Mapping[str, Any], directory: Path) -> dict[str, str]:
    mine = notes.get(str(directory))
    return {str(key): str(value) for key, value in mine.items()} if isinstance(mine, dict) else {}
