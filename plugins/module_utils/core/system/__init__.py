# SPDX-License-Identifier: GPL-3.0-or-later
"""This machine: programs, processes, files, and the locks between runs. Knows no subject."""
