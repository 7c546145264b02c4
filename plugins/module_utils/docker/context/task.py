# SPDX-License-Identifier: GPL-3.0-or-later
"""docker contexts as a subject: options, reading, carrying out each step, and what a result shows."""

from __future__ import annotations

import contextlib
import os
import platform
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ...colima_paths import parse_name, resolve
from ...core.entries import in_state
from ...core.errors import CommandFailed
from ...core.plan import Plan, Step
from ...core.subject import Result, Subject
from ...core.system.home import home
from ...core.system.lock import user_files
from ..client import docker_cli, docker_directory
from ..engine import Engine, ask_all_unix
from .model import BUILT_IN, TLS_KINDS, ContextSpec, ContextsState, ContextStep, check_name, check_wanted
from .overrides import overrides_of
from .plan import converged, plan_contexts
from .store import DockerContexts, tls_file

_DOCKER_OPTIONS: dict[str, Any] = {
    "host": {"type": "str"},
    "profile": {"type": "str"},
    "ca": {"type": "path"},
    "cert": {"type": "path"},
    "key": {"type": "path", "no_log": False},
    "skip_tls_verify": {"type": "bool"},
}
_ENDPOINT: dict[str, Any] = {"type": "dict", "options": _DOCKER_OPTIONS, "mutually_exclusive": [("host", "profile")]}
_CONTEXT_OPTIONS: dict[str, Any] = {
    "docker": _ENDPOINT,
    "description": {"type": "str"},
    "current": {"type": "str", "choices": ["always", "if_unset", "never"], "default": "never"},
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
}


@dataclass(frozen=True)
class ContextsSpec:
    """What the options ask for. current: the context to make current whatever the others say; seconds to wait for an engine."""

    wanted: tuple[ContextSpec, ...]
    current: str | None
    seconds: float
    check_mode: bool


class Contexts(Subject[ContextsSpec, ContextsState]):
    """The contexts of the docker command."""

    argument_spec = {
        "contexts": {
            "type": "list",
            "elements": "dict",
            "options": {"name": {"type": "str", "required": True}, **_CONTEXT_OPTIONS},
        },
        "name": {"type": "str"},
        "current_context": {"type": "str"},
        "probe_timeout": {"type": "float", "default": 2.0},
        **_CONTEXT_OPTIONS,
    }
    rules = {
        "mutually_exclusive": [("contexts", "name")],
        "required_one_of": [("contexts", "name", "current_context")],
    }
    work = "converge the docker contexts"
    look = "Look at 'docker context ls', and run again."

    asked: ContextsSpec

    def __init__(self) -> None:
        self.docker = docker_cli()
        self.client = DockerContexts(self.docker, docker_directory(os.environ, home()))

    def parse(self, params: Mapping[str, Any], *, check_mode: bool) -> ContextsSpec:
        """Return the contexts. Raises InputError."""
        listed = in_state(params["contexts"] or [], params["state"]) or ([params] if params["name"] else [])
        wanted = tuple(map(_wanted, listed))
        check_wanted(wanted)
        current = params["current_context"] or None
        if current:
            check_name(current)
        self.asked = ContextsSpec(wanted, current, params["probe_timeout"], check_mode)
        return self.asked

    def programs(self, spec: ContextsSpec) -> tuple[str, ...]:
        """Return docker where a context has to be there."""
        return ("docker",) if any(item.present for item in spec.wanted) else ()

    def lock(self) -> contextlib.AbstractContextManager[bool]:
        """Keep other runs away: each notes which context was current before its own."""
        return user_files(self.work)

    def read(self, spec: ContextsSpec) -> ContextsState:
        """Return the contexts that matter."""
        return self.client.read([*(item.name for item in spec.wanted), spec.current or ""])

    def plan(self, spec: ContextsSpec, current: ContextsState) -> Plan:
        """Return the steps."""
        return plan_contexts(current, spec.wanted, spec.current)

    def carry_out(self, plan: Plan, report: Callable[[str], None]) -> None:
        """Carry out the plan; once more if a docker command that outlived a killed run was faster."""
        try:
            super().carry_out(plan, report)
        except CommandFailed:
            left = self.plan(self.asked, self.read(self.asked))
            if left.steps == plan.steps:
                raise
            super().carry_out(left, report)

    def apply(self, step: Step) -> None:
        """Carry out one step."""
        if isinstance(step, ContextStep):
            self.client.apply(step)

    def public(self, outcome: Result[ContextsSpec, ContextsState]) -> dict[str, Any]:
        """Return the named contexts after the run with their engines, and what overrides the current one."""
        spec, store = outcome.spec, outcome.after
        if outcome.check_mode:
            store = converged(store, spec.wanted, spec.current)[0]
        current = store.current or BUILT_IN
        engines = _engines(spec, store)
        assumed = outcome.check_mode and outcome.plan.changed and not self.docker.installed
        overrides: list[str] = []
        if spec.current or any(item.present and item.current != "never" for item in spec.wanted):
            overrides = overrides_of(current, store.contexts[current].host if current in store.contexts else "")
        guess = "The docker command is not installed here yet; the plan assumes that it will be."
        return {
            "current": current,
            "contexts": [
                {**store.contexts[name].public(), "current": name == current, "engine": engine.public()}
                for name, engine in engines.items()
            ],
            "warnings": [*([guess] if assumed else []), *overrides, *_engine_warnings(spec.wanted, engines)],
        }


SUBJECT = Contexts


def _wanted(options: Mapping[str, Any]) -> ContextSpec:
    docker = options.get("docker") or {}
    host, profile = docker.get("host"), docker.get("profile")
    if profile is not None:
        name = parse_name(profile)
        profile, host = name.name, resolve(os.environ, platform.system()).socket(name, "docker")
    elif host is not None and host.startswith("unix://~/"):
        host = f"unix://{home()}{host.removeprefix('unix://~')}"
    present = options["state"] == "present"
    files = {
        kind: tls_file(docker[kind], f"{kind} for docker context '{options['name']}'") if docker[kind] else None
        for kind in TLS_KINDS
        if present and docker.get(kind) is not None
    }
    return ContextSpec(
        name=options["name"],
        present=present,
        current=options["current"],
        host=host,
        description=options["description"],
        skip_tls_verify=docker.get("skip_tls_verify"),
        tls=files,
        profile=profile,
    )


def _engines(spec: ContextsSpec, store: ContextsState) -> dict[str, Engine]:
    """Ask the engines behind the named contexts that exist after the run; keys are the contexts' names."""
    hosts = {item.name: store.contexts[item.name].host for item in spec.wanted if item.name in store.contexts}
    sockets = {name: host.removeprefix("unix://") for name, host in hosts.items() if host.startswith("unix://")}
    answers = ask_all_unix(sockets.values(), spec.seconds) if spec.seconds > 0 else {}
    return {name: answers.get(sockets.get(name, ""), Engine(None)) for name in hosts}


def _engine_warnings(wanted: Sequence[ContextSpec], engines: Mapping[str, Engine]) -> Iterator[str]:
    """Yield a warning for each profile whose socket exists while nothing healthy answers: the profile needs a restart."""
    for item in wanted:
        engine = engines.get(item.name, Engine(None))
        if item.profile is not None and engine.reachable is False and not engine.absent:
            yield (
                f"The engine of colima profile '{item.profile}' does not answer for docker context '{item.name}': "
                f"{engine.reason}. Look at 'colima status {item.profile}'; stopping and starting the profile repairs it."
            )
