# SPDX-License-Identifier: GPL-3.0-or-later
"""Stand-ins for launchctl and `systemctl --user`, as far as a user's timers need them. Nothing starts by time.

HOME/.rehearsal/{launchd,systemd}.json records what is loaded and what ran. `launchctl kickstart` and `systemctl --user start
X.service` run the program at once and to its end, so that a test sees what the timer would do. Stopping an X.service, or removing
an agent, ends a program that runs meanwhile; stopping an X.timer does not, as on Linux. As on a Mac, `launchctl bootout`
answers before the agent is gone: the next calls still find it, and some more find its label in use. Calls count, so that no
test depends on time. Where HOME/.rehearsal/no-desktop exists, the user is not logged in to the desktop.
"""

from __future__ import annotations

import contextlib
import json
import os
import plistlib
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

STILL_FOUND, STILL_TAKEN = 2, 2
EX_CONFIG = 78
NO_DESKTOP_SAYS = {"bootstrap": "Bootstrap failed: 125: ", "bootout": "Boot-out failed: 125: "}


class Refused(Exception):
    """The tool's answer is an error: exit code and text."""

    def __init__(self, code: int, text: str) -> None:
        super().__init__(text)
        self.code = code


class State:
    """What one service manager knows."""

    def __init__(self, name: str) -> None:
        self.home = Path(os.environ.get("HOME", "/"))
        self.path = self.home / ".rehearsal" / f"{name}.json"
        try:
            self.known: dict[str, Any] = json.loads(self.path.read_text())
        except (OSError, ValueError):
            self.known = {}

    def save(self) -> None:
        """Write it down."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        # At once, as another command may look while a program runs.
        part = self.path.with_suffix(f".{os.getpid()}")
        part.write_text(json.dumps(self.known, indent=1))
        part.replace(self.path)


def running(name: str) -> Path:
    """Return the file that holds the process of a service's program while it runs."""
    return State("running").path.with_name(f"{name.replace('/', '-')}.pid")


def end(name: str) -> None:
    """End the running program of a service."""
    with contextlib.suppress(OSError, ValueError):
        os.kill(int(running(name).read_text()), signal.SIGTERM)


def execute(name: str, argv: Sequence[str], environment: dict[str, str], directory: str, channels: tuple[str, str]) -> int:
    """Run a service's program to its end, with only the variables of every login.

    channels are the files for its output and its error output.
    """
    note = running(name)
    note.parent.mkdir(parents=True, exist_ok=True)
    login = {key: os.environ[key] for key in ("HOME", "USER", "LOGNAME", "TMPDIR") if key in os.environ}
    bare = {**login, "PATH": "/usr/bin:/bin:/usr/sbin:/sbin", **environment}
    try:
        with Path(channels[0]).open("ab") as output, Path(channels[1]).open("ab") as errors:
            process = subprocess.Popen(
                list(argv),
                env=bare,
                cwd=directory or "/",
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=errors,
                # Before the program can do anything that a test waits for in order to end it.
                preexec_fn=lambda: note.write_text(str(os.getpid())) and None,  # noqa: PLW1509 it has no threads
            )
            return process.wait()
    except (OSError, subprocess.SubprocessError):
        # With an unusable program, directory or log neither manager can start the job.
        return EX_CONFIG
    finally:
        note.unlink(missing_ok=True)


