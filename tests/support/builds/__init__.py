# SPDX-License-Identifier: GPL-3.0-or-later
"""Builds: a BuildKit that only answers, and images that need no other."""
