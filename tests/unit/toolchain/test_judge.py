# SPDX-License-Identifier: GPL-3.0-or-later
"""What is known of versions: every row of the matrix says what it should, and what the tests run on is what it calls tested."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from ansible_collections.laptop.containers.plugins.module_utils.colima.model.settings import OLDEST
from ansible_collections.laptop.containers.plugins.module_utils.core.errors import RefusedStep
from ansible_collections.laptop.containers.plugins.module_utils.core.subject import run
from ansible_collections.laptop.containers.plugins.module_utils.toolchain import info
from ansible_collections.laptop.containers.plugins.module_utils.toolchain.judge import VersionStatus, crossed, findings
from ansible_collections.laptop.containers.plugins.module_utils.toolchain.matrix import (
    BREAKS,
    CROSSINGS,
    ON_THE_LAPTOP,
    TESTED,
    TOOLS,
    WORKS,
)
from ansible_collections.laptop.containers.plugins.module_utils.toolchain.programs import ASK, version_of

from rehearsal.standin import colima, docker_cli
from tests.radar.results import load

ROOT = Path(__file__).resolve().parents[3]


@pytest.mark.parametrize(
    ("versions", "states"),
    [
        ({"colima": (0, 10, 3), "limactl": (2, 1, 4)}, ["tested", "tested"]),
        ({"colima": (0, 9, 0), "limactl": (1, 1, 1)}, ["works", "works"]),
        ({"colima": (0, 11, 0), "limactl": (0, 19, 0)}, ["unknown", "unknown"]),
        ({"colima": (0, 8, 0), "limactl": (0, 17, 0)}, ["breaks", "breaks"]),
        ({"limactl": (1, 0, 0)}, ["breaks"]),
        ({"limactl": (1, 0, 1)}, ["works"]),
        # Only beside an engine that wants more, and only where that is known.
        ({"docker": (24, 0, 9), "docker engine": (29, 0, 0)}, ["breaks", "unknown"]),
        ({"docker": (24, 0, 9), "docker engine": (28, 5, 0)}, ["unknown", "unknown"]),
        ({"docker": (24, 0, 9)}, ["unknown"]),
        ({"k3s": (1, 24, 3)}, ["breaks"]),
        ({"k3s": (1, 33, 4)}, ["works"]),
        # Nothing is said of a program that the matrix does not know.
        ({"kubectl": (1, 36, 3)}, []),
    ],
)
def test_a_version_is_judged(versions: dict[str, tuple[int, ...]], states: list[str]) -> None:
    assert [str(one.state) for one in findings(versions)] == states


def test_a_version_that_breaks_is_told_with_its_source_and_what_helps() -> None:
    (one,) = findings({"limactl": (1, 0, 0)})
    assert one.sentence.startswith("limactl 1.0.0 loses forwarded ports") and one.sentence.endswith("/lima/pull/2864).")
    assert one.remedy.startswith("Use 1.0.1 or newer")


@pytest.mark.parametrize(
    ("version", "said"),
    [
        ((0, 11, 0), "colima 0.11.0: newer than 0.10.3, the newest that was tried."),
        ((0, 10, 3), "colima 0.10.3: tested."),
    ],
)
def test_a_version_is_told(version: tuple[int, ...], said: str) -> None:
    (one,) = findings({"colima": version})
    assert (one.sentence, one.remedy) == (said, "")


def test_an_upgrade_tells_what_it_crosses() -> None:
    assert [one.at for one in crossed("colima", (0, 8, 1), (0, 10, 3))] == [(0, 8, 3), (0, 9, 0)]
    assert [one.at for one in crossed("colima", (0, 8, 3), (0, 9, 0))] == [(0, 9, 0)]
    assert [*crossed("colima", (0, 9, 0), (0, 10, 3))] == [*crossed("limactl", (0, 8, 0), (0, 10, 3))] == []


def test_what_is_called_tested_is_what_the_tests_run_on() -> None:
    tried = load().tried.values()
    assert TESTED["colima"] == tuple(version_of(one.colima) for one in tried)
    assert set(TESTED["limactl"]) == {version_of(one.lima) for one in tried}
    for tool, module in {"docker-buildx": "docker/buildx", "nerdctl": "containerd/nerdctl/v2"}.items():
        pins = (ROOT / "rehearsal/engines" / tool.removeprefix("docker-") / "go.mod").read_text()
        (pinned,) = re.findall(rf"^require github.com/{module} (v\S+)", pins, re.MULTILINE)
        assert TESTED[tool] == (version_of(pinned),)


def test_the_matrix_is_without_contradictions() -> None:
    assert {*TESTED, *WORKS, *(one.tool for one in (*BREAKS, *CROSSINGS))} <= set(TOOLS)
    assert set(ON_THE_LAPTOP) <= set(ASK)
    assert max(one.fixed for one in BREAKS if one.tool == "colima") == OLDEST
    for tool, versions in TESTED.items():
        assert {str(one.state) for version in versions for one in findings({tool: version})} == {"tested"}
    for tool, (first, last) in WORKS.items():
        assert first < last and VersionStatus.BREAKS not in [one.state for end in (first, last) for one in findings({tool: end})]
    for row in (*BREAKS, *CROSSINGS):
        assert row.source.startswith("https://github.com/")


@pytest.fixture
def programs(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    colima.install(home / "bin")
    docker_cli.install(home / "bin")
    (home / ".docker").mkdir()
    (home / ".docker/cli-plugins").symlink_to(home / "lib/docker/cli-plugins")
    monkeypatch.setenv("PATH", f"{home}/bin:/usr/bin:/bin")
    monkeypatch.setenv("REHEARSAL_LIMA_VERSION", "1.0.0")


@pytest.mark.usefixtures("programs")
def test_the_programs_are_asked_and_leave_nothing_behind(home: Path) -> None:
    before = sorted(home.rglob("*"))
    result = run(info.SUBJECT(), {"known_to_break": "warn"}, check_mode=False)
    assert {one["name"]: one["state"] for one in result["programs"]} == {
        "colima": "tested",
        "limactl": "breaks",
        "docker": "tested",
        "docker-buildx": "tested",
    }
    (warning,) = result["warnings"]
    assert "limactl 1.0.0 loses forwarded ports" in warning and "Use 1.0.1 or newer" in warning
    assert json.dumps(result) and not result["changed"]
    assert sorted(home.rglob("*")) == before


@pytest.mark.usefixtures("programs")
def test_they_are_refused_or_passed_over_on_request() -> None:
    with pytest.raises(RefusedStep, match=r"^Could not accept limactl 1\.0\.0: it loses .*\. Use 1\.0\.1 or newer"):
        run(info.SUBJECT(), {"known_to_break": "refuse"}, check_mode=True)
    assert run(info.SUBJECT(), {"known_to_break": "ignore"}, check_mode=True)["warnings"] == []
