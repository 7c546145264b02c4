# SPDX-License-Identifier: GPL-3.0-or-later
"""kubernetes.build as state: the file in the profile, the VM that read it, a user's own file, and the way back."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.laptop.containers.plugins.module_utils.colima_paths import parse_name
from ansible_collections.laptop.containers.plugins.module_utils.core.errors import CommandFailed, InputError, RefusedStep

from tests.support.colima.in_process_lab import called_lab
from tests.support.colima.standin_laptop import ColimaLab

NAME = parse_name("k8s")
OWN = b'# mine\r\n[worker.containerd]\r\nnamespace = "k8s.io"\r\n'


@pytest.fixture
def lab() -> Iterator[ColimaLab]:
    with called_lab() as lab:
        yield lab


def k8s(build: bool | None = None, **more: Any) -> dict[str, Any]:
    wanted = {} if build is None else {"build": build}
    return {"name": "k8s", "runtime": "containerd", "cpu": 4, "memory": 12, "kubernetes": {"enabled": True, **wanted}, **more}


def own_file(lab: ColimaLab) -> Path:
    return lab.paths.buildkit(NAME)


def in_guest(lab: ColimaLab) -> dict[str, Any]:
    """BuildKit's settings in the VM."""
    return tomllib.loads((lab.paths.instance(NAME) / "root/etc/buildkit/buildkitd.toml").read_text())


def worker(lab: ColimaLab) -> dict[str, Any]:
    return dict(in_guest(lab)["worker"]["containerd"])


def test_a_new_profile_builds_into_its_cluster_from_the_first_start_on(lab: ColimaLab) -> None:
    planned = lab.converge(k8s(True), check=True)
    assert not own_file(lab).exists()
    done = lab.converge(k8s(True))
    assert planned.actions == done.actions
    assert done.actions[0] == f"write '{own_file(lab)}' (builds go into the cluster)"
    settings = in_guest(lab)
    assert settings == {
        "root": "/var/lib/buildkit/k8s.io",
        "worker": {"oci": {"enabled": False}, "containerd": {"enabled": True, "namespace": "k8s.io"}},
        "grpc": {"gid": 1000},
    }
    assert lab.converge(k8s(True)).actions == ()


def test_the_diff_shows_the_file(lab: ColimaLab) -> None:
    lab.converge(k8s())
    diff = lab.converge(k8s(True), check=True).diff
    assert 'namespace = "k8s.io"' in str(diff["after"]) and "k8s.io" not in str(diff["before"])


def test_a_running_profile_takes_it_with_a_restart_that_obeys_the_policy(lab: ColimaLab) -> None:
    lab.converge(k8s())
    held = lab.converge(k8s(True), restart="never")
    assert [one.change for one in held.pending] == ["kubernetes.build off -> on"] and held.actions == ()
    assert not own_file(lab).exists()
    done = lab.converge(k8s(True))
    assert done.actions[0] == "stop profile 'k8s' (to apply kubernetes.build off -> on)"
    assert worker(lab)["namespace"] == "k8s.io"
    assert lab.converge(k8s(True)).actions == ()


def test_false_takes_it_away_and_nothing_said_keeps_it(lab: ColimaLab) -> None:
    lab.converge(k8s(True))
    assert lab.converge(k8s()).actions == ()
    beside = own_file(lab).with_name("config.toml")
    beside.write_text("version = 2\n")
    done = lab.converge(k8s(False))
    assert f"remove '{own_file(lab)}' (builds go where colima puts them)" in done.actions
    assert not own_file(lab).exists() and beside.exists()
    assert worker(lab) == {"enabled": True}
    assert lab.converge(k8s(False)).actions == ()


def test_what_all_profiles_share_stays_in_force_and_is_followed(lab: ColimaLab) -> None:
    shared = lab.home / ".config" / "buildkit" / "buildkitd.toml"
    shared.parent.mkdir(parents=True)
    text = 'debug = true\n[worker.containerd]\ngcpolicy = [{all = true, keepDuration = 3600}]\n[registry."docker.io"]\n'
    shared.write_text(f'root = "/mnt/x"\n{text}mirrors = ["m.example.org"]\n')
    lab.converge(k8s(True))
    settings = in_guest(lab)
    assert settings["root"] == "/mnt/x/k8s.io" and settings["debug"] is True
    assert settings["registry"] == {"docker.io": {"mirrors": ["m.example.org"]}}
    assert worker(lab)["gcpolicy"] == [{"all": True, "keepDuration": 3600}]
    shared.write_text(f'{text}mirrors = ["other.example.org"]\n')
    assert "to apply buildkitd.toml changed" in lab.converge(k8s(True)).actions[0]
    assert in_guest(lab)["registry"] == {"docker.io": {"mirrors": ["other.example.org"]}}
    assert lab.converge(k8s(True)).actions == ()
    assert shared.read_text() == f'{text}mirrors = ["other.example.org"]\n'


