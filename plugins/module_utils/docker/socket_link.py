# SPDX-License-Identifier: GPL-3.0-or-later
"""The link at the place where tools expect docker's socket: who made it, and how it comes and goes."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..core.errors import InputError, RefusedStep, file_trouble
from ..core.notes import Notes
from ..core.plan import Plan, Step
from ..core.subject import Result, Subject
from ..core.system.files import check_path, link_target, remove_link, rename_new, replace_link
from ..core.system.lock import entries_of

_SUFFIX = ".before-laptop.containers"
_REMEDY = "Run the task with become."


@dataclass(frozen=True)
class SocketLinkSpec:
    """What the options ask for."""

    path: Path
    target: str
    present: bool

    @property
    def kept(self) -> Path:
        """Where the user's own link is meanwhile."""
        return self.path.with_name(f"{self.path.name}{_SUFFIX}")


@dataclass(frozen=True)
class SocketLinkState:
    """Where the link and the user's own one lead (None: nothing is there, "": something else is), and where ours led last."""

    link: str | None
    kept: str | None
    noted: str | None = None


@dataclass(frozen=True)
class WriteLink(Step):
    """Let the link lead to the target. found: where it leads; keep: whether that is the user's own."""

    found: str | None = None
    keep: bool = False


@dataclass(frozen=True)
class RemoveLink(Step):
    """Remove the link. restore: where the user's own led, which comes back at once."""

    found: str = ""
    restore: str | None = None


@dataclass(frozen=True)
class RestoreSocket(Step):
    """Put the user's own link back where none is."""


@dataclass(frozen=True)
class ForgetLink(Step):
    """Remove the note, and the copy of a link that an interrupted run left beside it; silent."""

    copy: str = ""


class SocketLink(Subject[SocketLinkSpec, SocketLinkState]):
    """The link to docker's socket."""

    argument_spec = {
        "path": {"type": "path", "default": "/var/run/docker.sock"},
        "target": {"type": "path", "required": True},
        "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
    }
    work = "converge the docker socket link"

    asked: SocketLinkSpec

    def __init__(self) -> None:
        self.notes = Notes("docker_socket_link")

    def parse(self, params: Mapping[str, Any], *, check_mode: bool) -> SocketLinkSpec:
        """Return the link. Raises InputError."""
        del check_mode
        path, target = Path(params["path"]), params["target"]
        check_path("path of the docker socket link", params["path"], suffix=_SUFFIX)
        check_path("target of the docker socket link", target)
        if Path(target) == path:
            raise InputError(f"link '{path}'", "it would lead to itself", "Set O(target=...) to the socket of the engine.")
        self.asked = SocketLinkSpec(path, target, params["state"] == "present")
        return self.asked

    def lock(self) -> contextlib.AbstractContextManager[bool]:
        """Keep other runs away from the directory: runs as root and as a user, with other homes, too."""
        return _alone(self.asked.path)

    def read(self, spec: SocketLinkSpec) -> SocketLinkState:
        """Return where the links lead."""
        with _trouble(spec.path):
            noted = self.notes.read().get(str(spec.path))
            return SocketLinkState(link_target(spec.path), link_target(spec.kept), noted if isinstance(noted, str) else None)

    def plan(self, spec: SocketLinkSpec, current: SocketLinkState) -> Plan:
        """Return the steps."""
        return plan_link(spec, current)

    def apply(self, step: Step) -> None:
        """Carry out one step."""
        path, kept = self.asked.path, self.asked.kept
        with _trouble(path):
            if isinstance(step, WriteLink):
                # Noted first: killed in between, the next run still knows which link is the user's.
                self._note(self.asked.target)
                if step.keep:
                    kept.symlink_to(str(step.found))
                replace_link(path, self.asked.target, step.found)
            elif isinstance(step, RemoveLink) and step.restore is not None:
                replace_link(path, step.restore, step.found)
                remove_link(kept, step.restore)
            elif isinstance(step, RemoveLink):
                remove_link(path, step.found)
            elif isinstance(step, RestoreSocket):
                rename_new(kept, path)
            elif isinstance(step, ForgetLink):
                remove_link(kept, step.copy)
                self._note(None)

    def _note(self, target: str | None) -> None:
        with self.notes.edit() as notes:
            notes.pop(str(self.asked.path), None)
            if target is not None:
                notes[str(self.asked.path)] = target

    def public(self, outcome: Result[SocketLinkSpec, SocketLinkState]) -> dict[str, Any]:
        """Return nothing more than every module does."""
        del outcome
        return {}


SUBJECT = SocketLink


def plan_link(spec: SocketLinkSpec, current: SocketLinkState) -> Plan:
    """Return the steps from the link that is there to the one asked for. A socket or file of the user's is never replaced."""
    steps = _present(spec, current) if spec.present else _absent(spec, current)
    after = current.link
    for step in steps:
        if isinstance(step, WriteLink):
            after = spec.target
        elif isinstance(step, RemoveLink):
            after = step.restore
        elif isinstance(step, RestoreSocket):
            after = current.kept
    path = str(spec.path)
    return Plan(tuple(steps), {path: current.link}, {path: after})


def _present(spec: SocketLinkSpec, current: SocketLinkState) -> list[Step]:
    what, found, kept = f"link '{spec.path}'", current.link, current.kept
    if found == spec.target:
        return []
    if found == "":
        remedy = "Stop the engine that listens there (Docker Desktop, or the system's docker service) and remove the file first."
        raise RefusedStep(what, "another socket or file is there", remedy)
    # A link of an earlier run needs no keeping. If its user's own is kept already, no other can be.
    keep = found not in (None, current.noted) and kept != found
    if keep and kept is not None:
        remedy = f"Move '{spec.kept}' away first."
        raise RefusedStep(what, f"the link that is there would be kept as '{spec.kept}', and that exists", remedy)
    detail = f"to {spec.target}" + (f", the one to {found} is kept as {spec.kept}" if keep else "")
    return [WriteLink("link", f"'{spec.path}'", detail, found=found, keep=keep)]


def _absent(spec: SocketLinkSpec, current: SocketLinkState) -> list[Step]:
    steps = _back_to_users_own(spec, current)
    if current.noted is not None:
        copy = current.kept if current.kept and current.kept == current.link and not steps else ""
        steps.append(ForgetLink("forget", f"link '{spec.path}'", silent=True, copy=copy))
    return steps


def _back_to_users_own(spec: SocketLinkSpec, current: SocketLinkState) -> list[Step]:
    """Return what takes our link away, if it is there, and brings the user's own back, if it is kept."""
    target, back = f"link '{spec.path}'", current.kept or None
    if current.link and current.link in (spec.target, current.noted):
        detail = f"to {current.link}" + (f", the one to {back} comes back" if back else "")
        return [RemoveLink("remove", target, detail, found=current.link, restore=back)]
    if current.link is None and back and current.noted:
        return [RestoreSocket("restore", target, f"to {back}")]
    return []


@contextlib.contextmanager
def _alone(path: Path) -> Iterator[bool]:
    with contextlib.ExitStack() as stack:
        with _trouble(path):
            still_true = stack.enter_context(entries_of(path.parent, f"change link '{path}'"))
        yield still_true


@contextlib.contextmanager
def _trouble(path: Path) -> Iterator[None]:
    try:
        yield
    except (FileExistsError, NotADirectoryError) as error:
        raise file_trouble(f"change link '{path}'", error, "Look at that file, and run again.") from error
    except OSError as error:
        raise file_trouble(f"change link '{path}'", error, _REMEDY) from error
