# SPDX-License-Identifier: GPL-3.0-or-later
"""The commands of colima beside the life of a profile: into the guest, Kubernetes, nerdctl's script, templates, the cache."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from .. import guest_shell
from ..console import Fatal
from ..files.places import Profile, cache_directory
from .call import FORCE, Call
from .flags import Flag

if TYPE_CHECKING:
    from .app import App

NERDCTL = "/usr/local/bin/nerdctl"


def do_ssh(call: Call, rest: list[str]) -> int:
    """Run a command in the guest. Its exit code becomes 1."""
    given = call.parse(rest, words=-1, interspersed=False)
    return _in_guest(call, call.app, given.words)


def _in_guest(call: Call, app: App, words: list[str]) -> int:
    if not app.machine.running:
        raise Fatal(f"{call.profile.display} not running")
    if not app.machine.instance.reachable:
        call.process.stderr.write("kex_exchange_identification: read: Connection reset by peer\n")
        raise Fatal("exit status 255")
    app.machine.guest.take_time()
    answer = guest_shell.run(app.machine.guest, words, inherit=True)
    call.process.stdout.write(answer.out)
    call.process.stderr.write(answer.err)
    if answer.code:
        raise Fatal(f"exit status {answer.code}")
    return 0


def do_nerdctl(call: Call, rest: list[str]) -> int:
    """Run nerdctl in the guest, or install a script that does."""
    if next((word for word in rest if not word.startswith("-")), "") == "install" and "--" not in rest:
        rest.remove("install")
        return _install_nerdctl(call, rest)
    given = call.parse(rest, words=-1)
    app = call.app
    if app.current_runtime() != "containerd":
        raise Fatal("nerdctl only supports containerd runtime")
    passed = [f"{k}={v}" for k, v in call.settings.environ.items() if k.startswith(("CONTAINERD_", "NERDCTL_"))]
    prefix = ["sudo", "env", *passed, "nerdctl"] if passed else ["sudo", "nerdctl"]
    return _in_guest(call, app, [*prefix, *given.words])


def _install_nerdctl(call: Call, rest: list[str]) -> int:
    from ..host_tools import executable

    given = call.parse(rest, FORCE, Flag("path", "str", NERDCTL))
    target = Path(given["path"])
    own = given["path"] == NERDCTL and target.exists() and "colima nerdctl " in target.read_text(encoding="utf-8")
    if target.exists():
        if not given["force"] and not own:
            raise Fatal(f"{target} exists, use --force to replace")
        target.replace(f"{target}.moved")
    script = f'#!/usr/bin/env sh\n\n{executable(call.process)} nerdctl --profile {call.profile.name} -- "$@"\n'
    try:
        target.write_text(script, encoding="utf-8")
    except OSError as error:
        raise Fatal(f"open {target}: {(error.strerror or '').lower()}") from error
    target.chmod(0o755)
    return 0


def do_kubernetes(call: Call, rest: list[str]) -> int:
    """Kubernetes in a running profile. None of this touches colima.yaml."""
    given = call.parse(rest, words=-1)
    verb = given.words[0] if given.words else ""
    app = call.app
    if verb not in ("start", "stop", "delete", "reset"):
        call.process.say("Manage the Kubernetes cluster\n\nUsage:\n  colima kubernetes [command]")
        return 0
    if not app.machine.running:
        raise Fatal(f"{call.profile.display} is not running")
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


def do_update(call: Call, rest: list[str]) -> int:
    """Update the runtime in the guest."""
    call.parse(rest)
    app = call.app
    if not app.machine.running:
        raise Fatal(f"runtime cannot be updated, {call.profile.display} is not running")
    runtime = app.current_runtime()
    if runtime == "none":
        raise Fatal("error initiating container runtime: unsupported container runtime 'none'")
    if runtime != "docker":
        raise Fatal(f"update not supported for the {runtime} runtime")
    log = call.log.context("docker")
    log.info("refreshing package manager ...")
    log.info("checking for updates ...")
    log.warning("no updates available")
    return 0


def do_ssh_config(call: Call, rest: list[str]) -> int:
    """Print the ssh settings of the profile, also of a stopped one."""
    from .app import ssh_config_of

    call.parse(rest)
    instance = call.app.machine.instance
    try:
        call.process.say(ssh_config_of(instance))
    except OSError as error:
        what = f"error retrieving Lima SSH config file for profile '{call.profile.id}'"
        missing = f"open {instance.directory / 'ssh.config'}: no such file or directory"
        raise Fatal(f"error retrieving ssh config: {what}: {missing}") from error
    return 0


def do_template(call: Call, rest: list[str]) -> int:
    """Print where the template is, or edit it."""
    given = call.parse(rest, Flag("editor", "str", ""), Flag("print"))
    file = call.profile.base / "_templates" / "default.yaml"
    file.parent.mkdir(exist_ok=True)
    if given["print"]:
        call.process.say(str(file))
        return 0
    editor = given["editor"] or call.settings.environ.get("EDITOR", "")
    if not editor:
        missing = "no editor found in $PATH, kindly set $EDITOR environment variable and try again"
        raise Fatal(f"error editing template file: {missing}")
    if not file.exists():
        from ..files import config_file

        config_file.save(config_file.zero(), file)
    os.system(f"{editor} {file}")  # noqa: S605 - colima runs it through sh, too
    return 0


def do_prune(call: Call, rest: list[str]) -> int:
    """Empty the cache."""
    given = call.parse(rest, FORCE, Flag("all", short="a"))
    cache = cache_directory(call.settings)
    if not given["force"]:
        from ..console import confirmed

        if not confirmed(call.process, f"'{cache}' will be emptied, are you sure"):
            return 0
    call.log.info(f"Pruning {cache}")
    import shutil

    shutil.rmtree(cache, ignore_errors=True)
    return 0


def do_clone(call: Call, rest: list[str]) -> int:
    """Only the refusal of `clone` is here."""
    given = call.parse(rest, words=2)
    source = Profile.of(given.words[0], call.profile.base, call.profile.lima)
    call.log.info(f"preparing to clone {source.display}...")
    raise Fatal(f"colima profile '{source.name}' does not exist")
