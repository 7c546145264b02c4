# SPDX-License-Identifier: GPL-3.0-or-later
"""A Python of this collection's own on a laptop. Needs nothing but a shell there, as no Python may be there yet."""
