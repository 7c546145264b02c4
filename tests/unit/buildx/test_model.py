# SPDX-License-Identifier: GPL-3.0-or-later
"""The plan between builders as they are and as the options ask for them, and what is read from buildx."""

from __future__ import annotations

import base64
import json
import tomllib
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.laptop.containers.plugins.module_utils.buildx.config import config_from, config_read_back, to_toml
from ansible_collections.laptop.containers.plugins.module_utils.buildx.kubernetes import kubeconfig_of, settled
from ansible_collections.laptop.containers.plugins.module_utils.buildx.model import (
    Builder,
    BuilderSpec,
    BuildersState,
    BuildxStep,
    Node,
    NodeHealth,
    known_platform,
    normal_platform,
)
from ansible_collections.laptop.containers.plugins.module_utils.buildx.plan import BuilderPolicy, plan_builders
from ansible_collections.laptop.containers.plugins.module_utils.buildx.running_builds import (
    has_builds,
    node_is_building,
    top_from,
)
from ansible_collections.laptop.containers.plugins.module_utils.buildx.store import parse_inspect, parse_statuses, read_builder
from ansible_collections.laptop.containers.plugins.module_utils.core.errors import InputError
from ansible_collections.laptop.containers.plugins.module_utils.core.plan import Plan
from hypothesis import given
from hypothesis import strategies as st

TRANSCRIPTS = Path(__file__).parents[2] / "transcripts/docker/buildx-0.38"
NODE = Node("multi0", "work")
MULTI = Builder("multi", "docker-container", (NODE,))
AS_IT_IS = replace(
    MULTI, nodes=(replace(NODE, platforms=(), driver_opts={}, flags=("--allow-insecure-entitlement=network.host",), config=None),)
)


def plan(state: BuildersState, *wanted: BuilderSpec, recreate: str = "if_idle", prune: str = "never") -> Plan:
    return plan_builders(replace(state, contexts={item.name: "work" for item in wanted}), wanted, BuilderPolicy(recreate, prune))


def argvs(made: Plan) -> list[tuple[str, ...]]:
    return [step.argv for step in made.steps if isinstance(step, BuildxStep)]


def state(builder: Builder = AS_IT_IS, status: str = "inactive", selected: str = "work", busy: bool = False) -> BuildersState:
    health = {(builder.name, node.name): NodeHealth(status, "why") for node in builder.nodes}
    return BuildersState(
        {builder.name: builder}, health, {"multi": selected}, busy={"multi": "a build is running"} if busy else {}
    )


CREATE = ("create", "--name", "multi", "--driver", "docker-container", "--node", "multi0", "work")
REMOVE = ("rm", "--keep-state", "--force", "multi")


def differing(**changes: Any) -> Builder:
    return replace(MULTI, nodes=(replace(NODE, **changes),))


@pytest.mark.parametrize(
    ("current", "wanted", "expected"),
    [
        pytest.param(BuildersState(), BuilderSpec(MULTI), [CREATE], id="new"),
        pytest.param(
            BuildersState(), BuilderSpec(MULTI, default=True), [CREATE, ("use", "--default", "multi")], id="new and default"
        ),
        pytest.param(BuildersState(), BuilderSpec(MULTI, present=False), [], id="absent"),
        pytest.param(state(), BuilderSpec(MULTI), [], id="as it is; buildx' own flag does not count"),
        pytest.param(state(selected="multi"), BuilderSpec(MULTI, default=True), [], id="default already"),
        pytest.param(state(), BuilderSpec(MULTI, bootstrap=True), [("inspect", "--bootstrap", "multi")], id="start"),
        pytest.param(state(status="running"), BuilderSpec(MULTI, bootstrap=True), [], id="runs"),
        pytest.param(state(), BuilderSpec(differing(endpoint="farm")), [REMOVE, (*CREATE[:-1], "farm")], id="endpoint"),
        pytest.param(
            state(),
            BuilderSpec(differing(platforms=("linux/arm64", "linux/amd64"))),
            [REMOVE, (*CREATE[:-1], "--platform", "linux/arm64,linux/amd64", "work")],
            id="platforms",
        ),
        pytest.param(
            state(),
            BuilderSpec(differing(driver_opts={"env.A": "x,y"})),
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
            state(),
            BuilderSpec(differing(flags=("--debug",)), keep_state=False),
            [("rm", "--force", "multi")],
            id="cache not kept",
        ),
        pytest.param(state(), BuilderSpec(MULTI, present=False), [REMOVE], id="removed"),
        pytest.param(
            state(status="unreachable"),
            BuilderSpec(MULTI, present=False),
            [("rm", "--keep-daemon", "--force", "multi")],
            id="removed while its engine is dead: only the record, so that nothing hangs",
        ),
        pytest.param(
            state(status="running"),
            BuilderSpec(differing(flags=("--debug",)), bootstrap=True),
            [REMOVE, (*CREATE[:-1], "--buildkitd-flags", "--debug", "work"), ("inspect", "--bootstrap", "multi")],
            id="created and started again",
        ),
    ],
)
def test_the_plan_is(current: BuildersState, wanted: BuilderSpec, expected: list[tuple[str, ...]]) -> None:
    found = argvs(plan(current, wanted))
    if current.builders and expected and len(expected) > 1:
        # What buildx added to the flags is passed on when flags were not stated.
        added = ("--buildkitd-flags", "--allow-insecure-entitlement=network.host")
        found = [tuple(word for word in argv if word not in added or word in expected[1]) for argv in found]
    assert found[: len(expected)] == expected
    assert bool(found) == bool(expected)


