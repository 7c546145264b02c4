# SPDX-License-Identifier: GPL-3.0-or-later
"""What is planned for each laptop that may be met."""

from __future__ import annotations

from dataclasses import replace

import pytest
from ansible_collections.laptop.containers.plugins.module_utils.bootstrap.environment import (
    Build,
    EnvironmentSpec,
    EnvironmentState,
    Fetch,
    Python,
    Remove,
    new_name,
    parse,
    plan,
)

DESIRED = EnvironmentSpec(directory="~/d", digest="new", lock="lock", uv_lock="uv", python="", fetch=True, present=True)
BARE = EnvironmentState(directory="/h/d", system="Darwin")
APPLES = Python("/usr/bin/python3", (3, 9, 6), whole=True)
HOMEBREWS = Python("/opt/homebrew/bin/python3.13", (3, 13, 5), whole=True)
DEBIANS = Python("/usr/bin/python3.11", (3, 11, 2), whole=False)
TARGET = "Python environment '/h/d/python'"


def test_the_newest_python_that_suits_is_built_on() -> None:
    newer = Python("/usr/bin/python3.15", (3, 15, 0), whole=True)
    older = Python("/usr/bin/python3.12", (3, 12, 9), whole=True)
    (step,) = plan(DESIRED, replace(BARE, pythons=(APPLES, older, HOMEBREWS, newer, DEBIANS))).steps
    assert isinstance(step, Build)
    assert (str(step), step.python) == (f"make {TARGET} (Python 3.13.5)", HOMEBREWS.path)


def test_an_environment_that_is_as_it_should_be_is_left_alone() -> None:
    assert plan(DESIRED, replace(BARE, digest="new", version="3.11.2", made=("python-new-1",))).steps == ()


def test_other_libraries_are_an_update() -> None:
    found = plan(DESIRED, replace(BARE, digest="old", version="3.11.2", made=("python-old-1",), pythons=(HOMEBREWS,)))
    assert found.actions == [f"update {TARGET} (Python 3.13.5)"]
    assert found.diff == {"before": {"python": "3.11.2, libraries old"}, "after": {"python": "3.13.5, libraries new"}}


@pytest.mark.parametrize(("uv", "python"), [("", APPLES.path), ("/opt/homebrew/bin/uv", "")])
def test_where_only_the_systems_python_is_there_one_is_fetched(uv: str, python: str) -> None:
    fetch, build = plan(DESIRED, replace(BARE, pythons=(APPLES,), uv=uv)).steps
    assert isinstance(fetch, Fetch) and isinstance(build, Build)
    assert (str(fetch), fetch.uv, fetch.python) == ("fetch Python 3.13 into '/h/d/fetched'", uv, python)
    assert (str(build), build.python) == (f"make {TARGET} (Python 3.13)", "")


@pytest.mark.parametrize(
    ("spec", "current", "sentence"),
    [
        (
            {"fetch": False},
            {"pythons": (APPLES,), "brew": True},
            "the laptop has no Python 3.11 to 3.14, only /usr/bin/python3 (3.9.6). "
            "Run 'brew install python@3.13' there, or set O(fetch=true).",
        ),
        (
            {"fetch": False},
            {"pythons": (APPLES,)},
            "the laptop has no Python 3.11 to 3.14, only /usr/bin/python3 (3.9.6). Install Homebrew there, which asks for your "
            'password: /bin/bash -c "$(curl -fsSL https://raw.githubusercontent.com/Homebrew/install/HEAD/install.sh)", '
            "then run 'brew install python@3.13', or set O(fetch=true).",
        ),
        (
            {},
            {"system": "Linux"},
            "the laptop has no Python 3.11 to 3.14. "
            "Install one there ('sudo apt-get install python3 python3-venv', 'sudo dnf install python3').",
        ),
        (
            {},
            {"system": "Linux", "pythons": (DEBIANS,)},
            "/usr/bin/python3.11 lacks the modules venv and ensurepip. Run 'sudo apt-get install python3.11-venv' there.",
        ),
        ({"python": "~/py"}, {"unusable": "/h/py"}, "/h/py does not run. Correct O(python)."),
        (
            {"python": APPLES.path},
            {"pythons": (APPLES,)},
            "/usr/bin/python3 is Python 3.9.6, and 3.11 to 3.14 are supported. Correct O(python), or leave it empty.",
        ),
        ({}, {"foreign": True, "pythons": (HOMEBREWS,)}, "something else is there. Move it away, or set O(directory)."),
    ],
)
def test_a_refusal_names_the_command_that_helps(spec: dict[str, object], current: dict[str, object], sentence: str) -> None:
    (refusal,) = plan(replace(DESIRED, **spec), replace(BARE, **current)).refusals  # type: ignore[arg-type]
    assert refusal.message == f"Could not make {TARGET}: {sentence}"


def test_what_was_made_or_fetched_is_removed_and_nothing_else() -> None:
    absent = replace(DESIRED, present=False)
    assert plan(absent, BARE).steps == plan(absent, replace(BARE, foreign=True)).steps == ()
    for found in (replace(BARE, made=("python-old-1",)), replace(BARE, fetched=True)):
        (step,) = plan(absent, found).steps
        assert isinstance(step, Remove) and str(step) == f"remove {TARGET}"


def test_the_answer_of_the_shell_is_understood() -> None:
    said = (
        "directory\t/h/d\t\nlink\tpython-a-1\t\nmade\tpython-a-1\t\nmade\tpython-b-2\t\ncurrent\told\t3.11.2\t\nsystem\tLinux\t\nbrew\t\n"
        "uv\t/b/uv\t\npython\t/usr/bin/python3\t3.9.6\twhole\t\npython\t/usr/bin/python3.11\t3.11.2\tpartial\t\n"
        "python\t/usr/bin/python3\t3.9.6\twhole\t\n"
    )
    assert parse(said) == EnvironmentState(
        "/h/d", "old", "3.11.2", ("python-a-1", "python-b-2"), system="Linux", brew=True, uv="/b/uv", pythons=(APPLES, DEBIANS)
    )


def test_no_two_environments_have_the_same_name() -> None:
    assert new_name("a") != new_name("a")


def test_a_folder_of_another_program_is_never_fetched_into() -> None:
    (refusal,) = plan(DESIRED, replace(BARE, pythons=(APPLES,), uv="/bin/uv", foreign_fetched=True)).refusals
    assert refusal.message == (
        "Could not fetch Python 3.13: something else is at '/h/d/fetched'. "
        "Move it away, set O(directory), or install a Python there."
    )
