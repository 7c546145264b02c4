# SPDX-License-Identifier: GPL-3.0-or-later
"""The table of colima's settings: each key of colima.yaml, its type and default, when a change takes effect, who can do it.

Options are named as the keys of colima.yaml in snake case; nested ones are written with a dot here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ...company.network import GATEWAY

# When a change takes effect.
LIVE = "live"  # at once: nothing in the VM depends on it
RESTART = "restart"
FIXED = "fixed"  # never, short of deleting the VM
GROW = "grow"  # at a restart, and upwards only
CREATE = "create"  # read once, when the VM (or k3s in it) is made

# Who can do it.
ANYWHERE = "any system"
MACOS = "macOS"
MACOS_13 = "macOS 13"
APPLE_SILICON = "macOS on Apple silicon"
APPLE_SILICON_13 = "macOS 13 on Apple silicon"
NESTING = "macOS 15 on an Apple M3 or newer"

Version = tuple[int, int, int]
# The first with `status --json`, which tells a running profile from a half-started one.
OLDEST: Version = (0, 8, 1)


@dataclass(frozen=True)
class Setting:
    """One key of colima.yaml.

    absent is what colima makes of a file without the key, which is not always the documented default. neutral is what it
    writes where the system can't do the setting.
    """

    option: str
    key: str
    kind: type
    default: Any
    when: str = RESTART
    since: Version = OLDEST
    needs: str = ANYWHERE
    choices: tuple[str, ...] = ()
    least: float | None = None
    absent: Any = None
    neutral: Any = None
    unit: str = ""


def _setting(name: str, kind: type, default: Any, when: str = RESTART, **more: Any) -> Setting:
    """A setting whose option and key differ in writing only: root_disk and rootDisk."""
    more.setdefault("absent", default)
    parts = [word.split("_") for word in name.split(".")]
    key = ".".join(first + "".join(word.capitalize() for word in rest) for first, *rest in parts)
    return Setting(name, key, kind, default, when, **more)


SETTINGS: tuple[Setting, ...] = (
    _setting("cpu", int, 2, least=1, absent=0, unit="CPUs"),
    _setting("memory", float, 2.0, least=0.25, absent=0.0, unit="GiB"),
    _setting("disk", int, 100, GROW, least=1, absent=0, unit="GiB"),
    _setting("root_disk", int, 20, GROW, since=(0, 9, 0), least=1, unit="GiB"),
    _setting("arch", str, "host", FIXED, choices=("host", "x86_64", "aarch64")),
    _setting("runtime", str, "docker", FIXED, choices=("docker", "containerd", "incus", "none")),
    _setting("hostname", str, ""),
    _setting("cpu_type", str, ""),
    _setting("kubernetes.enabled", bool, False),
    # Empty: the version that this colima installs by default.
    _setting("kubernetes.version", str, ""),
    Setting("kubernetes.k3s_args", "kubernetes.k3sArgs", list, ["--disable=traefik"], absent=["--disable=traefik"]),
    _setting("kubernetes.port", int, 0, CREATE, since=(0, 9, 1), least=0),
    _setting("auto_activate", bool, True, LIVE),
    _setting("network.address", bool, False, needs=MACOS, neutral=False),
    _setting("network.mode", str, "shared", FIXED, since=(0, 9, 0), needs=MACOS, choices=("shared", "bridged"), neutral=""),
    _setting("network.interface", str, "en0", since=(0, 9, 0), needs=MACOS, neutral=""),
    _setting("network.preferred_route", bool, False, since=(0, 9, 0), needs=MACOS, neutral=False),
    _setting("network.dns", list, []),
    _setting("network.dns_hosts", dict, {}),
    _setting("network.host_addresses", bool, False),
    _setting("network.gateway_address", str, GATEWAY, since=(0, 10, 0)),
    _setting("forward_agent", bool, False),
    _setting("docker", dict, {}),
    _setting("vm_type", str, "", FIXED, needs=MACOS_13, choices=("qemu", "vz", "krunkit"), neutral="qemu"),
    _setting("port_forwarder", str, "ssh", since=(0, 9, 0), choices=("ssh", "grpc", "none")),
    _setting("rosetta", bool, False, needs=APPLE_SILICON_13, neutral=False),
    _setting("binfmt", bool, True, since=(0, 8, 2)),
    _setting("nested_virtualization", bool, False, needs=NESTING, neutral=False),
    _setting("mount_type", str, "", FIXED, choices=("sshfs", "9p", "virtiofs")),
    _setting("mount_inotify", bool, False, needs=MACOS, neutral=False),
    _setting("ssh_config", bool, True, absent=False),
    _setting("ssh_port", int, 0, least=0),
    # [] means the home directory, writable; None means nothing is mounted.
    _setting("mounts", list, [], absent=None),
    _setting("provision", list, []),
    _setting("env", dict, {}),
    _setting("disk_image", str, "", CREATE),
    _setting("force_disk_image", bool, False, LIVE, since=(0, 10, 2)),
    _setting("model_runner", str, "docker", since=(0, 10, 1), needs=APPLE_SILICON_13, choices=("docker", "ramalama"), neutral=""),
)
BY_OPTION = {setting.option: setting for setting in SETTINGS}
# Where a Config keeps the keys of colima.yaml that only a newer colima knows, nested as in the file.
UNKNOWN = "unknown"

# Values that came later than their key.
VALUE_SINCE: dict[tuple[str, str], Version] = {
    ("vm_type", "krunkit"): (0, 10, 0),
    ("port_forwarder", "none"): (0, 10, 0),
}
PROVISION_SINCE: dict[str, Version] = {
    "system": OLDEST,
    "user": OLDEST,
    "boot": OLDEST,
    "dependency": OLDEST,
    "after-boot": (0, 10, 0),
    "ready": (0, 10, 0),
}
NO_MOUNTS_SINCE: Version = (0, 10, 0)
FRACTION_OF_MEMORY_SINCE: Version = (0, 8, 2)
DATA_DISK_SINCE: Version = (0, 9, 0)
INCUS_KEEPS_DATA_SINCE: Version = (0, 10, 2)


# What each colima installs by default.
_K3S = (
    ((0, 10, 0), "v1.35.0+k3s1"),
    ((0, 9, 0), "v1.33.4+k3s1"),
    ((0, 8, 2), "v1.33.3+k3s1"),
    ((0, 0, 0), "v1.31.2+k3s1"),
)


def k3s_of(version: Version | None) -> str:
    """Return the k3s that this colima installs by default. None: not known, so the newest."""
    return next(k3s for since, k3s in _K3S if version is None or version >= since)
