# SPDX-License-Identifier: GPL-3.0-or-later
"""What the user asks for: profiles and policy from module options, checked as far as they can be without a look at colima."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ...colima_paths import Name, parse_name
from ...core.errors import InputError
from .config import Host, architecture, canonical_mounts
from .settings import (
    APPLE_SILICON,
    BY_OPTION,
    FRACTION_OF_MEMORY_SINCE,
    MACOS_13,
    NO_MOUNTS_SINCE,
    PROVISION_SINCE,
    SETTINGS,
    VALUE_SINCE,
    Setting,
    Version,
    text_of,
)
from .values import texts_of

_NESTED = ("kubernetes", "network")
NO_MOUNTS = "none"


@dataclass(frozen=True)
class Desired:
    """One profile as asked for. stated holds only the options that were given: what is left out stays as it is."""

    name: Name
    state: str = "started"
    stated: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Policy:
    """What a run may do to what is there."""

    restart: str = "if_idle"
    on_fixed_change: str = "refuse"
    confirm_data_loss: frozenset[str] = frozenset()
    delete_data: bool = False

    def may_destroy(self, name: Name) -> bool:
        """Whether the user repeated this profile's name where data loss is confirmed."""
        return name.name in self.confirm_data_loss


def policy_from(params: Mapping[str, Any]) -> Policy:
    """Return the policy of a module's options."""
    return Policy(
        params.get("restart") or "if_idle",
        params.get("on_fixed_change") or "refuse",
        frozenset(parse_name(name).name for name in params.get("confirm_data_loss") or ()),
        bool(params.get("delete_data")),
    )


def desired_from(profiles: Iterable[Mapping[str, Any]], host: Host) -> list[Desired]:
    """Return the profiles of a module's options in their order. Raises InputError for what can't be meant."""
    result: list[Desired] = []
    seen: dict[str, str] = {}
    for params in profiles:
        text = params.get("name") or ""
        name = parse_name(text)
        # macOS keeps K8s and k8s in the same directory.
        twin = seen.setdefault(name.name.lower(), text)
        if len(seen) == len(result):
            raise InputError(f"Could not plan profile '{text}': '{twin}' is the same profile to colima. Name each profile once.")
        desired = Desired(name, params.get("state") or "started", stated_from(params))
        check(desired, host)
        result.append(desired)
    return result


def stated_from(params: Mapping[str, Any]) -> dict[str, Any]:
    """Return the given settings of one profile as a flat mapping."""
    result: dict[str, Any] = {}
    for setting in SETTINGS:
        value: Any = params
        for part in setting.option.split("."):
            value = (value or {}).get(part)
        if value is not None:
            texts = setting.option in ("env", "network.dns_hosts")
            given = texts_of(setting.option, value, params.get("name") or "") if texts else _normal(setting, value)
            result[setting.option] = given
    return result


def _normal(setting: Setting, value: Any) -> Any:
    if setting.option == "mounts":
        if len(value) == 1 and value[0].get("location") == NO_MOUNTS:
            return None
        return [
            {
                "location": item["location"],
                "mount_point": item.get("mount_point") or "",
                "writable": bool(item.get("writable")),
            }
            for item in value
        ]
    if setting.option == "provision":
        return [{"mode": item.get("mode") or "system", "script": item["script"]} for item in value]
    if setting.option == "arch":
        return architecture(value)
    return setting.kind(value)


def check(desired: Desired, host: Host) -> None:
    """Raise InputError for values, and combinations of values, that this system can't do."""
    for option, value in desired.stated.items():
        _check_value(desired.name, BY_OPTION[option], value, host)
    stated = desired.stated
    vm_type = stated.get("vm_type")
    if vm_type == "krunkit" and not host.can(APPLE_SILICON):
        reason = f"it needs {APPLE_SILICON}, and this is {host.system} on {host.arch}"
        raise _wrong(desired.name, "vm_type", vm_type, reason, "Use vz or qemu.")
    arch = stated.get("arch", "host")
    if host.system == "Darwin" and arch not in ("host", host.arch) and (vm_type or host.vm_type) in ("vz", "krunkit"):
        raise _wrong(
            desired.name,
            "arch",
            arch,
            f"{vm_type or 'vz'} can't run it on a {host.arch} laptop, and colima would silently use another VM type",
            "Set vm_type to qemu with it.",
        )
    if stated.get("rosetta") and (vm_type not in (None, "vz") or arch not in ("host", host.arch)):
        needs = "it needs vm_type vz and the laptop's own arch"
        raise _wrong(desired.name, "rosetta", True, needs, "Set those, or leave it out.")
    for problem in kubernetes_problems(desired, stated.get("runtime", "")):
        raise InputError(problem)
    mount_type = stated.get("mount_type")
    if mount_type == "virtiofs" and not host.can(MACOS_13):
        raise _wrong(desired.name, "mount_type", mount_type, f"it needs {MACOS_13}, and this is {host}", "Use sshfs or 9p.")
    if (mount_type == "9p" and vm_type in ("vz", "krunkit")) or (mount_type == "virtiofs" and vm_type == "qemu"):
        remedy = "Use virtiofs with vz, sshfs or 9p with qemu."
        raise _wrong(desired.name, "mount_type", mount_type, f"vm_type {vm_type} can't do it", remedy)


