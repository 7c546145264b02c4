# SPDX-License-Identifier: GPL-3.0-or-later
"""A whole run of the tests: its tiers, what its files cost, and how much time is left."""
