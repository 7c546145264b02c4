# SPDX-License-Identifier: GPL-3.0-or-later
"""Builds and transfers of images in a VM: they need no container, so that no list of containers shows them.

A client runs as long as its build, and a step of a build is a runc that waits for it. Of a client's command line only the
command is repeated: its arguments may hold a secret.
"""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from ...core.errors import InputError, WorkstationError
from ...core.system.processes import command_of, commands, environment_of, flags_of, program_of
from ...docker.client import context_host, current_context, docker_directory
from ...docker.context.model import BUILT_IN
from ..client.programs import Colima
from ..model.state import ProfileState

OWN_HOST = "unix:///var/run/docker.sock"
_VERBS = ("build", "pull", "push", "load")
_GROUPS = ("image", "builder")
_BUILDX = ("build", "b", "bake", "f")
_PLUGINS = {"docker-buildx": "buildx", "docker-compose": "compose"}
_STEPS = ("runc", "buildkit-runc", "crun")
# The flags that may come before the command and take the next word, of docker, nerdctl, compose and buildx.
_VALUED = re.compile(
    "[cHlanfp]|context|host|config|log-level|tlscacert|tlscert|tlskey|builder|address|namespace|snapshotter|storage-driver|"
    "data-root|cgroup-manager|file|project-name|project-directory|env-file|profile|progress|ansi"
)


@dataclass(frozen=True)
class BuildClient:
    """A running client: what it does, and with which engine as far as its arguments say."""

    command: str
    context: str = ""
    host: str = ""
    builder: str = ""


def at_work(colima: Colima, current: ProfileState, runtime: str) -> list[str]:
    """Return what builds or moves images in a VM whose engine answers, as far as that can be seen."""
    found: list[str] = []
    with contextlib.suppress(WorkstationError):
        found = in_guest(colima.in_guest(current.name, "ps", "-e", "-ww", "-o", "args=").splitlines())
    if runtime == "docker":
        clients = {pid: client for pid, words in commands().items() if (client := client_of(words))}
        for pid, client in clients.items():
            ours = may_mean(client, environment_of(pid), colima.environment, current.name.id, current.docker_socket)
            # One that has ended meanwhile does not work any more, and what it worked with is unknown.
            if ours and command_of(pid):
                found.append(client.command)
    return list(dict.fromkeys(found))


def in_guest(processes: Iterable[str]) -> list[str]:
    """Return the running builds and transfers among the processes of a guest."""
    found = []
    for words in map(str.split, processes):
        program, arguments = program_of(words)
        # A container's runc makes it or starts it, and ends; this one stays.
        if program in _STEPS and "run" in arguments:
            found.append("a step of a build")
        elif client := client_of(words):
            found.append(client.command)
    return found


def client_of(words: Sequence[str]) -> BuildClient | None:
    """Return the client that a process with these arguments is, if it builds or moves images."""
    program, arguments = program_of(words)
    if program not in ("docker", "nerdctl", "buildctl", *_PLUGINS):
        return None
    flags, others = flags_of(arguments, _VALUED.fullmatch)
    if program in _PLUGINS:
        # docker starts its plugins with the words that it got itself.
        program, plugin = "docker", _PLUGINS[program]
        others = others if others[:1] == [plugin] else [plugin, *others]
    verb, *rest = others or [""]
    first = next(iter(rest), "")
    if not _works_on_images(verb, first, arguments):
        return None
    command = f"{program} {verb}" if verb in _VERBS else f"{program} {verb} {first}"
    return BuildClient(
        command,
        flags.get("c", flags.get("context", "")),
        flags.get("H", flags.get("host", "")),
        flags.get("builder", ""),
    )


def _works_on_images(verb: str, first: str, arguments: Sequence[str]) -> bool:
    """Whether a command builds or moves images. first: the first word after its verb."""
    if verb == "compose":
        return first in _VERBS or (first == "up" and "--build" in arguments)
    return verb in _VERBS or (verb in _GROUPS and first in _VERBS) or (verb == "buildx" and first in _BUILDX)


def may_mean(client: BuildClient, theirs: Mapping[str, str], ours: Mapping[str, str], instance: str, address: str) -> bool:
    """Whether a client on the laptop may work in this VM, unless its arguments or its environment exclude that.

    theirs: its environment, empty where that is not known; ours: that of this run.
    """
    if (client.builder or theirs.get("BUILDX_BUILDER", "")) not in ("", "default", instance):
        # It has a container of its own.
        return False
    engine = _engine_of(client, theirs, ours)
    return not engine or _real(engine) == _real(address)


def _engine_of(client: BuildClient, theirs: Mapping[str, str], ours: Mapping[str, str]) -> str:
    """Return the address of the engine that a client works with; empty when that can't be told."""
    host = client.host or ("" if client.context else theirs.get("DOCKER_HOST", ""))
    context = client.context or theirs.get("DOCKER_CONTEXT", "")
    directory, own = (docker_directory(environment, environment.get("HOME", "")) for environment in (theirs or ours, ours))
    if host:
        return host
    if not context:
        if directory == own:
            # The current context may have changed since it began.
            return ""
        with contextlib.suppress(InputError):
            context = current_context(directory)
    return OWN_HOST if context in ("", BUILT_IN) else context_host(directory, context)


def _real(address: str) -> str:
    """Return the address with the links of its socket followed."""
    return os.path.realpath(address.removeprefix("unix://")) if address.startswith("unix://") else address
