# SPDX-License-Identifier: GPL-3.0-or-later
"""What is inside a rehearsed virtual machine: `guest VERB INSTANCE_ID [-- ARGV]`, called by the stand-in colima and limactl.

Data that must outlive the machine goes to its data disk, all else to LAB/run/INSTANCE_ID.
"""

from __future__ import annotations

import json
import os
import platform
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rehearsal.engines import find
from rehearsal.processes.daemon import Daemon
from rehearsal.processes.system import LabError
from rehearsal.services import grades
from rehearsal.services.node import register_node

READY_SECONDS = 120.0
# sh -c SCRIPT NAME, behind which files of the machine are named.
SCRIPT_WORDS = 3
# Settings that Debian's dockerd 20.10 refuses to start with; a newer one takes proxies from there, too.
NEWER_THAN_DOCKERD_20 = ("proxies",)


@dataclass(frozen=True)
class Guest:
    """One instance: where its parts are. Paths come from the stand-in, see the environment of each verb."""

    instance: str
    lab: Path
    profile: Path
    disk: Path
    root: Path
    environ: Mapping[str, str]

    @classmethod
    def from_environ(cls, instance: str, environ: Mapping[str, str]) -> Guest:
        """Read the variables that the stand-in sets."""
        try:
            return cls(
                instance,
                Path(environ["REHEARSAL_LAB"]),
                Path(environ["REHEARSAL_PROFILE_DIR"]),
                Path(environ["REHEARSAL_DISK_DIR"]),
                Path(environ["REHEARSAL_ROOT_DIR"]),
                environ,
            )
        except KeyError as error:
            raise LabError(f"Could not reach the guest of '{instance}': the variable {error} is missing.") from None

    @property
    def state(self) -> Path:
        """Processes' records, logs and short-lived state."""
        return self.lab / "run" / self.instance

    def file(self, name: str) -> Path:
        """What stands for a file or directory of the machine: what colima keeps on the data disk is there."""
        # A real engine calls what it keeps there by its place on this machine.
        if Path(name).is_relative_to(self.disk):
            return Path(name)
        below = Path(name).relative_to("/")
        return self.disk / Path(*below.parts[2:]) if below.parts[:2] == ("var", "lib") else self.root / below

    @property
    def runtime(self) -> str:
        """docker, containerd or another runtime of colima."""
        return self.environ.get("REHEARSAL_RUNTIME", "")

    def real(self, part: str) -> bool:
        """Whether this lab has the real engine for a part."""
        return grades.real_parts(self.lab).get(part, False)

    def docker(self) -> Any:
        """The docker engine of this instance."""
        from rehearsal.services.dockerd import Dockerd

        return Dockerd(self.state / "dockerd", self.profile / "docker.sock", self.disk / "docker", self._daemon_json())

    def containerd(self) -> Any:
        """The containerd of this instance."""
        from rehearsal.services.containerd import Containerd

        settings = self.root / "etc" / "buildkit" / "buildkitd.toml"
        return Containerd(self.state / "containerd", self.profile, self.disk / "containerd", settings)

    def kubernetes(self) -> Any:
        """The Kubernetes API of this instance."""
        if not self.real("kubernetes"):
            from rehearsal.standin.kube_api import KubeApi

            return KubeApi(self.state / "kube", self.disk / "rancher", self.k3s_port, name="default")
        from rehearsal.services.apiserver import ApiServer

        return ApiServer(self.state / "kube", self.disk / "rancher", self.k3s_port, name="default", controllers=True)

    @property
    def k3s_port(self) -> int:
        """The port that colima chose for the API."""
        return int(self.environ.get("REHEARSAL_K3S_PORT") or 0)

    @property
    def k3s_yaml(self) -> Path:
        """Where k3s leaves its kubeconfig."""
        return self.root / "etc" / "rancher" / "k3s" / "k3s.yaml"

    @property
    def stand_in_engine(self) -> Daemon:
        """The process that stands in for a container engine."""
        return Daemon("engine", self.state)

    def _daemon_json(self) -> dict[str, Any]:
        path = Path(self.environ.get("REHEARSAL_DAEMON_JSON", "") or os.devnull)
        try:
            found = dict(json.loads(path.read_text()))
        except (OSError, ValueError):
            return {}
        return {key: value for key, value in found.items() if key not in NEWER_THAN_DOCKERD_20}


def start_runtime(guest: Guest) -> None:
    """Start the container engine of the instance."""
    if guest.runtime == "docker" and guest.real("docker"):
        engine = guest.docker().start()
        # The machine forwards containerd's socket, too.
        link = guest.profile / "containerd.sock"
        link.unlink(missing_ok=True)
        link.symlink_to(engine.directory / "exec" / "containerd" / "containerd.sock")
    elif guest.runtime == "containerd" and guest.real("containerd"):
        guest.containerd().start()
    elif guest.runtime in ("docker", "containerd"):
        _start_stand_in_engine(guest)


def _start_stand_in_engine(guest: Guest) -> None:
    names = ("docker.sock", "containerd.sock") if guest.runtime == "docker" else ("containerd.sock", "buildkitd.sock")
    sockets = [guest.profile / name for name in names]
    engine = guest.stand_in_engine
    engine.stop(grace=1.0)
    state = guest.disk / "engine"
    state.mkdir(parents=True, exist_ok=True)
    engine.spawn_module("rehearsal.standin.docker_engine", "--socket", str(sockets[0]), "--state", str(state))
    engine.wait_until(sockets[0].is_socket, READY_SECONDS)
    sockets[1].unlink(missing_ok=True)
    sockets[1].symlink_to(sockets[0].name)


