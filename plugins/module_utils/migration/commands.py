# SPDX-License-Identifier: GPL-3.0-or-later
"""The `docker run` that makes a container again, as far as the engine tells. Pure."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from ..core.secrecy.patterns import redact

# What the engine has for a container that asked for nothing.
_OWN_NETWORKS = ("", "default", "bridge")
_SHARED_MEMORY = 64 << 20
# Labels of programs that make containers themselves.
_OTHERS_LABELS = ("com.docker.", "desktop.docker.", "io.kubernetes.")
# Options by where the engine keeps what they say: several values, or yes.
_LISTS = {
    "CapAdd": "--cap-add",
    "CapDrop": "--cap-drop",
    "ExtraHosts": "--add-host",
    "SecurityOpt": "--security-opt",
    "Dns": "--dns",
}
_FLAGS = {"Privileged": "--privileged", "ReadonlyRootfs": "--read-only", "Init": "--init", "AutoRemove": "--rm"}


def run_command(container: Mapping[str, Any], image: Mapping[str, Any]) -> str:
    """Return the command. container, image: what the engine tells of both.

    Of the environment only names are shown: docker takes their values from the shell. What the image says itself is left out, and
    what looks like a secret in arguments and labels is hidden.
    """
    config, host = container.get("Config") or {}, container.get("HostConfig") or {}
    own = image.get("Config") or {}
    entrypoint, words = _program(config, own)
    command = ("docker", "run", *_options(container, config, host, own), *entrypoint, str(config.get("Image")), *words)
    # Each word, before a shell's quotes are added; then the command, where a flag stands before its value.
    return redact(shlex.join(map(redact, command)))


def _program(config: Mapping[str, Any], own: Mapping[str, Any]) -> tuple[list[str], list[str]]:
    """Return the option and the words that say what a container runs, where its image does not."""
    entry, words = list(config.get("Entrypoint") or ()), list(config.get("Cmd") or ())
    if entry != list(own.get("Entrypoint") or ()):
        return ["--entrypoint", entry[0]] if entry else [], [*entry[1:], *words]
    return [], words if words != list(own.get("Cmd") or ()) else []


def _options(
    container: Mapping[str, Any], config: Mapping[str, Any], host: Mapping[str, Any], own: Mapping[str, Any]
) -> Iterator[str]:
    yield from ("--interactive", "--tty") if config.get("Tty") else ("--detach",)
    yield from ("--name", str(container.get("Name") or "").lstrip("/"))
    if (network := str(host.get("NetworkMode") or "")) not in _OWN_NETWORKS:
        yield from ("--network", network)
    yield from _ports(host.get("PortBindings") or {})
    for line in _beyond(config.get("Env"), own.get("Env")):
        yield from ("--env", line.partition("=")[0])
    yield from _mounts(container, host)
    yield from _restart(host.get("RestartPolicy") or {})
    yield from _user_and_labels(config, own)
    yield from _rights(host)
    yield from _limits(host)


def _user_and_labels(config: Mapping[str, Any], own: Mapping[str, Any]) -> Iterator[str]:
    for key, option in (("User", "--user"), ("WorkingDir", "--workdir")):
        if (value := config.get(key) or "") != (own.get(key) or ""):
            yield from (option, value)
    for key, value in sorted(_beyond((config.get("Labels") or {}).items(), (own.get("Labels") or {}).items())):
        if not key.startswith(_OTHERS_LABELS):
            yield from ("--label", f"{key}={value}")


def _beyond(given: Iterable[Any] | None, known: Iterable[Any] | None) -> list[Any]:
    """Return what a container has beside what its image gives it."""
    there = set(known or ())
    return [one for one in given or () if one not in there]


def _restart(restart: Mapping[str, Any]) -> Iterator[str]:
    if (policy := restart.get("Name") or "no") != "no":
        most = restart.get("MaximumRetryCount")
        yield from ("--restart", f"{policy}:{most}" if most else policy)


def _mounts(container: Mapping[str, Any], host: Mapping[str, Any]) -> Iterator[str]:
    for mount in container.get("Mounts") or ():
        source = mount.get("Name") if mount.get("Type") == "volume" else mount.get("Source")
        yield from ("--volume", f"{source}:{mount['Destination']}" + ("" if mount.get("RW", True) else ":ro"))
    for place, how in sorted((host.get("Tmpfs") or {}).items()):
        yield from ("--tmpfs", f"{place}:{how}" if how else place)


def _rights(host: Mapping[str, Any]) -> Iterator[str]:
    for key, option in _LISTS.items():
        for value in host.get(key) or ():
            yield from (option, value)
    yield from (option for key, option in _FLAGS.items() if host.get(key))
    for device in host.get("Devices") or ():
        yield from ("--device", f"{device['PathOnHost']}:{device['PathInContainer']}")


def _ports(bindings: Mapping[str, Sequence[Mapping[str, str]] | None]) -> Iterator[str]:
    for inside, outside in sorted(bindings.items()):
        for one in outside or ():
            address = f"{one['HostIp']}:" if one.get("HostIp") else ""
            yield from ("--publish", f"{address}{one.get('HostPort', '')}:{inside.removesuffix('/tcp')}")


def _limits(host: Mapping[str, Any]) -> Iterator[str]:
    if host.get("Memory"):
        yield from ("--memory", str(host["Memory"]))
    if host.get("NanoCpus"):
        yield from ("--cpus", f"{host['NanoCpus'] / 1e9:g}")
    if host.get("ShmSize") not in (None, 0, _SHARED_MEMORY):
        yield from ("--shm-size", str(host["ShmSize"]))
    if host.get("PidMode"):
        yield from ("--pid", host["PidMode"])
    if host.get("IpcMode") not in (None, "", "private", "shareable"):
        yield from ("--ipc", host["IpcMode"])
