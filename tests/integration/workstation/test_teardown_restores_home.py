# SPDX-License-Identifier: GPL-3.0-or-later
"""With everything switched on, and real engines, a teardown gives back the home that was there, file by file and byte by byte."""

from __future__ import annotations

import fnmatch
import json
import re
from collections.abc import Iterator, Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.laptop.containers.plugins.plugin_utils.settings import OF_PLAYBOOKS

from rehearsal.lab.laptop import Lab
from rehearsal.services.grades import real_parts
from tests.support.lab_playbooks import ROOT, lab_of_grade, play
from tests.support.whole_machine.homes import changes, tree
from tests.support.whole_machine.pulled_project import stand_in

EVERYTHING: Mapping[str, Any] = {
    "workstation_autostart": True,
    "workstation_idle_stop": "2h",
    "workstation_refresh_timer": True,
    "buildx_builders": [
        {"name": "multi-platform", "endpoint": "colima-buildx", "platforms": ["linux/amd64", "linux/arm64"], "default": True},
        {"name": "into-k8s", "profile": "k8s"},
    ],
    "colima_profiles": [
        {"name": "k8s", "runtime": "containerd", "kubernetes": {"enabled": True, "build": True}},
        {"name": "docker-buildx", "runtime": "docker", "auto_activate": False},
    ],
    "docker_cli_env_file": "~/docker.env",
    "docker_cli_testcontainers": True,
    "local_registry_help": "https://wiki.example.com/registry",
    "local_registry_host": "localhost:5001",
    "local_registry_host_from_cluster": "registry:5000",
    "local_registry_host_from_containers": "host.lima.internal:5001",
    "nerdctl_completion": ["bash", "zsh", "fish"],
    "nerdctl_wrappers": [{"path": "~/.local/bin/nerdctl", "profile": "k8s"}, {"path": "~/bin/kn", "profile": "k8s"}],
    "pull_timer_repository": "git@git.example.com:laptops.git",
    "pull_timer_verify_commit": True,
    "secret_refresh_create_namespaces": True,
    "secret_refresh_docker_cred_helpers": True,
    "secret_refresh_prune": True,
    "secret_refresh_service_accounts": ["default"],
}
# What is there after it, of each.
MADE = {
    *(".kube/config", ".docker/contexts", ".docker/buildx/instances/into-k8s", ".docker/buildx/instances/multi-platform"),
    *("docker.env", ".local/bin/nerdctl", "bin/kn"),
    ".colima/k8s/containerd/buildkitd.toml",
    *(f".config/systemd/user/laptop-containers-{name}.timer" for name in ("autostart", "idle-stop", "pull", "refresh")),
}
# A stand-in of nerdctl prints no completion.
COMPLETIONS = {".data/bash-completion/completions/nerdctl", ".zfunc/_nerdctl", ".config/fish/completions/nerdctl.fish"}
# Options that are off, too, and of which nothing more is in the home when they are on.
LEAVES_NOTHING = {
    "*_environment": "variables of what a timer runs",
    "*_programs": "programs of what a timer runs",
    "*_directory": "where a timer's status goes, which stays",
    "*_timer_inventory": "an argument of what a timer runs",
    "*_timer_project": "where what a timer runs is",
    "*_timer_python": "the program that a timer runs",
    "*_timer_playbook": "an argument of what a timer runs",
    "*_timer_arguments": "arguments of what a timer runs",
    "idle_stop_after": "workstation_idle_stop",
    "pull_timer_setup": "an argument of what the timer runs",
    "pull_timer_signers": "a file of the user's",
    "pull_timer_start": "whether a pull starts VMs",
    "pull_timer_tags": "an argument of what the timer runs",
    "pull_timer_version": "an argument of what the timer runs",
    "colima_host": "what is known of the laptop",
    "colima_idle_for": "when a VM is stopped",
    "colima_profile_overrides": "settings of a VM",
    "colima_confirm_data_loss": "what a teardown may destroy",
    "colima_delete_data": "what a teardown may destroy",
    "docker_cli_socket_link": "a link in /var/run, which only root can make",
    "docker_context_current": "which context is current",
    "local_registry_kubeconfig": "where the cluster is",
    "network_*": "settings of VMs and builders, and a file: tests/integration/network/test_role.py",
    "secret_refresh_adopt": "whose secrets are renewed",
    "secret_refresh_docker_login": "needs registries that answer: tests/integration/ecr_pull_secret/test_registry_logins.py",
    "secret_refresh_nerdctl_profiles": "needs registries that answer: .../test_registry_logins_nerdctl.py",
    "secret_refresh_exclude_namespaces": "which namespaces",
    "secret_refresh_force_conflicts": "whose fields are written",
    "secret_refresh_kubeconfig": "where the cluster is",
    "secret_refresh_namespace_selector": "which namespaces",
    "secret_refresh_registries": "the rehearsed inventory has two",
    "workstation_environment": "the lab's own",
    "workstation_hosts": "which laptops",
    "workstation_settings": "a file of the user's",
    "fleet_*": "how many laptops at once",
    "settings_show": "which settings are shown",
}
# Roles that workstation.yml does not run. What they leave was asked for by name.
ON_REQUEST = {
    "bootstrap": "over SSH only; tests/integration/fleet/test_over_ssh.py",
    "doctor": "a report, by its path",
    "migrate": "images and volumes of another engine, in the VMs",
    "move": "a copy of the old VM until it is confirmed",
    "reclaim": "nothing",
    "snapshot": "snapshots, which a later restore needs",
    "support": "a file, by its path",
    "toolchain": "programs",
    "upgrade": "programs",
}
NO_DATA_LEFT = {"colima_delete_data": True, "colima_keep_deleted": 0, "colima_confirm_data_loss": ["k8s", "docker-buildx"]}
# What a user has had before, where the workstation has files of its own. The first is as docker writes it.
MINE = {
    ".docker/config.json": (
        '{\n\t"auths": {},\n\t"psFormat": "table",\n\t"credsStore": "mine",\n\t"currentContext": "engine-of-mine"\n}'
    ),
    f".docker/contexts/meta/{sha256(b'engine-of-mine').hexdigest()}/meta.json": json.dumps(
        {
            "Name": "engine-of-mine",
            "Metadata": {},
            "Endpoints": {"docker": {"Host": "unix:///gone/docker.sock", "SkipTLSVerify": False}},
        }
    ),
    ".local/bin/mine": "mine\n",
    ".zshrc": "# mine\n",
    ".zfunc/_mine": "# mine\n",
    ".testcontainers.properties": "x=1",
    ".config/systemd/user/mine.timer": "[Timer]\nOnCalendar=daily\n",
}


