# SPDX-License-Identifier: GPL-3.0-or-later
"""The rooms of the collection, one per subject; arrows go down only (tests/unit/test_layout.py)."""
