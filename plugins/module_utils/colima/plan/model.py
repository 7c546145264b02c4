# SPDX-License-Identifier: GPL-3.0-or-later
"""What a plan is made of: actions and their phases, the facts that it may ask for, and the plan of one profile as shown. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from enum import Enum
from typing import Any

from ...colima_paths import Name
from ...core.plan import Pending, Plan, Step
from ...core.secrecy.patterns import NOT_SHOWN
from ..client.retained_vms import DAY_SECONDS, grace
from ..model.answers import K3sState
from ..model.config import DEFAULTS, Config, Host, has_kubernetes, own_hosts
from ..model.settings import Version
from ..model.shown import shown
from ..model.spec import ChangePolicy, ProfileSpec, Refusal
from ..model.state import RUNNING, STOPPED, ProfileState


class Phase(Enum):
    """All profiles' actions of one phase run before those of the next."""

    DOWN = "down"
    FILES = "files"
    UP = "up"
    CLIENTS = "clients"


class ActionKind(Enum):
    """What there is to do. Each kind has one function in carry_out, and runs in one of the four phases."""

    CONTINUE = "continue"  # resume a VM that stands still
    STOP = "stop"
    FORCE_STOP = "force_stop"
    SAVE_SETTINGS = "save_settings"  # where a deletion does not reach them
    DELETE = "delete"
    DELETE_DATA = "delete_data"
    DELETE_DISK = "delete_disk"
    REMOVE_DOCKER_CONTEXT = "remove_docker_context"
    REMOVE_BUILDX_NOTES = "remove_buildx_notes"
    REMOVE_KUBE_ENTRY = "remove_kube_entry"
    REMOVE_KUBE_COPIES = "remove_kube_copies"
    REMOVE_DEFAULT_FILE = "remove_default_file"
    REMOVE_SSH_INCLUDE = "remove_ssh_include"
    REMOVE_WRAPPER = "remove_wrapper"
    SET_VM_ASIDE = "set_vm_aside"
    SET_DISK_ASIDE = "set_disk_aside"
    UNLOCK_DISK = "unlock_disk"
    RESTORE_DISK_NOTE = "restore_disk_note"  # colima's own
    ENLARGE_DISK = "enlarge_disk"
    WRITE_SETTINGS = "write_settings"
    NOTE_NEW_DISK = "note_new_disk"  # note that a first start is about to make the data disk
    FORGET_NEW_DISK = "forget_new_disk"  # remove that note
    FORGET_SAVED_SETTINGS = "forget_saved_settings"  # that were kept before a deletion
    NOTE_ENTRY = "note_entry"  # note that the kubeconfig's entry is that of the running k3s
    NOTE_IDLE = "note_idle"  # note that nothing runs in it
    FORGET_IDLE = "forget_idle"  # remove that note
    START = "start"
    REPAIR_KUBECONFIG = "repair_kubeconfig"
    CORRECT_CONTEXT = "correct_context"
    RESTORE_SOCKET = "restore_socket"  # of the engine, on the laptop
    USE_CONTEXT = "use_context"
    SAVE_BUILDKIT = "save_buildkit"  # keep the profile's buildkitd.toml where a deletion does not reach it
    RESTORE_BUILDKIT = "restore_buildkit"
    WRITE_BUILDKIT = "write_buildkit"
    REMOVE_BUILDKIT = "remove_buildkit"


_FILES = (
    ActionKind.SET_VM_ASIDE,
    ActionKind.SET_DISK_ASIDE,
    ActionKind.UNLOCK_DISK,
    ActionKind.RESTORE_DISK_NOTE,
    ActionKind.ENLARGE_DISK,
    ActionKind.WRITE_SETTINGS,
    ActionKind.NOTE_NEW_DISK,
    ActionKind.FORGET_NEW_DISK,
    ActionKind.FORGET_SAVED_SETTINGS,
    ActionKind.NOTE_ENTRY,
    ActionKind.NOTE_IDLE,
    ActionKind.FORGET_IDLE,
    ActionKind.RESTORE_BUILDKIT,
    ActionKind.WRITE_BUILDKIT,
    ActionKind.REMOVE_BUILDKIT,
)
_CLIENTS = (ActionKind.REPAIR_KUBECONFIG, ActionKind.CORRECT_CONTEXT, ActionKind.USE_CONTEXT, ActionKind.RESTORE_SOCKET)
_PHASE_OF = {
    **dict.fromkeys(ActionKind, Phase.DOWN),
    **dict.fromkeys(_FILES, Phase.FILES),
    ActionKind.START: Phase.UP,
    **dict.fromkeys(_CLIENTS, Phase.CLIENTS),
}
DESTRUCTIVE = (ActionKind.DELETE, ActionKind.DELETE_DATA, ActionKind.DELETE_DISK)
_ENDS_VM = (ActionKind.DELETE, ActionKind.DELETE_DATA, ActionKind.SET_VM_ASIDE)


