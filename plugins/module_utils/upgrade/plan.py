# SPDX-License-Identifier: GPL-3.0-or-later
"""What an upgrade does, and what it leaves for later. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ..core.plan import Pending, Plan, Step
from ..policy.judge import wrong_version
from ..policy.rules import Rule
from ..toolchain.judge import VersionStatus, crossed, findings
from ..toolchain.programs import version_of
from .model import (
    UNDER_VMS,
    WITH_ENGINE,
    NewerVersion,
    PackageManager,
    StartProfile,
    StopProfile,
    UpgradeProgram,
    UpgradeSpec,
    UpgradeState,
)


def plan_upgrade(spec: UpgradeSpec, found: UpgradeState) -> Plan:
    """Return the steps: VMs stop only where something under them is upgraded, and start again after it."""
    pending = {update.program: why for update in found.newer if (why := _why_not_now(update, spec, found))}
    now = [update for update in found.newer if update.program not in pending]
    stopped = found.running if UNDER_VMS & {update.program for update in now} else ()
    steps: list[Step] = [
        *(StopProfile("stop", f"profile '{profile}'", "everything in it stays", profile=profile) for profile in stopped),
        *(UpgradeProgram("upgrade", f"'{update.program}'", update.change, newer=update) for update in now),
        *(StartProfile("start", f"profile '{profile}'", profile=profile) for profile in stopped),
    ]
    return Plan(
        tuple(steps),
        {update.program: update.installed for update in now},
        {update.program: update.candidate for update in now},
        pending=tuple(pending.values()),
        warnings=tuple(text for update in now for text in _warnings(update)),
    )


def _why_not_now(update: NewerVersion, spec: UpgradeSpec, found: UpgradeState) -> Pending | None:
    """Return why a program is not upgraded now; None where it is."""
    if unfit := _why_unfit(update, spec.rules):
        return unfit
    if update.held:
        verb = "brew unpin" if update.by is PackageManager.HOMEBREW else "sudo apt-mark unhold"
        return _pending(update, f"{update.by} holds it back", f"Run '{verb} {update.package}', then again.", "held")
    if update.by is PackageManager.APT and not found.root:
        who, other = ("sudo", "") if spec.become else ("apt", ", or where sudo asks for none, use E(become=true)")
        command = f"Run 'sudo apt-get install --only-upgrade {update.package}'{other}."
        return _pending(update, f"{who} asks for your password", command, "password")
    if update.program in UNDER_VMS and found.running and not spec.stop:
        named = " and ".join(f"'{profile}'" for profile in found.running)
        runs = f"profile {named} runs" if len(found.running) == 1 else f"profiles {named} run"
        return _pending(update, f"{runs} on it", "To have them stopped and started for it, use E(stop=true).", "running")
    return None


def _why_unfit(update: NewerVersion, rules: Sequence[Rule]) -> Pending | None:
    """Return why the new version itself is not wanted: a fault that is known of it, or the policy."""
    for known in findings({update.program: version}) if (version := version_of(update.candidate)) else ():
        if known.fault is not None:
            return _pending(update, f"the new one {known.fault.says} ({known.fault.source})", known.remedy, "breaks")
    for rule in rules:
        if rule.tool == update.program and not [*wrong_version(rule, update.installed)]:
            for broken in wrong_version(rule, update.candidate):
                return _pending(update, f"the policy {broken.demand} ({rule.at})", broken.remedy, "policy")
    return None


def _pending(update: NewerVersion, reason: str, remedy: str, kind: str) -> Pending:
    return Pending(f"'{update.program}'", f"the upgrade from {update.change}", reason, remedy, kind)


def _warnings(update: NewerVersion) -> Iterator[str]:
    if not update.back:
        yield f"{update.program} from {update.change}: apt has no copy of {update.installed}, so there will be no way back to it"
    if update.package in WITH_ENGINE and update.by is PackageManager.APT:
        yield f"{update.program} from {update.change}: {update.package} restarts the docker engine and its containers"
    before, after = version_of(update.installed), version_of(update.candidate)
    if before is None or after is None:
        return
    for crossing in crossed(update.program, before, after):
        yield f"{update.program} from {update.change}: {crossing.means} ({crossing.source})"
    for known in findings({update.program: after}):
        if known.state == VersionStatus.UNKNOWN and update.program in UNDER_VMS:
            yield known.sentence
