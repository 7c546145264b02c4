# SPDX-License-Identifier: GPL-3.0-or-later
"""Looks at the whole workstation and says what is wrong and what helps. Uses what other rooms read; changes nothing."""