@dataclass(frozen=True)
class Action(Step):
    """One thing to do to one profile. Silent ones are bookkeeping, or part of a creation that is shown as one."""

    kind: ActionKind = field(kw_only=True)
    name: Name = field(kw_only=True)
    # Before the deletion of a VM, in the phase of that.
    early: bool = field(default=False, kw_only=True)
    config: Config | None = field(default=None, kw_only=True)
    gib: int = field(default=0, kw_only=True)
    seconds: float = field(default=0.0, kw_only=True)
    # Whether the profile's kube context becomes current where none is.
    activate: bool = field(default=False, kw_only=True)
    # The kube context that becomes current instead of the profile's.
    context: str = field(default="", kw_only=True)
    files: tuple[str, ...] = field(default=(), kw_only=True)
    # The part of the profile that it changes; empty for all of it.
    part: str = field(default="", kw_only=True)
    # What is written into a file that holds no settings of colima's.
    text: str = field(default="", kw_only=True)

    @property
    def phase(self) -> Phase:
        """When it runs."""
        return Phase.DOWN if self.early else _PHASE_OF[self.kind]


def act(kind: ActionKind, name: Name, verb: str, detail: str = "", target: str = "", **more: Any) -> Action:
    """Return an action whose target is the profile unless another one is given."""
    return Action(verb, target or f"profile '{name}'", detail, kind=kind, name=name, **more)


def act_on(kind: ActionKind, name: Name, verb: str, part: str, detail: str = "", **more: Any) -> Action:
    """Return an action on a part of the profile; an empty part stands for all of it."""
    target = f"{part} of profile '{name}'" if part else ""
    return act(kind, name, verb, detail, target, part=part, **more)


@dataclass(frozen=True)
class ProfileFacts:
    """What costs a command of its own and is only asked when a plan depends on it. None: not asked."""

    version: Version | None = None
    busy: Mapping[str, str] = field(default_factory=dict)  # profile -> what runs in it; empty: idle
    k3s: Mapping[str, K3sState | None] = field(default_factory=dict)  # profile -> what its VM says of k3s; None: no answer


@dataclass(frozen=True)
class ProfilePlan:
    """What will be done to one profile, what waits, and what forbids it."""

    spec: ProfileSpec
    current: ProfileState
    target: Config | None = None
    actions: tuple[Action, ...] = ()
    pending: tuple[Pending, ...] = ()
    warnings: tuple[str, ...] = ()
    refusals: tuple[Refusal, ...] = ()
    will_be_up: bool = False
    # Whether what it stops must be idle, and whether that was not asked yet.
    only_if_idle: bool = False
    asks_idle: bool = False
    # Whether it depends on the k3s of a running VM, which was not asked yet.
    asks_k3s: bool = False

    def adding(
        self, actions: Iterable[Action] = (), warnings: Iterable[str] = (), refusals: Iterable[Refusal] = ()
    ) -> ProfilePlan:
        """Return the plan with more of these."""
        return replace(
            self,
            actions=(*self.actions, *actions),
            warnings=(*self.warnings, *warnings),
            refusals=(*self.refusals, *refusals),
        )

    def does(self, *kinds: ActionKind) -> bool:
        """Whether any of its actions is of one of these kinds."""
        return any(action.kind in kinds for action in self.actions)

    @property
    def shown(self) -> tuple[Action, ...]:
        """The actions that a user sees."""
        return tuple(action for action in self.actions if not action.silent)

    def public(self) -> Plan:
        """Return the plan of this profile alone, with its states."""
        key = str(self.spec.name)
        before, after = states(self)
        return Plan(self.actions, {key: before}, {key: after}, self.pending, self.warnings)


_ALWAYS_SHOWN = ("cpu", "memory", "disk", "runtime", "kubernetes.enabled")


