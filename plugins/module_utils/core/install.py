# SPDX-License-Identifier: GPL-3.0-or-later
"""How the programs that the workstation uses are installed on this system, as a sentence that can be followed."""

from __future__ import annotations

import os
import platform
import shutil
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

# Homebrew's formulae, where their name is not the program's.
_FORMULAE = {
    "limactl": "lima",
    "lima": "lima",
    "kubectl": "kubernetes-cli",
    "qemu-img": "qemu",
    "docker-credential-ecr-login": "docker-credential-helper-ecr",
    "docker-credential-osxkeychain": "docker-credential-helper",
    "docker-credential-secretservice": "docker-credential-helper",
}
# Packages of Linux distributions. None has colima or Lima; their kubectl is too old for the clusters that colima makes.
_EVERYWHERE = {"qemu-img": "qemu-utils", "docker-credential-ecr-login": "amazon-ecr-credential-helper"}
_DEBIAN = {**_EVERYWHERE, "docker": "docker-cli", "docker-buildx": "docker-buildx", "docker-compose": "docker-compose"}
# Its docker command comes with the engine, and its docker-compose is the old one, which is not a plugin.
_DEBIAN_12 = {**_EVERYWHERE, "docker": "docker.io"}
_UBUNTU = {**_EVERYWHERE, "docker": "docker.io", "docker-buildx": "docker-buildx", "docker-compose": "docker-compose-v2"}
_FEDORA = {
    "docker": "docker-cli",
    "docker-buildx": "docker-buildx",
    "docker-compose": "docker-compose",
    "qemu-img": "qemu-img",
}
RELEASE = Path("/etc/os-release")
# Where their makers say how, for systems that do not offer them.
_PAGES = {
    "colima": "https://github.com/abiosoft/colima/blob/main/docs/INSTALL.md",
    "limactl": "https://lima-vm.io/docs/installation/",
    "lima": "https://lima-vm.io/docs/installation/",
    "kubectl": "https://kubernetes.io/docs/tasks/tools/",
    "docker": "https://docs.docker.com/engine/install/",
    "docker-buildx": "https://docs.docker.com/engine/install/",
    "docker-compose": "https://docs.docker.com/engine/install/",
    "brew": "https://brew.sh",
}


@dataclass(frozen=True)
class Manager:
    """A distribution's package manager: its command, and its packages by program."""

    command: str
    packages: Mapping[str, str]

    def install(self, programs: Iterable[str]) -> str:
        """Return the command that installs, or upgrades, programs that it has."""
        return f"sudo {self.command} install {' '.join(_unique(self.packages[program] for program in programs))}"


def how_to_install(*programs: str, system: str = "", search: str | None = None) -> str:
    """Return what to run, or read, to install programs. search is a PATH in which brew, apt-get and dnf are looked for."""
    command = install_command(*programs, system=system, search=search)
    if command.startswith("brew "):
        return f"Run '{command}'."
    manager = _manager(search)
    packaged = [program for program in programs if manager is not None and program in manager.packages]
    others = [program for program in programs if program not in packaged]
    sentences = []
    if manager is not None and packaged:
        sentences.append(f"Run '{manager.install(packaged)}'.")
    if others:
        pages = [f"{program}: {_PAGES[program]}" for program in others if program in _PAGES]
        where = f" ({', '.join(_unique(pages))})" if pages else ""
        sentences.append(
            f"Install {' and '.join(_unique(others))} the way your system offers {'it' if len(others) == 1 else 'them'}{where}."
        )
    return " ".join(sentences)


def install_command(*programs: str, system: str = "", search: str | None = None, verb: str = "install") -> str:
    """Return the command that installs programs with Homebrew or the distribution. Returns '' where neither has all of them.

    verb: Homebrew's word for it; a distribution has one for installing and upgrading.
    """
    if (system or platform.system()) == "Darwin" or shutil.which("brew", path=search):
        return f"brew {verb} {' '.join(_unique(map(formula_of, programs)))}"
    manager = _manager(search)
    return manager.install(programs) if manager is not None and all(program in manager.packages for program in programs) else ""


def _manager(search: str | None) -> Manager | None:
    """Return the package manager of this distribution; None for an unknown one."""
    release = _release()
    family = {release.get("ID", ""), *release.get("ID_LIKE", "").split()}
    if shutil.which("apt-get", path=search):
        if "ubuntu" in family:
            return Manager("apt-get", _UBUNTU)
        return Manager("apt-get", _DEBIAN_12 if release.get("VERSION_ID") == "12" else _DEBIAN)
    return Manager("dnf", _FEDORA) if shutil.which("dnf", path=search) and "fedora" in family else None


def _release() -> dict[str, str]:
    """Return what the distribution says of itself; nothing where it says nothing."""
    try:
        lines = RELEASE.read_text().splitlines()
    except OSError:
        return {}
    return {key: value.strip("\"'") for key, _sign, value in (line.partition("=") for line in lines)}


def homebrew_programs(system: str = "", machine: str = "", search: str | None = None) -> str:
    """Return the directory where Homebrew puts programs, or would put them: it depends on the system and on a Mac's chip."""
    brew = shutil.which("brew", path=search)
    if brew:
        return str(Path(brew).parent)
    if (system or platform.system()) != "Darwin":
        return "/home/linuxbrew/.linuxbrew/bin"
    return "/opt/homebrew/bin" if (machine or platform.machine()) == "arm64" else "/usr/local/bin"


def formula_of(program: str) -> str:
    """Return the name of a program's formula."""
    return _FORMULAE.get(program, program)


def program_of(formula: str) -> str:
    """Return a program that a formula brings."""
    return next((program for program, name in _FORMULAE.items() if name == formula), formula)


def missing(programs: Iterable[str], search: str | None = None) -> list[str]:
    """Return the programs that are not on PATH, each once."""
    path = os.environ.get("PATH", "") if search is None else search
    return [program for program in _unique(programs) if shutil.which(program, path=path) is None]


def _unique(words: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(words))
