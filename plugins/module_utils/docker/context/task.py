# SPDX-License-Identifier: GPL-3.0-or-later
"""The task of docker_context as a whole: options in, one result out. It decides nothing itself; it connects the parts."""

from __future__ import annotations

import os
import platform
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from ...colima_paths import parse_name, resolve
from ...core.errors import CommandFailed, NotVerified
from ...core.plan import Plan
from ..client import docker_cli, docker_directory
from ..engine import Engine, ask_all_unix
from .model import TLS_KINDS, Store, Wanted
from .overrides import find_settings, override_warnings, start_files, user_environment
from .plan import plan_contexts
from .store import DockerContexts, state_file, tls_file

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
ARGUMENT_SPEC: dict[str, Any] = {
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
RULES: dict[str, Any] = {
    "mutually_exclusive": [("contexts", "name")],
    "required_one_of": [("contexts", "name", "current_context")],
}


def wanted_from(options: Mapping[str, Any], home: str) -> Wanted:
    """Return what the user asks of one context."""
    docker = options.get("docker") or {}
    host, profile = docker.get("host"), docker.get("profile")
    if profile is not None:
        name = parse_name(profile)
        profile, host = name.name, resolve(os.environ, platform.system()).socket(name, "docker")
    elif host is not None and host.startswith("unix://~/"):
        host = f"unix://{home}{host.removeprefix('unix://~')}"
    present = options["state"] == "present"
    files = {
        kind: tls_file(docker[kind], f"{kind} for docker context '{options['name']}'") if docker[kind] else None
        for kind in TLS_KINDS
        if present and docker.get(kind) is not None
    }
    return Wanted(
        name=options["name"],
        present=present,
        current=options["current"],
        host=host,
        description=options["description"],
        skip_tls_verify=docker.get("skip_tls_verify"),
        tls=files,
        profile=profile,
    )


def run(params: Mapping[str, Any], check_mode: bool) -> dict[str, Any]:
    """Converge the contexts and return the result, with its warnings."""
    home = str(Path.home())
    listed = params["contexts"] or ([params] if params["name"] else [])
    wanted = tuple(wanted_from(options, home) for options in listed)
    chosen = params["current_context"]
    names = [item.name for item in wanted] + ([chosen] if chosen else [])
    docker = docker_cli()
    client = DockerContexts(docker, docker_directory(os.environ, home), state_file(os.environ, home))
    store = client.read(names)
    plan = plan_contexts(store, wanted, chosen)
    warnings = []
    if plan.steps and not docker.installed and check_mode:
        warnings.append("The docker command is not installed here yet; the plan assumes that it will be.")
    if plan.steps and not check_mode:
        _settle(client, plan, lambda: plan_contexts(client.read(names), wanted, chosen))
    if chosen or any(item.present and item.current != "never" for item in wanted):
        warnings += _override_warnings(store, plan, home)
    engines = _engines(plan, params["probe_timeout"])
    return {
        "changed": plan.changed,
        "actions": plan.actions,
        "diff": plan.diff,
        "current": plan.after["current"],
        "contexts": list(_shown(wanted, plan, engines)),
        "warnings": [*warnings, *_engine_warnings(wanted, engines)],
    }


def _settle(client: DockerContexts, plan: Plan, plan_again: Callable[[], Plan]) -> None:
    """Carry out the plan and look again."""
    try:
        client.apply(plan)
    except CommandFailed:
        # A docker command that outlived a killed run may have been faster. Then what is left is another plan.
        left = plan_again()
        if left.actions == plan.actions:
            raise
        client.apply(left)
    left = plan_again()
    if left.steps:
        raise NotVerified(
            f"Could not settle the docker contexts: docker reported success, yet this is left: {left.actions[0]}. "
            "Look at 'docker context ls'.",
            left=left.actions,
            actions=plan.actions,
            changed=True,
        )


def _engines(plan: Plan, seconds: float) -> dict[str, Engine]:
    """Ask the engines behind the contexts that are there after the run; keys are contexts' names."""
    hosts = {name: str(item["host"]) for name, item in plan.after["contexts"].items()}
    sockets = {name: host.removeprefix("unix://") for name, host in hosts.items() if host.startswith("unix://")}
    answers = ask_all_unix(sockets.values(), seconds) if seconds > 0 else {}
    return {name: answers.get(sockets.get(name, ""), Engine(None)) for name in hosts}


def _shown(wanted: Sequence[Wanted], plan: Plan, engines: Mapping[str, Engine]) -> Iterator[dict[str, Any]]:
    """Yield the named contexts as they are after the run, with their engines."""
    for item in wanted:
        if item.name in engines:
            current = plan.after["current"] == item.name
            yield {**plan.after["contexts"][item.name], "current": current, "engine": engines[item.name].public()}


def _engine_warnings(wanted: Sequence[Wanted], engines: Mapping[str, Engine]) -> Iterator[str]:
    """Yield a warning of each profile's socket that is there while nothing healthy answers: the profile needs a restart."""
    for item in wanted:
        engine = engines.get(item.name, Engine(None))
        if item.profile is not None and engine.reachable is False and engine.reason != "there is no socket":
            yield (
                f"The engine of colima profile '{item.profile}' does not answer for docker context '{item.name}': "
                f"{engine.reason}. Look at 'colima status {item.profile}'; stopping and starting the profile heals it."
            )


def _override_warnings(store: Store, plan: Plan, home: str) -> list[str]:
    """Return warnings of variables that defeat the current context."""
    current = plan.after["current"]
    known = plan.after["contexts"].get(current) or (store.contexts[current].public() if current in store.contexts else {})
    findings = find_settings(start_files(home), home)
    return list(override_warnings(user_environment(), findings, current, known.get("host", "")))
