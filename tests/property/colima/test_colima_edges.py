# SPDX-License-Identifier: GPL-3.0-or-later
"""Whatever a tool prints or a file holds becomes a value of the expected type, or a failure of our own family."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from ansible_collections.laptop.containers.plugins.module_utils.colima.model.answers import (
    DiskNote,
    K3sState,
    Malformed,
    loads,
    parse_disks,
    parse_k3s,
    parse_live,
    parse_pid,
    parse_rows,
    parse_store,
)
from ansible_collections.laptop.containers.plugins.module_utils.colima.model.config import Host, config_from, defaults
from ansible_collections.laptop.containers.plugins.module_utils.colima.model.options import specs_from
from ansible_collections.laptop.containers.plugins.module_utils.colima.model.spec import ChangePolicy, ProfileSpec
from ansible_collections.laptop.containers.plugins.module_utils.colima.model.state import ProfileState, lists_disk
from ansible_collections.laptop.containers.plugins.module_utils.colima.model.yaml_text import parse, render
from ansible_collections.laptop.containers.plugins.module_utils.colima.plan.profile import plan_profile
from ansible_collections.laptop.containers.plugins.module_utils.colima.report import full_profile
from ansible_collections.laptop.containers.plugins.module_utils.colima_paths import parse_name, resolve
from ansible_collections.laptop.containers.plugins.module_utils.core.errors import InputError, WorkstationError
from hypothesis import example, given
from hypothesis import strategies as st

from tests.support.colima.strategies import EDGES, NAME

HOST = Host("Linux", "x86_64", "/home/me", 8, 16384)
PATHS = resolve({"HOME": "/home/me"}, "Linux")
DEEP = "[" * 3000 + "]" * 3000
NUMBERS = st.one_of(
    st.integers(), st.floats(), st.sampled_from([10**400, -(10**400), 2**63, 2**64, "9" * 5000, "1e400", "0x" + "f" * 99, ".inf"])
)
SCALARS = st.one_of(NUMBERS, st.text(max_size=6), st.booleans(), st.none())
VALUES = st.recursive(SCALARS, lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=4), inner)))
ROWS = {
    "name": "dev",
    "status": "Running",
    "cpus": 2,
    "memory": 2 << 30,
    "size": 1 << 30,
    "instance": "colima-dev",
    "runtime": "docker",
    "docker_socket": "unix:///x",
    "disk_formatted": True,
    "disk_runtime": "docker",
    "k3s_listen_port": 6443,
    "kubernetes_config": "{}",
}


def json_text(value: Any) -> str:
    return json.dumps(value, default=str) if not isinstance(value, str) else value


@st.composite
def answers(draw: st.DrawFn) -> str:
    """A right answer with some values of other types, torn or with garbage in it."""
    row = {**ROWS, **draw(st.dictionaries(st.sampled_from(sorted(ROWS)), SCALARS, max_size=3))}
    lines = [json.dumps(row), *draw(st.lists(st.one_of(st.text(max_size=9), VALUES.map(str), st.just(DEEP)), max_size=2))]
    text = "\n".join(draw(st.permutations(lines)))
    return text[: draw(st.integers(0, len(text)))] if draw(st.booleans()) else text


PARSERS: dict[Callable[[str], Any], tuple[type, ...]] = {
    parse_rows: (list,),
    parse_disks: (list,),
    parse_live: (dict,),
    parse_store: (DiskNote, type(None)),
    parse_k3s: (K3sState, type(None)),
    parse_pid: (int,),
}


@EDGES
@given(st.sampled_from(list(PARSERS)), answers())
def test_every_answer_is_a_typed_value_or_a_failure_in_a_sentence(parser: Callable[[str], Any], text: str) -> None:
    try:
        assert isinstance(parser(text), PARSERS[parser])
    except WorkstationError as error:
        assert error.message.startswith("Could not read the answer of ")


LINES = st.sampled_from(
    [
        "memory: {0}",
        "cpu: {0}",
        "disk: {0}",
        "env: {{A: {0}}}",
        "docker: {{a: {0}}}",
        "kubernetes: {{port: {0}, version: {0}}}",
        "network: {{dns: {0}, mode: {0}}}",
        "mounts: [{{location: {0}, writable: {0}}}]",
        "provision: [{{mode: {0}, script: {0}}}]",
        "newer: {0}",
        "a: &a [{0}]",
        "b: [*a, *a, *a]",
        "<<: {0}",
        "{0}",
    ]
)


@st.composite
def files(draw: st.DrawFn) -> str:
    lines = ["runtime: docker"] * draw(st.integers(0, 1))
    for line in draw(st.lists(LINES, max_size=5, unique=True)):
        value = draw(st.one_of(VALUES.map(str), VALUES.map(json_text), st.sampled_from([DEEP, "9" * 5000, str(10**400)])))
        lines.append(line.format(value))
    return "\n".join(draw(st.permutations(lines)))


@EDGES
@given(files())
def test_any_colima_yaml_leads_to_a_plan_and_a_complete_file(text: str) -> None:
    config, problem = parse(text)
    assert config is not None or problem
    assert lists_disk(text, NAME) in (True, False)
    current = ProfileState(parse_name("dev"), configured=config, configured_problem=problem, health="defined")
    full_profile(PATHS, current, HOST)
    plan = plan_profile(current, ProfileSpec(NAME, "started", {"cpu": 2}), ChangePolicy(), HOST)
    assert plan.target is not None
    written = render(plan.target, HOST)
    read, wrong = parse(written)
    assert read is not None
    assert not wrong
    assert render(read, HOST) == written
    plan.public()


@EDGES
@given(st.dictionaries(st.sampled_from(sorted(defaults(HOST))), VALUES, max_size=3), st.booleans())
@example(spoilt={"memory": 10**400}, complete=True)
def test_a_note_of_settings_counts_only_if_it_is_complete_and_typed(spoilt: dict[str, Any], complete: bool) -> None:
    settings_noted = {**defaults(HOST), **spoilt} if complete else spoilt
    try:
        config = config_from(loads(json.dumps(settings_noted)))
    except Malformed:
        return
    if config is not None:
        current = replace(ProfileState(NAME), interrupted=config)
        assert plan_profile(current, ProfileSpec(NAME), ChangePolicy(), HOST).target is not None


WHOLE = st.one_of(st.integers(), st.sampled_from([10**400, -(10**400), 10**5000]))
MEMORY = st.one_of(WHOLE, st.floats())


@EDGES
@given(st.sampled_from(["cpu", "disk", "root_disk", "ssh_port"]), WHOLE, MEMORY)
def test_numbers_of_any_size_among_the_options_are_refused_in_a_sentence(option: str, whole: int, memory: float) -> None:
    try:
        (spec,) = specs_from([{"name": "dev", option: whole, "memory": memory}], HOST)
    except InputError as error:
        assert error.message.startswith("Could not set '")
    else:
        plan_profile(ProfileState(NAME), spec, ChangePolicy(), HOST).public()
