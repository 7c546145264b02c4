# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import json
import time
from pathlib import Path

import pytest
from ansible_collections.laptop.containers.plugins.module_utils.colima.carry_out.progress import Progress, is_past_race, phase_of
from ansible_collections.laptop.containers.plugins.module_utils.colima.client.failures import (
    StartRepair,
    explained,
    hint_for,
    last_message,
    repair_for,
)
from ansible_collections.laptop.containers.plugins.module_utils.colima.model.answers import ListedProfile
from ansible_collections.laptop.containers.plugins.module_utils.colima.model.state import (
    ABSENT,
    DAMAGED,
    STOPPED,
    DataDisk,
    ProfileFiles,
    ProfileState,
    health_of,
)
from ansible_collections.laptop.containers.plugins.module_utils.colima.observe.idle import (
    orphans,
    running_instances,
    user_containers,
)
from ansible_collections.laptop.containers.plugins.module_utils.colima_paths import parse_name
from ansible_collections.laptop.containers.plugins.module_utils.core.errors import CommandFailed, InputError, ToolMissing

T = 'time="2026-11-23T21:44:49Z"'


NOTHING, SETTINGS, LEFT, ALL = (
    ProfileFiles(False, False, False),
    ProfileFiles(False, False, True),
    ProfileFiles(True, False, True),
    ProfileFiles(True, True, True),
)


@pytest.mark.parametrize(
    ("row", "live", "files", "health"),
    [
        (None, {}, NOTHING, "absent"),
        (None, {}, SETTINGS, "defined"),
        (None, {}, LEFT, "leftover"),
        (None, {}, ProfileFiles(True, False, True, finished=True), "damaged"),
        (None, {}, ALL, "stopped"),
        (ListedProfile("a", "Stopped"), {}, ALL, "stopped"),
        (ListedProfile("a", "Running"), {"runtime": "docker"}, ALL, "running"),
        (ListedProfile("a", "Running"), {}, ALL, "half-started"),
        (ListedProfile("a", "Broken"), {}, ALL, "broken"),
        (ListedProfile("a", ""), {}, ALL, "damaged"),
    ],
)
def test_the_health_of_a_profile(row: ListedProfile | None, live: dict[str, str], files: ProfileFiles, health: str) -> None:
    assert health_of(row, files, live) == health


def test_an_unreachable_vm_is_not_taken_for_half_started() -> None:
    assert health_of(ListedProfile("a", "Running"), ALL, {}, reached=False) == "unreachable"
    assert health_of(ListedProfile("a", "Stopped"), ALL, {}, reached=False) == "stopped"


def test_a_vm_whose_engine_is_dead_is_not_healthy() -> None:
    assert (
        health_of(ListedProfile("a", "Running"), ALL, {"runtime": "docker"}, dead_engine="docker does not answer in it")
        == "half-started"
    )


def test_each_container_without_its_engine_is_known_by_the_process_that_watches_it() -> None:
    assert len(orphans("systemd\ncontainerd\ncontainerd-shim\nsshd\ncontainerd-shim\n")) == 2
    assert orphans("systemd\ncontainerd\n") == []
    with pytest.raises(ValueError, match="no"):
        orphans("")


FAILURES = {
    "stale lock": ('failed to run attach disk "colima-x", in use by instance "colima-x"', StartRepair.UNLOCK_DISK),
    "dead host agent": ("errors inspecting instance: [qemu driver is running but host agent is not]", StartRepair.FORCE_STOP),
    "stale pid": ('instance "colima-x" seems running (hint: remove ".../ha.pid" ...)', StartRepair.FORCE_STOP),
    "kubectl at work": ("error: open /h/.kube/config.lock: file exists", StartRepair.STOP),
    "anything else": ("error starting docker: exit status 1", None),
}


@pytest.mark.parametrize(("output", "repair"), FAILURES.values(), ids=FAILURES.keys())
def test_what_helps_after_a_failed_start(output: str, repair: StartRepair | None) -> None:
    assert repair_for(output) == repair


def test_a_failure_that_nothing_helps_names_the_next_step() -> None:
    assert "Check the network" in hint_for("DNS lookup failed for host 'github.com'", parse_name("dev"))
    assert "colima ssh -p dev" in hint_for("error starting docker: exit status 1", parse_name("dev"))


@pytest.mark.parametrize(("why", "helps"), [("Permission denied", "usermod -aG kvm"), ("No such file or directory", "modprobe")])
def test_a_start_without_kvm_says_what_helps_by_the_words_of_qemu_in_the_log(why: str, helps: str) -> None:
    log = f'{{"level":"info","msg":"qemu[stderr]: qemu-system-x86_64: Could not access KVM kernel module: {why}"}}\n'
    assert helps in hint_for("error starting vm: error at 'starting': exit status 1", parse_name("dev"), log)


def test_the_reason_of_a_failure_is_found_on_either_channel() -> None:
    error = CommandFailed(
        "x",
        stdout=f'{T} level=info msg="Using the existing instance"\n{T} level=fatal msg="errors inspecting instance: [gone]"\n',
        stderr=f"{T} level=fatal msg=\"error starting vm: error at 'starting': exit status 1\"\n",
    )
    failed = explained(error, "start profile 'dev'")
    assert failed.message == (
        "Could not start profile 'dev': error starting vm: error at 'starting': exit status 1; "
        "errors inspecting instance: [gone]."
    )


LISTED = "additionalDisks:\n- name: colima-dev\n  format: false\n"


