# SPDX-License-Identifier: GPL-3.0-or-later
"""How an examination is shown: on a terminal, as a document, as a page, and against an earlier one."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.laptop.containers.plugins.module_utils.core.errors import InputError
from ansible_collections.laptop.containers.plugins.module_utils.doctor.model import GROUPS, Check, Status, counts, worst
from ansible_collections.laptop.containers.plugins.module_utils.doctor.show.compare import changes, in_words
from ansible_collections.laptop.containers.plugins.module_utils.doctor.show.page import page
from ansible_collections.laptop.containers.plugins.module_utils.doctor.show.report import document, files_for, read_document
from ansible_collections.laptop.containers.plugins.module_utils.doctor.show.run import EXAMINES, REPORTS, Doctor
from ansible_collections.laptop.containers.plugins.module_utils.doctor.show.screen import Line, duration, screen

HOME = "/home/ada"
ROW = {
    "name": "k8s", "state": "running", "runtime": "containerd", "kubernetes": True, "cpus": 4, "memory_gib": 12.0,
    "disk_gib": 100, "disk_used_gib": 1.5, "disk_on_laptop_gib": 2.0, "uptime_seconds": 7300, "address": "",
}  # fmt: skip
OK = Check("tools.colima", Status.OK, "0.10.3")
NOTE = Check("leftovers.profile", Status.NOTE, "it is left", "colima delete old", "old")
LATE = Check("profiles.disk", Status.UNKNOWN, "the VM does not answer", "colima ssh", "k8s")
ALSO_LATE = Check("profiles.clock", Status.UNKNOWN, "the VM does not answer", "colima ssh", "k8s")
DRIFT = Check("profiles.drift", Status.WARNING, "cpu: 2 -> 4", "ansible-playbook playbooks/workstation.yml --tags colima", "k8s")
TORN = Check("docker.config", Status.BROKEN, f"could not read {HOME}/.docker/config.json", f"mv {HOME}/a {HOME}/b && x <y>")


def result(*checks: Check) -> dict[str, Any]:
    return {
        "verdict": str(worst(checks)),
        "counts": counts(checks),
        "groups": list(GROUPS),
        "seconds": 0.94,
        "system": {"name": "Darwin", "machine": "arm64", "home": HOME},
        "profiles": [ROW],
        "checks": [check.public() for check in checks],
    }


def lines(*checks: Check, **options: Any) -> list[str]:
    return [line.text for line in screen("mac", result(*checks), **options)]


def test_the_first_line_is_the_verdict_and_the_worst_comes_first() -> None:
    shown = lines(OK, NOTE, DRIFT, TORN)
    assert shown[0] == "mac: the workstation is broken (1 broken, 1 warning, 1 note in 4 checks, 0.9 s)"
    assert [line.split()[0] for line in shown if re.match(r"[A-Z]", line)] == ["BROKEN", "WARNING", "NOTE"]
    assert not [line for line in shown if "tools.colima" in line]


def test_a_remedy_is_one_line_whatever_the_width() -> None:
    assert f"          {DRIFT.remedy}" in lines(DRIFT, width=40)
    found = [line for line in lines(TORN, width=50) if line.startswith(("BROKEN", " " * 10))]
    assert len(found) == 3 and all(len(line) < 50 for line in found[:2])


def test_findings_that_say_the_same_are_one() -> None:
    assert "UNKNOWN   profiles.disk, profiles.clock (k8s): the VM does not answer" in lines(LATE, ALSO_LATE)


def test_all_checks_are_shown_on_request() -> None:
    assert "OK        tools.colima: 0.10.3" in lines(OK, everything=True)


def test_a_table_leaves_out_columns_without_a_value() -> None:
    assert [line for line in lines(OK) if "k8s" in line] == [
        "  k8s      running  containerd + Kubernetes  4     12 GiB  1.5 of 100 GiB  2 GiB      2 h"
    ]
    assert not [line for line in lines(OK) if "address" in line]


@pytest.mark.parametrize(
    ("width", "row"),
    [
        (110, "  k8s      running  containerd + Kubernetes  4     12 GiB  1.5 of 100 GiB  2 GiB      2 h     192.168.64.2"),
        (99, "  k8s      running  containerd + Kubernetes  4     12 GiB  1.5 of 100 GiB  2 h     192.168.64.2"),
        (80, "  k8s      running  4     12 GiB  1.5 of 100 GiB  2 h     192.168.64.2"),
        (60, "  k8s      running  4     12 GiB  1.5 of 100 GiB"),
    ],
)
def test_a_narrow_terminal_has_a_whole_table_of_less(width: int, row: str) -> None:
    found = {**result(OK, DRIFT, TORN), "profiles": [{**ROW, "address": "192.168.64.2"}]}
    shown = [line.text for line in screen("mac", found, width=width)]
    assert row in shown
    assert all(len(line) <= width for line in shown if DRIFT.remedy not in line and TORN.remedy not in line)
    assert " ".join(" ".join(shown).split()).startswith("mac: the workstation is broken (1 broken, 1 warning in 3 checks, 0.9 s)")


def test_the_size_of_a_disk_does_not_read_as_what_is_used() -> None:
    stopped = {**ROW, "state": "stopped", "disk_used_gib": None, "disk_on_laptop_gib": 0.0, "uptime_seconds": None}
    shown = [line.text for line in screen("mac", {**result(OK), "profiles": [stopped]})]
    assert "  k8s      stopped  containerd + Kubernetes  4     12 GiB  ? of 100 GiB" in shown


@pytest.mark.parametrize(("seconds", "words"), [(None, ""), (5, "5 s"), (150, "2 min"), (7300, "2 h"), (400000, "4 d")])
def test_a_time_is_shown_as_people_say_it(seconds: float | None, words: str) -> None:
    assert duration(seconds) == words


def test_a_document_has_a_version_and_no_home() -> None:
    found = document({"mac": result(TORN), "gone": {"msg": "no\n route"}}, datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC))
    assert (found["kind"], found["schema"], found["made"]) == ("laptop.containers/doctor", 1, "2026-01-02T03:04:05Z")
    mac, gone = found["laptops"]
    assert gone == {"name": "gone", "reached": False, "reason": "no route"}
    assert HOME not in json.dumps(found)
    assert mac["checks"][0]["remedy"] == "mv ~/a ~/b && x <y>"
    assert mac["system"] == {"name": "Darwin", "machine": "arm64"}


@pytest.mark.parametrize(
    ("path", "names"), [("/x/doctor", {"json": "doctor.json", "html": "doctor.html"}), ("/x/a.html", {"html": "a.html"}),
                        ("/x/a.b", {"json": "a.b.json", "html": "a.b.html"})],
)  # fmt: skip
def test_a_report_is_two_files_or_the_one_that_is_named(path: str, names: dict[str, str]) -> None:
    assert {kind: file.name for kind, file in files_for(path).items()} == names


@pytest.mark.parametrize("ending", ["", "/", "/new/"])
def test_in_a_folder_a_report_has_a_name_of_its_own(tmp_path: Path, ending: str) -> None:
    folder = tmp_path / ending.strip("/")
    assert files_for(f"{tmp_path}{ending}") == {kind: folder / f"doctor.{kind}" for kind in ("json", "html")}


@pytest.mark.parametrize(
    ("text", "reason"),
    [("{", "it is not JSON"), ("[]", "not a report"), ('{"kind": "laptop.containers/doctor", "schema": 9}', "it has schema 9")],
)
def test_only_a_report_of_this_schema_is_compared(tmp_path: Path, text: str, reason: str) -> None:
    file = tmp_path / "old.json"
    file.write_text(text)
    with pytest.raises(InputError, match=reason):
        read_document(str(file))


def test_what_ended_differently_is_a_change() -> None:
    groups = {"groups": ["docker", "leftovers", "profiles", "tools"]}
    before, after = (document({"mac": {**result(*checks), **groups}}) for checks in ((OK, DRIFT), (OK, TORN, NOTE)))
    found = changes(before, after)
    assert [(one["id"], one["before"], one["after"]) for one in found] == [
        ("docker.config", "gone", "broken"),
        ("leftovers.profile", "gone", "note"),
        ("profiles.drift", "warning", "gone"),
    ]
    assert in_words(found[1], with_laptop=True) == "mac: leftovers.profile (old): new -> note, it is left"
    assert changes(after, after) == []


def test_a_group_that_one_of_two_runs_left_out_is_not_compared() -> None:
    parts = (
        {**result(*checks), "groups": sorted({check.group for check in checks})} for checks in ((OK, DRIFT, TORN), (OK, NOTE))
    )
    whole, part = (document({"mac": found}) for found in parts)
    assert changes(whole, part) == [] and changes(part, whole) == []
    # As older reports were written.
    for laptop in (*whole["laptops"], *part["laptops"]):
        del laptop["groups"]
    assert changes(whole, part) == []


def test_the_page_needs_nothing_else_and_shows_what_is_found_as_text() -> None:
    text = page(document({"mac": result(OK, NOTE, DRIFT, TORN)}))
    assert not re.search(r"<script|\bsrc=|https?://|@import|url\(|\bon\w+=", text)
    assert "x &lt;y&gt;" in text and "<y>" not in text
    assert text.index("docker.config") < text.index("profiles.drift") < text.index("leftovers.profile")
    assert "prefers-color-scheme: dark" in text and "width=device-width" in text
    assert "mac: the workstation is broken" in text and HOME not in text


def test_the_page_of_a_fleet_names_who_is_broken_drifts_and_was_not_reached() -> None:
    old = Check("tools.colima", Status.OK, "0.9.1")
    waits = Check("profiles.pending", Status.WARNING, "cpu", "x", "k8s")
    found = {"a": result(OK), "b": result(old, DRIFT), "c": result(OK, TORN), "d": result(OK, waits), "e": {"msg": "no route"}}
    text = re.sub(r"\s+", " ", page(document(found)))
    assert "<h1>5 laptops, 1 broken</h1>" in text
    for label, name in (("broken", "c"), ("not reached", "e"), ("drifting from the settings", "b"),
                        ("waiting for a restart", "d"), ("oldest colima (0.9.1)", "b")):  # fmt: skip
        assert f"<td>{label}</td><td>{name}</td>" in text
    assert text.index('href="#e"') < text.index('href="#c"') < text.index('href="#a"')


def test_a_run_of_one_laptop_is_a_screen_and_of_several_a_table() -> None:
    doctor = Doctor()
    assert doctor.takes(EXAMINES, "mac", result(DRIFT)) and not doctor.takes("laptop.containers.docker_context", "mac", {})
    assert not doctor.takes(
        REPORTS, "mac", {"show": "all", "files": ["/x.json"], "changes": ["a: ok -> note, b"], "since": "THEN"}
    )
    shown = [line.text for line in doctor.lines({}, None)]
    assert (
        shown[0].startswith("mac: the workstation works") and shown[-1] == "Written to /x.json" and "  a: ok -> note, b" in shown
    )
    doctor.takes(REPORTS, "mac", {"broken": ["mac"], "msg": "Something is broken."})
    assert [*doctor.lines({}, None)][-1] == Line("FAILED doctor: Something is broken.", "broken")
    doctor.takes(REPORTS, "mac", {"msg": "Could not write\nthe report"})
    assert [*doctor.lines({}, None)][-1].text == "FAILED doctor: Could not write the report"
    doctor.takes(EXAMINES, "pc", result(OK))
    table = [line.text.split() for line in doctor.lines({"tv": "no route", "mac": "it is broken"}, None)]
    doctor.takes(REPORTS, "mac", {"changes": [], "since": "THEN"})
    assert [*doctor.lines({}, None)][-1].text == "Nothing has changed since the report of THEN."
    assert [words[:2] for words in table[1:4]] == [["tv", "unreachable"], ["mac", "warning"], ["pc", "ok"]]
