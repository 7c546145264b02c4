# SPDX-License-Identifier: GPL-3.0-or-later
"""What docker contexts are, and what the options ask of them. Pure: no file, no process."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ...core.errors import InputError
from ...core.plan import Step

BUILT_IN = "default"
TLS_KINDS = ("ca", "cert", "key")

_NAME = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_.+-]+")
_HOST = re.compile(r"(unix|fd):///\S.*|npipe:////?\S.*|(tcp|ssh|https?)://[^/\s]\S*", re.DOTALL)


@dataclass(frozen=True)
class TlsFile:
    """One file of TLS material. Two files are the same when their digests are; the content is never kept."""

    path: str
    digest: str

    @property
    def public(self) -> str:
        """Return a short form that tells two files apart and nothing else."""
        return f"sha256:{self.digest[:12]}"


@dataclass(frozen=True)
class Context:
    """A docker context as it is in docker's store. broken: its entry exists and docker can't read it."""

    name: str
    host: str
    description: str = ""
    skip_tls_verify: bool = False
    tls: Mapping[str, TlsFile] = field(default_factory=dict)
    broken: bool = False

    def public(self) -> dict[str, Any]:
        """Return the result form, without any TLS material."""
        return {
            "name": self.name,
            "description": self.description,
            "host": self.host,
            "skip_tls_verify": self.skip_tls_verify,
            "tls": {kind: self.tls[kind].public for kind in TLS_KINDS if kind in self.tls},
        }


@dataclass(frozen=True)
class ContextSpec:
    """What the options ask of one context. None keeps the present value; a TLS kind with None removes that file."""

    name: str
    present: bool = True
    current: str = "never"
    host: str | None = None
    description: str | None = None
    skip_tls_verify: bool | None = None
    tls: Mapping[str, TlsFile | None] = field(default_factory=dict)
    profile: str | None = None


@dataclass(frozen=True)
class ContextsState:
    """The contexts that matter to a run.

    current is what config.json says ("": nothing, so the built-in one); came_from maps a context to the context that was current
    before an earlier run switched to it.
    """

    contexts: Mapping[str, Context] = field(default_factory=dict)
    current: str = ""
    came_from: Mapping[str, str] = field(default_factory=dict)

    def has(self, name: str) -> bool:
        """Whether docker can use the context."""
        return name in ("", BUILT_IN) or (name in self.contexts and not self.contexts[name].broken)


def chain(came_from: Mapping[str, str], name: str) -> list[str]:
    """Return the contexts that were current before this one, the last first."""
    found: list[str] = []
    while name in came_from and came_from[name] not in found:
        name = came_from[name]
        found.append(name)
    return found


def switched(came_from: Mapping[str, str], left: str, entered: str) -> dict[str, str]:
    """Return which context each one came from after a switch. A switch back forgets the ones in between."""
    way = [left, *chain(came_from, left)]
    if entered not in way:
        return {**came_from, entered: left} if entered != BUILT_IN else {}
    return {name: before for name, before in came_from.items() if name not in way[: way.index(entered)]}


@dataclass(frozen=True)
class ContextStep(Step):
    """A step with the arguments of `docker context` that carry it out.

    switches: the contexts that are current before and after it; unreadable: docker may be unable to carry it out.
    """

    argv: tuple[str, ...] = ()
    switches: tuple[str, str] | None = None
    unreadable: bool = False


def check_wanted(wanted: Sequence[ContextSpec]) -> None:
    """Raise InputError for names, endpoints or combinations that docker can't have."""
    names = [item.name for item in wanted]
    always = [item.name for item in wanted if item.present and item.current == "always"]
    if len(always) > 1:
        both = " and ".join(map(repr, always))
        raise InputError("choose the current docker context", f"{both} both ask for current: always", "Leave it on one of them.")
    for item in wanted:
        if names.count(item.name) > 1:
            raise InputError(f"plan docker context '{item.name}'", "it is listed twice", "Keep one entry.")
        check_name(item.name)
        _check_one(item)


def check_name(name: str) -> None:
    """Raise InputError for a name that docker refuses."""
    if not _NAME.fullmatch(name):
        reason = "docker wants two or more letters, digits, '_', '.', '+' or '-', with a letter or digit first"
        raise InputError(f"use docker context name '{name}'", reason, "Choose another name.")


def _check_one(item: ContextSpec) -> None:
    managed = item.host is not None or item.description or item.skip_tls_verify is not None or bool(item.tls)
    if item.name == BUILT_IN and (managed or not item.present):
        reason = "it is built into docker and can only be made current"
        raise InputError("manage docker context 'default'", reason, "Choose another name for a context of your own.")
    if item.host is not None and not _HOST.fullmatch(item.host):
        what = f"use '{item.host}' as endpoint of docker context '{item.name}'"
        remedy = "Write unix:///path, ssh://user@host or tcp://host:port."
        raise InputError(what, "it is not the address of a docker engine", remedy)
