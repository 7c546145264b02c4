# SPDX-License-Identifier: GPL-3.0-or-later
"""Snapshots of single volumes of an engine, as archives on the laptop's disk, and the way back."""
