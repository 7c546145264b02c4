# SPDX-License-Identifier: GPL-3.0-or-later
"""What two engines keep, and whether what was moved is still the same on both, as a subject that only reads."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ..buildx.store import buildx_directory
from ..core.errors import NotVerified
from ..core.plan import Plan
from ..core.subject import Outcome, Reader
from ..core.system.home import home
from ..docker.client import docker_directory
from . import inventory
from .belongings import Belongings, read_belongings
from .engines import OPTIONS, Ends, ends_from, profile_behind
from .model import Inventory, Moved, same, shown
from .record import Record
from .retirement import PLAYBOOK, Retirement, compared, in_words, reasons_against
from .summary import summary


@dataclass(frozen=True)
class Compared:
    """Both engines, and what else of docker's is on the laptop.

    equal: whether a thing that both have is the same, by kind and name, where that was asked for. moved: volumes by name.
    commands: what makes containers of the source again, by name; where something is compared, none.
    """

    source: Inventory
    target: Inventory
    belongings: Belongings
    equal: Mapping[tuple[str, str], bool] = field(default_factory=dict)
    moved: Mapping[str, Moved] = field(default_factory=dict)
    commands: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Question:
    """compare: whether the copies are the same. retirement: whether the source may go; None: that is not asked."""

    compare: bool
    retirement: Retirement | None = None


class MoveReader(Reader[Question, Compared]):
    """Two docker engines."""

    spec = {
        **OPTIONS,
        "compare": {"type": "bool", "default": False},
        "retire": {"type": "bool", "default": False},
        "confirm": {"type": "str", "default": ""},
        "kept": {"type": "list", "elements": "str", "default": []},
    }
    work = "compare two docker engines"

    ends: Ends

    def desired(self, params: Mapping[str, Any], *, check_mode: bool) -> Question:
        """Return what is asked. Raises InputError."""
        del check_mode
        self.ends = ends_from(params)
        if not params["retire"]:
            return Question(params["compare"])
        profile = profile_behind(self.ends.source.socket)
        return Question(True, Retirement(params["source"], profile, params["confirm"], tuple(params["kept"])))

    def read(self, desired: Question) -> Compared:
        """Return what both engines keep, and with what the target's copies compare."""
        source, target = self.ends.source, self.ends.target
        self.ends.check_target()
        here = source.read(self.work, sizes=True)
        single = () if desired.compare else [one for one in here.containers if not one.project]
        commands = source.commands(self.work, single)
        with target.side.trouble(self.work):
            there = inventory.read(target.side.api)
        docker = docker_directory(os.environ, home())
        belongings = read_belongings(docker, buildx_directory(os.environ, docker))
        source_of, target_of = (here.engine, source.socket), (there.engine, target.side.api.path)
        moved = Record(source_of, target_of).moved()
        return Compared(here, there, belongings, self._equal(here, there, moved) if desired.compare else {}, moved, commands)

    def _equal(self, here: Inventory, there: Inventory, moved: Mapping[str, Moved]) -> dict[tuple[str, str], bool]:
        source, target = self.ends.source, self.ends.target
        names = {tag: image for image in there.images for tag in image.tags}
        found = {("image", tag): same(image, names[tag]) for image in here.images for tag in image.tags if tag in names}
        for name in sorted(moved.keys() & {one.name for one in here.volumes} & {one.name for one in there.volumes}):
            doing = f"compare volume '{name}'"
            found["volume", name] = source.has_same(target, name, doing)
        return found

    def plan(self, desired: Question, current: Compared) -> Plan:
        """Return an empty plan, or one that refuses to call a different copy a copy, or to let go what is needed."""
        wish = desired.retirement
        if wish and (against := next(reasons_against(wish, current.source, current.target, current.moved), None)):
            return Plan(refusals=(against,))
        reason = "the one at the source is another, or one of them was changed since it was copied"
        remedy = f"Look at both. To copy it once more, run {PLAYBOOK} with its name in migrate_replace."
        differ = [f"{kind} '{name}'" for (kind, name), equal in current.equal.items() if not equal]
        return Plan(refusals=tuple(NotVerified(f"verify the copy of {one}", reason, remedy) for one in differ))

    def close(self) -> None:
        """Take the helpers away from both engines."""
        if hasattr(self, "ends"):
            self.ends.close()

    def public(self, outcome: Outcome[Question, Compared]) -> dict[str, Any]:
        """Return what both keep, and what was found to be equal."""
        found = outcome.after
        equal = [{"kind": kind, "name": name} for kind, name in found.equal]
        wish = outcome.desired.retirement
        there = found.source, found.target, found.moved
        said = (
            compared(found.equal, *there) if outcome.desired.compare else summary(found.source, found.belongings, found.commands)
        )
        return {
            "source": shown(found.source),
            "target": shown(found.target),
            "docker": found.belongings.public(),
            "commands": dict(found.commands),
            "summary": list(in_words(wish, found.source) if wish else said),
            "equal": equal,
            "profile": wish.profile if wish else "",
        }


SUBJECT = MoveReader
