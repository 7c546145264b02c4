# SPDX-License-Identifier: GPL-3.0-or-later
"""The colima and limactl commands, typed. Knows their arguments and answers; decides nothing."""

from __future__ import annotations

import contextlib
import re
import tempfile
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from ...colima_paths import Name, Paths, parse_name, resolve, short_name
from ...core.errors import CommandFailed, InputError, TimedOut
from ...core.secrecy.known import learn_key
from ...core.system.command import Cli, Output
from ...core.system.files import make_directory, text_of
from ...core.system.processes import age_of, command_of, commands, environment_of
from ..model.answers import K3sState, ListedProfile, parse_disks, parse_k3s, parse_live, parse_rows
from ..model.config import proxies_of_start
from ..model.settings import Version
from ..model.state import DataDisk
from ..model.yaml_text import parse
from .disk_image import is_written
from .failures import explained
from .machine import process_of
from .run_lock import RunningStart, log_of, noted, start_of

# Reads are answered from files and a short ssh call; a longer one hangs on a dead VM.
_READ_SECONDS = 60.0
# Each engine's socket in a VM.
_IN_GUEST = {"docker": "/var/run/docker.sock", "containerd": "/var/run/containerd/containerd.sock"}

OnLine = Callable[[str, str], None]


class Colima:
    """colima and limactl for one user's Lima home."""

    # An engine that is just starting again is not dead: how long to wait before each further look, in seconds.
    pauses: Sequence[float] = (0.3, 0.7, 1.5)
    # How long a VM may take for a word over ssh, in seconds, before it counts as not answering.
    patience: float = 15.0

    def __init__(self, paths: Paths, environment: Mapping[str, str | None] | None = None, cli: Callable[..., Cli] = Cli) -> None:
        self.paths = paths
        self._cli = cli
        # COLIMA_PROFILE would filter `list`; COLIMA_SAVE_CONFIG=false would start with settings that are saved nowhere.
        fixed: dict[str, str | None] = {**(environment or {}), "COLIMA_PROFILE": None, "COLIMA_SAVE_CONFIG": None}
        self.cli = cli("colima", "", fixed)
        self.lima = cli("limactl", "", {**fixed, "LIMA_HOME": str(paths.lima)})
        self.environment = self.cli.environment

    @property
    def installed(self) -> bool:
        """Whether colima is on PATH."""
        return self.cli.installed

    def tool(self, name: str) -> bool:
        """Whether another program is on the PATH that colima gets."""
        return self.other(name, "").installed

    def other(self, name: str, how_to_install: str, **environment: str | None) -> Cli:
        """Return another program, with the environment that colima gets."""
        return self._cli(name, how_to_install, {**self.environment, **environment})

    def make_base(self) -> None:
        """Make the configuration directory: colima silently ignores a COLIMA_HOME that does not exist."""
        make_directory(self.paths.base)

    # -- reading

    def rows(self) -> list[ListedProfile]:
        """Return all profiles that Lima knows. One that has lost its definition (lima.yaml) is unknown to it."""
        try:
            return self._rows()
        except CommandFailed as error:
            instances = [path for path in self.paths.lima.glob("[!_.]*") if path.is_dir()]
            defined = [path for path in sorted(instances) if (path / "lima.yaml").exists()]
            if len(defined) == len(instances):
                raise explained(error) from error
            # Beside such a one Lima lists only what is named.
            return [row for path in defined for row in self._rows_of(path)]

    def _rows(self, *which: str) -> list[ListedProfile]:
        return parse_rows(self.cli.run("list", *which, "--json", timeout=_READ_SECONDS).stdout)

    def _rows_of(self, instance: Path) -> list[ListedProfile]:
        """Return the row of an instance; none where it belongs to no profile, or is gone by now."""
        profile = short_name(instance.name)
        if not profile or parse_name(profile).id != instance.name:
            return []
        try:
            return self._rows("--profile", profile)
        except CommandFailed as error:
            if not (instance / "lima.yaml").exists():
                return []
            raise explained(error) from error

    def disks(self) -> dict[str, DataDisk]:
        """Return the data disks by instance id, with their true sizes."""
        if not self.lima.installed:
            return {}
        output = self.lima.run("disk", "list", "--json", timeout=_READ_SECONDS, check=False)
        if output.rc != 0:
            raise explained(CommandFailed("list Lima's disks", "limactl failed", stdout=output.stdout, stderr=output.stderr))
        return {
            disk.name: DataDisk(disk.size, disk.instance, is_written(Path(disk.dir or self.paths.lima / "_disks" / disk.name)))
            for disk in parse_disks(output.stdout)
        }

    def status(self, name: Name) -> dict[str, Any]:
        """Return what the guest says of itself; empty when it does not answer as a finished profile does."""
        try:
            output = self.cli.run("status", "--profile", name.name, "--json", check=False, timeout=_READ_SECONDS)
        except CommandFailed:
            return {}
        return parse_live(output.stdout) if output.rc == 0 else {}

    def check_user(self) -> None:
        """Raise InputError where Lima refuses this user, before anything is made in the home. Only Lima itself knows."""
        with tempfile.TemporaryDirectory() as scratch:
            output = self.lima.run("list", check=False, timeout=_READ_SECONDS, environment={"LIMA_HOME": scratch})
        failure = explained(CommandFailed("list VMs", "limactl failed", stdout=output.stdout, stderr=output.stderr))
        if output.rc != 0 and isinstance(failure, InputError):
            raise failure

    def version(self) -> Version | None:
        """Return colima's version; None for a build without a number."""
        with tempfile.TemporaryDirectory() as scratch:
            # Even this would make colima's directories in the user's home, in check mode too.
            elsewhere = {"COLIMA_HOME": scratch, "LIMA_HOME": scratch, "COLIMA_CACHE_HOME": scratch}
            output = self.cli.run("version", check=False, timeout=_READ_SECONDS, environment=elsewhere)
        found = re.search(r"version v?(\d+)\.(\d+)\.(\d+)", output.stdout)
        return (int(found[1]), int(found[2]), int(found[3])) if found else None

    def signs_of_life(self, name: Name) -> tuple[tuple[str, int], ...]:
        """Return what grows while a start prints nothing: what is downloaded, and the console of the VM."""
        found = []
        for directory, pattern in ((self.paths.downloads, "*.downloading"), (self.paths.instance(name), "serial*.log")):
            for file in sorted(directory.glob(pattern)):
                with contextlib.suppress(OSError):
                    found.append((file.name, file.stat().st_size))
        return tuple(found)

    def looks_started(self, name: Name) -> bool:
        """Whether Lima's host agent left its mark, which makes it worth asking the guest at once."""
        return (self.paths.instance(name) / "ha.pid").exists()

    def machine_lives(self, name: Name) -> bool:
        """Whether the VM itself runs, whatever became of Lima's host agent."""
        return process_of(self.paths.instance(name)) > 0

    def being_started(self, names: Iterable[Name]) -> dict[Name, int]:
        """Return those profiles that a colima or limactl of anybody's is starting right now, with its process."""
        wanted = {name.id: name for name in names}
        starts = {pid: start for pid, words in commands().items() if (start := start_of(words)) and start.id in wanted}
        return {wanted[start.id]: pid for pid, start in starts.items() if self.is_under_way(pid, start)}

    def is_under_way(self, pid: int, start: RunningStart) -> bool:
        """Whether a start is one of this Lima home, and not over yet."""
        theirs = environment_of(pid)
        if not theirs and not command_of(pid):
            # It ended after it was listed.
            return False
        homes = (resolve(theirs, system).lima.resolve() for system in ("Darwin", "Linux"))
        if "HOME" in theirs and self.paths.lima.resolve() not in homes:
            return False
        return not (start.stays and self._has_finished(pid))

    def _has_finished(self, pid: int) -> bool:
        """Whether a start in the foreground is over, although its process stays: the last that it writes is colima's ssh file."""
        with contextlib.suppress(OSError):
            return (self.paths.base / "ssh_config").stat().st_mtime >= time.time() - age_of(pid)
        return False

    # -- changing; the caller holds the lock

    def start(self, name: Name, timeout: float, stall: float, on_line: OnLine | None = None, **more: Any) -> Output:
        """Start with the settings of colima.yaml."""
        probe = partial(self.signs_of_life, name)
        settings, _problem = parse(text_of(self.paths.configured(name)) or "")
        proxies = proxies_of_start(settings) if settings else {}
        return self._change(
            name, "start", timeout=timeout, stall=stall, on_line=on_line, probe=probe, environment=proxies, **more
        )

    def stop(self, name: Name, timeout: float, force: bool = False, **more: Any) -> Output:
        """Stop the VM. A hung guest takes Lima three minutes; force kills it, and repairs a broken VM."""
        return self._change(name, "stop", *(["--force"] if force else []), timeout=timeout, **more)

    def delete(self, name: Name, timeout: float, data: bool = False, **more: Any) -> Output:
        """Delete the VM and the settings; the data disk only if asked to."""
        # Without --force and a terminal colima asks, takes the silence for a no, and exits with 0.
        return self._change(name, "delete", "--force", *(["--data"] if data else []), timeout=timeout, **more)

    def _change(self, name: Name, verb: str, *args: str, on_start: Callable[[int], None] | None = None, **options: Any) -> Output:
        make_directory(self.paths.own)
        with noted(self.paths.own, name.id) as note:

            def begun(pid: int) -> None:
                note.write_text(str(pid))
                if on_start is not None:
                    on_start(pid)

            try:
                into = log_of(self.paths.own, name.id)
                return self.cli.run(verb, "--profile", name.name, *args, on_start=begun, into=into, **options)
            except CommandFailed as error:
                raise explained(error, f"{verb} profile '{name}'") from error

    def unlock_disk(self, name: Name) -> None:
        """Take away the mark of a VM that no longer runs from the data disk."""
        self.lima.run("disk", "unlock", name.id, timeout=_READ_SECONDS)

    def resize_disk(self, name: Name, gib: int) -> None:
        """Enlarge the data disk of a stopped VM, as colima does at a start."""
        self.lima.run("disk", "resize", name.id, "--size", f"{gib}GiB", timeout=_READ_SECONDS)

    def delete_disk(self, name: Name) -> None:
        """Delete the data disk."""
        self.lima.run("disk", "delete", "--force", name.id, timeout=_READ_SECONDS)

    def forward_socket(self, name: Name, runtime: str) -> None:
        """Bring a lost socket of an engine back as Lima makes it: carried by its ssh connection to the VM, which stays open.

        Raises CommandFailed where that does not help.
        """
        local = self.paths.socket(name, runtime).removeprefix("unix://")
        way = f"{local}:{_IN_GUEST[runtime]}"
        ssh = self.other("ssh", "")
        # To the connection the lost forward still exists, so it would not make it again.
        for verb, check in (("cancel", False), ("forward", True)):
            where = ("-F", "/dev/null", "-S", str(self.paths.ssh_master(name)), "-O", verb, "-L", way)
            ssh.run(*where, f"lima-{name.id}", timeout=self.patience, check=check)
        if not Path(local).exists():
            remedy = f"Run again when nothing runs in it: 'colima restart {name}' ends its containers, and brings it back."
            raise CommandFailed(f"restore socket '{local}'", "ssh reported success, and it is not there", remedy)

    # -- in the guest

    def in_guest(self, name: Name, *command: str, seconds: float = _READ_SECONDS, secret: bool = False) -> str:
        """Run a command in the VM within the time, and return its output. secret: no failure repeats what it printed."""
        return self.cli.run("ssh", "--profile", name.name, "--", *command, timeout=seconds, secret=secret).stdout

    def answers(self, name: Name, *question: str) -> bool:
        """Whether a command in the VM succeeds; without one, whether the VM can be reached at all."""
        try:
            self.cli.run("ssh", "--profile", name.name, "--", *(question or ("true",)), timeout=self.patience)
        except CommandFailed:
            return False
        return True

    def hangs(self, name: Name) -> bool:
        """Whether a VM takes a command, and does not end it in time."""
        try:
            self.cli.run("ssh", "--profile", name.name, "--", "true", timeout=self.patience, check=False)
        except TimedOut:
            return True
        return False

    def k3s(self, name: Name) -> K3sState | None:
        """Return what a VM says of the k3s in it; None when it does not tell."""
        try:
            return parse_k3s(self.in_guest(name, "cat", "/etc/colima/colima.json"))
        except CommandFailed:
            return None

    def kubeconfig(self, name: Name) -> dict[str, Any]:
        """Return the kubeconfig of the k3s in a VM. It holds the cluster's admin key, so it is never shown."""
        import yaml

        text = self.in_guest(name, "sudo", "cat", "/etc/rancher/k3s/k3s.yaml", secret=True)
        try:
            document = yaml.safe_load(text)
        except (yaml.YAMLError, ValueError, RecursionError):
            document = None
        if not isinstance(document, dict):
            what = f"read the kubeconfig of k3s in profile '{name}'"
            raise CommandFailed(what, "it is not a YAML mapping", "Restart the profile.")
        for user in document.get("users") or ():
            if isinstance(user, dict) and isinstance(user.get("user"), dict):
                learn_key(str(user["user"].get("client-key-data") or ""))
        return document

    def host_agent_tail(self, name: Name, lines: int = 15, since: float = 0.0) -> str:
        """Return the end of Lima's log about the VM, where the causes of failed starts are.

        since: empty if nothing was written after that time, because the log then tells of an earlier start.
        """
        log = self.paths.instance(name) / "ha.stderr.log"
        with contextlib.suppress(OSError):
            if log.stat().st_mtime >= since:
                return "\n".join(log.read_text(errors="replace").splitlines()[-lines:])
        return ""
