# SPDX-License-Identifier: GPL-3.0-or-later
"""The files that colima reads and writes."""
