# SPDX-License-Identifier: GPL-3.0-or-later
"""How programs are installed: one command where there is one, and Homebrew only where it is."""

from __future__ import annotations

from pathlib import Path

from ansible_collections.laptop.containers.plugins.module_utils.core.install import how_to_install, missing


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


def test_debian_installs_what_it_has_and_names_the_pages_of_the_rest(tmp_path: Path) -> None:
    program(tmp_path, "apt-get")
    assert how_to_install("docker", "colima", "limactl", system="Linux", search=str(tmp_path)) == (
        "Run 'sudo apt-get install docker-cli'. Install colima and limactl the way your system offers them "
        "(colima: https://github.com/abiosoft/colima/blob/main/docs/INSTALL.md, limactl: https://lima-vm.io/docs/installation/)."
    )


def test_other_systems_are_not_told_of_homebrew(tmp_path: Path) -> None:
    assert how_to_install("docker", system="Linux", search=str(tmp_path)) == (
        "Install docker the way your system offers it (docker: https://docs.docker.com/engine/install/)."
    )


def test_only_what_is_missing_is_named_and_only_once(tmp_path: Path) -> None:
    program(tmp_path, "docker")
    assert missing(["docker", "colima", "colima"], str(tmp_path)) == ["colima"]
