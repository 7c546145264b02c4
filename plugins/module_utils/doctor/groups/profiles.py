# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether the profiles are as the settings ask: their VMs run, what they run with, what waits for a restart."""

from __future__ import annotations

from collections.abc import Iterator

from ...colima.model.config import Host, differences
from ...colima.model.settings import BY_OPTION
from ...colima.model.shown import counted, shown
from ...colima.model.state import ABSENT, BROKEN, DEFINED, GIB, HALF, RUNNING, SILENT, STOPPED, ProfileState
from ...colima.plan.model import ActionKind, ProfilePlan
from ...core.errors import InputError
from ..laptop import ENDS, Laptop
from ..model import Check, CheckKind, Status
from ..settings import SubjectReading

SETTINGS = CheckKind("profiles.settings", "whether a run would accept the settings of the profiles")
HEALTH = CheckKind("profiles.health", "whether the VM of a profile is there, and runs where it should")
ENGINE = CheckKind("profiles.engine", "whether the container engine in a running VM answers")
DRIFT = CheckKind("profiles.drift", "whether a profile has the settings that are asked for")
PENDING = CheckKind("profiles.pending", "whether changes of a profile wait for a restart or a move")
ADDRESS = CheckKind("profiles.address", "whether a profile that is to have a reachable address has one")
INTERRUPTED = CheckKind("profiles.interrupted", "whether a run was ended while it made a profile again")
ROOM = CheckKind("profiles.room", "whether the running VMs fit the laptop's CPUs and memory, those beside the settings too")
KINDS = (SETTINGS, HEALTH, ENGINE, DRIFT, PENDING, ADDRESS, INTERRUPTED, ROOM)

TAG = "colima"
# Kinds of changes that wait, and would repair something.
REPAIRS = ("repair", "room")


def examine(laptop: Laptop) -> Iterator[Check]:
    """Yield the checks."""
    if not laptop.settings.get("colima_profile"):
        return
    try:
        look = laptop.look("colima_profile")
    except InputError as error:
        yield SETTINGS.broken(error.message, "Correct the settings that it names.")
        return
    yield SETTINGS.ok("a run would accept them")
    for plan in look.plan.profiles:
        yield from _profile(laptop, plan, look.spec.host)
    yield from _together(look)


def _profile(laptop: Laptop, plan: ProfilePlan, host: Host) -> Iterator[Check]:
    current, name = plan.current, str(plan.spec.name)
    if not laptop.colima.installed and current.exists:
        # What a file says of it may be long past; that colima is missing, the group tools says.
        yield HEALTH.unknown("whether its VM runs is unknown without colima", about=name)
        return
    converge = laptop.converge(TAG)
    health = _health(plan, laptop)
    if health.status is Status.BROKEN and (process := laptop.colima.being_started([current.name]).get(current.name)):
        yield HEALTH.note(f"it is being started (process {process})", about=name)
        return
    yield health
    yield from _engine(plan, laptop, name)
    if current.exists or any(item.kind not in REPAIRS for item in plan.pending):
        yield _pending(plan, laptop, name)
    if current.health in (RUNNING, STOPPED):
        differs = _differences(plan, host)
        yield DRIFT.warning(differs, converge, name) if differs else DRIFT.ok("as the settings ask", name)
    yield from _address(current, name)
    # The kept settings of a profile that was made again are only removed by the next run.
    if current.interrupted is not None and not current.exists:
        yield INTERRUPTED.warning("a run was ended while it made the profile again; its settings are kept", converge, name)


def _engine(plan: ProfilePlan, laptop: Laptop, name: str) -> Iterator[Check]:
    if plan.current.dead_engine:
        yield ENGINE.broken(*_repaired(plan, laptop, plan.current.dead_engine), name)
    elif plan.current.health == RUNNING:
        yield ENGINE.ok("it answers", name)


def _pending(plan: ProfilePlan, laptop: Laptop, name: str) -> Check:
    # The reason that holds a repair back is shown with the repair.
    waiting = [item for item in plan.pending if item.kind not in REPAIRS]
    if not waiting:
        return PENDING.ok("nothing waits", name)
    changes = "; ".join(dict.fromkeys(f"{item.change}, because {item.reason}" for item in waiting))
    if any(item.kind == "move" for item in waiting):
        return PENDING.warning(changes, laptop.converge(TAG), name)
    return PENDING.warning(f"{changes}{ENDS}", laptop.may_restart(), name)


