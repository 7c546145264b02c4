# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The plan of each task before it is carried out, live progress while VMs start, and a closing summary."""

from __future__ import annotations

DOCUMENTATION = r"""
name: progress
type: aggregate
short_description: Plans, live progress of starting VMs, and a closing summary
version_added: 0.1.0
author: The laptop.containers contributors (@laptop-containers)
description:
  - Before a task of this collection changes anything, shows what it will do. In check mode the summary shows it.
  - While M(laptop.containers.colima_profile) starts VMs, shows a line per profile with its phase and the time it has taken. On a
    terminal the lines are redrawn in place, cut to its width, and left as they are as soon as Ansible prints something; elsewhere
    every new phase is a plain line.
  - At the end of the playbook, lists what was changed, what is pending and why, and how to use the result. After a failure it
    lists what was done until then and which roles were not reached; its last line is the failure. So it does after Ctrl-C.
  - Of C(playbooks/fleet.yml), shows only the laptops on which something was done, pending, or failed, and then how many there
    are of each kind, with those that failed, were left alone, or did not answer.
  - Of an examination (M(laptop.containers.doctor)), shows instead of that the findings with what helps, or with several
    laptops a line for each.
  - Plans and progress are shown for laptops that Ansible reaches with the local connection; the summary is shown for all.
  - Refuses a tag that no task of the playbook has, if the playbook uses this collection; of skipped tags, the ones that look
    like a known one. Refuses likewise a play for a laptop or group that the inventory does not have, for an empty group, and a
    C(-e) without a value.
requirements:
  - enable in configuration with C(callbacks_enabled = laptop.containers.progress)
"""

import atexit
import contextlib
import os
import sys
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import Any

from ansible import constants as C
from ansible import context
from ansible.errors import AnsibleError
from ansible.plugins.callback import CallbackBase

from ..action.converge import CHECKED, MODULES, known_subject
from ..module_utils.core.errors import WorkstationError, listed
from ..module_utils.core.progress import VARIABLE
from ..module_utils.core.subject import Reader
from ..module_utils.core.system.pull_lock import take_part
from ..module_utils.doctor.show.run import ENDS_RUN, Doctor
from ..module_utils.progress.file import ProgressFile
from ..module_utils.progress.fleet import LaptopOutcome, LaptopResult, fleet_lines
from ..module_utils.progress.screen import can_redraw
from ..module_utils.progress.summary import Block, Failure, Summary, Tone, failure_of, sentence_of
from ..module_utils.progress.view import Follower, wrapped
from ..plugin_utils.asked import unknown_laptops, unknown_tags, valueless
from ..plugin_utils.own_settings import settle
from ..plugin_utils.plays import OURS, is_wanted, leave_out, role_of, tasks_of, templar_of
from ..plugin_utils.policy.files import policy_files
from ..plugin_utils.preload import after_fork, preload
from ..plugin_utils.shell import shell_of, typed

_PROJECT = Path(__file__).resolve().parents[2]
_TITLE = 15
_ENDED = "the run was ended here. The next one continues what was begun."
_SHOWS_SETTINGS = f"{OURS}settings_report"
_COLORS = {"broken": C.COLOR_ERROR, "warning": C.COLOR_WARN, "unknown": C.COLOR_WARN, "note": C.COLOR_VERBOSE, "ok": C.COLOR_OK}
_TONES = {Tone.PLAIN: None, Tone.WARNING: C.COLOR_WARN, Tone.FAILURE: C.COLOR_ERROR}


def _typed(sentence: str) -> str:
    """Return a sentence whose playbooks are commands of the shell that the run was started from."""
    return typed(sentence, shell_of(os.environ, str(_PROJECT / "playbooks")))


def _preload_later(modules: Iterable[str]) -> None:
    """Import what only later tasks work with, while the first one works. modules: of all tasks, in their order."""
    later = dict.fromkeys([name for name in modules if name in MODULES][1:])
    after_fork(subject.preload for subject in map(known_subject, later) if subject)


