# SPDX-License-Identifier: GPL-3.0-or-later
"""One lab from its start to its end: the laptop in a directory, the rehearsal."""
