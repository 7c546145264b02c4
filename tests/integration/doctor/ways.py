# SPDX-License-Identifier: GPL-3.0-or-later
"""What happens to a laptop: accidents, and what people and other programs do."""

from __future__ import annotations

import base64
import json
import os
import shutil
import signal
import socket
import time
from collections.abc import Callable, Mapping
from contextlib import closing
from datetime import timedelta
from typing import Any

import pytest
import yaml
from ansible_collections.laptop.containers.plugins.module_utils.colima.model.yaml_text import parse
from ansible_collections.laptop.containers.plugins.module_utils.colima_paths import parse_name
from ansible_collections.laptop.containers.plugins.module_utils.docker.engine import exchange_unix
from ansible_collections.laptop.containers.plugins.module_utils.manifest.model import Kind, Resource, Row, Status
from ansible_collections.laptop.containers.plugins.module_utils.migration.move.evidence import manifest_of

from rehearsal.processes.daemon import Daemon
from rehearsal.services.certificates import Authority
from tests.support.patient import Patient
from tests.support.processes import kill

Break = Callable[[Patient], object]


def run(command: str) -> Break:
    return lambda patient: patient.shell(command)


def edit(file: str, change: Callable[[str], str]) -> Break:
    def happens(patient: Patient) -> None:
        path = patient.home / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(change(path.read_text() if path.exists() else ""))

    return happens


def docker_config(**changes: Any) -> Break:
    def change(text: str) -> str:
        settings = {**json.loads(text), **changes}
        return json.dumps({key: value for key, value in settings.items() if value is not None})

    return edit(".docker/config.json", change)


def in_guest(profile: str, file: str, text: str | None) -> Break:
    def happens(patient: Patient) -> None:
        path = patient.guest(profile, file)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.unlink(missing_ok=True)
        if text is not None:
            path.write_text(text)

    return happens


def variable(name: str, value: str) -> Break:
    return lambda patient: patient.inside.update({name: value})


def setting(name: str, value: Any) -> Break:
    return lambda patient: patient.variables.update({name: value})


def all_of(*parts: Break) -> Break:
    def happens(patient: Patient) -> None:
        for part in parts:
            part(patient)

    return happens


def lose_program(name: str, formula: str) -> Break:
    """Let a program be gone that Homebrew can bring."""

    def happens(patient: Patient) -> None:
        bottle = patient.lab.directory / "Bottles" / formula / "bin"
        bottle.mkdir(parents=True, exist_ok=True)
        program = patient.lab.bin / name
        shutil.copy2(program, bottle / name)
        program.unlink()

    return happens


def replace_program(name: str, formula: str, content: bytes) -> Break:
    """Let a program be another one, which Homebrew has installed and can renew."""

    def happens(patient: Patient) -> None:
        bottle = patient.lab.directory / "Bottles" / formula / "bin"
        bottle.mkdir(parents=True, exist_ok=True)
        program = patient.lab.bin / name
        if not (bottle / name).exists():
            shutil.copy2(program, bottle / name)
        (patient.lab.directory / "Cellar" / formula / "0.1").mkdir(parents=True, exist_ok=True)
        program.unlink()
        program.write_bytes(content)
        program.chmod(0o755)

    return happens


def copy_builder(name: str, endpoint: str) -> Break:
    """Let another builder be noted, whose docker context does not exist."""

    def happens(patient: Patient) -> None:
        place = patient.home / ".docker" / "buildx" / "instances"
        record = json.loads((place / "multi-platform").read_text())
        record["Name"] = name
        record["Nodes"] = [{**record["Nodes"][0], "Name": f"{name}0", "Endpoint": endpoint}]
        (place / name).write_text(json.dumps(record))

    return happens


def copy_kube_context(name: str) -> Break:
    """Let the kubeconfig have the entries of another profile."""

    def happens(patient: Patient) -> None:
        path = patient.home / ".kube" / "config"
        config, other = yaml.safe_load(path.read_text()), yaml.safe_load(path.read_text().replace("colima-k8s", name))
        for kind in ("clusters", "contexts", "users"):
            config[kind] += other[kind]
        path.write_text(yaml.safe_dump(config))

    return happens


def end_engine(patient: Patient) -> None:
    pid = Daemon("engine", patient.lab.run / "colima-docker-buildx").pid
    assert pid
    kill(pid)


def hang_engine(patient: Patient) -> None:
    """Let a socket take the engine's place that takes connections and never answers."""
    path = patient.colima / "docker-buildx" / "docker.sock"
    path.unlink()
    code = f"import socket,time; s=socket.socket(socket.AF_UNIX); s.bind({str(path)!r}); s.listen(50); time.sleep(600)"
    Daemon("hung", patient.lab.run).spawn(["/usr/bin/env", "python3", "-c", code])
    deadline = time.monotonic() + 10
    while not path.exists() and time.monotonic() < deadline:
        time.sleep(0.05)


def freeze(profile: str) -> Break:
    """Let the processes of a VM be stopped, as by a debugger. The lab's engine is none of them, so its socket goes."""

    def happens(patient: Patient) -> None:
        directory = patient.colima / "_lima" / f"colima-{profile}"
        for pid in {int(file.read_text()) for file in directory.glob("*.pid")}:
            os.kill(pid, signal.SIGSTOP)
        (patient.colima / profile / "docker.sock").unlink()

    return happens


