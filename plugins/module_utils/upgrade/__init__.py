# SPDX-License-Identifier: GPL-3.0-or-later
"""Upgrades of the programs under the workstation: from what to what, and what that means for VMs. Installs nothing new."""
