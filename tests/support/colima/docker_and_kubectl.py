# SPDX-License-Identifier: GPL-3.0-or-later
"""The parts of docker and kubectl that colima and its modules need. As functions, they serve both forms of a lab."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path
from typing import Any

import yaml

from rehearsal.standin.colima.process import Process
from rehearsal.standin.program import program_text


def script(name: str) -> str:
    """Return a program that is one of these functions."""
    imported = f"from rehearsal.standin.colima.process import Process\nfrom {__name__} import {name}"
    return program_text(f"{imported}\nsys.exit({name}(Process(), sys.argv[1:]))")


def docker(process: Process, argv: list[str]) -> int:
    """Contexts as docker keeps them, and `-H SOCKET ps`, answered from a file in which a test says what runs."""
    if argv[:1] == ["-H"]:
        file = Path(process.environ["LAB"]) / "containers"
        process.stdout.write(file.read_text() if file.exists() else "")
        return 0
    if argv[:1] != ["context"]:
        return 1
    verb, rest = argv[1], [word for word in argv[2:] if word != "--force"]
    name, here = rest[0], Path(process.environ["HOME"]) / ".docker"
    meta = here / "contexts" / "meta" / hashlib.sha256(name.encode()).hexdigest() / "meta.json"
    if verb == "create" or (verb == "update" and meta.exists()):
        meta.parent.mkdir(parents=True, exist_ok=True)
        host = rest[rest.index("--docker") + 1].removeprefix("host=")
        meta.write_text(json.dumps({"Name": name, "Metadata": {}, "Endpoints": {"docker": {"Host": host}}}))
    elif not meta.exists():
        process.stderr.write(f'context "{name}": context not found\n')
        return 1
    elif verb == "use":
        (here / "config.json").write_text(json.dumps({"currentContext": name}))
    elif verb == "rm":
        shutil.rmtree(meta.parent)
    return 0


def kubectl(process: Process, argv: list[str]) -> int:
    """`kubectl config` on the files of KUBECONFIG: one entry in one file."""
    named = process.environ.get("KUBECONFIG", process.environ["HOME"] + "/.kube/config")
    files = [Path(file) for file in named.split(":") if file]
    configs: list[dict[str, Any]] = [_load(file) if file.exists() else {} for file in files]
    first, verb, rest = configs[0], argv[1], argv[2:]
    if verb == "view":
        process.stdout.write(_dump(_merged(configs)))
        return 0
    if verb == "current-context":
        process.say(first.get("current-context", ""))
        return not first.get("current-context")
    if verb == "unset":
        kind, _, name = rest[0].partition(".")
        first[kind] = [item for item in first.get(kind) or [] if item["name"] != name] if name else ""
    if verb == "use-context":
        first["current-context"] = rest[0]
        process.say(f'Switched to context "{rest[0]}".')
    files[0].parent.mkdir(parents=True, exist_ok=True)
    files[0].write_text(_dump(first))
    return 0


def _merged(configs: list[dict[str, Any]]) -> dict[str, Any]:
    merged: dict[str, Any] = {"apiVersion": "v1", "kind": "Config"}
    for key in ("clusters", "contexts", "users"):
        items = [item for config in configs for item in config.get(key) or []]
        merged[key] = list({item["name"]: item for item in reversed(items)}.values())
    merged["current-context"] = next((c["current-context"] for c in configs if c.get("current-context")), "")
    return merged


def _load(file: Path) -> dict[str, Any]:
    return yaml.load(file.read_text(), Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader)) or {}  # noqa: S506


def _dump(document: dict[str, Any]) -> str:
    return str(yaml.dump(document, Dumper=getattr(yaml, "CSafeDumper", yaml.SafeDumper)))
