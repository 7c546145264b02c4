# SPDX-License-Identifier: GPL-3.0-or-later
"""What is known of a program's version, as a check. Pure."""

from __future__ import annotations

from ..toolchain.judge import Finding, State, remedy_for
from ..toolchain.programs import in_digits
from .model import Check, Kind

# All VMs rest on these, so one that nobody has tried is worth knowing; of docker and k3s there is a newer one every month.
_CORE = ("colima", "limactl")


def judged(kind: Kind, about: str, one: Finding, path: str) -> Check:
    """Return the check. path: the PATH in which a package manager is looked for."""
    shown = in_digits(one.version)
    if one.fault is not None:
        return kind.broken(f"{shown} {one.fault.says}", remedy_for(one.fault, path), about)
    if one.state == State.UNKNOWN:
        found = f"{shown}: {one.more}"
        return kind.note(found, "", about) if one.tool in _CORE else kind.ok(found, about)
    return kind.ok(shown, about)
