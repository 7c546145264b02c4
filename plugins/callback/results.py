# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Results of tasks as JSON lines, for a program that runs a playbook."""

from __future__ import annotations

DOCUMENTATION = r"""
name: results
type: notification
short_description: Results of tasks as JSON lines
version_added: 0.1.0
author: The laptop.containers contributors (@laptop-containers)
description:
  - Appends a line of JSON to a file for each result of a task, and for each item of a loop. A program that runs a playbook reads
    it instead of the output, which is for people.
  - A line holds C(host), C(task), C(failed) and C(result) without facts. Tasks with C(no_log) are censored as everywhere.
requirements:
  - enable in configuration with C(callbacks_enabled = laptop.containers.results)
options:
  path:
    description: The file. Without it, nothing is written.
    type: path
    env:
      - name: LAPTOP_CONTAINERS_RESULTS
"""

import json
from pathlib import Path
from typing import Any

from ansible.parsing.ajson import AnsibleJSONEncoder
from ansible.plugins.callback import CallbackBase

# Large, or not of the result.
LEFT_OUT = ("ansible_facts", "invocation", "exception")


class CallbackModule(CallbackBase):
    """See DOCUMENTATION."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "notification"
    CALLBACK_NAME = "laptop.containers.results"
    CALLBACK_NEEDS_ENABLED = True

    def v2_runner_on_ok(self, result: Any) -> None:
        """Write what a task answered."""
        self._write(result, failed=False)

    def v2_runner_item_on_ok(self, result: Any) -> None:
        """Write what one item of a loop answered."""
        self._write(result, failed=False)

    def v2_runner_on_failed(self, result: Any, ignore_errors: bool = False) -> None:
        """Write a failure that ends the host's run."""
        if not ignore_errors:
            self._write(result, failed=True)

    def v2_runner_item_on_failed(self, result: Any) -> None:
        """Write the failure of one item."""
        self._write(result, failed=True)

    def v2_runner_on_unreachable(self, result: Any) -> None:
        """Write that a host could not be reached."""
        self._write(result, failed=True)

    def _write(self, result: Any, *, failed: bool) -> None:
        path, answer = self.get_option("path"), result.result
        # The items of a loop have been written one by one.
        if path and "results" not in answer:
            shown = {key: value for key, value in answer.items() if key not in LEFT_OUT}
            row = {"host": result.host.get_name(), "task": result.task.get_name(), "failed": failed, "result": shown}
            with Path(path).open("a", encoding="utf-8") as file:
                file.write(json.dumps(row, cls=AnsibleJSONEncoder) + "\n")
