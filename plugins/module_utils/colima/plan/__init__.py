# SPDX-License-Identifier: GPL-3.0-or-later
"""From state and spec to actions, refusals and pending changes. Pure."""
