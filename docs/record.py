# SPDX-License-Identifier: GPL-3.0-or-later
"""Draws docs/pictures/ from a real rehearsal: the workstation converges in a lab, once more without a change, and is examined.

`make docs` runs it. Paths of the lab are shown as those of a home. The picture is a still of twenty lines: the plan, the VMs as
they start, and the second run, which finds nothing to do.
"""

from __future__ import annotations

import io
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

from rich.console import Console
from rich.text import Text

from docs import record_doctor
from rehearsal.engines import ROOT
from rehearsal.lab.laptop import Lab

PICTURE = ROOT / "docs" / "pictures" / "rehearsal.svg"
COLUMNS = 118
PLAYBOOK = "playbooks/workstation.yml"
# What a run is about to do, and the phases of a start that take time on a real laptop.
_PLANNED = re.compile(r"^(\x1b\[[\d;]*m)*\w+: will ")
_PHASE = re.compile(r"^  \S+ +\d+ s  (booting|ready)$")


def main() -> None:
    """Rehearse, and draw what was printed."""
    with tempfile.TemporaryDirectory(prefix="lr-", dir="/tmp") as folder:
        lab = Lab(Path(folder) / "lab")
        lab.up("light")
        try:
            first, second = _play(lab), _play(lab)
            record_doctor.take(lab)
        finally:
            lab.down()
    console = Console(width=COLUMNS, record=True, file=io.StringIO())
    for text, phases in ((first, True), (second, False)):
        console.print(Text.from_ansi("\x1b[1m$ make converge\x1b[0m"), soft_wrap=True)
        for line in _story(text, lab.directory, phases=phases):
            console.print(Text.from_ansi(line), soft_wrap=True, crop=True, overflow="ellipsis", no_wrap=True)
    PICTURE.parent.mkdir(exist_ok=True)
    PICTURE.write_text(_own_font(console.export_svg(title="laptop.containers", unique_id="rehearsal")), encoding="utf-8")


def _play(lab: Lab) -> str:
    environment = {
        **os.environ,
        "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"),
        "ANSIBLE_FORCE_COLOR": "1",
        "ANSIBLE_CACHE_PLUGIN": "memory",
        "COLUMNS": str(COLUMNS),
        "LAPTOP_REHEARSAL_DIR": str(lab.directory),
    }
    command = [sys.executable, "-m", "ansible", "playbook", "-i", "inventory/rehearsal", PLAYBOOK]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=True)
    return done.stdout


def _story(text: str, lab: Path, *, phases: bool) -> list[str]:
    """Return the lines that tell what a run did: with phases its plan and the VMs as they start, without them its summary."""
    plain = text.replace(str(lab / "home"), "~").replace(str(lab), "~").replace("rehearsal", "laptop")
    lines = [line.rstrip() for line in plain.splitlines()]
    if phases:
        return [line for line in lines if _PLANNED.search(line) or _PHASE.search(line)]
    start = next(number for number, line in enumerate(lines) if "WORKSTATION" in line)
    return [line for line in lines[start + 1 :] if line][:4]


def _own_font(svg: str) -> str:
    """Return the picture with the reader's own font for terminals, and nothing from another host."""
    without = re.sub(r"@font-face \{.*?\}\s*", "", svg, flags=re.DOTALL)
    return without.replace("Fira Code, monospace", "ui-monospace, Menlo, Consolas, monospace")


if __name__ == "__main__":
    main()
