# SPDX-License-Identifier: GPL-3.0-or-later
"""Stand-ins for colima, limactl and lima that keep the behavioural contract of the real ones without booting anything."""

from __future__ import annotations

import sys
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[3]
ENTRIES = {
    "colima": "from rehearsal.standin.colima.commands.colima import main; main()",
    "limactl": "from rehearsal.standin.colima.lima.limactl import main; main()",
    "lima": "from rehearsal.standin.colima.lima.limactl import main; main('lima')",
}


def install(bin_dir: Path) -> None:
    """Write the programs into a directory that is to be first on PATH."""
    import yaml

    # Without site (-S): what other packages hook into the start of Python would cost more than the program itself.
    paths = [str(REPOSITORY), str(Path(yaml.__file__).resolve().parents[1])]
    bin_dir.mkdir(parents=True, exist_ok=True)
    for name, entry in ENTRIES.items():
        script = bin_dir / name
        lines = [f"#!{sys.executable} -S", "import sys", f"sys.path += {paths!r}", entry]
        text = "\n".join(lines) + "\n"
        # A program that somebody is just starting can't be written to; the next process of a lab finds it made.
        if not script.exists() or script.read_text(encoding="utf-8") != text:
            script.write_text(text, encoding="utf-8")
            script.chmod(0o755)
