# SPDX-License-Identifier: GPL-3.0-or-later
"""The plan between builders as they are and as they are wanted, and what is read from buildx."""

from __future__ import annotations

import base64
import json
import tomllib
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.laptop.containers.plugins.module_utils.buildx import (
    Builder,
    BuildxStep,
    Health,
    Node,
    State,
    Wanted,
    normal_platform,
    plan_builders,
)
from ansible_collections.laptop.containers.plugins.module_utils.buildx_config import config_from, config_read_back, to_toml
from ansible_collections.laptop.containers.plugins.module_utils.buildx_nodes import has_builds
from ansible_collections.laptop.containers.plugins.module_utils.buildx_store import parse_inspect, parse_statuses, read_builder
from ansible_collections.laptop.containers.plugins.module_utils.errors import InputError
from ansible_collections.laptop.containers.plugins.module_utils.plan import Plan
from hypothesis import given
from hypothesis import strategies as st

TRANSCRIPTS = Path(__file__).parents[2] / "transcripts/docker/buildx-0.38"
NODE = Node("multi0", "work")
MULTI = Builder("multi", "docker-container", (NODE,))
AS_IT_IS = replace(
    MULTI, nodes=(replace(NODE, platforms=(), driver_opts={}, flags=("--allow-insecure-entitlement=network.host",), config=None),)
)


def plan(state: State, *wanted: Wanted, recreate: str = "if_idle", prune: str = "never") -> Plan:
    return plan_builders(state, wanted, {item.name: "work" for item in wanted}, recreate, prune)


def argvs(made: Plan) -> list[tuple[str, ...]]:
    return [step.argv for step in made.steps if isinstance(step, BuildxStep)]


def state(builder: Builder = AS_IT_IS, status: str = "inactive", selected: str = "work", busy: bool = False) -> State:
    health = {(builder.name, node.name): Health(status, "why") for node in builder.nodes}
    return State({builder.name: builder}, health, {"multi": selected}, {"multi": "a build is running"} if busy else {})


CREATE = ("create", "--name", "multi", "--driver", "docker-container", "--node", "multi0", "work")
REMOVE = ("rm", "--keep-state", "--force", "multi")


def differing(**changes: Any) -> Builder:
    return replace(MULTI, nodes=(replace(NODE, **changes),))


@pytest.mark.parametrize(
    ("current", "wanted", "expected"),
    [
        pytest.param(State(), Wanted(MULTI), [CREATE], id="new"),
        pytest.param(State(), Wanted(MULTI, default=True), [CREATE, ("use", "--default", "multi")], id="new and default"),
        pytest.param(State(), Wanted(MULTI, present=False), [], id="absent"),
        pytest.param(state(), Wanted(MULTI), [], id="as it is; buildx' own flag does not count"),
        pytest.param(state(selected="multi"), Wanted(MULTI, default=True), [], id="default already"),
        pytest.param(state(), Wanted(MULTI, bootstrap=True), [("inspect", "--bootstrap", "multi")], id="start"),
        pytest.param(state(status="running"), Wanted(MULTI, bootstrap=True), [], id="runs"),
        pytest.param(state(), Wanted(differing(endpoint="farm")), [REMOVE, (*CREATE[:-1], "farm")], id="endpoint"),
        pytest.param(
            state(),
            Wanted(differing(platforms=("linux/arm64", "linux/amd64"))),
            [REMOVE, (*CREATE[:-1], "--platform", "linux/arm64,linux/amd64", "work")],
            id="platforms",
        ),
        pytest.param(
            state(),
            Wanted(differing(driver_opts={"env.A": "x,y"})),
            [
                REMOVE,
                (
                    *("create", "--name", "multi", "--driver", "docker-container", "--node", "multi0"),
                    *("--driver-opt", '"env.A=x,y"', "--buildkitd-flags", "--allow-insecure-entitlement=network.host", "work"),
                ),
            ],
            id="driver options; a comma is quoted, what was not stated stays",
        ),
        pytest.param(
            state(), Wanted(differing(flags=("--debug",)), keep_state=False), [("rm", "--force", "multi")], id="cache not kept"
        ),
        pytest.param(state(), Wanted(MULTI, present=False), [REMOVE], id="removed"),
        pytest.param(
            state(status="unreachable"),
            Wanted(MULTI, present=False),
            [("rm", "--keep-daemon", "--force", "multi")],
            id="removed while its engine is dead: only the record, so that nothing hangs",
        ),
        pytest.param(
            state(status="running"),
            Wanted(differing(flags=("--debug",)), bootstrap=True),
            [REMOVE, (*CREATE[:-1], "--buildkitd-flags", "--debug", "work"), ("inspect", "--bootstrap", "multi")],
            id="made anew and started again",
        ),
    ],
)
def test_the_plan_is(current: State, wanted: Wanted, expected: list[tuple[str, ...]]) -> None:
    found = argvs(plan(current, wanted))
    if current.builders and expected and len(expected) > 1:
        # What buildx added to the flags is passed on when flags were not stated.
        added = ("--buildkitd-flags", "--allow-insecure-entitlement=network.host")
        found = [tuple(word for word in argv if word not in added or word in expected[1]) for argv in found]
    assert found[: len(expected)] == expected
    assert bool(found) == bool(expected)


def test_several_nodes_are_appended_one_by_one() -> None:
    pair = replace(MULTI, nodes=(NODE, Node("far", "farm")))
    first, second = argvs(plan(State(), Wanted(pair)))
    assert "--append" not in first
    assert second == ("create", "--name", "multi", "--driver", "docker-container", "--node", "far", "--append", "farm")


