# SPDX-License-Identifier: GPL-3.0-or-later
"""The module options of a profile, made from the table of settings so that the two can't differ."""

from __future__ import annotations

from typing import Any

from .settings import PROVISION_SINCE, SETTINGS, Setting

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
