# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes requirements/runtime.cdx.json: what requirements/runtime.lock brings, as CycloneDX, with hashes and licences.

Usage: python requirements/sbom.py [--check]. Licences are read from the installed packages; one that this Python does not need
has none.
"""

from __future__ import annotations

import importlib.metadata
import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
LOCK, FILE = HERE / "runtime.lock", HERE / "runtime.cdx.json"
_PIN = re.compile(r"^([A-Za-z0-9._-]+)==([^\s;\\]+)(?:\s*;\s*([^\\]+?))?\s*\\?$", re.MULTILINE)


def locked(text: str) -> Iterator[tuple[str, str, str, list[str]]]:
    """Yield each package of a lock: name, version, for which Pythons, and the SHA-256 of its files."""
    pins = list(_PIN.finditer(text))
    for pin, following in zip(pins, [*pins[1:], None], strict=True):
        part = text[pin.end() : following.start() if following else None]
        yield pin[1], pin[2], (pin[3] or "").strip(), re.findall(r"--hash=sha256:([0-9a-f]{64})", part)


def licence_of(name: str) -> str:
    """Return what an installed package says of its licence; empty where it is not installed or says nothing short."""
    try:
        found = importlib.metadata.metadata(name)
    except importlib.metadata.PackageNotFoundError:
        return ""
    named = [one.rpartition(" :: ")[2] for one in found.get_all("Classifier") or () if one.startswith("License :: ")]
    said = str(found.get("License-Expression") or "") or ", ".join(named) or str(found.get("License") or "")
    return said if len(said) < 80 and "\n" not in said else ""


def document(before: dict[str, Any] | None = None) -> dict[str, Any]:
    """Return the document. before: an older one, whose licences count where a package is not installed here."""
    known = {part["bom-ref"]: part.get("licenses") for part in (before or {}).get("components", ())}
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {"component": {"type": "application", "name": "laptop.containers", "bom-ref": "laptop.containers"}},
        "components": [component(*pin, known) for pin in locked(LOCK.read_text())],
    }


def component(name: str, version: str, marker: str, hashes: list[str], known: dict[str, Any]) -> dict[str, Any]:
    """Return one package."""
    reference = f"pkg:pypi/{name.lower()}@{version}"
    licence = licence_of(name)
    licences = [{"license": {"name": licence}}] if licence else known.get(reference)
    return {
        "type": "library",
        "bom-ref": reference,
        "name": name,
        "version": version,
        "purl": reference,
        "hashes": [{"alg": "SHA-256", "content": one} for one in hashes],
        **({"licenses": licences} if licences else {}),
        **({"properties": [{"name": "marker", "value": marker}]} if marker else {}),
    }


def main(arguments: list[str]) -> int:
    """Write the document, or say whether it is of this lock."""
    before = json.loads(FILE.read_text()) if FILE.exists() else None
    text = json.dumps(document(before), indent=1) + "\n"
    if "--check" in arguments:
        return int(before is None or text != FILE.read_text())
    FILE.write_text(text)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
