# SPDX-License-Identifier: GPL-3.0-or-later
"""How programs are installed: one command where there is one, and Homebrew only where it is."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from ansible_collections.laptop.containers.plugins.module_utils.core import install
from ansible_collections.laptop.containers.plugins.module_utils.core.install import (
    homebrew_programs,
    how_to_install,
    install_command,
    missing,
    program_of,
)


def program(folder: Path, name: str) -> Path:
    file = folder / name
    file.write_text("#!/bin/sh\n")
    file.chmod(0o755)
    return file


def test_a_mac_installs_all_of_them_with_one_command() -> None:
    assert how_to_install("colima", "limactl", "lima", "kubectl", system="Darwin") == (
        "Run 'brew install colima lima kubernetes-cli'."
    )


def test_linux_with_homebrew_uses_it(tmp_path: Path) -> None:
    program(tmp_path, "brew")
    assert how_to_install("colima", system="Linux", search=str(tmp_path)) == "Run 'brew install colima'."


@pytest.fixture
def distribution(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str, str], dict[str, str]]:
    """Makes this a distribution with a package manager, and says where to look for it."""

    def is_now(manager: str, release: str) -> dict[str, str]:
        program(tmp_path, manager)
        (tmp_path / "os-release").write_text(release)
        monkeypatch.setattr(install, "RELEASE", tmp_path / "os-release")
        return {"system": "Linux", "search": str(tmp_path)}

    return is_now


@pytest.mark.parametrize(
    ("manager", "release", "docker", "plugins"),
    [
        ("apt-get", 'ID=debian\nVERSION_ID="13"\n', "apt-get install docker-cli", "docker-buildx docker-compose"),
        ("apt-get", 'ID=debian\nVERSION_ID="12"\n', "apt-get install docker.io", ""),
        (
            "apt-get",
            'ID=ubuntu\nID_LIKE=debian\nVERSION_ID="24.04"\n',
            "apt-get install docker.io",
            "docker-buildx docker-compose-v2",
        ),
        ("apt-get", 'ID=linuxmint\nID_LIKE="ubuntu debian"\n', "apt-get install docker.io", "docker-buildx docker-compose-v2"),
        ("dnf", "ID=fedora\nVERSION_ID=42\n", "dnf install docker-cli", "docker-buildx docker-compose"),
    ],
)
def test_a_distribution_installs_what_it_has_and_names_the_pages_of_the_rest(
    distribution: Callable[[str, str], dict[str, str]], manager: str, release: str, docker: str, plugins: str
) -> None:
    where = distribution(manager, release)
    assert how_to_install("docker", "colima", "limactl", **where) == (
        f"Run 'sudo {docker}'. Install colima and limactl the way your system offers them "
        "(colima: https://github.com/abiosoft/colima/blob/main/docs/INSTALL.md, limactl: https://lima-vm.io/docs/installation/)."
    )
    assert install_command("docker", "colima", **where) == ""
    wanted = f"sudo {manager} install {plugins}" if plugins else ""
    assert install_command("docker-buildx", "docker-compose", **where) == wanted


def test_a_formula_brings_a_program() -> None:
    assert [program_of(name) for name in ("lima", "kubernetes-cli", "colima")] == ["limactl", "kubectl", "colima"]


def test_other_systems_are_not_told_of_homebrew(tmp_path: Path) -> None:
    assert how_to_install("docker", system="Linux", search=str(tmp_path)) == (
        "Install docker the way your system offers it (docker: https://docs.docker.com/engine/install/)."
    )


def test_only_what_is_missing_is_named_and_only_once(tmp_path: Path) -> None:
    program(tmp_path, "docker")
    assert missing(["docker", "colima", "colima"], str(tmp_path)) == ["colima"]


@pytest.mark.parametrize(
    ("system", "machine", "place"),
    [
        ("Darwin", "arm64", "/opt/homebrew/bin"),
        ("Darwin", "x86_64", "/usr/local/bin"),
        ("Linux", "x86_64", "/home/linuxbrew/.linuxbrew/bin"),
    ],
)
def test_homebrews_folder_depends_on_the_chip(tmp_path: Path, system: str, machine: str, place: str) -> None:
    assert homebrew_programs(system, machine, search=str(tmp_path)) == place
    program(tmp_path, "brew")
    assert homebrew_programs(system, machine, search=str(tmp_path)) == str(tmp_path)
