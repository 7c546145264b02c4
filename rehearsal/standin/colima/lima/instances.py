# SPDX-License-Identifier: GPL-3.0-or-later
"""Lima's instances as files: lima.yaml, pid files, and rehearsal.json, which holds what a real guest would know itself."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
from functools import cached_property
from pathlib import Path
from typing import Any

from .disks import bytes_of

GIB = 1 << 30


def alive(pid: int) -> bool:
    """Return whether a process runs. A zombie does not; in a container it may never be reaped."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    with contextlib.suppress(OSError, IndexError):
        return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rsplit(")", 1)[1].split()[0] != "Z"
    return True


def pid_in(file: Path) -> int:
    """Return the living process that a pid file names, else 0; a stale file is removed, as Lima does."""
    try:
        pid = int(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return 0
    if alive(pid):
        return pid
    file.unlink(missing_ok=True)
    return 0


class Instance:
    """One instance directory, LIMA/ID."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.errors: list[str] = []

    @property
    def name(self) -> str:
        """The instance id."""
        return self.directory.name

    @property
    def lima(self) -> Path:
        """Lima's home."""
        return self.directory.parent

    @property
    def file(self) -> Path:
        """The description of the instance."""
        return self.directory / "lima.yaml"

    @property
    def root(self) -> Path:
        """What stands for the root disk; it is removed with the instance."""
        return self.directory / "root"

    @cached_property
    def spec(self) -> dict[str, Any] | None:
        """The description, or None when it can't be read."""
        return read_spec(self.file)

    @property
    def vm_type(self) -> str:
        """The driver: vz runs inside the host agent, qemu is a process of its own."""
        return str((self.spec or {}).get("vmType") or "qemu")

    @property
    def host_agent(self) -> int:
        """The process id of the host agent, 0 if there is none."""
        return pid_in(self.directory / "ha.pid")

    @property
    def driver(self) -> int:
        """The process id of the driver, 0 if there is none."""
        return pid_in(self.directory / f"{self.vm_type}.pid")

    @property
    def status(self) -> str:
        """Running, Stopped, Broken, or '' when the description can't be read."""
        self.errors = []
        if self.spec is None:
            self.errors = ["yaml: the description can't be read"]
            return ""
        host_agent, driver = self.host_agent, self.driver
        if host_agent and driver:
            return "Running"
        if not host_agent and not driver:
            return "Stopped"
        if host_agent:
            self.errors = ["host agent is running but driver is not"]
        else:
            self.errors = [f"{self.vm_type} driver is running but host agent is not"]
        return "Broken"

    @property
    def disks(self) -> list[dict[str, Any]]:
        """The additional disks that the description asks for."""
        found = (self.spec or {}).get("additionalDisks") or []
        return [disk if isinstance(disk, dict) else {"name": disk} for disk in found]

    def described(self) -> dict[str, Any]:
        """Return what limactl list --json prints, as far as it is read. Zero values are left out where Lima does."""
        status, spec = self.status, self.spec or {}
        shown: dict[str, Any] = {"name": self.name, "hostname": f"lima-{self.name}", "status": status}
        shown |= {"dir": str(self.directory), "vmType": self.vm_type if spec else "", "arch": spec.get("arch") or ""}
        if spec:
            shown["cpus"] = int(spec.get("cpus") or 4)
            shown["memory"] = bytes_of(str(spec.get("memory") or "4GiB"))
            shown["disk"] = bytes_of(str(spec.get("disk") or "100GiB"))
            shown["additionalDisks"] = self.disks
            shown["network"] = spec.get("networks") or []
            shown |= {"sshLocalPort": self.notes().get("ssh_port", 0), "sshConfigFile": str(self.directory / "ssh.config")}
        for key, pid in (("hostAgentPID", self.host_agent), ("driverPID", self.driver if spec else 0)):
            if pid:
                shown[key] = pid
        if self.errors:
            shown["errors"] = [{} for _ in self.errors]
        return {**shown, "sshAddress": "127.0.0.1", "protected": False}

    def notes(self) -> dict[str, Any]:
        """The guest's own records."""
        try:
            found: dict[str, Any] = json.loads((self.directory / "rehearsal.json").read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}
        return found

    def note(self, **changes: Any) -> None:
        """Change the guest's own records. Several processes may do so at once."""
        file = self.directory / "rehearsal.json"
        with contextlib.suppress(FileNotFoundError), (self.directory / "rehearsal.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            text = json.dumps({**self.notes(), **changes}, indent=1)
            fresh = file.with_suffix(".new")
            fresh.write_text(text, encoding="utf-8")
            fresh.replace(file)

    @property
    def reachable(self) -> bool:
        """Whether ssh answers: it runs and its boot is complete."""
        return bool(self.notes().get("booted")) and self.status == "Running"


def read_spec(file: Path) -> dict[str, Any] | None:
    """Read a description. JSON, which the stand-in colima writes, is YAML too and needs no parser to be loaded."""
    try:
        text = file.read_text(encoding="utf-8")
    except OSError:
        return None
    try:
        found = json.loads(text)
    except ValueError:
        import yaml

        try:
            found = yaml.load(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))  # noqa: S506 - it is a safe one
        except yaml.YAMLError:
            return None
    return found if isinstance(found, dict) else None


def instance_named(lima: Path, name: str) -> Instance:
    """Return the instance of that name, whether it exists or not."""
    return Instance(lima / name)


def unreadable_instance(lima: Path) -> Path | None:
    """Return the first directory of an instance without lima.yaml: with one of those, no list is printed."""
    directories = sorted(path for path in lima.iterdir() if path.is_dir()) if lima.is_dir() else []
    return next((path for path in directories if path.name[0] not in "_." and not Instance(path).file.exists()), None)


def all_instances(lima: Path) -> list[Instance]:
    """Return all instances by name. A directory without lima.yaml is none."""
    if not lima.is_dir():
        return []
    found = [Instance(path) for path in sorted(lima.iterdir()) if not path.name.startswith(("_", "."))]
    return [instance for instance in found if instance.file.exists()]
