# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether the laptop keeps the team's policy: its settings, and what its profiles and programs really are."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import partial

from ..colima.model.config import nested
from ..core.errors import WorkstationError
from ..policy.judge import Violation, violations, wrong_version
from ..policy.rules import Rule, rule_of
from ..toolchain.read import version_output
from .laptop import Bounded, Laptop
from .model import Check, CheckKind

FILE = CheckKind("policy.file", "whether the policy of the team can be read")
SETTINGS = CheckKind("policy.settings", "whether the settings keep the policy")
LIVE = CheckKind("policy.profile", "whether a running profile is as the policy allows")
TOOLS = CheckKind("policy.tool", "whether a program has a version that the policy allows")
KINDS = (FILE, SETTINGS, LIVE, TOOLS)

_PROFILES = "colima_profiles"


def examine(laptop: Laptop) -> Iterator[Check]:
    """Yield the checks; none without a policy."""
    policy = laptop.policy
    if policy.get("problem"):
        yield FILE.broken(policy["problem"], "Correct the file: until then runs change nothing.")
        return
    rules = [rule_of(rule) for rule in policy.get("rules", ())]
    if not rules:
        return
    yield from _settings(policy["settings"], len(rules))
    yield from _tools(laptop, [rule for rule in rules if rule.tool])
    of_profiles = [rule for rule in rules if rule.path and rule.path.setting == _PROFILES and rule.path.parts]
    if of_profiles and laptop.has("colima_profile"):
        yield from _profiles(laptop, of_profiles)


def _settings(broken: Sequence[Mapping[str, str]], rules: int) -> Iterator[Check]:
    for setting in broken:
        yield SETTINGS.broken(setting["found"], setting["remedy"])
    if not broken:
        yield SETTINGS.ok(f"they keep {rules} rule{'s' if rules > 1 else ''}")


def _profiles(laptop: Laptop, rules: list[Rule]) -> Iterator[Check]:
    try:
        profiles = laptop.profiles()
    except WorkstationError as error:
        yield LIVE.unknown(error.complaint, error.remedy)
        return
    for name, current in profiles.items():
        if not current.exists or current.known is None:
            continue
        there = {**nested(current.known), "name": str(name)}
        broken = [found for rule in rules for found in violations(rule, [there])]
        for found in broken:
            yield LIVE.broken(found.found, _remedy(laptop, found), str(name))
        if not broken:
            yield LIVE.ok("as the policy allows", str(name))


def _tools(laptop: Laptop, rules: list[Rule]) -> Iterator[Check]:
    for rule in rules:
        try:
            answer = laptop.once(("version", rule.tool), partial(version_output, rule.tool, Bounded))
        except WorkstationError as error:
            yield TOOLS.unknown(error.complaint, error.remedy, rule.tool)
            continue
        if not answer:
            continue
        broken = [*wrong_version(rule, answer)]
        for found in broken:
            yield TOOLS.broken(found.found, found.remedy, rule.tool)
        if not broken:
            yield TOOLS.ok("a version that the policy allows", rule.tool)


def _remedy(laptop: Laptop, found: Violation) -> str:
    return f"{found.remedy} {laptop.converge('colima')}"