def launchctl(argv: list[str]) -> str:
    """One launchctl command; returns what it prints. Raises Refused."""
    verb, *words = argv or ["help"]
    words = [word for word in words if not word.startswith("-")]
    state = State("launchd")
    known = state.known.setdefault("services", {})
    disabled = state.known.setdefault("disabled", [])
    leaving: dict[str, int] = state.known.setdefault("leaving", {})
    target = words[0] if words else ""
    if target.startswith("gui/") and (state.home / ".rehearsal" / "no-desktop").exists():
        raise Refused(125, f"{NO_DESKTOP_SAYS.get(verb, '')}Domain does not support specified action\n")
    if verb == "bootstrap":
        return _bootstrap(state, target, Path(words[1]))
    if verb in ("enable", "disable"):
        state.known["disabled"] = sorted({*disabled, target} - ({target} if verb == "enable" else set()))
        state.save()
        return ""
    if verb in ("list", "print-disabled"):
        return _listed(verb, known, disabled)
    if verb == "print" and _takes_leave(state, target) and leaving.get(target, 0) < STILL_TAKEN:
        known.pop(target, None)
    if target not in known or (verb == "bootout" and target in leaving):
        state.save()
        raise _not_there(verb, target)
    if verb == "bootout":
        leaving[target] = STILL_FOUND + STILL_TAKEN
        state.save()
        end(target)
        return ""
    if verb == "kickstart":
        return _kickstart(target, known[target])
    if verb != "print":
        raise Refused(64, f"Unrecognized subcommand: {verb}\n")
    state.save()
    return _printed(target, known[target]) if verb == "print" else ""


def _listed(verb: str, known: dict[str, Any], disabled: list[str]) -> str:
    if verb == "list":
        return "PID\tStatus\tLabel\n" + "".join(f"-\t{entry['exit'] or 0}\t{entry['label']}\n" for entry in known.values())
    names = (name.rpartition("/")[2] for name in disabled)
    return "disabled services = {\n" + "".join(f'\t"{name}" => disabled\n' for name in names) + "}\n"


def _not_there(verb: str, target: str) -> Refused:
    if verb == "bootout":
        return Refused(3, "Boot-out failed: 3: No such process\n")
    _, user, label = target.split("/", 2)
    return Refused(113, f'Bad request.\nCould not find service "{label}" in domain for user gui: {user}\n')


def _takes_leave(state: State, target: str) -> bool:
    """Return whether the agent was removed and is still there; each question brings its end one step nearer."""
    leaving = state.known["leaving"]
    if target not in leaving:
        return False
    if running(target).exists():
        return True
    leaving[target] -= 1
    if leaving[target] < 0:
        del leaving[target]
        state.known["services"].pop(target, None)
    return target in leaving


def _bootstrap(state: State, domain: str, path: Path) -> str:
    failed = Refused(5, "Bootstrap failed: 5: Input/output error\nTry re-running the command as root for richer errors.\n")
    try:
        plist = plistlib.loads(path.read_bytes())
        target = f"{domain}/{plist['Label']}"
    except (OSError, KeyError, ValueError, plistlib.InvalidFileException):
        raise failed from None
    if _takes_leave(state, target):
        state.save()
        raise failed
    if target in state.known["services"] or target in state.known["disabled"]:
        raise failed
    state.known["services"][target] = {"label": plist["Label"], "path": str(path), "runs": 0, "exit": None}
    state.save()
    return ""


def _kickstart(target: str, entry: dict[str, Any]) -> str:
    plist = plistlib.loads(Path(entry["path"]).read_bytes())
    argv = plist.get("ProgramArguments") or [plist["Program"]]
    channels = plist.get("StandardOutPath", os.devnull), plist.get("StandardErrorPath", os.devnull)
    code = execute(target, argv, plist.get("EnvironmentVariables") or {}, plist.get("WorkingDirectory", ""), channels)
    # The state may have changed while it ran.
    state = State("launchd")
    if target in state.known["services"] and target not in state.known["leaving"]:
        entry = state.known["services"][target]
        entry |= {"exit": code, "runs": entry["runs"] + 1}
        state.save()
    return ""


def _printed(target: str, entry: dict[str, Any]) -> str:
    ended = entry["exit"] if entry["exit"] is not None else "(never exited)"
    lines = (f"path = {entry['path']}", "type = LaunchAgent", "state = not running", f"runs = {entry['runs']}")
    return f"{target} = {{\n" + "".join(f"\t{line}\n" for line in (*lines, f"last exit code = {ended}")) + "}\n"


