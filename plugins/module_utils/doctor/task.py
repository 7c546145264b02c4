# SPDX-License-Identifier: GPL-3.0-or-later
"""The examination as a subject that only reads. Never fails because something is broken: that is what it returns."""

from __future__ import annotations

import platform
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ..core.errors import InputError
from ..core.subject import Reader, Result
from ..core.system.home import home
from .examine import examine
from .laptop import Laptop
from .model import GROUPS, Check, counts, worst
from .overview import rows
from .settings import MODULES


@dataclass(frozen=True)
class DoctorSpec:
    """What to examine: the settings by module, the groups, how remedies call the playbook, where the timer
    notes its runs, the bound in seconds, and the team's policy."""

    settings: Mapping[str, Mapping[str, Any]]
    groups: tuple[str, ...]
    play: str
    timer_directory: str
    seconds: float
    policy: Mapping[str, Any]


@dataclass(frozen=True)
class DoctorState:
    """What was found, and how many seconds it took."""

    checks: tuple[Check, ...]
    profiles: tuple[Mapping[str, Any], ...]
    seconds: float


class Workstation(Reader[DoctorSpec, DoctorState]):
    """The whole workstation."""

    argument_spec = {
        # By its name Ansible takes one of them for a secret.
        **{module: {"type": "dict", "default": {}, "no_log": False} for module in MODULES},
        "groups": {"type": "list", "elements": "str", "choices": list(GROUPS), "default": list(GROUPS)},
        "play": {"type": "str", "default": "ansible-playbook playbooks/workstation.yml"},
        "policy": {"type": "dict", "default": {}},
        "timer_directory": {"type": "path"},
        "timeout": {"type": "float", "default": 20.0},
    }
    work = "examine the workstation"

    laptop: Laptop | None = None

    def parse(self, params: Mapping[str, Any], *, check_mode: bool) -> DoctorSpec:
        """Return what to examine. Settings that a run would refuse are findings."""
        del check_mode
        if params["timeout"] <= 0:
            raise InputError(f"examine in {params['timeout']:g} s", "nothing can answer in that time", "Set O(timeout) to 20.")
        settings = {module: params[module] or {} for module in MODULES}
        return DoctorSpec(
            settings,
            tuple(params["groups"]),
            params["play"],
            params["timer_directory"] or "",
            params["timeout"],
            params["policy"] or {},
        )

    def read(self, spec: DoctorSpec) -> DoctorState:
        """Return what was found."""
        began = time.monotonic()
        self.laptop = Laptop(spec.settings, spec.play, spec.timer_directory, spec.policy)
        checks = examine(self.laptop, spec.groups, spec.seconds)
        return DoctorState(tuple(checks), tuple(rows(self.laptop)), time.monotonic() - began)

    def public(self, outcome: Result[DoctorSpec, DoctorState]) -> dict[str, Any]:
        """Return the verdict, the profiles and the checks."""
        found = outcome.after
        return {
            "verdict": str(worst(found.checks)),
            "counts": counts(found.checks),
            "groups": list(outcome.spec.groups),
            "profiles": [dict(row) for row in found.profiles],
            "checks": [check.public() for check in found.checks],
            "system": {"name": platform.system(), "machine": platform.machine(), "home": home()},
            "seconds": round(found.seconds, 2),
        }

    def close(self) -> None:
        """Close every connection."""
        if self.laptop is not None:
            self.laptop.close()


SUBJECT = Workstation
