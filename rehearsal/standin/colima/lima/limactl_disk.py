# SPDX-License-Identifier: GPL-3.0-or-later
"""limactl disk: create, list, delete, unlock, resize."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from ..commands.flags import Flag, UsageError, parse
from ..console import Fatal, Log, table
from ..process import Process
from .disks import all_disks, bytes_of, check_identifier, disk_named, size_shown
from .instances import all_instances, instance_named


class LimactlDisk:
    """The data disks of one Lima home."""

    def __init__(self, process: Process, home: Path, log: Log) -> None:
        self.process = process
        self.home = home
        self.log = log

    def run(self, argv: list[str]) -> int:
        """Run one command and return its exit code."""
        verbs: dict[str, Callable[[list[str]], int]] = {
            "create": self.create,
            "list": self.list_disks,
            "ls": self.list_disks,
            "delete": self.delete,
            "rm": self.delete,
            "unlock": self.unlock,
            "resize": self.resize,
        }
        if not argv or argv[0] not in verbs:
            raise UsageError(f'unknown command "{" ".join(argv[:1])}" for "limactl disk"')
        return verbs[argv[0]](argv[1:])

    def create(self, argv: list[str]) -> int:
        """Make a disk."""
        parsed = parse([Flag("size", "str", ""), Flag("format", "str", "qcow2")], argv)
        size, name = bytes_of(parsed["size"]), parsed.words[0]
        check_identifier(name)
        disk = disk_named(self.home, name)
        if disk.directory.exists():
            raise Fatal(f"disk `{name}` already exists (`{disk.directory}`)")
        self.log.info(f"Creating {parsed['format']} disk `{name}` with size {size_shown(size)}")
        disk.create(size)
        return 0

    def list_disks(self, argv: list[str]) -> int:
        """List disks. A name that matches nothing is a warning."""
        parsed = parse([Flag("json")], argv)
        found = all_disks(self.home)
        if parsed.words:
            for name in parsed.words:
                if name not in [disk.name for disk in found]:
                    self.log.warning(f"No disk matching {name} found.")
            found = [disk for name in parsed.words for disk in found if disk.name == name]
        for disk in found:
            if not disk.exists:
                # What a `disk create` that was killed leaves.
                self.log.error(f"disk `{disk.name}` does not exist?", error=f"stat {disk.file}: no such file or directory")
        found = [disk for disk in found if disk.exists]
        if parsed["json"]:
            for disk in found:
                self.process.say(json.dumps(disk.described(), separators=(",", ":")))
            return 0
        if not found:
            self.log.warning("No disk found. Run `limactl disk create DISK --size SIZE` to create a disk.")
        shown = [[d["name"], size_shown(d["size"]), d["format"], d["dir"], d["instance"]] for d in (x.described() for x in found)]
        self.process.stdout.write(table([["NAME", "SIZE", "FORMAT", "DIR", "IN-USE-BY"], *shown]))
        return 0

    def delete(self, argv: list[str]) -> int:
        """Remove unused disks."""
        parsed = parse([Flag("force", short="f")], argv)
        for name in parsed.words:
            disk = disk_named(self.home, name)
            if not disk.exists:
                self.log.warning(f"Ignoring non-existent disk `{name}`")
                continue
            if not parsed["force"]:
                if disk.user:
                    raise Fatal(f"cannot delete disk `{name}` in use by instance `{Path(disk.user).name}`")
                using = [one.name for one in all_instances(self.home) if name in [str(d["name"]) for d in one.disks]]
                if using:
                    listed = " ".join(f"`{one}`" for one in using)
                    self.log.warning(
                        f"Skipping deleting disk `{name}`, disk is referenced by one or more non-running instances: [{listed}]"
                    )
                    self.log.warning(f"To delete anyway, run `limactl disk delete --force {name}`")
                    continue
            disk.remove()
            self.log.info(f"Deleted `{name}` (`{disk.directory}`)")
        return 0

    def unlock(self, argv: list[str]) -> int:
        """Release disks that a crash left locked."""
        for name in parse([], argv).words:
            disk = disk_named(self.home, name)
            if not disk.exists:
                self.log.warning(f"Ignoring non-existent disk `{name}`")
            elif not disk.user:
                self.log.warning(f"Ignoring unlocked disk `{name}`")
            elif (holder := instance_named(self.home, Path(disk.user).name)).status == "Running":
                self.log.warning(f"Cannot unlock disk `{name}` used by running instance `{holder.name}`")
            else:
                disk.release()
                self.log.info(f"Unlocked disk `{name}` (`{disk.directory}`)")
        return 0

    def resize(self, argv: list[str]) -> int:
        """Grow a disk."""
        parsed = parse([Flag("size", "str", "")], argv)
        size, name = bytes_of(parsed["size"]), parsed.words[0]
        disk = disk_named(self.home, name)
        if not disk.exists:
            raise Fatal(f"disk `{name}` does not exists")
        if size < disk.size:
            wanted, true = size_shown(size), size_shown(disk.size)
            shown = f"specified size `{wanted}` is less than the current disk size `{true}`"
            raise Fatal(f"{shown}. Disk shrinking is currently unavailable")
        if disk.user and instance_named(self.home, Path(disk.user).name).status == "Running":
            holder = Path(disk.user).name
            shown = f"cannot resize disk `{name}` used by running instance `{holder}`"
            raise Fatal(f"{shown}. Please stop the VM instance")
        disk.resize(size)
        self.log.info(f"Resized disk `{name}` (`{disk.directory}`)")
        return 0
