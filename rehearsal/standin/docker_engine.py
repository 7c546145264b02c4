# SPDX-License-Identifier: GPL-3.0-or-later
"""A tiny engine behind a unix socket, for labs without dockerd: it answers, remembers containers, and runs none of them.

State lives in one folder: engine.json (facts that override the defaults of /info and /version), containers.json and
images.json (lists as the API gives them; a test may write `[{"Names": ["/web"]}]` to pretend a running container) and
volumes.json. Run it with `python -m rehearsal.standin.docker_engine --socket PATH --state DIR`.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import re
import secrets
import signal
import socketserver
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

VERSION = "28.4.0"
API_VERSION = "1.51"
MIN_API_VERSION = "1.24"
START_SECONDS = 10
DEFAULT_FACTS = {
    "Name": "colima",
    "NCPU": os.cpu_count() or 1,
    "MemTotal": 2 * 2**30,
    "Architecture": "aarch64",
    "OperatingSystem": "Ubuntu 24.04.3 LTS",
    "ServerVersion": VERSION,
}
ARCHITECTURES = {"aarch64": "arm64", "x86_64": "amd64"}


class State:
    """What the engine remembers, read from and written to files at every request, so that tests can write them too."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.lock = threading.Lock()
        directory.mkdir(parents=True, exist_ok=True)

    def load(self, name: str) -> Any:
        try:
            return json.loads((self.directory / f"{name}.json").read_text())
        except FileNotFoundError:
            return {} if name == "engine" else []

    def save(self, name: str, value: Any) -> None:
        temporary = self.directory / f".{name}.json"
        temporary.write_text(json.dumps(value, indent=2) + "\n")
        temporary.replace(self.directory / f"{name}.json")

    def containers(self) -> list[dict[str, Any]]:
        return [_whole_container(item) for item in self.load("containers")]

    def images(self) -> list[dict[str, Any]]:
        return [_whole_image(item) for item in self.load("images")]

    def facts(self) -> dict[str, Any]:
        return {**DEFAULT_FACTS, **self.load("engine")}


def _whole_container(item: dict[str, Any]) -> dict[str, Any]:
    """Fill in what a test left out of a container: it runs, unless it says otherwise."""
    names = item.get("Names") or ["/nameless"]
    state = item.get("State", "running")
    status = {"running": "Up 2 minutes", "created": "Created"}.get(state, "Exited (0) 2 minutes ago")
    return {
        "Id": hashlib.sha256(names[0].encode()).hexdigest(),
        "Image": "scratch:latest",
        "ImageID": "sha256:" + hashlib.sha256(b"scratch").hexdigest(),
        "Command": "/app",
        "Created": int(time.time()) - 120,
        "Ports": [],
        "Labels": {},
        "HostConfig": {"NetworkMode": "default"},
        "NetworkSettings": {"Networks": {"bridge": {}}},
        "Mounts": [],
        **item,
        "Names": [name if name.startswith("/") else f"/{name}" for name in names],
        "State": state,
        "Status": item.get("Status", status),
    }


def _whole_image(item: dict[str, Any]) -> dict[str, Any]:
    tags = item.get("RepoTags") or []
    return {
        "Containers": -1,
        "Created": int(time.time()) - 120,
        "Id": "sha256:" + hashlib.sha256("".join(tags).encode()).hexdigest(),
        "Labels": None,
        "ParentId": "",
        "RepoDigests": [],
        "SharedSize": -1,
        "Size": 0,
        **item,
        "RepoTags": tags,
    }


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
            match = re.fullmatch(pattern, path)
            if match and wanted == method:
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
        item = self._find(name)
        path, *args = (item["Command"] or "").split() or [""]
        running = item["State"] == "running"
        return 200, {
            "Id": item["Id"],
            "Created": time.strftime("%Y-%m-%dT%H:%M:%S.000000000Z", time.gmtime(item["Created"])),
            "Path": path,
            "Args": args,
            "State": {"Status": item["State"], "Running": running, "Paused": False, "Pid": 4242 if running else 0, "ExitCode": 0},
            "Image": item["ImageID"],
            "Name": item["Names"][0],
            "Mounts": item["Mounts"],
            "Config": {"Image": item["Image"], "Labels": item["Labels"], "Cmd": [path, *args]},
            "NetworkSettings": item["NetworkSettings"],
        }

    def _find(self, name: str) -> dict[str, Any]:
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
        mounts = [
            {"Type": "volume", "Name": mount["Source"], "Driver": "local", "Destination": mount["Target"]}
            for mount in (body.get("HostConfig") or {}).get("Mounts") or []
        ]
        for mount in mounts:
            self.create_volume({}, {"Name": mount["Name"]})
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
        found = self._find(name)
        wanted = "running" if verb in ("start", "restart") else "exited"
        if found["State"] == wanted and verb != "restart":
            return 304, None
        containers = [
            {**{key: value for key, value in item.items() if key != "Status"}, "State": wanted}
            if item["Id"] == found["Id"]
            else item
            for item in self.state.containers()
        ]
        self.state.save("containers", containers)
        return 204, None

    def remove_container(self, query: dict[str, str], _body: Any, name: str) -> tuple[int, Any]:
        found = self._find(name)
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

    def list_volumes(self, _query: dict[str, str], _body: Any) -> tuple[int, Any]:
        return 200, {"Volumes": self.state.load("volumes"), "Warnings": None}

    def create_volume(self, _query: dict[str, str], body: Any) -> tuple[int, Any]:
        name = body.get("Name") or secrets.token_hex(32)
        volume = {
            "Name": name,
            "Driver": "local",
            "Labels": body.get("Labels"),
            "Mountpoint": f"/var/lib/docker/volumes/{name}/_data",
            "Options": None,
            "Scope": "local",
        }
        volumes = self.state.load("volumes")
        if all(item["Name"] != name for item in volumes):
            self.state.save("volumes", [*volumes, volume])
        return 201, volume

    def remove_volume(self, _query: dict[str, str], _body: Any, name: str) -> tuple[int, Any]:
        volumes = self.state.load("volumes")
        if all(item["Name"] != name for item in volumes):
            raise Refusal(404, f"get {name}: no such volume")
        if any(mount.get("Name") == name for item in self.state.containers() for mount in item["Mounts"]):
            raise Refusal(409, f"remove {name}: volume is in use")
        self.state.save("volumes", [item for item in volumes if item["Name"] != name])
        return 204, None


