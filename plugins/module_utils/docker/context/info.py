# SPDX-License-Identifier: GPL-3.0-or-later
"""docker contexts for the info module: which exist, what overrides the current one, and whether their engines answer."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ...core.errors import CommandFailed, TimedOut, ToolMissing
from ...core.subject import Reader, Result
from ...core.system.command import Cli
from ...core.system.home import home
from ..client import docker_cli, docker_directory
from ..engine import Engine, ask_unix, engine_from_version
from .model import BUILT_IN, Context, ContextsState
from .overrides import overrides_of
from .store import DockerContexts

_OWN = Context(BUILT_IN, "unix:///var/run/docker.sock", "Current DOCKER_HOST based configuration")


@dataclass(frozen=True)
class ContextInfoSpec:
    """What the options ask for. names None: all; seconds to wait for an engine, None: none is asked."""

    names: Sequence[str] | None
    seconds: float | None


class ContextInfo(Reader[ContextInfoSpec, ContextsState]):
    """The contexts of the docker command, only read."""

    argument_spec = {
        "names": {"type": "list", "elements": "str"},
        "reachability": {"type": "bool", "default": False},
        "timeout": {"type": "float", "default": 3.0},
    }
    work = "read the docker contexts"

    def __init__(self) -> None:
        self.docker = docker_cli()
        self.client = DockerContexts(self.docker, docker_directory(os.environ, home()))

    def parse(self, params: Mapping[str, Any], *, check_mode: bool) -> ContextInfoSpec:
        """Return what to read."""
        del check_mode
        return ContextInfoSpec(params["names"], params["timeout"] if params["reachability"] else None)

    def read(self, spec: ContextInfoSpec) -> ContextsState:
        """Return the contexts."""
        return self.client.read(self.client.names() if spec.names is None else spec.names)

    def public(self, outcome: Result[ContextInfoSpec, ContextsState]) -> dict[str, Any]:
        """Return the contexts with their engines, and what overrides the current one."""
        spec, store = outcome.spec, outcome.after
        known = {BUILT_IN: _OWN, **{name: store.contexts[name] for name in sorted(store.contexts)}}
        contexts = [context for name, context in known.items() if spec.names is None or name in spec.names]
        current = store.current or BUILT_IN
        engines = _engines(self.docker, contexts, spec.seconds)
        return {
            "current": current,
            "contexts": [
                {**context.public(), "current": context.name == current, "engine": engine.public()}
                for context, engine in zip(contexts, engines, strict=True)
            ],
            "overrides": overrides_of(current, known[current].host if current in known else ""),
        }


SUBJECT = ContextInfo


def _engines(docker: Cli, contexts: Sequence[Context], seconds: float | None) -> list[Engine]:
    """Return the engines of all contexts, asked side by side."""
    if seconds is None or not contexts:
        return [Engine(None)] * len(contexts)
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(max_workers=16) as pool:
        return list(pool.map(lambda context: _ask(docker, context, seconds), contexts))


def _ask(docker: Cli, context: Context, seconds: float) -> Engine:
    if context.broken:
        return Engine(False, "docker can't read this context")
    if context.host.startswith("unix://"):
        return ask_unix(context.host.removeprefix("unix://"), seconds)
    try:
        version = docker.json("--context", context.name, "version", "--format", "{{json .Server}}", timeout=seconds)
        return engine_from_version(version)
    except TimedOut:
        return Engine(False, f"nothing answered within {seconds:g} s")
    except (CommandFailed, ToolMissing) as error:
        return Engine(False, error.message)
