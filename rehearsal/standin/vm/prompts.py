# SPDX-License-Identifier: GPL-3.0-or-later
"""colima's yes-or-no questions: one word from stdin, and silence means no."""

from __future__ import annotations

import sys


def confirmed(question: str) -> bool:
    """Ask on stdout, without a newline. Only a first letter y means yes; the end of the input means no."""
    sys.stdout.write(f"{question}? [y/N] \x1b[0m")
    sys.stdout.flush()
    words = sys.stdin.readline().split()
    return bool(words) and words[0][:1] in "yY"
