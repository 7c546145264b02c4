# SPDX-License-Identifier: GPL-3.0-or-later
"""Whatever is there and whatever is asked for: nothing is destroyed unasked, and a plan leads where it says it does."""

from __future__ import annotations

import os
from dataclasses import replace
from typing import Any

from ansible_collections.laptop.containers.plugins.module_utils.colima_action import Facts
from ansible_collections.laptop.containers.plugins.module_utils.colima_config import (
    Host,
    canonical,
    defaults,
    differences,
)
from ansible_collections.laptop.containers.plugins.module_utils.colima_desired import Desired, Policy, check
from ansible_collections.laptop.containers.plugins.module_utils.colima_paths import parse_name
from ansible_collections.laptop.containers.plugins.module_utils.colima_plan import plan_profile
from ansible_collections.laptop.containers.plugins.module_utils.colima_settings import BY_OPTION, SETTINGS
from ansible_collections.laptop.containers.plugins.module_utils.colima_state import (
    ABSENT,
    BROKEN,
    DAMAGED,
    DEFINED,
    GIB,
    HALF,
    LEFTOVER,
    RUNNING,
    STOPPED,
    Clients,
    Current,
    DataDisk,
    Row,
    Store,
)
from ansible_collections.laptop.containers.plugins.module_utils.colima_yaml import parse, render
from ansible_collections.laptop.containers.plugins.module_utils.errors import InputError
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from tests.colima_model import World

LONG = settings(
    max_examples=20_000 if os.environ.get("LAPTOP_LONG") else 500, deadline=None, suppress_health_check=list(HealthCheck)
)
NAME = parse_name("dev")
SOCKET = "unix:///home/me/.colima/dev/docker.sock"
HOSTS = st.sampled_from(
    [
        Host("Darwin", "aarch64", "/Users/me", 12, 36864),
        Host("Darwin", "x86_64", "/Users/me", 8, 16384),
        Host("Linux", "x86_64", "/home/me", 8, 16384),
    ]
)
WORDS = st.text("abcxyz-.=/ :#'\"\n{1e3", max_size=8)
VALUES: dict[str, st.SearchStrategy[Any]] = {
    "cpu": st.integers(1, 4),
    "memory": st.sampled_from([1.0, 1.5, 2.0, 4.0]),
    "disk": st.sampled_from([10, 20, 60, 100, 120]),
    "root_disk": st.sampled_from([20, 30]),
    "kubernetes.port": st.sampled_from([0, 6443]),
    "kubernetes.version": st.sampled_from(["v1.35.0+k3s1", "v1.34.0+k3s1"]),
    "kubernetes.k3s_args": st.lists(st.sampled_from(["--disable=traefik", "--x=a,b"]), unique=True),
    "hostname": st.sampled_from(["", "colima-dev", "box"]),
    "cpu_type": st.sampled_from(["", "host", "max"]),
    "network.interface": st.sampled_from(["en0", "en1"]),
    "network.dns": st.lists(st.sampled_from(["1.1.1.1", "::1"]), unique=True),
    "network.dns_hosts": st.dictionaries(st.sampled_from(["a.b", "host.docker.internal"]), st.just("host.lima.internal")),
    "network.gateway_address": st.sampled_from(["192.168.5.2", "10.0.0.2"]),
    "docker": st.dictionaries(
        st.sampled_from(["debug", "x"]), st.one_of(st.booleans(), WORDS, st.lists(WORDS, max_size=2)), max_size=2
    ),
    "ssh_port": st.sampled_from([0, 2222]),
    "mounts": st.sampled_from(
        [
            None,
            [],
            [{"location": "~", "mount_point": "", "writable": True}],
            [{"location": "/srv/", "mount_point": "/data", "writable": False}],
        ]
    ),
    "provision": st.lists(st.fixed_dictionaries({"mode": st.sampled_from(["system", "ready"]), "script": WORDS}), max_size=2),
    "env": st.dictionaries(st.sampled_from(["A", "B"]), WORDS, max_size=2),
    "disk_image": st.sampled_from(["", "/tmp/image"]),
}


def value_of(option: str) -> st.SearchStrategy[Any]:
    setting = BY_OPTION[option]
    if option in VALUES:
        return VALUES[option]
    return st.booleans() if setting.kind is bool else st.sampled_from(setting.choices)


@st.composite
def stated(draw: st.DrawFn, host: Host, most: int = 6) -> dict[str, Any]:
    """Settings that this host can do."""
    options = draw(st.lists(st.sampled_from([setting.option for setting in SETTINGS]), unique=True, max_size=most))
    result = {option: draw(value_of(option)) for option in options}
    try:
        check(Desired(NAME, "started", result), host)
    except InputError:
        assume(False)
    return result


