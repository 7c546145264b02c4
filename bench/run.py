# SPDX-License-Identifier: GPL-3.0-or-later
"""`make bench`: measure every speed goal, print a table, write bench/results.json."""

from __future__ import annotations

import argparse
import importlib
import json
from pathlib import Path

RESULTS = Path(__file__).with_name("results.json")
# Each of these modules offers rows() -> list of Row.
SUITES = ("playbooks", "ecr_pull_secret", "moving", "builds")
ON_REQUEST = ("machines",)


def main() -> int:
    """Run the suites named on the command line (default: all but those on request). Returns 1 when a goal is missed."""
    parser = argparse.ArgumentParser(prog="python -m bench.run", description=__doc__)
    parser.add_argument(
        "suites", nargs="*", choices=[*SUITES, *ON_REQUEST, []], help=f"which suites to run (default: {', '.join(SUITES)})"
    )
    rows: list[dict[str, object]] = []
    suites = parser.parse_args().suites or SUITES
    for suite in suites:
        rows += [{"suite": suite, **row.public()} for row in importlib.import_module(f"bench.{suite}").rows()]
    # What other suites have measured stays.
    others = json.loads(RESULTS.read_text()) if RESULTS.exists() else []
    RESULTS.write_text(json.dumps([*(row for row in others if row["suite"] not in suites), *rows], indent=2) + "\n")
    width = max(len(str(row["name"])) for row in rows)
    print(f"{'':{width}}  {'ours s':>9} {'other s':>9} {'ratio':>7} {'goal':>6}")
    for row in rows:
        print(f"{row['name']:{width}}  {row['ours']:>9} {row['other']:>9} {row['ratio']:>7} {row['goal']:>6}"
              f"  {'ok' if row['ok'] else 'MISSED'}")  # fmt: skip
    print(f"Written to {RESULTS.relative_to(Path.cwd()) if RESULTS.is_relative_to(Path.cwd()) else RESULTS}")
    return 0 if all(row["ok"] for row in rows) else 1


if __name__ == "__main__":
    raise SystemExit(main())
