# SPDX-License-Identifier: GPL-3.0-or-later
"""The settings of a profile as a value: defaults, what equal means, how they are shown. Pure.

A Config is a flat mapping from option names (kubernetes.enabled) to plain values; yaml_text.py makes a file of it and back.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ...company.network import GATEWAY
from .settings import ANYWHERE, APPLE_SILICON, APPLE_SILICON_13, MACOS, MACOS_13, NESTING, SETTINGS, UNKNOWN, Setting

Config = Mapping[str, Any]

_ARCHITECTURES = {"arm64": "aarch64", "amd64": "x86_64"}
# What colima itself adds to the applied settings.
_IMPLICIT_HOST = ("host.docker.internal", "host.lima.internal")


# Which settings want an Apple chip, which version of macOS, which generation of the chip.
_MAC_NEEDS = {
    MACOS: (False, 0, 0),
    MACOS_13: (False, 13, 0),
    APPLE_SILICON: (True, 0, 0),
    APPLE_SILICON_13: (True, 13, 0),
    NESTING: (True, 15, 3),
}


@dataclass(frozen=True)
class Host:
    """The laptop: what its system can do and how much it has. Sizes in MiB; 0 means unknown, which forbids nothing."""

    system: str = "Linux"
    arch: str = "x86_64"
    home: str = ""
    cpus: int = 0
    memory_mib: int = 0
    disk_free_mib: int = 0
    reserve_memory_mib: int = 1024
    macos: int = 0  # its version, 0 where it is not a Mac
    chip: int = 0  # the generation of an Apple M chip

    def can(self, needs: str) -> bool:
        """Whether a setting with these needs has an effect here."""
        if needs == ANYWHERE:
            return True
        silicon, macos, chip = _MAC_NEEDS[needs]
        enough = (not self.macos or self.macos >= macos) and (not self.chip or self.chip >= chip)
        return self.system == "Darwin" and enough and (not silicon or self.arch == "aarch64")

    @property
    def vm_type(self) -> str:
        """The VM type that colima takes here by default."""
        return "vz" if self.can(MACOS_13) else "qemu"

    def __str__(self) -> str:
        system = f"macOS {self.macos}" if self.macos else self.system
        return f"{system} on {self.arch}" + (f" (Apple M{self.chip})" if self.chip else "")


def has_kubernetes(config: Config) -> bool:
    """Whether a profile with these settings runs Kubernetes. On other runtimes colima drops it without a word."""
    return bool(config["kubernetes.enabled"]) and config["runtime"] in ("docker", "containerd")


def nested(config: Config) -> dict[str, Any]:
    """Return settings as colima.yaml nests them, unknown keys under a name of their own."""
    result: dict[str, Any] = {}
    for option, value in config.items():
        *parents, last = option.split(".")
        place = result
        for part in parents:
            place = place.setdefault(part, {})
        place[last] = value
    return result


def architecture(word: str) -> str:
    """Return colima's word for a machine type."""
    return _ARCHITECTURES.get(word, word)


# colima's documented defaults, without what depends on the host.
DEFAULTS: dict[str, Any] = {setting.option: setting.default for setting in SETTINGS} | {UNKNOWN: {}}


def defaults(host: Host) -> dict[str, Any]:
    """Return colima's documented defaults for a new profile on this host."""
    config = DEFAULTS | {UNKNOWN: {}}
    config["vm_type"] = host.vm_type
    config["mount_type"] = default_mount_type(config["vm_type"])
    return config


def config_from(data: Any) -> Config | None:
    """Return settings that were noted as JSON. None for anything but a complete set of the right types."""
    if isinstance(data, dict) and all(
        setting.option in data and _is_value(setting, data[setting.option]) for setting in SETTINGS
    ):
        return data
    return None


def _is_value(setting: Setting, value: Any) -> bool:
    if setting.option == "mounts":
        return value is None or _all_have_texts(value, "location", "mount_point")
    if setting.option == "provision":
        return _all_have_texts(value, "mode", "script")
    if setting.kind is float:
        # Of an int that no float can hold, isfinite can't tell.
        return type(value) in (int, float) and abs(value) <= sys.float_info.max
    if type(value) is not setting.kind:
        return False
    if isinstance(value, dict):
        return setting.option == "docker" or all(isinstance(text, str) for text in value.values())
    return not isinstance(value, list) or all(isinstance(text, str) for text in value)


