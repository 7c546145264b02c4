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
  - At the end of the playbook, lists what was changed, what is pending and why, and how to use what is there. After a failure it
    lists what was done until then and which roles were not reached; its last line is the failure.
  - Of C(playbooks/fleet.yml), shows only the laptops on which something was done, pending, or failed, and then how many there
    are of each kind, with those that failed, were left alone, or did not answer.
  - Of an examination (M(laptop.containers.workstation_info)), shows instead of that the findings with what helps, or with several
    laptops a line for each.
  - Plans and progress are shown for laptops that Ansible reaches with the local connection; the summary is shown for all.
  - Refuses a tag that no task of the playbook has, if the playbook uses this collection; of tags to be skipped, those that look
    like a known one. Refuses likewise a play for a laptop or group that the inventory does not have.
requirements:
  - enable in configuration with C(callbacks_enabled = laptop.containers.progress)
"""

import atexit
import contextlib
import os
import sys
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from ansible import constants as C
from ansible import context
from ansible.plugins.callback import CallbackBase

from ..action.converge import CHECKED, SUBJECTS, known_subject
from ..module_utils.core.errors import WorkstationError
from ..module_utils.core.progress import VARIABLE
from ..module_utils.doctor.show.run import Doctor
from ..module_utils.progress.fleet import Laptop, Outcome, fleet_lines
from ..module_utils.progress.screen import can_redraw
from ..module_utils.progress.view import Follower, hints_of, pending_line, wrapped
from ..plugin_utils.asked import unknown_laptops, unknown_tags
from ..plugin_utils.plays import OURS, is_wanted, role_of, tasks_of, templar_of
from ..plugin_utils.policy.files import policy_files
from ..plugin_utils.preload import preload

_PREFIX = "laptop-containers-"
_SUFFIX = ".progress"
_TITLE = 15
_SHOWS_SETTINGS = f"{OURS}settings_report"
_NOT_EXAMINED = ("", "it was not examined", False)
_COLORS = {"broken": C.COLOR_ERROR, "warning": C.COLOR_WARN, "unknown": C.COLOR_WARN, "note": C.COLOR_VERBOSE, "ok": C.COLOR_OK}


class Host:
    """What the summary says of one host."""

    def __init__(self) -> None:
        self.actions: list[str] = []
        # What tasks in check mode planned, in a run that is not.
        self.planned: list[str] = []
        self.pending: list[str] = []
        self.found: list[str] = []
        self.hints: list[str] = []
        # Of tasks that changed nothing: Ansible prints only those of the others.
        self.warnings: list[str] = []
        # Role (or task) and sentence of the failure, and whether the steps before it are unknown.
        self.failure: tuple[str, str, bool] | None = None
        self.reached: set[str] = set()
        # Whether a task of this collection was more than a look.
        self.acted = False
        # Why it did not answer, where that does not count as a failure.
        self.away = ""
        # Ansible's own object of it.
        self.host: Any = None


class CallbackModule(CallbackBase):
    """See DOCUMENTATION."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "aggregate"
    CALLBACK_NAME = "laptop.containers.progress"
    CALLBACK_NEEDS_ENABLED = True

    def __init__(self) -> None:
        super().__init__()
        self.path: Path | None = None
        self.follower: Follower | None = None
        self.hosts: dict[str, Host] = {}
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

    def v2_playbook_on_start(self, playbook: Any) -> None:
        """Name the progress file, which modules on this machine inherit through the environment."""
        self.plays = playbook.get_plays()
        if VARIABLE not in os.environ:
            _remove_abandoned(Path(tempfile.gettempdir()))
            number, name = tempfile.mkstemp(prefix=f"{_PREFIX}{os.getpid()}-", suffix=_SUFFIX)
            os.close(number)
            os.environ[VARIABLE] = name
            self.path = Path(name)
            # A run that is interrupted ends without a summary.
            atexit.register(self._forget, os.getpid())

    def v2_playbook_on_play_start(self, play: Any) -> None:
        """Refuse tags that no task has, and note the roles in their order."""
        tasks = tasks_of(play)
        os.environ.pop(CHECKED, None)
        self.groups = play.get_variable_manager()._inventory.groups
        self.play = play if any(str(task.action).startswith(OURS) for task in tasks) else None
        if self.play is None:
            return
        self._refuse_unknown_tags()
        reached = [task for task in tasks if task.evaluate_tags(play.only_tags, play.skip_tags, {})]
        # Each role ends with a task of Ansible's own; one that has no other has nothing to be reached.
        self.tasks += [(play, task) for task in reached if role_of(task) and not str(task.action).endswith("meta")]
        modules = {str(task.action).removeprefix(OURS) for task in reached if str(task.action).startswith(OURS)}
        preload(["plugin_utils.settings", *(f"module_utils.{SUBJECTS[name]}" for name in sorted(modules & {*SUBJECTS}))])
        with contextlib.suppress(WorkstationError):
            # What a policy needs of the roles' files, Ansible keeps for the workers; a broken one is refused by the first task.
            if files := policy_files(play):
                preload(["plugin_utils.policy.versions"])
                from ..plugin_utils.policy.tasks import Policy

                Policy(files, play.get_loader(), known_subject)

    def v2_playbook_on_no_hosts_matched(self) -> None:
        """Refuse a laptop or group that the inventory does not have: Ansible itself would end well, and nothing was done."""
        if self.play is not None:
            self._refuse(unknown_laptops(self.play))

    def _refuse_unknown_tags(self) -> None:
        """Refuse a tag that no task of any play has: of a playbook with several, one may be for a single play."""
        wanted = [tag for tag in context.CLIARGS.get("tags") or () if tag != "all"]
        left = context.CLIARGS.get("skip_tags") or ()
        if wanted or left:
            self._refuse(unknown_tags([task for play in self.plays for task in tasks_of(play)], wanted, left))

    def _refuse(self, sentences: Iterable[str]) -> None:
        """End the run with the first of the sentences, if there is one."""
        for sentence in sentences:
            self._display.error(sentence, wrap_text=False)
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
                self.follower = Follower(Path(os.environ[VARIABLE]), redraw, role_of(task) or task.get_name())
                self.follower.start()

    def v2_runner_on_ok(self, result: Any) -> None:
        """Keep what a task did."""
        self._keep(result)

    def v2_runner_on_skipped(self, result: Any) -> None:
        """Keep that a role was reached."""
        self._host(result).reached.add(role_of(result.task))

    def v2_runner_on_failed(self, result: Any, ignore_errors: bool = False) -> None:
        """Keep what a failed task did before it failed, and why it failed."""
        self._keep(result, failed=True)
        if not ignore_errors:
            # A module that broke down; where it did not even start, or says itself what it did, nothing is unknown.
            unknown = "module_stdout" in result.result
            self._host(result).failure = (*_failure_of(result), unknown)

    def v2_runner_on_unreachable(self, result: Any) -> None:
        """Keep that a laptop does not answer."""
        if result.task.ignore_unreachable:
            self._host(result).away = _sentence(result.result)
        else:
            self._host(result).failure = ("connection", _sentence(result.result), False)

    def _host(self, result: Any) -> Host:
        host = self.hosts.setdefault(result.host.get_name(), Host())
        host.host = result.host
        return host

    def _keep(self, result: Any, failed: bool = False) -> None:
        host, answer = self._host(result), result.result
        host.reached.add(role_of(result.task))
        if self.doctor.takes(str(result.task.action), result.host.get_name(), answer):
            return
        if str(result.task.action) == _SHOWS_SETTINGS and not failed:
            self.settings[result.host.get_name()] = answer
            return
        if not failed and str(result.task.action).startswith(OURS):
            # Workers inherit it: they need not check the settings again.
            os.environ[CHECKED] = f"{os.environ.get(CHECKED, '')}{result.host.get_name()}:"
        if not str(result.task.action).startswith(OURS):
            return
        host.found.extend(map(str, answer.get("summary") or []))
        if result.task.check_mode and not self.checked:
            # A look before the real run is news only if there is none.
            host.planned.extend(map(str, answer.get("actions") or []))
            return
        host.acted = True
        host.actions.extend(map(str, answer.get("actions") or []))
        if not failed and not answer.get("changed"):
            host.warnings.extend(map(_text_of, answer.get("warnings") or []))
        host.pending.extend(map(pending_line, answer.get("pending") or []))
        if not failed and not (self.checked and answer.get("changed")):
            # What failed, or is only planned, can't be used.
            host.hints.extend(hints_of(answer))

    def v2_playbook_on_stats(self, stats: Any) -> None:
        """Print the summary and remove the progress file."""
        self._stop()
        self._forget(os.getpid())
        fleet = list(self._fleet())
        if not (self.ours or fleet):
            return
        for name, found in sorted(self.settings.items()):
            self._show_settings(name, found)
        if self.settings:
            return
        if self.doctor.results:
            self._show_examination(stats)
            if not any(host.actions for host in self.hosts.values()):
                return
        quiet = {one.name for one in fleet if one.outcome in (Outcome.UNCHANGED, Outcome.LEFT_ALONE, Outcome.AWAY)}
        for name in sorted({*stats.processed} - quiet):
            host = self.hosts.get(name, Host())
            self._display.banner(f"WORKSTATION {name}")
            self._block("found", host.found)
            nothing = [] if host.failure or host.found else ["nothing"]
            planned = host.actions if self.checked else [] if host.acted else host.planned
            # Where nothing is done, two tasks may plan the same.
            self._block("would change", list(dict.fromkeys(planned)) or (nothing if self.checked else []))
            if not self.checked:
                self._block("changed", host.actions or ([] if planned else nothing))
            self._block("pending", host.pending)
            self._block("warning", list(dict.fromkeys(host.warnings)), color=C.COLOR_WARN)
            self._block("use it", list(dict.fromkeys(host.hints)))
            if host.failure:
                role, sentence, unknown = host.failure
                left = [(play, task) for play, task in self.tasks if role_of(task) not in host.reached]
                missed = dict.fromkeys(role_of(task) for play, task in left if is_wanted(task, templar_of(play, host.host, task)))
                self._block("not reached", [", ".join(missed)] if missed else [])
                note = " What it did before that is not known." if unknown else ""
                self._block(f"FAILED {role}:", [sentence + note], color=C.COLOR_ERROR)
        if fleet:
            self._display.banner("FLEET")
        for outcome, title, lines in fleet_lines(fleet) if fleet else ():
            self._block(title, lines, color=C.COLOR_ERROR if outcome is Outcome.FAILED else None)

    def _fleet(self) -> Iterator[Laptop]:
        """Yield what became of each laptop, where fleet.yml has run."""
        names = {
            one.name
            for group in ("canary", "rest", "away")
            if (found := self.groups.get(f"fleet_{group}"))
            for one in found.hosts
        }
        for name in sorted(names):
            host = self.hosts.get(name, Host())
            if host.failure:
                yield Laptop(name, Outcome.FAILED, ": ".join(filter(None, host.failure[:2])))
            elif host.away:
                yield Laptop(name, Outcome.AWAY, host.away)
            elif not host.reached - {""}:
                yield Laptop(name, Outcome.LEFT_ALONE)
            else:
                done = Outcome.CHANGED if host.actions else Outcome.PENDING if host.pending else Outcome.UNCHANGED
                yield Laptop(name, done)

    def _show_examination(self, stats: Any) -> None:
        lost = {name: self.hosts[name].failure or _NOT_EXAMINED for name in sorted(stats.processed) if name in self.hosts}
        for line in self.doctor.lines({name: failure[1] for name, failure in lost.items()}, self._width()):
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

    def _forget(self, process: int) -> None:
        if self.path is not None and os.getpid() == process:
            self.path.unlink(missing_ok=True)
            os.environ.pop(VARIABLE, None)
            self.path = None

    def _block(self, title: str, lines: list[str], color: str | None = None) -> None:
        indent = max(_TITLE, len(title) + 1)
        width = self._width()
        for number, line in enumerate(lines):
            self._display.display(f"{title if number == 0 else '':<{indent}}{wrapped(line, indent, width)}", color=color)

    @staticmethod
    def _width() -> int | None:
        """Return the width of the terminal within bounds; None where nothing is to be broken into lines."""
        return min(200, max(40, os.get_terminal_size(sys.stdout.fileno()).columns)) if sys.stdout.isatty() else None


