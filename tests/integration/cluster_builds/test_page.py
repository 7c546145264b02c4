# SPDX-License-Identifier: GPL-3.0-or-later
"""What the page says of tools that are not here: its files can at least be read, and name what exists."""

from __future__ import annotations

import ast
from pathlib import Path

import yaml
from ansible_collections.laptop.containers.plugins.module_utils.colima.model.cluster_builds import SINCE, BuildkitFiles
from ansible_collections.laptop.containers.plugins.module_utils.toolchain.programs import in_digits

from tests.support.pages import snippets

PAGE = Path(__file__).resolve().parents[3] / "docs" / "build-into-the-cluster.md"


def test_the_tiltfile_calls_what_tilt_has_with_the_name_that_tilt_gives() -> None:
    (tiltfile,) = snippets(PAGE, "python")
    calls = [node for node in ast.walk(ast.parse(tiltfile)) if isinstance(node, ast.Call)]
    (build,) = (call for call in calls if isinstance(call.func, ast.Name) and call.func.id == "custom_build")
    assert {word.arg for word in build.keywords} == {"deps", "skips_local_docker", "disable_push"}
    assert "$EXPECTED_REF" in ast.literal_eval(build.args[1])


def test_every_yaml_file_can_be_read() -> None:
    found = [yaml.safe_load(text) for text in snippets(PAGE, "yaml")]
    (skaffold,) = (one for one in found if one.get("kind") == "Config")
    before = skaffold["deploy"]["kubectl"]["hooks"]["before"][0]["host"]["command"]
    assert before[:3] == ["nerdctl", "--namespace", "k8s.io"]


def test_the_page_names_the_version_and_the_place_that_the_code_has() -> None:
    page = PAGE.read_text()
    assert f"A colima before {in_digits(SINCE)} does not read the file" in page
    assert 'root = "/var/lib/buildkit/k8s.io"' in BuildkitFiles().rendered() and "`/var/lib/buildkit/k8s.io`" in page
