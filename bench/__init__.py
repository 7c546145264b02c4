# SPDX-License-Identifier: GPL-3.0-or-later
"""Speed goals, each measured as a ratio of two things that ran in turn on the same machine."""