def _text_of(warning: Any) -> str:
    """Return the text of a warning, whatever form this ansible-core gives it."""
    event = warning.get("event", warning) if isinstance(warning, dict) else warning
    return str(event.get("msg", event) if isinstance(event, dict) else event)


def _failure_of(result: Any) -> tuple[str, str]:
    """Return the role (or task) that failed, and the sentence; a list of problems was printed with the task."""
    if result.result.get("problems", 0) > 1:
        where = "policy" if result.result.get("kind") == "policy" else "settings"
        left = "this task changed nothing" if where == "policy" else "nothing was changed"
        return where, f"{result.result['problems']} problems, listed above; {left}."
    kind = result.result.get("kind")
    where = kind if kind in ("settings", "policy") else role_of(result.task) or result.task.get_name()
    return where, _sentence(result.result)


def _sentence(answer: Any) -> str:
    """Return what a failed result says, in one line."""
    return " ".join(str(answer.get("msg") or "it gave no reason").split())


def _remove_abandoned(folder: Path) -> None:
    """Remove progress files of this user whose run was killed."""
    for file in folder.glob(f"{_PREFIX}*-*{_SUFFIX}"):
        process = file.name.removeprefix(_PREFIX).partition("-")[0]
        with contextlib.suppress(OSError):
            if process.isdigit() and file.stat().st_uid == os.geteuid() and not _is_alive(int(process)):
                file.unlink()


def _is_alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except (OSError, OverflowError):
        return True
    return True
