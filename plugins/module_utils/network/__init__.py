# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether what asks for something outside gets it: the laptop, each VM, docker, the kubelet, BuildKit. Sets up no VM."""
