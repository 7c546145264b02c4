# SPDX-License-Identifier: GPL-3.0-or-later
"""The rehearsal: a laptop in a directory, with real engines where this machine can have them and stand-ins elsewhere."""
