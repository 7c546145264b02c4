# SPDX-License-Identifier: GPL-3.0-or-later
"""From what is there and what is asked for to actions, refusals and pending changes. Pure."""
