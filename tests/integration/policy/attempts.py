# SPDX-License-Identifier: GPL-3.0-or-later
"""The policy of a team, settings that keep it, and the attempts to get round it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

CONTACT = "platform@example.com"
POLICY = f"""\
contact: {CONTACT}
rules:
  - setting: colima_profiles[].memory
    maximum: 8
    reason: The laptop's owner works on it as well.
  - setting: colima_profiles[runtime=docker].docker.registry-mirrors
    must_contain: [https://mirror.example.com]
    reason: The network lets only the mirror through.
  - setting: colima_profiles[].docker
    forbidden: [insecure-registries, privileged]
    reason: Images are pulled over TLS.
  - setting: colima_profiles[name=k8s].runtime
    value: containerd
    reason: The kubelet talks to containerd.
  - setting: colima_restart
    allowed: [if_idle, never]
    reason: No work is interrupted.
  - setting: colima_stop
    value: if_idle
    reason: No work is interrupted.
  - setting: colima_delete_data
    value: false
    reason: Data is removed by its owner.
  - setting: colima_reserve_memory_mib
    minimum: 1024
    reason: The laptop needs memory itself.
  - setting: docker_context_current
    value: colima-buildx
    reason: Builds must reach the mirror.
  - setting: secret_refresh_registries[].host
    must_contain: [.dkr.ecr.]
    reason: Tokens go to ECR only.
  - setting: workstation_autostart
    value: false
    reason: Batteries.
"""
DOCKER = "{name: docker-buildx, runtime: docker, memory: 2, docker: {registry-mirrors: [https://mirror.example.com]}}"
GOOD = f"""\
colima_profiles:
  - {{name: k8s, runtime: containerd, memory: 2}}
  - {DOCKER}
colima_stop: if_idle
docker_context_current: colima-buildx
docker_cli_plugins: []
"""
LARGE = '{"colima_profiles": [{"name": "k8s", "runtime": "containerd", "memory": 64}]}'


def profiles(*entries: str) -> str:
    return "".join(["colima_profiles:\n", *(f"  - {entry}\n" for entry in entries)])


# By laptop, what its host_vars hold. All of them are refused in one run.
BY_LAPTOP: Mapping[str, str] = {
    "plain": "colima_restart: always\n",
    "template": "word: ways\ncolima_restart: \"{{ 'al' ~ word }}\"\n",
    "unsafe": "colima_restart: !unsafe always\n",
    "twice": "colima_restart: never\ncolima_restart: always\n",
    "environment": "colima_restart: \"{{ lookup('ansible.builtin.env', 'HOW_TO_RESTART') }}\"\n",
    "too_large": profiles("{name: k8s, runtime: containerd, memory: 64}"),
    "a_text": profiles("{name: k8s, runtime: containerd, memory: '64'}"),
    "computed": profiles("{name: k8s, runtime: containerd, memory: '{{ 8 * 8 }}'}"),
    "left_out": profiles("{name: k8s, runtime: containerd}"),
    "omitted": profiles("{name: k8s, runtime: containerd, memory: '{{ omit }}'}"),
    "whole_list": 'mine: [{name: k8s, runtime: containerd, memory: 64}]\ncolima_profiles: "{{ mine }}"\n',
    "other_name": profiles(
        "{name: colima-k8s, runtime: docker, memory: 2, docker: {registry-mirrors: [https://mirror.example.com]}}"
    ),
    "no_mirror": profiles("{name: build, runtime: docker, memory: 2}"),
    "no_runtime": profiles("{name: build, memory: 2}"),
    "insecure": profiles(DOCKER.replace("docker: {", "docker: {insecure-registries: [10.0.0.1], ")),
    "capitals": profiles(DOCKER.replace("docker: {", "docker: {Insecure-Registries: [10.0.0.1], ")),
    "deep": profiles(DOCKER.replace("docker: {", "docker: {features: {x: [{privileged: true}]}, ")),
    "as_json": profiles('{name: build, runtime: docker, memory: 2, docker: \'{"insecure-registries": ["10.0.0.1"]}\'}'),
    "omitted_option": 'colima_stop: "{{ omit }}"\n',
    "reserve": "colima_reserve_memory_mib: 0\n",
    "registry": "secret_refresh_registries: [{host: registry.example.com}]\n",
    "playbook": "workstation_autostart: 'yes'\n",
    "late_role": "docker_context_current: default\n",
}


@dataclass(frozen=True)
class Attempt:
    """Arguments and environment of one run. files: what is written for it; command: what is run instead of the playbook."""

    name: str
    arguments: tuple[str, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    files: Mapping[str, str] = field(default_factory=dict)
    playbook: str = "playbooks/workstation.yml"


ALWAYS = ("-e", "colima_restart=always")
ALWAYS_LAST = "colima_restart: never\ncolima_restart: always\n"
HOST = """\
laptops:
  hosts:
    mine:
      ansible_connection: local
      ansible_python_interpreter: "{{ ansible_playbook_python }}"
"""
ATTEMPTS = (
    Attempt("-e", ALWAYS),
    Attempt("-e with JSON", ("-e", LARGE)),
    Attempt("-e @file with a key twice", ("-e", "@more.yml"), files={"more.yml": ALWAYS_LAST}),
    Attempt("-e of a template", ("-e", "colima_restart={{ lookup('env', 'HOW') }}"), {"HOW": "always"}),
    Attempt("-e of the policy itself", (*ALWAYS, "-e", '{"policy": {}, "rules": [], "ansible_inventory_sources": []}')),
    Attempt("-e of the directories", (*ALWAYS, "-e", "playbook_dir=/tmp inventory_dir=/tmp inventory_file=/tmp/hosts")),
    Attempt("-e of what a role keeps to itself", ("-e", '{"__colima_host": {"reserve_memory_mib": 0}}')),
    Attempt("settings of one's own", files={"home/.config/laptop.containers/settings.yml": "colima_restart: always\n"}),
    Attempt("another file of such", ("-e", "workstation_settings=$HERE/own.yml"), files={"own.yml": "colima_restart: always\n"}),
    Attempt("--tags", ("--tags", "docker_context", "-e", "docker_context_current=default")),
    Attempt("--skip-tags", ("--skip-tags", "colima,policy,always", "-e", "docker_context_current=default")),
    Attempt("--start-at-task", ("--start-at-task", "Converge the docker contexts", "-e", "docker_context_current=default")),
    Attempt("another inventory", ("-i", "other/hosts.yml", *ALWAYS), files={"other/hosts.yml": HOST}),
    Attempt("ANSIBLE_INVENTORY", ALWAYS, {"ANSIBLE_INVENTORY": "$HERE/other/hosts.yml"}, {"other/hosts.yml": HOST}),
    Attempt("a laptop without an inventory", ("-i", "mine,", "-c", "local", "-e", "workstation_hosts=mine", *ALWAYS)),
    Attempt(
        "settings said to be checked",
        ALWAYS,
        {"LAPTOP_CONTAINERS_CHECKED": "mine:", "ANSIBLE_CALLBACKS_ENABLED": "laptop.containers.results"},
    ),
    Attempt("stop", ("-e", "colima_stop=always"), playbook="playbooks/stop.yml"),
    Attempt("start", ALWAYS, playbook="playbooks/start.yml"),
    Attempt("teardown", ("-e", "colima_delete_data=true", "--tags", "colima"), playbook="playbooks/teardown.yml"),
    Attempt("migrate", ("-e", "docker_context_current=default", "--tags", "switch"), playbook="playbooks/migrate.yml"),
)

_ROLE = "- ansible.builtin.import_role: {name: laptop.containers.colima}\n"
_CALL = "- laptop.containers.colima_profile:\n    sizes: keep\n"
# Tasks of playbooks of one's own, which bypass the roles' variables.
PLAYS: Mapping[str, str] = {
    "vars of a block": "- vars: {colima_restart: always}\n  block:\n    " + _ROLE,
    "vars of a role": "- ansible.builtin.include_role: {name: laptop.containers.colima}\n  vars: {colima_restart: always}\n",
    "set_fact": "- ansible.builtin.set_fact: {colima_restart: always}\n" + _ROLE,
    "include_vars": "- ansible.builtin.include_vars: {file: ../more.yml}\n" + _ROLE,
    "a fact": "- ansible.builtin.set_fact: {colima_restart: always, cacheable: true}\n" + _ROLE,
    "variables of one's own role": "- ansible.builtin.import_role: {name: varying}\n",
    "defaults of one's own role": "- ansible.builtin.import_role: {name: wrapping}\n",
    "a role of the same name": "- ansible.builtin.import_role: {name: colima}\n",
    "the module": _CALL + "    stop: if_idle\n    restart: always\n    profiles: [{name: a, memory: 2}]\n",
    "the module's defaults": _CALL + "    name: a\n    memory: 2\n    docker: {registry-mirrors: [https://mirror.example.com]}\n",
    "one profile": _CALL + "    stop: if_idle\n    name: a\n    runtime: containerd\n    memory: 64\n",
    "module_defaults": _CALL
    + "    stop: if_idle\n    name: a\n    runtime: containerd\n    memory: 2\n"
    + "  module_defaults: {laptop.containers.colima_profile: {restart: always}}\n",
    "a loop": _CALL + "    stop: if_idle\n    name: a\n    runtime: containerd\n    memory: '{{ item }}'\n  loop: [64]\n",
    "args": _CALL + "    stop: if_idle\n    name: a\n    runtime: containerd\n  args: {memory: 64}\n",
    "local_action": "- local_action: laptop.containers.docker_context\n  args: {contexts: [], current_context: default}\n",
    "delegation": "- laptop.containers.docker_context: {contexts: [], current_context: default}\n  delegate_to: localhost\n",
    "async": "- laptop.containers.docker_context: {contexts: [], current_context: default}\n  async: 30\n  poll: 1\n",
    "another interpreter": "- laptop.containers.docker_context: {contexts: [], current_context: default}\n"
    "  vars: {ansible_python_interpreter: /usr/bin/python3}\n",
    "ignored errors": "- ansible.builtin.set_fact: {colima_restart: always}\n" + _ROLE.rstrip() + "\n  ignore_errors: true\n",
    "the host option": _CALL
    + "    stop: if_idle\n    name: a\n    runtime: containerd\n    memory: 2\n    host: {reserve_memory_mib: 0}\n",
}
# What weaker layers say, the role's own defaults and the laptop's settings overrule; the last is not a role of this collection.
WITHOUT_EFFECT = ("defaults of one's own role", "a role of the same name")
