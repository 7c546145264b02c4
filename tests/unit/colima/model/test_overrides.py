# SPDX-License-Identifier: GPL-3.0-or-later
"""One setting of one profile is changed by its name, and nothing else of the list."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.laptop.containers.plugins.module_utils.colima.model.options import profile_options, profiles_from
from ansible_collections.laptop.containers.plugins.module_utils.colima.model.overrides import overridden
from ansible_collections.laptop.containers.plugins.module_utils.colima.task import Profiles
from ansible_collections.laptop.containers.plugins.module_utils.core.defaults import complete
from ansible_collections.laptop.containers.plugins.module_utils.core.errors import InputError

SPEC = profile_options(name_required=True)
PROFILES: list[dict[str, Any]] = [
    {"name": "k8s", "runtime": "containerd", "kubernetes": {"enabled": True, "version": "v1.35.0"}},
    {"name": "docker-buildx", "runtime": "docker", "mounts": [{"location": "~", "writable": True}]},
]


def test_one_setting_is_changed_and_all_others_stay() -> None:
    found = overridden(PROFILES, {"docker-buildx": {"memory": "8"}, "colima-k8s": {"kubernetes": {"version": "v1.36.0"}}}, SPEC)
    assert found == [
        {"name": "k8s", "runtime": "containerd", "kubernetes": {"enabled": True, "version": "v1.36.0"}},
        {**PROFILES[1], "memory": 8.0},
    ]


def test_a_list_is_replaced() -> None:
    found = overridden(PROFILES, {"docker-buildx": {"mounts": [{"location": "/src"}]}}, SPEC)
    assert found[1]["mounts"] == [{"location": "/src", "mount_point": None, "writable": False}]


def test_without_overrides_the_list_is_what_it_was() -> None:
    assert overridden(PROFILES, {}, SPEC) == PROFILES


def test_everything_that_is_wrong_is_said_at_once() -> None:
    wrong = {"docker-bildx": {"memory": 8}, "k8s": {"memroy": 8, "cpu": "many"}, "docker-buildx": [8]}
    with pytest.raises(InputError) as caught:
        overridden(PROFILES, wrong, SPEC)
    assert caught.value.context["refusals"] == [
        "Could not override profile 'docker-bildx': O(profiles) does not have it. Did you mean 'docker-buildx'?",
        "Could not override profile 'k8s' by option 'memroy': it is unknown. Did you mean 'memory'?",
        "Could not override profile 'k8s' by 'many' as 'cpu': it is not a whole number. Use one such as 4.",
        "Could not override profile 'docker-buildx': it is a list, not a mapping. Write 'option: value' below it.",
    ]


def test_a_profile_is_overridden_under_one_of_its_names() -> None:
    with pytest.raises(InputError) as caught:
        overridden(PROFILES, {"k8s": {"cpu": 2}, "colima-k8s": {"cpu": 4}}, SPEC)
    assert caught.value.context["refusals"] == [
        "Could not override profile 'k8s' twice: 'colima-k8s' is the same profile. Write everything below one of them."
    ]


def test_an_override_without_a_value_is_refused() -> None:
    with pytest.raises(InputError) as caught:
        overridden(PROFILES, {"k8s": {"memory": None, "kubernetes": {"version": None}, "docker": {"any": None}}}, SPEC)
    assert caught.value.context["refusals"] == [
        "Could not override 'memory' of profile 'k8s': it has no value. Give it one, or remove the line.",
        "Could not override 'kubernetes.version' of profile 'k8s': it has no value. Give it one, or remove the line.",
    ]


def test_the_profiles_of_a_run_have_their_overrides() -> None:
    params = complete(Profiles.argument_spec, {"profiles": PROFILES, "overrides": {"k8s": {"cpu": 3}}, "state": "started"})
    assert [(one["name"], one["cpu"]) for one in profiles_from(params)] == [("k8s", 3), ("docker-buildx", None)]


def test_secrets_among_overrides_are_known() -> None:
    params = {"profiles": PROFILES, "overrides": {"k8s": {"env": {"TOKEN": "s3cret-token"}}}}
    assert "s3cret-token" in Profiles().secrets(params)
