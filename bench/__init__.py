# SPDX-License-Identifier: GPL-3.0-or-later
"""Speed goals, each measured as the ratio of two programs that run in turn on the same machine."""
