# SPDX-License-Identifier: GPL-3.0-or-later
"""`python -m rehearsal up|down|status|environment|run`."""

from __future__ import annotations

import argparse
import errno
import json
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

from rehearsal import machines
from rehearsal.engines import ROOT
from rehearsal.lab.laptop import Lab, default_directory, here
from rehearsal.processes.system import LabError
from rehearsal.services import grades

ENDS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def parser() -> argparse.ArgumentParser:
    """The command line."""
    top = argparse.ArgumentParser(prog="python -m rehearsal", description="A laptop in a directory, for trying everything.")
    verbs = top.add_subparsers(dest="verb", required=True)
    for verb, text in (
        ("up", "bring the lab up, in place of a previous one"),
        ("down", "end every process of the lab and remove it"),
        ("status", "show what the lab has and which parts are real"),
        ("environment", "print the lab's environment: shell lines for eval, or JSON"),
        ("run", "up, converge, converge again, summary, down"),
    ):
        one = verbs.add_parser(verb, help=text, description=text)
        one.add_argument("--dir", type=Path, default=None, help=f"the lab's directory (default {default_directory()})")
        if verb in ("up", "run"):
            one.add_argument("--grade", choices=grades.GRADES, default="auto", help="auto: real engines where installed")
        if verb == "run":
            one.add_argument("--keep", action="store_true", help="leave the lab up at the end")
            one.add_argument("arguments", nargs="*", help="more arguments for ansible-playbook, after --")
        if verb == "environment":
            one.add_argument("--json", action="store_true", help="JSON instead of shell lines")
    return top


def show(lab: Lab) -> int:
    """Print what the lab has."""
    if not lab.exists:
        print(f"No lab in {lab.directory}. Bring one up: {here('up', lab)}")
        return 1
    print(f"Lab in {lab.directory}:")
    for choice in grades.read(lab.directory):
        print(choice.line)
    print(f"  ECR API         {lab.ecr.url if lab.ecr.daemon.pid else 'down (run: ' + here('up', lab) + ')'}")
    if lab.registry.daemon.pid:
        print(f"  registry        {lab.registry.address}")
    return 0


def bring_down(lab: Lab) -> None:
    """Remove the lab, or say that there is none."""
    if not lab.exists:
        print(f"There is no lab in {lab.directory}.")
    lab.down()


def print_environment(lab: Lab, *, as_json: bool) -> None:
    """Print the variables of the lab's environment."""
    import shlex

    # The inventory of the lab finds it by this.
    found = {**lab.environment, "LAPTOP_REHEARSAL_DIR": str(lab.directory)}
    lines = [f"export {name}={shlex.quote(value)}" for name, value in found.items()]
    print(json.dumps(found, indent=2) if as_json else "\n".join(lines))


def _end(_number: int, _frame: object) -> None:
    # Only once: a second Ctrl-C must not stop the clean-up.
    for number in ENDS:
        signal.signal(number, signal.SIG_IGN)
    raise KeyboardInterrupt


def _in_words(error: Exception, lab: Lab) -> str:
    if not isinstance(error, OSError):
        return str(error)
    what, mine = f"Could not use the lab in '{lab.directory}'", "with a folder of your own"
    if isinstance(error, PermissionError):
        return f"{what}: '{error.filename or ''}' is closed to you. Use --dir, or set LAPTOP_REHEARSAL_DIR, {mine}."
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return f"{what}: the disk is full. Free some space, or use --dir with a folder on another disk."
    return f"{what}: {error.filename or ''}: {(error.strerror or str(error)).lower()}. Use --dir {mine}."


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one verb; returns the exit code."""
    options = parser().parse_args(arguments)
    if getattr(options, "grade", "") == "machines" and (prefix := machines.as_owner()):
        # limactl refuses root.
        os.chdir(ROOT)
        words = sys.argv[1:] if arguments is None else arguments
        os.execvp(prefix[0], [*prefix, sys.executable, "-m", "rehearsal", *words])  # noqa: S606 - no shell is involved
    lab = Lab(options.dir or default_directory())
    # SIGTERM and SIGHUP (a closed terminal) clean up as Ctrl-C does. nohup ignores SIGHUP, and that stays.
    for number in ENDS:
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, _end)
    try:
        if options.verb == "up":
            lab.up(options.grade)
            return show(lab)
        if options.verb == "down":
            bring_down(lab)
        elif options.verb == "status":
            return show(lab)
        elif options.verb == "environment":
            print_environment(lab, as_json=options.json)
        else:
            from rehearsal.lab.run import run

            return run(lab, options.grade, keep=options.keep, arguments=options.arguments)
    except (LabError, OSError) as error:
        print(_in_words(error, lab), file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("Stopped.", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
