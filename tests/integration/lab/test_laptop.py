# SPDX-License-Identifier: GPL-3.0-or-later
"""A lab comes up, keeps what a laptop would keep, and goes away without a trace."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from rehearsal.__main__ import main
from rehearsal.lab.laptop import LONGEST_PATH, Lab, _remove
from rehearsal.processes.system import LabError, comes_true, command_of
from tests.support.ansible_runs import forked_ansible

ROOT = Path(__file__).resolve().parents[3]


@dataclass(frozen=True)
class Laptop:
    """A lab, and the way to type commands on the laptop that it rehearses."""

    lab: Lab

    def type(self, *argv: str, expected: int = 0) -> str:
        environment = {**os.environ, **self.lab.environment}
        program = shutil.which(argv[0], path=environment["PATH"])
        assert program is not None, f"{argv[0]} is not in the lab"
        done = subprocess.run(
            [program, *argv[1:]], env=environment, capture_output=True, text=True, timeout=300, check=False, cwd=self.lab.home
        )
        assert done.returncode == expected, done.stdout + done.stderr
        return done.stdout


@pytest.fixture(name="place")
def short_place() -> Iterator[Path]:
    """A short path that does not exist yet; whatever a failed test leaves there goes away."""
    place = Path(tempfile.mkdtemp(prefix="lt-", dir="/tmp"))
    yield place / "lab"
    Lab(place / "lab").down()
    shutil.rmtree(place)


def traces(place: Path) -> list[str]:
    """Everything that still knows this lab: files, processes, mounts, control groups."""
    found = [str(place)] if place.exists() else []
    found += Lab(place).leftovers()
    found += [line for line in Path("/proc/mounts").read_text().splitlines() if str(place) in line]
    return found


def groups(names: set[str]) -> set[str]:
    """Those of these control groups that are there."""
    top = Path("/sys/fs/cgroup")
    # Directly below the top, or below that of each controller.
    return {name for name in names if any((place / name).is_dir() for place in (top, *top.iterdir()))}


def test_a_light_lab_leaves_no_trace(place: Path) -> None:
    laptop = Laptop(Lab(place))
    laptop.lab.up("light")
    laptop.type("colima", "start", "docker-buildx", "--runtime", "docker")
    laptop.type("colima", "start", "k8s", "--runtime", "containerd", "--kubernetes")
    assert laptop.type("docker", "--context", "colima-docker-buildx", "ps", "-q") == ""
    assert "default" in laptop.type("kubectl", "--context", "colima-k8s", "get", "ns", "-o", "name")
    assert traces(place)
    laptop.lab.down()
    assert traces(place) == []


def test_objects_of_a_light_cluster_survive_stop_and_start(place: Path) -> None:
    laptop = Laptop(Lab(place))
    laptop.lab.up("light")
    laptop.type("colima", "start", "k8s", "--runtime", "containerd", "--kubernetes")
    before = laptop.type("kubectl", "get", "ns", "default", "-o", "json")
    laptop.type("colima", "stop", "k8s")
    laptop.type("kubectl", "get", "ns", expected=1)
    laptop.type("colima", "start", "k8s")
    assert (
        json.loads(laptop.type("kubectl", "get", "ns", "default", "-o", "json"))["metadata"]["uid"]
        == (json.loads(before)["metadata"]["uid"])
    )


def test_a_lab_replaces_an_older_one(place: Path) -> None:
    lab = Lab(place)
    lab.up("light")
    (lab.home / "old").touch()
    first = lab.ecr.daemon.pid
    lab.up("light")
    assert not (lab.home / "old").exists()
    assert lab.ecr.daemon.pid != first
    assert first is not None
    assert "ecr" not in command_of(first)


def test_an_incomplete_lab_can_be_removed(place: Path) -> None:
    lab = Lab(place)
    lab.up("light")
    lab.environment_file.unlink()
    shutil.rmtree(lab.bin)
    lab.down()
    lab.down()
    assert traces(place) == []


def test_a_lab_that_is_gone_meanwhile_leaves_the_folder_above_it_alone(tmp_path: Path) -> None:
    tmp_path.chmod(0o1777)
    _remove(tmp_path / "gone")
    assert tmp_path.stat().st_mode & 0o7777 == 0o1777


def test_a_directory_of_another_user_is_neither_filled_nor_removed(place: Path) -> None:
    place.mkdir()
    (place / "thesis.txt").write_text("years of work")
    with pytest.raises(LabError, match=r"other files are in it\. Choose another one: --dir, or DIR= of make"):
        Lab(place).up("light")
    Lab(place).down()
    assert (place / "thesis.txt").exists()


def test_each_way_not_to_have_a_lab_is_told_in_words(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def said(*verb: str) -> tuple[int, str]:
        code = main([*verb, "--dir", str(place)])
        shown = capsys.readouterr()
        return code, shown.out + shown.err

    assert said("down") == (0, f"There is no lab in {place}.\n")
    place.write_text("a file")
    code, text = said("up")
    assert code == 1 and text.startswith("Could not ") and "Traceback" not in text and "Errno" not in text
    assert said("down")[0] in (0, 1)
    assert place.read_text() == "a file"


def test_a_folder_of_a_late_ansible_run_is_replaced(place: Path) -> None:
    (place / "tmp" / "ansible" / "ansible-tmp-1").mkdir(parents=True)
    Lab(place).down()
    assert not place.exists()
    (place / "tmp" / "ansible").mkdir(parents=True)
    (place / "tmp" / "thesis.txt").touch()
    with pytest.raises(LabError, match="other files are in it"):
        Lab(place).up("light")


def test_a_path_that_is_too_long_for_sockets_is_refused(tmp_path: Path) -> None:
    with pytest.raises(LabError, match=f"more than {LONGEST_PATH} characters"):
        Lab(tmp_path / ("x" * LONGEST_PATH)).up("light")


def test_a_playbook_against_a_lab_that_is_down_stops_before_the_first_task(place: Path, tmp_path: Path) -> None:
    book = tmp_path / "play.yml"
    book.write_text(
        "- hosts: laptops\n  gather_facts: false\n  environment: '{{ workstation_environment | default({}) }}'\n"
        f"  tasks: [{{ansible.builtin.command: touch {tmp_path}/ran}}]\n"
    )
    done = forked_ansible.run(
        [Path(sys.executable).with_name("ansible-playbook"), "-i", "inventory/rehearsal", book],
        cwd=ROOT,
        env={**os.environ, "LAPTOP_REHEARSAL_DIR": str(place)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode != 0
    assert 'is not up. Run "make rehearse KEEP=1" first.' in " ".join(done.stdout.split())
    assert not (tmp_path / "ran").exists()
    assert not place.exists()


def test_the_lab_hides_the_tools_settings_of_the_user(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("https_proxy", "http://proxy.example.org:3128")
    lab = Lab(place)
    lab.up("light")
    inside = lab.environment
    for name in ("HOME", "DOCKER_CONFIG", "KUBECONFIG", "COLIMA_HOME", "AWS_CONFIG_FILE", "XDG_CONFIG_HOME", "TMPDIR"):
        assert inside[name].startswith(str(place)), name
    for name in ("DOCKER_HOST", "DOCKER_CONTEXT", "COLIMA_PROFILE", "LIMA_HOME", "https_proxy"):
        assert inside[name] == "", name


@pytest.mark.long("of the lab alone; tests/machines show it of a real VM")
@pytest.mark.real("docker", "containerd", "kubernetes", "buildkit", "registry", "kubectl")
def test_images_volumes_and_objects_survive_the_virtual_machine(place: Path, image: Path) -> None:
    laptop = Laptop(Lab(place))
    laptop.lab.up("real")
    laptop.type("colima", "start", "docker-buildx", "--runtime", "docker")
    laptop.type("colima", "start", "k8s", "--runtime", "containerd", "--kubernetes")
    docker = ("docker", "--context", "colima-docker-buildx")
    nerdctl = ("colima", "nerdctl", "--profile", "k8s", "--")
    laptop.type(*docker, "build", "--quiet", "--tag", "mine:1", str(image))
    assert "buildctl" in laptop.type(*docker, "run", "--rm", "mine:1")
    laptop.type(*nerdctl, "build", "--quiet", "--tag", "mine:2", str(image))
    assert "buildctl" in laptop.type(*nerdctl, "run", "--rm", "--network", "none", "mine:2")
    laptop.type("kubectl", "create", "namespace", "kept")

    # Stop, and delete without --data: the disk stays.
    laptop.type("colima", "stop", "docker-buildx")
    laptop.type("colima", "delete", "--force", "k8s")
    laptop.type("colima", "start", "docker-buildx")
    laptop.type("colima", "start", "k8s", "--runtime", "containerd", "--kubernetes")
    assert "buildctl" in laptop.type(*docker, "run", "--rm", "mine:1")
    assert "buildctl" in laptop.type(*nerdctl, "run", "--rm", "--network", "none", "mine:2")
    assert "namespace/kept" in laptop.type("kubectl", "get", "ns", "-o", "name")

    # Other tests have groups of their own at the same time.
    own = {note.read_text() for note in laptop.lab.run.glob("*/dockerd/*.cgroup")}
    assert groups(own) == own != set()

    # A machine that dies takes its engines with it, at once.
    agent = int((laptop.lab.home / ".colima/_lima/colima-docker-buildx/ha.pid").read_text())
    os.kill(agent, signal.SIGKILL)
    assert comes_true(lambda: not any("dockerd" in line for line in laptop.lab.leftovers()), 20)

    laptop.lab.down()
    assert traces(place) == []
    assert groups(own) == set()
