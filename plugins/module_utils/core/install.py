# SPDX-License-Identifier: GPL-3.0-or-later
"""How the programs that the workstation uses are installed on this system, as a sentence that can be followed."""

from __future__ import annotations

import os
import platform
import shutil
from collections.abc import Iterable

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
# Debian's and Ubuntu's packages.
_PACKAGES = {
    "docker": "docker-cli",
    "docker-buildx": "docker-buildx",
    "docker-compose": "docker-compose",
    "qemu-img": "qemu-utils",
    "docker-credential-ecr-login": "amazon-ecr-credential-helper",
}
# Where their makers say how, for systems that do not offer them.
_PAGES = {
    "colima": "https://github.com/abiosoft/colima/blob/main/docs/INSTALL.md",
    "limactl": "https://lima-vm.io/docs/installation/",
    "lima": "https://lima-vm.io/docs/installation/",
    "kubectl": "https://kubernetes.io/docs/tasks/tools/",
    "docker": "https://docs.docker.com/engine/install/",
    "brew": "https://brew.sh",
}


def how_to_install(*programs: str, system: str = "", search: str | None = None) -> str:
    """Return what to run, or read, to install programs. search is a PATH in which brew and apt-get are looked for."""
    command = install_command(*programs, system=system, search=search)
    if command.startswith("brew "):
        return f"Run '{command}'."
    packaged = [program for program in programs if program in _PACKAGES] if shutil.which("apt-get", path=search) else []
    others = [program for program in programs if program not in packaged]
    said = []
    if packaged:
        said.append(f"Run 'sudo apt-get install {' '.join(_unique(_PACKAGES[program] for program in packaged))}'.")
    if others:
        pages = [f"{program}: {_PAGES[program]}" for program in others if program in _PAGES]
        where = f" ({', '.join(_unique(pages))})" if pages else ""
        said.append(
            f"Install {' and '.join(_unique(others))} the way your system offers {'it' if len(others) == 1 else 'them'}{where}."
        )
    return " ".join(said)


def install_command(*programs: str, system: str = "", search: str | None = None, verb: str = "install") -> str:
    """Return the command that installs programs with Homebrew or apt. Returns '' where neither has all of them.

    verb: Homebrew's word for it; apt has one for installing and upgrading.
    """
    if (system or platform.system()) == "Darwin" or shutil.which("brew", path=search):
        return f"brew {verb} {' '.join(_unique(map(formula_of, programs)))}"
    if shutil.which("apt-get", path=search) and all(program in _PACKAGES for program in programs):
        return f"sudo apt-get install {' '.join(_unique(_PACKAGES[program] for program in programs))}"
    return ""


def formula_of(program: str) -> str:
    """Return the name of a program's formula."""
    return _FORMULAE.get(program, program)


def missing(programs: Iterable[str], search: str | None = None) -> list[str]:
    """Return the programs that are not on PATH, each once."""
    path = os.environ.get("PATH", "") if search is None else search
    return [program for program in _unique(programs) if shutil.which(program, path=path) is None]


def _unique(words: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(words))
