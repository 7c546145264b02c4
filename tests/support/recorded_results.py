# SPDX-License-Identifier: GPL-3.0-or-later
"""A callback plugin for tests: appends every result as a JSON line to the file that RECORDED_RESULTS names."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from ansible.plugins.callback import CallbackBase


class CallbackModule(CallbackBase):  # type: ignore[misc]
    """Records results."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "aggregate"
    CALLBACK_NAME = "recorded_results"

    def v2_runner_on_ok(self, result: Any) -> None:
        """Record."""
        self._record(result)

    def v2_runner_on_failed(self, result: Any, ignore_errors: bool = False) -> None:
        """Record."""
        del ignore_errors
        self._record(result)

    def _record(self, result: Any) -> None:
        line = json.dumps({"host": result.host.get_name(), "task": result.task.action, "result": result.result}, default=str)
        with Path(os.environ["RECORDED_RESULTS"]).open("a", encoding="utf-8") as file:
            file.write(line + "\n")
