# SPDX-License-Identifier: GPL-3.0-or-later
"""Whatever is there and whatever is asked for: nothing is destroyed unasked, and a plan leads where it says it does."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from ansible_collections.laptop.containers.plugins.module_utils.colima.model.answers import DiskNote, K3sState, ListedProfile
from ansible_collections.laptop.containers.plugins.module_utils.colima.model.config import (
    Host,
    canonical,
    defaults,
    differences,
    has_kubernetes,
)
from ansible_collections.laptop.containers.plugins.module_utils.colima.model.settings import INCUS_KEEPS_DATA_SINCE
from ansible_collections.laptop.containers.plugins.module_utils.colima.model.spec import ChangePolicy, ProfileSpec
from ansible_collections.laptop.containers.plugins.module_utils.colima.model.state import (
    ABSENT,
    BROKEN,
    DAMAGED,
    DEFINED,
    GIB,
    HALF,
    LEFTOVER,
    RUNNING,
    STOPPED,
    ClientState,
    DataDisk,
    ProfileState,
)
from ansible_collections.laptop.containers.plugins.module_utils.colima.model.yaml_text import parse, render
from ansible_collections.laptop.containers.plugins.module_utils.colima.plan.model import ActionKind, ProfileFacts
from ansible_collections.laptop.containers.plugins.module_utils.colima.plan.profile import plan_profile
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.colima.outcome_model import World
from tests.support.colima.strategies import HOSTS, LONG, NAME, STATES, made, policies, stated

SOCKET = "unix:///home/me/.colima/dev/docker.sock"


@st.composite
def worlds(draw: st.DrawFn) -> tuple[World, tuple[int, int, int] | None]:
    """A profile in any state that colima, crashes and people can leave it in."""
    host = draw(HOSTS)
    version = draw(st.sampled_from([None, (0, 10, 3), (0, 10, 3), (0, 9, 1), (0, 8, 4)]))
    disks = version is None or version >= (0, 9, 0)
    config = {**defaults(host), **draw(made(host))}
    health = draw(st.sampled_from([ABSENT, DEFINED, LEFTOVER, STOPPED, RUNNING, RUNNING, HALF, BROKEN, DAMAGED]))
    exists = health in (STOPPED, RUNNING, HALF, BROKEN, DAMAGED)
    runtime = config["runtime"]
    configured, _ = parse(render(config, host))
    applied = {**(configured or {})} if exists and (health == RUNNING or draw(st.integers(0, 4))) else None
    if applied is not None and draw(st.booleans()):
        later = draw(stated(host, 3))
        configured = {**applied, **{o: v for o, v in later.items() if o not in ("runtime", "arch", "vm_type", "mount_type")}}
    if health == ABSENT or (exists and draw(st.integers(0, 5)) == 0):
        configured = None
    disk, store = None, None
    with_disk = disks and runtime != "none" and (exists or draw(st.booleans()))
    if with_disk:
        up = health in (RUNNING, HALF, BROKEN)
        used = "colima-dev" if up or draw(st.integers(0, 3)) == 0 else ""
        # An old crash, a lie of colima's or a kept disk: its size need not be what any file says.
        size = draw(st.sampled_from([config["disk"], config["disk"], 20, 120, 0]))
        disk = DataDisk(size * GIB, used, written=bool(applied) or draw(st.booleans()))
        store = draw(st.sampled_from([DiskNote(True, runtime), DiskNote(True, runtime), DiskNote(False, ""), None]))
    # Files may claim any port that was ever asked for, and an entry of the kubeconfig may be that of an earlier VM.
    asked = (applied or {}).get("kubernetes.port") or 45678
    on = bool((applied or {}).get("kubernetes.enabled"))
    k3s_port = draw(st.sampled_from([asked, asked, 6443, 7443] if on else [0, 0, 6443, 7443])) if exists else 0
    clients = ClientState(
        kube_port=draw(st.sampled_from([0, k3s_port, k3s_port, 6443])),
        docker_context=draw(st.sampled_from(["", SOCKET, "unix:///old.sock"])),
        kube_entry=draw(st.sampled_from(["", "present", "incomplete"])),
        kube_current_dangling=draw(st.booleans()),
    )
    status = {RUNNING: "Running", HALF: "Running", STOPPED: "Stopped", BROKEN: "Broken", DAMAGED: ""}
    row = None
    if exists:
        row = ListedProfile(
            "dev", status[health], host.arch, config["cpu"], int(config["memory"] * GIB), config["disk"] * GIB, runtime=runtime
        )
    current = ProfileState(
        name=NAME,
        health=health,
        row=row,
        configured=configured,
        configured_problem="" if configured else "is missing",
        applied=applied,
        interrupted=config if health in (ABSENT, DEFINED) and draw(st.integers(0, 3)) == 0 else None,
        fresh=bool(applied is None and draw(st.integers(0, 5)) == 0),
        store=store,
        disk=disk,
        unseen_agent=7 if health in (ABSENT, DAMAGED, DEFINED, LEFTOVER) and draw(st.integers(0, 3)) == 0 else 0,
        disk_unfinished=disk is None and draw(st.integers(0, 5)) == 0,
        live={"kubernetes": has_kubernetes(config) and draw(st.integers(0, 3)) > 0} if health == RUNNING else {},
        clients=clients,
        docker_socket=SOCKET,
        # A disk may lie there that the VM, made by a colima before 0.9, does not use.
        definition="additionalDisks: []" if exists and disk and draw(st.integers(0, 5)) == 0 else None,
    )
    return World(current, host, disks, version is not None and version < INCUS_KEEPS_DATA_SINCE, k3s_port=k3s_port), version


@st.composite
def cases(draw: st.DrawFn) -> tuple[World, ProfileSpec, ChangePolicy, ProfileFacts]:
    world, version = draw(worlds())
    spec = ProfileSpec(NAME, draw(STATES), draw(stated(world.host)))
    policy = draw(policies(NAME))
    busy = {"dev": draw(st.sampled_from(["", "1 container runs in it (web)"]))}
    # A VM that is up may give no answer all the same.
    k3s: dict[str, K3sState | None] = draw(st.sampled_from([world.k3s(), world.k3s(), {"dev": None}]))
    return world, spec, policy, ProfileFacts(version, busy, k3s)


def is_surprised_by_port(world: World, spec: ProfileSpec, facts: ProfileFacts) -> bool:
    """Whether the port of k3s is not what a file says, and the VM could not be asked before or can't be asked now."""
    wanted, now = spec.stated.get("kubernetes.port"), world.k3s().get("dev")
    claimed = (world.current.applied or {}).get("kubernetes.port")
    lies = world.k3s_port not in (0, wanted) or claimed != world.k3s_port
    return bool(wanted and world.k3s_port and lies and (facts.k3s.get("dev") is None or now is None))


