# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads profiles and what surrounds them. Changes nothing."""
