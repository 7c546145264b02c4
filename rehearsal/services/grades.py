# SPDX-License-Identifier: GPL-3.0-or-later
"""Which part of a lab is real: decided once when the lab comes up, kept in its lab.json, shown to the user."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from rehearsal import engines, machines
from rehearsal.processes.system import LabError

GRADES = ("auto", "light", "real", "machines")
MARKER = "lab.json"
# Part of the lab -> (the engines that it needs, its stand-in).
PARTS: dict[str, tuple[str, str]] = {
    "docker": ("docker", "an engine that answers but runs nothing"),
    "containerd": ("containerd", "a socket and the simplest nerdctl commands"),
    "kubernetes": ("kubernetes", "an API that keeps namespaces, secrets and service accounts"),
    "docker command": ("docker-cli", "a docker that knows contexts and engine reads"),
    "buildx": ("buildx", "a buildx that knows builders but builds nothing"),
    "kubectl": ("kubectl", "a kubectl that knows config and get"),
    "registry": ("registry", "none: images can be neither pushed nor pulled"),
}


@dataclass(frozen=True)
class Choice:
    """Whether one part of the lab is real, and why not."""

    part: str
    real: bool
    detail: str

    @property
    def line(self) -> str:
        """One line for the user."""
        return f"  {self.part:<15} {'real' if self.real else 'stand-in':<9} {self.detail}"


def choose(grade: str) -> list[Choice]:
    """Decide every part. Raises LabError when grade 'real' is not possible."""
    if grade == "machines":
        return _machines()
    choices, lacking = [], []
    for part, (group, instead) in PARTS.items():
        reason = "grade light was asked for" if grade == "light" else engines.missing(group)
        if reason is None:
            program = engines.find(engines.GROUPS.get(group, (group,))[0])
            choices.append(Choice(part, True, str(program)))
        else:
            lacking.append(reason)
            choices.append(Choice(part, False, f"{instead} ({reason})"))
    if grade == "real" and lacking:
        raise LabError(f"Could not bring up the lab in grade real: {'; '.join(dict.fromkeys(lacking))}.")
    machine = "colima's and limactl's behaviour without a virtual machine; where engines are real, they run behind it"
    cloud = "moto's server on the loopback, tokens valid for 12 hours"
    return [Choice("colima", False, machine), *choices, Choice("ECR", False, cloud)]


def _machines() -> list[Choice]:
    """The parts of a lab whose profiles are virtual machines. Raises LabError where they can't be started."""
    if reason := machines.missing():
        raise LabError(f"Could not bring up the lab in grade machines: {reason}.")
    inside = {part: Choice(part, True, "in the virtual machine") for part in ("docker", "containerd")}
    inside["kubernetes"] = Choice("kubernetes", False, "none: colima downloads k3s at the first start")
    inside["registry"] = Choice("registry", False, "none: no pull secret without Kubernetes")
    others = {choice.part: choice for choice in choose("auto")}
    return [
        Choice("colima", True, f"virtual machines, by {machines.programs()}"),
        *({**others, **inside}[part] for part in others if part != "colima"),
    ]


def write(lab: Path, grade: str, choices: list[Choice]) -> None:
    """Keep the decision; this file also marks the directory as a lab."""
    parts = [asdict(choice) for choice in choices]
    (lab / MARKER).write_text(json.dumps({"grade": grade, "parts": parts}, indent=2) + "\n")


def read(lab: Path) -> list[Choice]:
    """The decision of a lab; empty when there is none."""
    try:
        found = json.loads((lab / MARKER).read_text())
        return [Choice(**part) for part in found["parts"]]
    except (OSError, ValueError, KeyError, TypeError):
        return []


def real_parts(lab: Path) -> Mapping[str, bool]:
    """Part -> whether it is real."""
    return {choice.part: choice.real for choice in read(lab)}
