# SPDX-License-Identifier: GPL-3.0-or-later
"""Lima's data disks: a sparse file of the true size, a lock, and beside them the directory that stands for the contents."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

from ..console import Fatal

IDENTIFIER = re.compile(r"[A-Za-z0-9]+(?:[._-](?:[A-Za-z0-9]+))*\Z")
UNITS = {"": 1, "b": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30, "t": 1 << 40}


# What a new file system takes of the image.
_WRITTEN = 2 << 20


def check_identifier(name: str) -> None:
    """Refuse what Lima can't use as a name."""
    if len(name) > 76:
        raise Fatal(f'identifier "{name}" greater than maximum length (76 characters)')
    if not IDENTIFIER.match(name):
        raise Fatal(f'identifier "{name}" must match ^[A-Za-z0-9]+(?:[._-](?:[A-Za-z0-9]+))*$')


def bytes_of(size: str) -> int:
    """Read a size such as 100GiB. Raises Fatal on what docker's units do not know."""
    found = re.fullmatch(r"(\d+(?:\.\d+)?) ?([kmgtKMGT]?)[iI]?[bB]?", size)
    if found is None:
        raise Fatal(f"invalid size: '{size}'")
    return int(float(found[1]) * UNITS[found[2].lower()])


def size_shown(size: float) -> str:
    """A size as docker's units print it: 1536MiB is 1.5GiB."""
    for unit in ("B", "KiB", "MiB", "GiB", "TiB", "PiB"):
        if size < 1024 or unit == "PiB":
            break
        size /= 1024
    return f"{size:.4g}{unit}"


class Disk:
    """One data disk."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    @property
    def name(self) -> str:
        """Its name; colima names it after the instance."""
        return self.directory.name

    @property
    def file(self) -> Path:
        """The image. Its length is the only true size."""
        return self.directory / "datadisk"

    @property
    def contents(self) -> Path:
        """The content of the disk. It outlives the instance and is removed with the disk."""
        return self.directory / "data"

    @property
    def lock(self) -> Path:
        """A link to the directory of the instance that uses the disk. A crash leaves it behind."""
        return self.directory / "in_use_by"

    @property
    def exists(self) -> bool:
        """Whether the disk is there."""
        return self.file.exists()

    @property
    def size(self) -> int:
        """The true size in bytes."""
        return self.file.stat().st_size

    @property
    def user(self) -> str:
        """The instance directory that holds the lock, or ''."""
        return os.readlink(self.lock) if self.lock.is_symlink() else ""  # noqa: PTH115

    def create(self, size: int) -> None:
        """Make the disk, empty."""
        if self.directory.exists():
            raise Fatal(f"disk `{self.name}` already exists (`{self.directory}`)")
        self.contents.mkdir(mode=0o700, parents=True)
        self.file.touch()
        os.truncate(self.file, size)

    def resize(self, size: int) -> None:
        """Grow the disk."""
        os.truncate(self.file, size)

    def format(self) -> None:
        """Make a new file system, which destroys the content."""
        import shutil

        shutil.rmtree(self.contents, ignore_errors=True)
        self.contents.mkdir(mode=0o700)
        # After mkfs the image has real blocks; one that was only created has none.
        with self.file.open("r+b") as image:
            image.write(b"\1" * _WRITTEN)

    def trim(self) -> None:
        """Give the laptop back what the file system does not use, as far as the image goes; its length stays."""
        if self.exists and self.file.stat().st_blocks * 512 > _WRITTEN:
            size = self.size
            os.truncate(self.file, _WRITTEN)
            os.truncate(self.file, size)

    @property
    def used(self) -> bool:
        """Whether a file system with something in it is there."""
        return self.contents.is_dir() and any(self.contents.iterdir())

    def take(self, instance: Path, reuse: bool) -> None:
        """Lock the disk for an instance. With reuse, a lock that a crash of the same instance left is taken over."""
        if self.lock.is_symlink():
            if not reuse or self.user != str(instance):
                holder = Path(self.user).name
                raise Fatal(f'failed to run attach disk "{self.name}", in use by instance "{holder}"')
            self.lock.unlink()
        self.lock.symlink_to(instance)

    def release(self) -> None:
        """Unlock the disk."""
        self.lock.unlink(missing_ok=True)

    def remove(self) -> None:
        """Destroy the disk and its contents."""
        import shutil

        shutil.rmtree(self.directory, ignore_errors=True)

    def described(self) -> dict[str, Any]:
        """What limactl disk list prints."""
        user = self.user
        return {
            "name": self.name,
            "size": self.size,
            "format": "raw",
            "dir": str(self.directory),
            "instance": Path(user).name if user else "",
            "instanceDir": user,
            "mountPoint": f"/mnt/lima-{self.name}",
        }


def disk_named(lima: Path, name: str) -> Disk:
    """Return the disk of that name, whether it exists or not."""
    return Disk(lima / "_disks" / name)


def all_disks(lima: Path) -> list[Disk]:
    """Return all disks by name."""
    parent = lima / "_disks"
    return [Disk(path) for path in sorted(parent.iterdir()) if path.is_dir()] if parent.is_dir() else []
