# SPDX-License-Identifier: GPL-3.0-or-later
"""colima's yes-or-no questions: one word from stdin, and silence means no."""

from __future__ import annotations

from ..process import Process


def confirmed(process: Process, question: str) -> bool:
    """Ask on stdout, without a newline. Only a first letter y means yes; the end of the input means no."""
    process.stdout.write(f"{question}? [y/N] \x1b[0m")
    process.stdout.flush()
    words = process.stdin.readline().split()
    return bool(words) and words[0][:1] in "yY"
