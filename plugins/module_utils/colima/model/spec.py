# SPDX-License-Identifier: GPL-3.0-or-later
"""What is asked for: profiles, policy and limits as values, and what makes them impossible. Knows no option of a module."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from ...colima_paths import Name
from ...company.network import CompanyNetwork, is_address, is_insecure_registry, is_mirror
from ...core.entries import kind_of
from ...core.errors import InputError
from ...core.secrecy.patterns import without_logins
from ...toolchain.programs import in_digits
from .config import Host, canonical_mounts
from .settings import (
    APPLE_SILICON,
    BY_OPTION,
    FRACTION_OF_MEMORY_SINCE,
    MACOS_13,
    NO_MOUNTS_SINCE,
    OLDEST,
    PROVISION_SINCE,
    VALUE_SINCE,
    Setting,
    Version,
)
from .shown import counted

LARGEST_NUMBER = 1_000_000


class Refusal(NamedTuple):
    """Why nothing may be done, as the parts of a sentence: "Could not {what}: {reason}. {remedy}"."""

    what: str
    reason: str
    remedy: str


# As its releases are tagged, candidates as well: colima downloads what is named so.
_K3S_RELEASE = re.compile(r"v\d+\.\d+\.\d+(-rc\d+)?\+k3s\d+")

# Lists of docker's daemon.json: what an entry has to be, else why it is none, and what to do.
_REGISTRIES: Mapping[str, tuple[Callable[[str], bool], str, str]] = {
    "insecure-registries": (
        is_insecure_registry,
        "it is not a host, an address or a range",
        "Use one such as registry.example.com:5000, without http://.",
    ),
    "registry-mirrors": (
        is_mirror,
        "it is not the address of a mirror",
        "Use one such as https://mirror.example.com, without a log-in.",
    ),
}


@dataclass(frozen=True)
class ProfileSpec:
    """One profile as asked for. stated holds only the options that were given: what is left out stays as it is.

    ecr_profile: the AWS profile that the kubelet pulls from ECR with; empty: it has none. The plan turns it into settings.
    build: whether BuildKit builds into the images of the cluster. It becomes a file of its own.
    company: the network that it works in; None: as it is. The plan turns it into settings.
    """

    name: Name
    state: str = "started"
    stated: Mapping[str, Any] = field(default_factory=dict)
    ecr_profile: str | None = None
    build: bool | None = None
    company: CompanyNetwork | None = None


@dataclass(frozen=True)
class ChangePolicy:
    """What a run may do to an existing profile."""

    restart: str = "if_idle"
    stop: str = "always"
    on_fixed_change: str = "refuse"
    confirm_data_loss: frozenset[str] = frozenset()
    delete_data: bool = False
    # For how many days what is deleted is set aside; 0: it is deleted at once.
    keep_deleted: float = 0.0
    # With stop if_idle: for how many seconds nothing must have run in a VM before it is stopped.
    idle_for: float = 0.0

    def may_destroy(self, name: Name) -> bool:
        """Whether the user repeated this profile's name where data loss is confirmed."""
        return name.name in self.confirm_data_loss

    def may_recreate_with_loss(self, name: Name) -> bool:
        """Whether a change of a fixed setting may cost the data: the user chose that, and repeated the name."""
        return self.on_fixed_change == "recreate_with_data_loss" and self.may_destroy(name)


@dataclass(frozen=True)
class TimeLimits:
    """How long things may take, in seconds."""

    timeout: float = 1800.0
    stall: float = 600.0
    # Lima waits three minutes for a hung guest before it kills it.
    stop: float = 300.0


def check(spec: ProfileSpec, host: Host) -> None:
    """Raise InputError for values, and combinations of values, that this system can't do."""
    for option, value in spec.stated.items():
        _check_value(spec.name, BY_OPTION[option], value, host)
    _check_machine(spec, host)
    for problem in kubernetes_problems(spec, spec.stated.get("runtime", "")):
        raise InputError(*problem)
    _check_mount_type(spec, host)


