# SPDX-License-Identifier: GPL-3.0-or-later
"""Run the few tests that failed beside others once more, alone, to say which kind of defect each is. The Makefile calls it.

One that fails again shows a defect of the code, and the run fails. One that passes now depends on a quiet machine: that is a
defect of the test, which each run names. tests/second_tries.txt is the list of those to be mended.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

NOTE = Path(__file__).resolve().parents[1] / ".pytest_cache" / "v" / "cache" / "lastfailed"
LISTED = Path(__file__).with_name("second_tries.txt")
TESTS_FAILED = int(pytest.ExitCode.TESTS_FAILED)
MOST = 5


def listed(text: str) -> set[str]:
    """Return the names in a list whose comments begin with #."""
    return {line.strip() for line in text.splitlines() if line.strip() and not line.startswith("#")}


def main(code: int) -> int:
    """Return 0 if all tests pass alone; else the exit code of the first attempt."""
    failed = sorted(json.loads(NOTE.read_text())) if code == TESTS_FAILED and NOTE.exists() else []
    if not 0 < len(failed) <= MOST:
        return code
    print(f"\n== {len(failed)} of the tests failed; once more, alone", flush=True)
    if pytest.main(["-q", "-p", "no:cacheprovider", *failed]) != pytest.ExitCode.OK:
        return code
    known = listed(LISTED.read_text())
    print("Passed on a second try only, a defect each. Mend them, and list them in tests/second_tries.txt until then:")
    for name in failed:
        print(f"  {name}{'' if name in known else ' (not listed yet)'}")
    return 0


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1])))
