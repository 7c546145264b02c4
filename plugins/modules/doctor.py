#!/usr/bin/python
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: doctor
short_description: Examine the whole workstation
version_added: 0.1.0
author: [The laptop.containers contributors (@laptop-containers)]
description:
  - Looks at everything that the roles of this collection keep, and returns checks, each with what was found and what helps.
  - Reads only. It starts no VM, writes no file, and never fails because something is broken.
  - Each option named after a module takes the options of that module, as its role gives them. What has none is not examined.
  - The groups run side by side. What hangs is C(unknown) and holds nothing else up.
  - The role C(doctor) calls it with the settings of all other roles.
extends_documentation_fragment: [laptop.containers.attributes.info]
options:
  colima_profile:
    description: The options of M(laptop.containers.colima_profile).
    type: dict
    default: {}
  nerdctl_wrapper:
    description: The options of M(laptop.containers.nerdctl_wrapper).
    type: dict
    default: {}
  docker_cli_config:
    description: The options of M(laptop.containers.docker_cli_config).
    type: dict
    default: {}
  docker_context:
    description: The options of M(laptop.containers.docker_context).
    type: dict
    default: {}
  buildx_builder:
    description: The options of M(laptop.containers.buildx_builder).
    type: dict
    default: {}
  network:
    description: The options of M(laptop.containers.network).
    type: dict
    default: {}
  ecr_pull_secret:
    description: The options of M(laptop.containers.ecr_pull_secret).
    type: dict
    default: {}
  user_timer:
    description: The options of M(laptop.containers.user_timer).
    type: dict
    default: {}
  autostart_timer:
    description: The options of M(laptop.containers.user_timer) with which VMs are started at log-in.
    type: dict
    default: {}
  idle_stop_timer:
    description: The options of M(laptop.containers.user_timer) with which idle VMs are stopped.
    type: dict
    default: {}
  pull_timer:
    description: The options of M(laptop.containers.user_timer) with which the project is pulled.
    type: dict
    default: {}
  groups:
    description: The groups of checks to make.
    type: list
    elements: str
    choices: [tools, profiles, docker, builders, kubernetes, registries, timers, network, policy, leftovers]
    default: [tools, profiles, docker, builders, kubernetes, registries, timers, network, policy, leftovers]
  play:
    description: How the workstation is converged, for remedies, which add C(--tags).
    type: str
    default: ansible-playbook playbooks/workstation.yml
  policy:
    description:
      - The team's policy, and what of the settings breaks it.
      - Not for playbooks to give. Where there are policy files, what they say replaces it.
    type: dict
    default: {}
  timer_directory:
    description: Where the timer notes how its last run ended. Without it, the state directory of this collection.
    type: path
  timeout:
    description: Seconds after which what has not answered is given up.
    type: float
    default: 20
seealso:
  - module: laptop.containers.doctor_report
"""

EXAMPLES = r"""
- name: Examine the profile and its docker context
  laptop.containers.doctor:
    groups: [profiles, docker]
    colima_profile:
      profiles:
        - {name: docker-buildx, runtime: docker}
    docker_context:
      contexts:
        - {name: colima-buildx, docker: {profile: docker-buildx}}
  register: workstation

- name: Fail if anything is broken
  ansible.builtin.assert:
    that: workstation.verdict != 'broken'
"""

RETURN = r"""
verdict:
  description: The worst status of all checks, one of V(ok), V(note), V(unknown), V(warning) and V(broken).
  returned: always
  type: str
counts:
  description: How many checks ended in each status.
  returned: always
  type: dict
groups:
  description: The groups that were examined, O(groups).
  returned: always
  type: list
  elements: str
profiles:
  description:
    - The profiles of the settings, each with C(name), C(state), C(runtime), C(kubernetes), C(cpus), C(memory_gib), C(disk_gib),
      C(disk_used_gib), C(disk_on_laptop_gib), C(uptime_seconds) and C(address).
  returned: always
  type: list
  elements: dict
system:
  description: The laptop's system (C(name), C(machine)) and the user's C(home).
  returned: always
  type: dict
seconds:
  description: How long the examination took.
  returned: always
  type: float
