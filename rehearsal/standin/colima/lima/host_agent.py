# SPDX-License-Identifier: GPL-3.0-or-later
"""The processes of a running instance: a real host agent, and a driver that can be killed.

The host agent simulates the boot and waits. With qemu the driver is a process of its own, with vz it is the host agent. A
third process, the bell, holds the other end of a pipe that the driver keeps open: however the machine ends, the bell
notices and kills everything inside the guest.
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

from ..console import Fatal
from ..files.settings import Settings
from ..guest import Guest
from ..process import Process
from .disks import disk_named
from .forwards import Forwards
from .instances import Instance

FOREVER = "2000000000"
NOTICE_SECONDS = 1.0  # a host agent needs about this long to see that its driver is gone


class _Stop(Exception):
    """The host agent was asked to shut the machine down."""


class HostAgent:
    """One running instance, from boot to end."""

    def __init__(self, settings: Settings, instance: Instance, seconds: float) -> None:
        self.settings = settings
        self.instance = instance
        self.seconds = seconds
        self.pid = os.getpid()
        self.guest = Guest(settings, instance)
        self.driver: subprocess.Popen[bytes] | None = None
        self.sockets: list[socket.socket] = []
        self.forwards = Forwards(lambda: self.guest.runtime_up)

    def run(self) -> None:
        """Run until the machine ends."""
        signal.signal(signal.SIGINT, self._on_signal)
        signal.signal(signal.SIGTERM, self._on_signal)
        try:
            self.come_up()
            while self._machine_lives():
                time.sleep(0.2)
            time.sleep(NOTICE_SECONDS)
            self.say("Driver has exited unexpectedly", level="error")
        except _Stop as asked:
            signal.signal(signal.SIGINT, signal.SIG_IGN)
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            self.shut_down(gently=asked.args[0] == signal.SIGINT)
        except Fatal as error:
            self.give_up(error)
            sys.exit(1)
        self.end()

    def come_up(self) -> None:
        """Switch the machine on and simulate its boot. Raises Fatal."""
        self._switch_on()
        self._boot()

    def give_up(self, error: Fatal) -> None:
        """Report why the machine does not boot, and clean up."""
        self.say(str(error), level="fatal")
        self.event(exiting=True, errors=[str(error)])
        self._clean()

    def end(self) -> None:
        """Clean up after a machine that is off."""
        self._clean()
        self.event(exiting=True)

    @staticmethod
    def _on_signal(number: int, _frame: object) -> None:
        raise _Stop(number)

    def say(self, message: str, level: str = "info") -> None:
        """Write a line for limactl to repeat."""
        self._append("ha.stderr.log", {"level": level, "msg": message, "time": time.time()})

    def event(self, **status: object) -> None:
        """Tell limactl what happened."""
        self._append("ha.stdout.log", {"time": time.time(), "status": status})

    def _append(self, name: str, line: dict[str, object]) -> None:
        # The directory may be gone: delete does not wait for the host agent that it kills.
        with contextlib.suppress(FileNotFoundError), (self.instance.directory / name).open("a", encoding="utf-8") as log:
            log.write(json.dumps(line) + "\n")

    def _switch_on(self) -> None:
        here, name = self.instance.directory, self.instance.name
        listener = socket.socket(socket.AF_UNIX)
        with contextlib.suppress(OSError):
            (here / "ha.sock").unlink(missing_ok=True)
            listener.bind(str(here / "ha.sock"))
            self.sockets.append(listener)
        self.say(f"hostagent socket created at {here / 'ha.sock'}")
        for disk in self.instance.disks:
            data = disk_named(self.instance.lima, str(disk["name"]))
            newer = tuple(int(part) for part in self.settings.lima_version.split("-")[0].split(".")) >= (2, 1, 0)
            data.take(here, reuse=newer or self.instance.vm_type == "qemu")
            self.say(f"Mounting disk `{name}` on `/mnt/lima-{name}`")
        bell = self._power()
        port = int((self.instance.spec or {}).get("ssh", {}).get("localPort") or 0) or random.randint(30000, 60000)  # noqa: S311
        self.instance.note(bell=bell, booted=False, runtime_up=False, k3s_up=False, ssh_port=port)
        driver = self.pid if self.driver is None else self.driver.pid
        self._write_pid(f"{self.instance.vm_type}.pid", driver)
        self._write_pid("ha.pid", self.pid)
        if self.driver is not None:
            self.say(f"Starting QEMU (hint: to watch the boot progress, see `{here}/serial*.log`)")
        else:
            self.say("Starting VZ")
        self.event(ssh_port=port)

    def _write_pid(self, name: str, pid: int) -> None:
        """Write a pid file in one step, so that a reader never sees half of it."""
        fresh = self.instance.directory / f"{name}.tmp"
        fresh.write_text(f"{pid}\n", encoding="utf-8")
        fresh.replace(self.instance.directory / name)

    def _power(self) -> int:
        """Start what stands for the machine. Returns the process id of its bell, 0 if it has none."""
        reading, writing = os.pipe()
        bell = self._hang_bell(reading, writing)
        os.close(reading)
        # vz runs inside the host agent, which therefore keeps the writing end.
        if self.instance.vm_type == "qemu":
            # As with the real one, its arguments tell whose it is.
            shown = f"qemu-system -pidfile {self.instance.directory}/qemu.pid"
            sleep = shutil.which("sleep", path=f"{self.settings.environ.get('PATH', '')}:/bin:/usr/bin")
            self.driver = subprocess.Popen(
                [shown, FOREVER], executable=sleep, start_new_session=True, pass_fds=[writing], stdin=subprocess.DEVNULL
            )
            os.close(writing)
        return bell

    def _hang_bell(self, reading: int, writing: int) -> int:
        """Fork the process that outlives the machine and clears up inside it. Returns its id."""
        pid = os.fork()
        if pid:
            return pid
        try:
            os.setsid()
            signal.signal(signal.SIGINT, signal.SIG_IGN)
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            os.close(writing)
            os.read(reading, 1)
            self.guest.outside("kill")
        finally:
            os._exit(0)

    def _boot(self) -> None:
        """Go through the requirements that Lima waits for, with its messages."""
        mounts = (self.instance.spec or {}).get("mounts") or []
        sshfs = bool(mounts) and (self.instance.spec or {}).get("mountType") == "sshfs"
        essential = ["ssh", "user session is ready for ssh"]
        essential += ["sshfs binary to be installed", 'fuse to \\"allow_other\\" as user'] if sshfs else []
        essential += [] if sshfs else ["Explicitly start ssh ControlMaster"]
        profile = self.instance.name.removeprefix("colima-") if self.instance.name != "colima" else "default"
        for number, name in enumerate(essential, 1):
            self.say(f'Waiting for the essential requirement {number} of {len(essential)}: "{name}"')
            if self.settings.fails("hang", profile):
                self._hang()
            self._pause(self.seconds / (len(essential) + 1))
            self._check_network()
            self.say(f"The essential requirement {number} of {len(essential)} is satisfied")
        for mount in mounts if sshfs else []:
            self.say(f'Mounting "{mount["location"]}" on "{mount.get("mountPoint") or mount["location"]}"')
        self.say("Waiting for the guest agent to be running")
        for end, path in self.guest.sockets().items():
            self.say(f'Forwarding "{end.strip()}" (guest) to "{path}" (host)')
        if not self.settings.guest:
            # Real engines listen on the host's ends themselves.
            self.forwards.open(self.guest.sockets().values())
        self.say("Guest agent is running")
        self.say('Waiting for the final requirement 1 of 1: "boot scripts must have finished"')
        self._pause(self.seconds / (len(essential) + 1))
        self._mount_disks()
        self.say("The final requirement 1 of 1 is satisfied")
        self.instance.note(booted=True)
        self.event(running=True)

    def _pause(self, seconds: float) -> None:
        deadline = time.monotonic() + seconds
        while True:
            if not self._machine_lives():
                time.sleep(NOTICE_SECONDS)
                raise Fatal("driver has exited during the boot")
            left = deadline - time.monotonic()
            if left <= 0:
                return
            time.sleep(min(0.05, left))

    def _machine_lives(self) -> bool:
        return self.driver is None or self.driver.poll() is None

    def _check_network(self) -> None:
        """When the network is removed, the machine cannot be reached any more."""
        token = self.instance.notes().get("network")
        try:
            found = (self.instance.lima / "_networks" / "user-v2" / "token").read_text(encoding="utf-8")
        except OSError:
            found = ""
        if found != token:
            self.say("user-v2 network is gone: the guest can't be reached", level="error")
            self._hang()

    def _hang(self) -> None:
        """Wait for a guest that will never answer."""
        while True:
            self._pause(0.05)

    def _mount_disks(self) -> None:
        """Format what is to be formatted. Only a label that fits into ext4's 16 bytes is found again and protects."""
        for disk in self.instance.disks:
            data = disk_named(self.instance.lima, str(disk["name"]))
            protected = data.used and len(f"lima-{data.name}") <= 16
            if disk.get("format") and not protected:
                data.format()

    def shut_down(self, gently: bool) -> None:
        """Switch the machine off."""
        self.say("Received SIGINT, shutting down the host agent")
        self.say("Shutting down the host agent")
        reachable = bool(self.instance.notes().get("booted"))
        if reachable:
            for end, path in self.guest.sockets().items():
                self.say(f'Stopping forwarding "{end.strip()}" (guest) to "{path}" (host)')
            self.guest.stop_runtime()
        for disk in self.instance.disks:
            self.say(f'Unmounting disk "{disk["name"]}"')
        name = "QEMU" if self.driver is not None else "VZ"
        self.say(f"Shutting down {name} with the power button" if self.driver else "Shutting down VZ")
        if self.driver is not None:
            self.say("Sending QMP system_powerdown command")
            if not reachable and gently:
                time.sleep(min(180.0, self.settings.boot_seconds * 10))
                self.say("QEMU did not exit in 3m0s, forcibly killing QEMU", level="warning")
            self.driver.kill()
            self.driver.wait()
            self.say("QEMU has exited" if reachable else "QEMU has exited, after killing forcibly")

    def _clean(self) -> None:
        here = self.instance.directory
        self.forwards.close()
        if not here.is_dir():
            return
        self.guest.remove_sockets()
        for disk in self.instance.disks:
            data = disk_named(self.instance.lima, str(disk["name"]))
            if data.user == str(here):
                data.release()
        self.instance.note(booted=False, runtime_up=False, k3s_up=False)
        for name in ("ha.sock", f"{self.instance.vm_type}.pid", "ha.pid"):
            (here / name).unlink(missing_ok=True)


def main(argv: list[str]) -> None:
    """Be the host agent of the instance directory argv[0]; the boot takes argv[1] seconds."""
    HostAgent(Settings(Process()), Instance(Path(argv[0])), float(argv[1])).run()