def test_several_nodes_are_appended_one_by_one() -> None:
    pair = replace(MULTI, nodes=(NODE, Node("far", "farm")))
    first, second = argvs(plan(BuildersState(), BuilderSpec(pair)))
    assert "--append" not in first
    assert second == ("create", "--name", "multi", "--driver", "docker-container", "--node", "far", "--append", "farm")


def test_a_dead_node_is_left_out_before_its_builder_goes() -> None:
    pair = replace(MULTI, nodes=(NODE, Node("far", "farm")))
    health = {("multi", NODE.name): NodeHealth("running"), ("multi", "far"): NodeHealth("unreachable", "no answer")}
    current = BuildersState({"multi": pair}, health)
    leave, remove = argvs(plan(current, BuilderSpec(pair, present=False)))
    assert leave == ("create", "--name", "multi", "--leave", "--node", "far")
    assert remove == REMOVE
    assert current.reasons("multi") == "no answer"
    assert plan(current, recreate="always", prune="unreachable").steps == ()


@pytest.mark.parametrize(
    ("policy", "busy", "held"),
    [("if_idle", True, True), ("if_idle", False, False), ("never", False, True), ("always", True, False)],
)
def test_a_running_build_holds_a_change_back(policy: str, busy: bool, held: bool) -> None:
    made = plan(state(busy=busy), BuilderSpec(differing(flags=("--debug",))), recreate=policy)
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
    assert not plan(state(status=status), BuilderSpec(MULTI), prune=prune).changed, "a builder that is asked for is never stale"


@pytest.mark.parametrize(
    ("text", "normal"),
    [
        ("linux/arm64/v8", "linux/arm64"),
        ("Linux/AMD64", "linux/amd64"),
        ("linux/x86_64", "linux/amd64"),
        ("linux/arm", "linux/arm/v7"),
        ("linux/armhf", "linux/arm/v7"),
        ("linux/amd64/v3", "linux/amd64/v3"),
        ("linux/riscv64", "linux/riscv64"),
        ("windows/amd64", "windows/amd64"),
        ("wasi/wasm", "wasi/wasm"),
    ],
)
def test_a_platform_has_one_form(text: str, normal: str) -> None:
    assert normal_platform(text) == known_platform(text) == normal


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("linux/amd46", "unknown architecture 'amd46'. Did you mean 'linux/amd64'?"),
        ("linux/arm46", "unknown architecture 'arm46'. Did you mean 'linux/arm64'?"),
        ("linus/arm64", "unknown system 'linus'. Did you mean 'linux/arm64'?"),
        ("amd64/linux", "unknown system 'amd64'."),
        ("linux/arm64/v12", "arm64 has no variant 'v12'. Did you mean 'linux/arm64'?"),
        ("linux", "it is not of the form os/arch. Write it as for instance linux/arm64."),
    ],
)
def test_an_unknown_platform_is_refused_with_the_nearest_one(text: str, said: str) -> None:
    with pytest.raises(InputError) as caught:
        known_platform(text)
    assert caught.value.message.startswith(f"Could not use platform '{text}': {said}")


