# SPDX-License-Identifier: GPL-3.0-or-later
"""The laptop under examination: its settings, and what several groups need of it, each read once."""

from __future__ import annotations

import contextlib
import errno
import os
import platform
import shlex
import signal
import socket
import threading
from collections.abc import Callable, Hashable, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar, cast

from ..colima_paths import Name, Paths, parse_name, resolve
from ..core.errors import InputError, WorkstationError, file_trouble
from ..core.system.command import Cli, Output, complete_path
from ..docker.engine import EngineSilent, get_unix
from ..kube.entry import kubeconfig_paths
from .settings import SubjectReading, look, refuse_wrong, spec_of, subject_of

if TYPE_CHECKING:
    from ..colima.client.programs import Colima
    from ..colima.model.state import ProfileState
    from ..colima.survey import ProfilesSpec
    from ..ecr_pull_secret.options import PullSecretsSpec
    from ..ecr_pull_secret.task import PullSecrets
    from .cluster import ClusterReader
    from .guest import GuestReport

Answer = TypeVar("Answer")
# An engine, an API server, a proxy: on the laptop itself they answer in milliseconds.
SOCKET_SECONDS = 2.0
# What a remedy that restarts a VM owes to say.
ENDS = ". The command restarts the VM: what runs in it ends"
# A program that may have to ask a VM over ssh.
COMMAND_SECONDS = 10.0
# One word with a VM over ssh.
ANSWER_SECONDS = 5.0


class Bounded(Cli):
    """A command that is given less time than its caller would give it: an examination waits for nothing.

    running: the processes that have not ended yet, each the first of its group.
    """

    running: ClassVar[set[int]] = set()

    def run(self, *args: str, **options: Any) -> Output:
        """Run the tool, within a bound."""
        timeout = min(options.get("timeout") or COMMAND_SECONDS, COMMAND_SECONDS)
        started: list[int] = []

        def begun(pid: int) -> None:
            started.append(pid)
            self.running.add(pid)

        try:
            return super().run(*args, **{**options, "timeout": timeout, "on_start": begun})
        finally:
            self.running.difference_update(started)


