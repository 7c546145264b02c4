# SPDX-License-Identifier: GPL-3.0-or-later
"""The stand-in limactl (and lima): the commands that colima and its users call."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from .. import guest_shell
from ..commands.flags import Flag, UsageError, parse
from ..console import Fatal, Log, table
from ..files.settings import Settings
from ..guest import Guest
from ..process import Process
from .disks import check_identifier, size_shown
from .instances import Instance, all_instances, instance_named, unreadable_instance

NOT_AS_ROOT = "must not run as the root user"


class Limactl:
    """One call of limactl."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.process = settings.process
        self.log = Log(self.process.stderr)
        environ = settings.environ
        self.home = Path(environ.get("LIMA_HOME") or Path(environ.get("HOME", "")) / ".lima")

    @property
    def lima(self):  # type: ignore[no-untyped-def]
        """What changes instances."""
        from .lima import Lima

        return Lima(self.settings, self.home, self.log)

    def info(self, _argv: list[str]) -> int:
        """Print the version, as far as it is read."""
        types = ["vz", "qemu"] if self.settings.darwin else ["qemu"]
        self.process.say(json.dumps({"version": self.settings.lima_version, "limaHome": str(self.home), "vmTypes": types}))
        return 0

    def list_instances(self, argv: list[str]) -> int:
        """List instances. A name that matches nothing is a warning and exit code 1."""
        parsed = parse([Flag("json"), Flag("quiet", short="q"), Flag("format", "str", "", "f")], argv)
        instances, missing = self._read_all() if not parsed.words else all_instances(self.home), False
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
                self.process.say(json.dumps(one.described(), separators=(",", ":")))
        elif parsed["quiet"]:
            for one in instances:
                self.process.say(one.name)
        else:
            self._table(instances)
        if missing:
            self.process.stdout.flush()
            raise Fatal("unmatched instances")
        return 0

    def _read_all(self) -> list[Instance]:
        if unreadable := unreadable_instance(self.home):
            raise Fatal(f"unable to load instance {unreadable.name}: open {unreadable}/lima.yaml: no such file or directory")
        return all_instances(self.home)

    def _table(self, instances: Sequence[Instance]) -> None:
        rows = [["NAME", "STATUS", "SSH", "VMTYPE", "ARCH", "CPUS", "MEMORY", "DISK", "DIR"]]
        home = self.settings.environ.get("HOME", "")
        for one in instances:
            d = one.described()
            place = d["dir"].replace(home, "~", 1) if home and d["dir"].startswith(home) else d["dir"]
            sizes = [size_shown(d.get("memory", 0)), size_shown(d.get("disk", 0))]
            ssh = f"127.0.0.1:{d.get('sshLocalPort', 0)}"
            rows.append([d["name"], d["status"], ssh, d["vmType"], d["arch"], str(d.get("cpus", 0)), *sizes, place])
        self.process.stdout.write(table(rows))

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
            self.process.stderr.write("kex_exchange_identification: read: Connection reset by peer\n")
            return 255
        words, guest = parsed.words[1:], Guest(self.settings, instance)
        guest.take_time()
        answer = guest_shell.run(guest, words[1:] if words[:1] == ["--"] else words, inherit=True)
        self.process.stdout.write(answer.out)
        self.process.stderr.write(answer.err)
        return answer.code

    def copy(self, argv: list[str]) -> int:
        """Copy a file of the host into a guest; nothing here needs the other forms of the command."""
        source, target = parse([Flag("recursive", short="r")], argv).words
        name, _, place = target.partition(":")
        instance = instance_named(self.home, name)
        if not instance.reachable:
            raise Fatal(f"instance `{name}` is stopped, run `limactl start {name}` to start the instance")
        Guest(self.settings, instance).write(place, Path(source).read_text(encoding="utf-8"))
        return 0

    def prune(self, _argv: list[str]) -> int:
        """Empty the cache; there is none."""
        return 0

    def disk(self, argv: list[str]) -> int:
        """Data disks."""
        from .limactl_disk import LimactlDisk

        return LimactlDisk(self.process, self.home, self.log).run(argv)


def run(process: Process, argv: list[str]) -> int:
    """Run one command and return its exit code."""
    settings = Settings(process)
    settings.record(["limactl", *argv])
    call = Limactl(settings)
    if settings.refused:
        call.log.fatal(NOT_AS_ROOT)
    if argv[:1] in (["--version"], ["-v"]):
        process.say(f"limactl version {settings.lima_version}")
        return 0
    verbs = {"info", "list", "ls", "start", "stop", "delete", "remove", "rm", "shell", "copy", "prune", "disk"}
    same = {"ls": "list_instances", "list": "list_instances", "rm": "delete", "remove": "delete"}
    try:
        if not argv or argv[0] not in verbs:
            raise UsageError(f'unknown command "{" ".join(argv[:1])}" for "limactl"')
        verb: Callable[[list[str]], int] = getattr(call, same.get(argv[0], argv[0]))
        return verb(argv[1:])
    except (Fatal, UsageError) as error:
        call.log.write("fatal", str(error))
        return 1


def run_lima(process: Process, argv: list[str]) -> int:
    """Run a command in the instance that LIMA_INSTANCE names."""
    return run(process, ["shell", process.environ.get("LIMA_INSTANCE", "default"), *argv])


def main(name: str = "limactl") -> None:
    """Be limactl or lima."""
    process, argv = Process(), sys.argv[1:]
    try:
        code = run_lima(process, argv) if name == "lima" else run(process, argv)
        sys.stdout.flush()
    except BrokenPipeError:
        os._exit(141)
    except KeyboardInterrupt:
        import signal

        signal.signal(signal.SIGINT, signal.SIG_DFL)
        os.kill(os.getpid(), signal.SIGINT)
        code = 130
    sys.exit(code)