def _address(current: ProfileState, name: str) -> Iterator[Check]:
    if current.lacks_address:
        found = f"colima could not set up the network for its address{ENDS}"
        yield ADDRESS.warning(found, f"colima restart {name}", name)
    elif (current.applied or {}).get("network.address"):
        yield ADDRESS.ok(current.row.address if current.row else "", name)


def _repaired(plan: ProfilePlan, laptop: Laptop, found: str) -> tuple[str, str]:
    """Return what was found and what repairs it: a run, which restarts no VM with containers; else the words for that."""
    if plan.refusals:
        refusal = plan.refusals[0]
        return f"{found}, and a run could not {refusal.what}: {refusal.reason}", refusal.remedy
    held = next((item for item in plan.pending if item.kind in REPAIRS), None)
    if held is None:
        return found, laptop.converge(TAG)
    if held.kind == "room":
        return f"{found}: {held.reason}", f"Free some disk space on the laptop, then run: {laptop.converge(TAG)}"
    return f"{found}; a run leaves it alone, because {held.reason}{ENDS}", laptop.may_restart()


_HEALTH_TEXTS = {
    ABSENT: "it does not exist yet",
    DEFINED: "it has settings, and no VM",
    HALF: "its VM runs, and colima's set-up in it did not finish",
    SILENT: "its VM runs and does not answer",
    BROKEN: "a part of its VM has died: Lima's host agent, or the machine",
}


def _health(plan: ProfilePlan, laptop: Laptop) -> Check:
    current, state, converge = plan.current, plan.spec.state, laptop.converge(TAG)
    name, health = str(current.name), current.health
    if state == "absent":
        gone = health in (ABSENT, DEFINED)
        return HEALTH.ok("absent", name) if gone else HEALTH.warning("it is there, and the settings ask for none", converge, name)
    if health == RUNNING or (health == HALF and current.dead_engine):
        if state == "stopped":
            return HEALTH.warning("it runs, and the settings ask for it to be stopped", converge, name)
        return HEALTH.ok("its VM runs", name)
    if health == STOPPED and not current.contradiction:
        return HEALTH.ok("stopped", name) if state == "stopped" else HEALTH.warning("its VM is stopped", converge, name)
    return HEALTH.broken(*_repaired(plan, laptop, _trouble(current)), name)


def _trouble(current: ProfileState) -> str:
    """Return what is wrong with a VM that neither runs nor was stopped."""
    still = f"its VM stands still: {current.still}" if current.still is not None else ""
    return current.contradiction or still or _HEALTH_TEXTS.get(current.health, f"its VM is {current.health}")


def _differences(plan: ProfilePlan, host: Host) -> str:
    """Return how a profile that is well differs from its settings, in words; what waits, and a mere start, does not count."""
    if plan.refusals:
        return "; ".join(f"a run could not {refusal.what}: {refusal.reason}" for refusal in plan.refusals)
    current, target = plan.current, plan.target
    if current.configured_problem and current.exists:
        return f"its colima.yaml {current.configured_problem}, so colima would start it with other settings"
    there = current.known
    if plan.pending or not plan.shown or there is None or target is None:
        return ""
    options = differences(there, target, frozenset(BY_OPTION), host, current.name.id)
    changed = [f"{option}: {shown(option, there[option])} -> {shown(option, target[option])}" for option in options]
    # Where the VM runs as it should and its colima.yaml says otherwise, the next start would not.
    told = (ActionKind.START, ActionKind.STOP, *((ActionKind.WRITE_SETTINGS,) if changed else ()))
    others = [str(action) for action in plan.shown if action.kind not in told]
    return "; ".join([*changed, *others])


def _together(look: SubjectReading) -> Iterator[Check]:
    own = {tuple(refusal) for plan in look.plan.profiles for refusal in plan.refusals}
    shared = [error for error in look.plan.refusals if (error.what, error.reason, error.remedy) not in own]
    for error in shared:
        yield ROOM.broken(f"could not {error.what}: {error.reason}", look.words(error.remedy))
    others = [row for row in look.current.snapshot.others if row.status == "Running"]
    for row in others:
        takes = f"{counted(row.cpus, 'CPUs')} and {row.memory / GIB:g} GiB"
        yield ROOM.note(f"it runs beside the profiles of the settings, with {takes}", f"colima stop {row.name}", row.name)
    for text in dict.fromkeys((*look.current.snapshot.problems, *look.plan.warnings)):
        yield ROOM.note(look.words(text))
    if not shared and not others:
        yield ROOM.ok("they fit")