def _all_have_texts(value: Any, *names: str) -> bool:
    """Whether it is a list of mappings that have a text under each of these names."""
    return isinstance(value, list) and all(
        isinstance(item, dict) and all(isinstance(item.get(name), str) for name in names) for item in value
    )


def default_mount_type(vm_type: str) -> str:
    """Return how colima shares directories with a VM of this type by default."""
    return "virtiofs" if vm_type in ("vz", "krunkit") else "sshfs"


def canonical(config: Config, host: Host, instance: str) -> dict[str, Any]:
    """Return the settings in a form in which equal meanings are equal values."""
    result = dict(config)
    arch = architecture(str(result.get("arch") or "host"))
    result["arch"] = host.arch if arch == "host" else arch
    result["vm_type"] = result.get("vm_type") or host.vm_type
    result["mount_type"] = result.get("mount_type") or default_mount_type(result["vm_type"])
    result["hostname"] = result.get("hostname") or instance
    if result.get("cpu_type") == "host":
        result["cpu_type"] = ""
    result |= {setting.option: _canonical_value(setting, result.get(setting.option), host) for setting in SETTINGS}
    result["network.interface"] = result["network.interface"] or ("en0" if host.can(MACOS) else "")
    result["network.gateway_address"] = result.get("network.gateway_address") or GATEWAY
    result["network.dns_hosts"] = own_hosts(result)
    result["mounts"] = canonical_mounts(result.get("mounts"), host.home)
    result["provision"] = _canonical_scripts(result.get("provision"))
    return result


def _canonical_value(setting: Setting, value: Any, host: Host) -> Any:
    if not host.can(setting.needs):
        return setting.neutral
    if setting.kind is float and value is not None:
        return float(value)
    if value:
        return value
    if setting.choices and setting.default:
        return setting.default
    # Without mounts stands for the home directory.
    return setting.kind() if setting.kind in (list, dict) and setting.option != "mounts" else value


def _canonical_scripts(scripts: Any) -> list[tuple[str, str]]:
    """Return (mode, script), without white space after a script."""
    return [(script.get("mode") or "system", str(script.get("script") or "").rstrip()) for script in scripts or []]


def own_hosts(config: Config) -> dict[str, Any]:
    """Return the host names in the VM, without the name that colima adds by itself."""
    hosts = dict(config.get("network.dns_hosts") or {})
    return {name: address for name, address in hosts.items() if (name, address) != _IMPLICIT_HOST}


def canonical_mounts(mounts: Any, home: str) -> list[tuple[str, str, bool]] | None:
    """Return (location, mount point, writable) with paths expanded; the empty list is the home directory; None is none."""
    if mounts is None:
        return None
    if not mounts:
        return [(home, home, True)]
    result = []
    for mount in mounts:
        location = expanded(mount["location"], home)
        result.append((location, expanded(mount.get("mount_point") or location, home), bool(mount.get("writable"))))
    return result


def expanded(path: str, home: str) -> str:
    """Return a path with the home directory in full and no closing slash."""
    if path == "~" or path.startswith("~/"):
        path = home + path[1:]
    return path.rstrip("/") or "/"


def differences(current: Config, wanted: Config, options: frozenset[str], host: Host, instance: str) -> list[str]:
    """Return the options, out of the given ones, whose meaning differs, in the order of the table."""
    one, other = canonical(current, host, instance), canonical(wanted, host, instance)
    return [s.option for s in SETTINGS if s.option in options and one[s.option] != other[s.option]]


def proxies_of_start(config: Config) -> dict[str, str]:
    """Return the variables with which colima has to be started, so that a guest gets the proxies of its settings.

    Lima lets the variables of the process that starts it win over those settings, and makes the gateway of the laptop's loopback.
    """
    env, gateway = config["env"], config["network.gateway_address"] or GATEWAY
    found: dict[str, str] = {}
    for name in ("http_proxy", "https_proxy", "no_proxy"):
        value = env.get(name, env.get(name.upper()))
        if value is not None:
            value = value if name == "no_proxy" else value.replace(f"//{gateway}:", "//127.0.0.1:")
            found |= {name: value, name.upper(): value}
    return found