def states(plan: ProfilePlan) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the profile before and after as shown in a diff: its state, and the settings that change.

    Of a new one: its size, and the settings that are not colima's defaults.
    """
    current = plan.current
    before: dict[str, Any] = {"state": current.health}
    if plan.spec.state == "absent":
        disk = current.disk_gib or 0
        left = 0 if plan.does(ActionKind.DELETE_DATA, ActionKind.DELETE_DISK) else disk
        return {**before, "data_disk_gib": disk}, {"state": "absent", "data_disk_gib": left}
    after: dict[str, Any] = {"state": _state_after(plan)}
    there: dict[str, Any] = dict(current.settings)
    if current.disk_gib is not None:
        there["disk"] = current.disk_gib
    _compare(_without_implicit(there), _without_implicit(_wanted(plan, there)), before, after)
    for action in plan.actions:
        if action.kind in (ActionKind.WRITE_BUILDKIT, ActionKind.REMOVE_BUILDKIT):
            before["buildkitd.toml"], after["buildkitd.toml"] = current.buildkit.own or "", action.text
    return before, after


def _state_after(plan: ProfilePlan) -> str:
    current = plan.current
    if plan.does(ActionKind.START) or (plan.will_be_up and current.health == RUNNING):
        return "running"
    if plan.pending:
        return current.health
    return "stopped" if current.exists else "defined"


def _wanted(plan: ProfilePlan, there: Config) -> dict[str, Any]:
    written = next((action.config for action in plan.actions if action.kind is ActionKind.WRITE_SETTINGS), None)
    return dict(written or (plan.target if plan.actions and there else {}) or {})


def _without_implicit(config: dict[str, Any]) -> dict[str, Any]:
    return {**config, "network.dns_hosts": own_hosts(config)} if "network.dns_hosts" in config else config


def _compare(there: Config, wanted: Config, before: dict[str, Any], after: dict[str, Any]) -> None:
    """Add the settings that change to both sides, without what is secret in them."""
    for option, value in wanted.items():
        old, new = shown(option, there.get(option)), shown(option, value)
        if not there:
            # Of a new VM what colima would do by itself says nothing.
            if option in _ALWAYS_SHOWN or value != DEFAULTS.get(option):
                after[option] = new
        elif old != new:
            before[option], after[option] = old, new
        elif there.get(option) != value:
            before[option], after[option] = NOT_SHOWN, "(not shown, changed)"


def forget_note(current: ProfileState) -> Action:
    """Return the action that removes a stale note of a new data disk."""
    return act_on(ActionKind.FORGET_NEW_DISK, current.name, "forget", "the note of the new data disk", silent=True)


def delete_with_data(current: ProfileState, why: str, policy: ChangePolicy, host: Host) -> list[Action]:
    """Return the actions that destroy a VM and its data disk: by setting both aside, where there is something on them."""
    if policy.keep_deleted and current.one_disk and not current.never_came_up:
        detail = "; ".join(filter(None, (why, grace(policy.keep_deleted, host.disk_free_mib << 20))))
        seconds = policy.keep_deleted * DAY_SECONDS
        return [
            act_on(ActionKind.DELETE_DATA, current.name, "delete", "the VM and all images and volumes", detail, seconds=seconds)
        ]
    actions = [act_on(ActionKind.DELETE_DATA, current.name, "delete", "the VM and all images and volumes", why)]
    if current.disk is not None and not current.noted_as_formatted:
        # `colima delete --data` leaves a disk that it never marked as formatted.
        actions.append(act_on(ActionKind.DELETE_DISK, current.name, "delete", "the data disk", "colima has no note of it"))
    return actions


def plans_kubernetes(plan: ProfilePlan) -> bool:
    """Whether Kubernetes is to run in the profile."""
    return plan.target is not None and has_kubernetes(plan.target)


def sets_kubernetes_up(plan: ProfilePlan) -> bool:
    """Whether this start downloads k3s or writes the kubeconfig, as the first one with Kubernetes does, or a new version."""
    applied, target = plan.current.applied or {}, plan.target or {}
    same_vm = plan.current.health in (STOPPED, RUNNING) and not plan.does(*_ENDS_VM)
    known = bool(applied.get("kubernetes.enabled")) and applied.get("kubernetes.version") == target.get("kubernetes.version")
    # With an address of its own a VM may get another one, which colima then writes down.
    return plans_kubernetes(plan) and not (same_vm and known and not target["network.address"])


def settled_notes(plan: ProfilePlan) -> list[str]:
    """Return which of our notes a finished plan has made unneeded. A plan that was held back settles nothing."""
    some = bool(plan.actions)
    absent = some and plan.spec.state == "absent"
    notes = ["journal"] if absent or plan.does(ActionKind.START, ActionKind.WRITE_SETTINGS) else []
    settled = plan.does(ActionKind.START, ActionKind.DELETE_DATA, ActionKind.DELETE_DISK, ActionKind.FORGET_NEW_DISK) or (
        some and plan.current.noted_as_formatted
    )
    return [*notes, "fresh"] if settled else notes
