# SPDX-License-Identifier: GPL-3.0-or-later
"""What users of the collection get: the artifact, its metadata, and what it says that it needs."""

from __future__ import annotations

import os
import subprocess
import sys
import tarfile
import tomllib
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[2]
# The plugins take 585, the lock's hashes 60 and the roles 40. Tests and recordings would add hundreds.
MOST_KIB = 730
SHIPPED = {
    "CHANGELOG.md", "FILES.json", "LICENSE", "MANIFEST.json", "README.md", "bindep.txt",
    "meta", "playbooks", "plugins", "requirements", "requirements.txt", "roles",
}  # fmt: skip


def test_the_artifact_is_small_and_holds_neither_tests_nor_the_lab(tmp_path: Path) -> None:
    galaxy = Path(sys.executable).with_name("ansible-galaxy")
    subprocess.run(
        [galaxy, "collection", "build", "--output-path", tmp_path, ROOT],
        env={**os.environ, "ANSIBLE_HOME": str(tmp_path / "ansible")},
        check=True,
        capture_output=True,
    )
    (artifact,) = tmp_path.glob("*.tar.gz")
    with tarfile.open(artifact) as archive:
        names = archive.getnames()
    assert {name.split("/")[0] for name in names} == SHIPPED
    assert not [name for name in names if "rehearsal" in name or "__pycache__" in name]
    assert artifact.stat().st_size < MOST_KIB * 1024


def test_one_version_is_named_everywhere() -> None:
    galaxy = yaml.safe_load((ROOT / "galaxy.yml").read_text())["version"]
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    released = yaml.safe_load((ROOT / "changelogs" / "changelog.yaml").read_text())["releases"]
    assert galaxy == project == list(released)[-1]


def test_requirements_of_the_collection_are_those_of_the_project() -> None:
    needed = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]
    lines = [line for line in (ROOT / "requirements.txt").read_text().splitlines() if not line.startswith("#")]
    # A machine that runs a module has ansible-core, and Jinja2 with it.
    assert lines == [line for line in needed if not line.startswith(("ansible-core", "jinja2"))]


def test_the_action_group_holds_every_module() -> None:
    groups = yaml.safe_load((ROOT / "meta" / "runtime.yml").read_text())["action_groups"]
    modules = sorted(path.stem for path in (ROOT / "plugins" / "modules").glob("*.py"))
    assert groups == {"workstation": modules}


def test_every_supported_core_has_a_commented_ignore_file() -> None:
    ignored = {path.name: path.read_text() for path in (ROOT / "tests" / "sanity").iterdir()}
    assert set(ignored) == {f"ignore-2.{minor}.txt" for minor in (19, 20, 21)}
    lines = [line for text in ignored.values() for line in text.splitlines()]
    assert all(" # " in line for line in lines)


def test_every_plugin_names_its_license_as_ansible_test_expects() -> None:
    plugins = [path for kind in ("action", "callback", "modules") for path in (ROOT / "plugins" / kind).glob("*.py")]
    assert [path for path in plugins if "GNU General Public License v3.0+" not in path.read_text()[:200]] == []
