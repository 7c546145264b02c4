# SPDX-License-Identifier: GPL-3.0-or-later
"""A history of a profile on a laptop with the stand-in: the mishaps, what is asked for then, and what must be the outcome."""

from __future__ import annotations

import contextlib
import json
import re
from dataclasses import dataclass, replace
from typing import Any

from ansible_collections.laptop.containers.plugins.module_utils.colima.model.config import Config, Host, canonical
from ansible_collections.laptop.containers.plugins.module_utils.colima.model.settings import (
    DATA_DISK_SINCE,
    INCUS_KEEPS_DATA_SINCE,
)
from ansible_collections.laptop.containers.plugins.module_utils.colima.model.spec import ChangePolicy, ProfileSpec
from ansible_collections.laptop.containers.plugins.module_utils.colima.model.state import RUNNING, ProfileState
from ansible_collections.laptop.containers.plugins.module_utils.colima.observe.read import read
from ansible_collections.laptop.containers.plugins.module_utils.colima.plan.model import ActionKind
from ansible_collections.laptop.containers.plugins.module_utils.colima.survey import ProfilesPlan, ProfilesSpec, plan_all, survey
from ansible_collections.laptop.containers.plugins.module_utils.colima_paths import parse_name
from ansible_collections.laptop.containers.plugins.module_utils.core.errors import RefusedStep, WorkstationError
from hypothesis import settings
from hypothesis import strategies as st

from tests.support.colima.in_process_lab import ROOM, Killed, ProcessLab
from tests.support.colima.mishaps import MISHAPS, happen
from tests.support.colima.outcome_model import World
from tests.support.colima.standin_laptop import converge, lab_of
from tests.support.colima.strategies import HOSTS, LONG, STATES, made, policies, stated