def systemctl(argv: list[str]) -> str:
    """One `systemctl --user` command; returns what it prints. Raises Refused."""
    flags = {word for word in argv if word.startswith("-")}
    verb, *units = [word for word in argv if not word.startswith("-")] or [""]
    if "--user" not in flags:
        raise Refused(1, "System has not been booted with systemd as init system (PID 1). Can't operate.\n")
    if verb in ("daemon-reload", "reset-failed"):
        return ""
    state = State("systemd")
    active: list[str] = state.known.setdefault("active", [])
    folder = Path(os.environ.get("XDG_CONFIG_HOME") or state.home / ".config") / "systemd" / "user"
    unit = units[0] if units else ""
    wants = folder / "timers.target.wants" / unit
    quiet = "--quiet" in flags or "-q" in flags
    if verb == "is-active":
        return _answer(unit in active, "active", "inactive", 3, quiet)
    if verb == "is-enabled":
        if not (folder / unit).exists():
            raise Refused(1, "" if quiet else f"Failed to get unit file state for {unit}: No such file or directory\n")
        return _answer(wants.is_symlink(), "enabled", "disabled", 1, quiet)
    if not (folder / unit).exists() and verb not in ("stop", "disable"):
        what = f"Failed to {verb} unit: Unit file" if verb == "enable" else f"Failed to {verb} {unit}: Unit"
        raise Refused(5 if verb != "enable" else 1, f"{what} {unit} {'does not exist' if verb == 'enable' else 'not found'}.\n")
    if verb in ("enable", "disable"):
        wants.parent.mkdir(parents=True, exist_ok=True)
        wants.unlink(missing_ok=True)
        if verb == "enable":
            wants.symlink_to(folder / unit)
    if unit.endswith(".service") and verb in ("start", "restart", "stop"):
        return _stop_unit(unit) if verb == "stop" else _run_unit(folder / unit, unit)
    if verb in ("start", "restart") or (verb == "enable" and "--now" in flags):
        state.known["active"] = sorted({*active, unit})
    elif verb == "stop" or (verb == "disable" and "--now" in flags):
        state.known["active"] = sorted({*active} - {unit})
    state.save()
    return ""


def _answer(holds: bool, yes: str, no: str, code: int, quiet: bool) -> str:
    """Print an answer and return its exit code; a negative answer also goes to stdout."""
    if not quiet:
        sys.stdout.write(f"{yes if holds else no}\n")
    if not holds:
        raise Refused(code, "")
    return ""


def _run_unit(file: Path, unit: str) -> str:
    settings: dict[str, list[str]] = {}
    for line in file.read_text().splitlines():
        key, equals, value = line.partition("=")
        if equals:
            settings.setdefault(key.strip(), []).append(value.strip())
    pairs = [part.split("=", 1) for value in settings.get("Environment", []) for part in shlex.split(value)]
    # In a unit file a percent sign is doubled.
    argv = [part.replace("%%", "%").replace("$$", "$") for part in shlex.split(settings["ExecStart"][0])]
    directory = settings.get("WorkingDirectory", [""])[0]
    code = execute(unit, argv, {key: value.replace("%%", "%") for key, value in pairs}, directory, (os.devnull, os.devnull))
    # The state may have changed while it ran.
    state = State("systemd")
    runs = state.known.setdefault("runs", {})
    runs[unit] = {"count": runs.get(unit, {}).get("count", 0) + 1, "exit": code}
    state.save()
    if code != 0:
        raise Refused(1, f"Job for {unit} failed because the control process exited with error code.\n")
    return ""


def _stop_unit(unit: str) -> str:
    end(unit)
    while running(unit).exists():
        time.sleep(0.01)
    return ""


def answer(command: Callable[[list[str]], str], argv: list[str]) -> int:
    """Run a command; returns the exit code."""
    try:
        sys.stdout.write(command(argv))
    except Refused as refusal:
        sys.stdout.flush()
        sys.stderr.write(str(refusal))
        return refusal.code
    return 0


def install(bin_dir: Path) -> None:
    """Write launchctl and systemctl into bin_dir."""
    from rehearsal.standin.program import write_program

    for name in ("launchctl", "systemctl"):
        code = f"from rehearsal.standin.service_manager import answer, {name}; sys.exit(answer({name}, sys.argv[1:]))"
        write_program(bin_dir / name, code, site=False)
