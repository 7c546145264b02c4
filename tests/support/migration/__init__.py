# SPDX-License-Identifier: GPL-3.0-or-later
"""Engines, images and volumes for tests of moves."""
