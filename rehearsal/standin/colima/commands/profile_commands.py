# SPDX-License-Identifier: GPL-3.0-or-later
"""The commands of colima for the life of a profile: start, stop, delete, status, list."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from .. import guest_shell
from ..console import Fatal, quote
from ..host_tools import HostTools
from .call import FORCE, Call
from .flags import Flag

if TYPE_CHECKING:
    from .app import App

LIMA_MINIMUM = (0, 18, 0)


def do_start(call: Call, rest: list[str]) -> int:
    """Start a profile."""
    from ..files import config_file
    from . import start_config

    given = call.parse(rest, *start_config.start_flags(call.settings))
    _check_lima(call)
    config = start_config.prepare(given, call.settings, call.profile, call.log)
    try:
        start_config.validate(config, call.settings)
    except Fatal as error:
        raise Fatal(f"error in config: {error}") from error
    if given["save-config"]:
        # Before anything else is looked at: a start that then fails, or finds the profile running, has saved.
        config_file.save(config, call.profile.file)
    if "downloader" in given.changed and given["downloader"] not in ("native", "curl"):
        raise Fatal(f"invalid downloader {_go(given['downloader'])}: must be one of native, curl")
    app = call.app
    if given["edit"]:
        copy = start_config.edited(given["editor"], call.profile, call.settings.environ)
        config = config_file.load(copy)
        if given["save-config"]:
            config_file.save(config, call.profile.file)
        copy.unlink()
        if app.machine.running:
            from ..console import confirmed

            if not confirmed(call.process, "colima is currently running, restart to apply changes"):
                return 0
            app.stop(False)
    elif app.machine.running:
        call.log.warning("already running, ignoring")
        return 0
    app.start(config)
    return _stay(call, app) if given["foreground"] else 0


def _stay(call: Call, app: App) -> int:
    import signal

    names = {signal.SIGINT: "interrupt", signal.SIGTERM: "terminated"}
    # Before the message, because a reader of it may send a signal at once.
    signal.pthread_sigmask(signal.SIG_BLOCK, names)
    call.log.info("keeping Colima in the foreground, press ctrl+c to exit...")
    number = signal.sigwait(names)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, names)
    call.log.info(f"interrupted by: {names[signal.Signals(number)]}")
    app.stop(False)
    return 0


def _check_lima(call: Call) -> None:
    program = call.process.which("limactl")
    if program is None:
        missing = 'exec: "limactl": executable file not found in $PATH'
        raise Fatal(f"lima compatibility error: error checking Lima version: {missing}")
    if call.settings.refused:
        # limactl's own line is what a user sees first.
        call.log.write("fatal", "must not run as the root user")
        raise Fatal("lima compatibility error: error checking Lima version: exit status 1")
    current = tuple(int(part) for part in call.settings.lima_version.split("-")[0].split("."))
    if current < LIMA_MINIMUM:
        found = call.settings.lima_version
        raise Fatal(f"lima compatibility error: minimum Lima version supported is v0.18.0, current version is v{found}")


def do_stop(call: Call, rest: list[str]) -> int:
    """Stop a profile."""
    given = call.parse(rest, FORCE)
    call.app.stop(given["force"])
    return 0


def do_delete(call: Call, rest: list[str]) -> int:
    """Delete a profile."""
    given = call.parse(rest, FORCE, *([Flag("data", short="d")] if call.settings.data_disks else []))
    call.app.delete("data" in given.changed and given["data"], given["force"])
    return 0


def do_restart(call: Call, rest: list[str]) -> int:
    """Stop and start."""
    given = call.parse(rest, FORCE)
    call.app.restart(given["force"])
    return 0


def do_status(call: Call, rest: list[str]) -> int:
    """Show the status."""
    speaks_json = call.settings.status_speaks_json
    given = call.parse(rest, Flag("extended", short="e"), *([Flag("json", short="j")] if speaks_json else []))
    call.app.print_status(given["extended"], speaks_json and given["json"])
    return 0


def do_list(call: Call, rest: list[str]) -> int:
    """List profiles."""
    import json

    from ..console import table
    from ..lima.disks import size_shown

    given = call.parse(rest, Flag("json", short="j"))
    if call.process.which("limactl") is None:
        raise Fatal('error retrieving instances: exec: "limactl": executable file not found in $PATH')
    if call.settings.refused:
        raise Fatal("error retrieving instances: exit status 1")
    from .app import App

    app = App.__new__(App)  # list needs neither lima nor a host program
    app.settings, app.profile, app.log = call.settings, call.profile, call.log
    app.tools = HostTools(call.settings, call.profile)
    rows = app.rows(call.profile.id if call.chosen else None)
    if given["json"]:
        for row in rows:
            call.process.say(json.dumps(row, separators=(",", ":")))
        return 0
    shown = [["PROFILE", "STATUS", "ARCH", "CPUS", "MEMORY", "DISK", "RUNTIME", "ADDRESS"]]
    if not rows:
        call.log.warning("No instance found. Run `colima start` to create an instance.")
    for row in rows:
        sizes = [size_shown(row.get("memory", 0)), size_shown(row.get("disk", 0))]
        words = [row["name"], row.get("status", ""), row.get("arch", ""), str(row.get("cpus", 0)), *sizes]
        shown.append([*words, row.get("runtime", ""), row.get("address", "")])
    call.process.stdout.write(table(shown))
    return 0


def do_version(call: Call, rest: list[str]) -> int:
    """Show versions; errors are ignored, as in colima."""
    call.parse(rest)
    call.process.say(f"colima version v{call.settings.colima_version}\ngit commit: unknown")
    call.process.stdout.flush()
    from .runtimes import Engine

    with contextlib.suppress(Fatal):
        app = call.app
        for runtime in app.current_runtimes() if app.machine.running else []:
            if not isinstance(runtime, Engine):
                continue
            arch = guest_shell.run(app.machine.guest, ["uname", "-m"]).out.strip()
            call.process.say(f"\nruntime: {runtime.name}\narch: {arch}\n{runtime.version()}")
    return 0


def _go(text: str) -> str:
    shown = quote(text)
    return shown if shown.startswith('"') else f'"{text}"'
