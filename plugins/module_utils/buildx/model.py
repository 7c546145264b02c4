# SPDX-License-Identifier: GPL-3.0-or-later
"""What buildx builders are, and what the options ask of them. Pure: no file, no process."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from ..core.errors import InputError
from ..core.options import suggestion
from ..core.plan import Step
from .config import BuildkitConfig

_NAME = re.compile(r"[a-zA-Z][a-zA-Z0-9._-]*")
_PLATFORM = re.compile(r"[a-z0-9]+/[a-z0-9_]+(/v[0-9]+(\.[0-9]+)?)?")
_SAME_PLATFORM = {
    "arm64/v8": "arm64",
    "amd64/v1": "amd64",
    "aarch64": "arm64",
    "x86_64": "amd64",
    "arm": "arm/v7",
    "armhf": "arm/v7",
    "armel": "arm/v6",
    "i386": "386",
}
# What https://github.com/containerd/platforms (database.go, after Go's own list) knows, and wasi, as docker calls it.
_SYSTEMS = frozenset((
    "aix", "android", "darwin", "dragonfly", "freebsd", "hurd", "illumos", "ios", "js", "linux", "nacl", "netbsd", "openbsd",
    "plan9", "solaris", "wasi", "wasip1", "windows", "zos",
))  # fmt: skip
_ARCHITECTURES = frozenset((
    "386", "amd64", "amd64p32", "arm", "arm64", "arm64be", "armbe", "loong64", "mips", "mips64", "mips64le", "mips64p32",
    "mips64p32le", "mipsle", "ppc", "ppc64", "ppc64le", "riscv", "riscv64", "s390", "s390x", "sparc", "sparc64", "wasm", "wasm32",
))  # fmt: skip
# Of other architectures, variants are not checked.
_VARIANTS = {"amd64": r"v[1-4]", "arm": r"v[5-8]", "arm64": r"v[89](\.[0-9])?"}


@dataclass(frozen=True)
class Node:
    """One machine of a builder. None: not stated (wanted) or none (as it is)."""

    name: str
    endpoint: str
    platforms: tuple[str, ...] | None = None
    driver_opts: Mapping[str, str] | None = None
    flags: tuple[str, ...] | None = None
    config: BuildkitConfig | None = None

    def public(self) -> dict[str, Any]:
        """Return the result form."""
        return {
            "name": self.name,
            "endpoint": self.endpoint,
            "platforms": list(self.platforms or ()),
            "driver_opts": dict(self.driver_opts or {}),
            "buildkitd_flags": list(self.flags or ()),
            "buildkitd_config": self.config.public() if self.config else {},
        }


@dataclass(frozen=True)
class Builder:
    """A builder as it is in buildx's store. broken: its record is there and can't be read."""

    name: str
    driver: str
    nodes: tuple[Node, ...]
    broken: bool = False

    def public(self) -> dict[str, Any]:
        """Return the result form."""
        return {"name": self.name, "driver": self.driver, "nodes": [node.public() for node in self.nodes]}


@dataclass(frozen=True)
class BuilderNetwork:
    """What a company's network adds to a builder: driver options, and a configuration. Empty: what was added comes out."""

    options: Mapping[str, str] = field(default_factory=dict)
    config: BuildkitConfig | None = None


@dataclass(frozen=True)
class BuilderSpec:
    """What the options ask of one builder. offers: platforms that its running nodes must be able to build for.

    network: that of a company; None: as it is.
    """

    builder: Builder
    present: bool = True
    offers: tuple[str, ...] = ()
    default: bool = False
    bootstrap: bool = False
    keep_state: bool = True
    network: BuilderNetwork | None = None

    @property
    def name(self) -> str:
        """The builder's name as buildx keeps it."""
        return self.builder.name


@dataclass(frozen=True)
class NodeHealth:
    """How a node's engine answers: running, inactive (the builder is not started), unreachable, gone or unknown."""

    status: str
    reason: str = ""

    @property
    def dead(self) -> bool:
        """Whether the docker command would hang or fail on it."""
        return self.status in ("unreachable", "gone")


@dataclass(frozen=True)
class BuildersState:
    """All builders and what surrounds them.

    health: how their nodes are (by builder and node name); selected: which builder the docker context of each named builder uses;
    contexts: that context; hosts: the endpoint of each docker context, None for a missing context; busy: why a builder
    must not be torn down now.
    """

    builders: Mapping[str, Builder] = field(default_factory=dict)
    health: Mapping[tuple[str, str], NodeHealth] = field(default_factory=dict)
    selected: Mapping[str, str] = field(default_factory=dict)
    contexts: Mapping[str, str] = field(default_factory=dict)
    hosts: Mapping[str, str | None] = field(default_factory=dict)
    busy: Mapping[str, str] = field(default_factory=dict)

    def status(self, builder: str, node: Node) -> str:
        """Return how a node is, in one word."""
        return self.health.get((builder, node.name), NodeHealth("unknown")).status

    def dead_nodes(self, name: str) -> list[str]:
        """Return the nodes of a builder that do not answer."""
        nodes = self.builders[name].nodes
        return [node.name for node in nodes if self.health.get((name, node.name), NodeHealth("unknown")).dead]

    def reasons(self, name: str) -> str:
        """Return why nodes of the builder do not answer."""
        return "; ".join(dict.fromkeys(self.health[name, node].reason for node in self.dead_nodes(name)))

    def dead(self, name: str, statuses: Iterable[str] = ("unreachable", "gone")) -> bool:
        """Whether all nodes of the builder have such a status."""
        nodes = self.builders[name].nodes
        found = [self.status(name, node) for node in nodes]
        return bool(found) and all(status in statuses for status in found)


