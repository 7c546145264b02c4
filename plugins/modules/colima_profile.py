#!/usr/bin/python
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: colima_profile
short_description: Create, change and delete colima profiles without losing data
version_added: 0.1.0
author: [The laptop.containers contributors (@laptop-containers)]
description:
  - Creates, starts, changes, stops and deletes profiles of L(colima,https://github.com/abiosoft/colima) (Lima VMs with docker,
    containerd or incus, and optionally Kubernetes), one or several as one plan.
  - C(colima start) exits with 0 while it ignores or discards most changes to a profile that exists. This module compares with
    what the VM really runs with, carries out what is needed, and reads again afterwards.
  - Options left out keep the present value; for a new profile they are colima's documented defaults. Names are the keys of
    C(colima.yaml) in snake case.
  - VMs, disks, images and volumes are never destroyed unless O(on_fixed_change), O(delete_data) and O(confirm_data_loss) say so.
  - Unhealthy profiles are repaired on the way (half-started or broken VMs, stale disk locks, lost or damaged files, the profile's
    own kubeconfig entry and docker context); no repair deletes anything.
  - VMs are started side by side as far as colima allows. All changes happen under one lock for each Lima home.
  - Never touches the current docker or kube context of a client, except as colima itself does it at a start (O(auto_activate)).
extends_documentation_fragment: [laptop.containers.attributes, laptop.containers.attributes.company_network]
requirements:
  - colima 0.8.1 or newer and limactl 0.18 or newer; docker for runtime V(docker) and kubectl for Kubernetes.
  - PyYAML
