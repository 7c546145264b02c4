# SPDX-License-Identifier: GPL-3.0-or-later
"""The stand-in engine's answers to what docker and the modules ask."""

from __future__ import annotations

import json
import os
import re
import secrets
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from . import disk, move, volumes
from .state import State

API_VERSION = "1.51"
MIN_API_VERSION = "1.24"
ARCHITECTURES = {"aarch64": "arm64", "x86_64": "amd64"}


class Refusal(Exception):
    """An answer of the engine that is not success."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class Api:
    """The engine's methods by route; every one gets the query, the body and the parts of the path."""

    def __init__(self, state: State) -> None:
        self.state = state

    def answer(self, method: str, path: str, query: dict[str, str], body: Any) -> tuple[int, Any]:
        for wanted, pattern, function in ROUTES:
            if wanted == method and (match := re.fullmatch(pattern, path)):
                with self.state.lock:
                    found: tuple[int, Any] = function(self, query, body, *(unquote(part) for part in match.groups()))
                return found
        raise Refusal(404, "page not found")

    def version(self, _query: dict[str, str], _body: Any) -> tuple[int, Any]:
        facts = self.state.facts()
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

    def info(self, _query: dict[str, str], _body: Any) -> tuple[int, Any]:
        containers = self.state.containers()
        states = [item["State"] for item in containers]
        daemon = self._daemon_settings()
        return 200, {
            "ID": "5f6a2d4e-3c1b-4f0e-9a57-2d1f6f0b7c11",
            "Containers": len(containers),
            "ContainersRunning": states.count("running"),
            "ContainersPaused": states.count("paused"),
            "ContainersStopped": len(states) - states.count("running") - states.count("paused"),
            "Images": len(self.state.load("images")),
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
            **self.state.facts(),
        }

    def _daemon_settings(self) -> dict[str, Any]:
        """Return the daemon.json that the machine would have, if the lab says where it is."""
        path = os.environ.get("REHEARSAL_DAEMON_JSON")
        if not path or not Path(path).exists():
            return {}
        return dict(json.loads(Path(path).read_text() or "{}"))

    def list_containers(self, query: dict[str, str], _body: Any) -> tuple[int, Any]:
        everything = query.get("all", "0") in ("1", "true") or "status" in query.get("filters", "")
        filters = _filters(query)
        found = [item for item in self.state.containers() if everything or item["State"] == "running"]
        return 200, [item for item in found if _matches(item, filters)]

    def inspect_container(self, _query: dict[str, str], _body: Any, name: str) -> tuple[int, Any]:
        item = self.find(name)
        path, *args = (item["Command"] or "").split() or [""]
        running = item["State"] == "running"
        return 200, {
            "Id": item["Id"],
            "Created": time.strftime("%Y-%m-%dT%H:%M:%S.000000000Z", time.gmtime(item["Created"])),
            "Path": path,
            "Args": args,
            "State": {
                "Status": item["State"],
                "Running": running,
                "Paused": False,
                "Pid": 4242 if running else 0,
                "ExitCode": 0,
                "FinishedAt": item.get("FinishedAt", "0001-01-01T00:00:00Z"),
            },
            "Image": item["ImageID"],
            "Name": item["Names"][0],
            "Mounts": item["Mounts"],
            "Config": {"Image": item["Image"], "Labels": item["Labels"], "Cmd": [path, *args]},
            "NetworkSettings": item["NetworkSettings"],
        }

    def find(self, name: str) -> dict[str, Any]:
        for item in self.state.containers():
            if f"/{name}" in item["Names"] or item["Id"].startswith(name):
                return item
        raise Refusal(404, f"No such container: {name}")

    def create_container(self, query: dict[str, str], body: Any, *_parts: str) -> tuple[int, Any]:
        name = query.get("name") or secrets.token_hex(4)
        for item in self.state.containers():
            if f"/{name}" in item["Names"]:
                raise Refusal(
                    409,
                    f'Conflict. The container name "/{name}" is already in use by container "{item["Id"]}". '
                    "You have to remove (or rename) that container to be able to reuse that name.",
                )
        command = [*(body.get("Entrypoint") or []), *(body.get("Cmd") or [])]
        mounts = [volumes.mounted(self, mount) for mount in (body.get("HostConfig") or {}).get("Mounts") or []]
        container = {
            "Id": secrets.token_hex(32),
            "Names": [f"/{name}"],
            "Image": body.get("Image", ""),
            "Command": " ".join(command),
            "Created": int(time.time()),
            "Labels": body.get("Labels") or {},
            "Mounts": mounts,
            "State": "created",
        }
        self.state.save("containers", [*self.state.load("containers"), container])
        return 201, {"Id": container["Id"], "Warnings": []}

    def set_state(self, _query: dict[str, str], _body: Any, name: str, verb: str) -> tuple[int, Any]:
        found = self.find(name)
        wanted = {"start": "running", "restart": "running", "unpause": "running", "pause": "paused"}.get(verb, "exited")
        if found["State"] == wanted and verb != "restart":
            return 304, None
        if wanted == "running" and (place := volumes.missing(self, found["Mounts"])):
            reason = f"lstat {place}: no such file or directory"
            raise Refusal(500, f'error evaluating symlinks from mount source "{place}": {reason}')
        containers = [
            {**{key: value for key, value in item.items() if key != "Status"}, "State": wanted}
            if item["Id"] == found["Id"]
            else item
            for item in self.state.containers()
        ]
        self.state.save("containers", containers)
        return 204, None

    def remove_container(self, query: dict[str, str], _body: Any, name: str) -> tuple[int, Any]:
        found = self.find(name)
        if found["State"] == "running" and query.get("force") not in ("1", "true"):
            message = "container is running: stop the container before removing or force remove"
            raise Refusal(409, f'cannot remove container "{found["Names"][0]}": {message}')
        self.state.save("containers", [item for item in self.state.containers() if item["Id"] != found["Id"]])
        if query.get("v") in ("1", "true"):
            names = [mount.get("Name") for mount in found["Mounts"]]
            self.state.save("volumes", [item for item in self.state.load("volumes") if item["Name"] not in names])
        return 204, None

    def list_images(self, query: dict[str, str], _body: Any) -> tuple[int, Any]:
        wanted = _filters(query).get("reference")
        found = self.state.images()
        if wanted:
            found = [item for item in found if any(_reference(tag, want) for tag in item["RepoTags"] for want in wanted)]
        return 200, found


