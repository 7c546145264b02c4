# SPDX-License-Identifier: GPL-3.0-or-later
"""The commands that a guest knows by itself, a method for each. Where real engines are behind it, they get the others."""

from __future__ import annotations

import re
import shutil
from collections.abc import Sequence
from pathlib import Path
from stat import S_IMODE, S_ISDIR

from . import guest_reads
from .guest import Answer, Guest
from .lima.disks import disk_named

BINFMT = '{"supported":["linux/amd64","linux/386"],"emulators":[]}\n'
SERVICES = ("docker", "containerd", "incus")
_WRITE = re.compile(r"cat > (\S+)\Z")
_EXIT = re.compile(r"exit (\d+)\Z")
_K3S_PORT = re.compile(r"k3s-install\.sh .*--https-listen-port (\d+)")


def run(guest: Guest, argv: Sequence[str], stdin: bytes | None = None, *, inherit: bool = False) -> Answer:
    """Run a command in a guest. inherit: its output goes where that of this process does, where real engines run it."""
    words = list(argv)
    while words[:1] == ["sudo"]:
        words = words[1:]
    name, rest = (words[0], words[1:]) if words else ("", [])
    handler = getattr(Commands(guest), "do_" + name.replace("-", "_").replace(".", "_"), None)
    answer: Answer | None = handler(rest, stdin) if handler else None
    if answer is None:
        answer = guest.outside("exec", "--", *argv, stdin=stdin, inherit=inherit)
    return answer if answer is not None else builtin(name, rest)


def builtin(name: str, rest: list[str]) -> Answer:
    """The few programs that a guest without engines has. Unknown ones succeed silently, as set-up commands should."""
    fixed = {"false": Answer(1), "echo": Answer(0, " ".join(rest) + "\n"), "whoami": Answer(0, "rehearsal\n")}
    return fixed.get(name, Answer())


