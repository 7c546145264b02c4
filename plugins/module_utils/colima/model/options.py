# SPDX-License-Identifier: GPL-3.0-or-later
"""The module options: their specification, made from the table of settings, and the one place that reads them.

What comes out are values of the domain (spec.py); nothing after this knows an option.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

from ...colima_paths import parse_name
from ...company.network import CompanyNetwork
from ...core.durations import duration_from
from ...core.errors import InputError, WorkstationError, refused
from .cluster_builds import build_problems
from .config import Host, architecture
from .ecr_credentials import check_profile
from .overrides import overridden
from .settings import PROVISION_SINCE, SETTINGS, Setting
from .spec import LARGEST_NUMBER, ChangePolicy, ProfileSpec, TimeLimits, check

NO_MOUNTS = "none"

_MOST_DAYS = 3650
_TYPES = {int: "int", float: "float", str: "str", bool: "bool", list: "list", dict: "dict"}
STATES = ["started", "stopped", "present", "absent"]

_MOUNT = {
    "location": {"type": "str", "required": True},
    "mount_point": {"type": "str"},
    "writable": {"type": "bool", "default": False},
}
_PROVISION = {
    "mode": {"type": "str", "choices": list(PROVISION_SINCE), "default": "system"},
    "script": {"type": "str", "required": True},
}


def profile_options(name_required: bool) -> dict[str, Any]:
    """Return the argument spec of one profile: name, every setting, state."""
    result: dict[str, Any] = {"name": {"type": "str", "required": True} if name_required else {"type": "str"}}
    for setting in SETTINGS:
        *parents, last = setting.option.split(".")
        place = result
        for part in parents:
            place = place.setdefault(part, {"type": "dict", "options": {}})["options"]
        place[last] = _option(setting)
    result["kubernetes"]["options"].update(ecr_profile={"type": "str"}, build={"type": "bool"})
    result["weight"] = {"type": "float"}
    result["state"] = {"type": "str", "choices": STATES}
    return result


def _option(setting: Setting) -> dict[str, Any]:
    result: dict[str, Any] = {"type": _TYPES[setting.kind]}
    if setting.choices:
        result["choices"] = list(setting.choices)
    if setting.kind is list:
        result["elements"] = {"mounts": "dict", "provision": "dict"}.get(setting.option, "str")
    if setting.option == "mounts":
        result["options"] = _MOUNT
    if setting.option == "provision":
        result["options"] = _PROVISION
    if setting.option == "disk_image":
        result["type"] = "path"
    return result


def policy_from(params: Mapping[str, Any]) -> ChangePolicy:
    """Return the policy of a module's options. Raises InputError."""
    idle_for = str(params.get("idle_for") or "")
    days = check_days(float(params.get("keep_deleted") or 0))
    return ChangePolicy(
        params.get("restart") or "if_idle",
        params.get("stop") or "always",
        params.get("on_fixed_change") or "refuse",
        frozenset(parse_name(name).name for name in params.get("confirm_data_loss") or ()),
        bool(params.get("delete_data")),
        days,
        duration_from(idle_for, "idle_for").total_seconds() if idle_for else 0.0,
    )


def check_days(days: float) -> float:
    """Return for how many days what is deleted is set aside. Raises InputError."""
    if not 0 <= days <= _MOST_DAYS:
        reason = f"it is not between 0 and {_MOST_DAYS} days"
        raise InputError(f"use {days:g} as O(keep_deleted)", reason, "Use days, such as 7, or 0 to delete at once.")
    return days


def limits_from(params: Mapping[str, Any]) -> TimeLimits:
    """Return the limits of a module's options. Raises InputError for a limit that ends every start at once."""
    for option, usual in (("timeout", 1800), ("stall_timeout", 600)):
        if not 1 <= params[option] <= LARGEST_NUMBER:
            reason = f"it is not between 1 and {LARGEST_NUMBER} seconds"
            raise InputError(f"use {params[option]} as O({option})", reason, f"Use seconds, such as {usual}.")
    return TimeLimits(params["timeout"], params["stall_timeout"])


def profiles_from(params: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Return the options of each profile: one from the options themselves, or those of the list in the state of the whole.

    present as a whole leaves each profile its own state; any other state is that of all, but for absent ones. With start=never,
    a profile to be started is only to be present.
    """
    state = params["state"]
    whole = None if params["profiles"] is None or state == "present" else state
    given = [params] if params["profiles"] is None else params["profiles"]
    given = overridden(given, params.get("overrides") or {}, profile_options(name_required=True))
    _check_names(given)
    stated = [profile if whole is None or profile.get("state") == "absent" else {**profile, "state": whole} for profile in given]
    if params.get("start") != "never":
        return stated
    return [
        {**profile, "state": "present"} if (profile.get("state") or "started") == "started" else profile for profile in stated
    ]


def _check_names(profiles: Iterable[Mapping[str, Any]]) -> None:
    wrong = list[WorkstationError]()
    for profile in profiles:
        try:
            parse_name(profile.get("name") or "")
        except InputError as error:
            wrong.append(error)
    if wrong:
        raise refused(wrong)


def specs_from(profiles: Iterable[Mapping[str, Any]], host: Host, company: CompanyNetwork | None = None) -> list[ProfileSpec]:
    """Return the profiles of a module's options in their order, each in this company's network. Raises InputError."""
    result: list[ProfileSpec] = []
    seen: dict[str, str] = {}
    for params in profiles:
        text = params.get("name") or ""
        name = parse_name(text)
        # macOS keeps K8s and k8s in the same directory.
        twin = seen.setdefault(name.name.lower(), text)
        if len(seen) == len(result):
            raise InputError(f"plan profile '{text}'", f"'{twin}' is the same profile to colima", "Name each profile once.")
        kubernetes = params.get("kubernetes") or {}
        ecr_profile = kubernetes.get("ecr_profile")
        check_profile(text, ecr_profile or "")
        state, build = params.get("state") or "started", kubernetes.get("build")
        spec = ProfileSpec(name, state, stated_from(params), ecr_profile, build, company)
        check(spec, host)
        for problem in build_problems(spec, spec.stated):
            raise InputError(*problem)
        result.append(spec)
    return result


def stated_from(params: Mapping[str, Any]) -> dict[str, Any]:
    """Return the given settings of one profile as a flat mapping."""
    result: dict[str, Any] = {}
    for setting in SETTINGS:
        value: Any = params
        for part in setting.option.split("."):
            value = (value or {}).get(part)
        if value is not None:
            if setting.option in ("env", "network.dns_hosts"):
                value = _texts(setting.option, value, params.get("name") or "")
            result[setting.option] = _normal(setting, value)
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
    try:
        return setting.kind(value)
    except OverflowError:
        return math.inf


def _texts(option: str, given: Mapping[Any, Any], profile: str) -> dict[str, str]:
    """Return a mapping of texts. Raises InputError for one whose text is lost: YAML reads 1.10 as 1.1, null as nothing.

    The message never shows the value: env may hold secrets.
    """
    for key, value in given.items():
        if isinstance(value, bool) or not isinstance(value, str | int):
            reason = f"the value of '{key}' is {_kind(value)}, not text, and how it was written is lost"
            raise InputError(f"set '{option}' of profile '{profile}'", reason, "Put it in quotes.")
    return {str(key): str(value) for key, value in given.items()}


def _kind(value: Any) -> str:
    if value is None:
        return "empty"
    if isinstance(value, bool):
        return "true or false"
    return "a number with a fraction" if isinstance(value, float) else "a list or a mapping"
