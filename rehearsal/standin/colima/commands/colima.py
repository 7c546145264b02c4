# SPDX-License-Identifier: GPL-3.0-or-later
"""The stand-in colima: its command line."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

from ..files.places import Profile, profile_named
from ..files.settings import Settings
from ..host_tools import HostTools
from ..process import Process
from .flags import Flag, Parsed, UsageError, parse
from .logfmt import Fatal, Log, quote

GLOBAL = (Flag("profile", "str", "default", "p"), Flag("verbose", short="v"), Flag("very-verbose"))
# Commands whose first word is a profile.
TAKE_PROFILE = ("start", "stop", "restart", "delete", "status", "list", "version", "update", "ssh-config")
ALIASES = {"ls": "list", "kube": "kubernetes", "k8s": "kubernetes", "k3s": "kubernetes", "k": "kubernetes"}
ALIASES |= {"nerd": "nerdctl", "n": "nerdctl"}
FORCE = Flag("force", short="f")
LIMA_MINIMUM = (0, 18, 0)


class Cli:
    """One call of colima."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.process = settings.process
        self.log = Log(self.process.stderr)
        self.command = ""
        self.parsed = Parsed({})
        self.chosen = False
        self.profile = Profile("colima", "colima", "default", Path(), Path())

    def run(self, argv: list[str]) -> int:
        """Run one command and return its exit code."""
        self.settings.record(["colima", *argv])
        head, rest = self._split(argv)
        self.command = ALIASES.get(head, head)
        if not self.command:
            return self._version_or_help(argv)
        name = "do_" + self.command.replace("-", "_")
        handler: Callable[[list[str]], int] | None = getattr(self, name, None)
        if handler is None:
            from . import side_commands

            beside: Callable[[Cli, list[str]], int] | None = getattr(side_commands, name, None)
            if beside is None:
                return self._usage_error(f'unknown command "{head}" for "colima"')
            handler = partial(beside, self)
        try:
            return handler(rest)
        except UsageError as error:
            return self._usage_error(str(error))
        except Fatal as error:
            self.log.write("fatal", str(error))
            return 1

    @staticmethod
    def _split(argv: list[str]) -> tuple[str, list[str]]:
        """Find the command among the flags that may come before it."""
        rest = list(argv)
        for i, word in enumerate(rest):
            if not word.startswith("-") and (i == 0 or rest[i - 1] not in ("-p", "--profile")):
                return word, rest[:i] + rest[i + 1 :]
        return "", rest

    def _version_or_help(self, argv: list[str]) -> int:
        if "--version" in argv:
            self.process.say(f"colima version v{self.settings.colima_version}")
        else:
            self.process.say("Colima provides container runtimes on macOS with minimal setup.\n\nUsage:\n  colima [command]")
        return 0

    def _usage_error(self, message: str) -> int:
        usage = f'Usage:\n  colima {self.command} [flags]\n\nUse "colima [command] --help" for more information.\n'
        self.process.stderr.write(f"Error: {message}\n{usage}\n")
        self.log.write("fatal", message)
        return 1

    def parse(self, rest: list[str], *flags: Flag, words: int = 0, interspersed: bool = True) -> Parsed:
        """Read the flags of a command and settle which profile is meant."""
        self.parsed = parse([*GLOBAL, *flags], rest, interspersed)
        takes = self.command in TAKE_PROFILE
        limit = 1 if takes else words
        if len(self.parsed.words) > limit >= 0:
            if limit == 0:
                raise UsageError(f'unknown command "{self.parsed.words[0]}" for "colima {self.command}"')
            raise UsageError(f"accepts at most {limit} arg(s), received {len(self.parsed.words)}")
        name = self.settings.environ.get("COLIMA_PROFILE", "")
        if takes and self.parsed.words and "profile" not in self.parsed.changed:
            name = self.parsed.words[0]
        if "profile" in self.parsed.changed:
            name = self.parsed["profile"]
        self.chosen = bool(name)
        self.profile = profile_named(name, self.settings, self.log)
        return self.parsed

    @property
    def app(self):  # type: ignore[no-untyped-def]
        """colima for the profile. Raises Fatal."""
        from .app import App

        return App(self.settings, self.profile, self.log)

    # Commands.

    def do_start(self, rest: list[str]) -> int:
        """Start a profile."""
        from ..files import config_file
        from . import start_config

        given = self.parse(rest, *start_config.start_flags(self.settings))
        self._check_lima()
        config = start_config.prepare(given, self.settings, self.profile, self.log)
        try:
            start_config.validate(config, self.settings)
        except Fatal as error:
            raise Fatal(f"error in config: {error}") from error
        if given["save-config"]:
            # Before anything else is looked at: a start that then fails, or finds the profile running, has saved.
            config_file.save(config, self.profile.file)
        if "downloader" in given.changed and given["downloader"] not in ("native", "curl"):
            raise Fatal(f"invalid downloader {_go(given['downloader'])}: must be one of native, curl")
        app = self.app
        if given["edit"]:
            copy = start_config.edited(given["editor"], self.profile, self.settings.environ)
            config = config_file.load(copy)
            if given["save-config"]:
                config_file.save(config, self.profile.file)
            copy.unlink()
            if app.machine.running:
                from .prompts import confirmed

                if not confirmed(self.process, "colima is currently running, restart to apply changes"):
                    return 0
                app.stop(False)
        elif app.machine.running:
            self.log.warning("already running, ignoring")
            return 0
        app.start(config)
        return self._stay(app) if given["foreground"] else 0

    def _stay(self, app) -> int:  # type: ignore[no-untyped-def]
        import signal

        names = {signal.SIGINT: "interrupt", signal.SIGTERM: "terminated"}
        # Before it is said: whoever reads that may send one at once.
        signal.pthread_sigmask(signal.SIG_BLOCK, names)
        self.log.info("keeping Colima in the foreground, press ctrl+c to exit...")
        number = signal.sigwait(names)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, names)
        self.log.info(f"interrupted by: {names[signal.Signals(number)]}")
        app.stop(False)
        return 0

    def _check_lima(self) -> None:
        program = self.process.which("limactl")
        if program is None:
            missing = 'exec: "limactl": executable file not found in $PATH'
            raise Fatal(f"lima compatibility error: error checking Lima version: {missing}")
        if self.settings.refused:
            # limactl's own line is what a user sees first.
            self.log.write("fatal", "must not run as the root user")
            raise Fatal("lima compatibility error: error checking Lima version: exit status 1")
        current = tuple(int(part) for part in self.settings.lima_version.split("-")[0].split("."))
        if current < LIMA_MINIMUM:
            found = self.settings.lima_version
            raise Fatal(f"lima compatibility error: minimum Lima version supported is v0.18.0, current version is v{found}")

    def do_stop(self, rest: list[str]) -> int:
        """Stop a profile."""
        given = self.parse(rest, FORCE)
        self.app.stop(given["force"])
        return 0

    def do_delete(self, rest: list[str]) -> int:
        """Delete a profile."""
        given = self.parse(rest, FORCE, *([Flag("data", short="d")] if self.settings.data_disks else []))
        self.app.delete("data" in given.changed and given["data"], given["force"])
        return 0

    def do_restart(self, rest: list[str]) -> int:
        """Stop and start."""
        given = self.parse(rest, FORCE)
        self.app.restart(given["force"])
        return 0

    def do_status(self, rest: list[str]) -> int:
        """Show the status."""
        speaks_json = self.settings.status_speaks_json
        given = self.parse(rest, Flag("extended", short="e"), *([Flag("json", short="j")] if speaks_json else []))
        self.app.print_status(given["extended"], speaks_json and given["json"])
        return 0

    def do_list(self, rest: list[str]) -> int:
        """List profiles."""
        import json

        from ..lima.disks import size_shown
        from .table import table

        given = self.parse(rest, Flag("json", short="j"))
        if self.process.which("limactl") is None:
            raise Fatal('error retrieving instances: exec: "limactl": executable file not found in $PATH')
        if self.settings.refused:
            raise Fatal("error retrieving instances: exit status 1")
        from .app import App

        app = App.__new__(App)  # list needs neither lima nor a host program
        app.settings, app.profile, app.log = self.settings, self.profile, self.log
        app.tools = HostTools(self.settings, self.profile)
        rows = app.rows(self.profile.id if self.chosen else None)
        if given["json"]:
            for row in rows:
                self.process.say(json.dumps(row, separators=(",", ":")))
            return 0
        shown = [["PROFILE", "STATUS", "ARCH", "CPUS", "MEMORY", "DISK", "RUNTIME", "ADDRESS"]]
        if not rows:
            self.log.warning("No instance found. Run `colima start` to create an instance.")
        for row in rows:
            sizes = [size_shown(row.get("memory", 0)), size_shown(row.get("disk", 0))]
            words = [row["name"], row.get("status", ""), row.get("arch", ""), str(row.get("cpus", 0)), *sizes]
            shown.append([*words, row.get("runtime", ""), row.get("address", "")])
        self.process.stdout.write(table(shown))
        return 0

    def do_version(self, rest: list[str]) -> int:
        """Show versions; what goes wrong is swallowed."""
        self.parse(rest)
        self.process.say(f"colima version v{self.settings.colima_version}\ngit commit: unknown")
        self.process.stdout.flush()
        with contextlib.suppress(Fatal):
            app = self.app
            for runtime in app.current_runtimes() if app.machine.running else []:
                if runtime.name == "kubernetes":
                    continue
                arch = app.machine.guest.shell(["uname", "-m"]).out.strip()
                self.process.say(f"\nruntime: {runtime.name}\narch: {arch}\n{runtime.version()}")
        return 0


def _go(text: str) -> str:
    shown = quote(text)
    return shown if shown.startswith('"') else f'"{text}"'


def main() -> None:
    """Be colima."""
    try:
        code = Cli(Settings(Process())).run(sys.argv[1:])
        sys.stdout.flush()
    except KeyboardInterrupt:
        import signal

        signal.signal(signal.SIGINT, signal.SIG_DFL)
        os.kill(os.getpid(), signal.SIGINT)
        code = 130
    except BrokenPipeError:
        os._exit(141)
    sys.exit(code)
