# SPDX-License-Identifier: GPL-3.0-or-later
"""The task of docker_cli_config as a whole: options in, one result out. It decides nothing itself; it connects the parts."""

from __future__ import annotations

import os
import platform
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ...colima_paths import parse_name, resolve
from ...core.errors import NotVerified
from ...core.files import read_file, write_file
from ...core.plan import Plan, merge, telling
from ..client import config_file, docker_directory, read_config
from ..context.store import state_file
from .env_file import env_text, plan_env_file
from .file import ConfigFile
from .plan import plan_config, plan_undo
from .surroundings import Notes, apply_plan, desktop_is_installed, look_around

ARGUMENT_SPEC: dict[str, Any] = {
    "repair": {"type": "bool", "default": True},
    "plugins": {"type": "list", "elements": "str", "default": ["docker-buildx", "docker-compose"]},
    "profile": {"type": "str", "default": "docker-buildx"},
    "env_file": {"type": "path"},
    "backup": {"type": "bool", "default": True},
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
}


def run(params: Mapping[str, Any], check_mode: bool) -> dict[str, Any]:
    """Converge docker's configuration and return the result, with its warnings."""
    present, home, system = params["state"] == "present", str(Path.home()), platform.system()
    directory = docker_directory(os.environ, home)
    notes = Notes(state_file(os.environ, home).with_name("docker_cli_config.json"), directory)

    def plan_again() -> Plan:
        config = read_config(directory)
        if not present:
            return plan_undo(config, notes.read(), notes.linked(), desktop_is_installed(os.environ), notes.contexts())
        return plan_config(config, look_around(directory, config, params["plugins"], system, os.environ), params["repair"])

    host = resolve(os.environ, system).socket(parse_name(params["profile"]), "docker")
    plan = plan_again()
    path = Path(params["env_file"]) if params["env_file"] else None
    written = plan_env_file(path, read_file(path), host if present else None) if path else Plan()
    kept = None
    if not check_mode:
        if present:
            # Noted first: killed in between, a change can still be taken back.
            notes.add(plan)
        done: list[str] = []
        with telling(done):
            kept = apply_plan(plan, ConfigFile(config_file(directory)), params["backup"])
            done += plan.actions
            if path is not None and written.steps:
                _apply_env_file(path, host if present else None)
                done += written.actions
            _verify(plan_again().actions if plan.steps else [])
        if not present:
            notes.clear()
    both = merge([plan, written])
    return {
        "changed": both.changed,
        "actions": both.actions,
        "diff": both.diff,
        "socket": host.removeprefix("unix://"),
        **({"backup_file": str(kept)} if kept else {}),
        "warnings": list(plan.warnings),
    }


def _apply_env_file(path: Path, host: str | None) -> None:
    if host is None:
        path.unlink(missing_ok=True)
    else:
        write_file(path, env_text(host), 0o644, "Choose a path that you can write.")


def _verify(left: list[str]) -> None:
    if left:
        raise NotVerified(
            f"Could not settle docker's configuration: after the change this is left: {left[0]}. "
            "Another program may have changed it meanwhile; run again.",
            left=left,
        )
