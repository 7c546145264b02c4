# SPDX-License-Identifier: GPL-3.0-or-later
"""colima's traces in the host's clients: kubeconfig entry, docker context, nerdctl wrapper. Touches only the profile's own."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

from ...colima_paths import Name
from ...core.command import Cli
from ...core.errors import CommandFailed, InputError
from ...core.files import write_atomically
from ...kube import kubeconfig
from ...kube.lock import locked
from ..client.programs import Colima
from ..observe.kube_context import former_context, remove_backups
from ..plan.action import DOCKER_CONTEXT, KUBECONFIG_BACKUPS, KUBECONFIG_ENTRY, SSH_INCLUDE, WRAPPER, Action


def repair_kubeconfig(colima: Colima, name: Name, make_current: bool) -> bool:
    """Put the entry of the running k3s into the kubeconfig, where it differs. Returns whether it did.

    make_current only counts where no valid context is current: the user may work with another cluster.
    """
    entry = kubeconfig.entry_from_k3s(_k3s(colima, name), _address(colima, name))
    path = kubeconfig.path_from(colima.environment)
    with locked(path):
        current = name.id if make_current and kubeconfig.is_dangling(kubeconfig.load(path)) else None
        return kubeconfig.rewrite(path, kubeconfig.Change(name.id, entry, current))


def _k3s(colima: Colima, name: Name) -> dict[str, Any]:
    import yaml

    text = colima.in_guest(name, "sudo", "cat", "/etc/rancher/k3s/k3s.yaml")
    try:
        document = yaml.safe_load(text)
    except yaml.YAMLError:
        document = None
    if not isinstance(document, dict):
        # The text itself is never shown: it holds the cluster's admin key.
        raise CommandFailed(f"Could not read the kubeconfig of k3s in profile '{name}': it is not YAML. Restart the profile.")
    return document


def _address(colima: Colima, name: Name) -> str:
    return next((row.address for row in colima.rows() if row.name == name.name), "")


def correct_docker_context(colima: Colima, name: Name) -> None:
    """Correct the address in colima's own docker context."""
    _docker(colima).run("context", "update", name.id, "--docker", f"host={colima.paths.socket(name, 'docker')}")


def use_docker_context(colima: Colima, name: Name) -> None:
    """Make colima's own docker context current."""
    _docker(colima).run("context", "use", name.id)


def clean(colima: Colima, action: Action) -> None:
    """Remove one trace of a deleted profile; it may be gone already."""
    name, what = action.name, action.number
    if what == DOCKER_CONTEXT:
        docker = _docker(colima)
        if docker.installed and docker.run("context", "inspect", name.id, check=False).rc == 0:
            docker.run("context", "rm", "--force", name.id)
    elif what == KUBECONFIG_ENTRY:
        _remove_kubeconfig_entry(colima, name, was_current=bool(action.about))
    elif what == KUBECONFIG_BACKUPS:
        remove_backups(colima.environment, name)
    elif what == SSH_INCLUDE:
        _remove_ssh_include(colima)
    elif what == WRAPPER:
        wrapper = Path(action.about)
        try:
            wrapper.unlink(missing_ok=True)
        except OSError as error:
            raise InputError(f"Could not remove nerdctl wrapper '{wrapper}': {error.strerror}. Remove it by hand.") from error


def _remove_ssh_include(colima: Colima) -> None:
    file = Path(colima.environment.get("HOME") or "~").expanduser() / ".ssh" / "config"
    wanted = [b"Include", os.fsencode(colima.paths.base / "ssh_config")]
    if file.exists():
        # As bytes: the rest of it is in whatever encoding and with whatever ends of lines the user likes.
        kept = [line for line in file.read_bytes().splitlines(keepends=True) if line.split() != wanted]
        write_atomically(file.resolve(), b"".join(kept).lstrip(b"\n"), file.stat().st_mode & 0o777)


def _remove_kubeconfig_entry(colima: Colima, name: Name, was_current: bool) -> None:
    """Take the entry out. was_current: colima, which has just deleted the profile, may have left no context current."""
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
    return colima.other("docker", "Run 'brew install docker'.", DOCKER_HOST=None)
