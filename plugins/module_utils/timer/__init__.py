# SPDX-License-Identifier: GPL-3.0-or-later
"""A user's timer as launchd agent or systemd units. Knows nothing of what the timer runs."""