options:
  <<: &settings
    state:
      description:
        - V(started) makes sure that the profile runs with these settings; V(stopped) only that it does not run, whatever its
          settings are; V(present) only that the settings are in place, applied to a VM that runs already and left to the next
          start otherwise.
        - V(absent) deletes the VM, its settings, and what colima leaves on the host (docker context, kubeconfig entry, nerdctl
          wrapper of this profile). The data disk stays for the next profile of that name, unless O(delete_data).
        - V(started) when left out. Beside O(profiles) it is the state of each profile that is not V(absent) itself;
          V(present) leaves each its own.
      type: str
      choices: [started, stopped, present, absent]
    weight:
      description: Weight of the profile in the sharing of the laptop, with O(sizes=share). 1 when left out.
      type: float
    cpu:
      description: Number of CPUs. Needs a restart.
      type: int
    memory:
      description: Memory in GiB; fractions are allowed. Needs a restart.
      type: float
    disk:
      description:
        - Size in GiB of the disk for images, volumes and Kubernetes data. It grows at a restart and never shrinks.
      type: int
    root_disk:
      description: Size in GiB of the VM's system disk (C(rootDisk)). Grows only, at a restart.
      type: int
    arch:
      description: Architecture of the VM. Fixed for the life of the VM. V(host) is the laptop's own.
      type: str
      choices: [host, x86_64, aarch64]
    runtime:
      description: Container runtime. Fixed for the life of the VM and of its data disk.
      type: str
      choices: [docker, containerd, incus, none]
    hostname:
      description: Host name in the VM. Empty means C(colima-) and the profile's name. Needs a restart.
      type: str
    cpu_type:
      description: CPU model for qemu (C(cpuType)); empty or V(host) for the host's. Needs a restart.
      type: str
    kubernetes:
      description: Kubernetes (k3s) in the VM; only with runtime V(docker) or V(containerd).
      type: dict
      suboptions:
        enabled:
          description: Whether Kubernetes runs. Needs a restart.
          type: bool
        version:
          description:
            - Release of k3s, for example V(v1.35.0+k3s1). Installed in place at a restart.
            - A release that is older than the one in the VM is refused, because k3s can't read the data of a newer one.
            - For a new profile the release that this version of colima installs.
          type: str
        k3s_args:
          description: Arguments for k3s (C(k3sArgs)). Needs a restart.
          type: list
          elements: str
        ecr_profile:
          description:
            - The AWS profile that the kubelet pulls images from ECR with, without any pull secret.
            - Adds AWS' C(ecr-credential-provider) to O(profiles[].provision) and O(profiles[].kubernetes.k3s_args), beside what
              is there; an empty name takes it away again. Left out, both stay as they are. Needs a restart.
            - The VM reads C(~/.aws), which must be mounted under its own path, as it is by default. At each start it downloads
              the program when it is missing; a run that starts the VM warns when that failed.
          type: str
        build:
          description:
            - Whether builds go straight into the images that the cluster sees, with no registry between. Only with runtime
              V(containerd) and a colima of 0.10.2 or newer.
            - Writes C(containerd/buildkitd.toml) into the profile's directory, which repeats the file that all profiles share and
              lets BuildKit work in containerd's namespace C(k8s.io), with a cache of its own; V(false) takes it away again. A
              file of your own stays as it is, and is refused where it builds elsewhere. Needs a restart.
          type: bool
        port:
          description:
            - Port of the API server on the host; V(0) picks a free one.
            - Read once, when k3s is installed in the VM, and fixed from then on, also while Kubernetes is off.
          type: int
    auto_activate:
      description:
        - Whether colima makes the profile's docker or kube context the current one when it starts (C(autoActivate)).
      type: bool
    network:
      description: Network of the VM.
      type: dict
      suboptions:
        address:
          description: Whether the VM gets an address that the laptop can reach. macOS only. Can't be switched off again.
          type: bool
        mode:
          description: How the address is made. macOS only. Fixed for the life of the VM.
          type: str
          choices: [shared, bridged]
        interface:
          description: Interface of the laptop for V(bridged). macOS only. Needs a restart.
          type: str
        preferred_route:
          description: Whether the VM uses the reachable address for its own traffic (C(preferredRoute)). macOS only.
          type: bool
        dns:
          description: Addresses of DNS servers for the VM, instead of the laptop's resolver. Needs a restart.
          type: list
          elements: str
        dns_hosts:
          description: Names that the VM resolves, with the address or name that they stand for (C(dnsHosts)). Needs a restart.
          type: dict
        host_addresses:
          description: Whether ports can be forwarded to single addresses of the laptop (C(hostAddresses)). Needs a restart.
          type: bool
        gateway_address:
          description:
            - IPv4 address of the gateway, ending in .2 (C(gatewayAddress)). All running profiles must have the same.
          type: str
    forward_agent:
      description: Whether the laptop's ssh agent can be used in the VM (C(forwardAgent)). Needs a restart.
      type: bool
    docker:
      description: >-
        Content of docker's C(daemon.json), replaced as a whole. The entries of C(insecure-registries) and C(registry-mirrors) are
        checked. Needs a restart.
      type: dict
    vm_type:
      description: >-
        Virtualisation (C(vmType)); V(vz) from macOS 13 on only, V(krunkit) there on Apple silicon only. Fixed for the VM's life.
      type: str
      choices: [qemu, vz, krunkit]
    port_forwarder:
      description: How ports get to the laptop (C(portForwarder)). Needs a restart.
      type: str
      choices: [ssh, grpc, none]
    rosetta:
      description: Whether amd64 programs run by Rosetta. From macOS 13 on, on Apple silicon with V(vz) only. Needs a restart.
      type: bool
    binfmt:
      description: Whether programs of foreign architectures run by emulation. Needs a restart.
      type: bool
    nested_virtualization:
      description: Whether VMs run in the VM (C(nestedVirtualization)). macOS 15 and Apple M3, or newer. Needs a restart.
      type: bool
    mount_type:
      description: How directories of the laptop are mounted (C(mountType)). Fixed for the life of the VM.
      type: str
      choices: [sshfs, 9p, virtiofs]
    mount_inotify:
      description: Whether the VM learns of changes of files (C(mountInotify)). macOS only. Needs a restart.
      type: bool
    ssh_config:
      description: Whether colima adds its hosts to C(~/.ssh/config) (C(sshConfig)). Takes effect at a restart.
      type: bool
    ssh_port:
      description: Port of the VM's ssh on the laptop (C(sshPort)); V(0) picks a free one. Needs a restart.
      type: int
    mounts:
      description:
        - Directories of the laptop that are mounted in the VM. Needs a restart.
        - As with colima, an empty list means the home directory, writable. For no mount at all give one element with
          C(location=none).
      type: list
      elements: dict
      suboptions:
        location:
          description: Directory of the laptop; C(~) is the home directory.
          type: str
          required: true
        mount_point:
          description: Directory in the VM (C(mountPoint)); the same as on the laptop when left out.
          type: str
        writable:
          description: Whether the VM may write there.
          type: bool
          default: false
    provision:
      description: Scripts that run in the VM at each start. Needs a restart.
      type: list
      elements: dict
      suboptions:
        mode:
          description: When and as whom the script runs.
          type: str
          choices: [system, user, boot, dependency, after-boot, ready]
          default: system
        script:
          description: The script.
          type: str
          required: true
    env:
      description:
        - Environment of the VM, replaced as a whole. Needs a restart.
        - No place for secrets, because colima keeps it in files that others can read. Values are not shown in the diff, in the
          system's log or in the invocation that Ansible prints with C(-vvv).
      type: dict
    disk_image:
      description: Local file of the VM image (C(diskImage)); empty for colima's own. Used only when the VM is made.
      type: path
    force_disk_image:
      description: Whether to accept an image other than colima's own (C(forceDiskImage)).
      type: bool
    model_runner:
      description: Runner of AI models (C(modelRunner)). From macOS 13 on, on Apple silicon only. Needs a restart.
      type: str
      choices: [docker, ramalama]
  profiles:
    description:
      - The profiles, planned together. Use this or O(name) with the options of one profile, not both.
    type: list
    elements: dict
    suboptions:
      <<: *settings
      name:
        description:
          - Name of the profile. C(colima-) in front is the same as without.
        type: str
        required: true
  name:
    description:
      - Name of the one profile, when O(profiles) is not used; the other options of a profile then stand beside it.
    type: str
  overrides:
    description:
      - "Single settings by the name of their profile, laid over O(profiles): V({docker-buildx: {memory: 8}}). A mapping is
        merged, a list is replaced."
      - A profile that O(profiles) does not have is refused.
    type: dict
    default: {}
  company_network:
    description:
      - The network of a company, for all profiles. Becomes settings of the VMs, and what a profile itself says goes before it.
      - An empty mapping takes it away again. Left out, it stays as it is. Needs a restart.
      - What the settings of colima can't carry is a script among O(profiles[].provision). It writes the authorities, the proxy of
        containerd, BuildKit and k3s, the name servers of domains, and C(hosts.toml) of mirrors; files of others stay.
    type: dict
  sizes:
    description:
      - What becomes of a profile without O(profiles[].cpu) or O(profiles[].memory). V(keep) leaves it as it is.
      - V(share) gives it a share of the laptop - its O(profiles[].weight) divided by the sum of all weights and the laptop's own.
        The share is taken of the whole laptop and rounded down to whole CPUs and GiB, at least 1. Two profiles get a third each,
        and a third stays with the laptop.
      - A size that a profile names does not change the share of another one. A profile that is not V(absent) has its share
        whether it runs or not, so that stopping one never resizes another.
      - V(share) fails when the profiles that are not stopped need more than the laptop has, or than its memory less the reserve.
    type: str
    choices: [keep, share]
    default: keep
  start:
    description:
      - Whether a VM is started that is to be V(started) and does not run. With V(never) its settings wait for the next start, as
        with V(present); a VM that runs gets them as always.
    type: str
    choices: [always, never]
    default: always
  restart:
    description:
      - What may happen to a running VM when a change needs a restart.
      - V(if_idle) restarts it only when no user container and no pod outside C(kube-system) runs; V(never) not at all.
      - Builders of C(buildx) that build nothing do not count; a running build, pull, push or load does.
      - A VM that gives no clear answer is not idle.
      - Changes that wait are in RV(pending), and a later run applies them.
    type: str
    choices: [always, if_idle, never]
    default: if_idle
  stop:
    description:
      - When a VM is stopped that is to be V(stopped). V(if_idle) waits while the user's work runs in it, as with O(restart).
    type: str
    choices: [always, if_idle]
    default: always
  idle_for:
    description:
      - With O(stop=if_idle), for how long nothing of the user's must have run in a VM before it is stopped, such as V(2h) or
        V(90m). Empty stops at once what is idle.
      - Runs with this option note since when that is so, so let them run every quarter of an hour. The time starts again for a VM
        that was started since, and after an hour in which no run looked.
    type: str
    default: ""
  on_fixed_change:
    description:
      - What to do when a setting differs that is fixed for the life of a VM, or a disk would have to shrink.
      - V(refuse) fails before anything is done, and names all of them.
      - V(warn) leaves them as they are and applies the rest.
      - V(recreate) deletes the VM and makes a new one with the same data disk, so that images, volumes and Kubernetes objects
        stay; what was installed in the VM itself is lost. Refused where the data could not be kept. Only a change from docker to
        containerd is pending instead, until M(laptop.containers.move) has moved what is in the VM, as
        C(playbooks/workstation.yml) lets it do.
      - V(recreate_with_data_loss) does the same, and destroys the data disk where it can't be kept, for the profiles in
        O(confirm_data_loss).
    type: str
    choices: [refuse, warn, recreate, recreate_with_data_loss]
    default: refuse
  confirm_data_loss:
    description: Names of the profiles whose images and volumes may be destroyed.
    type: list
    elements: str
    default: []
  delete_data:
    description: With state V(absent), also destroy the data disk of the profiles in O(confirm_data_loss).
    type: bool
    default: false
  keep_deleted:
    description:
      - For how many days a VM that is deleted with its data is set aside, as it is. C(playbooks/restore.yml) brings
        it back until then, and it takes its room until then.
      - With V(0) it is deleted at once, as it is where it is not on the disk of the VMs.
    type: float
    default: 7
  timeout:
    description: Seconds that one start may take. After it the state is unknown; nothing is deleted, the next run repairs it.
    type: int
    default: 1800
  stall_timeout:
    description:
      - Seconds that a start may go on without a sign of life. Signs are a line that it prints, a download that grows, and output
        on the VM's console.
    type: int
    default: 600
  host:
    description: What is known of the laptop. Keys left out are read from the machine that the module runs on.
    type: dict
    suboptions:
      cpus:
        description: Logical CPUs. Running profiles may not have more in sum.
        type: int
      memory_mib:
        description: Memory in MiB. Running profiles may not have more in sum, less the reserve.
        type: int
      reserve_memory_mib:
        description: Memory in MiB that stays with the laptop.
        type: int
        default: 1024
      disk_free_mib:
        description: Free space in MiB on the laptop's disk.
        type: int
      system:
        description: Operating system.
        type: str
        choices: [Darwin, Linux]
      arch:
        description: Machine type.
        type: str
      weight:
        description: The laptop's own weight beside those of the profiles, with O(sizes=share).
        type: float
        default: 1.0
