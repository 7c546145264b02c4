# SPDX-License-Identifier: GPL-3.0-or-later
"""The settings of a start: flag over file over template over default, and over all of them the fixed settings of the VM."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..console import Fatal, Log
from ..files import config_file
from ..files.config_file import GATEWAY, K3S_VERSION, Config
from ..files.places import Profile
from ..files.settings import Settings
from .flags import Flag, Parsed

# Flag to key, for the flags whose value is the key's.
KEYS = {
    "runtime": "runtime",
    "cpus": "cpu",
    "cpu-type": "cpuType",
    "memory": "memory",
    "disk": "disk",
    "root-disk": "rootDisk",
    "arch": "arch",
    "hostname": "hostname",
    "disk-image": "diskImage",
    "force-disk-image": "forceDiskImage",
    "port-forwarder": "portForwarder",
    "network-host-addresses": "network.hostAddresses",
    "network-address": "network.address",
    "network-mode": "network.mode",
    "network-interface": "network.interface",
    "network-preferred-route": "network.preferredRoute",
    "vm-type": "vmType",
    "vz-rosetta": "rosetta",
    "model-runner": "modelRunner",
    "nested-virtualization": "nestedVirtualization",
    "gateway-address": "network.gatewayAddress",
    "binfmt": "binfmt",
    "mount": "mounts",
    "mount-type": "mountType",
    "mount-inotify": "mountInotify",
    "ssh-agent": "forwardAgent",
    "ssh-config": "sshConfig",
    "ssh-port": "sshPort",
    "kubernetes": "kubernetes.enabled",
    "kubernetes-version": "kubernetes.version",
    "k3s-arg": "kubernetes.k3sArgs",
    "k3s-listen-port": "kubernetes.port",
    "env": "env",
    "dns": "network.dns",
    "dns-host": "network.dnsHosts",
    "activate": "autoActivate",
}
# An absent or zero value of these keys does not replace the default.
KEEP_DEFAULT = {"rootDisk", "kubernetes.version", "kubernetes.k3sArgs", "kubernetes.port", "autoActivate", "binfmt"}
KEEP_DEFAULT |= {"forceDiskImage"}
FIXED = {
    "architecture": "arch",
    "virtual machine type": "vmType",
    "runtime": "runtime",
    "volume mount type": "mountType",
    "network mode": "network.mode",
}


def start_flags(settings: Settings) -> list[Flag]:
    """The flags of start on this system; what is missing here is an unknown flag."""
    saves = settings.environ.get("COLIMA_SAVE_CONFIG", "")
    flags = [
        Flag("runtime", "str", "docker", "r"),
        Flag("activate", default=True),
        Flag("cpus", "int", 2, "c"),
        Flag("cpu", "int", 2),
        Flag("cpu-type", "str", ""),
        Flag("memory", "float", 2, "m"),
        Flag("disk", "int", 100, "d"),
        Flag("root-disk", "int", 20),
        Flag("arch", "str", settings.arch, "a"),
        Flag("foreground", short="f"),
        Flag("hostname", "str", ""),
        Flag("disk-image", "str", "", "i"),
        Flag("force-disk-image"),
        Flag("template", default=True),
        Flag("port-forwarder", "str", "ssh"),
        Flag("network-host-addresses"),
        Flag("gateway-address", "ip", GATEWAY),
        Flag("binfmt", default=True),
        Flag("edit", short="e"),
        Flag("editor", "str", ""),
        Flag("save-config", default=saves.lower() in ("1", "t", "true") if saves else True),
        Flag("mount", "list", [], "V"),
        Flag("mount-type", "str", "virtiofs" if settings.darwin else "sshfs"),
        Flag("mount-inotify"),
        Flag("ssh-agent", short="s"),
        Flag("ssh-config", default=True),
        Flag("ssh-port", "int", 0),
        Flag("kubernetes", short="k"),
        Flag("with-kubernetes"),
        Flag("kubernetes-version", "str", K3S_VERSION),
        Flag("kubernetes-disable", "list", []),
        Flag("k3s-arg", "list", ["--disable=traefik"]),
        Flag("k3s-listen-port", "int", 0),
        Flag("env", "pairs", {}),
        Flag("dns", "ips", [], "n"),
        Flag("dns-host", "list", []),
        Flag("downloader", "str", "native"),
    ]
    return flags + (_mac_flags(settings) if settings.darwin else [])


def _mac_flags(settings: Settings) -> list[Flag]:
    flags = [
        Flag("network-address"),
        Flag("network-mode", "str", "shared"),
        Flag("network-interface", "str", "en0"),
        Flag("network-preferred-route"),
        Flag("vm-type", "str", "vz", "t"),
    ]
    if settings.apple_silicon:
        flags += [Flag("vz-rosetta"), Flag("model-runner", "str", "docker"), Flag("nested-virtualization", short="z")]
    return flags


def prepare(given: Parsed, settings: Settings, profile: Profile, log: Log) -> Config:
    """Return the settings of this start."""
    current = _saved(profile, log)
    config = _from_flags(given, settings, log)
    if not current["runtime"]:
        try:
            template = config_file.load(profile.base / "_templates" / "default.yaml") if given["template"] else None
        except config_file.LoadError:
            template = None
        if template is None:
            # Without an applied configuration colima does not check the fixed settings.
            return config
        current = template
    current = config_file.with_defaults(current, profile.id, settings.vm_type)
    # What has no flag is only in the file.
    config.update({key: current[key] for key in config_file.KINDS.keys() - KEYS.values()})
    for flag, key in KEYS.items():
        # A flag that this system does not have is not read from the file either: its key is reset.
        if flag not in given.values or flag in given.changed:
            continue
        if key not in KEEP_DEFAULT or (current[key] is not None and current[key] not in (0, "")) or current[key] is False:
            config[key] = current[key]
    return _fixed(config, profile, log)


def _saved(profile: Profile, log: Log) -> Config:
    if not profile.file.exists():
        return config_file.zero()
    try:
        return config_file.load(profile.file)
    except config_file.LoadError as error:
        log.warning(f"config load failed: {error}")
        log.warning("reverting to default settings")
        return error.config


def _from_flags(given: Parsed, settings: Settings, log: Log) -> Config:
    if "with-kubernetes" in given.changed:
        given.values["kubernetes"] = given["with-kubernetes"]
        given.changed.add("kubernetes")
    if "cpu" in given.changed and "cpus" not in given.changed:
        given.values["cpus"] = given["cpu"]
        given.changed.add("cpus")
    config = config_file.zero()
    config.update({key: given[flag] for flag, key in KEYS.items() if flag in given.values})
    config["mounts"] = _mounts(given["mount"])
    config["network.dns"] = given["dns"] or None
    config["network.dnsHosts"] = _dns_hosts(given["dns-host"], log)
    config["kubernetes.k3sArgs"] = given["k3s-arg"] + [f"--disable={one}" for one in given["kubernetes-disable"]]
    config["vmType"] = config["vmType"] or settings.vm_type
    _mount_type(config, given, log)
    if config["runtime"] == "incus" and settings.darwin:
        config["network.address"] = config["network.address"] or "network-address" not in given.changed
    return config


def _mount_type(config: Config, given: Parsed, log: Log) -> None:
    if "vm-type" in given.changed and config["vmType"] == "vz" and "mount-type" not in given.changed:
        config["mountType"] = "virtiofs"
        given.changed.add("mount-type")
    if config["vmType"] not in ("vz", "krunkit") and config["mountType"] == "virtiofs":
        config["mountType"] = "sshfs"
        if "mount-type" in given.changed:
            log.warning("virtiofs is only available for 'vz' vmType, using sshfs")
    if config["vmType"] == "vz" and config["mountType"] == "9p":
        config["mountType"] = "virtiofs"
        if "mount-type" in given.changed:
            log.warning("9p is only available for 'qemu' vmType, using virtiofs")


def _mounts(words: list[str]) -> list[dict[str, Any]] | None:
    mounts = []
    for word in words:
        if word.lower() == "none":
            return None
        parts = word.split(":", 2)
        mount: dict[str, Any] = {"location": parts[0]}
        if len(parts) > 1 and parts[1].startswith("/"):
            mount["mountPoint"] = parts[1]
        mount["writable"] = parts[-1] == "w" and len(parts) > 1
        mounts.append(mount)
    return mounts


def _dns_hosts(words: list[str], log: Log) -> dict[str, str]:
    hosts = {}
    for word in words:
        name, equals, target = word.partition("=")
        if not equals:
            log.warning(f"unable to parse custom dns host: {word}, skipping\n")
            continue
        hosts[name] = target
    return hosts


def _fixed(config: Config, profile: Profile, log: Log) -> Config:
    """Restore the settings that an existing machine cannot change, and say so."""
    try:
        state = config_file.load(profile.state_file)
    except config_file.LoadError:
        return config
    for name, key in FIXED.items():
        if key == "network.mode" and state["network.address"] and not config["network.address"]:
            log.warning("network address cannot be disabled once enabled")
            config["network.address"] = True
        if state[key]:
            if state[key] != config[key]:
                log.warning(f"'{name}' cannot be updated after initial setup, discarded")
            config[key] = state[key]
    return config


def validate(config: Config, settings: Settings) -> None:
    """Refuse what colima refuses before it saves. Raises Fatal."""
    mount_types = {"9p", "sshfs"} | ({"virtiofs"} if settings.darwin else set())
    if config["mountType"] not in mount_types:
        raise Fatal(f"invalid mountType: '{config['mountType']}'")
    if config["vmType"] == "krunkit" and not settings.apple_silicon:
        raise Fatal("vmType 'krunkit' is only available on macOS with Apple Silicon")
    vm_types = {"qemu"} | ({"vz"} if settings.darwin else set()) | ({"krunkit"} if settings.apple_silicon else set())
    if config["vmType"] not in vm_types:
        raise Fatal(f"invalid vmType: '{config['vmType']}'")
    if config["vmType"] == "qemu" and "no-qemu-img" in settings.failures:
        missing = "qemu-img not found, run 'brew install qemu' to install"
        raise Fatal(f"cannot use vmType: 'qemu', error: {missing}")
    if config["diskImage"].startswith(("http://", "https://")):
        raise Fatal("cannot use diskImage: remote URLs not supported, only local files can be specified")
    if config["portForwarder"] not in ("grpc", "ssh", "none"):
        raise Fatal(f"invalid port forwarder: '{config['portForwarder']}'")
    gateway = config["network.gatewayAddress"]
    if gateway:
        if ":" in gateway:
            raise Fatal(f'gateway "{gateway}" is not IPv4')
        if gateway.rsplit(".", 1)[-1] != "2":
            raise Fatal(f'the last octet of gateway "{gateway}" is not 2')


def edited(editor: str, profile: Profile, environ: Mapping[str, str]) -> Path:
    """Let an editor change a copy of the file, as start --edit does. Returns the copy."""
    import subprocess
    import tempfile

    text = profile.file.read_text(encoding="utf-8")
    handle, name = tempfile.mkstemp(prefix="colima-", suffix=".yaml")
    os.close(handle)
    copy = Path(name)
    copy.write_text(text, encoding="utf-8")
    subprocess.run(["sh", "-c", f"{editor or environ.get('EDITOR', 'true')} {copy}"], check=True, env=environ)
    return copy
