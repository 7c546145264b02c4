# SPDX-License-Identifier: GPL-3.0-or-later
"""~/.testcontainers.properties: our line for the engine, among those of the user, which stay. Pure but for files.

Of a property that is written twice, the last one counts; so ours goes to the end, and without it the user's own counts again.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from pathlib import Path

from ...core.errors import RefusedStep, naming_files
from ...core.plan import Plan, Step
from ...core.system.files import FileState, read_file, write_file

NAME = ".testcontainers.properties"
_MARK = "# laptop.containers: goes with docker_cli_testcontainers"
# The same where the user's last line had no end: it has none again without ours.
_MARK_AFTER_OPEN_LINE = f"{_MARK}."
_OURS = re.compile(rf"(?P<end>\n?)^(?P<mark>{re.escape(_MARK)}\.?)\ndocker\.host=.*\n?", re.MULTILINE)
_HOST = re.compile(r"^[ \t]*docker\.host[ \t]*[=: ][ \t]*(.*)$", re.MULTILINE)


@dataclass(frozen=True)
class WriteProperties(Step):
    """Write the file; without a text, remove it."""

    path: Path = Path()
    text: str = ""
    mode: int = 0o644


def without_ours(text: str) -> str:
    """Return what the user wrote."""

    def left(found: re.Match[str]) -> str:
        # The end of the line before ours was ours, too, but what has been added since needs it.
        return "" if found["mark"] == _MARK_AFTER_OPEN_LINE and found.end() == len(text) else str(found["end"])

    return _OURS.sub(left, text)


def read_properties(path: Path) -> FileState:
    """Return the text, with the ends of the lines as they are."""
    found = read_file(path)
    if found.kind == "file" and found.readable:
        with naming_files(f"read '{path}'", "Make it readable, and run again."):
            return replace(found, text=path.read_bytes().decode())
    return found


def with_ours(text: str, host: str) -> str:
    """Return the text with our line, unless it is there and counts."""
    if _OURS.search(text) and _effective(text) == host:
        return text
    theirs = without_ours(text)
    is_open = bool(theirs) and not theirs.endswith("\n")
    end, mark = ("\n", _MARK_AFTER_OPEN_LINE) if is_open else ("", _MARK)
    return f"{theirs}{end}{mark}\ndocker.host={_escaped(host)}\n"


def plan_properties(path: Path, found: FileState, host: str | None) -> Plan:
    """Return the step that makes a host count, or with host None removes our line."""
    target = f"'docker.host' in '{path}'"
    if host is not None and (found.kind in ("other", "dangling") or not found.readable):
        reason = "the file is not text" if found.kind == "file" else "it is not a file"
        raise RefusedStep(f"set {target}", reason, "Move it away, or leave O(testcontainers) out.")
    text = found.text if found.kind == "file" and found.readable else ""
    after = without_ours(text) if host is None else with_ours(text, host)
    if after == text:
        return Plan()
    step = WriteProperties("remove" if host is None else "set", target, path=path, text=after, mode=found.mode or 0o644)
    return Plan((step,), {str(path): _shown(text)}, {str(path): _shown(after)})


def apply_properties(step: WriteProperties) -> None:
    """Carry out a step."""
    if step.text:
        write_file(step.path, step.text, step.mode, "Make it writable, and run again.")
        return
    with naming_files(f"remove {step.target}", "Make its directory writable, and run again."):
        step.path.unlink(missing_ok=True)


def _shown(text: str) -> str:
    """Return the host that counts where it is ours: an address of the user's may hold a password."""
    ours, host = _OURS.findall(text), _effective(text)
    return host if ours and f"docker.host={_escaped(host)}\n" in text else "an address of your own" if host else ""


def _effective(text: str) -> str:
    hosts = _HOST.findall(text)
    return str(hosts[-1]).replace("\\\\", "\\").strip() if hosts else ""


def _escaped(host: str) -> str:
    return host.replace("\\", "\\\\")