ROUTES: tuple[tuple[str, str, Any], ...] = (
    ("GET", r"/version", Api.version),
    ("GET", r"/info", Api.info),
    ("GET", r"/containers/json", Api.list_containers),
    ("POST", r"/containers/create", Api.create_container),
    ("GET", r"/containers/([^/]+)/json", Api.inspect_container),
    ("POST", r"/containers/([^/]+)/(start|stop|restart|kill)", Api.set_state),
    ("DELETE", r"/containers/([^/]+)", Api.remove_container),
    ("GET", r"/images/json", Api.list_images),
    ("GET", r"/volumes", Api.list_volumes),
    ("POST", r"/volumes/create", Api.create_volume),
    ("DELETE", r"/volumes/([^/]+)", Api.remove_volume),
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


class Handler(BaseHTTPRequestHandler):
    """HTTP over the socket, as the engine's router has it: an optional /v1.NN before every path."""

    api: Api
    protocol_version = "HTTP/1.1"

    def address_string(self) -> str:
        return "unix"

    def log_message(self, *_: Any) -> None:
        """Stay quiet: the calls that matter are told by the state."""

    def _serve(self) -> None:
        parts = urlsplit(self.path)
        path = re.sub(r"^/v1\.\d+(?=/)", "", parts.path)
        query = {key: values[-1] for key, values in parse_qs(parts.query).items()}
        length = int(self.headers.get("Content-Length") or 0)
        payload = self.rfile.read(length) if length else b""
        if path == "/_ping":
            self._reply(200, b"OK", "text/plain; charset=utf-8")
            return
        try:
            status, answer = self.api.answer(self.command, path, query, json.loads(payload or b"{}"))
        except Refusal as refusal:
            status, answer = refusal.status, {"message": str(refusal)}
        self._reply(status, b"" if answer is None else json.dumps(answer).encode() + b"\n", "application/json")

    def _reply(self, status: int, content: bytes, kind: str) -> None:
        self.send_response(status)
        self.send_header("Api-Version", API_VERSION)
        self.send_header("Ostype", "linux")
        self.send_header("Docker-Experimental", "false")
        self.send_header("Builder-Version", "2")
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    def version_string(self) -> str:
        return f"Docker/{VERSION} (linux)"

    do_GET = do_POST = do_DELETE = do_HEAD = _serve


class Server(socketserver.ThreadingUnixStreamServer):
    """The engine in this process: `with Server(socket, state): ...`."""

    daemon_threads = True
    allow_reuse_address = True

    def __init__(self, socket_path: Path, state_dir: Path) -> None:
        socket_path.parent.mkdir(parents=True, exist_ok=True)
        socket_path.unlink(missing_ok=True)
        handler = type("BoundHandler", (Handler,), {"api": Api(State(state_dir))})
        super().__init__(str(socket_path), handler)
        self.socket_path = socket_path

    def server_close(self) -> None:
        super().server_close()
        self.socket_path.unlink(missing_ok=True)


def start(socket_path: Path, state_dir: Path) -> subprocess.Popen[bytes]:
    """Start the engine as a process of its own and return it once it answers."""
    import socket

    root = Path(__file__).resolve().parents[2]
    command = [sys.executable, "-m", "rehearsal.standin.docker_engine", "--socket", str(socket_path), "--state", str(state_dir)]
    process = subprocess.Popen(command, cwd=root, start_new_session=True, stdin=subprocess.DEVNULL)
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        with socket.socket(socket.AF_UNIX) as probe:
            try:
                probe.connect(str(socket_path))
                return process
            except OSError:
                time.sleep(0.02)
    process.kill()
    raise RuntimeError(f"The stand-in engine did not answer on {socket_path} within {START_SECONDS} s.")


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--socket", type=Path, required=True, help="where to listen")
    parser.add_argument("--state", type=Path, required=True, help="folder of the engine's state")
    options = parser.parse_args(argv)
    with Server(options.socket, options.state) as server:
        # shutdown() waits for the serving loop, which runs in this very thread.
        signal.signal(signal.SIGTERM, lambda *_: threading.Thread(target=server.shutdown).start())
        server.serve_forever(poll_interval=0.1)
    return 0


if __name__ == "__main__":
    sys.exit(main())
