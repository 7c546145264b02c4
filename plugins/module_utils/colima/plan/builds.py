# SPDX-License-Identifier: GPL-3.0-or-later
"""What is to be done to the buildkitd.toml of a profile: written for builds into its cluster, taken away, or saved. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from ..model.cluster_builds import OPTION
from ..model.spec import ProfileSpec
from ..model.state import ProfileState
from .model import Action, ActionKind, act, act_on


@dataclass(frozen=True)
class BuildConfigPlan:
    """The actions, and in words what a VM that runs needs a restart for; empty: nothing."""

    change: str = ""
    actions: tuple[Action, ...] = ()


def plan_builds(current: ProfileState, spec: ProfileSpec) -> BuildConfigPlan:
    """Return what is to be done. It must have been found possible."""
    files, name = current.buildkit, current.name
    again = restored(current) if files.saved else ()
    target = f"'{files.path}'"
    if spec.build is False and files.is_ours:
        gone = act(ActionKind.REMOVE_BUILDKIT, name, "remove", "builds go where colima puts them", target, files=(files.path,))
        return BuildConfigPlan(f"{OPTION} on -> off", (*again, gone))
    if spec.build and (files.own is None or files.is_ours):
        text = files.rendered()
        if text != files.own:
            change = f"{OPTION} off -> on" if files.own is None else "buildkitd.toml changed"
            written = act(
                ActionKind.WRITE_BUILDKIT, name, "write", "builds go into the cluster", target, files=(files.path,), text=text
            )
            return BuildConfigPlan(change, (*again, written))
    return BuildConfigPlan("buildkitd.toml changed" if spec.build and files.unread else "", again)


def saved(current: ProfileState) -> tuple[Action, ...]:
    """Return what saves the file from a deletion of the profile, which takes its whole directory."""
    if current.buildkit.own is None or current.buildkit.saved:
        return ()
    return (
        act_on(ActionKind.SAVE_BUILDKIT, current.name, "save", "the buildkitd.toml", silent=True, files=(current.buildkit.path,)),
    )


def restored(current: ProfileState) -> tuple[Action, ...]:
    """Return what brings a saved file back."""
    if current.buildkit.own is None:
        return ()
    return (
        act_on(
            ActionKind.RESTORE_BUILDKIT,
            current.name,
            "restore",
            "the buildkitd.toml",
            silent=True,
            files=(current.buildkit.path,),
        ),
    )
