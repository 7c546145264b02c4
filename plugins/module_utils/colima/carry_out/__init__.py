# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs the actions of plans. Decides nothing but how to get past a failed start."""
