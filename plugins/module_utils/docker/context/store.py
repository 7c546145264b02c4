# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads docker's contexts and carries out planned steps through the docker command, never by writing its store.

Also keeps one note of ours: which context was current before we switched, so that removal can go back to it.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from ...core.command import Cli
from ...core.errors import CommandFailed, InputError
from ...core.files import write_atomically
from ...core.home import state_directory
from ...core.plan import Plan, telling
from ..client import context_directory, current_context
from .model import BUILT_IN, TLS_KINDS, Context, ContextStep, Store, TlsFile

_SECONDS = 30.0


def state_file(environment: Mapping[str, str], _home: str) -> Path:
    """Return where the note of the previous contexts is kept."""
    return state_directory(environment) / "docker_context.json"


def tls_file(path: str, what: str) -> TlsFile:
    """Return the digest of a TLS file. Raises InputError when it can't be read."""
    try:
        return TlsFile(path, hashlib.sha256(Path(path).read_bytes()).hexdigest())
    except OSError as error:
        raise InputError(
            f"Could not read the TLS file '{path}' ({what}): {error.strerror}. Give the path of a readable file."
        ) from error


class DockerContexts:
    """The contexts of one docker directory."""

    def __init__(self, docker: Cli, directory: Path, note: Path) -> None:
        self.docker = docker
        self.directory = directory
        self.note = note

    def current(self) -> str:
        """Return the name of the current context, empty when none was chosen."""
        return current_context(self.directory)

    def read(self, names: Iterable[str]) -> Store:
        """Return the named contexts, the current one and the one before it, with one process for all of them."""
        current = self.current()
        came_from = self._read_note()
        asked = dict.fromkeys([*names, current, came_from.get(current, "")])
        wanted = [name for name in asked if name not in ("", BUILT_IN) and self._meta(name).exists()]
        return Store(self._inspect(wanted), current, came_from)

    def names(self) -> list[str]:
        """Return the names of all contexts but the built-in one."""
        if not (self.directory / "contexts" / "meta").is_dir() or not self.docker.installed:
            return []
        listed = self.docker.run("context", "ls", "--quiet", timeout=_SECONDS).stdout.split()
        return [name for name in listed if name != BUILT_IN]

    def apply(self, plan: Plan) -> None:
        """Run the steps in order. A failure carries those that were done before it."""
        done: list[str] = []
        with telling(done):
            for step in (step for step in plan.steps if isinstance(step, ContextStep)):
                self._run(step)
                done.append(str(step))

    def _run(self, step: ContextStep) -> None:
        if step.switches is not None:
            # Noted first: killed in between, the next run switches again and notes the same.
            self._write_note(*step.switches)
        try:
            self.docker.run("context", *step.argv, timeout=_SECONDS)
        except CommandFailed as error:
            if not step.unreadable:
                raise
            raise InputError(
                f"Could not remove unreadable docker context '{step.argv[-1]}': this docker command can't. "
                f"Delete the directory '{self._meta(step.argv[-1])}', then run again.",
                **error.context,
            ) from error

    def _meta(self, name: str) -> Path:
        return context_directory(self.directory, name)

    def _inspect(self, names: list[str]) -> dict[str, Context]:
        if not names:
            return {}
        if not self.docker.installed:
            return {name: self._parse(self._entry_without_docker(name)) for name in names}
        # One call for all. Of names that it can't read docker prints nothing and exits with 1, hence no check.
        output = self.docker.run("context", "inspect", *names, check=False, timeout=_SECONDS)
        try:
            found = {entry["Name"]: self._parse(entry) for entry in json.loads(output.stdout)}
        except (ValueError, KeyError, TypeError) as error:
            raise CommandFailed(
                "Could not read the docker contexts: 'docker context inspect' answered no list of contexts. "
                "Run 'docker context ls' to see what docker says.",
                rc=output.rc,
                stdout=output.stdout,
                stderr=output.stderr,
            ) from error
        return {name: found.get(name, Context(name, "", broken=True)) for name in names}

    def _entry_without_docker(self, name: str) -> dict[str, Any]:
        """Return what 'docker context inspect' would say, where the docker command is gone or not yet there."""
        try:
            entry = json.loads((self._meta(name) / "meta.json").read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {"Name": name}
        files = self.directory / "contexts" / "tls" / self._meta(name).name
        listed = [item.name for item in (files / "docker").glob("*")]
        return {**entry, "Name": name, "Storage": {"TLSPath": str(files)}, "TLSMaterial": {"docker": listed}}

    @staticmethod
    def _parse(entry: Mapping[str, Any]) -> Context:
        endpoint = (entry.get("Endpoints") or {}).get("docker") or {}
        metadata = entry.get("Metadata") or {}
        stored = Path((entry.get("Storage") or {}).get("TLSPath") or "") / "docker"
        listed = (entry.get("TLSMaterial") or {}).get("docker") or []
        return Context(
            name=entry["Name"],
            host=endpoint.get("Host", ""),
            description=metadata.get("Description", ""),
            skip_tls_verify=bool(endpoint.get("SkipTLSVerify", False)),
            tls={
                kind: tls_file(str(stored / f"{kind}.pem"), f"{kind} of docker context '{entry['Name']}'")
                for kind in TLS_KINDS
                if f"{kind}.pem" in listed
            },
            broken=not endpoint,
        )

    def _read_notes(self) -> dict[str, Any]:
        try:
            notes = json.loads(self.note.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            # Without the note, removal goes back to the built-in context: not worth a failure.
            return {}
        return notes if isinstance(notes, dict) else {}

    def _read_note(self) -> dict[str, str]:
        mine = self._read_notes().get(str(self.directory))
        return {str(key): str(value) for key, value in mine.items()} if isinstance(mine, dict) else {}

    def _write_note(self, left: str, entered: str) -> None:
        mine = self._read_note()
        mine.pop(left, None)
        if entered != BUILT_IN:
            mine[entered] = left
        notes = {key: value for key, value in {**self._read_notes(), str(self.directory): mine}.items() if value}
        with contextlib.suppress(OSError):
            if not notes:
                self.note.unlink(missing_ok=True)
                return
            write_atomically(self.note, json.dumps(notes, indent=1))
