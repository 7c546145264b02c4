# SPDX-License-Identifier: GPL-3.0-or-later
"""The stand-in limactl (and lima): the commands that colima and its users call."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from .disks import all_disks, bytes_of, check_identifier, disk_named, size_shown
from .flags import Flag, UsageError, parse
from .guest import Guest
from .instances import Instance, all_instances, instance_named
from .logfmt import Fatal, Log
from .settings import Settings
from .table import table

NOT_AS_ROOT = "must not run as the root user"


class Limactl:
    """One call of limactl."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.log = Log()
        self.home = Path(os.environ.get("LIMA_HOME") or Path(os.environ.get("HOME", "")) / ".lima")

    @property
    def lima(self):  # type: ignore[no-untyped-def]
        """What changes instances."""
        from .lima import Lima

        return Lima(self.settings, self.home, self.log)

    def info(self, _argv: list[str]) -> int:
        """Print the version, as far as anybody reads it."""
        types = ["vz", "qemu"] if self.settings.darwin else ["qemu"]
        print(json.dumps({"version": self.settings.lima_version, "limaHome": str(self.home), "vmTypes": types}))
        return 0

    def list_instances(self, argv: list[str]) -> int:
        """List instances. A name that matches nothing is a warning and exit code 1."""
        parsed = parse([Flag("json"), Flag("quiet", short="q"), Flag("format", "str", "", "f")], argv)
        instances, missing = all_instances(self.home), False
        if not instances and not parsed.words:
            self.log.warning("No instance found. Run `limactl create` to create an instance.")
            return 0
        for name in parsed.words:
            if name not in [one.name for one in instances]:
                missing = True
                self.log.warning(f"No instance matching {name} found.")
        if parsed.words:
            instances = [one for name in parsed.words for one in instances if one.name == name]
        if parsed["json"] or parsed["format"] == "json":
            for one in instances:
                print(json.dumps(one.described(), separators=(",", ":")))
        elif parsed["quiet"]:
            for one in instances:
                print(one.name)
        else:
            self._table(instances)
        if missing:
            sys.stdout.flush()
            raise Fatal("unmatched instances")
        return 0

    def _table(self, instances: Sequence[Instance]) -> None:
        rows = [["NAME", "STATUS", "SSH", "VMTYPE", "ARCH", "CPUS", "MEMORY", "DISK", "DIR"]]
        home = os.environ.get("HOME", "")
        for one in instances:
            d = one.described()
            place = d["dir"].replace(home, "~", 1) if home and d["dir"].startswith(home) else d["dir"]
            sizes = [size_shown(d.get("memory", 0)), size_shown(d.get("disk", 0))]
            ssh = f"127.0.0.1:{d.get('sshLocalPort', 0)}"
            rows.append([d["name"], d["status"], ssh, d["vmType"], d["arch"], str(d.get("cpus", 0)), *sizes, place])
        sys.stdout.write(table(rows))

    def start(self, argv: list[str]) -> int:
        """Create an instance from a file, or resume one by name."""
        parsed = parse([Flag("tty", default=True), Flag("foreground", short="f"), Flag("name", "str", "")], argv)
        what = parsed.words[0] if parsed.words else "default"
        first = what.endswith((".yaml", ".yml"))
        if first:
            if not parsed["tty"]:
                self.log.info("Terminal is not available, proceeding without opening an editor")
            if not Path(what).exists():
                raise Fatal(f"open {what}: no such file or directory")
            instance = self.lima.create(Path(what))
        else:
            instance = self._existing(what)
            self.log.info(f"Using the existing instance `{instance.name}`")
        self.lima.start(instance, first)
        return 0

    def _existing(self, name: str) -> Instance:
        instance = instance_named(self.home, name)
        if not instance.file.exists():
            raise Fatal(f"open {instance.file}: no such file or directory")
        return instance

    def stop(self, argv: list[str]) -> int:
        """Stop an instance."""
        parsed = parse([Flag("force", short="f")], argv)
        instance = self._existing(parsed.words[0] if parsed.words else "default")
        if parsed["force"]:
            self.lima.stop_forcibly(instance)
            self.lima.reconcile()
        else:
            self.lima.stop(instance)
        return 0

    def delete(self, argv: list[str]) -> int:
        """Delete instances."""
        parsed = parse([Flag("force", short="f")], argv)
        for name in parsed.words:
            check_identifier(name)
            instance = instance_named(self.home, name)
            if not instance.file.exists():
                self.log.warning(f"Ignoring non-existent instance `{name}`")
                continue
            self.lima.delete(instance, parsed["force"])
        self.lima.reconcile()
        return 0

    def shell(self, argv: list[str]) -> int:
        """Run a command in the guest."""
        parsed = parse([Flag("workdir", "str", ""), Flag("shell", "str", "")], argv, interspersed=False)
        instance = instance_named(self.home, parsed.words[0])
        if not instance.file.exists():
            advice = f"run `limactl create {instance.name}` to create a new instance"
            raise Fatal(f"instance `{instance.name}` does not exist, {advice}")
        if instance.status != "Running":
            raise Fatal(f"instance `{instance.name}` is stopped, run `limactl start {instance.name}` to start the instance")
        if not instance.reachable:
            sys.stderr.write("kex_exchange_identification: read: Connection reset by peer\n")
            return 255
        words = parsed.words[1:]
        answer = Guest(self.settings, instance).shell(words[1:] if words[:1] == ["--"] else words, inherit=True)
        sys.stdout.write(answer.out)
        sys.stderr.write(answer.err)
        return answer.code

    def prune(self, _argv: list[str]) -> int:
        """Empty the cache; there is none."""
        return 0

    def disk(self, argv: list[str]) -> int:
        """Data disks."""
        verbs: dict[str, Callable[[list[str]], int]] = {
            "create": self._disk_create,
            "list": self._disk_list,
            "ls": self._disk_list,
            "delete": self._disk_delete,
            "rm": self._disk_delete,
            "unlock": self._disk_unlock,
            "resize": self._disk_resize,
        }
        if not argv or argv[0] not in verbs:
            raise UsageError(f'unknown command "{" ".join(argv[:1])}" for "limactl disk"')
        return verbs[argv[0]](argv[1:])

    def _disk_create(self, argv: list[str]) -> int:
        parsed = parse([Flag("size", "str", ""), Flag("format", "str", "qcow2")], argv)
        size, name = bytes_of(parsed["size"]), parsed.words[0]
        check_identifier(name)
        disk = disk_named(self.home, name)
        if disk.directory.exists():
            raise Fatal(f"disk `{name}` already exists (`{disk.directory}`)")
        self.log.info(f"Creating {parsed['format']} disk `{name}` with size {size_shown(size)}")
        disk.create(size)
        return 0

    def _disk_list(self, argv: list[str]) -> int:
        parsed = parse([Flag("json")], argv)
        found = all_disks(self.home)
        if parsed.words:
            for name in parsed.words:
                if name not in [disk.name for disk in found]:
                    self.log.warning(f"No disk matching {name} found.")
            found = [disk for name in parsed.words for disk in found if disk.name == name]
        if parsed["json"]:
            for disk in found:
                print(json.dumps(disk.described(), separators=(",", ":")))
            return 0
        if not found:
            self.log.warning("No disk found. Run `limactl disk create DISK --size SIZE` to create a disk.")
        shown = [[d["name"], size_shown(d["size"]), d["format"], d["dir"], d["instance"]] for d in (x.described() for x in found)]
        sys.stdout.write(table([["NAME", "SIZE", "FORMAT", "DIR", "IN-USE-BY"], *shown]))
        return 0

    def _disk_delete(self, argv: list[str]) -> int:
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

    def _disk_unlock(self, argv: list[str]) -> int:
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

    def _disk_resize(self, argv: list[str]) -> int:
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