# Longer than four characters: the label of a shorter one's data disk would protect it from being formatted.
NAME = parse_name("daily")
VERSIONS = st.sampled_from(["0.10.3", "0.10.3", "0.10.1", "0.9.1", "0.8.4"])
FAILURES = st.sampled_from(["offline", "hang", "docker-start,containerd-start", "docker-provision", "kubernetes"])
# Two kinds of laptops share the examples.
SHARE = settings(parent=LONG, max_examples=LONG.max_examples // 2)
# A file on the laptop that no strategy can know.
WITHOUT = frozenset({"disk_image"})


@dataclass(frozen=True)
class Run:
    """A run of the collection, perhaps one in which something on the laptop fails, or that is killed at some moment."""

    spec: ProfileSpec
    policy: ChangePolicy
    failure: str = ""
    killed_at: int = 0


@dataclass(frozen=True)
class Life:
    """The laptop, what happened on it, and the run that is looked at."""

    host: Host
    version: str
    past: tuple[Run | str, ...]
    run: Run
    busy: bool


@st.composite
def runs(draw: st.DrawFn, host: Host, first: bool = False) -> Run:
    build = draw(st.sampled_from([None, None, True, False]))
    if first:
        # With others it is refused.
        needed = {"runtime": "containerd", "kubernetes.enabled": True} if build else {}
        spec = ProfileSpec(NAME, "started", {**draw(made(host, without=WITHOUT)), **needed}, build=build)
    else:
        spec = ProfileSpec(NAME, draw(STATES), draw(stated(host, without=WITHOUT)), build=build)
    return Run(spec, draw(policies(NAME)))


@st.composite
def unlucky_runs(draw: st.DrawFn, host: Host, first: bool = False) -> Run:
    run = draw(runs(host, first))
    if draw(st.booleans()):
        return replace(run, failure=draw(FAILURES))
    return replace(run, killed_at=draw(st.integers(1, 6)))


@st.composite
def lives(draw: st.DrawFn, hosts: st.SearchStrategy[Host] = HOSTS) -> Life:
    """A laptop, mostly with an existing profile, and then anything that colima, crashes and people can do to it."""
    host = draw(hosts)
    mishaps = st.sampled_from(MISHAPS)
    first = draw(st.one_of(runs(host, first=True), unlucky_runs(host, first=True), mishaps))
    later = draw(st.lists(st.one_of(mishaps, mishaps, runs(host), unlucky_runs(host)), max_size=3))
    return Life(host, draw(VERSIONS), (first, *later), draw(runs(host)), draw(st.booleans()))


def settings_of(life: Life) -> dict[str, str]:
    """What the stand-in knows about the laptop."""
    host = life.host
    sizes = {"CPUS": str(host.cpus), "MEMORY_GIB": str(host.memory_mib // 1024)}
    return {"SYSTEM": host.system, "ARCH": host.arch, **sizes, "COLIMA_VERSION": life.version}


def play(kind: type[ProcessLab], life: Life, watched: bool = False) -> list[Any]:
    """Play it and check every invariant. Returns the messages and, if watched, the state after each event."""
    with lab_of(kind, ROOM, **settings_of(life)) as lab:
        told: list[Any] = []
        lab.containers()
        for event in life.past:
            if isinstance(event, str):
                happen(lab, NAME, event)
            else:
                told.append(_run(lab, event))
            _put_marker(lab)
            told.append(_seen_now(lab) if watched else None)
        lab.containers(*(["web"] if life.busy else []))
        told.append(_run(lab, life.run))
        return [*told, _seen_now(lab) if watched else None]


def _run(lab: ProcessLab, run: Run) -> Any:
    """Run once, and check what is left. Returns the result."""
    request, had_marker, own = ProfilesSpec((run.spec,), run.policy, lab.host), _has_marker(lab), _own_buildkit(lab)
    said = _unlucky(lab, run, request) if run.failure or run.killed_at else _lucky(lab, run, request)
    assert not had_marker or _has_marker(lab) or _was_asked_to_destroy(run), "the user's data is lost"
    assert own in (b"", _own_buildkit(lab)) or run.spec.state == "absent", "the user's buildkitd.toml is lost"
    return said


def _unlucky(lab: ProcessLab, run: Run, request: ProfilesSpec) -> Any:
    """For a killed run only data loss can be checked; the runs after it check the rest."""
    lab.moments_left = run.killed_at
    with contextlib.suppress(WorkstationError, Killed), lab.failing(run.failure):
        converge(lab.colima, request, False)
    lab.moments_left = 0
    return _calls(lab)


def _lucky(lab: ProcessLab, run: Run, request: ProfilesSpec) -> Any:
    """Check that it was refused without a change, or that it reached its goal as the model predicts and nothing is left to do."""
    if lab.paths.lima.is_dir():
        # Lima itself removes the pid files of the dead whenever it is asked for anything.
        lab.run("colima", "list")
    before = lab.tree()
    found = plan_all(survey(lab.colima, request), request)
    lab.calls()
    try:
        outcome = converge(lab.colima, request, False)
    except RefusedStep as refusal:
        assert lab.tree() == before, "a refusal comes before the first step"
        return _plain(lab, refusal.message)
    calls = _calls(lab)
    again = plan_all(survey(lab.colima, request), request)
    _check(lab, run, found, again.profiles[0].current, calls)
    # That a VM is still idle, each run notes.
    steps = (action for plan in again.profiles for action in plan.actions if action.kind is not ActionKind.NOTE_IDLE)
    left = [*again.refusals, *map(str, steps)]
    assert not left, f"the second run is not idle: {left}"
    return [_plain(lab, action) for action in outcome.actions], calls


def _check(lab: ProcessLab, run: Run, found: ProfilesPlan, now: ProfileState, calls: list[list[str]]) -> None:
    """Check that the plan and the model were right, and that no work was interrupted unasked."""
    (plan,) = found.profiles
    version = tuple(int(part) for part in lab.settings["COLIMA_VERSION"].split("."))
    world = World(plan.current, lab.host, version >= DATA_DISK_SINCE, version < INCUS_KEEPS_DATA_SINCE)
    world.apply(plan)
    surprises = differing(seen(lab, now), seen(lab, world.current))
    assert not surprises, f"not predicted: {surprises}"
    assert not world.lost or _was_asked_to_destroy(run)
    if plan.current.health == RUNNING and run.spec.state != "absent":
        interrupted = any(call[1] in ("stop", "delete") for call in calls)
        work = plan.current.live.get("runtime") == "docker" and (lab.root / "containers").stat().st_size
        allowed = run.policy.restart == "always" or (run.policy.restart == "if_idle" and not work)
        if run.spec.state == "stopped":
            allowed = run.policy.stop == "always" or not work
        assert not interrupted or allowed, f"the user's work was interrupted: {calls}"


def differing(one: dict[str, Any], other: dict[str, Any]) -> dict[str, Any]:
    """What differs, down to single settings."""
    result: dict[str, Any] = {}
    for key, value in one.items():
        if value != other[key]:
            inner = isinstance(value, dict) and isinstance(other[key], dict)
            result[key] = differing(value, other[key]) if inner else (value, other[key])
    return result


def _was_asked_to_destroy(run: Run) -> bool:
    deletes = run.spec.state == "absent" and run.policy.delete_data
    return run.policy.may_destroy(NAME) and (deletes or run.policy.on_fixed_change == "recreate_with_data_loss")


def seen(lab: ProcessLab, current: ProfileState) -> dict[str, Any]:
    """Return what the model predicts of a profile; the same words for it on every laptop."""
    host = replace(lab.host, home="~")

    def meaning(config: Config | None) -> dict[str, Any] | None:
        return None if config is None else canonical(config, host, current.name.id)

    return {
        "health": current.health,
        "configured": meaning(current.configured),
        "applied": meaning(current.applied),
        "disk": current.disk and (current.disk.size, current.lock_is_stale, current.disk.written),
        "store": current.store if current.disk is not None else None,
        "kubernetes": bool(current.live.get("kubernetes")),
        "kubeconfig": current.clients.kube_entry,
        "docker context": current.clients.docker_context.removeprefix(f"unix://{lab.root}"),
        "buildkit": (current.buildkit.own, current.buildkit.saved),
        "notes": (current.fresh, current.interrupted is not None, current.disk_unfinished),
    }


def _seen_now(lab: ProcessLab) -> Any:
    return seen(lab, read(lab.colima, [NAME]).profiles[NAME.name]), _has_marker(lab)


def _plain(lab: ProcessLab, text: str) -> str:
    """Return a sentence without what differs between laptops: paths, and when something was set aside."""
    return re.sub(r"(?<=-)\d{19}|(?<='kill )\d+", "N", text.replace(str(lab.root), ""))


def _calls(lab: ProcessLab) -> list[list[str]]:
    """The calls since the last look: those that change something in their order, and then what was read side by side."""
    calls = [[_plain(lab, word) for word in call] for call in lab.calls()]
    reads = [call for call in calls if call[1] in ("list", "status", "version") or call[:3] == ["limactl", "disk", "list"]]
    return [*(call for call in calls if call not in reads), *sorted(reads)]


def _put_marker(lab: ProcessLab) -> None:
    """After a complete start put a user's work into the profile: on the data disk that the VM uses, or in the VM itself."""
    with contextlib.suppress(OSError):
        guest = json.loads((lab.paths.instance(NAME) / "rehearsal.json").read_text())
        disk, spec = lab.paths.data_disk(NAME) / "data", (lab.paths.instance(NAME) / "lima.yaml").read_text()
        if guest.get("booted") and guest.get("runtime_up"):
            used = "additionalDisks" in spec
            (disk if used else lab.paths.instance(NAME)).joinpath("marker").write_text("a user's volume")


def _own_buildkit(lab: ProcessLab) -> bytes:
    """Return the user's own settings of BuildKit, wherever they are at the moment."""
    places = (lab.paths.buildkit(NAME), lab.paths.saved_buildkit(NAME))
    return next((file.read_bytes() for file in places if file.exists() and b"kubernetes.build" not in file.read_bytes()), b"")


def _has_marker(lab: ProcessLab) -> bool:
    """Return whether it still exists; what is set aside is not lost."""
    places = [lab.paths.data_disk(NAME) / "data", lab.paths.instance(NAME), *(lab.paths.own / "aside").glob("*")]
    return any((place / "marker").exists() for place in places)