@st.composite
def worlds(draw: st.DrawFn) -> tuple[World, tuple[int, int, int] | None]:
    """A profile in any state that colima, crashes and people can leave it in."""
    host = draw(HOSTS)
    version = draw(st.sampled_from([None, (0, 10, 3), (0, 10, 3), (0, 9, 1), (0, 8, 4)]))
    disks = version is None or version >= (0, 9, 0)
    config = {**defaults(host), **draw(stated(host))}
    health = draw(st.sampled_from([ABSENT, DEFINED, LEFTOVER, STOPPED, RUNNING, RUNNING, HALF, BROKEN, DAMAGED]))
    exists = health in (STOPPED, RUNNING, HALF, BROKEN, DAMAGED)
    runtime = config["runtime"]
    if runtime not in ("docker", "containerd"):
        config["kubernetes.enabled"] = False
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
        store = draw(st.sampled_from([Store(True, runtime), Store(True, runtime), Store(False, ""), None]))
    # Files may claim any port that was ever asked for, and an entry of the kubeconfig may be that of an earlier VM.
    asked = (applied or {}).get("kubernetes.port") or 45678
    on = bool((applied or {}).get("kubernetes.enabled"))
    k3s_port = draw(st.sampled_from([asked, asked, 6443, 7443] if on else [0, 0, 6443, 7443])) if exists else 0
    clients = Clients(
        kube_port=draw(st.sampled_from([0, k3s_port, k3s_port, 6443])),
        docker_context=draw(st.sampled_from(["", SOCKET, "unix:///old.sock"])),
        kube_entry=draw(st.sampled_from(["", "present", "incomplete"])),
        kube_current_dangling=draw(st.booleans()),
    )
    status = {RUNNING: "Running", HALF: "Running", STOPPED: "Stopped", BROKEN: "Broken", DAMAGED: ""}
    row = None
    if exists:
        row = Row(
            "dev", status[health], host.arch, config["cpu"], int(config["memory"] * GIB), config["disk"] * GIB, runtime=runtime
        )
    current = Current(
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
        disk_unfinished=disk is None and draw(st.integers(0, 5)) == 0,
        live={"kubernetes": config["kubernetes.enabled"] and draw(st.integers(0, 3)) > 0} if health == RUNNING else {},
        clients=clients,
        docker_socket=SOCKET,
    )
    return World(current, host, disks, k3s_port=k3s_port), version


@st.composite
def cases(draw: st.DrawFn) -> tuple[World, Desired, Policy, Facts]:
    world, version = draw(worlds())
    desired = Desired(
        NAME, draw(st.sampled_from(["started", "started", "stopped", "present", "absent"])), draw(stated(world.host))
    )
    policy = Policy(
        draw(st.sampled_from(["always", "if_idle", "never"])),
        draw(st.sampled_from(["refuse", "warn", "recreate", "recreate_with_data_loss"])),
        draw(st.sampled_from([frozenset(), frozenset({"other"}), frozenset({"dev"})])),
        draw(st.booleans()),
    )
    busy = {"dev": draw(st.sampled_from(["", "1 container runs in it (web)"]))}
    # A VM that is up may give no answer all the same.
    ports = draw(st.sampled_from([world.k3s_ports(), world.k3s_ports(), {"dev": None}]))
    return world, desired, policy, Facts(version, busy, ports)


def is_surprised_by_port(world: World, desired: Desired, facts: Facts) -> bool:
    """Whether the port of k3s is not what a file says, and the VM could not be asked before or can't be asked now."""
    wanted, now = desired.stated.get("kubernetes.port"), world.k3s_ports().get("dev")
    claimed = (world.current.applied or {}).get("kubernetes.port")
    lies = world.k3s_port not in (0, wanted) or claimed != world.k3s_port
    return bool(wanted and world.k3s_port and lies and (facts.k3s_ports.get("dev") is None or now is None))


@LONG
@given(cases())
def test_a_plan_destroys_nothing_unasked_and_leads_to_its_goal(case: tuple[World, Desired, Policy, Facts]) -> None:
    world, desired, policy, facts = case
    before = world.current
    plan = plan_profile(before, desired, policy, world.host, facts)
    assert plan_profile(before, desired, policy, world.host, facts) == plan
    if plan.refusals:
        return
    world.apply(plan)
    named = policy.may_destroy(NAME)
    asked = (desired.state == "absent" and policy.delete_data) or policy.on_fixed_change == "recreate_with_data_loss"
    assert not world.lost or (named and asked)
    interrupted = any(action.kind in ("stop", "kill", "delete", "delete_data") for action in plan.actions)
    if before.health == RUNNING and interrupted and desired.state in ("started", "present"):
        assert policy.restart != "never"
        assert policy.restart == "always" or not facts.busy["dev"]
    told = replace(facts, k3s_ports=world.k3s_ports())
    again = plan_profile(world.current, desired, policy, world.host, told)
    if is_surprised_by_port(world, desired, facts):
        # Only a VM that is up can tell its port: a plan for one that is not may be corrected, never in silence.
        served = world.current.health == RUNNING and (world.current.applied or {}).get("kubernetes.enabled")
        wrong = served and world.k3s_port != desired.stated["kubernetes.port"]
        assert again.refusals or again.warnings or again.actions or again.pending or not wrong
        return
    assert [str(step) for step in again.steps] == []
    assert again.actions == ()
    assert again.refusals == ()
    if desired.state == "absent":
        assert not world.current.exists
        assert world.current.configured is None
        return
    if not plan.pending and desired.state in ("started", "stopped"):
        assert world.current.health == RUNNING if desired.state == "started" else not world.current.up
    if desired.state == "started" and not plan.pending and policy.on_fixed_change != "warn":
        assert world.current.applied is not None
        wanted = {**world.current.applied, **desired.stated}
        options = frozenset(desired.stated) - {"disk", "auto_activate", "force_disk_image", "kubernetes.port"}
        assert differences(world.current.applied, wanted, options, world.host, NAME.id) == []
        if desired.stated.get("kubernetes.port") and world.current.applied["kubernetes.enabled"]:
            assert world.k3s_port == desired.stated["kubernetes.port"]
        if "disk" in desired.stated and world.current.disk is not None:
            assert world.current.disk_gib == desired.stated["disk"]


@settings(parent=LONG)
@given(HOSTS.flatmap(lambda host: st.tuples(st.just(host), stated(host, 40))))
def test_settings_survive_the_way_through_colima_yaml(case: tuple[Host, dict[str, Any]]) -> None:
    host, values = case
    config = {**defaults(host), **values}
    read, problem = parse(render(config, host))
    assert problem == ""
    assert read is not None
    assert canonical(read, host, NAME.id) == canonical(config, host, NAME.id)
