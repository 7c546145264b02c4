# SPDX-License-Identifier: GPL-3.0-or-later
"""The examinations of a run, as the callback plugin meets them task by task, and what it prints of them at the end."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    # Loaded only where something is shown: every run of any playbook loads this file.
    from .screen import Line

# Names the process of a run that ends with exit code 2 by itself where something is broken.
ENDS_RUN = "LAPTOP_CONTAINERS_ENDS_RUN"
EXAMINES, REPORTS = "laptop.containers.doctor", "laptop.containers.doctor_report"


class Doctor:
    """What was found on each laptop, and what was reported."""

    def __init__(self) -> None:
        self.results: dict[str, Mapping[str, Any]] = {}
        self.report: Mapping[str, Any] = {}
        self.everything = False

    def takes(self, action: str, host: str, answer: Mapping[str, Any]) -> bool:
        """Keep a result of the doctor's. Returns whether it needs no other summary."""
        if action == EXAMINES and "checks" in answer:
            self.results[host] = answer
        elif action == REPORTS:
            self.everything = answer.get("show") == "all"
            self.report = answer
        return action in (EXAMINES, REPORTS) and "checks" in answer

    def lines(self, others: Mapping[str, str], width: int | None) -> Iterator[Line]:
        """Yield what is printed. others: why laptops of the run were not examined."""
        from .report import document
        from .screen import Line, fleet, screen

        lost = {name: {"msg": why} for name, why in others.items() if name not in self.results}
        if len(self.results) + len(lost) == 1:
            for name, result in self.results.items():
                yield from screen(name, result, everything=self.everything, width=width)
        else:
            yield from fleet(document({**self.results, **lost})["laptops"])
        since = self.report.get("changes") or ()
        if earlier := self.report.get("since"):
            yield Line("")
            yield Line(f"Since the report of {earlier}:" if since else f"Nothing has changed since the report of {earlier}.")
        for change in since:
            yield Line(f"  {change}")
        for file in self.report.get("files") or ():
            yield Line(f"Written to {file}")
        if self.report.get("msg"):
            # Ansible's own block about it stands far above by now.
            yield Line("")
            yield Line(f"FAILED doctor: {' '.join(str(self.report.get('msg')).split())}", "broken")