ROUTES: tuple[tuple[str, str, Any], ...] = (
    ("GET", r"/version", Api.version),
    ("GET", r"/info", Api.info),
    ("GET", r"/containers/json", Api.list_containers),
    ("POST", r"/containers/create", Api.create_container),
    ("GET", r"/containers/([^/]+)/json", Api.inspect_container),
    ("POST", r"/containers/([^/]+)/(start|stop|restart|kill|pause|unpause)", Api.set_state),
    ("DELETE", r"/containers/([^/]+)", Api.remove_container),
    ("POST", r"/images/create", move.create),
    ("GET", r"/images/json", Api.list_images),
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


def _filters(query: dict[str, str]) -> dict[str, list[str]]:
    given = json.loads(query.get("filters") or "{}")
    return {key: list(values) for key, values in given.items()}


def _matches(item: dict[str, Any], filters: dict[str, list[str]]) -> bool:
    tests: dict[str, Callable[[str], bool]] = {
        "name": lambda want: any(re.search(want, name) for name in item["Names"]),
        "id": item["Id"].startswith,
        "status": lambda want: item["State"] == want,
        "label": lambda want: want in item["Labels"] or want in [f"{k}={v}" for k, v in item["Labels"].items()],
    }
    # Several labels must all hold; of the other filters any one value is enough.
    return all(
        (all if key == "label" else any)(tests[key](want) for want in values) for key, values in filters.items() if key in tests
    )


def _reference(tag: str, wanted: str) -> bool:
    return tag == wanted or tag.rpartition(":")[0] == wanted
