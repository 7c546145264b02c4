# SPDX-License-Identifier: GPL-3.0-or-later
"""The upgrade as a subject: reads versions and VMs, and carries the steps out so that a failure leaves the VMs as they were."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from ..colima.carry_out.progress import Progress
from ..colima.carry_out.start import Job, run_staggered, start
from ..colima.client.programs import Colima
from ..colima.client.run_lock import RunLock
from ..colima.model.spec import TimeLimits
from ..colima_paths import Name, parse_name, resolve
from ..core.errors import CommandFailed, Interrupted, NotVerified, WorkstationError
from ..core.plan import Plan
from ..core.subject import Result, Subject
from ..core.system.command import complete_path
from ..core.system.home import home
from ..docker.client import docker_directory
from ..docker.plugins import find_plugin
from ..policy.rules import rule_of
from .model import PROGRAMS, NewerVersion, PackageManager, StartProfile, StopProfile, UpgradeProgram, UpgradeSpec, UpgradeState
from .packages import Apt, Homebrew
from .plan import plan_upgrade

# Another run may be starting VMs, which download images.
_WAIT_SECONDS = 1800.0


class Upgrades(Subject[UpgradeSpec, UpgradeState]):
    """The programs under the workstation."""

    argument_spec = {
        "programs": {"type": "list", "elements": "str", "choices": list(PROGRAMS), "default": list(PROGRAMS)},
        "stop": {"type": "bool", "default": False},
        "become": {"type": "bool", "default": False},
        "policy": {"type": "dict", "default": {}},
    }
    work = "upgrade the workstation's programs"
    look = "Run 'brew outdated' or 'apt list --upgradable', and look at what it says."

    def __init__(self) -> None:
        self.homebrew, self.apt = Homebrew(), Apt()
        self.progress, self.limits = Progress(), TimeLimits()

    def parse(self, params: Mapping[str, Any], *, check_mode: bool) -> UpgradeSpec:
        """Return what is asked for."""
        self.colima = Colima(resolve(os.environ, os.uname().sysname))
        self._refreshed = check_mode
        self._others: tuple[tuple[NewerVersion, ...], dict[str, str], bool] | None = None
        rules = tuple(rule_of(rule) for rule in (params["policy"] or {}).get("rules", ()))
        return UpgradeSpec(
            tuple(program for program in PROGRAMS if program in params["programs"]), params["stop"], rules, params["become"]
        )

    def read(self, spec: UpgradeSpec) -> UpgradeState:
        """Return what is newer, and which VMs run. A check takes Homebrew's and apt's word for it; a run has them look first."""
        if not self._refreshed:
            self.homebrew.refresh()
        brewed = self.homebrew.has(spec.programs)
        if self._others is None:
            # A second time only where apt has upgraded something.
            self._others = self._by_others([program for program in spec.programs if program not in brewed], spec.become)
        self._refreshed = True
        packaged, by_hand, root = self._others
        return UpgradeState((*self.homebrew.newer(brewed), *packaged), by_hand, _running(self.colima), root)

    def _by_others(self, programs: Sequence[str], become: bool) -> tuple[tuple[NewerVersion, ...], dict[str, str], bool]:
        """Return what apt has newer, where the programs are that came with no package, and whether root's rights are at hand."""
        paths = {program: path for program in programs if (path := _path_of(program))}
        packages = self.apt.packages(paths)
        root = become and bool(packages) and self.apt.root
        if root and not self._refreshed:
            self.apt.refresh()
        by_hand = {program: str(path) for program, path in paths.items() if program not in packages}
        return tuple(self.apt.newer(packages)), by_hand, root

    def plan(self, spec: UpgradeSpec, current: UpgradeState) -> Plan:
        """Return the steps."""
        return plan_upgrade(spec, current)

    def lock(self) -> contextlib.AbstractContextManager[bool]:
        """Return the lock of the Lima home, where there is one."""
        there = self.colima.installed and self.colima.paths.lima.is_dir()
        return RunLock(self.colima.paths.own, _WAIT_SECONDS) if there else contextlib.nullcontext(True)

    def carry_out(self, plan: Plan, report: Callable[[str], None]) -> None:
        """Stop, upgrade, start. A failure starts again what was stopped, and says so."""
        upgrades = [step for step in plan.steps if isinstance(step, UpgradeProgram)]
        stops = [step for step in plan.steps if isinstance(step, StopProfile)]
        stopped: list[str] = []
        try:
            for stop in stops:
                stopped.append(stop.profile)
                self._stop(parse_name(stop.profile))
                report(str(stop))
            self._upgrade(upgrades, report)
        except WorkstationError as error:
            raise self._started_again(error, stopped) from error
        except KeyboardInterrupt:
            if not stopped:
                raise
            # Who interrupts does not want to wait for VMs to start.
            start_them = " && ".join(f"colima start {profile}" for profile in stopped)
            again = f"Run again, or start what was stopped for it: {start_them}."
            raise Interrupted(self.work, "the run was interrupted", again) from None
        starts = [step for step in plan.steps if isinstance(step, StartProfile)]
        try:
            self._start([step.profile for step in starts])
        except WorkstationError as error:
            raise _with_way_back(error, upgrades) from error
        for start_ in starts:
            report(str(start_))

    def _upgrade(self, steps: Sequence[UpgradeProgram], report: Callable[[str], None]) -> None:
        """Upgrade all of each origin with one command, because they need each other; after a failure report what was done."""
        for by in PackageManager:
            wanted = {step.newer: step for step in steps if step.newer is not None and step.newer.by is by}
            left: set[str] = set()
            try:
                if wanted:
                    self._bring(by, list(wanted))
            except (WorkstationError, KeyboardInterrupt):
                left = {update.program for update in wanted}
                with contextlib.suppress(WorkstationError):
                    left = {update.program for update in self._still(by, list(wanted))}
                raise
            finally:
                for update, step in wanted.items():
                    if update.program not in left:
                        report(str(step))

    def _bring(self, by: PackageManager, newer: Sequence[NewerVersion]) -> None:
        if by is PackageManager.HOMEBREW:
            self.homebrew.upgrade([update.package for update in newer])
        else:
            self._others = None
            self.apt.upgrade(newer)

    def _still(self, by: PackageManager, newer: Sequence[NewerVersion]) -> Iterator[NewerVersion]:
        if by is PackageManager.HOMEBREW:
            return self.homebrew.newer([update.program for update in newer])
        return self.apt.newer({update.program: update.package for update in newer})

    def _started_again(self, error: WorkstationError, stopped: Sequence[str]) -> WorkstationError:
        """Return the failure, with what became of the VMs that had been stopped for it."""
        if not stopped:
            return error
        named = " and ".join(f"'{profile}'" for profile in stopped)
        try:
            self._start(stopped)
        except WorkstationError as second:
            remedy = f"{error.remedy} VMs stopped for it could not be started again: {second.message}"
        else:
            remedy = f"{error.remedy} What was stopped for it runs again: {named}."
        return CommandFailed(error.what, error.reason, remedy.strip(), **error.context)

    def _stop(self, name: Name) -> None:
        self.progress.say(str(name), "stopping")
        self.colima.stop(name, self.limits.stop)
        if name.name in _running(self.colima):
            look = f"Look at 'colima list', or end it with 'colima stop --force {name}', and run again."
            raise NotVerified(f"stop profile '{name}'", "Lima still calls it running", look)
        self.progress.say(str(name), "stopped", done=True)

    def _start(self, profiles: Sequence[str]) -> None:
        """Start VMs as they are configured, as far side by side as colima's races allow. One that runs stays as it is."""

        def job(name: Name) -> Job:
            def work(past_race: Callable[[], None], on_start: Callable[[int], None]) -> None:
                start(self.colima, name, self.limits, self.progress, past_race=past_race, on_start=on_start)
                self.progress.say(str(name), "ready", done=True)

            return work

        wanted = set(profiles) - set(_running(self.colima)) if profiles else ()
        run_staggered([(name, False, job(name)) for name in map(parse_name, sorted(wanted))])

    def public(self, outcome: Result[UpgradeSpec, UpgradeState]) -> dict[str, Any]:
        """Return what was upgraded with the way back, and the programs of unknown origin."""
        upgraded = [step.newer for step in outcome.plan.steps if isinstance(step, UpgradeProgram) and step.newer is not None]
        return {
            "upgraded": [
                {"name": update.program, "from": update.installed, "to": update.candidate, "back": update.back}
                for update in upgraded
            ],
            "by_hand": dict(outcome.before.others),
        }


SUBJECT = Upgrades


def _with_way_back(error: WorkstationError, upgrades: Sequence[UpgradeProgram]) -> WorkstationError:
    """Return the failure of a start, with what returns to the versions before."""
    back = "; ".join(step.newer.back for step in upgrades if step.newer is not None and step.newer.back)
    way = f" To go back to the versions before: {back}; then run 'colima start' for each profile." if back else ""
    return CommandFailed(error.what, error.reason, f"{error.remedy}{way}".strip(), **error.context)


def _path_of(program: str) -> Path | None:
    """Return where a program is; docker's plugins are where docker finds them."""
    found = shutil.which(program, path=complete_path(os.environ.get("PATH", "")))
    if found:
        return Path(found)
    return find_plugin(program, docker_directory(os.environ, home())) if program.startswith("docker-") else None


def _running(colima: Colima) -> tuple[str, ...]:
    if not colima.installed or not colima.paths.lima.is_dir():
        return ()
    return tuple(row.name for row in colima.rows() if row.status == "Running")
