# SPDX-License-Identifier: GPL-3.0-or-later
"""What a guest answers to those who only look: its clock, memory, mounts and names. A boot puts all of it right again.

A test breaks a guest by what it writes to these files, as an accident would.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable

from .guest import Guest
from .lima.disks import disk_named

# How many seconds the clock is ahead; whether names are lost; how many KiB of the data disk are used, where that is not a few.
CLOCK, LOST_NAMES, USED = (f"/var/lib/rehearsal/{name}" for name in ("clock", "lost-names", "used"))
CRICTL = "/var/lib/rehearsal/crictl-{}.json"
MOUNTS, MEMORY, BINFMT = "/proc/mounts", "/proc/meminfo", "/proc/sys/fs/binfmt_misc"
EMULATORS = {"aarch64": "qemu-x86_64", "x86_64": "qemu-aarch64"}
# What colima puts on the data disk for each runtime.
STORED = {
    "docker": ("docker", "containerd", "rancher", "cni"),
    "containerd": ("containerd", "buildkit", "nerdctl", "rancher", "cni"),
    "incus": ("incus",),
}
_FEW_KIB, _ROOT_KIB = 1_200_000, 20 << 20


def boot(guest: Guest, runtime: str, *, rosetta: bool, binfmt: bool) -> None:
    """Write what a boot makes, and forget what went wrong since the one before."""
    for file in (CLOCK, LOST_NAMES):
        guest.path(file).unlink(missing_ok=True)
    name = guest.instance.name
    mounts = ["/dev/vda1 / ext4 rw,relatime 0 0"]
    if guest.instance.disks:
        places = [f"/mnt/lima-{name}", *(f"/var/lib/{one}" for one in STORED.get(runtime, ()))]
        mounts += [f"/dev/vdb1 {place} ext4 rw,relatime 0 0" for place in places]
    guest.write(MOUNTS, "\n".join(mounts) + "\n")
    guest.write(MEMORY, "MemTotal:       12251412 kB\nMemFree:         9071204 kB\nMemAvailable:   10933100 kB\n")
    machine = str((guest.instance.spec or {}).get("arch") or guest.settings.arch)
    handlers = {"rosetta": ("/mnt/lima-rosetta/rosetta", rosetta)}
    if machine in EMULATORS:
        handlers[EMULATORS[machine]] = (f"/usr/bin/{EMULATORS[machine]}", binfmt)
    for handler, (interpreter, on) in handlers.items():
        guest.path(f"{BINFMT}/{handler}").unlink(missing_ok=True)
        if on:
            guest.write(f"{BINFMT}/{handler}", f"enabled\ninterpreter {interpreter}\n")


def answers(guest: Guest, script: str) -> str:
    """Return what a script of plain commands prints; what a command says of its trouble goes elsewhere."""
    return "".join(_answer(guest, command.split()) for command in script.split("; "))


def _answer(guest: Guest, words: list[str]) -> str:
    program = _PROGRAMS.get(words[0])
    return program(guest, words[1:]) if program else ""


def _date(guest: Guest, _rest: list[str]) -> str:
    return f"{time.time() + float(guest.read(CLOCK) or 0):.0f}\n"


def _cat(guest: Guest, rest: list[str]) -> str:
    if rest == ["/proc/uptime"]:
        return f"{time.time() - guest.path(MEMORY).stat().st_mtime:.2f} 0.00\n"
    return guest.read(rest[0]) or ""


def _grep(guest: Guest, _rest: list[str]) -> str:
    on = [file for file in sorted(guest.path(BINFMT).glob("*")) if file.read_text().startswith("enabled")]
    return "".join(f"{BINFMT}/{file.name}\n" for file in on)


def _getent(guest: Guest, rest: list[str]) -> str:
    return "" if guest.path(LOST_NAMES).exists() else f"192.168.5.2     {rest[-1]}\n"


def _ls(guest: Guest, rest: list[str]) -> str:
    place = guest.path(rest[0])
    return "".join(f"{file.name}\n" for file in sorted(place.iterdir())) if place.is_dir() else ""


def _df(guest: Guest, _rest: list[str]) -> str:
    rows = [("/dev/vda1", _ROOT_KIB, _FEW_KIB, "/")]
    disk = disk_named(guest.instance.lima, guest.instance.name)
    place = f"/mnt/lima-{guest.instance.name}"
    if f" {place} " in (guest.read(MOUNTS) or "") and disk.exists:
        rows.append(("/dev/vdb1", disk.size // 1024, int(guest.read(USED) or _FEW_KIB), place))
    head = "Filesystem     1024-blocks    Used Available Capacity Mounted on\n"
    return head + "".join(
        f"{device} {size} {used} {size - used} {100 * used // size}% {mount}\n" for device, size, used, mount in rows
    )


_PROGRAMS: dict[str, Callable[[Guest, list[str]], str]] = {
    "echo": lambda _guest, rest: " ".join(rest) + "\n",
    "cat": _cat,
    "date": _date,
    "df": _df,
    "getent": _getent,
    "grep": _grep,
    "ls": _ls,
    "timeout": lambda guest, rest: _answer(guest, rest[1:]),
}


def crictl(guest: Guest, rest: list[str]) -> tuple[int, str]:
    """Return what the kubelet's client answers: its lists are files that a test writes, and an image that goes leaves one."""
    listed = {"images": '{"images": []}', "ps": '{"containers": []}'}
    if rest[:1] == ["rmi"]:
        found = json.loads(guest.read(CRICTL.format("images")) or listed["images"])["images"]
        left = [one for one in found if one["id"] not in rest[1:]]
        guest.write(CRICTL.format("images"), json.dumps({"images": left}))
        return 0 if len(found) - len(left) == len(rest) - 1 else 1, ""
    return 0, guest.read(CRICTL.format(rest[0])) or listed[rest[0]]


def pruned(guest: Guest) -> bool:
    """Free what `builder prune` frees on a full disk. Returns whether anything was there to be freed."""
    full = guest.path(USED).exists()
    guest.path(USED).unlink(missing_ok=True)
    return full