seealso:
  - module: laptop.containers.colima_profile_info
  - module: laptop.containers.docker_context
"""

EXAMPLES = r"""
- name: Start a profile with docker
  laptop.containers.colima_profile:
    name: docker-buildx
    cpu: 4
    memory: 8

- name: Two profiles side by side, as one plan
  laptop.containers.colima_profile:
    profiles:
      - name: k8s
        runtime: containerd
        kubernetes: {enabled: true}
        cpu: 4
        memory: 12
      - name: docker-buildx
        cpu: 4
        memory: 12
        disk: 120
        auto_activate: false

- name: Move a profile to another VM type, keeping its images and volumes
  laptop.containers.colima_profile:
    name: docker-buildx
    vm_type: vz
    mount_type: virtiofs
    on_fixed_change: recreate
    restart: always

- name: Delete a profile with all its images and volumes
  laptop.containers.colima_profile:
    name: old
    delete_data: true
    confirm_data_loss: [old]
    state: absent
"""

RETURN = r"""
actions:
  description:
    - What was done (or would be, in check mode), in order. After a failure what was done before it, and what was begun and not
      finished.
  returned: always
  type: list
  elements: str
  sample:
    - stop profile 'k8s' (to apply cpu 2 CPUs -> 4 CPUs)
    - start profile 'k8s' (containerd + Kubernetes, 4 CPUs, 12 GiB, disk 100 GiB)