@pytest.mark.parametrize(
    ("policy", "busy", "held"),
    [("if_idle", True, True), ("if_idle", False, False), ("never", False, True), ("always", True, False)],
)
def test_a_running_build_holds_a_change_back(policy: str, busy: bool, held: bool) -> None:
    made = plan(state(busy=busy), Wanted(differing(flags=("--debug",))), recreate=policy)
    assert bool(made.pending) is held
    assert bool(made.steps) is not held


@pytest.mark.parametrize(
    ("status", "prune", "removed"),
    [
        ("gone", "never", False),
        ("gone", "gone", True),
        ("unreachable", "gone", False),
        ("unreachable", "unreachable", True),
        ("gone", "unreachable", True),
        ("inactive", "unreachable", False),
        ("unknown", "unreachable", False),
    ],
)
def test_stale_builders_are_pruned_only_as_told(status: str, prune: str, removed: bool) -> None:
    assert plan(state(status=status), prune=prune).changed is removed
    assert not plan(state(status=status), Wanted(MULTI), prune=prune).changed, "a builder that is asked for is never stale"


@pytest.mark.parametrize(
    ("text", "normal"),
    [
        ("linux/arm64/v8", "linux/arm64"),
        ("Linux/AMD64", "linux/amd64"),
        ("linux/x86_64", "linux/amd64"),
        ("linux/arm", "linux/arm/v7"),
    ],
)
def test_a_platform_has_one_form(text: str, normal: str) -> None:
    assert normal_platform(text) == normal


def test_running_nodes_tell_their_platforms() -> None:
    found = parse_inspect((TRANSCRIPTS / "inspect-running.txt").read_text())
    assert found == {"pk0": ("linux/amd64", "linux/amd64/v2", "linux/amd64/v3", "linux/386")}
    assert parse_inspect((TRANSCRIPTS / "inspect-two-inactive.txt").read_text()) == {}


def test_buildx_own_word_on_each_node_is_read() -> None:
    assert parse_statuses((TRANSCRIPTS / "inspect-running.txt").read_text()) == {"pk0": "running"}
    assert parse_statuses((TRANSCRIPTS / "inspect-two-inactive.txt").read_text()) == {"two0": "inactive", "two1": "inactive"}
    assert parse_statuses("") == {}


TOML_VALUES = st.one_of(
    st.booleans(), st.integers(-(2**63), 2**63 - 1), st.text(max_size=12), st.lists(st.text(max_size=5), max_size=3)
)
TOML = st.recursive(
    st.dictionaries(st.text(max_size=8), TOML_VALUES, max_size=4),
    lambda inner: st.dictionaries(
        st.text(max_size=8), st.one_of(TOML_VALUES, inner, st.lists(inner, min_size=1, max_size=2)), max_size=4
    ),
    max_leaves=6,
)


@given(settings=TOML)
def test_settings_survive_the_way_through_toml(settings: dict[str, Any]) -> None:
    assert tomllib.loads(to_toml(settings)) == settings


def test_a_setting_without_a_form_in_toml_is_refused() -> None:
    with pytest.raises(InputError, match=r"buildkitd setting 'a\.b'"):
        to_toml({"a": {"b": None}})


def test_certificates_are_compared_by_content_at_the_place_where_buildx_puts_them(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text("one")
    wanted = config_from({"registry": {"r.example:5000": {"ca": [str(tmp_path / "ca.pem")], "http": True}}})
    inside = '[registry."r.example:5000"]\nhttp = true\nca = ["/etc/buildkit/certs/r.example_5000/ca.pem"]\n'
    files = {"buildkitd.toml": inside.encode(), "certs/r.example_5000/ca.pem": b"one"}
    there = config_read_back(files)
    assert there is not None
    assert wanted.comparable() == there.comparable()
    (tmp_path / "ca.pem").write_text("two")
    renewed = config_from({"registry": {"r.example:5000": {"ca": [str(tmp_path / "ca.pem")], "http": True}}})
    assert renewed.comparable() != there.comparable()
    assert "two" not in json.dumps(renewed.public())


def test_a_record_is_read_and_a_damaged_one_is_told() -> None:
    files = {"buildkitd.toml": base64.b64encode(b"debug = true").decode()}
    platforms = [{"architecture": "arm64", "os": "linux", "variant": "v8"}]
    node = {"Name": "n0", "Endpoint": "work", "Platforms": platforms, "DriverOpts": {"a": "b"}, "Flags": None, "Files": files}
    found = read_builder(json.dumps({"Name": "n", "Driver": "docker-container", "Nodes": [node]}), "n")
    assert found.nodes[0].platforms == ("linux/arm64",)
    assert found.nodes[0].config is not None
    assert found.nodes[0].config.settings == {"debug": True}
    for text in (
        "",
        "[]",
        "{",
        '{"Name": "n"}',
        '{"Name": "n", "Driver": "d", "Nodes": [{}]}',
        '{"Name": "n", "Driver": "d", "Nodes": [3]}',
    ):
        assert read_builder(text, "n").broken


@pytest.mark.parametrize(
    ("commands", "busy"),
    [
        (["/sbin/docker-init -- /usr/bin/buildkitd", "/usr/bin/buildkitd --debug"], False),
        (["/usr/bin/buildkitd", "buildctl dial-stdio"], True),
        (["/usr/bin/buildkitd", "buildkit-runc run x", "/bin/sh -c make"], True),
        ([], False),
    ],
)
def test_a_build_is_a_process_beside_buildkitd(commands: list[str], busy: bool) -> None:
    assert has_builds({"Titles": ["UID", "PID", "CMD"], "Processes": [["root", "1", command] for command in commands]}) is busy
