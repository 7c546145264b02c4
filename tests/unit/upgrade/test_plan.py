# SPDX-License-Identifier: GPL-3.0-or-later
"""What an upgrade does and what waits, by the current state: a plan, without any program."""

from __future__ import annotations

from dataclasses import replace

import pytest
from ansible_collections.laptop.containers.plugins.module_utils.policy.rules import rule_of
from ansible_collections.laptop.containers.plugins.module_utils.upgrade.model import (
    PROGRAMS,
    NewerVersion,
    PackageManager,
    UpgradeSpec,
    UpgradeState,
)
from ansible_collections.laptop.containers.plugins.module_utils.upgrade.plan import plan_upgrade

COLIMA = NewerVersion("colima", "colima", PackageManager.HOMEBREW, "0.9.1", "0.10.3")
LIMA = NewerVersion("limactl", "lima", PackageManager.HOMEBREW, "1.2.2", "2.1.4_1")
DOCKER = NewerVersion("docker", "docker", PackageManager.HOMEBREW, "28.2.2", "29.1.0")
PACKAGED = NewerVersion("docker", "docker-cli", PackageManager.APT, "26.1.5+dfsg1-9", "26.1.5+dfsg1-10")
ALLOWED, FORBIDDEN = UpgradeSpec(PROGRAMS, True), UpgradeSpec(PROGRAMS, False)


def test_vms_are_stopped_only_with_the_word_for_it() -> None:
    found = UpgradeState((LIMA, COLIMA, DOCKER), running=("docker-buildx", "k8s"))
    without = plan_upgrade(FORBIDDEN, found)
    assert without.actions == ["upgrade 'docker' (28.2.2 to 29.1.0)"]
    assert [(one.target, one.kind) for one in without.pending] == [("'limactl'", "running"), ("'colima'", "running")]
    assert "profiles 'docker-buildx' and 'k8s' run on it" in str(without.pending[0])
    assert plan_upgrade(ALLOWED, found).actions == [
        "stop profile 'docker-buildx' (everything in it stays)",
        "stop profile 'k8s' (everything in it stays)",
        "upgrade 'limactl' (1.2.2 to 2.1.4_1)",
        "upgrade 'colima' (0.9.1 to 0.10.3)",
        "upgrade 'docker' (28.2.2 to 29.1.0)",
        "start profile 'docker-buildx'",
        "start profile 'k8s'",
    ]


@pytest.mark.parametrize(
    "found",
    [
        # Nothing under the VMs is upgraded.
        UpgradeState((DOCKER,), running=("k8s",)),
        # Nothing runs.
        UpgradeState((COLIMA,)),
        # What is under them is held back.
        UpgradeState((replace(COLIMA, held=True), DOCKER), running=("k8s",)),
    ],
)
def test_no_vm_is_stopped_for_nothing(found: UpgradeState) -> None:
    plan = plan_upgrade(ALLOWED, found)
    assert len(plan.steps) == 1 and plan.actions[0].startswith("upgrade")


@pytest.mark.parametrize(
    ("newer", "kind", "says"),
    [
        (replace(COLIMA, held=True), "held", "Run 'brew unpin colima', then again."),
        (PACKAGED, "password", "Run 'sudo apt-get install --only-upgrade docker-cli', or where sudo asks for none, use"),
        (replace(PACKAGED, held=True), "held", "Run 'sudo apt-mark unhold docker-cli', then again."),
        (replace(LIMA, installed="0.23.2", candidate="1.0.0"), "breaks", "https://github.com/lima-vm/lima/pull/2864"),
    ],
)
def test_what_waits_says_why_and_what_helps(newer: NewerVersion, kind: str, says: str) -> None:
    plan = plan_upgrade(ALLOWED, UpgradeState((newer,)))
    (one,) = plan.pending
    assert (plan.actions, one.kind) == ([], kind)
    assert says in str(one) and newer.change in str(one)


def test_a_version_that_the_policy_forbids_waits() -> None:
    rule = rule_of({"tool": "colima", "maximum": "0.9.9", "reason": "We wait", "contact": "Ann", "at": "policy.yml:3"})
    spec = replace(ALLOWED, rules=(rule,))
    plan = plan_upgrade(spec, UpgradeState((COLIMA, DOCKER), running=("k8s",)))
    (one,) = plan.pending
    assert (plan.actions, one.kind) == (["upgrade 'docker' (28.2.2 to 29.1.0)"], "policy")
    assert "at most 0.9.9 (policy.yml:3)" in str(one) and "Reason: We wait. Contact: Ann." in str(one)
    # One that it forbids already does not keep it.
    assert plan_upgrade(spec, UpgradeState((replace(COLIMA, installed="0.10.1"),))).actions


def test_what_an_upgrade_crosses_is_told_before_it() -> None:
    plan = plan_upgrade(ALLOWED, UpgradeState((replace(COLIMA, installed="0.8.1", candidate="0.11.0"), DOCKER)))
    assert [text.split(":")[0] for text in plan.warnings] == [
        "colima from 0.8.1 to 0.11.0",
        "colima from 0.8.1 to 0.11.0",
        "colima 0.11.0",
    ]
    assert plan_upgrade(ALLOWED, UpgradeState((COLIMA,))).warnings == ()
    # Nothing is said of what is not going to be.
    assert plan_upgrade(FORBIDDEN, UpgradeState((replace(COLIMA, installed="0.8.1"),), running=("k8s",))).warnings == ()


def test_a_version_without_a_number_is_upgraded_all_the_same() -> None:
    assert plan_upgrade(ALLOWED, UpgradeState((replace(COLIMA, installed="HEAD-1234", candidate="HEAD"),))).actions


def test_the_way_back_is_a_command() -> None:
    assert COLIMA.back == 'brew unlink colima && ln -s "$(brew --cellar)"/colima/0.9.1/bin/* "$(brew --prefix)"/bin/'
    assert "lib/docker/cli-plugins/*" in replace(COLIMA, program="docker-buildx", package="docker-buildx").back
    kept = replace(PACKAGED, kept="docker-cli=26.1.5+dfsg1-9")
    assert kept.back == "sudo apt-get install --allow-downgrades docker-cli=26.1.5+dfsg1-9"
    assert PACKAGED.back == ""


def test_with_the_rights_of_root_apt_upgrades_and_says_what_it_means() -> None:
    spec = replace(FORBIDDEN, become=True)
    plan = plan_upgrade(spec, UpgradeState((PACKAGED,), root=True))
    assert plan.actions == ["upgrade 'docker' (26.1.5+dfsg1-9 to 26.1.5+dfsg1-10)"]
    assert "apt has no copy of 26.1.5+dfsg1-9, so there will be no way back to it" in plan.warnings[0]
    engine = replace(PACKAGED, package="docker.io", kept="docker.io=26.1.5+dfsg1-9")
    (warning,) = plan_upgrade(spec, UpgradeState((engine,), root=True)).warnings
    assert warning.endswith("docker.io restarts the docker engine and its containers")
    (waits,) = plan_upgrade(spec, UpgradeState((PACKAGED,))).pending
    assert waits.remedy == "Run 'sudo apt-get install --only-upgrade docker-cli'." and "sudo asks" in waits.reason
    # What rests on a VM waits for the word as it does with Homebrew.
    lima = NewerVersion("limactl", "lima", PackageManager.APT, "1.2.1", "1.2.2", kept="lima=1.2.1")
    assert plan_upgrade(spec, UpgradeState((lima,), running=("k8s",), root=True)).pending[0].kind == "running"
