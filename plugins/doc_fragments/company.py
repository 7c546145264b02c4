# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation of the options that describe a company's network."""

from __future__ import annotations


class ModuleDocFragment:
    """The network of a company."""

    DOCUMENTATION = r"""
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
        description: Address of the mirror; with a path where it has the registry's images below one, as Harbor and ECR do.
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
"""
