# SPDX-License-Identifier: GPL-3.0-or-later
"""The bundle as a subject: what goes into it, and one step that writes it. It is never written over a file that is there."""

from __future__ import annotations

import getpass
import gzip
import io
import json
import os
import platform
import tarfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, cast

from ..colima_paths import resolve
from ..core.errors import InputError, RefusedStep
from ..core.plan import Plan, Step
from ..core.subject import Result, Subject
from ..core.system.files import replace_if_unchanged
from ..core.system.home import home
from .collect import collected
from .redact import Owner, redact

_FOLDER = "support"


@dataclass(frozen=True)
class Request:
    """Where the bundle goes, and the doctor's result that goes into it."""

    path: Path
    report: Mapping[str, Any]


@dataclass(frozen=True)
class SupportState:
    """The texts of the bundle by their names in it; foreign: a file in its place is not a bundle; bundle: it is one."""

    texts: Mapping[str, str]
    foreign: bool
    bundle: bool


@dataclass(frozen=True)
class Write(Step):
    """Write the bundle."""

    path: Path = Path()
    texts: Mapping[str, str] = field(default_factory=dict, repr=False)


class SupportBundle(Subject[Request, SupportState]):
    """One bundle of one laptop."""

    argument_spec = {
        "path": {"type": "path"},
        "report": {"type": "dict", "default": {}},
    }
    work = "write the support bundle"

    def parse(self, params: Mapping[str, Any], *, check_mode: bool) -> Request:
        """Return what is asked for. Raises InputError."""
        del check_mode
        named = params["path"] or f"{home()}/laptop.containers-support-{datetime.now(UTC):%Y%m%dT%H%M%SZ}.tar.gz"
        path = Path(named)
        if not path.is_absolute() or not path.parent.is_dir() or path.is_dir():
            missing = "it is a directory" if path.is_dir() else f"there is no directory '{path.parent}'"
            reason = missing if path.is_absolute() else "it is not absolute"
            raise InputError(
                f"write the support bundle '{path}'", reason, "Give the absolute path of a file in a directory that is there."
            )
        return Request(path, params["report"])

    def read(self, spec: Request) -> SupportState:
        """Return what would go into the bundle; where there is one already, only that."""
        if _is_bundle(spec.path):
            return SupportState({}, foreign=False, bundle=True)
        hide = partial(redact, owner=Owner(home(), getpass.getuser(), platform.node()))
        # JSON, so that a key is a name and its value can be hidden like any other.
        report = {"doctor.json": hide(json.dumps(spec.report, indent=1) + "\n")} if spec.report else {}
        about = {
            "made": f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}",
            "system": platform.platform(),
            "python": platform.python_version(),
        }
        texts = {
            "about.json": hide(json.dumps(about) + "\n"),
            **report,
            **collected(resolve(os.environ, platform.system()), hide),
        }
        return SupportState(texts, foreign=os.path.lexists(spec.path), bundle=False)

    def plan(self, spec: Request, current: SupportState) -> Plan:
        """Return the step that writes it."""
        if current.bundle:
            return Plan()
        if current.foreign:
            what = f"write the support bundle '{spec.path}'"
            return Plan(refusals=(RefusedStep(what, "there is a file of that name", "Choose another O(path)."),))
        count = len(current.texts)
        step = Write("write", f"support bundle '{spec.path}'", f"{count} files", path=spec.path, texts=current.texts)
        return Plan((step,), {}, {"files": sorted(current.texts)})

    def apply(self, step: Step) -> None:
        """Write the bundle, readable by its owner only."""
        write = cast(Write, step)
        if not replace_if_unchanged(write.path, _packed(write.texts), 0o600, None):
            raise RefusedStep(self.work, f"'{write.path}' was made by another program meanwhile", "Run again.")

    def public(self, outcome: Result[Request, SupportState]) -> dict[str, Any]:
        """Return the path, and what is in it."""
        path, texts = outcome.spec.path, outcome.before.texts
        files = [{"name": name, "bytes": len(text.encode())} for name, text in sorted(texts.items())]
        old = [f"'{path}' is the bundle of an earlier run, and stays. For a new one give another O(path)."]
        return {"path": str(path), "files": files, "warnings": old if outcome.before.bundle else []}


def _is_bundle(path: Path) -> bool:
    try:
        with tarfile.open(path) as archive:
            first = archive.next()
    except (OSError, EOFError, tarfile.TarError):
        return False
    return first is not None and first.name.startswith(f"{_FOLDER}/")


def _packed(texts: Mapping[str, str]) -> bytes:
    """Return a tar.gz without owners and times."""
    packed = io.BytesIO()
    with gzip.GzipFile(fileobj=packed, mode="wb", mtime=0) as zipped, tarfile.open(fileobj=zipped, mode="w") as archive:
        for name, text in sorted(texts.items()):
            content = text.encode()
            member = tarfile.TarInfo(f"{_FOLDER}/{name}")
            member.size, member.mode = len(content), 0o600
            archive.addfile(member, io.BytesIO(content))
    return packed.getvalue()


SUBJECT = SupportBundle
