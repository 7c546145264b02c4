# SPDX-License-Identifier: GPL-3.0-or-later
"""`make profile`: bring up a lab, converge it, and print where the time of a run with nothing to do goes."""

from __future__ import annotations

import json
import sys
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path

from bench.laptop import Laptop, laptop
from bench.playbooks import THREE

# Their mean is shown.
RUNS = 5
# A part that takes less is not shown.
LEAST_SECONDS = 0.005


def measured(lab: Laptop, *arguments: str) -> dict[str, Counter[str]]:
    """Return the mean seconds of each part by task, over some runs; those of the process that forks them are under ''."""
    record = lab.folder / "record"
    for run in range(RUNS + 1):
        began = str(time.time())
        lab.change_nothing(sys.executable, "-m", "bench.timed_run", str(record), began, "-i", lab.inventory, *arguments)
        if run == 0:
            # It makes what the others find, such as bytecode.
            record.unlink()
    return means(record, RUNS)


def means(record: Path, runs: int) -> dict[str, Counter[str]]:
    """Return the mean seconds of each part by task of a record of so many runs."""
    found: dict[str, Counter[str]] = {}
    for line in record.read_text().splitlines():
        process = json.loads(line)
        found.setdefault(process["task"], Counter()).update({part: value / runs for part, value in process["seconds"].items()})
    return found


def lines(found: Mapping[str, Counter[str]]) -> Iterator[str]:
    """Yield the map as text."""
    whole = found[""].total()
    yield f"{whole:7.3f} s  the whole run, of which {found['']['waiting for tasks']:.3f} s waiting for its tasks"
    for task, parts in sorted(found.items(), key=lambda item: item[0] != ""):
        if task:
            yield f"\n{parts.total():7.3f} s  {task}"
        shown = [(part, value) for part, value in parts.most_common() if value >= LEAST_SECONDS]
        yield from (f"  {value:7.3f}  {value / whole:4.0%}  {part}" for part, value in shown)


def main() -> None:
    """Print the maps of ping and of the playbook that is named (default: playbooks/workstation.yml)."""
    arguments = sys.argv[1:] or ["playbooks/workstation.yml"]
    with laptop("light") as lab:
        lab.play("playbooks/workstation.yml", *THREE)
        for playbook in ([str(lab.folder / "ping.yml")], [*arguments, *THREE]):
            print(f"\n{playbook[0].rpartition('/')[2]}, mean of {RUNS} runs:", *lines(measured(lab, *playbook)), sep="\n")


if __name__ == "__main__":
    main()
