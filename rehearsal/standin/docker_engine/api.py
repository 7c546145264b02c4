# SPDX-License-Identifier: GPL-3.0-or-later
"""The stand-in engine's answers: a function of its state for each route, and what it says of itself."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from . import containers, disk, move, volumes
from .state import API_VERSION, Refusal, State

MIN_API_VERSION = "1.24"
ARCHITECTURES = {"aarch64": "arm64", "x86_64": "amd64"}


def answer(state: State, method: str, path: str, query: dict[str, str], body: Any) -> tuple[int, Any]:
    for wanted, pattern, function in ROUTES:
        if wanted == method and (match := re.fullmatch(pattern, path)):
            with state.lock:
                found: tuple[int, Any] = function(state, query, body, *(unquote(part) for part in match.groups()))
            return found
    raise Refusal(404, "page not found")


def version(state: State, _query: dict[str, str], _body: Any) -> tuple[int, Any]:
    facts = state.facts()
    architecture = ARCHITECTURES.get(facts["Architecture"], facts["Architecture"])
    common = {
        "ApiVersion": API_VERSION,
        "MinAPIVersion": MIN_API_VERSION,
        "GitCommit": "249d679",
        "GoVersion": "go1.24.7",
        "Os": "linux",
        "Arch": architecture,
        "KernelVersion": "6.8.0-64-generic",
        "BuildTime": "2025-09-03T20:57:32.000000000+00:00",
    }
    engine = {"Name": "Engine", "Version": facts["ServerVersion"], "Details": {**common, "Experimental": "false"}}
    return 200, {
        "Platform": {"Name": "Docker Engine - Community"},
        "Components": [engine],
        "Version": facts["ServerVersion"],
        **common,
    }


def info(state: State, _query: dict[str, str], _body: Any) -> tuple[int, Any]:
    states = [item["State"] for item in state.containers()]
    daemon = _daemon_settings()
    return 200, {
        "ID": "5f6a2d4e-3c1b-4f0e-9a57-2d1f6f0b7c11",
        "Containers": len(states),
        "ContainersRunning": states.count("running"),
        "ContainersPaused": states.count("paused"),
        "ContainersStopped": len(states) - states.count("running") - states.count("paused"),
        "Images": len(state.load("images")),
        "Driver": "overlay2",
        "DriverStatus": [["Backing Filesystem", "extfs"]],
        "Plugins": {"Volume": ["local"], "Network": ["bridge", "host"], "Authorization": None, "Log": ["json-file"]},
        "Debug": False,
        "LoggingDriver": "json-file",
        "CgroupDriver": "cgroupfs",
        "CgroupVersion": "2",
        "KernelVersion": "6.8.0-64-generic",
        "OSType": "linux",
        "IndexServerAddress": "https://index.docker.io/v1/",
        "RegistryConfig": {
            "InsecureRegistryCIDRs": ["::1/128", "127.0.0.0/8"],
            "IndexConfigs": {},
            "Mirrors": daemon.get("registry-mirrors", []),
        },
        "DockerRootDir": "/var/lib/docker",
        "Labels": daemon.get("labels", []),
        "ExperimentalBuild": False,
        "Runtimes": {"runc": {"path": "runc"}},
        "DefaultRuntime": "runc",
        "Swarm": {"LocalNodeState": "inactive"},
        "LiveRestoreEnabled": False,
        "SecurityOptions": ["name=seccomp,profile=builtin", "name=cgroupns"],
        "Warnings": None,
        **state.facts(),
    }


def _daemon_settings() -> dict[str, Any]:
    """Return the daemon.json that the machine would have, if the lab says where it is."""
    path = os.environ.get("REHEARSAL_DAEMON_JSON")
    if not path or not Path(path).exists():
        return {}
    return dict(json.loads(Path(path).read_text() or "{}"))


ROUTES: tuple[tuple[str, str, Any], ...] = (
    ("GET", r"/version", version),
    ("GET", r"/info", info),
    ("GET", r"/containers/json", containers.list_all),
    ("POST", r"/containers/create", containers.create),
    ("GET", r"/containers/([^/]+)/json", containers.inspect),
    ("POST", r"/containers/([^/]+)/(start|stop|restart|kill|pause|unpause)", containers.set_state),
    ("DELETE", r"/containers/([^/]+)", containers.remove),
    ("POST", r"/images/create", move.create),
    ("GET", r"/images/json", disk.list_images),
    ("GET", r"/images/get", move.save),
    ("POST", r"/images/load", move.load),
    ("GET", r"/images/(.+)/json", move.inspect),
    ("GET", r"/(?:networks|plugins)", move.nothing),
    ("DELETE", r"/images/(.+)", disk.remove_image),
    ("GET", r"/system/df", disk.usage),
    ("POST", r"/build/prune", disk.prune_cache),
    ("GET", r"/volumes", volumes.list_all),
    ("POST", r"/volumes/create", volumes.create),
    ("GET", r"/volumes/([^/]+)", volumes.inspect),
    ("DELETE", r"/volumes/([^/]+)", volumes.remove),
)
