# SPDX-License-Identifier: GPL-3.0-or-later
"""What happens inside the virtual machine. No machine boots: its files are below LIMA/ID/root, its services are records.

Where REHEARSAL_GUEST names a program, real engines are behind it: it starts and stops them and runs commands. Without
it, the answers here are just good enough to test colima and limactl themselves.
"""

from __future__ import annotations

import contextlib
import json
import time
from pathlib import Path
from typing import Any

from ..k3s_yaml import k3s_yaml
from .files.settings import Settings
from .lima.disks import disk_named
from .lima.instances import Instance

COLIMA_JSON = "/etc/colima/colima.json"
K3S_YAML = "/etc/rancher/k3s/k3s.yaml"


class Answer:
    """What a command in the guest gave back."""

    def __init__(self, code: int = 0, out: str = "", err: str = "") -> None:
        self.code = code
        self.out = out
        self.err = err


class Guest:
    """The inside of one instance."""

    def __init__(self, settings: Settings, instance: Instance, profile_directory: Path | None = None) -> None:
        self.settings = settings
        self.instance = instance
        self.profile_directory = profile_directory or self._directory_of_sockets()

    def _directory_of_sockets(self) -> Path:
        """Where the host sockets belong, as the description of the instance says."""
        for path in self.sockets().values():
            return path.parent
        return self.instance.directory

    def sockets(self) -> dict[str, Path]:
        """The host sockets that Lima forwards: guest end (with a suffix when repeated) to host file."""
        found: dict[str, Path] = {}
        for forward in (self.instance.spec or {}).get("portForwards") or []:
            if forward.get("hostSocket"):
                guest = forward["guestSocket"]
                found[guest if guest not in found else f"{guest} "] = Path(forward["hostSocket"])
        return found

    # Files of the guest.

    def path(self, name: str) -> Path:
        """The file that stands for a file in the guest."""
        return self.instance.root / name.lstrip("/")

    def read(self, name: str) -> str | None:
        """Read a file of the guest; None if it is not there."""
        try:
            return self.path(name).read_text(encoding="utf-8")
        except OSError:
            return None

    def write(self, name: str, content: str | bytes) -> None:
        """Write a file of the guest."""
        file = self.path(name)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content.encode() if isinstance(content, str) else content)

    def take_time(self, words: int = 1) -> None:
        """Take as long as so many words with a real guest."""
        if self.settings.word_seconds:
            time.sleep(words * self.settings.word_seconds)

    def known(self) -> dict[str, str]:
        """Return what colima recorded in the guest, empty while the guest is unreachable."""
        text = self.read(COLIMA_JSON) if self.instance.reachable else None
        with contextlib.suppress(ValueError):
            if text:
                found: dict[str, str] = json.loads(text)
                return found
        return {}

    def remember(self, **changes: str) -> None:
        """Record something in the guest."""
        self.write(COLIMA_JSON, json.dumps({**self.known(), **changes}, sort_keys=True, separators=(",", ":")))

    # Services.

    @property
    def runtime_up(self) -> bool:
        """Whether the container engine runs."""
        return bool(self.instance.notes().get("runtime_up"))

    @property
    def kubernetes_up(self) -> bool:
        """Whether k3s runs."""
        return bool(self.instance.notes().get("k3s_up"))

    def start_runtime(self, runtime: str) -> Answer:
        """Start the container engine; it answers on the host sockets afterwards."""
        if self.runtime_up:
            return Answer()
        self.instance.note(runtime=runtime)
        answer = self.outside("start-runtime") or Answer()
        if answer.code == 0:
            self.instance.note(runtime_up=True)
        return answer

    def stop_runtime(self) -> Answer:
        """Stop the container engine."""
        answer = (self.outside("stop-runtime") if self.runtime_up else None) or Answer()
        self.instance.note(runtime_up=False)
        return answer

    def start_kubernetes(self, version: str, port: int) -> Answer:
        """Start k3s, which writes its own kubeconfig."""
        self.instance.note(k3s_version=version, k3s_port=port)
        answer = self.outside("start-kubernetes")
        if answer is None:
            # A key without a use.
            self.write(K3S_YAML, k3s_yaml(port, {"token": "rehearsal"}))
            answer = Answer()
        if answer.code == 0:
            self.instance.note(k3s_up=True)
        return answer

    def stop_kubernetes(self) -> Answer:
        """Stop k3s."""
        answer = (self.outside("stop-kubernetes") if self.kubernetes_up else None) or Answer()
        self.instance.note(k3s_up=False)
        return answer

    def remove_sockets(self) -> None:
        """Remove the host sockets, as the host agent does at its end."""
        for path in self.sockets().values():
            path.unlink(missing_ok=True)

    # Commands.

    def outside(self, verb: str, *args: str, stdin: bytes | None = None, inherit: bool = False) -> Answer | None:
        """Ask the program that stands behind the guest. Returns None where there is none."""
        if not self.settings.guest:
            return None
        import subprocess

        done = subprocess.run(
            [self.settings.guest, verb, self.instance.name, *args],
            env={**self.settings.environ, **self._environment()},
            input=stdin,
            stdin=subprocess.DEVNULL if stdin is None and not inherit else None,
            stdout=None if inherit else subprocess.PIPE,
            stderr=None if inherit else subprocess.PIPE,
            check=False,
        )
        out, err = done.stdout or b"", done.stderr or b""
        return Answer(done.returncode, out.decode(errors="replace"), err.decode(errors="replace"))

    def _environment(self) -> dict[str, str]:
        notes, disk = self.instance.notes(), disk_named(self.instance.lima, self.instance.name)
        return {
            "REHEARSAL_PROFILE_DIR": str(self.profile_directory),
            "REHEARSAL_INSTANCE_DIR": str(self.instance.directory),
            "REHEARSAL_DISK_DIR": str(disk.contents if disk.exists else self.instance.root / "var/lib"),
            "REHEARSAL_ROOT_DIR": str(self.instance.root),
            "REHEARSAL_RUNTIME": str(notes.get("runtime", "")),
            "REHEARSAL_KUBERNETES": "1" if notes.get("k3s_version") else "0",
            "REHEARSAL_K3S_VERSION": str(notes.get("k3s_version", "")),
            "REHEARSAL_K3S_PORT": str(notes.get("k3s_port", "")),
            "REHEARSAL_DAEMON_JSON": str(self.path("/etc/docker/daemon.json")),
        }

    @property
    def address(self) -> str:
        """The reachable address, if the instance has the interface for one."""
        networks: list[dict[str, Any]] = (self.instance.spec or {}).get("networks") or []
        return self.settings.address if any(one.get("interface") == "col0" for one in networks) else ""

    def runtime_of_instance(self) -> str:
        """The runtime that the forwarded sockets belong to."""
        ends = " ".join(self.sockets())
        for word, runtime in (("docker.sock", "docker"), ("containerd.sock", "containerd"), ("incus", "incus")):
            if word in ends:
                return runtime
        return "none"