class Laptop:
    """Everything that checks are made of. Threads share it."""

    def __init__(
        self, settings: Mapping[str, Mapping[str, Any]], play: str, timer_directory: str, policy: Mapping[str, Any] | None = None
    ) -> None:
        self.settings = settings
        # The team's, as the action plugin has read it; empty without one.
        self.policy = policy or {}
        self.timer_directory = timer_directory
        self.environment = dict(os.environ)
        self.path = complete_path(self.environment.get("PATH", ""))
        self._play = play
        self._locks: dict[Hashable, threading.Lock] = {}
        self._answers: dict[Hashable, Any] = {}
        self._guard = threading.Lock()

    def once(self, key: Hashable, ask: Callable[[], Answer]) -> Answer:
        """Return an answer, asking only the first time; a failure is kept as well, and raised each time."""
        with self._guard:
            lock = self._locks.setdefault(key, threading.Lock())
        with lock:
            if key not in self._answers:
                try:
                    self._answers[key] = ask()
                except WorkstationError as error:
                    self._answers[key] = error
                except OSError as error:
                    self._answers[key] = closed(error)
        if isinstance(self._answers[key], WorkstationError):
            raise self._answers[key]
        return cast(Answer, self._answers[key])

    def known(self, key: Hashable) -> Any:
        """Return an answer that there is already, without asking or waiting; None for a failure."""
        found = self._answers.get(key)
        return None if isinstance(found, WorkstationError) else found

    def converge(self, tag: str, *variables: str) -> str:
        """Return the command that puts a part of the workstation right. variables: settings for this run, name=value."""
        return " ".join([self._play, "--tags", tag, *(f"-e {variable}" for variable in variables)])

    def other_play(self, playbook: str, tag: str, *variables: str) -> str:
        """Return the command that runs a part of another playbook of this project."""
        return self.converge(tag, *variables).replace("/workstation.yml", f"/{playbook}.yml")

    def restart(self, profile: str) -> str:
        """Return the command that restarts a VM, and writes to the laptop's files what is new in it."""
        return f"colima restart {profile} && {self.converge('colima')}"

    def may_restart(self) -> str:
        """Return the command that restarts a VM as a repair although containers run in it."""
        return self.converge("colima", "colima_restart=always")

    def has(self, module: str) -> bool:
        """Whether the settings have a module's part, and want it there."""
        return bool(self.settings.get(module)) and self.settings[module].get("state") != "absent"

    def look(self, module: str) -> SubjectReading:
        """Return a module's subject as it is, and as the settings ask for. Raises WorkstationError."""
        prepared = _bound if module == "colima_profile" else None
        hurry = {"timeout": SOCKET_SECONDS} if module == "buildx_builder" else {}
        return self.once(module, lambda: look(module, {**self.settings[module], **hurry}, prepared))

    def wanted(self) -> ProfilesSpec:
        """Return what the settings ask of the profiles, before any VM is looked at. Raises InputError."""
        return cast("ProfilesSpec", self.once("wanted", lambda: self._spec("colima_profile")))

    def _spec(self, module: str) -> Any:
        subject = subject_of(module)
        return spec_of(module, subject, self.settings[module])

    def programs(self, module: str) -> tuple[str, ...]:
        """Return the programs that a module's part of the settings needs. Raises WorkstationError."""
        return subject_of(module).programs(self._spec(module))

    def revived(self, profile: str, found: str) -> tuple[str, str]:
        """Return what was found of a running VM's engine, and what revives it.

        A run does, in the gentlest way that works, and restarts no VM in which containers run: then the words for that.
        """
        plans = self.look("colima_profile").plan.profiles
        held = next(
            (item for plan in plans if str(plan.spec.name) == profile for item in plan.pending if item.kind == "repair"), None
        )
        if held is None:
            return found, self.converge("colima")
        return f"{found}; a run leaves it alone, because {held.reason}{ENDS}", self.may_restart()

    def restarted_k3s(self, profile: str, found: str) -> tuple[str, str]:
        """Return what was found of a cluster that does not answer, and what restarts its k3s alone: containers run on."""
        found = f"{found}. Where this does not help, 'colima restart {profile}' does, and ends what runs in it"
        return found, f"colima ssh --profile {profile} -- sudo systemctl restart k3s"

    def config_damaged(self) -> bool:
        """Whether docker's configuration can't be read: then its check has the remedy for the others."""
        if not self.has("docker_cli_config"):
            return False
        try:
            self.look("docker_cli_config")
        except InputError:
            return True
        return False

    def profiles(self) -> Mapping[str, ProfileState]:
        """Return the profiles of the settings as they are, by name. Raises WorkstationError."""
        found: Mapping[str, ProfileState] = {}
        return self.look("colima_profile").current.snapshot.profiles if self.has("colima_profile") else found

    def guest(self, name: Name) -> GuestReport | None:
        """Return what a VM tells of itself; None where it does not run. Raises CommandFailed."""
        from .guest import ask

        return self.once(("guest", name), lambda: ask(self.colima, name) if self.colima.looks_started(name) else None)

    @property
    def system(self) -> str:
        """The laptop's system: Darwin or Linux."""
        given = (self.settings.get("colima_profile", {}).get("host") or {}).get("system")
        return str(given or platform.system())

    @property
    def colima(self) -> Colima:
        """The colima of this laptop, within the bounds of an examination."""
        return self.once("colima", lambda: bounded(resolve(self.environment, self.system)))

    def docker_sockets(self) -> Mapping[str, str]:
        """Return the docker sockets of the profiles that run docker, by profile, without asking colima. Raises InputError."""
        listed = self.settings.get("colima_profile", {}).get("profiles") or ()
        refuse_wrong("colima_profile", subject_of("colima_profile"), {"profiles": listed})
        names = [parse_name(str(profile["name"])) for profile in listed if profile.get("runtime", "docker") == "docker"]
        return {name.name: self.colima.paths.socket(name, "docker").removeprefix("unix://") for name in names}

    def engines(self) -> Mapping[str, dict[str, Any] | EngineSilent]:
        """Return what the docker engine of each profile says of itself, or why it is silent, by profile; asked side by side.

        Ask for them before the profiles are read: a socket that hangs then costs its time once.
        """
        from ..core.system.together import together

        def ask(path: str) -> dict[str, Any] | EngineSilent:
            try:
                return self.engine(path)
            except EngineSilent as silent:
                return silent

        return together({profile: partial(ask, path) for profile, path in self.docker_sockets().items()})

    def engine(self, path: str) -> dict[str, Any]:
        """Return what a docker engine says of itself (/version). Raises EngineSilent."""
        found = self.get(path, "/version")
        return found if isinstance(found, dict) else {}

    def get(self, path: str, target: str) -> Any:
        """Return the answer of a docker engine on a unix socket. Raises EngineSilent; a silent engine is not asked again."""
        if target != "/version":
            self.engine(path)
        answer = self.once(("engine", path, target), lambda: _answer(path, target))
        if isinstance(answer, EngineSilent):
            raise answer
        return answer

    def cluster(self, context: str, kubeconfig: str = "") -> ClusterReader:
        """Return the cluster of a kube context. Raises WorkstationError."""
        from .cluster import ClusterReader

        paths = kubeconfig_paths(kubeconfig, self.environment)
        return self.once(("cluster", context, paths), lambda: ClusterReader(context, paths, SOCKET_SECONDS))

    def pull_secrets(self) -> tuple[PullSecrets, PullSecretsSpec]:
        """Return the subject of the pull secrets and what is asked of it. It would read with more patience than is due here."""

        def ask() -> tuple[PullSecrets, PullSecretsSpec]:
            subject = cast("PullSecrets", subject_of("ecr_pull_secret"))
            return subject, spec_of("ecr_pull_secret", subject, self.settings["ecr_pull_secret"])

        return self.once("pull secrets", ask)

    def resolves(self, host: str) -> bool:
        """Whether the laptop itself finds the address of a host."""

        def ask() -> bool:
            try:
                return bool(socket.getaddrinfo(host, 443))
            except OSError:
                return False

        return self.once(("resolves", host), ask)

    def close(self) -> None:
        """Close every connection, and end what was given up."""
        for pid in [*Bounded.running]:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(pid, signal.SIGKILL)
        for answer in self._answers.values():
            if isinstance(answer, SubjectReading):
                answer.subject.close()
            elif hasattr(answer, "close"):
                answer.close()


class Cancelled(InputError):
    """A file or directory that every run needs can't be read."""


def closed(error: OSError) -> Cancelled:
    """Return a failure that names the file, and what opens it again where that is all it needs."""
    file, trouble = str(error.filename or ""), file_trouble("look at the laptop", error)
    failure = Cancelled(trouble.what, trouble.reason, trouble.remedy)
    if error.errno in (errno.EACCES, errno.EPERM) and file:
        place = next((path for path in (Path(file), *Path(file).parents) if not os.access(path, os.R_OK)), Path(file))
        failure.remedy = f"chmod u+rwX {shlex.quote(str(place))}"
    return failure


def bounded(paths: Paths) -> Colima:
    """Return a colima that is given less time than a run gives it."""
    from ..colima.client.programs import Colima

    colima = Colima(paths, cli=Bounded)
    colima.pauses = (0.3,)
    colima.patience = ANSWER_SECONDS
    return colima


def _answer(path: str, target: str) -> Any:
    try:
        return get_unix(path, target, SOCKET_SECONDS)[1]
    except EngineSilent as silent:
        return silent


def _bound(profiles: Any) -> None:
    profiles.colima = bounded(profiles.colima.paths)