@LONG
@given(cases())
def test_a_plan_destroys_nothing_unasked_and_leads_to_its_goal(
    case: tuple[World, ProfileSpec, ChangePolicy, ProfileFacts],
) -> None:
    world, spec, policy, facts = case
    before = world.current
    plan = plan_profile(before, spec, policy, world.host, facts)
    assert plan_profile(before, spec, policy, world.host, facts) == plan
    if spec.state == "stopped":
        other = replace(policy, on_fixed_change="refuse", confirm_data_loss=frozenset())
        asked_nothing = replace(plan_profile(before, replace(spec, stated={}), other, world.host, facts), spec=spec)
        assert asked_nothing == plan
        assert not {action.kind for action in plan.actions} & {
            ActionKind.DELETE,
            ActionKind.DELETE_DATA,
            ActionKind.DELETE_DISK,
            ActionKind.WRITE_SETTINGS,
            ActionKind.START,
        }
    if plan.refusals:
        return
    world.apply(plan)
    named = policy.may_destroy(NAME)
    asked = (spec.state == "absent" and policy.delete_data) or policy.on_fixed_change == "recreate_with_data_loss"
    assert not world.lost or (named and asked)
    interrupted = any(
        action.kind in (ActionKind.STOP, ActionKind.FORCE_STOP, ActionKind.DELETE, ActionKind.DELETE_DATA)
        for action in plan.actions
    )
    if before.health == RUNNING and interrupted and spec.state in ("started", "present"):
        assert policy.restart != "never"
        assert policy.restart == "always" or not facts.busy["dev"]
    if spec.state == "stopped" and policy.stop == "if_idle" and (facts.busy["dev"] or policy.idle_for):
        # No note says that it was idle for any time.
        assert not interrupted
    updated = replace(facts, k3s=world.k3s())
    again = plan_profile(world.current, spec, policy, world.host, updated)
    if is_surprised_by_port(world, spec, facts):
        # Only a VM that is up can tell its port: a plan for one that is not may be corrected, never in silence.
        applied = world.current.applied
        served = world.current.health == RUNNING and applied is not None and has_kubernetes(applied)
        wrong = served and world.k3s_port != spec.stated["kubernetes.port"]
        assert again.refusals or again.warnings or again.actions or again.pending or not wrong
        return
    assert again.shown == ()
    # That it is still idle, each run notes again.
    assert [action for action in again.actions if action.kind is not ActionKind.NOTE_IDLE] == []
    assert again.refusals == ()
    if spec.state == "absent":
        assert not world.current.exists
        assert world.current.configured is None
        return
    if not plan.pending and spec.state in ("started", "stopped"):
        assert world.current.health == RUNNING if spec.state == "started" else not world.current.up
    if spec.state == "started" and not plan.pending and policy.on_fixed_change != "warn":
        assert world.current.applied is not None
        wanted = {**world.current.applied, **spec.stated}
        options = frozenset(spec.stated) - {"disk", "auto_activate", "force_disk_image", "kubernetes.port"}
        assert differences(world.current.applied, wanted, options, world.host, NAME.id) == []
        if spec.stated.get("kubernetes.port") and has_kubernetes(world.current.applied):
            assert world.k3s_port == spec.stated["kubernetes.port"]
        if "disk" in spec.stated and world.current.disk is not None:
            assert world.current.disk_gib == spec.stated["disk"]


@settings(parent=LONG)
@given(HOSTS.flatmap(lambda host: st.tuples(st.just(host), stated(host, 40))))
def test_settings_survive_the_way_through_colima_yaml(case: tuple[Host, dict[str, Any]]) -> None:
    host, values = case
    config = {**defaults(host), **values}
    read, problem = parse(render(config, host))
    assert problem == ""
    assert read is not None
    assert canonical(read, host, NAME.id) == canonical(config, host, NAME.id)
