# SPDX-License-Identifier: GPL-3.0-or-later
"""Stand-ins for programs that a rehearsal cannot have for real."""