@pytest.mark.parametrize(
    ("health", "definition", "vm_type", "inside"),
    [
        (STOPPED, LISTED, "vz", ""),
        (STOPPED, "additionalDisks: [colima-dev]", "vz", ""),
        (STOPPED, LISTED, "krunkit", "krunkit"),
        (STOPPED, LISTED.replace("dev", "other"), "vz", "does not use"),
        (STOPPED, "cpus: 2", "vz", "does not use"),
        (STOPPED, "additionalDisks: {", "vz", "does not use"),
        (DAMAGED, "additionalDisks: {", "vz", ""),
        (ABSENT, None, "", ""),
    ],
)
def test_data_is_on_the_disk_only_where_the_vm_uses_it(health: str, definition: str | None, vm_type: str, inside: str) -> None:
    disk = DataDisk(20 << 30)
    found = ProfileState(parse_name("dev"), health, applied={"vm_type": vm_type}, disk=disk, definition=definition)
    assert inside in found.why_data_is_inside
    assert bool(found.why_data_is_inside) == bool(inside)


def test_limactls_refusal_of_root_and_its_absence_are_told() -> None:
    root = explained(CommandFailed("x", stdout="limactl: must not run as the root user", stderr=""))
    assert isinstance(root, InputError)
    assert "without become" in root.message
    text = 'lima compatibility error: error checking Lima version: exec: "limactl": executable file not found in $PATH'
    assert isinstance(explained(CommandFailed("x", stdout="", stderr=text)), ToolMissing)


def test_single_words_are_not_quoted_in_logfmt() -> None:
    assert last_message(f"{T} level=info msg=done") == "done"


CONTAINERS = {
    "nothing": ("", []),
    "docker's own form": ('{"Names":"web","Labels":"a=b"}', ["web"]),
    "a pod of the user, two containers": (
        "\n".join(
            json.dumps({"Names": f"k8s_{n}", "Labels": "io.kubernetes.pod.namespace=team,io.kubernetes.pod.name=web-0"})
            for n in "ab"
        ),
        ["pod team/web-0"],
    ),
    "a pod of Kubernetes": ('{"Names":"x","Labels":"io.kubernetes.pod.namespace=kube-system"}', []),
    "nerdctl with a mapping": (
        '{"Names":"db","Labels":{"x":"y"}}\n{"Names":"p","Labels":{"io.kubernetes.pod.namespace":"kube-system"}}',
        ["db"],
    ),
}


@pytest.mark.parametrize(("listing", "names"), CONTAINERS.values(), ids=CONTAINERS.keys())
def test_whose_containers_count(listing: str, names: list[str]) -> None:
    assert user_containers(listing) == names


INSTANCES = {
    "nothing": ("[]", []),
    "what runs or is frozen": (
        json.dumps([{"name": n, "status": s, "project": "p"} for n, s in (("a", "Running"), ("b", "Stopped"), ("c", "Frozen"))]),
        ["a", "c"],
    ),
}


@pytest.mark.parametrize(("listing", "names"), INSTANCES.values(), ids=INSTANCES.keys())
def test_which_incus_instances_count(listing: str, names: list[str]) -> None:
    assert running_instances(listing) == names


@pytest.mark.parametrize("listing", ["", "no json", "{}", '[{"name": "a"}]', "[1]"])
def test_an_answer_of_incus_in_another_form_says_nothing(listing: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        running_instances(listing)


PHASES = {
    f'{T} level=info msg="creating and starting ..." context=vm': ("creating and starting", False),
    f'{T} level=info msg="downloading disk image ..." context=vm': ("downloading the disk image", False),
    f'{T} level=info msg="SSH Local Port: 43451"': ("booting", True),
    f'{T} level=info msg="[hostagent] Waiting for the essential requirement 1 of 3: \\"ssh\\""': ("booting", True),
    f'{T} level=info msg="provisioning ..." context=docker': ("docker: provisioning", True),
    f'{T} level=info msg="loading oci images ..." context=kubernetes': ("kubernetes: loading oci images", True),
    f'{T} level=info msg="starting colima [profile=lab]"': ("", False),
    "12.3 MiB / 500 MiB": ("downloading 12.3 MiB / 500 MiB", False),
}


@pytest.mark.parametrize(("line", "told"), PHASES.items())
def test_phases_from_recorded_lines(line: str, told: tuple[str, bool]) -> None:
    assert (phase_of(line), is_past_race(line)) == told


def test_progress_is_a_line_for_each_new_phase(tmp_path: Path) -> None:
    file = tmp_path / "progress"
    file.touch()
    progress = Progress(str(file))
    for phase in ("booting", "booting", "", "booted"):
        progress.say("dev", phase)
    progress.say("dev", "ready", done=True)
    events = [json.loads(line) for line in file.read_text().splitlines()]
    assert [(event["profile"], event["phase"], event["done"]) for event in events] == [
        ("dev", "booting", False),
        ("dev", "booted", False),
        ("dev", "ready", True),
    ]
    Progress("").say("dev", "booting")


def test_a_progress_file_that_its_watcher_took_away_stays_away(tmp_path: Path) -> None:
    Progress(str(tmp_path / "progress")).say("dev", "booting")
    assert list(tmp_path.iterdir()) == []


def test_a_download_is_told_in_steps(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "ansible_collections.laptop.containers.plugins.module_utils.colima.carry_out.progress._LOOK_SECONDS", 0.01
    )
    part = tmp_path / "abc.downloading"
    with part.open("wb") as image:
        image.truncate(130 << 20)
    progress = Progress(str(tmp_path / "progress"))
    with progress.downloads("dev", tmp_path):
        progress.say("dev", "downloading the disk image")
        while not progress.in_phase("dev", "downloading the disk image, 100 MiB"):
            time.sleep(0.01)
