# SPDX-License-Identifier: GPL-3.0-or-later
"""Run the actions of plans, in phases over all profiles: first down, then files, then up, then the host's clients.

Decides nothing but how to get past a failed start. Every step may be the last one of this process: the next run continues.
"""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ...colima_paths import Name
from ...core.errors import CommandFailed, NotVerified, TimedOut
from ...core.system.files import make_directory, text_of, write_atomically
from ..client import retained_vms
from ..client.machine import go_on
from ..client.programs import Colima
from ..model.answers import parse_store
from ..model.config import Host
from ..model.settings import DATA_DISK_SINCE
from ..model.spec import TimeLimits
from ..model.yaml_text import parse, render
from ..observe.idle_note import note_idle
from ..observe.kube_context import note_context, remove_backups
from ..observe.kube_entry import note_entry
from ..plan.model import Action, ActionKind, Phase, ProfilePlan, plans_kubernetes, sets_kubernetes_up, settled_notes
from . import buildkit, clients
from .progress import Progress
from .start import run_staggered, start


@dataclass
class Applier:
    """Applies plans through colima. Actions may run side by side: order is how they are reported, further what else was done."""

    colima: Colima
    host: Host
    limits: TimeLimits
    progress: Progress
    order: list[Action] = field(default_factory=list)
    begun: list[Action] = field(default_factory=list)
    done: list[Action] = field(default_factory=list)
    further: list[str] = field(default_factory=list)

    @contextlib.contextmanager
    def reporting(self, report: Callable[[str], None]) -> Iterator[None]:
        """Report what was done, in the order of the plans, also when it ends in a failure."""
        try:
            yield
        finally:
            for action in sorted((action for action in self.done if not action.silent), key=self.order.index):
                report(str(action))
            for text in self.further:
                report(text)
            for action in self.begun:
                if action not in self.done and not action.silent:
                    report(f"{action}: not finished")

    @contextlib.contextmanager
    def _recorded(self, action: Action) -> Iterator[None]:
        if action not in self.order:
            self.order.append(action)
        self.begun.append(action)
        yield
        self.done.append(action)

    def run(self, planned: Sequence[ProfilePlan], again: Callable[[ProfilePlan], ProfilePlan]) -> list[ProfilePlan]:
        """Run all actions of all plans. The caller holds the lock. Returns the plans that were carried out.

        again plans once more for a profile that must be idle: while another one stops, minutes may pass.
        """
        plans = list(planned)
        for phase in Phase:
            if phase is Phase.UP:
                self._start_all(plans)
                continue
            if phase is Phase.DOWN and len(plans) > 1 and all(_only_stops(plan) for plan in plans):
                self._stop_all(plans)
                continue
            for place in range(len(plans)):
                if phase is Phase.DOWN and plans[place].only_if_idle and any(not action.silent for action in self.done):
                    plans[place] = again(plans[place])
                self._run(plans[place], phase)
        for plan in plans:
            self._finish(plan)
        return plans

    def _run(self, plan: ProfilePlan, phase: Phase) -> None:
        for action in plan.actions:
            if action.phase is phase:
                if not action.silent:
                    self.progress.say(str(plan.spec.name), _in_progress(action))
                with self._recorded(action):
                    _METHODS[action.kind](self, action)

    def _stop_all(self, plans: Sequence[ProfilePlan]) -> None:
        """Stop the VMs side by side: each takes as long as its guest needs to shut down."""

        def job(action: Action) -> Callable[[Callable[[], None], Callable[[int], None]], None]:
            def work(past_race: Callable[[], None], on_start: Callable[[int], None]) -> None:
                past_race()
                with self._recorded(action):
                    self.stop(action, on_start)

            return work

        stops = [action for plan in plans for action in plan.actions if action.kind is ActionKind.STOP]
        for action in stops:
            self.progress.say(str(action.name), _in_progress(action))
        self.order += stops
        run_staggered([(action.name, False, job(action)) for action in stops])

    def _start_all(self, plans: Sequence[ProfilePlan]) -> None:
        starting = [plan for plan in plans if plan.does(ActionKind.START)]
        for plan in starting:
            if plans_kubernetes(plan):
                note_context(self.colima.paths, plan.current.name, self.colima.environment)
        jobs = []
        for plan in sorted(starting, key=lambda plan: not plans_kubernetes(plan)):
            jobs.append((plan.current.name, sets_kubernetes_up(plan), self._starter(plan)))
        # They are reported in this order, whichever ends first.
        self.order += [action for plan in starting for action in plan.actions if action.kind is ActionKind.START]
        run_staggered(jobs)

    def _starter(self, plan: ProfilePlan) -> Callable[[Callable[[], None], Callable[[int], None]], None]:
        (action,) = (action for action in plan.actions if action.kind is ActionKind.START)

        def job(past_race: Callable[[], None], on_start: Callable[[int], None]) -> None:
            with self._recorded(action):
                repaired = start(self.colima, action.name, self.limits, self.progress, past_race=past_race, on_start=on_start)
            self.further.extend(repaired)
            # colima writes colima.yaml again in a start; after it this would only restore what a user deletes later.
            self.colima.paths.journal(action.name).unlink(missing_ok=True)
            if not plans_kubernetes(plan):
                # Nothing is left to be done, whatever becomes of the others.
                self.progress.say(str(action.name), "ready", done=True)

        return job

    def _finish(self, plan: ProfilePlan) -> None:
        name, started = plan.current.name, plan.does(ActionKind.START)
        if started and plans_kubernetes(plan):
            auto = bool((plan.target or {}).get("auto_activate"))
            if clients.repair_kubeconfig(self.colima, name, auto):
                self.further.append(f"repair kubeconfig entry '{name.id}' (it was not that of the running k3s)")
        for note in settled_notes(plan):
            (self.colima.paths.journal if note == "journal" else self.colima.paths.fresh)(name).unlink(missing_ok=True)
        if plan.spec.state == "absent":
            self.colima.paths.former_kube_context(name).unlink(missing_ok=True)
            self.colima.paths.kube_entry(name).unlink(missing_ok=True)
            self.colima.paths.idle(name).unlink(missing_ok=True)
        if started:
            self.progress.say(str(name), "ready", done=True)

    def continue_all(self, plans: Sequence[ProfilePlan]) -> None:
        """Let VMs that stand still go on: what else there is to do only shows then."""
        for plan in plans:
            for action in plan.actions:
                if action.kind is ActionKind.CONTINUE:
                    with self._recorded(action):
                        go_on(self.colima.paths.instance(action.name), str(action.name))

    # -- one method for each kind of action

    def stop(self, action: Action, on_start: Callable[[int], None] | None = None) -> None:
        """Stop gently; force when that did not help, as with a half-started VM."""
        try:
            self.colima.stop(action.name, self.limits.stop, on_start=on_start)
            stuck = self._status(action.name) in ("Running", "Broken")
        except (CommandFailed, TimedOut):
            stuck = True
        if stuck:
            self.force_stop(action)

    def force_stop(self, action: Action) -> None:
        """End whatever is left of a VM."""
        self.colima.stop(action.name, self.limits.stop, force=True)
        status = self._status(action.name)
        if status in ("Running", "Broken"):
            log = self.colima.paths.instance(action.name) / "ha.stderr.log"
            raise NotVerified(
                f"stop profile '{action.name}'",
                f"Lima still calls it {status}",
                f"See '{log}', or restart the laptop, and run again.",
                ha_log=self.colima.host_agent_tail(action.name),
            )

    def _status(self, name: Name) -> str:
        return next((row.status for row in self.colima.rows() if row.name == name.name), "")

    def delete(self, action: Action) -> None:
        """Delete the VM and its settings."""
        self.colima.delete(action.name, self.limits.stop)
        self._check_gone(action)

    def delete_data(self, action: Action) -> None:
        """Delete the VM and its data disk; set them aside where there is a time for which they can come back."""
        if action.seconds:
            self._delete_later(action)
            return
        paths, name, version = self.colima.paths, action.name, self.colima.version()
        # A colima before 0.9 keeps all data in the VM. It knows neither --data nor a disk that a later one has made.
        knows_disks = version is None or version >= DATA_DISK_SINCE
        data = paths.data_disk(name).exists() or paths.store(name).exists()
        self.colima.delete(name, self.limits.stop, data=data and knows_disks)
        self._check_gone(action)
        if not knows_disks:
            self.delete_disk(action)
            paths.store(name).unlink(missing_ok=True)

    def _delete_later(self, action: Action) -> None:
        paths, name = self.colima.paths, action.name
        if self._status(name) not in ("", "Stopped"):
            self.stop(action)
        store = parse_store(text_of(paths.store(name)) or "")
        gone = retained_vms.delete(paths, name, store.runtime if store else "", action.seconds / retained_vms.DAY_SECONDS)
        self.further.append(f"keep what was deleted as '{gone.name}' until {gone.lasts}")

    def _check_gone(self, action: Action) -> None:
        if self.colima.paths.instance(action.name).exists():
            reason = f"colima reported success, and '{self.colima.paths.instance(action.name)}' is still there"
            raise NotVerified(f"delete profile '{action.name}'", reason, "Run again.")

    def delete_disk(self, action: Action) -> None:
        """Delete a data disk that colima has no note of."""
        if (self.colima.paths.data_disk(action.name) / "datadisk").exists():
            self.colima.delete_disk(action.name)

    def set_vm_aside(self, action: Action) -> None:
        """Move a VM directory that Lima can't use out of its way; nothing is deleted."""
        target = self._set_aside(self.colima.paths.instance(action.name))
        self.further.append(f"the VM directory of profile '{action.name}' is now '{target}'")

    def set_disk_aside(self, action: Action) -> None:
        """Move the directory of a data disk that was never made out of the way of a new one."""
        if not (self.colima.paths.data_disk(action.name) / "datadisk").exists():
            self._set_aside(self.colima.paths.data_disk(action.name))

    def _set_aside(self, directory: Path) -> Path:
        target = self.colima.paths.own / "aside" / f"{directory.name}-{time.time_ns()}"
        make_directory(target.parent)
        directory.rename(target)
        return target

    def restore_disk_note(self, action: Action) -> None:
        """Restore colima's note of a data disk."""
        note = {"disk_formatted": True, "disk_runtime": (action.config or {})["runtime"], "ramalama_provisioned": False}
        write_atomically(self.colima.paths.store(action.name), json.dumps(note))

    def save_settings(self, action: Action) -> None:
        """Keep the settings where a deletion does not reach them."""
        write_atomically(self.colima.paths.journal(action.name), json.dumps(action.config))

    def note_new_disk(self, action: Action) -> None:
        """Note that a first start is about to make the data disk."""
        write_atomically(self.colima.paths.fresh(action.name), "")

    def forget_new_disk(self, action: Action) -> None:
        """Forget that note."""
        self.colima.paths.fresh(action.name).unlink(missing_ok=True)

    def forget_saved_settings(self, action: Action) -> None:
        """Forget the settings that were kept."""
        self.colima.paths.journal(action.name).unlink(missing_ok=True)
        self.colima.paths.saved_buildkit(action.name).unlink(missing_ok=True)

    def write_settings(self, action: Action) -> None:
        """Write the complete colima.yaml."""
        text = render(action.config or {}, self.host)
        read_back, problem = parse(text)
        if read_back is None or problem:
            # colima would throw the file away without a word.
            raise NotVerified(f"write the settings of profile '{action.name}'", f"colima.yaml {problem}", "Report this.")
        # Users keep it among their dotfiles, with a link here; colima writes through one, too.
        write_atomically(self.colima.paths.configured(action.name).resolve(), text)

    def repair_kubeconfig(self, action: Action) -> None:
        """Put the entry of the running k3s into the kubeconfig."""
        clients.repair_kubeconfig(self.colima, action.name, make_current=action.activate)