@pytest.mark.parametrize("text", ["[worker.containerd\n", "worker = 3\n", "[worker]\ncontainerd = false\n", "a = 1979-05-27\n"])
def test_a_shared_file_that_cannot_be_used_is_named(lab: ColimaLab, text: str) -> None:
    shared = lab.home / ".config" / "buildkit" / "buildkitd.toml"
    shared.parent.mkdir(parents=True)
    shared.write_text(text)
    with pytest.raises(RefusedStep) as refused:
        lab.converge(k8s(True))
    assert str(shared) in refused.value.message or "has no form in TOML" in refused.value.message
    assert not own_file(lab).exists()


def test_a_users_own_file_is_kept_to_the_byte(lab: ColimaLab) -> None:
    lab.converge(k8s())
    own_file(lab).parent.mkdir()
    own_file(lab).write_bytes(OWN.replace(b"k8s.io", b"other"))
    with pytest.raises(RefusedStep, match="is your own, and builds elsewhere") as refused:
        lab.converge(k8s(True))
    assert 'namespace = "k8s.io" below [worker.containerd]' in refused.value.message
    own_file(lab).write_bytes(OWN)
    # The VM was started before: BuildKit in it has not read this.
    assert lab.converge(k8s(True)).actions[0] == "stop profile 'k8s' (to apply buildkitd.toml changed)"
    assert worker(lab) == {"namespace": "k8s.io"}
    assert lab.converge(k8s(True)).actions == () and lab.converge(k8s(False)).actions == ()
    assert own_file(lab).read_bytes() == OWN


@pytest.mark.parametrize("own", [OWN, None])
def test_a_recreated_profile_gets_its_file_back(lab: ColimaLab, own: bytes | None) -> None:
    lab.converge(k8s(True))
    if own:
        own_file(lab).write_bytes(own)
    there = own_file(lab).read_bytes()
    lab.converge(k8s(vm_type="qemu"), on_fixed_change="recreate")
    assert own_file(lab).read_bytes() == there and worker(lab)["namespace"] == "k8s.io"
    assert not lab.paths.saved_buildkit(NAME).exists()


def test_a_run_that_dies_after_the_deletion_costs_no_file(lab: ColimaLab) -> None:
    lab.converge(k8s())
    own_file(lab).parent.mkdir()
    own_file(lab).write_bytes(OWN)
    with lab.failing("containerd-start"), pytest.raises(CommandFailed):
        lab.converge(k8s(vm_type="qemu"), on_fixed_change="recreate")
    assert own_file(lab).read_bytes() == OWN
    # As it is between the deletion and the next step.
    own_file(lab).rename(lab.paths.saved_buildkit(NAME))
    own_file(lab).parent.rmdir()
    lab.converge(k8s(vm_type="qemu"))
    assert own_file(lab).read_bytes() == OWN and worker(lab) == {"namespace": "k8s.io"}
    assert not lab.paths.saved_buildkit(NAME).exists()


def test_absent_leaves_nothing(lab: ColimaLab) -> None:
    lab.converge(k8s(True))
    lab.converge({"name": "k8s", "state": "absent"})
    assert not own_file(lab).exists()
    own_file(lab).parent.mkdir(parents=True)
    lab.converge(k8s(True, state="present"))
    text = own_file(lab).read_text()
    lab.paths.configured(NAME).unlink()
    lab.converge({"name": "k8s", "state": "absent"}, delete_data=True, confirm_data_loss=["k8s"])
    assert not own_file(lab).exists() and text


@pytest.mark.parametrize(
    ("profile", "sentence"),
    [
        ({"runtime": "docker"}, "its runtime is docker. Use runtime containerd and kubernetes.enabled, or leave it out."),
        ({"kubernetes": {"enabled": False, "build": True}}, "it has no Kubernetes."),
    ],
)
def test_settings_that_exclude_it_are_refused_before_anything_is_read(
    lab: ColimaLab, profile: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(InputError) as refused:
        lab.converge({**k8s(True), **profile})
    assert f"Could not set 'kubernetes.build' of profile 'k8s': {sentence}" in refused.value.message


def test_a_profile_that_turns_out_to_have_another_runtime_is_refused(lab: ColimaLab) -> None:
    lab.converge({"name": "k8s", "cpu": 2, "memory": 4})
    with pytest.raises(RefusedStep, match="its runtime is docker"):
        lab.converge({"name": "k8s", "kubernetes": {"build": True}})


def test_a_colima_that_does_not_read_the_file_is_refused(lab: ColimaLab) -> None:
    lab.settings["COLIMA_VERSION"] = "0.10.1"
    with pytest.raises(RefusedStep, match=r"it needs colima 0\.10\.2, and 0\.10\.1 is installed\. Run 'brew upgrade colima'"):
        lab.converge(k8s(True))
    assert not own_file(lab).exists()
