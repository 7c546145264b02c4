# SPDX-License-Identifier: GPL-3.0-or-later
"""What two engines keep, and whether what was moved is still the same on both, as a subject that only reads."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ..buildx.store import buildx_directory
from ..colima_paths import parse_name
from ..core.plan import Plan
from ..core.progress import emit
from ..core.subject import Reader, Result
from ..core.system.home import home
from ..docker.client import docker_directory
from ..docker.names import DockerNames, read_docker_names
from ..manifest.model import SyncState
from .comparison import compared, comparisons, differing, interrupted
from .engines import OPTIONS, Ends, ends_from, profile_behind
from .model import MoveState, shown
from .retirement import Retirement, in_words, lost_with, reasons_against
from .summary import summary


@dataclass(frozen=True)
class ComparisonState:
    """Both engines, compared where that was asked for, and what else of docker's is on the laptop.

    commands: what makes containers of the source again, by name; where something is compared, none.
    """

    found: MoveState
    names: DockerNames
    commands: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class ComparisonSpec:
    """compare: whether the copies are the same. retirement: whether the source may go; None: that is not asked.

    leave: patterns of names that stay at the source. at_once: so many volumes are read side by side.
    """

    compare: bool
    leave: tuple[str, ...]
    at_once: int
    retirement: Retirement | None = None


class MoveReader(Reader[ComparisonSpec, ComparisonState]):
    """Two docker engines."""

    argument_spec = {
        **OPTIONS,
        "compare": {"type": "bool", "default": False},
        "retire": {"type": "bool", "default": False},
        "confirm": {"type": "str", "default": ""},
        "leave": {"type": "list", "elements": "str", "default": []},
        "parallel": {"type": "int", "default": 2},
        "kept": {"type": "list", "elements": "str", "default": []},
    }
    work = "compare two docker engines"

    ends: Ends

    def parse(self, params: Mapping[str, Any], *, check_mode: bool) -> ComparisonSpec:
        """Return what is asked. Raises InputError."""
        del check_mode
        self.ends = ends_from(params)
        leave, at_once = tuple(params["leave"]), params["parallel"]
        if not params["retire"]:
            return ComparisonSpec(params["compare"], leave, at_once)
        # What the settings call colima-old, or colima, is the profile old, or default.
        kept = tuple(parse_name(name).name for name in params["kept"])
        profile = profile_behind(self.ends.source.socket)
        return ComparisonSpec(True, leave, at_once, Retirement(params["source"], profile, params["confirm"], kept))

    def read(self, spec: ComparisonSpec) -> ComparisonState:
        """Return what both engines keep, and with what the target's copies compare."""
        found = self.ends.read(self.work, source_sizes=True, target_sizes=True)
        single = () if spec.compare else [one for one in found.source.containers if not one.project]
        commands = self.ends.source.commands(self.work, single)
        docker = docker_directory(os.environ, home())
        names = read_docker_names(docker, buildx_directory(os.environ, docker))
        if spec.compare:
            found = self.ends.read_volumes(found, spec.at_once, left_out=True)
        return ComparisonState(found, names, commands)

    def plan(self, spec: ComparisonSpec, current: ComparisonState) -> Plan:
        """Return an empty plan, or refusals: of a copy that differs, and of a source that is needed."""
        found, retirement = current.found, spec.retirement
        unread = (*interrupted(found), *(one.error for one in found.volumes.values() if one.error))
        if retirement:
            return Plan(refusals=(*unread, *reasons_against(retirement, found, spec.leave)))
        return Plan(refusals=(*unread, *differing(found, spec.leave)) if spec.compare else ())

    def close(self) -> None:
        """Take the helpers away from both engines."""
        if hasattr(self, "ends"):
            self.ends.close()

    def public(self, outcome: Result[ComparisonSpec, ComparisonState]) -> dict[str, Any]:
        """Return what both keep, and what was found to be equal."""
        found, retirement, leave = outcome.after.found, outcome.spec.retirement, outcome.spec.leave
        names, commands = outcome.after.names, outcome.after.commands
        if retirement:
            lost = lost_with(retirement, found, leave)
            said = in_words(retirement, lost)
            if retirement.profile and not outcome.check_mode:
                emit(plan=[f"lose {what}" for what in lost])
        elif outcome.spec.compare:
            said = list(compared(found, leave))
        else:
            said = list(summary(found.source, names, commands))
        listed = comparisons(found) if outcome.spec.compare else ()
        equal = [one.resource for one in listed if one.sync_state is SyncState.ARRIVED]
        return {
            "source": shown(found.source),
            "target": shown(found.target),
            "docker": names.public(),
            "commands": dict(commands),
            "summary": said,
            "equal": [{"kind": one.kind.value, "name": one.name} for one in equal],
            "profile": retirement.profile if retirement else "",
        }


SUBJECT = MoveReader