refusals:
  description: Each refusal, where a plan was refused for several reasons; nothing was done then.
  returned: failure, when the plan was refused
  type: list
  elements: str
left:
  description: What a second look still found to do, where colima reported success.
  returned: failure, when a change did not have its effect
  type: list
  elements: str
ha_log:
  description: The end of Lima's log about the VM, where the causes of failed starts are.
  returned: failure, when a VM could not be started, stopped or changed
  type: str
pending:
  description: Changes that were held back by O(restart).
  returned: success
  type: list
  elements: dict
  contains:
    target: {description: What they belong to., type: str, returned: always}
    change: {description: The change., type: str, returned: always}
    reason: {description: Why it waits., type: str, returned: always}
    remedy: {description: How to apply it., type: str, returned: always}
profiles:
  description: The profiles afterwards, in the order in which they were given.
  returned: success
  type: list
  elements: dict
  contains:
    name: {description: Name of the profile., type: str, returned: always}
    instance: {description: Id of the Lima instance; also the name of colima's own contexts., type: str, returned: always}
    status:
      description:
        - V(running), V(stopped), V(defined) (settings but no VM), V(absent), V(broken) or V(damaged);
        - V(half-started), when its set-up never finished or its engine is dead;
        - V(unreachable), when it runs and gives no answer, so that what runs in it is unknown.
      type: str
      returned: always
    pending: {description: The changes of this profile that wait., type: list, elements: dict, returned: always}
    runtime: {description: Container runtime., type: str, returned: unless absent}
    kubernetes: {description: Whether Kubernetes is on., type: bool, returned: unless absent}
    cpu: {description: CPUs., type: int, returned: unless absent}
    memory: {description: Memory in GiB., type: float, returned: unless absent}
    disk: {description: True size of the data disk in GiB., type: int, returned: always}
    arch: {description: Architecture., type: str, returned: unless absent}
    vm_type: {description: Virtualisation., type: str, returned: unless absent}
    mount_type: {description: How directories are mounted., type: str, returned: unless absent}
    address: {description: Reachable address of a running VM that has one., type: str, returned: unless absent}
    config_file: {description: Path of the settings., type: str, returned: unless absent}
    docker_context: {description: Name of colima's docker context; empty for other runtimes., type: str, returned: unless absent}
    kube_context: {description: Name of the kube context; empty without Kubernetes., type: str, returned: unless absent}
    docker_socket: {description: Address of docker on the laptop., type: str, returned: unless absent}
    containerd_socket: {description: Address of containerd on the laptop., type: str, returned: unless absent}
    buildkitd_socket: {description: Address of BuildKit on the laptop., type: str, returned: unless absent}
    incus_socket: {description: Address of incus on the laptop., type: str, returned: unless absent}
"""

from ..module_utils.core.module import run_module


def subject() -> type:
    from ..module_utils.colima.task import SUBJECT

    return SUBJECT


def main() -> None:
    run_module(subject)


if __name__ == "__main__":
    main()
