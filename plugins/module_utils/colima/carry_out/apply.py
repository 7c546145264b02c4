# SPDX-License-Identifier: GPL-3.0-or-later
"""Run the actions of plans, in phases over all profiles: first down, then files, then up, then the host's clients.

Decides nothing but how to get past a failed start. Every step may be the last one of this process: the next run goes on.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ...colima_paths import Name
from ...core.errors import CommandFailed, NotVerified, TimedOut
from ...core.files import write_atomically
from ..client.programs import Colima
from ..model.config import Host
from ..model.settings import DATA_DISK_SINCE
from ..model.yaml_text import parse, render
from ..observe.kube_context import note_context
from ..plan.action import DOWN, PHASES, UP, Action, ProfilePlan, plans_kubernetes, sets_kubernetes_up, settled_notes
from . import clients
from .account import Account
from .progress import Progress
from .start import start
from .starts import run_staggered


@dataclass(frozen=True)
class Limits:
    """How long things may take, in seconds."""

    timeout: float = 1800.0
    stall: float = 600.0
    # Lima waits three minutes for a hung guest before it kills it.
    stop: float = 300.0


@dataclass
class Applier:
    """Applies plans through colima, and keeps account of it."""

    colima: Colima
    host: Host
    limits: Limits
    progress: Progress
    account: Account = field(default_factory=Account)

    def run(self, planned: Sequence[ProfilePlan], again: Callable[[ProfilePlan], ProfilePlan]) -> list[ProfilePlan]:
        """Run all actions of all plans. The caller holds the lock. Returns the plans that were carried out.

        again makes the plan of a profile anew that must be idle: while another one stops, minutes may pass.
        """
        self.colima.make_base()
        plans = list(planned)
        for phase in PHASES:
            if phase is UP:
                self._start_all(plans)
                continue
            for place in range(len(plans)):
                if phase is DOWN and plans[place].only_if_idle and self.account.finished:
                    plans[place] = again(plans[place])
                self._run(plans[place], phase)
        for plan in plans:
            self._finish(plan)
        return plans

    def _run(self, plan: ProfilePlan, phase: tuple[str, ...]) -> None:
        for action in plan.actions:
            if action.kind in phase:
                if not action.hidden:
                    self.progress.say(str(plan.desired.name), f"{action.verb.removesuffix(' of')} {action.target}".strip())
                with self.account.recorded(action):
                    _DO[action.kind](self, action)

    def _start_all(self, plans: Sequence[ProfilePlan]) -> None:
        starting = [plan for plan in plans if any(action.kind in UP for action in plan.actions)]
        for plan in starting:
            if plans_kubernetes(plan):
                note_context(self.colima.paths, plan.current.name, self.colima.environment)
        jobs = []
        for plan in sorted(starting, key=lambda plan: not plans_kubernetes(plan)):
            jobs.append((plan.current.name, sets_kubernetes_up(plan), self._starter(plan)))
        run_staggered(jobs)

    def _starter(self, plan: ProfilePlan) -> Callable[[Callable[[], None], Callable[[int], None]], None]:
        (action,) = (action for action in plan.actions if action.kind in UP)

        def job(past_race: Callable[[], None], on_start: Callable[[int], None]) -> None:
            with self.account.recorded(action):
                repaired = start(self.colima, action.name, self.limits, self.progress, past_race=past_race, on_start=on_start)
            self.account.further.extend(repaired)
            # colima writes colima.yaml anew in a start; after it this would only bring back what somebody deletes later.
            self.colima.paths.journal(action.name).unlink(missing_ok=True)
            if not plans_kubernetes(plan):
                # Nothing is left to be done, whatever becomes of the others.
                self.progress.say(str(action.name), "ready", done=True)

        return job

    def _finish(self, plan: ProfilePlan) -> None:
        name = plan.current.name
        started = any(action.kind in UP for action in plan.actions)
        if started and plans_kubernetes(plan):
            auto = bool((plan.target or {}).get("auto_activate"))
            if clients.repair_kubeconfig(self.colima, name, auto):
                self.account.further.append(f"repair kubeconfig entry '{name.id}' (it was not that of the running k3s)")
        for note in settled_notes(plan):
            (self.colima.paths.journal if note == "journal" else self.colima.paths.fresh)(name).unlink(missing_ok=True)
        if plan.desired.state == "absent":
            self.colima.paths.former_kube_context(name).unlink(missing_ok=True)
        if started:
            self.progress.say(str(name), "ready", done=True)

    # -- one method for each kind of action

    def stop(self, action: Action) -> None:
        """Stop gently; force when that did not help, as with a half-started VM."""
        try:
            self.colima.stop(action.name, self.limits.stop)
            stuck = self._status(action.name) in ("Running", "Broken")
        except (CommandFailed, TimedOut):
            stuck = True
        if stuck:
            self.kill(action)

    def kill(self, action: Action) -> None:
        """End whatever is left of a VM."""
        self.colima.stop(action.name, self.limits.stop, force=True)
        status = self._status(action.name)
        if status in ("Running", "Broken"):
            raise NotVerified(
                f"Could not stop profile '{action.name}': Lima still calls it {status}. See "
                f"'{self.colima.paths.instance(action.name) / 'ha.stderr.log'}', or restart the laptop, and run again.",
                ha_log=self.colima.host_agent_tail(action.name),
            )

    def _status(self, name: Name) -> str:
        return next((row.status for row in self.colima.rows() if row.name == name.name), "")

    def delete(self, action: Action) -> None:
        """Delete the VM and its settings."""
        self.colima.delete(action.name, self.limits.stop)
        self._check_gone(action)

    def delete_data(self, action: Action) -> None:
        """Delete the VM and its data disk."""
        paths, name, version = self.colima.paths, action.name, self.colima.version()
        # A colima before 0.9 keeps all data in the VM. It knows neither --data nor a disk that a later one has made.
        knows_disks = version is None or version >= DATA_DISK_SINCE
        data = paths.data_disk(name).exists() or paths.store(name).exists()
        self.colima.delete(name, self.limits.stop, data=data and knows_disks)
        self._check_gone(action)
        if not knows_disks:
            self.delete_disk(action)
            paths.store(name).unlink(missing_ok=True)

    def _check_gone(self, action: Action) -> None:
        if self.colima.paths.instance(action.name).exists():
            raise NotVerified(
                f"Could not delete profile '{action.name}': colima reported success, and "
                f"'{self.colima.paths.instance(action.name)}' is still there. Run again.",
            )

    def delete_disk(self, action: Action) -> None:
        """Delete a data disk that colima has no note of."""
        if (self.colima.paths.data_disk(action.name) / "datadisk").exists():
            self.colima.delete_disk(action.name)

    def unlock(self, action: Action) -> None:
        """Take the mark of a dead VM off the data disk."""
        self.colima.unlock_disk(action.name)

    def resize(self, action: Action) -> None:
        """Enlarge the data disk of a stopped VM."""
        self.colima.resize_disk(action.name, action.number)

    def aside(self, action: Action) -> None:
        """Move a VM directory that Lima can't use out of its way; nothing is deleted."""
        target = self._set_aside(self.colima.paths.instance(action.name))
        self.account.further.append(f"the VM directory of profile '{action.name}' is now '{target}'")

    def aside_disk(self, action: Action) -> None:
        """Move the directory of a data disk that was never made out of the way of a new one."""
        if not (self.colima.paths.data_disk(action.name) / "datadisk").exists():
            self._set_aside(self.colima.paths.data_disk(action.name))

    def _set_aside(self, directory: Path) -> Path:
        target = self.colima.paths.own / "aside" / f"{directory.name}-{time.time_ns()}"
        target.parent.mkdir(parents=True, exist_ok=True)
        directory.rename(target)
        return target

    def store(self, action: Action) -> None:
        """Write colima's note of a data disk anew."""
        note = {"disk_formatted": True, "disk_runtime": (action.config or {})["runtime"], "ramalama_provisioned": False}
        write_atomically(self.colima.paths.store(action.name), json.dumps(note))

    def journal(self, action: Action) -> None:
        """Keep the settings where a deletion does not reach them."""
        write_atomically(self.colima.paths.journal(action.name), json.dumps(action.config))

    def fresh(self, action: Action) -> None:
        """Note that a first start is about to make the data disk."""
        write_atomically(self.colima.paths.fresh(action.name), "")

    def settle(self, action: Action) -> None:
        """Forget that note."""
        self.colima.paths.fresh(action.name).unlink(missing_ok=True)

    def forget(self, action: Action) -> None:
        """Forget the settings that were kept."""
        self.colima.paths.journal(action.name).unlink(missing_ok=True)

    def write(self, action: Action) -> None:
        """Write the complete colima.yaml."""
        text = render(action.config or {}, self.host)
        read_back, problem = parse(text)
        if read_back is None or problem:
            # colima would throw the file away without a word.
            raise NotVerified(f"Could not write the settings of profile '{action.name}': colima.yaml {problem}. Report this.")
        # Users keep it among their dotfiles, with a link here; colima writes through one, too.
        write_atomically(self.colima.paths.configured(action.name).resolve(), text)

    def kubeconfig(self, action: Action) -> None:
        """Put the entry of the running k3s into the kubeconfig."""
        clients.repair_kubeconfig(self.colima, action.name, make_current=bool(action.number))

    def context(self, action: Action) -> None:
        """Correct the address in colima's own docker context."""
        clients.correct_docker_context(self.colima, action.name)

    def use_context(self, action: Action) -> None:
        """Let docker work with the profile's context again."""
        clients.use_docker_context(self.colima, action.name)

    def clean(self, action: Action) -> None:
        """Remove what colima leaves on the host."""
        clients.clean(self.colima, action)


_DO: dict[str, Callable[[Applier, Action], Any]] = {
    **{kind: getattr(Applier, kind) for phase in PHASES for kind in phase if hasattr(Applier, kind)},
    "aside_first": Applier.aside,
    "aside_disk_first": Applier.aside_disk,
    "unlock_first": Applier.unlock,
    "store_first": Applier.store,
}
