# SPDX-License-Identifier: GPL-3.0-or-later
"""What colima's commands do to one profile: start, stop, delete, status, and the ssh files that follow them."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .. import guest_shell
from ..console import Fatal, Log, confirmed, fatal_line
from ..files import config_file
from ..files.config_file import Config
from ..files.places import Profile
from ..files.settings import Settings
from ..files.store import Store, forget, remember
from ..host_tools import HostTools
from ..lima.disks import size_shown
from ..lima.instances import Instance, all_instances, unreadable_instance
from .vm import GIB, Machine

if TYPE_CHECKING:
    from .runtimes import Kubernetes, Runtime

RUNTIMES = ("docker", "containerd", "incus", "none")
HOST_PROGRAMS = {"docker": "docker", "incus": "incus", "kubernetes": "kubectl"}


class App:
    """colima, for one profile."""

    def __init__(self, settings: Settings, profile: Profile, log: Log) -> None:
        self.settings = settings
        self.profile = profile
        self.log = log
        self.tools = HostTools(settings, profile)
        self.machine = Machine(settings, profile, self.tools, log)
        if not self.tools.has("lima"):
            raise Fatal("Error: dependency check failed for VM: lima not found, run 'brew install lima' to install")

    # Runtimes.

    def runtime(self, name: str) -> Runtime:
        """Return a runtime whose program is on the host. Raises Fatal."""
        if name not in ("docker", "containerd", "incus", "kubernetes"):
            raise Fatal(f"error initiating container runtime: unsupported container runtime '{name}'")
        if name in HOST_PROGRAMS:
            self.tools.need(HOST_PROGRAMS[name], name)
        if name == "kubernetes":
            return self.kubernetes()
        from .runtimes import Engine

        return Engine(name, self.machine, self.tools, self.log)

    def kubernetes(self) -> Kubernetes:
        """Return Kubernetes, unless kubectl is missing. Raises Fatal."""
        self.tools.need("kubectl", "kubernetes")
        from .runtimes import Kubernetes

        return Kubernetes(self.machine, self.tools, self.log)

    def current_runtime(self) -> str:
        """Return what the guest reports as running. Raises Fatal."""
        if not self.machine.running:
            raise Fatal(f"{self.profile.display} is not running")
        found = self.machine.guest.known().get("runtime", "")
        if not found:
            raise Fatal("error retrieving current runtime: empty value")
        return found

    def current_runtimes(self) -> list[Runtime]:
        """Return what runs now. As in colima, Kubernetes is ignored when kubectl is not on PATH."""
        found: list[Runtime] = []
        name = self.current_runtime()
        if name == "none":
            return found
        found.append(self.runtime(name))
        if self.tools.has("kubectl") and (kubernetes := self.kubernetes()).running:
            found.append(kubernetes)
        return found

    # Start, stop, delete.

    def start(self, config: Config) -> None:
        """Start the profile. Raises Fatal."""
        self.log.info(f"starting {self.profile.display}")
        runtimes: list[Runtime] = []
        if config["runtime"] != "none":
            with_kubernetes = config["kubernetes.enabled"] and config["runtime"] in ("docker", "containerd")
            self.log.info(f"runtime: {config['runtime']}{'+k3s' if with_kubernetes else ''}")
            runtimes.append(self.runtime(config["runtime"]))
            if with_kubernetes:
                runtimes.append(self.runtime("kubernetes"))
        try:
            self.machine.start(config)
        except (Fatal, OSError) as error:
            raise Fatal(f"error starting vm: {error}") from error
        self._scripts(config, "after-boot")
        for runtime in runtimes:
            log = self.log.context(runtime.name)
            log.info("provisioning ...")
            self._step(f"error provisioning {runtime.name}", runtime.provision, config)
            log.info("starting ...")
            self._step(f"error starting {runtime.name}", runtime.start, config)
        self._scripts(config, "ready")
        self._remember(config)
        self.log.info("done")
        self.write_ssh_config(config["sshConfig"])

    @staticmethod
    def _step(what: str, step: Any, *args: object) -> None:
        try:
            step(*args)
        except (Fatal, OSError) as error:
            raise Fatal(f"{what}: {error}") from error

    def _scripts(self, config: Config, mode: str) -> None:
        scripts = [one for one in config["provision"] or [] if one["mode"] == mode]
        codes = [guest_shell.run(self.machine.guest, ["sh", "-c", one["script"]]).code for one in scripts]
        if any(codes):
            self.log.warning(f"error running {mode} provision script(s)")

    def _remember(self, config: Config) -> None:
        formatted = Store.load(self.profile.store_file).disk_formatted
        if self.settings.data_disks:
            # Without a data disk the store is written too, and is empty.
            remember(self.profile.store_file, **({"disk_runtime": config["runtime"]} if formatted else {}))
        keys = {"Enabled": "enabled", "Version": "version", "K3sArgs": "k3sArgs", "Port": "port"}
        kubernetes = {key: config[f"kubernetes.{name}"] for key, name in keys.items()}
        self.machine.guest.remember(runtime=config["runtime"], kubernetes_config=json.dumps(kubernetes))

    def stop(self, force: bool) -> None:
        """Stop the profile. Raises Fatal."""
        self.log.info(f"stopping {self.profile.display}")
        if self.machine.running:
            for runtime in reversed(self._tolerated_runtimes()):
                self.log.context(runtime.name).info("stopping ...")
                self._tolerate(f"error stopping {runtime.name}", runtime.stop, force)
        self._step("error stopping vm", self.machine.stop, force)
        self.log.info("done")
        self.write_ssh_config(False)

    def _tolerated_runtimes(self) -> list[Runtime]:
        try:
            return self.current_runtimes()
        except Fatal as error:
            self.log.warning(f"error retrieving runtimes: {error}")
            return []

    def _tolerate(self, what: str, step: Any, *args: object) -> None:
        try:
            step(*args)
        except (Fatal, OSError) as error:
            self.log.warning(f"{what}: {error}")

    def delete(self, data: bool, force: bool) -> None:
        """Remove the profile, and with data its container data too. Raises Fatal."""
        formatted = Store.load(self.profile.store_file).disk_formatted
        if not force:
            if not confirmed(self.settings.process, f"are you sure you want to delete {self.profile.display} and all settings"):
                return
            red = "\x1b[31m\x1b[1m"
            if (data or not formatted) and not confirmed(
                self.settings.process, f"{red}this will delete ALL container data. Are you sure you want to continue"
            ):
                return
        self.log.info(f"deleting {self.profile.display}")
        if self.machine.running:
            for runtime in self._tolerated_runtimes():
                self.log.context(runtime.name).info("deleting ...")
                self._tolerate(f"error during teardown of {runtime.name}", runtime.teardown)
        self._step("error during teardown of vm", self.machine.delete)
        import shutil

        shutil.rmtree(self.profile.directory, ignore_errors=True)
        if formatted and data:
            self.log.info("deleting container data")
            self._step("error deleting container data", self._delete_disk)
            forget(self.profile.store_file)
        self.log.info("done")
        self.write_ssh_config(False)

    def _delete_disk(self) -> None:
        disk = self.machine.disk
        if disk.exists and disk.user:
            shown = f"cannot delete disk `{disk.name}` in use by instance `{Path(disk.user).name}`"
            line = fatal_line(shown)
            raise Fatal(f"error deleting lima disk: exit status 1, output: {line}")
        disk.remove()

    def restart(self, force: bool) -> None:
        """Stop and start with the file as it is: nothing is validated and nothing is protected. Raises Fatal."""
        if self.settings.refused or not self.machine.instance.file.exists():
            raise Fatal("error retrieving instance: exit status 1")
        self.stop(force)
        time.sleep(min(3.0, self.settings.boot_seconds))
        config = config_file.load(self.profile.file) if self.profile.file.exists() else config_file.zero()
        self.start(config)

    # Reading.

    def status(self) -> dict[str, Any]:
        """Describe the running profile. Raises Fatal when it is not running or not usable."""
        runtime = self.current_runtime()
        self.machine.guest.take_time(words=5)
        state = config_file.load_or_zero(self.profile.state_file)
        driver = {"vz": "macOS Virtualization.Framework", "krunkit": "Krunkit"}.get(state["vmType"], "QEMU")
        found: dict[str, Any] = {"display_name": self.profile.display, "driver": driver if self.settings.darwin else "QEMU"}
        arch = guest_shell.run(self.machine.guest, ["uname", "-m"]).out.strip()
        found |= {"arch": arch, "runtime": runtime, "mount_type": state["mountType"]}
        if (address := self.machine.address) != "127.0.0.1":
            found["ip_address"] = address
        names = {"docker": ("docker", "containerd"), "containerd": ("containerd", "buildkitd"), "incus": ("incus",)}
        for name in names.get(runtime, ()):
            found[f"{name}_socket"] = f"unix://{self.profile.directory / f'{name}.sock'}"
        found["kubernetes"] = self.tools.has("kubectl") and self.kubernetes().running
        inst = self.machine.instance.described()
        disk = state["disk"] * GIB if state["disk"] > 0 else inst.get("disk", 0)
        return {**found, "cpu": inst.get("cpus", 0), "memory": inst.get("memory", 0), "disk": disk}

    def print_status(self, extended: bool, as_json: bool) -> None:
        """Print the status: JSON on stdout, log lines on stderr. Raises Fatal."""
        status = self.status()
        if as_json:
            self.settings.process.say(json.dumps(status, separators=(",", ":"), ensure_ascii=False))
            return
        self.log.info(f"{status['display_name']} is running using {status['driver']}")
        lines = [("arch", "arch"), ("runtime", "runtime"), ("mountType", "mount_type"), ("address", "ip_address")]
        lines += [(f"{name} socket", f"{name}_socket") for name in ("docker", "containerd", "buildkitd", "incus")]
        for shown, key in lines:
            if status.get(key):
                self.log.info(f"{shown}: {status[key]}")
        if status["kubernetes"]:
            self.log.info("kubernetes: enabled")
        if extended:
            self.log.info(f"cpu: {status['cpu']}")
            self.log.info(f"mem: {size_shown(status['memory'])}")
            self.log.info(f"disk: {size_shown(status['disk'])}")

    def rows(self, only: str | None) -> list[dict[str, Any]]:
        """The rows of list, keys in order, zero values left out. Raises Fatal for an unknown name."""
        instances = all_instances(self.profile.lima)
        if only is None and unreadable_instance(self.profile.lima):
            raise Fatal("error retrieving instances: exit status 1")
        if only is not None:
            instances = [one for one in instances if one.name == only]
            if not instances:
                raise Fatal("error retrieving instances: exit status 1")
        return [self._row(one) for one in instances if one.name.startswith("colima")]

    def _row(self, instance: Instance) -> dict[str, Any]:
        profile = Profile.of(instance.name, self.profile.base, self.profile.lima)
        state = config_file.load_or_zero(profile.state_file)
        shown = instance.described()
        row: dict[str, Any] = {"name": profile.name, "status": shown["status"], "arch": shown["arch"]}
        row |= {"cpus": shown.get("cpus", 0), "memory": shown.get("memory", 0)}
        row["disk"] = state["disk"] * GIB if state["disk"] > 0 else shown.get("disk", 0)
        if shown["status"] == "Running":
            row["address"] = Machine(self.settings, profile, self.tools, self.log).guest.address
        row["runtime"] = config_file.runtime_label(state)
        return {key: value for key, value in row.items() if value}

    # Files for ssh.

    def write_ssh_config(self, include: bool) -> None:
        """Write the ssh file of all running profiles and, if wanted, include it in the user's own."""
        text = ""
        for one in all_instances(self.profile.lima):
            if one.name.startswith("colima") and one.status == "Running":
                text += ssh_config_of(one) + "\n"
        ours = self.profile.base / "ssh_config"
        ours.write_text(text, encoding="utf-8")
        if not include:
            return
        theirs, line = Path(self.settings.environ.get("HOME", "")) / ".ssh" / "config", f"Include {ours}"
        old = theirs.read_text(encoding="utf-8") if theirs.exists() else None
        if old is None:
            theirs.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            theirs.write_text(line, encoding="utf-8")
        elif line not in old:
            theirs.write_text(f"{line}\n\n{old}", encoding="utf-8")


def ssh_config_of(instance: Instance) -> str:
    """The ssh settings of an instance under its plain name."""
    text = (instance.directory / "ssh.config").read_text(encoding="utf-8")
    return text.replace(f"Host lima-{instance.name}", f"Host {instance.name}")
