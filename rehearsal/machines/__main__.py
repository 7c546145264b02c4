# SPDX-License-Identifier: GPL-3.0-or-later
"""`python -m rehearsal.machines COMMAND...` runs a command as the user whose machines these are; see as_owner()."""

from __future__ import annotations

import os
import sys

from rehearsal import machines

if len(sys.argv) < 2:
    sys.exit(__doc__)
words = [*machines.as_owner(), *sys.argv[1:]]
os.execvp(words[0], words)  # noqa: S606 - no shell is involved