def stop_runtime(guest: Guest) -> None:
    """Stop the container engine."""
    guest.docker().stop()
    guest.containerd().stop()
    guest.stand_in_engine.stop(grace=2.0)
    for name in ("docker.sock", "containerd.sock", "buildkitd.sock"):
        (guest.profile / name).unlink(missing_ok=True)


def start_kubernetes(guest: Guest) -> None:
    """Start the Kubernetes API and leave its kubeconfig where k3s does."""
    kubernetes = guest.kubernetes().start()
    register_node(kubernetes, guest.instance, guest.runtime)
    text = kubernetes.kubeconfig.read_text()
    guest.k3s_yaml.parent.mkdir(parents=True, exist_ok=True)
    if not guest.k3s_yaml.exists() or guest.k3s_yaml.read_text() != text:
        guest.k3s_yaml.touch(mode=0o600)
        guest.k3s_yaml.write_text(text)


def stop_kubernetes(guest: Guest) -> None:
    """Stop the Kubernetes API."""
    guest.kubernetes().stop()


def kill(guest: Guest) -> None:
    """The machine has ended, and with it everything inside."""
    guest.docker().kill()
    guest.containerd().kill()
    guest.kubernetes().kill()
    guest.stand_in_engine.kill()


def run_inside(guest: Guest, argv: Sequence[str]) -> int:
    """Run a command of the guest; the stand-in itself answers commands that need no engine."""
    words = list(argv)
    while words and (words[0] in ("sudo", "env") or "=" in words[0]):
        words = words[1:]
    if not words:
        return 0
    name, *rest = words
    if name == "nerdctl":
        return _nerdctl(guest, rest)
    if name == "cat" and rest:
        return _cat(guest, rest[-1])
    program = find(name) if name in ("docker", "kubectl") else None
    if program is not None:
        settings = ["--host", guest.docker().host] if name == "docker" else ["--kubeconfig", str(guest.k3s_yaml)]
        return _become([str(program), *settings, *rest])
    inside = name in ("ctr", "buildctl") and guest.containerd().running
    if command := guest.containerd().inside(words) if inside else _of_this_machine(guest, name, rest):
        return _become(command)
    # Set-up commands of images that this guest does not have.
    return 1 if name == "false" else 0


def _of_this_machine(guest: Guest, name: str, rest: Sequence[str]) -> list[str]:
    """Return what answers for the guest: its programs and file systems are those of this machine, and only read.

    A script that is given files works on what stands for them.
    """
    if name == "sh" and len(rest) > SCRIPT_WORDS:
        return ["/bin/sh", *rest[:SCRIPT_WORDS], *(str(guest.file(word)) for word in rest[SCRIPT_WORDS:])]
    packs = name == "sh" and "tar --create" in rest[-1]
    return [f"/bin/{name}", *rest] if packs or (name == "df" and Path(rest[-1]).exists()) else []


def _become(argv: list[str]) -> int:
    """Become another program (exec), so that signals and the terminal reach it."""
    sys.stdout.flush()
    os.execv(argv[0], argv)  # noqa: S606 - on purpose, see above


def _cat(guest: Guest, file: str) -> int:
    path = guest.root / file.lstrip("/")
    if not path.is_file():
        sys.stderr.write(f"cat: {file}: No such file or directory\n")
        return 1
    sys.stdout.write(path.read_text())
    return 0


def _nerdctl(guest: Guest, arguments: list[str]) -> int:
    if guest.real("containerd"):
        return _become(guest.containerd().nerdctl(arguments))
    heads = {
        "ps": "CONTAINER ID    IMAGE    COMMAND    CREATED    STATUS    PORTS    NAMES",
        "images": "REPOSITORY    TAG    IMAGE ID    CREATED    PLATFORM    SIZE    BLOB SIZE",
        "namespace": "NAME    CONTAINERS    IMAGES    VOLUMES    LABELS",
        "volume": "VOLUME NAME    DIRECTORY",
        "network": "NETWORK ID      NAME      FILE",
    }
    verb = next((word for word in arguments if word in {*heads, "version", "info", "--version"}), "")
    if verb == "namespace" and {"-q", "--quiet"} & set(arguments):
        sys.stdout.write("k8s.io\n" if guest.environ.get("REHEARSAL_KUBERNETES") == "1" else "")
        return 0
    if verb == "info" and "--format" in arguments:
        sys.stdout.write(json.dumps({"ID": guest.instance, "ServerVersion": "v2.1.4", "Architecture": platform.machine()}) + "\n")
        return 0
    if verb in heads:
        quiet = bool({"-q", "--quiet", "--format"} & set(arguments))
        sys.stdout.write("" if quiet else f"{heads[verb]}\n")
        return 0
    if verb:
        sys.stdout.write("nerdctl version 2.1.2\n" if verb == "--version" else "Client:\n Version:\tv2.1.2\n")
        return 0
    sys.stderr.write(f"nerdctl {' '.join(arguments)}: needs the real grade of the rehearsal (make engines)\n")
    return 1


VERBS = {
    "start-runtime": start_runtime,
    "stop-runtime": stop_runtime,
    "start-kubernetes": start_kubernetes,
    "stop-kubernetes": stop_kubernetes,
    "kill": kill,
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one verb; the exit code is the guest's answer."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    if len(given) < 2 or given[0] not in {*VERBS, "exec"}:
        sys.stderr.write(f"usage: guest {'|'.join([*VERBS, 'exec'])} INSTANCE [-- ARGV...]\n")
        return 64
    verb, instance, *rest = given
    try:
        guest = Guest.from_environ(instance, os.environ)
        if verb == "exec":
            return run_inside(guest, rest[1:] if rest[:1] == ["--"] else rest)
        VERBS[verb](guest)
    except LabError as error:
        sys.stdout.write(f"{error}\n")
        return 1
    return 0
