# SPDX-License-Identifier: GPL-3.0-or-later
"""One's own settings outside of the project, and the collection installed without a clone."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.ansible_runs import forked_ansible

ROOT = Path(__file__).resolve().parents[3]
BIN = Path(sys.executable).parent
HOST = "laptops: {hosts: {laptop: {ansible_connection: local, ansible_python_interpreter: '{{ ansible_playbook_python }}'}}}"


def play(folder: Path, playbook: str, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a playbook in check mode from a folder, with a home of its own."""
    surroundings = {
        **os.environ,
        "HOME": str(folder / "home"),
        "XDG_CONFIG_HOME": "",
        "ANSIBLE_HOME": str(folder / "ansible"),
        "ANSIBLE_CACHE_PLUGIN_CONNECTION": str(folder / "facts"),
        **environment,
    }
    command = [str(BIN / "ansible-playbook"), playbook, "--check", *arguments]
    return forked_ansible.run(command, cwd=folder, env=surroundings, capture_output=True, text=True, check=False, timeout=120)


@pytest.fixture
def folder() -> Iterator[Path]:
    """A short path: sockets of profiles have to fit."""
    with tempfile.TemporaryDirectory(prefix="lo-", dir="/tmp") as name:
        place = Path(name)
        (place / "home").mkdir()
        (place / "hosts.yml").write_text(HOST)
        (place / "group_vars").mkdir()
        (place / "group_vars" / "all.yml").write_text("nerdctl_wrappers: [{path: ~/team/nerdctl, profile: k8s}]\n")
        yield place


def wrapper(done: subprocess.CompletedProcess[str]) -> str:
    """Return whose wrapper the plan has."""
    assert done.returncode == 0, done.stdout + done.stderr
    return next(name for name in ("team", "own", "run") if f"/{name}/nerdctl" in done.stdout)


def test_own_settings_win_over_the_inventory_and_the_command_line_over_both(folder: Path) -> None:
    arguments = ("-i", str(folder / "hosts.yml"), "--tags", "nerdctl")
    config = {"ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"), "ANSIBLE_COLLECTIONS_PATH": str(ROOT / "collections")}
    playbook = str(ROOT / "playbooks" / "workstation.yml")
    assert wrapper(play(folder, playbook, *arguments, **config)) == "team"
    settings = folder / "home" / ".config" / "laptop.containers" / "settings.yml"
    settings.parent.mkdir(parents=True)
    settings.write_text("nerdctl_wrappers: [{path: ~/own/nerdctl, profile: k8s}]\n")
    assert wrapper(play(folder, playbook, *arguments, **config)) == "own"
    given = ("-e", '{"nerdctl_wrappers": [{"path": "~/run/nerdctl", "profile": "k8s"}]}')
    assert wrapper(play(folder, playbook, *arguments, *given, **config)) == "run"
    settings.write_text("nerdctl_wrapers: []\n")
    refused = play(folder, playbook, *arguments, **config)
    assert f"Did you mean 'nerdctl_wrappers'? ({settings.relative_to(folder)}:1)" in refused.stdout
    settings.write_text("wrappers: []\n")
    warned = play(folder, playbook, *arguments, **config)
    assert "Your settings have 'wrappers', which no role reads. Did you mean 'nerdctl_wrappers'?" in " ".join(
        (warned.stdout + warned.stderr).split()
    )


def test_own_settings_that_ansible_would_pass_over_are_told(folder: Path) -> None:
    arguments = ("-i", str(folder / "hosts.yml"), "--tags", "nerdctl")
    config = {"ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"), "ANSIBLE_COLLECTIONS_PATH": str(ROOT / "collections")}

    def said(*more: str) -> str:
        done = play(folder, str(ROOT / "playbooks" / "workstation.yml"), *arguments, *more, **config)
        assert done.returncode == 2, done.stdout + done.stderr
        return done.stdout.rpartition("FAILED settings: ")[2]

    settings = folder / "home" / ".config" / "laptop.containers" / "settings.yml"
    settings.parent.mkdir(parents=True)
    settings.write_text("- nerdctl_completion: []\n")
    assert (
        said()
        == f"Could not use your settings '{settings}': they are a list, not a mapping. Write 'variable: value', without '- '.\n"
    )
    other = settings.rename(settings.with_suffix(".yaml"))
    assert said() == f"Could not use your settings '{other}': only settings.yml is read. Rename it.\n"
    other = other.rename(settings.with_name("setting.yml"))
    assert said() == f"Could not use your settings '{other}': only settings.yml is read. Rename it.\n"
    given = ("-e", f"workstation_settings={folder}/nowhere.yml")
    assert (
        said(*given)
        == f"Could not read your settings '{folder}/nowhere.yml': the file does not exist. Correct workstation_settings.\n"
    )
    other.unlink()
    settings.write_text("nerdctl_completion: []\nansible_connection: ssh\n")
    done = play(folder, str(ROOT / "playbooks" / "workstation.yml"), *arguments, **config)
    reason = "only the inventory and -e say which laptops a run works on, and how it reaches them"
    expected = (
        f"Could not use 'ansible_connection' of your own settings: {reason}. Move it there. ({settings.relative_to(folder)}:2)"
    )
    assert done.returncode == 2 and f"[ERROR]: {expected}" in done.stderr, done.stdout + done.stderr
    settings.write_text("nerdctl_completion: []\n", encoding="utf-16")
    done = play(folder, str(ROOT / "playbooks" / "workstation.yml"), *arguments, **config)
    expected = f"Could not read your settings '{settings}': they are not text in UTF-8. Save the file as UTF-8."
    assert done.returncode != 0 and expected in " ".join(done.stderr.split()), done.stdout + done.stderr
    settings.unlink()
    assert wrapper(play(folder, str(ROOT / "playbooks" / "workstation.yml"), *arguments, **config)) == "team"


