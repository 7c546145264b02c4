# SPDX-License-Identifier: GPL-3.0-or-later
"""Run once more, one at a time, the few tests that failed beside others, and name those that pass now. The Makefile calls it.

A machine whose disk stands still for seconds fails a test at random; a defect fails it again.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

NOTE = Path(__file__).resolve().parents[1] / ".pytest_cache" / "v" / "cache" / "lastfailed"
TESTS_FAILED = int(pytest.ExitCode.TESTS_FAILED)
MOST = 5


def main(code: int) -> int:
    """Return the exit code of the second attempt, or the first one's where that was no matter of a few tests."""
    failed = sorted(json.loads(NOTE.read_text())) if code == TESTS_FAILED and NOTE.exists() else []
    if not 0 < len(failed) <= MOST:
        return code
    print(f"\n== {len(failed)} of the tests failed; once more, alone", flush=True)
    again = int(pytest.main(["-q", "-p", "no:cacheprovider", *failed]))
    if again == 0:
        print("Passed alone, after they had failed beside other tests (please report them):", *failed, sep="\n  ")
    return again


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1])))
