# SPDX-License-Identifier: GPL-3.0-or-later
"""apt upgrades what it brought, and goes back: the real dpkg and apt, with a database of their own and a repository of files."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.support.in_process_module import ModuleRun, messages

pytestmark = pytest.mark.skipif(
    shutil.which("apt-get") is None or os.geteuid() != 0, reason="needs apt (Debian or Ubuntu), and root"
)


class Machine:
    """A machine of apt's, of which nothing but a folder is this one: a package has its program in there, too."""

    def __init__(self, place: Path) -> None:
        self.place = place
        for folder in ("dpkg/info", "dpkg/updates", "state/lists/partial", "cache/archives/partial", "archive", "etc", "log"):
            (place / folder).mkdir(parents=True)
        (place / "dpkg/status").touch()
        (place / "etc/sources.list").write_text(f"deb [trusted=yes] file:{place}/archive ./\n")
        (place / "apt.conf").write_text(
            f'Dir::State "{place}/state"; Dir::State::status "{place}/dpkg/status"; Dir::Cache "{place}/cache";\n'
            f'Dir::Etc "{place}/etc"; APT::Sandbox::User ""; Dir::Log "{place}/log"; Acquire::Languages "none";\n'
            f'DPkg::Options {{ "--admindir={place}/dpkg"; "--log={place}/log/dpkg.log"; "--force-bad-path"; }};\n'
        )

    @property
    def program(self) -> Path:
        return self.place / "bin" / "kubectl"

    @property
    def version(self) -> str:
        return subprocess.run([self.program], capture_output=True, text=True, check=True).stdout.strip()

    def build(self, version: str) -> Path:
        """Build the package in a version."""
        tree = self.place / f"tree-{version}"
        program = tree / self.program.relative_to("/")
        program.parent.mkdir(parents=True)
        program.write_text(f"#!/bin/sh\necho {version}\n")
        program.chmod(0o755)
        (tree / "DEBIAN").mkdir()
        about = f"Package: kubectl\nVersion: {version}\nArchitecture: all\nMaintainer: Nobody <n@example.org>\n"
        (tree / "DEBIAN/control").write_text(f"{about}Description: a program\n")
        file = self.place / "archive" / f"kubectl_{version}_all.deb"
        subprocess.run(["dpkg-deb", "--build", "--root-owner-group", tree, file], check=True, capture_output=True)
        return file

    def offer(self, *versions: str) -> None:
        """Let the repository have these versions alone."""
        files = [self.place / "archive" / f"kubectl_{version}_all.deb" for version in versions]
        rows = []
        for version, file in zip(versions, files, strict=True):
            digest = hashlib.sha256(file.read_bytes()).hexdigest()
            rows.append(
                f"Package: kubectl\nVersion: {version}\nArchitecture: all\nMaintainer: Nobody <n@example.org>\n"
                f"Filename: ./{file.name}\nSize: {file.stat().st_size}\nSHA256: {digest}\nDescription: a program\n"
            )
        (self.place / "archive/Packages").write_text("\n".join(rows))

    def apt_get(self, *words: str) -> None:
        done = subprocess.run(["apt-get", *words], capture_output=True, text=True, check=False, timeout=180)
        assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    """With the package in version 1.0-1, and 1.0-2 in the repository beside it."""
    made = Machine(tmp_path)
    monkeypatch.setenv("APT_CONFIG", str(tmp_path / "apt.conf"))
    monkeypatch.setenv("DPKG_ADMINDIR", str(tmp_path / "dpkg"))
    monkeypatch.setenv("PATH", f"{tmp_path}/bin:/usr/sbin:/usr/bin:/sbin:/bin")
    for version in ("1.0-1", "1.0-2"):
        made.build(version)
    made.offer("1.0-1")
    made.apt_get("update")
    made.apt_get("install", "--yes", "kubectl")
    made.offer("1.0-1", "1.0-2")
    # apt 2 sees a repository of files change by itself, apt 3 does not.
    made.apt_get("update")
    return made


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> ModuleRun:
    return ModuleRun(capsys)


def upgrade(run: ModuleRun, check: bool = False, **options: Any) -> dict[str, Any]:
    return run("upgrade", check=check, programs=["kubectl"], **options)


def test_it_upgrades_with_the_word_for_it_and_there_is_a_way_back(machine: Machine, run: ModuleRun) -> None:
    checked = upgrade(run, check=True, become=True)
    assert (checked["actions"], machine.version) == (["upgrade 'kubectl' (1.0-1 to 1.0-2)"], "1.0-1")
    done = upgrade(run, become=True)
    assert (done["actions"], machine.version) == (["upgrade 'kubectl' (1.0-1 to 1.0-2)"], "1.0-2")
    assert not upgrade(run, become=True)["changed"]
    (one,) = done["upgraded"]
    assert one["back"] == "sudo apt-get install --allow-downgrades kubectl=1.0-1"
    machine.apt_get(*one["back"].split()[2:], "--yes")
    assert machine.version == "1.0-1"
    waits = upgrade(run)
    assert (waits["changed"], waits["pending"][0]["kind"], machine.version) == (False, "password", "1.0-1")


def test_the_way_back_is_a_file_of_the_cache_or_told_to_be_none(machine: Machine, run: ModuleRun) -> None:
    machine.offer("1.0-2")
    machine.apt_get("update")
    checked = upgrade(run, check=True, become=True)
    assert checked["upgraded"][0]["back"] == ""
    assert any("apt has no copy of 1.0-1, so there will be no way back to it" in text for text in messages(checked))
    file = machine.place / "cache/archives/kubectl_1.0-1_all.deb"
    shutil.copy(machine.place / "archive" / file.name, file)
    done = upgrade(run, become=True)
    assert machine.version == "1.0-2" and str(file) in done["upgraded"][0]["back"]
    machine.apt_get(*done["upgraded"][0]["back"].split()[2:], "--yes")
    assert machine.version == "1.0-1"


def test_what_apt_refuses_is_told_in_its_words_and_changes_nothing(machine: Machine, run: ModuleRun) -> None:
    (machine.place / "archive/kubectl_1.0-2_all.deb").write_bytes(b"torn")
    failed = upgrade(run, become=True)
    assert failed["failed"] and failed["msg"].startswith("Could not upgrade kubectl: "), failed["msg"]
    assert (failed["actions"], machine.version) == ([], "1.0-1")
    (machine.place / "etc/sources.list").write_text(f"deb [trusted=yes] file:{machine.place}/nowhere ./\n")
    failed = upgrade(run, become=True)
    assert failed["msg"].startswith("Could not ask apt for new versions: "), failed["msg"]


def test_as_a_user_it_goes_through_a_sudo_that_asks_for_nothing(
    machine: Machine, run: ModuleRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    sudo = machine.place / "bin" / "sudo"
    sudo.write_text("#!/bin/sh\necho 'sudo: a password is required' >&2\nexit 1\n")
    sudo.chmod(0o755)
    (waits,) = upgrade(run, become=True)["pending"]
    assert (waits["reason"], machine.version) == ("sudo asks for your password", "1.0-1")
    sudo.write_text(f'#!/bin/sh\necho "$*" >> {machine.place}/asked\nshift\nexec "$@"\n')
    assert upgrade(run, become=True)["changed"] and machine.version == "1.0-2"
    asked = {line.partition(" apt-get ")[0] for line in (machine.place / "asked").read_text().splitlines()}
    assert asked == {"-n true", "-n env DEBIAN_FRONTEND=noninteractive"}
