# SPDX-License-Identifier: GPL-3.0-or-later
"""A profile with docker and Kubernetes in a lab of real engines, and its move to containerd."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from ansible_collections.laptop.containers.plugins.module_utils.colima.task import Profiles
from ansible_collections.laptop.containers.plugins.module_utils.core.defaults import complete
from ansible_collections.laptop.containers.plugins.module_utils.core.subject import run
from ansible_collections.laptop.containers.plugins.module_utils.migration.move.task import RuntimeMove

from rehearsal.lab.laptop import Lab
from tests.support.lab_playbooks import ROOT, tool
from tests.support.test_runs import fault_rows

from .made_images import Layer, archive
from .trees import many_files, odd_tree

PROFILE, STORAGE = "k8s", "rancher/k3s/storage/pvc-1_default_data"
HOST = {"system": "Darwin", "arch": "aarch64", "cpus": 12, "memory_mib": 36864}
IMAGES = {"web:1": 1, "tool:1": 2, "tool:2": 3}
_WAYS = {"accessModes": ["ReadWriteOnce"], "storageClassName": ""}
_ROOM = {"storage": "1Mi"}


def settings(runtime: str) -> list[dict[str, Any]]:
    """Return the profile's settings."""
    return [{"name": PROFILE, "runtime": runtime, "kubernetes": {"enabled": True}, "cpu": 2, "memory": 2}]


def objects(path: str, image: str = "web:1", namespace: str = "default", volume: str = "pvc-1") -> list[dict[str, Any]]:
    """Return a Deployment with a pull secret, and a volume in a directory of the VM, as local-path makes one."""
    bound = {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "namespace": namespace, "name": "data"}
    mount = {"name": "data", "mountPath": "/data"}
    container = {"name": "app", "image": image, "imagePullPolicy": "IfNotPresent", "volumeMounts": [mount]}
    pod = {
        "imagePullSecrets": [{"name": "ecr-creds"}],
        "terminationGracePeriodSeconds": 0,
        "containers": [container],
        "volumes": [{"name": "data", "persistentVolumeClaim": {"claimName": "data"}}],
    }
    template = {"metadata": {"labels": {"app": "web"}}, "spec": pod}
    disk = {"capacity": _ROOM, "hostPath": {"path": path}, "claimRef": bound, **_WAYS}
    claim = {"volumeName": volume, "resources": {"requests": _ROOM}, **_WAYS}
    deployment = {"selector": {"matchLabels": {"app": "web"}}, "template": template}
    mine = {"namespace": namespace}
    return [
        {"apiVersion": "v1", "kind": "PersistentVolume", "metadata": {"name": volume}, "spec": disk},
        {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": "data", **mine}, "spec": claim},
        {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web", **mine}, "spec": deployment},
    ]


def make_old_profile(lab: Lab, image: bytes | None = None, path: str = f"/var/lib/{STORAGE}") -> None:
    """Make a profile with runtime docker, and what a person has put into it. The environment must be the lab's."""
    converge("docker")
    for name, number in IMAGES.items():
        data = image if image and number == 1 else archive([name], [Layer(1, 3 << 20), Layer(10 + number, 1 << 20)])
        engine = f"unix://{lab.home}/.colima/{PROFILE}/docker.sock"
        subprocess.run(["docker", "--host", engine, "load", "--quiet"], input=data, check=True, capture_output=True)
    place = disk(lab) / STORAGE
    place.mkdir(parents=True)
    odd_tree(place)
    many_files(place, 300)
    file = lab.directory / "objects.json"
    file.write_text(json.dumps({"apiVersion": "v1", "kind": "List", "items": objects(path)}))
    tool(lab, "kubectl", "--context", f"colima-{PROFILE}", "apply", "--filename", str(file))


def converge(runtime: str) -> None:
    """Let the profile be there and run."""
    options = complete(Profiles.argument_spec, {"profiles": settings(runtime), "host": HOST})
    fault_rows.noted(run(Profiles(), options, check_mode=False))


def move(lab: Lab, phase: str, **more: Any) -> dict[str, Any]:
    """Run one phase, with the archive in the lab's home."""
    return run_phase(phase, **{"directory": str(moves(lab)), **more})


def run_phase(phase: str, **more: Any) -> dict[str, Any]:
    """Run one phase."""
    given = {"profile": PROFILE, "phase": phase, "ready_timeout": 120, **more}
    with fault_rows.noting():
        result = run(RuntimeMove(), complete(RuntimeMove.argument_spec, given), check_mode=False)
    fault_rows.noted(result)
    return result


def whole(lab: Lab) -> None:
    """Run all phases, as the playbook does."""
    move(lab, "leave")
    converge("containerd")
    move(lab, "arrive")
    move(lab, "ready")


def begun(lab: Lab) -> subprocess.Popen[bytes]:
    """Begin all phases in a process of its own."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "LAPTOP_LAB": str(lab.directory)}
    return subprocess.Popen(
        [sys.executable, "-c", _RUN], env=environment, cwd=ROOT, start_new_session=True, stdout=subprocess.DEVNULL
    )


_RUN = """
import os
from pathlib import Path
from rehearsal.lab.laptop import Lab
from tests.support.migration.move import whole
whole(Lab(Path(os.environ["LAPTOP_LAB"])))
"""


def moves(lab: Lab) -> Path:
    """Return where archives are."""
    return lab.home / "moves"


def disk(lab: Lab) -> Path:
    """Return what is on the disk of the profile's VM."""
    return lab.home / f".colima/_lima/_disks/colima-{PROFILE}/data"


def kept_disk(lab: Lab, runtime: str = "docker") -> Path:
    """Return what is on the disk of the VM that is kept."""
    return lab.home / f".colima/_lima/_laptop.containers/kept/{PROFILE}-{runtime}/disk/data"


def sound_files(lab: Lab) -> dict[str, int]:
    """Return the inodes of the archive's files, after having compared each with what is noted of it."""
    found = {}
    for file in sorted((moves(lab) / PROFILE).glob("*.tar")):
        noted = json.loads(file.with_suffix(".json").read_text())
        assert hashlib.sha256(file.read_bytes()).hexdigest() == noted["digest"], file
        found[file.name] = file.stat().st_ino
    return found
