# SPDX-License-Identifier: GPL-3.0-or-later
"""What apt has newer, asked of the real dpkg and apt about a root of their own."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest
from ansible_collections.laptop.containers.plugins.module_utils.upgrade.model import NewerVersion, PackageManager
from ansible_collections.laptop.containers.plugins.module_utils.upgrade.packages import Apt

pytestmark = pytest.mark.skipif(shutil.which("apt-get") is None, reason="needs apt: Debian or Ubuntu")

INSTALLED = {"docker-cli": "26.1.5-1", "kubernetes-client": "1.32.3-1", "docker-compose": "2.26.1-4"}
OFFERED = INSTALLED | {"docker-cli": "26.1.5-2", "docker-compose": "2.30.0-1"}
FILES = {"docker": "docker-cli", "kubectl": "kubernetes-client", "docker-compose": "docker-compose"}


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Path]:
    """Programs that came with packages, of which two have a newer version and one of these is held back; one came otherwise."""
    for place in ("bin", "dpkg/info", "state/lists/partial", "cache/archives/partial", "archive", "etc"):
        (tmp_path / place).mkdir(parents=True)
    paths = {name: tmp_path / "bin" / name for name in (*FILES, "limactl")}
    for path in paths.values():
        path.touch(0o755)
    for program, package in FILES.items():
        (tmp_path / "dpkg/info" / f"{package}.list").write_text(f"{paths[program]}\n")
    held = {"docker-compose": "hold"}
    (tmp_path / "dpkg/status").write_text(
        "\n".join(
            f"Package: {name}\nStatus: {held.get(name, 'install')} ok installed\n{about(version)}"
            for name, version in INSTALLED.items()
        )
    )
    (tmp_path / "archive/Packages").write_text(
        "\n".join(
            f"Package: {name}\nFilename: ./{name}.deb\nSize: 1\nSHA256: {'0' * 64}\n{about(version)}"
            for name, version in OFFERED.items()
        )
    )
    (tmp_path / "etc/sources.list").write_text(f"deb [trusted=yes] file:{tmp_path}/archive ./\n")
    (tmp_path / "apt.conf").write_text(
        f'Dir::State "{tmp_path}/state"; Dir::State::status "{tmp_path}/dpkg/status"; Dir::Cache "{tmp_path}/cache";\n'
        f'Dir::Etc "{tmp_path}/etc"; APT::Architecture "amd64"; APT::Architectures {{ "amd64"; }}; APT::Sandbox::User "";\n'
        f'Dir::Log "{tmp_path}/log"; Acquire::Languages "none";\n'
    )
    monkeypatch.setenv("APT_CONFIG", str(tmp_path / "apt.conf"))
    monkeypatch.setenv("DPKG_ADMINDIR", str(tmp_path / "dpkg"))
    subprocess.run(["apt-get", "update"], env=dict(os.environ), check=True, capture_output=True, timeout=120)
    return paths


def about(version: str) -> str:
    return f"Version: {version}\nArchitecture: amd64\nMaintainer: Nobody <n@example.org>\nDescription: a package\n"


def test_the_package_of_a_program_tells_what_is_newer(programs: dict[str, Path]) -> None:
    apt = Apt()
    packages = apt.packages(programs)
    assert packages == FILES
    assert [*apt.newer(packages)] == [
        NewerVersion("docker", "docker-cli", PackageManager.APT, "26.1.5-1", "26.1.5-2"),
        NewerVersion("docker-compose", "docker-compose", PackageManager.APT, "2.26.1-4", "2.30.0-1", held=True),
    ]


def test_without_dpkg_nothing_is_of_a_package(programs: dict[str, Path], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from ansible_collections.laptop.containers.plugins.module_utils.core.system import command

    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(command, "USUAL_DIRECTORIES", ())
    assert Apt().packages(programs) == {}
