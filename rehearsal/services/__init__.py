# SPDX-License-Identifier: GPL-3.0-or-later
"""Real engines on this machine's loopback and in directories of their own, for the lab and for tests."""
