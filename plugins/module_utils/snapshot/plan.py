# SPDX-License-Identifier: GPL-3.0-or-later
"""What a snapshot, or the way back to one, takes. Pure."""

from __future__ import annotations

from dataclasses import replace

from ..colima.model.state import STOPPED
from ..core.errors import InputError, RefusedStep, WorkstationError
from ..core.plan import Plan, Step, size_in_words
from .kept import already_there, remove_left, remove_old, surplus, unknown
from .model import Found, Make, Restore, Wish


def plan_snapshot(found: Found, wish: Wish) -> Plan:
    """Return the steps."""
    plan = _plan_restore(found, wish) if wish.restore else _plan_make(found, wish)
    return replace(plan, steps=(remove_left(found.partial), *plan.steps)) if found.partial else plan


def _plan_make(found: Found, wish: Wish) -> Plan:
    before = [one.name for one in found.snapshots]
    steps: list[Step] = []
    stays = tuple(already_there(one.name, one.made) for one in found.snapshots if one.name == wish.name)
    if not stays:
        if problem := _not_at_rest(found, wish, "take a snapshot of"):
            return Plan(refusals=(problem,))
        target = f"the data disk of profile '{wish.profile}' as '{wish.name}'"
        steps.append(Make("copy", target, size_in_words(found.disk.occupied), path=wish.place / wish.name))
    old = surplus(before, wish.name, wish.keep)
    if old:
        steps.append(remove_old(f"profile '{wish.profile}'", [wish.place / name for name in old]))
    after = sorted({*before, wish.name} - set(old))
    return Plan(tuple(steps), {"snapshots": sorted(before)}, {"snapshots": after}, warnings=stays)


def _plan_restore(found: Found, wish: Wish) -> Plan:
    snapshot = next((one for one in found.snapshots if one.name == wish.name), None)
    what = f"restore the data disk of profile '{wish.profile}'"
    if snapshot is None:
        return Plan(refusals=(unknown(what, wish.name, [one.name for one in found.snapshots]),))
    if found.disk.digest == snapshot.digest:
        return Plan()
    if problem := _not_at_rest(found, wish, "restore"):
        return Plan(refusals=(problem,))
    if wish.confirm != wish.profile.name:
        reason = "everything that is on it now would be lost"
        return Plan(refusals=(RefusedStep(what, reason, f"Take a snapshot of it, then run with E(confirm={wish.profile})."),))
    detail = f"as of {snapshot.made}, {size_in_words(snapshot.occupied)}"
    target = f"the data disk of profile '{wish.profile}' from '{wish.name}'"
    shown = {"digest": found.disk.digest}, {"digest": snapshot.digest}
    return Plan((Restore("restore", target, detail, snapshot=snapshot),), *shown)


def _not_at_rest(found: Found, wish: Wish, verb: str) -> WorkstationError | None:
    """Return why the disk can't be touched, if it can't."""
    what = f"{verb} the data disk of profile '{wish.profile}'"
    if not found.disk.exists:
        return InputError(what, f"there is no '{found.disk.path}'", "Check the profile's name.")
    if found.disk.health != STOPPED:
        return RefusedStep(what, f"the profile is {found.disk.health}", "Stop it with playbooks/stop.yml, and run again.")
    return None
