# SPDX-License-Identifier: GPL-3.0-or-later
"""What must hold before the first step: the programs are there, the plan was not made blindly, no other program changes a VM."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence

from ...colima_paths import Name
from ...core.errors import InputError, RefusedStep, ToolMissing
from ...core.install import how_to_install
from ..client.programs import Colima
from ..model.config import has_kubernetes
from ..model.ecr_credentials import PROGRAM
from ..model.state import ABSENT, BROKEN, HALF, RUNNING, SILENT
from ..plan.model import DESTRUCTIVE, ActionKind, ProfilePlan

_POLL_SECONDS = 0.5


def refuse_blind_plans(colima: Colima, plans: Sequence[ProfilePlan]) -> None:
    """Raise ToolMissing for plans about data that can't be seen without colima: it would seem that there is none."""
    if colima.installed:
        return
    for plan in plans:
        name = plan.current.name
        there = plan.current.health != ABSENT or colima.paths.data_disk(name).exists()
        hangs_on_data = plan.refusals or plan.does(*DESTRUCTIVE)
        if there and (hangs_on_data or plan.spec.state == "absent"):
            remedy = f"{how_to_install('colima')} Without it, the data of profile '{name}' is unknown."
            raise ToolMissing("colima", remedy=remedy)


def missing_tools(colima: Colima, plans: Sequence[ProfilePlan]) -> list[str]:
    """Return the programs that these plans need and that are not there."""
    needed = ["colima", "limactl", "lima"]
    for plan in plans:
        if plan.target and plan.does(ActionKind.START):
            if plan.target["runtime"] in ("docker", "incus"):
                needed.append(str(plan.target["runtime"]))
            if has_kubernetes(plan.target):
                needed.append("kubectl")
    missing = [tool for tool in dict.fromkeys(needed) if not colima.tool(tool)]
    # Whatever installs colima brings Lima along.
    return [tool for tool in missing if tool not in ("limactl", "lima")] if "colima" in missing else missing


def require_tools(colima: Colima, plans: Sequence[ProfilePlan]) -> None:
    """Raise before the first step: colima saves the new settings before it finds that a program is missing."""
    missing = missing_tools(colima, plans)
    if missing:
        raise ToolMissing(*missing)


def require_writable(colima: Colima, plans: Sequence[ProfilePlan]) -> None:
    """Raise before the first step when settings could not be written: people keep them as links into places of other tools."""
    for plan in plans:
        if plan.does(ActionKind.WRITE_SETTINGS):
            file = colima.paths.configured(plan.current.name).resolve()
            directory = next(place for place in file.parents if place.is_dir())
            if not os.access(directory, os.W_OK | os.X_OK):
                raise InputError(
                    f"write the settings of profile '{plan.current.name}'",
                    f"'{directory}', where '{file.name}' belongs, is not writable",
                    "Make it writable, or replace the link by a file.",
                )


def missing_notes(colima: Colima, plans: Sequence[ProfilePlan]) -> tuple[str, ...]:
    """Return the same as a warning for check mode."""
    missing = missing_tools(colima, plans)
    return (ToolMissing(*missing).message,) if missing else ()


def provider_notes(colima: Colima, plans: Sequence[ProfilePlan]) -> list[str]:
    """Return a warning for each running VM that is to have AWS' program for the kubelet, and has not."""
    wanted = [plan.current.name for plan in plans if plan.spec.ecr_profile and plan.current.health == RUNNING]
    return [
        f"Profile '{name}' can't pull from ECR yet: its VM could not download AWS' ecr-credential-provider. "
        f"Each start tries again: with a network, run 'colima stop {name}' and then this again."
        for name in wanted
        if not colima.answers(name, "test", "-x", PROGRAM)
    ]


def booting(colima: Colima, plans: Sequence[ProfilePlan]) -> dict[Name, int]:
    """Return the profiles that another program is just starting, each with that process.

    Nothing may be done to them, and what they look like means nothing: a VM that boots looks half-started, or broken. Asked only
    where something is to be done, or would be for such a look.
    """
    doubtful = [
        plan.current.name for plan in plans if plan.actions or plan.refusals or plan.current.health in (HALF, SILENT, BROKEN)
    ]
    return colima.being_started(doubtful) if doubtful else {}


def wait_for_others(colima: Colima, plans: Sequence[ProfilePlan], seconds: float, say: Callable[[str, str], None]) -> bool:
    """Wait until no other program is starting these VMs. Returns whether there was anything to wait for."""
    waited = False
    end = time.monotonic() + seconds
    while found := booting(colima, plans):
        if time.monotonic() >= end:
            name, pid = next(iter(found.items()))
            raise RefusedStep(
                f"change profile '{name}'",
                f"process {pid}, which is not ours, has been starting it for more than {seconds:g} s",
                f"Wait for it to end, or end it with 'kill {pid}', and run again.",
            )
        for name in found:
            say(str(name), "waiting for another program, which is starting it")
        waited = True
        time.sleep(_POLL_SECONDS)
    return waited
