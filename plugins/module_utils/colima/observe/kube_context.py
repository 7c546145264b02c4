# SPDX-License-Identifier: GPL-3.0-or-later
"""What the kubeconfig was before colima: the context that was current, which we note, and the copies that colima keeps.

colima makes a profile's context current when it starts, and leaves none current when it deletes the profile.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ...colima_paths import Name, Paths
from ...core.errors import WorkstationError
from ...core.system.files import write_atomically
from ...kube import kubeconfig


def note_context(paths: Paths, name: Name, environment: Mapping[str, str]) -> None:
    """Note the current context before a start that may make another one current. Nothing is noted where none is current."""
    path = kubeconfig.path_from(environment)
    try:
        current = str(kubeconfig.load(path).get("current-context") or "")
    except WorkstationError:
        # colima will say what is wrong with it.
        return
    if current not in ("", name.id):
        # Before a VM is replaced colima unsets the context: then the note of the first start still holds.
        write_atomically(paths.former_kube_context(name), json.dumps({"kubeconfig": str(path), "context": current}))


def former_context(paths: Paths, name: Name, path: Path, config: Mapping[str, Any]) -> str:
    """Return the context to go back to in this file; empty when none was noted, or it has gone."""
    with contextlib.suppress(OSError, ValueError, TypeError, KeyError):
        note = json.loads(paths.former_kube_context(name).read_text())
        if note["kubeconfig"] == str(path) and "context" in kubeconfig.parts(config, note["context"]):
            return str(note["context"])
    return ""


def split_backups(environment: Mapping[str, str], name: Name, config: Mapping[str, Any]) -> tuple[list[Path], list[Path]]:
    """Return colima's copies of the kubeconfig: the ones that the file still has completely, and the others."""
    unneeded: list[Path] = []
    kept: list[Path] = []
    with contextlib.suppress(OSError):
        for file in sorted(_directory(environment, name).iterdir()):
            (unneeded if _is_held(config, file, name) else kept).append(file)
    return unneeded, kept


def remove_backups(environment: Mapping[str, str], name: Name) -> None:
    """Remove the copies that the kubeconfig still holds all of."""
    unneeded, _kept = split_backups(environment, name, kubeconfig.load(kubeconfig.path_from(environment)))
    for file in unneeded:
        file.unlink(missing_ok=True)
    with contextlib.suppress(OSError):
        _directory(environment, name).rmdir()


def _directory(environment: Mapping[str, str], name: Name) -> Path:
    return Path(environment.get("HOME") or "~").expanduser() / ".kube" / f".{name.id}"


def _is_held(config: Mapping[str, Any], file: Path, name: Name) -> bool:
    try:
        return kubeconfig.holds(config, kubeconfig.load(file), besides=name.id)
    except WorkstationError:
        return False
