# SPDX-License-Identifier: GPL-3.0-or-later
"""What a profile is, as values: settings, colima.yaml, what is asked for, what was found. Starts nothing and opens nothing."""
