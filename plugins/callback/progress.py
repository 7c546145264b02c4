# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Live progress while VMs start, and a closing summary: what changed, what waits, how to use it."""

from __future__ import annotations

DOCUMENTATION = r"""
name: progress
type: aggregate
short_description: Live progress of starting VMs and a closing summary
version_added: 0.1.0
author: The laptop.containers contributors (@laptop-containers)
description:
  - While M(laptop.containers.colima_profile) starts VMs, shows a line per profile with its phase and the time it has taken. On a
    terminal the lines are redrawn in place, cut to its width, and left as they are as soon as Ansible prints something; elsewhere
    every new phase is a plain line. In check mode nothing is shown.
  - At the end of the playbook, lists what was changed (after a failure, what was done until then), what is pending and why,
    and how to use what is there.
  - Progress is shown for laptops that Ansible reaches with the local connection; the summary is shown for all.
requirements:
  - enable in configuration with C(callbacks_enabled = laptop.containers.progress)
"""

import atexit
import contextlib
import os
import sys
import tempfile
from pathlib import Path
from typing import Any

from ansible import context
from ansible.plugins.callback import CallbackBase

from ..module_utils.progress.screen import can_redraw
from ..module_utils.progress.view import Follower, hints_of, pending_line, without_repeats

VARIABLE = "LAPTOP_CONTAINERS_PROGRESS"
OURS = "laptop.containers."
# Names by which the task that starts VMs may be called.
STARTS_VMS = (OURS + "colima_profile", "colima_profile")


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
        self.actions: dict[str, list[str]] = {}
        self.failed: dict[str, list[str]] = {}
        self.pending: dict[str, list[str]] = {}
        self.hints: dict[str, list[str]] = {}
        self.checked = bool(context.CLIARGS.get("check"))
        self.ours = False

    def v2_playbook_on_start(self, playbook: Any) -> None:
        """Name the progress file, which modules on this machine inherit through the environment."""
        if VARIABLE not in os.environ:
            number, name = tempfile.mkstemp(prefix="laptop-containers-", suffix=".progress")
            os.close(number)
            os.environ[VARIABLE] = name
            self.path = Path(name)
            # A run that is interrupted ends without a summary.
            atexit.register(self._forget, os.getpid())

    def v2_playbook_on_task_start(self, task: Any, is_conditional: bool) -> None:
        """Follow the progress file while VMs may start."""
        self._stop()
        self.ours = self.ours or str(task.action).startswith(OURS)
        if task.action in STARTS_VMS and not task.check_mode:
            with contextlib.suppress(OSError, ValueError):
                self.follower = Follower(Path(os.environ[VARIABLE]), can_redraw(sys.stdout, os.environ.get("TERM")))
                self.follower.start()

    def v2_runner_on_ok(self, result: Any) -> None:
        """Keep what a task of ours did."""
        self._keep(result)

    def v2_runner_on_failed(self, result: Any, ignore_errors: bool = False) -> None:
        """Keep what a failed task of ours did before it failed."""
        self._keep(result)
        if str(result.task.action).startswith(OURS) and "actions" not in result.result:
            self.failed.setdefault(result.host.get_name(), []).append(
                f"{result.task.get_name()}; what it did before is not known"
            )

    def _keep(self, result: Any) -> None:
        if not str(result.task.action).startswith(OURS) or (result.task.check_mode and not self.checked):
            # A look ahead of the real thing is no news.
            return
        host, answer = result.host.get_name(), result.result
        told = self.actions.setdefault(host, [])
        actions = list(map(str, answer.get("actions") or []))
        told.extend(without_repeats(told, actions) if self.checked else actions)
        self.pending.setdefault(host, []).extend(map(pending_line, answer.get("pending") or []))
        if not (self.checked and answer.get("changed")):
            # What is only planned can't be used yet, or not much longer.
            self.hints.setdefault(host, []).extend(hints_of(answer))

    def v2_playbook_on_stats(self, stats: Any) -> None:
        """Print the summary and remove the progress file."""
        self._stop()
        self._forget(os.getpid())
        if not self.ours:
            return
        for host in sorted(stats.processed):
            self._display.banner(f"WORKSTATION {host}")
            failed = self.failed.get(host, [])
            self._block("would change" if self.checked else "changed", self.actions.get(host) or ([] if failed else ["nothing"]))
            self._block("failed", failed)
            self._block("pending", self.pending.get(host, []))
            self._block("use it", list(dict.fromkeys(self.hints.get(host, []))))

    def _stop(self) -> None:
        if self.follower is not None:
            self.follower.stop()
            self.follower = None

    def _forget(self, process: int) -> None:
        if self.path is not None and os.getpid() == process:
            self.path.unlink(missing_ok=True)
            os.environ.pop(VARIABLE, None)
            self.path = None

    def _block(self, title: str, lines: list[str]) -> None:
        for number, line in enumerate(lines):
            self._display.display(f"{title if number == 0 else '':<14} {line}")
