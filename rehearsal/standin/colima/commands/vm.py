# SPDX-License-Identifier: GPL-3.0-or-later
"""How colima starts and stops its virtual machine through Lima, and what it records after a success."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from .. import guest_reads
from ..console import Fatal, Log, fatal_line
from ..files import config_file
from ..files.config_file import Config
from ..files.places import Profile, cache_directory
from ..files.settings import Settings
from ..files.store import Store, remember
from ..guest import Guest
from ..guest_shell import BINFMT
from ..host_tools import HostTools
from ..lima.disks import Disk, bytes_of, check_identifier, disk_named, size_shown
from ..lima.instances import Instance, all_instances, instance_named

GIB = 1 << 30
_VARIABLE = re.compile(r"\$(?:(\w+)|\{(\w+)\})")


class Machine:
    """The virtual machine of one profile."""

    def __init__(self, settings: Settings, profile: Profile, tools: HostTools, log: Log) -> None:
        self.settings = settings
        self.profile = profile
        self.tools = tools
        self.log = log.context("vm")
        self.plain_log = log

    @property
    def instance(self) -> Instance:
        """The instance, read afresh."""
        return instance_named(self.profile.lima, self.profile.id)

    @property
    def disk(self) -> Disk:
        """The data disk, whether it exists or not."""
        return disk_named(self.profile.lima, self.profile.id)

    @property
    def running(self) -> bool:
        """Whether Lima calls the instance Running. That does not mean that it can be used."""
        # colima asks limactl, whose refusal counts as an answer.
        return not self.settings.refused and self.instance.file.exists() and self.instance.status == "Running"

    @property
    def guest(self) -> Guest:
        """The inside of the machine."""
        return Guest(self.settings, self.instance, self.profile.directory)

    @property
    def address(self) -> str:
        """The reachable address of the machine, or 127.0.0.1."""
        if not self.instance.file.exists():
            return "127.0.0.1"
        return self.guest.address or "127.0.0.1"

    def start(self, config: Config) -> None:
        """Create the machine, or resume it. Raises Fatal."""
        if self.profile.lima_file.is_file():
            self._resume(config)
        else:
            stage = "creating and starting"
            self.log.info(f"{stage} ...")
            try:
                self._create(config)
            except (Fatal, OSError) as error:
                raise Fatal(f"error at '{stage}': {error}") from error
        self._after_boot(config)

    def _create(self, config: Config) -> None:
        spec = self.spec(config)
        if not self.settings.data_disks:
            spec["disk"] = f"{config['disk']}GiB"
        elif config["runtime"] != "none":
            self._create_disk(config, spec)
        spec["images"] = [self._image(config)]
        file = Path(self.settings.environ.get("TMPDIR") or "/tmp") / f"{self.profile.id}.yaml"
        file.write_text(json.dumps(spec, indent=1), encoding="utf-8")
        self._write_networks(config)
        self.tools.must("limactl", "start", "--tty=false", str(file), extra=self._forwarder(config))
        file.unlink(missing_ok=True)

    def _create_disk(self, config: Config, spec: dict[str, Any]) -> None:
        store = Store.load(self.profile.store_file)
        wants_format = not store.disk_formatted
        if not self.disk.exists:
            try:
                check_identifier(self.profile.id)
                self.disk.create(bytes_of(f"{config['disk']}GiB"))
            except Fatal as error:
                line = fatal_line(str(error))
                shown = f"error creating lima disk: exit status 1, output: {line}"
                raise Fatal(f"error creating runtime disk: {shown}") from error
            wants_format = True
        if store.disk_formatted and store.disk_runtime not in ("", config["runtime"]):
            raise Fatal(
                f"runtime disk provisioned for {store.disk_runtime} runtime. "
                "Delete container data with 'colima delete --data' before using another runtime"
            )
        spec["additionalDisks"] = [{"name": self.profile.id, "format": wants_format, "fsType": "ext4"}]

    def _image(self, config: Config) -> dict[str, Any]:
        from ..lima.downloads import cached, image_url

        arch = _arch(config["arch"], self.settings)
        url = image_url(arch, config["runtime"])
        if config["diskImage"]:
            file = Path(config["diskImage"])
            if not file.exists():
                raise Fatal(f"invalid disk image: stat {file}: no such file or directory")
            if not config["forceDiskImage"]:
                mismatch = f"SHA512 checksum mismatch for '{file.name}'"
                raise Fatal(f"disk image must be downloaded from '{url}', hash failure: {mismatch}")
            self.log.warning("unable to validate disk image, but continuing as requested...")
            return {"location": str(file), "arch": arch}
        self.log.info("downloading disk image ...")
        try:
            file = cached(self.settings, cache_directory(self.settings), url, self.profile.name)
        except Fatal as error:
            raise Fatal(f"error getting qcow image: error during image download: {error}") from error
        return {"location": str(file), "arch": arch}

    def _resume(self, config: Config) -> None:
        if self.running:
            self.log.info("already running")
            return
        try:
            state: Config | None = config_file.load(self.profile.state_file)
        except config_file.LoadError:
            state = None
        effective = dict(config)
        if state is not None and not self._resize(state["disk"], config["disk"]):
            effective["disk"] = state["disk"]
        old = self.instance.spec
        if old is None:
            raise Fatal(f"yaml: line 1: did not find expected node content ({self.profile.lima_file})")
        spec = self.spec(effective)
        if self.disk.exists:
            formatted = Store.load(self.profile.store_file).disk_formatted
            spec["additionalDisks"] = [{"name": self.profile.id, "format": not formatted, "fsType": "ext4"}]
        else:
            # Without a data disk, the one disk grows to what is called the disk's size.
            spec["disk"] = f"{effective['disk']}GiB"
        spec["images"] = old.get("images") or []
        self.profile.lima_file.write_text(json.dumps(spec, indent=1), encoding="utf-8")
        self._write_networks(effective)
        self.log.info("starting ...")
        try:
            self.tools.must("limactl", "start", self.profile.id, extra=self._forwarder(config))
        except Fatal as error:
            raise Fatal(f"error at 'starting': {error}") from error

    def _resize(self, old: int, new: int) -> bool:
        """Grow the disk. As in colima, shrinking only causes a warning, and the files then show a wrong size."""
        if old == new:
            return False
        if new < old:
            self.log.warning("disk size cannot be reduced, ignoring...")
            return False
        try:
            if not self.disk.exists:
                raise Fatal(f"disk `{self.disk.name}` does not exists")
            if new * GIB < self.disk.size:
                wanted, true = size_shown(new * GIB), size_shown(self.disk.size)
                shown = f"specified size `{wanted}` is less than the current disk size `{true}`"
                raise Fatal(f"{shown}. Disk shrinking is currently unavailable")
            self.disk.resize(new * GIB)
        except (Fatal, OSError) as error:
            line = fatal_line(str(error))
            self.log.warning(f"unable to resize disk: error resizing disk: exit status 1, output: {line}")
            return False
        self.log.info(f"resizing disk to {new}GiB...")
        return True

    def spec(self, config: Config) -> dict[str, Any]:
        """Lima's description of the machine."""
        arch = _arch(config["arch"], self.settings)
        native = arch == self.settings.arch
        vm_type = config["vmType"] if self.settings.darwin and native and config["vmType"] in ("vz", "krunkit") else "qemu"
        spec: dict[str, Any] = {"vmType": vm_type, "arch": arch}
        if config["cpu"] > 0:
            spec["cpus"] = config["cpu"]
        if config["memory"] > 0:
            spec["memory"] = f"{int(config['memory'] * 1024)}MiB"
        if config["rootDisk"] > 0:
            spec["disk"] = f"{config['rootDisk']}GiB"
        spec["ssh"] = {"localPort": config["sshPort"], "forwardAgent": config["forwardAgent"]}
        spec["mounts"] = self._mounts(config)
        spec["mountType"] = config["mountType"]
        spec["rosetta"] = {"enabled": bool(config["rosetta"]) and vm_type == "vz" and self.settings.apple_silicon}
        hosts = config["network.dnsHosts"]
        if hosts is not None:
            hosts.setdefault("host.docker.internal", "host.lima.internal")
        spec["hostResolver"] = {"enabled": not config["network.dns"], "hosts": hosts or {}}
        spec["dns"] = config["network.dns"] or []
        spec["networks"] = [{"lima": "user-v2"}]
        if config["network.address"] and self.settings.darwin:
            metric = 100 if config["network.preferredRoute"] else 300
            spec["networks"].append({"vzNAT": True, "interface": "col0", "metric": metric})
        spec["portForwards"] = self._forwards(config["runtime"])
        spec["env"] = config["env"] or {}
        scripts = [{"mode": "system", "script": "sysctl -w fs.inotify.max_user_watches=1048576"}]
        spec["provision"] = scripts + [p for p in config["provision"] or [] if p["mode"] not in ("after-boot", "ready")]
        return spec

    def _forwards(self, runtime: str) -> list[dict[str, str]]:
        found = [{"guestSocket": guest, "hostSocket": str(host)} for guest, host in self.profile.sockets.get(runtime, {}).items()]
        if runtime == "docker" and self.profile.name == "default":
            legacy = str(self.profile.base / "docker.sock")
            found.append({"guestSocket": "/var/run/docker.sock", "hostSocket": legacy})
        return found

    def _mounts(self, config: Config) -> list[dict[str, Any]]:
        if config["mounts"] is None:
            return []
        if not config["mounts"]:
            return [{"location": self.settings.environ.get("HOME", ""), "writable": True}]
        found = []
        for mount in config["mounts"]:
            location = _expanded(mount["location"], self.settings.environ)
            if not os.path.isabs(location):  # noqa: PTH117
                raise Fatal(f"relative paths not supported for mount '{mount['location']}'")
            found.append({**mount, "location": location.rstrip("/") + "/"})
        ends = [os.path.normpath(one.get("mountPoint") or one["location"]) + "/" for one in found]
        for i, one in enumerate(ends):
            for other in ends[i + 1 :]:
                if one.startswith(other) or other.startswith(one):
                    raise Fatal(f"overlapping mounts not supported: '{one}' overlaps '{other}'")
        return found

    @staticmethod
    def _forwarder(config: Config) -> dict[str, str]:
        return {"LIMA_SSH_PORT_FORWARDER": "false" if config["portForwarder"] == "grpc" else "true"}

    def _write_networks(self, config: Config) -> None:
        """Write the one network file of all profiles, and remove the network if nothing seems to run."""
        if not any(one.status == "Running" for one in all_instances(self.profile.lima) if one.name.startswith("colima")):
            import shutil

            shutil.rmtree(self.profile.lima / "_networks", ignore_errors=True)
        file = self.profile.lima / "_config" / "networks.yaml"
        file.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
        gateway = config["network.gatewayAddress"] or config_file.GATEWAY
        text = f"networks:\n  user-v2:\n    mode: user-v2\n    gateway: {gateway}\n    netmask: 255.255.255.0\n"
        file.write_text(text, encoding="utf-8")

    def _after_boot(self, config: Config) -> None:
        guest = self.guest
        if config["binfmt"] and self.settings.arch == _arch(config["arch"], self.settings):
            self.settings.process.stdout.write(BINFMT)
        rosetta = bool((self.instance.spec or {}).get("rosetta", {}).get("enabled"))
        guest_reads.boot(guest, str(config["runtime"]), rosetta=rosetta, binfmt=bool(config["binfmt"]))
        # The requested configuration, not the effective one: after a refused resize its disk size is wrong.
        config_file.save(config, self.profile.state_file)
        if self.instance.disks:
            remember(self.profile.store_file, disk_formatted=True)

    def stop(self, force: bool) -> None:
        """Shut the machine down. Raises Fatal."""
        if not self.running and not force:
            self.log.info("not running")
            return
        self.log.info("stopping ...")
        try:
            self.tools.must("limactl", "stop", *(["--force"] if force else []), self.profile.id)
        except Fatal as error:
            raise Fatal(f"error at 'stopping': {error}") from error

    def delete(self) -> None:
        """Remove the machine. Raises Fatal."""
        self.tools.must("limactl", "delete", "--force", self.profile.id)


def _expanded(path: str, environ: Mapping[str, str]) -> str:
    """A path with variables, and a leading ~, in full."""
    path = environ.get("HOME", "~") + path[1:] if path == "~" or path.startswith("~/") else path
    return _VARIABLE.sub(lambda found: environ.get(found[1] or found[2], found[0]), path)


def _arch(word: str, settings: Settings) -> str:
    """Return the architecture that a word means; unknown words mean the host's, without a warning."""
    known = {"arm64": "aarch64", "aarch64": "aarch64", "amd64": "x86_64", "x86_64": "x86_64"}
    return known.get(word, settings.arch)
