# SPDX-License-Identifier: GPL-3.0-or-later
"""Whatever docker, buildx, their files and the options hold: a value that is understood, or one family of errors."""

from __future__ import annotations

import base64
import json
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible_collections.laptop.containers.plugins.module_utils.buildx.config import config_from
from ansible_collections.laptop.containers.plugins.module_utils.buildx.model import Builder
from ansible_collections.laptop.containers.plugins.module_utils.buildx.running_builds import has_builds
from ansible_collections.laptop.containers.plugins.module_utils.buildx.store import read_builder
from ansible_collections.laptop.containers.plugins.module_utils.buildx.task import Builders
from ansible_collections.laptop.containers.plugins.module_utils.core.errors import WorkstationError
from ansible_collections.laptop.containers.plugins.module_utils.core.options import problems
from ansible_collections.laptop.containers.plugins.module_utils.core.subject import Subject, run
from ansible_collections.laptop.containers.plugins.module_utils.docker.client import parse_config
from ansible_collections.laptop.containers.plugins.module_utils.docker.config.file import render
from ansible_collections.laptop.containers.plugins.module_utils.docker.config.task import DockerConfig
from ansible_collections.laptop.containers.plugins.module_utils.docker.context.info import ContextInfo
from ansible_collections.laptop.containers.plugins.module_utils.docker.context.store import parse_context
from ansible_collections.laptop.containers.plugins.module_utils.docker.context.task import Contexts
from ansible_collections.laptop.containers.plugins.module_utils.docker.engine import engine_from_version
from ansible_collections.laptop.containers.plugins.module_utils.docker.socket_link import SocketLink
from ansible_collections.laptop.containers.plugins.module_utils.nerdctl.task import Nerdctl
from ansible_collections.laptop.containers.plugins.module_utils.timer.task import UserTimer
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.support.test_runs.tiers import times

# Some 1,000 examples for all of them together, 20,000 in the long form.
FUZZ = settings(max_examples=times(15, 120, 2_500))
OPTIONS = settings(FUZZ, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])

WORDS = (
    *("Name", "Driver", "Nodes", "Endpoint", "Platforms", "DriverOpts", "Flags", "Files", "os", "architecture", "variant"),
    *("Metadata", "Endpoints", "Storage", "TLSMaterial", "docker", "Host", "Description", "TLSPath", "SkipTLSVerify"),
    *("auths", "credsStore", "credHelpers", "cliPluginsExtraDirs", "currentContext", "desktop", "desktop-linux"),
    *("registry", "ca", "keypair", "key", "cert", "Titles", "Processes", "CMD", "Version", "buildkitd.toml"),
)
TEXTS = st.one_of(
    st.sampled_from(WORDS),
    st.text(max_size=12),
    st.text(st.characters(categories=["Cs", "Cc", "L"]), max_size=4),
    st.sampled_from(["/", "~", "/x/" * 500, "a" * 300, "unix:///x", "tcp://h:99999", "tcp://[h", "linux/amd64", "k8s"]),
)
NUMBERS = st.one_of(st.integers(), st.floats(), st.sampled_from([10**400, -1, 0, 1e308]))
VALUES = st.recursive(
    st.one_of(st.none(), st.booleans(), NUMBERS, TEXTS),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(TEXTS, inner, max_size=4)),
    max_leaves=10,
)


@FUZZ
@given(entry=VALUES)
def test_any_entry_is_a_context_or_a_value_error(entry: Any) -> None:
    try:
        assert parse_context(entry).name
    except (ValueError, WorkstationError) as error:
        assert str(error)


@FUZZ
@given(value=VALUES)
def test_any_record_is_a_builder(value: Any) -> None:
    files = {"buildkitd.toml": base64.b64encode(b"debug = true").decode()}
    node = {"Name": "n", "Endpoint": "e", "Files": files}
    for record in (
        value,
        {"Name": "n", "Driver": "d", "Nodes": value},
        {"Name": "n", "Driver": "d", "Nodes": [{**node, "Flags": value}]},
    ):
        assert isinstance(read_builder(json.dumps(record), "n"), Builder)