def off_by_default() -> Iterator[str]:
    """Yield the settings of the workstation that switch something on, as far as that shows in an empty default."""
    run = yaml.safe_load((ROOT / "playbooks" / "workstation.yml").read_text())[0]["tasks"]
    used = {
        task["ansible.builtin.import_role"]["name"].rpartition(".")[2] for task in run if "ansible.builtin.import_role" in task
    }
    for specs in sorted((ROOT / "roles").glob("*/meta/argument_specs.yml")):
        role = specs.parts[-3]
        if role not in ON_REQUEST:
            assert role in used, f"role {role} is neither in workstation.yml nor in ON_REQUEST"
            options = yaml.safe_load(specs.read_text())["argument_specs"]["main"]["options"]
            yield from (name for name, option in options.items() if not option.get("default"))
    yield from (name for name, option in OF_PLAYBOOKS.items() if not option.get("default"))


def test_everything_is_switched_on() -> None:
    names = set(off_by_default())
    left_out = {name for name in names if any(fnmatch.fnmatch(name, one) for one in LEAVES_NOTHING)}
    missing = names - left_out - EVERYTHING.keys()
    assert not missing, f"add {missing} to EVERYTHING (and to MADE what it makes), or to LEAVES_NOTHING, in this file"
    assert not left_out & EVERYTHING.keys()
    assert not [one for one in LEAVES_NOTHING if not fnmatch.filter(names, one)]
    assert set(ON_REQUEST) <= {path.name for path in (ROOT / "roles").iterdir()}


@pytest.fixture
def lab() -> Iterator[Lab]:
    # With the real engines that this machine has.
    with lab_of_grade("auto") as lab:
        yield lab


def test_teardown_gives_back_the_home_that_was_there(lab: Lab) -> None:
    for name, text in MINE.items():
        (lab.home / name).parent.mkdir(parents=True, exist_ok=True)
        (lab.home / name).write_text(text)
    for helper in ("ecr-login", "mine"):
        stand_in(lab.bin, f"docker-credential-{helper}", "exit 1")
    before = tree(lab.home)
    properties = lab.home / ".testcontainers.properties"
    said = play(lab, "playbooks/workstation.yml", "-e", json.dumps(EVERYTHING))
    assert "write configmap kube-public/local-registry-hosting of colima-k8s" in said
    found = set(tree(lab.home))
    assert not (MADE | (COMPLETIONS if real_parts(lab.directory)["containerd"] else set())) - found
    assert "docker.host=unix://" in properties.read_text()
    config = json.loads((lab.home / ".docker/config.json").read_text())
    helpers = config["credHelpers"]
    assert (config["credsStore"], config.get("currentContext")) == ("mine", "colima-buildx")
    assert any(re.search(r"\.dkr\.ecr\.", host) for host in helpers)

    play(lab, "playbooks/teardown.yml", "-e", json.dumps({**EVERYTHING, **NO_DATA_LEFT}))

    assert changes(before, tree(lab.home)) == {}
    kubeconfig = yaml.safe_load(Path(lab.home / ".kube/config").read_text())
    assert not any(kubeconfig[kind] for kind in ("clusters", "contexts", "users"))
