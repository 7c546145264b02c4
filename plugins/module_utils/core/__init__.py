# SPDX-License-Identifier: GPL-3.0-or-later
"""What every module is built from: errors, plans, commands, files, notes, processes. Uses no other room."""