def lock_disk(patient: Patient) -> None:
    patient.shell("colima stop k8s")
    lima = patient.colima / "_lima"
    (lima / "_disks" / "colima-k8s" / "in_use_by").symlink_to(lima / "colima-k8s")


def interrupted_recreation(patient: Patient) -> None:
    """Let a run have been killed when it had deleted a VM to make it again."""
    config, problem = parse((patient.colima / "_lima" / "colima-k8s" / "colima.yaml").read_text())
    assert not problem
    patient.shell("colima delete --force k8s")
    (patient.colima / "_lima" / "_laptop.containers" / "colima-k8s.json").write_text(json.dumps(config))


def old_vm(note: Mapping[str, Any]) -> Break:
    """Let a move have kept the old VM, in which its user left an image."""

    def happens(patient: Patient) -> None:
        place = patient.colima / "_lima" / "_laptop.containers" / "kept" / note["name"]
        place.mkdir(parents=True)
        (place / "note.json").write_text(json.dumps(note))
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("XDG_STATE_HOME", patient.inside["XDG_STATE_HOME"])
            manifest = manifest_of(parse_name(note["profile"]), note["id"])
            manifest.append(Row(Resource(Kind.IMAGE, "web:1"), Status.LEFT))

    return happens


def damage_definition(patient: Patient) -> None:
    patient.shell("colima stop k8s")
    (patient.colima / "_lima" / "colima-k8s" / "lima.yaml").write_text("{")


def node(**changes: Any) -> Break:
    """Let the node of the cluster report something else; None: let it be gone."""

    def happens(patient: Patient) -> None:
        api = patient.cluster
        _status, found = api.request("GET", "/api/v1/nodes/colima-k8s")
        api.request("DELETE", "/api/v1/nodes/colima-k8s")
        status = {**found["status"], **changes}
        body = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": "colima-k8s"}, "status": status}
        assert api.request("POST", "/api/v1/nodes", body)[0] == 201

    return happens


def expire_secret(patient: Patient) -> None:
    path = "/api/v1/namespaces/default/secrets/ecr-creds"
    _status, found = patient.cluster.request("GET", path)
    registries = json.loads(found["metadata"]["annotations"]["laptop.containers/registries"])
    for lease in registries.values():
        lease.update(issued="2026-01-01T00:00:00Z", expires="2026-01-01T12:00:00Z")
    found["metadata"]["annotations"]["laptop.containers/registries"] = json.dumps(registries)
    assert patient.cluster.request("PUT", path, found)[0] == 200


def edit_secret(patient: Patient) -> None:
    path = "/api/v1/namespaces/default/secrets/ecr-creds"
    _status, found = patient.cluster.request("GET", path)
    assert patient.cluster.request("PUT", path, {**found, "data": {".dockerconfigjson": "eyJhdXRocyI6e319"}})[0] == 200


def delete_secret(patient: Patient) -> None:
    assert patient.cluster.request("DELETE", "/api/v1/namespaces/team-a/secrets/ecr-creds")[0] == 200


def rotate_tokens(patient: Patient) -> None:
    patient.lab.ecr.rotate()
    # A token that was just written is not due by its age.
    time.sleep(1.1)


def another_k3s(text: str) -> str:
    return "\n".join(
        line.partition("server:")[0] + "server: https://127.0.0.1:1" if "server: https://127.0.0.1" in line else line
        for line in text.splitlines()
    )


def free_port() -> int:
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def too_old_docker(patient: Patient) -> None:
    """Let the docker command be one whose API this engine refuses."""
    bottle = patient.lab.directory / "Bottles" / "docker" / "bin" / "docker"
    text = f'#!/bin/sh\n[ "$1" = version ] && echo 1.20 && exit 1\nexec {bottle} "$@"\n'
    replace_program("docker", "docker", text.encode())(patient)


def pods_in_docker(patient: Patient) -> None:
    """Let a container of a cluster run in docker."""
    path = patient.colima / "docker-buildx" / "docker.sock"
    body = json.dumps({"Image": "pause", "Labels": {"io.kubernetes.pod.name": "web"}})
    for target, text in (("/containers/create?name=k8s_web", body), ("/containers/k8s_web/start", "")):
        head = f"POST {target} HTTP/1.0\r\nHost: docker\r\nContent-Type: application/json\r\nContent-Length: {len(text)}\r\n\r\n"
        exchange_unix(str(path), (head + text).encode(), 60.0)


def expiring_certificate(patient: Patient) -> None:
    """Let the certificate that k3s gave, and the kubeconfig has, end in five days."""
    data = patient.colima / "_lima" / "_disks" / "colima-k8s" / "data" / "rancher"
    pair = Authority(data).issue("system:admin", ("system:masters",), valid=(timedelta(days=-1), timedelta(days=5)))
    for path in (patient.home / ".kube" / "config", patient.guest("k8s", "/etc/rancher/k3s/k3s.yaml")):
        config = yaml.safe_load(path.read_text())
        user = next(entry["user"] for entry in config["users"] if entry["name"] in ("colima-k8s", "default"))
        user["client-certificate-data"] = base64.b64encode(pair.certificate).decode()
        user["client-key-data"] = base64.b64encode(pair.key).decode()
        path.write_text(yaml.safe_dump(config))


def lose_address(patient: Patient) -> None:
    path = patient.colima / "_lima" / "colima-k8s" / "colima.yaml"
    path.write_text(path.read_text().replace("  address: false", "  address: true"))