def _only_stops(plan: ProfilePlan) -> bool:
    """Whether the plan of a profile has nothing but a gentle stop."""
    return all(action.kind is ActionKind.STOP for action in plan.actions)


def _in_progress(action: Action) -> str:
    """Return an action in words, for the progress display."""
    waits = ", waiting up to 3 minutes for its guest to shut down" if action.kind is ActionKind.STOP else ""
    whole = action.target == f"profile '{action.name}'"
    return f"{action.verb} {action.part or ('' if whole else action.target)}".strip() + waits


# A start has a function of its own: starts run side by side.
_METHODS: dict[ActionKind, Callable[[Applier, Action], None]] = {
    ActionKind.CONTINUE: lambda self, action: go_on(self.colima.paths.instance(action.name), str(action.name)),
    ActionKind.RESTORE_SOCKET: lambda self, action: self.colima.forward_socket(action.name, action.text),
    ActionKind.STOP: Applier.stop,
    ActionKind.FORCE_STOP: Applier.force_stop,
    ActionKind.SAVE_SETTINGS: Applier.save_settings,
    ActionKind.DELETE: Applier.delete,
    ActionKind.DELETE_DATA: Applier.delete_data,
    ActionKind.DELETE_DISK: Applier.delete_disk,
    ActionKind.REMOVE_DOCKER_CONTEXT: lambda self, action: clients.remove_docker_context(self.colima, action.name),
    ActionKind.REMOVE_BUILDX_NOTES: lambda _, action: clients.remove_all(action.files),
    ActionKind.REMOVE_KUBE_ENTRY: lambda self, action: clients.remove_kube_entry(self.colima, action.name, bool(action.context)),
    ActionKind.REMOVE_KUBE_COPIES: lambda self, action: remove_backups(self.colima.environment, action.name),
    ActionKind.REMOVE_DEFAULT_FILE: lambda _, action: clients.remove_defaults(action.files),
    ActionKind.REMOVE_SSH_INCLUDE: lambda self, _: clients.remove_ssh_include(self.colima),
    ActionKind.REMOVE_WRAPPER: lambda _, action: clients.remove_wrapper(action.files[0]),
    ActionKind.SET_VM_ASIDE: Applier.set_vm_aside,
    ActionKind.SET_DISK_ASIDE: Applier.set_disk_aside,
    ActionKind.UNLOCK_DISK: lambda self, action: self.colima.unlock_disk(action.name),
    ActionKind.RESTORE_DISK_NOTE: Applier.restore_disk_note,
    ActionKind.ENLARGE_DISK: lambda self, action: self.colima.resize_disk(action.name, action.gib),
    ActionKind.WRITE_SETTINGS: Applier.write_settings,
    ActionKind.NOTE_NEW_DISK: Applier.note_new_disk,
    ActionKind.FORGET_NEW_DISK: Applier.forget_new_disk,
    ActionKind.FORGET_SAVED_SETTINGS: Applier.forget_saved_settings,
    ActionKind.NOTE_ENTRY: lambda self, action: note_entry(self.colima.paths, action.name, action.text),
    ActionKind.NOTE_IDLE: lambda self, action: note_idle(self.colima.paths, action.name, action.seconds, time.time()),
    ActionKind.FORGET_IDLE: lambda self, action: self.colima.paths.idle(action.name).unlink(missing_ok=True),
    ActionKind.REPAIR_KUBECONFIG: Applier.repair_kubeconfig,
    ActionKind.CORRECT_CONTEXT: lambda self, action: clients.correct_docker_context(self.colima, action.name),
    ActionKind.SAVE_BUILDKIT: lambda self, action: buildkit.save(self.colima.paths, action.name),
    ActionKind.RESTORE_BUILDKIT: lambda self, action: buildkit.restore(self.colima.paths, action.name),
    ActionKind.WRITE_BUILDKIT: lambda self, action: buildkit.write(self.colima.paths, action.name, action.text),
    ActionKind.REMOVE_BUILDKIT: lambda self, action: buildkit.remove(self.colima.paths, action.name),
    ActionKind.USE_CONTEXT: lambda self, action: clients.use_docker_context(self.colima, action.name),
}
