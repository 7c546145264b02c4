# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs of Ansible in tests: forked from a process that has imported it, and plays that are only read."""
