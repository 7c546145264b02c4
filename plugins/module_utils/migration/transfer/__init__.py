# SPDX-License-Identifier: GPL-3.0-or-later
"""How one image or one volume gets from an engine to another, and how the copy is checked. Chooses nothing."""