class CallbackModule(CallbackBase):
    """See DOCUMENTATION."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "aggregate"
    CALLBACK_NAME = "laptop.containers.progress"
    CALLBACK_NEEDS_ENABLED = True

    def __init__(self) -> None:
        super().__init__()
        self.file = ProgressFile()
        self.follower: Follower | None = None
        self.summaries: dict[str, Summary] = {}
        # Ansible's own objects of the laptops.
        self.hosts: dict[str, Any] = {}
        # The running roles by laptop; between two tasks, the last one.
        self.at_work: dict[str, str] = {}
        # The tasks that tags let run, with their plays.
        self.tasks: list[tuple[Any, Any]] = []
        self.checked = bool(context.CLIARGS.get("check"))
        self.doctor = Doctor()
        # What settings_report found, by laptop.
        self.settings: dict[str, Any] = {}
        self.ours = False
        # The laptops that fleet.yml has found, by its own groups.
        self.groups: Mapping[str, Any] = {}
        # The play that has begun, if it uses this collection.
        self.play: Any = None
        # All of them, by which tags are known.
        self.plays: list[Any] = []
        # Whether the next play is the first one of fleet.yml.
        self.begins_fleet = False
        # Whether a pull waits until this run has ended.
        self.takes_part = False

    def v2_playbook_on_start(self, playbook: Any) -> None:
        """Name the progress file, which modules on this machine inherit through the environment."""
        self.plays = playbook.get_plays()
        self.begins_fleet = Path(str(playbook._file_name)).name == "fleet.yml"
        self.file.make()
        os.environ[ENDS_RUN] = str(os.getpid())
        atexit.register(self._tell_interrupted, os.getpid())

    def v2_playbook_on_play_start(self, play: Any) -> None:
        """Refuse tags that no task has, and note the roles in their order."""
        tasks = tasks_of(play)
        os.environ.pop(CHECKED, None)
        # A batch of a fleet is a play of its own.
        self.at_work.clear()
        self.groups = play.get_variable_manager()._inventory.groups
        self.play = play if any(str(task.action).startswith(OURS) for task in tasks) else None
        self._begin_fleet(play)
        if self.play is None:
            return
        hosts = play.get_variable_manager()._inventory.get_hosts(play.hosts)
        self._settle(play, hosts)
        self._refuse_unknown_tags()
        self._refuse(valueless(context.CLIARGS.get("extra_vars") or ()))
        reached = [task for task in tasks if task.evaluate_tags(play.only_tags, play.skip_tags, {})]
        # Each role ends with a task of Ansible's own; a role without another task has nothing to be reached.
        self.tasks += [(play, task) for task in reached if role_of(task) and not str(task.action).endswith("meta")]
        preload(["plugin_utils.settings"])
        from ..plugin_utils.settings import OF_PLAYBOOKS

        leave_out(play, reached, hosts, OF_PLAYBOOKS)
        ids = {task._uuid for task in reached}
        modules = [str(task.action).removeprefix(OURS) for task in tasks_of(play) if task._uuid in ids]
        preload(f"modules.{name}" for name in sorted({*modules} & MODULES))
        if not self.checked and not all(isinstance(known_subject(name), Reader | None) for name in modules):
            self._take_part()
        with contextlib.suppress(WorkstationError):
            # What a policy needs of the roles' files, Ansible keeps for the workers; a broken one is refused by the first task.
            if files := policy_files(play):
                preload(["plugin_utils.policy.versions"])
                from ..plugin_utils.policy.enforcement import Policy

                Policy(files, play.get_loader(), known_subject)
        _preload_later(modules)

    def _settle(self, play: Any, hosts: Collection[Any]) -> None:
        """Settle which file of own settings the play reads; refuse files of variables that can't be read."""
        try:
            settle(play, hosts)
        except WorkstationError as error:
            self._refuse([error.message])
        except AnsibleError:
            from ..plugin_utils.variable_files import unreadable

            loader = play.get_loader()
            wrong = list(unreadable(play.get_variable_manager()._inventory, loader.get_basedir(), loader))
            self._refuse([listed(wrong, "Could not read all variables")] if wrong else [])
            raise

    def _begin_fleet(self, play: Any) -> None:
        """Refuse a fleet without laptops, and wrong settings of the fleet, before a laptop is asked for anything."""
        if not self.begins_fleet:
            return
        from ..plugin_utils.fleet import fleet_mistakes

        self.begins_fleet = False
        limited = bool(context.CLIARGS.get("subset"))
        if not play.get_variable_manager()._inventory.get_hosts(play.hosts):
            self._refuse(unknown_laptops(play, limited=limited))
        self._refuse(valueless(context.CLIARGS.get("extra_vars") or ()))
        wrong = list(fleet_mistakes(play, limited=limited))
        self._refuse([listed(wrong, "Could not begin with the fleet")] if wrong else [])

    def _take_part(self) -> None:
        """Let no pull replace files of this project during a run that changes something."""
        if self.takes_part:
            return
        self.takes_part = True
        try:
            take_part(_PROJECT, self._tell_of_pull, os.environ)
        except WorkstationError as error:
            self._refuse([error.message])

    def _tell_of_pull(self) -> None:
        self._display.display("Waiting for the timer 'pull', which is running.")
        # Display leaves that to the end of the run, and in a pipe or a file no one would see what it waits for.
        sys.stdout.flush()

    def v2_playbook_on_no_hosts_matched(self) -> None:
        """Refuse a laptop or group that the inventory does not have: Ansible itself would end well, and nothing was done."""
        if self.play is not None:
            self._refuse(unknown_laptops(self.play, limited=bool(context.CLIARGS.get("subset"))))

    def _refuse_unknown_tags(self) -> None:
        """Refuse a tag that no task of any play has: of a playbook with several, one may be for a single play."""
        wanted = [tag for tag in context.CLIARGS.get("tags") or () if tag != "all"]
        left = context.CLIARGS.get("skip_tags") or ()
        if wanted or left:
            self._refuse(unknown_tags([task for play in self.plays for task in tasks_of(play)], wanted, left))

    def _refuse(self, sentences: Iterable[str]) -> None:
        """End the run with the first of the sentences, if there is one."""
        for sentence in sentences:
            self._display.error(_typed(sentence), wrap_text=False)
            # An exception of another kind would only be a warning.
            raise SystemExit(2)

    def v2_playbook_on_task_start(self, task: Any, is_conditional: bool) -> None:
        """Follow the progress file while a task of this collection works."""
        self._stop()
        ours = str(task.action).startswith(OURS)
        self.ours = self.ours or ours
        if ours and not task.check_mode:
            with contextlib.suppress(OSError, ValueError, KeyError):
                redraw = can_redraw(sys.stdout, os.environ.get("TERM"))
                self.follower = Follower(Path(os.environ[VARIABLE]), redraw, role_of(task) or task.get_name(), _typed)
                self.follower.start()

    def v2_runner_on_start(self, host: Any, task: Any) -> None:
        """Keep what a laptop is at."""
        self.hosts[host.get_name()] = host
        self.at_work[host.get_name()] = role_of(task) or task.get_name()

    def v2_runner_on_ok(self, result: Any) -> None:
        """Keep what a task did."""
        self._keep(result)

    def v2_runner_on_skipped(self, result: Any) -> None:
        """Keep that a role was reached."""
        self._summary(result).reached.add(role_of(result.task))

    def v2_runner_on_failed(self, result: Any, ignore_errors: bool = False) -> None:
        """Keep what a failed task did before it failed, and why it failed."""
        self._keep(result, failed=True)
        if not ignore_errors:
            self._fail(result, failure_of(result.result, role_of(result.task) or result.task.get_name()))

    def v2_runner_on_unreachable(self, result: Any) -> None:
        """Keep that a laptop does not answer."""
        if result.task.ignore_unreachable:
            self._summary(result).away = sentence_of(result.result)
        else:
            self._fail(result, Failure("connection", sentence_of(result.result)))

    def _summary(self, result: Any) -> Summary:
        return self.summaries.setdefault(result.host.get_name(), Summary())

    def _fail(self, result: Any, failure: Failure) -> None:
        self.at_work.pop(result.host.get_name(), None)
        self._summary(result).failure = failure

    def _keep(self, result: Any, failed: bool = False) -> None:
        summary, answer, name, action = self._summary(result), result.result, result.host.get_name(), str(result.task.action)
        summary.reached.add(role_of(result.task))
        if self.doctor.takes(action, name, answer) or not action.startswith(OURS):
            return
        if action == _SHOWS_SETTINGS and not failed:
            self.settings[name] = answer
            return
        if not failed:
            # Workers inherit it: they need not check the settings again.
            os.environ[CHECKED] = f"{os.environ.get(CHECKED, '')}{name}:"
        summary.add(answer, failed=failed, looked=result.task.check_mode, checked=self.checked)

    def v2_playbook_on_stats(self, stats: Any) -> None:
        """Print the summary and remove the progress file."""
        self._stop()
        self.file.remove()
        self.at_work.clear()
        fleet = self._fleet()
        if not (self.ours or fleet):
            return
        for name, found in sorted(self.settings.items()):
            self._show_settings(name, found)
        if self.settings:
            return
        if self.doctor.results:
            self._show_examination(stats)
        if not self.doctor.results or any(summary.actions for summary in self.summaries.values()):
            self._show_summaries(stats.processed, fleet)
        if self.doctor.report.get("broken"):
            raise SystemExit(2)

    def _tell_interrupted(self, owner: int) -> None:
        """Say what a run has done that was ended before its statistics. owner: the run's own process."""
        if not (self.ours and self.at_work) or os.getpid() != owner:
            return
        self._stop()
        for name, role in self.at_work.items():
            summary = self.summaries.setdefault(name, Summary())
            summary.reached.add(role)
            summary.failure = Failure(role, _ENDED, title="INTERRUPTED")
        self._show_summaries(self.summaries, self._fleet())

    def _show_summaries(self, names: Iterable[str], fleet: list[LaptopResult]) -> None:
        quiet = {
            result.name
            for result in fleet
            if result.outcome in (LaptopOutcome.UNCHANGED, LaptopOutcome.LEFT_ALONE, LaptopOutcome.AWAY)
        }
        for name in sorted({*names} - quiet):
            self._display.banner(f"WORKSTATION {name}")
            summary = self.summaries.get(name, Summary())
            for block in summary.blocks(checked=self.checked, not_reached=self._not_reached(name, summary)):
                self._show(block)
        if fleet:
            self._display.banner("FLEET")
            for outcome, title, lines in fleet_lines(fleet):
                self._show(Block(title, lines, Tone.FAILURE if outcome is LaptopOutcome.FAILED else Tone.PLAIN))

    def _not_reached(self, name: str, summary: Summary) -> list[str]:
        """Return the roles that a failure kept from running."""
        if summary.failure is None:
            return []
        left = [(play, task) for play, task in self.tasks if role_of(task) not in summary.reached]
        return [role_of(task) for play, task in left if is_wanted(task, templar_of(play, self.hosts[name], task))]

    def _fleet(self) -> list[LaptopResult]:
        """Return what became of the laptops, where fleet.yml has run."""
        found = [self.groups.get(f"fleet_{group}") for group in ("canary", "rest", "away")]
        names = sorted({host.name for group in found if group for host in group.hosts})
        return [self.summaries.get(name, Summary()).of_fleet(name) for name in names]

    def _show_examination(self, stats: Any) -> None:
        names = [name for name in sorted(stats.processed) if name in self.summaries]
        failures = {name: self.summaries[name].failure for name in names}
        lost = {name: failure.sentence if failure else "it was not examined" for name, failure in failures.items()}
        for line in self.doctor.lines(lost, self._width()):
            self._display.display(line.text, color=_COLORS.get(line.tone))

    def _show_settings(self, name: str, found: Any) -> None:
        from ..module_utils.progress.settings import settings_lines

        for line in settings_lines(name, found["settings"], everything=found["show"] == "all", width=self._width()):
            self._display.display(line)
        self._display.display("")

    def _stop(self) -> None:
        if self.follower is not None:
            self.follower.stop()
            self.follower = None

    def _show(self, block: Block) -> None:
        indent = max(_TITLE, len(block.title) + 1)
        width = self._width()
        for number, line in enumerate(block.lines):
            shown = f"{block.title if number == 0 else '':<{indent}}{wrapped(line, indent, width)}"
            self._display.display(shown, color=_TONES[block.tone])

    @staticmethod
    def _width() -> int | None:
        """Return the width of the terminal within bounds; None where nothing is to be broken into lines."""
        return min(200, max(40, os.get_terminal_size(sys.stdout.fileno()).columns)) if sys.stdout.isatty() else None
