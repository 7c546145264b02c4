# SPDX-License-Identifier: GPL-3.0-or-later
"""colima's traces in the host's clients: kubeconfig entry, docker context, nerdctl wrapper. Touches only the profile's own."""

from __future__ import annotations

import contextlib
import os
import shutil
from dataclasses import replace
from pathlib import Path

from ...colima_paths import Name
from ...core.errors import file_trouble
from ...core.system.command import Cli
from ...core.system.files import write_atomically
from ...kube import kubeconfig
from ...kube.lock import locked
from ..client.programs import Colima
from ..observe.client_files import DEFAULTS, holds_default
from ..observe.kube_context import former_context
from ..observe.kube_entry import digest_of, note_entry


def repair_kubeconfig(colima: Colima, name: Name, make_current: bool) -> bool:
    """Put the entry of the running k3s into the kubeconfig, where it differs. Returns whether it did.

    make_current only counts where no valid context is current: the user may work with another cluster.
    """
    entry = kubeconfig.entry_from_k3s(colima.kubeconfig(name), _address(colima, name))
    path = kubeconfig.path_from(colima.environment)
    with locked(path):
        current = name.id if make_current and kubeconfig.is_dangling(kubeconfig.load(path)) else None
        repaired = kubeconfig.rewrite(path, kubeconfig.Change(name.id, entry, current))
        note_entry(colima.paths, name, digest_of(kubeconfig.parts(kubeconfig.load(path), name.id)))
    return repaired


def _address(colima: Colima, name: Name) -> str:
    return next((row.address for row in colima.rows() if row.name == name.name), "")


def correct_docker_context(colima: Colima, name: Name) -> None:
    """Correct the address in colima's own docker context."""
    _docker(colima).run("context", "update", name.id, "--docker", f"host={colima.paths.socket(name, 'docker')}")


def use_docker_context(colima: Colima, name: Name) -> None:
    """Make colima's own docker context current."""
    _docker(colima).run("context", "use", name.id)


def remove_docker_context(colima: Colima, name: Name) -> None:
    """Remove colima's docker context; it may be gone already."""
    docker = _docker(colima)
    if docker.installed and docker.run("context", "inspect", name.id, check=False).rc == 0:
        docker.run("context", "rm", "--force", name.id)


def remove_all(files: tuple[str, ...]) -> None:
    """Remove files and directories."""
    for path in map(Path, files):
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)


def remove_wrapper(file: str) -> None:
    """Remove a nerdctl wrapper."""
    try:
        Path(file).unlink(missing_ok=True)
    except OSError as error:
        raise file_trouble(f"remove nerdctl wrapper '{file}'", error, "Remove it by hand.") from error


def remove_defaults(files: tuple[str, ...]) -> None:
    """Remove what is still as colima wrote it, with its directory if that is then empty."""
    for path in map(Path, files):
        if holds_default(path, DEFAULTS["/".join(path.parts[-2:])]):
            path.unlink(missing_ok=True)
            with contextlib.suppress(OSError):
                path.parent.rmdir()


def remove_ssh_include(colima: Colima) -> None:
    """Remove colima's line from the user's ssh settings, and the file where nothing else was in it."""
    file = Path(colima.environment.get("HOME") or "~").expanduser() / ".ssh" / "config"
    wanted = [b"Include", os.fsencode(colima.paths.base / "ssh_config")]
    if file.exists():
        # As bytes: the rest of it is in whatever encoding and with whatever ends of lines the user likes.
        kept = [line for line in file.read_bytes().splitlines(keepends=True) if line.split() != wanted]
        left = b"".join(kept).lstrip(b"\n")
        if left or file.is_symlink():
            write_atomically(file.resolve(), left, file.stat().st_mode & 0o777)
        else:
            file.unlink()


def remove_kube_entry(colima: Colima, name: Name, was_current: bool) -> None:
    """Remove the entry. was_current: colima, which has just deleted the profile, may have left no context current."""
    path = kubeconfig.path_from(colima.environment)
    if not kubeconfig.load(path):
        return
    with locked(path):
        config = kubeconfig.load(path)
        current = config.get("current-context") or ""
        change = kubeconfig.Change(name.id)
        if current == name.id or (was_current and not current):
            left = kubeconfig.changed(config, change)
            change = replace(change, current=former_context(colima.paths, name, path, left))
        kubeconfig.rewrite(path, change)


def _docker(colima: Colima) -> Cli:
    # DOCKER_HOST makes the docker command refuse to talk about contexts as it should.
    return colima.other("docker", "", DOCKER_HOST=None)