class Commands:
    """What a guest does itself. None: it is for the engines behind it."""

    def __init__(self, guest: Guest) -> None:
        self.guest = guest

    def do_cat(self, rest: list[str], _stdin: bytes | None) -> Answer | None:
        text = self.guest.read(rest[0]) if rest else ""
        if text is not None:
            return Answer(0, text)
        if self.guest.settings.guest:
            return None
        return Answer(1, "", f"cat: {rest[0]}: No such file or directory\n")

    def do_stat(self, rest: list[str], _stdin: bytes | None) -> Answer:
        try:
            found = self.guest.path(rest[-1]).stat()
        except OSError:
            return Answer(1, "", f"stat: cannot statx '{rest[-1]}': No such file or directory\n")
        kind = "directory" if S_ISDIR(found.st_mode) else "regular file"
        values = {"%s": found.st_size, "%a": f"{S_IMODE(found.st_mode):o}", "%Y": int(found.st_mtime), "%F": kind}
        asked = rest[1].split(",") if rest[0] == "-c" else []
        return Answer(0, ",".join(str(values[one]) for one in asked) + "\n")

    def do_test(self, rest: list[str], _stdin: bytes | None) -> Answer | None:
        if rest[:1] not in (["-e"], ["-f"], ["-x"]):
            return None
        return Answer(0 if self.guest.path(rest[-1]).exists() else 1)

    def do_sh(self, rest: list[str], stdin: bytes | None) -> Answer | None:
        script = rest[1] if rest[:1] == ["-c"] and len(rest) > 1 else ""
        if found := _WRITE.match(script):
            self.guest.write(found[1], (stdin if stdin is not None else self.guest.settings.process.stdin.buffer.read()).decode())
            return Answer()
        if script.startswith("echo == "):
            return Answer(0, guest_reads.answers(self.guest, script))
        if found := _EXIT.match(script):
            return Answer(int(found[1]))
        if found := _K3S_PORT.search(script):
            self.guest.instance.note(k3s_port=int(found[1]))
            return Answer()
        # The questions that colima itself asks a guest; dnsmasq is not installed, and nothing can be upgraded.
        answers = {
            "ip -4 addr show": Answer(0, (self.guest.address if "col0" in script else "192.168.5.1") + "\n"),
            "host.lima.internal": Answer(0, "192.168.5.2\n"),
            "apt list": Answer(1),
            "docker ps --format": Answer(1),
            "binfmt --install": Answer(0, BINFMT),
        }
        return next((answer for part, answer in answers.items() if part in script), None)

    def do_ps(self, rest: list[str], _stdin: bytes | None) -> Answer:
        # The processes of every guest, and the recorded ones of a test.
        listed = (self.guest.read("/var/lib/rehearsal/processes") or "").splitlines()
        lines = ["/usr/lib/systemd/systemd", "sshd: rehearsal", " ".join(["ps", *rest]), *listed]
        if "comm=" in rest:
            lines = [line.split()[0].rpartition("/")[2].rstrip(":")[:15] for line in lines]
        return Answer(0, "".join(f"{line}\n" for line in lines))

    def do_uname(self, _rest: list[str], _stdin: bytes | None) -> Answer:
        return Answer(0, str((self.guest.instance.spec or {}).get("arch") or self.guest.settings.arch) + "\n")

    def do_mkdir(self, rest: list[str], _stdin: bytes | None) -> Answer:
        self.guest.path(rest[-1]).mkdir(parents=True, exist_ok=True)
        return Answer()

    def do_rm(self, rest: list[str], _stdin: bytes | None) -> Answer:
        self.guest.path(rest[-1]).unlink(missing_ok=True)
        return Answer()

    def do_install(self, rest: list[str], _stdin: bytes | None) -> Answer:
        text = self.guest.read(rest[0]) or ""
        self.guest.write(rest[-1], text)
        if rest[-1].endswith("/k3s") and text.startswith("v"):
            # As k3s a test puts a file with nothing but its version into colima's cache.
            self.guest.instance.note(k3s_version=text.strip())
        return Answer()

    def do_cp(self, rest: list[str], _stdin: bytes | None) -> Answer | None:
        # colima before 0.10.2 copies its downloads from the laptop's cache, which it mounts in the same place.
        if len(rest) != 2 or not Path(rest[0]).is_file():
            return None
        self.guest.write(rest[1], Path(rest[0]).read_bytes())
        return Answer()

    def do_command(self, rest: list[str], _stdin: bytes | None) -> Answer:
        wants_k3s = rest[-1:] == ["k3s-uninstall.sh"]
        return Answer(0 if not wants_k3s or self.guest.instance.notes().get("k3s_version") else 1)

    def do_systemctl(self, rest: list[str], _stdin: bytes | None) -> Answer | None:
        verb = next((word for word in rest if not word.startswith("-")), "")
        unit = rest[-1] if rest else ""
        if unit.startswith("k3s"):
            notes = self.guest.instance.notes()
            if verb not in ("start", "restart"):
                return Answer()
            return self.guest.start_kubernetes(notes.get("k3s_version", ""), notes.get("k3s_port", 6443))
        # colima before 0.9 leaves out the suffix, with the command service.
        mine = unit.removesuffix(".service")
        if mine not in SERVICES or mine != self.guest.runtime_of_instance():
            return Answer()
        if verb == "is-active":
            return Answer(0, "active\n") if self.guest.runtime_up else Answer(3, "inactive\n")
        if verb in ("start", "restart"):
            return self.guest.start_runtime(mine)
        return self.guest.stop_runtime() if verb in ("stop", "kill") else Answer()

    def do_service(self, rest: list[str], _stdin: bytes | None) -> Answer:
        if rest[:2] == ["k3s", "status"]:
            return Answer(0, "active\n") if self.guest.kubernetes_up else Answer(3, "inactive\n")
        return self.do_systemctl([rest[1], rest[0]], None) or Answer() if len(rest) > 1 else Answer()

    def do_df(self, rest: list[str], _stdin: bytes | None) -> Answer | None:
        return Answer(0, guest_reads.answers(self.guest, " ".join(["df", *rest]))) if rest[:1] == ["-Pk"] else None

    def do_fstrim(self, _rest: list[str], _stdin: bytes | None) -> Answer:
        disk_named(self.guest.instance.lima, self.guest.instance.name).trim()
        return Answer()

    def do_docker(self, rest: list[str], _stdin: bytes | None) -> Answer | None:
        if rest[:2] == ["builder", "prune"] and guest_reads.pruned(self.guest):
            return Answer(0, "Total reclaimed space: 90GB\n")
        return Answer(0 if self.guest.runtime_up else 1) if rest == ["info"] else None

    def do_kubectl(self, rest: list[str], _stdin: bytes | None) -> Answer | None:
        return Answer(0 if self.guest.kubernetes_up else 1) if rest == ["cluster-info"] else None

    def do_k3s(self, rest: list[str], _stdin: bytes | None) -> Answer:
        if rest[:1] == ["crictl"]:
            if not self.guest.kubernetes_up:
                return Answer(1, "", "connect: no such file\n")
            return Answer(*guest_reads.crictl(self.guest, rest[1:]))
        version = self.guest.instance.notes().get("k3s_version")
        return Answer(0, f"k3s version {version} (rehearsal)\n") if version else Answer(127, "", "k3s: command not found\n")

    def do_k3s_killall_sh(self, _rest: list[str], _stdin: bytes | None) -> Answer:
        return self.guest.stop_kubernetes()

    def do_k3s_uninstall_sh(self, _rest: list[str], _stdin: bytes | None) -> Answer:
        answer = self.guest.stop_kubernetes()
        shutil.rmtree(self.guest.path("/etc/rancher"), ignore_errors=True)
        self.guest.instance.note(k3s_version="")
        return answer

    def do_incus(self, rest: list[str], _stdin: bytes | None) -> Answer | None:
        # A test records what runs in it.
        return Answer(0, self.guest.read("/var/lib/rehearsal/incus.json") or "[]\n") if rest[:1] == ["list"] else None

    def do_nerdctl(self, rest: list[str], _stdin: bytes | None) -> Answer | None:
        if rest == ["info"]:
            return Answer(0 if self.guest.runtime_up else 1)
        if rest[:2] == ["builder", "prune"] and guest_reads.pruned(self.guest):
            return Answer(0, "Total reclaimed space: 90GB\n")
        if self.guest.settings.guest:
            return None
        words = [word for word in rest if not word.startswith("-")]
        if words[:2] == ["namespace", "ls"]:
            return Answer(0, "k8s.io\n" if self.guest.kubernetes_up else "")
        return Answer(0, "CONTAINER ID    IMAGE    COMMAND    CREATED    STATUS    PORTS    NAMES\n" if "ps" in words else "")
