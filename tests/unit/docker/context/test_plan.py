# SPDX-License-Identifier: GPL-3.0-or-later
"""The plan from the present docker contexts to the requested ones."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from ansible_collections.laptop.containers.plugins.module_utils.core.errors import InputError
from ansible_collections.laptop.containers.plugins.module_utils.docker.context.model import (
    Context,
    ContextSpec,
    ContextsState,
    ContextStep,
    TlsFile,
    chain,
    check_wanted,
    switched,
)
from ansible_collections.laptop.containers.plugins.module_utils.docker.context.plan import converged, plan_contexts

A = Context("ctx-a", "unix:///a.sock", "the first")
B = Context("ctx-b", "tcp://b:2376", tls={"ca": TlsFile("/store/ca.pem", "1" * 64), "key": TlsFile("/store/key.pem", "2" * 64)})


def store(*contexts: Context, current: str = "", came_from: dict[str, str] | None = None) -> ContextsState:
    return ContextsState({item.name: item for item in contexts}, current, came_from or {})


CASES = [
    ("nothing asked, nothing done", store(A), [ContextSpec("ctx-a")], None, []),
    ("absent and gone", store(), [ContextSpec("ctx-a", present=False)], None, []),
    (
        "new",
        store(),
        [ContextSpec("ctx-a", host="unix:///a.sock")],
        None,
        [("create", "--docker", "host=unix:///a.sock", "ctx-a")],
    ),
    (
        "an unreadable entry is created again",
        store(Context("ctx-a", "", broken=True)),
        [ContextSpec("ctx-a", host="unix:///a.sock")],
        None,
        [("rm", "--force", "ctx-a"), ("create", "--docker", "host=unix:///a.sock", "ctx-a")],
    ),
    (
        "moved endpoint",
        store(A),
        [ContextSpec("ctx-a", host="unix:///b.sock")],
        None,
        [("update", "--docker", "host=unix:///b.sock", "ctx-a")],
    ),
    (
        "only the description: the endpoint is not passed, docker would drop its TLS files",
        store(B),
        [ContextSpec("ctx-b", description="new")],
        None,
        [("update", "--description", "new", "ctx-b")],
    ),
    ("an empty description keeps the present text", store(A), [ContextSpec("ctx-a", description="")], None, []),
    (
        "a moved TLS endpoint takes its stored files along",
        store(B),
        [ContextSpec("ctx-b", host="tcp://c:2376")],
        None,
        [("update", "--docker", "host=tcp://c:2376,ca=/store/ca.pem,key=/store/key.pem", "ctx-b")],
    ),
    (
        "a TLS file is taken away",
        store(B),
        [ContextSpec("ctx-b", tls={"key": None})],
        None,
        [("update", "--docker", "host=tcp://b:2376,ca=/store/ca.pem", "ctx-b")],
    ),
    ("the same TLS file elsewhere", store(B), [ContextSpec("ctx-b", tls={"ca": TlsFile("/mine/ca.pem", "1" * 64)})], None, []),
    (
        "another TLS file, its path with a comma",
        store(B),
        [ContextSpec("ctx-b", tls={"ca": TlsFile("/mi,ne/ca.pem", "3" * 64)})],
        None,
        [("update", "--docker", 'host=tcp://b:2376,"ca=/mi,ne/ca.pem",key=/store/key.pem', "ctx-b")],
    ),
    (
        "skip_tls_verify",
        store(A),
        [ContextSpec("ctx-a", skip_tls_verify=True)],
        None,
        [("update", "--docker", "host=unix:///a.sock,skip-tls-verify=true", "ctx-a")],
    ),
    ("always", store(A, current="other"), [ContextSpec("ctx-a", current="always")], None, [("use", "ctx-a")]),
    ("always, and it is", store(A, current="ctx-a"), [ContextSpec("ctx-a", current="always")], None, []),
    ("if_unset, unset", store(A), [ContextSpec("ctx-a", current="if_unset")], None, [("use", "ctx-a")]),
    ("if_unset, chosen", store(A, B, current="ctx-b"), [ContextSpec("ctx-a", current="if_unset")], None, []),
    (
        "if_unset, chosen one is gone",
        store(A, current="desktop"),
        [ContextSpec("ctx-a", current="if_unset")],
        None,
        [("use", "ctx-a")],
    ),
    ("never", store(A, current="ctx-b"), [ContextSpec("ctx-a")], None, []),
    (
        "one variable switches back",
        store(A, current="ctx-a"),
        [ContextSpec("ctx-a", current="always")],
        "default",
        [("use", "default")],
    ),
    ("and stays there", store(A), [ContextSpec("ctx-a", current="always")], "default", []),
    ("removal", store(A), [ContextSpec("ctx-a", present=False)], None, [("rm", "--force", "ctx-a")]),
    (
        "removal of the current one goes back to the one before",
        store(A, B, current="ctx-a", came_from={"ctx-a": "ctx-b"}),
        [ContextSpec("ctx-a", present=False)],
        None,
        [("use", "ctx-b"), ("rm", "--force", "ctx-a")],
    ),
    (
        "removal of the current one, the one before is gone",
        store(A, current="ctx-a", came_from={"ctx-a": "ctx-b"}),
        [ContextSpec("ctx-a", present=False)],
        None,
        [("use", "default"), ("rm", "--force", "ctx-a")],
    ),
    (
        "removal goes back past what is gone",
        store(A, B, current="ctx-a", came_from={"ctx-a": "gone", "gone": "ctx-b"}),
        [ContextSpec("ctx-a", present=False)],
        None,
        [("use", "ctx-b"), ("rm", "--force", "ctx-a")],
    ),
    (
        "removal of both, one the other's past",
        store(A, B, current="ctx-a", came_from={"ctx-a": "ctx-b"}),
        [ContextSpec("ctx-a", present=False), ContextSpec("ctx-b", present=False)],
        None,
        [("use", "default"), ("rm", "--force", "ctx-a"), ("rm", "--force", "ctx-b")],
    ),
    (
        "the current one is gone already",
        store(current="ctx-a"),
        [ContextSpec("ctx-a", present=False)],
        None,
        [("use", "default")],
    ),
    (
        "docker's own can be chosen",
        store(A, current="ctx-a"),
        [ContextSpec("default", current="always")],
        None,
        [("use", "default")],
    ),
]


@pytest.mark.parametrize(
    ("current", "wanted", "chosen", "expected"), [case[1:] for case in CASES], ids=[case[0] for case in CASES]
)
def test_the_plan_is(
    current: ContextsState, wanted: list[ContextSpec], chosen: str | None, expected: list[tuple[str, ...]]
) -> None:
    plan = plan_contexts(current, tuple(wanted), chosen)
    assert [step.argv for step in plan.steps if isinstance(step, ContextStep)] == expected
    assert plan.changed == bool(expected)


@pytest.mark.parametrize(
    ("current", "wanted", "chosen", "expected"), [case[1:] for case in CASES], ids=[case[0] for case in CASES]
)
def test_a_second_plan_is_empty(
    current: ContextsState, wanted: list[ContextSpec], chosen: str | None, expected: list[tuple[str, ...]]
) -> None:
    after, _ = converged(current, wanted, chosen)
    now = "" if after.current == "default" else after.current
    assert plan_contexts(replace(after, current=now), wanted, chosen).steps == ()


@pytest.mark.parametrize(
    ("switches", "way_back"),
    [
        ([("mine", "a")], ["mine"]),
        ([("mine", "a"), ("a", "b")], ["a", "mine"]),
        ([("mine", "a"), ("a", "b"), ("b", "a")], ["mine"]),
        ([("mine", "a"), ("a", "b"), ("b", "mine")], []),
        ([("mine", "a"), ("a", "default")], []),
        ([("mine", "a"), ("other", "a")], ["other"]),
        ([("default", "a"), ("a", "b")], ["a", "default"]),
    ],
)
def test_the_way_back_is(switches: list[tuple[str, str]], way_back: list[str]) -> None:
    came_from: dict[str, str] = {}
    for left, entered in switches:
        came_from = switched(came_from, left, entered)
    assert chain(came_from, switches[-1][1]) == way_back


@pytest.mark.parametrize(
    ("wanted", "said"),
    [
        ([ContextSpec("x", host="unix:///a")], "Could not use docker context name 'x'"),
        ([ContextSpec("-rf", host="unix:///a")], "Could not use docker context name '-rf'"),
        ([ContextSpec("a\ud800", present=False)], "Could not use docker context name"),
        ([ContextSpec("default", host="unix:///a")], "built into docker"),
        ([ContextSpec("default", present=False)], "built into docker"),
        ([ContextSpec("ctx", host="/var/run/docker.sock")], "it is not the address of a docker engine"),
        ([ContextSpec("ctx", host="unix://relative")], "it is not the address of a docker engine"),
        ([ContextSpec("ctx", host="tcp://")], "it is not the address of a docker engine"),
        ([ContextSpec("ctx", host="unix:///a"), ContextSpec("ctx", host="unix:///b")], "listed twice"),
        ([ContextSpec("ctx-a", current="always"), ContextSpec("ctx-b", current="always")], "both ask for current: always"),
    ],
)
def test_invalid_contexts_are_refused(wanted: list[ContextSpec], said: str) -> None:
    with pytest.raises(InputError, match=re.escape(said)):
        check_wanted(wanted)


@pytest.mark.parametrize(
    ("wanted", "chosen", "said"),
    [
        ([ContextSpec("new")], None, "Could not create docker context 'new': it has no endpoint."),
        ([], "nowhere", "Could not make docker context 'nowhere' current: that context does not exist."),
    ],
)
def test_a_context_that_docker_could_not_use_is_refused(wanted: list[ContextSpec], chosen: str | None, said: str) -> None:
    with pytest.raises(InputError, match=re.escape(said)):
        plan_contexts(store(A, B), tuple(wanted), chosen)