def run(argv: list[str]) -> int:
    """Run one command and return its exit code."""
    settings = Settings()
    settings.record(["limactl", *argv])
    call = Limactl(settings)
    if settings.refuse_root and os.geteuid() == 0:
        call.log.fatal(NOT_AS_ROOT)
    if argv[:1] in (["--version"], ["-v"]):
        print(f"limactl version {settings.lima_version}")
        return 0
    verbs = {"info", "list", "ls", "start", "stop", "delete", "remove", "rm", "shell", "prune", "disk"}
    same = {"ls": "list_instances", "list": "list_instances", "rm": "delete", "remove": "delete"}
    try:
        if not argv or argv[0] not in verbs:
            raise UsageError(f'unknown command "{" ".join(argv[:1])}" for "limactl"')
        verb: Callable[[list[str]], int] = getattr(call, same.get(argv[0], argv[0]))
        return verb(argv[1:])
    except (Fatal, UsageError) as error:
        call.log.write("fatal", str(error))
        return 1


def main(name: str = "limactl") -> None:
    """Be limactl, or lima, which is a shell in the instance that LIMA_INSTANCE names."""
    argv = sys.argv[1:]
    if name == "lima":
        argv = ["shell", os.environ.get("LIMA_INSTANCE", "default"), *argv]
    try:
        code = run(argv)
        sys.stdout.flush()
    except BrokenPipeError:
        os._exit(141)
    except KeyboardInterrupt:
        import signal

        signal.signal(signal.SIGINT, signal.SIG_DFL)
        os.kill(os.getpid(), signal.SIGINT)
        code = 130
    sys.exit(code)
