# SPDX-License-Identifier: GPL-3.0-or-later
"""The language of policies: what a file may say, and which values keep it."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.laptop.containers.plugins.module_utils.core.errors import InputError
from ansible_collections.laptop.containers.plugins.module_utils.policy.judge import violations, wrong_version
from ansible_collections.laptop.containers.plugins.module_utils.policy.path import LEFT_OUT, path_from
from ansible_collections.laptop.containers.plugins.module_utils.policy.rules import Rule, rule_of, rules_from

MEMORY = "colima_profiles[].memory"
PROFILES = [{"name": "k8s", "runtime": "containerd", "memory": 4.0}, {"name": "build", "runtime": "docker", "memory": 32.0}]


def one_rule(about: str, **conditions: Any) -> Rule:
    document = {"contact": "Ann", "rules": [{"setting": about, **conditions, "reason": "because"}]}
    return rules_from(document, "policy.yml", (3,))[0]


def names(rule: Rule, value: Any) -> list[str]:
    return [found.name for found in violations(rule, value)]


@pytest.mark.parametrize(
    ("conditions", "kept", "broken"),
    [
        ({"value": True}, [True, "yes", "on"], [False, "no", 1, None, LEFT_OUT]),
        ({"value": 4}, [4, 4.0, "4", " 4"], [5, "four", True, LEFT_OUT]),
        ({"value": ["a", "b"]}, [["a", "b"], ("a", "b")], [["b", "a"], ["a"], "a,b"]),
        ({"value": {"a": 1}}, [{"a": "1"}], [{"a": 1, "b": 2}, {}]),
        ({"value": ""}, [""], ["x", LEFT_OUT]),
        ({"minimum": 2}, [2, "2.5", 1e9], [1.9, "no", True, float("nan"), float("inf"), LEFT_OUT]),
        ({"maximum": 16}, [16, -1, "1e1"], [16.1, float("nan"), "-inf", "16 GiB", [1], LEFT_OUT]),
        ({"minimum": 2, "maximum": 4}, [2, 3, 4], [1, 5]),
        ({"allowed": ["if_idle", "never"]}, ["if_idle", ["never"], []], ["always", "If_idle", ["never", "always"], LEFT_OUT]),
        ({"must_contain": ["http://m"]}, [["x", "http://m"], {"http://m": 1}, "to http://m/"], [[], "m", LEFT_OUT]),
        ({"forbidden": ["privileged"]}, [{}, [], "", LEFT_OUT, {"x": {"y": [1]}}], [
            {"privileged": False}, {"Privileged": True}, {"x": [{"y": {"privileged": 0}}]}, ["privileged"], "run --privileged",
        ]),
    ],
)  # fmt: skip
def test_values_keep_or_break_a_condition(conditions: dict[str, Any], kept: list[Any], broken: list[Any]) -> None:
    rule = one_rule("some_setting", **conditions)
    assert [value for value in kept if names(rule, value)] == []
    assert [value for value in broken if not names(rule, value)] == []


@pytest.mark.parametrize(
    ("path", "value", "broken"),
    [
        (MEMORY, PROFILES, [PROFILES[1]["name"]]),
        (MEMORY, [{"name": "a"}, {"memory": 99}], ["a", 2]),
        (MEMORY, [], []),
        (MEMORY, None, []),
        (MEMORY, {"name": "one", "memory": 64}, ["one"]),
        ("colima_profiles[runtime=docker].memory", PROFILES, ["build"]),
        ("colima_profiles[runtime=containerd].memory", PROFILES, []),
        # It may become one.
        ("colima_profiles[runtime=docker].memory", [{"name": "a", "memory": 64}], ["a"]),
        ("colima_profiles[name=build].memory", [{"name": "colima-build", "memory": 64}], ["colima-build"]),
        ("colima_profiles[name=k8s].memory", [{"name": "build", "memory": 64}], []),
    ],
)
def test_a_path_leads_to_entries_of_a_list(path: str, value: Any, broken: list[Any]) -> None:
    assert names(one_rule(path, maximum=16), value) == [f"colima_profiles[{one}].memory" for one in broken]


def test_a_path_leads_into_mappings() -> None:
    rule = one_rule("a.b-c.d", value=1)
    assert names(rule, {"b-c": {"d": 1}}) == []
    others: list[Any] = [{"b-c": {"d": 2}}, {"b-c": {}}, {}, {"b-c": "text"}, LEFT_OUT]
    for other in others:
        assert names(rule, other) == ["a.b-c.d"]
    assert str(path_from("a[].b[name=x].c")) == "a[].b[name=x].c"


def test_a_violation_names_value_rule_reason_and_contact() -> None:
    (found,) = violations(one_rule(MEMORY, maximum=16), PROFILES)
    assert found.sentence == (
        "Could not use 32 as 'colima_profiles[build].memory': the policy allows at most 16 (policy.yml:3). Reason: because. "
        "Contact: Ann."
    )
    (found,) = violations(one_rule(MEMORY, maximum=16), [{"name": "a"}])
    assert found.sentence.startswith("Could not leave out 'colima_profiles[a].memory': the policy allows at most 16")


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("p[].env.TOKEN", [{"env": {"TOKEN": "canary"}}]),
        ("p[].env.X", [{"env": {"X": "canary"}}]),
        ("p.password", {"password": "canary"}),
        ("p.mirror", {"mirror": "https://me:canary@host"}),
        ("p", {"deep": ["canary" * 20]}),
    ],
)
def test_no_message_holds_a_secret(path: str, value: Any) -> None:
    (found,) = violations(one_rule(path, value="other"), value)
    assert "canary" not in found.sentence + found.found


@pytest.mark.parametrize(
    ("conditions", "kept", "broken"),
    [
        ({"minimum": "0.8.1"}, ["colima version 0.8.1\ngit commit: 1", "0.10.0", "v1.0"], ["0.8.0", "0.8", "HEAD-5a"]),
        ({"maximum": "27.5"}, ["Docker version 27.5.0, build x"], ["27.5.1", ""]),
        ({"allowed": ["1.2.3", "1.3.0"]}, ["1.2.3", "1.3"], ["1.2.4"]),
        ({"value": "1.2.3"}, ["1.2.3"], ["1.2.4"]),
    ],
)
def test_versions_of_tools(conditions: dict[str, Any], kept: list[str], broken: list[str]) -> None:
    document = {"contact": "Ann", "rules": [{"tool": "colima", **conditions, "reason": "because"}]}
    (rule,) = rules_from(document, "policy.yml")
    assert [said for said in kept if [*wrong_version(rule, said)]] == []
    assert [said for said in broken if not [*wrong_version(rule, said)]] == []
    assert rule_of(rule.public()) == rule


GOOD = {"setting": "a", "value": 1, "reason": "because"}


@pytest.mark.parametrize(
    ("document", "said"),
    [
        (None, "it has no rules"),
        ([GOOD], "it is a list, not a mapping"),
        ({"contact": "Ann"}, "lacks 'rules'"),
        ({"contact": "Ann", "rules": []}, "lacks 'rules'"),
        ({"rules": [GOOD]}, "lacks 'contact'"),
        ({"contact": "Ann", "rules": [GOOD], "rule": 1}, "'rule' is unknown. Did you mean 'rules'?"),
        ({"contact": "Ann", "rules": ["a"]}, "not a mapping (policy.yml, rule 1)"),
        ({"contact": "Ann", "rules": [{**GOOD, "maximun": 1}]}, "'maximun' of a rule is unknown. Did you mean 'maximum'?"),
        ({"contact": "Ann", "rules": [{"setting": "a", "value": 1}]}, "lacks 'reason'"),
        ({"contact": "Ann", "rules": [{"setting": "a", "reason": "b"}]}, "allows everything"),
        ({"contact": "Ann", "rules": [{**GOOD, "tool": "colima"}]}, "either 'setting' or 'tool'"),
        ({"contact": "Ann", "rules": [{"value": 1, "reason": "b"}]}, "either 'setting' or 'tool'"),
        ({"contact": "Ann", "rules": [{"setting": "a..b", "value": 1, "reason": "b"}]}, "it is not a path"),
        ({"contact": "Ann", "rules": [{"setting": "a[b", "value": 1, "reason": "b"}]}, "it is not a path"),
        ({"contact": "Ann", "rules": [{"setting": "a", "maximum": "lots", "reason": "b"}]}, "'maximum' lots is not a number"),
        ({"contact": "Ann", "rules": [{"setting": "a", "minimum": 5, "maximum": 4, "reason": "b"}]}, "above 'maximum' 4"),
        ({"contact": "Ann", "rules": [{**GOOD, "minimum": 4}]}, "leaves nothing for other conditions"),
        ({"contact": "Ann", "rules": [{"setting": "a", "allowed": "x", "reason": "b"}]}, "'allowed' is not a list"),
        ({"contact": "Ann", "rules": [{"setting": "a", "forbidden": [{}], "reason": "b"}]}, "something else than texts"),
        ({"contact": "Ann", "rules": [{**GOOD, "value": None}]}, "'value' has no value"),
        ({"contact": "Ann", "rules": [{**GOOD, "value": "{{ x }}"}]}, "a policy has none"),
        ({"contact": "Ann", "rules": [{"tool": "colma", "value": "1.2", "reason": "b"}]}, "Did you mean 'colima'?"),
        ({"contact": "Ann", "rules": [{"tool": "colima", "minimum": 0.8, "reason": "b"}]}, "in quotes"),
        ({"contact": "Ann", "rules": [{"tool": "colima", "forbidden": ["x"], "reason": "b"}]}, "says nothing of a version"),
    ],
)
def test_a_mistake_in_a_policy_is_named(document: Any, said: str) -> None:
    with pytest.raises(InputError) as error:
        rules_from(document, "policy.yml")
    assert said in error.value.message
    assert error.value.message.startswith("Could not use policy 'policy.yml': ")


def test_all_mistakes_are_named_with_their_lines() -> None:
    with pytest.raises(InputError) as error:
        rules_from({"contact": "Ann", "rules": [{"setting": "a", "reason": "b"}, {"tool": "colima"}]}, "policy.yml", (3, 7))
    assert "(policy.yml:3)" in error.value.message
    assert "(policy.yml:7)" in error.value.message