def _check_machine(spec: ProfileSpec, host: Host) -> None:
    """Check the type of the VM and its arch, which depend on each other."""
    stated = spec.stated
    vm_type, arch = stated.get("vm_type"), stated.get("arch", "host")
    is_foreign = arch not in ("host", host.arch)
    if vm_type == "krunkit" and not host.can(APPLE_SILICON):
        reason = f"it needs {APPLE_SILICON}, and this is {host.system} on {host.arch}"
        raise _wrong(spec.name, "vm_type", vm_type, reason, "Use vz or qemu.")
    if host.system == "Darwin" and is_foreign and (vm_type or host.vm_type) in ("vz", "krunkit"):
        raise _wrong(
            spec.name,
            "arch",
            arch,
            f"{vm_type or 'vz'} can't run it on a {host.arch} laptop, and colima would silently use another VM type",
            "Set vm_type to qemu with it.",
        )
    if stated.get("rosetta") and (vm_type not in (None, "vz") or is_foreign):
        needs = "it needs vm_type vz and the laptop's own arch"
        raise _wrong(spec.name, "rosetta", True, needs, "Set those, or leave it out.")


def _check_mount_type(spec: ProfileSpec, host: Host) -> None:
    mount_type, vm_type = spec.stated.get("mount_type"), spec.stated.get("vm_type")
    if mount_type == "virtiofs" and not host.can(MACOS_13):
        raise _wrong(spec.name, "mount_type", mount_type, f"it needs {MACOS_13}, and this is {host}", "Use sshfs or 9p.")
    if (mount_type == "9p" and vm_type in ("vz", "krunkit")) or (mount_type == "virtiofs" and vm_type == "qemu"):
        remedy = "Use virtiofs with vz, sshfs or 9p with qemu."
        raise _wrong(spec.name, "mount_type", mount_type, f"vm_type {vm_type} can't do it", remedy)


def _wrong(name: Name, option: str, value: Any, reason: str, remedy: str) -> InputError:
    return InputError(*_refusal(name, option, value, reason, remedy))


def _refusal(name: Name, option: str, value: Any, reason: str, remedy: str) -> Refusal:
    return Refusal(f"set '{option}' of profile '{name}' to '{value}'", reason, remedy)


def _check_value(name: Name, setting: Setting, value: Any, host: Host) -> None:
    option = setting.option
    if setting.choices and value not in setting.choices:
        raise _wrong(name, option, value, "colima does not know it", f"Use one of {', '.join(setting.choices)}.")
    _check_number(name, setting, value)
    if not host.can(setting.needs) and value not in (setting.neutral, setting.default):
        raise _wrong(name, option, value, f"it needs {setting.needs}, and this is {host}", "Leave it out.")
    if option.startswith("network.") or option.endswith("port"):
        _check_network(name, option, value)
    else:
        _check_content(name, option, value, host)


def _check_number(name: Name, setting: Setting, value: Any) -> None:
    option = setting.option
    if isinstance(value, float) and not math.isfinite(value):
        raise _wrong(name, option, value, "it is not a size", "Use a number of GiB.")
    if isinstance(value, int | float) and value > LARGEST_NUMBER:
        # Some have more digits than Python prints.
        raise _wrong(name, option, "a very large number", "it is too large", f"Use at most {LARGEST_NUMBER}.")
    if setting.least is not None and value < setting.least:
        least = counted(int(setting.least) if setting.least == 1 else setting.least, setting.unit)
        raise _wrong(name, option, value, "it is too small", f"Use at least {least}.")


def _check_network(name: Name, option: str, value: Any) -> None:
    if option in ("ssh_port", "kubernetes.port") and value > 65535:
        raise _wrong(name, option, value, "it is not a TCP port", "Use 0 (any free one) to 65535.")
    if option == "network.gateway_address" and not _is_gateway(value):
        raise _wrong(name, option, value, "colima wants an IPv4 address that ends in .2", "Use one such as 192.168.5.2.")
    if option == "network.dns":
        for address in value:
            if not is_address(address):
                raise _wrong(name, option, address, "it is not an IP address", "Use the addresses of DNS servers.")


def _check_content(name: Name, option: str, value: Any, host: Host) -> None:
    if option == "mounts" and value:
        _check_mounts(name, value, host)
    if option == "provision":
        _check_scripts(name, value)
    if option == "kubernetes.version" and value and not _K3S_RELEASE.fullmatch(value):
        raise _wrong(name, option, value, "it is not a release of k3s", "Use one such as v1.35.0+k3s1, or leave it out.")
    if option == "docker":
        _check_daemon(name, value)
    if option == "disk_image" and "://" in value:
        raise _wrong(name, option, value, "colima takes local files only", "Download the image, and use its path.")


