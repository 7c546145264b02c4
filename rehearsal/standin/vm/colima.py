# SPDX-License-Identifier: GPL-3.0-or-later
"""The stand-in colima: its command line."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Callable
from pathlib import Path

from .flags import Flag, Parsed, UsageError, parse
from .host_tools import HostTools, which
from .logfmt import Fatal, Log, quote
from .places import Profile, cache_directory, profile_named
from .settings import Settings

GLOBAL = (Flag("profile", "str", "default", "p"), Flag("verbose", short="v"), Flag("very-verbose"))
# Commands whose first word is a profile.
TAKE_PROFILE = ("start", "stop", "restart", "delete", "status", "list", "version", "update", "ssh-config")
ALIASES = {"ls": "list", "kube": "kubernetes", "k8s": "kubernetes", "k3s": "kubernetes", "k": "kubernetes"}
ALIASES |= {"nerd": "nerdctl", "n": "nerdctl"}
FORCE = Flag("force", short="f")
LIMA_MINIMUM = (0, 18, 0)
NERDCTL = "/usr/local/bin/nerdctl"


class Cli:
    """One call of colima."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.log = Log()
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
        handler: Callable[[list[str]], int] | None = getattr(self, "do_" + self.command.replace("-", "_"), None)
        if handler is None:
            return self._usage_error(f'unknown command "{head}" for "colima"')
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
            print(f"colima version v{self.settings.colima_version}")
        else:
            print("Colima provides container runtimes on macOS with minimal setup.\n\nUsage:\n  colima [command]")
        return 0

    def _usage_error(self, message: str) -> int:
        usage = f'Usage:\n  colima {self.command} [flags]\n\nUse "colima [command] --help" for more information.\n'
        sys.stderr.write(f"Error: {message}\n{usage}\n")
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
        name = os.environ.get("COLIMA_PROFILE", "")
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
        from . import config_file, start_config

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
            copy = start_config.edited(given["editor"], self.profile)
            config = config_file.load(copy)
            if given["save-config"]:
                config_file.save(config, self.profile.file)
            copy.unlink()
            if app.machine.running:
                from .prompts import confirmed

                if not confirmed("colima is currently running, restart to apply changes"):
                    return 0
                app.stop(False)
        elif app.machine.running:
            self.log.warning("already running, ignoring")
            return 0
        app.start(config)
        return self._stay(app) if given["foreground"] else 0

    def _stay(self, app) -> int:  # type: ignore[no-untyped-def]
        import signal

        self.log.info("keeping Colima in the foreground, press ctrl+c to exit...")
        names = {signal.SIGINT: "interrupt", signal.SIGTERM: "terminated"}
        number = signal.sigwait(list(names)) if not signal.pthread_sigmask(signal.SIG_BLOCK, list(names)) else signal.SIGINT
        self.log.info(f"interrupted by: {names[signal.Signals(number)]}")
        app.stop(False)
        return 0

    def _check_lima(self) -> None:
        program = which("limactl")
        if program is None:
            missing = 'exec: "limactl": executable file not found in $PATH'
            raise Fatal(f"lima compatibility error: error checking Lima version: {missing}")
        if self._refused():
            raise Fatal("lima compatibility error: error checking Lima version: exit status 1")
        current = tuple(int(part) for part in self.settings.lima_version.split("-")[0].split("."))
        if current < LIMA_MINIMUM:
            found = self.settings.lima_version
            raise Fatal(f"lima compatibility error: minimum Lima version supported is v0.18.0, current version is v{found}")

    def _refused(self) -> bool:
        """limactl says no to root; its own line is what a user sees first."""
        if not (self.settings.refuse_root and os.geteuid() == 0):
            return False
        self.log.write("fatal", "must not run as the root user")
        return True

    def do_stop(self, rest: list[str]) -> int:
        """Stop a profile."""
        given = self.parse(rest, FORCE)
        self.app.stop(given["force"])
        return 0

    def do_delete(self, rest: list[str]) -> int:
        """Delete a profile."""
        given = self.parse(rest, FORCE, Flag("data", short="d"))
        self.app.delete(given["data"], given["force"])
        return 0

    def do_restart(self, rest: list[str]) -> int:
        """Stop and start."""
        given = self.parse(rest, FORCE)
        self.app.restart(given["force"])
        return 0

    def do_status(self, rest: list[str]) -> int:
        """Show the status."""
        given = self.parse(rest, Flag("extended", short="e"), Flag("json", short="j"))
        if self.settings.refuse_root and os.geteuid() == 0:
            raise Fatal(f"{self.profile.display} is not running")
        self.app.print_status(given["extended"], given["json"])
        return 0

    def do_list(self, rest: list[str]) -> int:
        """List profiles."""
        import json

        from .disks import size_shown
        from .table import table

        given = self.parse(rest, Flag("json", short="j"))
        if which("limactl") is None:
            raise Fatal('error retrieving instances: exec: "limactl": executable file not found in $PATH')
        if self.settings.refuse_root and os.geteuid() == 0:
            raise Fatal("error retrieving instances: exit status 1")
        from .app import App

        app = App.__new__(App)  # list needs neither lima nor a host program
        app.settings, app.profile, app.log = self.settings, self.profile, self.log
        app.tools = HostTools(self.settings, self.profile)
        rows = app.rows(self.profile.id if self.chosen else None)
        if given["json"]:
            for row in rows:
                print(json.dumps(row, separators=(",", ":")))
            return 0
        shown = [["PROFILE", "STATUS", "ARCH", "CPUS", "MEMORY", "DISK", "RUNTIME", "ADDRESS"]]
        if not rows:
            self.log.warning("No instance found. Run `colima start` to create an instance.")
        for row in rows:
            sizes = [size_shown(row.get("memory", 0)), size_shown(row.get("disk", 0))]
            words = [row["name"], row.get("status", ""), row.get("arch", ""), str(row.get("cpus", 0)), *sizes]
            shown.append([*words, row.get("runtime", ""), row.get("address", "")])
        sys.stdout.write(table(shown))
        return 0

    def do_version(self, rest: list[str]) -> int:
        """Show versions; what goes wrong is swallowed."""
        self.parse(rest)
        print(f"colima version v{self.settings.colima_version}\ngit commit: unknown", flush=True)
        with contextlib.suppress(Fatal):
            app = self.app
            for runtime in app.current_runtimes() if app.machine.running else []:
                if runtime.name == "kubernetes":
                    continue
                arch = app.machine.guest.shell(["uname", "-m"]).out.strip()
                print(f"\nruntime: {runtime.name}\narch: {arch}\n{runtime.version()}")
        return 0

    def do_ssh(self, rest: list[str]) -> int:
        """Run a command in the guest. Its exit code becomes 1."""
        given = self.parse(rest, words=-1, interspersed=False)
        return self._in_guest(self.app, given.words)

    def _in_guest(self, app, words: list[str]) -> int:  # type: ignore[no-untyped-def]
        if not app.machine.running:
            raise Fatal(f"{self.profile.display} not running")
        if not app.machine.instance.reachable:
            sys.stderr.write("kex_exchange_identification: read: Connection reset by peer\n")
            raise Fatal("exit status 255")
        answer = app.machine.guest.shell(words, inherit=True)
        sys.stdout.write(answer.out)
        sys.stderr.write(answer.err)
        if answer.code:
            raise Fatal(f"exit status {answer.code}")
        return 0

    def do_nerdctl(self, rest: list[str]) -> int:
        """Run nerdctl in the guest, or install a script that does."""
        if next((word for word in rest if not word.startswith("-")), "") == "install" and "--" not in rest:
            rest.remove("install")
            return self._install_nerdctl(rest)
        given = self.parse(rest, words=-1)
        app = self.app
        if app.current_runtime() != "containerd":
            raise Fatal("nerdctl only supports containerd runtime")
        passed = [f"{k}={v}" for k, v in os.environ.items() if k.startswith(("CONTAINERD_", "NERDCTL_"))]
        prefix = ["sudo", "env", *passed, "nerdctl"] if passed else ["sudo", "nerdctl"]
        return self._in_guest(app, [*prefix, *given.words])

    def _install_nerdctl(self, rest: list[str]) -> int:
        from .host_tools import executable

        given = self.parse(rest, FORCE, Flag("path", "str", NERDCTL))
        target = Path(given["path"])
        own = given["path"] == NERDCTL and target.exists() and "colima nerdctl " in target.read_text(encoding="utf-8")
        if target.exists():
            if not given["force"] and not own:
                raise Fatal(f"{target} exists, use --force to replace")
            target.replace(f"{target}.moved")
        script = f'#!/usr/bin/env sh\n\n{executable()} nerdctl --profile {self.profile.name} -- "$@"\n'
        try:
            target.write_text(script, encoding="utf-8")
        except OSError as error:
            raise Fatal(f"open {target}: {(error.strerror or '').lower()}") from error
        target.chmod(0o755)
        return 0

    def do_kubernetes(self, rest: list[str]) -> int:
        """Kubernetes in a running profile. None of this touches colima.yaml."""
        given = self.parse(rest, words=-1)
        verb = given.words[0] if given.words else ""
        app = self.app
        if verb not in ("start", "stop", "delete", "reset"):
            print("Manage the Kubernetes cluster\n\nUsage:\n  colima kubernetes [command]")
            return 0
        if not app.machine.running:
            raise Fatal(f"{self.profile.display} is not running")
        cluster = app.kubernetes()
        if verb in ("stop", "delete") and not cluster.running:
            raise Fatal("kubernetes is not enabled")
        if verb == "stop":
            cluster.stop(False)
        if verb in ("delete", "reset"):
            cluster.teardown()
        if verb in ("start", "reset"):
            cluster.provision(None)
            cluster.start(None)
        return 0

    def do_update(self, rest: list[str]) -> int:
        """Update the runtime in the guest."""
        self.parse(rest)
        app = self.app
        if not app.machine.running:
            raise Fatal(f"runtime cannot be updated, {self.profile.display} is not running")
        runtime = app.current_runtime()
        if runtime == "none":
            raise Fatal("error initiating container runtime: unsupported container runtime 'none'")
        if runtime != "docker":
            raise Fatal(f"update not supported for the {runtime} runtime")
        log = self.log.context("docker")
        log.info("refreshing package manager ...")
        log.info("checking for updates ...")
        log.warning("no updates available")
        return 0

    def do_ssh_config(self, rest: list[str]) -> int:
        """Print the ssh settings of the profile, also of a stopped one."""
        from .app import ssh_config_of

        self.parse(rest)
        instance = self.app.machine.instance
        try:
            print(ssh_config_of(instance))
        except OSError as error:
            what = f"error retrieving Lima SSH config file for profile '{self.profile.id}'"
            missing = f"open {instance.directory / 'ssh.config'}: no such file or directory"
            raise Fatal(f"error retrieving ssh config: {what}: {missing}") from error
        return 0

    def do_template(self, rest: list[str]) -> int:
        """Print where the template is, or edit it."""
        given = self.parse(rest, Flag("editor", "str", ""), Flag("print"))
        file = self.profile.base / "_templates" / "default.yaml"
        file.parent.mkdir(exist_ok=True)
        if given["print"]:
            print(file)
            return 0
        editor = given["editor"] or os.environ.get("EDITOR", "")
        if not editor:
            missing = "no editor found in $PATH, kindly set $EDITOR environment variable and try again"
            raise Fatal(f"error editing template file: {missing}")
        if not file.exists():
            from . import config_file

            config_file.save(config_file.zero(), file)
        os.system(f"{editor} {file}")  # noqa: S605 - colima runs it through sh, too
        return 0

    def do_prune(self, rest: list[str]) -> int:
        """Empty the cache."""
        given = self.parse(rest, FORCE, Flag("all", short="a"))
        cache = cache_directory(self.settings)
        if not given["force"]:
            from .prompts import confirmed

            if not confirmed(f"'{cache}' will be emptied, are you sure"):
                return 0
        self.log.info(f"Pruning {cache}")
        import shutil

        shutil.rmtree(cache, ignore_errors=True)
        return 0

    def do_clone(self, rest: list[str]) -> int:
        """Never worth calling; only its refusal is here."""
        given = self.parse(rest, words=2)
        source = Profile.of(given.words[0], self.profile.base, self.profile.lima)
        self.log.info(f"preparing to clone {source.display}...")
        raise Fatal(f"colima profile '{source.name}' does not exist")


def _go(text: str) -> str:
    shown = quote(text)
    return shown if shown.startswith('"') else f'"{text}"'


def main() -> None:
    """Be colima."""
    try:
        code = Cli(Settings()).run(sys.argv[1:])
        sys.stdout.flush()
    except KeyboardInterrupt:
        import signal

        signal.signal(signal.SIGINT, signal.SIG_DFL)
        os.kill(os.getpid(), signal.SIGINT)
        code = 130
    except BrokenPipeError:
        os._exit(141)
    sys.exit(code)
