# SPDX-License-Identifier: GPL-3.0-or-later
"""What colima does for docker, containerd, incus and Kubernetes: provision, start, stop, tear down."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol, TextIO

from .. import guest_shell
from ..console import Fatal, Log
from ..files import config_file
from ..files.config_file import Config
from ..files.kubeconfig import Kubeconfig
from ..files.places import cache_directory
from ..files.store import Store
from ..guest import Answer, Guest
from ..host_tools import HostTools
from ..lima.downloads import cached, k3s_url
from .vm import Machine

PROVISION_SHARE = 0.15  # of the time of a whole start
START_SHARE = 0.1
# What colima writes below ~/.config where it finds nothing.
DEFAULTS = {
    "config.toml": "[grpc]\ngid = 1000\n",
    "buildkitd.toml": "[worker.oci]\nenabled = false\n\n[worker.containerd]\nenabled = true\n\n[grpc]\ngid = 1000\n",
}


class Runtime(Protocol):
    """What runs inside the machine."""

    name: str

    def provision(self, config: Config) -> None:
        """Prepare it."""

    def start(self, config: Config) -> None:
        """Start it."""

    def stop(self, force: bool) -> None:
        """Stop it."""

    def teardown(self) -> None:
        """Remove what it left on the host."""


def _shown(stdout: TextIO, answer: Answer) -> None:
    """Print the output of a guest command to stdout."""
    stdout.write(answer.out + answer.err)
    stdout.flush()


def _must(stdout: TextIO, answer: Answer) -> None:
    _shown(stdout, answer)
    if answer.code != 0:
        raise Fatal(f"exit status {answer.code}")


class Engine:
    """A container engine of the guest."""

    def __init__(self, name: str, machine: Machine, tools: HostTools, log: Log) -> None:
        self.name = name
        self.machine = machine
        self.tools = tools
        self.log = log.context(name)
        self.settings = machine.settings
        self.stdout = machine.settings.process.stdout

    @property
    def guest(self) -> Guest:
        """The inside of the machine."""
        return self.machine.guest

    def provision(self, config: Config) -> None:
        """Prepare the engine."""
        time.sleep(self.settings.boot_seconds * PROVISION_SHARE)
        profile = self.tools.profile
        if self.settings.fails(f"{self.name}-provision", profile.name):
            raise Fatal("exit status 1")
        if self.name == "docker":
            text = json.dumps(daemon_json(config, self.settings.environ), indent=2, sort_keys=True)
            self.guest.write("/etc/docker/daemon.json", text)
            self.tools.create_docker_context(config_file.auto_activate(config))
        elif self.name == "containerd":
            self._containerd_files()

    def _containerd_files(self) -> None:
        """Use the user's files, which are created on first use and shared by all profiles."""
        xdg = self.settings.environ.get("XDG_CONFIG_HOME")
        common = Path(xdg) if xdg else Path(self.settings.environ.get("HOME", "")) / ".config"
        files = {"config.toml": common / "containerd/config.toml", "buildkitd.toml": common / "buildkit/buildkitd.toml"}
        for name, central in files.items():
            own = self.tools.profile.directory / "containerd" / name
            if not own.exists() and not central.exists():
                central.parent.mkdir(parents=True, exist_ok=True)
                central.write_text(DEFAULTS[name], encoding="utf-8")
            guest = "/etc/containerd/config.toml" if name == "config.toml" else "/etc/buildkit/buildkitd.toml"
            self.guest.write(guest, (own if own.exists() else central).read_bytes())

    def start(self, config: Config) -> None:
        """Start the engine."""
        del config
        time.sleep(self.settings.boot_seconds * START_SHARE)
        if self.name == "incus":
            self._incus_recovery()
        if self.settings.fails(f"{self.name}-start", self.tools.profile.name):
            raise Fatal("exit status 1")
        _must(self.stdout, self.guest.start_runtime(self.name))
        if self.name == "incus":
            self.guest.write("/var/lib/rehearsal/incusbr0", "")

    def _incus_recovery(self) -> None:
        """Ask before a storage pool is reused. Silence means no, and no means that it is wiped."""
        new_machine = self.guest.read("/var/lib/rehearsal/incusbr0") is None
        store = Store.load(self.tools.profile.store_file)
        had_data = store.disk_formatted and store.disk_runtime == "incus" and self.machine.disk.used
        older = tuple(int(part) for part in self.settings.colima_version.split(".")) < (0, 10, 2)
        if new_machine and had_data and older:
            from ..console import confirmed

            if not confirmed(self.settings.process, "existing Incus data found, would you like to recover the storage pool(s)"):
                self.machine.disk.format()

    def stop(self, force: bool) -> None:
        """Stop the engine and, for docker, remove its context."""
        del force
        if self.guest.runtime_up:
            _shown(self.stdout, self.guest.stop_runtime())
        self.teardown()

    def teardown(self) -> None:
        """Remove what is on the host."""
        if self.name == "docker":
            self.tools.remove_docker_context()

    def version(self) -> str:
        """The version lines of colima version."""
        if self.name == "docker":
            template = 'client: v{{.Client.Version}}{{printf "\\n"}}server: v{{.Server.Version}}'
            try:
                return self.tools.output("docker", "--context", self.tools.profile.id, "version", "--format", template)
            except Fatal:
                return ""
        return guest_shell.run(self.guest, ["sudo", "nerdctl", "version"]).out.strip()


