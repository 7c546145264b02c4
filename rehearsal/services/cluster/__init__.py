# SPDX-License-Identifier: GPL-3.0-or-later
"""A whole Kubernetes on one node, from its own programs: control plane, kubelet, and what the kubelet finds on its node."""
