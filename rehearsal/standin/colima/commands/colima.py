# SPDX-License-Identifier: GPL-3.0-or-later
"""The stand-in colima: its command line."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable

from ..console import Fatal
from ..files.settings import Settings
from ..process import Process
from . import profile_commands
from .call import Call
from .flags import UsageError

ALIASES = {"ls": "list", "kube": "kubernetes", "k8s": "kubernetes", "k3s": "kubernetes", "k": "kubernetes"}
ALIASES |= {"nerd": "nerdctl", "n": "nerdctl"}


def run(settings: Settings, argv: list[str]) -> int:
    """Run one command and return its exit code."""
    settings.record(["colima", *argv])
    head, rest = _split(argv)
    call = Call(settings, ALIASES.get(head, head))
    if not call.command:
        return _version_or_help(call, argv)
    handler = _handler("do_" + call.command.replace("-", "_"))
    if handler is None:
        return _usage_error(call, f'unknown command "{head}" for "colima"')
    try:
        return handler(call, rest)
    except UsageError as error:
        return _usage_error(call, str(error))
    except Fatal as error:
        call.log.write("fatal", str(error))
        return 1


def _handler(name: str) -> Callable[[Call, list[str]], int] | None:
    found: Callable[[Call, list[str]], int] | None = getattr(profile_commands, name, None)
    if found is None:
        from . import side_commands

        found = getattr(side_commands, name, None)
    return found


def _split(argv: list[str]) -> tuple[str, list[str]]:
    """Find the command among the flags that may come before it."""
    rest = list(argv)
    for i, word in enumerate(rest):
        if not word.startswith("-") and (i == 0 or rest[i - 1] not in ("-p", "--profile")):
            return word, rest[:i] + rest[i + 1 :]
    return "", rest


def _version_or_help(call: Call, argv: list[str]) -> int:
    if "--version" in argv:
        call.process.say(f"colima version v{call.settings.colima_version}")
    else:
        call.process.say("Colima provides container runtimes on macOS with minimal setup.\n\nUsage:\n  colima [command]")
    return 0


def _usage_error(call: Call, message: str) -> int:
    usage = f'Usage:\n  colima {call.command} [flags]\n\nUse "colima [command] --help" for more information.\n'
    call.process.stderr.write(f"Error: {message}\n{usage}\n")
    call.log.write("fatal", message)
    return 1


def main() -> None:
    """Be colima."""
    try:
        code = run(Settings(Process()), sys.argv[1:])
        sys.stdout.flush()
    except KeyboardInterrupt:
        import signal

        signal.signal(signal.SIGINT, signal.SIG_DFL)
        os.kill(os.getpid(), signal.SIGINT)
        code = 130
    except BrokenPipeError:
        os._exit(141)
    sys.exit(code)
