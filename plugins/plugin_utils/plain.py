# SPDX-License-Identifier: GPL-3.0-or-later
"""What the callback plugin would show, where none is enabled, as with a collection that was installed without its ansible.cfg."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from typing import Any

from ..module_utils.doctor.show.run import ENDS_RUN, EXAMINES, REPORTS, Doctor

_TITLE = 15


def is_shown() -> bool:
    """Whether the callback plugin shows what tasks have done. Asked in a worker of the run."""
    return os.environ.get(ENDS_RUN) == str(os.getppid())


def task_lines(result: Mapping[str, Any], *, check_mode: bool) -> list[str]:
    """Return what a task has done or, in check mode, would do; what waits, and how to use the result."""
    from ..module_utils.progress.summary import Summary, Tone

    summary = Summary()
    summary.add(result, failed=bool(result.get("failed")), looked=check_mode, checked=check_mode)
    lines = []
    for block in summary.blocks(checked=check_mode, not_reached=()):
        # Ansible itself prints warnings and failures.
        shown = block.lines if block.tone is Tone.PLAIN and [*block.lines] != ["nothing"] else ()
        for number, line in enumerate(shown):
            lines.append(f"  {block.title if number == 0 else '':<{_TITLE}}{line}")
    return lines


def doctor_lines(results: Mapping[str, Mapping[str, Any]], report: Mapping[str, Any]) -> Iterable[str]:
    """Return the list of what was found, with what helps."""
    doctor = Doctor()
    for name, result in results.items():
        doctor.takes(EXAMINES, name, result)
    doctor.takes(REPORTS, "", {"show": "findings", **report})
    lost = {name: str(result.get("msg")) for name, result in results.items() if "checks" not in result}
    return [line.text for line in doctor.lines(lost, None)]
