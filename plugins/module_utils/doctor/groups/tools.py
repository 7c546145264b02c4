# SPDX-License-Identifier: GPL-3.0-or-later
"""The programs on the laptop: whether they are there, new enough, made for this machine, and the first of their name on PATH."""

from __future__ import annotations

import contextlib
import os
import shlex
import shutil
import struct
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from ...core.errors import WorkstationError
from ...core.install import how_to_install, install_command
from ...core.system.together import together
from ...toolchain.judge import VersionFinding, VersionStatus, findings, remedy_for
from ...toolchain.matrix import ON_THE_LAPTOP
from ...toolchain.programs import Version, in_digits, version_of
from ...toolchain.read import version_output
from ..laptop import Bounded, Laptop
from ..model import Check, CheckKind
from ..settings import SubjectReading

PROGRAM = CheckKind("tools.program", "whether a program that the settings need is installed")
COLIMA = CheckKind("tools.colima", "whether colima has a version that is known to work, or known to break")
VERSION = CheckKind("tools.version", "whether the same is so of Lima, docker and buildx")
MACHINE = CheckKind("tools.machine", "whether a program is made for this machine and runs without emulation")
SHADOWED = CheckKind("tools.shadowed", "whether another program comes before the one of that name that Homebrew keeps up to date")
KVM = CheckKind("tools.kvm", "whether this user may use the virtualisation of a Linux laptop, where no VM runs already")
NERDCTL = CheckKind("tools.nerdctl", "whether the command nerdctl is there, bound to its profile")
KINDS = (PROGRAM, COLIMA, VERSION, MACHINE, SHADOWED, KVM, NERDCTL)

# All VMs rest on these, so an untried one is worth knowing; of docker there is a newer one every month.
_CORE = ("colima", "limactl")
# The CPU that a program is made for: in the head of an ELF file, and of a Mach-O file.
_ELF = {0x3E: "x86_64", 0xB7: "aarch64"}
_MACHO = {0x01000007: "x86_64", 0x0100000C: "aarch64"}
_NAMES = {"arm64": "aarch64", "amd64": "x86_64"}


def examine(laptop: Laptop) -> Iterator[Check]:
    """Yield the checks."""
    path = laptop.path
    machine = os.uname().machine
    for program in _needed(laptop):
        found = shutil.which(program, path=path)
        if found is None:
            remedy = install_command(program, search=path) or how_to_install(program, search=path)
            yield PROGRAM.broken("it is not installed or not on PATH", remedy, program)
            continue
        yield PROGRAM.ok(found, program)
        made_for = machine_of(Path(found))
        if made_for and made_for != _NAMES.get(machine, machine):
            again = install_command(program, search=path, verb="reinstall")
            yield MACHINE.warning(f"{found} is made for {made_for}", again, program)
        yield _shadowed(program, found, path)
    yield from _versions(laptop)
    if laptop.has("colima_profile") and laptop.system == "Linux" and not _runs(laptop):
        yield kvm()
    if laptop.has("nerdctl_wrapper"):
        yield from _nerdctl(laptop)


def _needed(laptop: Laptop) -> list[str]:
    """Return the programs of all parts of the settings."""
    found: list[str] = []
    for module in laptop.settings:
        if laptop.has(module):
            with contextlib.suppress(WorkstationError):
                # What is wrong with the settings of a part, its own group says.
                found += laptop.programs(module)
    return list(dict.fromkeys(["limactl", *found] if "colima" in found else found))


def machine_of(file: Path) -> str:
    """Return the machine that a program is made for; empty for a script, or one for several machines."""
    with contextlib.suppress(OSError, struct.error):
        with file.open("rb") as opened:
            head = opened.read(20)
        if head[:4] == b"\x7fELF":
            return _ELF.get(struct.unpack_from("<H", head, 18)[0], "")
        if head[:4] == b"\xcf\xfa\xed\xfe":
            return _MACHO.get(struct.unpack_from("<I", head, 4)[0], "")
    return ""


def _shadowed(program: str, found: str, path: str) -> Check:
    brew = shutil.which("brew", path=path)
    brewed = Path(brew).parent / program if brew else None
    if brewed is not None and os.access(brewed, os.X_OK) and os.path.realpath(brewed) != os.path.realpath(found):
        return SHADOWED.warning(
            f"{found} comes before Homebrew's {brewed}", f"export PATH={shlex.quote(str(brewed.parent))}:$PATH", program
        )
    return SHADOWED.ok("the first of its name", program)


def _versions(laptop: Laptop) -> Iterator[Check]:
    there: dict[str, Version] = {}
    for tool, answer in together({tool: partial(_version_output, laptop, tool) for tool in ON_THE_LAPTOP}).items():
        kind, about = _kind(tool)
        if isinstance(answer, WorkstationError):
            yield kind.unknown(answer.message, answer.remedy, about)
        elif (version := version_of(answer)) is not None:
            there[tool] = version
        elif answer:
            yield kind.ok("a build without a number", about)
    for finding in findings(there):
        yield judged(*_kind(finding.tool), finding, laptop.path)


def _version_output(laptop: Laptop, tool: str) -> str | WorkstationError:
    """Return what a program says of its version, or why it says nothing."""
    try:
        return laptop.once(("version", tool), partial(version_output, tool, Bounded))
    except WorkstationError as error:
        return error


def _runs(laptop: Laptop) -> bool:
    """Whether a VM runs: then there is nothing to ask."""
    with contextlib.suppress(WorkstationError):
        return any(current.up for current in laptop.profiles().values())
    return False


def kvm(device: Path = Path("/dev/kvm")) -> Check:
    """Return whether this user may use KVM, without which Lima starts no VM on Linux."""
    if not device.exists():
        found = f"{device} is missing, so no VM can start"
        firmware = "or switch virtualisation (VT-x, AMD-V) on in the firmware; in a VM, nested virtualisation"
        return KVM.broken(found, f"sudo modprobe kvm_intel || sudo modprobe kvm_amd, {firmware}")
    if not os.access(device, os.R_OK | os.W_OK):
        found = f"{device} is not yours to use, so no VM can start"
        return KVM.broken(found, 'sudo usermod -aG kvm "$USER", then log out and in again')
    return KVM.ok(str(device))


def _kind(tool: str) -> tuple[CheckKind, str]:
    return (COLIMA, "") if tool == "colima" else (VERSION, tool)


def judged(kind: CheckKind, about: str, one: VersionFinding, path: str) -> Check:
    """Return the check. path: the PATH in which a package manager is looked for."""
    shown = in_digits(one.version)
    if one.fault is not None:
        return kind.broken(f"{shown} {one.fault.says}", remedy_for(one.fault, path), about)
    if one.state == VersionStatus.UNKNOWN:
        found = f"{shown}: {one.more}"
        return kind.note(found, "", about) if one.tool in _CORE else kind.ok(found, about)
    return kind.ok(shown, about)


def _nerdctl(laptop: Laptop) -> Iterator[Check]:
    try:
        look: SubjectReading = laptop.look("nerdctl_wrapper")
    except WorkstationError as error:
        yield NERDCTL.broken(error.complaint, error.remedy)
        return
    converge = laptop.converge("nerdctl")
    steps = [step for step in look.plan.steps if not step.silent]
    for step in steps:
        yield NERDCTL.warning(f"a run would {step}", converge)
    if not steps:
        yield NERDCTL.ok(", ".join(str(item.path) for item in look.spec.wrappers))