def test_a_platform_in_what_buildx_tells_may_be_unknown() -> None:
    assert normal_platform("linux/new64") == "linux/new64"


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


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"registry": ["r.corp"]}, "its registry is not a mapping"),
        ({"registry": {5000: {"http": True}}}, "its name 5000 is not a text"),
        ({"registry": {"r.corp": "http"}}, "registry 'r.corp': it is not a mapping"),
        ({"registry": {"r.corp": {"ca": "/etc/ssl/ca.pem"}}}, "registry 'r.corp': its ca is not a list of paths"),
        ({"registry": {"r.corp": {"ca": [{"a": "/ca.pem"}]}}}, "registry 'r.corp': its ca is not a list of paths"),
        ({"registry": {"r.corp": {"keypair": {"key": "/k", "cert": "/c"}}}}, "its keypair is not a list of mappings with paths"),
        ({"registry": {"r.corp": {"keypair": ["/k", "/c"]}}}, "its keypair is not a list of mappings with paths"),
        ({"registry": {"r.corp": {"keypair": [{"key": ["/k"]}]}}}, "its keypair is not a list of mappings with paths"),
        ({"worker": {"oci": {"gc": None}}}, r"setting 'worker\.oci\.gc'"),
        ({"worker": {"oci": {7: True}}}, "setting 'worker.oci.7': its name 7 is not a text"),
    ],
)
def test_a_slip_in_buildkits_settings_is_named(settings: dict[Any, Any], said: str) -> None:
    with pytest.raises(InputError, match=said):
        config_from(settings)


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


def test_docker_top_is_read_like_the_engines_own_answer() -> None:
    printed = "UID  PID  PPID  C  STIME  TTY  TIME      CMD\nroot 1    0     0  10:00  ?    00:00:00  buildkitd --debug\n"
    assert not has_builds(top_from(printed))
    assert has_builds(top_from(f"{printed}root 9    1     0  10:00  ?    00:00:00  runc run x\n"))
    assert top_from("") == {"Titles": [], "Processes": []}


@pytest.mark.parametrize(
    ("driver", "endpoint", "told"),
    [
        ("remote", "tcp://x:1", False),
        ("kubernetes", "", None),
        ("docker-container", "ssh://me@x", None),
        ("docker-container", "gone", False),
    ],
)
def test_who_tells_whether_a_build_runs(driver: str, endpoint: str, told: bool | None) -> None:
    node = Node("n0", endpoint)
    assert node_is_building(Builder("n", driver, (node,)), node, {"gone": None}, 0.1) is told


def test_a_node_in_pods_stays_with_its_cluster_unless_told() -> None:
    noted = "kubernetes:///pods?deployment=pods0&kubeconfig=%2Fk8s%2Fconfig"
    current = Builder("pods", "kubernetes", (Node("pods0", noted),))

    def endpoint(stated: str, known: Builder | None = current, default: str = "/other") -> str:
        return settled(Builder("pods", "kubernetes", (Node("pods0", stated),)), known, default).nodes[0].endpoint

    assert endpoint("") == noted
    assert endpoint("/k8s/config") == noted
    assert endpoint("kubernetes:///whatever?kubeconfig=/k8s/config") == noted
    assert kubeconfig_of(endpoint("/moved")) == "/moved"
    assert kubeconfig_of(endpoint("", known=None)) == "/other"
    assert kubeconfig_of(endpoint("", known=None, default="")) == ""


def test_a_cache_in_pods_is_not_said_to_be_kept() -> None:
    pods = Builder("pods", "kubernetes", (Node("pods0", "kubernetes:///pods"),))
    on_a_volume = replace(pods, nodes=(replace(pods.nodes[0], driver_opts={"persistent-volume-claim.requests.storage": "1Gi"}),))
    for builder, said in ((pods, ""), (on_a_volume, "its cache is kept")):
        (step,) = plan(state(builder), BuilderSpec(builder, present=False)).steps
        assert step.detail == said
