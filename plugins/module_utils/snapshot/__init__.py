# SPDX-License-Identifier: GPL-3.0-or-later
"""Copies of a stopped profile's data disk, and the way back. Starts and stops no VM, and knows nothing of what is on a disk."""
