# SPDX-License-Identifier: GPL-3.0-or-later
"""What a laptop that pulls does: it brings its clone of the project up to date, and becomes the project's playbook.

Usage: pull.py FLAGS -- ansible-playbook ...

It skips, and says why, where now is not the time: on battery, without a network, beside another run, while someone works in the
clone. refresh.py of the role refresh_timer starts it; what it finds goes to the file of the results of tasks. Nothing but the
standard library, as nothing of a project can be imported while it is replaced.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from clone import Clone, look_up
from laptop import alone, on_battery
from programs import Failure, Skip, run

SETUP_SECONDS = 1800.0


def main(arguments: Sequence[str]) -> int:
    """Run once. Returns only where the playbook was not begun: 0 when skipped, 2 after a failure."""
    cut = arguments.index("--")
    try:
        pull(options_from(arguments[:cut]), list(arguments[cut + 1 :]))
    except Skip as skip:
        report(failed=False, skip=str(skip))
        return 0
    except Failure as failure:
        report(failed=True, msg=str(failure))
    return 2


def options_from(arguments: Sequence[str]) -> argparse.Namespace:
    """Return the flags."""
    parser = argparse.ArgumentParser(prog="pull.py")
    parser.add_argument("--repository", required=True)
    parser.add_argument("--project", required=True, type=lambda text: Path(text).expanduser(), help="where the clone is")
    parser.add_argument("--version", default="", help="a branch or a tag; without it, the repository's own branch")
    parser.add_argument("--verify", action="store_true", help="take only what a known key has signed")
    parser.add_argument("--signers", default="", help="the file of those whose SSH signatures count")
    parser.add_argument("--on-power", action="store_true", help="skip on battery")
    parser.add_argument("--setup", default=[], type=json.loads, help="a command to run before the playbook: its words as JSON")
    return parser.parse_args(arguments)


def pull(options: argparse.Namespace, command: list[str]) -> None:
    """Raise Skip or Failure; otherwise this process is the playbook afterwards."""
    if options.on_power and on_battery():
        raise Skip("on battery")
    clone, reference = Clone(options.project), look_up(options.repository, options.version)
    clone.fetch(options.repository, reference)
    if options.verify:
        clone.verify(options.signers)
    lock = alone()
    report(failed=False, commit=clone.check_out(reference)[:12])
    if options.setup:
        prepared = run(options.setup, SETUP_SECONDS, directory=options.project)
        if prepared.code:
            what = " ".join(options.setup)
            raise Failure(f"Could not prepare the project: '{what}': {prepared.last}. Run it in '{options.project}'.")
    os.chdir(options.project)
    # Others stay away until the playbook, which this process becomes, has ended.
    os.set_inheritable(lock, True)
    os.environ["LAPTOP_CONTAINERS_ALONE"] = "1"
    try:
        os.execv(command[0], command)  # noqa: S606 - an argument list, as everywhere
    except OSError as error:
        raise Failure(f"Could not run '{command[0]}': {error.strerror}. Look at pull_timer_python.") from error


def report(*, failed: bool, **result: str) -> None:
    """Leave a result beside those of the playbook's tasks, and for a person who runs this."""
    print(*result.values(), flush=True)
    path = os.environ.get("LAPTOP_CONTAINERS_RESULTS")
    if path:
        with Path(path).open("a", encoding="utf-8") as file:
            file.write(json.dumps({"host": "", "task": "pull", "failed": failed, "result": result}) + "\n")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
