# SPDX-License-Identifier: GPL-3.0-or-later
"""Builds: a BuildKit that only answers, images that need no other, and a node that runs them."""