@FUZZ
@given(value=VALUES)
def test_any_answer_of_an_engine_is_understood(value: Any) -> None:
    assert engine_from_version(value).reachable in (True, False)
    if isinstance(value, Mapping):
        assert has_builds(value) in (True, False)
    assert has_builds({"Titles": value, "Processes": [value]}) in (True, False)


@FUZZ
@given(value=st.dictionaries(TEXTS, VALUES, max_size=4))
def test_any_configuration_of_buildkit_is_taken_or_refused(value: dict[str, Any]) -> None:
    for settings_ in (value, {"registry": value}, {"registry": {"r": value}}):
        try:
            config_from(settings_)
        except WorkstationError as error:
            assert error.message.startswith("Could not ")


@FUZZ
@given(text=st.one_of(st.text(max_size=30), VALUES.map(lambda value: json.dumps({"x": value}, ensure_ascii=False))))
def test_any_config_json_is_kept_as_it_is_or_refused(text: str) -> None:
    try:
        found = parse_config(text, "config.json")
    except WorkstationError as error:
        assert error.message.startswith("Could not read docker's configuration 'config.json': ")
        return
    assert parse_config(render(found, text), "config.json") == found


@pytest.mark.parametrize("text", ["[" * 100_000, '{"a":' * 100_000, '{"a": 1e400}', '{"a": NaN}', '{"a": ' + "9" * 5000 + "}"])
def test_a_config_json_that_cannot_be_kept_is_refused(text: str) -> None:
    with pytest.raises(WorkstationError, match="Repair the file by hand; docker would replace all of it at its next write"):
        parse_config(text, "config.json")


def places(spec: Mapping[str, Any]) -> st.SearchStrategy[dict[str, Any]]:
    """Return options of a module, most of the right kind, some of any."""
    options: dict[str, st.SearchStrategy[Any]] = {}
    for name, one in spec.items():
        if "options" in one:
            inner = places(one["options"])
            right: st.SearchStrategy[Any] = st.lists(inner, max_size=2) if one["type"] == "list" else inner
        else:
            kinds = {"bool": st.booleans(), "int": st.integers(), "float": st.just(0.0), "list": st.lists(TEXTS, max_size=2)}
            right = st.sampled_from(one["choices"]) if "choices" in one else kinds.get(one.get("type", "str"), TEXTS)
        options[name] = st.one_of(right, right, right, VALUES)
    return st.fixed_dictionaries({}, optional=options)


SUBJECTS: list[type[Subject[Any, Any]]] = [Builders, Contexts, ContextInfo, DockerConfig, Nerdctl, SocketLink, UserTimer]


@pytest.mark.parametrize("subject", SUBJECTS, ids=lambda subject: subject.__name__)
@OPTIONS
@given(data=st.data())
def test_any_options_give_a_plan_or_sentences(
    subject: type[Subject[Any, Any]], data: st.DataObject, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = data.draw(places(subject.argument_spec))
    with tempfile.TemporaryDirectory() as home:
        monkeypatch.setenv("HOME", home)
        # No program, so that only what is read is tried.
        monkeypatch.setenv("PATH", home)
        invalid = problems(subject.argument_spec, options, subject.hidden)
        assert all(problem.sentence.startswith("Could not ") for problem in invalid)
        if invalid:
            return
        checked = ArgumentSpecValidator(subject.argument_spec, **subject.rules).validate(dict(options))
        if checked.error_messages:
            return
        try:
            assert run(subject(), checked.validated_parameters, check_mode=True)["changed"] in (True, False)
        except WorkstationError as error:
            assert error.message.startswith("Could not ") and len(error.message) < 10_000
        assert list(Path(home).iterdir()) == []
