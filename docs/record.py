# SPDX-License-Identifier: GPL-3.0-or-later
"""Draws docs/pictures/ from a real rehearsal: the workstation converges in a lab, once more without a change, and is examined.

`make docs` runs it. Paths of the lab are shown as those of a home, and what takes no decision (the recap) is left out.
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
# A line of the picture appears so many seconds after the one before it.
PACE = 0.05


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
    for text in (first, second):
        console.print(Text.from_ansi(f"\x1b[1m$ ansible-playbook {PLAYBOOK}\x1b[0m"), soft_wrap=True)
        for line in _shown(text, lab.directory):
            console.print(Text.from_ansi(line), soft_wrap=True, crop=True, overflow="ellipsis", no_wrap=True)
        console.print()
    PICTURE.parent.mkdir(exist_ok=True)
    PICTURE.write_text(_animated(console.export_svg(title="laptop.containers", unique_id="rehearsal")), encoding="utf-8")


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


def _shown(text: str, lab: Path) -> list[str]:
    """Return the lines worth a look."""
    plain = text.replace(str(lab / "home"), "~").replace(str(lab), "~").replace("rehearsal", "laptop")
    recap = re.compile(r"PLAY RECAP.*?\n.*?\n", re.DOTALL)
    lines = [line.rstrip() for line in recap.sub("", plain).splitlines()]
    # Of the phases of a start those that take time on a real laptop.
    phase = re.compile(r"^  \S+ +\d+ s  (?!booting$|kubernetes: starting|docker: starting|ready)")
    lines = [line for line in lines if not phase.match(line)]
    return [line for number, line in enumerate(lines) if line or (number and lines[number - 1])]


def _animated(svg: str) -> str:
    """Return the picture with its lines appearing one after the other; all at once where motion is not wanted."""
    style = (
        "@keyframes appear { from { opacity: 0 } to { opacity: 1 } }\n"
        "@media (prefers-reduced-motion: no-preference) { .rehearsal-matrix text { animation: appear 0.01s both } }\n</style>"
    )

    def delayed(match: re.Match[str]) -> str:
        return f'{match[0]} style="animation-delay: {int(match[1]) * PACE:.2f}s"'

    return re.sub(r'clip-path="url\(#rehearsal-line-(\d+)\)"', delayed, svg.replace("</style>", style, 1))


if __name__ == "__main__":
    main()
