# SPDX-License-Identifier: GPL-3.0-or-later
"""Invalid options: what is said of them, and that nothing else is objected to."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.laptop.containers.plugins.module_utils.colima.task import Profiles
from ansible_collections.laptop.containers.plugins.module_utils.core.entries import in_state
from ansible_collections.laptop.containers.plugins.module_utils.core.options import problems

BAD: dict[str, tuple[dict[str, Any], str]] = {
    "runtime": (
        {"profiles": [{"name": "dev", "runtime": "podman"}]},
        "'podman' as 'runtime' of 'dev' in 'profiles': it is not a choice. Use one of docker, containerd, incus, none.",
    ),
    "runtime of the only profile": (
        {"name": "dev", "runtime": "podman"},
        "'podman' as 'runtime': it is not a choice. Use one of docker, containerd, incus, none.",
    ),
    "state of the second": (
        {"profiles": [{"name": "dev"}, {"state": "off"}]},
        "'off' as 'state' of entry 2 in 'profiles': it is not a choice. Use one of started, stopped, present, absent.",
    ),
    "kubernetes": (
        {"profiles": [{"name": "dev", "kubernetes": True}]},
        "'kubernetes' of 'dev' in 'profiles': it is true or false, not a mapping. Write {enabled: true}.",
    ),
    "mode of a script": (
        {"name": "dev", "provision": [{"mode": "later", "script": "x"}]},
        "'later' as 'mode' of entry 1 in 'provision': it is not a choice. "
        "Use one of system, user, boot, dependency, after-boot, ready.",
    ),
    "network mode": (
        {"name": "dev", "network": {"mode": "x"}},
        "'x' as 'mode' of 'network': it is not a choice. Use one of shared, bridged.",
    ),
    "profiles by name": (
        {"profiles": ["dev"]},
        "'profiles': entry 1 is a text, not a mapping. Write its options as 'option: value', one a line.",
    ),
    "profiles as a mapping": ({"profiles": {"dev": {}}}, "'profiles': it is a mapping, not a list. Begin each entry with '- '."),
    "profiles as JSON behind -e profiles=": (
        {"profiles": '[{"name": "dev"}]'},
        """'profiles': it is a text, not a list. Write it as '- ' entries, or behind -e as '{"profiles": [...]}'.""",
    ),
    "cpu in words": (
        {"name": "dev", "cpu": "many"},
        "'many' as 'cpu': it is not a whole number. Use one such as 4.",
    ),
    "endless disk": (
        {"name": "dev", "disk": float("inf")},
        "'inf' as 'disk': it is not a whole number. Use one such as 4.",
    ),
    "memory": ({"name": "dev", "memory": float("nan")}, "'nan' as 'memory': it is not a number. Use one such as 1.5."),
    # What is in it is not shown.
    "env": ({"name": "dev", "env": ["TOKEN=x"]}, "'env': it is a list, not a mapping. Write its options as 'option: value'."),
}


@pytest.mark.parametrize(("options", "message"), BAD.values(), ids=list(BAD))
def test_what_no_module_could_take_is_one_sentence_with_a_next_step(options: dict[str, Any], message: str) -> None:
    assert [problem.sentence for problem in problems(Profiles.argument_spec, options)] == [f"Could not use {message}"]


@pytest.mark.parametrize("given", ["bash,zhs", ["bash", "zhs"]])
def test_a_choice_in_a_list_is_named_whether_the_list_has_commas_or_entries(given: Any) -> None:
    spec = {"completion": {"type": "list", "elements": "str", "choices": ["bash", "zsh"]}}
    (problem,) = problems(spec, {"completion": given})
    assert problem.sentence == "Could not use 'zhs' as 'completion': it is not a choice. Use one of bash, zsh."


def test_mappings_whose_options_a_specification_does_not_say_are_left_to_their_module() -> None:
    assert not problems({"profiles": {"type": "list", "elements": "dict"}}, {"profiles": [{"name": "dev", "cpu": 1}]})


def test_what_ansible_can_make_something_of_is_left_to_it() -> None:
    fine = {
        "profiles": [{"name": "dev", "cpu": "2", "memory": "1.5", "runtime": "none", "disk": None, "env": {"A": True}}],
        "confirm_data_loss": "dev,k8s",
        "delete_data": "yes",
        "host": "cpus=4",
        "network": {"dns": "1.1.1.1"},
        "restart": "if_idle",
    }
    assert problems(Profiles.argument_spec, fine) == []


def test_the_state_of_a_task_is_that_of_its_entries_only_where_it_is_absent() -> None:
    entries = [{"name": "a", "state": "stopped"}, {"name": "b"}]
    assert in_state(entries, "present") == entries
    assert in_state(entries, "absent") == [{"name": name, "state": "absent"} for name in "ab"]
