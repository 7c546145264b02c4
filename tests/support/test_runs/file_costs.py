# SPDX-License-Identifier: GPL-3.0-or-later
"""What each file of tests costs: seconds, processor, starts of Ansible, labs, engines. `make test-map` prints it.

Each worker measures its own tests; the first process adds them up, by file. Processor time is this process's and that of its
children which have ended; the rest of the seconds is waiting: for a boot, an engine, the disk, or the other workers.
"""

from __future__ import annotations

import os
import resource
import subprocess
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import pytest

from rehearsal.lab.laptop import Lab

PROPERTY = "laptop cost"
ENGINES = {"dockerd", "containerd", "kube-apiserver", "etcd", "buildkitd", "kubelet", "docker-registry", "registry", "sshd"}


@dataclass
class Costs:
    """Seconds of wall and processor, and counts of what takes long to start."""

    seconds: float = 0
    processor: float = 0
    tests: int = 0
    ansible: int = 0
    labs: int = 0
    engines: int = 0
    processes: int = 0

    def add(self, other: Costs, sign: int = 1) -> None:
        """Add what another cost."""
        for one in fields(self):
            setattr(self, one.name, getattr(self, one.name) + sign * getattr(other, one.name))

    def row(self) -> str:
        """Return it as a line of the table."""
        counts = (self.tests, self.ansible, self.labs, self.engines, self.processes)
        return f"{self.seconds:8.1f} {self.processor:9.1f} {max(self.seconds - self.processor, 0):8.1f}" + "".join(
            f" {count:7d}" for count in counts
        )


TITLES = " seconds processor  waiting   tests ansible    labs engines  starts  file"
_counted = Costs()


def now() -> Costs:
    """Return what this process has cost until now."""
    usages = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    found = Costs(time.monotonic(), sum(usage.ru_utime + usage.ru_stime for usage in usages))
    found.add(_counted)
    return found


def count_starts() -> None:
    """Count from now on what is started in this process."""
    start, bring_up = subprocess.Popen.__init__, Lab.up

    def started(process: Any, args: Any, *given: Any, **more: Any) -> None:
        words = [args] if isinstance(args, str | os.PathLike) else [*args]
        name = Path(os.fsdecode(words[0])).name if words else ""
        _counted.processes += 1
        _counted.ansible += name.startswith("ansible")
        _counted.engines += name in ENGINES
        start(process, args, *given, **more)

    def brought_up(lab: Lab, *given: Any, **more: Any) -> Any:
        _counted.labs += 1
        return bring_up(lab, *given, **more)

    setattr(subprocess.Popen, "__init__", started)  # noqa: B010 - mypy refuses the assignment
    setattr(Lab, "up", brought_up)  # noqa: B010


class Measured:
    """Measures every phase of a test, hands it over with the phase's report, and adds up what the reports bring.

    In a file, if one is given, also while the run continues: a run that is ended by hand was not for nothing.
    """

    def __init__(self, file: Path | None = None) -> None:
        self.before, self.file, self.written = Costs(), file, time.monotonic()
        self.files: dict[str, Costs] = {}
        self.tests: dict[str, Costs] = {}

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_protocol(self) -> Iterator[None]:
        self.before = now()
        return (yield)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(self) -> Iterator[None]:
        report: Any = yield
        after = now()
        cost = now()
        cost.add(self.before, -1)
        cost.tests = int(report.when == "call")
        report.user_properties.append((PROPERTY, vars(cost)))
        self.before = after
        return report  # type: ignore[no-any-return]

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        given = [value for name, value in report.user_properties if name == PROPERTY]
        for value in given[-1:]:
            cost = Costs(**value)  # type: ignore[arg-type]
            self.files.setdefault(report.nodeid.partition("::")[0], Costs()).add(cost)
            self.tests.setdefault(report.nodeid, Costs()).add(cost)
        if time.monotonic() - self.written > 15:
            self.write()

    def pytest_sessionfinish(self) -> None:
        self.write()

    def write(self) -> None:
        """Write the map, if it is wanted."""
        self.written = time.monotonic()
        if self.file is not None:
            self.file.write_text("\n".join(self.table()) + "\n")

    def table(self) -> list[str]:
        """Return the lines of the map: the files, the dearest first, and the tests that take a second or more."""
        total = Costs()
        for cost in self.files.values():
            total.add(cost)
        tests = {test: cost for test, cost in self.tests.items() if cost.seconds >= 1}
        return [TITLES, f"{total.row()}  all of them", *rows(self.files), "", TITLES, *rows(tests)]


def rows(costs: Mapping[str, Costs]) -> list[str]:
    """Return a line for each of them, the dearest first."""
    return [f"{cost.row()}  {name}" for name, cost in sorted(costs.items(), key=lambda item: -item[1].seconds)]
