# SPDX-License-Identifier: GPL-3.0-or-later
"""Random lives of a profile on the stand-in: whatever is asked for next, it is reached, kept, and nothing is lost unasked.

The pure model, on which many more lives are played, must foretell what the stand-in does.
"""

from __future__ import annotations

import os
from typing import Any

from ansible_collections.laptop.containers.plugins.module_utils.colima_config import Config, canonical
from ansible_collections.laptop.containers.plugins.module_utils.colima_converge import survey
from ansible_collections.laptop.containers.plugins.module_utils.colima_paths import parse_name
from ansible_collections.laptop.containers.plugins.module_utils.colima_read import read
from ansible_collections.laptop.containers.plugins.module_utils.colima_state import Current
from ansible_collections.laptop.containers.plugins.module_utils.errors import RefusedStep
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.colima_lab import ColimaLab, colima_lab
from tests.colima_model import World

WISHES = st.fixed_dictionaries(
    {"name": st.just("dev")},
    optional={
        "state": st.sampled_from(["started", "stopped", "present", "absent"]),
        "cpu": st.integers(1, 4),
        "disk": st.sampled_from([20, 30, 40]),
        "runtime": st.sampled_from(["docker", "containerd"]),
        "vm_type": st.sampled_from(["vz", "qemu"]),
        "kubernetes": st.sampled_from([{"enabled": True}, {"enabled": False}]),
        "mounts": st.sampled_from([[], [{"location": "none"}], [{"location": "/srv"}]]),
        "env": st.sampled_from([{}, {"A": "1"}]),
        "network": st.sampled_from([{"address": True}, {"dns": ["1.1.1.1"]}]),
        "auto_activate": st.booleans(),
    },
)
POLICIES = st.fixed_dictionaries(
    {},
    optional={
        "on_fixed_change": st.sampled_from(["refuse", "warn", "recreate", "recreate_with_data_loss"]),
        "confirm_data_loss": st.sampled_from([["dev"], ["other"]]),
        "delete_data": st.booleans(),
        "restart": st.sampled_from(["always", "if_idle"]),
    },
)
MISHAPS = st.sampled_from(
    ["none", "none", "lost settings", "lost note", "stale lock", "colima stop", "colima start with other flags"]
)


def seen(lab: ColimaLab, current: Current) -> dict[str, Any]:
    """What the model promises to foretell of a profile."""

    def meaning(config: Config | None) -> dict[str, Any] | None:
        return None if config is None else canonical(config, lab.host, current.name.id)

    return {
        "health": current.health,
        "configured": meaning(current.configured),
        "applied": meaning(current.applied),
        "disk": current.disk and current.disk.size,
        "store": current.store if current.disk is not None else None,
        "kubernetes": bool(current.live.get("kubernetes")),
        "kubeconfig": current.clients.kube_entry,
    }


def foretold(lab: ColimaLab, wish: dict[str, Any], policy: dict[str, Any]) -> dict[str, Any]:
    """What the model of colima says will be there after this run."""
    found = survey(lab.colima, lab.request(wish, **policy))
    if found.refusals:
        return {}
    (plan,) = found.plans
    world = World(plan.current, lab.host)
    world.apply(plan)
    return seen(lab, world.current)


def befall(lab: ColimaLab, mishap: str) -> None:
    name = parse_name("dev")
    if mishap == "lost settings":
        lab.paths.configured(name).unlink(missing_ok=True)
    elif mishap == "lost note" and lab.paths.applied(name).exists():
        lab.paths.store(name).unlink(missing_ok=True)
    elif mishap == "stale lock" and lab.paths.data_disk(name).is_dir() and not (lab.paths.instance(name) / "ha.pid").exists():
        lock = lab.paths.data_disk(name) / "in_use_by"
        lock.unlink(missing_ok=True)
        lock.symlink_to(lab.paths.instance(name))
    elif mishap == "colima stop":
        lab.run("colima", "stop", "dev")
    elif mishap == "colima start with other flags" and lab.paths.applied(name).exists():
        lab.run("colima", "start", "dev", "--cpus", "3", "--disk", "10")


@settings(
    max_examples=60 if os.environ.get("LAPTOP_LONG") else 3,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    derandomize=not os.environ.get("LAPTOP_LONG"),
)
@given(st.lists(st.tuples(MISHAPS, WISHES, POLICIES), min_size=2, max_size=4))
def test_every_wish_is_reached_and_the_second_run_changes_nothing(life: list[tuple[str, dict[str, Any], dict[str, Any]]]) -> None:
    with colima_lab(BOOT_SECONDS="0.02") as lab:
        lab.converge({"name": "dev", "cpu": 2, "memory": 2, "disk": 20})
        lab.put_marker("dev")
        kept = True
        for mishap, wish, policy in life:
            befall(lab, mishap)
            named = policy.get("confirm_data_loss") == ["dev"]
            asked = policy.get("delete_data") or policy.get("on_fixed_change") == "recreate_with_data_loss"
            before = lab.tree()
            try:
                wanted = foretold(lab, wish, policy)
                lab.converge(wish, **policy)
            except RefusedStep:
                assert lab.tree() == before
                continue
            (now,) = read(lab.colima, [parse_name("dev")]).profiles.values()
            assert seen(lab, now) == wanted
            kept = kept and not (named and asked)
            again = lab.converge(wish, **policy)
            assert again.actions == ()
            assert not kept or lab.has_marker("dev")
