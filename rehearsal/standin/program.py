# SPDX-License-Identifier: GPL-3.0-or-later
"""Programs of Python in a folder of PATH."""

from __future__ import annotations

import re
import shlex
import sys
from pathlib import Path

from rehearsal.engines import ROOT


def program_text(code: str, *, site: bool = True) -> str:
    """Return a program that runs code with this project on sys.path.

    Without site, what other packages hook into the start of Python costs nothing; of them only PyYAML is on sys.path.
    """
    paths = [str(ROOT)]
    if not site:
        import yaml

        paths.append(str(Path(yaml.__file__).resolve().parents[1]))
    return "\n".join((*_interpreter("" if site else "-S"), f"import sys; sys.path[:1] = {paths!r}", code)) + "\n"


def write_program(path: Path, code: str, *, site: bool = True) -> None:
    """Write the program where it differs from the present file."""
    text = program_text(code, site=site)
    path.parent.mkdir(parents=True, exist_ok=True)
    # A link leads to a real program, and a program that another process is starting can't be written to.
    if path.is_symlink():
        path.unlink()
    if not path.exists() or path.read_text(encoding="utf-8") != text:
        path.write_text(text, encoding="utf-8")
        path.chmod(0o755)


def _interpreter(flag: str) -> tuple[str, ...]:
    """Return the first lines. The kernel splits paths at spaces and truncates them, so sh starts such an interpreter."""
    if re.fullmatch(r"[\w./+@-]{1,100}", sys.executable, re.ASCII):
        return (f"#!{sys.executable} {flag}".rstrip(),)
    # sh reads a command, Python reads a string.
    return ("#!/bin/sh", f"'''exec' {shlex.join([sys.executable, *flag.split()])} \"$0\" \"$@\"", "' '''")
