# SPDX-License-Identifier: GPL-3.0-or-later
"""Speed goals, each measured as the ratio of two programs that run in turn on the same machine."""

import sys
from pathlib import Path

_ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [path for path in (str(_ROOT), str(_ROOT / "collections")) if path not in sys.path]
