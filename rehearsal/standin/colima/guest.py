# SPDX-License-Identifier: GPL-3.0-or-later
"""What happens inside the virtual machine. No machine boots: its files are below LIMA/ID/root, its services are records.

Where REHEARSAL_GUEST names a program, real engines are behind it: it starts and stops them and runs commands. Without
it, the answers here are just good enough to test colima and limactl themselves.
"""

from __future__ import annotations

import contextlib
import json
import re
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ..k3s_yaml import k3s_yaml
from . import guest_reads
from .files.settings import Settings
from .lima.disks import disk_named
from .lima.instances import Instance

BINFMT = '{"supported":["linux/amd64","linux/386"],"emulators":[]}\n'
COLIMA_JSON = "/etc/colima/colima.json"
K3S_YAML = "/etc/rancher/k3s/k3s.yaml"
SERVICES = ("docker", "containerd", "incus")
_WRITE = re.compile(r"cat > (\S+)\Z")
_EXIT = re.compile(r"exit (\d+)\Z")
_K3S_PORT = re.compile(r"k3s-install\.sh .*--https-listen-port (\d+)")


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
        self.write(COLIMA_JSON, json.dumps({**self.known(), **changes}, sort_keys=True))

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

    def shell(self, argv: Sequence[str], stdin: bytes | None = None, inherit: bool = False) -> Answer:
        """Run a command in the guest."""
        words = list(argv)
        while words[:1] == ["sudo"]:
            words = words[1:]
        name, rest = (words[0], words[1:]) if words else ("", [])
        handler = getattr(self, "_do_" + name.replace("-", "_").replace(".", "_"), None)
        answer: Answer | None = handler(rest, stdin) if handler else None
        if answer is None:
            answer = self.outside("exec", "--", *argv, stdin=stdin, inherit=inherit)
        return answer if answer is not None else self._builtin(name, rest)

    @staticmethod
    def _builtin(name: str, rest: list[str]) -> Answer:
        """The few programs that a guest without engines has. Unknown ones succeed silently, as set-up commands should."""
        fixed = {"false": Answer(1), "echo": Answer(0, " ".join(rest) + "\n"), "whoami": Answer(0, "rehearsal\n")}
        return fixed.get(name, Answer())

    def _do_cat(self, rest: list[str], _stdin: bytes | None) -> Answer | None:
        text = self.read(rest[0]) if rest else ""
        if text is not None:
            return Answer(0, text)
        if self.settings.guest:
            return None
        return Answer(1, "", f"cat: {rest[0]}: No such file or directory\n")

    def _do_test(self, rest: list[str], _stdin: bytes | None) -> Answer | None:
        if rest[:1] not in (["-e"], ["-f"], ["-x"]):
            return None
        return Answer(0 if self.path(rest[-1]).exists() else 1)

    def _do_sh(self, rest: list[str], stdin: bytes | None) -> Answer | None:
        script = rest[1] if rest[:1] == ["-c"] and len(rest) > 1 else ""
        if found := _WRITE.match(script):
            self.write(found[1], (stdin if stdin is not None else self.settings.process.stdin.buffer.read()).decode())
            return Answer()
        if script.startswith("echo == "):
            return Answer(0, guest_reads.answers(self, script))
        if found := _EXIT.match(script):
            return Answer(int(found[1]))
        if found := _K3S_PORT.search(script):
            self.instance.note(k3s_port=int(found[1]))
            return Answer()
        # The questions that colima itself asks a guest; dnsmasq is not installed, and nothing can be upgraded.
        answers = {
            "ip -4 addr show": Answer(0, (self.address if "col0" in script else "192.168.5.1") + "\n"),
            "host.lima.internal": Answer(0, "192.168.5.2\n"),
            "apt list": Answer(1),
            "docker ps --format": Answer(1),
            "binfmt --install": Answer(0, BINFMT),
        }
        return next((answer for part, answer in answers.items() if part in script), None)

    @property
    def address(self) -> str:
        """The reachable address, if the instance has the interface for one."""
        networks: list[dict[str, Any]] = (self.instance.spec or {}).get("networks") or []
        return self.settings.address if any(one.get("interface") == "col0" for one in networks) else ""

    def _do_ps(self, rest: list[str], _stdin: bytes | None) -> Answer:
        # The processes of every guest, and those that a test recorded.
        listed = (self.read("/var/lib/rehearsal/processes") or "").splitlines()
        lines = ["/usr/lib/systemd/systemd", "sshd: rehearsal", " ".join(["ps", *rest]), *listed]
        if "comm=" in rest:
            lines = [line.split()[0].rpartition("/")[2].rstrip(":")[:15] for line in lines]
        return Answer(0, "".join(f"{line}\n" for line in lines))

    def _do_uname(self, _rest: list[str], _stdin: bytes | None) -> Answer:
        return Answer(0, str((self.instance.spec or {}).get("arch") or self.settings.arch) + "\n")

    def _do_mkdir(self, rest: list[str], _stdin: bytes | None) -> Answer:
        self.path(rest[-1]).mkdir(parents=True, exist_ok=True)
        return Answer()

    def _do_rm(self, rest: list[str], _stdin: bytes | None) -> Answer:
        self.path(rest[-1]).unlink(missing_ok=True)
        return Answer()

    def _do_install(self, rest: list[str], _stdin: bytes | None) -> Answer:
        text = self.read(rest[0]) or ""
        self.write(rest[-1], text)
        if rest[-1].endswith("/k3s") and text.startswith("v"):
            # As k3s a test puts a file with nothing but its version into colima's cache.
            self.instance.note(k3s_version=text.strip())
        return Answer()

    def _do_command(self, rest: list[str], _stdin: bytes | None) -> Answer:
        wants_k3s = rest[-1:] == ["k3s-uninstall.sh"]
        return Answer(0 if not wants_k3s or self.instance.notes().get("k3s_version") else 1)

    def _do_systemctl(self, rest: list[str], _stdin: bytes | None) -> Answer | None:
        verb = next((word for word in rest if not word.startswith("-")), "")
        unit = rest[-1] if rest else ""
        if unit.startswith("k3s"):
            notes = self.instance.notes()
            return (
                self.start_kubernetes(notes.get("k3s_version", ""), notes.get("k3s_port", 6443)) if verb == "start" else Answer()
            )
        # colima before 0.9 leaves out the suffix, with the command service.
        mine = unit.removesuffix(".service")
        if mine not in SERVICES or mine != self.runtime_of_instance():
            return Answer()
        if verb == "is-active":
            return Answer(0 if self.runtime_up else 3)
        if verb in ("start", "restart"):
            return self.start_runtime(mine)
        return self.stop_runtime() if verb in ("stop", "kill") else Answer()

    def runtime_of_instance(self) -> str:
        """The runtime that the forwarded sockets belong to."""
        ends = " ".join(self.sockets())
        for word, runtime in (("docker.sock", "docker"), ("containerd.sock", "containerd"), ("incus", "incus")):
            if word in ends:
                return runtime
        return "none"

    def _do_service(self, rest: list[str], _stdin: bytes | None) -> Answer:
        if rest[:2] == ["k3s", "status"]:
            return Answer(0 if self.kubernetes_up else 3)
        return self._do_systemctl([rest[1], rest[0]], None) or Answer() if len(rest) > 1 else Answer()

    def _do_df(self, rest: list[str], _stdin: bytes | None) -> Answer | None:
        return Answer(0, guest_reads.answers(self, " ".join(["df", *rest]))) if rest[:1] == ["-Pk"] else None

    def _do_fstrim(self, _rest: list[str], _stdin: bytes | None) -> Answer:
        disk_named(self.instance.lima, self.instance.name).trim()
        return Answer()

    def _do_docker(self, rest: list[str], _stdin: bytes | None) -> Answer | None:
        if rest[:2] == ["builder", "prune"] and guest_reads.pruned(self):
            return Answer(0, "Total reclaimed space: 90GB\n")
        return Answer(0 if self.runtime_up else 1) if rest == ["info"] else None

    def _do_kubectl(self, rest: list[str], _stdin: bytes | None) -> Answer | None:
        return Answer(0 if self.kubernetes_up else 1) if rest == ["cluster-info"] else None

    def _do_k3s(self, rest: list[str], _stdin: bytes | None) -> Answer:
        if rest[:1] == ["crictl"]:
            return Answer(*guest_reads.crictl(self, rest[1:])) if self.kubernetes_up else Answer(1, "", "connect: no such file\n")
        version = self.instance.notes().get("k3s_version")
        return Answer(0, f"k3s version {version} (rehearsal)\n") if version else Answer(127, "", "k3s: command not found\n")

    def _do_k3s_killall_sh(self, _rest: list[str], _stdin: bytes | None) -> Answer:
        return self.stop_kubernetes()

    def _do_k3s_uninstall_sh(self, _rest: list[str], _stdin: bytes | None) -> Answer:
        answer = self.stop_kubernetes()
        import shutil

        shutil.rmtree(self.path("/etc/rancher"), ignore_errors=True)
        self.instance.note(k3s_version="")
        return answer

    def _do_incus(self, rest: list[str], _stdin: bytes | None) -> Answer | None:
        # A test records what runs in it.
        return Answer(0, self.read("/var/lib/rehearsal/incus.json") or "[]\n") if rest[:1] == ["list"] else None

    def _do_nerdctl(self, rest: list[str], _stdin: bytes | None) -> Answer | None:
        if rest == ["info"]:
            return Answer(0 if self.runtime_up else 1)
        if rest[:2] == ["builder", "prune"] and guest_reads.pruned(self):
            return Answer(0, "Total reclaimed space: 90GB\n")
        if self.settings.guest:
            return None
        words = [word for word in rest if not word.startswith("-")]
        if words[:2] == ["namespace", "ls"]:
            return Answer(0, "k8s.io\n" if self.kubernetes_up else "")
        return Answer(0, "CONTAINER ID    IMAGE    COMMAND    CREATED    STATUS    PORTS    NAMES\n" if "ps" in words else "")
