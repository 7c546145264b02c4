# SPDX-License-Identifier: GPL-3.0-or-later
"""The stand-in limactl: instances, disks, host agents, downloads."""