def test_variables_that_ansible_cannot_read_are_named_with_their_files(folder: Path) -> None:
    config = {"ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"), "ANSIBLE_COLLECTIONS_PATH": str(ROOT / "collections")}
    team, laptops = folder / "group_vars" / "all.yml", folder / "group_vars" / "laptops.yml"
    team.write_text("nerdctl_completion: [zsh\ncolima_restart: never\n")
    laptops.write_text("$ANSIBLE_VAULT;1.1;AES256\n3061\n")
    done = play(folder, str(ROOT / "playbooks" / "workstation.yml"), "-i", str(folder / "hosts.yml"), **config)
    said = done.stdout + done.stderr
    assert done.returncode != 0 and f"Could not read '{team}' in line " in said, said
    assert f"Could not decrypt '{laptops}': no password was given. Run it again with --ask-vault-pass" in said
    assert list((folder / "home").iterdir()) == []


def test_an_installed_collection_runs_from_an_empty_folder(folder: Path) -> None:
    galaxy = [str(BIN / "ansible-galaxy"), "collection"]
    environment = {**os.environ, "ANSIBLE_HOME": str(folder / "ansible"), "HOME": str(folder / "home")}

    def run(*arguments: str) -> None:
        forked_ansible.run([*galaxy, *arguments], cwd=folder, env=environment, check=True, capture_output=True, timeout=120)

    run("build", str(ROOT), "--output-path", str(folder))
    (artifact,) = folder.glob("laptop-containers-*.tar.gz")
    empty = folder / "empty"
    (empty / "home").mkdir(parents=True)
    # Twice: the second time is how one updates.
    for _ in range(2):
        run("install", str(artifact), "--collections-path", str(folder / "collections"), "--offline", "--force")
    (empty.parent / "ansible.cfg").touch()
    config = {"ANSIBLE_COLLECTIONS_PATH": str(folder / "collections"), "ANSIBLE_CONFIG": str(empty.parent / "ansible.cfg")}
    # Whether or not anybody enabled the callback.
    for callbacks in ({}, {"ANSIBLE_CALLBACKS_ENABLED": "laptop.containers.progress"}):
        done = play(empty, "laptop.containers.workstation", "-e", "workstation_hosts=localhost", **config, **callbacks)
        assert done.returncode == 0, done.stdout + done.stderr
        assert "would change   create profile 'k8s'" in done.stdout
    assert list((empty / "home").iterdir()) == []
    done = play(empty, "laptop.containers.doctor", "-e", "workstation_hosts=localhost", **config)
    assert "profiles.health (k8s, docker-buildx): it does not exist yet\n" in done.stdout, done.stdout + done.stderr
    # The usual inventory is not named.
    assert "ansible-playbook laptop.containers.workstation --tags colima -e workstation_hosts=localhost\n" in done.stdout


def test_own_settings_are_not_those_of_a_laptop_that_is_reached_by_ssh(folder: Path) -> None:
    (folder / "hosts.yml").write_text(HOST.replace("hosts: {", "hosts: {other: {ansible_host: 192.0.2.1}, "))
    settings = folder / "home" / ".config" / "laptop.containers" / "settings.yml"
    settings.parent.mkdir(parents=True)
    settings.write_text("colima_restart: never\n")
    config = {"ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"), "ANSIBLE_COLLECTIONS_PATH": str(ROOT / "collections")}
    done = play(folder, str(ROOT / "playbooks" / "settings.yml"), "-i", str(folder / "hosts.yml"), **config)
    assert (done.returncode, done.stderr) == (0, "")
    own, other = done.stdout.partition("other: ")[::2]
    assert "colima_restart: never" in own
    assert "colima_restart" not in other


# What a confirmation would let go, the playbook that reads it, and the layer of settings in which it stays here.
CONFIRMATIONS = {
    "colima_confirm_data_loss": ("workstation.yml", "[k8s]", "team"),
    "migrate_confirm": ("migrate.yml", "desktop-linux", "laptop"),
    "move_confirm": ("move.yml", "k8s-docker", "own"),
    "snapshot_confirm": ("restore.yml", "k8s", "team"),
}


@pytest.mark.parametrize("name", CONFIRMATIONS)
def test_a_confirmation_that_stays_in_a_file_confirms_nothing(folder: Path, name: str) -> None:
    config = {"ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"), "ANSIBLE_COLLECTIONS_PATH": str(ROOT / "collections")}
    playbook, value, layer = CONFIRMATIONS[name]
    own = folder / "home" / ".config" / "laptop.containers" / "settings.yml"
    places = {"team": folder / "group_vars/all.yml", "laptop": folder / "host_vars/laptop.yml", "own": own}
    places[layer].parent.mkdir(parents=True, exist_ok=True)
    places[layer].write_text(f"{name}: {value}\n")
    arguments = ("-i", str(folder / "hosts.yml"), "-e", "move_profile=k8s snapshot_profile=k8s snapshot_name=x")
    done = play(folder, str(ROOT / "playbooks" / playbook), *arguments, **config)
    assert done.returncode != 0
    assert f"Could not use '{name}' of " in done.stdout, done.stdout + done.stderr
    assert "a confirmation that stays there confirms every later loss" in done.stdout
    assert f"give it for one run: -e '{name}=...'" in done.stdout
    # Given for one run it is heard, and the one in the file is not asked.
    given = ("-e", f"{name}={value}" if not value.startswith("[") else json.dumps({name: ["k8s"]}))
    again = play(folder, str(ROOT / "playbooks" / playbook), *arguments, *given, **config)
    assert "confirms every later loss" not in again.stdout + again.stderr
