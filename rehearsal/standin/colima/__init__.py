# SPDX-License-Identifier: GPL-3.0-or-later
"""Stand-ins for colima, limactl and lima that keep the behavioural contract of the real ones without booting anything."""

from __future__ import annotations

from pathlib import Path

ENTRIES = {
    "colima": "from rehearsal.standin.colima.commands.colima import main; main()",
    "limactl": "from rehearsal.standin.colima.lima.limactl import main; main()",
    "lima": "from rehearsal.standin.colima.lima.limactl import main; main('lima')",
}


def install(bin_dir: Path) -> None:
    """Write the programs into a directory that is to be first on PATH."""
    from rehearsal.standin.program import write_program

    for name, entry in ENTRIES.items():
        write_program(bin_dir / name, entry, site=False)
