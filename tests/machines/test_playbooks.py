# SPDX-License-Identifier: GPL-3.0-or-later
"""The workstation's playbooks on two virtual machines."""

from __future__ import annotations

import json
import socket
import statistics
from contextlib import suppress
from pathlib import Path

import pytest

from bench.laptop import PING
from rehearsal.processes.system import comes_true, free_port
from tests.support.colima.real_machines import Machines, Played
from tests.support.migration.made_images import Layer, archive

WORKSTATION = "playbooks/workstation.yml"
# One `colima status` alone costs more than two pings: it asks the guest five times.
NOTHING_ASKED_IN_A_VM = 3.0
SOCKET = "unix://{home}/.colima/docker-buildx/docker.sock"


def contexts(laptop: Machines) -> dict[str, tuple[str, bool]]:
    """docker's contexts: endpoint, and whether it is the current one."""
    rows = map(json.loads, laptop.run("docker", "context", "ls", "--format", "{{json .}}").splitlines())
    return {row["Name"]: (row["DockerEndpoint"], row["Current"]) for row in rows}


def test_a_first_run_brings_both_machines_up(laptop: Machines, first_run: Played) -> None:
    print(f"first run: {first_run.seconds:.0f} s")
    assert laptop.statuses() == {"docker-buildx": "Running", "k8s": "Running"}
    assert contexts(laptop)["colima-buildx"] == (SOCKET.format(home=laptop.lab.home), True)
    assert laptop.run("docker", "version", "--format", "{{.Server.Os}}").strip() == "linux"
    assert "containerd" in laptop.run("nerdctl", "version")


def test_a_second_run_changes_nothing(laptop: Machines) -> None:
    before = laptop.tree()
    again = laptop.play(WORKSTATION)
    print(f"no-op: {again.seconds:.1f} s")
    assert again.changed == 0
    changed = {name for name, content in laptop.tree().items() if before.get(name) != content}
    assert {name for name in changed if not name.startswith(".colima/ssh_config")} == set()


def test_a_run_with_nothing_to_do_costs_little_more_than_ansible(laptop: Machines, tmp_path: Path) -> None:
    ping = tmp_path / "ping.yml"
    ping.write_text(PING)
    ratios = [laptop.play(WORKSTATION).seconds / laptop.play(str(ping)).seconds for _ in range(5)]
    print(f"no-op / ping: {', '.join(f'{ratio:.2f}' for ratio in sorted(ratios))}")
    assert statistics.median(ratios) < NOTHING_ASKED_IN_A_VM


def test_contexts_that_were_moved_come_back(laptop: Machines) -> None:
    laptop.run("docker", "context", "use", "default")
    laptop.run("docker", "context", "update", "colima-buildx", "--docker", "host=unix:///nowhere.sock")
    assert laptop.play(WORKSTATION).changed == 1
    assert contexts(laptop)["colima-buildx"] == (SOCKET.format(home=laptop.lab.home), True)


def test_what_listens_in_a_machine_is_reached_on_the_laptop(laptop: Machines) -> None:
    port = free_port()
    listen = f"systemd-socket-activate --listen 0.0.0.0:{port} --inetd --accept /bin/echo from inside"
    laptop.inside("docker-buildx", "sh", "-c", f"sudo systemd-run --quiet --unit listens {listen}")

    def answer() -> str:
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), 5) as client:
            return client.recv(100).decode()
        return ""

    assert comes_true(lambda: answer() == "from inside\n", 120)
    laptop.inside("docker-buildx", "sudo", "systemctl", "stop", "listens")


def test_a_machine_runs_programs_of_another_architecture(laptop: Machines) -> None:
    assert "enabled" in laptop.inside("docker-buildx", "cat", "/proc/sys/fs/binfmt_misc/qemu-aarch64")


def test_check_mode_says_what_is_due_and_writes_nothing(laptop: Machines) -> None:
    before = laptop.tree()
    played = laptop.play(WORKSTATION, "--check", "-e", json.dumps({"colima_profiles": [{"name": "k8s", "memory": 2}]}))
    assert played.changed
    assert laptop.tree() == before


# It gives an engine two seconds, and an emulated one that shares a busy host's CPUs may need more.
@pytest.mark.long("a minute on an emulated VM; tests/integration/doctor on the lab")
def test_the_doctor_finds_both_guests_well(laptop: Machines) -> None:
    report = laptop.lab.directory / "tmp" / "report"
    laptop.play("playbooks/doctor.yml", "-e", f"doctor_report={report}")
    (found,) = json.loads(report.with_suffix(".json").read_text())["laptops"]
    assert found["reached"], found
    assert [check for check in found["checks"] if check["status"] not in ("ok", "note")] == []


def test_reclaim_trims_the_disks_of_both_machines(laptop: Machines) -> None:
    laptop.inside("docker-buildx", "sudo", "sh", "-c", "head -c 200M /dev/urandom >/var/lib/docker/big && sync")
    disk = laptop.paths.lima / "_disks" / "colima-docker-buildx" / "datadisk"
    large = disk.stat().st_blocks
    laptop.inside("docker-buildx", "sudo", "sh", "-c", "rm /var/lib/docker/big && sync")
    laptop.play("playbooks/reclaim.yml")
    assert disk.stat().st_blocks < large - (150 << 20) // 512


def test_what_nerdctl_keeps_in_one_machine_moves_into_the_other(laptop: Machines) -> None:
    file = laptop.lab.directory / "tmp" / "app.tar"
    file.write_bytes(archive(["app:1"], [Layer(1), Layer(2, 1 << 20)]))
    laptop.run("sh", "-c", f"colima ssh --profile k8s -- sudo nerdctl load <{file}")
    laptop.run("nerdctl", "volume", "create", "notes")
    fill = 'echo kept >"$(nerdctl volume inspect --format "{{.Mountpoint}}" notes)/one"'
    laptop.inside("k8s", "sudo", "sh", "-c", fill)
    move = ("playbooks/migrate.yml", "-e", json.dumps({"migrate_source": "k8s"}), "--tags")
    assert laptop.play(*move, "copy").changed == 1
    assert "app:1" in laptop.run("docker", "images", "--format", "{{.Repository}}:{{.Tag}}").split()
    place = laptop.run("docker", "volume", "inspect", "--format", "{{.Mountpoint}}", "notes").strip()
    assert laptop.inside("docker-buildx", "sudo", "cat", f"{place}/one") == "kept\n"
    assert laptop.play(*move, "copy").changed == 0
    assert laptop.play(*move, "verify").changed == 0
    for program in ("docker", "nerdctl"):
        laptop.run(program, "volume", "rm", "notes")
        laptop.run(program, "rmi", "app:1")
