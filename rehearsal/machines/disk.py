# SPDX-License-Identifier: GPL-3.0-or-later
"""A disk that UEFI starts: a partition with loader, kernel and initrd, and one with the root. Made without loop devices."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path

ESP_MIB, ROOT_MIB = 48, 1800


@dataclass(frozen=True)
class Boot:
    """What UEFI starts."""

    loader: Path
    kernel: Path
    initrd: Path
    arguments: str


def write_disk(image: Path, root: Path, boot: Boot) -> None:
    """Write partitions and file systems into a file."""
    with image.open("wb") as file:
        file.truncate((1 + ESP_MIB + ROOT_MIB + 1) << 20)
    layout = f"label: gpt\nstart=1MiB, size={ESP_MIB}MiB, type=uefi\nstart={1 + ESP_MIB}MiB, size={ROOT_MIB}MiB, type=linux\n"
    run("sfdisk", "--quiet", str(image), given=layout)
    esp = f"{image}@@1M"
    run("mformat", "-i", esp, "-T", str(ESP_MIB << 11), "-F", "-v", "ESP", "::")
    run("mmd", "-i", esp, "::/EFI", "::/EFI/BOOT", "::/loader", "::/loader/entries")
    settings = boot.kernel.with_name("loader.conf")
    settings.write_text("timeout 0\neditor no\n")
    entry = boot.kernel.with_name("machine.conf")
    entry.write_text(f"title machine\nlinux /linux\ninitrd /initrd\noptions {boot.arguments}\n")
    targets = {
        boot.loader: "EFI/BOOT/BOOTX64.EFI",
        boot.kernel: "linux",
        boot.initrd: "initrd",
        settings: "loader",
        entry: "loader/entries",
    }
    for source, target in targets.items():
        run("mcopy", "-i", esp, str(source), f"::/{target}")
    place = f"offset={(1 + ESP_MIB) << 20},lazy_itable_init=0"
    run("mkfs.ext4", "-q", "-F", "-E", place, "-L", "root", "-d", str(root), str(image), f"{ROOT_MIB}M")


def archive(tree: Path) -> bytes:
    """Return a tree as the cpio archive that the kernel unpacks (format newc)."""
    entries = [(str(path.relative_to(tree)), path) for path in sorted(tree.rglob("*"))]
    packed = bytearray()
    for number, (name, path) in enumerate([*entries, ("TRAILER!!!", None)], 1):
        data = path.read_bytes() if path is not None and path.is_file() else b""
        mode = path.stat().st_mode if path is not None else 0
        fields = (number, mode, 0, 0, 1, 0, len(data), 0, 0, 0, 0, len(name) + 1, 0)
        packed += b"070701" + b"".join(f"{field:08X}".encode() for field in fields) + name.encode() + b"\0"
        packed += b"\0" * (-len(packed) % 4) + data
        packed += b"\0" * (-len(packed) % 4)
    return bytes(packed)


def run(*argv: str, given: str | None = None) -> None:
    """Run a program; CalledProcessError says which one failed."""
    subprocess.run(argv, input=given, text=True, check=True, stdin=None if given is not None else subprocess.DEVNULL)
