# SPDX-License-Identifier: GPL-3.0-or-later
"""Examinations as one document for programs: a laptop or a fleet, with a version. Home directories are shown as ~.

docs/doctor.md describes the document; what it holds never changes its meaning without a new version.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ...core.errors import InputError, file_trouble

SCHEMA = 1
KIND = "laptop.containers/doctor"


def document(results: Mapping[str, Mapping[str, Any]], moment: datetime | None = None) -> dict[str, Any]:
    """Return the document of a run: the result of each laptop by name, a failed one with its msg."""
    made = (moment or datetime.now(UTC)).astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return {"kind": KIND, "schema": SCHEMA, "made": made, "laptops": [_laptop(name, result) for name, result in results.items()]}


def _laptop(name: str, result: Mapping[str, Any]) -> dict[str, Any]:
    if "checks" not in result:
        return {"name": name, "reached": False, "reason": " ".join(str(result.get("msg") or "it was not examined").split())}
    home = str(result["system"]["home"])
    kept = {key: result[key] for key in ("verdict", "counts", "seconds", "groups", "profiles", "checks")}
    system = {key: value for key, value in result["system"].items() if key != "home"}
    found: dict[str, Any] = without_home({"name": name, "reached": True, **kept, "system": system}, home)
    return found


def without_home(value: Any, home: str) -> Any:
    """Return a value of any shape with a home directory as ~."""
    if isinstance(value, str):
        return value.replace(f"{home}/", "~/") if len(home) > 1 else value
    if isinstance(value, Mapping):
        return {key: without_home(item, home) for key, item in value.items()}
    return [without_home(item, home) for item in value] if isinstance(value, list | tuple) else value


def read_document(path: str) -> dict[str, Any]:
    """Return a document of an earlier run. Raises InputError."""
    what, remedy = f"compare with '{path}'", "Give the JSON file that an earlier run wrote with doctor_report."
    try:
        found = json.loads(Path(path).expanduser().read_text(encoding="utf-8"))
    except OSError as error:
        raise file_trouble(what, error, remedy) from error
    except ValueError as error:
        raise InputError(what, "it is not JSON", remedy) from error
    if not isinstance(found, dict) or found.get("kind") != KIND:
        raise InputError(what, "it is not a report of the doctor", remedy)
    if found.get("schema") != SCHEMA:
        raise InputError(what, f"it has schema {found.get('schema')}, and this release reads {SCHEMA}", remedy)
    return found


def files_for(path: str) -> dict[str, Path]:
    """Return the files of a report by their kind: one for a path that ends in .json or .html, else both."""
    place = Path(path).expanduser()
    if path.endswith("/") or place.is_dir():
        place /= "doctor"
    if place.suffix in (".json", ".html"):
        return {place.suffix[1:]: place}
    return {kind: place.with_name(f"{place.name}.{kind}") for kind in ("json", "html")}
