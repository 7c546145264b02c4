# SPDX-License-Identifier: GPL-3.0-or-later
"""Processes of the lab: looking at them, daemons that outlive a command, and engines in namespaces of their own."""
