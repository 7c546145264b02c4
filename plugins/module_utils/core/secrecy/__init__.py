# SPDX-License-Identifier: GPL-3.0-or-later
"""What a run must not tell: the secrets that it knows, and what looks like one. Knows no tool."""