checks:
  description: The checks, in the order of their groups.
  returned: always
  type: list
  elements: dict
  contains:
    id:
      type: str
      description:
        - The kind of check.
        - "C(tools.program), whether a program that the settings need is installed."
        - "C(tools.colima), whether colima has a version that is known to work, or known to break."
        - "C(tools.version), whether the same is so of Lima, docker and buildx."
        - "C(tools.machine), whether a program is made for this machine and runs without emulation."
        - "C(tools.shadowed), whether another program comes before the one of that name that Homebrew keeps up to date."
        - "C(tools.kvm), whether this user may use the virtualisation of a Linux laptop, where no VM runs already."
        - "C(tools.nerdctl), whether the command nerdctl is there, bound to its profile."
        - "C(profiles.settings), whether a run would accept the settings of the profiles."
        - "C(profiles.health), whether the VM of a profile is there, and runs where it should."
        - "C(profiles.engine), whether the container engine in a running VM answers."
        - "C(profiles.drift), whether a profile has the settings that are asked for."
        - "C(profiles.pending), whether changes of a profile wait for a restart or a move."
        - "C(profiles.address), whether a profile that is to have a reachable address has one."
        - "C(profiles.interrupted), whether a run was ended while it made a profile again."
        - "C(profiles.room), whether the running VMs fit the laptop's CPUs and memory, those beside the settings too."
        - "C(profiles.disk), how full a profile's disk is, and what it takes of the laptop's."
        - "C(profiles.mount), whether the data disk is mounted in the VM, under what the engine stores."
        - "C(profiles.lock), whether the data disk is marked as in use although no VM runs."
        - "C(profiles.format), whether colima knows that the data disk holds data, so that no start formats it."
        - "C(profiles.space), whether the laptop's own disk has room for what the profiles may still store."
        - "C(profiles.clock), whether a VM's clock is right: registries refuse a clock that stood still while the laptop slept."
        - "C(profiles.memory), whether a VM has memory left."
        - "C(docker.config), whether docker's config.json can be read, and holds nothing that a removed Docker Desktop left."
        - "C(docker.plugins), whether docker finds its plugins buildx and compose."
        - "C(docker.context), whether a docker context is there, with the address of its profile."
        - "C(docker.current), whether docker uses the context that it should."
        - "C(docker.variables), whether DOCKER_HOST or DOCKER_CONTEXT overrules the current context, and where it is set."
        - "C(docker.engine), whether the engine of a profile answers on its socket."
        - "C(docker.api), whether the docker command and the engine have a version of the API in common."
        - "C(docker.emulation), whether a VM really runs programs of the other architecture (Rosetta, binfmt), asked in it."
        - "C(builders.builder), whether a builder is there with its nodes and settings, and docker uses it."
        - "C(builders.nodes), whether the engines behind the nodes of a builder answer."
        - "C(builders.stale), whether there are other builders whose engine is gone: C(docker buildx ls) waits for them."
        - "C(kubernetes.context), whether the kube context of a profile is there, and is that of the k3s in it."
        - "C(kubernetes.current), whether kubectl has a current context that exists."
        - "C(kubernetes.api), whether the API server answers to the kubeconfig's credentials."
        - "C(kubernetes.certificates), how long the certificates of the API server and of the kubeconfig are valid."
        - "C(kubernetes.node), whether the node is ready."
        - "C(kubernetes.runtime), whether the node runs pods on containerd itself, not through a shim to docker."
        - "C(kubernetes.pods), whether a docker engine is free of the cluster's containers, which would fill C(docker ps)."
        - "C(kubernetes.skew), whether kubectl is at most one minor version from the server."
        - "C(registries.credentials), whether AWS credentials are there for each registry, and until when."
        - "C(registries.secret), whether the pull secret is in each namespace, with its hours left."
        - "C(registries.accounts), whether the service accounts of a namespace pull with the secret."
        - "C(registries.access), whether the registry takes what is stored in the pull secret: a request of its own, with the
          secret."
        - "C(registries.login), whether docker and nerdctl are logged in as the settings ask."
        - "C(registries.cluster), whether the cluster that the pull secret goes to answers."
        - "C(timers.installed), whether a timer is installed as the settings ask, and its service manager runs it."
        - "C(timers.last_run), when a timer ran last, when it runs next, and why it failed or skipped last."
        - "C(network.proxy), whether the proxy of the environment answers."
        - "C(network.authority), whether files of certificate authorities that variables name are there, readable and valid."
        - "C(network.names), whether the laptop resolves the names of the registries, where no proxy does it."
        - "C(network.guest_names), whether a VM resolves names, asked in it."
        - "C(network.guest_authority), whether a VM has a custom CA where the laptop needs one."
        - "C(network.reach), whether the laptop, VMs, docker, the kubelet, BuildKit and pods reach what they have to."
        - "C(network.routes), whether address ranges of VMs and containers collide with routes of a VPN or an office."
        - "C(network.pods), whether namespaces have the authorities and the proxy that their pods were to get."
        - "C(policy.file), whether the policy of the team can be read."
        - "C(policy.settings), whether the settings keep the policy."
        - "C(policy.profile), whether a running profile is as the policy allows."
        - "C(policy.tool), whether a program has a version that the policy allows."
        - "C(leftovers.docker_desktop), whether Docker Desktop is installed beside the workstation."
        - "C(leftovers.profile), whether there are profiles that the settings do not have."
        - "C(leftovers.disk), whether a data disk belongs to no profile, and what it takes."
        - "C(leftovers.kept), whether a VM is kept after a move or a deletion, and what it takes."
        - "C(leftovers.context), whether docker contexts lead to profiles that are gone."
        - "C(leftovers.kube_context), whether kube contexts lead to profiles that are gone."
        - "C(leftovers.notes), whether the collection's own notes can be read."
        - "C(leftovers.aside), whether repairs have put files aside."
        - "C(leftovers.failure), whether the last run that set out to change something failed, and with what."
    group:
      description: The group, with which the id begins.
      type: str
    status:
      description: V(ok), V(note) (worth knowing), V(unknown) (it could not be told), V(warning) or V(broken).
      type: str
    found:
      description: What was found, or why it could not be told.
      type: str
    remedy:
      description: What helps, as a command that can be pasted. Empty where there is nothing to do.
      type: str
    about:
      description: The profile, context, registry or file that it is about.
      type: str
    seconds:
      description: How long it took to find out.
      type: float
"""

from ..module_utils.core.module import run_module


def subject():
    from ..module_utils.doctor.task import SUBJECT

    return SUBJECT


def main():
    run_module(subject)


if __name__ == "__main__":
    main()
