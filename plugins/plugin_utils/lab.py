# SPDX-License-Identifier: GPL-3.0-or-later
"""What would lead a run out of the lab of a rehearsal: an environment that is not the lab's, and files elsewhere."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

VARIABLE = "rehearsal_dir"
# The options by which a module writes, or names a cluster, where no variable of the environment leads it.
_WRITTEN: Mapping[str, tuple[str, ...]] = {
    "colima_disk_snapshot": ("directory",),
    "move": ("directory",),
    "docker_cli_config": ("env_file",),
    "docker_socket_link": ("path",),
    "docker_volume_snapshot": ("directory",),
    "ecr_pull_secret": ("kubeconfig",),
    "local_registry": ("kubeconfig",),
    "network": ("kubeconfig",),
    "nerdctl_wrapper": ("wrappers",),
    "support": ("path",),
}


def leaving(
    lab: str, work: str, spec: Mapping[str, Any], options: Mapping[str, Any], names: Mapping[str, str]
) -> Iterator[tuple[str, Any]]:
    """Yield, for each file outside of the lab that a module would write, why that is refused, and the value."""
    for option in _WRITTEN.get(work, ()):
        value = options.get(option)
        value = spec.get(option, {}).get("default") if value is None else value
        for path in _paths(value):
            if not _within(path, lab):
                what = f"rehearse with '{path}' as '{names.get(option, option)}'"
                yield f"Could not {what}: it is outside of the lab in '{lab}'. Leave that setting out in the lab.", path


def outside(lab: str, environment: Mapping[str, str]) -> str:
    """Return why nothing may run with this environment; empty where its home is the lab's."""
    home = environment.get("HOME", "")
    if home and _within(home, lab):
        return ""
    reason = f"the home would be '{home}', outside of the lab in '{lab}'"
    return f"Could not rehearse: {reason}. Remove 'workstation_environment' from your settings, or add to the lab's own."


def _paths(value: Any) -> Iterable[str]:
    if isinstance(value, str):
        return [value] if value else []
    entries = value if isinstance(value, list) else []
    return [str(entry["path"]) for entry in entries if isinstance(entry, Mapping) and entry.get("path")]


def _within(path: str, lab: str) -> bool:
    real = Path(os.path.realpath(os.path.expandvars(Path(path).expanduser())))
    return real.is_relative_to(os.path.realpath(lab))