@dataclass(frozen=True)
class BuildxStep(Step):
    """A step with the builder that it concerns, the arguments of `docker buildx`, and what it needs around it.

    config: what buildkitd.toml holds; context: the docker context that it runs in; cluster: the endpoint of a node in pods, which
    buildx takes from its environment.
    """

    builder: str = ""
    argv: tuple[str, ...] = ()
    config: BuildkitConfig | None = None
    context: str = ""
    cluster: str = ""


@dataclass(frozen=True)
class CreateBuilder(BuildxStep):
    """Create a builder with its first node, or append another node."""


@dataclass(frozen=True)
class StartBuilder(BuildxStep):
    """Start the nodes of a builder."""


@dataclass(frozen=True)
class RemoveBuilder(BuildxStep):
    """Remove a builder."""


@dataclass(frozen=True)
class RecreateBuilder(RemoveBuilder):
    """Remove a builder that is created again."""


def normal_platform(text: str) -> str:
    """Return the short form of a platform. Raises InputError for an invalid one."""
    low = text.strip().lower()
    system, _slash, arch = low.partition("/")
    if not _PLATFORM.fullmatch(low):
        raise InputError(f"use platform '{text}'", "it is not of the form os/arch", "Write it as for instance linux/arm64.")
    return f"{system}/{_SAME_PLATFORM.get(arch, arch)}"


def known_platform(text: str) -> str:
    """Return the short form of a platform that a user has written. Raises InputError for an invalid or unknown one."""
    found = normal_platform(text)
    system, arch, variant = (*found.split("/"), "")[:3]
    reason = ""
    if system not in _SYSTEMS:
        reason = f"unknown system '{system}'"
    elif arch not in _ARCHITECTURES:
        reason = f"unknown architecture '{arch}'"
    elif variant and not re.fullmatch(_VARIANTS.get(arch, ".*"), variant):
        reason = f"{arch} has no variant '{variant}'"
    if reason:
        near = suggestion(found, [f"{system}/{other}" for system in _SYSTEMS for other in _ARCHITECTURES])
        raise InputError(f"use platform '{text}'", reason, near.strip() or "Write it as for instance linux/arm64.")
    return found


def check_endpoint(builder: str, text: str) -> None:
    """Raise InputError for an invalid address. Names of contexts and paths of files are not looked at."""
    try:
        # A port is looked at only when it is asked for.
        _port = "://" in text and urlsplit(text).port
    except ValueError as error:
        what, reason = f"use '{text}' as endpoint of builder '{builder}'", f"it is an invalid address ({str(error).lower()})"
        raise InputError(what, reason, "Correct it.") from error


def check_wanted(wanted: Sequence[BuilderSpec]) -> None:
    """Raise InputError for names, nodes or endpoints that buildx can't have."""
    names = [item.name for item in wanted]
    for item in wanted:
        name, what = item.name, f"plan builder '{item.name}'"
        if not _NAME.fullmatch(name) or name == "default":
            reason = "buildx wants a letter, then letters, digits, '.', '_' or '-', and keeps 'default' for itself"
            raise InputError(f"use builder name '{name}'", reason, "Choose another name.")
        if names.count(name) > 1:
            raise InputError(what, "it is listed twice", "Keep one entry.")
        if item.present:
            _check_nodes(item.builder, what)


def _check_nodes(builder: Builder, what: str) -> None:
    endpoints = [node.endpoint for node in builder.nodes]
    nodes = [node.name for node in builder.nodes]
    twice = next((node for node in nodes if nodes.count(node) > 1), None)
    if twice is not None:
        raise InputError(what, f"two nodes are called '{twice}'", "Give each node its own name.")
    if builder.driver == "docker" and endpoints != [builder.name]:
        reason = "with driver docker the builder is the docker context of the same name"
        raise InputError(what, reason, "Leave endpoint and nodes out, and give the context's name.")
    if len(set(endpoints)) < len(endpoints) and builder.driver != "kubernetes":
        raise InputError(what, "two nodes have one endpoint", "Give each node its own.")
    if builder.driver == "remote" and "" in endpoints:
        raise InputError(what, "driver remote needs an endpoint", "Set endpoint to buildkitd's address.")