def _wrong(name: Name, option: str, value: Any, reason: str, remedy: str) -> InputError:
    return InputError(f"Could not set '{option}' of profile '{name}' to '{value}': {reason}. {remedy}")


def _check_value(name: Name, setting: Setting, value: Any, host: Host) -> None:
    option = setting.option
    if setting.choices and value not in setting.choices:
        raise _wrong(name, option, value, "colima does not know it", f"Use one of {', '.join(setting.choices)}.")
    if isinstance(value, float) and not math.isfinite(value):
        raise _wrong(name, option, value, "it is no size", "Give a number of GiB.")
    if setting.least is not None and value < setting.least:
        unit = f" {setting.unit}" if setting.unit else ""
        raise _wrong(name, option, value, "it is too small", f"Use at least {setting.least:g}{unit}.")
    if not host.can(setting.needs) and value not in (setting.neutral, setting.default):
        raise _wrong(name, option, value, f"it needs {setting.needs}, and this is {host}", "Leave it out.")
    if option.startswith("network.") or option.endswith("port"):
        _check_network(name, option, value)
    else:
        _check_content(name, option, value, host)


def _check_network(name: Name, option: str, value: Any) -> None:
    if option in ("ssh_port", "kubernetes.port") and value > 65535:
        raise _wrong(name, option, value, "it is no TCP port", "Use 0 (any free one) to 65535.")
    if option == "network.gateway_address" and not _is_gateway(value):
        raise _wrong(name, option, value, "colima wants an IPv4 address that ends in .2", "Use one such as 192.168.5.2.")
    if option == "network.dns":
        for address in value:
            if not _is_address(address):
                raise _wrong(name, option, address, "it is no IP address", "Give the addresses of DNS servers.")


def _check_content(name: Name, option: str, value: Any, host: Host) -> None:
    if option == "mounts" and value:
        _check_mounts(name, value, host)
    if option == "provision":
        for item in value:
            if item["mode"] not in PROVISION_SINCE:
                remedy = f"Use one of {', '.join(PROVISION_SINCE)}."
                raise _wrong(name, "provision.mode", item["mode"], "colima does not know it", remedy)
    if option == "docker" and "hosts" in value:
        raise _wrong(name, "docker.hosts", value["hosts"], "dockerd would not start with it in colima's VM", "Leave it out.")
    if option == "disk_image" and "://" in value:
        raise _wrong(name, option, value, "colima takes local files only", "Download the image and give its path.")


def _check_mounts(name: Name, mounts: list[dict[str, Any]], host: Host) -> None:
    points = []
    for location, point, _writable in canonical_mounts(mounts, host.home) or ():
        for path in (location, point):
            if not path.startswith(("/", "$")):
                raise _wrong(name, "mounts", path, "relative paths can't be mounted", "Give an absolute path, or one below ~.")
        points.append(point)
    for index, one in enumerate(points):
        for place, other in enumerate(points):
            if index != place and (other + "/").startswith(one.rstrip("/") + "/"):
                raise _wrong(name, "mounts", other, f"it lies in '{one}', and mounts may not overlap", "Mount only one of them.")


def _is_address(text: str) -> bool:
    import ipaddress

    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def _is_gateway(text: str) -> bool:
    return _is_address(text) and "." in text and text.endswith(".2")


def kubernetes_problems(desired: Desired, runtime: str) -> list[str]:
    """Return why this runtime can't have the Kubernetes that is asked for."""
    if not desired.stated.get("kubernetes.enabled") or runtime not in ("incus", "none"):
        return []
    reason = f"colima has no Kubernetes on runtime {runtime}"
    return [_wrong(desired.name, "kubernetes.enabled", True, reason, "Use runtime containerd or docker.").message]


def version_problems(desired: Desired, version: Version | None) -> list[str]:
    """Return a sentence for each stated setting that this colima is too old for. None: not known, nothing to object."""
    if version is None:
        return []
    result = []
    for option, value in desired.stated.items():
        setting = BY_OPTION[option]
        needed = setting.since if value != setting.default else (0, 0, 0)
        if isinstance(value, str):
            needed = max(needed, VALUE_SINCE.get((option, value), needed))
        if option == "mounts" and value is None:
            needed = NO_MOUNTS_SINCE
        if option == "memory" and not float(value).is_integer():
            needed = FRACTION_OF_MEMORY_SINCE
        if option == "provision":
            needed = max((PROVISION_SINCE[item["mode"]] for item in value), default=needed)
        if version < needed:
            result.append(
                f"Could not set '{option}' of profile '{desired.name}': it needs colima {text_of(needed)}, and "
                f"{text_of(version)} is installed. Run 'brew upgrade colima'."
            )
    return result
