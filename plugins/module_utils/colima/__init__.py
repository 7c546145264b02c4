# SPDX-License-Identifier: GPL-3.0-or-later
"""Profiles of colima: how they are read, planned, carried out and reported. Knows nothing of pull secrets."""