def daemon_json(config: Config, environ: Mapping[str, str]) -> dict[str, Any]:
    """Docker's daemon.json: the user's map and what colima adds."""
    wanted: dict[str, Any] = dict(config["docker"] or {})
    wanted.setdefault("features", {"buildkit": True, "containerd-snapshotter": True})
    wanted.setdefault("exec-opts", ["native.cgroupdriver=cgroupfs"])
    wanted.pop("host-gateway-ip", None)
    proxies = {}
    for name in ("http_proxy", "https_proxy", "no_proxy"):
        for source in (config["env"] or {}, environ):
            value = source.get(name) or source.get(name.upper())
            if value:
                proxies[name.replace("_", "-")] = value
                break
    if proxies:
        wanted["proxies"] = proxies
    return wanted


class Kubernetes:
    """k3s in the guest."""

    name = "kubernetes"

    def __init__(self, machine: Machine, tools: HostTools, log: Log) -> None:
        self.machine = machine
        self.tools = tools
        self.log = log.context(self.name)
        self.settings = machine.settings
        self.stdout = machine.settings.process.stdout

    @property
    def guest(self) -> Guest:
        """The inside of the machine."""
        return self.machine.guest

    @property
    def running(self) -> bool:
        """Whether k3s runs."""
        return self.guest.instance.reachable and self.guest.kubernetes_up

    def provision(self, config: Config | None) -> None:
        """Install k3s, or only configure it again. Without a configuration the settings in the guest count."""
        if self.running:
            return
        known = self.guest.known()
        if config is None:
            remembered = json.loads(known.get("kubernetes_config") or "{}")
            version = remembered.get("Version") or config_file.K3S_VERSION
            port = remembered.get("Port") or 0
        else:
            remembered = None
            version = config["kubernetes.version"] or config_file.K3S_VERSION
            port = config["kubernetes.port"]
        installed = self.guest.instance.notes().get("k3s_version") or ""
        if version not in installed:
            stage = "installing" if config is None else "downloading and installing"
            self._install(f"version changed to {version}, downloading and installing" if installed else stage, version)
        from rehearsal.processes.system import free_port

        # The first port stays as long as the machine exists, whatever the settings say later.
        listen = int(known.get("k3s_listen_port") or 0) or port or free_port()
        self.guest.instance.note(k3s_version=version, k3s_port=listen)
        wanted = remembered or _json_of(config, version)
        self.guest.remember(k3s_listen_port=str(listen), kubernetes_config=json.dumps(wanted, separators=(",", ":")))

    def _install(self, stage: str, version: str) -> None:
        self.log.info(f"{stage} ...")
        profile = self.tools.profile.name
        try:
            if not version.startswith("v1."):
                url = k3s_url(version)
                raise Fatal(f"error resolving download URL '{url}': file not found at '{url}'")
            cached(self.settings, cache_directory(self.settings), k3s_url(version), profile)
        except Fatal as error:
            raise Fatal(f"error at '{stage}': {error}") from error
        self.log.info("loading oci images ...")

    def start(self, config: Config | None) -> None:
        """Start k3s and merge its kubeconfig."""
        if self.running:
            self.log.info("already running")
            return
        notes = self.guest.instance.notes()
        if self.settings.fails("kubernetes", self.tools.profile.name):
            raise Fatal('error running [lima kubectl cluster-info], output: "", err: "exit status 1"')
        _must(self.stdout, self.guest.start_kubernetes(notes["k3s_version"], notes["k3s_port"]))
        activate = config is None or config_file.auto_activate(config)
        Kubeconfig(self.tools, self.guest, self.log).update(self.machine.address, activate)

    def stop(self, force: bool) -> None:
        """Stop k3s; the kubeconfig keeps its entries."""
        del force
        _shown(self.stdout, self.guest.stop_kubernetes())

    def teardown(self) -> None:
        """Uninstall k3s and remove its entries from the kubeconfig."""
        if self.guest.instance.notes().get("k3s_version"):
            _shown(self.stdout, guest_shell.run(self.guest, ["k3s-uninstall.sh"]))
        Kubeconfig(self.tools, self.guest, self.log).remove()


def _json_of(config: Config | None, version: str) -> dict[str, Any]:
    """The Kubernetes settings as colima keeps them in the guest."""
    found = config or config_file.zero()
    keys = {"Enabled": "enabled", "K3sArgs": "k3sArgs", "Port": "port"}
    return {"Version": version, **{key: found[f"kubernetes.{name}"] for key, name in keys.items()}}
