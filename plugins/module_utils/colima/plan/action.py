# SPDX-License-Identifier: GPL-3.0-or-later
"""What a plan is made of: actions and their order, the facts that it may ask for, and the plan of one profile as shown. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ...colima_paths import Name
from ...core.plan import Pending, Plan, Step
from ..model.config import Config, has_kubernetes, shown
from ..model.desired import Desired
from ..model.settings import Version
from ..model.state import RUNNING, STOPPED, Current

# Kinds of actions, in the order in which all profiles' actions run.
DOWN = (
    "stop",
    "kill",
    "journal",
    "aside_first",
    "aside_disk_first",
    "unlock_first",
    "store_first",
    "delete",
    "delete_data",
    "delete_disk",
    "clean",
)
FILES = ("aside", "aside_disk", "unlock", "store", "resize", "write", "fresh", "settle", "forget")
UP = ("start",)
CLIENTS = ("kubeconfig", "context", "use_context")
PHASES = (DOWN, FILES, UP, CLIENTS)

# What "clean" removes from the host; an action's number says which.
DOCKER_CONTEXT, KUBECONFIG_ENTRY, WRAPPER, SSH_INCLUDE, KUBECONFIG_BACKUPS = 1, 2, 3, 4, 5


@dataclass(frozen=True)
class Action:
    """One thing to do to one profile. verb, target and detail are what the user sees; hidden ones are bookkeeping."""

    kind: str
    name: Name
    verb: str
    detail: str = ""
    target: str = ""
    config: Config | None = None
    number: int = 0
    hidden: bool = False
    about: str = ""  # the file or context that it is about, beside the profile; never read out of what is shown

    def step(self) -> Step:
        """Return the form that is shown."""
        return Step(self.verb, self.target or f"profile '{self.name}'", self.detail)


@dataclass(frozen=True)
class Facts:
    """What costs a command of its own and is only asked when a plan depends on it. None: not asked."""

    version: Version | None = None
    busy: Mapping[str, str] = field(default_factory=dict)  # profile -> what runs in it; empty: idle
    k3s_ports: Mapping[str, int | None] = field(default_factory=dict)  # profile -> port of its k3s; 0: none, None: no answer


@dataclass(frozen=True)
class ProfilePlan:
    """What will be done to one profile, what waits, and what forbids it."""

    desired: Desired
    current: Current
    target: Config | None = None
    actions: tuple[Action, ...] = ()
    pending: tuple[Pending, ...] = ()
    warnings: tuple[str, ...] = ()
    refusals: tuple[str, ...] = ()
    will_be_up: bool = False
    # Whether what it stops must be idle, and whether that was not asked yet.
    only_if_idle: bool = False
    asks_idle: bool = False
    # Whether it hangs on the port of a running k3s, which was not asked yet.
    asks_port: bool = False

    @property
    def steps(self) -> tuple[Step, ...]:
        """The actions as shown."""
        return tuple(action.step() for action in self.actions if not action.hidden)

    def public(self) -> Plan:
        """Return the plan of this profile alone, with its states."""
        key = str(self.desired.name)
        before, after = states(self)
        return Plan(self.steps, {key: before}, {key: after}, self.pending, self.warnings)


def states(plan: ProfilePlan) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the profile before and after as shown in a diff: its state, and the settings that change."""
    current, target = plan.current, plan.target
    before: dict[str, Any] = {"state": current.health}
    if plan.desired.state == "absent":
        disk = current.disk_gib
        gone = any(action.kind in ("delete_data", "delete_disk") for action in plan.actions)
        return (
            {**before, "data_disk_gib": disk or 0},
            {"state": "absent", "data_disk_gib": 0 if gone else disk or 0},
        )
    up = any(action.kind == "start" for action in plan.actions) or (plan.will_be_up and current.health == RUNNING)
    left = current.health if plan.pending else ("stopped" if current.exists else "defined")
    after: dict[str, Any] = {"state": "running" if up else left}
    there: dict[str, Any] = dict(current.applied or current.configured or {})
    if current.disk_gib is not None:
        there["disk"] = current.disk_gib
    written = next((action.config for action in plan.actions if action.kind == "write"), None)
    for option, value in (written or (target if plan.actions and there else {}) or {}).items():
        if not there:
            after[option] = shown(option, value)
        elif shown(option, there.get(option)) != shown(option, value):
            before[option], after[option] = shown(option, there.get(option)), shown(option, value)
        elif there.get(option) != value:
            before[option], after[option] = "(not shown)", "(not shown, changed)"
    return before, after


def forget_note(name: Name) -> Action:
    """Return the action that takes a stale note of a new data disk away."""
    return Action("settle", name, "forget the note of the new data disk of", hidden=True)


def delete_with_data(current: Current, why: str) -> list[Action]:
    """Return the actions that destroy a VM and its data disk."""
    name = current.name
    actions = [Action("delete_data", name, "delete the VM and all images and volumes of", why)]
    if current.disk is not None and not current.noted_as_formatted:
        # `colima delete --data` leaves a disk that it never marked as formatted.
        actions.append(Action("delete_disk", name, "delete the data disk of", "colima has no note of it"))
    return actions


def plans_kubernetes(plan: ProfilePlan) -> bool:
    """Whether Kubernetes shall run in the profile."""
    return plan.target is not None and has_kubernetes(plan.target)


def sets_kubernetes_up(plan: ProfilePlan) -> bool:
    """Whether this start downloads k3s or writes the kubeconfig, as the first one with Kubernetes does, or a new version."""
    applied, target = plan.current.applied or {}, plan.target or {}
    same_vm = plan.current.health in (STOPPED, RUNNING) and not any("aside" in a.kind or "delete" in a.kind for a in plan.actions)
    known = bool(applied.get("kubernetes.enabled")) and applied.get("kubernetes.version") == target.get("kubernetes.version")
    # With an address of its own a VM may get another one, which colima then writes down.
    return plans_kubernetes(plan) and not (same_vm and known and not target["network.address"])


def settled_notes(plan: ProfilePlan) -> list[str]:
    """Return which of our notes a finished plan has made needless. A plan that was held back settles nothing."""
    kinds = {action.kind for action in plan.actions}
    notes = ["journal"] if kinds & {"start", "write"} or (kinds and plan.desired.state == "absent") else []
    settled = kinds & {"start", "delete_data", "delete_disk", "settle"} or (kinds and plan.current.noted_as_formatted)
    return [*notes, "fresh"] if settled else notes
