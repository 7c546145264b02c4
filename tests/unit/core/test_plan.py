# SPDX-License-Identifier: GPL-3.0-or-later
"""Plans as values."""

from __future__ import annotations

import pytest
from ansible_collections.laptop.containers.plugins.module_utils.core.plan import (
    Pending,
    Plan,
    Step,
    merge,
    size_in_words,
)

WAITS = Pending("profile 'k8s'", "cpu 2 -> 4", "2 containers run", "Stop them, or set restart to always.")


def test_a_plan_without_steps_changes_nothing_and_shows_no_difference() -> None:
    plan = Plan(before={"a": 1}, after={"a": 2}, pending=(WAITS,))
    assert not plan.changed
    assert plan.diff == {"before": {}, "after": {}}


def test_steps_read_as_sentences() -> None:
    plan = Plan((Step("start", "profile 'k8s'"), Step("update", "context 'x'", "a -> b")), {"x": "a"}, {"x": "b"})
    assert plan.changed
    assert plan.actions == ["start profile 'k8s'", "update context 'x' (a -> b)"]
    assert plan.diff == {"before": {"x": "a"}, "after": {"x": "b"}}


def test_merged_plans_keep_their_order_and_warn_once() -> None:
    one = Plan((Step("stop", "a"),), {"a": 1}, {"a": 2}, warnings=("w",))
    two = Plan((Step("start", "b"),), {"b": 1}, {"b": 2}, pending=(WAITS,), warnings=("w",))
    both = merge([one, two])
    assert both.actions == ["stop a", "start b"]
    assert (dict(both.before), both.pending, both.warnings) == ({"a": 1, "b": 1}, (WAITS,), ("w",))


def test_a_pending_change_says_why_and_how() -> None:
    assert str(WAITS) == "profile 'k8s': cpu 2 -> 4 is pending because 2 containers run. Stop them, or set restart to always."
    assert WAITS.public()["reason"] == "2 containers run"


@pytest.mark.parametrize(
    ("size", "words"), [(0, "0 bytes"), (1023, "1023 bytes"), (1 << 20, "1 MiB"), (3 << 29, "1.5 GiB"), (1 << 50, "1024.0 TiB")]
)
def test_sizes_in_words(size: int, words: str) -> None:
    assert size_in_words(size) == words
