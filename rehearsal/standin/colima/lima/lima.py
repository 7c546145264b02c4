# SPDX-License-Identifier: GPL-3.0-or-later
"""What limactl does to instances: create, start, stop, delete, and the network that they share."""

from __future__ import annotations

import contextlib
import json
import math
import os
import secrets
import shutil
import signal
import time
from pathlib import Path
from typing import Any

from ..console import Fatal, Log
from ..files.settings import Settings
from ..process import Agent
from .disks import bytes_of, check_identifier, disk_named, size_shown
from .instances import Instance, alive, all_instances, instance_named, read_spec

# Of a first start: the image is unpacked before the host agent exists. The host does that at full speed: 1 s in the recordings.
UNPACK_SHARE = 0.1
RESUME_SHARE = 0.1
STOP_LIMIT = 190.0
MODES = ("system", "user", "boot", "data", "dependency", "ansible", "yq")


class Lima:
    """The instances of one Lima home."""

    def __init__(self, settings: Settings, home: Path, log: Log) -> None:
        self.settings = settings
        self.home = home
        self.log = log

    def create(self, file: Path) -> Instance:
        """Make an instance from a description. Its name is the file's."""
        name = file.stem
        check_identifier(name)
        instance = instance_named(self.home, name)
        spec = read_spec(file)
        if spec is None:
            raise Fatal(f'failed to load "{file}": the description can\'t be read')
        self._validate(spec)
        if instance.directory.exists():
            raise Fatal(f'instance "{name}" already exists ("{instance.directory}")')
        instance.directory.mkdir(mode=0o700, parents=True)
        shutil.copyfile(file, instance.file)
        (instance.directory / "lima-version").write_text(self.settings.lima_version, encoding="utf-8")
        return instance

    @staticmethod
    def _validate(spec: dict[str, Any]) -> None:
        for number, one in enumerate(spec.get("provision") or []):
            if one.get("mode") not in MODES:
                listed = ", ".join(f"`{mode}`" for mode in MODES[:-1]) + f", or `{MODES[-1]}`"
                raise Fatal(f"field `provision[{number}].mode` must one of {listed}")
        if int((spec.get("ssh") or {}).get("localPort") or 0) > 65535:
            raise Fatal("field `ssh.localPort` must be < 65536")

    def start(self, instance: Instance, first: bool) -> None:
        """Bring an instance up and wait for it. Raises Fatal when it does not come up."""
        status = instance.status
        if instance.errors:
            raise Fatal(f"errors inspecting instance: [{' '.join(instance.errors)}]")
        if status == "Running":
            self.log.info(
                f"The instance `{instance.name}` is already running. Run `limactl shell {instance.name}` to open the shell."
            )
            return
        self.reconcile(instance)
        self.log.info(f'Starting the instance "{instance.name}" with internal VM driver "{instance.vm_type}"')
        total = self.settings.boot_seconds if first else self.settings.resume_seconds
        share = UNPACK_SHARE if first else RESUME_SHARE
        if first:
            self._unpack(instance, total * share)
        else:
            time.sleep(total * share)
        _wait_for_bell(instance)
        self._ssh_config(instance)
        agent = self.settings.process.launch(instance.directory, total * (1 - share))
        self._follow(instance, agent)

    def _unpack(self, instance: Instance, seconds: float) -> None:
        spec = instance.spec or {}
        for image in spec.get("images") or []:
            where = image.get("location", "")
            self.log.info("Attempting to download the image", arch=str(spec.get("arch")), digest="", location=where)
            time.sleep(seconds)
            self.log.info(f"Downloaded the image from `{where}`")
        size = bytes_of(str(spec.get("disk") or "100GiB"))
        disk = instance.directory / "disk"
        disk.touch()
        os.truncate(disk, size)
        self.log.info(f"Resize instance {instance.name}'s disk from 1.658GiB to {size_shown(size)}")

    @staticmethod
    def _ssh_config(instance: Instance) -> None:
        port = int(instance.notes().get("ssh_port") or 0)
        text = f"Host lima-{instance.name}\n  Hostname 127.0.0.1\n  Port {port}\n"
        (instance.directory / "ssh.config").write_text(text, encoding="utf-8")

    def _follow(self, instance: Instance, agent: Agent) -> None:
        """Repeat the host agent's messages until the machine runs or has failed."""
        said = (instance.directory / "ha.stderr.log").open(encoding="utf-8")
        events = (instance.directory / "ha.stdout.log").open(encoding="utf-8")
        # Counted from when the machine is on, so that a slow start of Python is not taken for a boot that hangs.
        deadline = math.inf
        try:
            while True:
                ended = agent.poll()
                self._repeat(said)
                for line in events:
                    status = json.loads(line)["status"]
                    if "ssh_port" in status:
                        deadline = time.monotonic() + self.settings.boot_limit
                        self.log.info(f"SSH Local Port: {status['ssh_port']}")
                    if status.get("running"):
                        self._repeat(said)
                        self._ssh_config(instance)
                        self.log.info(f"READY. Run `limactl shell {instance.name}` to open the shell.")
                        return
                    if status.get("exiting"):
                        self._repeat(said)
                        shown = f"Running:false Degraded:false Exiting:true Errors:{status.get('errors', [])}"
                        hint = instance.directory / "ha.stderr.log"
                        raise Fatal(f'exiting, status={{{shown} SSHLocalPort:0}} (hint: see "{hint}")')
                if ended is not None:
                    raise Fatal(f"host agent process has exited: {_how(ended)}")
                if "network is gone" in (instance.directory / "ha.stderr.log").read_text(encoding="utf-8"):
                    self._repeat(said)
                    raise Fatal('did not receive an event with the "running" status')
                if time.monotonic() > deadline:
                    raise Fatal('did not receive an event with the "running" status')
                time.sleep(0.01)
        except KeyboardInterrupt:
            # Ctrl-C reaches the host agent too, which does not wait for a guest that has not booted.
            with contextlib.suppress(ProcessLookupError):
                agent.terminate()
            raise
        finally:
            said.close()
            events.close()

    def _repeat(self, stream: Any) -> None:
        for line in stream:
            with contextlib.suppress(ValueError):
                spoken = json.loads(line)
                self.log.write(spoken["level"].replace("fatal", "error"), f"[hostagent] {spoken['msg']}")

    def stop(self, instance: Instance) -> None:
        """Shut an instance down and wait for it."""
        status = instance.status
        if status != "Running":
            raise Fatal(f'expected status "Running", got "{status}" (maybe use `limactl stop -f`?)')
        agent = instance.host_agent
        log = (instance.directory / "ha.stderr.log").open(encoding="utf-8")
        with log:
            log.seek(0, os.SEEK_END)
            self.log.info(f"Sending SIGINT to hostagent process {agent}")
            with contextlib.suppress(ProcessLookupError):
                self.settings.process.interrupt(agent)
            self.log.info("Waiting for the host agent and the driver processes to shut down")
            deadline = time.monotonic() + STOP_LIMIT
            while instance.host_agent or instance.driver:
                self._repeat(log)
                if time.monotonic() > deadline:
                    raise Fatal('did not receive an event with the "exiting" status')
                time.sleep(0.01)
            self._repeat(log)
        self.log.info("Waiting for the instance to shut down")
        _wait_for_bell(instance)
        self.log.info(f"The instance {instance.name} has shut down")
        self.reconcile()

    def stop_forcibly(self, instance: Instance) -> None:
        """Kill what is left of an instance and clean up."""
        agent, driver = instance.host_agent, instance.driver if instance.spec else 0
        if driver:
            self.log.info(f"Sending SIGKILL to the {instance.vm_type} driver process {driver}")
            self._kill(driver)
        else:
            self.log.info(f"The {instance.vm_type} driver process seems already stopped")
        for wanted in instance.disks:
            disk = disk_named(self.home, str(wanted["name"]))
            if not disk.exists:
                self.log.warning(f'Disk "{disk.name}" does not exist')
            elif disk.lock.is_symlink():
                disk.release()
            else:
                self.log.warning(f'Failed to unlock disk "{disk.name}". To use, run `limactl disk unlock {disk.name}`')
        if agent:
            self.log.info(f"Sending SIGKILL to the host agent process {agent}")
            self._kill(agent)
        else:
            self.log.info("The host agent process seems already stopped")
        self.log.info(f'Removing *.pid *.sock *.tmp under "{instance.directory}"')
        for path in sorted(instance.directory.iterdir()):
            if path.suffix in (".pid", ".sock", ".tmp"):
                self.log.info(f'Removing "{path}"')
                path.unlink(missing_ok=True)
        _wait_for_bell(instance)
        instance.note(booted=False, runtime_up=False, k3s_up=False)

    def _kill(self, pid: int) -> None:
        with contextlib.suppress(ProcessLookupError):
            self.settings.process.kill(pid)
        deadline = time.monotonic() + 5
        while alive(pid) and time.monotonic() < deadline:
            time.sleep(0.005)

    def delete(self, instance: Instance, force: bool) -> None:
        """Remove an instance with its root disk. Data disks stay."""
        if not force and instance.status != "Stopped":
            shown = f'expected status "Stopped", got "{instance.status}"'
            raise Fatal(f"failed to delete instance `{instance.name}`: {shown}")
        self.stop_forcibly(instance)
        shutil.rmtree(instance.directory, ignore_errors=True)
        self.log.info(f"Deleted `{instance.name}` (`{instance.directory}`)")
        self.reconcile()

    def reconcile(self, starting: Instance | None = None) -> None:
        """Start or stop the shared network. It runs while an instance is Running; a booting one does not count."""
        here = self.home / "_networks" / "user-v2"
        if starting is not None:
            token = here / "token"
            if not token.exists():
                here.mkdir(parents=True, exist_ok=True)
                token.write_text(secrets.token_hex(8), encoding="utf-8")
            starting.note(network=token.read_text(encoding="utf-8"))
        elif not any(one.status == "Running" for one in all_instances(self.home)):
            shutil.rmtree(here, ignore_errors=True)


def _how(code: int) -> str:
    """How a process ended, in Go's words."""
    if code >= 0:
        return f"exit status {code}"
    names = {int(signal.SIGKILL): "killed", int(signal.SIGTERM): "terminated"}
    return f"signal: {names.get(-code, str(-code))}"


def _wait_for_bell(instance: Instance, seconds: float = 30.0) -> None:
    """Wait until everything of the machine's previous run has ended."""
    deadline = time.monotonic() + seconds
    pid = int(instance.notes().get("bell") or 0)
    while pid and alive(pid) and time.monotonic() < deadline:
        time.sleep(0.01)