def _check_daemon(name: Name, daemon: Mapping[str, Any]) -> None:
    """Check what docker's daemon.json can't hold, as far as dockerd would not start with it."""
    for key, value in daemon.items():
        option = f"docker.{key}"
        if key == "hosts":
            raise _wrong(name, option, value, "dockerd would not start with it in colima's VM", "Leave it out.")
        if "_" in str(key):
            hyphens = str(key).replace("_", "-")
            raise InputError(f"set '{option}' of profile '{name}'", "docker does not know it", f"Did you mean '{hyphens}'?")
        if key in _REGISTRIES:
            _check_registries(name, key, value)


def _check_registries(name: Name, key: str, value: Any) -> None:
    option, (is_right, reason, remedy) = f"docker.{key}", _REGISTRIES[key]
    if not isinstance(value, list):
        example = f"Write it as [{value}]." if isinstance(value, str) else "Begin each entry with '- '."
        raise InputError(f"set '{option}' of profile '{name}'", f"it is {kind_of(value)}, not a list", example)
    for entry in value:
        if not isinstance(entry, str) or not is_right(entry):
            raise _wrong(name, option, without_logins(str(entry)), reason, remedy)


def _check_scripts(name: Name, scripts: list[dict[str, Any]]) -> None:
    for item in scripts:
        if item["mode"] not in PROVISION_SINCE:
            remedy = f"Use one of {', '.join(PROVISION_SINCE)}."
            raise _wrong(name, "provision.mode", item["mode"], "colima does not know it", remedy)


def _check_mounts(name: Name, mounts: list[dict[str, Any]], host: Host) -> None:
    points = []
    for location, point, _writable in canonical_mounts(mounts, host.home) or ():
        for path in (location, point):
            if not path.startswith(("/", "$")):
                raise _wrong(name, "mounts", path, "relative paths can't be mounted", "Use an absolute path, or one below ~.")
        points.append(point)
    for index, outer in enumerate(points):
        for place, other in enumerate(points):
            if index != place and (other + "/").startswith(outer.rstrip("/") + "/"):
                raise _wrong(
                    name, "mounts", other, f"it lies in '{outer}', and mounts may not overlap", "Mount only one of them."
                )


def _is_gateway(text: str) -> bool:
    return is_address(text) and "." in text and text.endswith(".2")


def kubernetes_problems(spec: ProfileSpec, runtime: str) -> list[Refusal]:
    """Return why this runtime can't have the Kubernetes that is asked for."""
    if not spec.stated.get("kubernetes.enabled") or runtime not in ("incus", "none"):
        return []
    reason = f"colima has no Kubernetes on runtime {runtime}"
    return [_refusal(spec.name, "kubernetes.enabled", True, reason, "Use runtime containerd or docker.")]


def too_old(version: Version | None) -> list[Refusal]:
    """Return why this colima is too old for anything. None: not known, nothing to object."""
    if version is None or version >= OLDEST:
        return []
    reason = f"it does not tell whether a VM's set-up is finished, as colima {in_digits(OLDEST)} and newer do"
    return [Refusal(f"use colima {in_digits(version)}", reason, "Run 'brew upgrade colima'.")]


def version_problems(spec: ProfileSpec, version: Version | None) -> list[Refusal]:
    """Return a refusal for each stated setting that this colima is too old for. None: not known, nothing to object."""
    if version is None:
        return []
    result = []
    for option, value in spec.stated.items():
        needed = _needed(option, value)
        if version < needed:
            reason = f"it needs colima {in_digits(needed)}, and {in_digits(version)} is installed"
            result.append(Refusal(f"set '{option}' of profile '{spec.name}'", reason, "Run 'brew upgrade colima'."))
    return result


def _needed(option: str, value: Any) -> Version:
    """Return the first version of colima that knows this value of an option."""
    setting = BY_OPTION[option]
    needed = setting.since if value != setting.default else (0, 0, 0)
    if isinstance(value, str):
        needed = max(needed, VALUE_SINCE.get((option, value), needed))
    if option == "mounts" and value is None:
        needed = NO_MOUNTS_SINCE
    if option == "memory" and not float(value).is_integer():
        needed = FRACTION_OF_MEMORY_SINCE
    if option == "provision":
        # Of a script that a user has written into the file, no one has judged the mode.
        needed = max((PROVISION_SINCE.get(item["mode"] or "system", needed) for item in value), default=needed)
    return needed
