#!/usr/bin/python
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: network
short_description: Ask whether everything reaches what is outside a company's network
version_added: 0.1.0
author: [The laptop.containers contributors (@laptop-containers)]
description:
  - Asks each consumer for addresses outside with a request of its own, namely the laptop, the system of each running VM, docker,
    the kubelet's containerd, BuildKit and pods of O(pod_namespaces), and says which of them fails at the name, the proxy, the
    authority or the other side.
  - Names address ranges of docker, of the clusters and of the VMs that collide with routes of a VPN or an office.
  - Keeps ConfigMaps C(company-authorities) and C(company-proxy) in namespaces whose pods ask for them.
  - Keeps the files of authorities and of the proxy with which this collection asks AWS, C(authorities.pem) and C(proxy.env) in
    C(~/.local/state/laptop.containers).
  - The settings themselves get into the VMs with O(laptop.containers.colima_profile#module:company_network).
  - Asking pulls no image and restarts nothing.
extends_documentation_fragment: [laptop.containers.attributes]
options:
  authorities:
    description:
      - Files with certificates of authorities (PEM or DER). Each VM trusts them, with docker, containerd and BuildKit in it.
      - A file with a private key is refused, and so is a certificate that has expired or is not an authority's.
    type: list
    elements: path
    default: []
  local_authorities:
    description: Whether authorities that an admin added to this laptop are trusted as well.
    type: bool
    default: false
  http_proxy:
    description: The proxy for http without a log-in, such as V(http://proxy.example.com:3128). V(127.0.0.1) is the laptop.
    type: str
    default: ""
  https_proxy:
    description: The same for https.
    type: str
    default: ""
  no_proxy:
    description: >-
      What is asked without the proxy, namely names, domains that begin with a dot, addresses and ranges.
      The laptop, the VM and what is in its cluster are added.
    type: list
    elements: str
    default: []
  mirrors:
    description: Where images of a registry are asked for first. Docker has mirrors for V(docker.io) alone.
    type: list
    elements: dict
    default: []
    suboptions:
      registry:
        description: Host of the registry, such as V(ghcr.io).
        type: str
        required: true
      url:
        description: >-
          Address of the mirror, with a path where it has the images below one, as Harbor and ECR do.
          V(127.0.0.1) is the laptop.
        type: str
        required: true
  dns_servers:
    description: Addresses of the VMs' name servers, unless the profile has its own. With none the VMs ask the laptop.
    type: list
    elements: str
    default: []
  dns_domains:
    description: Addresses of name servers by domain, for domains that only these know. Needs colima 0.9.0.
    type: dict
    default: {}
  pod_namespaces:
    description:
      - Namespaces that get the ConfigMaps C(company-authorities), with all authorities as C(ca.crt), and C(company-proxy), with
        the variables of the proxy. A namespace that does not exist yet is pending; one that leaves the list loses both.
    type: list
    elements: str
    default: []
  context:
    description: The kube context of the cluster of O(pod_namespaces).
    type: str
    default: colima-k8s
  expected_contexts:
    description: Contexts of clusters that this run has made or started. In check mode they need not answer.
    type: list
    elements: str
    default: []
  kubeconfig:
    description: Path of the kubeconfig. By default E(KUBECONFIG), else C(~/.kube/config).
    type: path
  profiles:
    description: The profiles whose running VMs are asked, each a mapping as in M(laptop.containers.colima_profile).
    type: list
    elements: raw
    default: []
  overrides:
    description: Single settings of these profiles by name, as in M(laptop.containers.colima_profile).
    type: dict
    default: {}
  probes:
    description: Addresses that each consumer has to reach; nothing is asked where no other option is set.
    type: list
    elements: str
    default: []
  state:
    description: V(absent) removes the file of authorities and the ConfigMaps, and asks nothing.
    type: str
    choices: [present, absent]
    default: present
"""

EXAMPLES = r"""
- name: Ask who reaches Docker Hub behind a proxy that intercepts TLS
  laptop.containers.network:
    authorities: [~/company/root.pem]
    https_proxy: http://proxy.example.com:3128
    profiles:
      - name: k8s
      - name: docker-buildx
    probes: ["https://registry-1.docker.io/v2/"]
"""

RETURN = r"""
matrix:
  description: A row for each consumer and address.
  returned: success
  type: list
  elements: dict
  contains:
    consumer:
      description: Who asked.
      type: str
      choices: [laptop, VM, docker, kubelet, BuildKit, pod]
    profile:
      description: The profile; empty for the laptop.
      type: str
    url:
      description: What was asked for.
      type: str
    reach:
      description: How far the request came. V(reached) whatever the other side answered.
      type: str
      choices: [reached, name, proxy, authority, certificate, portal, silent, unknown]
    meaning:
      description: The same in words.
      type: str
    detail:
      description: What the tool said of a failure.
      type: str
pending:
  description: ConfigMaps that wait for a cluster or a namespace.
  returned: always
  type: list
  elements: dict
collisions:
  description: Address ranges that collide with routes of the laptop, each in a sentence.
  returned: success
  type: list
  elements: str
bundle:
  description: The file of authorities; empty where the company has none.
  returned: success
  type: str
"""

from ..module_utils.core.module import run_module


def subject():
    from ..module_utils.network.task import SUBJECT

    return SUBJECT


def main():
    run_module(subject)


if __name__ == "__main__":
    main()
