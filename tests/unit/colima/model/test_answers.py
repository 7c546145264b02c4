# SPDX-License-Identifier: GPL-3.0-or-later
"""Answers of colima, limactl and guests: typed values, or a failure in a sentence."""

from __future__ import annotations

import pytest
from ansible_collections.laptop.containers.plugins.module_utils.colima.model.answers import (
    DiskNote,
    K3sState,
    ListedDisk,
    ListedProfile,
    k3s_release,
    parse_disks,
    parse_k3s,
    parse_live,
    parse_pid,
    parse_rows,
    parse_store,
)
from ansible_collections.laptop.containers.plugins.module_utils.core.errors import CommandFailed


def test_rows_are_one_object_per_line_with_absent_keys() -> None:
    rows = parse_rows(
        '{"name":"default","status":"Stopped","arch":"x86_64","cpus":1,"memory":2147483648,"disk":10737418240,"runtime":"docker"}\n'
        '{"name":"b3"}\n'
    )
    assert rows == [ListedProfile("default", "Stopped", "x86_64", 1, 2147483648, 10737418240, "", "docker"), ListedProfile("b3")]
    assert parse_rows("") == []


def test_remarks_of_limactl_among_the_rows_are_passed_over() -> None:
    assert parse_rows('time="2026-11-23T21:44:49Z" level=warning msg="old"\n{"name":"b3"}\n') == [ListedProfile("b3")]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("Segmentation fault", "it is not JSON"),
        ('{"name":"a","sta', "it is not JSON"),
        ("[]", "it is not a JSON object"),
        ('{"status":"Running"}', "a row has no name"),
        ('{"name":null}', "a row has no name"),
        ('{"name":"a","cpus":"2"}', "'cpus' is not a whole number"),
        ('{"name":"a","memory":"2GiB"}', "'memory' is not a whole number"),
        ('{"name":"a","disk":1e400}', "'disk' is not a whole number"),
        ('{"name":"a","cpus":1' + "0" * 400 + "}", "'cpus' is not a whole number"),
        ('{"name":"a","cpus":1' + "0" * 5000 + "}", "it is not JSON"),
        ('{"name":"a","status":["Running"]}', "'status' is not text"),
        ('{"name":"a","x":' + "[" * 100_000, "it is not JSON"),
    ],
)
def test_a_list_that_can_not_be_read_is_a_failure_and_not_an_empty_list(line: str, reason: str) -> None:
    with pytest.raises(CommandFailed) as failure:
        parse_rows('{"name":"b3"}\n' + line)
    assert failure.value.message.startswith(f"Could not read the answer of 'colima list --json': {reason}. Run it by hand")


@pytest.mark.parametrize("text", ['{"name":"colima","size":107', '{"size":1}', '{"name":"colima","size":"100GiB"}', "garbage"])
def test_a_torn_or_nameless_list_of_disks_is_a_failure(text: str) -> None:
    with pytest.raises(CommandFailed, match="Could not read the answer of 'limactl disk list --json': "):
        parse_disks(text)


def test_disks_with_what_matters_of_them() -> None:
    line = '{"name":"colima","size":107374182400,"format":"raw","dir":"/l/_disks/colima","instance":"","mountPoint":"/mnt"}'
    assert parse_disks(line) == [ListedDisk("colima", 107374182400, "", "/l/_disks/colima")]


def test_a_status_with_parts_of_other_types_is_a_failure() -> None:
    assert parse_live('{"runtime":"docker","kubernetes":false,"new":[]}') == {"runtime": "docker", "kubernetes": False}
    for text in ("", "[]", '{"runtime":7}', '{"runtime":"docker","docker_socket":"a\\u0000b"}'):
        with pytest.raises(CommandFailed, match="Could not read the answer of 'colima status --json': "):
            parse_live(text)


@pytest.mark.parametrize("text", ["", "[]", "nonsense", '{"disk_formatted":"yes"}', '{"disk_formatted":true,"disk_runtime":[]}'])
def test_a_note_of_a_data_disk_that_can_not_be_read_counts_as_missing(text: str) -> None:
    assert parse_store(text) is None


def test_a_note_of_a_data_disk() -> None:
    assert parse_store('{"disk_formatted":true,"disk_runtime":"docker"}') == DiskNote(True, "docker")
    assert parse_store("{}") == DiskNote(False, "")


def test_what_a_guest_says_of_k3s() -> None:
    said = '{"kubernetes_config":"{\\"Enabled\\":true,\\"Version\\":\\"v1.33.4+k3s1\\"}","k3s_listen_port":"6443"}'
    assert parse_k3s(said) == K3sState(6443, "v1.33.4+k3s1")
    assert parse_k3s('{"runtime":"docker"}') == K3sState()
    for text in ("", "[]", '{"k3s_listen_port":6443}', '{"k3s_listen_port":"x"}', '{"kubernetes_config":"{"}'):
        assert parse_k3s(text) is None


def test_releases_of_k3s_compare_as_numbers() -> None:
    assert k3s_release("v1.33.4+k3s1") < k3s_release("v1.33.10+k3s1") < k3s_release("v1.33.10+k3s2")
    assert k3s_release("latest") == ()


@pytest.mark.parametrize(("text", "pid"), [("123\n", 123), ("", 0), ("1", 0), ("-5", 0), ("9" * 5000, 0), ("2147483648", 0)])
def test_the_process_in_a_pid_file(text: str, pid: int) -> None:
    assert parse_pid(text) == pid
