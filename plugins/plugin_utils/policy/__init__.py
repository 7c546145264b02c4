# SPDX-License-Identifier: GPL-3.0-or-later
"""The team's policy inside Ansible: its files, the settings that it is about, and the tasks that are held against it."""
