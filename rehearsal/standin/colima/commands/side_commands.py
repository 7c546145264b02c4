# SPDX-License-Identifier: GPL-3.0-or-later
"""The commands of colima beside the life of a profile: into the guest, Kubernetes, nerdctl's script, templates, the cache."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from ..files.places import Profile, cache_directory
from .flags import Flag
from .logfmt import Fatal

if TYPE_CHECKING:
    from .app import App
    from .colima import Cli

FORCE = Flag("force", short="f")
NERDCTL = "/usr/local/bin/nerdctl"


def do_ssh(cli: Cli, rest: list[str]) -> int:
    """Run a command in the guest. Its exit code becomes 1."""
    given = cli.parse(rest, words=-1, interspersed=False)
    return _in_guest(cli, cli.app, given.words)


def _in_guest(cli: Cli, app: App, words: list[str]) -> int:
    if not app.machine.running:
        raise Fatal(f"{cli.profile.display} not running")
    if not app.machine.instance.reachable:
        cli.process.stderr.write("kex_exchange_identification: read: Connection reset by peer\n")
        raise Fatal("exit status 255")
    answer = app.machine.guest.shell(words, inherit=True)
    cli.process.stdout.write(answer.out)
    cli.process.stderr.write(answer.err)
    if answer.code:
        raise Fatal(f"exit status {answer.code}")
    return 0


def do_nerdctl(cli: Cli, rest: list[str]) -> int:
    """Run nerdctl in the guest, or install a script that does."""
    if next((word for word in rest if not word.startswith("-")), "") == "install" and "--" not in rest:
        rest.remove("install")
        return _install_nerdctl(cli, rest)
    given = cli.parse(rest, words=-1)
    app = cli.app
    if app.current_runtime() != "containerd":
        raise Fatal("nerdctl only supports containerd runtime")
    passed = [f"{k}={v}" for k, v in cli.settings.environ.items() if k.startswith(("CONTAINERD_", "NERDCTL_"))]
    prefix = ["sudo", "env", *passed, "nerdctl"] if passed else ["sudo", "nerdctl"]
    return _in_guest(cli, app, [*prefix, *given.words])


def _install_nerdctl(cli: Cli, rest: list[str]) -> int:
    from ..host_tools import executable

    given = cli.parse(rest, FORCE, Flag("path", "str", NERDCTL))
    target = Path(given["path"])
    own = given["path"] == NERDCTL and target.exists() and "colima nerdctl " in target.read_text(encoding="utf-8")
    if target.exists():
        if not given["force"] and not own:
            raise Fatal(f"{target} exists, use --force to replace")
        target.replace(f"{target}.moved")
    script = f'#!/usr/bin/env sh\n\n{executable(cli.process)} nerdctl --profile {cli.profile.name} -- "$@"\n'
    try:
        target.write_text(script, encoding="utf-8")
    except OSError as error:
        raise Fatal(f"open {target}: {(error.strerror or '').lower()}") from error
    target.chmod(0o755)
    return 0


def do_kubernetes(cli: Cli, rest: list[str]) -> int:
    """Kubernetes in a running profile. None of this touches colima.yaml."""
    given = cli.parse(rest, words=-1)
    verb = given.words[0] if given.words else ""
    app = cli.app
    if verb not in ("start", "stop", "delete", "reset"):
        cli.process.say("Manage the Kubernetes cluster\n\nUsage:\n  colima kubernetes [command]")
        return 0
    if not app.machine.running:
        raise Fatal(f"{cli.profile.display} is not running")
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


def do_update(cli: Cli, rest: list[str]) -> int:
    """Update the runtime in the guest."""
    cli.parse(rest)
    app = cli.app
    if not app.machine.running:
        raise Fatal(f"runtime cannot be updated, {cli.profile.display} is not running")
    runtime = app.current_runtime()
    if runtime == "none":
        raise Fatal("error initiating container runtime: unsupported container runtime 'none'")
    if runtime != "docker":
        raise Fatal(f"update not supported for the {runtime} runtime")
    log = cli.log.context("docker")
    log.info("refreshing package manager ...")
    log.info("checking for updates ...")
    log.warning("no updates available")
    return 0


def do_ssh_config(cli: Cli, rest: list[str]) -> int:
    """Print the ssh settings of the profile, also of a stopped one."""
    from .app import ssh_config_of

    cli.parse(rest)
    instance = cli.app.machine.instance
    try:
        cli.process.say(ssh_config_of(instance))
    except OSError as error:
        what = f"error retrieving Lima SSH config file for profile '{cli.profile.id}'"
        missing = f"open {instance.directory / 'ssh.config'}: no such file or directory"
        raise Fatal(f"error retrieving ssh config: {what}: {missing}") from error
    return 0


def do_template(cli: Cli, rest: list[str]) -> int:
    """Print where the template is, or edit it."""
    given = cli.parse(rest, Flag("editor", "str", ""), Flag("print"))
    file = cli.profile.base / "_templates" / "default.yaml"
    file.parent.mkdir(exist_ok=True)
    if given["print"]:
        cli.process.say(str(file))
        return 0
    editor = given["editor"] or cli.settings.environ.get("EDITOR", "")
    if not editor:
        missing = "no editor found in $PATH, kindly set $EDITOR environment variable and try again"
        raise Fatal(f"error editing template file: {missing}")
    if not file.exists():
        from ..files import config_file

        config_file.save(config_file.zero(), file)
    os.system(f"{editor} {file}")  # noqa: S605 - colima runs it through sh, too
    return 0


def do_prune(cli: Cli, rest: list[str]) -> int:
    """Empty the cache."""
    given = cli.parse(rest, FORCE, Flag("all", short="a"))
    cache = cache_directory(cli.settings)
    if not given["force"]:
        from .prompts import confirmed

        if not confirmed(cli.process, f"'{cache}' will be emptied, are you sure"):
            return 0
    cli.log.info(f"Pruning {cache}")
    import shutil

    shutil.rmtree(cache, ignore_errors=True)
    return 0


def do_clone(cli: Cli, rest: list[str]) -> int:
    """Never worth calling; only its refusal is here."""
    given = cli.parse(rest, words=2)
    source = Profile.of(given.words[0], cli.profile.base, cli.profile.lima)
    cli.log.info(f"preparing to clone {source.display}...")
    raise Fatal(f"colima profile '{source.name}' does not exist")
